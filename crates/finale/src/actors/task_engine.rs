//! The actor of a shard's tasks: it owns the futures of handlers and the clock of their limits, and decides nothing.

use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as Polling, Poll, Waker};

use actix::{Actor, ActorContext, ActorFuture, Addr, AsyncContext, Context, Handler};
use finale_core::number::{ActorNo, BatchNo, Callback, FutureNo, ShardNo, Slot};
use finale_core::task_engine::{
    Adopted, AdoptedState, Attempt, Counts, Delivery, EarlyReport, HandlerResult, Input, Options, Outbox, OutputRange,
    PermitChange, Reconcile, Registration, Start, TaskEngine as Machine,
};
use finale_core::{Dispatch, Failure, Payload, Time, WorkKey};
use tracing::Span;

use super::alarm::Alarm;
use super::at_work::{AtWork, Progress};
use super::board::Board;
use super::handlers::{Begun, LocalHandler};
use super::lane::{Lane, emptied};
use super::messages::{
    Connect, Dismiss, EngineAnswers, EngineLost, EngineQuery, ForEngine, ForExecution, ForSupervisor, PermitNews,
};
use super::permits::Permits;
use super::shared::Shared;
use super::supervisor::Supervisor;
use crate::context::{SignOfLife, Task, TaskContext};
use crate::fence::fenced;
use crate::telemetry::TARGET;

/// Handlers polled, and begun, before other actors of the thread get their turn.
const TURN_MAX: usize = 256;

pub(crate) struct TaskEngine {
    shared: Rc<Shared>,
    options: Options,
    machine: Machine,
    out: Outbox,
    /// By their numbers.
    handlers: Vec<Box<dyn LocalHandler>>,
    /// What the handlers of an execution can look at, by the index of its slot.
    boards: Vec<Option<(Slot, Rc<Board>)>>,
    spare_board: Option<Rc<Board>>,
    spare_task: Option<Rc<Task>>,
    at_work: AtWork,
    permits: Arc<Permits>,
    /// By their numbers.
    actors: Vec<Lane<ForExecution>>,
    /// What the other actors of the shard send here.
    own: Lane<ForEngine>,
    /// Storage for what they send.
    spare_messages: VecDeque<ForEngine>,
    to_supervisor: Lane<ForSupervisor>,
    /// For what it hears by mailbox.
    supervisor: Option<Addr<Supervisor>>,
    alarm: Alarm,
    /// How many handlers more may begin before other actors of the thread get their turn.
    left: usize,
    /// How often a handler was called.
    calls: u64,
    /// What waits until everything is registered again, after the machine was lost.
    deferred: Option<VecDeque<Input>>,
    /// Whether the machine is told something again over which it panicked: it is not told that a third time.
    retrying: bool,
    /// What the machine panicked over, if no execution knows that it is missing.
    again: Option<Again>,
    /// The handler whose end the machine is told.
    ended: Option<Adopted>,
    /// When the handlers of a shard that ends are dropped.
    drain: Option<Time>,
    /// Reports that a machine kept before it panicked.
    early: Vec<EarlyReport>,
    /// When a machine panicked.
    deaths: Vec<Time>,
    /// Whether too many panicked: nothing is begun here any more.
    has_failed: bool,
    /// What there is to do, as was said last.
    counts: Counts,
}

/// Something that a machine is told in the place of one that panicked over it.
enum Again {
    Input(Input),
    /// A handler came to its result. It counts as at work until the new machine hears of that.
    Ended {
        attempt: Attempt,
        started: Time,
        state: AdoptedState,
        ended: Time,
        custom_status: Option<Box<str>>,
        result: Result<Vec<u8>, Box<Failure>>,
    },
}

impl TaskEngine {
    pub(crate) fn new(
        shared: Rc<Shared>,
        options: Options,
        handlers: Vec<Box<dyn LocalHandler>>,
        permits: Arc<Permits>,
        (own, to_supervisor): (Lane<ForEngine>, Lane<ForSupervisor>),
    ) -> Self {
        Self {
            at_work: AtWork::new(shared.options.limits.payload_bytes_max),
            alarm: Alarm::new(shared.clock),
            shared,
            machine: Machine::new(options.clone()),
            options,
            out: Outbox::default(),
            handlers,
            boards: Vec::new(),
            spare_board: None,
            spare_task: None,
            permits,
            actors: Vec::new(),
            own,
            spare_messages: VecDeque::new(),
            to_supervisor,
            supervisor: None,
            left: TURN_MAX,
            calls: 0,
            deferred: None,
            retrying: false,
            again: None,
            ended: None,
            drain: None,
            early: Vec::new(),
            deaths: Vec::new(),
            has_failed: false,
            counts: Counts::default(),
        }
    }

    /// Tells the machine something and does what comes of it.
    fn tell(&mut self, input: Input) {
        let now = self.shared.clock.now();
        self.decide_or_defer(now, input);
        if self.deferred.is_none() {
            self.carry_out(now);
        }
    }

    /// Tells the machine something, or keeps it until everything is registered again.
    fn decide_or_defer(&mut self, at: Time, input: Input) {
        match &mut self.deferred {
            Some(deferred) => deferred.push_back(input),
            None => self.decide(at, input),
        }
    }

    /// The door of the machine, and the fence around it.
    fn decide(&mut self, at: Time, input: Input) {
        if let Input::Drain { deadline } = input {
            self.drain.get_or_insert(deadline);
        } else if self.has_failed {
            return;
        }
        let missing = Missing::if_lost(&input);
        let (machine, out, shared) = (&mut self.machine, &mut self.out, &self.shared);
        let handled = fenced(|| {
            shared.strike_engine(&input);
            machine.handle(at, input, out);
        });
        if let Err(panicked) = handled {
            tracing::error!(target: TARGET, shard = self.shared.index, reason = %panicked.reason, "the task engine panicked");
            let again = self.again(missing);
            self.rebuild(again);
        }
    }

    /// What is to be told again of an input over which the machine panicked; its outputs are still where they were written.
    fn again(&mut self, missing: Missing) -> Option<Again> {
        let (attempt, started, state, ended, custom_status, result) = match missing {
            Missing::Nothing => return None,
            Missing::Ready { attempt, started, ended, custom_status, result } => {
                (attempt, started, AdoptedState::Working, ended, custom_status, result)
            }
            Missing::Ended { future, ended, custom_status, result } => {
                let Adopted { attempt, started, state, .. } = self.ended.filter(|handler| handler.future == future)?;
                (attempt, started, state, ended, custom_status, result)
            }
            // What is to be performed is found out when the execution reconciles; its actor waits for the answer.
            Missing::Answer(from) => {
                let (taken, effects) = (BatchNo::NONE, Vec::new());
                return Some(Again::Input(Input::Perform { from, taken, effects }));
            }
            Missing::Input(input) => return Some(Again::Input(*input)),
        };
        let result = match result {
            HandlerResult::Completed(OutputRange { start, length }) => {
                let (machine, out) = (&mut self.machine, &mut self.out);
                let range = start as usize..start as usize + length as usize;
                let output = fenced(|| machine.output(attempt.slot, out).get(range).map(<[u8]>::to_vec));
                // If it is not there any more, it is in a batch that was sent.
                Ok(output.ok().flatten()?)
            }
            HandlerResult::Failed(failure) => Err(failure),
        };
        Some(Again::Ended { attempt, started, state, ended, custom_status, result })
    }

    /// Does what the machine wants done, until nothing is left, or enough was begun for this turn.
    fn carry_out(&mut self, mut now: Time) {
        loop {
            if self.out.has_changes() {
                self.carry_out_changes(now);
            }
            if self.left == 0 {
                break;
            }
            let Some(start) = self.out.next_start() else { break };
            self.left -= 1;
            now = self.begin(start, now);
        }
    }

    #[cold]
    fn carry_out_changes(&mut self, now: Time) {
        // First: what a grant lets go on is among the rest.
        while let Some(change) = self.out.permits.pop() {
            self.change_permits(now, change);
        }
        for future in self.out.stops.drain(..) {
            self.at_work.ask_to_stop(future);
        }
        for future in self.out.drops.drain(..) {
            self.at_work.drop(future);
        }
        for future in self.out.resumes.drain(..) {
            self.at_work.resume(future);
        }
        for leak in self.out.leaks.drain(..) {
            self.at_work.leak(leak.future);
            self.shared.leaked(&leak);
        }
    }

    fn change_permits(&mut self, now: Time, change: PermitChange) {
        match change {
            PermitChange::Ask { limit, .. } => {
                let permits = self.permits.take(ShardNo(self.shared.index), limit);
                self.decide(now, Input::PermitsGranted { limit, permits });
            }
            PermitChange::Return { limit, permits } => self.permits.give(ShardNo(self.shared.index), limit, permits),
        }
    }

    /// Begins a handler and polls it once in place: most are ready at once.
    ///
    /// Gives the time after that, which is when the next one begins.
    fn begin(&mut self, Start { attempt, input }: Start, started: Time) -> Time {
        let (slot, key) = (attempt.slot, attempt.dispatch.key);
        let (Some(board), Some(registration)) = (self.board(slot), self.machine.registration(slot)) else {
            return started;
        };
        let input = input.unwrap_or_else(|| registration.input.clone());
        let task = self.task(&board, attempt.dispatch);
        let output = self.machine.output(slot, &mut self.out);
        let before = output.len();
        let handler = &mut self.handlers[usize::from(attempt.handler.0)];
        let context = TaskContext::new(Rc::clone(&task));
        self.calls += 1;
        self.shared.vitals.enter(attempt.handler, self.calls);
        let span = board.task_span(attempt.dispatch);
        let begun = fenced(|| {
            let _entered = span.as_deref().map(Span::enter);
            let begin =
                |output: &mut Vec<u8>| handler.begin(context, &input, &mut Polling::from_waker(Waker::noop()), output);
            board.bound.begin_checked(key.node, &input, output, begin)
        });
        self.shared.vitals.leave();
        let ended = self.shared.clock.now();
        let result = match begun {
            Ok(Begun::Completed) => {
                board.put(key, Payload::from_encoded(&output[before..]));
                completed(before, output)
            }
            Ok(Begun::Failed(failure)) => HandlerResult::Failed(failure),
            Ok(Begun::Pending(future)) => {
                let future = self.at_work.keep(task, attempt, started, future, span);
                self.decide(ended, Input::HandlerPending { attempt, started, future });
                return ended;
            }
            Err(panicked) => {
                output.truncate(before);
                HandlerResult::Failed(Box::new(panicked))
            }
        };
        let custom_status = task.take_sign().and_then(|sign| sign.custom_status);
        let _ = fenced(|| task.end());
        self.spare_task = Some(task);
        self.decide(ended, Input::HandlerReady { attempt, started, ended, custom_status, result });
        ended
    }

    /// A handler that went on has something to say.
    fn progress(&mut self, progress: Progress, now: Time) {
        let input = match progress {
            Progress::Suspended(future) => Input::Suspended(future),
            Progress::Resumed(future) => Input::Resumed(future),
            Progress::Alive(future, SignOfLife { progress, custom_status }) => {
                Input::Alive { future, progress, custom_status }
            }
            Progress::Ended { handler, custom_status, result } => {
                self.ended = Some(handler);
                let Adopted { future, attempt, .. } = handler;
                let board = self.board(attempt.slot);
                let result = match checked(board.as_deref(), attempt.dispatch.key, result) {
                    Ok(payload) => {
                        let output = self.machine.output(attempt.slot, &mut self.out);
                        let before = output.len();
                        output.extend_from_slice(payload.as_bytes());
                        let result = completed(before, output);
                        if let Some(board) = board {
                            board.put(attempt.dispatch.key, payload);
                        }
                        result
                    }
                    Err(failure) => HandlerResult::Failed(Box::new(failure)),
                };
                Input::HandlerEnded { future, ended: now, custom_status, result }
            }
        };
        self.decide(now, input);
        self.carry_out(now);
    }

    /// What the handlers of the execution in that slot look at.
    fn board(&self, slot: Slot) -> Option<Rc<Board>> {
        let (of, board) = self.boards.get(slot.index())?.as_ref()?;
        (*of == slot).then(|| Rc::clone(board))
    }

    /// The task of one attempt; storage that its handler has let go of is used again.
    fn task(&mut self, board: &Rc<Board>, dispatch: Dispatch) -> Rc<Task> {
        if let Some(mut task) = self.spare_task.take()
            && let Some(unused) = Rc::get_mut(&mut task)
        {
            unused.reset(board, dispatch);
            return task;
        }
        Rc::new(Task::new(Rc::clone(board), dispatch))
    }

    fn open_board(&mut self, registration: &Registration) {
        let (slot, execution) = (registration.slot, registration.execution);
        // One that has ended before this came may have been the last of its definition: nothing of it begins.
        let Some(bound) = self.shared.definitions.borrow().get(registration.definition) else { return };
        if self.boards.len() <= slot.index() {
            self.boards.resize_with(slot.index() + 1, || None);
        }
        let known = &mut self.boards[slot.index()];
        if known.as_ref().is_some_and(|(of, _)| *of == slot) {
            return;
        }
        let board = match self.spare_board.take().map(|mut board| (Rc::get_mut(&mut board).is_some(), board)) {
            Some((true, mut board)) => {
                Rc::get_mut(&mut board).expect("nobody else has it").reset(execution, &bound);
                board
            }
            _ => Rc::new(Board::new(execution, bound)),
        };
        *known = Some((slot, board));
    }

    fn close_board(&mut self, slot: Slot) {
        if let Some(known) = self.boards.get_mut(slot.index())
            && known.as_ref().is_some_and(|(of, _)| *of == slot)
        {
            self.spare_board = known.take().map(|(_, board)| board);
            self.spare_board.iter().for_each(|board| board.close_span());
        }
    }

    /// Sends what has gathered for the callbacks.
    fn flush(&mut self) {
        let (machine, out, at_work) = (&mut self.machine, &mut self.out, &self.at_work);
        machine.flush_but(|slot| at_work.is_beginning(slot), out);
        let mut deliveries = std::mem::take(&mut self.out.deliveries);
        for (callback, delivery) in deliveries.drain(..) {
            if matches!(delivery, Delivery::TaskCompleted(_) | Delivery::TaskFailed(_)) && self.shared.loses_outcomes()
            {
                continue;
            }
            match callback {
                Callback::Actor(number) => self.actors[number.0 as usize].send(ForExecution::Delivered(delivery)),
                Callback::Supervisor => self.to_supervisor.send(ForSupervisor::Delivered(delivery)),
            }
        }
        self.out.deliveries = deliveries;
        self.shared.keep_spent(&mut self.out.spent);
        // After the outcomes: when a shutdown is over, everything that handlers came to is on its way.
        if !self.out.replies.is_empty() || self.out.drained.is_some() {
            let (replies, drained) = (std::mem::take(&mut self.out.replies), self.out.drained.take());
            if let Some(supervisor) = &self.supervisor {
                supervisor.do_send(EngineAnswers { replies, drained });
            }
        }
        let counts = self.machine.counts();
        if counts == self.counts {
            return;
        }
        self.counts = counts;
        self.shared.vitals.tasks(counts);
        self.shared.metrics.tasks_running.set(counts.running);
        self.shared.metrics.task_queue.set(counts.queued);
    }

    /// Polls the handlers at work and the clock, as far as this turn goes.
    fn drive(&mut self, context: &mut Polling<'_>) {
        if self.deferred.is_some() {
            // No handler is polled before the new machine knows it: what it came to would be nobody's.
            return self.flush();
        }
        if self.left == 0 {
            // What was left in the turn before this one, which began as much as it might.
            self.left = TURN_MAX;
            let now = self.shared.clock.now();
            self.carry_out(now);
        }
        let mut left = TURN_MAX;
        while left > 0
            && let Poll::Ready(progress) = self.at_work.poll_next(context)
        {
            left -= 1;
            let now = self.shared.clock.now();
            self.progress(progress, now);
            if self.deferred.is_some() {
                return self.flush();
            }
        }
        if left == 0 || self.left == 0 {
            // There may be more: the others get their turn first.
            context.waker().wake_by_ref();
        } else {
            self.left = TURN_MAX;
        }
        while self.alarm.has_come(self.machine.wake_at(), context) {
            self.tell(Input::Wake);
        }
        self.flush();
    }

    /// Makes a machine in the place of one that panicked; what was lost is told again before anything else is taken.
    fn rebuild(&mut self, again: Option<Again>) {
        let machine = &mut self.machine;
        self.early.extend(fenced(|| machine.take_early_reports()).unwrap_or_default());
        let held = self.permits.held(ShardNo(self.shared.index));
        let machine = &mut self.machine;
        let untaken = fenced(|| machine.take_untaken()).unwrap_or_default();
        self.machine = Machine::rebuilt(self.options.clone(), &held, untaken, &mut self.out);
        match again {
            Some(Again::Input(Input::KeepEarly(report))) => self.early.push(report),
            Some(again) if !self.retrying => self.again = Some(again),
            _ => {}
        }
        let is_final = self.dies_too_often();
        if is_final {
            // What is on its way here would begin handlers that nobody waits for, and that hold what others need.
            self.has_failed = true;
            self.machine = Machine::new(self.options.clone());
            self.at_work.clear();
            (self.deferred, self.again) = (None, None);
            self.permits.remove(ShardNo(self.shared.index));
        } else {
            self.deferred.get_or_insert_default();
        }
        if let Some(supervisor) = &self.supervisor {
            supervisor.do_send(EngineLost { is_final });
        }
    }

    /// Notes a death; gives whether there were too many in a short time.
    fn dies_too_often(&mut self) -> bool {
        let (now, options) = (self.shared.clock.now(), &self.shared.options);
        self.deaths.retain(|death| now.since(*death) <= options.deaths_window);
        self.deaths.push(now);
        self.deaths.len() > options.deaths_max
    }

    /// Everything is registered again. If the new machine panics as well, the next one is told the rest.
    fn registered_again(&mut self) {
        let now = self.shared.clock.now();
        let deferred = self.deferred.take();
        for input in self.lasting() {
            self.decide_unless_lost(now, input);
        }
        for report in std::mem::take(&mut self.early) {
            if let Some(Input::KeepEarly(report)) = self.decide_unless_lost(now, Input::KeepEarly(report)) {
                self.early.push(report);
            }
        }
        if self.deferred.is_none() {
            self.retrying = true;
            match self.again.take() {
                Some(Again::Input(input)) => self.decide(now, input),
                Some(Again::Ended { attempt, started, state, ended, custom_status, result }) => {
                    self.end_again(attempt, started, state, (ended, custom_status), result);
                }
                None => {}
            }
            if let Some(deadline) = self.drain {
                self.decide_unless_lost(now, Input::Drain { deadline });
            }
            self.retrying = false;
            self.carry_out(now);
        }
        for input in deferred.into_iter().flatten() {
            // If it panics again, the rest is put off again.
            self.tell(input);
        }
    }

    /// What every new machine must know.
    fn lasting(&self) -> Vec<Input> {
        let adopted = self.at_work.adopted().map(Input::Adopt);
        let failed = self.shared.port.error().is_some().then_some(Input::JournalFailed);
        let resumed = self.at_work.resuming().map(Input::Resumed);
        let wanted = self.permits.wanted_by_others(ShardNo(self.shared.index)).into_iter();
        let wanted = wanted.map(|(limit, wanted)| Input::PermitsWanted { limit, wanted });
        adopted.chain(failed).chain(resumed).chain(wanted).collect()
    }

    /// Tells the machine something, or gives it back if the machine was lost: the one after it knows no execution yet.
    fn decide_unless_lost(&mut self, at: Time, input: Input) -> Option<Input> {
        if self.deferred.is_some() {
            return Some(input);
        }
        self.decide(at, input);
        None
    }

    /// The new machine hears that a handler came to its result.
    fn end_again(
        &mut self,
        attempt: Attempt,
        started: Time,
        state: AdoptedState,
        (ended, custom_status): (Time, Option<Box<str>>),
        result: Result<Vec<u8>, Box<Failure>>,
    ) {
        let future = self.at_work.reserve();
        self.decide(ended, Input::Adopt(Adopted { attempt, started, future, state }));
        let result = match result {
            Ok(bytes) => {
                let output = self.machine.output(attempt.slot, &mut self.out);
                let before = output.len();
                output.extend_from_slice(&bytes);
                completed(before, output)
            }
            Err(failure) => HandlerResult::Failed(failure),
        };
        self.decide(ended, Input::HandlerEnded { future, ended, custom_status, result });
        self.at_work.release(future);
    }
}

/// What came of a handler that was kept, if it may have given what it gave.
fn checked(board: Option<&Board>, key: WorkKey, result: Result<Payload, Failure>) -> Result<Payload, Failure> {
    let (Some(board), Ok(output)) = (board, &result) else { return result };
    fenced(|| board.bound.check_output(key.node, output.as_bytes())).flatten()?;
    result
}

fn completed(before: usize, output: &[u8]) -> HandlerResult {
    HandlerResult::Completed(OutputRange { start: before as u32, length: (output.len() - before) as u32 })
}

/// What must be told again after a panic over an input, because no execution knows that it is missing. It is noted before
/// each input, so it is small where the input is a usual one.
enum Missing {
    Nothing,
    /// A handler was ready at once.
    Ready {
        attempt: Attempt,
        started: Time,
        ended: Time,
        custom_status: Option<Box<str>>,
        result: HandlerResult,
    },
    /// A handler that was kept came to its result.
    Ended {
        future: FutureNo,
        ended: Time,
        custom_status: Option<Box<str>>,
        result: HandlerResult,
    },
    /// An actor waits for an answer.
    Answer(ActorNo),
    Input(Box<Input>),
}

impl Missing {
    fn if_lost(input: &Input) -> Self {
        match input {
            Input::HandlerReady { attempt, started, ended, custom_status, result } => {
                let (custom_status, result) = (custom_status.clone(), result.clone());
                Self::Ready { attempt: *attempt, started: *started, ended: *ended, custom_status, result }
            }
            Input::HandlerEnded { future, ended, custom_status, result } => {
                let (custom_status, result) = (custom_status.clone(), result.clone());
                Self::Ended { future: *future, ended: *ended, custom_status, result }
            }
            Input::Perform { from, .. } | Input::Reconcile(Reconcile { from: Callback::Actor(from), .. }) => {
                Self::Answer(*from)
            }
            Input::KeepEarly(_) | Input::Drain { .. } | Input::Alive { custom_status: Some(_), .. } => {
                Self::Input(Box::new(input.clone()))
            }
            _ => Self::Nothing,
        }
    }
}

/// Takes what the other actors have sent, and polls the handlers and the clock, as part of the engine's own future, after its
/// mailbox is empty.
struct Drive;

impl ActorFuture<TaskEngine> for Drive {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        engine: &mut TaskEngine,
        _actor: &mut Context<TaskEngine>,
        context: &mut Polling<'_>,
    ) -> Poll<()> {
        engine.own.wakes(context);
        engine.take_lane();
        engine.drive(context);
        Poll::Pending
    }
}

impl Actor for TaskEngine {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.spawn(Drive);
    }
}

impl Handler<Connect> for TaskEngine {
    type Result = ();

    fn handle(&mut self, Connect(supervisor): Connect, _context: &mut Self::Context) {
        self.supervisor = Some(supervisor);
    }
}

impl TaskEngine {
    /// Takes what the other actors of the shard have sent. All of it is decided first: nothing begins that the last of it is
    /// against.
    fn take_lane(&mut self) {
        let mut messages = self.own.take(std::mem::take(&mut self.spare_messages));
        if !messages.is_empty() {
            let now = self.shared.clock.now();
            for message in messages.drain(..) {
                match message {
                    ForEngine::Change(change) => self.change(now, change),
                    ForEngine::Perform { outputs, input } => self.perform(now, outputs, input),
                    ForEngine::Span(slot, span) => {
                        if let Some(board) = self.board(slot) {
                            board.put_span(span);
                        }
                    }
                    ForEngine::Registered => self.registered_again(),
                    ForEngine::NewActor(actor) => self.actors.push(actor),
                }
            }
            self.carry_out(now);
        }
        self.spare_messages = emptied(messages);
    }

    /// An execution begins, moves or ends. That is never put off: everything is registered again so.
    fn change(&mut self, now: Time, change: Input) {
        match &change {
            Input::Register(registration) => self.open_board(registration),
            Input::Deregister { slot, .. } => self.close_board(*slot),
            _ => {}
        }
        self.decide(now, change);
    }

    fn perform(&mut self, now: Time, outputs: Vec<(Slot, WorkKey, Payload)>, input: Input) {
        if let Input::Reconcile(reconcile) = &input
            && let Some(board) = self.board(reconcile.slot)
        {
            // All outputs there are come with it.
            board.clear();
        }
        for (slot, key, output) in outputs {
            if let Some(board) = self.board(slot) {
                board.put(key, output);
            }
        }
        self.decide_or_defer(now, input);
    }
}

impl Handler<PermitNews> for TaskEngine {
    type Result = ();

    fn handle(&mut self, PermitNews(input): PermitNews, _context: &mut Self::Context) {
        self.take_lane();
        self.tell(input);
    }
}

impl Handler<EngineQuery> for TaskEngine {
    type Result = ();

    fn handle(&mut self, EngineQuery(look): EngineQuery, _context: &mut Self::Context) {
        self.take_lane();
        look(&self.machine, &self.shared);
    }
}

impl Handler<Dismiss> for TaskEngine {
    type Result = ();

    fn handle(&mut self, _dismiss: Dismiss, context: &mut Self::Context) {
        self.take_lane();
        self.at_work.clear();
        context.stop();
    }
}
