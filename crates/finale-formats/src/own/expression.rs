//! Where an expression is expected, and documents with expressions in their texts.

use finale_core::definition::Document;
use finale_core::expression::template::{self, Part};
use finale_core::payload::DEPTH_MAX;

use super::report::Report;
use crate::error::{FileLimit, LoadProblem};
use crate::tree::{Located, Notation, Tree};

/// An expression as text. `true` and `5` are expressions too, and one may stand in `${{ }}`, as in other files.
pub(super) fn read<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<String> {
    let text = match &value.tree {
        Tree::Text(text) => text.clone(),
        Tree::Bool(value) => value.to_string(),
        Tree::Number(number) => number.to_string(),
        Tree::Null | Tree::List(_) | Tree::Map(_) => return report.wrong_type(value, "an expression as text"),
    };
    if matches!(value.notation, Notation::Doubtful(_)) {
        let problem = LoadProblem::WrongType { expected: "an expression", found: "what may be a number" };
        report.add(value.place, || problem);
        return None;
    }
    match template::parts(&text).as_deref() {
        Ok([Part::Expression(expression)]) => Some((*expression).to_owned()),
        _ => Some(text),
    }
}

/// A value in whose texts `${{ expression }}` may stand; nothing but those is ever evaluated.
pub(super) fn document<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<Document> {
    let mut json = String::new();
    write(value, &mut json, report).then(|| of_json(value, &json, report)).flatten()
}

/// The document that a text says, which was made of a value.
pub(super) fn of_json<'a>(value: &'a Located, json: &str, report: &mut Report<'a>) -> Option<Document> {
    let document = Document::from_json(json.as_bytes());
    // A parser has read all numbers, so that only its nesting can be wrong with it.
    let over = |_| {
        report.add(value.place, || LoadProblem::OverLimit { limit: FileLimit::Depth, max: DEPTH_MAX });
    };
    document.map_err(over).ok()
}

/// A text as JSON, if its templates can be read.
pub(super) fn text<'a>(value: &'a Located, text: &str, report: &mut Report<'a>) -> Option<String> {
    if let Err(reason) = template::parts(text) {
        report.add(value.place, || LoadProblem::BadTemplate { reason });
        return None;
    }
    Some(quoted(text))
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a text has a JSON form")
}

/// Writes a value as JSON; whether nothing is wrong with its templates.
fn write<'a>(value: &'a Located, json: &mut String, report: &mut Report<'a>) -> bool {
    if let Some(problem) = value.doubt() {
        report.add(value.place, || problem);
        return false;
    }
    let mut is_right = true;
    match &value.tree {
        Tree::Null => json.push_str("null"),
        Tree::Bool(value) => json.push_str(if *value { "true" } else { "false" }),
        Tree::Number(number) => json.push_str(&number.to_string()),
        Tree::Text(written) => match text(value, written, report) {
            Some(text) => json.push_str(&text),
            None => is_right = false,
        },
        Tree::List(elements) => {
            json.push('[');
            for (index, element) in elements.iter().enumerate() {
                json.push_str(if index > 0 { "," } else { "" });
                is_right &= report.inside_index(index, |report| write(element, json, report));
            }
            json.push(']');
        }
        Tree::Map(entries) => {
            json.push('{');
            for (index, entry) in entries.iter().enumerate() {
                json.push_str(if index > 0 { "," } else { "" });
                json.push_str(&quoted(&entry.key));
                json.push(':');
                is_right &= report.inside(&entry.key, |report| write(&entry.value, json, report));
            }
            json.push('}');
        }
    }
    is_right
}
