//! What the thread that writes is waiting for.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::Waiting;

/// What takes less time than this is work, and not worth saying.
const NOTICEABLE: Duration = Duration::from_millis(100);

/// What may take long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    /// Somebody else has the right to write.
    Lock,
    /// A commit is on its way to the disk.
    Commit,
    /// The log is copied into the database.
    Checkpoint,
}

/// Told by the thread that writes, read by whoever asks.
#[derive(Debug, Default)]
pub(super) struct Activities(Mutex<Option<(Activity, Instant)>>);

impl Activities {
    pub(super) fn begin(&self, activity: Activity) {
        *self.current() = Some((activity, Instant::now()));
    }

    pub(super) fn end(&self) {
        *self.current() = None;
    }

    pub(super) fn waiting(&self) -> Option<Waiting> {
        let (activity, since) = (*self.current())?;
        let what = match activity {
            Activity::Lock => "another program holds the write lock of the database",
            Activity::Commit => "the disk has not answered to a commit",
            Activity::Checkpoint => "the disk has not answered while the log is copied into the database",
        };
        let waited = since.elapsed();
        (waited >= NOTICEABLE).then_some(Waiting { what, waited })
    }

    fn current(&self) -> MutexGuard<'_, Option<(Activity, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
