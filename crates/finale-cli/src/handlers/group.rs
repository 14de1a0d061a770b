//! A command and all that it starts.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use process_wrap::tokio::{ChildWrapper, CommandWrap};
use tokio::process::Command;

use crate::processes::{MARK_VARIABLE, Mark, Process};

/// How long what a command left behind may take to end when it is asked to.
const LINGER: Duration = Duration::from_secs(1);
/// How often it is looked whether anything is left, at first and later.
const LOOK: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// A command and all that it starts; what is left of it is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Group {
    child: Box<dyn ChildWrapper>,
    #[cfg(unix)]
    running: crate::processes::Running,
}

impl Group {
    /// Starts a command whose processes are known by that mark.
    ///
    /// It has a session of its own, and so no terminal: it would be stopped for ever when it asked for a password there.
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

    /// The first process; none where the system does not tell enough of it.
    pub(super) fn leader(&self) -> Option<Process> {
        #[cfg(unix)]
        return self.running.leader();
        #[cfg(not(unix))]
        return None;
    }

    /// Waits for the command itself: what it started may go on.
    pub(super) async fn exited(&mut self) -> io::Result<ExitStatus> {
        self.child.inner_mut().wait().await
    }

    /// Waits until nothing is left.
    pub(super) async fn is_gone(&self) {
        let mut pause = LOOK.0;
        while self.is_alive() {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LOOK.1);
        }
    }

    /// Ends what the command left behind: asks it first, and kills what does not end soon.
    pub(super) async fn end(&mut self) {
        if !self.is_alive() {
            return;
        }
        self.terminate();
        if tokio::time::timeout(LINGER, self.is_gone()).await.is_err() {
            self.kill();
            // What was killed and waits for a device may take longer.
            let _ = tokio::time::timeout(LINGER, self.is_gone()).await;
        }
    }

    /// Whether anything is left.
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
