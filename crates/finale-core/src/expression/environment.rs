//! The functions, filters and tests that an expression may use.

use std::sync::LazyLock;

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, State, UndefinedBehavior, Value};

use super::program::Comparison;
use super::{filters, json, limits, order, quote, texts};

/// What the engine has beyond the filters that are [known](super::known).
const FILTERS_REMOVED: [&str; 10] =
    ["batch", "chain", "e", "escape", "format", "indent", "pprint", "safe", "slice", "zip"];
/// What it has beyond the tests.
const TESTS_REMOVED: [&str; 12] =
    ["!=", "<", "<=", "==", ">", ">=", "escaped", "filter", "in", "safe", "sameas", "test"];

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(environment);

/// What one evaluation has of the engine: its filters and tests, and a measure of work.
pub(super) fn state() -> State<'static, 'static> {
    ENVIRONMENT.empty_state()
}

/// What a text between quotes says.
pub(super) fn unquoted(quoted: &str) -> Option<String> {
    if !quoted.contains('\\') {
        return quoted.get(1..quoted.len().checked_sub(1)?).map(str::to_owned);
    }
    let value = ENVIRONMENT.compile_expression(quoted).ok()?.eval(()).ok()?;
    value.as_str().map(str::to_owned)
}

/// Whether a name is on a list; the list is short.
pub(super) const fn is_one_of(name: &str, list: &[&str]) -> bool {
    let mut at = 0;
    while at < list.len() {
        if is_same(name.as_bytes(), list[at].as_bytes()) {
            return true;
        }
        at += 1;
    }
    false
}

const fn is_same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut at = 0;
    while at < a.len() {
        if a[at] != b[at] {
            return false;
        }
        at += 1;
    }
    true
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(limits::FUEL_MAX));
    // Debug information would make errors differ between builds.
    environment.set_debug(false);
    FILTERS_REMOVED.iter().for_each(|name| environment.remove_filter(name));
    TESTS_REMOVED.iter().for_each(|name| environment.remove_test(name));
    filters::add(&mut environment);
    texts::add(&mut environment);
    environment.add_filter("quote", quote::quote);
    environment.add_test("number", |value: &Value| value.kind() == ValueKind::Number);
    environment.add_test("truthy", Value::is_true);
    environment.add_test("printed_as", printed_as);
    environment.add_test("compares", compares);
    add_comparisons(&mut environment);
    environment
}

/// The comparing tests, which say what the operators say.
fn add_comparisons(environment: &mut Environment<'static>) {
    let comparisons = [
        ("eq", Comparison::Equal),
        ("equalto", Comparison::Equal),
        ("ne", Comparison::NotEqual),
        ("lt", Comparison::Less),
        ("lessthan", Comparison::Less),
        ("le", Comparison::LessOrEqual),
        ("gt", Comparison::Greater),
        ("greaterthan", Comparison::Greater),
        ("ge", Comparison::GreaterOrEqual),
    ];
    for (name, comparison) in comparisons {
        let test = move |state: &State<'_, '_>, left: &Value, right: &Value| {
            for operand in [left, right] {
                if operand.is_undefined() {
                    let what = format!("an operand of `{name}`");
                    return Err(Error::new(minijinja::ErrorKind::UndefinedError, what));
                }
            }
            Ok::<_, Error>(order::holds(state, comparison, left, right)?)
        };
        environment.add_test(name, test);
    }
}

/// Whether a value is a number that compares with another one like that; what is undefined or no number does not.
fn compares(state: &State<'_, '_>, value: &Value, sign: &str, number: &Value) -> Result<bool, Error> {
    let comparison = match sign {
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        _ => return Err(filters::failed(format!("`compares` takes `<`, `<=`, `>` or `>=`, not `{sign}`"))),
    };
    let are_numbers = [value, number].iter().all(|value| value.kind() == ValueKind::Number);
    Ok(are_numbers && order::holds(state, comparison, value, number)?)
}

/// Whether a value prints as the text; what is undefined prints as nothing, a boolean also as `True` or `False`.
fn printed_as(state: &State<'_, '_>, value: &Value, text: &str) -> Result<bool, Error> {
    if value.is_undefined() {
        return Ok(false);
    }
    let printed = json::printed(state, value)?;
    Ok(printed == text
        || match value.kind() {
            ValueKind::Number => printed.strip_suffix(".0") == Some(text),
            ValueKind::Bool => text == if value.is_true() { "True" } else { "False" },
            _ => false,
        })
}
