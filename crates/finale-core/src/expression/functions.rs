//! What can be called, and parts of lists and texts.

use minijinja::value::{Kwargs, Rest, ValueKind, from_args};
use minijinja::{State, Value};

use super::error::EvaluationError;
use super::kind;
use super::number::Number;

/// The most numbers that `range` gives.
const RANGE_MAX: usize = 100_000;

/// `range(end)`, `range(begin, end)`, `range(begin, end, step)`.
pub(super) fn range(state: &State<'_, '_>, arguments: &[Value]) -> Result<Value, EvaluationError> {
    let (first, second, step): (i64, Option<i64>, Option<i64>) = from_args(arguments)?;
    let (begin, end) = second.map_or((0, first), |end| (first, end));
    let step = step.unwrap_or(1);
    let Some(width) = std::num::NonZeroU64::new(step.unsigned_abs()) else {
        return Err(EvaluationError::failed("`range` cannot go in steps of 0"));
    };
    let way = if step > 0 { i128::from(end) - i128::from(begin) } else { i128::from(begin) - i128::from(end) };
    let count = u64::try_from(way.max(0)).unwrap_or(u64::MAX).div_ceil(width.get());
    let Some(count) = usize::try_from(count).ok().filter(|count| *count <= RANGE_MAX) else {
        return Err(EvaluationError::failed(format!("`range` gives at most {RANGE_MAX} numbers")));
    };
    state.consume_fuel(count as u64 / 2)?;
    let at = |place: usize| Value::from(begin.saturating_add(step.saturating_mul(place as i64)));
    Ok((0..count).map(at).collect::<Vec<_>>().into())
}

/// `dict(a=1)`, `dict(map, a=1)`.
pub(super) fn dict(arguments: &[Value]) -> Result<Value, EvaluationError> {
    let (base, named): (Rest<Value>, Kwargs) = from_args(arguments)?;
    let mut members = std::collections::BTreeMap::new();
    for base in base.iter() {
        if base.kind() != ValueKind::Map {
            return Err(EvaluationError::failed(format!("`dict` takes a map, not a {}", kind(base))));
        }
        for key in base.try_iter()? {
            members.insert(key.clone(), base.get_item(&key)?);
        }
    }
    for name in named.args() {
        members.insert(Value::from(name), named.get::<Value>(name)?);
    }
    Ok(Value::from(members))
}

/// The items of what is only walked over once, as a list.
pub(super) fn collected(state: &State<'_, '_>, value: Value) -> Result<Value, EvaluationError> {
    if value.kind() != ValueKind::Iterable {
        return Ok(value);
    }
    items(state, &value).map(Value::from)
}

/// The items of a list, the keys of a map, the characters of a text.
pub(super) fn items(state: &State<'_, '_>, value: &Value) -> Result<Vec<Value>, EvaluationError> {
    let mut items = Vec::new();
    for item in value.try_iter()? {
        if items.len() % 2 == 0 {
            state.consume_fuel(1)?;
        }
        if item.kind() == ValueKind::Invalid {
            item.try_iter()?;
        }
        items.push(item);
    }
    Ok(items)
}

/// `value[begin:end:step]` of a list or a text.
pub(super) fn slice(
    state: &State<'_, '_>,
    value: &Value,
    begin: &Value,
    end: &Value,
    step: &Value,
) -> Result<Value, EvaluationError> {
    let is_text = value.kind() == ValueKind::String;
    if !is_text && !matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) {
        return Err(EvaluationError::failed(format!("a {} has no parts to cut out", kind(value))));
    }
    let items = match value.as_str() {
        Some(text) => text.chars().map(Value::from).collect(),
        None => items(state, value)?,
    };
    state.consume_fuel(items.len() as u64 / 4)?;
    let step = bound(step)?.unwrap_or(1);
    if step == 0 {
        return Err(EvaluationError::failed("a part cannot be cut out in steps of 0"));
    }
    let length = i128::try_from(items.len()).unwrap_or(i128::MAX);
    let (first, beyond) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let place = |bound: Option<i128>, default: i128| match bound {
        None => default,
        Some(bound) if bound < 0 => (bound + length).clamp(first, beyond),
        Some(bound) => bound.clamp(first, beyond),
    };
    let (from, to) = if step > 0 { (first, beyond) } else { (beyond, first) };
    let (mut at, end) = (place(bound(begin)?, from), place(bound(end)?, to));
    let mut cut = Vec::new();
    while if step > 0 { at < end } else { at > end } {
        cut.extend(usize::try_from(at).ok().and_then(|at| items.get(at)).cloned());
        at += step;
    }
    if is_text {
        return Ok(Value::from(cut.iter().filter_map(Value::as_str).collect::<String>()));
    }
    Ok(Value::from(cut))
}

fn bound(value: &Value) -> Result<Option<i128>, EvaluationError> {
    match Number::of(value) {
        _ if value.is_none() => Ok(None),
        // Nothing is longer, and nothing overflows.
        Some(Number::Integer(bound)) => Ok(Some(bound.clamp(i128::from(i64::MIN), i128::from(i64::MAX)))),
        _ => Err(EvaluationError::failed(format!("a part is cut out between integers, not at a {}", kind(value)))),
    }
}
