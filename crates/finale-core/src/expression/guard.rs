//! Operators made strict: filters that check an operand are put behind it, in the text the engine compiles.
//!
//! The engine compares an undefined value like any other, so a misspelt name would silently decide a condition. And it
//! repeats lists lazily and for free, so `[0] * 100000000` would cost nothing until something walks over it for minutes.

use std::fmt::Write as _;

use super::scan::{Kind, Token};

/// The filter behind each operand of a comparison; no name that a user can mean.
pub(super) const OPERAND: &str = "_operand";
/// The filter behind each operand of `*`.
pub(super) const FACTOR: &str = "_factor";

/// How much of an operand an error shows.
const SHOWN_BYTES_MAX: usize = 80;

/// The text with the guards in place; the same text if nothing is compared.
pub(super) fn operands(source: &str, tokens: &[Token<'_>]) -> String {
    let mut guards = Vec::new();
    let mut levels = vec![Level::default()];
    for at in 0..tokens.len() {
        visit(&mut levels, &mut guards, tokens, at);
    }
    if let Some(level) = levels.last() {
        level.end(&mut guards, tokens, tokens.len());
    }
    for at in (1..tokens.len()).filter(|&at| tokens[at].is_sign("*") && ends_operand(&tokens[at - 1])) {
        guards.push(Guard { filter: FACTOR, start: tokens[at - 1].start, end: tokens[at - 1].end() });
        let end = tokens[operand_end(tokens, at + 1) - 1].end();
        guards.push(Guard { filter: FACTOR, start: end, end });
    }
    insert(source, guards)
}

/// Whether an operator behind this token has a left operand: `(*list)` is no multiplication.
fn ends_operand(token: &Token<'_>) -> bool {
    token.kind != Kind::Sign || matches!(token.text, ")" | "]" | "}")
}

/// The token behind the operand of `*` that begins here.
fn operand_end(tokens: &[Token<'_>], begin: usize) -> usize {
    let mut depth = 0_usize;
    for at in begin..tokens.len() {
        match role(tokens, at) {
            Role::Open => depth += 1,
            Role::Close if depth == 0 => return at,
            Role::Close => depth -= 1,
            Role::Boundary | Role::Comparison if depth == 0 => return at,
            Role::Part if depth == 0 && is_arithmetic(&tokens[at]) && at > begin && ends_operand(&tokens[at - 1]) => {
                return at;
            }
            Role::Boundary | Role::Comparison | Role::Prefix | Role::Part => {}
        }
    }
    tokens.len()
}

fn is_arithmetic(token: &Token<'_>) -> bool {
    token.kind == Kind::Sign && matches!(token.text, "+" | "-" | "*" | "/" | "//" | "%" | "**" | "~")
}

/// A filter is due behind the bytes `start..end`.
struct Guard {
    filter: &'static str,
    start: usize,
    end: usize,
}

#[derive(Clone, Copy, Default)]
struct Level {
    /// The token the operand begins with.
    begin: usize,
    /// Whether a comparison stands before it.
    compared: bool,
}

impl Level {
    fn end(&self, guards: &mut Vec<Guard>, tokens: &[Token<'_>], at: usize) {
        if self.compared {
            self.guard(guards, tokens, at);
        }
    }

    fn guard(&self, guards: &mut Vec<Guard>, tokens: &[Token<'_>], at: usize) {
        if self.begin < at {
            guards.push(Guard { filter: OPERAND, start: tokens[self.begin].start, end: tokens[at - 1].end() });
        }
    }
}

fn visit(levels: &mut Vec<Level>, guards: &mut Vec<Guard>, tokens: &[Token<'_>], at: usize) {
    let token = &tokens[at];
    let level = levels.last().copied().unwrap_or_default();
    let next = match role(tokens, at) {
        Role::Open => {
            return levels.push(Level { begin: at + 1, compared: false });
        }
        Role::Close => {
            level.end(guards, tokens, at);
            if levels.len() > 1 {
                levels.pop();
            }
            return;
        }
        Role::Comparison => {
            level.guard(guards, tokens, at);
            let words = if token.is_word("not") { 2 } else { 1 };
            Level { begin: at + words, compared: true }
        }
        Role::Boundary => {
            level.end(guards, tokens, at);
            Level { begin: at + 1, compared: false }
        }
        Role::Prefix => Level { begin: at + 1, ..level },
        Role::Part => return,
    };
    if let Some(top) = levels.last_mut() {
        *top = next;
    }
}

enum Role {
    Open,
    Close,
    Comparison,
    Boundary,
    Prefix,
    Part,
}

fn role(tokens: &[Token<'_>], at: usize) -> Role {
    let token = &tokens[at];
    let follows = |word| at > 0 && tokens[at - 1].is_word(word);
    let named = at > 0 && (tokens[at - 1].is_sign(".") || tokens[at - 1].is_sign("|"));
    match (token.kind, token.text) {
        (Kind::Sign, "(" | "[" | "{") => Role::Open,
        (Kind::Sign, ")" | "]" | "}") => Role::Close,
        (Kind::Sign, "==" | "!=" | "<" | "<=" | ">" | ">=") => Role::Comparison,
        (Kind::Sign, "," | ":" | "=") => Role::Boundary,
        (Kind::Word, _) if named => Role::Part,
        (Kind::Word, "and" | "or" | "if" | "else") => Role::Boundary,
        // `is not in` and `is in` are tests; in `not in` the first word is the comparison.
        (Kind::Word, "not") if follows("is") => Role::Part,
        (Kind::Word, "not") if tokens.get(at + 1).is_some_and(|next| next.is_word("in")) => Role::Comparison,
        (Kind::Word, "not") => Role::Prefix,
        (Kind::Word, "in") if follows("is") || follows("not") => Role::Part,
        (Kind::Word, "in") => Role::Comparison,
        _ => Role::Part,
    }
}

fn insert(source: &str, mut guards: Vec<Guard>) -> String {
    guards.sort_by_key(|guard| guard.end);
    let mut text = String::with_capacity(source.len() + guards.len() * 32);
    let mut copied = 0;
    for Guard { filter, start, end } in guards {
        text.push_str(&source[copied..end]);
        write!(text, "|{filter}({})", quoted(&source[start..end])).expect("a string takes all that is written");
        copied = end;
    }
    text.push_str(&source[copied..]);
    text
}

fn quoted(operand: &str) -> String {
    let shown: String = operand.chars().take(SHOWN_BYTES_MAX).flat_map(escape).collect();
    format!("\"{shown}\"")
}

fn escape(c: char) -> impl Iterator<Item = char> {
    let (first, second) = match c {
        '"' | '\\' => (Some('\\'), c),
        c if c.is_control() => (None, ' '),
        c => (None, c),
    };
    first.into_iter().chain(Some(second))
}
