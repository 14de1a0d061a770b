//! Why a file could not be loaded.

use std::error::Error;
use std::fmt;

/// Why a file could not be loaded: one problem or several, in the order of the file.
///
/// Its text has a line for each problem, `file:line:column: path: problem` with the parts that are known.
/// Files in finale's own format have all their problems reported, up to [`PROBLEMS_MAX`](Self::PROBLEMS_MAX); a file
/// that cannot be parsed, or is of another format, has the first one only.
///
/// ```
/// use finale_formats::{Format, load};
///
/// let text = b"id: release\ntasks:\n  test:\n    shell: cargo test\n    needs: build\n    timeout: 10\n";
/// let error = load(text, Format::Auto, "release.yaml").unwrap_err();
/// let codes: Vec<_> = error.problems().iter().map(|problem| problem.code()).collect();
/// assert_eq!(codes, ["file_unknown_key", "file_bad_duration"]);
/// assert!(error.to_string().starts_with("release.yaml:5:5: tasks.test.needs: unknown key `needs`, did you mean `after`?"));
/// ```
#[derive(Debug)]
pub struct LoadError {
    details: Box<Details>,
}

#[derive(Debug)]
struct Details {
    origin: String,
    /// Never empty.
    problems: Vec<FileProblem>,
    omitted: usize,
}

impl LoadError {
    /// Of more problems than this the rest is only counted.
    pub const PROBLEMS_MAX: usize = 100;

    pub(crate) fn new(origin: &str, problem: LoadProblem) -> Self {
        Fault::new(problem).into_error(origin)
    }

    /// The name of the file, as the caller gave it; empty if there is none.
    pub fn origin(&self) -> &str {
        &self.details.origin
    }

    /// Where the first problem is: line and column, both counted from 1, if the place is known.
    pub fn line_column(&self) -> Option<(u32, u32)> {
        self.first().line_column()
    }

    /// The way from the root of the document to the value that the first problem is about; empty for the root.
    pub fn path(&self) -> &[Step] {
        self.first().path()
    }

    /// The first problem.
    pub fn problem(&self) -> &LoadProblem {
        self.first().problem()
    }

    /// The machine code of the first problem, which does not change between versions.
    pub fn code(&self) -> &'static str {
        self.first().code()
    }

    /// All problems, in the order of the file; never empty.
    pub fn problems(&self) -> &[FileProblem] {
        &self.details.problems
    }

    /// How many more problems there are than [`problems`](Self::problems) tells.
    pub fn omitted(&self) -> usize {
        self.details.omitted
    }

    fn first(&self) -> &FileProblem {
        &self.details.problems[0]
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, problem) in self.details.problems.iter().enumerate() {
            if position > 0 {
                f.write_str("\n")?;
            }
            self.write_line(f, problem)?;
        }
        match self.details.omitted {
            0 => Ok(()),
            omitted => write!(f, "\nand {omitted} more"),
        }
    }
}

impl LoadError {
    fn write_line(&self, f: &mut fmt::Formatter<'_>, problem: &FileProblem) -> fmt::Result {
        let origin = self.origin();
        f.write_str(origin)?;
        match (origin.is_empty(), problem.place) {
            (true, _) => {}
            (false, Some(_)) => f.write_str(":")?,
            (false, None) => f.write_str(": ")?,
        }
        write!(f, "{problem}")
    }
}

impl Error for LoadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.problem().source()
    }
}

/// One thing that is wrong with a file, and where.
///
/// Its text is `line:column: path: problem`, with the parts that are known.
#[derive(Debug)]
pub struct FileProblem {
    place: Option<Place>,
    path: Vec<Step>,
    problem: LoadProblem,
}

impl FileProblem {
    /// Line and column, both counted from 1, if the place is known.
    pub fn line_column(&self) -> Option<(u32, u32)> {
        self.place.map(|place| (place.line, place.column))
    }

    /// The way from the root of the document to the value in question; empty for the root.
    pub fn path(&self) -> &[Step] {
        &self.path
    }

    /// What is wrong.
    pub fn problem(&self) -> &LoadProblem {
        &self.problem
    }

    /// The machine code of the problem, which does not change between versions.
    pub fn code(&self) -> &'static str {
        self.problem.code()
    }
}

impl fmt::Display for FileProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Place { line, column }) = self.place {
            write!(f, "{line}:{column}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", Path(&self.path))?;
        }
        write!(f, "{}", self.problem)
    }
}

/// A way into a document in words: `nodes[0].label`.
pub(crate) struct Path<'p>(pub(crate) &'p [Step]);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if position == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
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

    /// `locate` finds the place of a path, for a problem that was found where no place is known.
    pub(crate) fn located_by(mut self, locate: impl FnOnce(&mut dyn Iterator<Item = &Step>) -> Option<Place>) -> Self {
        if self.details.place.is_none() {
            self.details.place = locate(&mut self.details.path_reversed.iter().rev());
        }
        self
    }

    /// The innermost steps of a path that is known as a whole.
    pub(crate) fn on_path(mut self, path: impl DoubleEndedIterator<Item = Step>) -> Self {
        self.details.path_reversed.extend(path.rev());
        self
    }

    pub(crate) fn into_error(self, origin: &str) -> LoadError {
        Faults { list: vec![self], omitted: 0 }.into_error(origin)
    }

    fn into_problem(self) -> FileProblem {
        let FaultDetails { problem, place, path_reversed: mut path } = *self.details;
        path.reverse();
        FileProblem { place, path, problem }
    }
}

/// All that is wrong with a file; never nothing.
#[derive(Debug)]
pub(crate) struct Faults {
    pub(crate) list: Vec<Fault>,
    pub(crate) omitted: usize,
}

impl Faults {
    pub(crate) fn into_error(self, origin: &str) -> LoadError {
        let mut problems: Vec<_> = self.list.into_iter().map(Fault::into_problem).collect();
        problems.sort_by_key(FileProblem::line_column);
        LoadError { details: Box::new(Details { origin: origin.to_owned(), problems, omitted: self.omitted }) }
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self { list: vec![fault], omitted: 0 }
    }
}
