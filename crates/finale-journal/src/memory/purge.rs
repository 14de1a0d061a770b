//! Forgetting what has expired in the in-memory journal, beside those who write to it.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use finale_core::ExecutionId;
use finale_core::fact::Terminal;

use super::arena::Arena;
use super::{Inner, lock};
use crate::purge::in_turn;
use crate::{Expired, Purge, Purged};

/// How many are forgotten before others get the locks: whoever appends meanwhile waits that long.
const AT_ONCE: usize = 64;
/// How long it does nothing then, so that it is not in the way of those who append where there are few processors.
const PAUSE: Duration = Duration::from_micros(50);

type Arenas = [Arc<Mutex<Arena>>];

/// One that has expired, and where it is.
#[derive(Clone, Copy, Debug)]
struct Found {
    arena: usize,
    status: Terminal,
    id: ExecutionId,
}

impl Inner {
    /// Forgets executions that have ended and expired, at most that many.
    pub(super) fn purge(&self, purge: &Purge, limit: usize) -> Purged {
        let mut purged = Purged::default();
        loop {
            let left = (limit - purged.executions.len()).min(AT_ONCE);
            purged.more = self.purge_some(purge, left, &mut purged.executions);
            if !purged.more || purged.executions.len() == limit {
                return purged;
            }
            thread::sleep(PAUSE);
        }
    }

    /// Gives whether there may be more.
    fn purge_some(&self, purge: &Purge, limit: usize, gone: &mut Vec<ExecutionId>) -> bool {
        let arenas = self.arenas();
        // One more than are forgotten tells whether that was all.
        let wanted = limit.saturating_add(1);
        let expired = |status| expired(&arenas, (status, purge.of(status)), purge.keeps_untold, wanted);
        let lists = Purge::KINDS.map(expired);
        let all: usize = lists.iter().map(Vec::len).sum();
        let mut found = in_turn(lists, limit);
        let more = found.len() < all;
        let mut keys = Vec::new();
        for (index, arena) in arenas.iter().enumerate() {
            if found.iter().any(|found| found.arena == index) {
                let mut arena = lock(arena);
                // Somebody else may have forgotten one of them meanwhile.
                found.retain(|found| found.arena != index || arena.forget_one(found.id, found.status, &mut keys));
            }
        }
        self.forget_keys(keys);
        gone.extend(found.iter().map(|found| found.id));
        more
    }
}

/// The first that have expired of those that ended so, at most that many.
fn expired(arenas: &Arenas, (status, expired): (Terminal, Expired), keeps_untold: bool, limit: usize) -> Vec<Found> {
    let count: usize = arenas.iter().map(|arena| lock(arena).ended_as(status)).sum();
    let kept = expired.all_but.map(|kept| usize::try_from(kept).unwrap_or(usize::MAX));
    let beyond = kept.map_or(0, |kept| count.saturating_sub(kept));
    if beyond == 0 && expired.ended_before.is_none() {
        return Vec::new();
    }
    // Those that are passed by have their places among the first.
    let untold: usize = if keeps_untold { arenas.iter().map(|arena| lock(arena).untold_as(status)).sum() } else { 0 };
    let looked_at = limit.saturating_add(untold);
    // The first of all are among the first of each.
    let first_of = |(index, arena): (usize, &Arc<Mutex<Arena>>)| {
        let first = lock(arena).first_ended(status, looked_at);
        first.into_iter().map(move |(at, id, to_tell)| (at, id, index, to_tell))
    };
    let mut first: Vec<_> = arenas.iter().enumerate().flat_map(first_of).collect();
    first.sort_unstable();
    let old = expired.ended_before.map_or(0, |before| first.partition_point(|(at, ..)| *at < before));
    first.truncate(beyond.max(old));
    let goes = first.into_iter().filter(|(.., to_tell)| !(keeps_untold && *to_tell));
    goes.take(limit).map(|(_, id, arena, _)| Found { arena, status, id }).collect()
}
