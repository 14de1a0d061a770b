//! What is kept of the executions of one writer.

use std::collections::VecDeque;

use finale_core::fact::{Activation, Fact, Facts, Terminal};
use finale_core::{ExecutionId, ExecutionStatus, Time};
use rustc_hash::FxHashMap;

use crate::{Append, Ends, JournalError, Quarantine, Standing};

#[derive(Clone, Debug, Default)]
pub(super) struct Arena {
    pub(super) logs: FxHashMap<ExecutionId, Log>,
    pub(super) quarantined: FxHashMap<ExecutionId, Quarantine>,
    /// Those that have ended, those that ended first first; some may be forgotten already.
    pub(super) ended: VecDeque<ExecutionId>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    pub(super) facts: Vec<u8>,
    pub(super) count: u64,
    pub(super) standing: Stands,
}

/// Where an execution is.
#[derive(Clone, Debug, Default)]
pub(super) enum Stands {
    #[default]
    Running,
    Ending,
    /// Boxed, because as long as an execution is open this is what it costs.
    Ended(Box<Ended>),
}

#[derive(Clone, Debug)]
pub(super) struct Ended {
    pub(super) status: Terminal,
    pub(super) at: Time,
    pub(super) error: Option<Box<str>>,
}

/// The idempotency keys of executions that were forgotten.
type Keys = Vec<(Box<str>, ExecutionId)>;

impl Arena {
    /// Both together; the other one is empty afterwards.
    pub(super) fn and(mut self, other: &mut Self) -> Self {
        self.logs.extend(other.logs.drain());
        self.quarantined.extend(other.quarantined.drain());
        self.ended.append(&mut other.ended);
        self
    }

    pub(super) fn has(&self, execution: ExecutionId) -> bool {
        self.logs.contains_key(&execution)
    }

    pub(super) fn take_over(&mut self, execution: ExecutionId, from: &mut Self) {
        if let Some(log) = from.logs.remove(&execution) {
            self.logs.insert(execution, log);
        }
        if let Some(quarantine) = from.quarantined.remove(&execution) {
            self.quarantined.insert(execution, quarantine);
        }
    }

    pub(super) fn append(&mut self, append: &Append<'_>) -> Result<(), JournalError> {
        match self.logs.get_mut(&append.execution) {
            Some(log) => log.append(append)?,
            None => {
                let mut log = Log::default();
                log.append(append)?;
                self.logs.insert(append.execution, log);
            }
        }
        if matches!(append.standing, Standing::Ended(_)) {
            self.has_ended(append.execution);
        }
        Ok(())
    }

    pub(super) fn quarantine(&mut self, execution: ExecutionId, quarantine: Option<Quarantine>) {
        match quarantine {
            Some(quarantine) if self.is_open(execution) => {
                self.quarantined.insert(execution, quarantine);
            }
            _ => {
                self.quarantined.remove(&execution);
            }
        }
    }

    pub(super) fn write_off(&mut self, execution: ExecutionId, at: Time, error: &str) {
        if let Some(log) = self.logs.get_mut(&execution).filter(|log| !log.has_ended()) {
            log.standing = Stands::Ended(Box::new(Ended { status: Terminal::Failed, at, error: Some(error.into()) }));
            self.has_ended(execution);
        }
    }

    pub(super) fn forget(&mut self, executions: &[ExecutionId]) -> Keys {
        executions.iter().filter_map(|&execution| self.forget_one(execution)).collect()
    }

    /// Forgets those that ended first, until no more than that many are left.
    pub(super) fn forget_oldest(&mut self, ended_max: usize) -> Keys {
        let mut keys = Keys::new();
        while self.ended.len() > ended_max
            && let Some(oldest) = self.ended.pop_front()
        {
            keys.extend(self.forget_one(oldest));
        }
        keys
    }

    /// Damages what is kept of an execution; done twice, it is as it was.
    #[cfg(feature = "_test")]
    pub(super) fn damage(&mut self, execution: ExecutionId) {
        if let Some(byte) = self.logs.get_mut(&execution).and_then(|log| log.facts.first_mut()) {
            *byte ^= 0x7f;
        }
    }

    pub(super) fn is_open(&self, execution: ExecutionId) -> bool {
        self.logs.get(&execution).is_some_and(|log| !log.has_ended())
    }

    fn has_ended(&mut self, execution: ExecutionId) {
        self.quarantined.remove(&execution);
        self.ended.push_back(execution);
    }

    fn forget_one(&mut self, execution: ExecutionId) -> Option<(Box<str>, ExecutionId)> {
        if !self.logs.get(&execution)?.has_ended() {
            return None;
        }
        let key = self.logs.remove(&execution)?.activation()?.idempotency_key?;
        Some((key, execution))
    }
}

impl Log {
    pub(super) const fn has_ended(&self) -> bool {
        matches!(self.standing, Stands::Ended(_))
    }

    /// When it ended, if it ended so.
    pub(super) fn ended_as(&self, status: Terminal) -> Option<Time> {
        match &self.standing {
            Stands::Ended(ended) if ended.status == status => Some(ended.at),
            _ => None,
        }
    }

    /// How it was activated; none if its facts cannot be read.
    pub(super) fn activation(&self) -> Option<Activation> {
        match Facts::new(&self.facts).next()?.ok()?.fact {
            Fact::Activated(activation) => Some(activation),
            _ => None,
        }
    }

    pub(super) fn created_at(&self) -> Time {
        Facts::new(&self.facts).next().and_then(Result::ok).map(|first| first.at).unwrap_or_default()
    }

    pub(super) fn status(&self) -> ExecutionStatus {
        match &self.standing {
            Stands::Running => ExecutionStatus::Running,
            Stands::Ending => ExecutionStatus::Ending,
            Stands::Ended(ended) => ended.status.into(),
        }
    }

    fn append(&mut self, append: &Append<'_>) -> Result<(), JournalError> {
        self.check(append)?;
        if matches!(append.standing, Standing::Ended(_)) || self.count == 0 {
            // The first append is often the last but one, and nothing comes after the end: no room to grow is kept.
            self.facts.reserve_exact(append.facts.len());
        }
        self.facts.extend_from_slice(append.facts);
        self.count += u64::from(append.count);
        self.standing = append.standing.into();
        Ok(())
    }

    fn check(&self, append: &Append<'_>) -> Result<(), JournalError> {
        let Append { execution, first_sequence: found, .. } = *append;
        if self.has_ended() {
            return Err(JournalError::Ended(execution));
        }
        let expected = self.count + 1;
        if found == expected { Ok(()) } else { Err(JournalError::Gap { execution, expected, found }) }
    }
}

impl From<Standing<'_>> for Stands {
    fn from(standing: Standing<'_>) -> Self {
        match standing {
            Standing::Running => Self::Running,
            Standing::Ending => Self::Ending,
            Standing::Ended(Ends { status, at, error }) => {
                Self::Ended(Box::new(Ended { status, at, error: error.map(Into::into) }))
            }
        }
    }
}
