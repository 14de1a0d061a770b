//! Where open executions stood when their histories were read, for the writer that goes on with them.
//!
//! A writer must know where an execution stands before it appends to it. After a restart it would have to look into the
//! database for each, on the thread of its shard. Whoever reads a history knows it already, and leaves it here.
//!
//! What is here must never be older than what the writer has written. So whoever reads announces that before they look, and
//! leaves nothing if the writer has come by meanwhile: the writer takes away what is here when it asks for an execution for
//! the first time, and once more when it lets go of one that has ended.

use std::sync::{Mutex, MutexGuard, PoisonError};

use finale_core::ExecutionId;
use rustc_hash::FxHashMap;

use super::head::Head;

#[derive(Debug, Default)]
pub(super) struct FoundHeads(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    heads: FxHashMap<ExecutionId, Found>,
    announced: u64,
}

#[derive(Debug)]
enum Found {
    /// Somebody looks: the number of the announcement.
    Announced(u64),
    Head(Head),
}

/// The number of an announcement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Announcement(u64);

impl FoundHeads {
    /// Announces that somebody looks where these stand; to be called before they look.
    pub(super) fn announce(&self, executions: &[ExecutionId]) -> Announcement {
        let mut state = self.state();
        state.announced += 1;
        let number = state.announced;
        state.heads.extend(executions.iter().map(|execution| (*execution, Found::Announced(number))));
        Announcement(number)
    }

    /// What was found of executions that are open; the others that were announced are of no interest.
    pub(super) fn leave(
        &self,
        Announcement(number): Announcement,
        announced: &[ExecutionId],
        found: Vec<(ExecutionId, Head)>,
    ) {
        let mut state = self.state();
        let is_mine = |found: &Found| matches!(found, Found::Announced(by) if *by == number);
        for (execution, head) in found {
            if let Some(place) = state.heads.get_mut(&execution).filter(|place| is_mine(place)) {
                *place = Found::Head(head);
            }
        }
        for execution in announced {
            if state.heads.get(execution).is_some_and(is_mine) {
                state.heads.remove(execution);
            }
        }
    }

    /// Takes away what is known of an execution, announcements included.
    pub(super) fn take(&self, execution: ExecutionId) -> Option<Head> {
        match self.state().heads.remove(&execution) {
            Some(Found::Head(head)) => Some(head),
            Some(Found::Announced(_)) | None => None,
        }
    }

    /// Another claim has begun: what was found before is of another writer's time.
    pub(super) fn clear(&self) {
        self.state().heads = FxHashMap::default();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn head(sequence: u64) -> Head {
        Head { number: 1, status: 0, sequence, quarantine: None, problem: None }
    }

    fn sequence(heads: &FoundHeads, execution: ExecutionId) -> Option<u64> {
        heads.take(execution).map(|head| head.sequence)
    }

    #[test]
    fn what_was_found_is_there_once() {
        let (heads, id) = (FoundHeads::default(), ExecutionId::from_uuid(Uuid::from_u128(1)));
        let announcement = heads.announce(&[id]);
        heads.leave(announcement, &[id], vec![(id, head(3))]);
        assert_eq!((sequence(&heads, id), sequence(&heads, id)), (Some(3), None));
    }

    #[test]
    fn nothing_is_left_if_the_writer_came_by_meanwhile_or_somebody_looks_later() {
        let (heads, id) = (FoundHeads::default(), ExecutionId::from_uuid(Uuid::from_u128(1)));
        let announcement = heads.announce(&[id]);
        assert_eq!(sequence(&heads, id), None);
        heads.leave(announcement, &[id], vec![(id, head(3))]);
        assert_eq!(sequence(&heads, id), None, "it may have been written to since");
        let (older, newer) = (heads.announce(&[id]), heads.announce(&[id]));
        heads.leave(older, &[id], vec![(id, head(3))]);
        assert_eq!(sequence(&heads, id), None);
        let _ = newer;
        let older = heads.announce(&[id]);
        heads.clear();
        heads.leave(older, &[id], vec![(id, head(3))]);
        assert_eq!(sequence(&heads, id), None, "another claim has begun");
    }

    #[test]
    fn nothing_stays_of_those_that_are_not_open() {
        let (heads, id) = (FoundHeads::default(), ExecutionId::from_uuid(Uuid::from_u128(1)));
        let announcement = heads.announce(&[id]);
        heads.leave(announcement, &[id], Vec::new());
        assert!(heads.state().heads.is_empty());
    }
}
