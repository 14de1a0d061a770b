//! What the engine promises about the work of an execution: handlers, failures, stops, attempts, limits and load.

mod attempts;
mod awaiting;
mod failing;
mod handlers;
mod idle;
mod limits;
mod load;
mod panics;
mod payloads;
mod rules;
mod stopping;
mod times;
