//! JSON text to a [`Located`] value.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_json::error::Category;

use crate::error::{Fault, FileLimit, LoadProblem, Place};
use crate::limits::Limits;
use crate::scalar;
use crate::tree::{Entry, Located, Notation, Seen, Tree};

/// Reads a document of at most that many values.
///
/// The parser does not say where a value stands and how a number is written: a second pass over the text finds that.
pub(crate) fn parse(text: &str, values_max: usize) -> Result<Located, Fault> {
    let left = Cell::new(values_max);
    let overdrawn = Cell::new(false);
    let seed = Seed { left: &left, overdrawn: &overdrawn };
    let mut decoder = serde_json::Deserializer::from_str(text);
    let parsed = seed.deserialize(&mut decoder).and_then(|value| decoder.end().map(|()| value));
    let mut root = parsed.map_err(|error| {
        if overdrawn.get() {
            Fault::new(LoadProblem::OverLimit { limit: FileLimit::Values, max: values_max })
        } else {
            fault(error)
        }
    })?;
    Places::of(text).mark(&mut root);
    Ok(root)
}

fn fault(error: serde_json::Error) -> Fault {
    let place = (error.line() > 0).then(|| Place { line: count(error.line()), column: count(error.column()) });
    let mut message = error.to_string();
    // The place is told apart from the message.
    if let Some(end) = message.rfind(" at line ") {
        message.truncate(end);
    }
    if message == "recursion limit exceeded" {
        return Fault::new(LoadProblem::OverLimit { limit: FileLimit::Depth, max: Limits::DEPTH_MAX }).at(place);
    }
    let message = match error.classify() {
        Category::Eof => "the text breaks off: a bracket, a brace or a quote is not closed".to_owned(),
        _ => in_own_words(message),
    };
    Fault::new(LoadProblem::Syntax { message, source: Some(Box::new(error)) }).at(place)
}

/// What the parser says, where that is not plain.
const MESSAGES: [(&str, &str); 5] = [
    ("control character", "a control character stands in a text: write it as `\\n`, `\\t` or `\\u001b`"),
    ("key must be a string", "a key is a text between double quotes"),
    ("trailing characters", "something stands behind the end of the document"),
    ("trailing comma", "the last `,` before a bracket or brace closes is too many"),
    ("number out of range", "the number is too large: quote it if it is text"),
];

fn in_own_words(message: String) -> String {
    let known = MESSAGES.iter().find(|(begin, _)| message.starts_with(begin));
    known.map_or(message, |(_, words)| (*words).to_owned())
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[derive(Clone, Copy)]
struct Seed<'a> {
    left: &'a Cell<usize>,
    overdrawn: &'a Cell<bool>,
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Located;

    fn deserialize<D: Deserializer<'de>>(self, decoder: D) -> Result<Located, D::Error> {
        let Some(left) = self.left.get().checked_sub(1) else {
            self.overdrawn.set(true);
            return Err(D::Error::custom("too many values"));
        };
        self.left.set(left);
        decoder.deserialize_any(self).map(Located::from)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Tree, E> {
        Number::from_f64(value).map(Tree::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Tree, E> {
        Ok(Tree::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = list.next_element_seed(self)? {
            elements.push(element);
        }
        elements.shrink_to_fit();
        Ok(Tree::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen = Seen::default();
        while let Some(key) = map.next_key::<String>()? {
            if !seen.is_new(&key, &entries) {
                return Err(A::Error::custom(format!("the key `{key}` is there twice")));
            }
            entries.push(Entry { key, key_place: None, value: map.next_value_seed(self)? });
        }
        entries.shrink_to_fit();
        Ok(Tree::Map(entries))
    }
}

/// Goes through a text that was parsed, beside the values that came of it.
struct Places<'t> {
    text: &'t [u8],
    at: usize,
    line: u32,
    column: u32,
}

impl<'t> Places<'t> {
    fn of(text: &'t str) -> Self {
        Self { text: text.as_bytes(), at: 0, line: 1, column: 1 }
    }

    /// The parser goes no deeper than 127 levels, and so does this.
    fn mark(&mut self, value: &mut Located) {
        self.skip_space();
        value.place = Some(self.here());
        match &mut value.tree {
            Tree::List(elements) => {
                self.step();
                elements.iter_mut().for_each(|element| self.mark(element));
                self.skip_space();
                self.step();
            }
            Tree::Map(entries) => {
                self.step();
                entries.iter_mut().for_each(|entry| self.mark_entry(entry));
                self.skip_space();
                self.step();
            }
            Tree::Text(_) => self.skip_text(),
            Tree::Null | Tree::Bool(_) => _ = self.skip_word(),
            Tree::Number(_) => {
                let written = self.skip_word();
                (value.tree, value.notation) = number(written);
            }
        }
    }

    fn mark_entry(&mut self, entry: &mut Entry) {
        self.skip_space();
        entry.key_place = Some(self.here());
        self.skip_text();
        self.mark(&mut entry.value);
    }

    fn here(&self) -> Place {
        Place { line: self.line, column: self.column }
    }

    /// Commas and colons need no attention in a text that is known to be right.
    fn skip_space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\r' | b'\n' | b',' | b':')) {
            self.step();
        }
    }

    fn skip_text(&mut self) {
        self.step();
        while let Some(byte) = self.byte().filter(|byte| *byte != b'"') {
            if byte == b'\\' {
                self.step();
            }
            self.step();
        }
        self.step();
    }

    fn skip_word(&mut self) -> &'t str {
        let begin = self.at;
        while matches!(self.byte(), Some(b'a'..=b'z' | b'0'..=b'9' | b'E' | b'+' | b'-' | b'.')) {
            self.step();
        }
        str::from_utf8(&self.text[begin..self.at]).expect("a word is ASCII")
    }

    fn byte(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// A column is a character, not a byte.
    fn step(&mut self) {
        self.at += 1;
        match self.text.get(self.at - 1) {
            Some(b'\n') => (self.line, self.column) = (self.line.saturating_add(1), 1),
            Some(_) if self.byte().is_some_and(|next| next & 0xc0 == 0x80) => {}
            _ => self.column = self.column.saturating_add(1),
        }
    }
}

/// The number that a word is, and how it is written.
fn number(written: &str) -> (Tree, Notation) {
    match scalar::json_number(written) {
        (tree, Notation::Written(written)) => (tree, Notation::WrittenInJson(written)),
        number => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_know_their_places() {
        let root = parse("{\n  \"ä\\\"\": [1, -2.5e+3,\n {\"b\": \"ü, ]\", \"c\": null}, true]\n}", 20).unwrap();
        let mut places = Vec::new();
        collect(&root, &mut places);
        let expected = [(1, 1), (2, 3), (2, 10), (2, 11), (2, 14), (3, 2), (3, 3), (3, 8), (3, 16), (3, 21), (3, 28)];
        assert_eq!(places, expected);
    }

    fn collect(value: &Located, places: &mut Vec<(u32, u32)>) {
        let place = value.place.unwrap();
        places.push((place.line, place.column));
        match &value.tree {
            Tree::List(elements) => elements.iter().for_each(|element| collect(element, places)),
            Tree::Map(entries) => {
                for entry in entries {
                    let place = entry.key_place.unwrap();
                    places.push((place.line, place.column));
                    collect(&entry.value, places);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn a_key_that_is_there_twice_is_refused() {
        let error = parse(r#"{"a": 1, "a": 2}"#, 10).unwrap_err().into_error("f");
        assert!(error.to_string().contains("the key `a` is there twice"), "{error}");
    }

    #[test]
    fn the_number_of_values_is_limited() {
        assert!(parse("[1, 2, 3]", 4).is_ok());
        let error = parse("[1, 2, 3]", 3).unwrap_err().into_error("f");
        assert_eq!(error.code(), "file_over_limit");
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_overflow() {
        let error = parse(&"[".repeat(1_000_000), 1000).unwrap_err().into_error("f");
        assert_eq!(error.code(), "file_over_limit");
    }
}
