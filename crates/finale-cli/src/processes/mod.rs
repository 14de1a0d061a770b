//! Processes that commands of workflows start: which there are, to which command each belongs, and their end.
//!
//! A command is the leader of a session of its own. What it starts can leave the session, and lose its parent: a daemon
//! does both. On Linux the orphans of a command become children of finale, which made itself their *subreaper*, and
//! every process of a command carries the command's [`Mark`] in its environment. Elsewhere only the session is known.

mod left;
mod mark;
#[cfg(target_os = "linux")]
mod proc;
#[cfg(not(target_os = "linux"))]
#[path = "proc_unknown.rs"]
mod proc;
#[cfg(unix)]
mod running;

use serde::{Deserialize, Serialize};

pub(crate) use self::left::{Ended, LeftCommand, end_left};
pub(crate) use self::mark::{MARK_VARIABLE, Mark, random_name};
pub(crate) use self::proc::system;
#[cfg(unix)]
pub(crate) use self::running::{Running, adopt_orphans, end_orphans, start};

/// A process that cannot be mistaken for another one: numbers are used again, but not with the same time of start.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Process {
    /// Its number.
    pub(crate) pid: i32,
    /// When it started, in ticks of the clock of the system since that was started.
    pub(crate) started: u64,
}

/// Nothing can be adopted here.
#[cfg(not(unix))]
pub(crate) fn adopt_orphans() {}

/// Nothing was adopted here.
#[cfg(not(unix))]
pub(crate) fn end_orphans() {}
