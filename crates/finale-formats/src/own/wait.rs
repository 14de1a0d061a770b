//! Nodes that wait: `delay`, `until` and `signal`.

use std::time::Duration;

use finale_core::definition::{NodeKind, Schema, Signal, Wait};
use finale_core::expression::template;

use super::report::Report;
use super::{duration, expression, section};
use crate::error::LoadProblem;
use crate::tree::Located;

pub(super) fn delay<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<NodeKind> {
    duration::read(value, report).map(|delay| NodeKind::Wait(Wait::Delay(delay)))
}

pub(super) fn until<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<NodeKind> {
    expression::read(value, report).map(|moment| NodeKind::Wait(Wait::Until(moment)))
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
