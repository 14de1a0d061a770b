//! The standard error, which several share: lines that stay, what is shown below them, and questions.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::canvas::Canvas;

/// There is one standard error, so there is one of these.
static SCREEN: Mutex<Screen> =
    Mutex::new(Screen { quiet: false, held: false, asked: false, later: String::new(), shown: None });

/// A little more often than anything is shown.
const DRAWS_PER_SECOND: u8 = 20;

#[derive(Debug)]
struct Screen {
    quiet: bool,
    /// Whether somebody types, or nothing has begun yet: what can wait is written later.
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
pub(super) fn ask(text: &str) {
    let mut screen = screen();
    screen.asked = true;
    screen.write(text);
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

/// Writes a text when it does not come in between.
pub(super) fn write_later(text: &str) {
    let mut screen = screen();
    if screen.held { screen.later.push_str(text) } else { screen.write(text) }
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
