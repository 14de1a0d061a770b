//! Standard output for results, standard error for everything else.

use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, Write};

use crate::text::{Lines, printable};

/// Writes a result; whoever closed the pipe has read as much as they wanted, so that is no error.
pub(crate) fn write(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Says something that is not the result.
pub(crate) fn say(message: impl Display) {
    tell(&format!("{}\n", printable(&message.to_string(), Lines::Kept)));
}

/// Says what a workflow has to say.
pub(crate) fn note(message: impl Display) {
    say(message);
}

/// Asks for a line on the terminal.
pub(crate) fn prompt() {
    tell("> ");
}

/// Says why nothing came of it.
pub(crate) fn complain(error: impl Display) {
    insist(format_args!("error: {error}"));
}

/// Says what belongs to an error.
pub(crate) fn insist(message: impl Display) {
    tell(&format!("{}\n", printable(&message.to_string(), Lines::Kept)));
}

fn tell(text: &str) {
    if cfg!(test) {
        // It would stand between the names of the tests: the harness catches only what the print macros write.
        return;
    }
    let mut err = io::stderr().lock();
    // There is nowhere left to say that nobody listens.
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}
