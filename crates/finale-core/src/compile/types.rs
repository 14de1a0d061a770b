//! Whether a value is of a declared type.

use chrono::NaiveDate;
use serde_json::Value;

use crate::definition::DeclaredType;
use crate::payload;

/// Whether a value is of a type: a boolean is no number, a whole number is a float.
pub(super) fn matches(kind: DeclaredType, value: &Value) -> bool {
    match kind {
        DeclaredType::String => value.is_string(),
        DeclaredType::Integer => value.is_i64() || value.is_u64(),
        DeclaredType::Float => value.as_f64().is_some_and(f64::is_finite),
        DeclaredType::Boolean => value.is_boolean(),
        DeclaredType::Datetime => value.as_str().is_some_and(is_datetime),
        DeclaredType::Json => true,
        DeclaredType::TaskRef | DeclaredType::AgentRef => value.as_str().is_some_and(|text| !text.trim().is_empty()),
    }
}

/// The most levels of a default: it becomes a member of an input.
pub(super) const DEFAULT_DEPTH_MAX: usize = payload::DEPTH_MAX - 1;

/// Whether a default can be a part of an input. Walks without recursion, so that whatever walks over it next may recurse.
pub(super) fn is_shallow(default: &Value) -> bool {
    let mut open = vec![(default, 1)];
    while let Some((value, depth)) = open.pop() {
        let members: &mut dyn Iterator<Item = &Value> = match value {
            Value::Array(elements) => &mut elements.iter(),
            Value::Object(members) => &mut members.values(),
            _ => continue,
        };
        if depth > DEFAULT_DEPTH_MAX {
            return false;
        }
        open.extend(members.map(|member| (member, depth + 1)));
    }
    true
}

/// What a type is called in messages.
pub(super) const fn name(kind: DeclaredType) -> &'static str {
    match kind {
        DeclaredType::String => "string",
        DeclaredType::Integer => "integer",
        DeclaredType::Float => "float",
        DeclaredType::Boolean => "boolean",
        DeclaredType::Datetime => "datetime",
        DeclaredType::Json => "json",
        DeclaredType::TaskRef => "task_ref",
        DeclaredType::AgentRef => "agent_ref",
    }
}

/// Whether a text is an ISO 8601 date, or a date and a time with or without an offset.
///
/// Dates may be written with or without hyphens, or as a week; any one character stands between date and time.
fn is_datetime(text: &str) -> bool {
    let Some(length) = date_length(text) else {
        return false;
    };
    let mut rest = text[length..].chars();
    match rest.next() {
        None => true,
        Some(_) => is_time(rest.as_str()),
    }
}

/// How many bytes the date takes at the beginning of a text.
fn date_length(text: &str) -> Option<usize> {
    let candidates = [10, 8, 7];
    candidates.into_iter().find(|&length| {
        let date = text.get(..length);
        let after = text.as_bytes().get(length);
        date.is_some_and(is_date) && !after.is_some_and(|byte| byte.is_ascii_digit() && length != 10)
    })
}

fn is_date(date: &str) -> bool {
    let formats: &[&str] = match (date.len(), date.contains('W'), date.contains('-')) {
        (10, true, true) => {
            return week_day(&date.replace('-', ""), date.matches('-').count() == 2);
        }
        (8, true, true) => {
            return week_day(&format!("{}1", date.replace('-', "")), date.matches('-').count() == 1);
        }
        (8, true, false) => return week_day(date, true),
        (7, true, false) => return week_day(&format!("{date}1"), true),
        (10, false, true) => &["%Y-%m-%d"],
        (8, false, false) => &["%Y%m%d"],
        _ => return false,
    };
    let digits = date.bytes().filter(u8::is_ascii_digit).count();
    digits == 8 && formats.iter().any(|format| NaiveDate::parse_from_str(date, format).is_ok())
}

/// Whether a text is `YYYYWwwD`.
fn week_day(compact: &str, is_well_placed: bool) -> bool {
    is_well_placed && compact.len() == 8 && NaiveDate::parse_from_str(compact, "%GW%V%u").is_ok()
}

fn is_time(text: &str) -> bool {
    let (clock, offset) = match text.find(['+', '-', 'Z']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    is_clock(clock, 24)
        && (offset.is_empty() || offset == "Z" || is_clock(&offset[1..], 24) && !offset.starts_with('Z'))
}

/// Whether a text is `HH`, `HH:MM`, `HH:MM:SS` or the same without colons, with a fraction behind the seconds.
fn is_clock(text: &str, hours: u8) -> bool {
    let (whole, fraction) = match text.find(['.', ',']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let Some(parts) = clock_parts(whole) else {
        return false;
    };
    let in_range = parts[0] < hours && parts[1..].iter().all(|part| *part < 60);
    let is_fraction =
        |digits: &str| parts.len() == 3 && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    in_range && fraction.is_none_or(is_fraction)
}

fn clock_parts(text: &str) -> Option<Vec<u8>> {
    let pairs: Vec<&[u8]> = if text.contains(':') {
        text.split(':').map(str::as_bytes).collect()
    } else {
        text.as_bytes().chunks(2).collect()
    };
    if pairs.is_empty() || pairs.len() > 3 {
        return None;
    }
    pairs.into_iter().map(pair).collect()
}

fn pair(digits: &[u8]) -> Option<u8> {
    match digits {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Some((tens - b'0') * 10 + (ones - b'0')),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::{Code, Registry, accept_input, compile};
    use crate::definition::{Declaration, Definition};
    use crate::payload::Payload;

    #[test]
    fn a_default_is_as_deep_as_an_input_may_be_and_no_deeper() {
        let declared = |depth: usize| {
            let default = (1..depth).fold(serde_json::json!([]), |inner, _| Value::Array(vec![inner]));
            let mut definition = Definition::builder("w").task("t", "h").build();
            let (name, kind) = ("x".to_owned(), DeclaredType::Json);
            definition.inputs.push(Declaration { name, kind, required: false, default: Some(default) });
            definition
        };
        let compiled = compile(declared(DEFAULT_DEPTH_MAX), &Registry::new()).unwrap();
        assert!(accept_input(compiled.definition(), Payload::NULL).is_ok());
        let error = compile(declared(DEFAULT_DEPTH_MAX + 1), &Registry::new()).unwrap_err();
        assert_eq!(error.problems[0].code, Code::DefaultType);
        // To drop it would recurse.
        let deep = std::mem::ManuallyDrop::new(declared(100_000));
        assert!(!is_shallow(deep.inputs[0].default.as_ref().unwrap()));
    }
}
