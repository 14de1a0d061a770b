//! What becomes of executions when the application is started again, after a crash or after an orderly shutdown.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod activations;
mod bounded;
mod calls;
mod crash_loops;
mod damaged;
mod definitions;
mod ended;
mod ending;
mod endings;
mod failing;
mod fenced;
mod full;
mod half_way;
mod keys;
mod maps;
mod missing_handlers;
mod once;
mod outside;
mod random;
mod rerun;
mod timers;
