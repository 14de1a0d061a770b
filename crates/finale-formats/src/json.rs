//! JSON text to a [`Located`] value.

use std::cell::Cell;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess};

use crate::error::{Fault, LoadProblem, Place};
use crate::tree::{Entry, Inside, Located, Tree, TreeVisitor};

/// Reads a document of at most that many values.
///
/// The parser does not say where a value stands: a second pass over the text finds all places.
pub(crate) fn parse(text: &str, values_max: usize) -> Result<Located, Fault> {
    let left = Cell::new(values_max);
    let overdrawn = Cell::new(false);
    let seed = Seed { left: &left, overdrawn: &overdrawn };
    let mut decoder = serde_json::Deserializer::from_str(text);
    let parsed = seed.deserialize(&mut decoder).and_then(|value| decoder.end().map(|()| value));
    let mut root = parsed.map_err(|error| {
        if overdrawn.get() {
            Fault::new(LoadProblem::TooManyValues { values_max })
        } else {
            fault(error, |message, source| LoadProblem::Syntax { message, source })
        }
    })?;
    Places::of(text).mark(&mut root);
    Ok(root)
}

/// Decodes text that could be parsed into a type that says itself what it accepts.
pub(crate) fn decode<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| fault(error, |message, source| LoadProblem::Shape { message, source }))
}

fn fault(
    error: serde_json::Error,
    otherwise: fn(String, Box<dyn std::error::Error + Send + Sync>) -> LoadProblem,
) -> Fault {
    let place = (error.line() > 0).then(|| Place { line: count(error.line()), column: count(error.column()) });
    let mut message = error.to_string();
    // The place is told apart from the message.
    if let Some(end) = message.rfind(" at line ") {
        message.truncate(end);
    }
    let problem =
        if message == "recursion limit exceeded" { LoadProblem::TooDeep } else { otherwise(message, Box::new(error)) };
    Fault::new(problem).at(place)
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
        let tree = decoder.deserialize_any(TreeVisitor::new(self))?;
        Ok(Located { tree, place: None })
    }
}

impl<'de> Inside<'de> for Seed<'_> {
    fn element<A: SeqAccess<'de>>(&self, list: &mut A) -> Result<Option<Located>, A::Error> {
        list.next_element_seed(*self)
    }

    fn key<A: MapAccess<'de>>(&self, map: &mut A) -> Result<Option<(String, Option<Place>)>, A::Error> {
        Ok(map.next_key()?.map(|key| (key, None)))
    }

    fn value<A: MapAccess<'de>>(&self, map: &mut A) -> Result<Located, A::Error> {
        map.next_value_seed(*self)
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
            Tree::Null | Tree::Bool(_) | Tree::Number(_) => self.skip_word(),
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

    fn skip_word(&mut self) {
        while matches!(self.byte(), Some(b'a'..=b'z' | b'0'..=b'9' | b'E' | b'+' | b'-' | b'.')) {
            self.step();
        }
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
        assert_eq!(error.code(), "file_too_many_values");
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_overflow() {
        let error = parse(&"[".repeat(1_000_000), 1000).unwrap_err().into_error("f");
        assert_eq!(error.code(), "file_too_deep");
    }
}
