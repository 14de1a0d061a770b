//! Those that a purge has passed over because somebody has still to be told of their ends.
//!
//! They stay where they are, in front of everything that ended after them, and a handler that refuses them can make them
//! many. So the owner remembers up to where it has found nobody else: the next look begins there. What it has passed over
//! and what became of it since is known in memory only; the next owner looks through them once more.

use std::collections::BTreeSet;

use finale_core::ExecutionId;
use finale_core::fact::Terminal;
use rusqlite::{Connection, OptionalExtension};

use super::summary::{COMPLETED, bytes, code};

/// How much is remembered of what has changed among them. If it is more, all of them are looked through again.
const CHANGES_MAX: usize = 1 << 16;

/// A place in the order of ends: when an execution ended, and the number of its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EndPlace {
    pub(super) completed_at: i64,
    pub(super) number: i64,
}

impl EndPlace {
    /// Before all others.
    pub(super) const FIRST: Self = Self { completed_at: i64::MIN, number: i64::MIN };
}

/// Those that were passed over, by how they ended.
#[derive(Debug, Default)]
pub(super) struct PassedOver {
    kinds: [PassedOverKind; 3],
    /// Those of which everybody was told since it was looked last.
    told: Vec<ExecutionId>,
}

/// Those that were passed over of the ones that ended in one way.
#[derive(Debug, Default)]
pub(super) struct PassedOverKind {
    /// The last of them.
    pub(super) last: Option<EndPlace>,
    /// How many are there up to the last one, those to look at again included.
    pub(super) count: u64,
    /// Those among them that are to be looked at again: everybody was told of them, or they came later.
    pub(super) again: BTreeSet<EndPlace>,
}

impl PassedOver {
    pub(super) fn of(&mut self, status: Terminal) -> &mut PassedOverKind {
        &mut self.kinds[usize::from(code(status) - COMPLETED)]
    }

    /// Whether nobody was passed over.
    fn is_empty(&self) -> bool {
        self.kinds.iter().all(|kind| kind.last.is_none())
    }

    /// Everything is looked through from the beginning.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Everybody was told of these.
    pub(super) fn note_told(&mut self, executions: &[ExecutionId]) {
        if self.is_empty() {
            return;
        }
        if self.told.len() + executions.len() > CHANGES_MAX {
            return self.clear();
        }
        self.told.extend_from_slice(executions);
    }

    /// An execution that has ended came into the tables. The turns of shards are not in the order of their times.
    pub(super) fn note_ended(&mut self, status: u8, place: EndPlace) {
        let kind = status.checked_sub(COMPLETED).and_then(|index| self.kinds.get_mut(usize::from(index)));
        if let Some(kind) = kind.filter(|kind| Some(place) <= kind.last) {
            kind.count += 1;
            kind.look_again(place);
        }
    }

    /// Finds those of which everybody was told since. What is not in the tables yet comes there as one that was told.
    pub(super) fn find_told(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        if self.told.is_empty() {
            return Ok(());
        }
        let mut select = connection.prepare_cached(
            "SELECT status, completed_at, number FROM executions WHERE id = ?1 AND completed_at IS NOT NULL",
        )?;
        for execution in std::mem::take(&mut self.told) {
            let read = |row: &rusqlite::Row<'_>| {
                Ok((row.get::<_, u8>(0)?, EndPlace { completed_at: row.get(1)?, number: row.get(2)? }))
            };
            let Some((status, place)) = select.query_row([bytes(&execution)], read).optional()? else { continue };
            let kind = status.checked_sub(COMPLETED).and_then(|index| self.kinds.get_mut(usize::from(index)));
            if let Some(kind) = kind.filter(|kind| Some(place) <= kind.last) {
                kind.look_again(place);
            }
        }
        Ok(())
    }
}

impl PassedOverKind {
    fn look_again(&mut self, place: EndPlace) {
        self.again.insert(place);
        if self.again.len() > CHANGES_MAX {
            *self = Self::default();
        }
    }
}
