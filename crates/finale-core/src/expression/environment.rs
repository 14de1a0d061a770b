//! The functions, filters and tests that an expression may use.

use std::sync::LazyLock;

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};

use super::error::{ExpressionError, describe};
use super::{guard, json, limits, quote};

/// The filters; what the engine has beyond them formats pages or grows its input without need.
pub(super) const FILTERS: [&str; 39] = [
    "abs",
    "attr",
    "bool",
    "capitalize",
    "count",
    "d",
    "default",
    "dictsort",
    "first",
    "float",
    "groupby",
    "int",
    "items",
    "join",
    "last",
    "length",
    "lines",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "quote",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "sort",
    "split",
    "string",
    "sum",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
];
const FILTERS_REMOVED: [&str; 10] =
    ["batch", "chain", "e", "escape", "format", "indent", "pprint", "safe", "slice", "zip"];

/// The tests; `truthy` and `printed_as` are what conditions of other formats are translated to.
pub(super) const TESTS: [&str; 32] = [
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "even",
    "false",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "int",
    "integer",
    "iterable",
    "le",
    "lessthan",
    "lower",
    "lt",
    "mapping",
    "ne",
    "none",
    "number",
    "odd",
    "printed_as",
    "sequence",
    "startingwith",
    "string",
    "true",
    "truthy",
    "undefined",
    "upper",
];
const TESTS_REMOVED: [&str; 12] =
    ["!=", "<", "<=", "==", ">", ">=", "escaped", "filter", "in", "safe", "sameas", "test"];

/// The functions and variables.
const NAMES: [&str; 5] = ["dict", "input", "nodes", "range", "vars"];

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(environment);

/// Compiles a text whose size was checked before.
pub(super) fn compile(source: String) -> Result<minijinja::Expression<'static, 'static>, ExpressionError> {
    ENVIRONMENT.compile_expression_owned(source).map_err(|error| ExpressionError::Syntax { detail: describe(&error) })
}

/// Whether a name means something in every expression.
pub(super) fn is_known(name: &str) -> bool {
    NAMES.contains(&name)
}

/// What a text between quotes says.
pub(super) fn literal(quoted: &str) -> Option<String> {
    if !quoted.contains('\\') {
        return quoted.get(1..quoted.len().checked_sub(1)?).map(str::to_owned);
    }
    let value = ENVIRONMENT.compile_expression(quoted).ok()?.eval(()).ok()?;
    value.as_str().map(str::to_owned)
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(limits::FUEL_MAX));
    // Debug information would make errors differ between builds.
    environment.set_debug(false);
    FILTERS_REMOVED.iter().for_each(|name| environment.remove_filter(name));
    TESTS_REMOVED.iter().for_each(|name| environment.remove_test(name));
    environment.remove_global("debug");
    environment.remove_global("namespace");
    environment.add_filter(guard::OPERAND, operand);
    environment.add_filter(guard::FACTOR, factor);
    environment.add_filter("quote", quote::quote);
    environment.add_filter("string", string);
    environment.add_filter("sum", sum);
    environment.add_test("truthy", truthy);
    environment.add_test("printed_as", printed_as);
    add_comparisons(&mut environment);
    environment
}

/// The comparing tests, with the guard that comparing operators have.
fn add_comparisons(environment: &mut Environment<'static>) {
    type Compare = fn(&Value, &Value) -> bool;
    let comparisons: [(&[&'static str], Compare); 6] = [
        (&["eq", "equalto"], |a, b| a == b),
        (&["ne"], |a, b| a != b),
        (&["lt", "lessthan"], |a, b| a < b),
        (&["le"], |a, b| a <= b),
        (&["gt", "greaterthan"], |a, b| a > b),
        (&["ge"], |a, b| a >= b),
    ];
    for (names, compare) in comparisons {
        for name in names {
            let test = move |a: &Value, b: &Value| Ok::<_, Error>(compare(&operand(a, name)?, &operand(b, name)?));
            environment.add_test(*name, test);
        }
    }
}

fn operand(value: &Value, source: &str) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(Error::new(ErrorKind::UndefinedError, format!("`{source}`")));
    }
    refuse_large(value)?;
    Ok(value.clone())
}

fn factor(value: &Value, _source: &str) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable => {
            Err(Error::new(ErrorKind::InvalidOperation, "a list cannot be repeated with `*`"))
        }
        _ => Ok(value.clone()),
    }
}

/// Comparing costs no fuel, so what is compared must be small.
fn refuse_large(value: &Value) -> Result<(), Error> {
    let (mut parts, mut open) = (0, vec![value.clone()]);
    while let Some(value) = open.pop() {
        parts += 1 + value.as_str().map_or(0, |text| text.len() / 64);
        if let (ValueKind::Seq | ValueKind::Iterable | ValueKind::Map, Ok(items)) = (value.kind(), value.try_iter()) {
            let is_map = value.kind() == ValueKind::Map;
            let members = items.map(|item| if is_map { value.get_item(&item).unwrap_or_default() } else { item });
            open.extend(members.take(limits::COMPARED_PARTS_MAX));
        }
        if parts + open.len() > limits::COMPARED_PARTS_MAX {
            let detail = format!("a value of more than {} parts cannot be compared", limits::COMPARED_PARTS_MAX);
            return Err(Error::new(ErrorKind::InvalidOperation, detail));
        }
    }
    Ok(())
}

/// A text as it is, anything else as JSON: `true`, not `True`.
fn string(value: &Value) -> Result<Value, Error> {
    if value.kind() == ValueKind::String {
        return Ok(value.clone());
    }
    let printed = json::write(value, limits::RESULT_BYTES_MAX).map_err(json::Unprintable::into_error)?;
    Ok(Value::from(String::from_utf8_lossy(&printed).into_owned()))
}

/// Adds numbers only: sums of lists would copy the growing sum again and again.
fn sum(values: &Value) -> Result<Value, Error> {
    let (mut whole, mut broken, mut is_whole) = (0_i128, 0.0_f64, true);
    for value in values.try_iter()? {
        if !value.is_number() {
            let detail = format!("can only sum numbers, not a {}", value.kind());
            return Err(Error::new(ErrorKind::InvalidOperation, detail));
        }
        if value.is_integer() {
            whole = whole.saturating_add(i128::try_from(value)?);
        } else {
            broken += f64::try_from(value)?;
            is_whole = false;
        }
    }
    Ok(if is_whole { Value::from(whole) } else { Value::from(broken + whole as f64) })
}

/// The truth of a JSON value; what is undefined is false.
fn truthy(value: &Value) -> bool {
    value.is_true()
}

/// Whether a value prints as the text; what is undefined prints as nothing.
fn printed_as(value: &Value, text: &str) -> Result<bool, Error> {
    match value.kind() {
        ValueKind::Undefined => Ok(false),
        ValueKind::String => Ok(value.as_str() == Some(text)),
        _ => {
            let printed = json::write(value, limits::RESULT_BYTES_MAX).map_err(json::Unprintable::into_error)?;
            Ok(printed == text.as_bytes() || printed.strip_suffix(b".0") == Some(text.as_bytes()))
        }
    }
}
