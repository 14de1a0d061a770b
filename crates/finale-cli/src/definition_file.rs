//! A definition file, and what is wrong with it.

use std::path::{Path, PathBuf};

use finale::{Definition, Workflow};
use finale_formats::diagnostic::{Diagnostic, Style, render};
use finale_formats::{CalledFile, Format, Limits, Loaded};

use crate::file::{self, ReadError};
use crate::look::Look;

/// The names of the formats, as options know them.
pub(crate) const FORMATS: [&str; 5] = ["auto", "finale", "blueprint", "wfformat", "definition"];

/// Of more problems only the number is said.
const SHOWN_MAX: usize = 50;

/// A definition file that was read and not understood yet.
#[derive(Debug)]
pub(crate) struct DefinitionFile {
    name: String,
    bytes: Vec<u8>,
    /// The files around this one, from the first: none of them may call itself.
    around: Vec<PathBuf>,
}

/// What is wrong with a file, or suspicious in it.
#[derive(Debug)]
pub(crate) struct Faulty {
    name: String,
    text: String,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl DefinitionFile {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, ReadError> {
        let bytes = file::read(path, Limits::default().bytes_max as u64)?;
        Ok(Self { name: path.display().to_string(), bytes, around: vec![path.to_owned()] })
    }

    /// Makes a definition of it, with the workflows that it calls in other files.
    pub(crate) fn load(&self, format: Format) -> Result<Loaded, Faulty> {
        let loaded = Limits::default().load(&self.bytes, format, &self.name);
        let mut loaded = loaded.map_err(|error| self.faulty(error.diagnostics()))?;
        for called in std::mem::take(&mut loaded.called_files) {
            let definition = self.called(&called)?;
            loaded.add_called(definition);
        }
        Ok(loaded)
    }

    /// Reads a workflow that is called from another file; what is wrong there is shown there.
    fn called(&self, called: &CalledFile) -> Result<Definition, Faulty> {
        let refused = |code: &'static str, message: &str| {
            let path = format!("workflows.{}", called.id);
            self.faulty(vec![Diagnostic::error(code, message, path, called.place)])
        };
        let of_this = self.around.last().and_then(|this| this.parent()).unwrap_or(Path::new(""));
        let path = of_this.join(&called.path);
        let is_same = |around: &PathBuf| match (around.canonicalize(), path.canonicalize()) {
            (Ok(around), Ok(path)) => around == path,
            _ => false,
        };
        if self.around.iter().any(is_same) {
            let message = format!("{} calls itself in a circle of files", path.display());
            return Err(refused("subworkflow_cycle_detected", &message));
        }
        let mut file = Self::read(&path)
            .map_err(|error| refused("subworkflow_not_found", &format!("{}: {error}", path.display())))?;
        file.around = self.around.iter().cloned().chain([path.clone()]).collect();
        let loaded = file.load(Format::Auto)?;
        if loaded.definition.id != called.id {
            let message = format!("{} defines the workflow {:?}", path.display(), loaded.definition.id);
            return Err(refused("subworkflow_not_found", &message));
        }
        let definition = loaded.definition.clone();
        file.compile(loaded)?;
        Ok(definition)
    }

    /// Makes something that can run of what was loaded from it.
    pub(crate) fn compile(&self, loaded: Loaded) -> Result<Workflow, Faulty> {
        let problems = loaded.structural_problems();
        if !problems.is_empty() {
            return Err(self.faulty(problems));
        }
        let Loaded { definition, places, .. } = loaded;
        Workflow::new(definition.clone()).map_err(|error| self.faulty(places.diagnostics(&definition, &error.problems)))
    }

    /// What was found in it, to be shown in its text.
    pub(crate) fn faulty(&self, diagnostics: Vec<Diagnostic>) -> Faulty {
        let text = String::from_utf8_lossy(&self.bytes).into_owned();
        Faulty { name: self.name.clone(), text, diagnostics }
    }
}

impl Faulty {
    /// Each problem or warning with the lines it is about.
    pub(crate) fn shown(&self, look: Look) -> String {
        let style = match (look.has_colours(), look.has_unicode()) {
            (_, false) => Style::Ascii,
            (true, true) => Style::Colour,
            (false, true) => Style::Plain,
        };
        let first = &self.diagnostics[..self.diagnostics.len().min(SHOWN_MAX)];
        let mut shown = render(first, &self.name, &self.text, style);
        if let more @ 1.. = self.diagnostics.len().saturating_sub(SHOWN_MAX) {
            shown.push_str(&format!("\n\n{more} more in {}", self.name));
        }
        shown
    }
}
