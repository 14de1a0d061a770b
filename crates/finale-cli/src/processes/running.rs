//! Commands that run, and what belongs to them.

use std::cell::Cell;
use std::collections::HashSet;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use super::proc::{self, Seen};
use super::{Mark, Process};

/// A command whose processes start others faster than they are found is given up after so many rounds.
const ROUNDS_MAX: usize = 1_000;

/// All commands that run. Whoever starts or reaps a process holds this: nobody may reap what somebody else waits for.
static COMMANDS: Mutex<Vec<Command>> = Mutex::new(Vec::new());

/// What is known of a command that runs.
#[derive(Clone, Debug)]
struct Command {
    /// The number of its first process, and so of its session.
    leader: i32,
    /// When that was started; none where the system does not tell.
    started: Option<u64>,
    mark: Mark,
}

/// A command that runs, or of which something still may; until this is dropped nobody reaps its first process.
#[derive(Debug)]
pub(crate) struct Running {
    command: Command,
    /// Whether nothing was left: from then on the number of its session can be another's.
    gone: Cell<bool>,
}

/// Lets orphans of commands become children of this process, instead of being lost.
///
/// Where the system cannot do that, only what stays in the session of a command is ended with it.
pub(crate) fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    // Kernels before 3.4 cannot, and some sandboxes forbid it.
    let _ = nix::sys::prctl::set_child_subreaper(true);
}

/// Starts a command; `spawn` gives the number of its first process.
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
    /// The first process of the command; none where the system does not tell when it was started.
    pub(crate) fn leader(&self) -> Option<Process> {
        self.command.started.map(|started| Process { pid: self.command.leader, started })
    }

    /// Whether anything of the command is alive.
    pub(crate) fn is_alive(&self) -> bool {
        // The session is known everywhere, but counts what is only not reaped yet.
        let session = || killpg(Pid::from_raw(self.command.leader), None).is_ok();
        let alive = || if cfg!(target_os = "linux") { !self.members().is_empty() } else { session() };
        if !self.gone.get() && !alive() {
            self.gone.set(true);
        }
        !self.gone.get()
    }

    /// Asks everything of the command to end, also what is stopped.
    pub(crate) fn terminate(&self) {
        if self.gone.get() {
            return;
        }
        for signal in [Signal::SIGTERM, Signal::SIGCONT] {
            self.signal(signal, &self.members());
        }
    }

    /// Ends everything of the command.
    pub(crate) fn kill(&self) {
        if self.gone.get() {
            return;
        }
        kill_all(|| self.members(), |fresh| self.signal(Signal::SIGKILL, fresh));
    }

    fn signal(&self, to: Signal, members: &[Seen]) {
        // As long as somebody is in the session its number is nobody else's.
        if !cfg!(target_os = "linux") || members.iter().any(|member| member.process.pid == self.command.leader) {
            let _ = killpg(Pid::from_raw(self.command.leader), to);
        }
        for member in members {
            // It may just have ended.
            let _ = kill(Pid::from_raw(member.process.pid), to);
        }
    }

    /// The processes of the command that are alive.
    fn members(&self) -> Vec<Seen> {
        let commands = commands();
        let mut roots: Vec<Seen> = proc::look(self.command.leader).into_iter().collect();
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
    /// Whether an orphan belongs to the command, or to nobody who could still need it.
    fn owns(&self, orphan: &Seen, running: &[Self]) -> bool {
        if orphan.session == self.leader {
            return true;
        }
        let environment = proc::environment(orphan.process.pid).unwrap_or_default();
        match running.iter().find(|command| command.mark.is_in(&environment)) {
            Some(owner) => owner.mark == self.mark || self.mark.is_in(&environment),
            // An agent may hide its environment: it is the orphan of any command that had started when it was started,
            // and is ended when none of those runs any more.
            None => running
                .iter()
                .filter(|command| command.mark != self.mark)
                .all(|other| other.started.is_some_and(|started| started > orphan.process.started)),
        }
    }
}

/// Ends what commands left behind that nobody can tell apart; to be called when no command runs any more.
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

/// Kills what is found, again and again: a process may have started another one while it was looked for.
fn kill_all(find: impl Fn() -> Vec<Seen>, kill: impl Fn(&[Seen])) {
    let mut told = HashSet::new();
    for _ in 0..ROUNDS_MAX {
        let mut fresh = find();
        fresh.retain(|one| told.insert(one.process.clone()));
        if fresh.is_empty() {
            // Where nothing is found, the session at least is told.
            if !cfg!(target_os = "linux") {
                kill(&fresh);
            }
            return;
        }
        kill(&fresh);
    }
}

/// The children of this process that are no command, because their parents ended; those that are dead are reaped.
fn orphans(commands: &[Command]) -> Vec<Seen> {
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
    // Each change leaves the list whole.
    COMMANDS.lock().unwrap_or_else(PoisonError::into_inner)
}
