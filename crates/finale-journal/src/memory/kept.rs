//! What is kept of one execution, wherever it lies.

use finale_core::fact::{Activation, Fact, Facts, Terminal};
use finale_core::{ExecutionStatus, Time};

/// What is kept of an execution.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept<'a> {
    pub(super) facts: &'a [u8],
    pub(super) standing: Stands<'a>,
}

/// Where an execution is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stands<'a> {
    Running,
    Ending,
    Ended { status: Terminal, at: Time, error: Option<&'a str> },
}

/// How an execution was activated; none if its facts cannot be read.
pub(super) fn activation_of(facts: &[u8]) -> Option<Activation> {
    match Facts::new(facts).next()?.ok()?.fact {
        Fact::Activated(activation) => Some(activation),
        _ => None,
    }
}

impl Kept<'_> {
    pub(super) fn created_at(&self) -> Time {
        Facts::new(self.facts).next().and_then(Result::ok).map(|first| first.at).unwrap_or_default()
    }

    pub(super) fn status(&self) -> ExecutionStatus {
        match self.standing {
            Stands::Running => ExecutionStatus::Running,
            Stands::Ending => ExecutionStatus::Ending,
            Stands::Ended { status, .. } => status.into(),
        }
    }
}
