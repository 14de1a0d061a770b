//! Why a file could not be loaded.

mod problem;

use std::error::Error;
use std::fmt;

pub use self::problem::{FileLimit, LoadProblem};
pub(crate) use self::problem::{list, quote_hint};

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
    /// Whether one of these ids is given to two nodes.
    pub(crate) fn is_repeated_node(&self, ids: &[String]) -> bool {
        matches!(&self.details.problem, LoadProblem::DuplicateNode { id } if ids.contains(id))
    }

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

    /// The way to it as far as it is known.
    pub(crate) fn path(&self) -> impl Iterator<Item = &Step> {
        self.details.path_reversed.iter().rev()
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
