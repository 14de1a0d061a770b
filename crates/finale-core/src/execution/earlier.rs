//! What became of attempts that were followed by another one.

use std::collections::{BTreeMap, VecDeque};

use super::Execution;
use crate::failure::Failure;
use crate::id::{AttemptNo, NodeIndex, ScopeId, WorkKey};
use crate::record::AttemptRecord;
use crate::time::Time;

/// More attempts at one piece of work are not kept: the oldest ones are in the history alone.
pub const EARLIER_ATTEMPTS_MAX: usize = 100;

/// The earlier attempts at all work of the open scopes. Few executions have any.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct EarlierAttempts(BTreeMap<WorkKey, VecDeque<Earlier>>);

/// One attempt.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Earlier {
    pub(super) attempt: AttemptNo,
    pub(super) started: Time,
    pub(super) ended: Time,
    pub(super) failure: Failure,
}

impl Execution {
    /// Notes an attempt that is followed by another one.
    pub(super) fn note_earlier(
        &mut self,
        (key, attempt): (WorkKey, AttemptNo),
        (started, ended): (Time, Time),
        failure: Failure,
    ) {
        let attempts = self.earlier.get_or_insert_default().0.entry(key).or_default();
        if attempts.len() == EARLIER_ATTEMPTS_MAX {
            attempts.pop_front();
        }
        attempts.push_back(Earlier { attempt, started, ended, failure });
    }

    /// Takes back the last attempt: no other one follows.
    pub(super) fn take_last_attempt(&mut self, key: WorkKey) -> Option<Earlier> {
        self.earlier.as_deref_mut()?.0.get_mut(&key)?.pop_back()
    }

    /// Forgets the attempts in a scope that is given back.
    pub(super) fn forget_earlier(&mut self, scope: ScopeId) {
        let Some(EarlierAttempts(all)) = self.earlier.as_deref_mut() else { return };
        let key = |node| WorkKey { scope, node: NodeIndex(node) };
        let of_scope: Vec<_> = all.range(key(0)..=key(u32::MAX)).map(|(key, _)| *key).collect();
        for key in of_scope {
            all.remove(&key);
        }
    }

    /// The attempts before the last one, oldest first.
    pub(super) fn earlier_attempts(&self, key: WorkKey) -> Vec<AttemptRecord> {
        let attempts = self.earlier.as_deref().and_then(|EarlierAttempts(all)| all.get(&key));
        let record = |Earlier { attempt, started, ended, failure }: &Earlier| AttemptRecord {
            attempt: *attempt,
            started_at: *started,
            completed_at: *ended,
            class: failure.class,
            code: failure.code().map(str::to_owned),
            error: failure.to_string(),
        };
        attempts.into_iter().flatten().map(record).collect()
    }
}
