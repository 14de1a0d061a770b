//! A command and all processes that it starts.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use process_wrap::tokio::{ChildWrapper, CommandWrap};
use tokio::process::Command;

use crate::processes::{MARK_VARIABLE, Mark, Process};

/// Time that processes left behind by a command get to end when they are asked to.
const LINGER: Duration = Duration::from_secs(1);
/// Interval of the checks whether a process is left: the first one and the longest one.
const LOOK: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// A command and all processes that it starts. Dropping this kills those that are left.
#[derive(Debug)]
pub(super) struct Group {
    child: Box<dyn ChildWrapper>,
    #[cfg(unix)]
    running: crate::processes::Running,
}

impl Group {
    /// Starts a command in a session of its own; the mark identifies its processes.
    ///
    /// A new session has no terminal. With a terminal, a command that reads from it would be stopped by the system for
    /// ever, because it is not in the foreground.
    #[cfg(unix)]
    pub(super) fn spawn(mut command: Command, mark: Mark) -> io::Result<Self> {
        command.env(MARK_VARIABLE, mark.variable());
        let mut wrap = CommandWrap::from(command);
        wrap.wrap(process_wrap::tokio::ProcessSession);
        let (child, running) = crate::processes::start(mark, || {
            let child = wrap.spawn()?;
            let pid = child.id().ok_or_else(|| io::Error::other("it has no number"))?;
            Ok((child, pid))
        })?;
        Ok(Self { child, running })
    }

    /// Starts a command.
    #[cfg(not(unix))]
    pub(super) fn spawn(mut command: Command, mark: Mark) -> io::Result<Self> {
        command.env(MARK_VARIABLE, mark.variable());
        let mut wrap = CommandWrap::from(command);
        #[cfg(windows)]
        wrap.wrap(process_wrap::tokio::JobObject);
        Ok(Self { child: wrap.spawn()? })
    }

    /// The first process; `None` if the system does not tell its start time.
    pub(super) fn leader(&self) -> Option<Process> {
        #[cfg(unix)]
        return self.running.leader();
        #[cfg(not(unix))]
        return None;
    }

    /// Waits for the command itself; other processes of it can still run.
    pub(super) async fn exited(&mut self) -> io::Result<ExitStatus> {
        self.child.inner_mut().wait().await
    }

    /// Waits until no process is left.
    pub(super) async fn until_gone(&self) {
        let mut pause = LOOK.0;
        while self.is_alive() {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK.1);
        }
    }

    /// Ends the processes that the command left behind: asks them to end, and kills those that do not.
    pub(super) async fn end(&mut self) {
        if !self.is_alive() {
            return;
        }
        self.terminate();
        if tokio::time::timeout(LINGER, self.until_gone()).await.is_err() {
            self.kill();
            // A killed process that waits for a device can take longer; the run file still has the command then.
            let _ = tokio::time::timeout(LINGER, self.until_gone()).await;
        }
    }

    /// Whether a process is left.
    pub(super) fn is_alive(&self) -> bool {
        #[cfg(unix)]
        return self.running.is_alive();
        #[cfg(not(unix))]
        return false;
    }

    /// Asks all to end.
    #[cfg(unix)]
    pub(super) fn terminate(&self) {
        self.running.terminate();
    }

    /// Ends all: here they cannot be asked.
    #[cfg(not(unix))]
    pub(super) fn terminate(&mut self) {
        self.kill();
    }

    /// Ends all.
    #[cfg(unix)]
    pub(super) fn kill(&self) {
        self.running.kill();
    }

    /// Ends all.
    #[cfg(not(unix))]
    pub(super) fn kill(&mut self) {
        // There may be nobody left.
        let _ = self.child.start_kill();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
