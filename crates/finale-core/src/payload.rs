//! Data of the user: opaque bytes that are encoded once at the edge.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

thread_local! {
    /// Where values are encoded before their length is known: one allocation less for each of them.
    static ENCODED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A buffer that has grown larger is not kept.
const ENCODED_KEPT_MAX: usize = 64 << 10;

/// A JSON document that travels as bytes and is parsed only when somebody asks for its content.
///
/// A clone copies no bytes, and `null` (the output of a handler that returns `()`) takes no allocation.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Payload(Option<Arc<[u8]>>);

/// Why a value is no payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The value could not be written as JSON, or the bytes are no JSON document.
    #[error("not JSON: {0}")]
    Json(String),
    /// The document is larger than allowed.
    #[error("{bytes} bytes are more than the {bytes_max} bytes allowed for a payload")]
    TooLarge {
        /// Size of the document.
        bytes: usize,
        /// The limit it exceeds.
        bytes_max: usize,
    },
}

impl PayloadError {
    /// The name of the kind of error, which does not change between versions.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Json(_) => "payload_not_json",
            Self::TooLarge { .. } => "payload_too_large",
        }
    }
}

impl Payload {
    /// The document `null`.
    pub const NULL: Self = Self(None);

    /// Encodes a value.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, PayloadError> {
        if size_of_val(value) == 0 && is_unit::<T>() {
            return Ok(Self::NULL);
        }
        // Taken out while it is in use: a value may encode others while it is encoded itself.
        let mut buffer = ENCODED.take();
        buffer.clear();
        let encoded = serde_json::to_writer(&mut buffer, value);
        let payload = encoded.map(|()| Self::trusted(&buffer)).map_err(|error| PayloadError::Json(error.to_string()));
        if buffer.capacity() <= ENCODED_KEPT_MAX {
            ENCODED.set(buffer);
        }
        payload
    }

    /// Takes bytes that claim to be JSON, after checking that they are.
    pub fn from_json(bytes: &[u8]) -> Result<Self, PayloadError> {
        serde_json::from_slice::<&RawValue>(bytes)
            .map_err(|error| PayloadError::Json(error.to_string()))
            .map(|document| Self::trusted(document.get().as_bytes()))
    }

    /// Takes bytes that are known to be JSON: they were encoded here before.
    pub(crate) fn trusted(bytes: &[u8]) -> Self {
        if bytes == b"null" { Self::NULL } else { Self(Some(Arc::from(bytes))) }
    }

    /// The JSON text as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or(b"null")
    }

    /// Parses the document into the type the caller expects.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, PayloadError> {
        serde_json::from_slice(self.as_bytes()).map_err(|error| PayloadError::Json(error.to_string()))
    }

    /// Length of the JSON text in bytes.
    pub fn size(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether the document is `null`.
    pub fn is_null(&self) -> bool {
        self.0.is_none()
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
        Ok(Self::trusted(document.get().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unit_is_null_without_encoding() {
        assert!(Payload::encode(&()).unwrap().is_null());
    }

    #[test]
    fn bytes_that_are_no_json_are_refused() {
        assert!(matches!(Payload::from_json(b"{"), Err(PayloadError::Json(_))));
        assert!(matches!(Payload::from_json(b"\xff"), Err(PayloadError::Json(_))));
    }

    #[test]
    fn a_payload_serializes_as_the_document_itself() {
        let payload = Payload::from_json(br#" {"a": [1]} "#).unwrap();
        assert_eq!(serde_json::to_string(&payload).unwrap(), r#"{"a": [1]}"#);
    }

    #[test]
    fn the_limit_names_both_sizes() {
        let payload = Payload::encode("long").unwrap();
        let error = payload.limited(3).unwrap_err();
        assert_eq!(error, PayloadError::TooLarge { bytes: 6, bytes_max: 3 });
    }
}
