//! Running commands and their processes.

use std::cell::Cell;
use std::collections::HashSet;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use super::proc::{self, ProcessInfo};
use super::{Mark, Process};

/// Bounds the search for processes that start new ones as fast as they are killed.
const ROUNDS_MAX: usize = 1_000;

/// All running commands. Held while processes are started or reaped, so that the first process of a command is never
/// reaped here: tokio waits for it.
static COMMANDS: Mutex<Vec<Command>> = Mutex::new(Vec::new());

/// A running command.
#[derive(Clone, Debug)]
struct Command {
    /// Id of its first process, and so of its session.
    leader: i32,
    /// Start time of the first process; `None` if the system does not tell.
    started: Option<u64>,
    mark: Mark,
}

/// A command that was started. Until this is dropped its first process is not taken for an orphan.
#[derive(Debug)]
pub(crate) struct Running {
    command: Command,
    /// Whether no process was left at some point: since then the session id can be another session's.
    gone: Cell<bool>,
}

/// Makes this process the subreaper of its descendants: orphans of commands become its children.
///
/// Without that, processes that left the session of their command are not found.
pub(crate) fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    // Kernels before 3.4 do not have it and some sandboxes forbid it; sessions are ended all the same.
    let _ = nix::sys::prctl::set_child_subreaper(true);
}

/// Starts a command; `spawn` returns the id of its first process.
pub(crate) fn start<T>(mark: Mark, spawn: impl FnOnce() -> io::Result<(T, u32)>) -> io::Result<(T, Running)> {
    let mut commands = commands();
    let (child, pid) = spawn()?;
    let leader = i32::try_from(pid).map_err(io::Error::other)?;
    let started = proc::look(leader).map(|seen| seen.process.started);
    let command = Command { leader, started, mark };
    commands.push(command.clone());
    Ok((child, Running { command, gone: Cell::new(false) }))
}

impl Running {
    /// The first process of the command; `None` if the system does not tell its start time.
    pub(crate) fn leader(&self) -> Option<Process> {
        self.command.started.map(|started| Process { pid: self.command.leader, started })
    }

    /// Whether any process of the command is alive.
    pub(crate) fn is_alive(&self) -> bool {
        // Every Unix knows the session, but also counts processes that are dead and not reaped.
        let session = || killpg(Pid::from_raw(self.command.leader), None).is_ok();
        let alive = || if cfg!(target_os = "linux") { !self.members().is_empty() } else { session() };
        if !self.gone.get() && !alive() {
            self.gone.set(true);
        }
        !self.gone.get()
    }

    /// Asks all processes of the command to end. `SIGCONT` lets stopped ones receive that.
    pub(crate) fn terminate(&self) {
        if self.gone.get() {
            return;
        }
        for signal in [Signal::SIGTERM, Signal::SIGCONT] {
            self.signal(signal, &self.members());
        }
    }

    /// Kills all processes of the command.
    pub(crate) fn kill(&self) {
        if self.gone.get() {
            return;
        }
        kill_all(|| self.members(), |fresh| self.signal(Signal::SIGKILL, fresh));
    }

    fn signal(&self, to: Signal, members: &[ProcessInfo]) {
        // The session id belongs to this command as long as its first process exists.
        if !cfg!(target_os = "linux") || members.iter().any(|member| member.process.pid == self.command.leader) {
            let _ = killpg(Pid::from_raw(self.command.leader), to);
        }
        for member in members {
            // The process may just have ended.
            let _ = kill(Pid::from_raw(member.process.pid), to);
        }
    }

    /// The live processes of the command.
    fn members(&self) -> Vec<ProcessInfo> {
        let commands = commands();
        let mut roots: Vec<ProcessInfo> = proc::look(self.command.leader).into_iter().collect();
        roots.retain(|leader| Some(leader.process.started) == self.command.started);
        roots.extend(orphans(&commands).into_iter().filter(|orphan| self.command.owns(orphan, &commands)));
        let mut members = proc::with_descendants(roots);
        members.retain(|member| !member.dead);
        members
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut commands = commands();
        commands.retain(|command| command.mark != self.command.mark);
    }
}

impl Command {
    /// Whether an orphan belongs to this command, or to no running command at all.
    fn owns(&self, orphan: &ProcessInfo, running: &[Self]) -> bool {
        if orphan.session == self.leader {
            return true;
        }
        let environment = proc::environment(orphan.process.pid).unwrap_or_default();
        match running.iter().find(|command| command.mark.is_in(&environment)) {
            Some(owner) => owner.mark == self.mark || self.mark.is_in(&environment),
            // Agents for keys hide their environment. Such an orphan can belong to any command that was running when the
            // orphan started, so it is ended with the last of those.
            None => running
                .iter()
                .filter(|command| command.mark != self.mark)
                .all(|other| other.started.is_some_and(|started| started > orphan.process.started)),
        }
    }
}

/// Kills all orphans; to be called when no command is running any more.
pub(crate) fn end_orphans() {
    let left = || {
        let mut left = proc::with_descendants(orphans(&commands()));
        left.retain(|orphan| !orphan.dead);
        left
    };
    kill_all(left, |fresh| {
        for orphan in fresh {
            let _ = kill(Pid::from_raw(orphan.process.pid), Signal::SIGKILL);
        }
    });
}

/// Kills what `find` returns until it returns nothing new: a process can start another one during the search.
fn kill_all(find: impl Fn() -> Vec<ProcessInfo>, kill: impl Fn(&[ProcessInfo])) {
    let mut told = HashSet::new();
    for _ in 0..ROUNDS_MAX {
        let mut fresh = find();
        fresh.retain(|one| told.insert(one.process.clone()));
        if fresh.is_empty() {
            // Without `/proc` only the session can be signalled.
            if !cfg!(target_os = "linux") {
                kill(&fresh);
            }
            return;
        }
        kill(&fresh);
    }
}

/// The live children of this process that are orphans of commands; dead ones are reaped.
fn orphans(commands: &[Command]) -> Vec<ProcessInfo> {
    let own = Pid::this().as_raw();
    let mut orphans = proc::children(own, |pid| commands.iter().any(|command| command.leader == pid));
    orphans.retain(|orphan| {
        if orphan.dead {
            let _ = waitpid(Pid::from_raw(orphan.process.pid), Some(WaitPidFlag::WNOHANG));
        }
        !orphan.dead
    });
    orphans
}

fn commands() -> MutexGuard<'static, Vec<Command>> {
    // Ignoring poison is safe: each change is a single call on the list.
    COMMANDS.lock().unwrap_or_else(PoisonError::into_inner)
}
