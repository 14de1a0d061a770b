//! A document as YAML text, as somebody would write it by hand.

use crate::tree::{Entry, Located, Tree};

/// What fits into so many columns is written in one line, in braces or brackets.
const WIDTH_MAX: usize = 100;

pub(super) fn print(document: &Located) -> String {
    let mut text = String::new();
    match &document.tree {
        Tree::Map(entries) if !entries.is_empty() => {
            for entry in entries {
                // Tasks stand in lines of their own, and so does what is said of each.
                let levels = match entry.key.as_str() {
                    "tasks" => 2,
                    "nodes" | "inputs" | "outputs" => 1,
                    _ => 0,
                };
                write_entry(entry, 0, levels, &mut text);
            }
        }
        _ => {
            write_flow(document, &mut text);
            text.push('\n');
        }
    }
    text
}

/// An entry of a block; that many levels below it are blocks too, even if they are short.
fn write_entry(Entry { key, value, .. }: &Entry, indent: usize, levels: usize, out: &mut String) {
    indented(indent, out);
    write_key(key, out);
    out.push(':');
    let width = key.len() + 2 * indent + 2;
    match &value.tree {
        Tree::Map(entries) if !entries.is_empty() && (levels > 0 || !fits(value, width)) => {
            out.push('\n');
            entries.iter().for_each(|entry| write_entry(entry, indent + 1, levels.saturating_sub(1), out));
        }
        Tree::List(elements) if !elements.is_empty() && !fits(value, width) => {
            out.push('\n');
            elements.iter().for_each(|element| write_element(element, indent + 1, out));
        }
        Tree::Text(text) if is_block_text(text) => write_block_text(text, indent + 1, out),
        Tree::Text(text) if is_plain(text, false) => {
            out.push(' ');
            out.push_str(text);
            out.push('\n');
        }
        _ => {
            out.push(' ');
            write_flow(value, out);
            out.push('\n');
        }
    }
}

fn write_element(element: &Located, indent: usize, out: &mut String) {
    match &element.tree {
        Tree::Map(entries) if !entries.is_empty() && !fits(element, 2 * indent + 2) => {
            indented(indent, out);
            out.push_str("-\n");
            entries.iter().for_each(|entry| write_entry(entry, indent + 1, 0, out));
        }
        _ => {
            indented(indent, out);
            out.push_str("- ");
            write_flow(element, out);
            out.push('\n');
        }
    }
}

fn indented(indent: usize, out: &mut String) {
    (0..indent).for_each(|_| out.push_str("  "));
}

/// Whether a value fits into its line.
fn fits(value: &Located, width: usize) -> bool {
    WIDTH_MAX.checked_sub(width).and_then(|room| room_behind(value, room)).is_some()
}

/// What is left of the room in a line when a value stands in it.
fn room_behind(value: &Located, room: usize) -> Option<usize> {
    match &value.tree {
        Tree::Text(text) => room.checked_sub(text.len()).filter(|_| !text.contains('\n')),
        Tree::Number(_) | Tree::Bool(_) | Tree::Null => room.checked_sub(5),
        Tree::List(elements) => {
            elements.iter().try_fold(room.checked_sub(2)?, |room, element| room_behind(element, room)?.checked_sub(2))
        }
        Tree::Map(entries) => entries.iter().try_fold(room.checked_sub(2)?, |room, entry| {
            room_behind(&entry.value, room.checked_sub(entry.key.len() + 2)?)?.checked_sub(2)
        }),
    }
}

fn write_flow(value: &Located, out: &mut String) {
    match &value.tree {
        Tree::Null => out.push_str("null"),
        Tree::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Tree::Number(number) => out.push_str(&number.to_string()),
        Tree::Text(text) if is_plain(text, true) => out.push_str(text),
        Tree::Text(text) => write_quoted(text, out),
        Tree::List(elements) => {
            out.push('[');
            for (position, element) in elements.iter().enumerate() {
                out.push_str(if position > 0 { ", " } else { "" });
                write_flow(element, out);
            }
            out.push(']');
        }
        Tree::Map(entries) => {
            out.push('{');
            for (position, Entry { key, value, .. }) in entries.iter().enumerate() {
                out.push_str(if position > 0 { ", " } else { "" });
                write_key(key, out);
                out.push_str(": ");
                write_flow(value, out);
            }
            out.push('}');
        }
    }
}

fn write_key(key: &str, out: &mut String) {
    // The key of finale's own format is no boolean here, whatever older YAML takes it for.
    if key == "on" || is_plain(key, true) {
        out.push_str(key);
    } else {
        write_quoted(key, out);
    }
}

/// Words that YAML, or an older version of it, does not take for text.
const WORDS: [&str; 11] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"];

/// Whether a text can stand as it is, in braces or outside of them.
fn is_plain(text: &str, in_flow: bool) -> bool {
    let is_word = || WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || (!in_flow && c == '$'));
    if is_number_like(text) {
        return true;
    }
    let is_harmless = |c: char| match c {
        ',' | '[' | ']' | '{' | '}' | ':' | '#' => !in_flow,
        _ => matches!(c, ' '..='~') || c.is_alphanumeric(),
    };
    begins
        && !is_word()
        && text.chars().all(is_harmless)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
}

/// Versions and durations: they begin like numbers and are none.
fn is_number_like(text: &str) -> bool {
    let is_version = text.split('.').count() == 3 && text.split('.').all(is_digits);
    is_version || is_duration(text)
}

fn is_duration(text: &str) -> bool {
    let mut rest = text;
    while !rest.is_empty() {
        let (number, behind) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
        let (unit, behind) = behind.split_at(behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len()));
        if number.is_empty() || !matches!(unit, "d" | "h" | "m" | "s" | "ms" | "us" | "ns") {
            return false;
        }
        rest = behind;
    }
    !text.is_empty()
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn write_quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            ' '..='~' => out.push(c),
            c if c.is_alphanumeric() => out.push(c),
            c if u32::from(c) > 0xffff => out.push_str(&format!("\\U{:08x}", u32::from(c))),
            c => out.push_str(&format!("\\u{:04x}", u32::from(c))),
        }
    }
    out.push('"');
}

/// Whether a text of several lines keeps its form behind a `|`.
fn is_block_text(text: &str) -> bool {
    let is_printable = |c: char| c == '\n' || matches!(c, ' '..='~') || c.is_alphanumeric();
    let body = text.strip_suffix('\n').unwrap_or(text);
    let is_blank = |line: Option<&str>| line.is_none_or(|line| line.trim().is_empty());
    body.contains('\n')
        && text.chars().all(is_printable)
        && !text.starts_with(' ')
        && !is_blank(body.split('\n').next())
        && !is_blank(body.rsplit('\n').next())
}

fn write_block_text(text: &str, indent: usize, out: &mut String) {
    let body = text.strip_suffix('\n');
    out.push_str(if body.is_some() { " |\n" } else { " |-\n" });
    for line in body.unwrap_or(text).split('\n') {
        if !line.is_empty() {
            indented(indent, out);
            out.push_str(line);
        }
        out.push('\n');
    }
}
