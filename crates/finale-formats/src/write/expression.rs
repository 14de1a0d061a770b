//! Expressions back into the literal values that stand for them.

use std::collections::HashSet;

use serde_json::Number;

use crate::own::{PRINTED, is_path};
use crate::tree::{Entry, Located, Tree};

/// Deeper values stay expressions.
const DEPTH_MAX: usize = 12;

/// The value that would be written for an expression, whether or not it is read as the same one.
pub(super) fn value(expression: &str) -> Option<Located> {
    nested(expression, 0)
}

fn nested(expression: &str, depth: usize) -> Option<Located> {
    if depth > DEPTH_MAX {
        return None;
    }
    let text = expression.trim();
    let tree = match text {
        "" => return None,
        "none" => Tree::Null,
        "true" => Tree::Bool(true),
        "false" => Tree::Bool(false),
        _ if text.starts_with('{') && closes(text, '}') => return map(text, depth),
        _ if text.starts_with('[') && closes(text, ']') => return list(text, depth),
        _ => match text.parse::<Number>() {
            Ok(number) => Tree::Number(number),
            Err(_) => Tree::Text(template(text)),
        },
    };
    Some(tree.into())
}

/// Whether the bracket that opens a text closes at its end.
fn closes(text: &str, close: char) -> bool {
    text.ends_with(close) && split(&text[1..text.len() - 1], ',').is_some()
}

fn map(text: &str, depth: usize) -> Option<Located> {
    let mut entries = Vec::new();
    let mut keys = HashSet::new();
    for member in members(text)? {
        let parts = split(member, ':')?;
        let [key, value] = parts[..] else {
            return None;
        };
        let key: String = serde_json::from_str(key.trim()).ok()?;
        if !keys.insert(key.clone()) {
            return None;
        }
        entries.push(Entry::new(key, nested(value, depth + 1)?));
    }
    Some(Tree::Map(entries).into())
}

fn list(text: &str, depth: usize) -> Option<Located> {
    let elements: Option<_> = members(text)?.into_iter().map(|element| nested(element, depth + 1)).collect();
    Some(Tree::List(elements?).into())
}

fn members(text: &str) -> Option<Vec<&str>> {
    let inner = &text[1..text.len() - 1];
    if inner.trim().is_empty() {
        return Some(Vec::new());
    }
    split(inner, ',')
}

/// The text for an expression that is a text, joins texts, or is anything else.
fn template(expression: &str) -> String {
    if let Some(text) = quoted(expression) {
        return text;
    }
    let whole = || format!("${{{{ {expression} }}}}");
    let Some(parts) = split(expression, '~').filter(|parts| parts.len() > 1) else {
        return whole();
    };
    let mut text = String::new();
    for part in parts.into_iter().map(str::trim) {
        match (quoted(part), part.strip_suffix(PRINTED).and_then(printed)) {
            (Some(quoted), _) => text.push_str(&quoted),
            (None, Some(inner)) => text.push_str(&format!("${{{{ {inner} }}}}")),
            (None, None) => return whole(),
        }
    }
    text
}

/// What is printed into a text: a plain path, or something in brackets.
fn printed(operand: &str) -> Option<&str> {
    let inner = operand.strip_prefix('(').and_then(|inner| inner.strip_suffix(')'));
    inner.or_else(|| is_path(operand).then_some(operand))
}

fn quoted(expression: &str) -> Option<String> {
    serde_json::from_str(expression).ok()
}

/// The parts of a text between signs that stand in no bracket and no quote; nothing if the brackets do not match.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut open) = (Vec::new(), Vec::new());
    let (mut begin, mut quote, mut escaped) = (0, None, false);
    for (at, c) in text.char_indices() {
        if let Some(closing) = quote {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                _ if c == closing => quote = None,
                _ => {}
            }
            continue;
        }
        match c {
            '"' | '\'' => quote = Some(c),
            '(' => open.push(')'),
            '[' => open.push(']'),
            '{' => open.push('}'),
            ')' | ']' | '}' if open.pop() != Some(c) => return None,
            _ if c == separator && open.is_empty() => {
                parts.push(&text[begin..at]);
                begin = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    (open.is_empty() && quote.is_none()).then_some(parts)
}
