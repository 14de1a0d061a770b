//! `finale validate`: looks whether definition files can be run.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use clap::Args;
use finale_formats::diagnostic::Diagnostic;
use finale_formats::{FileWarning, Format, Loaded};
use serde::Serialize;

use crate::definition_file::{DefinitionFile, FORMATS, Faulty};
use crate::exit::{BAD_INPUT, FAILED};
use crate::file::ReadError;
use crate::look::Look;
use crate::words::words;
use crate::{console, report};

const EXAMPLES: &str = "\
Examples:
  finale validate release.yaml
  finale validate workflows/*.yaml
      all problems of all files, each with the line it is about; of a file without problems, what is suspicious in it
  finale validate release.yaml --json
      for a program: {\"files\": [{\"file\", \"format\", \"problems\": [...], \"warnings\": [...]}]}, each with
      {\"code\", \"message\", \"line\", \"column\", ...}

Exit codes: 0 every file can be run, with or without warnings, 2 there is a problem or a file could not be read.";

/// The arguments of `finale validate`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The definitions: JSON or YAML files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// What the files contain.
    #[arg(long, value_name = "auto|finale|blueprint|wfformat|definition", default_value_t,
        value_parser = words(&FORMATS, Format::from_str), hide_possible_values = true)]
    format: Format,

    /// Write the problems as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// What became of a file.
#[derive(Debug)]
struct Checked<'a> {
    path: &'a Path,
    /// None if it could not be told.
    format: Option<Format>,
    /// What is suspicious in it, or why it cannot be run.
    result: Result<Faulty, Refused>,
}

/// Why a file cannot be run.
#[derive(Debug)]
enum Refused {
    Read(ReadError),
    Faulty(Faulty),
}

/// Checks files and says what is wrong with them.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let checked: Vec<_> = arguments.files.iter().map(|path| check(path, arguments.format)).collect();
    if arguments.json {
        let files = checked.iter().map(Checked::shown).collect();
        if let Err(error) = console::write(|out| report::write_json(&Shown { files }, out)) {
            console::complain(format_args!("the result could not be written: {error}"));
            return ExitCode::from(FAILED);
        }
    } else {
        say(&checked);
    }
    ExitCode::from(if checked.iter().all(|one| one.result.is_ok()) { 0 } else { BAD_INPUT })
}

fn check(path: &Path, format: Format) -> Checked<'_> {
    let mut found = None;
    let result = try_to_check(path, format, &mut found);
    Checked { path, format: found, result }
}

fn try_to_check(path: &Path, format: Format, found: &mut Option<Format>) -> Result<Faulty, Refused> {
    let file = DefinitionFile::read(path).map_err(Refused::Read)?;
    let mut loaded: Loaded = file.load(format).map_err(Refused::Faulty)?;
    *found = Some(loaded.format);
    let warnings = std::mem::take(&mut loaded.warnings);
    let mut warnings: Vec<_> = warnings.iter().map(FileWarning::diagnostic).collect();
    let places = loaded.places.clone();
    let workflow = file.compile(loaded).map_err(Refused::Faulty)?;
    warnings.extend(places.warnings(workflow.warnings()));
    Ok(file.faulty(warnings))
}

fn say(checked: &[Checked<'_>]) {
    let look = Look::of_stderr();
    for Checked { path, result, .. } in checked {
        match result {
            Ok(warnings) if warnings.diagnostics.is_empty() => continue,
            Ok(warnings) => console::insist_rendered(&warnings.shown(look)),
            Err(Refused::Read(error)) => console::complain(format_args!("{}: {error}", path.display())),
            Err(Refused::Faulty(faulty)) => console::insist_rendered(&faulty.shown(look)),
        }
        console::insist("");
    }
    let files = counted(checked.len(), "file");
    let said = [
        said("problem", checked.iter().map(Checked::problems)),
        said("warning", checked.iter().map(Checked::warnings)),
    ];
    match said {
        [None, None] => console::say(format_args!("{files}: no problems")),
        [None, Some(warnings)] => console::say(format_args!("{files}: no problems, {warnings}")),
        [Some(problems), None] => console::say(format_args!("{files}: {problems}")),
        [Some(problems), Some(warnings)] => console::say(format_args!("{files}: {problems}, {warnings}")),
    }
}

/// How many of something there are in how many files, if there are any.
fn said(what: &str, counts: impl Iterator<Item = usize>) -> Option<String> {
    let found: Vec<usize> = counts.filter(|count| *count > 0).collect();
    (!found.is_empty()).then(|| format!("{} in {}", counted(found.iter().sum(), what), found.len()))
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// What programs get to read.
#[derive(Serialize)]
struct Shown<'a> {
    files: Vec<ShownFile<'a>>,
}

#[derive(Serialize)]
struct ShownFile<'a> {
    file: String,
    format: Option<&'static str>,
    problems: Vec<ShownProblem<'a>>,
    warnings: Vec<ShownProblem<'a>>,
}

#[derive(Default, Serialize)]
struct ShownProblem<'a> {
    code: &'a str,
    message: String,
    line: Option<u32>,
    column: Option<u32>,
    path: Option<&'a str>,
    hint: Option<&'a str>,
    help: Option<&'a str>,
}

impl Checked<'_> {
    fn problems(&self) -> usize {
        match &self.result {
            Ok(_) => 0,
            Err(Refused::Read(_)) => 1,
            Err(Refused::Faulty(faulty)) => faulty.diagnostics.len(),
        }
    }

    fn warnings(&self) -> usize {
        self.result.as_ref().map_or(0, |warnings| warnings.diagnostics.len())
    }

    fn shown(&self) -> ShownFile<'_> {
        let warnings = self.result.iter().flat_map(|warnings| &warnings.diagnostics).map(ShownProblem::from).collect();
        let problems = match &self.result {
            Ok(_) => Vec::new(),
            Err(Refused::Read(error)) => vec![ShownProblem::without_place("file_unreadable", error.to_string())],
            Err(Refused::Faulty(faulty)) => faulty.diagnostics.iter().map(ShownProblem::from).collect(),
        };
        let file = self.path.display().to_string();
        ShownFile { file, format: self.format.map(Format::name), problems, warnings }
    }
}

impl ShownProblem<'_> {
    fn without_place(code: &'static str, message: String) -> Self {
        Self { code, message, ..Self::default() }
    }
}

impl<'a> From<&'a Diagnostic> for ShownProblem<'a> {
    fn from(diagnostic: &'a Diagnostic) -> Self {
        let (line, column) = diagnostic.place.unzip();
        let path = Some(diagnostic.path.as_str()).filter(|path| !path.is_empty());
        let (hint, help) = (diagnostic.hint.as_deref(), diagnostic.help.as_deref());
        Self { code: diagnostic.code, message: diagnostic.message.clone(), line, column, path, hint, help }
    }
}
