//! What the journal says about an execution.

use finale_core::execution::Replay;
use finale_core::fact::Facts;
use finale_core::{Execution, ExecutionId};

use super::{Bound, Live, Shard};
use crate::errors::CommandError;
use crate::events::Event;

impl Shard {
    /// The state that the history of an execution comes to.
    pub(crate) fn fold(&self, execution: ExecutionId, bound: &Bound) -> Result<Execution, CommandError> {
        let history = self.journal.history(execution)?.ok_or(CommandError::NotFound)?;
        Execution::fold(execution, &bound.compiled, &history).map_err(invalid)
    }

    /// The state of an execution that has not ended, as the journal says it was at that fact.
    pub(crate) fn fold_live(&self, live: &Live, up_to: u64) -> Result<Execution, CommandError> {
        // Of an execution that has only just been handed in there is no history yet.
        let history = self.journal.history(live.id)?.unwrap_or_default();
        Execution::fold_up_to(live.id, &live.bound.compiled, &history, up_to).map_err(invalid)
    }

    /// The state of an execution as far as it is durable.
    pub(crate) fn durable(&self, live: &Live) -> Result<Execution, CommandError> {
        self.fold_live(live, live.durable.get())
    }

    /// The events that followed from the facts after one, up to another.
    pub(crate) fn replay(
        &self,
        execution: ExecutionId,
        bound: &Bound,
        after: u64,
        up_to: u64,
    ) -> Result<Vec<Event>, CommandError> {
        // Of an execution that has only just been handed in there is none yet.
        let history = self.journal.history(execution)?.unwrap_or_default();
        let mut state = Execution::new(execution, &bound.compiled);
        let mut replay = Replay::default();
        for recorded in Facts::new(&history) {
            if state.sequence() >= up_to {
                break;
            }
            replay.apply(&mut state, &bound.compiled, recorded.map_err(invalid)?).map_err(invalid)?;
            if state.sequence() <= after {
                replay.notices.clear();
            }
        }
        let event = |noticed| Event::new(execution, &bound.compiled, noticed);
        Ok(replay.notices.into_iter().filter_map(event).collect())
    }
}

fn invalid(error: impl std::fmt::Display) -> CommandError {
    CommandError::Invalid(error.to_string())
}
