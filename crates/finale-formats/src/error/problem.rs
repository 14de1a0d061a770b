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
    /// The document holds more values than [`Limits::values_max`](crate::Limits::values_max).
    #[error("the file holds more than {values_max} values")]
    TooManyValues {
        /// The limit.
        values_max: usize,
    },
    /// Lists and maps stand too deep inside each other.
    #[error("the values are nested too deeply: more than 104 levels in YAML, or 127 in JSON")]
    TooDeep,
    /// There is nothing in the file.
    #[error("the file is empty")]
    Empty,
    /// The file is not text: save it as UTF-8.
    #[error("the file is not UTF-8 text: it breaks off after {valid_bytes} bytes")]
    NotUtf8 {
        /// How many bytes from the beginning are text.
        valid_bytes: usize,
    },
    /// The text is not JSON or YAML, or goes beyond the depth, size or alias budget of the parser.
    #[error("{message}")]
    Syntax {
        /// What the parser says.
        message: String,
        /// The parser's own error.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The text is JSON or YAML but not the serialized form of a definition.
    #[error("this is no definition: {message}")]
    Shape {
        /// What the decoder says.
        message: String,
        /// The decoder's own error.
        source: Box<dyn Error + Send + Sync>,
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
    /// A key is missing.
    #[error("the key `{key}` is missing")]
    MissingKey {
        /// The key.
        key: &'static str,
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

impl LoadProblem {
    /// The machine code of the problem, which does not change between versions.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "file_too_large",
            Self::TooManyValues { .. } => "file_too_many_values",
            Self::TooDeep => "file_too_deep",
            Self::Empty => "file_empty",
            Self::NotUtf8 { .. } => "file_not_utf8",
            Self::Syntax { .. } => "file_syntax",
            Self::Shape { .. } => "file_shape",
            Self::UnknownFormat { .. } => "file_unknown_format",
            Self::WrongType { .. } => "file_wrong_type",
            Self::MissingKey { .. } => "file_missing_key",
            Self::UnknownKey { .. } => "file_unknown_key",
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
            Self::MissingAnswer { .. } => "file_missing_answer",
            Self::WrongAnswer { .. } => "file_wrong_answer",
        }
    }
}

fn hint(nearest: &Option<&str>) -> String {
    nearest.map_or_else(String::new, |word| format!(", did you mean `{word}`?"))
}

fn boolean_hint(found: &str) -> &'static str {
    match found.trim_matches('`').to_lowercase().as_str() {
        "yes" | "y" | "on" | "true" => "; write `true`",
        "no" | "n" | "off" | "false" => "; write `false`",
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
