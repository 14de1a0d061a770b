//! How much room a line of the result has.

use std::io::{self, IsTerminal};

use terminal_size::{Width, terminal_size_of};

use crate::text::{Lines, columns, printable, shortened};

/// What is assumed of a terminal that does not tell its width.
const COLUMNS_USUAL: usize = 80;

/// How much room a line of the result has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// A terminal, or somebody who said so.
    Columns(usize),
    /// A file or another program: nothing is cut off.
    Endless,
}

impl Room {
    /// The room on the standard output: what `COLUMNS` says, else what the terminal does.
    pub(crate) fn of_output() -> Self {
        let said = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        let output = io::stdout();
        match said.filter(|columns| *columns > 0) {
            Some(columns) => Self::Columns(columns),
            None if !output.is_terminal() => Self::Endless,
            None => Self::Columns(terminal_size_of(output).map_or(COLUMNS_USUAL, |(Width(width), _)| width.into())),
        }
    }

    /// The room that is left behind a text.
    pub(crate) fn behind(self, text: &str) -> Self {
        match self {
            Self::Columns(all) => Self::Columns(all.saturating_sub(columns(text))),
            Self::Endless => Self::Endless,
        }
    }

    /// This room, limited to so many columns.
    pub(crate) fn at_most(self, columns_max: usize) -> Self {
        match self {
            Self::Columns(columns) => Self::Columns(columns.min(columns_max)),
            Self::Endless => Self::Columns(columns_max),
        }
    }

    /// The text on one line, cut off where the room ends.
    pub(crate) fn fit(self, text: &str) -> String {
        match self {
            Self::Columns(0) => String::new(),
            Self::Columns(columns) => shortened(text, columns),
            Self::Endless => printable(text, Lines::Joined),
        }
    }

    /// Whether a text fits on the line.
    pub(crate) fn holds(self, text: &str) -> bool {
        match self {
            Self::Columns(all) => columns(text) <= all,
            Self::Endless => true,
        }
    }

    /// As much of a document as can be shown: it may be megabytes long.
    pub(crate) fn beginning(self, bytes: &[u8]) -> String {
        let shown = match self {
            // No character takes more bytes than this.
            Self::Columns(columns) => bytes.len().min(columns.saturating_mul(8)),
            Self::Endless => bytes.len(),
        };
        String::from_utf8_lossy(&bytes[..shown]).into_owned()
    }
}
