//! How an execution ends: judged by all required nodes, in the handling of each event.

use super::node::WaitFor;
use super::scope::{Scope, ScopeEnd, Stage};
use super::{
    AfterStop, Effect, EffectSink, Ending, Execution, Interrupted, Interruption, NodeState, Notice, Phase, Skip,
};
use crate::compiled::{Compiled, Step};
use crate::definition::{OnFailure, Siblings};
use crate::fact::{StopOutcome, Terminal, Timer};
use crate::id::{AttemptNo, Dispatch, NodeIndex, ScopeId, WorkKey};
use crate::payload::Payload;
use crate::status::ExecutionStatus;

/// Which clause decided the end.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum EndReason {
    /// Everything is settled, and no failure counts against it.
    #[default]
    Settled,
    /// An operator declared it complete.
    Declared(Box<str>),
    /// The first failure.
    FailFast { node: NodeIndex },
    /// Failures, after everything else was done.
    WaitAll { node: NodeIndex },
    /// One failure more than tolerated.
    Tolerance { node: NodeIndex, count: u32 },
    /// An operator declared it failed.
    DeclaredFailed { by: Box<str>, reason: Box<str> },
    /// Its deadline passed.
    Deadline,
    /// Its output could not be evaluated.
    Output(Box<str>),
    /// Its output does not fit the schema that its workflow declares.
    OutputMismatch(Box<str>),
    /// Nothing could move any more.
    Stalled(Vec<WorkKey>),
    /// Somebody cancelled it.
    Cancelled(Box<str>),
}

impl EndReason {
    pub(crate) const fn terminal(&self) -> Terminal {
        match self {
            Self::Settled | Self::Declared(_) => Terminal::Completed,
            Self::Cancelled(_) => Terminal::Cancelled,
            _ => Terminal::Failed,
        }
    }

    /// Whether handlers at work may finish: a policy that says so is for failures, not for people who want an end.
    pub(super) fn lets_finish(&self, siblings: Siblings) -> bool {
        siblings == Siblings::Finish && matches!(self, Self::FailFast { .. } | Self::Tolerance { .. })
    }
}

impl Execution {
    #[inline]
    pub(super) fn judge(&mut self, definition: &Compiled, sink: &mut impl EffectSink) {
        if !matches!(self.phase, Phase::Running) {
            return;
        }
        if let Some(reason) = self.end_reason(definition, &self.root) {
            self.conclude(definition, reason, false, sink);
        }
    }

    /// What the nodes of a scope have decided, if they have.
    #[inline]
    pub(super) fn end_reason(&self, definition: &Compiled, scope: &Scope) -> Option<EndReason> {
        let failures = scope.failures();
        let Some(&first) = failures.first() else {
            return (scope.open == 0).then_some(EndReason::Settled);
        };
        match scope.graph(definition).policy.on_failure {
            OnFailure::FailFast => Some(EndReason::FailFast { node: first }),
            OnFailure::Tolerate { count } => {
                let deciding = failures.get(count as usize);
                deciding
                    .map(|&node| EndReason::Tolerance { node, count })
                    .or_else(|| (scope.open == 0).then_some(EndReason::Settled))
            }
            // A compiled graph has it counted.
            OnFailure::ToleratePercent { .. } => Some(EndReason::FailFast { node: first }),
            OnFailure::WaitAll => (scope.open == 0).then_some(EndReason::WaitAll { node: first }),
        }
    }

    /// Whether failures have decided the end of a scope, be it that nobody has drawn that consequence yet.
    #[inline]
    pub(super) fn has_failed_enough(&self, definition: &Compiled, scope: &Scope) -> bool {
        !scope.failures().is_empty() && self.end_reason(definition, scope).is_some()
    }

    /// Decides the end: from here on nothing new begins in any graph, and what is under way is closed. Only what the ends of
    /// scopes are made of goes on.
    pub(super) fn conclude(
        &mut self,
        definition: &Compiled,
        reason: EndReason,
        forced: bool,
        sink: &mut impl EffectSink,
    ) {
        let finish = reason.lets_finish(definition.own().policy.siblings);
        let is_declared = matches!(reason, EndReason::Declared(_));
        let ending = Ending { reason, forced, is_declared, ..Ending::default() };
        self.phase = Phase::Ending(self.spare_ending.boxed(ending));
        if self.root.open > 0 {
            let _all = self.close_tree(definition, ScopeId::ROOT, !is_declared, sink);
        }
        self.retain_queued();
        if forced {
            self.cut_short(definition, sink);
        }
        self.give_back_idle(definition, sink);
        self.sort_interrupted();
        self.wind_up_root(definition, sink);
        self.show_ending(definition, sink);
        if finish {
            self.let_all_finish(sink);
        } else {
            self.stop_all(sink);
        }
    }

    /// Says that the execution is ending, and limits for how long, unless it is over in the same turn.
    fn show_ending(&mut self, definition: &Compiled, sink: &mut impl EffectSink) {
        let (at, is_over) = (self.at, self.root.stage == Stage::Over);
        let Phase::Ending(ending) = &mut self.phase else { return };
        if ending.interrupted.is_empty() && is_over {
            return;
        }
        ending.is_shown = true;
        if sink.watched() {
            let notice = Notice::Status { from: ExecutionStatus::Running, to: ExecutionStatus::Ending };
            sink.notice(notice, None);
        }
        if let Some(within) = definition.definition().ending_within
            && !is_over
            && !ending.forced
        {
            let due = at.after(within);
            ending.until = Some(due);
            sink.effect(Effect::ArmTimer { timer: Timer::EndingWithin, due, within });
        }
    }

    /// Forgets what was to begin or to be evaluated in scopes that have come to their end.
    pub(super) fn retain_queued(&mut self) {
        let mut settled = std::mem::take(&mut self.settled);
        settled.retain(|key| self.goes_on(key.scope));
        self.settled = settled;
        let mut dispatching = std::mem::take(&mut self.dispatching);
        dispatching.retain(|id| self.goes_on(*id));
        self.dispatching = dispatching;
        let mut held_back = std::mem::take(&mut self.held_back);
        held_back.retain(|key| self.goes_on(key.scope));
        self.held_back = held_back;
        let mut opening = std::mem::take(&mut self.opening);
        opening.retain(|key| self.goes_on(key.scope));
        self.opening = opening;
        let mut undecided = std::mem::take(&mut self.undecided);
        let is_settled = |id: ScopeId| self.scope(id).is_some_and(|scope| scope.end == ScopeEnd::Settled);
        undecided.retain(|key| self.goes_on(key.scope) || is_settled(key.scope));
        self.undecided = undecided;
    }

    /// Whoever looks for what was in flight finds it by its key.
    pub(super) fn sort_interrupted(&mut self) {
        if let Phase::Ending(ending) = &mut self.phase {
            ending.interrupted.sort_by_key(|interrupted| interrupted.key);
            ending.interrupted.dedup_by_key(|interrupted| interrupted.key);
        }
    }

    /// Closes all that no handler works on in a scope and in those inside; gives the scopes it went through.
    pub(super) fn close_tree(
        &mut self,
        definition: &Compiled,
        top: ScopeId,
        compensates: bool,
        sink: &mut impl EffectSink,
    ) -> Vec<ScopeId> {
        let (mut found, mut next) = (vec![top], 0);
        while let Some(&id) = found.get(next) {
            next += 1;
            // What a scope does at its end is not cut short.
            let Some(scope) = self.scope_mut(id).filter(|scope| scope.stage == Stage::Graph) else { continue };
            scope.clear_ready();
            if id != top {
                scope.close(compensates);
            }
            if !id.is_root() {
                // It may be idle by now, or become so when its handlers have left.
                self.unjudged.push(id);
            }
            for node in self.open_scope(id).positions() {
                self.close_node(definition, WorkKey { scope: id, node }, compensates, &mut found, sink);
            }
        }
        found
    }

    fn close_node(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        compensates: bool,
        found: &mut Vec<ScopeId>,
        sink: &mut impl EffectSink,
    ) {
        match *self.state_at(key) {
            NodeState::Ready { attempt, .. } if attempt.get() > 1 => {
                let (since, how, attempt) = (self.at, StopOutcome::Closed, attempt.previous());
                self.move_to(definition, key, NodeState::Cancelled { attempt, since, at: self.at, how }, sink);
                self.interrupt(definition, key, attempt, Interruption::Stopped(how));
            }
            NodeState::Pending(_) | NodeState::Ready { .. } => {
                self.move_to(definition, key, NodeState::Skipped(Skip::Ended), sink);
            }
            NodeState::Running { attempt, .. } => {
                self.interrupt(definition, key, Some(attempt), Interruption::Stopping);
            }
            NodeState::Waiting(WaitFor::Scope { .. }) => {
                self.close_nest_in_tree(definition, key, compensates, found, sink);
            }
            NodeState::Waiting(wait) => {
                let attempt = self.close_waiting(definition, key, wait, compensates, sink);
                self.interrupt(definition, key, attempt, Interruption::Stopped(StopOutcome::Closed));
            }
            _ => {}
        }
    }

    pub(super) fn close_waiting(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        wait: WaitFor,
        compensates: bool,
        sink: &mut impl EffectSink,
    ) -> Option<AttemptNo> {
        let attempt = match wait {
            WaitFor::Task { attempt, .. } => {
                sink.effect(Effect::Withdraw { dispatch: self.dispatch(key, attempt) });
                disarm_timeout(definition, key, attempt, sink);
                Some(attempt)
            }
            WaitFor::Backoff { attempt, .. } => {
                sink.effect(Effect::DisarmTimer { timer: Timer::Backoff(key, attempt) });
                attempt.previous()
            }
            WaitFor::Round { .. } => {
                sink.effect(Effect::DisarmTimer { timer: Timer::Round(key, self.awaited_round(key)) });
                if let Some(nest) = self.nests.get_mut(&key) {
                    nest.close(compensates);
                    nest.trim(definition.at(key.node).is_undoable);
                }
                self.settle_opener(definition, key, (true, None, Payload::NULL), sink);
                return None;
            }
            WaitFor::Operator { attempt, .. } => attempt.previous(),
            WaitFor::Time { .. } => {
                sink.effect(Effect::DisarmTimer { timer: Timer::Wait(key) });
                None
            }
            WaitFor::Signal { .. } => {
                self.forget_wait(definition, key, sink);
                None
            }
            WaitFor::Verdict { .. } | WaitFor::Scope { .. } => None,
        };
        let (since, how) = (wait.since(), StopOutcome::Closed);
        self.move_to(definition, key, NodeState::Cancelled { attempt, since, at: self.at, how }, sink);
        attempt
    }

    /// Notes what was in flight when the end of the execution was decided.
    fn interrupt(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        attempt: Option<AttemptNo>,
        interruption: Interruption,
    ) {
        let path = self.path_inside(definition, key);
        let is_of_ending = self.scope(key.scope).is_some_and(|scope| scope.is_of_ending);
        // What the end itself is made of was not in flight when it was decided, unless it is cut short.
        if let Phase::Ending(ending) = &mut self.phase
            && (ending.forced || !is_of_ending)
        {
            ending.interrupted.push(Interrupted { key, attempt, interruption, path });
        }
    }

    /// Notes what became of a handler that was in flight when the end was decided.
    pub(super) fn interrupted_as(&mut self, key: WorkKey, interruption: Interruption) {
        if let Phase::Ending(ending) = &mut self.phase
            && let Ok(place) = ending.interrupted.binary_search_by_key(&key, |interrupted| interrupted.key)
        {
            ending.interrupted[place].interruption = interruption;
        }
    }

    /// Tells every handler at work in a graph to stop, in all scopes; what they report decides how they are recorded.
    pub(super) fn stop_all(&mut self, sink: &mut impl EffectSink) {
        if self.awaits_deadline() {
            sink.effect(Effect::DisarmTimer { timer: Timer::Deadline });
        }
        self.stop_scope(ScopeId::ROOT, sink);
        if self.inner.is_empty() {
            return;
        }
        for id in self.inside_graphs() {
            self.stop_scope(id, sink);
        }
    }

    /// The inner scopes, without those that the ends of scopes are made of.
    fn inside_graphs(&self) -> Vec<ScopeId> {
        self.inner.iter().filter(|(_, scope)| !scope.is_of_ending).map(|(id, _)| *id).collect()
    }

    /// Lets every handler at work in a graph finish; what waits to begin does not.
    fn let_all_finish(&mut self, sink: &mut impl EffectSink) {
        self.let_scope_finish(ScopeId::ROOT, sink);
        for id in self.inside_graphs() {
            self.let_scope_finish(id, sink);
        }
    }

    /// Lets the handlers at work in one scope finish, unless they were told to stop.
    pub(super) fn let_scope_finish(&mut self, id: ScopeId, sink: &mut impl EffectSink) {
        let epoch = self.epoch;
        let Some(scope) = self.scope(id).filter(|scope| !scope.stopping && scope.running > 0) else { return };
        for (node, state) in scope.iter() {
            if let NodeState::Running { attempt, closed: false, not_begun: false, .. } = *state {
                let dispatch = Dispatch { key: WorkKey { scope: id, node }, attempt, epoch };
                sink.effect(Effect::Stop { dispatch, then: AfterStop::Finish });
            }
        }
    }

    /// Tells the handlers at work in one scope to stop, unless they were told before.
    pub(super) fn stop_scope(&mut self, id: ScopeId, sink: &mut impl EffectSink) {
        let epoch = self.epoch;
        let Some(scope) = self.scope_mut(id) else { return };
        if std::mem::replace(&mut scope.stopping, true) || scope.running == 0 {
            return;
        }
        for (node, state) in scope.iter() {
            // What a join has closed was told then.
            if let NodeState::Running { attempt, closed: false, not_begun: false, .. } = *state {
                let dispatch = Dispatch { key: WorkKey { scope: id, node }, attempt, epoch };
                sink.effect(Effect::Stop { dispatch, then: AfterStop::Report });
            }
        }
    }

    /// What is not settled, in all scopes.
    pub(super) fn open_work(&self) -> Vec<WorkKey> {
        let mut open = Vec::new();
        for (scope, all) in self.scopes() {
            let unsettled = all.iter().filter(|(_, state)| !state.status().is_settled());
            open.extend(unsettled.map(|(node, _)| WorkKey { scope, node }));
        }
        open
    }
}

/// The timer of a task outside is of no interest any more.
pub(super) fn disarm_timeout(definition: &Compiled, key: WorkKey, attempt: AttemptNo, sink: &mut impl EffectSink) {
    let node = definition.at(key.node);
    if node.timeout.is_some() && node.step == Step::Ask {
        sink.effect(Effect::DisarmTimer { timer: Timer::Timeout(key, attempt) });
    }
}
