//! Where executions stand as far as one writer has written, durable or not.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;

use finale_core::ExecutionId;
use rustc_hash::FxHashMap;

use crate::{Append, JournalError, Position};

use super::begun::Begun;
use super::found_heads::FoundHeads;
use super::head::Head;
use super::history::known;
use super::readers::View;
use super::shared::Shared;
use super::trouble::{damaged, reading};

/// The executions that a writer has written to and that are open, and those whose end is not durable yet.
#[derive(Debug, Default)]
pub(super) struct Heads {
    heads: FxHashMap<ExecutionId, Head>,
    /// Those that have ended, and where. Until that is durable the database does not know.
    ended: VecDeque<(Position, ExecutionId)>,
    begun: Begun,
}

impl Heads {
    /// For a writer that begins: everything that is kept sorts up to that id.
    pub(super) fn after(newest: Option<ExecutionId>) -> Self {
        Self { begun: Begun::up_to(newest), ..Self::default() }
    }

    /// Where an execution stands; none if it is unknown.
    pub(super) fn get(&mut self, execution: ExecutionId, shared: &Shared) -> Result<Option<&mut Head>, JournalError> {
        let place = match self.heads.entry(execution) {
            Entry::Occupied(place) => return Ok(Some(place.into_mut())),
            Entry::Vacant(place) => place,
        };
        let known = |view: &View<'_>| known(view, execution).map_err(|error| reading(execution, &error));
        let head = match shared.found.take(execution) {
            Some(head) => head,
            None => match shared.readers.view(known)?.map(Head::from) {
                Some(head) => head,
                None => return Ok(None),
            },
        };
        if head.has_ended() {
            // That is durable: it is let go next.
            self.ended.push_front((Position(0), execution));
        }
        Ok(Some(place.insert(head)))
    }

    /// Checks that facts follow those that are there; gives the last of them, or none if they are the first.
    pub(super) fn check(&mut self, append: &Append<'_>, shared: &Shared) -> Result<Option<&Head>, JournalError> {
        let Append { execution, first_sequence: found, .. } = *append;
        let head = if append.begins.is_some() && self.is_new(execution) { None } else { self.get(execution, shared)? };
        let expected = head.as_ref().map_or(0, |head| head.sequence) + 1;
        match &head {
            Some(head) if head.has_ended() => return Err(JournalError::Ended(execution)),
            Some(Head { problem: Some(problem), .. }) => return Err(damaged(execution, problem)),
            None if append.begins.is_none() && found == 1 => {
                return Err(damaged(execution, "its first facts came without what it runs"));
            }
            _ => {}
        }
        if found == expected {
            Ok(head.map(|head| &*head))
        } else {
            Err(JournalError::Gap { execution, expected, found })
        }
    }

    /// Whether an execution certainly was never begun.
    fn is_new(&self, execution: ExecutionId) -> bool {
        !self.begun.may_hold(execution) && !self.heads.contains_key(&execution)
    }

    pub(super) fn put(&mut self, execution: ExecutionId, head: Head, position: Position) {
        if head.has_ended() {
            self.ended.push_back((position, execution));
        }
        self.heads.insert(execution, head);
    }

    /// Lets go of those whose end is durable. What was found of them before is not asked for again.
    pub(super) fn let_go(&mut self, durable: Position, found: &FoundHeads) {
        while let Some((position, execution)) = self.ended.front()
            && *position <= durable
        {
            self.heads.remove(execution);
            found.take(*execution);
            self.begun.take(*execution);
            self.ended.pop_front();
        }
    }
}
