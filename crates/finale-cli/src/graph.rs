//! `finale graph`: a definition or an execution as a picture.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use finale::journal::SqliteReader;
use finale::{Record, offline};
use finale_core::Definition;
use finale_formats::{Format, picture};

use crate::console;
use crate::definition_file::{DefinitionFile, Faulty};
use crate::exit::BAD_INPUT;
use crate::file::ReadError;
use crate::journal::{NoId, Prefix, Problem};
use crate::look::Look;

const EXAMPLES: &str = "\
Examples:
  finale graph release.yaml
      for a page of Markdown, between ```mermaid and ```
  finale graph release.yaml --format svg > release.svg
      a picture for a browser, which needs no other program
  finale graph release.yaml --format dot | dot -Tpng > release.png
      a picture, by Graphviz
  finale graph --journal releases.db 0199b1c2-77aa
      an execution: its nodes have the colours of their states

The definition need not be one that can be run.";

/// The arguments of `finale graph`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The definition: a JSON or YAML file. With --journal the execution: its id, or enough of its beginning.
    #[arg(value_name = "FILE|ID")]
    what: PathBuf,

    /// The journal that the execution is in: a SQLite file.
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,

    /// The language of the picture: text for Mermaid or Graphviz, or a picture as it is.
    #[arg(long, value_name = "mermaid|dot|svg", value_enum, hide_possible_values = true, default_value_t)]
    format: Language,
}

/// A language for pictures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Language {
    #[default]
    Mermaid,
    Dot,
    Svg,
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
enum NoPicture {
    #[error("{file}: {error}")]
    Read { file: String, error: ReadError },
    #[error("the definition has faults")]
    Faulty(Faulty),
    #[error("{text:?}: {error}")]
    Id { text: String, error: NoId },
    #[error(transparent)]
    Journal(#[from] Problem),
}

/// Writes a picture.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let Err(error) = try_to_run(arguments) else { return ExitCode::SUCCESS };
    match &error {
        NoPicture::Faulty(faulty) => console::insist_rendered(&faulty.shown(Look::of_stderr())),
        error => console::complain(error),
    }
    ExitCode::from(match error {
        NoPicture::Journal(problem) => problem.exit_code(),
        _ => BAD_INPUT,
    })
}

fn try_to_run(arguments: &Arguments) -> Result<(), NoPicture> {
    let text = match &arguments.journal {
        Some(journal) => of_execution(journal, &arguments.what, arguments.format)?,
        None => arguments.format.picture(&definition(&arguments.what)?, None),
    };
    console::write(|out| writeln!(out, "{}", text.trim_end())).map_err(|error| NoPicture::Journal(error.into()))
}

fn definition(path: &Path) -> Result<Definition, NoPicture> {
    let file = DefinitionFile::read(path);
    let file = file.map_err(|error| NoPicture::Read { file: path.display().to_string(), error })?;
    Ok(file.load(Format::Auto).map_err(NoPicture::Faulty)?.definition)
}

fn of_execution(journal: &Path, id: &Path, language: Language) -> Result<String, NoPicture> {
    let text = id.to_string_lossy();
    let prefix: Prefix = text.parse().map_err(|error| NoPicture::Id { text: text.into_owned(), error })?;
    let reader = SqliteReader::open(journal).map_err(Problem::from)?;
    let found = prefix.find(&reader, journal)?;
    let reading = offline::read(&reader, found.id).map_err(Problem::from)?;
    Ok(language.picture(reading.workflow().definition(), Some(&reading.record())))
}

impl Language {
    fn picture(self, definition: &Definition, record: Option<&Record>) -> String {
        match self {
            Self::Mermaid => picture::mermaid(definition, record),
            Self::Dot => picture::dot(definition, record),
            Self::Svg => picture::svg(definition, record),
        }
    }
}
