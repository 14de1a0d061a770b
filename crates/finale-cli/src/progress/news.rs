//! What happened to nodes, in a line each.

use std::time::Duration;

use super::tally::{News, What};
use crate::look::{Look, Paint};
use crate::text::{Lines, printable, shortened};
use crate::time::duration;

/// Of more nodes that were skipped at once only the number is said.
const SKIPPED_NAMED_MAX: usize = 3;

/// Lines for a file or another program.
pub(super) fn plain(all: &[News], look: Look) -> String {
    let mut text = String::new();
    for news in all.iter().filter(|news| news.what != What::Skipped) {
        let line = format!("{}: {}", printable(&news.node, Lines::Joined), said(&news.what));
        text.push_str(&look.fitting(line));
        text.push('\n');
    }
    if let Some(skipped) = skipped(all) {
        text.push_str(&format!("{}: skipped\n", printable(&skipped, Lines::Joined)));
    }
    text
}

/// Lines for a terminal of that many columns; nothing for what is shown anyway while it lasts.
pub(super) fn coloured(all: &[News], look: Look, columns: usize) -> String {
    let mut text = String::new();
    for news in all {
        if let Some(line) = coloured_line(news, look, columns) {
            text.push_str(&look.fitting(line));
            text.push('\n');
        }
    }
    if let Some(skipped) = skipped(all) {
        let line = shortened(&format!("{} {skipped} skipped", look.symbols().skipped), columns);
        text.push_str(&look.fitting(look.paint(Paint::Dim, &line)));
        text.push('\n');
    }
    text
}

fn said(what: &What) -> String {
    match what {
        What::Started { attempt: 0 | 1 } => "started".to_owned(),
        What::Started { attempt } => format!("started, attempt {attempt}"),
        What::Waits => "waiting".to_owned(),
        What::FailedOnce { attempt, reason } => {
            format!("attempt {attempt} failed, to be retried: {}", one_line(reason))
        }
        What::Held { attempt, reason } => format!("held, attempt {attempt} failed: {}", one_line(reason)),
        What::Completed { took } => format!("completed in {}", duration(*took)),
        // A call says by what is inside of it why it failed.
        What::Failed { took, reason } if reason.is_empty() => format!("failed after {}", duration(*took)),
        What::Failed { took, reason } => format!("failed after {}: {}", duration(*took), one_line(reason)),
        What::Cancelled { took } => format!("cancelled after {}", duration(*took)),
        What::Skipped => "skipped".to_owned(),
    }
}

fn one_line(text: &str) -> String {
    printable(text, Lines::Joined)
}

fn coloured_line(news: &News, look: Look, columns: usize) -> Option<String> {
    let symbols = look.symbols();
    let (symbol, paint, note) = match &news.what {
        What::Started { .. } | What::Waits | What::Skipped => return None,
        What::FailedOnce { attempt, reason } => {
            (symbols.again, Paint::Yellow, format!("attempt {attempt} failed: {reason}"))
        }
        What::Held { attempt, reason } => {
            (symbols.waiting, Paint::Yellow, format!("held, attempt {attempt} failed: {reason}"))
        }
        What::Completed { .. } => (symbols.done, Paint::Green, String::new()),
        What::Failed { reason, .. } => (symbols.failed, Paint::Red, reason.clone()),
        What::Cancelled { .. } => (symbols.cancelled, Paint::Yellow, "cancelled".to_owned()),
    };
    let name = name(&news.node, news.title.as_deref());
    let took = took(&news.what).map(|took| format!("  {}", duration(took))).unwrap_or_default();
    Some(Line { symbol, paint, name: &name, dim: &took, note: &note }.text(look, columns))
}

fn took(what: &What) -> Option<Duration> {
    match what {
        What::Completed { took } | What::Failed { took, .. } | What::Cancelled { took } => Some(*took),
        _ => None,
    }
}

/// What people call a node, and what commands call it.
pub(super) fn name(node: &str, title: Option<&str>) -> String {
    title.map_or_else(|| node.to_owned(), |title| format!("{node} ({title})"))
}

/// A line that fits a terminal.
pub(super) struct Line<'a> {
    pub(super) symbol: &'a str,
    pub(super) paint: Paint,
    pub(super) name: &'a str,
    /// Not cut off, unless there is room for nothing else.
    pub(super) dim: &'a str,
    pub(super) note: &'a str,
}

impl Line<'_> {
    pub(super) fn text(&self, look: Look, columns: usize) -> String {
        let symbol = look.paint(self.paint, self.symbol);
        let room = columns.saturating_sub(crate::text::columns(self.symbol) + 1 + crate::text::columns(self.dim));
        let name = shortened(self.name, room.max(1));
        let room = room.saturating_sub(crate::text::columns(&name) + 2);
        let note = if room < 2 || self.note.is_empty() { String::new() } else { shortened(self.note, room) };
        let gap = if note.is_empty() { "" } else { "  " };
        format!("{symbol} {name}{}{gap}{}", look.paint(Paint::Dim, self.dim), look.paint(self.paint, &note))
    }
}

/// The nodes that were skipped.
fn skipped(all: &[News]) -> Option<String> {
    let skipped: Vec<&str> =
        all.iter().filter(|news| news.what == What::Skipped).map(|news| news.node.as_str()).collect();
    let named = skipped.iter().take(SKIPPED_NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
    match skipped.len() {
        0 => None,
        count if count <= SKIPPED_NAMED_MAX => Some(named),
        count => Some(format!("{named} and {} more", count - SKIPPED_NAMED_MAX)),
    }
}
