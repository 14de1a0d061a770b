//! A command and all that it starts.

use std::io;
use std::process::ExitStatus;

use process_wrap::tokio::{ChildWrapper, CommandWrap};
use tokio::process::Command;

/// A command and all that it starts; what is left of it is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Group {
    child: Box<dyn ChildWrapper>,
    /// Whether all were told to end at once: later their number may be that of others.
    killed: bool,
}

impl Group {
    /// Starts a command.
    pub(super) fn spawn(command: Command) -> io::Result<Self> {
        let mut wrap = CommandWrap::from(command);
        #[cfg(unix)]
        wrap.wrap(process_wrap::tokio::ProcessGroup::leader());
        #[cfg(windows)]
        wrap.wrap(process_wrap::tokio::JobObject);
        Ok(Self { child: wrap.spawn()?, killed: false })
    }

    /// Waits for the command itself: what it started may go on.
    pub(super) async fn exited(&mut self) -> io::Result<ExitStatus> {
        self.child.inner_mut().wait().await
    }

    /// Asks all to end.
    #[cfg(unix)]
    pub(super) fn terminate(&mut self) {
        let terminate = tokio::signal::unix::SignalKind::terminate().as_raw_value();
        // There may be nobody left.
        let _ = self.child.signal(terminate);
    }

    /// Ends all: here they cannot be asked.
    #[cfg(not(unix))]
    pub(super) fn terminate(&mut self) {
        self.kill();
    }

    /// Ends all.
    pub(super) fn kill(&mut self) {
        if !std::mem::replace(&mut self.killed, true) {
            // There may be nobody left.
            let _ = self.child.start_kill();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
