//! Kills a process under load again and again, and holds what it said before against what it does afterwards.
//!
//! A child runs executions on a durable journal and writes a ledger outside of it: what was acknowledged to it, which
//! handler began with which key, how executions ended. A parent kills it at random times with SIGKILL, starts it again,
//! and checks the ledger; in the end one more child sees everything to its end.

mod book;
mod child;
mod entry;
mod load;
mod parent;

pub use child::{Child, live};
pub use parent::{Cycles, Summary, run};
