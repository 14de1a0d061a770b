//! What is allowed in a file and probably not meant.

use std::fmt;

use crate::error::{Path, Place, Step};

/// What may go wrong with a file that can be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadWarning {
    /// What a template puts into a shell command becomes part of the command: whoever chooses the value chooses what runs.
    #[error("the shell runs what `${{{{ {expression} }}}}` gives: write `${{{{ {} }}}}`, or hand the value over in `env`", with_quote(.expression))]
    UnquotedTemplate {
        /// The expression.
        expression: String,
    },
    /// A value that `| quote` has quoted stands between quotes of the command, which ends its own quotes.
    #[error("`${{{{ {expression} }}}}` is quoted already: take away the quotes around it, which undo that")]
    QuotedTwice {
        /// The expression.
        expression: String,
    },
    /// A template stands in a here-document of a command, where quotes protect from nothing.
    #[error(
        "the shell expands what `${{{{ {expression} }}}}` gives, as no quotes count in a here-document: hand the value over in `env`"
    )]
    HereDocument {
        /// The expression.
        expression: String,
    },
    /// There is a template where none is read.
    #[error("a template is not read here, and stays as it is written")]
    UnreadTemplate,
    /// What looks like a template of another system stands in a command.
    #[error("`{{{{ {expression} }}}}` is no template, and stays as it is written: write `${{{{ {expression} }}}}`")]
    ForeignTemplate {
        /// What stands between the braces.
        expression: String,
    },
    /// A retry is bound to a code that is nearly the name of a class of failures.
    #[error(
        "`{code}` is no class of failures, so that it means failures with that code; did you mean the class `{class}`?"
    )]
    NearlyAClass {
        /// What is written.
        code: String,
        /// The class with nearly that name.
        class: &'static str,
    },
    /// A condition of `SynthOrg` has a `=` that compares nothing: it asks for a key that no input has, and is false for
    /// ever.
    #[error("`=` compares nothing, so that this asks for a key called `{condition}`")]
    SingleEquals {
        /// The condition.
        condition: String,
    },
}

impl LoadWarning {
    /// What to write instead, where the text does not say it.
    pub(crate) const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::SingleEquals { .. } => Some("write `==`"),
            Self::UnreadTemplate => {
                Some("`with`, `shell`, `sleep`, `log`, `signal` and the items of a `map` take templates")
            }
            Self::UnquotedTemplate { .. }
            | Self::QuotedTwice { .. }
            | Self::HereDocument { .. }
            | Self::NearlyAClass { .. }
            | Self::ForeignTemplate { .. } => None,
        }
    }

    /// The machine code of the warning, which does not change between versions.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnquotedTemplate { .. } => "command_unquoted",
            Self::QuotedTwice { .. } => "command_quoted_twice",
            Self::HereDocument { .. } => "command_here_document",
            Self::UnreadTemplate => "template_unread",
            Self::ForeignTemplate { .. } => "template_foreign",
            Self::NearlyAClass { .. } => "retry_code_like_class",
            Self::SingleEquals { .. } => "file_single_equals",
        }
    }
}

/// An expression with the filter that quotes its value.
fn with_quote(expression: &str) -> String {
    let is_simple = expression.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '[' | ']' | '"' | '\''));
    if is_simple { format!("{expression} | quote") } else { format!("({expression}) | quote") }
}

/// A warning, and where in the file it is about.
///
/// Its text is `line:column: path: warning`, with the parts that are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileWarning {
    pub(crate) place: Option<Place>,
    pub(crate) path: Vec<Step>,
    pub(crate) warning: LoadWarning,
}

impl FileWarning {
    /// Line and column, both counted from 1, if the place is known.
    pub fn line_column(&self) -> Option<(u32, u32)> {
        self.place.map(|place| (place.line, place.column))
    }

    /// The way from the root of the document to the value in question.
    pub fn path(&self) -> &[Step] {
        &self.path
    }

    /// What may go wrong.
    pub fn warning(&self) -> &LoadWarning {
        &self.warning
    }

    /// The machine code of the warning, which does not change between versions.
    pub const fn code(&self) -> &'static str {
        self.warning.code()
    }
}

impl fmt::Display for FileWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Place { line, column }) = self.place {
            write!(f, "{line}:{column}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", Path(&self.path))?;
        }
        write!(f, "{}", self.warning)
    }
}
