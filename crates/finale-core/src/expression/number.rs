//! Numbers of all kinds.

use minijinja::Value;
use minijinja::value::ValueKind;

/// A number of any kind; integers are exact.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Integer(i128),
    Float(f64),
}

impl Number {
    pub(super) fn of(value: &Value) -> Option<Self> {
        if value.kind() != ValueKind::Number {
            return None;
        }
        if value.is_integer()
            && let Ok(integer) = i128::try_from(value.clone())
        {
            return Some(Self::Integer(integer));
        }
        f64::try_from(value.clone()).ok().map(Self::Float)
    }

    #[expect(clippy::cast_precision_loss, reason = "a sum with a float is a float")]
    pub(super) const fn as_float(self) -> f64 {
        match self {
            Self::Integer(integer) => integer as f64,
            Self::Float(float) => float,
        }
    }
}
