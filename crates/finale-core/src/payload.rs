//! Data of the user: opaque bytes that are encoded once at the edge.

mod document;
mod strict;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::de::value::UnitDeserializer;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use serde_json::value::RawValue;

pub(crate) use self::document::check_depth;

/// The most lists and maps inside each other in a document that comes in: inputs, outputs, reports, literals.
///
/// Parsers of JSON go 127 levels deep. What finale itself puts around documents (the output of an execution by node id,
/// what an [expression](crate::expression::limits::RESULT_DEPTH_MAX) makes of them, a record) has the levels in between,
/// so that what was accepted can always be read again.
pub const DEPTH_MAX: usize = 96;

/// The most levels of a document that was accepted and may have been put into others since.
const READ_DEPTH_MAX: usize = 120;

thread_local! {
    /// Where values are encoded before their length is known: one allocation less for each of them.
    static ENCODED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A buffer that has grown larger is not kept.
const ENCODED_KEPT_MAX: usize = 64 << 10;

/// A JSON document that travels as bytes and is parsed only when somebody asks for its content.
///
/// A short document (a number, an id, the `null` of a handler that returns `()`) takes no allocation, and a clone of a long
/// one copies no bytes.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Payload(Document);

/// The bytes of a document. The same bytes are always kept in the same way, so that comparing what is kept is enough.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
enum Document {
    #[default]
    Null,
    /// At most [`SHORT_MAX`] bytes; those behind `length` are zero.
    Short {
        length: u8,
        bytes: [u8; SHORT_MAX],
    },
    Long(Arc<[u8]>),
}

/// A longer document is allocated. With as many, a payload has 24 bytes, and the state of a node that holds one has 48.
const SHORT_MAX: usize = 22;

/// Why a value is no payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The value could not be written as JSON, the bytes are no JSON document, or it is no value of the type that is asked for.
    #[error("{0}")]
    Json(String),
    /// The document is larger than allowed.
    #[error("{bytes} bytes are more than the {bytes_max} bytes allowed for a payload")]
    TooLarge {
        /// Size of the document.
        bytes: usize,
        /// The limit it exceeds.
        bytes_max: usize,
    },
    /// Lists and maps are nested deeper than allowed.
    #[error("nested deeper than the {depth_max} levels allowed for a payload")]
    TooDeep {
        /// The limit it exceeds.
        depth_max: usize,
    },
    /// It holds a number that is infinite or none (NaN), or too large to be held by a parser; JSON cannot say that.
    #[error("a number in it is infinite or none (NaN), which JSON cannot say")]
    NotFinite,
}

impl PayloadError {
    /// The name of the kind of error, which does not change between versions.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Json(_) => "payload_not_json",
            Self::TooLarge { .. } => "payload_too_large",
            Self::TooDeep { .. } => "payload_too_deep",
            Self::NotFinite => "payload_not_finite",
        }
    }
}

impl Payload {
    /// The document `null`.
    pub const NULL: Self = Self(Document::Null);

    /// Encodes a value.
    ///
    /// # Errors
    /// When the value has no JSON form, when it is nested deeper than [`DEPTH_MAX`], and when it holds a number that is
    /// infinite or none (NaN): `serde_json` would write `null` for it.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, PayloadError> {
        if size_of_val(value) == 0 && is_unit::<T>() {
            return Ok(Self::NULL);
        }
        // Taken out while it is in use: a value may encode others while it is encoded itself.
        let mut buffer = ENCODED.take();
        buffer.clear();
        let encoded = strict::encode(value, &mut buffer).map_err(|error| refused(&error));
        let payload = encoded.and_then(|holds_encoded| {
            if holds_encoded {
                document::check(&buffer, DEPTH_MAX)?;
            }
            Ok(Self::trusted(&buffer))
        });
        if buffer.capacity() <= ENCODED_KEPT_MAX {
            ENCODED.set(buffer);
        }
        payload
    }

    /// Encodes a value behind what is in the buffer already, without making a payload of it first.
    ///
    /// # Errors
    /// As [`encode`](Self::encode); then the buffer is left as it was.
    pub fn encode_into<T: Serialize + ?Sized>(value: &T, buffer: &mut Vec<u8>) -> Result<(), PayloadError> {
        if size_of_val(value) == 0 && is_unit::<T>() {
            buffer.extend_from_slice(b"null");
            return Ok(());
        }
        let before = buffer.len();
        let encoded = match strict::encode(value, buffer) {
            Ok(false) => return Ok(()),
            Ok(true) => document::check(&buffer[before..], DEPTH_MAX),
            Err(error) => Err(refused(&error)),
        };
        if encoded.is_err() {
            buffer.truncate(before);
        }
        encoded
    }

    /// Takes bytes that claim to be JSON, after checking that they are.
    ///
    /// # Errors
    /// When the bytes are no JSON document, when it is nested deeper than [`DEPTH_MAX`], and when a number in it is too
    /// large for a parser.
    pub fn from_json(bytes: &[u8]) -> Result<Self, PayloadError> {
        let document = serde_json::from_slice::<&RawValue>(bytes);
        let not_json = |error| PayloadError::Json(format!("not JSON: {}", not_json(bytes, &error)));
        let document = document.map_err(not_json)?.get().as_bytes();
        document::check(document, DEPTH_MAX)?;
        Ok(Self::trusted(document))
    }

    /// Takes bytes that are known to be JSON: they were encoded here before.
    pub(crate) fn trusted(bytes: &[u8]) -> Self {
        if bytes == b"null" {
            return Self::NULL;
        }
        if bytes.len() > SHORT_MAX {
            return Self(Document::Long(Arc::from(bytes)));
        }
        let mut short = [0; SHORT_MAX];
        short[..bytes.len()].copy_from_slice(bytes);
        Self(Document::Short { length: bytes.len() as u8, bytes: short })
    }

    /// Takes bytes that a [`Payload`] was written as before: they are known to be JSON, and are not checked again.
    pub fn from_encoded(bytes: &[u8]) -> Self {
        Self::trusted(bytes)
    }

    /// The JSON text as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Document::Null => b"null",
            Document::Short { length, bytes } => &bytes[..usize::from(*length)],
            Document::Long(bytes) => bytes,
        }
    }

    /// Parses the document into the type the caller expects.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        // Most handlers that are given nothing ask for nothing, and need no parser for that. The parser is asked all the same
        // where that fails: it knows more ways to read a `null`, and better words for an error.
        if self.is_null()
            && let Ok(value) = T::deserialize(UnitDeserializer::<serde_json::Error>::new())
        {
            return Ok(value);
        }
        serde_json::from_slice(self.as_bytes()).map_err(|error| unread(&error))
    }

    /// What kind of value it is, for people.
    pub(crate) fn kind(&self) -> &'static str {
        match self.as_bytes().first() {
            Some(b'{') => "a map",
            Some(b'[') => "a list",
            Some(b'"') => "a text",
            Some(b't' | b'f') => "a boolean",
            Some(b'n') | None => "nothing",
            Some(_) => "a number",
        }
    }

    /// Length of the JSON text in bytes.
    pub fn size(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the document is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self.0, Document::Null)
    }

    /// Refuses a document larger than the limit.
    pub fn limited(self, bytes_max: usize) -> Result<Self, PayloadError> {
        let bytes = self.size();
        if bytes > bytes_max { Err(PayloadError::TooLarge { bytes, bytes_max }) } else { Ok(self) }
    }
}

/// Whether `T` is `()`: the compiler folds this, so that unit outputs skip the encoder.
fn is_unit<T: ?Sized>() -> bool {
    std::any::type_name::<T>() == "()"
}

/// Why a document cannot be read as a value. All of it stands in line 1, as it was written here.
fn unread(error: &serde_json::Error) -> PayloadError {
    let words = error.to_string();
    match error.classify() {
        Category::Data => PayloadError::Json(words.split(" at line 1 column").next().unwrap_or(&words).to_owned()),
        _ => PayloadError::Json(format!("not JSON: {words}")),
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_bytes()))
    }
}

impl Serialize for Payload {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let document: &RawValue = serde_json::from_slice(self.as_bytes()).map_err(serde::ser::Error::custom)?;
        document.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = Box::<RawValue>::deserialize(deserializer)?;
        let bytes = document.get().as_bytes();
        document::check(bytes, READ_DEPTH_MAX).map_err(serde::de::Error::custom)?;
        Ok(Self::trusted(bytes))
    }
}

/// What the encoder says, as the error it stands for.
/// Why bytes are no JSON document; the parser has words of its own for those that end too early.
fn not_json(bytes: &[u8], error: &serde_json::Error) -> String {
    match error.classify() {
        Category::Eof if bytes.trim_ascii().is_empty() => "there is nothing".to_owned(),
        Category::Eof => format!("it ends in the middle, at line {} column {}", error.line(), error.column()),
        _ => error.to_string(),
    }
}

fn refused(error: &serde_json::Error) -> PayloadError {
    match error.to_string() {
        words if words == strict::NOT_FINITE => PayloadError::NotFinite,
        words if words == strict::TOO_DEEP => PayloadError::TooDeep { depth_max: DEPTH_MAX },
        words => PayloadError::Json(format!("not JSON: {words}")),
    }
}
