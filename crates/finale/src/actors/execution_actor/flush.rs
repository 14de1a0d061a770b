//! What is sent when the mailbox is empty.

use std::pin::Pin;
use std::task::{Context as Polling, Poll};

use actix::{ActorFuture, Context};
use finale_core::number::Callback;
use finale_core::supervisor::Hosted;
use finale_core::task_engine;

use crate::actors::bound::reconcile_of;
use crate::actors::messages::{ActorNews, ForEngine, ForSupervisor};

use super::ExecutionActor;
use super::hosting::Hosting;

impl ExecutionActor {
    /// The task engine has answered so many messages. One that was given up as lost may be among them.
    pub(super) fn answered(&mut self, messages: u32) {
        self.unanswered = self.unanswered.saturating_sub(messages);
        self.is_overdue &= messages == 0;
    }

    /// Repairs what the task engine has not answered from one probe to the next: the message or the answer is lost.
    pub(super) fn probe(&mut self) {
        if std::mem::replace(&mut self.is_overdue, self.unanswered > 0)
            && let Some(hosting) = &mut self.hosting
        {
            (self.unanswered, self.is_overdue) = (0, false);
            hosting.reconciles = true;
        }
    }

    /// Sends what has gathered, and gives the execution back if it only waits.
    pub(super) fn flush(&mut self) {
        if !self.taken_in.is_empty() {
            let taken_in = std::mem::take(&mut self.taken_in);
            self.tell_engine(task_engine::Input::TakenIn(taken_in));
        }
        if !self.effects.is_empty() || !self.outputs.is_empty() {
            let room = self.shared.room_for_effects();
            let effects = std::mem::replace(&mut self.effects, room);
            self.tell_engine(task_engine::Input::Perform { from: self.number, taken: self.taken, effects });
        }
        self.reconcile();
        self.park();
        self.flush_news();
    }

    pub(super) fn flush_news(&mut self) {
        for news in self.news.drain(..) {
            self.supervisor.send(ForSupervisor::News(self.number, news));
        }
    }

    pub(super) fn tell_engine(&mut self, input: task_engine::Input) {
        self.unanswered += u32::from(is_answered(&input));
        self.engine.send(ForEngine::Perform { outputs: std::mem::take(&mut self.outputs), input });
    }

    /// Has the task engine compare what is under way with what must be, as soon as nothing waits for the journal.
    pub(super) fn reconcile(&mut self) {
        let Some(hosting) = self.hosting.as_mut().filter(|hosting| hosting.reconciles && hosting.pending == 0) else {
            return;
        };
        hosting.reconciles = false;
        let sender = (Callback::Actor(self.number), self.taken);
        let (outputs, reconcile) = reconcile_of(&hosting.state, &hosting.bound, hosting.slot, sender);
        self.outputs.extend(outputs);
        self.tell_engine(task_engine::Input::Reconcile(reconcile));
    }

    /// Gives the execution back to the Supervisor if nothing of it is on its way anywhere.
    pub(super) fn park(&mut self) {
        let idle = self.unanswered == 0 && self.backlog.is_empty();
        let Some(hosting) = self.hosting.take_if(|hosting| idle && hosting.pending == 0 && !hosting.reconciles) else {
            return;
        };
        let Hosting { slot, definition, state, side, cancels, told, .. } = hosting;
        self.tell_engine(task_engine::Input::Taken { callback: Callback::Actor(self.number), batch: self.taken });
        let hosted = Hosted { slot, definition, state, cancels, told };
        self.news.push(ActorNews::Detached(Box::new(hosted), side));
    }
}

/// Whether the task engine answers a message.
pub(super) const fn is_answered(input: &task_engine::Input) -> bool {
    matches!(input, task_engine::Input::Perform { .. } | task_engine::Input::Reconcile(_))
}

/// Takes what was sent here, and sends what has gathered after that, when the mailbox is empty as well: one message for each
/// receiver, and what was decided last counts for all of it, so that nothing begins of an execution whose end was decided in the same turn.
pub(super) struct Flush;

impl ActorFuture<ExecutionActor> for Flush {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        actor: &mut ExecutionActor,
        context: &mut Context<ExecutionActor>,
        polling: &mut Polling<'_>,
    ) -> Poll<()> {
        actor.lane.wakes(polling);
        actor.take_lane(context);
        actor.flush();
        Poll::Pending
    }
}
