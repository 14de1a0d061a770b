//! The actor of an execution at work: it lets the core decide, records what was decided, and performs it when it is durable.
//!
//! There is a pool of them in each shard. Each has one execution at a time, from the Supervisor, and gives it back as soon
//! as that only waits. It decides nothing about workflows.

use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as Polling, Poll};

use actix::{Actor, ActorContext, ActorFuture, Addr, AsyncContext, Context, Handler};
use finale_core::execution::{Command, Effect, Input, Refused, Report, Turn};
use finale_core::fact::{Activation, Terminal};
use finale_core::number::{ActorNo, BatchNo, Callback, DefinitionNo, RequestId, Slot};
use finale_core::supervisor::{
    self, Acknowledge, AttachmentNo, Begin, Body, Ended, Hosted, LateEvent, LateKind, Message, Panicked, Resume,
};
use finale_core::task_engine::{self, Batch, EarlyReport, FiredTimer, Reconcile, TaskOutcome, TaskResult};
use finale_core::{Execution, ExecutionId, ExecutionStatus, Failure, FailureClass, NodeStatus, Payload, Time, WorkKey};
use finale_journal::{Append, Appended, Begins, Ends, JournalError, Standing};

use super::bound::Bound;
use super::messages::{
    ActorNews, Answered, Attach, Attempted, CommittedTurn, Continue, Dismiss, Durable, ExecutionEnded, FromActor,
    GiveUp, JournalHasRoom, Perform, Reattach, Shown, Side, TaskCompleted, TaskFailed, TaskReported, Tell, TimerFired,
};
use super::requests::{Look, NotSeen};
use super::shared::{Released, Shared};
use super::supervisor::Supervisor;
use super::task_engine::TaskEngine;
use crate::fence::fenced;
use crate::observe;
use crate::telemetry::TARGET;

pub(crate) struct ExecutionActor {
    number: ActorNo,
    shared: Rc<Shared>,
    engine: Addr<TaskEngine>,
    supervisor: Addr<Supervisor>,
    hosting: Option<Hosting>,
    turn: Turn,
    /// The storage of an execution that has ended.
    spare: Option<Box<Execution>>,
    /// The newest batch of outcomes that has come,
    received: BatchNo,
    /// and the newest one that was taken in.
    taken: BatchNo,
    /// Messages to the task engine that it has not answered.
    unanswered: u32,
    /// Whether there were such messages at the last probe, and none of them was answered since.
    is_overdue: bool,
    /// What came in while the journal was full.
    backlog: VecDeque<Incoming>,
    /// What comes of the turn in hand; its storage is used again.
    decided: CommittedTurn,
    /// What is to be sent with the next flush: executions whose end was decided,
    ending: Vec<Slot>,
    /// what is to be performed,
    effects: Vec<(Slot, Effect)>,
    /// outputs that did not come from handlers,
    outputs: Vec<(Slot, WorkKey, Payload)>,
    /// and what the Supervisor is to hear.
    news: Vec<ActorNews>,
}

/// The execution that an actor has.
struct Hosting {
    slot: Slot,
    definition: DefinitionNo,
    bound: Rc<Bound>,
    state: Box<Execution>,
    side: Side,
    /// How it was to begin, as long as nothing of it was appended.
    begin: Option<Box<Begin>>,
    acknowledge: Acknowledge,
    /// Those who wait for the end of a cancellation.
    cancels: Vec<RequestId>,
    /// How many of its facts are durable.
    durable: u64,
    /// Turns that are not durable yet.
    pending: u32,
    /// Whether the task engine is to compare what is under way with what must be.
    reconciles: bool,
    /// How many messages of the Supervisor have come for it here.
    told: u32,
}

/// Something that changes the execution.
enum Incoming {
    Begin(Box<(Begin, Side)>),
    Resume(Box<Resume>, Side, Vec<Look>),
    Tell(supervisor::Tell, Option<Look>),
    Outcomes(Arc<Batch>),
    Timers(Vec<FiredTimer>),
    Reports(Vec<EarlyReport>),
    Continue(Vec<Slot>),
}

impl ExecutionActor {
    pub(crate) fn new(
        number: ActorNo,
        shared: Rc<Shared>,
        engine: Addr<TaskEngine>,
        supervisor: Addr<Supervisor>,
    ) -> Self {
        Self {
            number,
            shared,
            engine,
            supervisor,
            hosting: None,
            turn: Turn::new(),
            spare: None,
            received: BatchNo::NONE,
            taken: BatchNo::NONE,
            unanswered: 0,
            is_overdue: false,
            backlog: VecDeque::new(),
            decided: CommittedTurn::default(),
            ending: Vec::new(),
            effects: Vec::new(),
            outputs: Vec::new(),
            news: Vec::new(),
        }
    }

    /// Takes something in, or keeps it until the journal has room for what comes of it.
    fn take(&mut self, incoming: Incoming, context: &mut Context<Self>) {
        if !self.backlog.is_empty() {
            return self.backlog.push_back(incoming);
        }
        if self.shared.port.is_full() {
            self.backlog.push_back(incoming);
            return self.shared.wait_for_room(context.address());
        }
        self.act_on(incoming, context);
    }

    fn act_on(&mut self, incoming: Incoming, context: &mut Context<Self>) {
        match incoming {
            Incoming::Begin(begin) => {
                let (begin, side) = *begin;
                self.begin(begin, side, context);
            }
            Incoming::Resume(resume, side, looks) => self.resume(*resume, side, looks, context),
            Incoming::Tell(tell, look) => self.tell(tell, look, context),
            Incoming::Outcomes(batch) => self.outcomes(&batch, context),
            Incoming::Timers(timers) => {
                for FiredTimer { slot, timer } in timers {
                    self.delivered(slot, Message::tell(Input::TimerFired(timer)), context);
                }
            }
            Incoming::Continue(slots) => {
                for slot in slots {
                    self.delivered(slot, Message::tell(Input::Continue), context);
                }
            }
            Incoming::Reports(reports) => {
                for EarlyReport { slot, report, request, .. } in reports {
                    self.delivered(slot, Message { request, body: Body::Input(*report) }, context);
                }
            }
        }
    }

    fn begin(&mut self, begin: Begin, side: Side, context: &mut Context<Self>) {
        let bound = self.shared.definition(begin.definition);
        let state = self.state(&begin, &bound);
        let activation = Activation {
            definition: bound.compiled.hash(),
            semantics: finale_core::execution::SEMANTICS,
            input: begin.input.clone(),
            by: begin.by.clone(),
            deadline: begin.deadline,
            idempotency_key: begin.idempotency_key.clone(),
            business_key: begin.business_key.clone(),
        };
        self.hosting = Some(Hosting {
            slot: begin.slot,
            definition: begin.definition,
            bound,
            state,
            side,
            acknowledge: begin.acknowledge,
            begin: Some(Box::new(begin)),
            cancels: Vec::new(),
            durable: 0,
            pending: 0,
            reconciles: false,
            told: 0,
        });
        self.one_turn(Message::tell(Input::Activate(activation)), None, context);
    }

    fn state(&mut self, begin: &Begin, bound: &Bound) -> Box<Execution> {
        match self.spare.take() {
            Some(mut spare) => {
                spare.reset(begin.execution, &bound.compiled);
                spare
            }
            None => Box::new(Execution::new(begin.execution, &bound.compiled)),
        }
    }

    fn resume(&mut self, resume: Resume, side: Side, looks: Vec<Look>, context: &mut Context<Self>) {
        let Resume { hosted, messages, applies_command } = resume;
        let Hosted { slot, definition, state, cancels, .. } = *hosted;
        let bound = self.shared.definition(definition);
        let (execution, durable) = (state.id(), state.sequence());
        self.hosting = Some(Hosting {
            slot,
            definition,
            bound,
            state,
            side,
            begin: None,
            acknowledge: Acknowledge::Nobody,
            cancels,
            durable,
            pending: 0,
            reconciles: false,
            told: 0,
        });
        let mut looks = looks.into_iter();
        let mut messages = messages.into_iter();
        let mut accepted = false;
        while self.hosting.is_some()
            && let Some(message) = messages.next()
        {
            let look = if matches!(message.body, Body::Query) { looks.next() } else { None };
            accepted = self.one_turn(message, look, context);
        }
        if self.hosting.is_none() {
            self.not_taken(slot, execution, messages, looks);
        } else if applies_command {
            self.news.push(ActorNews::Overruled(slot, accepted));
        }
    }

    /// The execution is not here any more, and there is more for it: it panicked over a message before that, or ended.
    fn not_taken(
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

    /// A message of the Supervisor; what is for another execution than is here goes back to it.
    fn tell(&mut self, tell: supervisor::Tell, look: Option<Look>, context: &mut Context<Self>) {
        match &mut self.hosting {
            Some(hosting) if hosting.slot == tell.slot => {
                hosting.told += 1;
                self.one_turn(tell.message, look, context);
            }
            _ => self.news.push(ActorNews::Forwarded(tell, look)),
        }
    }

    /// Something from the task engine; what is for another execution than is here goes to the Supervisor.
    fn delivered(&mut self, slot: Slot, message: Message, context: &mut Context<Self>) {
        match &self.hosting {
            Some(hosting) if hosting.slot == slot => drop(self.one_turn(message, None, context)),
            _ => self.news.push(ActorNews::Delivered(slot, message, None)),
        }
    }

    fn one_turn(&mut self, message: Message, look: Option<Look>, context: &mut Context<Self>) -> bool {
        let Some(hosting) = &mut self.hosting else { return false };
        match message.body {
            Body::Probe => {
                self.probe();
                return true;
            }
            Body::Reconcile => {
                hosting.reconciles = true;
                self.commit(context);
                return true;
            }
            Body::Query => {
                let Some(look) = look else { return true };
                if let Some(error) = self.shared.port.error().filter(|_| look.needs_durable()) {
                    // What is here may be more than is in the journal, and nothing more comes there.
                    look.refuse(NotSeen::Failed(error.clone().into()));
                } else if let Some(shown) = hosting.look(look) {
                    self.decided.shown.push(shown);
                    self.commit(context);
                }
                return true;
            }
            Body::Input(_) => {}
        }
        let accepted = self.decide(message);
        if accepted.is_some() {
            self.commit(context);
        }
        accepted == Some(true)
    }

    /// Lets the core decide about one input; none if it panicked, else whether it was accepted.
    fn decide(&mut self, message: Message) -> Option<bool> {
        let now = self.shared.clock.now();
        let Message { request, body: Body::Input(input) } = message else { return Some(true) };
        let watched = self.is_watched() || only_events_tell(&input);
        let hosting = self.hosting.as_mut()?;
        self.turn.watch(watched);
        // What nobody would tell again is kept until it is in the journal: a panic must not lose it.
        let kept = keeps(&input).then(|| input.clone());
        let cancels = matches!(input, Input::Command(Command::Cancel { .. }));
        let attempted = if watched { None } else { Attempted::told(&input) };
        let (state, compiled, turn) = (&mut hosting.state, &hosting.bound.compiled, &mut self.turn);
        let shared = &self.shared;
        let decided = fenced(|| {
            shared.strike(&input);
            state.handle(compiled, now, input, turn)
        });
        let result = match decided {
            Ok(result) => result,
            Err(panicked) => {
                let message = kept.map(|input| Message { request, body: Body::Input(input) });
                self.panicked(&panicked, message.into_iter().collect());
                return None;
            }
        };
        let accepted = result.is_ok();
        match (result, kept) {
            (Err(Refused::NotReady { key, .. }), Some(Input::Reported(report)))
                if hosting.bound.compiled.is_external(key.node) =>
            {
                let (slot, key) = (hosting.slot, report.key);
                hosting.side.early.push(key);
                let early = EarlyReport { slot, key, report: Box::new(Input::Reported(report)), request };
                self.tell_engine(task_engine::Input::KeepEarly(early));
                return Some(false);
            }
            (Err(refused), kept) => {
                self.decided.late.extend(kept.and_then(|input| late_event(hosting.state.id(), now, &input, &refused)));
                self.decided.replies.extend(request.map(|request| (request, Err(refused))));
            }
            // A cancellation is answered when everything is stopped, with what became of it.
            (Ok(()), _) if cancels => hosting.cancels.extend(request),
            (Ok(()), kept) => {
                if let Some(Input::Reported(Report { key, result: Ok(output), .. })) = kept {
                    self.decided.outputs.push((key, output));
                }
                self.decided.attempts.extend(attempted);
                self.decided.replies.extend(request.map(|request| (request, Ok(()))));
            }
        }
        Some(accepted)
    }

    /// The task engine has answered so many messages. One that was given up as lost may be among them.
    fn answered(&mut self, messages: u32) {
        self.unanswered = self.unanswered.saturating_sub(messages);
        self.is_overdue &= messages == 0;
    }

    /// Repairs what the task engine has not answered from one probe to the next: the message or the answer is lost.
    fn probe(&mut self) {
        if std::mem::replace(&mut self.is_overdue, self.unanswered > 0)
            && let Some(hosting) = &mut self.hosting
        {
            (self.unanswered, self.is_overdue) = (0, false);
            hosting.reconciles = true;
        }
    }

    /// Takes a batch of outcomes in, once and in its order.
    fn receive(&mut self, batch: Arc<Batch>, context: &mut Context<Self>) {
        if batch.number <= self.taken {
            // It was sent again because nothing has said yet that it came.
            return self
                .tell_engine(task_engine::Input::Taken { callback: Callback::Actor(self.number), batch: self.taken });
        }
        // One that waits for the journal is here already; one whose predecessor was lost comes again after that.
        if batch.number > self.received && batch.previous <= self.received {
            self.received = batch.number;
            self.take(Incoming::Outcomes(batch), context);
        }
    }

    /// All outcomes of a batch that are of the execution here are one turn.
    fn outcomes(&mut self, batch: &Batch, context: &mut Context<Self>) {
        self.taken = batch.number;
        self.answered(batch.answers);
        let here = self.hosting.as_ref().map(|hosting| hosting.slot);
        let mut decided = false;
        for (at, outcome) in batch.outcomes.iter().enumerate() {
            if self.hosting.is_some() && here == Some(outcome.slot) {
                decided = true;
                if let Err(panicked) = self.outcome(batch, outcome) {
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
            }
        }
        if decided {
            self.commit(context);
        }
    }

    /// Gives how the core panicked over it, if it did.
    fn outcome(&mut self, batch: &Batch, outcome: &TaskOutcome) -> Result<(), Failure> {
        let now = self.shared.clock.now();
        let watched = self.is_watched();
        let Some(hosting) = &mut self.hosting else { return Ok(()) };
        self.turn.watch(watched);
        let (state, compiled, turn) = (&mut hosting.state, &hosting.bound.compiled, &mut self.turn);
        let input = told(batch, outcome);
        let shared = &self.shared;
        let decided = fenced(|| {
            shared.strike(&input);
            state.handle(compiled, now, input, turn)
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

    fn is_watched(&self) -> bool {
        observe::watched() || self.hosting.as_ref().is_some_and(|hosting| !hosting.side.subscribers.is_empty())
    }

    /// The state is of no use any more: the Supervisor decides what becomes of the execution.
    fn panicked(&mut self, panicked: &Failure, messages: Vec<Message>) {
        tracing::error!(target: TARGET, reason = %panicked.reason, "the state machine of an execution panicked");
        self.turn.discard();
        let Some(hosting) = self.hosting.take() else { return };
        let CommittedTurn { shown, .. } = std::mem::take(&mut self.decided);
        drop(shown);
        let Hosting { slot, state, begin, side, cancels, told, .. } = hosting;
        let panicked = Panicked { slot, begin, messages, cancels, told };
        self.news.push(ActorNews::Panicked(Box::new(panicked), state.id(), side, Vec::new()));
    }

    /// Makes the turn durable, and performs it if it is already.
    fn commit(&mut self, context: &mut Context<Self>) {
        let Some(hosting) = &mut self.hosting else { return };
        let appended = match hosting.append(&self.shared, &mut self.turn) {
            Ok(appended) => appended,
            Err(error) => return self.refused(&error),
        };
        hosting.pending += 1;
        let mut turn = std::mem::take(&mut self.decided);
        turn.slot = hosting.slot;
        turn.last_sequence = hosting.state.sequence();
        turn.status = hosting.state.status();
        turn.effects = self.turn.take_effects();
        turn.events = self.turn.take_notices();
        if self.shared.port.is_durable(appended) {
            self.perform(&mut turn);
            self.turn.reuse_effects(std::mem::take(&mut turn.effects));
            self.decided = turn;
        } else {
            self.shared.port.hold(appended, Released::Turn(context.address(), Box::new(turn)));
        }
    }

    /// The facts were not taken: nothing of the turn ever happened.
    fn refused(&mut self, error: &JournalError) {
        self.turn.discard();
        let mut turn = std::mem::take(&mut self.decided);
        self.discard(&mut turn, error);
        match error {
            // The state is not what the journal says. That concerns nobody else, and is mended by folding it again.
            JournalError::Gap { .. } | JournalError::Ended(_) | JournalError::Damaged { .. } => {
                let failure = Failure::new(FailureClass::Failed, error.to_string());
                self.panicked(&failure, Vec::new());
            }
            _ => {
                self.give_up(Some(error));
                // It is never a plain value again: what it holds is not in the journal.
                self.hosting.iter_mut().for_each(|hosting| hosting.pending += 1);
                self.shared.journal_failed(error);
            }
        }
    }

    /// Nothing becomes durable any more: whoever waits for the execution here waits for nothing.
    fn give_up(&mut self, error: Option<&JournalError>) {
        let Some(hosting) = &self.hosting else { return };
        match error {
            Some(error) if hosting.durable == 0 => hosting.side.completion.refuse(error.clone().into()),
            _ => hosting.side.completion.abandon(),
        }
    }

    fn discard(&mut self, turn: &mut CommittedTurn, error: &JournalError) {
        turn.shown.drain(..).for_each(|shown| shown(Err(error)));
        let failed = turn.replies.drain(..).map(|(request, _)| ActorNews::Failed(request, error.clone()));
        self.news.extend(failed);
    }

    /// Everything of the turn is durable: from here on it can be seen.
    fn perform(&mut self, turn: &mut CommittedTurn) {
        let Some(hosting) = self.hosting.as_mut().filter(|hosting| hosting.slot == turn.slot) else {
            // Its state is lost and is folded again; what is to be under way is found out then.
            return self.answer(turn);
        };
        hosting.pending -= 1;
        let before = std::mem::replace(&mut hosting.durable, turn.last_sequence);
        let (id, slot) = (hosting.state.id(), hosting.slot);
        hosting.side.completion.publish(turn.status, turn.last_sequence);
        if turn.status == ExecutionStatus::Ending {
            self.ending.push(slot);
        }
        observe::attempts(&hosting.bound, turn.attempts.drain(..));
        observe::events(&hosting.bound, id, turn.events.drain(..), &mut hosting.side.subscribers);
        observe::created(&hosting.bound, id, &turn.effects);
        if before == 0 && turn.last_sequence > 0 {
            hosting.begin = None;
            observe::activated(&hosting.bound, id);
            hosting.side.completion.acknowledge(id);
            if hosting.acknowledge == Acknowledge::Supervisor {
                self.news.push(ActorNews::Begun(slot));
            }
        }
        let ended = matches!(turn.effects.last(), Some(Effect::Ended));
        if ended {
            turn.effects.pop();
        }
        self.effects.extend(turn.effects.drain(..).map(|effect| (slot, effect)));
        self.outputs.extend(turn.outputs.drain(..).map(|(key, output)| (slot, key, output)));
        self.answer(turn);
        if ended {
            self.end();
        } else if turn.status == ExecutionStatus::Running {
            // Those that the end goes past hear of the end.
            self.give_back_early();
        }
    }

    /// Reports that came too early are answered when their node has settled without being opened.
    fn give_back_early(&mut self) {
        let Some(hosting) = &mut self.hosting else { return };
        let (slot, state) = (hosting.slot, &hosting.state);
        let settled = |key: &mut WorkKey| state.node_status(*key).is_none_or(NodeStatus::is_settled);
        let settled: Vec<_> = hosting.side.early.extract_if(.., settled).collect();
        for key in settled {
            self.tell_engine(task_engine::Input::GiveBackEarly { slot, key });
        }
    }

    fn answer(&mut self, turn: &mut CommittedTurn) {
        self.news.extend(turn.late.drain(..).map(ActorNews::Late));
        self.news.extend(turn.replies.drain(..).map(|(request, result)| ActorNews::Replied(request, result)));
        turn.shown.drain(..).for_each(|shown| shown(Ok(())));
    }

    /// The end is durable, and nothing of the execution runs any more.
    fn end(&mut self) {
        let Some(Hosting { slot, bound, state, side, cancels, .. }) = self.hosting.take() else { return };
        let Some(outcome) = state.end_outcome(&bound.compiled) else { return };
        let interrupted = if cancels.is_empty() { Vec::new() } else { state.interrupted().to_vec() };
        let outcome = Arc::new(outcome);
        let execution = state.id();
        observe::ended(&bound, execution, state.created_at(), &outcome);
        self.spare = Some(state);
        // What comes before the end in the news must not come after it.
        self.flush_news();
        self.supervisor.do_send(ExecutionEnded(execution, Ended { slot, outcome, cancels, interrupted }, side));
    }

    /// Sends what has gathered, and gives the execution back if it only waits.
    fn flush(&mut self) {
        if !self.effects.is_empty() || !self.outputs.is_empty() || !self.ending.is_empty() {
            let (ending, effects) = (std::mem::take(&mut self.ending), std::mem::take(&mut self.effects));
            self.tell_engine(task_engine::Input::Perform { from: self.number, taken: self.taken, ending, effects });
        }
        self.reconcile();
        self.park();
        self.flush_news();
    }

    fn flush_news(&mut self) {
        if !self.news.is_empty() {
            self.supervisor.do_send(FromActor(self.number, std::mem::take(&mut self.news)));
        }
    }

    fn tell_engine(&mut self, input: task_engine::Input) {
        self.unanswered += u32::from(is_answered(&input));
        self.engine.do_send(Perform { outputs: std::mem::take(&mut self.outputs), input });
    }

    /// Has the task engine compare what is under way with what must be, as soon as nothing waits for the journal.
    fn reconcile(&mut self) {
        let Some(hosting) = self.hosting.as_mut().filter(|hosting| hosting.reconciles && hosting.pending == 0) else {
            return;
        };
        hosting.reconciles = false;
        let (state, compiled, slot) = (&hosting.state, &hosting.bound.compiled, hosting.slot);
        let reconcile = Reconcile {
            slot,
            from: self.number,
            taken: self.taken,
            ending: state.status() == ExecutionStatus::Ending,
            under_way: state.under_way(compiled).into_iter().chain(state.stops()).collect(),
        };
        self.outputs.extend(state.outputs().map(|(key, output)| (slot, key, output.clone())));
        self.tell_engine(task_engine::Input::Reconcile(reconcile));
    }

    /// Gives the execution back to the Supervisor if nothing of it is on its way anywhere.
    fn park(&mut self) {
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

impl Hosting {
    fn append(&self, shared: &Shared, turn: &mut Turn) -> Result<Option<Appended>, JournalError> {
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
            standing: standing(&self.state, error.as_deref()),
        })?;
        shared.metrics.committed(turn.count());
        turn.appended();
        Ok(Some(appended))
    }

    /// What the journal is told when the execution begins.
    fn begins<'a>(&'a self, activation: &'a Activation) -> Begins<'a> {
        Begins {
            definition: &self.bound.stored,
            by: &activation.by,
            at: self.state.created_at(),
            idempotency_key: activation.idempotency_key.as_deref(),
            business_key: activation.business_key.as_deref(),
        }
    }

    /// Why it failed, if it has; for the journal's summary.
    fn error(&self) -> Option<String> {
        let (Terminal::Failed, _) = self.state.ended()? else { return None };
        self.state.end_outcome(&self.bound.compiled)?.error().map(ToString::to_string)
    }

    /// Gives what is shown when all that was seen is durable, if that has to wait.
    fn look(&mut self, look: Look) -> Option<Shown> {
        let seen = look.see(&self.state, self.durable, &self.bound, &self.side.completion, None);
        self.side.subscribers.extend(seen.subscriber);
        seen.shown
    }
}

fn standing<'a>(state: &Execution, error: Option<&'a str>) -> Standing<'a> {
    match (state.ended(), state.status()) {
        (Some((status, at)), _) => Standing::Ended(Ends { status, at, error }),
        (None, ExecutionStatus::Ending) => Standing::Ending,
        _ => Standing::Running,
    }
}

/// Whether an input must be kept until it is in the journal: nobody tells it again, but for a timer.
const fn keeps(input: &Input) -> bool {
    !matches!(input, Input::Activate(_) | Input::TimerFired(_) | Input::Continue)
}

/// Whether an attempt may come to its end with this in a way that only the events of the core tell in full.
const fn only_events_tell(input: &Input) -> bool {
    matches!(input, Input::Reported(_) | Input::TimerFired(_) | Input::Recovered { .. })
}

/// Whether the task engine answers a message.
const fn is_answered(input: &task_engine::Input) -> bool {
    matches!(input, task_engine::Input::Perform { .. } | task_engine::Input::Reconcile(_))
}

/// An outcome as the core is told it.
pub(super) fn told(batch: &Batch, outcome: &TaskOutcome) -> Input {
    let TaskOutcome { dispatch, started, ended, .. } = *outcome;
    let result = match &outcome.result {
        TaskResult::Completed(range) => Ok(Payload::from_encoded(batch.output(*range))),
        TaskResult::Failed(failure) => Err((**failure).clone()),
        TaskResult::Stopped(how) => return Input::Stopped { dispatch, how: *how },
    };
    Input::Outcome { dispatch, result, started, ended }
}

/// What is kept of something that changed nothing.
fn late_event(execution: ExecutionId, at: Time, input: &Input, refused: &Refused) -> Option<LateEvent> {
    let what = match input {
        Input::Outcome { .. } => LateKind::Outcome,
        Input::Reported(_) => LateKind::Report,
        Input::Stopped { .. } => LateKind::Stopped,
        Input::Verdict { .. } => LateKind::Verdict,
        _ => return None,
    };
    Some(LateEvent { execution, at, what, reason: refused.to_string().into() })
}

/// Sends what has gathered after the mailbox is empty: one message for each receiver, and what was decided last counts for
/// all of it, so that nothing begins of an execution whose end was decided in the same turn.
struct Flush;

impl ActorFuture<ExecutionActor> for Flush {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        actor: &mut ExecutionActor,
        _context: &mut Context<ExecutionActor>,
        _polling: &mut Polling<'_>,
    ) -> Poll<()> {
        actor.flush();
        Poll::Pending
    }
}

impl Actor for ExecutionActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.spawn(Flush);
    }
}

impl Handler<Attach> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, Attach(begin, side): Attach, context: &mut Self::Context) {
        self.take(Incoming::Begin(Box::new((begin, side))), context);
    }
}

impl Handler<Reattach> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, Reattach(resume, side, looks): Reattach, context: &mut Self::Context) {
        self.take(Incoming::Resume(resume, side, looks), context);
    }
}

impl Handler<Tell> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, Tell(tell, look): Tell, context: &mut Self::Context) {
        self.take(Incoming::Tell(tell, look), context);
    }
}

impl Handler<TaskCompleted> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, TaskCompleted(batch): TaskCompleted, context: &mut Self::Context) {
        self.receive(batch, context);
    }
}

impl Handler<TaskFailed> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, TaskFailed(batch): TaskFailed, context: &mut Self::Context) {
        self.receive(batch, context);
    }
}

impl Handler<TimerFired> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, TimerFired(timers): TimerFired, context: &mut Self::Context) {
        self.take(Incoming::Timers(timers), context);
    }
}

impl Handler<TaskReported> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, TaskReported(reports): TaskReported, context: &mut Self::Context) {
        self.take(Incoming::Reports(reports), context);
    }
}

impl Handler<Continue> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, Continue(slots): Continue, context: &mut Self::Context) {
        self.take(Incoming::Continue(slots), context);
    }
}

impl Handler<Answered> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, Answered(messages): Answered, _context: &mut Self::Context) {
        self.answered(messages);
    }
}

impl Handler<Durable> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, Durable(mut turn, durable): Durable, _context: &mut Self::Context) {
        match durable {
            Ok(()) => self.perform(&mut turn),
            Err(error) => self.discard(&mut turn, &error),
        }
    }
}

impl Handler<JournalHasRoom> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, _room: JournalHasRoom, context: &mut Self::Context) {
        while !self.shared.port.is_full()
            && let Some(incoming) = self.backlog.pop_front()
        {
            self.act_on(incoming, context);
        }
        if !self.backlog.is_empty() {
            self.shared.wait_for_room(context.address());
        }
    }
}

impl Handler<GiveUp> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, GiveUp(error): GiveUp, _context: &mut Self::Context) {
        self.give_up(error.as_ref());
    }
}

impl Handler<Dismiss> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, _dismiss: Dismiss, context: &mut Self::Context) {
        context.stop();
    }
}
