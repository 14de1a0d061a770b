//! JSON Schemas that a definition declares.

mod difference;

pub use difference::SchemaDifference;

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::Document;
use crate::payload::{Payload, PayloadError};

/// A JSON Schema, draft 2020-12, that says what a payload must look like.
///
/// It is kept in one form: without space, the keys of each object in order. Two schemas that differ in nothing else are equal
/// and give a definition the same hash. This crate keeps schemas and compares them; whether one is sound, and whether a payload
/// fits it, is looked at by `finale` with its feature `schema`.
///
/// ```
/// use finale_core::definition::Schema;
///
/// let schema = Schema::from_json(br#"{"type": "object", "required": ["item"]}"#)?;
/// assert_eq!(schema.to_string(), r#"{"required":["item"],"type":"object"}"#);
/// assert!(Schema::from_json(b"[]").is_err(), "a schema is an object, `true` or `false`");
/// # Ok::<(), finale_core::definition::SchemaError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Schema(Box<Payload>);

/// Why a document is no [`Schema`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// It is no JSON, or nested deeper than a payload may be.
    #[error(transparent)]
    Document(#[from] PayloadError),
    /// It is larger than a schema may be.
    #[error("{bytes} bytes are more than the {bytes_max} bytes allowed for a schema")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// [`Schema::BYTES_MAX`].
        bytes_max: usize,
    },
    /// It is neither an object nor `true` or `false`.
    #[error("a JSON Schema is an object, `true` or `false`, not {found}")]
    NotASchema {
        /// What it is instead: `a list`.
        found: &'static str,
    },
}

/// What of a payload does not fit the schema that was declared for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} does not fit its schema{}: {reason}", Place(at))]
#[non_exhaustive]
pub struct SchemaMismatch {
    /// Which payload: `the output`.
    pub what: &'static str,
    /// Where in the payload: a JSON pointer (RFC 6901), empty for the payload as a whole.
    pub at: String,
    /// What is wrong there.
    pub reason: String,
}

struct Place<'a>(&'a str);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " at {:?}", self.0) }
    }
}

impl SchemaMismatch {
    /// What is wrong at that place of a payload.
    pub fn new(what: &'static str, at: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { what, at: at.into(), reason: reason.into() }
    }
}

impl Schema {
    /// The largest schema, in bytes without space.
    pub const BYTES_MAX: usize = 256 << 10;

    /// The schema that a text says.
    ///
    /// # Errors
    /// When the text is no JSON, is nested deeper than [`DEPTH_MAX`](crate::payload::DEPTH_MAX), is larger than
    /// [`BYTES_MAX`](Self::BYTES_MAX), or is neither an object nor a boolean.
    pub fn from_json(json: &[u8]) -> Result<Self, SchemaError> {
        let document: Value = Payload::from_json(json)?.decode()?;
        Self::from_value(&document)
    }

    /// The schema that a value is written as.
    ///
    /// # Errors
    /// Those of [`from_json`](Self::from_json).
    pub fn new<T: Serialize + ?Sized>(value: &T) -> Result<Self, SchemaError> {
        Self::from_value(&Payload::encode(value)?.decode()?)
    }

    fn from_value(document: &Value) -> Result<Self, SchemaError> {
        let found = match document {
            Value::Object(_) | Value::Bool(_) => None,
            Value::Null => Some("null"),
            Value::Number(_) => Some("a number"),
            Value::String(_) => Some("text"),
            Value::Array(_) => Some("a list"),
        };
        if let Some(found) = found {
            return Err(SchemaError::NotASchema { found });
        }
        let mut json = String::new();
        write(document, &mut json);
        if json.len() > Self::BYTES_MAX {
            return Err(SchemaError::TooLarge { bytes: json.len(), bytes_max: Self::BYTES_MAX });
        }
        Ok(Self(Box::new(Payload::trusted(json.as_bytes()))))
    }

    /// The schema of what is read as a `T`: of the input of a handler.
    ///
    /// # Errors
    /// When the schema of the type is over a limit; see [`from_json`](Self::from_json).
    #[cfg(feature = "schemars")]
    pub fn of<T: schemars::JsonSchema + ?Sized>() -> Result<Self, SchemaError> {
        let generator = schemars::generate::SchemaSettings::draft2020_12().for_deserialize().into_generator();
        Self::from_value(generator.into_root_schema_for::<T>().as_value())
    }

    /// The schema of what a `T` is written as: of the output of a handler. It differs from that of [`of`](Self::of) where the
    /// type is read and written in different ways, a field with a default for example.
    ///
    /// # Errors
    /// When the schema of the type is over a limit; see [`from_json`](Self::from_json).
    #[cfg(feature = "schemars")]
    pub fn of_output<T: schemars::JsonSchema + ?Sized>() -> Result<Self, SchemaError> {
        let generator = schemars::generate::SchemaSettings::draft2020_12().for_serialize().into_generator();
        Self::from_value(generator.into_root_schema_for::<T>().as_value())
    }

    /// The schema as JSON.
    pub const fn payload(&self) -> &Payload {
        &self.0
    }

    /// The schema as a value.
    pub fn to_value(&self) -> Value {
        self.0.decode().expect("it was made of a value")
    }

    /// Whether every payload fits it because it says nothing: `true`, or an object of titles and descriptions.
    ///
    /// ```
    /// use finale_core::definition::Schema;
    ///
    /// assert!(Schema::from_json(br#"{"title": "Anything"}"#)?.is_unconstrained());
    /// assert!(!Schema::from_json(br#"{"type": "null"}"#)?.is_unconstrained());
    /// # Ok::<(), finale_core::definition::SchemaError>(())
    /// ```
    pub fn is_unconstrained(&self) -> bool {
        match self.to_value() {
            Value::Object(members) => members.keys().all(|key| difference::is_annotation(key)),
            other => other == Value::Bool(true),
        }
    }

    /// The first place where another schema says something else than this one; `None` if both say the same.
    ///
    /// What only describes is no difference: `$schema`, `$id`, `$comment`, `title`, `description`, `default`, `examples`,
    /// `deprecated`, `readOnly`, `writeOnly`. Two schemas that say the same in different words do differ.
    ///
    /// ```
    /// use finale_core::definition::Schema;
    ///
    /// let declared = Schema::from_json(br#"{"properties": {"count": {"type": "integer"}}}"#)?;
    /// let other = Schema::from_json(br#"{"title": "Order", "properties": {"count": {"type": "string"}}}"#)?;
    /// let difference = declared.difference(&other).expect("a text is no number");
    /// assert_eq!(difference.at, "/properties/count/type");
    /// assert_eq!((difference.this.as_deref(), difference.other.as_deref()), (Some("\"integer\""), Some("\"string\"")));
    /// # Ok::<(), finale_core::definition::SchemaError>(())
    /// ```
    pub fn difference(&self, other: &Self) -> Option<SchemaDifference> {
        if self == other {
            return None;
        }
        difference::first(&self.to_value(), &other.to_value())
    }
}

/// Writes a value in the one form that a schema is kept in.
fn write(value: &Value, json: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(key, _)| *key);
            json.push('{');
            for (position, (key, member)) in members.into_iter().enumerate() {
                json.push_str(if position > 0 { "," } else { "" });
                json.push_str(&Value::from(key.as_str()).to_string());
                json.push(':');
                write(member, json);
            }
            json.push('}');
        }
        Value::Array(elements) => {
            json.push('[');
            for (position, element) in elements.iter().enumerate() {
                json.push_str(if position > 0 { "," } else { "" });
                write(element, json);
            }
            json.push(']');
        }
        scalar => json.push_str(&scalar.to_string()),
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.0.as_bytes()))
    }
}

impl Serialize for Schema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = Document::deserialize(deserializer)?;
        Self::from_json(document.payload().as_bytes()).map_err(serde::de::Error::custom)
    }
}

/// What is there is a schema, also where it is no object.
pub(super) fn some_schema<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Schema>, D::Error> {
    Schema::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(json: &str) -> Schema {
        Schema::from_json(json.as_bytes()).expect("it is a schema")
    }

    #[test]
    fn a_schema_has_one_form() {
        let written = schema(" { \"type\" : \"object\", \"properties\": {\"b\": true, \"a\": {\"minimum\": 1.50}} } ");
        assert_eq!(written.to_string(), r#"{"properties":{"a":{"minimum":1.5},"b":true},"type":"object"}"#);
        let other = schema(r#"{"properties": {"a": {"minimum": 1.5}, "b": true}, "type": "object"}"#);
        assert_eq!(written, other);
    }

    #[test]
    fn a_schema_is_read_back_from_what_it_is_written_as() {
        for json in ["true", "false", "{}", r#"{"enum":[null,"b","a",{"z":1,"a":2}]}"#] {
            let written = serde_json::to_string(&schema(json)).expect("it is JSON");
            assert_eq!(serde_json::from_str::<Schema>(&written).expect("it is a schema"), schema(json), "{json}");
        }
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        for (json, found) in [("null", "null"), ("1", "a number"), ("\"a\"", "text"), ("[]", "a list")] {
            assert_eq!(Schema::from_json(json.as_bytes()), Err(SchemaError::NotASchema { found }));
            assert!(serde_json::from_str::<Schema>(json).is_err(), "{json}");
        }
        let large = format!("{{\"title\":{:?}}}", "x".repeat(Schema::BYTES_MAX));
        assert!(matches!(Schema::from_json(large.as_bytes()), Err(SchemaError::TooLarge { .. })));
        let deep = format!("{}true{}", "{\"not\":".repeat(97), "}".repeat(97));
        assert!(matches!(Schema::from_json(deep.as_bytes()), Err(SchemaError::Document(_))));
    }

    #[test]
    fn a_mismatch_says_where() {
        let whole = SchemaMismatch::new("the output", "", "null is no text");
        assert_eq!(whole.to_string(), "the output does not fit its schema: null is no text");
        let inside = SchemaMismatch::new("the output", "/a/0", "null is no text");
        assert_eq!(inside.to_string(), "the output does not fit its schema at \"/a/0\": null is no text");
    }
}
