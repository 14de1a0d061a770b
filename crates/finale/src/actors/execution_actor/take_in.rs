//! What comes in: it is taken in, or kept until the journal has room for what comes of it.

use std::sync::Arc;

use actix::{Context, Handler};
use finale_core::execution::Input;
use finale_core::number::{Callback, Slot};
use finale_core::supervisor::{self, AttachmentNo, Begin, Body, Message, Resume};
use finale_core::task_engine::{
    self, Batch, Delivery, EarlyReport, FiredTimer, TaskOutcome, TaskResult, TaskUpdate, Update,
};
use finale_core::{ExecutionId, Failure, Payload, Time};

use crate::actors::messages::{
    ActorNews, Answered, Attach, Attempted, Continue, ForExecution, JournalHasRoom, Reattach, Side, TaskCompleted,
    TaskFailed, TaskReported, TaskUpdated, Tell, TimerFired,
};
use crate::actors::requests::Look;
use crate::fence::fenced;
use crate::observe;

use super::ExecutionActor;
use super::hosting::Hosting;
use super::turn::late_event;

/// Something that changes the execution.
pub(super) enum Incoming {
    Begin(Box<Begin>, Side),
    Resume(Box<Resume>, Side, Vec<Look>),
    Tell(supervisor::Tell, Option<Look>),
    Outcomes(Arc<Batch>),
    Timers(Vec<FiredTimer>),
    Reports(Vec<EarlyReport>),
    Continue(Vec<Slot>),
}

impl ExecutionActor {
    /// Takes what was sent here: each message goes to its handler.
    pub(super) fn take_lane(&mut self, context: &mut Context<Self>) {
        while let Some(message) = self.lane.next() {
            match message {
                ForExecution::Attach(attach) => self.handle(attach, context),
                ForExecution::Reattach(reattach) => self.handle(reattach, context),
                ForExecution::Tell(tell) => self.handle(*tell, context),
                ForExecution::Delivered(delivery) => self.take_delivery(delivery, context),
                ForExecution::GiveUp(give_up) => self.handle(give_up, context),
                ForExecution::Dismiss(dismiss) => self.handle(dismiss, context),
            }
        }
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

    /// Takes something in, or keeps it until the journal has room for what comes of it.
    pub(super) fn take(&mut self, incoming: Incoming) {
        if let Incoming::Tell(tell, _) = &incoming
            && tell.message.is_custom_status()
            && self.hosting.as_ref().is_some_and(|hosting| hosting.slot == tell.slot)
        {
            // Nothing is recorded because of it.
            return self.act_on(incoming);
        }
        if !self.backlog.is_empty() {
            return self.backlog.push_back(incoming);
        }
        if self.shared.port.is_full() {
            self.backlog.push_back(incoming);
            return self.shared.wait_for_room(self.own());
        }
        self.act_on(incoming);
    }

    pub(super) fn act_on(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Begin(begin, side) => self.begin(begin, side),
            Incoming::Resume(resume, side, looks) => self.resume(*resume, side, looks),
            Incoming::Tell(tell, look) => self.tell(tell, look),
            Incoming::Outcomes(batch) => self.outcomes(&batch),
            Incoming::Timers(timers) => {
                for FiredTimer { slot, timer } in timers {
                    self.delivered(slot, Message::tell(Input::TimerFired(timer)));
                }
            }
            Incoming::Continue(slots) => {
                for slot in slots {
                    self.delivered(slot, Message::tell(Input::Continue));
                }
            }
            Incoming::Reports(reports) => {
                for EarlyReport { slot, report, request, .. } in reports {
                    self.delivered(slot, Message { request, body: Body::Input(*report) });
                }
            }
        }
    }

    /// A message of the Supervisor; what is for another execution than is here goes back to it.
    pub(super) fn tell(&mut self, tell: supervisor::Tell, look: Option<Look>) {
        match &mut self.hosting {
            Some(hosting) if hosting.slot == tell.slot => {
                hosting.told += 1;
                self.one_turn(tell.message, look);
            }
            _ => self.news.push(ActorNews::Forwarded(tell, look)),
        }
    }

    /// Something from the task engine; what is for another execution than is here goes to the Supervisor.
    pub(super) fn delivered(&mut self, slot: Slot, message: Message) {
        match &self.hosting {
            Some(hosting) if hosting.slot == slot => drop(self.one_turn(message, None)),
            _ => self.news.push(ActorNews::Delivered(slot, message, None)),
        }
    }

    /// A handler says something. Its progress is of interest to those who watch only, and to nobody where its execution is
    /// not here any more.
    fn updated(&mut self, update: TaskUpdate) {
        let slot = update.slot;
        if let Update::Progress(progress) = update.update {
            if let Some(hosting) = self.hosting.as_mut().filter(|hosting| hosting.slot == slot)
                && hosting.side.is_watched()
            {
                let Hosting { bound, state, side, .. } = hosting;
                observe::progress(bound, state, side, (update.dispatch, update.at), progress);
            }
        } else if let Some(input) = update.into_input() {
            self.delivered(slot, Message::tell(input));
        }
    }

    /// Takes a batch of outcomes in, once and in its order.
    pub(super) fn receive(&mut self, batch: Arc<Batch>) {
        if batch.number <= self.taken {
            // It was sent again because nothing has said yet that it came.
            return self
                .tell_engine(task_engine::Input::Taken { callback: Callback::Actor(self.number), batch: self.taken });
        }
        // One that waits for the journal is here already; one whose predecessor was lost comes again after that.
        if batch.number > self.received && batch.previous <= self.received {
            self.received = batch.number;
            self.take(Incoming::Outcomes(batch));
        }
    }

    /// All outcomes of a batch that are of the execution here are one turn.
    pub(super) fn outcomes(&mut self, batch: &Arc<Batch>) {
        self.taken = batch.number;
        self.answered(batch.answers);
        for status in &batch.statuses {
            self.updated(status.clone());
        }
        let here = self.hosting.as_ref().map(|hosting| hosting.slot);
        let (now, watched) = (self.shared.clock.now(), self.is_watched());
        let (mut decided, mut passed_on) = (false, Vec::new());
        for (at, outcome) in batch.outcomes.iter().enumerate() {
            if self.hosting.is_some() && here == Some(outcome.slot) {
                decided = true;
                if let Err(panicked) = self.outcome(now, watched, batch, outcome) {
                    // The turn holds all outcomes so far: none of them is recorded.
                    let of_turn = batch.outcomes[..=at].iter().filter(|outcome| here == Some(outcome.slot));
                    let messages = of_turn.map(|outcome| Message::tell(told(batch, outcome))).collect();
                    self.panicked(&panicked, messages);
                    decided = false;
                }
            } else if let Some(ActorNews::Panicked(panicked, ..)) = self.news.last_mut()
                && panicked.slot == outcome.slot
            {
                panicked.messages.push(Message::tell(told(batch, outcome)));
            } else {
                let message = Message::tell(told(batch, outcome));
                self.news.push(ActorNews::Delivered(outcome.slot, message, None));
                passed_on.push(at);
            }
        }
        if !passed_on.is_empty() {
            // Before the batch is acknowledged: until they are taken in elsewhere, the task engine must know these outcomes.
            self.tell_engine(task_engine::Input::PassedOn { batch: Arc::clone(batch), outcomes: passed_on });
        }
        if decided {
            self.commit();
        }
    }

    /// Gives how the core panicked over it, if it did.
    fn outcome(&mut self, now: Time, watched: bool, batch: &Batch, outcome: &TaskOutcome) -> Result<(), Failure> {
        let Some(hosting) = &mut self.hosting else { return Ok(()) };
        self.turn.watch(watched);
        let (state, compiled, turn) = (&mut hosting.state, &hosting.bound.compiled, &mut self.turn);
        let TaskOutcome { dispatch, started, ended, .. } = *outcome;
        let span = (started, ended);
        let shared = &self.shared;
        let decided = fenced(|| {
            shared.strike(|| told(batch, outcome));
            match &outcome.result {
                TaskResult::Completed(range) => {
                    state.handle_outcome(compiled, now, dispatch, Ok(batch.output(*range)), span, turn)
                }
                TaskResult::Failed(failure) => state.handle_outcome(compiled, now, dispatch, Err(failure), span, turn),
                TaskResult::Stopped(how) => state.handle(compiled, now, Input::Stopped { dispatch, how: *how }, turn),
            }
        });
        match decided? {
            Ok(()) if !watched => self.decided.attempts.extend(Attempted::new(outcome)),
            Ok(()) => {}
            Err(refused) => {
                let input = told(batch, outcome);
                self.decided.late.extend(late_event(hosting.state.id(), now, &input, &refused));
            }
        }
        Ok(())
    }

    /// The execution is not here any more, and there is more for it: it panicked over a message before that, or ended.
    pub(super) fn not_taken(
        &mut self,
        slot: Slot,
        execution: ExecutionId,
        messages: impl Iterator<Item = Message>,
        mut looks: impl Iterator<Item = Look>,
    ) {
        if let Some(ActorNews::Panicked(panicked, _, _, left)) = self.news.last_mut() {
            panicked.messages.extend(messages);
            left.extend(looks);
            return;
        }
        for message in messages {
            let look = if matches!(message.body, Body::Query) { looks.next() } else { None };
            let attachment = AttachmentNo::default();
            self.news.push(ActorNews::Forwarded(supervisor::Tell { slot, execution, attachment, message }, look));
        }
    }
}

impl Handler<Attach> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, Attach(begin, side): Attach, _context: &mut Self::Context) {
        self.take(Incoming::Begin(begin, side));
    }
}

impl Handler<Reattach> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, Reattach(resume, side, looks): Reattach, _context: &mut Self::Context) {
        self.take(Incoming::Resume(resume, side, looks));
    }
}

impl Handler<Tell> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, Tell(tell, look): Tell, _context: &mut Self::Context) {
        self.take(Incoming::Tell(tell, look));
    }
}

impl Handler<TaskCompleted> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, TaskCompleted(batch): TaskCompleted, _context: &mut Self::Context) {
        self.receive(batch);
    }
}

impl Handler<TaskFailed> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, TaskFailed(batch): TaskFailed, _context: &mut Self::Context) {
        self.receive(batch);
    }
}

impl Handler<TimerFired> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, TimerFired(timers): TimerFired, _context: &mut Self::Context) {
        self.take(Incoming::Timers(timers));
    }
}

impl Handler<TaskReported> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, TaskReported(reports): TaskReported, _context: &mut Self::Context) {
        self.take(Incoming::Reports(reports));
    }
}

impl Handler<TaskUpdated> for ExecutionActor {
    type Result = ();

    /// It need not wait for room in the journal: nothing is recorded because of it.
    fn handle(&mut self, TaskUpdated(updates): TaskUpdated, _context: &mut Self::Context) {
        updates.into_iter().for_each(|update| self.updated(update));
    }
}

impl Handler<Continue> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, Continue(slots): Continue, _context: &mut Self::Context) {
        self.take(Incoming::Continue(slots));
    }
}

impl Handler<Answered> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, Answered(messages): Answered, _context: &mut Self::Context) {
        self.answered(messages);
    }
}

impl Handler<JournalHasRoom> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, _room: JournalHasRoom, _context: &mut Self::Context) {
        while !self.shared.port.is_full()
            && let Some(incoming) = self.backlog.pop_front()
        {
            self.act_on(incoming);
        }
        if !self.backlog.is_empty() {
            self.shared.wait_for_room(self.own());
        }
    }
}

/// An outcome as the core is told it.
pub(crate) fn told(batch: &Batch, outcome: &TaskOutcome) -> Input {
    let TaskOutcome { dispatch, started, ended, .. } = *outcome;
    let result = match &outcome.result {
        TaskResult::Completed(range) => Ok(Payload::from_encoded(batch.output(*range))),
        TaskResult::Failed(failure) => Err((**failure).clone()),
        TaskResult::Stopped(how) => return Input::Stopped { dispatch, how: *how },
    };
    Input::Outcome { dispatch, result, started, ended }
}
