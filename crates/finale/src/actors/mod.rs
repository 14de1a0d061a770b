//! The three actors of a shard, and what surrounds them: they move what the state machines of `finale-core` decide.

mod alarm;
mod at_work;
pub(crate) mod board;
pub(crate) mod bound;
pub(crate) mod definitions;
pub(crate) mod directory;
mod execution_actor;
pub(crate) mod handlers;
pub(crate) mod ids;
pub(crate) mod inbox;
mod lane;
pub(crate) mod local;
pub(crate) mod messages;
mod open_limit;
pub(crate) mod past;
pub(crate) mod permits;
mod port;
pub(crate) mod reading;
pub(crate) mod requests;
pub(crate) mod schema_conflict;
pub(crate) mod shared;
pub(crate) mod start;
pub(crate) mod supervisor;
mod task_engine;
pub(crate) mod way_in;
