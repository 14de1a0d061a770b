//! Where an expression is expected, and literal values made into one.

use super::report::Report;
use super::template::{self, Part};
use crate::error::LoadProblem;
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

/// The expression that gives a literal value, in which texts may contain `${{ expression }}`.
pub(super) fn of_literal<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<String> {
    let mut expression = String::new();
    write(value, &mut expression, report).then_some(expression)
}

fn write<'a>(value: &'a Located, out: &mut String, report: &mut Report<'a>) -> bool {
    if let Some(problem) = value.doubt() {
        report.add(value.place, || problem);
        return false;
    }
    match &value.tree {
        Tree::Null => out.push_str("none"),
        Tree::Bool(value) => out.push_str(&value.to_string()),
        Tree::Number(number) => out.push_str(&number.to_string()),
        Tree::Text(text) => return write_text(value, text, out, report),
        Tree::List(elements) => return write_list(elements, out, report),
        Tree::Map(entries) => {
            let mut is_right = true;
            out.push('{');
            for (position, entry) in entries.iter().enumerate() {
                let separator = if position == 0 { "" } else { ", " };
                out.push_str(&format!("{separator}{}: ", template::quoted(&entry.key)));
                is_right &= report.inside(&entry.key, |report| write(&entry.value, out, report));
            }
            out.push('}');
            return is_right;
        }
    }
    true
}

fn write_list<'a>(elements: &'a [Located], out: &mut String, report: &mut Report<'a>) -> bool {
    let mut is_right = true;
    out.push('[');
    for (index, element) in elements.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        is_right &= report.inside_index(index, |report| write(element, out, report));
    }
    out.push(']');
    is_right
}

fn write_text<'a>(value: &'a Located, text: &str, out: &mut String, report: &mut Report<'a>) -> bool {
    match template::expression(text) {
        Ok(expression) => out.push_str(&expression),
        Err(reason) => {
            report.add(value.place, || LoadProblem::BadTemplate { reason });
            return false;
        }
    }
    true
}
