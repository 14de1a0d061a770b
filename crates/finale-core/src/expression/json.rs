//! Values as compact JSON, strictly: what JSON cannot say is refused instead of bent.

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

use super::limits::RESULT_DEPTH_MAX;

/// Why a value is no JSON document.
#[derive(Debug)]
pub(super) enum Unprintable {
    Undefined,
    NotFinite,
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
            other => {
                let detail = super::EvaluationError::from(other).to_string();
                Error::new(ErrorKind::InvalidOperation, detail)
            }
        }
    }
}

/// Writes a value; stops as soon as it is larger or deeper than allowed.
pub(super) fn write(value: &Value, bytes_max: usize) -> Result<Vec<u8>, Unprintable> {
    let mut writer = Writer { bytes: Vec::new(), bytes_max };
    writer.value(value, 0)?;
    writer.fits()?;
    Ok(writer.bytes)
}

struct Writer {
    bytes: Vec<u8>,
    bytes_max: usize,
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
            return self.raw(&value.to_string());
        }
        let number = f64::try_from(value.clone()).map_err(Unprintable::Broken)?;
        if !number.is_finite() {
            return Err(Unprintable::NotFinite);
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
