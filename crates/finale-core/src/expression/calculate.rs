//! The operators that make a new value of one or two.

use minijinja::value::ValueKind;
use minijinja::{State, Value};

use super::error::EvaluationError;
use super::number::Number;
use super::program::Calculation;
use super::{json, kind};

/// An integer as a value, in the smallest form: what is equal looks equal. None beyond 64 bits: who reads JSON would make
/// another number of it.
pub(super) fn integer(value: i128) -> Option<Value> {
    let unsigned = || u64::try_from(value).map(Value::from);
    i64::try_from(value).map(Value::from).or_else(|_| unsigned()).ok()
}

/// A float as a value; there are no infinities.
pub(super) fn float(value: f64) -> Result<Value, EvaluationError> {
    if value.is_finite() { Ok(Value::from(value)) } else { Err(EvaluationError::NotFinite) }
}

/// Calculates with two values.
pub(super) fn calculate(
    state: &State<'_, '_>,
    calculation: Calculation,
    left: &Value,
    right: &Value,
) -> Result<Value, EvaluationError> {
    if let (Some(left), Some(right)) = (Number::of(left), Number::of(right)) {
        return numbers(calculation, left, right);
    }
    match (calculation, left.kind(), right.kind()) {
        (Calculation::Add, ValueKind::String, ValueKind::String) => concatenate(state, left, right),
        (Calculation::Add, ValueKind::Seq | ValueKind::Iterable, ValueKind::Seq | ValueKind::Iterable) => {
            let count = left.len().unwrap_or(0) + right.len().unwrap_or(0);
            state.consume_fuel(count as u64 / 2)?;
            Ok(left.try_iter()?.chain(right.try_iter()?).collect::<Vec<_>>().into())
        }
        (Calculation::Multiply, ValueKind::String, ValueKind::Number) => repeat(state, left, right),
        (Calculation::Multiply, ValueKind::Number, ValueKind::String) => repeat(state, right, left),
        _ => Err(EvaluationError::failed(format!(
            "`{}` cannot be used between a {} and a {}",
            calculation.sign(),
            kind(left),
            kind(right)
        ))),
    }
}

fn too_large() -> EvaluationError {
    EvaluationError::failed(json::LARGE_INTEGER)
}

fn numbers(calculation: Calculation, left: Number, right: Number) -> Result<Value, EvaluationError> {
    let by_zero = || EvaluationError::failed(format!("`{}` by zero", calculation.sign()));
    let is_division = matches!(calculation, Calculation::Divide | Calculation::DivideWhole | Calculation::Remainder);
    if is_division && right.as_float() == 0.0 {
        return Err(by_zero());
    }
    if let (Number::Integer(a), Number::Integer(b)) = (left, right) {
        let exact = match calculation {
            Calculation::Add => a.checked_add(b),
            Calculation::Subtract => a.checked_sub(b),
            Calculation::Multiply => a.checked_mul(b),
            Calculation::DivideWhole => floor_division(a, b),
            Calculation::Remainder => floor_division(a, b).and_then(|quotient| a.checked_sub(quotient.checked_mul(b)?)),
            Calculation::Power if b >= 0 => u32::try_from(b).ok().and_then(|exponent| a.checked_pow(exponent)),
            Calculation::Divide | Calculation::Power => return floats(calculation, left, right),
        };
        return exact.and_then(integer).ok_or_else(too_large);
    }
    floats(calculation, left, right)
}

/// Rounded down, not towards zero.
fn floor_division(a: i128, b: i128) -> Option<i128> {
    let quotient = a.checked_div(b)?;
    let is_negative_and_broken = a % b != 0 && (a < 0) != (b < 0);
    if is_negative_and_broken { quotient.checked_sub(1) } else { Some(quotient) }
}

fn floats(calculation: Calculation, left: Number, right: Number) -> Result<Value, EvaluationError> {
    let (a, b) = (left.as_float(), right.as_float());
    float(match calculation {
        Calculation::Add => a + b,
        Calculation::Subtract => a - b,
        Calculation::Multiply => a * b,
        Calculation::Divide => a / b,
        Calculation::DivideWhole => (a / b).floor(),
        Calculation::Remainder => {
            let remainder = a % b;
            if remainder != 0.0 && (remainder < 0.0) != (b < 0.0) { remainder + b } else { remainder }
        }
        Calculation::Power => a.powf(b),
    })
}

/// The number with the other sign.
pub(super) fn negate(value: &Value) -> Result<Value, EvaluationError> {
    match Number::of(value) {
        Some(Number::Integer(value)) => value.checked_neg().and_then(integer).ok_or_else(too_large),
        Some(Number::Float(value)) => Ok(Value::from(-value)),
        None => Err(EvaluationError::failed(format!("`-` cannot be used before a {}", kind(value)))),
    }
}

/// Both values as one text.
pub(super) fn concatenate(state: &State<'_, '_>, left: &Value, right: &Value) -> Result<Value, EvaluationError> {
    let (left, right) = (json::printed(state, left)?, json::printed(state, right)?);
    state.consume_fuel((left.len() + right.len()) as u64 / 64)?;
    Ok(Value::from([&*left, &*right].concat()))
}

fn repeat(state: &State<'_, '_>, text: &Value, times: &Value) -> Result<Value, EvaluationError> {
    let text = text.as_str().unwrap_or_default();
    let Some(Number::Integer(times)) = Number::of(times) else {
        return Err(EvaluationError::failed("a string can only be repeated a whole number of times"));
    };
    let times = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
    state.consume_fuel(text.len().saturating_mul(times) as u64 / 64)?;
    if text.is_empty() {
        return Ok(Value::from(""));
    }
    Ok(Value::from(text.repeat(times)))
}
