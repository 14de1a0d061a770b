//! Where the lines are drawn that do not stay.

use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use console::Term;
use indicatif::TermLike;
use terminal_size::{Height, Width, terminal_size_of};

/// What is assumed of a terminal that does not tell its size: columns and lines.
const SIZE_USUAL: (u16, u16) = (80, 24);
/// Columns that stay free: the terminal writes `^C` there, and must not begin a line for it.
const COLUMNS_FREE: u16 = 4;

/// How many columns there are to draw in, and how many lines the terminal has now.
pub(crate) fn size() -> (usize, usize) {
    let (columns, lines) = whole();
    (columns.saturating_sub(COLUMNS_FREE).max(1).into(), lines.into())
}

/// How many columns and lines the terminal has now.
pub(super) fn whole() -> (u16, u16) {
    let size = terminal_size_of(io::stderr());
    size.map_or(SIZE_USUAL, |(Width(columns), Height(lines))| (columns, lines))
}

/// The terminal, with the cursor left right behind the last line.
#[derive(Debug)]
pub(super) struct Canvas {
    terminal: Term,
    /// Whether another line begins with what is written next.
    ended: AtomicBool,
}

impl Default for Canvas {
    fn default() -> Self {
        Self { terminal: Term::buffered_stderr(), ended: AtomicBool::new(false) }
    }
}

impl TermLike for Canvas {
    fn width(&self) -> u16 {
        whole().0
    }

    fn height(&self) -> u16 {
        whole().1
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.terminal.move_cursor_up(lines)
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.terminal.move_cursor_down(lines)
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.terminal.move_cursor_right(columns)
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.terminal.move_cursor_left(columns)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.terminal.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        // Lines are filled up with spaces, so that the terminal begins another one; the last one must not be.
        if !text.is_empty() && text.trim_start_matches(' ').is_empty() {
            self.ended.store(true, Relaxed);
            return Ok(());
        }
        if self.ended.swap(false, Relaxed) {
            self.terminal.write_line("")?;
        }
        self.terminal.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.terminal.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.ended.store(false, Relaxed);
        self.terminal.flush()
    }
}
