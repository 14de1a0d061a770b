//! The actor of a shard's executions: it owns the addresses and the table of who waits for what, and decides nothing.

use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as Polling, Poll, Waker};
use std::time::Duration;

use actix::fut::{ActorFutureExt, wrap_future};
use actix::{Actor, ActorContext, ActorFuture, Addr, AsyncContext, Context, Handler, ResponseFuture};
use finale_core::execution::{self, Report};
use finale_core::number::{ActorNo, BatchNo, Callback, DefinitionNo, ShardNo, Slot};
use finale_core::supervisor::{
    Acknowledge, Activate, Answer, Ask, Begin, Body, Idempotency, Input, Left, Message, NotDone, Notice, Options,
    Outbox, PermitChange, Published, Query, QueryTarget, Question, Read, ReadNo, Registration, Reply, Restored,
    Supervisor as Machine, ToActor, ToEngine, ToShard as ToPeer, Write, WriteWhat, shard_of,
};
use finale_core::task_engine::{self, Batch, Drained, EarlyReport, FiredTimer, TaskNode};
use finale_core::{ExecutionId, Failure, Payload, TaskId, Time};
use finale_journal::{Appended, JournalError, Writer};
use rustc_hash::FxHashMap;
use tokio::sync::oneshot;

use super::alarm::Alarm;
use super::execution_actor::{ExecutionActor, told};
use super::inbox::{Inbox, Knock};
use super::local;
use super::messages::{
    ActorNews, Answered, Attach, Continue, Dismiss, EngineAnswers, EngineLost, EngineQuery, ExecutionEnded, FromActor,
    GiveUp, NewActor, Perform, PermitNews, PortNews, Reattach, Register, Registered, Restart, Side, TaskCompleted,
    TaskFailed, TaskReported, Tell, TimerFired,
};
use super::open_limit::OpenLimit;
use super::past::Past;
use super::requests::{NotSeen, Requests, Waiting, WaitingActivation, activate_error};
use super::shared::{Released, Shared};
use super::start::Ending;
use super::task_engine::TaskEngine;
use super::way_in::{Peers, ToShard};
use super::{past, reading};
use crate::activation::{ActivateError, Request};
use crate::completion::Completion;
use crate::errors::ReportError;
use crate::fence::fenced;
use crate::handle::CancelReceipt;
use crate::late::LateEvent;
use crate::message;
use crate::observe;
use crate::runtime::limited;
use crate::telemetry::TARGET;
use crate::workflow::Workflow;

/// Requests taken in before other actors of the thread get their turn.
const TURN_MAX: usize = 1_024;

pub(crate) struct Supervisor {
    shared: Rc<Shared>,
    options: Options,
    machine: Machine,
    out: Outbox,
    inbox: Arc<Inbox<ToShard>>,
    /// Taken from the inbox, and left for the next turn.
    waiting: VecDeque<ToShard>,
    requests: Requests,
    /// What belongs to parked executions, by the index of their slots; the others' is with their actors.
    sides: Vec<Option<Side>>,
    /// What handles of executions wait on that cannot be read.
    unreadable: FxHashMap<ExecutionId, Arc<Completion>>,
    /// Executions whose end is being published, with what belongs to them.
    ending: Vec<(ExecutionId, Side)>,
    engine: Addr<TaskEngine>,
    /// By their numbers; started when they are needed for the first time.
    actors: Vec<Addr<ExecutionActor>>,
    peers: Peers,
    open: OpenLimit,
    /// What is to be sent to the engine with the next flush.
    register: Vec<task_engine::Input>,
    alarm: Alarm,
    /// Wakes the actor so that it looks at the clock and sends what has gathered.
    drive: Waker,
    /// Whether the machine knows that the journal is full.
    told_full: bool,
    /// Whether everybody knows that the shard has failed.
    told_failed: bool,
    leaving: Option<Leaving>,
    /// The newest batch of outcomes of parked executions that was passed on.
    taken: BatchNo,
}

/// An orderly end that is under way.
struct Leaving {
    /// How long it may take.
    within: Duration,
    /// When the shard must be gone.
    until: Time,
    drained: Drained,
}

impl Supervisor {
    pub(crate) fn new(
        shared: Rc<Shared>,
        options: Options,
        inbox: Arc<Inbox<ToShard>>,
        engine: Addr<TaskEngine>,
        peers: Peers,
        open: OpenLimit,
    ) -> Self {
        Self {
            alarm: Alarm::new(shared.clock),
            shared,
            machine: Machine::new(options.clone()),
            options,
            out: Outbox::default(),
            inbox,
            waiting: VecDeque::new(),
            requests: Requests::default(),
            sides: Vec::new(),
            unreadable: FxHashMap::default(),
            ending: Vec::new(),
            engine,
            actors: Vec::new(),
            peers,
            open,
            register: Vec::new(),
            drive: Waker::noop().clone(),
            told_full: false,
            told_failed: false,
            leaving: None,
            taken: BatchNo::NONE,
        }
    }
}

impl Supervisor {
    /// Tells the machine something and does what comes of it.
    fn tell(&mut self, input: Input, context: &mut Context<Self>) {
        let now = self.shared.clock.now();
        self.decide(now, input);
        self.carry_out(context);
    }

    /// The door of the machine, and the fence around it.
    fn decide(&mut self, at: Time, input: Input) {
        let (machine, out, shared) = (&mut self.machine, &mut self.out, &self.shared);
        let handled = fenced(|| {
            let kind = shared.kind_of(&input);
            machine.handle(at, input, out);
            shared.strike_supervisor(kind);
        });
        let Err(panicked) = handled else { return };
        tracing::error!(target: TARGET, shard = self.shared.index, reason = %panicked.reason, "the supervisor panicked");
        // The input was taken into the old state before anything was done about it: it is acted on again.
        let lost = std::mem::replace(&mut self.machine, Machine::new(self.options.clone()));
        let out = &mut self.out;
        match fenced(|| lost.rebuild(at, out)) {
            Ok(rebuilt) => self.machine = rebuilt,
            Err(_) => self.shared.vitals.die(),
        }
    }

    /// Does what the machine wants done, until nothing is left.
    fn carry_out(&mut self, context: &mut Context<Self>) {
        loop {
            let mut left = Vec::new();
            for message in self.out.engine.drain(..) {
                if let ToEngine::Deregister { slot, .. } = message {
                    // One that ended with its actor left nothing here.
                    left.extend(self.sides.get_mut(slot.index()).and_then(Option::take));
                }
                self.register.push(to_engine(message));
            }
            if !self.out.actors.is_empty() {
                self.send_to_actors(context);
            }
            for (shard, message) in std::mem::take(&mut self.out.shards) {
                self.send_to_shard(shard, message);
            }
            let mut published = std::mem::take(&mut self.out.published);
            published.drain(..).for_each(|published| self.publish(published));
            self.out.published = published;
            // Not before its end was said, if it has one: whoever waits hears that it is abandoned.
            drop(left);
            for reply in std::mem::take(&mut self.out.replies) {
                self.reply(reply, context);
            }
            for query in std::mem::take(&mut self.out.queries) {
                self.look(query);
            }
            for read in std::mem::take(&mut self.out.reads) {
                self.read(read, context);
            }
            for executions in self.out.forgotten.drain(..) {
                self.shared.directory.forget(&executions);
            }
            for notice in std::mem::take(&mut self.out.notices) {
                self.note(&notice);
            }
            let written = self.write_all();
            let granted = self.change_permits();
            if let Some(left) = self.out.left.take() {
                self.leave(left, context);
            }
            if !written && !granted {
                break;
            }
        }
    }

    fn send_to_actors(&mut self, context: &mut Context<Self>) {
        // What the engine must know of an execution is on its way before anything of it can run.
        self.flush_engine();
        let mut messages = std::mem::take(&mut self.out.actors);
        for (number, message) in messages.drain(..) {
            let actor = self.actor(number, context);
            match message {
                ToActor::Begin(begin) => {
                    let side = self.new_side(&begin);
                    actor.do_send(Attach(begin, side));
                }
                ToActor::Resume(resume) => {
                    let side = self.take_side(resume.hosted.slot, resume.hosted.state.id());
                    let queries = resume.messages.iter().filter(|message| matches!(message.body, Body::Query));
                    let looks = queries.filter_map(|message| self.requests.take_look(message.request?)).collect();
                    actor.do_send(Reattach(Box::new(resume), side, looks));
                }
                ToActor::Tell(told) => {
                    let is_query = matches!(told.message.body, Body::Query);
                    let look = told.message.request.filter(|_| is_query);
                    let look = look.and_then(|request| self.requests.take_look(request));
                    actor.do_send(Tell(told, look));
                }
            }
        }
        self.out.actors = messages;
    }

    fn actor(&mut self, number: ActorNo, context: &mut Context<Self>) -> Addr<ExecutionActor> {
        while self.actors.len() <= number.0 as usize {
            let next = ActorNo(self.actors.len() as u32);
            let (shared, engine) = (Rc::clone(&self.shared), self.engine.clone());
            let actor = ExecutionActor::new(next, shared, engine, context.address()).start();
            self.engine.do_send(NewActor(actor.clone()));
            self.actors.push(actor);
        }
        self.actors[number.0 as usize].clone()
    }

    /// What belongs to an execution that begins.
    fn new_side(&mut self, begin: &Begin) -> Side {
        if let Some(side) = self.sides.get_mut(begin.slot.index()).and_then(Option::take) {
            // It is begun again: its actor has given it back before anything of it was recorded.
            return side;
        }
        let completion = match begin.acknowledge {
            Acknowledge::Request(request) => match self.requests.take(request) {
                Some(Waiting::Activation(waiting)) => waiting.pledge.redeem(),
                _ => Arc::default(),
            },
            // Whoever asks with the same key finds it by its id.
            Acknowledge::Supervisor => {
                let completion = Arc::<Completion>::default();
                self.shared.directory.open(begin.execution, &completion);
                completion
            }
            Acknowledge::Nobody => Arc::default(),
        };
        Side::new(completion)
    }

    /// What belongs to a parked execution; it goes with it to its actor.
    fn take_side(&mut self, slot: Slot, execution: ExecutionId) -> Side {
        let side = self.sides.get_mut(slot.index()).and_then(Option::take);
        side.unwrap_or_else(|| self.found_side(execution))
    }

    /// What belongs to an execution that another runtime began.
    fn found_side(&mut self, execution: ExecutionId) -> Side {
        let directory = &self.shared.directory;
        let completion = match self.unreadable.remove(&execution) {
            Some(completion) => {
                directory.open(execution, &completion);
                completion
            }
            None => directory.found(execution),
        };
        if self.shared.port.error().is_some() {
            completion.abandon();
        }
        Side::new(completion)
    }

    fn put_side(&mut self, slot: Slot, side: Side) {
        if self.sides.len() <= slot.index() {
            self.sides.resize_with(slot.index() + 1, || None);
        }
        self.sides[slot.index()] = Some(side);
    }

    fn send_to_shard(&mut self, ShardNo(shard): ShardNo, message: ToPeer) {
        let from = ShardNo(self.shared.index);
        let workflow = match &message {
            ToPeer::Begin { activate, .. } => {
                activate.definition.map(|number| self.shared.definition(number).workflow.clone())
            }
            ToPeer::Answered { .. } => None,
        };
        // A shard that is gone has nothing to hear: the runtime is at its end.
        let _ = self.peers.put(shard, ToShard::Peer { from, message, workflow });
    }

    /// Everybody hears how an execution ended; it is durable, and nothing of it runs any more.
    fn publish(&mut self, published: Published) {
        let Published { execution, definition, outcome, cancels, interrupted } = published;
        let ending = self.ending.iter().rposition(|(ending, _)| *ending == execution);
        // Dropped only when the end was said: until then it would say that nobody will tell.
        let side = match ending {
            Some(index) => self.ending.swap_remove(index).1,
            // Its end was found in the journal, when its history was read again.
            None => {
                let unreadable = self.unreadable.remove(&execution);
                Side::new(unreadable.or_else(|| self.shared.directory.get(execution)).unwrap_or_default())
            }
        };
        side.completion.end(execution, Arc::clone(&outcome));
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

    fn reply(&mut self, Reply { request, answer }: Reply, context: &mut Context<Self>) {
        let Some(waiting) = self.requests.take(request) else { return };
        let journal = || self.shared.journal_error();
        match (answer, waiting) {
            (Answer::Began(execution) | Answer::Repeats(execution), Waiting::Activation(waiting)) => {
                self.repeat(waiting, execution, context);
            }
            (Answer::NotActivated(why), Waiting::Activation(WaitingActivation { pledge, key, refused })) => {
                let open_max = self.shared.options.limits.open_executions_max;
                let error = activate_error(why, key.as_deref(), refused, open_max, journal);
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
    fn repeat(&mut self, waiting: WaitingActivation, execution: ExecutionId, context: &mut Context<Self>) {
        if let Some(known) = self.shared.directory.get(execution) {
            return waiting.pledge.completion().repeat(known);
        }
        // It has ended, and nobody has asked for it since: how, is in the journal.
        let (journal, directory) = (Arc::clone(&self.shared.journal), Arc::clone(&self.shared.directory));
        let ended = async move {
            let completion = waiting.pledge.completion();
            match past::ended(&journal, &directory, execution).await {
                Ok(Past::Ended(ended)) => completion.repeat(ended),
                Ok(Past::Open) => completion.repeat(directory.found(execution)),
                Ok(Past::Unknown) => completion.refuse(forgotten_meanwhile(execution)),
                Err(error) => completion.refuse(ActivateError::NotBegun { reason: error.to_string() }),
            }
        };
        context.spawn(wrap_future(ended));
    }

    fn note(&self, notice: &Notice) {
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

    fn look(&mut self, Query { request, execution, at }: Query) {
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
            let seen = look.see(state, durable, &bound, &side.completion, quarantined.as_deref());
            side.subscribers.extend(seen.subscriber);
            // All of a plain value is durable.
            seen.shown.into_iter().for_each(|shown| shown(Ok(())));
        }
        self.put_side(slot, side);
    }

    /// Reads the journal away from this thread, unless that cannot block.
    fn read(&mut self, Read { number, what }: Read, context: &mut Context<Self>) {
        let (journal, nothing) = (Arc::clone(&self.shared.journal), past::Found::nothing(&what));
        let epoch = self.shared.epoch;
        let found = async move { reading::read(&journal, move |journal| past::find(journal, epoch, what)).await };
        let taken = wrap_future::<_, Self>(found).map(move |found, supervisor, context| {
            let found = found.unwrap_or(nothing);
            let input = supervisor.found(number, found);
            // A history has in it what was appended and is not durable yet: nobody sees that before.
            if supervisor.shared.port.is_durable(None) {
                supervisor.tell(input, context);
                supervisor.drive.wake_by_ref();
            } else {
                supervisor.shared.port.hold(None, Released::Found(Box::new(input)));
            }
        });
        context.spawn(taken);
    }

    fn found(&mut self, read: ReadNo, found: past::Found) -> Input {
        match found {
            past::Found::History(restored) => {
                let restored = restored.and_then(|restored| restored.map(|restored| self.bind(restored)).transpose());
                Input::Restored { read, restored }
            }
            past::Found::Key(owner) => Input::KeyLooked { read, owner },
            past::Found::Status(status) => Input::StatusLooked { read, status },
            past::Found::Expired(expired) => Input::Expired { read, expired },
        }
    }

    fn bind(&mut self, read: past::Restored) -> Result<Restored, Box<str>> {
        let definition = self.number(&read.workflow).map_err(|error| error.to_string().into_boxed_str())?;
        let bound = self.shared.definition(definition);
        let missing_handler = bound.missing_handler(&read.state).map(Into::into);
        let past::Restored { state, crashes, outcome, .. } = read;
        Ok(Restored { definition, state, missing_handler, crashes, outcome })
    }

    /// The number of a workflow on this thread; the engine hears of it before anything of it runs.
    fn number(&mut self, workflow: &Workflow) -> Result<DefinitionNo, ActivateError> {
        let (definition, is_new) = self.shared.number(workflow)?;
        if is_new {
            self.register.push(self.define(definition));
        }
        Ok(definition)
    }

    fn define(&self, definition: DefinitionNo) -> task_engine::Input {
        let bound = self.shared.definition(definition);
        let nodes = TaskNode::all_of(&bound.compiled, |name| self.shared.handlers.number(name));
        task_engine::Input::Define { definition, nodes }
    }

    /// Writes what the machine wants written; gives whether something of it is durable already.
    fn write_all(&mut self) -> bool {
        let mut durable = false;
        for Write { number, what } in std::mem::take(&mut self.out.writes) {
            if let (WriteWhat::Forget(_), Some(number)) = (&what, number) {
                // The journal has forgotten them where they were looked for.
                durable = true;
                self.decide(self.shared.clock.now(), Input::Written(number));
                continue;
            }
            match self.shared.port.write(|writer| write(writer, &what)) {
                Ok(appended) if self.shared.port.is_durable(Some(appended)) => {
                    if let Some(number) = number {
                        durable = true;
                        self.decide(self.shared.clock.now(), Input::Written(number));
                    }
                }
                Ok(appended) => self.shared.port.hold(Some(appended), Released::Write(number)),
                Err(error) => self.shared.journal_failed(&error),
            }
        }
        durable
    }

    /// Changes what this shard holds of the limit on open executions; gives whether the machine was answered.
    fn change_permits(&mut self) -> bool {
        let mut answered = false;
        for change in std::mem::take(&mut self.out.permits) {
            match change {
                PermitChange::Return(permits) => self.open.give(permits),
                PermitChange::Ask(_) => {
                    if let Some(granted) = self.open.ask(&self.peers) {
                        answered = true;
                        self.decide(self.shared.clock.now(), Input::PermitsGranted(granted));
                    }
                }
            }
        }
        answered
    }

    fn flush_engine(&mut self) {
        if !self.register.is_empty() {
            let room = Vec::with_capacity(self.register.len().min(256));
            self.engine.do_send(Register(std::mem::replace(&mut self.register, room)));
        }
    }
}

/// What comes in.
impl Supervisor {
    fn take_in(&mut self, item: ToShard, context: &mut Context<Self>) {
        let now = self.shared.clock.now();
        match item {
            ToShard::Activate(request) => self.activate(now, request),
            ToShard::Tell { execution, input, waiting } => {
                let request = Some(self.requests.put(waiting));
                let what = Question::Tell(Message { request, body: Body::Input(*input) });
                self.decide(now, Input::Ask(Ask { execution, what }));
            }
            ToShard::Look { execution, look } => {
                let request = Some(self.requests.put(Waiting::Look(look)));
                let what = Question::Tell(Message { request, body: Body::Query });
                self.decide(now, Input::Ask(Ask { execution, what }));
            }
            ToShard::Release { execution, waiting } => {
                let request = Some(self.requests.put(waiting));
                self.decide(now, Input::Ask(Ask { execution, what: Question::Release(request) }));
            }
            ToShard::Tasks(look) => self.engine.do_send(EngineQuery(look)),
            ToShard::LateEvents(execution, answer) => {
                // Whoever asked may have gone; that is fine.
                let _ = answer.send(self.machine.late_events(execution).map(LateEvent::new).collect());
            }
            ToShard::Peer { from, message, workflow } => {
                let message = self.renumbered(message, workflow.as_ref());
                self.decide(now, Input::Shard { from, message });
            }
            ToShard::OpenWanted { by } => {
                self.decide(now, Input::PermitsWanted);
                self.carry_out(context);
                // A shard that is gone waits for nothing.
                let _ = self.peers.put(by.0, ToShard::OpenAnswered);
            }
            ToShard::OpenAnswered => {
                if let Some(permits) = self.open.answered() {
                    self.decide(now, Input::PermitsGranted(permits));
                }
            }
            ToShard::Permits(input) => self.engine.do_send(PermitNews(input)),
            ToShard::Shutdown(within) => self.shut_down(now, within),
        }
    }

    fn activate(&mut self, now: Time, request: Request) {
        let Request { workflow, input, by, idempotency_key, business_key, deadline, id, pledge } = request;
        let (definition, refused) = match self.activatable(&workflow) {
            Ok(definition) => (Some(definition), None),
            Err(error) => (None, Some(error)),
        };
        let workflow_id = || workflow.definition().id.as_str().into();
        let idempotency = idempotency_key.map(|key| Box::new(Idempotency { key, workflow: workflow_id() }));
        let key = idempotency.as_ref().map(|idempotency| idempotency.key.clone());
        let request = Some(self.requests.put(Waiting::Activation(WaitingActivation { pledge, key, refused })));
        let activate = Activate { request, definition, id, idempotency, business_key, by, deadline, input };
        self.decide(now, Input::Activate(activate));
    }

    fn activatable(&mut self, workflow: &Workflow) -> Result<DefinitionNo, ActivateError> {
        let refused = |error: &ActivateError| observe::invalid_definition(&workflow.definition().id, error);
        let definition = self.number(workflow).inspect_err(refused)?;
        match self.shared.definition(definition).refusal() {
            Some(error) => Err(error.clone()).inspect_err(refused),
            None => Ok(definition),
        }
    }

    /// Definitions have numbers of their own in each shard.
    fn renumbered(&mut self, mut message: ToPeer, workflow: Option<&Workflow>) -> ToPeer {
        if let ToPeer::Begin { activate, .. } = &mut message {
            activate.definition = workflow.and_then(|workflow| self.activatable(workflow).ok());
        }
        message
    }

    fn hear(&mut self, from: ActorNo, news: ActorNews) {
        let now = self.shared.clock.now();
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
    fn delivered(&mut self, slot: Slot, message: Message) {
        let now = self.shared.clock.now();
        self.decide(now, Input::Delivered { slot, message });
    }

    /// Passes a batch of outcomes on, once and in its order; one whose predecessor was lost comes again after that.
    fn batch(&mut self, batch: &Batch, context: &mut Context<Self>) {
        if batch.number > self.taken && batch.previous <= self.taken {
            self.taken = batch.number;
            for outcome in &batch.outcomes {
                self.delivered(outcome.slot, Message::tell(told(batch, outcome)));
            }
        }
        self.tell(Input::BatchDelivered(self.taken), context);
    }

    /// Tells the machine when the journal has so much to do that it is better to begin nothing.
    fn look_at_journal(&mut self) {
        let full = self.shared.port.is_full();
        if full && !self.told_full {
            self.decide(self.shared.clock.now(), Input::JournalFull);
        }
        self.told_full = full;
    }

    /// Takes in what waits, as far as this turn goes.
    fn take_waiting(&mut self, context: &mut Context<Self>) {
        self.look_at_journal();
        let mut left = TURN_MAX;
        while left > 0
            && let Some(item) = self.waiting.pop_front()
        {
            left -= 1;
            self.take_in(item, context);
        }
        self.carry_out(context);
        if !self.waiting.is_empty() {
            // A mailbox is emptied before anything else gets its turn, so going on is asked for from outside of it.
            let others_first = wrap_future::<_, Self>(tokio::task::yield_now());
            context.spawn(others_first.map(|(), supervisor, context| {
                supervisor.take_waiting(context);
                supervisor.drive.wake_by_ref();
            }));
        }
    }

    fn flush(&mut self) {
        self.flush_engine();
        let health = self.machine.health();
        self.shared.metrics.admission_queue.set(health.queued);
        self.shared.metrics.executions_running.set(health.open);
        self.shared.vitals.supervisor(&health);
        if health.shard_failed && !std::mem::replace(&mut self.told_failed, true) {
            self.shard_failed();
        }
    }

    /// A machine has panicked too often: nothing goes on here, and nobody waits for that.
    fn shard_failed(&mut self) {
        tracing::error!(target: TARGET, shard = self.shared.index, "a shard has failed: nothing goes on there");
        for actor in &self.actors {
            actor.do_send(GiveUp(None));
        }
        self.sides.iter().flatten().for_each(|side| side.completion.abandon());
        self.unreadable.values().for_each(|completion| completion.abandon());
        // Who loses their answer so hears that the runtime has stopped.
        drop(self.requests.take_all());
    }

    /// The journal takes nothing more: nobody is told anything that may not be true after a restart.
    fn journal_failed(&mut self, context: &mut Context<Self>) {
        let error = self.shared.journal_error();
        tracing::error!(target: TARGET, %error, "the journal failed: nothing goes on");
        self.engine.do_send(Perform { outputs: Vec::new(), input: task_engine::Input::JournalFailed });
        for actor in &self.actors {
            actor.do_send(GiveUp(Some(error.clone())));
        }
        self.sides.iter().flatten().for_each(|side| side.completion.abandon());
        self.unreadable.values().for_each(|completion| completion.abandon());
        self.tell(Input::JournalFailed, context);
        // Nobody else will answer them: what they asked for is on its way to nowhere.
        for waiting in self.requests.take_all() {
            waiting.failed(&error);
        }
    }
}

/// The end of the shard.
impl Supervisor {
    fn shut_down(&mut self, now: Time, within: Duration) {
        if self.leaving.is_some() {
            // Everybody who asks joins the same end.
            return;
        }
        let until = now.after(within);
        self.leaving = Some(Leaving { within, until, drained: Drained::default() });
        self.decide(now, Input::Close);
        let drain = task_engine::Input::Drain { deadline: until };
        self.engine.do_send(Perform { outputs: Vec::new(), input: drain });
    }

    fn drained(&mut self, drained: Drained, context: &mut Context<Self>) {
        let Some(leaving) = &mut self.leaving else { return };
        leaving.drained = drained;
        let patience = self.shared.clock.until(leaving.until);
        let request = self.requests.put(Waiting::Leave);
        self.tell(Input::Leave { request, patience }, context);
    }

    fn leave(&mut self, left: Left, context: &mut Context<Self>) {
        let (drained, within) =
            self.leaving.as_ref().map_or_else(Default::default, |leaving| (leaving.drained, leaving.within));
        // What a journal has that did not answer all the while, nobody knows; it would not let itself be released either.
        let hangs = self.shared.port.lag().is_some_and(|lag| !lag.is_zero() && lag >= within);
        let in_order = left.in_order && !hangs;
        let ending = Ending { unfinished: left.unfinished, dropped: drained.dropped, in_order, gone: false };
        self.shared.ends_with(ending);
        self.actors.drain(..).for_each(|actor| actor.do_send(Dismiss));
        self.engine.do_send(Dismiss);
        self.shared.port.close();
        context.stop();
    }
}

/// The answer to a repetition of an execution that was there and is not any more.
fn forgotten_meanwhile(execution: ExecutionId) -> ActivateError {
    ActivateError::NotBegun { reason: format!("execution {execution} has the same key, and was forgotten meanwhile") }
}

fn to_engine(message: ToEngine) -> task_engine::Input {
    match message {
        ToEngine::Register(registration) => {
            let Registration { slot, execution, definition, callback, input } = registration;
            task_engine::Input::Register(Registration { slot, execution, definition, callback, input })
        }
        ToEngine::Moved { slot, callback } => task_engine::Input::Moved { slot, callback },
        ToEngine::Deregister { slot, status } => task_engine::Input::Deregister { slot, status },
        ToEngine::Taken(batch) => task_engine::Input::Taken { callback: Callback::Supervisor, batch },
    }
}

fn write(writer: &mut dyn Writer, what: &WriteWhat) -> Result<Appended, JournalError> {
    match what {
        WriteWhat::Quarantine(execution, quarantine) => {
            let quarantine = quarantine.as_ref().map(|quarantine| finale_journal::Quarantine {
                reason: quarantine.reason.to_string(),
                until_released: quarantine.until_released,
            });
            writer.quarantine(*execution, quarantine.as_ref())
        }
        WriteWhat::WriteOff { execution, at, error } => writer.write_off(*execution, *at, error),
        WriteWhat::Forget(executions) => writer.forget(executions),
    }
}

/// Looks at the clock, and sends what has gathered, after the mailbox is empty.
struct Drive;

impl ActorFuture<Supervisor> for Drive {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        supervisor: &mut Supervisor,
        actor: &mut Context<Supervisor>,
        context: &mut Polling<'_>,
    ) -> Poll<()> {
        if !supervisor.drive.will_wake(context.waker()) {
            supervisor.drive = context.waker().clone();
        }
        while supervisor.alarm.has_come(supervisor.machine.wake_at(), context) {
            supervisor.tell(Input::Wake, actor);
        }
        supervisor.flush();
        Poll::Pending
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.spawn(Drive);
    }
}

impl Handler<Restart> for Supervisor {
    type Result = ();

    fn handle(&mut self, Restart(recover): Restart, context: &mut Self::Context) {
        self.tell(Input::Recover(recover), context);
    }
}

impl Handler<Knock> for Supervisor {
    type Result = ();

    fn handle(&mut self, _knock: Knock, context: &mut Self::Context) {
        let mut items = self.inbox.take();
        self.waiting.extend(items.drain(..));
        self.inbox.reuse(items);
        self.take_waiting(context);
    }
}

impl Handler<FromActor> for Supervisor {
    type Result = ();

    fn handle(&mut self, FromActor(from, news): FromActor, context: &mut Self::Context) {
        for news in news {
            self.hear(from, news);
        }
        self.carry_out(context);
    }
}

impl Handler<ExecutionEnded> for Supervisor {
    type Result = ();

    fn handle(&mut self, ExecutionEnded(execution, ended, side): ExecutionEnded, context: &mut Self::Context) {
        self.look_at_journal();
        self.ending.push((execution, side));
        self.tell(Input::Ended(ended), context);
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
        if is_final {
            return self.tell(Input::EngineFailed, context);
        }
        let definitions = 0..self.shared.definitions().len() as u32;
        self.register.extend(definitions.map(DefinitionNo).map(|number| self.define(number)).collect::<Vec<_>>());
        self.tell(Input::EngineRebuilt, context);
        self.flush_engine();
        self.engine.do_send(Registered);
    }
}

impl Handler<PortNews> for Supervisor {
    type Result = ();

    fn handle(&mut self, news: PortNews, context: &mut Self::Context) {
        match news {
            PortNews::Written(number) => self.tell(Input::Written(number), context),
            PortNews::Found(input) => self.tell(*input, context),
            PortNews::HasRoom => {
                self.told_full = false;
                self.tell(Input::JournalHasRoom, context);
            }
            PortNews::Failed => self.journal_failed(context),
        }
    }
}

impl Handler<message::TaskCompleted> for Supervisor {
    type Result = ResponseFuture<Result<(), ReportError>>;

    fn handle(&mut self, completed: message::TaskCompleted, _context: &mut Self::Context) -> Self::Result {
        self.report(completed.task, Ok(completed.output))
    }
}

impl Handler<message::TaskFailed> for Supervisor {
    type Result = ResponseFuture<Result<(), ReportError>>;

    fn handle(&mut self, failed: message::TaskFailed, _context: &mut Self::Context) -> Self::Result {
        self.report(failed.task, Err(failed.failure))
    }
}

impl Supervisor {
    /// Passes on a report that came as a message; every shard may be asked for that.
    fn report(&self, task: TaskId, result: Result<Payload, Failure>) -> ResponseFuture<Result<(), ReportError>> {
        if let Err(error) = limited(&result, self.shared.options.limits.payload_bytes_max) {
            return Box::pin(std::future::ready(Err(error.into())));
        }
        let (answer, answered) = oneshot::channel();
        let input = Box::new(execution::Input::Reported(Report::new(task.key, result)));
        let tell = ToShard::Tell { execution: task.execution, input, waiting: Waiting::Report(answer) };
        // A shard that is gone gives it back, and with that the answer is that the runtime has stopped.
        let _ = self.peers.put(shard_of(task.execution, self.shared.options.shards).0, tell);
        Box::pin(async move { answered.await.unwrap_or(Err(ReportError::Stopped)) })
    }
}

impl Drop for Supervisor {
    /// Whoever waits for this shard hears that it is gone, whatever it went of.
    fn drop(&mut self) {
        local::leave(&self.inbox);
        drop(self.inbox.close());
        self.unreadable.values().for_each(|completion| completion.abandon());
        self.shared.port.close();
    }
}
