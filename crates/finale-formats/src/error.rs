//! Why a file could not be loaded.

use std::error::Error;
use std::fmt;

/// Why a file could not be loaded, and where.
///
/// Its text is `file:line:column: path: problem`, with the parts that are known.
#[derive(Debug)]
pub struct LoadError {
    details: Box<Details>,
}

#[derive(Debug)]
struct Details {
    origin: String,
    place: Option<Place>,
    path: Vec<Step>,
    problem: LoadProblem,
}

impl LoadError {
    pub(crate) fn new(origin: &str, problem: LoadProblem) -> Self {
        Fault::new(problem).into_error(origin)
    }

    /// The name of the file, as the caller gave it; empty if there is none.
    pub fn origin(&self) -> &str {
        &self.details.origin
    }

    /// Line and column, both counted from 1, if the place is known.
    pub fn line_column(&self) -> Option<(u32, u32)> {
        self.details.place.map(|place| (place.line, place.column))
    }

    /// The way from the root of the document to the value in question; empty for the root.
    pub fn path(&self) -> &[Step] {
        &self.details.path
    }

    /// What is wrong.
    pub fn problem(&self) -> &LoadProblem {
        &self.details.problem
    }

    /// The machine code of the problem, which does not change between versions.
    pub fn code(&self) -> &'static str {
        self.details.problem.code()
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = &*self.details;
        let mut separator = "";
        if !details.origin.is_empty() {
            f.write_str(&details.origin)?;
            separator = ": ";
        }
        if let Some(Place { line, column }) = details.place {
            let colon = if separator.is_empty() { "" } else { ":" };
            write!(f, "{colon}{line}:{column}")?;
            separator = ": ";
        }
        if !details.path.is_empty() {
            f.write_str(separator)?;
            write_path(f, &details.path)?;
            separator = ": ";
        }
        write!(f, "{separator}{}", details.problem)
    }
}

fn write_path(f: &mut fmt::Formatter<'_>, path: &[Step]) -> fmt::Result {
    for (position, step) in path.iter().enumerate() {
        match step {
            Step::Key(key) if position == 0 => f.write_str(key)?,
            Step::Key(key) => write!(f, ".{key}")?,
            Step::Index(index) => write!(f, "[{index}]")?,
        }
    }
    Ok(())
}

impl Error for LoadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.details.problem.source()
    }
}

/// One step of the way into a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// To the value under this key of a map.
    Key(String),
    /// To this entry of a list, counted from 0.
    Index(usize),
}

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
    #[error("the values are nested too deeply: more than 24 levels in YAML, or 127 in JSON")]
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
        "cannot tell the format: a blueprint has the key `blueprint`, WfFormat has `workflow`, \
         a definition has `nodes`; here are {}",
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
        }
    }
}

fn hint(nearest: &Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |word| format!(", did you mean `{word}`?"))
}

fn list(words: &[impl fmt::Display]) -> String {
    if words.is_empty() {
        return "none".to_owned();
    }
    let quoted: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

/// Line and column, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A problem on its way out of a document: every level it passes adds its step.
#[derive(Debug)]
pub(crate) struct Fault {
    details: Box<FaultDetails>,
}

#[derive(Debug)]
struct FaultDetails {
    problem: LoadProblem,
    place: Option<Place>,
    path_reversed: Vec<Step>,
}

impl Fault {
    pub(crate) fn new(problem: LoadProblem) -> Self {
        Self { details: Box::new(FaultDetails { problem, place: None, path_reversed: Vec::new() }) }
    }

    /// The innermost place wins.
    pub(crate) fn at(mut self, place: Option<Place>) -> Self {
        self.details.place = self.details.place.or(place);
        self
    }

    pub(crate) fn within(mut self, step: Step) -> Self {
        self.details.path_reversed.push(step);
        self
    }

    pub(crate) fn within_key(self, key: &str) -> Self {
        self.within(Step::Key(key.to_owned()))
    }

    /// `locate` finds the place of a path, for a parser that did not keep places.
    pub(crate) fn located_by(mut self, locate: impl FnOnce(&[Step]) -> Option<Place>) -> Self {
        if self.details.place.is_none() {
            let path: Vec<Step> = self.details.path_reversed.iter().rev().cloned().collect();
            self.details.place = locate(&path);
        }
        self
    }

    pub(crate) fn into_error(self, origin: &str) -> LoadError {
        let FaultDetails { problem, place, mut path_reversed } = *self.details;
        path_reversed.reverse();
        LoadError { details: Box::new(Details { origin: origin.to_owned(), place, path: path_reversed, problem }) }
    }
}
