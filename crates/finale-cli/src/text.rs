//! Text of other people made fit for a terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What becomes of line breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lines {
    /// They stay.
    Kept,
    /// They become spaces.
    Joined,
}

/// The text without anything that a terminal would obey: a file must not move the cursor or turn the writing around.
pub(crate) fn printable(text: &str, lines: Lines) -> String {
    let replaced = |character: char| match character {
        '\n' if lines == Lines::Kept => '\n',
        '\n' | '\t' => ' ',
        _ if is_obeyed(character) => char::REPLACEMENT_CHARACTER,
        _ => character,
    };
    text.chars().map(replaced).collect()
}

/// Whether a terminal acts on a character instead of showing it: controls, and marks that change the writing direction.
pub(crate) fn is_obeyed(character: char) -> bool {
    let turns = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    turns || character.is_control()
}

/// A rendered text without marks that change the writing direction; colours stay.
pub(crate) fn one_direction(text: &str) -> String {
    let is_order = |character: char| character == '\n' || character == '\t' || character == '\u{1b}';
    let shown =
        |character| if is_obeyed(character) && !is_order(character) { char::REPLACEMENT_CHARACTER } else { character };
    text.chars().map(shown).collect()
}

/// Replaces the non-ASCII characters that finale itself writes.
pub(crate) fn in_ascii(text: &str) -> String {
    text.replace('…', "~").replace('µ', "u")
}

/// The printable text on one line, with its end cut off if it takes more than that many columns.
pub(crate) fn shortened(text: &str, columns_max: usize) -> String {
    // No more characters than this can fit, and the text may be megabytes long.
    let beginning: String = text.chars().take(columns_max.saturating_mul(4)).collect();
    let whole = beginning.len() == text.len();
    let line = printable(&beginning, Lines::Joined);
    if whole && line.width() <= columns_max {
        return line;
    }
    let mut columns = 0;
    let fits = |character: &char| {
        columns += character.width().unwrap_or(0);
        columns < columns_max
    };
    let mut cut: String = line.chars().take_while(fits).collect();
    cut.push('…');
    cut
}

/// How many columns a text takes.
pub(crate) fn columns(text: &str) -> usize {
    text.width()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_fits_is_left_as_it_is() {
        assert_eq!(shortened("reserve", 7), "reserve");
        assert_eq!(shortened("", 7), "");
    }

    #[test]
    fn a_text_that_is_too_long_is_cut_to_the_columns() {
        assert_eq!(shortened("reserve", 6), "reser…");
        assert_eq!(columns(&shortened(&"x".repeat(1_000), 6)), 6);
    }

    #[test]
    fn a_wide_character_counts_twice() {
        assert_eq!(shortened("注文確認", 8), "注文確認");
        assert_eq!(shortened("注文確認", 7), "注文確…");
        assert_eq!(shortened("注文確認", 6), "注文…");
    }

    #[test]
    fn what_a_terminal_would_obey_is_taken_away() {
        assert_eq!(printable("a\u{1b}[2Jb\u{202e}c\td\ne", Lines::Joined), "a\u{fffd}[2Jb\u{fffd}c d e");
        assert_eq!(printable("a\r\nb", Lines::Kept), "a\u{fffd}\nb");
        for mark in ['\u{61c}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}', '\u{2028}'] {
            assert_eq!(printable(&format!("a{mark}b"), Lines::Kept), "a\u{fffd}b");
            assert_eq!(one_direction(&format!("\u{1b}[1ma{mark}b\n")), "\u{1b}[1ma\u{fffd}b\n");
        }
    }
}
