//! Which values are equal, and which comes first. Values of unlike kinds have no order.

use std::cell::Cell;
use std::cmp::Ordering;

use minijinja::value::ValueKind;
use minijinja::{State, Value};

use super::error::EvaluationError;
use super::number::Number;
use super::program::Comparison;
use super::{json, kind};

/// Whether two values compare like that.
pub(super) fn holds(
    state: &State<'_, '_>,
    comparison: Comparison,
    left: &Value,
    right: &Value,
) -> Result<bool, EvaluationError> {
    let order = Order::new(state);
    let holds = match comparison {
        Comparison::Equal => order.equal(left, right)?,
        Comparison::NotEqual => !order.equal(left, right)?,
        Comparison::Less => order.compare(left, right)?.is_lt(),
        Comparison::LessOrEqual => order.compare(left, right)?.is_le(),
        Comparison::Greater => order.compare(left, right)?.is_gt(),
        Comparison::GreaterOrEqual => order.compare(left, right)?.is_ge(),
        Comparison::In => order.contains(right, left)?,
        Comparison::NotIn => !order.contains(right, left)?,
    };
    order.settle()?;
    Ok(holds)
}

/// Compares values, and pays for what it looks at.
pub(super) struct Order<'s, 't, 'e> {
    state: &'s State<'t, 'e>,
    /// Parts that were looked at and not paid for.
    parts: Cell<u64>,
    /// Whether `a` and `A` are the same text.
    folds_case: bool,
}

/// So many parts are looked at for one step.
const PARTS_OF_STEP: u64 = 4;

impl<'s, 't, 'e> Order<'s, 't, 'e> {
    pub(super) const fn new(state: &'s State<'t, 'e>) -> Self {
        Self { state, parts: Cell::new(0), folds_case: false }
    }

    pub(super) const fn folding_case(self, folds_case: bool) -> Self {
        Self { folds_case, ..self }
    }

    /// Pays for what was looked at.
    pub(super) fn settle(&self) -> Result<(), EvaluationError> {
        Ok(self.state.consume_fuel(self.parts.replace(0).div_ceil(PARTS_OF_STEP))?)
    }

    fn look(&self, parts: usize) -> Result<(), EvaluationError> {
        self.parts.set(self.parts.get() + parts as u64);
        if self.parts.get() >= 64 * PARTS_OF_STEP { self.settle() } else { Ok(()) }
    }

    /// Whether both say the same; numbers are equal with and without a fraction of zero.
    pub(super) fn equal(&self, left: &Value, right: &Value) -> Result<bool, EvaluationError> {
        self.look(1)?;
        if let (Some(left), Some(right)) = (Number::of(left), Number::of(right)) {
            return Ok(compare_numbers(left, right).is_eq());
        }
        match (left.kind(), right.kind()) {
            (ValueKind::None, ValueKind::None) | (ValueKind::Undefined, ValueKind::Undefined) => Ok(true),
            (ValueKind::Bool, ValueKind::Bool) => Ok(left.is_true() == right.is_true()),
            (ValueKind::String, ValueKind::String) => Ok(self.compare_texts(left, right)?.is_eq()),
            (ValueKind::Seq | ValueKind::Iterable, ValueKind::Seq | ValueKind::Iterable) => {
                let (mut left, mut right) = (left.try_iter()?, right.try_iter()?);
                loop {
                    match (left.next(), right.next()) {
                        (None, None) => return Ok(true),
                        (Some(left), Some(right)) if self.equal(&left, &right)? => {}
                        _ => return Ok(false),
                    }
                }
            }
            (ValueKind::Map, ValueKind::Map) => {
                if left.len() != right.len() {
                    return Ok(false);
                }
                for key in left.try_iter()? {
                    let other = right.get_item(&key)?;
                    if other.is_undefined() || !self.equal(&left.get_item(&key)?, &other)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Which one comes first.
    pub(super) fn compare(&self, left: &Value, right: &Value) -> Result<Ordering, EvaluationError> {
        self.look(1)?;
        if let (Some(left), Some(right)) = (Number::of(left), Number::of(right)) {
            return Ok(compare_numbers(left, right));
        }
        match (left.kind(), right.kind()) {
            (ValueKind::Bool, ValueKind::Bool) => Ok(left.is_true().cmp(&right.is_true())),
            (ValueKind::String, ValueKind::String) => self.compare_texts(left, right),
            (ValueKind::Seq | ValueKind::Iterable, ValueKind::Seq | ValueKind::Iterable) => {
                let (mut left, mut right) = (left.try_iter()?, right.try_iter()?);
                loop {
                    match (left.next(), right.next()) {
                        (Some(left), Some(right)) => match self.compare(&left, &right)? {
                            Ordering::Equal => {}
                            decided => return Ok(decided),
                        },
                        (left, right) => return Ok(left.is_some().cmp(&right.is_some())),
                    }
                }
            }
            (ValueKind::Undefined, _) | (_, ValueKind::Undefined) => {
                Err(EvaluationError::Undefined { what: "a value that is compared".to_owned() })
            }
            _ => Err(unordered(left, right)),
        }
    }

    fn compare_texts(&self, left: &Value, right: &Value) -> Result<Ordering, EvaluationError> {
        let (left, right) = (left.as_str().unwrap_or_default(), right.as_str().unwrap_or_default());
        self.look(left.len().min(right.len()) / 64)?;
        if !self.folds_case {
            return Ok(left.cmp(right));
        }
        Ok(left.chars().flat_map(char::to_lowercase).cmp(right.chars().flat_map(char::to_lowercase)))
    }

    fn contains(&self, container: &Value, value: &Value) -> Result<bool, EvaluationError> {
        match container.kind() {
            ValueKind::String => match value.as_str() {
                Some(part) => {
                    let text = container.as_str().unwrap_or_default();
                    self.look(text.len() / 64)?;
                    Ok(text.contains(part))
                }
                None => {
                    let found = kind(value);
                    Err(EvaluationError::failed(format!("`in` looks for a string in a string, not for a {found}")))
                }
            },
            ValueKind::Seq | ValueKind::Iterable => {
                for item in container.try_iter()? {
                    if self.equal(&item, value)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            ValueKind::Map => {
                Ok((value.as_str().is_some() || value.is_integer()) && !container.get_item(value)?.is_undefined())
            }
            _ => Err(EvaluationError::failed(format!("`in` cannot look into a {}", kind(container)))),
        }
    }
}

fn compare_numbers(left: Number, right: Number) -> Ordering {
    match (left, right) {
        (Number::Integer(a), Number::Integer(b)) => a.cmp(&b),
        (Number::Float(a), Number::Float(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
        (Number::Integer(a), Number::Float(b)) => compare_exactly(a, b),
        (Number::Float(a), Number::Integer(b)) => compare_exactly(b, a).reverse(),
    }
}

/// Compares without rounding the integer to a float.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "it is known to be in range")]
fn compare_exactly(integer: i128, float: f64) -> Ordering {
    const BEYOND: f64 = i128::MAX as f64;
    if float >= BEYOND {
        return Ordering::Less;
    }
    if float < -BEYOND {
        return Ordering::Greater;
    }
    integer.cmp(&(float.trunc() as i128)).then_with(|| 0.0.partial_cmp(&float.fract()).unwrap_or(Ordering::Equal))
}

fn unordered(left: &Value, right: &Value) -> EvaluationError {
    let shown = |value: &Value| format!("{} ({})", json::shown(value), kind(value));
    let detail = match kind(left) == kind(right) {
        true => format!("{} and {} cannot be compared: a {} has no order", shown(left), shown(right), kind(left)),
        false => format!("{} and {} cannot be compared: they are of unlike kinds", shown(left), shown(right)),
    };
    EvaluationError::failed(detail)
}

/// Sorts, stable; the first comparison that fails is the result.
///
/// The sort of the standard library may panic over an order that is none.
pub(super) fn sort<T>(
    items: Vec<T>,
    mut compare: impl FnMut(&T, &T) -> Result<Ordering, EvaluationError>,
) -> Result<Vec<T>, EvaluationError> {
    let mut runs: Vec<std::collections::VecDeque<T>> = items.into_iter().map(|item| [item].into()).collect();
    while runs.len() > 1 {
        let mut merged = Vec::with_capacity(runs.len().div_ceil(2));
        let mut pairs = runs.into_iter();
        while let Some(mut left) = pairs.next() {
            let Some(mut right) = pairs.next() else {
                merged.push(left);
                break;
            };
            let mut run = std::collections::VecDeque::with_capacity(left.len() + right.len());
            while let (Some(first), Some(second)) = (left.front(), right.front()) {
                let taken = if compare(first, second)?.is_le() { &mut left } else { &mut right };
                run.extend(taken.pop_front());
            }
            run.append(&mut left);
            run.append(&mut right);
            merged.push(run);
        }
        runs = merged;
    }
    Ok(runs.pop().unwrap_or_default().into())
}
