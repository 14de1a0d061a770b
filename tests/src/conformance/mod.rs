//! Runs the conformance cases: conditions, definitions and lives of executions, each with what must come of it.
//!
//! The cases are data, and others of the same form may be run instead: nothing here knows the id of a case.

mod cases;
mod conditions;
mod events;
mod expect;
mod lifecycle;
mod refusal;
mod steps;
mod surroundings;
mod validation;

use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use serde_json::Value;

use cases::{Case, Folder};

/// Runs all cases that are there.
pub fn run() -> Report {
    let folders = match cases::folders(&FILES.map(|(file, _)| file)) {
        Ok(folders) => folders,
        Err(problem) => return Report { files: vec![FileReport::broken("the folder of the cases", problem)] },
    };
    let files = folders.iter().flat_map(|folder| FILES.iter().filter_map(|file| run_file(folder, file)));
    Report { files: files.collect() }
}

/// What became of all cases.
#[derive(Debug)]
pub struct Report {
    files: Vec<FileReport>,
}

impl Report {
    /// Whether all cases passed that were not skipped.
    pub fn is_clean(&self) -> bool {
        self.files.iter().all(|file| file.failed.is_empty())
    }
}

/// What became of the cases of one file.
#[derive(Debug)]
struct FileReport {
    name: String,
    passed: usize,
    /// Ids, each with the ability that is missing.
    skipped: Vec<(String, String)>,
    /// Ids, each with what differed.
    failed: Vec<(String, Vec<String>)>,
}

impl FileReport {
    fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), passed: 0, skipped: Vec::new(), failed: Vec::new() }
    }

    fn broken(name: impl Into<String>, problem: String) -> Self {
        Self { failed: vec![("all".to_owned(), vec![problem])], ..Self::new(name) }
    }

    fn add(&mut self, id: String, judgement: Judgement) {
        match judgement {
            Judgement::Passed => self.passed += 1,
            Judgement::Skipped(ability) => self.skipped.push((id, ability)),
            Judgement::Failed(differences) => self.failed.push((id, differences)),
        }
    }
}

/// What became of one case.
enum Judgement {
    Passed,
    /// It needs something that finale does not do.
    Skipped(String),
    /// What differed; never empty.
    Failed(Vec<String>),
}

impl Judgement {
    fn of(differences: Vec<String>) -> Self {
        if differences.is_empty() { Self::Passed } else { Self::Failed(differences) }
    }

    fn failed(difference: impl Into<String>) -> Self {
        Self::Failed(vec![difference.into()])
    }
}

/// Runs one case; the folder is that of its file.
type Check = fn(Value, &Path) -> Judgement;

const FILES: [(&str, Check); 3] = [
    ("conditions.json", conditions::check),
    ("validation.json", validation::check),
    ("lifecycle.json", lifecycle::check),
];

/// Runs the cases of a file; nothing if the folder need not have it and does not.
fn run_file(folder: &Folder, (file, check): &(&str, Check)) -> Option<FileReport> {
    let name = folder.name_of(file);
    let cases = match folder.read(file) {
        Ok(cases) => cases?,
        Err(problem) => return Some(FileReport::broken(name, problem)),
    };
    let mut report = FileReport::new(name);
    let mut seen = BTreeSet::new();
    for Case { id, body } in cases {
        let judgement = match body {
            _ if !seen.insert(id.clone()) => Judgement::failed("another case has this id too"),
            Ok(body) => fenced(|| check(body, &folder.path)),
            Err(problem) => Judgement::failed(problem),
        };
        report.add(id, judgement);
    }
    Some(report)
}

/// A case that brings something down fails alone.
fn fenced(check: impl FnOnce() -> Judgement) -> Judgement {
    catch_unwind(AssertUnwindSafe(check)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Judgement::failed(format!("panicked: {}", text.unwrap_or("without a text")))
    })
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.files.iter().try_for_each(|file| file.fmt(f))
    }
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, passed, skipped, failed } = self;
        writeln!(f, "conformance {name}: {passed} passed, {} failed, {} skipped", failed.len(), skipped.len())?;
        for (id, ability) in skipped {
            writeln!(f, "  skipped {id}: needs {ability}")?;
        }
        for (id, differences) in failed {
            writeln!(f, "  FAILED {id}")?;
            differences.iter().try_for_each(|difference| writeln!(f, "    {difference}"))?;
        }
        Ok(())
    }
}
