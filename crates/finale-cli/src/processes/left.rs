//! Commands that outlived the process of finale that started them.

use finale::core::TaskId;
use serde::{Deserialize, Serialize};

use super::{Mark, Process};

/// A command that ran when the process of finale ended that had started it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeftCommand {
    pub(crate) mark: Mark,
    pub(crate) task: TaskId,
    pub(crate) node: String,
    pub(crate) attempt: u16,
    /// Its first process, and the system that this was a process of; none if it was not told, or not noted in time.
    pub(crate) process: Option<(Process, String)>,
}

/// What became of a command that was left.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "each system tells something else")]
pub(crate) enum Ended {
    /// Nothing of it was alive.
    Gone,
    /// It was alive, and is not any more.
    Now,
    /// These processes of it do not end, or are not this user's.
    StillAlive(Vec<i32>),
    /// The system does not tell.
    Unknown,
}

impl LeftCommand {
    /// Whether anything of it is alive, as far as the system tells.
    pub(crate) fn is_alive(&self) -> bool {
        #[cfg(target_os = "linux")]
        return linux::is_alive(self);
        #[cfg(not(target_os = "linux"))]
        return false;
    }
}

/// Where the system does not tell what is alive.
#[cfg(not(target_os = "linux"))]
pub(crate) fn end_left(_left: &LeftCommand, _found: impl FnOnce(&[i32])) -> Ended {
    Ended::Unknown
}

#[cfg(target_os = "linux")]
pub(crate) use self::linux::end_left;

#[cfg(target_os = "linux")]
mod linux {
    use std::time::{Duration, Instant};

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::super::proc::{self, Seen};
    use super::{Ended, LeftCommand};

    /// How long a command may take that is asked to end; then it is killed.
    const GRACE: Duration = Duration::from_secs(2);
    /// How long what was killed may take to be gone: longer only if it waits for a device.
    const DEATH: Duration = Duration::from_secs(5);
    /// How often it is looked.
    const LOOK: Duration = Duration::from_millis(10);

    /// Ends a command that was left; `found` is told the numbers of its processes before.
    pub(crate) fn end_left(left: &LeftCommand, found: impl FnOnce(&[i32])) -> Ended {
        let alive = alive(left);
        if alive.is_empty() {
            return Ended::Gone;
        }
        found(&numbers(&alive));
        tell(&alive, &[Signal::SIGTERM, Signal::SIGCONT]);
        if is_gone_within(left, GRACE, |_| {}) || is_gone_within(left, DEATH, |more| tell(more, &[Signal::SIGKILL])) {
            return Ended::Now;
        }
        Ended::StillAlive(numbers(&self::alive(left)))
    }

    pub(super) fn is_alive(left: &LeftCommand) -> bool {
        !alive(left).is_empty()
    }

    fn is_gone_within(left: &LeftCommand, time: Duration, meanwhile: impl Fn(&[Seen])) -> bool {
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

    fn tell(processes: &[Seen], signals: &[Signal]) {
        for signal in signals {
            for process in processes {
                // It may be gone by now.
                let _ = kill(Pid::from_raw(process.process.pid), *signal);
            }
        }
    }

    fn numbers(processes: &[Seen]) -> Vec<i32> {
        processes.iter().map(|seen| seen.process.pid).collect()
    }

    /// What is alive of a command: its first process, all that have its mark, and what descends from those.
    fn alive(left: &LeftCommand) -> Vec<Seen> {
        let system = proc::system();
        let first = left.process.as_ref().filter(|(_, of)| Some(of) == system.as_ref()).map(|(process, _)| process);
        let all = proc::all();
        let leader = all.iter().find(|seen| Some(&seen.process) == first).map(|seen| seen.process.pid);
        let own = with_ancestors(&all);
        let belongs = |seen: &Seen| {
            leader.is_some_and(|leader| seen.process.pid == leader || seen.session == leader)
                || proc::environment(seen.process.pid).is_some_and(|environment| left.mark.is_in(&environment))
        };
        let roots = all.iter().filter(|seen| !own.contains(&seen.process.pid) && belongs(seen)).cloned().collect();
        let mut alive = proc::with_descendants(roots);
        alive.retain(|seen| !seen.dead);
        alive
    }

    /// The numbers of this process and of those it descends from: a command may have started a terminal server, and this
    /// process may run in it.
    fn with_ancestors(all: &[Seen]) -> Vec<i32> {
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
