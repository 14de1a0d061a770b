//! The end of an output.

/// At most so much of the end is kept.
pub(super) const BYTES_MAX: usize = 4 << 10;
/// At most so many lines of the end are kept.
const LINES_MAX: usize = 20;

/// The end of an output.
#[derive(Debug, Default)]
pub(super) struct Tail {
    bytes: Vec<u8>,
    /// Whether something before it was dropped.
    cut: bool,
}

impl Tail {
    /// Adds what comes next.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let dropped = (self.bytes.len() + bytes.len()).saturating_sub(BYTES_MAX);
        self.cut |= dropped > 0;
        self.bytes.drain(..dropped.min(self.bytes.len()));
        let kept = bytes.len().min(BYTES_MAX);
        self.bytes.extend_from_slice(&bytes[bytes.len() - kept..]);
    }

    /// The bytes as they came.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The last lines, without what was overwritten in them; the first is left out if its beginning was dropped.
    pub(super) fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.bytes);
        let lines: Vec<&str> = text.lines().map(shown).collect();
        let beginning = usize::from(self.cut && lines.len() > 1);
        let first = beginning.max(lines.len().saturating_sub(LINES_MAX));
        lines[first..].join("\n")
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

    fn text(pieces: &[&str]) -> String {
        let mut tail = Tail::default();
        pieces.iter().for_each(|piece| tail.push(piece.as_bytes()));
        tail.text()
    }

    #[test]
    fn a_short_output_is_kept_whole() {
        assert_eq!(text(&["one\ntw", "o\n"]), "one\ntwo");
        assert_eq!(text(&[]), "");
    }

    #[test]
    fn of_many_lines_the_last_twenty_are_kept() {
        let lines: String = (0..30).map(|line| format!("{line}\n")).collect();
        let kept = text(&[&lines]);
        assert_eq!(kept.lines().count(), 20);
        assert!(kept.starts_with("10\n") && kept.ends_with("\n29"), "{kept}");
    }

    #[test]
    fn of_long_lines_only_whole_ones_are_kept() {
        let line = "x".repeat(3_000);
        assert_eq!(text(&[&line, "\n", &line, "\n"]), line);
        assert_eq!(text(&[&"x".repeat(9_000)]).len(), BYTES_MAX, "of a line without end there is the end");
    }

    #[test]
    fn what_was_overwritten_is_not_shown() {
        assert_eq!(text(&["10 %\r20 %\rdone\r\nnext"]), "done\nnext");
    }
}
