//! The ways in which an application says what it wants.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod compile_errors;
mod errors;
mod typed;
