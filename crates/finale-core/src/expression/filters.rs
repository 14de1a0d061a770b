//! The filters that order, convert or print: stricter than those of the engine.

#![expect(clippy::needless_pass_by_value, reason = "the engine hands over named arguments by value")]

use std::cmp::Ordering;
use std::sync::Arc;

use minijinja::value::{Enumerator, Kwargs, Object, ObjectRepr, ValueKind};
use minijinja::{Environment, Error, State, Value};

use super::calculate::{float, integer};
use super::error::EvaluationError;
use super::functions::items;
use super::number::Number;
use super::order::{self, Order};
use super::{json, kind};

/// What a filter of the engine gives.
type Filtered<T = Value> = Result<T, Error>;

pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("bool", boolean);
    environment.add_filter("int", whole);
    environment.add_filter("float", broken);
    environment.add_filter("sum", sum);
    environment.add_filter("sort", sort);
    environment.add_filter("dictsort", dictsort);
    environment.add_filter("min", |state: &State<'_, '_>, value: &Value, named: Kwargs| {
        extreme(state, value, &named, Ordering::Less)
    });
    environment.add_filter("max", |state: &State<'_, '_>, value: &Value, named: Kwargs| {
        extreme(state, value, &named, Ordering::Greater)
    });
    environment.add_filter("groupby", groupby);
    environment.add_filter("unique", unique);
}

fn boolean(value: &Value) -> Filtered<bool> {
    match value.as_str() {
        None => Ok(value.is_true()),
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(_) => Err(failed(format!("{} is neither `true` nor `false`", json::shown(value)))),
    }
}

/// An integer of a number, or of a text that says one; what is behind the point is cut off.
fn whole(value: &Value, default: Option<Value>, named: Kwargs) -> Filtered {
    converted(value, default, &named, |number| match number {
        Number::Integer(value) => integer(value),
        Number::Float(value) if value.abs() < i128::MAX as f64 => integer(value.trunc() as i128),
        Number::Float(_) => None,
    })
}

fn broken(value: &Value, default: Option<Value>, named: Kwargs) -> Filtered {
    converted(value, default, &named, |number| float(number.as_float()).ok())
}

fn converted(
    value: &Value,
    default: Option<Value>,
    named: &Kwargs,
    convert: impl FnOnce(Number) -> Option<Value>,
) -> Filtered {
    let default = default.map_or_else(|| named.get::<Option<Value>>("default"), |default| Ok(Some(default)))?;
    named.assert_all_used()?;
    let number = match (value.kind(), value.as_str()) {
        (ValueKind::Bool, _) => Some(Number::Integer(i128::from(value.is_true()))),
        (_, Some(text)) => said(text),
        _ => Number::of(value),
    };
    let lacks = if number.is_some() { "is a larger integer than 64 bits hold" } else { "is no number" };
    let converted = number.and_then(convert).or(default);
    converted.ok_or_else(|| failed(format!("{} ({}) {lacks}", json::shown(value), kind(value))))
}

/// The number that a text says, as JSON or with a `+` before it.
fn said(text: &str) -> Option<Number> {
    let text = text.trim();
    // The standard library takes words such as `inf` and `nan` for floats.
    if !text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) {
        return None;
    }
    let whole = text.parse().ok().map(Number::Integer);
    whole.or_else(|| text.parse().ok().filter(|value: &f64| value.is_finite()).map(Number::Float))
}

/// Adds numbers only: sums of lists would copy the growing sum again and again.
fn sum(state: &State<'_, '_>, values: &Value, named: Kwargs) -> Filtered {
    let attribute = named.get::<Option<String>>("attribute")?;
    named.assert_all_used()?;
    let too_large = || failed(json::LARGE_INTEGER);
    let (mut exact, mut rounded, mut is_exact) = (0_i128, 0.0_f64, true);
    for item in items(state, values)? {
        let value = look(&item, attribute.as_deref())?;
        match Number::of(&value) {
            Some(Number::Integer(value)) => {
                exact = exact.checked_add(value).ok_or_else(too_large)?;
            }
            Some(Number::Float(value)) => {
                rounded += value;
                is_exact = false;
            }
            None => return Err(failed(format!("can only sum numbers, not a {}", kind(&value)))),
        }
    }
    if is_exact {
        return integer(exact).ok_or_else(too_large);
    }
    Ok(float(rounded + Number::Integer(exact).as_float())?)
}

/// What is compared of an item, and how.
struct By {
    /// Paths into the items; none for the items themselves.
    attributes: Vec<String>,
    folds_case: bool,
    is_reversed: bool,
}

impl By {
    fn of(named: &Kwargs) -> Filtered<Self> {
        let attributes = named.get::<Option<String>>("attribute")?.unwrap_or_default();
        let attributes = attributes.split(',').map(str::trim).filter(|path| !path.is_empty()).map(str::to_owned);
        Ok(Self {
            attributes: attributes.collect(),
            folds_case: !named.get::<Option<bool>>("case_sensitive")?.unwrap_or(false),
            is_reversed: named.get::<Option<bool>>("reverse")?.unwrap_or(false),
        })
    }

    fn keys(&self, item: &Value) -> Filtered<Vec<Value>> {
        if self.attributes.is_empty() {
            return Ok(vec![item.clone()]);
        }
        self.attributes.iter().map(|path| look(item, Some(path))).collect()
    }

    fn compare(&self, order: &Order<'_, '_, '_>, left: &[Value], right: &[Value]) -> Result<Ordering, EvaluationError> {
        for (left, right) in left.iter().zip(right) {
            let decided = order.compare(left, right)?;
            if decided.is_ne() {
                return Ok(if self.is_reversed { decided.reverse() } else { decided });
            }
        }
        Ok(Ordering::Equal)
    }
}

/// What a path with points leads to.
pub(super) fn look(item: &Value, path: Option<&str>) -> Filtered {
    let Some(path) = path else {
        return Ok(item.clone());
    };
    let mut found = item.clone();
    for part in path.split('.') {
        found = match part.parse::<usize>() {
            Ok(index) if found.kind() != ValueKind::Map => found.get_item_by_index(index)?,
            _ => found.get_attr(part)?,
        };
    }
    if found.is_undefined() {
        let what = format!("`{path}` of {}", json::shown(item));
        return Err(Error::new(minijinja::ErrorKind::UndefinedError, what));
    }
    Ok(found)
}

fn sort(state: &State<'_, '_>, values: &Value, named: Kwargs) -> Filtered {
    let by = By::of(&named)?;
    named.assert_all_used()?;
    let keyed = keyed(state, values, &by)?;
    Ok(sorted(state, keyed, &by)?.into_iter().map(|(_, item)| item).collect::<Vec<_>>().into())
}

type Keyed = Vec<(Vec<Value>, Value)>;

fn keyed(state: &State<'_, '_>, values: &Value, by: &By) -> Filtered<Keyed> {
    items(state, values)?.into_iter().map(|item| Ok((by.keys(&item)?, item))).collect()
}

fn sorted(state: &State<'_, '_>, keyed: Keyed, by: &By) -> Filtered<Keyed> {
    let order = Order::new(state).folding_case(by.folds_case);
    let sorted = order::sort(keyed, |(left, _), (right, _)| by.compare(&order, left, right))?;
    order.settle()?;
    Ok(sorted)
}

/// The pairs of a map, in the order of their keys or values.
fn dictsort(state: &State<'_, '_>, map: &Value, named: Kwargs) -> Filtered {
    if map.kind() != ValueKind::Map {
        return Err(failed(format!("`dictsort` sorts a map, not a {}", kind(map))));
    }
    let by_value = match named.get::<Option<String>>("by")?.as_deref() {
        None | Some("key") => false,
        Some("value") => true,
        Some(other) => return Err(failed(format!("`dictsort` sorts by `key` or `value`, not by `{other}`"))),
    };
    let by = By::of(&named)?;
    named.assert_all_used()?;
    let mut keyed = Vec::new();
    for key in items(state, map)? {
        let value = map.get_item(&key)?;
        let compared = if by_value { value.clone() } else { key.clone() };
        keyed.push((vec![compared], Value::from(vec![key, value])));
    }
    Ok(sorted(state, keyed, &by)?.into_iter().map(|(_, pair)| pair).collect::<Vec<_>>().into())
}

/// The first of the smallest, or of the largest; undefined if there is none.
fn extreme(state: &State<'_, '_>, values: &Value, named: &Kwargs, wanted: Ordering) -> Filtered {
    let by = By::of(named)?;
    named.assert_all_used()?;
    let order = Order::new(state).folding_case(by.folds_case);
    let mut best: Option<(Vec<Value>, Value)> = None;
    for (keys, item) in keyed(state, values, &by)? {
        let is_better = match &best {
            Some((best, _)) => by.compare(&order, &keys, best)? == wanted,
            None => true,
        };
        if is_better {
            best = Some((keys, item));
        }
    }
    order.settle()?;
    Ok(best.map_or(Value::UNDEFINED, |(_, item)| item))
}

/// Items with the same attribute, as pairs of it and them, in its order.
fn groupby(state: &State<'_, '_>, values: &Value, attribute: Option<String>, named: Kwargs) -> Filtered {
    let mut by = By::of(&named)?;
    by.attributes.extend(attribute);
    let default = named.get::<Option<Value>>("default")?;
    named.assert_all_used()?;
    let [path] = by.attributes.as_slice() else {
        return Err(failed("`groupby` needs the name of one attribute"));
    };
    let mut keyed = Vec::new();
    for item in items(state, values)? {
        let key = match (look(&item, Some(path)), &default) {
            (Err(_), Some(default)) => default.clone(),
            (key, _) => key?,
        };
        keyed.push((vec![key], item));
    }
    let order = Order::new(state).folding_case(by.folds_case);
    let mut groups: Vec<Group> = Vec::new();
    for (keys, item) in sorted(state, keyed, &by)? {
        let [grouper] = <[Value; 1]>::try_from(keys).expect("there is one key");
        match groups.last_mut() {
            Some(last) if order.compare(&last.grouper, &grouper)?.is_eq() => last.items.push(item),
            _ => groups.push(Group { grouper, items: vec![item] }),
        }
    }
    order.settle()?;
    Ok(groups.into_iter().map(Value::from_object).collect::<Vec<_>>().into())
}

/// A pair that can also be asked for its `grouper` and its `list`.
#[derive(Debug)]
struct Group {
    grouper: Value,
    items: Vec<Value>,
}

impl Object for Group {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match (key.as_usize(), key.as_str()) {
            (Some(0), None) | (None, Some("grouper")) => Some(self.grouper.clone()),
            (Some(1), None) | (None, Some("list")) => Some(Value::from(self.items.clone())),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(2)
    }
}

/// The first of all that are equal.
fn unique(state: &State<'_, '_>, values: &Value, named: Kwargs) -> Filtered {
    let by = By::of(&named)?;
    named.assert_all_used()?;
    let mut seen = std::collections::HashSet::new();
    let mut unique = Vec::new();
    for (keys, item) in keyed(state, values, &by)? {
        let identity = json::identity(&keys, by.folds_case).map_err(json::Unprintable::into_error)?;
        state.consume_fuel(1 + identity.len() as u64 / 64)?;
        if seen.insert(identity) {
            unique.push(item);
        }
    }
    Ok(Value::from(unique))
}

pub(super) fn failed(detail: impl Into<String>) -> Error {
    Error::new(minijinja::ErrorKind::InvalidOperation, detail.into())
}
