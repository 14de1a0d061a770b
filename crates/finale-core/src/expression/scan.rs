//! Words and signs of an expression, found without recursion before the parser sees it.

use super::error::ExpressionError;
use super::limits::{SOURCE_BYTES_MAX, TOKENS_MAX};

/// What a token is, as far as limits and references need to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a keyword.
    Word,
    /// A text with its quotes.
    Text,
    /// Digits and what clings to them.
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
    let mut tokens = Vec::new();
    let mut start = skip_space(source, 0);
    while start < bytes {
        if tokens.len() == TOKENS_MAX {
            return Err(ExpressionError::TooManyTokens { tokens_max: TOKENS_MAX });
        }
        let (kind, length) = next(&source[start..]);
        tokens.push(Token { kind, text: &source[start..start + length], start });
        start = skip_space(source, start + length);
    }
    Ok(tokens)
}

/// Whether there is a `=` that names no argument of a call.
pub(super) fn has_single_equals(tokens: &[Token<'_>]) -> bool {
    let names_argument = |at: usize| {
        at > 1 && tokens[at - 1].kind == Kind::Word && (tokens[at - 2].is_sign("(") || tokens[at - 2].is_sign(","))
    };
    (0..tokens.len()).any(|at| tokens[at].is_sign("=") && !names_argument(at))
}

fn skip_space(source: &str, from: usize) -> usize {
    let rest = &source[from..];
    from + (rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_whitespace()).len())
}

fn next(rest: &str) -> (Kind, usize) {
    let bytes = rest.as_bytes();
    match bytes.first() {
        Some(b'"' | b'\'') => (Kind::Text, text_length(bytes)),
        Some(b'0'..=b'9') => (Kind::Number, word_length(bytes)),
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
