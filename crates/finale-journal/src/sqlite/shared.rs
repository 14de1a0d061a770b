//! What the handles of a journal and its committer share.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::{JournalError, Position};

use super::activity::Activities;
use super::found_heads::FoundHeads;
use super::queue::Queue;
use super::readers::Readers;
use super::stats::Counters;
use super::watermark::WriterEnd;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) queue: Queue,
    pub(super) readers: Readers,
    pub(super) found: FoundHeads,
    pub(super) counters: Counters,
    pub(super) activities: Activities,
    pub(super) queue_bytes_max: usize,
    pub(super) ended: Ended,
}

impl Shared {
    /// Writing is over: nothing is taken any more, and everybody is told so once.
    pub(super) fn fail(&self, error: &JournalError) {
        for writer in self.queue.fail(error) {
            // One that panics keeps nobody else from being told.
            let _ = catch_unwind(AssertUnwindSafe(|| writer.fail(error.clone())));
        }
    }

    /// Tells one watermark to each writer that had something in a transaction.
    pub(super) fn tell(&self, watermarks: &mut Vec<(usize, Position)>) {
        for (slot, watermark) in watermarks.drain(..) {
            if let Some(writer) = self.queue.writer(slot) {
                WriterEnd::tell(&writer, watermark);
            }
        }
    }
}

/// Whether the committer has ended, and with it everything that holds the files.
#[derive(Debug, Default)]
pub(super) struct Ended {
    ended: Mutex<bool>,
    told: Condvar,
}

impl Ended {
    pub(super) fn wait(&self, at_most: Duration) {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.told.wait_timeout_while(ended, at_most, |ended| !*ended).unwrap_or_else(PoisonError::into_inner));
    }

    fn tell(&self) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.told.notify_all();
    }
}

/// Tells that the committer has ended, however it does.
#[derive(Debug)]
pub(super) struct TellsEnd(pub(super) Arc<Shared>);

impl Drop for TellsEnd {
    fn drop(&mut self) {
        self.0.ended.tell();
    }
}
