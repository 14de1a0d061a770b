//! Where two schemas say different things.

use std::fmt;

use serde_json::{Map, Value};

/// A place where two schemas say different things.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SchemaDifference {
    /// Where in the schemas: a JSON pointer (RFC 6901), empty for the schemas as a whole.
    pub at: String,
    /// What the first schema says there, as JSON, cut to 120 bytes; `None` if it says nothing.
    pub this: Option<String>,
    /// What the other one says there.
    pub other: Option<String>,
}

impl fmt::Display for SchemaDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = |said: &Option<String>| said.clone().unwrap_or_else(|| "nothing".to_owned());
        write!(f, "{:?} is {} in one and {} in the other", self.at, said(&self.this), said(&self.other))
    }
}

/// What stands at some place of a schema.
#[derive(Clone, Copy)]
enum Role {
    /// A schema, or a list of them.
    Schema,
    /// Names with a schema for each.
    Named,
    /// Plain data, in which nothing is a keyword.
    Data,
}

/// Keywords that describe a payload, and that none can be against.
const ANNOTATIONS: [&str; 10] = [
    "$schema",
    "$id",
    "$comment",
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
];

pub(super) fn is_annotation(keyword: &str) -> bool {
    ANNOTATIONS.contains(&keyword)
}

/// The first place where the schemas differ, in the order of their keys.
pub(super) fn first(this: &Value, other: &Value) -> Option<SchemaDifference> {
    between(this, other, Role::Schema, &mut String::new())
}

fn between(this: &Value, other: &Value, role: Role, at: &mut String) -> Option<SchemaDifference> {
    match (this, other) {
        (Value::Object(this), Value::Object(other)) => members(this, other, role, at),
        (Value::Array(these), Value::Array(others)) if these.len() == others.len() => {
            let pairs = these.iter().zip(others).enumerate();
            pairs
                .into_iter()
                .find_map(|(index, (this, other))| inside(at, &index.to_string(), |at| between(this, other, role, at)))
        }
        _ => (this != other).then(|| difference(at, Some(this), Some(other))),
    }
}

fn members(
    these: &Map<String, Value>,
    others: &Map<String, Value>,
    role: Role,
    at: &mut String,
) -> Option<SchemaDifference> {
    let mut keys: Vec<&String> = these.keys().chain(others.keys()).collect();
    keys.sort_unstable();
    keys.dedup();
    let counts = |key: &&String| !(matches!(role, Role::Schema) && is_annotation(key));
    keys.into_iter().filter(counts).find_map(|key| {
        inside(at, key, |at| match (these.get(key), others.get(key)) {
            (Some(this), Some(other)) => between(this, other, role.of(key), at),
            (this, other) => Some(difference(at, this, other)),
        })
    })
}

impl Role {
    /// The role of what stands under a key.
    fn of(self, key: &str) -> Self {
        match self {
            Self::Schema => match key {
                "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" => Self::Named,
                "enum" | "const" | "required" | "dependentRequired" | "type" | "$vocabulary" => Self::Data,
                _ => Self::Schema,
            },
            Self::Named => Self::Schema,
            Self::Data => Self::Data,
        }
    }
}

/// Looks under a key of a place.
fn inside<T>(at: &mut String, key: &str, look: impl FnOnce(&mut String) -> T) -> T {
    let before = at.len();
    at.push('/');
    at.push_str(&key.replace('~', "~0").replace('/', "~1"));
    let found = look(at);
    at.truncate(before);
    found
}

fn difference(at: &str, this: Option<&Value>, other: Option<&Value>) -> SchemaDifference {
    SchemaDifference { at: at.to_owned(), this: this.map(shown), other: other.map(shown) }
}

fn shown(value: &Value) -> String {
    const BYTES_MAX: usize = 120;
    let mut text = value.to_string();
    if text.len() > BYTES_MAX {
        let end = (0..=BYTES_MAX).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(this: &Value, other: &Value) -> Option<String> {
        first(this, other).map(|difference| difference.at)
    }

    #[test]
    fn what_only_describes_is_no_difference() {
        let plain = json!({"type": "object", "properties": {"a": {"type": "string"}}});
        let described = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A", "description": "of it",
            "type": "object", "properties": {"a": {"type": "string", "default": "b"}}
        });
        assert_eq!(at(&plain, &described), None);
    }

    #[test]
    fn a_property_or_a_value_that_is_called_like_a_description_counts() {
        let titled = |kind: &str| json!({"properties": {"title": {"type": kind}}});
        assert_eq!(at(&titled("string"), &titled("null")).as_deref(), Some("/properties/title/type"));
        let constant = |title: u32| json!({"const": {"title": title}});
        assert_eq!(at(&constant(1), &constant(2)).as_deref(), Some("/const/title"));
        assert_eq!(
            at(&json!({"properties": {"title": true}}), &json!({"properties": {}})).as_deref(),
            Some("/properties/title")
        );
    }

    #[test]
    fn the_first_of_several_differences_is_named() {
        let (this, other) = (json!({"a/b": 1, "items": [1, 2], "z": 1}), json!({"a/b": 2, "items": [1], "z": 2}));
        assert_eq!(at(&this, &other).as_deref(), Some("/a~1b"));
        let found = first(&json!({"items": [1, 2]}), &json!({"items": [1]})).expect("they differ");
        assert_eq!(found.to_string(), "\"/items\" is [1,2] in one and [1] in the other");
        let found = first(&json!(true), &json!({"type": "null"})).expect("they differ");
        assert_eq!((found.at.as_str(), found.this.as_deref()), ("", Some("true")));
        let long = json!({"const": "é".repeat(100)});
        assert!(
            first(&long, &json!({"const": 1})).is_some_and(|found| found.this.is_some_and(|text| text.len() < 130))
        );
    }
}
