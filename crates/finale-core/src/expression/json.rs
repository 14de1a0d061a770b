//! Values as compact JSON, strictly: what JSON cannot say is refused instead of bent.

use std::borrow::Cow;

use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};

use super::error::EvaluationError;
use super::kind;
use super::limits::{PRINTED_BYTES_MAX, RESULT_DEPTH_MAX};
use super::number::Number;

/// How much of a value or a text an error shows.
const SHOWN_BYTES_MAX: usize = 80;

/// What is said of a result beyond 64 bits.
pub(super) const LARGE_INTEGER: &str = "the result is a larger integer than 64 bits hold";

/// Why a value is no JSON document.
#[derive(Debug)]
pub(super) enum Unprintable {
    Undefined,
    NotFinite,
    LargeInteger,
    TooLarge { bytes_max: usize },
    TooDeep,
    Foreign { found: String },
    Broken(Error),
}

impl Unprintable {
    /// The same as an error of the engine, for filters and tests.
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Broken(error) => error,
            other => EvaluationError::from(other).into(),
        }
    }
}

impl From<Unprintable> for EvaluationError {
    fn from(error: Unprintable) -> Self {
        match error {
            Unprintable::Undefined => Self::Undefined { what: "a part of the result".to_owned() },
            Unprintable::NotFinite => Self::NotFinite,
            Unprintable::LargeInteger => Self::failed(LARGE_INTEGER),
            Unprintable::TooLarge { bytes_max } => Self::TooLarge { bytes_max },
            Unprintable::TooDeep => Self::TooDeep { depth_max: RESULT_DEPTH_MAX },
            Unprintable::Foreign { found } => Self::NotJson { found },
            Unprintable::Broken(error) => error.into(),
        }
    }
}

/// Writes a value; stops as soon as it is larger or deeper than allowed.
pub(super) fn write(value: &Value, bytes_max: usize) -> Result<Vec<u8>, Unprintable> {
    let mut writer = Writer { bytes: Vec::new(), bytes_max, is_identity: false };
    writer.value(value, 0)?;
    writer.fits()?;
    Ok(writer.bytes)
}

/// A value in a text: a text as it is, anything else as JSON. This is the one way in which values are printed.
pub(super) fn printed<'v>(state: &State<'_, '_>, value: &'v Value) -> Result<Cow<'v, str>, EvaluationError> {
    match value.as_str() {
        Some(text) => Ok(Cow::Borrowed(text)),
        None => written(state, value).map(Cow::Owned),
    }
}

/// A value as JSON, which costs steps.
pub(super) fn written(state: &State<'_, '_>, value: &Value) -> Result<String, EvaluationError> {
    let bytes = write(value, PRINTED_BYTES_MAX)?;
    // Walking over values is slower than copying texts.
    state.consume_fuel(bytes.len() as u64 / 16)?;
    Ok(text(bytes))
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text has a JSON form")
}

/// Prints a value into a text that is written as JSON.
pub(super) fn print_into(bytes: &mut Vec<u8>, value: &Value) -> Result<(), Unprintable> {
    let quoted = match value.as_str() {
        Some(text) => quoted(text),
        None => quoted(&text(write(value, PRINTED_BYTES_MAX)?)),
    };
    bytes.extend_from_slice(&quoted.as_bytes()[1..quoted.len() - 1]);
    Ok(())
}

/// JSON on lines.
pub(super) fn indented(json: &str, width: usize) -> Result<String, Unprintable> {
    let indent = " ".repeat(width);
    let formatter = serde_json::ser::PrettyFormatter::with_indent(indent.as_bytes());
    let mut lines = Limited { bytes: Vec::new() };
    let mut serializer = serde_json::Serializer::with_formatter(&mut lines, formatter);
    let document = serde_json::from_str::<serde_json::Value>(json);
    let too_large = |_| Unprintable::TooLarge { bytes_max: PRINTED_BYTES_MAX };
    let document = document.map_err(too_large)?;
    serde::Serialize::serialize(&document, &mut serializer).map_err(too_large)?;
    Ok(text(lines.bytes))
}

/// Takes so many bytes and no more.
struct Limited {
    bytes: Vec<u8>,
}

impl std::io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + bytes.len() > PRINTED_BYTES_MAX {
            return Err(std::io::Error::other("too large"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The same bytes for values that are equal, and others for others.
pub(super) fn identity(values: &[Value], folds_case: bool) -> Result<Vec<u8>, Unprintable> {
    let mut writer = Writer { bytes: Vec::new(), bytes_max: PRINTED_BYTES_MAX, is_identity: true };
    for value in values {
        match (value.as_str(), Number::of(value)) {
            (Some(text), _) if folds_case => writer.text(&text.to_lowercase())?,
            _ => writer.value(value, 0)?,
        }
        writer.bytes.push(b',');
    }
    Ok(writer.bytes)
}

/// A value in an error: JSON, and not all of it if that is long.
pub(super) fn shown(value: &Value) -> String {
    match write(value, 64 * SHOWN_BYTES_MAX) {
        Ok(json) => shortened(&text(json)).into_owned(),
        Err(_) => format!("a {}", kind(value)),
    }
}

/// A text in an error.
pub(super) fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN_BYTES_MAX) {
        Some((end, _)) => Cow::Owned(format!("{}...", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

fn text(json: Vec<u8>) -> String {
    String::from_utf8(json).expect("JSON is written in texts")
}

struct Writer {
    bytes: Vec<u8>,
    bytes_max: usize,
    /// Whether numbers that are equal are written alike.
    is_identity: bool,
}

impl Writer {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Unprintable> {
        self.fits()?;
        match value.kind() {
            ValueKind::Undefined => Err(Unprintable::Undefined),
            ValueKind::None => self.raw("null"),
            ValueKind::Bool => self.raw(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.number(value),
            ValueKind::String => self.text(value.as_str().unwrap_or_default()),
            ValueKind::Seq | ValueKind::Iterable => self.list(value, depth + 1),
            ValueKind::Map => self.map(value, depth + 1),
            kind => Err(Unprintable::Foreign { found: kind.to_string() }),
        }
    }

    fn number(&mut self, value: &Value) -> Result<(), Unprintable> {
        if value.is_integer() {
            // Filters of the library may give one; who reads it would make another number of it.
            let fits = i64::try_from(value.clone()).is_ok() || u64::try_from(value.clone()).is_ok();
            return if fits { self.raw(&value.to_string()) } else { Err(Unprintable::LargeInteger) };
        }
        let number = f64::try_from(value.clone()).map_err(Unprintable::Broken)?;
        if !number.is_finite() {
            return Err(Unprintable::NotFinite);
        }
        if self.is_identity && number.fract() == 0.0 && number.abs() < i128::MAX as f64 {
            return self.raw(&(number as i128).to_string());
        }
        self.encode(&number)
    }

    fn text(&mut self, text: &str) -> Result<(), Unprintable> {
        if text.len() > self.bytes_max {
            return Err(Unprintable::TooLarge { bytes_max: self.bytes_max });
        }
        self.encode(text)
    }

    fn list(&mut self, value: &Value, depth: usize) -> Result<(), Unprintable> {
        deep_enough(depth)?;
        self.bytes.push(b'[');
        for (at, item) in items(value)?.enumerate() {
            self.separate(at);
            self.value(&item, depth)?;
        }
        self.bytes.push(b']');
        Ok(())
    }

    fn map(&mut self, value: &Value, depth: usize) -> Result<(), Unprintable> {
        deep_enough(depth)?;
        self.bytes.push(b'{');
        for (at, key) in items(value)?.enumerate() {
            self.separate(at);
            self.key(&key)?;
            self.bytes.push(b':');
            self.value(&value.get_item(&key).map_err(Unprintable::Broken)?, depth)?;
        }
        self.bytes.push(b'}');
        Ok(())
    }

    fn key(&mut self, key: &Value) -> Result<(), Unprintable> {
        match key.as_str() {
            Some(text) => self.text(text),
            None if key.is_integer() => self.text(&key.to_string()),
            None => Err(Unprintable::Foreign { found: format!("key of type {}", key.kind()) }),
        }
    }

    fn separate(&mut self, at: usize) {
        if at > 0 {
            self.bytes.push(b',');
        }
    }

    fn raw(&mut self, text: &str) -> Result<(), Unprintable> {
        self.bytes.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn encode<T: serde::Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unprintable> {
        serde_json::to_writer(&mut self.bytes, value).expect("texts and finite numbers have a JSON form");
        Ok(())
    }

    fn fits(&self) -> Result<(), Unprintable> {
        if self.bytes.len() > self.bytes_max {
            return Err(Unprintable::TooLarge { bytes_max: self.bytes_max });
        }
        Ok(())
    }
}

fn items(value: &Value) -> Result<impl Iterator<Item = Value>, Unprintable> {
    value.try_iter().map_err(Unprintable::Broken)
}

fn deep_enough(depth: usize) -> Result<(), Unprintable> {
    if depth > RESULT_DEPTH_MAX { Err(Unprintable::TooDeep) } else { Ok(()) }
}
