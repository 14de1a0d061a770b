//! The processes of commands: to which command a process belongs, and how all processes of a command are ended.
//!
//! Each command leads a session of its own. Its processes can leave the session and lose their parent: a daemon does both.
//! On Linux finale is the *subreaper* of such orphans, so they become its children, and every process of a command has the
//! command's [`Mark`] in its environment. On other systems only the session is known.

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

pub(crate) use self::left::{LeftoverCommand, LeftoverEnd, end_leftover};
pub(crate) use self::mark::{MARK_VARIABLE, Mark, random_name};
pub(crate) use self::proc::system;
#[cfg(unix)]
pub(crate) use self::running::{Running, adopt_orphans, end_orphans, start};

/// Identifies a process. The system reuses process ids, but not together with the same start time.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Process {
    /// Process id.
    pub(crate) pid: i32,
    /// Start time in clock ticks since the system booted.
    pub(crate) started: u64,
}

/// Does nothing: this system has no subreapers.
#[cfg(not(unix))]
pub(crate) fn adopt_orphans() {}

/// Does nothing: this system has no subreapers.
#[cfg(not(unix))]
pub(crate) fn end_orphans() {}
