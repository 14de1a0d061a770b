//! The actor of a shard's tasks: it owns the futures of handlers and the clock of their limits, and decides nothing.

use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as Polling, Poll, Waker};

use actix::{Actor, ActorContext, ActorFuture, Addr, AsyncContext, Context, Handler};
use finale_core::number::{Callback, ShardNo, Slot};
use finale_core::task_engine::{
    Delivery, HandlerResult, Input, Options, Outbox, OutputRange, PermitChange, Registration, Start,
    TaskEngine as Machine,
};
use finale_core::{Dispatch, Payload, Time};

use super::alarm::Alarm;
use super::at_work::{AtWork, Progress};
use super::board::Board;
use super::execution_actor::ExecutionActor;
use super::handlers::{Begun, LocalHandler};
use super::messages::{
    Answered, Connect, Continue, Dismiss, EngineAnswers, EngineLost, EngineQuery, NewActor, Perform, PermitNews,
    Register, Registered, TaskCompleted, TaskFailed, TaskReported, TimerFired,
};
use super::permits::Permits;
use super::shared::Shared;
use super::supervisor::Supervisor;
use crate::context::{Task, TaskContext};
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
    actors: Vec<Addr<ExecutionActor>>,
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
}

impl TaskEngine {
    pub(crate) fn new(
        shared: Rc<Shared>,
        options: Options,
        handlers: Vec<Box<dyn LocalHandler>>,
        permits: Arc<Permits>,
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
            supervisor: None,
            left: TURN_MAX,
            calls: 0,
            deferred: None,
            retrying: false,
        }
    }

    /// Tells the machine something and does what comes of it.
    fn tell(&mut self, input: Input) {
        if let Some(deferred) = &mut self.deferred {
            return deferred.push_back(input);
        }
        let now = self.shared.clock.now();
        self.decide(now, input);
        self.carry_out(now);
    }

    /// The door of the machine, and the fence around it.
    fn decide(&mut self, at: Time, input: Input) {
        let again = cannot_be_reconciled(&input);
        let (machine, out) = (&mut self.machine, &mut self.out);
        if let Err(panicked) = fenced(|| machine.handle(at, input, out)) {
            tracing::error!(target: TARGET, shard = self.shared.index, reason = %panicked.reason, "the task engine panicked");
            self.rebuild(again);
        }
    }

    /// Does what the machine wants done, until nothing is left, or enough was begun for this turn.
    fn carry_out(&mut self, mut now: Time) {
        loop {
            self.carry_out_changes(now);
            if self.left == 0 {
                break;
            }
            let Some(start) = self.out.next_start() else { break };
            self.left -= 1;
            now = self.begin(start, now);
        }
    }

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
        let begun = fenced(|| handler.begin(context, &input, &mut Polling::from_waker(Waker::noop()), output));
        self.shared.vitals.leave();
        let ended = self.shared.clock.now();
        let result = match begun {
            Ok(Begun::Completed) => {
                board.put(key, Payload::from_encoded(&output[before..]));
                completed(before, output)
            }
            Ok(Begun::Failed(failure)) => HandlerResult::Failed(failure),
            Ok(Begun::Pending(future)) => {
                let future = self.at_work.keep(task, attempt, started, future);
                self.decide(ended, Input::HandlerPending { attempt, started, future });
                return ended;
            }
            Err(panicked) => {
                output.truncate(before);
                HandlerResult::Failed(Box::new(panicked))
            }
        };
        self.spare_task = Some(task);
        self.decide(ended, Input::HandlerReady { attempt, started, ended, result });
        ended
    }

    /// A handler that went on has something to say.
    fn progress(&mut self, progress: Progress, now: Time) {
        let input = match progress {
            Progress::Suspended(future) => Input::Suspended(future),
            Progress::Resumed(future) => Input::Resumed(future),
            Progress::Ended { future, attempt, result } => {
                let result = match result {
                    Ok(payload) => {
                        let output = self.machine.output(attempt.slot, &mut self.out);
                        let before = output.len();
                        output.extend_from_slice(payload.as_bytes());
                        let result = completed(before, output);
                        if let Some(board) = self.board(attempt.slot) {
                            board.put(attempt.dispatch.key, payload);
                        }
                        result
                    }
                    Err(failure) => HandlerResult::Failed(Box::new(failure)),
                };
                Input::HandlerEnded { future, ended: now, result }
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
        let bound = self.shared.definition(registration.definition);
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
        }
    }

    /// Sends what has gathered for the callbacks.
    fn flush(&mut self) {
        let (machine, out) = (&mut self.machine, &mut self.out);
        machine.flush(out);
        let mut deliveries = std::mem::take(&mut self.out.deliveries);
        for (callback, delivery) in deliveries.drain(..) {
            if matches!(delivery, Delivery::TaskCompleted(_) | Delivery::TaskFailed(_)) && self.shared.loses_outcomes()
            {
                continue;
            }
            match callback {
                Callback::Actor(number) => deliver(&self.actors[number.0 as usize], delivery),
                Callback::Supervisor => {
                    if let Some(supervisor) = &self.supervisor {
                        deliver(supervisor, delivery);
                    }
                }
            }
        }
        self.out.deliveries = deliveries;
        // After the outcomes: when a shutdown is over, everything that handlers came to is on its way.
        if !self.out.replies.is_empty() || self.out.drained.is_some() {
            let (replies, drained) = (std::mem::take(&mut self.out.replies), self.out.drained.take());
            if let Some(supervisor) = &self.supervisor {
                supervisor.do_send(EngineAnswers { replies, drained });
            }
        }
        let counts = self.machine.counts();
        self.shared.vitals.tasks(counts);
        self.shared.metrics.tasks_running.set(counts.running);
        self.shared.metrics.task_queue.set(counts.queued);
    }

    /// Polls the handlers at work and the clock, as far as this turn goes.
    fn drive(&mut self, context: &mut Polling<'_>) {
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
    fn rebuild(&mut self, again: Option<Input>) {
        let held = self.permits.held(ShardNo(self.shared.index));
        self.machine = Machine::rebuilt(self.options.clone(), &held, &mut self.out);
        let again = again.filter(|_| !self.retrying);
        self.deferred = Some(again.into_iter().chain(self.deferred.take().into_iter().flatten()).collect());
        if let Some(supervisor) = &self.supervisor {
            supervisor.do_send(EngineLost);
        }
    }

    /// Everything is registered again.
    fn registered_again(&mut self) {
        let now = self.shared.clock.now();
        for adopted in self.at_work.adopted().collect::<Vec<_>>() {
            self.decide(now, Input::Adopt(adopted));
        }
        self.retrying = true;
        for input in self.deferred.take().into_iter().flatten() {
            self.tell(input);
            self.retrying = false;
        }
        self.retrying = false;
    }
}

fn completed(before: usize, output: &[u8]) -> HandlerResult {
    HandlerResult::Completed(OutputRange { start: before as u32, length: (output.len() - before) as u32 })
}

/// What must be told again after a panic, because no execution knows that it is missing.
fn cannot_be_reconciled(input: &Input) -> Option<Input> {
    match input {
        Input::HandlerReady { .. } | Input::HandlerEnded { .. } | Input::KeepEarly(_) | Input::Drain { .. } => {
            Some(input.clone())
        }
        _ => None,
    }
}

fn deliver<A>(callback: &Addr<A>, delivery: Delivery)
where
    A: Actor<Context = Context<A>>
        + Handler<TaskCompleted>
        + Handler<TaskFailed>
        + Handler<TimerFired>
        + Handler<TaskReported>
        + Handler<Continue>
        + Handler<Answered>,
{
    match delivery {
        Delivery::TaskCompleted(batch) => callback.do_send(TaskCompleted(batch)),
        Delivery::TaskFailed(batch) => callback.do_send(TaskFailed(batch)),
        Delivery::TimerFired(timers) => callback.do_send(TimerFired(timers)),
        Delivery::TaskReported(reports) => callback.do_send(TaskReported(reports)),
        Delivery::Continue(slots) => callback.do_send(Continue(slots)),
        Delivery::Answered(messages) => callback.do_send(Answered(messages)),
    }
}

/// Polls the handlers and the clock as part of the engine's own future, after its mailbox is empty.
struct Drive;

impl ActorFuture<TaskEngine> for Drive {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        engine: &mut TaskEngine,
        _actor: &mut Context<TaskEngine>,
        context: &mut Polling<'_>,
    ) -> Poll<()> {
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

impl Handler<NewActor> for TaskEngine {
    type Result = ();

    fn handle(&mut self, NewActor(actor): NewActor, _context: &mut Self::Context) {
        self.actors.push(actor);
    }
}

impl Handler<Register> for TaskEngine {
    type Result = ();

    fn handle(&mut self, Register(changes): Register, _context: &mut Self::Context) {
        let now = self.shared.clock.now();
        for change in changes {
            match &change {
                Input::Register(registration) => self.open_board(registration),
                Input::Deregister { slot, .. } => self.close_board(*slot),
                _ => {}
            }
            self.decide(now, change);
        }
        self.carry_out(now);
    }
}

impl Handler<Registered> for TaskEngine {
    type Result = ();

    fn handle(&mut self, _registered: Registered, _context: &mut Self::Context) {
        self.registered_again();
    }
}

impl Handler<Perform> for TaskEngine {
    type Result = ();

    fn handle(&mut self, Perform { outputs, input }: Perform, _context: &mut Self::Context) {
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
        self.tell(input);
    }
}

impl Handler<PermitNews> for TaskEngine {
    type Result = ();

    fn handle(&mut self, PermitNews(input): PermitNews, _context: &mut Self::Context) {
        self.tell(input);
    }
}

impl Handler<EngineQuery> for TaskEngine {
    type Result = ();

    fn handle(&mut self, EngineQuery(look): EngineQuery, _context: &mut Self::Context) {
        look(&self.machine, &self.shared);
    }
}

impl Handler<Dismiss> for TaskEngine {
    type Result = ();

    fn handle(&mut self, _dismiss: Dismiss, context: &mut Self::Context) {
        self.at_work.clear();
        context.stop();
    }
}
