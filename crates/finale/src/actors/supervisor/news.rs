//! What the Supervisor hears from the actors of executions and from the task engine.

use actix::{Context, Handler};
use finale_core::Time;
use finale_core::execution;
use finale_core::number::{ActorNo, Slot};
use finale_core::supervisor::{Body, Input, Message};
use finale_core::task_engine::{self, Batch, Delivery, EarlyReport, FiredTimer, TaskUpdate, Update};

use crate::actors::execution_actor::told;
use crate::actors::lane::emptied;
use crate::actors::messages::{
    ActorNews, Answered, Continue, EngineAnswers, EngineLost, ExecutionEnded, ForEngine, ForSupervisor, TaskCompleted,
    TaskFailed, TaskReported, TaskUpdated, TimerFired,
};
use crate::actors::requests::Waiting;
use crate::observe;

use super::Supervisor;

impl Supervisor {
    fn hear(&mut self, now: Time, from: ActorNo, news: ActorNews) {
        match news {
            ActorNews::Begun(slot) => self.decide(now, Input::Begun(slot)),
            ActorNews::Detached(hosted, side) => {
                side.list(&self.shared.directory, hosted.state.id());
                self.put_side(hosted.slot, side);
                self.decide(now, Input::Detached(hosted));
            }
            ActorNews::Panicked(mut panicked, execution, side, looks) => {
                let queries = panicked.messages.iter_mut().filter(|message| matches!(message.body, Body::Query));
                for (message, look) in queries.zip(looks) {
                    message.request = Some(self.requests.put(Waiting::Look(look)));
                }
                side.list(&self.shared.directory, execution);
                self.put_side(panicked.slot, side);
                self.decide(now, Input::Panicked(panicked));
            }
            ActorNews::Forwarded(mut tell, look) => {
                if let Some(look) = look {
                    tell.message.request = Some(self.requests.put(Waiting::Look(look)));
                }
                self.decide(now, Input::Forwarded { from, tell });
            }
            ActorNews::Delivered(slot, mut message, look) => {
                if let Some(look) = look {
                    message.request = Some(self.requests.put(Waiting::Look(look)));
                }
                self.delivered(slot, message);
            }
            ActorNews::Overruled(slot, accepted) => self.decide(now, Input::CommandApplied { slot, accepted }),
            ActorNews::Replied(request, Ok(())) => {
                self.requests.take(request).into_iter().for_each(Waiting::done);
            }
            ActorNews::Replied(request, Err(refused)) => {
                self.requests.take(request).into_iter().for_each(|waiting| waiting.refused(refused.clone()));
            }
            ActorNews::Failed(request, error) => {
                self.requests.take(request).into_iter().for_each(|waiting| waiting.failed(&error));
            }
            ActorNews::Late(event) => {
                observe::late(&event);
                self.decide(now, Input::NoteLate(event));
            }
        }
    }

    /// The task engine has something for executions that are parked here.
    pub(super) fn delivered(&mut self, slot: Slot, message: Message) {
        let now = self.shared.clock.now();
        self.decide(now, Input::Delivered { slot, message });
    }

    /// A handler of an execution that is parked here says something. Its progress is of interest to those who watch only.
    fn updated(&mut self, update: TaskUpdate) {
        let slot = update.slot;
        if let Update::Progress(progress) = update.update {
            let side = self.sides.get_mut(slot.index()).and_then(Option::as_mut);
            if let (Some(side), Some(hosted)) = (side, self.machine.parked(slot))
                && side.is_watched()
            {
                let bound = self.shared.definition(hosted.definition);
                observe::progress(&bound, &hosted.state, side, (update.dispatch, update.at), progress);
            }
        } else if let Some(input) = update.into_input() {
            self.delivered(slot, Message::tell(input));
        }
    }

    /// Passes a batch of outcomes on, once and in its order; one whose predecessor was lost comes again after that.
    pub(super) fn batch(&mut self, batch: &Batch, context: &mut Context<Self>) {
        if batch.number > self.taken && batch.previous <= self.taken {
            self.taken = batch.number;
            for status in &batch.statuses {
                self.updated(status.clone());
            }
            for outcome in &batch.outcomes {
                self.delivered(outcome.slot, Message::tell(told(batch, outcome)));
            }
        }
        self.tell(Input::BatchDelivered(self.taken), context);
    }
}

impl Supervisor {
    /// Takes what the other actors of the shard have sent.
    pub(super) fn take_lane(&mut self, context: &mut Context<Self>) {
        let mut messages = self.own.take(std::mem::take(&mut self.spare));
        if !messages.is_empty() {
            self.look_at_journal();
            let now = self.shared.clock.now();
            for message in messages.drain(..) {
                match message {
                    ForSupervisor::Ended(ended) => self.ended(now, ended),
                    ForSupervisor::News(from, news) => self.hear(now, from, news),
                    ForSupervisor::Delivered(delivery) => self.take_delivery(delivery, context),
                }
            }
            self.carry_out(context);
        }
        self.spare = emptied(messages);
    }

    /// An execution has ended, durably.
    fn ended(&mut self, now: Time, ExecutionEnded(execution, ended, side): ExecutionEnded) {
        self.ending.push_back((execution, side));
        self.decide(now, Input::Ended(ended));
    }

    fn take_delivery(&mut self, delivery: Delivery, context: &mut Context<Self>) {
        match delivery {
            Delivery::TaskCompleted(batch) => self.handle(TaskCompleted(batch), context),
            Delivery::TaskFailed(batch) => self.handle(TaskFailed(batch), context),
            Delivery::TimerFired(timers) => self.handle(TimerFired(timers), context),
            Delivery::TaskReported(reports) => self.handle(TaskReported(reports), context),
            Delivery::Continue(slots) => self.handle(Continue(slots), context),
            Delivery::TaskUpdated(updates) => self.handle(TaskUpdated(updates), context),
            Delivery::Answered(messages) => self.handle(Answered(messages), context),
        }
    }
}

impl Handler<TaskCompleted> for Supervisor {
    type Result = ();

    fn handle(&mut self, TaskCompleted(batch): TaskCompleted, context: &mut Self::Context) {
        self.batch(&batch, context);
    }
}

impl Handler<TaskFailed> for Supervisor {
    type Result = ();

    fn handle(&mut self, TaskFailed(batch): TaskFailed, context: &mut Self::Context) {
        self.batch(&batch, context);
    }
}

impl Handler<TimerFired> for Supervisor {
    type Result = ();

    fn handle(&mut self, TimerFired(timers): TimerFired, context: &mut Self::Context) {
        for FiredTimer { slot, timer } in timers {
            self.delivered(slot, Message::tell(execution::Input::TimerFired(timer)));
        }
        self.carry_out(context);
    }
}

impl Handler<TaskReported> for Supervisor {
    type Result = ();

    fn handle(&mut self, TaskReported(reports): TaskReported, context: &mut Self::Context) {
        for EarlyReport { slot, report, request, .. } in reports {
            self.delivered(slot, Message { request, body: Body::Input(*report) });
        }
        self.carry_out(context);
    }
}

impl Handler<TaskUpdated> for Supervisor {
    type Result = ();

    fn handle(&mut self, TaskUpdated(updates): TaskUpdated, context: &mut Self::Context) {
        updates.into_iter().for_each(|update| self.updated(update));
        self.carry_out(context);
    }
}

impl Handler<Continue> for Supervisor {
    type Result = ();

    fn handle(&mut self, Continue(slots): Continue, context: &mut Self::Context) {
        for slot in slots {
            self.delivered(slot, Message::tell(execution::Input::Continue));
        }
        self.carry_out(context);
    }
}

impl Handler<Answered> for Supervisor {
    type Result = ();

    /// The Supervisor asks nothing that is answered so.
    fn handle(&mut self, _answered: Answered, _context: &mut Self::Context) {}
}

impl Handler<EngineAnswers> for Supervisor {
    type Result = ();

    fn handle(&mut self, EngineAnswers { replies, drained }: EngineAnswers, context: &mut Self::Context) {
        self.take_lane(context);
        for task_engine::Reply { request, answer } in replies {
            self.requests.take(request).into_iter().for_each(|waiting| waiting.early(answer));
        }
        if let Some(drained) = drained {
            self.drained(drained, context);
        }
    }
}

impl Handler<EngineLost> for Supervisor {
    type Result = ();

    fn handle(&mut self, EngineLost { is_final }: EngineLost, context: &mut Self::Context) {
        self.take_lane(context);
        if is_final {
            return self.tell(Input::EngineFailed, context);
        }
        let definitions = self.shared.definitions.borrow().all();
        for number in definitions {
            self.engine.send(ForEngine::Change(self.define(number)));
        }
        self.tell(Input::EngineRebuilt, context);
        self.engine.send(ForEngine::Registered);
    }
}
