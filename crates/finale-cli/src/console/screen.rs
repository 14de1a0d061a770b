//! The standard error, which several share: lines that stay, what is shown below them, and questions.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::canvas::{self, Canvas};
use crate::look::Look;
use crate::text;

/// There is one standard error, so there is one of these.
static SCREEN: Mutex<Screen> =
    Mutex::new(Screen { quiet: false, held: false, asked: false, later: String::new(), shown: None });

/// Stands before what somebody types.
const PROMPT: &str = "> ";

/// A little more often than anything is shown.
const DRAWS_PER_SECOND: u8 = 20;

#[derive(Debug)]
struct Screen {
    quiet: bool,
    /// Whether somebody types, or is about to be asked, or nothing has begun yet: nothing is shown below the lines.
    held: bool,
    /// Whether the cursor stands behind a question.
    asked: bool,
    later: String,
    shown: Option<ProgressBar>,
}

/// Nothing is said but errors and questions from now on.
pub(crate) fn be_quiet() {
    screen().quiet = true;
}

pub(crate) fn is_quiet() -> bool {
    screen().quiet
}

/// What can wait is not written, and nothing is shown, until [`release`].
pub(crate) fn hold() {
    let mut screen = screen();
    screen.held = true;
    screen.show_nothing();
}

/// Writes what had to wait, below a question that stays without an answer.
pub(crate) fn release() {
    let mut screen = screen();
    screen.held = false;
    let end = if std::mem::take(&mut screen.asked) { "\n" } else { "" };
    let later = std::mem::take(&mut screen.later);
    screen.write(&format!("{end}{later}"));
}

/// Asks for something that is typed behind it.
pub(super) fn ask() {
    let mut screen = screen();
    screen.asked = true;
    screen.write(PROMPT);
}

/// Goes on where a line was typed.
pub(crate) fn answered() {
    screen().asked = false;
    release();
}

/// Shows these lines below all others, in place of those before.
pub(crate) fn show(lines: String) {
    let mut screen = screen();
    if !screen.held && !screen.quiet {
        screen.shown.get_or_insert_with(bar).set_message(lines);
    }
}

/// Shows nothing below the lines any more.
pub(crate) fn show_nothing() {
    screen().show_nothing();
}

/// Writes a text at once.
pub(super) fn write(text: &str) {
    screen().write(text);
}

/// Writes whole lines at once, above the question if somebody is just about to answer one; when there is no question yet,
/// but one is about to come, with it.
pub(super) fn write_above(text: &str) {
    let mut screen = screen();
    match (screen.held, screen.asked) {
        (true, false) => screen.later.push_str(text),
        (true, true) if Look::of_stderr().live => screen.write(&above(text, canvas::whole())),
        // Nothing can be written above it, so the question is asked again. What was typed already still counts.
        (true, true) => screen.write(&format!("\n{text}{PROMPT}")),
        (false, _) => screen.write(text),
    }
}

/// Orders for a terminal of that size to put lines above the one that the cursor is in, and to leave the cursor behind what
/// was typed there. What was typed over more lines than one has them above the last of these.
fn above(text: &str, (columns, lines): (u16, u16)) -> String {
    let rows = text.lines().map(|line| rows(line, columns.into())).sum::<usize>();
    if rows + 1 >= usize::from(lines) {
        return format!("\n{text}{PROMPT}");
    }
    // Room is made below first: where the terminal ends, its lines move up, and the cursor with the line that it is in.
    let (room, save, restore) = ("\u{1b}D".repeat(rows), "\u{1b}7", "\u{1b}8");
    format!("{room}\u{1b}[{rows}A{save}\r\u{1b}[{rows}L{text}{restore}\u{1b}[{rows}B")
}

/// How many lines of a terminal a line takes.
fn rows(line: &str, columns: usize) -> usize {
    // What has colours was cut to the terminal before.
    if line.contains('\u{1b}') { 1 } else { text::columns(line).div_ceil(columns.max(1)).max(1) }
}

fn screen() -> MutexGuard<'static, Screen> {
    SCREEN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Screen {
    fn write(&self, text: &str) {
        // It would stand between the names of the tests: the harness catches only what the print macros write.
        if text.is_empty() || cfg!(test) {
            return;
        }
        match &self.shown {
            Some(bar) => bar.suspend(|| write_out(text)),
            None => write_out(text),
        }
    }

    fn show_nothing(&mut self) {
        if let Some(bar) = self.shown.take() {
            bar.finish_and_clear();
        }
    }
}

fn write_out(text: &str) {
    let mut err = io::stderr().lock();
    // There is nowhere left to say that nobody listens.
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

fn bar() -> ProgressBar {
    let canvas = ProgressDrawTarget::term_like_with_hz(Box::new(Canvas::default()), DRAWS_PER_SECOND);
    let bar = ProgressBar::with_draw_target(None, canvas);
    bar.with_style(ProgressStyle::with_template("{msg}").expect("it names a part that there is"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_above_a_question_with_room_for_as_many_lines_as_they_take() {
        assert_eq!(above("done\n", (80, 24)), "\u{1b}D\u{1b}[1A\u{1b}7\r\u{1b}[1Ldone\n\u{1b}8\u{1b}[1B");
        let long = format!("{}\nb\n", "a".repeat(81));
        assert!(above(&long, (80, 24)).starts_with("\u{1b}D\u{1b}D\u{1b}D\u{1b}[3A\u{1b}7\r\u{1b}[3L"));
        assert_eq!(above(&"a\n".repeat(24), (80, 24)), format!("\n{}> ", "a\n".repeat(24)));
    }
}
