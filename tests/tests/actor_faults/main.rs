//! What holds when something goes wrong: the journal is slow or fails, actors die, messages are lost.

mod dead_shard;
mod deaths;
mod durability;
mod journal_failure;
mod lost;
