//! Commands that were left running by a process of finale that was killed.

use finale_core::TaskId;
use serde::{Deserialize, Serialize};

use super::{Mark, Process};

/// A command that is recorded as running.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeftoverCommand {
    pub(crate) mark: Mark,
    pub(crate) task: TaskId,
    pub(crate) node: String,
    pub(crate) attempt: u16,
    /// Its first process, and the [`system`](super::system) of that process; `None` until the command has started, and on
    /// systems that do not tell.
    pub(crate) process: Option<(Process, String)>,
}

/// How the end of a leftover command went.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "each system tells something else")]
pub(crate) enum LeftoverEnd {
    /// No process was alive.
    Gone,
    /// Processes were alive, and all have ended now.
    Now,
    /// These processes do not end, or belong to another user.
    StillAlive(Vec<i32>),
    /// The system does not tell which processes are alive.
    Unknown,
}

impl LeftoverCommand {
    /// Whether any of its processes is known to be alive.
    pub(crate) fn is_alive(&self) -> bool {
        #[cfg(target_os = "linux")]
        return linux::is_alive(self);
        #[cfg(not(target_os = "linux"))]
        return false;
    }
}

/// Finds nothing: this system does not tell which processes are alive.
#[cfg(not(target_os = "linux"))]
pub(crate) fn end_leftover(_left: &LeftoverCommand, _found: impl FnOnce(&[i32])) -> LeftoverEnd {
    LeftoverEnd::Unknown
}

#[cfg(target_os = "linux")]
pub(crate) use self::linux::end_leftover;

#[cfg(target_os = "linux")]
mod linux {
    use std::time::{Duration, Instant};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::super::proc::{self, ProcessInfo};
    use super::{LeftoverCommand, LeftoverEnd};

    /// Time between the request to end and the kill.
    const GRACE: Duration = Duration::from_secs(2);
    /// Time that killed processes get to disappear; one that waits for a device can take longer.
    const DEATH: Duration = Duration::from_secs(5);
    /// Interval of the checks.
    const LOOK: Duration = Duration::from_millis(10);

    /// Ends a leftover command; calls `found` with the ids of its processes before that.
    pub(crate) fn end_leftover(left: &LeftoverCommand, found: impl FnOnce(&[i32])) -> LeftoverEnd {
        let alive = alive(left);
        if alive.is_empty() {
            return LeftoverEnd::Gone;
        }
        found(&numbers(&alive));
        tell(&alive, &[Signal::SIGTERM, Signal::SIGCONT]);
        if is_gone_within(left, GRACE, |_| {}) || is_gone_within(left, DEATH, |more| tell(more, &[Signal::SIGKILL])) {
            return LeftoverEnd::Now;
        }
        LeftoverEnd::StillAlive(numbers(&self::alive(left)))
    }

    pub(super) fn is_alive(left: &LeftoverCommand) -> bool {
        !alive(left).is_empty()
    }

    fn is_gone_within(left: &LeftoverCommand, time: Duration, meanwhile: impl Fn(&[ProcessInfo])) -> bool {
        let until = Instant::now() + time;
        loop {
            let alive = alive(left);
            if alive.is_empty() {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
            meanwhile(&alive);
            std::thread::sleep(LOOK);
        }
    }

    fn tell(processes: &[ProcessInfo], signals: &[Signal]) {
        for signal in signals {
            for process in processes {
                // The process may be gone by now.
                let _ = kill(Pid::from_raw(process.process.pid), *signal);
            }
        }
    }

    fn numbers(processes: &[ProcessInfo]) -> Vec<i32> {
        processes.iter().map(|seen| seen.process.pid).collect()
    }

    /// The live processes of a command: its session, all processes that have its mark, and their descendants.
    fn alive(left: &LeftoverCommand) -> Vec<ProcessInfo> {
        let system = proc::system();
        let first = left.process.as_ref().filter(|(_, of)| Some(of) == system.as_ref()).map(|(process, _)| process);
        let all = proc::all();
        let leader = all.iter().find(|seen| Some(&seen.process) == first).map(|seen| seen.process.pid);
        let own = with_ancestors(&all);
        let belongs = |seen: &ProcessInfo| {
            leader.is_some_and(|leader| seen.process.pid == leader || seen.session == leader)
                || proc::environment(seen.process.pid).is_some_and(|environment| left.mark.is_in(&environment))
        };
        let roots = all.iter().filter(|seen| !own.contains(&seen.process.pid) && belongs(seen)).cloned().collect();
        let mut alive = proc::with_descendants(roots);
        alive.retain(|seen| !seen.dead);
        alive
    }

    /// The ids of this process and its ancestors. They are never ended: this process can run inside of a terminal
    /// multiplexer that a command has started.
    fn with_ancestors(all: &[ProcessInfo]) -> Vec<i32> {
        let mut own = vec![Pid::this().as_raw()];
        while let Some(parent) = all.iter().find(|seen| Some(&seen.process.pid) == own.last()).map(|seen| seen.parent) {
            if own.contains(&parent) {
                break;
            }
            own.push(parent);
        }
        own
    }
}
