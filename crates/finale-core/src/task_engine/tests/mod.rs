//! The rules of the engine, driven through one shard whose handlers, clock and pool are simulated.

mod batches;
mod definitions;
mod draining;
mod early;
mod external;
mod limits;
mod naive;
mod queues;
mod rebuilt;
mod reconciling;
mod registering;
mod running;
mod shared_permits;
mod silence;
mod stopping;
mod suspending;
mod timers;
mod updates;

use std::collections::BTreeMap;
use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::execution::{self, AfterStop, Effect};
use crate::fact::Timer;
use crate::failure::{Failure, FailureClass};
use crate::id::{AttemptNo, Dispatch, Epoch, NodeIndex, ScopeId, WorkKey};
use crate::number::{ActorNo, BatchNo, DefinitionNo, FutureNo, HandlerNo, RequestId, ShardNo};
use crate::payload::Payload;
use crate::permits::{Grant, PermitPool};

/// What the nodes of the one definition do: the number of the node is that of its handler.
const READY: u32 = 0;
const PENDING: u32 = 1;
const FAILING: u32 = 2;
const BLOCKING: u32 = 3;
/// Has a limit of one.
const LIMITED: u32 = 4;
/// The same limit, and is ready at once.
const LIMITED_READY: u32 = 5;
/// May take ten seconds.
const HURRIED: u32 = 6;
/// Must not begin twice.
const ONCE: u32 = 7;
/// Blocks, and may take ten seconds.
const HURRIED_BLOCKING: u32 = 8;
/// Blocks, and has the limit of one.
const LIMITED_BLOCKING: u32 = 9;
/// No handler is registered for it.
const UNREGISTERED: u32 = 10;
/// Has the limit of one, and may wait ten seconds for its permits.
const HASTY: u32 = 11;
/// May say nothing for ten seconds.
const SILENT: u32 = 12;
/// Blocks, and may say nothing for ten seconds.
const SILENT_BLOCKING: u32 = 13;

const LIMITED_TO_ONE: LimitNo = LimitNo(1);
const GRACE: Duration = Duration::from_secs(5);
const SWEEP: Duration = Duration::from_secs(1_000);
const ATTEMPT_MAX: Duration = Duration::from_secs(10);
const EARLY_MAX: usize = 3;

/// Something that a shard was seen to do.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Began(Dispatch),
    ToldToStop(Dispatch),
    Dropped(Dispatch),
    Resumed(Dispatch),
    Leaked(Dispatch),
    Drained(Drained),
    Replied(u64, EarlyAnswer),
    Completed(Slot, Dispatch, String),
    Failed(Slot, Dispatch, FailureClass, String),
    Stopped(Slot, Dispatch, crate::fact::StopOutcome),
    Fired(Slot, Timer),
    GivenBack(Slot, WorkKey, Option<u64>),
    Continued(Slot),
    Updated(TaskUpdate),
    Answered(u32),
}

/// One shard: the engine, and everything around it.
struct Shard {
    engine: TaskEngine,
    out: Outbox,
    now: Time,
    pool: PermitPool,
    /// The futures at work, by their numbers.
    futures: BTreeMap<u32, Attempt>,
    seen: Vec<Seen>,
    /// The newest batch that each callback was sent.
    newest: BTreeMap<Callback, BatchNo>,
    /// Starts that are left for later: none are begun while it is set.
    lazy: bool,
    /// Whether what callbacks are sent is lost on its way.
    losing: bool,
    /// Whether another shard was told that there are permits for it.
    told_elsewhere: bool,
    /// What callbacks were sent, with who got it.
    sent: Vec<(Callback, Delivery)>,
}

fn options() -> Options {
    let handler = |limit: Option<LimitNo>, blocking| HandlerOptions { limit, blocking };
    let handlers = (READY..=SILENT_BLOCKING).map(|node| {
        let limited = matches!(node, LIMITED | LIMITED_READY | LIMITED_BLOCKING | HASTY);
        let blocking = matches!(node, BLOCKING | HURRIED_BLOCKING | LIMITED_BLOCKING | SILENT_BLOCKING);
        handler(limited.then_some(LIMITED_TO_ONE), blocking)
    });
    Options {
        handlers: handlers.collect(),
        limits: 2,
        unused_permits_max: 1_000,
        grace: GRACE,
        early_reports_max: EARLY_MAX,
        sweep_interval: SWEEP,
        text_bytes_max: 100,
    }
}

fn nodes() -> Box<[TaskNode]> {
    let node = |node: u32| TaskNode {
        handler: (node != UNREGISTERED).then_some(HandlerNo(node as u16)),
        attempt_max: matches!(node, HURRIED | HURRIED_BLOCKING).then_some(ATTEMPT_MAX),
        queue_max: (node == HASTY).then_some(ATTEMPT_MAX),
        silence_max: matches!(node, SILENT | SILENT_BLOCKING).then_some(ATTEMPT_MAX),
        at_most_once: node == ONCE,
    };
    (READY..=SILENT_BLOCKING).map(node).collect()
}

fn slot(index: u32) -> Slot {
    Slot::new(index)
}

fn key(node: u32) -> WorkKey {
    WorkKey::root(NodeIndex(node))
}

/// The same node in another scope.
fn key_in(scope: u32, node: u32) -> WorkKey {
    WorkKey { scope: ScopeId(scope), ..key(node) }
}

fn first(node: u32) -> Dispatch {
    attempt(node, 1)
}

fn attempt(node: u32, attempt: u16) -> Dispatch {
    Dispatch { key: key(node), attempt: AttemptNo::new(attempt).expect("attempts are counted from 1"), epoch: Epoch(0) }
}

fn scoped(scope: u32, node: u32) -> Dispatch {
    Dispatch { key: key_in(scope, node), ..first(node) }
}

fn run(dispatch: Dispatch) -> Effect {
    Effect::Run { dispatch, input: None }
}

fn open(dispatch: Dispatch) -> Effect {
    Effect::Offer { dispatch, input: Payload::NULL, since: Time::from_micros(7), path: None }
}

fn close(dispatch: Dispatch) -> Effect {
    Effect::Withdraw { dispatch }
}

fn arm(timer: Timer, due: Time) -> Effect {
    Effect::ArmTimer { timer, due, within: Duration::MAX }
}

fn stop(dispatch: Dispatch) -> Effect {
    Effect::Stop { dispatch, then: AfterStop::Report }
}

fn finish(dispatch: Dispatch) -> Effect {
    Effect::Stop { dispatch, then: AfterStop::Finish }
}

fn forget(dispatch: Dispatch) -> Effect {
    Effect::Stop { dispatch, then: AfterStop::Forget }
}

fn report(key: WorkKey) -> Box<execution::Input> {
    let report = execution::Report { key, attempt: None, result: Ok(Payload::NULL), by: "somebody".into() };
    Box::new(execution::Input::Reported(report))
}

fn failure(reason: &str) -> Box<Failure> {
    Box::new(Failure::new(FailureClass::Failed, reason))
}

fn execution(slot: Slot) -> ExecutionId {
    ExecutionId::from_uuid(Uuid::from_u128(slot.index() as u128 + 1))
}

impl Shard {
    /// A shard in which that many handlers may be at work, with three executions that are with actor 0.
    fn new(running_max: usize) -> Self {
        let mut shard = Self::empty(running_max);
        (0..3).for_each(|index| shard.register(slot(index), 0));
        shard
    }

    fn empty(running_max: usize) -> Self {
        let mut shard = Self {
            engine: TaskEngine::new(options()),
            out: Outbox::default(),
            now: Time::from_micros(1_000_000),
            pool: PermitPool::new([running_max, 1], 1),
            futures: BTreeMap::new(),
            seen: Vec::new(),
            newest: BTreeMap::new(),
            lazy: false,
            losing: false,
            told_elsewhere: false,
            sent: Vec::new(),
        };
        shard.tell(Input::Define { definition: DefinitionNo(0), nodes: nodes() });
        shard
    }

    fn register(&mut self, slot: Slot, actor: u32) {
        self.tell(Input::Register(Registration {
            slot,
            execution: execution(slot),
            definition: DefinitionNo(0),
            callback: Callback::Actor(ActorNo(actor)),
            input: Payload::encode("given").unwrap(),
        }));
    }

    /// Tells the engine something and carries out what comes of it, without sending.
    fn tell(&mut self, input: Input) {
        self.engine.handle(self.now, input, &mut self.out);
        self.carry_out();
        while !self.lazy
            && let Some(start) = self.out.next_start()
        {
            self.begin(start.attempt);
            self.carry_out();
        }
    }

    /// As the actor of the engine does at the end of its poll.
    fn flush(&mut self) {
        self.engine.flush(&mut self.out);
        self.carry_out();
    }

    /// Actor 0 sends effects for one execution; gives what was seen since then.
    fn perform(&mut self, slot: Slot, effects: impl IntoIterator<Item = Effect>) -> Vec<Seen> {
        let effects = effects.into_iter().map(|effect| (slot, effect)).collect();
        let taken = self.newest_of(Callback::Actor(ActorNo(0)));
        self.tell(Input::Perform { from: ActorNo(0), taken, effects });
        self.flush();
        self.take_seen()
    }

    fn reconcile(&mut self, slot: Slot, under_way: Vec<Effect>) -> Vec<Seen> {
        let taken = BatchNo::NONE;
        self.tell(Input::Reconcile(Reconcile { slot, from: Callback::Actor(ActorNo(0)), taken, under_way }));
        self.flush();
        self.take_seen()
    }

    /// A handler comes to its result.
    fn end(&mut self, dispatch: Dispatch, result: Result<&str, &str>) -> Vec<Seen> {
        self.end_of(slot(0), dispatch, result)
    }

    fn end_of(&mut self, slot: Slot, dispatch: Dispatch, result: Result<&str, &str>) -> Vec<Seen> {
        let future = self.future_of(slot, dispatch);
        self.futures.remove(&future.0);
        let result = match result {
            Ok(output) => self.write(slot, output),
            Err(reason) => HandlerResult::Failed(failure(reason)),
        };
        self.tell(Input::HandlerEnded { future, ended: self.now, custom_status: None, result });
        self.flush();
        self.take_seen()
    }

    fn suspend(&mut self, dispatch: Dispatch) -> Vec<Seen> {
        let future = self.future(dispatch);
        self.told(Input::Suspended(future))
    }

    fn resume(&mut self, dispatch: Dispatch) -> Vec<Seen> {
        let future = self.future(dispatch);
        self.told(Input::Resumed(future))
    }

    /// Tells the engine something, and gives what was seen.
    fn told(&mut self, input: Input) -> Vec<Seen> {
        self.tell(input);
        self.flush();
        self.take_seen()
    }

    fn keep_early(&mut self, slot: Slot, key: WorkKey, request: u64) -> Vec<Seen> {
        let (report, request) = (report(key), Some(RequestId(request)));
        self.told(Input::KeepEarly(EarlyReport { slot, key, report, request }))
    }

    /// Lets time pass; what becomes due meanwhile is taken at its time.
    fn advance(&mut self, time: Duration) -> Vec<Seen> {
        let until = self.now.after(time);
        while let Some(due) = self.engine.wake_at().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.tell(Input::Wake);
        }
        self.now = until;
        self.flush();
        self.take_seen()
    }

    fn take_seen(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.seen)
    }

    fn future(&self, dispatch: Dispatch) -> FutureNo {
        self.future_of(slot(0), dispatch)
    }

    fn future_of(&self, slot: Slot, dispatch: Dispatch) -> FutureNo {
        let is_it = |(_, attempt): &(&u32, &Attempt)| attempt.slot == slot && attempt.dispatch == dispatch;
        FutureNo(*self.futures.iter().find(is_it).expect("it is at work").0)
    }

    fn newest_of(&self, callback: Callback) -> BatchNo {
        self.newest.get(&callback).copied().unwrap_or_default()
    }

    fn write(&mut self, slot: Slot, output: &str) -> HandlerResult {
        let bytes = self.engine.output(slot, &mut self.out);
        let start = bytes.len();
        bytes.extend_from_slice(output.as_bytes());
        HandlerResult::Completed(OutputRange::behind(start, bytes))
    }

    /// Begins a handler: it is ready or pending as its node says.
    fn begin(&mut self, attempt: Attempt) {
        self.seen.push(Seen::Began(attempt.dispatch));
        let now = self.now;
        let result = match u32::from(attempt.handler.0) {
            READY | LIMITED_READY => Some(self.write(attempt.slot, "\"ready\"")),
            FAILING => Some(HandlerResult::Failed(failure("no"))),
            _ => None,
        };
        let input = match result {
            Some(result) => Input::HandlerReady { attempt, started: now, ended: now, custom_status: None, result },
            None => {
                let future = (0..).find(|future| !self.futures.contains_key(future)).expect("there is a free number");
                self.futures.insert(future, attempt);
                Input::HandlerPending { attempt, started: now, future: FutureNo(future) }
            }
        };
        self.engine.handle(now, input, &mut self.out);
    }

    fn carry_out(&mut self) {
        while let Some(change) = self.out.permits.pop() {
            self.change_permits(change);
        }
        let dispatch = |futures: &BTreeMap<u32, Attempt>, future: FutureNo| futures[&future.0].dispatch;
        for future in std::mem::take(&mut self.out.stops) {
            self.seen.push(Seen::ToldToStop(dispatch(&self.futures, future)));
        }
        for future in std::mem::take(&mut self.out.resumes) {
            self.seen.push(Seen::Resumed(dispatch(&self.futures, future)));
        }
        for future in std::mem::take(&mut self.out.drops) {
            let attempt = self.futures.remove(&future.0).expect("only what is at work is dropped");
            self.seen.push(Seen::Dropped(attempt.dispatch));
        }
        self.seen.extend(self.out.leaks.drain(..).map(|leak| Seen::Leaked(leak.attempt.dispatch)));
        self.seen.extend(self.out.replies.drain(..).map(|reply| Seen::Replied(reply.request.0, reply.answer)));
        for (callback, delivery) in std::mem::take(&mut self.out.deliveries) {
            self.receive(callback, &delivery);
            self.sent.push((callback, delivery));
        }
        self.seen.extend(self.out.drained.take().map(Seen::Drained));
    }

    fn change_permits(&mut self, change: PermitChange) {
        match change {
            PermitChange::Ask { limit, .. } => {
                let Grant { permits, holders } = self.pool.take(ShardNo(0), limit);
                self.engine.handle(self.now, Input::PermitsGranted { limit, permits }, &mut self.out);
                if holders.contains(&ShardNo(0)) {
                    self.engine.handle(self.now, Input::PermitsWanted { limit, wanted: 1 }, &mut self.out);
                }
            }
            PermitChange::Return { limit, permits } => {
                let told = self.pool.give(ShardNo(0), limit, permits);
                self.told_elsewhere |= told.contains(&ShardNo(1));
                if told.contains(&ShardNo(0)) {
                    self.engine.handle(self.now, Input::PermitsAvailable { limit }, &mut self.out);
                }
            }
        }
    }

    fn receive(&mut self, callback: Callback, delivery: &Delivery) {
        match delivery {
            Delivery::TaskCompleted(batch) | Delivery::TaskFailed(batch) => {
                if self.losing {
                    return;
                }
                let newest = self.newest_of(callback);
                if batch.number <= newest {
                    return self.engine.handle(self.now, Input::Taken { callback, batch: newest }, &mut self.out);
                }
                if batch.previous > newest {
                    // The one before it was lost, and is sent again with this one.
                    return;
                }
                self.newest.insert(callback, batch.number);
                self.seen.extend(batch.statuses.iter().cloned().map(Seen::Updated));
                for TaskOutcome { slot, dispatch, result, .. } in &batch.outcomes {
                    self.seen.push(match result {
                        TaskResult::Completed(range) => {
                            assert!(matches!(delivery, Delivery::TaskCompleted(_)));
                            let output = String::from_utf8(batch.output(*range).to_vec()).unwrap();
                            Seen::Completed(*slot, *dispatch, output)
                        }
                        TaskResult::Failed(failure) => {
                            assert!(matches!(delivery, Delivery::TaskFailed(_)));
                            Seen::Failed(*slot, *dispatch, failure.class, failure.reason.to_string())
                        }
                        TaskResult::Stopped(how) => {
                            assert!(matches!(delivery, Delivery::TaskFailed(_)));
                            Seen::Stopped(*slot, *dispatch, *how)
                        }
                    });
                }
                if batch.answers > 0 {
                    self.seen.push(Seen::Answered(batch.answers));
                }
            }
            Delivery::TimerFired(fired) => {
                self.seen.extend(fired.iter().map(|FiredTimer { slot, timer }| Seen::Fired(*slot, *timer)));
            }
            Delivery::TaskReported(reports) => {
                let given_back = |report: &EarlyReport| {
                    Seen::GivenBack(report.slot, report.key, report.request.map(|request| request.0))
                };
                self.seen.extend(reports.iter().map(given_back));
            }
            Delivery::Continue(slots) => self.seen.extend(slots.iter().copied().map(Seen::Continued)),
            Delivery::TaskUpdated(updates) => self.seen.extend(updates.iter().cloned().map(Seen::Updated)),
            Delivery::Answered(answers) => self.seen.push(Seen::Answered(*answers)),
        }
    }
}

/// The handlers that were seen to begin, in their order.
fn began(seen: &[Seen]) -> Vec<Dispatch> {
    let began = |seen: &Seen| if let Seen::Began(dispatch) = seen { Some(*dispatch) } else { None };
    seen.iter().filter_map(began).collect()
}
