//! Where the parser is among the tokens, and what it says about the one it does not expect.

use super::{Parsed, Parser};
use crate::expression::error::ExpressionError;
use crate::expression::program::{Span, Step};
use crate::expression::scan::{Kind, Token};

impl<'t, 's> Parser<'t, 's, '_> {
    pub(super) fn name(&mut self, expected: &str) -> Parsed<&'s str> {
        match self.peek().filter(|token| token.kind == Kind::Word) {
            Some(token) => {
                self.at += 1;
                Ok(token.text)
            }
            None => Err(self.refuse(expected)),
        }
    }

    pub(super) fn peek(&self) -> Option<&'t Token<'s>> {
        self.tokens.get(self.at)
    }

    pub(super) fn next(&mut self) -> Option<&'t Token<'s>> {
        let token = self.tokens.get(self.at);
        self.at += usize::from(token.is_some());
        token
    }

    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let taken = self.peek().is_some_and(|token| token.is_word(word));
        self.at += usize::from(taken);
        taken
    }

    pub(super) fn take_sign(&mut self, sign: &str) -> bool {
        let taken = self.peek().is_some_and(|token| token.is_sign(sign));
        self.at += usize::from(taken);
        taken
    }

    pub(super) fn expect_sign(&mut self, sign: &str) -> Parsed {
        if self.take_sign(sign) { Ok(()) } else { Err(self.refuse(&format!("`{sign}`"))) }
    }

    /// What is wrong with the token that comes.
    pub(super) fn refuse(&self, expected: &str) -> ExpressionError {
        match self.peek() {
            Some(token) => unexpected(token, expected),
            None => ExpressionError::Syntax { detail: format!("syntax error: the end comes, expected {expected}") },
        }
    }

    /// Leaves place for a step that is known later.
    pub(super) fn reserve(&mut self) -> usize {
        self.steps.push(Step::Jump(0));
        self.steps.len() - 1
    }

    /// What the tokens since then say, without the last one.
    pub(super) fn span_before(&self, begin: usize) -> Span {
        self.span_between(begin, self.at.saturating_sub(2))
    }

    /// What the tokens since then say.
    pub(super) fn span_from(&self, begin: usize) -> Span {
        self.span_between(begin, self.at.saturating_sub(1))
    }

    pub(super) fn span_between(&self, begin: usize, last: usize) -> Span {
        match (self.tokens.get(begin), self.tokens.get(last)) {
            (Some(first), Some(last)) => Span { start: offset(first.start), end: offset(last.end()) },
            _ => Span::default(),
        }
    }
}

/// Sources are far shorter than 4 GiB.
fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

pub(super) fn unexpected(token: &Token<'_>, expected: &str) -> ExpressionError {
    if token.is_sign("=") {
        return ExpressionError::SingleEquals;
    }
    let way_out = way_out(token).map(|way| format!("; write {way}")).unwrap_or_default();
    let detail = format!("syntax error: unexpected `{}`, expected {expected}{way_out}", token.text);
    ExpressionError::Syntax { detail }
}

/// What a sign of other languages is here.
fn way_out(token: &Token<'_>) -> Option<&'static str> {
    match (token.kind, token.text) {
        (Kind::Sign, "&") => Some("`and`"),
        (Kind::Sign, "|") => Some("`or`"),
        (Kind::Sign, "!") => Some("`not`"),
        (Kind::Sign, "?") => Some("`A if CONDITION else B`"),
        _ => None,
    }
}

/// Braces around a whole expression, as in other systems: a map cannot be a key of a map.
pub(super) fn foreign_braces() -> ExpressionError {
    ExpressionError::Syntax {
        detail: "syntax error: `{{ }}` means nothing here; write the expression alone".to_owned(),
    }
}
