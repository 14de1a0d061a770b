//! How fast finale is, beside what it has to be measured against.
//!
//! An absolute figure says more about the machine than about the engine. So every contender runs in the same process,
//! repetition by repetition in turn, and what counts are the ratios of one run:
//!
//! - [`hand_loop`]: the topological loop over a `JoinSet` that a user would write instead of using an engine,
//! - [`bare_actix`]: the fewest actors and messages that could be called a workflow engine, with nothing inside them,
//! - finale itself, in [`finale_side`].
//!
//! [`growth`] shows how these costs grow, and [`allocations`] what an execution allocates; the program `allocations` counts
//! that.
//! What it costs to keep all of that on a disk is measured beside what the disk can do: see [`durable`]. [`retention`] shows what
//! it costs to forget what has ended.
//!
//! The handlers do nothing, so all that is measured is overhead. What a contender computed is checked every time
//! ([`check`]): nobody is fast by doing nothing.

pub mod allocations;
pub mod at_once;
pub mod bare_actix;
pub mod check;
pub mod contender;
pub mod durable;
pub mod finale_side;
pub mod goals;
pub mod growth;
pub mod hand_loop;
pub mod handler;
pub mod latency;
pub mod memory;
pub mod only;
pub mod report;
pub mod retention;
pub mod scale;
pub mod shape;
pub mod stats;
pub mod tally;
pub mod text;
pub mod throughput;
