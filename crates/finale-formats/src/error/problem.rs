//! What can be wrong with a file.

use std::error::Error;
use std::fmt;

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadProblem {
    /// The file is longer than [`Limits::bytes_max`](crate::Limits::bytes_max): split it or raise the limit.
    #[error("the file has {bytes} bytes, at most {bytes_max} are read")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The file asks for more than is read: write it shorter, or split it.
    #[error("{}", limit.exceeded(*max))]
    OverLimit {
        /// What there is too much of.
        limit: FileLimit,
        /// How much is allowed.
        max: usize,
    },
    /// There is nothing in the file.
    #[error("the file is empty")]
    Empty,
    /// The file is not text: save it as UTF-8.
    #[error("the file is not UTF-8 text: it breaks off after {valid_bytes} bytes")]
    NotUtf8 {
        /// How many bytes from the beginning are text.
        valid_bytes: usize,
    },
    /// The text is not JSON or YAML.
    #[error("{message}")]
    Syntax {
        /// What is wrong, and what to do about it.
        message: String,
        /// The error of the parser, if it is one of its own.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// The text is JSON or YAML but not the serialized form of a definition.
    #[error("this is no definition: {message}")]
    Shape {
        /// What is wrong.
        message: String,
    },
    /// None of the known formats has these keys.
    #[error(
        "cannot tell the format: a file of finale has the key `tasks`, a blueprint has `blueprint`, WfFormat has \
         `workflow`, a definition has `nodes`; here are {}",
        list(.keys)
    )]
    UnknownFormat {
        /// The first keys of the document.
        keys: Vec<String>,
    },
    /// A value has the wrong type.
    #[error("expected {expected}, found {found}")]
    WrongType {
        /// What is accepted.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// A scalar without quotes is not surely what is meant.
    #[error("{reason}: {}", quote_hint(.written, .instead.as_deref()))]
    Unquoted {
        /// The scalar, as it stands in the file.
        written: String,
        /// What is expected, or what is in doubt.
        reason: String,
        /// The number to write instead, if one is meant.
        instead: Option<String>,
    },
    /// A key is missing.
    #[error("the key `{key}`{} is missing", other(*.instead))]
    MissingKey {
        /// The key.
        key: &'static str,
        /// The key that there may be instead.
        instead: Option<&'static str>,
    },
    /// A key means nothing here.
    #[error("unknown key `{key}`{}; accepted: {}", hint(.nearest), list(.accepted))]
    UnknownKey {
        /// The key.
        key: String,
        /// What was probably meant.
        nearest: Option<&'static str>,
        /// What is accepted.
        accepted: &'static [&'static str],
    },
    /// A key that other tools have, and finale has not.
    #[error("there is no `{key}` here: {instead}")]
    Unsupported {
        /// The key, or what stands behind it.
        key: String,
        /// What to do instead.
        instead: &'static str,
    },
    /// A word is none of those that are accepted here.
    #[error("unknown {what} `{value}`{}; accepted: {}", hint(.nearest), list(.accepted))]
    UnknownWord {
        /// What the word stands for.
        what: &'static str,
        /// The word.
        value: String,
        /// What was probably meant.
        nearest: Option<&'static str>,
        /// What is accepted.
        accepted: &'static [&'static str],
    },
    /// Two tasks of a `WfFormat` file have one id.
    #[error("the task id `{id}` is there twice")]
    DuplicateTask {
        /// The id.
        id: String,
    },
    /// A `WfFormat` file names a task that its specification does not have.
    #[error("there is no task with the id `{id}`")]
    UnknownTask {
        /// The id.
        id: String,
    },
    /// A runtime is negative or longer than a hundred years.
    #[error("a runtime of {seconds} s is not between 0 and a hundred years")]
    BadRuntime {
        /// The runtime.
        seconds: f64,
    },
    /// Something that is not `true` or `false`, where one of them is needed.
    #[error("expected `true` or `false`, found {found}{}", boolean_hint(.found))]
    BadBoolean {
        /// What is there.
        found: String,
    },
    /// A number is not in the range that is accepted.
    #[error("expected a whole number from {min} to {max}, found {found}")]
    BadNumber {
        /// What is there.
        found: String,
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// The revision of a `SynthOrg` definition is no whole number from 1 on.
    #[error("revision {found} is no whole number from 1 on")]
    BadRevision {
        /// What is there.
        found: String,
    },
    /// A duration cannot be read.
    #[error("{found} is no duration: {reason}")]
    BadDuration {
        /// What is there.
        found: String,
        /// What is wrong with it, and what to write.
        reason: String,
    },
    /// A text with `${{` in it cannot be made into an expression.
    #[error("`${{{{` in a text: {reason}")]
    BadTemplate {
        /// What is wrong.
        reason: &'static str,
    },
    /// Two keys of one map exclude each other.
    #[error("`{key}` and `{other}` exclude each other: {reason}")]
    Contradiction {
        /// One key.
        key: &'static str,
        /// The other, which stands before it in the list of keys.
        other: &'static str,
        /// Why.
        reason: &'static str,
    },
    /// There is nothing behind the id of a task.
    #[error(
        "the task is empty: say what it does with `handler`, `shell`, `sleep` or `log`, or write `{{}}` if somebody \
         outside does it"
    )]
    EmptyTask,
    /// A node does not say what it is.
    #[error("the node does not say what it is; accepted: {}", list(.accepted))]
    MissingKind {
        /// What it can be.
        accepted: &'static [&'static str],
    },
    /// A file names a node that it does not have.
    #[error("there is no node `{id}`{}", hint(&.nearest.as_deref()))]
    UnknownNode {
        /// The id.
        id: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// A task and another node have one id.
    #[error("the id `{id}` is there twice, under `tasks` and under `nodes`")]
    DuplicateNode {
        /// The id.
        id: String,
    },
    /// Something is wrong with the definition in the file, as far as that can be told while other parts of the file are
    /// wrong too.
    #[error("{}", .problem.message)]
    Definition {
        /// What the compiler found.
        problem: finale_core::compile::Problem,
    },
    /// What comes after a decision or a verification does not say after which answer.
    #[error("`{node}` is a {kind}: say after which answer, like `{{node: {node}, on: {first}}}`; accepted: {}", list(.accepted), first = .accepted[0])]
    MissingAnswer {
        /// The node that gives the answer.
        node: String,
        /// What it is.
        kind: &'static str,
        /// The answers that it gives; never empty.
        accepted: &'static [&'static str],
    },
    /// A node does not give the answer that something comes after.
    #[error("`{node}` is a {kind}, which does not answer `{answer}`; accepted after `on`: {}", list(.accepted))]
    WrongAnswer {
        /// The node.
        node: String,
        /// What it is.
        kind: &'static str,
        /// The answer.
        answer: String,
        /// The answers that it gives.
        accepted: &'static [&'static str],
    },
}

/// What there can be too much of in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileLimit {
    /// Values, with those that aliases repeat: [`Limits::values_max`](crate::Limits::values_max).
    Values,
    /// Lists and maps inside each other: [`Limits::DEPTH_MAX`](crate::Limits::DEPTH_MAX). Inside a `with` there may
    /// be as many as in a payload, `finale_core::payload::DEPTH_MAX`.
    Depth,
    /// Anchors (`&name`) of a YAML file: [`Limits::ANCHORS_MAX`](crate::Limits::ANCHORS_MAX).
    Anchors,
    /// Values that the anchors and aliases (`*name`) of a YAML file stand for, all together:
    /// [`Limits::ALIASED_VALUES_MAX`](crate::Limits::ALIASED_VALUES_MAX).
    Aliases,
    /// The bytes of a JSON Schema: `finale_core::definition::Schema::BYTES_MAX`.
    SchemaBytes,
    /// Documents in a YAML file: 1.
    Documents,
}

impl FileLimit {
    fn exceeded(self, max: usize) -> String {
        match self {
            Self::Values => format!("the file holds more than {max} values"),
            Self::Depth => format!("lists and maps are nested more than {max} levels deep"),
            Self::Anchors => format!("the file has more than {max} anchors (`&name`)"),
            Self::Aliases => format!("the anchors and aliases (`*name`) of the file stand for more than {max} values"),
            Self::SchemaBytes => format!("the schema has more than {max} bytes"),
            Self::Documents => "a second document begins here (`---`), and a file holds one: split it".to_owned(),
        }
    }
}

impl LoadProblem {
    /// The machine code of the problem, which does not change between versions.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "file_too_large",
            Self::OverLimit { .. } => "file_over_limit",
            Self::Empty => "file_empty",
            Self::NotUtf8 { .. } => "file_not_utf8",
            Self::Syntax { .. } => "file_syntax",
            Self::Shape { .. } => "file_shape",
            Self::UnknownFormat { .. } => "file_unknown_format",
            Self::WrongType { .. } => "file_wrong_type",
            Self::Unquoted { .. } => "file_unquoted",
            Self::MissingKey { .. } => "file_missing_key",
            Self::UnknownKey { .. } => "file_unknown_key",
            Self::Unsupported { .. } => "file_unsupported",
            Self::UnknownWord { .. } => "file_unknown_word",
            Self::DuplicateTask { .. } => "file_duplicate_task",
            Self::UnknownTask { .. } => "file_unknown_task",
            Self::BadRuntime { .. } => "file_bad_runtime",
            Self::BadBoolean { .. } => "file_bad_boolean",
            Self::BadNumber { .. } => "file_bad_number",
            Self::BadRevision { .. } => "file_bad_revision",
            Self::BadDuration { .. } => "file_bad_duration",
            Self::BadTemplate { .. } => "file_bad_template",
            Self::Contradiction { .. } => "file_contradiction",
            Self::EmptyTask => "file_empty_task",
            Self::MissingKind { .. } => "file_missing_kind",
            Self::UnknownNode { .. } => "file_unknown_node",
            Self::DuplicateNode { .. } => "file_duplicate_node",
            Self::Definition { problem } => problem.code.as_str(),
            Self::MissingAnswer { .. } => "file_missing_answer",
            Self::WrongAnswer { .. } => "file_wrong_answer",
        }
    }
}

fn hint(nearest: &Option<&str>) -> String {
    nearest.map_or_else(String::new, |word| format!(", did you mean `{word}`?"))
}

/// How a scalar is written beyond doubt.
pub(crate) fn quote_hint(written: &str, instead: Option<&str>) -> String {
    match instead {
        None => format!("quote it, `\"{written}\"`"),
        Some(instead) => format!("quote it if it is text, `\"{written}\"`, or write `{instead}`"),
    }
}

fn boolean_hint(found: &str) -> &'static str {
    match found.trim_matches('`').to_lowercase().as_str() {
        "\"true\"" => "; write `true` without quotes",
        "\"false\"" => "; write `false` without quotes",
        "yes" | "y" | "on" => "; write `true`",
        "no" | "n" | "off" => "; write `false`",
        _ => "",
    }
}

pub(crate) fn list(words: &[impl fmt::Display]) -> String {
    if words.is_empty() {
        return "none".to_owned();
    }
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

/// Another key that would do.
fn other(instead: Option<&str>) -> String {
    instead.map(|key| format!(" or `{key}`")).unwrap_or_default()
}
