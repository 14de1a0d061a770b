//! How long attempts wait for their permits, and how long handlers say nothing, by a second account of it.

use std::collections::BTreeMap;
use std::time::Duration;

use finale_core::execution::Effect;
use finale_core::fact::Timer;
use finale_core::number::Slot;
use finale_core::task_engine::{Batch, Input, TaskEngine, TaskNode, TaskOutcome, TaskResult};
use finale_core::{Dispatch, ExecutionId, FailureClass, Time};

use super::bugs::Bug;
use super::flows::Flow;
use super::shared::Shared;

type Work = (ExecutionId, Dispatch);

/// What one process knows of the attempts of a shard.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    /// When each attempt was asked for first.
    asked: BTreeMap<Work, Time>,
    /// When each handler gave a sign of life last.
    heard: BTreeMap<Work, Time>,
}

impl Clocks {
    /// The engine is told something: what it has to run waits from now on.
    pub(super) fn note(&mut self, machine: &TaskEngine, now: Time, input: &Input) {
        let mut ask = |slot: Slot, effect: &Effect| {
            let execution = machine.registration(slot).map(|registration| registration.execution);
            if let (Effect::Run { dispatch, .. }, Some(execution)) = (effect, execution) {
                self.asked.entry((execution, *dispatch)).or_insert(now);
            }
        };
        match input {
            Input::Perform { effects, .. } => effects.iter().for_each(|(slot, effect)| ask(*slot, effect)),
            Input::Reconcile(reconcile) => reconcile.under_way.iter().for_each(|effect| ask(reconcile.slot, effect)),
            _ => {}
        }
    }

    /// A handler begins, says something, or need not have said anything until now.
    pub(super) fn hear(&mut self, execution: ExecutionId, dispatch: Dispatch, now: Time) {
        self.heard.insert((execution, dispatch), now);
    }

    /// Another machine takes over, for which everything waits anew.
    pub(super) fn forget(&mut self) {
        self.asked.clear();
    }

    /// Since when an attempt waits.
    fn asked(&self, work: Work) -> Option<Time> {
        self.asked.get(&work).copied()
    }

    /// What has waited for too long, or was silent for too long, and nobody has noticed.
    pub(super) fn overdue(
        &self,
        machine: &TaskEngine,
        slots: &BTreeMap<Slot, ExecutionId>,
        at_work: impl Iterator<Item = (Slot, Dispatch)>,
        shared: &Shared,
    ) -> Option<(&'static str, String)> {
        let is_over = |since: Option<Time>, max: Option<Duration>| {
            since.zip(max).is_some_and(|(since, max)| since.after(max) <= shared.now)
        };
        for (slot, execution) in slots {
            for queued in machine.queued(*slot) {
                let node = node(machine, &shared.flows, *slot, queued.dispatch);
                let work = (*execution, queued.dispatch);
                if is_over(self.asked(work), node.and_then(|node| node.queue_max)) {
                    return Some(("nobody_waits_in_a_queue_for_too_long", format!("{work:?}")));
                }
            }
        }
        for (slot, dispatch) in at_work {
            let Some(execution) = slots.get(&slot) else { continue };
            let node = node(machine, &shared.flows, slot, dispatch);
            let heard = self.heard.get(&(*execution, dispatch)).copied();
            if is_over(heard, node.and_then(|node| node.silence_max)) {
                return Some(("who_says_nothing_for_too_long_is_dropped", format!("{execution} {dispatch:?}")));
            }
        }
        None
    }

    /// An attempt that has timed out before its time.
    pub(super) fn premature(
        &self,
        machine: &TaskEngine,
        batch: &Batch,
        flows: &[Flow],
    ) -> Option<(&'static str, String)> {
        batch.outcomes.iter().find_map(|outcome| {
            let TaskOutcome { slot, dispatch, ended, result: TaskResult::Failed(failure), .. } = outcome else {
                return None;
            };
            let execution = machine.registration(*slot)?.execution;
            let (work, node) = ((execution, *dispatch), node(machine, flows, *slot, *dispatch)?);
            let is_early = |since: Option<Time>, max: Option<Duration>| {
                // What came of it before the machine was rebuilt may be told after it was asked for anew.
                since.zip(max).is_some_and(|(since, max)| since <= *ended && *ended < since.after(max))
            };
            let invariant = match &*failure.reason {
                _ if failure.class != FailureClass::TimedOut => return None,
                reason if reason.starts_with("its handler could not begin") => {
                    is_early(self.asked(work), node.queue_max).then_some("everybody_may_wait_in_a_queue_for_their_time")
                }
                reason if reason.starts_with("its handler said nothing") => {
                    let heard = self.heard.get(&work).copied();
                    is_early(heard, node.silence_max).then_some("who_says_something_in_time_is_not_dropped")
                }
                _ => None,
            };
            Some((invariant?, format!("{work:?}: {failure:?} at {ended}")))
        })
    }
}

/// What is truly said of a node, whatever the machine was told.
fn node<'f>(machine: &TaskEngine, flows: &'f [Flow], slot: Slot, dispatch: Dispatch) -> Option<&'f TaskNode> {
    let definition = machine.registration(slot)?.definition;
    flows.get(definition.0 as usize)?.nodes.get(dispatch.key.node.as_usize())
}

/// What must be under way is said once more, with the mistakes about its timers that are planted.
pub(super) fn arm_again(under_way: &mut Vec<Effect>, execution: ExecutionId, shared: &mut Shared) {
    let (bug, now) = (shared.bug, shared.now);
    let is_forgotten = |timer: &Timer| match timer {
        Timer::Wait(_) => bug == Some(Bug::ForgetWaits),
        Timer::Total(_) => bug == Some(Bug::ForgetTotal),
        Timer::Deadline => bug == Some(Bug::ForgetDeadline),
        Timer::EndingWithin => bug == Some(Bug::ForgetEndingWithin),
        _ => false,
    };
    under_way.retain(|effect| !matches!(effect, Effect::ArmTimer { timer, .. } if is_forgotten(timer)));
    for effect in under_way {
        let Effect::ArmTimer { timer, due, within } = effect else { continue };
        match timer {
            Timer::Wait(_) if bug == Some(Bug::DelayBeginsAnew) => *due = now.after(*within),
            Timer::EndingWithin if bug == Some(Bug::EndingWithinBeginsAnew) => *due = now.after(*within),
            Timer::Backoff(..) if bug == Some(Bug::JitterDiffersOnReplay) => {
                *due = due.after(Duration::from_micros(1));
            }
            _ => {}
        }
        shared.audit.arms_again(execution, *timer, *due);
    }
}

/// The nodes of a definition as the machine is told of them.
pub(super) fn told(nodes: &[TaskNode], bug: Option<Bug>) -> Box<[TaskNode]> {
    let mut nodes: Box<[TaskNode]> = nodes.into();
    for node in &mut nodes {
        match bug {
            Some(Bug::QueueTimeNeverEnds) => node.queue_max = None,
            Some(Bug::QueueTimeBeginsEarly) => node.queue_max = node.queue_max.map(|max| max / 2),
            Some(Bug::SilenceIsNotNoticed) => node.silence_max = None,
            _ => {}
        }
    }
    nodes
}
