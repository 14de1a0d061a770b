//! Words and signs of an expression.

use super::error::ExpressionError;
use super::limits::{SOURCE_BYTES_MAX, TOKENS_MAX};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a keyword.
    Word,
    /// A text with its quotes.
    Text,
    /// A number without its sign.
    Number,
    /// A sign of one or two characters, or a character that is no part of the language.
    Sign,
}

/// One word or sign.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'s> {
    pub(super) kind: Kind,
    pub(super) text: &'s str,
    pub(super) start: usize,
}

impl Token<'_> {
    pub(super) fn is_sign(&self, text: &str) -> bool {
        self.kind == Kind::Sign && self.text == text
    }

    pub(super) fn is_word(&self, text: &str) -> bool {
        self.kind == Kind::Word && self.text == text
    }

    pub(super) fn end(&self) -> usize {
        self.start + self.text.len()
    }
}

/// Splits a text into tokens; what is no part of the language is left to the parser to refuse.
pub(super) fn tokens(source: &str) -> Result<Vec<Token<'_>>, ExpressionError> {
    let bytes = source.len();
    if bytes > SOURCE_BYTES_MAX {
        return Err(ExpressionError::TooLong { bytes, bytes_max: SOURCE_BYTES_MAX });
    }
    let mut tokens: Vec<Token<'_>> = Vec::new();
    let mut start = skip_space(source, 0);
    while start < bytes {
        if tokens.len() == TOKENS_MAX {
            return Err(ExpressionError::TooManyTokens { tokens_max: TOKENS_MAX });
        }
        // `list.0.1` holds two indexes, not the number 0.1.
        let is_index = tokens.last().is_some_and(|last| last.is_sign(".") && last.end() == start);
        let (kind, length) = next(&source[start..], is_index);
        tokens.push(Token { kind, text: &source[start..start + length], start });
        start = skip_space(source, start + length);
    }
    Ok(tokens)
}

fn skip_space(source: &str, from: usize) -> usize {
    let rest = &source[from..];
    from + (rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_whitespace()).len())
}

fn next(rest: &str, is_index: bool) -> (Kind, usize) {
    let bytes = rest.as_bytes();
    match bytes.first() {
        Some(b'"' | b'\'') => (Kind::Text, text_length(bytes)),
        Some(b'0'..=b'9') => (Kind::Number, number_length(bytes, is_index)),
        Some(b'a'..=b'z' | b'A'..=b'Z' | b'_') => (Kind::Word, word_length(bytes)),
        _ => (Kind::Sign, sign_length(rest)),
    }
}

fn word_length(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count()
}

fn text_length(bytes: &[u8]) -> usize {
    let quote = bytes[0];
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Digits with a fraction and an exponent, and whatever clings to them: that is for the parser to refuse.
fn number_length(bytes: &[u8], is_index: bool) -> usize {
    let mut length = word_length(bytes);
    let is_decimal = !matches!(bytes.get(1), Some(b'x' | b'X' | b'o' | b'O' | b'b' | b'B'));
    let has_no_exponent = |length: usize| !bytes[..length].iter().any(|byte| matches!(byte, b'e' | b'E'));
    let is_fraction = bytes.get(length) == Some(&b'.') && bytes.get(length + 1).is_some_and(u8::is_ascii_digit);
    if is_decimal && !is_index && is_fraction && has_no_exponent(length) {
        length += 1 + word_length(&bytes[length + 1..]);
    }
    let ends_in_exponent = matches!(bytes[length - 1], b'e' | b'E') && has_no_exponent(length - 1);
    let is_signed = matches!(bytes.get(length), Some(b'+' | b'-'));
    if is_decimal && ends_in_exponent && is_signed && bytes.get(length + 1).is_some_and(u8::is_ascii_digit) {
        length += 1 + word_length(&bytes[length + 1..]);
    }
    length
}

fn sign_length(rest: &str) -> usize {
    const PAIRS: [&str; 6] = ["==", "!=", "<=", ">=", "//", "**"];
    if PAIRS.iter().any(|pair| rest.starts_with(pair)) {
        return 2;
    }
    rest.chars().next().map_or(1, char::len_utf8)
}

#[cfg(test)]
mod tests {
    use super::super::{Expression, ExpressionError};

    #[test]
    fn a_single_equals_where_a_comparison_could_stand_is_told_as_that() {
        let error = |source: &str| Expression::compile(source, &Default::default(), Vec::new).err();
        for source in ["input.x = 3", "input.a == 3 and input.b = 'x'", "(input.x = 3)", "input.x | round(1) = 2"] {
            assert_eq!(error(source), Some(ExpressionError::SingleEquals), "{source}");
        }
        assert_eq!(ExpressionError::SingleEquals.to_string(), "`=` compares nothing; write `==`");
        assert_eq!(error("input.x | round(precision=2) == 3"), None);
        assert!(matches!(error("input.x | round(precision=2) +"), Some(ExpressionError::Syntax { .. })));
    }
}
