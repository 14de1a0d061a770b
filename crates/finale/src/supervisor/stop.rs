//! The end of a shard: no more executions, and nobody waits for what will not come.

use std::time::Duration;

use actix::{ActorContext, AsyncContext, Context, Handler, Message};
use tokio::sync::oneshot;

use super::Supervisor;
use super::unreadable::Unreadable;
use crate::activation::ActivateError;

/// Admits no more executions from now on.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Close;

/// What a shard was at when it ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left {
    /// Executions that had not ended.
    pub(crate) unfinished: usize,
    /// Whether everything that happened is recorded.
    pub(crate) recorded: bool,
}

/// Ends a shard as soon as what was under way to the journal is there.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Leave {
    /// How long it waits for the journal.
    pub(crate) patience: Duration,
    pub(crate) answer: oneshot::Sender<Left>,
}

impl Handler<Close> for Supervisor {
    type Result = ();

    fn handle(&mut self, _close: Close, _context: &mut Self::Context) {
        self.stopping = true;
        self.refuse_waiting(&ActivateError::Stopped);
    }
}

impl Handler<Leave> for Supervisor {
    type Result = ();

    fn handle(&mut self, leave: Leave, context: &mut Self::Context) {
        self.stopping = true;
        self.refuse_waiting(&ActivateError::Stopped);
        self.leaving = Some(leave.answer);
        context.run_later(leave.patience, Self::leave);
        self.leave_if_quiet(context);
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
            if live.unseat() {
                self.shard.active.set(self.shard.active.get() - 1);
            }
            live.fail(&error);
            live.completion.abandon();
        }
        self.unreadable.values().for_each(Unreadable::abandon);
    }

    fn refuse_waiting(&mut self, error: &ActivateError) {
        for request in self.queue.drain(..) {
            request.pledge.completion().refuse(error.clone());
        }
        for early in std::mem::take(&mut self.expected).into_values().flatten() {
            self.shard.give_early_place();
            match error {
                ActivateError::Journal(error) => early.reply.fail(error),
                // Its sender hears that the runtime has stopped.
                _ => drop(early),
            }
        }
    }

    /// Leaves, if that was asked for, as soon as everything that happened is recorded.
    pub(super) fn leave_if_quiet(&mut self, context: &mut Context<Self>) {
        if self.leaving.is_some() && self.has_recorded_all() {
            self.leave(context);
        }
    }

    fn has_recorded_all(&self) -> bool {
        self.shard.active.get() == 0 && !self.shard.holds_turns()
    }

    fn leave(&mut self, context: &mut Context<Self>) {
        let Some(answer) = self.leaving.take() else {
            return;
        };
        let recorded = self.has_recorded_all();
        // What has ended durably is told before all others are let go.
        while !self.take_notes() {}
        let unfinished = self.shard.directory.borrow().len() + self.recovery.left_to_look_at() + self.unreadable.len();
        // Whoever asked may have given up already.
        let _ = answer.send(Left { unfinished, recorded });
        self.let_go();
        self.shard.close();
        context.stop();
    }

    fn let_go(&mut self) {
        let lives = std::mem::take(&mut *self.shard.directory.borrow_mut());
        for live in lives.into_values() {
            live.unseat();
            live.clear();
            live.completion.abandon();
        }
        self.unreadable.clear();
    }
}
