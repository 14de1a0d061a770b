//! What one shard holds of the limit on open executions.

use std::sync::Arc;

use finale_core::number::{LimitNo, ShardNo};
use finale_core::permits::Grant;

use super::permits::Permits;
use super::way_in::{Peers, ToShard};

pub(crate) struct OpenLimit {
    permits: Arc<Permits>,
    shard: ShardNo,
    /// Shards that were asked whether they have permits to spare and have not answered; none if nobody waits for them.
    asked: Option<usize>,
}

impl OpenLimit {
    pub(crate) fn new(permits: Arc<Permits>, shard: ShardNo) -> Self {
        Self { permits, shard, asked: None }
    }

    /// Permits for executions that were found at the start; there may be fewer than executions.
    pub(crate) fn claim(&self, executions: usize) -> usize {
        let beyond = self.permits.claim(self.shard, LimitNo::RUNTIME, executions);
        // Those are never granted: as many executions end before a permit is free again.
        self.give(beyond);
        executions - beyond
    }

    /// How many unused permits this shard keeps.
    pub(crate) fn unused_max(&self) -> usize {
        self.permits.unused_max(LimitNo::RUNTIME)
    }

    pub(crate) fn give(&self, permits: usize) {
        if permits > 0 {
            self.permits.give(self.shard, LimitNo::RUNTIME, permits);
        }
    }

    /// Asks for permits. Gives what there is to answer; none if other shards are asked first.
    pub(crate) fn ask(&mut self, peers: &Peers) -> Option<usize> {
        let Grant { permits, holders } = self.permits.try_take(self.shard, LimitNo::RUNTIME);
        if permits > 0 {
            return Some(permits);
        }
        let wanted = |holder: &ShardNo| peers.put(holder.0, ToShard::OpenWanted { by: self.shard }).is_ok();
        let asked = holders.iter().filter(|holder| wanted(holder)).count();
        self.asked = (asked > 0).then_some(asked);
        if asked > 0 { None } else { Some(0) }
    }

    /// One of the asked shards has answered. Gives what there is to answer now, if that is known.
    pub(crate) fn answered(&mut self) -> Option<usize> {
        let left = self.asked?.saturating_sub(1);
        let Grant { permits, .. } = self.permits.try_take(self.shard, LimitNo::RUNTIME);
        self.asked = (permits == 0 && left > 0).then_some(left);
        if permits > 0 || left == 0 { Some(permits) } else { None }
    }
}
