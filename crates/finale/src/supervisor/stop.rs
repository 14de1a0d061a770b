//! The end of a shard: no more executions, and nobody waits for what will not come.

use actix::{ActorContext, Handler, Message};

use super::Supervisor;
use crate::activation::ActivateError;

/// Ends a shard.
#[derive(Message)]
#[rtype(result = "usize")]
pub(crate) struct Stop {
    /// Whether executions are let go; else only no more are admitted.
    pub(crate) for_good: bool,
}

impl Handler<Stop> for Supervisor {
    /// How many executions have not ended.
    type Result = usize;

    fn handle(&mut self, stop: Stop, context: &mut Self::Context) -> usize {
        self.stopping = true;
        self.refuse_waiting(&ActivateError::Stopped);
        let unfinished = self.shard.directory.borrow().len();
        if stop.for_good {
            self.let_go();
            context.stop();
        }
        unfinished
    }
}

impl Supervisor {
    /// The journal takes nothing more: nobody is told anything that may not be true after a restart.
    pub(super) fn fail_stop(&mut self) {
        let Some(error) = self.shard.journal_error() else {
            return;
        };
        tracing::error!(target: crate::telemetry::TARGET, %error, "the journal failed: nothing goes on");
        self.shard.draining.set(true);
        self.refuse_waiting(&ActivateError::Journal(error.clone()));
        for live in self.shard.directory.borrow().values() {
            if live.durable.get() == 0 {
                live.completion.refuse(ActivateError::Journal(error.clone()));
            }
            live.unseat();
            live.completion.abandon();
        }
    }

    fn refuse_waiting(&mut self, error: &ActivateError) {
        for request in self.queue.drain(..) {
            request.pledge.completion().refuse(error.clone());
        }
    }

    fn let_go(&mut self) {
        let lives = std::mem::take(&mut *self.shard.directory.borrow_mut());
        for live in lives.into_values() {
            live.unseat();
            live.clear();
            live.completion.abandon();
        }
    }
}
