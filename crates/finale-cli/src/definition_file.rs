//! A definition file, and what is wrong with it.

use std::path::Path;

use finale::Workflow;
use finale_formats::diagnostic::{Diagnostic, Style, render};
use finale_formats::{Format, Limits, Loaded};

use crate::file::{self, ReadError};
use crate::look::Look;

/// Of more problems only the number is said.
const SHOWN_MAX: usize = 50;

/// A definition file that was read and not understood yet.
#[derive(Debug)]
pub(crate) struct DefinitionFile {
    name: String,
    bytes: Vec<u8>,
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
        Ok(Self { name: path.display().to_string(), bytes })
    }

    /// Makes a definition of it.
    pub(crate) fn load(&self, format: Format) -> Result<Loaded, Faulty> {
        let loaded = Limits::default().load(&self.bytes, format, &self.name);
        loaded.map_err(|error| self.faulty(error.diagnostics()))
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
