//! Reading the in-memory journal.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::PoisonError;

use finale_core::fact::Terminal;
use finale_core::record::WorkflowName;
use finale_core::{DefinitionHash, ExecutionId, ExecutionStatus, Time};

use super::arena::Arena;
use super::kept::{Kept, Stands, activation_of};
use super::{Inner, MemoryJournal, lock};
use crate::{Filter, JournalError, JournalReader, LiveExecution, StoredDefinition, Summary};

impl JournalReader for MemoryJournal {
    fn history(&self, execution: ExecutionId) -> Result<Option<Vec<u8>>, JournalError> {
        let arenas = self.0.arenas();
        Ok(arenas.iter().find_map(|arena| lock(arena).get(execution).map(|kept| kept.facts.to_vec())))
    }

    fn definition(&self, hash: DefinitionHash) -> Result<Option<StoredDefinition>, JournalError> {
        Ok(self.0.definitions.read().unwrap_or_else(PoisonError::into_inner).get(&hash).cloned())
    }

    fn live(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<LiveExecution>, JournalError> {
        let arenas = self.0.arenas();
        let mut open = Vec::new();
        for arena in arenas.iter() {
            open.extend(lock(arena).iter_open().map(|(id, _)| id).filter(|id| Some(*id) > after));
        }
        open.sort_unstable();
        // One that is taken over by its new owner meanwhile is met twice.
        open.dedup();
        // One that has ended meanwhile is found nowhere.
        let live = |id: &ExecutionId| arenas.iter().find_map(|arena| lock(arena).live(*id));
        Ok(open.iter().filter_map(live).take(limit).collect())
    }

    fn summary(&self, execution: ExecutionId) -> Result<Option<Summary>, JournalError> {
        let found = |arena: &Arena| Some(self.0.summary(arena, execution, arena.get(execution)?));
        Ok(self.0.arenas().iter().find_map(|arena| found(&lock(arena))))
    }

    fn list(&self, filter: &Filter) -> Result<Vec<Summary>, JournalError> {
        let mut newest = Newest::new(filter.limited());
        for arena in self.0.arenas().iter() {
            let arena = lock(arena);
            for (id, kept) in arena.iter() {
                if filter.before.is_none_or(|before| id < before) && newest.wants(id) {
                    let summary = self.0.summary(&arena, id, kept);
                    if filter.takes(&summary) {
                        newest.put(summary);
                    }
                }
            }
        }
        Ok(newest.into_sorted())
    }

    fn keyed(&self, idempotency_key: &str) -> Result<Option<ExecutionId>, JournalError> {
        Ok(lock(&self.0.keys).get(idempotency_key).copied())
    }

    fn first_end(&self, status: Terminal) -> Result<Option<Time>, JournalError> {
        let arenas = self.0.arenas();
        let first = arenas.iter().flat_map(|arena| lock(arena).first_ended(status, 1));
        Ok(first.map(|(at, ..)| at).min())
    }

    fn untold(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<ExecutionId>, JournalError> {
        let arenas = self.0.arenas();
        let mut untold = Vec::new();
        for arena in arenas.iter() {
            untold.extend(lock(arena).untold().filter(|id| Some(*id) > after));
        }
        untold.sort_unstable();
        untold.truncate(limit);
        Ok(untold)
    }

    fn health(&self) -> Result<(), JournalError> {
        Ok(())
    }

    fn reads_block(&self) -> bool {
        false
    }
}

impl Arena {
    /// An execution that has not ended.
    fn live(&self, id: ExecutionId) -> Option<LiveExecution> {
        let unreadable = DefinitionHash::from_bytes([0; 16]);
        let facts = self.get_open(id)?.facts;
        Some(LiveExecution {
            id,
            definition: activation_of(facts).map_or(unreadable, |activation| activation.definition),
            quarantine: self.quarantined.get(&id).cloned(),
        })
    }
}

impl Inner {
    fn summary(&self, arena: &Arena, id: ExecutionId, kept: Kept<'_>) -> Summary {
        let mut summary = match activation_of(kept.facts) {
            Some(activation) => {
                let name = self.workflow_name(activation.definition);
                Summary {
                    idempotency_key: activation.idempotency_key.map(Into::into),
                    business_key: activation.business_key.map(Into::into),
                    ..Summary::running(id, name, activation.by, kept.created_at())
                }
            }
            None => Summary::running(id, unknown(), "", kept.created_at()),
        };
        summary.status = kept.status();
        if let Stands::Ended { at, error, .. } = kept.standing {
            summary.completed_at = Some(at);
            summary.error = error.map(str::to_owned);
        }
        if let Some(quarantine) = arena.quarantined.get(&id) {
            summary.status = ExecutionStatus::Quarantined;
            summary.error = Some(quarantine.reason.clone());
        }
        summary
    }

    fn workflow_name(&self, hash: DefinitionHash) -> WorkflowName {
        let definitions = self.definitions.read().unwrap_or_else(PoisonError::into_inner);
        definitions.get(&hash).map_or_else(unknown, |definition| definition.workflow.clone())
    }
}

fn unknown() -> WorkflowName {
    WorkflowName { id: String::new(), name: String::new(), version: String::new() }
}

/// The newest of many summaries, without keeping them all.
struct Newest {
    limit: usize,
    ids: BinaryHeap<Reverse<ExecutionId>>,
    summaries: Vec<Summary>,
}

impl Newest {
    fn new(limit: usize) -> Self {
        Self { limit, ids: BinaryHeap::new(), summaries: Vec::new() }
    }

    fn wants(&self, id: ExecutionId) -> bool {
        self.ids.len() < self.limit || self.ids.peek().is_some_and(|Reverse(oldest)| id > *oldest)
    }

    fn put(&mut self, summary: Summary) {
        self.ids.push(Reverse(summary.id));
        self.summaries.push(summary);
        if self.ids.len() > self.limit {
            self.ids.pop();
        }
        if self.summaries.len() > 2 * self.limit {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        self.summaries.sort_unstable_by_key(|summary| Reverse(summary.id));
        // One that is taken over by its new owner meanwhile is met twice.
        self.summaries.dedup_by_key(|summary| summary.id);
        self.summaries.truncate(self.limit);
    }

    fn into_sorted(mut self) -> Vec<Summary> {
        self.shrink();
        self.summaries
    }
}
