//! The journal: what is appended, what of it is durable, and what a crash leaves.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use finale_core::execution::{Effect, EffectSink};
use finale_core::fact::{Fact, Facts, Position, Recorded};
use finale_core::record::{DecidedBy, End, ExecutionError};
use finale_core::supervisor::{Expired, Found, KeyOwner, Quarantine, ReadWhat, Restored, WriteWhat, crashes_of};
use finale_core::{Execution, ExecutionId, ExecutionStatus, Outcome, Payload, Time};

use super::audit::Audit;
use super::bugs::Bug;
use super::flows::Flow;
use super::second_reading;
use crate::dice::Dice;

/// One write of a shard.
#[derive(Clone, Debug)]
pub(super) enum Op {
    Append { execution: ExecutionId, flow: usize, key: Option<Box<str>>, facts: Vec<u8>, to_tell: bool },
    Write(WriteWhat),
}

/// What a journal says of an execution.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) flow: usize,
    pub(super) history: Vec<u8>,
    /// How far it is folded.
    position: Position,
    pub(super) state: Execution,
    key: Option<Box<str>>,
    quarantine: Option<Quarantine>,
    written_off: Option<Arc<Outcome>>,
    /// Whether handlers have still to be told of its end.
    pub(super) untold: bool,
}

pub(super) type State = BTreeMap<ExecutionId, Kept>;

#[derive(Debug, Default)]
pub(super) struct Journal {
    pub(super) appended: State,
    pub(super) durable: State,
    queue: VecDeque<(u16, u64, Op)>,
    /// The last position of each shard that was given, and that is durable.
    given: Vec<u64>,
    pub(super) committed: Vec<u64>,
    /// Whether what is appended is durable at once.
    pub(super) immediate: bool,
    pub(super) failed: bool,
    /// How many writes may wait before it is better to write nothing more.
    pub(super) full: usize,
    pub(super) epoch: u32,
    pub(super) crashed: bool,
    bug: Option<Bug>,
}

/// Takes the effects that follow from a fact.
#[derive(Default)]
struct Effects(Vec<Effect>);

impl EffectSink for Effects {
    fn effect(&mut self, effect: Effect) {
        self.0.push(effect);
    }
}

impl Kept {
    pub(super) fn status(&self) -> ExecutionStatus {
        match &self.written_off {
            Some(outcome) => outcome.status(),
            None => self.state.status(),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        !self.status().is_terminal()
    }

    pub(super) fn outcome(&self, flows: &[Flow]) -> Option<Arc<Outcome>> {
        let outcome = || self.state.end_outcome(&flows[self.flow].compiled).map(Arc::new);
        self.written_off.clone().or_else(outcome)
    }
}

/// Applies facts one by one; gives each with its effects, or says what does not fit.
fn fold(kept: &mut Kept, flows: &[Flow], facts: &[u8]) -> Result<Vec<(Recorded, Vec<Effect>)>, String> {
    let mut folded = Vec::new();
    kept.history.extend_from_slice(facts);
    // The time of a fact is told from that of the fact before it.
    let mut facts = Facts::from(&kept.history, kept.position);
    for recorded in facts.by_ref() {
        let recorded = recorded.map_err(|error| error.to_string())?;
        let mut effects = Effects::default();
        let applied = kept.state.apply(&flows[kept.flow].compiled, recorded.at, recorded.fact.clone(), &mut effects);
        applied.map_err(|error| format!("{:?}: {error}", recorded.fact))?;
        folded.push((recorded, effects.0));
    }
    kept.position = facts.position();
    Ok(folded)
}

impl Journal {
    pub(super) fn new(bug: Option<Bug>) -> Self {
        Self { bug, ..Self::default() }
    }

    pub(super) fn is_full(&self, shard: u16) -> bool {
        self.queue.iter().filter(|(of, ..)| *of == shard).count() >= self.full
    }

    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() || self.failed
    }

    /// Opens the journal for the next life of the process.
    pub(super) fn claim(&mut self, shards: u16) {
        self.epoch += 1;
        self.failed = false;
        self.queue.clear();
        self.given = vec![0; usize::from(shards)];
        self.committed = vec![0; usize::from(shards)];
        self.appended = self.durable.clone();
    }

    pub(super) fn found(&self, is_here: impl Fn(ExecutionId) -> bool) -> Vec<Found> {
        let open = self.durable.iter().filter(|(execution, kept)| kept.is_open() && is_here(**execution));
        open.map(|(execution, kept)| Found { execution: *execution, quarantine: kept.quarantine.clone() }).collect()
    }

    /// Takes a write; gives its position, or nothing if the journal has failed.
    pub(super) fn write(&mut self, shard: u16, op: Op, flows: &[Flow], audit: &mut Audit) -> Option<u64> {
        if self.failed {
            return None;
        }
        if let Err(error) = apply(&mut self.appended, &op, flows) {
            audit.violate("what_is_appended_fits", error);
        }
        self.given[usize::from(shard)] += 1;
        self.queue.push_back((shard, self.given[usize::from(shard)], op));
        if self.immediate {
            self.commit(usize::MAX, flows, audit);
        }
        Some(self.given[usize::from(shard)])
    }

    /// Makes the oldest writes durable.
    pub(super) fn commit(&mut self, writes: usize, flows: &[Flow], audit: &mut Audit) {
        for _ in 0..writes.min(self.queue.len()) {
            let Some((shard, position, op)) = self.queue.pop_front() else { return };
            self.committed[usize::from(shard)] = position;
            match apply(&mut self.durable, &op, flows) {
                Ok(folded) => {
                    if let Op::Append { execution, key, .. } = &op {
                        let kept = &self.durable[execution];
                        audit.durable(*execution, key.as_deref(), kept, &folded);
                        if kept.state.status().is_terminal() {
                            let flow = &flows[kept.flow];
                            let difference = second_reading::difference(*execution, flow, &kept.history, self.bug);
                            if let Some(story) = difference {
                                audit.violate(
                                    "what_became_of_it_is_what_the_rules_say",
                                    format!("{execution}: {story}"),
                                );
                            }
                        }
                    }
                }
                Err(error) => audit.violate("what_is_durable_fits", error),
            }
        }
    }

    /// The process is gone: of what was not durable any first part may be.
    pub(super) fn crash(&mut self, dice: &mut Dice, flows: &[Flow], audit: &mut Audit) {
        if !self.failed {
            self.commit(dice.below(self.queue.len() + 1), flows, audit);
        }
        self.queue.clear();
        if self.bug == Some(Bug::ForgetUntoldInCrash) {
            self.durable.values_mut().for_each(|kept| kept.untold = false);
        }
        if self.bug == Some(Bug::CutDurableTail)
            && let Some((execution, kept)) = self.durable.iter_mut().find(|(_, kept)| kept.is_open())
        {
            let mut cut = kept.clone();
            cut.state = Execution::new(*execution, &flows[kept.flow].compiled);
            let whole: Vec<_> = Facts::new(&kept.history).flatten().collect();
            for recorded in &whole[..whole.len() - 1] {
                let _ = cut.state.apply(&flows[kept.flow].compiled, recorded.at, recorded.fact.clone(), &mut ());
            }
            *kept = cut;
        }
    }

    /// Answers a read of everything that is appended.
    pub(super) fn restore(&self, execution: ExecutionId, flows: &[Flow]) -> Option<Restored> {
        let kept = self.appended.get(&execution)?;
        Some(Restored {
            definition: finale_core::number::DefinitionNo(kept.flow as u32),
            state: Box::new(kept.state.clone()),
            missing_handler: None,
            crashes: crashes_of(&kept.history),
            outcome: kept.outcome(flows),
        })
    }

    pub(super) fn key_owner(&self, key: &str) -> Option<KeyOwner> {
        let has = |kept: &&Kept| kept.key.as_deref() == Some(key) && self.bug != Some(Bug::ForgetKeys);
        let (execution, kept) = self.appended.iter().find(|(_, kept)| has(kept))?;
        let input = kept.state.activation().map_or(Payload::NULL, |activation| activation.input.clone());
        Some(KeyOwner { execution: *execution, workflow: format!("flow {}", kept.flow).into(), input })
    }

    pub(super) fn status(&self, execution: ExecutionId) -> Option<ExecutionStatus> {
        self.appended.get(&execution).map(Kept::status)
    }

    /// Those of whose ends handlers have still to be told, durably.
    pub(super) fn untold(&self, after: Option<ExecutionId>, limit: usize) -> Vec<ExecutionId> {
        let untold = self.durable.iter().filter(|(execution, kept)| kept.untold && Some(**execution) > after);
        untold.map(|(execution, _)| *execution).take(limit).collect()
    }

    /// Forgets ended executions, durably.
    pub(super) fn purge(&mut self, what: &ReadWhat, flows: &[Flow], audit: &mut Audit) -> Expired {
        let ReadWhat::Expired { criteria, now, limit, keeps_untold } = what else { return Expired::default() };
        let is_old = |kept: &&Kept| {
            kept.outcome(flows).is_some_and(|outcome| {
                let age = now.since(outcome.completed_at);
                let status = outcome.status();
                criteria.iter().any(|it| status == it.status.into() && it.age.is_some_and(|most| age > most))
            })
        };
        let is_kept = |kept: &Kept| *keeps_untold && kept.untold;
        let expired =
            self.durable.iter().filter(|(_, kept)| is_old(kept) && !is_kept(kept)).map(|(execution, _)| *execution);
        let executions: Vec<_> = expired.take(*limit).collect();
        for execution in &executions {
            self.durable.remove(execution);
            self.appended.remove(execution);
            audit.forget(*execution);
        }
        Expired { executions, next: None }
    }
}

fn apply(state: &mut State, op: &Op, flows: &[Flow]) -> Result<Vec<(Recorded, Vec<Effect>)>, String> {
    match op {
        Op::Append { execution, flow, key, facts, to_tell } => {
            let begins = matches!(Facts::new(facts).next(), Some(Ok(Recorded { fact: Fact::Activated(_), .. })));
            if begins && state.contains_key(execution) {
                return Err(format!("{execution} begins twice"));
            }
            let kept = state.entry(*execution).or_insert_with(|| Kept {
                flow: *flow,
                history: Vec::new(),
                position: Position::default(),
                state: Execution::new(*execution, &flows[*flow].compiled),
                key: key.clone(),
                quarantine: None,
                written_off: None,
                untold: false,
            });
            if !kept.is_open() {
                return Err(format!("{execution} is over"));
            }
            let folded = fold(kept, flows, facts).map_err(|error| format!("{execution}: {error}"));
            kept.untold = *to_tell && !kept.is_open();
            return folded;
        }
        Op::Write(WriteWhat::Quarantine(execution, quarantine)) => {
            if let Some(kept) = state.get_mut(execution) {
                kept.quarantine.clone_from(quarantine);
            }
        }
        Op::Write(WriteWhat::WriteOff { execution, at, error, to_tell }) => {
            if let Some(kept) = state.get_mut(execution) {
                kept.written_off = Some(Arc::new(written_off(*at, error)));
                kept.untold = *to_tell;
            }
        }
        Op::Write(WriteWhat::Told(executions)) => {
            for execution in executions.iter() {
                state.get_mut(execution).into_iter().for_each(|kept| kept.untold = false);
            }
        }
        Op::Write(WriteWhat::Forget(_)) => {}
    }
    Ok(Vec::new())
}

fn written_off(at: Time, error: &str) -> Outcome {
    let error = ExecutionError::new(error, Vec::new()).expect("an error is not blank");
    let decided_by = DecidedBy::Operator { by: "an operator".into() };
    Outcome {
        completed_at: at,
        decided_by,
        counts: Default::default(),
        ending_failures: Vec::new(),
        ending_failures_more: 0,
        end: End::Failed { error },
    }
}
