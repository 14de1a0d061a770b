//! The only mutator: live, recovery and replay all go through here.

use super::edges::COST_OF_DECISION;
use super::ending::disarm_timeout;
use super::gives_nothing::GivesNothing;
use super::node::WaitFor;
use super::{
    AfterStop, Effect, EffectSink, EndReason, Execution, Interruption, NodeState, Notice, Phase, Refused, Sealed,
    timeout,
};
use crate::compiled::{Compiled, Step};
use crate::definition::{EdgeKind, Verdict};
use crate::fact::{Activation, Decision, EndRequest, Ended, Fact, StopOutcome, Terminal, Timer};
use crate::failure::{Failure, FailureClass, INPUT_SCHEMA};
use crate::id::{AttemptNo, WorkKey};
use crate::payload::Payload;
use crate::status::ExecutionStatus;
use crate::time::{Time, format_duration};

/// A fact that does not fit the execution it is applied to; the text says which rule it breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReplayError(pub(super) Refused);

/// What a handler came to.
pub(super) struct Attempted {
    pub(super) key: WorkKey,
    pub(super) attempt: AttemptNo,
    pub(super) result: Result<Payload, Failure>,
    pub(super) started: Time,
    pub(super) ended: Time,
    pub(super) further: Further,
}

/// How it goes on after an attempt that has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Further {
    /// As the definition says.
    AsDefined,
    /// There is no other attempt, whatever the definition says, and nobody is asked.
    Never,
    /// Its time is used up: there is no other attempt unless somebody says so.
    UsedUp,
}

impl Execution {
    /// Takes in one fact and draws every consequence of it: the same state, effects and notices for a fact that was just
    /// decided, for one that is read back after a crash, and in every replay.
    ///
    /// # Errors
    /// When the fact breaks a rule: it comes from a damaged or foreign history. Nothing is changed then.
    pub fn apply(
        &mut self,
        definition: &Compiled,
        at: Time,
        fact: Fact,
        sink: &mut impl EffectSink,
    ) -> Result<(), ReplayError> {
        self.allows(definition, &fact).map_err(ReplayError)?;
        self.take_in(definition, at, fact, sink);
        Ok(())
    }

    /// Takes in a fact that the rules allow.
    pub(super) fn take_in(&mut self, definition: &Compiled, at: Time, fact: Fact, sink: &mut impl EffectSink) {
        self.begin_fact(at, !fact.follows_by_itself());
        match fact {
            Fact::Activated(activation) => self.activated(definition, activation, sink),
            Fact::Decided { key, decision } => self.decided(definition, key, decision, sink),
            Fact::Outcome { key, attempt, result, started, ended } => {
                let further = Further::AsDefined;
                self.outcome(definition, Attempted { key, attempt, result, started, ended, further }, sink);
            }
            Fact::Reported { key, attempt, result, .. } => self.reported(definition, (key, attempt), result, sink),
            Fact::AttemptStopped { key, attempt, how } => self.attempt_stopped(definition, key, attempt, how, sink),
            Fact::TimerFired(timer) => self.fired(definition, timer, sink),
            Fact::Ending(request) => self.end_requested(definition, request, sink),
            Fact::Recovered { epoch, crashed } => self.recovered(definition, epoch, crashed, sink),
            // What it was told to go on with may be too much for one turn again, and then it is to be told again.
            Fact::Continued => self.continuing = false,
            Fact::Operated(operation) => self.operated(definition, operation, sink),
            Fact::Signalled(signal) => self.signalled(definition, signal, sink),
            // Nothing follows from it.
            Fact::CustomStatusSet(set) => return self.custom_status_set(definition, set, sink),
            Fact::Ended(ended) => return self.sealed(ended, sink),
        }
        self.end_fact(definition, sink);
    }

    /// What every fact begins with.
    #[inline]
    pub(super) fn begin_fact(&mut self, at: Time, is_told: bool) {
        self.sequence += 1;
        self.at = at;
        if is_told {
            // What somebody says is worth a new budget; what the library decides by itself is part of the one before.
            self.spent = 0;
        }
    }

    /// What every fact ends with, but the last.
    #[inline]
    pub(super) fn end_fact(&mut self, definition: &Compiled, sink: &mut impl EffectSink) {
        self.draw_consequences(definition, sink);
        self.judge(definition, sink);
        if let Phase::Ending(_) = self.phase {
            self.wind_up_root(definition, sink);
            // What the end is made of has begun.
            self.draw_consequences(definition, sink);
        }
        while let Some(&key) = self.undecided.front()
            && !matches!(self.state_of(key), Some(NodeState::Ready { .. }))
            && !self.gives(definition, key)
            && !self.is_between_rounds(key)
        {
            // Its scope came to its end meanwhile.
            self.undecided.pop_front();
        }
        self.hold_over(definition, sink);
    }

    fn activated(&mut self, definition: &Compiled, activation: Activation, sink: &mut impl EffectSink) {
        self.phase = Phase::Running;
        self.created_at = self.at;
        let deadline = activation.deadline;
        self.activation = Some(self.spare_activation.boxed(activation));
        sink.notice_status(ExecutionStatus::Pending, ExecutionStatus::Running);
        if let Some(due) = deadline {
            sink.effect(Effect::ArmTimer { timer: Timer::Deadline, due, within: due.since(self.at) });
        }
        self.reach(WorkKey::root(definition.own().start));
    }

    fn decided(&mut self, definition: &Compiled, key: WorkKey, decision: Decision, sink: &mut impl EffectSink) {
        if let Decision::Verdict(verdict, _) = decision {
            return self.judged(definition, key, verdict, sink);
        }
        self.undecided.pop_front();
        self.spent = self.spent.saturating_add(COST_OF_DECISION);
        match decision {
            Decision::Branch(value) => {
                if sink.watched() {
                    sink.notice(Notice::Condition { key, value }, self.path_inside(definition, key));
                }
                if self.is_between_rounds(key) {
                    return self.round_decided(definition, key, value, sink);
                }
                let taken = if value { EdgeKind::ConditionalTrue } else { EdgeKind::ConditionalFalse };
                self.pass(definition, key, Some(taken), sink);
            }
            Decision::Input(input) => match definition.at(key.node).step {
                Step::Open(opening) => self.open_nest(definition, key, opening, Some(input), sink),
                Step::Until | Step::AwaitSignal => self.wait_for(definition, key, &input, sink),
                _ => {
                    self.open_scope_mut(key.scope).set_input(key.node, input);
                    self.start_work(definition, key, AttemptNo::FIRST, sink);
                }
            },
            Decision::Output(output) => self.settle_scope(definition, key.scope, Ok(output), sink),
            Decision::Failed(reason) if self.gives(definition, key) => {
                self.settle_scope(definition, key.scope, Err(GivesNothing::Unevaluated(reason)), sink);
            }
            Decision::Mismatch(reason) if self.gives(definition, key) => {
                self.settle_scope(definition, key.scope, Err(GivesNothing::Mismatch(reason)), sink);
            }
            Decision::Mismatch(reason) => {
                let failure = Failure::new(FailureClass::Failed, reason).with_code(INPUT_SCHEMA);
                self.fail_at_once(definition, key, failure, sink);
            }
            Decision::Failed(reason) if self.is_between_rounds(key) => {
                self.round_undecidable(definition, key, &reason, sink);
            }
            Decision::Failed(reason) => self.undecidable(definition, key, FailureClass::Expression, &reason, sink),
            Decision::TooMany(reason) => self.undecidable(definition, key, FailureClass::Limit, &reason, sink),
            Decision::Verdict(..) => {}
        }
    }

    fn judged(&mut self, definition: &Compiled, key: WorkKey, verdict: Verdict, sink: &mut impl EffectSink) {
        self.pass(definition, key, Some(verdict.edge()), sink);
    }

    pub(super) fn undecidable(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        class: FailureClass,
        reason: &str,
        sink: &mut impl EffectSink,
    ) {
        if sink.watched() && class == FailureClass::Expression {
            let notice = Notice::ExpressionFailed { key, reason: reason.into() };
            sink.notice(notice, self.path_inside(definition, key));
        }
        self.fail_at_once(definition, key, Failure::new(class, reason), sink);
    }

    /// Fails a node that was reached and has not begun.
    fn fail_at_once(&mut self, definition: &Compiled, key: WorkKey, failure: Failure, sink: &mut impl EffectSink) {
        let (at, failure) = (self.at, Box::new(failure));
        let state = NodeState::Failed { attempt: None, lost: 0, started: at, ended: at, failure };
        self.fail(definition, key, state, sink);
    }

    /// What somebody outside reported took since they were asked.
    fn reported(
        &mut self,
        definition: &Compiled,
        (key, attempt): (WorkKey, AttemptNo),
        result: Result<Payload, Failure>,
        sink: &mut impl EffectSink,
    ) {
        if let NodeState::Running { .. } = self.state_at(key) {
            // Somebody cancelled the task: its handler is still at work, and nobody wants its result any more.
            let dispatch = self.dispatch(key, attempt);
            sink.effect(Effect::Stop { dispatch, then: AfterStop::Forget });
        }
        let (started, ended) = (self.since(key).unwrap_or(self.at), self.at);
        let further = Further::AsDefined;
        self.outcome(definition, Attempted { key, attempt, result, started, ended, further }, sink);
    }

    #[inline]
    pub(super) fn outcome(&mut self, definition: &Compiled, attempted: Attempted, sink: &mut impl EffectSink) {
        let Attempted { key, attempt, result, started, ended, further } = attempted;
        // By a clock that was set back meanwhile a handler begins before it was asked for.
        let started = started.max(self.since(key).unwrap_or(started)).min(self.at);
        let ended = ended.max(started).min(self.at);
        let awaited = attempt;
        let attempt = self.leave_work(definition, key, attempt, sink);
        if sink.watched() {
            let failure = result.as_ref().err().cloned().map(Box::new);
            let notice = Notice::Attempt { key, attempt, failure, took: ended.since(started) };
            sink.notice(notice, self.path_inside(definition, key));
        }
        if self.is_closed(key) {
            return self.cancelled_as(definition, (key, attempt), StopOutcome::Stopped, sink);
        }
        // An operator or a limit settles a node between two attempts: their result stands in place of that of the attempt before.
        let before = if attempt == awaited { None } else { self.take_last_attempt(key) };
        let started = before.map_or(started, |last| last.started);
        match result {
            Ok(output) => {
                let state = NodeState::Completed { attempt: Some(attempt), started, ended, output };
                self.move_to(definition, key, state, sink);
                self.follow(key);
            }
            Err(failure) => {
                self.attempt_failed(definition, (key, attempt), failure, (started, ended), further, sink);
            }
        }
        if let Phase::Ending(_) = self.phase {
            self.interrupted_as(key, Interruption::Finished);
        }
    }

    /// Takes a node out of the hands of whoever works on this attempt, or ends its wait for it; gives the last attempt that
    /// was made.
    #[inline]
    pub(super) fn leave_work(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        attempt: AttemptNo,
        sink: &mut impl EffectSink,
    ) -> AttemptNo {
        match *self.state_at(key) {
            NodeState::Waiting(wait) => return self.leave_wait(definition, (key, attempt), wait, sink),
            NodeState::Ready { .. } => return attempt.previous().unwrap_or(attempt),
            // A handler leaves by itself.
            NodeState::Running { .. } if self.split_slots.is_some() => self.leave_slots(definition, key),
            _ => {}
        }
        attempt
    }

    fn leave_wait(
        &self,
        definition: &Compiled,
        (key, attempt): (WorkKey, AttemptNo),
        wait: WaitFor,
        sink: &mut impl EffectSink,
    ) -> AttemptNo {
        match wait {
            WaitFor::Task { .. } => {
                sink.effect(Effect::Withdraw { dispatch: self.dispatch(key, attempt) });
                disarm_timeout(definition, key, attempt, sink);
                return attempt;
            }
            WaitFor::Backoff { .. } => sink.effect(Effect::DisarmTimer { timer: Timer::Backoff(key, attempt) }),
            WaitFor::Operator { .. } => {}
            // None of these is taken out of its hands by an attempt.
            WaitFor::Verdict { .. }
            | WaitFor::Scope { .. }
            | WaitFor::Round { .. }
            | WaitFor::Time { .. }
            | WaitFor::Signal { .. } => return attempt,
        }
        // The attempt that it waited for was not made.
        attempt.previous().unwrap_or(attempt)
    }

    pub(super) fn fail(&mut self, definition: &Compiled, key: WorkKey, state: NodeState, sink: &mut impl EffectSink) {
        self.add_failure(definition, key);
        self.move_to(definition, key, state, sink);
        self.follow(key);
    }

    pub(super) fn stopped(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        attempt: AttemptNo,
        how: StopOutcome,
        sink: &mut impl EffectSink,
    ) {
        self.leave_work(definition, key, attempt, sink);
        self.cancelled_as(definition, (key, attempt), how, sink);
    }

    /// Closes work that nobody has in hand any more.
    fn cancelled_as(
        &mut self,
        definition: &Compiled,
        (key, attempt): (WorkKey, AttemptNo),
        how: StopOutcome,
        sink: &mut impl EffectSink,
    ) {
        let since = self.since(key).unwrap_or(self.at);
        let state = NodeState::Cancelled { attempt: Some(attempt), since, at: self.at, how };
        self.move_to(definition, key, state, sink);
        self.interrupted_as(key, Interruption::Stopped(how));
    }

    fn fired(&mut self, definition: &Compiled, timer: Timer, sink: &mut impl EffectSink) {
        match timer {
            Timer::Deadline => match self.phase {
                Phase::Running => self.conclude(definition, EndReason::Deadline, false, sink),
                // The end is decided already, but siblings were left to finish: no longer.
                _ => self.stop_all(sink),
            },
            Timer::EndingWithin => self.force(definition, sink),
            Timer::Timeout(key, attempt) => {
                let limit = definition.at(key.node).timeout.unwrap_or_default();
                let failure =
                    Failure::new(FailureClass::TimedOut, format!("no result within {}", format_duration(limit)));
                let (started, ended) = (self.since(key).unwrap_or(self.at), self.at);
                let (result, further) = (Err(failure), Further::AsDefined);
                self.outcome(definition, Attempted { key, attempt, result, started, ended, further }, sink);
            }
            Timer::Backoff(key, attempt) => self.try_now(definition, key, attempt, sink),
            Timer::Round(key, _) => self.round_due(definition, key, sink),
            Timer::Total(key) => self.out_of_time(definition, key, sink),
            Timer::Wait(key) => self.wait_is_over(definition, key, sink),
        }
    }

    fn end_requested(&mut self, definition: &Compiled, request: EndRequest, sink: &mut impl EffectSink) {
        if let Phase::Ending(ending) = &mut self.phase {
            return match request {
                EndRequest::Output(reason) => ending.reason = EndReason::Output(reason),
                EndRequest::OutputMismatch(reason) => ending.reason = EndReason::OutputMismatch(reason),
                EndRequest::ForceCancel(_) => self.force(definition, sink),
                _ => self.stop_all(sink),
            };
        }
        let forced = matches!(request, EndRequest::ForceCancel(_));
        let reason = match request {
            EndRequest::Cancel(by) | EndRequest::ForceCancel(by) => EndReason::Cancelled(by),
            EndRequest::Complete(by) => EndReason::Declared(by),
            EndRequest::Fail { by, reason } => EndReason::DeclaredFailed { by, reason },
            EndRequest::Output(reason) => EndReason::Output(reason),
            EndRequest::OutputMismatch(reason) => EndReason::OutputMismatch(reason),
            EndRequest::Stalled => EndReason::Stalled(self.open_work()),
        };
        self.conclude(definition, reason, forced, sink);
    }

    /// Somebody wants the execution to be over: what is left to be done at its end is not done, and what runs is told to stop.
    fn force(&mut self, definition: &Compiled, sink: &mut impl EffectSink) {
        if let Phase::Ending(ending) = &mut self.phase
            && ending.until.take().is_some()
        {
            sink.effect(Effect::DisarmTimer { timer: Timer::EndingWithin });
        }
        self.stop_all(sink);
        self.cut_short(definition, sink);
    }

    fn sealed(&mut self, ended: Ended, sink: &mut impl EffectSink) {
        let awaits_deadline = self.awaits_deadline();
        let Phase::Ending(mut ending) = std::mem::replace(&mut self.phase, Phase::New) else { return };
        let from = match ending.is_shown {
            true => ExecutionStatus::Ending,
            false => ExecutionStatus::Running,
        };
        if ending.until.take().is_some() {
            sink.effect(Effect::DisarmTimer { timer: Timer::EndingWithin });
        }
        let Ended { status, output } = ended;
        let output = output.or_else(|| ending.output.take());
        ending.sealed = Some(Sealed { at: self.at, status, output });
        self.phase = Phase::Ended(ending);
        if awaits_deadline {
            sink.effect(Effect::DisarmTimer { timer: Timer::Deadline });
        }
        sink.notice_status(from, status.into());
        sink.effect(Effect::Ended);
    }

    /// Hands the work of a node to whoever does it.
    pub(super) fn dispatch_work(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        attempt: AttemptNo,
        sink: &mut impl EffectSink,
    ) {
        let dispatch = self.dispatch(key, attempt);
        let since = self.at;
        if definition.at(key.node).is_timed {
            self.note_first_dispatch(definition, key, sink);
        }
        if definition.at(key.node).step == Step::Ask {
            self.move_to(definition, key, NodeState::Waiting(WaitFor::Task { attempt, since }), sink);
            let path = self.path_inside(definition, key);
            sink.effect(Effect::Offer { dispatch, input: self.input_of(key), since, path });
            if let Some(timer) = timeout(definition, key, attempt, since) {
                sink.effect(timer);
            }
        } else {
            let (lost, closed, not_begun) = (self.state_at(key).lost_attempts(), false, false);
            self.move_to(definition, key, NodeState::Running { attempt, since, lost, closed, not_begun }, sink);
            sink.effect(Effect::Run { dispatch, input: self.own_input(key) });
        }
    }

    /// Passes a control node, on the way it chose if it had to choose.
    pub(super) fn pass(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        taken: Option<EdgeKind>,
        sink: &mut impl EffectSink,
    ) {
        self.move_to(definition, key, NodeState::ControlDone { started: self.at, at: self.at, taken }, sink);
        self.follow(key);
    }
}

impl Fact {
    /// Whether the library decided it by itself, with nothing said by anybody since the fact before.
    const fn follows_by_itself(&self) -> bool {
        match self {
            Self::Decided { decision, .. } => !matches!(decision, Decision::Verdict(..)),
            Self::Ending(request) => {
                matches!(request, EndRequest::Output(_) | EndRequest::OutputMismatch(_) | EndRequest::Stalled)
            }
            // It is part of what is told next.
            Self::Ended(_) | Self::CustomStatusSet(_) => true,
            _ => false,
        }
    }
}

/// What is said in the same words at several places.
trait StatusNotice: EffectSink {
    fn notice_status(&mut self, from: ExecutionStatus, to: ExecutionStatus) {
        if self.watched() {
            self.notice(Notice::Status { from, to }, None);
        }
    }
}

impl<S: EffectSink> StatusNotice for S {}

impl Terminal {
    /// The name in records, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}
