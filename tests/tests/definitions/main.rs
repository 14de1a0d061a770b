//! Where the definitions among the examples end, whatever becomes of their tasks.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod ci;
mod diamond;
mod ends;
mod etl;
mod pictures;
mod play;
