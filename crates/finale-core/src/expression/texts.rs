//! The filters and tests that work on texts: what is no text is printed first, as JSON prints it.

#![expect(clippy::needless_pass_by_value, reason = "the engine hands over named arguments by value")]

use minijinja::value::{Kwargs, Rest, ValueKind, from_args};
use minijinja::{Environment, Error, State, Value};

use super::filters::failed;
use super::functions::items;
use super::{json, kind};

type Filtered = Result<Value, Error>;

pub(super) fn add(environment: &mut Environment<'static>) {
    environment.add_filter("string", |state: &State<'_, '_>, value: &Value| {
        Ok::<_, Error>(json::printed(state, value)?.into_owned())
    });
    environment.add_filter("lower", |state: &State<'_, '_>, value: &Value| changed(state, value, str::to_lowercase));
    environment.add_filter("upper", |state: &State<'_, '_>, value: &Value| changed(state, value, str::to_uppercase));
    environment.add_filter("trim", trim);
    environment.add_filter("replace", replace);
    environment.add_filter("join", join);
    environment.add_filter("tojson", tojson);
    // The engine's own, for what is a text already.
    for name in ["capitalize", "title", "lines", "split"] {
        let filter = move |state: &mut State<'_, '_>, value: &Value, arguments: Rest<Value>| {
            let printed = Value::from(json::printed(state, value)?.into_owned());
            let arguments: Vec<_> = std::iter::once(printed).chain(arguments.iter().cloned()).collect();
            ENGINE.empty_state().apply_filter(name, &arguments)
        };
        environment.add_filter(name, filter);
    }
    environment.add_test("startingwith", |state: &State<'_, '_>, value: &Value, part: &Value| {
        Ok::<_, Error>(json::printed(state, value)?.starts_with(&*json::printed(state, part)?))
    });
    environment.add_test("endingwith", |state: &State<'_, '_>, value: &Value, part: &Value| {
        Ok::<_, Error>(json::printed(state, value)?.ends_with(&*json::printed(state, part)?))
    });
}

/// What the engine itself does with texts.
static ENGINE: std::sync::LazyLock<Environment<'static>> = std::sync::LazyLock::new(Environment::new);

fn changed(state: &State<'_, '_>, value: &Value, change: impl FnOnce(&str) -> String) -> Filtered {
    Ok(Value::from(change(&json::printed(state, value)?)))
}

/// A text without the space, or the given characters, around it.
fn trim(state: &State<'_, '_>, value: &Value, characters: Option<String>) -> Filtered {
    let text = json::printed(state, value)?;
    Ok(Value::from(match characters {
        Some(characters) => text.trim_matches(|c| characters.contains(c)),
        None => text.trim(),
    }))
}

fn replace(
    state: &State<'_, '_>,
    value: &Value,
    from: &Value,
    to: &Value,
    rest: Rest<minijinja::value::ValueOrKwargs>,
) -> Filtered {
    let rest = rest.into_values();
    let (count, named): (Option<i64>, Kwargs) = from_args(&rest)?;
    let count = count.map_or_else(|| named.get::<Option<i64>>("count"), |count| Ok(Some(count)))?;
    named.assert_all_used()?;
    let count = count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
    let (text, from, to) = (json::printed(state, value)?, json::printed(state, from)?, json::printed(state, to)?);
    let matches = text.matches(&*from).take(count).count();
    let grown = to.len().saturating_sub(from.len()).saturating_mul(matches);
    state.consume_fuel(text.len().saturating_add(grown) as u64 / 64)?;
    Ok(Value::from(text.replacen(&*from, &to, count)))
}

fn join(
    state: &State<'_, '_>,
    values: &Value,
    joiner: Option<&Value>,
    attribute: Option<String>,
    named: Kwargs,
) -> Filtered {
    let joiner = match joiner {
        Some(joiner) => Some(joiner.clone()),
        None => named.get::<Option<Value>>("d")?,
    };
    let attribute = attribute.map_or_else(|| named.get::<Option<String>>("attribute"), |path| Ok(Some(path)))?;
    named.assert_all_used()?;
    let joiner = joiner.map(|joiner| json::printed(state, &joiner).map(std::borrow::Cow::into_owned)).transpose()?;
    let joiner = joiner.unwrap_or_default();
    if !matches!(values.kind(), ValueKind::Seq | ValueKind::Iterable | ValueKind::String | ValueKind::Map) {
        return Err(failed(format!("`join` joins the items of a list, not a {}", kind(values))));
    }
    let mut joined = String::new();
    for (place, item) in items(state, values)?.iter().enumerate() {
        let item = super::filters::look(item, attribute.as_deref())?;
        let printed = json::printed(state, &item)?;
        state.consume_fuel((printed.len() + joiner.len()) as u64 / 64)?;
        if place > 0 {
            joined.push_str(&joiner);
        }
        joined.push_str(&printed);
    }
    Ok(Value::from(joined))
}

/// A value as JSON, texts with their quotes.
fn tojson(state: &State<'_, '_>, value: &Value, indent: Option<Value>, named: Kwargs) -> Filtered {
    let indent = indent.map_or_else(|| named.get::<Option<Value>>("indent"), |indent| Ok(Some(indent)))?;
    named.assert_all_used()?;
    let written = json::written(state, value)?;
    let width = match indent.as_ref().map(|indent| (indent.kind(), indent.as_usize())) {
        None => None,
        Some((ValueKind::Bool, _)) => indent.is_some_and(|indent| indent.is_true()).then_some(2),
        Some((_, Some(width))) if width <= 16 => Some(width),
        Some(_) => return Err(failed("`tojson` indents by at most 16 spaces")),
    };
    match width {
        Some(width) => json::indented(&written, width).map(Value::from).map_err(json::Unprintable::into_error),
        None => Ok(Value::from(written)),
    }
}
