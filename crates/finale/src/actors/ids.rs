//! Ids that are given away before their executions begin.

use std::sync::{Mutex, PoisonError};

use finale_core::ExecutionId;
use finale_core::number::ShardNo;
use finale_core::supervisor::IdGenerator;

use crate::clock::Clock;

#[derive(Debug)]
pub(crate) struct Ids {
    generator: Mutex<IdGenerator>,
    clock: Clock,
}

impl Ids {
    pub(crate) fn new(shards: u16) -> Self {
        let seed = uuid::Uuid::new_v4().as_u64_pair().1;
        Self { generator: Mutex::new(IdGenerator::new(ShardNo(0), shards, seed)), clock: Clock::start() }
    }

    /// The next id that leads to that shard.
    pub(crate) fn next(&self, shard: ShardNo) -> ExecutionId {
        // Ignoring poison is safe: the generator has no cross-field invariant.
        let mut generator = self.generator.lock().unwrap_or_else(PoisonError::into_inner);
        generator.lead_to(shard).next(self.clock.now())
    }
}
