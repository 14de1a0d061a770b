//! Marks that identify the processes of a command.

use std::io;

use serde::{Deserialize, Serialize};

/// The environment variable that has the mark.
pub(crate) const MARK_VARIABLE: &str = "FINALE_COMMAND";

/// Separates the marks of nested commands, outermost first.
const SEPARATOR: char = ':';
/// Random bytes in a mark: enough that nobody can guess one, and no two are the same.
const BYTES: usize = 16;

/// Identifies one run of a command.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Mark(String);

impl Mark {
    /// A new random mark.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(random_name()?))
    }

    /// The value of [`MARK_VARIABLE`] for the processes of the command.
    ///
    /// If this process is itself part of a command of another `finale run`, the value has the marks of both.
    pub(crate) fn variable(&self) -> String {
        match std::env::var(MARK_VARIABLE) {
            Ok(outer) if !outer.is_empty() => format!("{outer}{SEPARATOR}{}", self.0),
            _ => self.0.clone(),
        }
    }

    /// Whether an environment, in the form of `/proc/PID/environ`, has this mark.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "environments can be read on Linux only"))]
    pub(super) fn is_in(&self, environment: &[u8]) -> bool {
        let value = |entry: &[u8]| {
            let entry = std::str::from_utf8(entry).ok()?;
            let value = entry.strip_prefix(MARK_VARIABLE)?.strip_prefix('=')?;
            Some(value.split(SEPARATOR).any(|mark| mark == self.0))
        };
        environment.split(|byte| *byte == 0).any(|entry| value(entry) == Some(true))
    }
}

/// A random name of hexadecimal digits that nobody can guess.
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
