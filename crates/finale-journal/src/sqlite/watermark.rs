//! How far what one writer has written is durable.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Epoch, JournalError, Listener, Position};

/// The end of a writer at which its watermarks come in.
#[derive(Debug)]
pub(super) struct WriterEnd {
    pub(super) slot: usize,
    pub(super) epoch: Epoch,
    listener: Listener,
    durable: AtomicU64,
}

impl WriterEnd {
    pub(super) const fn new(slot: usize, epoch: Epoch, listener: Listener) -> Self {
        Self { slot, epoch, listener, durable: AtomicU64::new(0) }
    }

    pub(super) fn durable(&self) -> Position {
        Position(self.durable.load(Ordering::Acquire))
    }

    pub(super) fn tell(&self, watermark: Position) {
        self.durable.store(watermark.0, Ordering::Release);
        self.listener.tell(Ok(watermark));
    }

    pub(super) fn fail(&self, error: JournalError) {
        self.listener.tell(Err(error));
    }
}
