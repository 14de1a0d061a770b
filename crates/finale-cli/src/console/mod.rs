//! Standard output for results, standard error for everything else.

mod canvas;
mod screen;

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, Write};

use crate::look::has_unicode;
use crate::text::{Lines, in_ascii, one_direction, printable};

pub(crate) use self::canvas::size;
pub(crate) use self::screen::{answered, be_quiet, hold, is_quiet, release, show, show_nothing};

/// Writes a result; whoever closed the pipe has read as much as they wanted, so that is no error.
pub(crate) fn write(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes a result for people; in a locale without Unicode, finale's own characters are ASCII.
pub(crate) fn write_text(write_to: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut text = Vec::new();
    write_to(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    write(|out| out.write_all(fitting(&text).as_bytes()))
}

fn fitting(text: &str) -> Cow<'_, str> {
    if has_unicode() { Cow::Borrowed(text) } else { Cow::Owned(in_ascii(text)) }
}

/// Says something that is not the result.
pub(crate) fn say(message: impl Display) {
    if !is_quiet() {
        insist(message);
    }
}

/// Says something even where it is to be quiet: it belongs to an error, or somebody has to answer.
pub(crate) fn insist(message: impl Display) {
    screen::write(&line(message));
}

/// Says why nothing came of it.
pub(crate) fn complain(error: impl Display) {
    insist(format_args!("error: {error}"));
}

/// Says what was made fit for this terminal already.
pub(crate) fn insist_rendered(text: &str) {
    screen::write(&format!("{}\n", one_direction(text)));
}

/// Says what a workflow has to say, above a question that somebody is just about to answer.
pub(crate) fn note(message: impl Display) {
    lines(&line(message));
}

/// Says whole lines that are fit for a terminal, above a question that somebody is just about to answer.
pub(crate) fn lines(text: &str) {
    if !is_quiet() {
        screen::write_above(text);
    }
}

/// Asks for a line on the terminal, which then belongs to whoever types it until [`release`].
pub(crate) fn prompt() {
    hold();
    screen::ask();
}

fn line(message: impl Display) -> String {
    format!("{}\n", fitting(&printable(&message.to_string(), Lines::Kept)))
}
