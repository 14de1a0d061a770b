//! What a terminal can show.

use std::io::{self, IsTerminal};

use crate::text::in_ascii;

/// What the standard error can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// Whether lines can be written anew.
    pub(crate) live: bool,
    /// Whether there are colours.
    colours: bool,
    /// Whether there is more than ASCII.
    unicode: bool,
}

/// How a piece of text is to stand out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Cyan,
}

/// What stands for a state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Symbols {
    pub(crate) done: &'static str,
    pub(crate) failed: &'static str,
    pub(crate) skipped: &'static str,
    pub(crate) cancelled: &'static str,
    pub(crate) again: &'static str,
    pub(crate) waiting: &'static str,
    pub(crate) at_work: &'static [&'static str],
    /// Parts of a bar.
    pub(crate) full: &'static str,
    pub(crate) empty: &'static str,
}

const UNICODE: Symbols = Symbols {
    done: "✓",
    failed: "✗",
    skipped: "–",
    cancelled: "■",
    again: "↻",
    waiting: "◌",
    at_work: &["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"],
    full: "█",
    empty: "░",
};

const ASCII: Symbols = Symbols {
    done: "+",
    failed: "x",
    skipped: "-",
    cancelled: "#",
    again: "~",
    waiting: ".",
    at_work: &["|", "/", "-", "\\"],
    full: "#",
    empty: "-",
};

impl Look {
    /// That of the process.
    pub(crate) fn of_stderr() -> Self {
        Self::of(io::stderr().is_terminal(), |name| std::env::var(name).ok())
    }

    pub(crate) fn of(terminal: bool, variable: impl Fn(&str) -> Option<String>) -> Self {
        let said = |name: &str| variable(name).filter(|value| !value.is_empty());
        let capable = if cfg!(windows) {
            said("TERM") != Some("dumb".into())
        } else {
            said("TERM").is_some_and(|term| term != "dumb")
        };
        let utf_8 = is_utf_8(&variable);
        let live = terminal && capable;
        Self { live, colours: live && said("NO_COLOR").is_none(), unicode: utf_8 || cfg!(windows) }
    }

    pub(crate) fn has_colours(self) -> bool {
        self.colours
    }

    pub(crate) fn has_unicode(self) -> bool {
        self.unicode
    }

    pub(crate) fn symbols(self) -> &'static Symbols {
        if self.unicode { &UNICODE } else { &ASCII }
    }

    /// The text in that colour, if there are colours; it must not have any of its own.
    pub(crate) fn paint(self, paint: Paint, text: &str) -> String {
        if !self.colours || text.is_empty() {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Bold => 1,
            Paint::Dim => 2,
            Paint::Red => 31,
            Paint::Green => 32,
            Paint::Yellow => 33,
            Paint::Cyan => 36,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// The text as the terminal can show it, as far as finale itself wrote it.
    pub(crate) fn fitting(self, text: String) -> String {
        if self.unicode { text } else { in_ascii(&text) }
    }
}

/// Whether the locale of this process has Unicode.
pub(crate) fn has_unicode() -> bool {
    // Unit tests expect Unicode whatever their environment is.
    cfg!(any(windows, test)) || is_utf_8(|name| std::env::var(name).ok())
}

/// Whether the locale has Unicode: the first of the variables that is set decides.
fn is_utf_8(variable: impl Fn(&str) -> Option<String>) -> bool {
    let said = |name: &str| variable(name).filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(said);
    locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(terminal: bool, variables: &[(&str, &str)]) -> Look {
        Look::of(terminal, |name| variables.iter().find(|one| one.0 == name).map(|one| one.1.to_owned()))
    }

    #[test]
    fn colours_need_a_terminal_and_nobody_who_does_not_want_them() {
        let painted = |terminal, variables: &[_]| look(terminal, variables).paint(Paint::Red, "x") != "x";
        assert!(painted(true, &[("TERM", "xterm")]));
        assert!(painted(true, &[("TERM", "xterm"), ("NO_COLOR", "")]), "an empty one says nothing");
        assert!(!painted(true, &[("TERM", "xterm"), ("NO_COLOR", "1")]));
        assert!(!painted(true, &[("TERM", "dumb")]));
        assert!(!painted(false, &[("TERM", "xterm")]));
    }

    #[cfg(not(windows))]
    #[test]
    fn the_first_locale_that_is_set_says_whether_there_is_more_than_ascii() {
        let done = |variables: &[_]| look(true, variables).symbols().done;
        assert_eq!(done(&[("LANG", "de_DE.UTF-8")]), "✓");
        assert_eq!(done(&[("LC_ALL", ""), ("LC_CTYPE", "C.utf8")]), "✓");
        assert_eq!(done(&[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")]), "+");
        assert_eq!(done(&[]), "+");
        assert_eq!(look(true, &[]).fitting("3 µs…".into()), "3 us~");
    }
}
