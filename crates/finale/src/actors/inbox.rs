//! The way into a shard from any thread.
//!
//! Callers put what they want into a vector behind a lock and knock once; the Supervisor takes all of it in one turn. So a
//! burst of activations costs one message between threads, what one thread asks for arrives in its order, and a shard
//! that is gone refuses at once instead of swallowing requests in a dead mailbox.

use std::sync::{Mutex, MutexGuard, PoisonError};

use actix::Recipient;

/// Tells a Supervisor that there is something in its inbox.
#[derive(actix::Message)]
#[rtype(result = "()")]
pub(crate) struct Knock;

/// What callers want of one shard.
#[derive(Debug)]
pub(crate) struct Inbox<T>(Mutex<Inner<T>>);

#[derive(Debug)]
struct Inner<T> {
    items: Vec<T>,
    /// The Supervisor; none before the shard has a thread.
    door: Option<Recipient<Knock>>,
    /// The storage of what was taken before.
    spare: Vec<T>,
    closed: bool,
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        Self(Mutex::new(Inner { items: Vec::new(), door: None, spare: Vec::new(), closed: false }))
    }
}

impl<T> Inbox<T> {
    /// Hands something to the shard; what comes before its thread is there waits.
    ///
    /// # Errors
    /// Gives `item` back when the shard is gone.
    pub(crate) fn put(&self, item: T) -> Result<(), T> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(item);
        }
        inner.items.push(item);
        if inner.items.len() == 1 {
            inner.knock();
        }
        Ok(())
    }

    /// Takes everything; to be given back empty by [`Inbox::reuse`].
    pub(crate) fn take(&self) -> Vec<T> {
        let mut inner = self.lock();
        let spare = std::mem::take(&mut inner.spare);
        std::mem::replace(&mut inner.items, spare)
    }

    /// Gives back the storage of what was taken.
    pub(crate) fn reuse(&self, mut storage: Vec<T>) {
        /// A burst must not hold on to its memory for ever.
        const STORAGE_MAX: usize = 4_096;
        storage.clear();
        if storage.capacity() <= STORAGE_MAX {
            self.lock().spare = storage;
        }
    }

    /// Connects the Supervisor, which is told at once if something waits already.
    pub(crate) fn open(&self, door: Recipient<Knock>) {
        let mut inner = self.lock();
        inner.door = Some(door);
        if !inner.items.is_empty() {
            inner.knock();
        }
    }

    /// Refuses everything from now on, and gives what waits.
    pub(crate) fn close(&self) -> Vec<T> {
        let mut inner = self.lock();
        inner.closed = true;
        inner.door = None;
        std::mem::take(&mut inner.items)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Ignoring poison is safe: nothing of the user's runs under the lock, and the fields have no invariant in common.
    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Inner<T> {
    fn knock(&self) {
        if let Some(door) = &self.door {
            door.do_send(Knock);
        }
    }
}
