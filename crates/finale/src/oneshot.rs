//! Answers to whoever waits on whatever thread, sent past the fence: to wake who waits is to call code of the user.

use tokio::sync::oneshot;

pub(crate) use tokio::sync::oneshot::Receiver;

use crate::fence::{fenced, fenced_drop};
use crate::telemetry::TARGET;

/// The sending end; dropped, it says that there will be no answer.
#[derive(Debug)]
pub(crate) struct Sender<T>(Option<oneshot::Sender<T>>);

pub(crate) fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = oneshot::channel();
    (Sender(Some(sender)), receiver)
}

impl<T> Sender<T> {
    /// Gives the answer back if nobody waits for it any more.
    pub(crate) fn send(mut self, answer: T) -> Result<(), T> {
        let Some(sender) = self.0.take() else { return Err(answer) };
        fenced(|| sender.send(answer)).unwrap_or_else(|panicked| {
            tracing::warn!(target: TARGET, reason = %panicked.reason, "a waker of somebody who waits panicked");
            // The answer is there before its receiver is woken.
            Ok(())
        })
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if let Some(sender) = self.0.take() {
            fenced_drop(sender);
        }
    }
}
