//! The actor of a shard's tasks, as the shell has it, and the handlers at work, which are drawn.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use finale_core::execution::Effect;
use finale_core::number::{Callback, FutureNo, LimitNo, ShardNo, Slot};
use finale_core::record::TaskProgress;
use finale_core::task_engine::{
    Adopted, AdoptedState, Attempt, Delivery, EarlyReport, HandlerOptions, HandlerResult, Input, Options, Outbox,
    OutputRange, PermitChange, Reconcile, Start, TaskEngine,
};
use finale_core::{Dispatch, ExecutionId, Failure, FailureClass, Payload, Time};

use super::actor::Reach;
use super::bugs::Bug;
use super::clocks::Clocks;
use super::mail::{self, ENGINE, Letter, SUPERVISOR};
use super::shared::Shared;
use super::tally::Count;

/// How many limits on handlers there are: that of the runtime and those of two handlers.
pub(super) const LIMITS: u16 = 3;

/// How many handlers may begin before others get their turn.
const TURN_MAX: usize = 3;

/// A handler at work.
#[derive(Clone, Debug)]
struct Future {
    attempt: Attempt,
    execution: ExecutionId,
    started: Time,
    /// When it has something to say next.
    due: Time,
    suspension: Suspension,
    is_asked_to_stop: bool,
    leaked: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Suspension {
    /// It works, and will not wait for another execution.
    None,
    /// It works, and will wait.
    Before,
    Suspended,
    Resuming,
}

/// An input that waits, and the output that is in it.
type Deferred = (Input, Option<Vec<u8>>);

#[derive(Debug)]
pub(super) struct Engine {
    shard: u16,
    pub(super) machine: TaskEngine,
    options: Options,
    out: Outbox,
    futures: Vec<Option<Future>>,
    free: Vec<FutureNo>,
    /// What waits until everything is registered again, after the machine was lost.
    deferred: Option<VecDeque<Deferred>>,
    /// What the machine panicked over, if no execution knows that it is missing.
    again: Option<Deferred>,
    /// Whether the machine is told that again.
    retrying: bool,
    /// Reports that a machine kept before it panicked.
    early: Vec<EarlyReport>,
    /// That the journal has failed, and that the shard is at its end: a new machine must know it.
    lasting: Vec<Input>,
    clocks: Clocks,
    pub(super) dirty: bool,
    /// Whether handlers are left that may begin.
    pub(super) has_starts: bool,
}

pub(super) fn options() -> Options {
    let limited = |limit, blocking| HandlerOptions { limit: Some(LimitNo(limit)), blocking };
    Options {
        handlers: vec![HandlerOptions::default(), limited(1, false), limited(2, true)],
        limits: LIMITS,
        unused_permits_max: 2,
        grace: Duration::from_micros(60),
        early_reports_max: 6,
        text_bytes_max: 1_000,
        sweep_interval: Duration::from_millis(2),
    }
}

impl Engine {
    pub(super) fn new(shard: u16) -> Self {
        Self {
            shard,
            machine: TaskEngine::new(options()),
            options: options(),
            out: Outbox::default(),
            futures: Vec::new(),
            free: Vec::new(),
            deferred: None,
            again: None,
            retrying: false,
            early: Vec::new(),
            lasting: Vec::new(),
            clocks: Clocks::default(),
            dirty: false,
            has_starts: false,
        }
    }

    pub(super) fn handle(&mut self, letter: Letter, reach: &mut Reach<'_>) {
        self.dirty = true;
        match letter {
            Letter::Register(changes) => {
                for change in changes {
                    self.decide((change, None), reach);
                }
                self.carry_out(reach);
            }
            Letter::Registered => self.registered_again(reach),
            Letter::Perform(input) => self.tell((input, None), reach),
            letter => unreachable!("no task engine gets {letter:?}"),
        }
    }

    /// Tells the machine something and does what comes of it.
    pub(super) fn tell(&mut self, input: Deferred, reach: &mut Reach<'_>) {
        self.dirty = true;
        if let Some(deferred) = &mut self.deferred {
            return deferred.push_back(input);
        }
        self.decide(input, reach);
        self.carry_out(reach);
    }

    fn decide(&mut self, (input, output): Deferred, reach: &mut Reach<'_>) {
        let now = reach.shared.now;
        if matches!(input, Input::JournalFailed | Input::Drain { .. }) {
            self.lasting.push(input.clone());
        }
        let panics = self.deferred.is_none() && reach.shared.dice.happens(reach.shared.chances.engine_panic);
        if !panics {
            self.clocks.note(&self.machine, now, &input);
            self.note_stops(&input, reach.shared);
            return self.machine.handle(now, input, &mut self.out);
        }
        reach.shared.audit.tally.add(Count::EnginePanics);
        reach.shared.trace.note(now, || format!("the task engine of shard {} panics over {input:?}", self.shard));
        // The new machine hears of these when executions are registered again and handlers are adopted.
        let is_made_up_for = matches!(
            input,
            Input::PermitsGranted { .. }
                | Input::Register(_)
                | Input::Moved { .. }
                | Input::Deregister { .. }
                | Input::HandlerPending { .. }
                | Input::JournalFailed
                | Input::Drain { .. }
                | Input::Suspended(_)
                | Input::Resumed(_)
                | Input::Alive { custom_status: None, .. }
        );
        let again = match input {
            // Over this the machine has panicked twice. Its effects are found to be missing; its sender waits for an answer.
            Input::Perform { from, .. } | Input::Reconcile(Reconcile { from: Callback::Actor(from), .. })
                if self.retrying =>
            {
                self.out.deliveries.push((Callback::Actor(from), Delivery::Answered(1)));
                None
            }
            Input::KeepEarly(_) => Some((input, output)),
            input => (!is_made_up_for && !self.retrying).then_some((input, output)),
        };
        self.rebuild(again, reach);
    }

    fn rebuild(&mut self, again: Option<Deferred>, reach: &mut Reach<'_>) {
        let held: Vec<_> =
            (0..LIMITS).map(|limit| reach.shared.running.held(ShardNo(self.shard), LimitNo(limit))).collect();
        self.early.extend(self.machine.take_early_reports());
        let untaken = self.machine.take_untaken();
        let untaken = if reach.shared.has(Bug::ForgetUntaken) { Default::default() } else { untaken };
        self.machine = TaskEngine::rebuilt(self.options.clone(), &held, untaken, &mut self.out);
        match again.filter(|_| !reach.shared.has(Bug::LoseInputInHand)) {
            Some((Input::KeepEarly(report), _)) => self.early.push(report),
            Some(again) => self.again = Some(again),
            None => {}
        }
        self.clocks.forget();
        self.deferred.get_or_insert_default();
        reach.post.send(ENGINE, SUPERVISOR, Letter::EngineLost, 0);
    }

    /// Everything is registered again.
    fn registered_again(&mut self, reach: &mut Reach<'_>) {
        if !reach.shared.has(Bug::SkipAdopt) {
            for adopted in self.adopted() {
                // When it last said something is not known any more.
                let execution = self.futures[adopted.future.index()].as_ref().map(|future| future.execution);
                execution.into_iter().for_each(|it| self.clocks.hear(it, adopted.attempt.dispatch, reach.shared.now));
                self.machine.handle(reach.shared.now, Input::Adopt(adopted), &mut self.out);
            }
        }
        for limit in (0..LIMITS).map(LimitNo) {
            let wanted = reach.shared.running.wanted_by_others(ShardNo(self.shard), limit);
            if wanted > 0 {
                self.machine.handle(reach.shared.now, Input::PermitsWanted { limit, wanted }, &mut self.out);
            }
        }
        for input in self.lasting.clone() {
            self.machine.handle(reach.shared.now, input, &mut self.out);
        }
        let deferred = self.deferred.take();
        for report in std::mem::take(&mut self.early) {
            if self.deferred.is_some() {
                // The machine was lost again: the next one knows no execution yet.
                self.early.push(report);
            } else {
                self.decide((Input::KeepEarly(report), None), reach);
            }
        }
        if let Some((input, output)) = self.again.take_if(|_| self.deferred.is_none()) {
            self.retrying = true;
            let ended = self.ended(&input);
            let input = self.rewritten(input, output.as_deref());
            self.decide((input, output), reach);
            self.retrying = false;
            if let Some((execution, dispatch)) = ended.filter(|_| self.deferred.is_some()) {
                // The machine has panicked over it twice: what came of it is lost, and it begins once more.
                reach.shared.audit.loses(execution, dispatch);
            }
        }
        for (input, output) in deferred.into_iter().flatten() {
            let input = if self.deferred.is_none() { self.rewritten(input, output.as_deref()) } else { input };
            self.tell((input, output), reach);
        }
        self.carry_out(reach);
    }

    /// The same input, with its output in the buffer from which it will be sent now.
    fn rewritten(&mut self, mut input: Input, output: Option<&[u8]>) -> Input {
        let attempt = match &input {
            Input::HandlerReady { attempt, .. } => Some(*attempt),
            Input::HandlerEnded { future, .. } => {
                self.futures.get(future.index()).and_then(Option::as_ref).map(|future| future.attempt)
            }
            _ => None,
        };
        if let (Some(output), Some(attempt)) = (output, attempt) {
            let range = self.write(attempt.slot, output);
            if let Input::HandlerReady { result, .. } | Input::HandlerEnded { result, .. } = &mut input {
                *result = HandlerResult::Completed(range);
            }
        }
        if let Input::HandlerEnded { future, .. } = &input {
            self.release(*future);
        }
        input
    }

    fn write(&mut self, slot: Slot, output: &[u8]) -> OutputRange {
        let buffer = self.machine.output(slot, &mut self.out);
        let before = buffer.len();
        buffer.extend_from_slice(output);
        OutputRange::behind(before, buffer)
    }

    fn adopted(&self) -> Vec<Adopted> {
        let futures = (0..).map(FutureNo).zip(&self.futures);
        futures
            .filter_map(|(number, future)| {
                let future = future.as_ref()?;
                let state = match (future.leaked, future.is_asked_to_stop, future.suspension) {
                    (true, ..) => AdoptedState::Leaked,
                    (_, true, _) => AdoptedState::Stopping,
                    (_, _, Suspension::None | Suspension::Before) => AdoptedState::Working,
                    (_, _, Suspension::Suspended) => AdoptedState::Suspended,
                    (_, _, Suspension::Resuming) => AdoptedState::Resuming,
                };
                Some(Adopted { attempt: future.attempt, started: future.started, future: number, state })
            })
            .collect()
    }

    /// Does what the machine wants done, until nothing is left, or enough was begun for this turn.
    pub(super) fn carry_out(&mut self, reach: &mut Reach<'_>) {
        self.dirty = true;
        let mut left = 1 + reach.shared.dice.below(TURN_MAX);
        loop {
            self.carry_out_changes(reach);
            // All that has come is decided first: nothing begins that the last of it is against.
            if left == 0 || !reach.post.is_empty(ENGINE) {
                self.has_starts = true;
                return;
            }
            let Some(start) = self.out.next_start() else { break };
            left -= 1;
            self.begin(start, reach);
        }
        self.has_starts = false;
    }

    fn carry_out_changes(&mut self, reach: &mut Reach<'_>) {
        while let Some(change) = self.out.permits.pop() {
            self.change_permits(change, reach);
        }
        for future in std::mem::take(&mut self.out.stops) {
            reach.shared.audit.tally.add(Count::Stops);
            let soon = reach.shared.dice.soon(reach.shared.now, 40);
            let stubborn = reach.shared.dice.one_in(3);
            if let Some(future) = self.futures.get_mut(future.index()).and_then(Option::as_mut) {
                future.is_asked_to_stop = true;
                if !stubborn && future.suspension == Suspension::None {
                    future.due = soon;
                }
            }
        }
        for future in std::mem::take(&mut self.out.drops) {
            reach.shared.audit.tally.add(Count::Drops);
            if let Some(Future { attempt, execution, .. }) = self.release(future) {
                reach.shared.audit.handler_gone(execution, attempt.dispatch);
            }
        }
        for future in std::mem::take(&mut self.out.resumes) {
            let soon = reach.shared.dice.soon(reach.shared.now, 80);
            let future = self.futures.get_mut(future.index()).and_then(Option::as_mut);
            if let Some(future) = future.filter(|_| !reach.shared.has(Bug::IgnoreResumes)) {
                future.suspension = Suspension::None;
                future.due = soon;
                self.clocks.hear(future.execution, future.attempt.dispatch, reach.shared.now);
            }
        }
        for leak in std::mem::take(&mut self.out.leaks) {
            reach.shared.audit.tally.add(Count::Leaks);
            if let Some(future) = self.futures.get_mut(leak.future.index()).and_then(Option::as_mut) {
                future.leaked = true;
            }
        }
    }

    fn release(&mut self, number: FutureNo) -> Option<Future> {
        let future = self.futures.get_mut(number.index()).and_then(Option::take)?;
        self.free.push(number);
        Some(future)
    }

    fn change_permits(&mut self, change: PermitChange, reach: &mut Reach<'_>) {
        match change {
            PermitChange::Ask { limit, .. } => {
                let grant = reach.shared.running.take(ShardNo(self.shard), limit);
                let (permits, wanted) = (grant.permits, Input::PermitsWanted { limit, wanted: 1 });
                reach.shared.tell_permits(self.shard, grant.holders, &wanted);
                self.decide((Input::PermitsGranted { limit, permits }, None), reach);
            }
            PermitChange::Return { .. } if reach.shared.has(Bug::LosePermits) => {}
            PermitChange::Return { limit, permits } => {
                let waiting = reach.shared.running.give(ShardNo(self.shard), limit, permits);
                reach.shared.tell_permits(self.shard, waiting, &Input::PermitsAvailable { limit });
            }
        }
    }

    /// Begins a handler and polls it once in place.
    fn begin(&mut self, Start { attempt, .. }: Start, reach: &mut Reach<'_>) {
        let shared = &mut *reach.shared;
        let now = shared.now;
        let Some(registration) = self.machine.registration(attempt.slot) else {
            return shared.audit.violate("what_begins_is_registered", format!("{attempt:?}"));
        };
        let (execution, definition) = (registration.execution, registration.definition);
        if shared.without_handlers == Some(definition.0 as usize) {
            shared.audit.violate("what_has_no_handler_does_not_begin", format!("{execution} {attempt:?}"));
        }
        let once = shared.flows[definition.0 as usize].nodes[attempt.dispatch.key.node.as_usize()].at_most_once;
        shared.trace.note(now, || format!("a handler begins: {execution} {:?}", attempt.dispatch));
        shared.audit.begins_handler(execution, attempt.dispatch, once, &shared.journal.durable);
        if shared.dice.one_in(3) {
            let micros = if shared.dice.one_in(8) { 2_000 } else { 150 };
            // What blocks a thread waits for no other execution: it has nothing to await that with.
            let suspends = shared.dice.one_in(6) && !self.options.handlers[usize::from(attempt.handler.0)].blocking;
            let future = Future {
                attempt,
                execution,
                started: now,
                due: shared.dice.soon(now, micros),
                suspension: if suspends { Suspension::Before } else { Suspension::None },
                is_asked_to_stop: false,
                leaked: false,
            };
            let number = self.free.pop().unwrap_or_else(|| {
                self.futures.push(None);
                FutureNo(self.futures.len() as u32 - 1)
            });
            self.futures[number.index()] = Some(future);
            self.clocks.hear(execution, attempt.dispatch, now);
            return self.decide((Input::HandlerPending { attempt, started: now, future: number }, None), reach);
        }
        let (result, output) = self.result(attempt, execution, false, reach);
        reach.shared.audit.handler_gone(execution, attempt.dispatch);
        let custom_status = set_status(4, attempt, execution, reach);
        let ready = Input::HandlerReady { attempt, started: now, ended: now, custom_status, result };
        self.decide((ready, output), reach);
    }

    fn result(
        &mut self,
        attempt: Attempt,
        execution: ExecutionId,
        is_stopping: bool,
        reach: &mut Reach<'_>,
    ) -> (HandlerResult, Option<Vec<u8>>) {
        let shared = &mut *reach.shared;
        if shared.dice.one_in(if is_stopping { 2 } else { 5 }) {
            let class = *shared.dice.choose(&[FailureClass::Failed, FailureClass::Panicked, FailureClass::Rejected]);
            let failure = match shared.dice.below(8) {
                0 => Failure::new(FailureClass::Unknown, "so it may be"),
                1 => Failure::new(class, "so it is").with_code("again"),
                _ => Failure::new(class, "so it is"),
            };
            return (HandlerResult::Failed(Box::new(failure)), None);
        }
        shared.outputs += 1;
        let output = Payload::encode(&shared.outputs).expect("a number can be encoded");
        shared.audit.gives(execution, attempt.dispatch, output.as_bytes());
        let mut range = self.write(attempt.slot, output.as_bytes());
        if shared.has(Bug::MixOutputs) {
            range.start = 0;
        }
        (HandlerResult::Completed(range), Some(output.as_bytes().to_vec()))
    }

    /// The next moment at which a handler has something to say.
    pub(super) fn next_due(&self) -> Option<Time> {
        let futures = self.futures.iter().flatten().filter(|future| future.suspension != Suspension::Resuming);
        if self.deferred.is_some() { None } else { futures.map(|future| future.due).min() }
    }

    pub(super) fn wake_at(&self) -> Option<Time> {
        if self.deferred.is_some() { None } else { self.machine.wake_at() }
    }

    /// Lets the handler go on that has waited longest.
    pub(super) fn poll(&mut self, reach: &mut Reach<'_>) {
        let now = reach.shared.now;
        let numbered = (0..).map(FutureNo).zip(&self.futures);
        let ready = numbered.filter_map(|(number, future)| Some((future.as_ref()?, number)));
        let ready = ready.filter(|(future, _)| future.suspension != Suspension::Resuming && future.due <= now);
        let Some((due, number)) = ready.map(|(future, number)| (future.due, number)).min() else { return };
        debug_assert!(due <= now);
        let soon = reach.shared.dice.soon(now, 300);
        let Some(future) = self.futures[number.index()].as_mut() else { return };
        let (attempt, execution) = (future.attempt, future.execution);
        let input = match future.suspension {
            Suspension::Before => {
                (future.suspension, future.due) = (Suspension::Suspended, soon);
                reach.shared.audit.tally.add(Count::Suspended);
                (Input::Suspended(number), None)
            }
            Suspension::Suspended => {
                future.suspension = Suspension::Resuming;
                (Input::Resumed(number), None)
            }
            Suspension::None if reach.shared.dice.one_in(6) => {
                future.due = soon;
                self.clocks.hear(execution, attempt.dispatch, now);
                let future = if reach.shared.has(Bug::HeartbeatOfAnother) { self.newest(number) } else { number };
                let progress = reach.shared.dice.one_in(3).then(|| TaskProgress::new(0.5, "half of it"));
                let custom_status = set_status(2, attempt, execution, reach);
                (Input::Alive { future, progress, custom_status }, None)
            }
            Suspension::None | Suspension::Resuming => {
                let is_stopping = future.is_asked_to_stop;
                let (result, output) = self.result(attempt, execution, is_stopping, reach);
                reach.shared.audit.handler_gone(execution, attempt.dispatch);
                let custom_status = set_status(4, attempt, execution, reach);
                let ended = (Input::HandlerEnded { future: number, ended: now, custom_status, result }, output);
                self.end(number, ended, reach);
                return;
            }
        };
        self.tell(input, reach);
    }

    /// Of which handler the end is told.
    fn ended(&self, input: &Input) -> Option<(ExecutionId, Dispatch)> {
        match input {
            Input::HandlerReady { attempt, .. } => {
                let registration = self.machine.registration(attempt.slot)?;
                Some((registration.execution, attempt.dispatch))
            }
            Input::HandlerEnded { future, .. } => {
                let future = self.futures[future.index()].as_ref()?;
                Some((future.execution, future.attempt.dispatch))
            }
            _ => None,
        }
    }

    fn note_stops(&self, input: &Input, shared: &mut Shared) {
        let Input::Perform { effects, .. } = input else { return };
        for (slot, effect) in effects {
            if let (Effect::Stop { dispatch, .. }, Some(it)) = (effect, self.machine.registration(*slot)) {
                shared.audit.stops(it.execution, *dispatch);
            }
        }
    }

    /// The handler that began last.
    fn newest(&self, number: FutureNo) -> FutureNo {
        let numbered = (0..).map(FutureNo).zip(&self.futures);
        let begun = numbered.filter_map(|(number, future)| Some((future.as_ref()?.started, number)));
        begun.max().map_or(number, |(_, newest)| newest)
    }

    /// What has waited for too long, or was silent for too long, although nothing is on its way.
    pub(super) fn overdue(
        &self,
        slots: &BTreeMap<Slot, ExecutionId>,
        shared: &Shared,
    ) -> Option<(&'static str, String)> {
        let works = |future: &&Future| {
            let is_suspended = matches!(future.suspension, Suspension::Suspended | Suspension::Resuming);
            !(future.leaked || future.is_asked_to_stop || is_suspended)
        };
        let at_work = self.futures.iter().flatten().filter(works);
        let at_work = at_work.map(|future| (future.attempt.slot, future.attempt.dispatch));
        self.clocks.overdue(&self.machine, slots, at_work, shared)
    }

    /// A handler is over. If the machine panics over that, the handler counts as at work until the new one hears of it.
    fn end(&mut self, number: FutureNo, ended: Deferred, reach: &mut Reach<'_>) {
        self.tell(ended, reach);
        if self.deferred.is_none() {
            self.release(number);
        }
    }

    /// Sends what has gathered for the callbacks.
    pub(super) fn flush(&mut self, reach: &mut Reach<'_>) {
        self.dirty = false;
        self.machine.flush(&mut self.out);
        for (callback, delivery) in std::mem::take(&mut self.out.deliveries) {
            let letter = match delivery {
                Delivery::TaskCompleted(batch) | Delivery::TaskFailed(batch) => Letter::Outcomes(batch),
                Delivery::TimerFired(_) if reach.shared.has(Bug::LoseTimers) => continue,
                Delivery::TimerFired(timers) => Letter::Timers(timers),
                Delivery::TaskReported(_) if reach.shared.has(Bug::LoseEarlyReports) => continue,
                Delivery::TaskReported(reports) => Letter::Reports(reports),
                Delivery::Continue(slots) => Letter::Continue(slots),
                Delivery::TaskUpdated(updates) => Letter::Updates(updates),
                Delivery::Answered(_) if reach.shared.has(Bug::LoseAnswered) => continue,
                Delivery::Answered(messages) => Letter::Answered(messages),
            };
            let to = match callback {
                Callback::Supervisor => SUPERVISOR,
                Callback::Actor(number) => mail::actor(number),
            };
            if let Letter::Outcomes(batch) = &letter
                && let Some((invariant, story)) = self.clocks.premature(&self.machine, batch, &reach.shared.flows)
            {
                reach.shared.audit.violate(invariant, story);
            }
            if let Letter::Timers(timers) = &letter
                && reach.shared.dice.happens(reach.shared.chances.duplicate)
            {
                reach.shared.audit.tally.add(Count::Duplicates);
                reach.post.send(ENGINE, to, Letter::Timers(timers.clone()), 0);
            }
            if let Letter::Updates(_) = &letter
                && reach.shared.loses()
            {
                continue;
            }
            // An execution that is parked has nobody who would miss an answer, and outcomes for it are sent again.
            if matches!(letter, Letter::Outcomes(_) | Letter::Answered(_)) && reach.shared.loses() {
                continue;
            }
            if let Letter::Outcomes(batch) = &letter
                && reach.shared.dice.happens(reach.shared.chances.duplicate)
            {
                reach.shared.audit.tally.add(Count::Duplicates);
                reach.post.send(ENGINE, to, Letter::Outcomes(std::sync::Arc::clone(batch)), 0);
            }
            let overtakes = reach.shared.overtakes();
            reach.post.send(ENGINE, to, letter, overtakes);
        }
        if !self.out.replies.is_empty() || self.out.drained.is_some() {
            let (replies, drained) = (std::mem::take(&mut self.out.replies), self.out.drained.take());
            reach.post.send(ENGINE, SUPERVISOR, Letter::EngineAnswers(replies, drained), 0);
        }
    }

    /// The attempts whose handlers are at work for an execution, or wait for permits.
    pub(super) fn at_work(&self, slot: Slot) -> Vec<Dispatch> {
        let futures = self.futures.iter().flatten().filter(|future| future.attempt.slot == slot && !future.leaked);
        let queued = self.machine.queued(slot).into_iter().map(|task| task.dispatch);
        futures.map(|future| future.attempt.dispatch).chain(queued).collect()
    }

    /// What it has, in words.
    pub(super) fn story(&self) -> String {
        format!("{:?} {:?} {:?}", self.machine.counts(), self.futures, self.deferred)
    }

    pub(super) fn is_lost(&self) -> bool {
        self.deferred.is_some()
    }
}

/// The custom status that a handler sets, one time in so many.
fn set_status(one_in: usize, attempt: Attempt, execution: ExecutionId, reach: &mut Reach<'_>) -> Option<Box<str>> {
    let shared = &mut *reach.shared;
    if !shared.dice.one_in(one_in) {
        return None;
    }
    shared.statuses += 1;
    shared.audit.sets_status(execution, attempt.dispatch, shared.statuses);
    let told = if shared.has(Bug::StaleStatus) { shared.statuses - 1 } else { shared.statuses };
    Some(told.to_string().into())
}
