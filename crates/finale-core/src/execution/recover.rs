//! What becomes of an execution when the process that drove it is gone.

use super::{Effect, EffectSink, Execution, NodeState, Notice, Phase, Refused, ReplayError, Turn};
use crate::compiled::Compiled;
use crate::fact::{Fact, StopOutcome};
use crate::failure::{Failure, FailureClass};
use crate::id::{AttemptNo, Epoch, NodeIndex, WorkKey};
use crate::time::Time;

/// Why a lost attempt is not taken up again.
const NOT_AGAIN: &str = "the process ended while it was at work; it may have had effects and must not be run again";

/// An attempt that a handler worked on when the process ended.
#[derive(Clone, Copy)]
struct LostAttempt {
    node: NodeIndex,
    attempt: AttemptNo,
    since: Time,
}

impl Execution {
    /// Which life it is in: 0 in the process that activated it, later ones after a recovery.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// How often the process crashed over the task that it crashed over most often, of those a handler works on now.
    ///
    /// A task that brings the process down does so in every life: a shell that does not want to die for ever gives up on
    /// the execution when this has become too much.
    pub fn losses(&self) -> u16 {
        let crashes = |state: &NodeState| match state {
            NodeState::Running { lost, .. } => lost.crashes,
            _ => 0,
        };
        self.nodes.iter().map(crashes).max().unwrap_or_default()
    }

    pub(super) fn accept_recovery(&self, epoch: Epoch, crashed: bool) -> Result<Fact, Refused> {
        match self.phase {
            Phase::New => Err(Refused::NotRunning(self.status())),
            Phase::Ended(_) => Err(Refused::AlreadyTerminal(self.status())),
            _ if epoch <= self.epoch => Err(Refused::Invalid("a recovery begins a later life than the current one")),
            _ => Ok(Fact::Recovered { epoch, crashed }),
        }
    }

    /// Records that a new life began, and says what must be under way in it: nothing of the old one is.
    pub(super) fn recover(&mut self, definition: &Compiled, at: Time, fact: &Fact, turn: &mut Turn) {
        let before = turn.effects().len();
        self.commit(definition, at, fact, turn);
        self.decide_due(definition, at, turn);
        self.close_lost(definition, at, turn);
        self.close(definition, at, turn);
        let is_over = matches!(self.phase, Phase::Ended(_));
        let effects = if is_over { vec![Effect::Ended] } else { self.under_way(definition) };
        turn.replace_effects(before, effects);
    }

    /// An expression that was due after the recovery can decide the end as well: then no handler is to begin either.
    fn close_lost(&mut self, definition: &Compiled, at: Time, turn: &mut Turn) {
        if !matches!(self.phase, Phase::Ending(_)) {
            return;
        }
        for LostAttempt { node, attempt, .. } in self.at_work() {
            let fact = Fact::AttemptStopped { key: WorkKey::root(node), attempt, how: StopOutcome::Lost };
            self.commit(definition, at, &fact, turn);
        }
    }

    /// Takes what handlers worked on out of the hands of the process that is gone.
    ///
    /// What must not be run again fails, and that can decide the end. Only then is it known what becomes of the rest.
    pub(super) fn recovered(
        &mut self,
        definition: &Compiled,
        epoch: Epoch,
        crashed: bool,
        notices: &mut impl EffectSink,
    ) -> Result<(), ReplayError> {
        if epoch <= self.epoch || matches!(self.phase, Phase::New | Phase::Ended(_)) {
            return Err(ReplayError("no other life could begin then"));
        }
        self.epoch = epoch;
        let lost = self.at_work();
        self.fail_lost(definition, &lost, notices)?;
        self.draw_consequences(definition, notices);
        self.judge(definition, notices);
        for lost in lost {
            self.take_up(definition, lost, crashed, notices)?;
        }
        Ok(())
    }

    /// Fails what must not be run again, until one failure more would change nothing.
    fn fail_lost(
        &mut self,
        definition: &Compiled,
        lost: &[LostAttempt],
        notices: &mut impl EffectSink,
    ) -> Result<(), ReplayError> {
        for &LostAttempt { node, attempt, since } in lost {
            if self.phase != Phase::Running || self.reason_to_end(definition).is_some() {
                return Ok(());
            }
            if definition.is_at_most_once(node) {
                let failure = Failure::new(FailureClass::Lost, NOT_AGAIN).permanent();
                let span = (since, self.at);
                self.outcome(definition, WorkKey::root(node), attempt, &Err(failure), span, notices)?;
            }
        }
        Ok(())
    }

    /// Runs a lost attempt again, or closes it if the end is decided.
    fn take_up(
        &mut self,
        definition: &Compiled,
        LostAttempt { node, attempt, since }: LostAttempt,
        crashed: bool,
        notices: &mut impl EffectSink,
    ) -> Result<(), ReplayError> {
        let NodeState::Running { lost, .. } = &mut self.nodes[node.as_usize()] else {
            return Ok(());
        };
        lost.add(crashed);
        let key = WorkKey::root(node);
        if notices.watched() {
            let failure = Failure::new(FailureClass::Lost, "the process ended while it was at work");
            let (failure, took) = (Some(Box::new(failure)), self.at.since(since));
            notices.notice(Notice::Attempt { key, attempt, failure, took });
        }
        if self.phase != Phase::Running {
            return self.stopped(definition, key, attempt, StopOutcome::Lost, notices);
        }
        self.running -= 1;
        self.dispatch_work(definition, node, attempt.next(), notices);
        Ok(())
    }

    /// What handlers work on, in the order of the nodes.
    fn at_work(&self) -> Vec<LostAttempt> {
        let at_work = |(node, state): (u32, &NodeState)| match *state {
            NodeState::Running { attempt, since, .. } => Some(LostAttempt { node: NodeIndex(node), attempt, since }),
            _ => None,
        };
        (0..).zip(&self.nodes).filter_map(at_work).collect()
    }
}
