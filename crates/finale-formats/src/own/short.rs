//! The short forms of handlers: `shell`, `sleep` and `log`.

use super::report::Report;
use super::section::{self, Keys, Section};
use super::template::{self, Part};
use super::{command, duration};
use crate::error::LoadProblem;
use crate::tree::{Entry, Located, Tree};

/// What makes the input of a handler of the value behind its name.
type Form = for<'a> fn(&'a Located, &mut Report<'a>) -> Option<String>;

/// The name of each short form is that of its handler.
pub(super) const FORMS: [(&str, Form); 3] = [("shell", shell), ("sleep", sleep), ("log", log)];

pub(crate) const SHELL_KEYS: Keys = Keys {
    accepted: &["command", "env", "dir"],
    slips: &[
        ("cmd", "command"),
        ("run", "command"),
        ("script", "command"),
        ("environment", "env"),
        ("cwd", "dir"),
        ("directory", "dir"),
        ("working_directory", "dir"),
    ],
};

fn shell<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<String> {
    if !value.tree.is_map() {
        return Some(object(&[("command", command(value, report)?)]));
    }
    let section = Section::open(value, &SHELL_KEYS, report)?;
    let run = section.require("command", report, command);
    let env = section.read("env", report, environment);
    let dir = section.read("dir", report, text);
    let members = [("command", Some(run?)), ("env", env), ("dir", dir)];
    Some(object(&members.into_iter().filter_map(|(name, value)| Some((name, value?))).collect::<Vec<_>>()))
}

fn command<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<String> {
    command::check(value, report);
    text(value, report)
}

fn log<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<String> {
    Some(object(&[("message", text(value, report)?)]))
}

/// A duration, or an expression for a number of seconds.
fn sleep<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<String> {
    let seconds = match &value.tree {
        Tree::Text(text) => match template::parts(text).as_deref() {
            Ok([Part::Expression(expression)]) => Some((*expression).to_owned()),
            _ => None,
        },
        _ => None,
    };
    let seconds = match seconds {
        Some(seconds) => seconds,
        None => format!("{:?}", duration::read(value, report)?.as_secs_f64()),
    };
    Some(object(&[("seconds", seconds)]))
}

/// The expression for an object of members that are expressions.
fn object(members: &[(&str, String)]) -> String {
    let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\": {value}")).collect();
    format!("{{{}}}", members.join(", "))
}

fn text<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<String> {
    let text = section::text_as(value, "text", report)?;
    let expression = template::expression(text);
    expression.map_err(|reason| report.add(value.place, || LoadProblem::BadTemplate { reason })).ok()
}

/// Variables by name; numbers and booleans are what is written.
fn environment<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<String> {
    let mut members = Vec::new();
    for Entry { key, value, .. } in section::entries(value, report)? {
        let member = report.inside(key, |report| match &value.tree {
            Tree::Text(written) if written.contains("${{") => text(value, report),
            _ => section::printed(value, report).map(|text| template::quoted(&text)),
        });
        members.push(format!("{}: {}", template::quoted(key), member.unwrap_or_default()));
    }
    Some(format!("{{{}}}", members.join(", ")))
}
