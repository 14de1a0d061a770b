//! What happens when the actor of an execution died: rebuilt from the journal, or parked if it dies again and again.

use std::rc::Rc;

use finale_core::Execution;
use tokio::time::Instant;

use super::Supervisor;
use crate::errors::CommandError;
use crate::shard::{Live, Work};
use crate::telemetry::TARGET;

impl Supervisor {
    /// Folds the history again, reads again what the dead actor had in hand, and looks what must be under way.
    pub(super) fn rebuild(&mut self, live: &Rc<Live>) {
        if live.unseat() {
            self.shard.active.set(self.shard.active.get() - 1);
        }
        if self.dies_too_often(live) {
            return quarantine(live, "its actor died again and again");
        }
        tracing::error!(target: TARGET, execution = %live.id, "the actor of an execution died and is rebuilt");
        self.restore(live);
    }

    /// An operator lets a parked execution go on.
    pub(super) fn release(&mut self, live: &Rc<Live>) -> Result<(), CommandError> {
        if !live.is_quarantined() {
            return Err(CommandError::Invalid("the execution is not quarantined".to_owned()));
        }
        live.extra(|extra| {
            extra.quarantined = None;
            extra.deaths.clear();
        });
        self.restore(live);
        Ok(())
    }

    fn restore(&self, live: &Rc<Live>) {
        match self.folded(live) {
            Ok(execution) => live.change(|state| *state = execution),
            Err(reason) => return quarantine(live, &reason),
        }
        live.put_back();
        self.shard.work(Work::Reconcile(Rc::clone(live)));
        if live.has_mail() {
            self.shard.wake(live);
        }
    }

    fn folded(&self, live: &Live) -> Result<Execution, String> {
        let history = self.shard.journal.history(live.id).map_err(|error| error.to_string())?;
        let history = history.unwrap_or_default();
        Execution::fold(live.id, &live.bound.compiled, &history).map_err(|error| error.to_string())
    }

    fn dies_too_often(&self, live: &Live) -> bool {
        let options = &self.shard.options;
        let now = Instant::now();
        live.extra(|extra| {
            extra.deaths.push_back(now);
            extra.deaths.retain(|death| now.duration_since(*death) <= options.deaths_window);
            extra.deaths.len() > options.deaths_max
        })
    }
}

fn quarantine(live: &Live, reason: &str) {
    tracing::error!(target: TARGET, execution = %live.id, reason, "an execution is quarantined");
    live.extra(|extra| extra.quarantined = Some(reason.to_owned()));
}
