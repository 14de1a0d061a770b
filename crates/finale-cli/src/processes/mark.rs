//! Marks by which the processes of a command are known.

use std::io;

use serde::{Deserialize, Serialize};

/// The variable of the environment in which every process of a command finds its mark.
pub(crate) const MARK_VARIABLE: &str = "FINALE_COMMAND";

/// What separates the marks of commands that were started by one another.
const SEPARATOR: char = ':';
/// So many random bytes cannot be guessed, and are never drawn twice.
const BYTES: usize = 16;

/// The mark of one attempt at running a command.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Mark(String);

impl Mark {
    /// A mark that no other command has.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(random_name()?))
    }

    /// What [`MARK_VARIABLE`] has to be for the processes of the command.
    ///
    /// A command can be a `finale run` itself: what its commands leave behind belongs to both.
    pub(crate) fn variable(&self) -> String {
        match std::env::var(MARK_VARIABLE) {
            Ok(outer) if !outer.is_empty() => format!("{outer}{SEPARATOR}{}", self.0),
            _ => self.0.clone(),
        }
    }

    /// Whether a process with this environment, as `/proc/PID/environ` has it, belongs to the command.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only there environments can be read"))]
    pub(super) fn is_in(&self, environment: &[u8]) -> bool {
        let value = |entry: &[u8]| {
            let entry = std::str::from_utf8(entry).ok()?;
            let value = entry.strip_prefix(MARK_VARIABLE)?.strip_prefix('=')?;
            Some(value.split(SEPARATOR).any(|mark| mark == self.0))
        };
        environment.split(|byte| *byte == 0).any(|entry| value(entry) == Some(true))
    }
}

/// A text of hexadecimal digits that nobody can guess.
pub(crate) fn random_name() -> io::Result<String> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_among_those_of_outer_commands_and_nowhere_else() {
        let mark = Mark("ab".into());
        assert!(mark.is_in(b"HOME=/\0FINALE_COMMAND=ab\0"));
        assert!(mark.is_in(b"FINALE_COMMAND=12:ab:cd\0HOME=/\0"));
        for other in [&b"FINALE_COMMAND=abc\0"[..], b"X_FINALE_COMMAND=ab\0", b"OTHER=ab\0", b"", b"FINALE_COMMAND\0"] {
            assert!(!mark.is_in(other), "{other:?}");
        }
    }

    #[test]
    fn no_two_marks_are_the_same() {
        assert_ne!(Mark::new().unwrap(), Mark::new().unwrap());
    }
}
