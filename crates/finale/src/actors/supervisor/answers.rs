//! What those hear who wait: how an execution ended, what came of a request, what there is to be seen.

use std::sync::Arc;

use actix::fut::{ActorFutureExt, wrap_future};
use actix::{AsyncContext, Context};
use finale_core::ExecutionId;
use finale_core::supervisor::{Answer, NotDone, Notice, Published, Query, QueryTarget, Reply};

use crate::activation::{ActivateError, Request};
use crate::actors::messages::Side;
use crate::actors::past;
use crate::actors::requests::{NotSeen, Waiting, WaitingActivation, activate_error};
use crate::handle::CancelReceipt;
use crate::observe;

use super::Supervisor;
use super::take_in::Repetition;

impl Supervisor {
    /// Everybody hears how an execution ended; it is durable, and nothing of it runs any more.
    pub(super) fn publish(&mut self, published: Published) {
        let Published { execution, definition, outcome, cancels, interrupted } = published;
        if definition.is_none() {
            observe::written_off(execution, &outcome);
        }
        // They are published in the order in which they ended, but for a panic between the two.
        let ending = self.ending.iter().position(|(ending, _)| *ending == execution);
        // Dropped only when the end was said: until then it would say that nobody will tell.
        let mut side = match ending.and_then(|index| self.ending.remove(index)) {
            Some((_, side)) => side,
            // Its end was found in the journal, when its history was read again.
            None => {
                let unreadable = self.unreadable.remove(&execution);
                Side::new(unreadable.or_else(|| self.shared.directory.get(execution)).unwrap_or_default())
            }
        };
        side.completion.end(execution, Arc::clone(&outcome));
        side.told = true;
        if side.completion.is_listed() {
            self.shared.directory.close(execution);
        }
        for request in cancels {
            if let Some(Waiting::Cancel(_, sender)) = self.requests.take(request) {
                let bound = definition.map(|number| self.shared.definition(number));
                let receipt = CancelReceipt::new(execution, bound.as_deref(), &outcome, &interrupted);
                // Whoever asked may have gone; that is fine.
                let _ = sender.send(Ok(receipt));
            }
        }
    }

    pub(super) fn reply(&mut self, Reply { request, answer }: Reply, context: &mut Context<Self>) {
        let Some(waiting) = self.requests.take(request) else { return };
        let journal = || self.shared.journal_error();
        match (answer, waiting) {
            (Answer::Began(execution) | Answer::Repeats(execution), Waiting::Activation(waiting)) => {
                self.repeat(waiting, execution, context);
            }
            (Answer::NotActivated(why), Waiting::Activation(WaitingActivation { pledge, key, refused, .. })) => {
                let error = activate_error(why, key.as_deref(), refused, &self.shared.options, journal);
                pledge.completion().refuse(error);
            }
            (Answer::NotDone(NotDone::Refused(refused)), waiting) => waiting.refused(refused),
            (Answer::NotDone(why), waiting) => {
                let early_max = self.shared.options.limits.early_outcomes_max;
                waiting.not_done(&why, early_max, &journal);
            }
            (Answer::Done, waiting) => waiting.done(),
            _ => {}
        }
    }

    /// An activation is answered with an execution that others know as well.
    pub(super) fn repeat(&mut self, waiting: WaitingActivation, execution: ExecutionId, context: &mut Context<Self>) {
        if let Some(known) = self.shared.directory.get(execution) {
            return waiting.pledge.completion().repeat(known);
        }
        let (journal, directory) = (Arc::clone(&self.shared.journal), Arc::clone(&self.shared.directory));
        let (peers, shards) = (self.peers.clone(), self.shared.options.shards);
        let repeated = async move {
            let repeated = past::repeated(&journal, &directory, &peers, shards, execution).await;
            (waiting, repeated)
        };
        let answered = wrap_future::<_, Self>(repeated).map(move |(waiting, repeated), supervisor, context| {
            let WaitingActivation { pledge, again, .. } = waiting;
            match (repeated, again) {
                (Ok(Some(repeated)), _) => pledge.completion().repeat(repeated),
                (Ok(None), Some(again)) => supervisor.begin_anew(Request { pledge, ..*again }, context),
                (Ok(None), None) => pledge.completion().refuse(forgotten(execution)),
                (Err(error), _) => pledge.completion().refuse(error),
            }
        });
        context.spawn(answered);
    }

    /// The execution that had the key of this activation is forgotten, so the key is free. That it happens twice to the same
    /// activation is no accident, and then it is refused.
    fn begin_anew(&mut self, request: Request, context: &mut Context<Self>) {
        self.activate(self.shared.clock.now(), request, Repetition::Again);
        self.carry_out(context);
        self.drive.wake_by_ref();
    }

    pub(super) fn note(&self, notice: &Notice) {
        observe::notice(notice);
        let (execution, quarantined) = match notice {
            Notice::Quarantined(execution, _) => (execution, true),
            Notice::Released(execution) => (execution, false),
            Notice::NotBegun(execution, _) => return drop(self.shared.directory.close(*execution)),
            _ => return,
        };
        if let Some(completion) = self.shared.directory.get(*execution) {
            completion.quarantine(quarantined);
        }
    }

    pub(super) fn look(&mut self, Query { request, execution, at }: Query) {
        let Some(look) = self.requests.take_look(request) else { return };
        let (slot, quarantined) = match at {
            QueryTarget::Parked(slot) => (slot, None),
            QueryTarget::Quarantined(slot, reason) => (slot, Some(reason)),
            QueryTarget::Unreadable(reason) => {
                let completion = self.unreadable.entry(execution).or_default();
                completion.acknowledge(execution);
                completion.quarantine(true);
                if self.shared.port.error().is_some() {
                    completion.abandon();
                }
                return look.unreadable(&reason, completion);
            }
            QueryTarget::Journal => return look.refuse(NotSeen::InJournal),
        };
        let mut side = self.take_side(slot, execution);
        if quarantined.is_some() {
            side.completion.quarantine(true);
        }
        if let Some(hosted) = self.machine.parked(slot) {
            let bound = self.shared.definition(hosted.definition);
            let (state, durable) = (&hosted.state, hosted.state.sequence());
            let seen = look.see(slot, state, durable, &bound, &side.completion, quarantined.as_deref());
            side.watch(seen.subscriber);
            // All of a plain value is durable.
            seen.shown.into_iter().for_each(|shown| shown(Ok(())));
        }
        self.put_side(slot, side);
    }
}

/// Why an activation is not begun whose key belongs to an execution that is not there.
fn forgotten(execution: ExecutionId) -> ActivateError {
    ActivateError::NotBegun { reason: format!("execution {execution} has the same key, and was forgotten meanwhile") }
}
