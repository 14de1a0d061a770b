//! The execution that an actor has, and its appends.

use std::rc::Rc;

use finale_core::execution::Turn;
use finale_core::fact::{Activation, Terminal};
use finale_core::number::{DefinitionNo, RequestId, Slot};
use finale_core::supervisor::{Acknowledge, Begin};
use finale_core::{Execution, ExecutionStatus};
use finale_journal::{Append, Appended, Begins, Ends, JournalError, Standing};

use crate::actors::bound::Bound;
use crate::actors::messages::{CommittedTurn, Shown, Side};
use crate::actors::requests::Look;
use crate::actors::shared::Shared;
use crate::observe;

/// The execution that an actor has.
pub(super) struct Hosting {
    pub(super) slot: Slot,
    pub(super) definition: DefinitionNo,
    pub(super) bound: Rc<Bound>,
    pub(super) state: Box<Execution>,
    pub(super) side: Side,
    /// How it was to begin, as long as nothing of it was appended.
    pub(super) begin: Option<Box<Begin>>,
    pub(super) acknowledge: Acknowledge,
    /// Those who wait for the end of a cancellation.
    pub(super) cancels: Vec<RequestId>,
    /// How many of its facts are durable.
    pub(super) durable: u64,
    /// Turns that are not durable yet.
    pub(super) pending: u32,
    /// Whether the task engine is to compare what is under way with what must be.
    pub(super) reconciles: bool,
    /// How many messages of the Supervisor have come for it here.
    pub(super) told: u32,
    /// Whether it is quarantined: an operator's command is applied, and nothing is accepted yet.
    pub(super) is_quarantined: bool,
}

impl Hosting {
    pub(super) fn append(&self, shared: &Shared, turn: &mut Turn) -> Result<Option<Appended>, JournalError> {
        if turn.count() == 0 {
            return shared.port.error().map_or(Ok(None), |error| Err(error.clone()));
        }
        let first_sequence = turn.last_sequence() + 1 - u64::from(turn.count());
        let error = self.error();
        let begins = self.state.activation().filter(|_| first_sequence == 1);
        let appended = shared.port.append(Append {
            execution: self.state.id(),
            first_sequence,
            count: turn.count(),
            facts: turn.facts(),
            begins: begins.map(|activation| self.begins(activation)),
            standing: standing(&self.state, error.as_deref(), shared.ended.is_some()),
        })?;
        shared.metrics.committed(turn.count());
        turn.appended();
        Ok(Some(appended))
    }

    /// What the journal is told when the execution begins.
    pub(super) fn begins<'a>(&'a self, activation: &'a Activation) -> Begins<'a> {
        Begins {
            definition: &self.bound.stored,
            by: &activation.by,
            at: self.state.created_at(),
            idempotency_key: activation.idempotency_key.as_deref(),
            business_key: activation.business_key.as_deref(),
        }
    }

    /// Why it failed, if it has; for the journal's summary.
    pub(super) fn error(&self) -> Option<String> {
        let (Terminal::Failed, _) = self.state.ended()? else { return None };
        self.state.end_outcome(&self.bound.compiled)?.error().map(ToString::to_string)
    }

    /// Tells observers what has become durable.
    pub(super) fn observe(&mut self, turn: &mut CommittedTurn) {
        let execution = self.state.id();
        observe::attempts(&self.bound, turn.attempts.drain(..));
        if !turn.events.is_empty() {
            observe::events(&self.bound, execution, turn.events.drain(..), self.side.subscribers());
        }
        observe::created(&self.bound, execution, &turn.effects);
    }

    /// Gives what is shown when all that was seen is durable, if that has to wait.
    pub(super) fn look(&mut self, look: Look) -> Option<Shown> {
        let seen = look.see(self.slot, &self.state, self.durable, &self.bound, &self.side.completion, None);
        self.side.watch(seen.subscriber);
        seen.shown
    }
}

fn standing<'a>(state: &Execution, error: Option<&'a str>, to_tell: bool) -> Standing<'a> {
    match (state.ended(), state.status()) {
        (Some((status, at)), _) => Standing::Ended(Ends { status, at, error, to_tell }),
        (None, ExecutionStatus::Ending) => Standing::Ending,
        _ => Standing::Running,
    }
}
