//! The end of an output.

/// Default limit on the bytes of the end that are kept.
pub(super) const BYTES_MAX: usize = 4 << 10;
/// Default limit on the lines of the end that are kept.
const LINES_MAX: usize = 20;
/// Marks the place of an omission.
const CUT: &str = "…";

/// The end of an output.
#[derive(Debug)]
pub(super) struct Tail {
    bytes: Vec<u8>,
    bytes_max: usize,
    lines_max: usize,
    /// Whether something before it was dropped.
    cut: bool,
}

/// The last lines of an output.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LastLines {
    /// The lines, after [`CUT`] if there were lines before them.
    pub(crate) text: String,
    /// Whether there were lines before them.
    pub(crate) truncated: bool,
}

impl Default for Tail {
    fn default() -> Self {
        Self { lines_max: LINES_MAX, ..Self::of_bytes(BYTES_MAX) }
    }
}

impl Tail {
    /// Keeps at most so many bytes, in any number of lines.
    pub(super) fn of_bytes(bytes_max: usize) -> Self {
        Self { bytes: Vec::new(), bytes_max, lines_max: usize::MAX, cut: false }
    }

    /// Adds what comes next.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let dropped = (self.bytes.len() + bytes.len()).saturating_sub(self.bytes_max);
        self.cut |= dropped > 0;
        self.bytes.drain(..dropped.min(self.bytes.len()));
        let kept = bytes.len().min(self.bytes_max);
        self.bytes.extend_from_slice(&bytes[bytes.len() - kept..]);
    }

    /// The whole output as it came; `None` if something before it was dropped.
    pub(super) fn whole(&self) -> Option<&[u8]> {
        (!self.cut).then_some(&self.bytes)
    }

    /// The bytes as they came.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The last lines as a terminal shows them; whole lines, unless not even one fits.
    pub(super) fn last_lines(&self) -> LastLines {
        let text = String::from_utf8_lossy(self.whole_characters());
        let lines: Vec<&str> = text.lines().map(shown).collect();
        let beginning = usize::from(self.cut && lines.len() > 1);
        let first = beginning.max(lines.len().saturating_sub(self.lines_max));
        let last = lines[first..].join("\n");
        match (self.cut, first) {
            (false, 0) => LastLines { text: last, truncated: false },
            // The beginning of the line itself is missing.
            (true, 0) => LastLines { text: format!("{CUT}{last}"), truncated: true },
            _ => LastLines { text: format!("{CUT}\n{last}"), truncated: true },
        }
    }

    /// The bytes from the first whole character on.
    fn whole_characters(&self) -> &[u8] {
        // A character has at most three continuation bytes.
        let is_rest = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
        let rest = if self.cut { self.bytes.iter().take(3).take_while(is_rest).count() } else { 0 };
        &self.bytes[rest..]
    }
}

/// What a terminal shows of a line: what follows the last return.
fn shown(line: &str) -> &str {
    let line = line.trim_end_matches('\r');
    line.rsplit_once('\r').map_or(line, |(_, last)| last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last_lines(pieces: &[&str]) -> LastLines {
        let mut tail = Tail::default();
        pieces.iter().for_each(|piece| tail.push(piece.as_bytes()));
        tail.last_lines()
    }

    fn text(pieces: &[&str]) -> String {
        last_lines(pieces).text
    }

    #[test]
    fn a_short_output_is_kept_whole() {
        assert_eq!(last_lines(&["one\ntw", "o\n"]), LastLines { text: "one\ntwo".into(), truncated: false });
        assert_eq!(last_lines(&[]), LastLines::default());
        let twenty = "line\n".repeat(20);
        assert!(!last_lines(&[&twenty]).truncated);
    }

    #[test]
    fn of_many_lines_the_last_twenty_are_kept() {
        let lines: String = (0..30).map(|line| format!("{line}\n")).collect();
        let kept = last_lines(&[&lines]);
        assert!(kept.truncated);
        assert_eq!(kept.text.lines().count(), 21);
        assert!(kept.text.starts_with("…\n10\n") && kept.text.ends_with("\n29"), "{}", kept.text);
    }

    #[test]
    fn of_long_lines_only_whole_ones_are_kept() {
        let line = "x".repeat(3_000);
        assert_eq!(text(&[&line, "\n", &line, "\n"]), format!("…\n{line}"));
        assert_eq!(text(&[&"x".repeat(9_000)]), format!("…{}", "x".repeat(BYTES_MAX)), "of a line without end its end");
    }

    #[test]
    fn no_character_is_cut_apart() {
        for (character, before) in [("é", 0), ("é", 1), ("注", 1), ("注", 2), ("🦀", 1), ("🦀", 2), ("🦀", 3)]
        {
            let output = "a".repeat(before) + &character.repeat(BYTES_MAX);
            let kept = text(&[&output, "\n"]);
            assert!(
                kept.strip_prefix('…').unwrap().chars().all(|kept| kept == character.chars().next().unwrap()),
                "{kept}"
            );
        }
    }

    #[test]
    fn what_was_overwritten_is_not_shown() {
        assert_eq!(text(&["10 %\r20 %\rdone\r\nnext"]), "done\nnext");
    }
}
