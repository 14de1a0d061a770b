//! What is done when a turn is durable, and when it never will be.

use std::sync::Arc;

use actix::Handler;
use finale_core::execution::Effect;
use finale_core::supervisor::{Acknowledge, Ended};
use finale_core::task_engine;
use finale_core::{ExecutionStatus, NodeStatus};
use finale_journal::JournalError;

use crate::actors::messages::{ActorNews, CommittedTurn, Durable, ExecutionEnded, ForSupervisor, GiveUp};
use crate::observe;

use super::ExecutionActor;
use super::hosting::Hosting;

impl ExecutionActor {
    /// Nothing becomes durable any more: whoever waits for the execution here waits for nothing.
    pub(super) fn give_up(&mut self, error: Option<&JournalError>) {
        let Some(hosting) = &self.hosting else { return };
        match error {
            Some(error) if hosting.durable == 0 => hosting.side.completion.refuse(error.clone().into()),
            _ => hosting.side.completion.abandon(),
        }
    }

    pub(super) fn discard(&mut self, turn: &mut CommittedTurn, error: &JournalError) {
        turn.shown.drain(..).for_each(|shown| shown(Err(error)));
        let failed = turn.replies.drain(..).map(|(request, _)| ActorNews::Failed(request, error.clone()));
        self.news.extend(failed);
    }

    /// Everything of the turn is durable: from here on it can be seen. Its storage is used again.
    pub(super) fn perform(&mut self, mut turn: Box<CommittedTurn>) {
        self.perform_all(&mut turn);
        self.turn.reuse_effects(std::mem::take(&mut turn.effects));
        self.spare_turn = Some(turn);
    }

    fn perform_all(&mut self, turn: &mut CommittedTurn) {
        let Some(hosting) = self.hosting.as_mut().filter(|hosting| hosting.slot == turn.slot) else {
            // Its state is lost and is folded again; what is to be under way is found out then.
            return self.answer(turn);
        };
        hosting.pending -= 1;
        let before = std::mem::replace(&mut hosting.durable, turn.last_sequence);
        let slot = hosting.slot;
        if !hosting.is_quarantined {
            hosting.side.completion.publish(turn.status, turn.last_sequence);
        }
        hosting.observe(turn);
        if before == 0 && turn.last_sequence > 0 {
            self.begun();
        }
        let ended = matches!(turn.effects.last(), Some(Effect::Ended));
        if ended {
            turn.effects.pop();
        }
        self.effects.extend(turn.effects.drain(..).map(|effect| (slot, effect)));
        if !turn.outputs.is_empty() {
            self.outputs.extend(turn.outputs.drain(..).map(|(key, output)| (slot, key, output)));
        }
        if turn.answers_somebody() {
            self.answer(turn);
        }
        if ended {
            self.end();
        } else if turn.status == ExecutionStatus::Running {
            // Those that the end goes past hear of the end.
            self.give_back_early();
        }
    }

    /// The first facts of the execution are durable.
    fn begun(&mut self) {
        let Some(hosting) = &mut self.hosting else { return };
        let id = hosting.state.id();
        if let Some(begin) = hosting.begin.take() {
            self.shared.keep_begin(begin);
        }
        observe::activated(&hosting.bound, id);
        hosting.side.completion.acknowledge(id);
        if hosting.acknowledge == Acknowledge::Supervisor {
            self.news.push(ActorNews::Begun(hosting.slot));
        }
    }

    /// Reports that came too early are answered when their node has settled without being opened.
    pub(super) fn give_back_early(&mut self) {
        let Some(hosting) = self.hosting.as_mut().filter(|hosting| hosting.side.has_early()) else { return };
        let (slot, state) = (hosting.slot, &hosting.state);
        let settled = |key| state.node_status(key).is_none_or(NodeStatus::is_settled);
        let settled = hosting.side.take_early(settled);
        for key in settled {
            self.tell_engine(task_engine::Input::GiveBackEarly { slot, key });
        }
    }

    pub(super) fn answer(&mut self, turn: &mut CommittedTurn) {
        self.news.extend(turn.late.drain(..).map(ActorNews::Late));
        self.news.extend(turn.replies.drain(..).map(|(request, result)| ActorNews::Replied(request, result)));
        turn.shown.drain(..).for_each(|shown| shown(Ok(())));
    }

    /// The end is durable, and nothing of the execution runs any more.
    pub(super) fn end(&mut self) {
        let Some(Hosting { slot, bound, state, side, cancels, .. }) = self.hosting.take() else { return };
        let Some(outcome) = state.end_outcome(&bound.compiled) else { return };
        let interrupted = if cancels.is_empty() { Vec::new() } else { state.interrupted().to_vec() };
        let activation = state.activation().filter(|_| self.shared.ended.is_some());
        let business_key = activation.and_then(|activation| activation.business_key.clone());
        let outcome = Arc::new(outcome);
        let execution = state.id();
        observe::ended(&bound, execution, state.created_at(), &outcome);
        self.spare = Some(state);
        // What comes before the end in the news must not come after it.
        self.flush_news();
        let ended = ExecutionEnded(execution, Ended { slot, outcome, business_key, cancels, interrupted }, side);
        self.supervisor.send(ForSupervisor::Ended(ended));
    }
}

impl Handler<Durable> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, Durable(mut turn, durable): Durable, _context: &mut Self::Context) {
        match durable {
            Ok(()) => self.perform(turn),
            Err(error) => self.discard(&mut turn, &error),
        }
    }
}

impl Handler<GiveUp> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, GiveUp(error): GiveUp, _context: &mut Self::Context) {
        self.give_up(error.as_ref());
    }
}
