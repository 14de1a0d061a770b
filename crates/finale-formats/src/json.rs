//! JSON text to a [`Located`] value.

use std::cell::Cell;
use std::collections::HashMap;

use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess};
use serde_json::value::RawValue;

use crate::error::{Fault, LoadProblem, Place, Step};
use crate::tree::{Inside, Located, TreeVisitor};

/// Reads a document of at most that many values.
///
/// The values have no places: they would cost more than the values. [`place_of`] finds one again.
pub(crate) fn parse(text: &str, values_max: usize) -> Result<Located, Fault> {
    let left = Cell::new(values_max);
    let overdrawn = Cell::new(false);
    let seed = Seed { left: &left, overdrawn: &overdrawn };
    let mut decoder = serde_json::Deserializer::from_str(text);
    seed.deserialize(&mut decoder).and_then(|value| decoder.end().map(|()| value)).map_err(|error| {
        if overdrawn.get() {
            Fault::new(LoadProblem::TooManyValues { values_max })
        } else {
            fault(error, |message, source| LoadProblem::Syntax { message, source })
        }
    })
}

/// Decodes text that could be parsed into a type that says itself what it accepts.
pub(crate) fn decode<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| fault(error, |message, source| LoadProblem::Shape { message, source }))
}

/// Finds where the value at the end of a path begins, by reading the text once more.
pub(crate) fn place_of(text: &str, path: &[Step]) -> Option<Place> {
    let mut inner: &RawValue = serde_json::from_str(text).ok()?;
    for step in path {
        inner = match step {
            Step::Key(key) => {
                let entries: HashMap<String, &RawValue> = serde_json::from_str(inner.get()).ok()?;
                *entries.get(key)?
            }
            Step::Index(index) => {
                let elements: Vec<&RawValue> = serde_json::from_str(inner.get()).ok()?;
                *elements.get(*index)?
            }
        };
    }
    let offset = (inner.get().as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    let before = text.get(..offset)?;
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Some(Place {
        line: count(before.matches('\n').count() + 1),
        column: count(before[line_start..].chars().count() + 1),
    })
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

    fn value<A: MapAccess<'de>>(&self, map: &mut A) -> Result<Located, A::Error> {
        map.next_value_seed(*self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_again() {
        let text = "{\n  \"ä\": [1, {\"b\": \"ü\", \"c\": 3}]\n}";
        let path = [Step::Key("ä".into()), Step::Index(1), Step::Key("c".into())];
        let place = place_of(text, &path);
        assert_eq!(place, Some(Place { line: 2, column: 28 }));
        assert_eq!(place_of(text, &[Step::Index(0)]), None);
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
