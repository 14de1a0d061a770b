//! What becomes of work whose attempt has failed: another attempt, a wait for an operator, or a failure for good.

use std::collections::BTreeMap;
use std::time::Duration;

use super::apply::{Attempted, Further};
use super::earlier::Earlier;
use super::node::WaitFor;
use super::{AfterStop, Effect, EffectSink, Execution, LostAttempts, NodeState};
use crate::compiled::{Compiled, CompiledNode};
use crate::definition::{Exhausted, FailureKind, Retry};
use crate::fact::Timer;
use crate::failure::{Failure, FailureClass};
use crate::id::{AttemptNo, ExecutionId, WorkKey};
use crate::time::{Time, format_duration};

/// What further attempts are measured by, of the open work where that is more than their number. Little work needs it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct RetryBudgets(BTreeMap<WorkKey, RetryBudget>);

/// What is known of the attempts at some work since the first one, or since an operator had it tried again.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct RetryBudget {
    /// How many attempts were made before, those that were lost not counted.
    before: u16,
    /// When the first of them was handed out; none until it is.
    since: Option<Time>,
}

#[derive(Clone, Copy)]
enum AfterFailure {
    Again(Duration),
    Hold,
    Fail,
}

impl Execution {
    pub(super) fn attempt_failed(
        &mut self,
        definition: &Compiled,
        (key, attempt): (WorkKey, AttemptNo),
        failure: Failure,
        (started, ended): (Time, Time),
        further: Further,
        sink: &mut impl EffectSink,
    ) {
        let after = match further {
            Further::AsDefined if self.goes_on(key.scope) => self.after_failure(definition, (key, attempt), &failure),
            Further::UsedUp if self.goes_on(key.scope) => used_up(definition.at(key.node).retry.as_deref()),
            // Nothing begins any more, and nobody is asked.
            _ => AfterFailure::Fail,
        };
        self.follow_failure(definition, (key, attempt), failure, (started, ended), after, sink);
    }

    fn follow_failure(
        &mut self,
        definition: &Compiled,
        (key, attempt): (WorkKey, AttemptNo),
        failure: Failure,
        (started, ended): (Time, Time),
        after: AfterFailure,
        sink: &mut impl EffectSink,
    ) {
        match after {
            AfterFailure::Again(wait) => {
                self.note_earlier((key, attempt), (started, ended), failure);
                self.try_again(definition, key, attempt.next(), wait, sink);
            }
            AfterFailure::Hold => {
                self.stand_still(definition, key, sink);
                self.note_earlier((key, attempt), (started, ended), failure);
                let (since, lost) = (self.at, self.state_at(key).lost_attempts());
                let state = NodeState::Waiting(WaitFor::Operator { attempt: attempt.next(), since, lost });
                self.move_to(definition, key, state, sink);
            }
            AfterFailure::Fail => {
                let lost = self.uncounted_attempts(key);
                let (attempt, failure) = (Some(attempt), Box::new(failure));
                let state = NodeState::Failed { attempt, lost, started, ended, failure };
                self.fail(definition, key, state, sink);
            }
        }
    }

    fn after_failure(
        &self,
        definition: &Compiled,
        (key, attempt): (WorkKey, AttemptNo),
        failure: &Failure,
    ) -> AfterFailure {
        if failure.class == FailureClass::Unknown {
            return AfterFailure::Hold;
        }
        let node = definition.at(key.node);
        let retry = node.retry.as_deref();
        if !failure.is_retryable() || retry.is_some_and(|retry| !retry.covers(failure)) {
            return AfterFailure::Fail;
        }
        let used_up = used_up(retry);
        if attempt.get() >= LostAttempts::last_attempt(node.attempts, self.uncounted_attempts(key)) {
            return used_up;
        }
        let wait = self.wait_after(retry, key, attempt).max(failure.delay().unwrap_or_default());
        match self.latest_begin(key, node) {
            Some(latest) if self.at.after(wait) > latest => used_up,
            _ => AfterFailure::Again(wait),
        }
    }

    /// How long the definition lets a failed attempt wait for the next one.
    fn wait_after(&self, retry: Option<&Retry>, key: WorkKey, attempt: AttemptNo) -> Duration {
        let Some(retry) = retry else { return Duration::ZERO };
        let failed = attempt.get().saturating_sub(self.uncounted_attempts(key));
        let wait = retry.backoff.wait(failed);
        shortened(wait, retry.backoff.jitter_percent, draw(self.id, key, attempt))
    }

    /// Until when a further attempt may begin, where that is limited.
    fn latest_begin(&self, key: WorkKey, node: &CompiledNode) -> Option<Time> {
        let within = node.retry.as_deref()?.within?;
        Some(self.retry_budget(key)?.since?.after(within))
    }

    /// How many attempts there were that use up none of those that are allowed: those that were lost, and those before an
    /// operator allowed new ones.
    pub(super) fn uncounted_attempts(&self, key: WorkKey) -> u16 {
        let before = self.retry_budget(key).map_or(0, |budget| budget.before);
        before.saturating_add(self.state_at(key).lost_attempts().all)
    }

    fn try_again(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        attempt: AttemptNo,
        wait: Duration,
        sink: &mut impl EffectSink,
    ) {
        if wait.is_zero() {
            return self.start_work(definition, key, attempt, sink);
        }
        let (since, until) = (self.at, self.at.after(wait));
        let lost = self.state_at(key).lost_attempts();
        let state = NodeState::Waiting(WaitFor::Backoff { attempt, since, until, lost });
        self.move_to(definition, key, state, sink);
        sink.effect(Effect::ArmTimer { timer: Timer::Backoff(key, attempt), due: until, within: until.since(since) });
    }

    /// Begins the attempt that work has waited for, unless it is too late for one: the process may have been gone meanwhile.
    pub(super) fn try_now(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        attempt: AttemptNo,
        sink: &mut impl EffectSink,
    ) {
        let node = definition.at(key.node);
        let is_late = self.latest_begin(key, node).is_some_and(|latest| self.at > latest);
        let Some(last) = is_late.then(|| self.take_last_attempt(key)).flatten() else {
            return self.start_work(definition, key, attempt, sink);
        };
        let Earlier { attempt, started, ended, failure } = last;
        let after = used_up(node.retry.as_deref());
        self.follow_failure(definition, (key, attempt), failure, (started, ended), after, sink);
    }

    fn retry_budget(&self, key: WorkKey) -> Option<&RetryBudget> {
        self.retry_budgets.as_deref()?.0.get(&key)
    }

    /// Notes when work is handed out for the first time, where its time in all is limited.
    #[cold]
    pub(super) fn note_first_dispatch(&mut self, definition: &Compiled, key: WorkKey, sink: &mut impl EffectSink) {
        let at = self.at;
        let budget = self.retry_budgets.get_or_insert_default().0.entry(key).or_default();
        if budget.since.is_none() {
            budget.since = Some(at);
            self.total_timer(definition, key).into_iter().for_each(|timer| sink.effect(timer));
        }
    }

    /// The timer of the time that work may take in all, if it counts.
    pub(super) fn total_timer(&self, definition: &Compiled, key: WorkKey) -> Option<Effect> {
        let since = self.retry_budget(key)?.since?;
        let within = definition.at(key.node).times.total?;
        Some(Effect::ArmTimer { timer: Timer::Total(key), due: since.after(within), within })
    }

    /// All timers of that kind.
    pub(super) fn total_timers(&self, definition: &Compiled) -> impl Iterator<Item = Effect> {
        let all = self.retry_budgets.iter().flat_map(|budgets| budgets.0.keys());
        all.filter_map(|key| self.total_timer(definition, *key))
    }

    /// Lets the time of work that is held count no more.
    fn stand_still(&mut self, definition: &Compiled, key: WorkKey, sink: &mut impl EffectSink) {
        if self.total_timer(definition, key).is_some() {
            sink.effect(Effect::DisarmTimer { timer: Timer::Total(key) });
        }
        if let Some(budget) = self.retry_budgets.as_mut().and_then(|budgets| budgets.0.get_mut(&key)) {
            budget.since = None;
        }
    }

    /// Work has taken all the time that it may: whoever works on it is stopped at once.
    pub(super) fn out_of_time(&mut self, definition: &Compiled, key: WorkKey, sink: &mut impl EffectSink) {
        if let Some(budget) = self.retry_budgets.as_mut().and_then(|budgets| budgets.0.get_mut(&key)) {
            // The timer is gone already.
            budget.since = None;
        }
        let Some(attempt) = self.state_at(key).attempt() else { return };
        let total = format_duration(definition.at(key.node).times.total.unwrap_or_default());
        let failure = Failure::new(FailureClass::TimedOut, format!("not done within {total} in all"));
        let (started, ended) = (self.since(key).unwrap_or(self.at), self.at);
        if let NodeState::Running { .. } = self.state_at(key) {
            sink.effect(Effect::Stop { dispatch: self.dispatch(key, attempt), then: AfterStop::Forget });
        }
        let (result, further) = (Err(failure), Further::UsedUp);
        self.outcome(definition, Attempted { key, attempt, result, started, ended, further }, sink);
    }

    /// Lets work that was held have all its attempts and all its time again, beginning with this attempt.
    pub(super) fn renew_retry_budget(&mut self, key: WorkKey, attempt: AttemptNo) {
        let lost = self.state_at(key).lost_attempts().all;
        let before = attempt.previous().map_or(0, AttemptNo::get).saturating_sub(lost);
        self.retry_budgets.get_or_insert_default().0.insert(key, RetryBudget { before, since: None });
    }

    /// Forgets what is known of work that is settled.
    #[cold]
    pub(super) fn forget_retry_budget(&mut self, definition: &Compiled, key: WorkKey, sink: &mut impl EffectSink) {
        if self.total_timer(definition, key).is_some() {
            sink.effect(Effect::DisarmTimer { timer: Timer::Total(key) });
        }
        if let Some(RetryBudgets(all)) = self.retry_budgets.as_deref_mut() {
            all.remove(&key);
            if all.is_empty() {
                self.retry_budgets = None;
            }
        }
    }
}

/// What becomes of work whose attempts or whose time are used up.
fn used_up(retry: Option<&Retry>) -> AfterFailure {
    match retry.map(|retry| retry.exhausted) {
        Some(Exhausted::Hold) => AfterFailure::Hold,
        _ => AfterFailure::Fail,
    }
}

impl Retry {
    /// Whether a failure is one after which there may be another attempt.
    fn covers(&self, failure: &Failure) -> bool {
        let is_meant = |kind: &FailureKind| match kind {
            FailureKind::Class(class) => *class == failure.class,
            FailureKind::Code(code) => failure.code() == Some(code),
        };
        (self.on.is_empty() || self.on.iter().any(is_meant)) && !self.not_on.iter().any(is_meant)
    }
}

/// A number that looks like chance and is the same in every replay, on every machine and in every release.
fn draw(execution: ExecutionId, key: WorkKey, attempt: AttemptNo) -> u64 {
    let id = execution.as_uuid().as_u128();
    let work = (u64::from(key.scope.0) << 32) | u64::from(key.node.0);
    let parts = [id as u64, (id >> 64) as u64, work, u64::from(attempt.get())];
    parts.into_iter().fold(0, |state, part| mixed(state ^ part))
}

/// One step of `SplitMix64`.
fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A wait that is shorter by a part of so many percent of it; which part is drawn.
fn shortened(wait: Duration, percent: u8, drawn: u64) -> Duration {
    if percent == 0 {
        return wait;
    }
    let micros = u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
    let range = u128::from(micros) * u128::from(percent.min(100)) / 100;
    let less = (range * u128::from(drawn)) >> 64;
    Duration::from_micros(micros - u64::try_from(less).unwrap_or(micros))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::NodeIndex;

    fn drawn(attempt: u16) -> u64 {
        let id = ExecutionId::from_uuid(uuid::Uuid::from_u128(7));
        draw(id, WorkKey::root(NodeIndex(3)), AttemptNo::new(attempt).unwrap())
    }

    #[test]
    fn what_is_drawn_stays_the_same_in_every_release() {
        let shares = [1, 2, 3].map(|attempt| drawn(attempt) >> 56);
        assert_eq!(shares, [233, 181, 82]);
    }

    #[test]
    fn a_wait_is_shortened_by_no_more_than_its_jitter() {
        let wait = Duration::from_secs(10);
        assert_eq!(shortened(wait, 0, u64::MAX), wait);
        assert_eq!(shortened(wait, 30, 0), wait);
        let shortest = shortened(wait, 30, u64::MAX);
        assert!(shortest > Duration::from_secs(7) && shortest < Duration::from_micros(7_000_010), "{shortest:?}");
        assert!(shortened(Duration::MAX, 100, u64::MAX) < Duration::from_secs(1));
        let all: std::collections::BTreeSet<_> = (1..100).map(|attempt| shortened(wait, 50, drawn(attempt))).collect();
        assert!(all.len() > 90, "the attempts are spread: {all:?}");
    }
}
