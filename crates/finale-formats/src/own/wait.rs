//! Nodes that wait: `delay`, `until` and `signal`.

use std::time::Duration;

use finale_core::definition::{NodeKind, Schema, Signal, Wait};
use finale_core::expression::template;

use super::report::Report;
use super::{duration, expression, section};
use crate::error::LoadProblem;
use crate::tree::{Located, Tree};

pub(super) fn delay<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<NodeKind> {
    duration::read(value, report).map(|delay| NodeKind::Wait(Wait::Delay(delay)))
}

pub(super) fn until<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<NodeKind> {
    let moment = match &value.tree {
        // Without quotes of its own a date would be a subtraction.
        Tree::Text(text) if is_date(text) => expression::quoted(text.trim()),
        _ => expression::read(value, report)?,
    };
    Some(NodeKind::Wait(Wait::Until(moment)))
}

/// Whether a text begins as dates do.
fn is_date(text: &str) -> bool {
    let pattern = b"dddd-dd-dd";
    let begin = text.trim_start().as_bytes();
    begin.len() >= pattern.len()
        && begin
            .iter()
            .zip(pattern)
            .all(|(byte, kind)| if *kind == b'd' { byte.is_ascii_digit() } else { byte == kind })
}

/// Reads the name of a signal; `timeout` is how long is waited for it, and `schema` what it must say.
pub(super) fn signal<'a>(
    value: &'a Located,
    timeout: Option<Duration>,
    schema: Option<Schema>,
    report: &mut Report<'a>,
) -> Option<NodeKind> {
    let name = section::text_as(value, "the name of a signal", report)?;
    if let Err(reason) = template::parts(name) {
        report.add(value.place, || LoadProblem::BadTemplate { reason });
        return None;
    }
    Some(NodeKind::Wait(Wait::Signal(Signal { name: name.to_owned(), timeout, schema })))
}
