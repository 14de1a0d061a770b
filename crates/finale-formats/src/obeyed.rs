//! Characters that are not shown but obeyed.

use std::borrow::Cow;

/// Whether a character would be obeyed: by a terminal, or by whatever lays out the text around it.
pub(crate) fn is_obeyed(letter: char) -> bool {
    letter.is_control() || is_invisible_order(letter)
}

/// Whether a character turns the direction of text, so that it reads as something else than it is, ends a line, or marks
/// bytes, annotations or tags that nobody sees.
fn is_invisible_order(letter: char) -> bool {
    matches!(
        letter,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

/// A text in which these characters are replaced, one by one; control characters are left to who lays out the text.
pub(crate) fn without_invisible_orders(text: &str) -> Cow<'_, str> {
    if !text.contains(is_invisible_order) {
        return Cow::Borrowed(text);
    }
    let shown = |letter: char| if is_invisible_order(letter) { char::REPLACEMENT_CHARACTER } else { letter };
    Cow::Owned(text.chars().map(shown).collect())
}
