//! Documents that somebody wrote into a definition.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use crate::payload::{DEPTH_MAX, Payload, PayloadError};

/// A JSON document in whose texts `${{ expression }}` stands for a value; see [`template`](crate::expression::template).
///
/// What has no `${{` in it is taken as it is, whatever its size. Keys keep their order. Documents that say the same in the
/// same order are equal: space between values is not kept, and numbers are written as the parser reads them.
///
/// ```
/// use finale_core::definition::Document;
///
/// let document = Document::from_json(br#"{"tag": "${{ input.tag }}", "retries": 3.0}"#)?;
/// assert_eq!(document.payload().as_bytes(), br#"{"tag":"${{ input.tag }}","retries":3.0}"#);
/// assert_eq!(document, Document::new(&document)?);
/// # Ok::<(), finale_core::PayloadError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document(Payload);

impl Document {
    /// The document that a value is written as.
    ///
    /// # Errors
    /// When the value is no [`Payload`]: it has no JSON form, is nested too deep or holds a number that is not finite.
    pub fn new<T: Serialize + ?Sized>(value: &T) -> Result<Self, PayloadError> {
        Self::from_json(Payload::encode(value)?.as_bytes())
    }

    /// The document that a text says.
    ///
    /// # Errors
    /// When the text is no JSON, is nested too deep or holds a number that no parser can hold.
    pub fn from_json(json: &[u8]) -> Result<Self, PayloadError> {
        let payload = Payload::from_json(json)?;
        payload.decode()
    }

    /// The document as JSON, its templates not evaluated.
    pub const fn payload(&self) -> &Payload {
        &self.0
    }
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut json = String::new();
        Writer { json: &mut json, depth: 0 }.deserialize(deserializer)?;
        Ok(Self(Payload::trusted(json.as_bytes())))
    }
}

/// Writes what a parser visits, in its order.
struct Writer<'j> {
    json: &'j mut String,
    depth: usize,
}

impl Writer<'_> {
    fn inside(&mut self) -> Writer<'_> {
        Writer { json: self.json, depth: self.depth + 1 }
    }

    fn check_depth<E: Error>(&self) -> Result<(), E> {
        let too_deep = || E::custom(PayloadError::TooDeep { depth_max: DEPTH_MAX });
        if self.depth < DEPTH_MAX { Ok(()) } else { Err(too_deep()) }
    }

    fn scalar<E>(self, value: &serde_json::Value) -> Result<(), E> {
        self.json.push_str(&value.to_string());
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Writer<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Writer<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON document")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.scalar(&serde_json::Value::Null)
    }

    fn visit_none<E>(self) -> Result<(), E> {
        self.scalar(&serde_json::Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.scalar(&value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.scalar(&value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.scalar(&value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        let number = serde_json::Number::from_f64(value).ok_or_else(|| E::custom(PayloadError::NotFinite))?;
        self.scalar(&number.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.scalar(&value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        self.check_depth()?;
        self.json.push('[');
        let begin = self.json.len();
        loop {
            let before = self.json.len();
            if before > begin {
                self.json.push(',');
            }
            if list.next_element_seed(self.inside())?.is_none() {
                self.json.truncate(before);
                break;
            }
        }
        self.json.push(']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        self.check_depth()?;
        self.json.push('{');
        let begin = self.json.len();
        while let Some(key) = map.next_key::<String>()? {
            if self.json.len() > begin {
                self.json.push(',');
            }
            self.json.push_str(&serde_json::Value::from(key).to_string());
            self.json.push(':');
            map.next_value_seed(self.inside())?;
        }
        self.json.push('}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(json: &str) -> Document {
        Document::from_json(json.as_bytes()).unwrap()
    }

    #[test]
    fn order_is_kept_and_space_is_not() {
        let written = document(" { \"z\" : [ ] , \"a\" : { } , \"l\" : [ 1 , [ -2.50 , null ] , \"\\u00e9\\n\" ] } ");
        assert_eq!(written.payload().as_bytes(), "{\"z\":[],\"a\":{},\"l\":[1,[-2.5,null],\"é\\n\"]}".as_bytes());
        assert_ne!(document(r#"{"a":1,"b":2}"#), document(r#"{"b":2,"a":1}"#));
    }

    #[test]
    fn a_document_is_read_back_from_what_it_is_written_as() {
        for json in ["null", "[null]", r#"{"a":{"b":[{"c":18446744073709551615}]}}"#, "1e300", "\"${{ x }}\""] {
            let written = serde_json::to_string(&document(json)).unwrap();
            assert_eq!(serde_json::from_str::<Document>(&written).unwrap(), document(json), "{json}");
        }
    }

    #[test]
    fn what_is_no_payload_is_no_document() {
        let deep = "[".repeat(97) + &"]".repeat(97);
        assert_eq!(Document::from_json(deep.as_bytes()), Err(PayloadError::TooDeep { depth_max: 96 }));
        assert!(serde_json::from_str::<Document>(&deep).unwrap_err().to_string().contains("96 levels"));
        assert_eq!(Document::new(&[f64::NAN]), Err(PayloadError::NotFinite));
        assert!(Document::from_json(b"{").is_err());
    }
}
