//! The short forms of handlers: `shell`, `sleep` and `log`.

use std::time::Duration;

use finale_core::definition::Document;
use finale_core::expression::template::{self, Part};

use super::report::Report;
use super::section::{self, Keys, Section};
use super::{command, duration, expression};
use crate::error::LoadProblem;
use crate::tree::{Entry, Located, Tree};

/// What makes the input of a handler of the value behind its name.
type Form = for<'a> fn(&'a Located, &mut Report<'a>) -> Option<Document>;

/// The name of each short form is that of its handler.
pub(super) const FORMS: [(&str, Form); 3] = [("shell", shell), ("sleep", sleep), ("log", log)];

pub(crate) const SHELL_KEYS: Keys = Keys {
    accepted: &["command", "env", "dir", "output"],
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

/// What the handler `sleep` of the command line takes.
const SLEEP_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How the standard output of a command can be read.
pub(crate) const OUTPUTS: &[&str] = &["text", "json"];

fn shell<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<Document> {
    if !value.tree.is_map() {
        let command = command(value, report)?;
        return object(value, &[("command", command)], report);
    }
    let section = Section::open(value, &SHELL_KEYS, report)?;
    let run = section.require("command", report, command);
    let env = section.read("env", report, environment);
    let dir = section.read("dir", report, text);
    let output = section.read("output", report, |value, report| {
        let words = [("text", "text"), ("json", "json")];
        section::word(value, "reading of an output", &words, OUTPUTS, report).map(expression::quoted)
    });
    let members = [("command", Some(run?)), ("env", env), ("dir", dir), ("output", output)];
    let members: Vec<_> = members.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    object(value, &members, report)
}

fn command<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<String> {
    command::check(value, report);
    text(value, report)
}

fn log<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<Document> {
    let message = text(value, report)?;
    object(value, &[("message", message)], report)
}

/// A duration, or an expression for a number of seconds.
fn sleep<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<Document> {
    let seconds = match &value.tree {
        Tree::Text(text) => match template::parts(text).as_deref() {
            Ok([Part::Expression(expression)]) => Some(expression::quoted(&format!("${{{{ {expression} }}}}"))),
            _ => None,
        },
        _ => None,
    };
    let seconds = match seconds {
        Some(seconds) => seconds,
        None => {
            let time = duration::read(value, report)?;
            if time > SLEEP_MAX {
                let reason = "a task sleeps a year at most; a node with a `delay` waits longer".to_owned();
                report.add(value.place, || LoadProblem::BadDuration { found: section::shown(value), reason });
                return None;
            }
            format!("{:?}", time.as_secs_f64())
        }
    };
    object(value, &[("seconds", seconds)], report)
}

/// The document with these members, which are JSON.
fn object<'a>(value: &'a Located, members: &[(&str, String)], report: &mut Report<'a>) -> Option<Document> {
    let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    expression::of_json(value, &format!("{{{}}}", members.join(",")), report)
}

fn text<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<String> {
    let text = section::text_as(value, "text", report)?;
    expression::text(value, text, report)
}

/// Variables by name; numbers and booleans are what is written.
fn environment<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<String> {
    let mut members = Vec::new();
    for Entry { key, value, .. } in section::entries(value, report)? {
        let member = report.inside(key, |report| match &value.tree {
            Tree::Text(written) if written.contains("${{") => text(value, report),
            _ => section::printed(value, report).map(|text| expression::quoted(&text)),
        });
        members.push(format!("{}:{}", expression::quoted(key), member?));
    }
    Some(format!("{{{}}}", members.join(",")))
}
