//! Handlers at work: what they come to, how they are stopped, and what waits for a place.

use std::time::Duration;

use finale_core::execution::{AfterStop, Input};
use finale_core::fact::StopOutcome;
use finale_core::{Dispatch, ExecutionStatus, Failure, FailureClass, Payload};

use super::bugs::Bug;
use super::engine::{AtWork, Waiting};
use super::messages::{Event, Inside, Mail, Number};
use super::tally::Count;
use super::trace::Happening;
use super::world::World;
use crate::dice::Dice;

/// What a handler will do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Temper {
    comes_to: ComesTo,
    /// How long it takes; for ever if there is none.
    pub(super) takes: Option<Duration>,
    /// Whether it cannot be dropped.
    blocking: bool,
    /// Whether it gives up soon when it is told to stop.
    heeds: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ComesTo {
    Done,
    Failed,
    FailedForGood,
    Panicked,
    /// It did its work, and the answer got lost.
    DidButFailed,
}

impl Temper {
    fn new(dice: &mut Dice) -> Self {
        use ComesTo::{DidButFailed, Done, Failed, FailedForGood, Panicked};
        let all = [Done, Done, Done, Done, Done, Done, Failed, Failed, FailedForGood, Panicked, DidButFailed];
        let micros = if dice.happens(3_000) { 0 } else { dice.between(1, 120) };
        Self {
            comes_to: all[dice.below(all.len())],
            takes: (!dice.happens(500)).then(|| Duration::from_micros(micros.into())),
            blocking: dice.happens(1_500),
            heeds: dice.happens(5_000),
        }
    }

    fn result(self, token: u64) -> Result<Payload, Failure> {
        let said = || format!("handler {token} said so");
        match self.comes_to {
            ComesTo::Done => Ok(output(token)),
            ComesTo::Failed | ComesTo::DidButFailed => Err(Failure::new(FailureClass::Failed, said())),
            ComesTo::FailedForGood => Err(Failure::new(FailureClass::Failed, said()).permanent()),
            ComesTo::Panicked => Err(Failure::new(FailureClass::Panicked, said())),
        }
    }
}

fn stop_name(how: StopOutcome) -> &'static str {
    match how {
        StopOutcome::Closed => "closed",
        StopOutcome::Stopped => "stopped",
        StopOutcome::Aborted => "aborted",
        StopOutcome::Lost => "lost",
    }
}

/// Mostly what conditions can be made from.
fn output(token: u64) -> Payload {
    let all = ["true", "false", "7", "null"];
    Payload::from_json(all[(token % 4) as usize].as_bytes()).expect("it is JSON")
}

impl World {
    pub(super) fn run_handler(&mut self, number: Number, dispatch: Dispatch, input: Payload) {
        if self.closes(number, dispatch) {
            return;
        }
        let waiting = Waiting { number, dispatch, input };
        let places = self.plan.places;
        let engine = self.process.engine(number);
        if engine.running.len() < places && engine.waiting.is_empty() {
            self.begin(waiting);
        } else {
            engine.waiting.push_back(waiting);
        }
    }

    /// What an execution was given.
    pub(super) fn given(&self, number: Number) -> Payload {
        let live = self.process.lives.get(&number);
        live.and_then(|live| live.state.activation()).map(|how| how.input.clone()).unwrap_or_default()
    }

    /// Whether a task must not begin any more, because the end of its execution is decided; says so to the execution.
    fn closes(&mut self, number: Number, dispatch: Dispatch) -> bool {
        if self.has(Bug::BeginAfterEnd) {
            return false;
        }
        match self.process.lives.get(&number).map(|live| live.published) {
            Some(ExecutionStatus::Ending) => self.close(number, dispatch),
            Some(status) if !status.is_terminal() => return false,
            // It has ended meanwhile, and that the task was called off lies on the desk.
            _ => {}
        }
        true
    }

    pub(super) fn close(&mut self, number: Number, dispatch: Dispatch) {
        self.tally.add(Count::Closed);
        self.report_stop(number, dispatch, StopOutcome::Closed);
    }

    pub(super) fn report_stop(&mut self, number: Number, dispatch: Dispatch, how: StopOutcome) {
        self.note(Happening::Stopped { number, dispatch, how: stop_name(how) });
        self.send(number, Mail::Tell(Input::Stopped { dispatch, how }, None));
    }

    /// Begins the waiting tasks for which there is a place.
    pub(super) fn begin_waiting(&mut self, shard: usize) {
        while self.process.shards[shard].engine.running.len() < self.plan.places {
            let Some(next) = self.process.shards[shard].engine.waiting.pop_front() else { return };
            if !self.closes(next.number, next.dispatch) {
                self.begin(next);
            }
        }
    }

    fn begin(&mut self, Waiting { number, dispatch, input }: Waiting) {
        self.tokens += 1;
        let (token, life) = (self.tokens, self.process.life);
        self.note(Happening::Began { number, dispatch });
        self.auditor.began(number, dispatch, life, &input, &mut self.tally);
        let temper = Temper::new(&mut self.dice);
        let at_work = AtWork { dispatch, token, started: self.now, stop_asked: false, temper };
        self.process.engine(number).running.insert((number, dispatch.key), at_work);
        if let Some(takes) = temper.takes {
            let over = Inside::HandlerOver { number, dispatch, token };
            self.put_inside(self.now.after(takes), over);
        }
        let live = self.process.lives.get(&number);
        if let Some(limit) = live.and_then(|live| live.definition.attempt_limit(dispatch.key.node)) {
            self.put_inside(self.now.after(limit), Inside::LimitOver { number, dispatch, token });
        }
    }

    /// A handler takes longer than it may, if it is still there and was not told to stop: it is dropped.
    pub(super) fn limit_over(&mut self, number: Number, dispatch: Dispatch, token: u64) {
        let place = (number, dispatch.key);
        let engine = self.process.engine(number);
        let is_late = |at_work: &AtWork| at_work.token == token && !at_work.stop_asked;
        if !engine.running.get(&place).is_some_and(is_late) {
            return;
        }
        let Some(at_work) = engine.running.remove(&place) else { return };
        self.tally.add(Count::TimedOut);
        self.note(Happening::HandlerOver { number, dispatch, how: "took too long" });
        let result = Err(Failure::new(FailureClass::TimedOut, "no result in time"));
        let outcome = Input::Outcome { dispatch, result, started: at_work.started, ended: self.now };
        self.send(number, Mail::Tell(outcome, None));
        let shard = self.process.shard_of(number);
        self.begin_waiting(shard);
    }

    /// A handler came to its end, if it is still there and its place was not given away.
    pub(super) fn handler_over(&mut self, number: Number, dispatch: Dispatch, token: u64) {
        let place = (number, dispatch.key);
        let engine = self.process.engine(number);
        if engine.running.get(&place).is_none_or(|at_work| at_work.token != token) {
            return;
        }
        let Some(at_work) = engine.running.remove(&place) else { return };
        let result = at_work.temper.result(token);
        let gave_up = result.is_err() && at_work.stop_asked;
        let how = if gave_up {
            "gave up"
        } else if result.is_ok() {
            "done"
        } else {
            "failed"
        };
        self.note(Happening::HandlerOver { number, dispatch, how });
        if gave_up {
            self.report_stop(number, dispatch, StopOutcome::Stopped);
        } else {
            if at_work.temper.comes_to == ComesTo::DidButFailed {
                self.tally.add(Count::DidButFailed);
            }
            self.auditor.said(number, dispatch, result.is_ok());
            let outcome = Input::Outcome { dispatch, result, started: at_work.started, ended: self.now };
            self.send(number, Mail::Tell(outcome, None));
        }
        let shard = self.process.shard_of(number);
        self.begin_waiting(shard);
    }

    pub(super) fn stop(&mut self, number: Number, dispatch: Dispatch, then: AfterStop) {
        self.note(Happening::stop_told(number, dispatch, then));
        if self.call_off(number, dispatch) {
            if then == AfterStop::Report {
                self.close(number, dispatch);
            }
            return;
        }
        match then {
            AfterStop::Forget => self.forget(number, dispatch),
            AfterStop::Report => self.ask_to_stop(number, dispatch),
        }
    }

    /// Calls a task off that waits for a place; false if it does not wait.
    pub(super) fn call_off(&mut self, number: Number, dispatch: Dispatch) -> bool {
        let waiting = &mut self.process.engine(number).waiting;
        let before = waiting.len();
        waiting.retain(|task| (task.number, task.dispatch) != (number, dispatch));
        waiting.len() < before
    }

    /// Drops a handler whose result nobody wants any more; what it says all the same may still come.
    fn forget(&mut self, number: Number, dispatch: Dispatch) {
        if !self.is_at_work(number, dispatch) {
            return;
        }
        let Some(at_work) = self.process.engine(number).running.remove(&(number, dispatch.key)) else { return };
        self.tally.add(Count::Aborted);
        self.may_straggle(number, &at_work);
        let shard = self.process.shard_of(number);
        self.begin_waiting(shard);
    }

    /// A handler that nobody waits for may say something long after.
    pub(super) fn may_straggle(&mut self, number: Number, at_work: &AtWork) {
        if self.dice.happens(self.plan.faults.straggle) {
            let result = at_work.temper.result(at_work.token);
            let at = self.dice.soon(self.now, 400);
            self.bag.put(at, Event::Straggler { number, dispatch: at_work.dispatch, result });
        }
    }

    pub(super) fn is_at_work(&mut self, number: Number, dispatch: Dispatch) -> bool {
        let running = &self.process.engine(number).running;
        running.get(&(number, dispatch.key)).is_some_and(|at_work| at_work.dispatch == dispatch)
    }

    fn ask_to_stop(&mut self, number: Number, dispatch: Dispatch) {
        if !self.is_at_work(number, dispatch) {
            return;
        }
        let Some(at_work) = self.process.engine(number).running.get_mut(&(number, dispatch.key)) else { return };
        at_work.stop_asked = true;
        let (token, heeds) = (at_work.token, at_work.temper.heeds);
        self.put_inside(self.now.after(self.plan.grace), Inside::GraceOver { number, dispatch });
        if heeds {
            self.put_soon(Inside::HandlerOver { number, dispatch, token });
        }
    }

    /// A handler did not stop within its grace.
    pub(super) fn grace_over(&mut self, number: Number, dispatch: Dispatch) {
        if !self.is_at_work(number, dispatch) {
            return;
        }
        let Some(at_work) = self.process.engine(number).running.remove(&(number, dispatch.key)) else { return };
        self.tally.add(Count::Aborted);
        self.may_straggle(number, &at_work);
        let how = if at_work.temper.blocking { StopOutcome::Lost } else { StopOutcome::Aborted };
        self.report_stop(number, dispatch, how);
        let shard = self.process.shard_of(number);
        self.begin_waiting(shard);
    }
}
