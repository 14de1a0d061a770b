//! What actors of one thread send to one of them, in one order.
//!
//! A message of actix costs two allocations and a walk through a mailbox that other threads may use as well. What the actors
//! of a shard say to each other goes through a queue instead that only wakes its receiver. The receiver takes it with a
//! future of its own, the way actix takes the messages of a stream, and hands each message to its `Handler`.
//!
//! The Supervisor and the task engine take their lanes before each message that comes by mailbox, so that what was sent first
//! is handled first. What comes to the actor of an execution by mailbox is about turns that it has decided before.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Waker};

/// The way to one actor; a clone leads to the same.
pub(crate) struct Lane<T>(Rc<Queue<T>>);

struct Queue<T> {
    items: RefCell<VecDeque<T>>,
    /// The actor that takes the items; none before it has had its first turn, which comes by itself.
    receiver: RefCell<Option<Waker>>,
    /// Whether it was woken since it took something last.
    is_woken: Cell<bool>,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self(Rc::new(Queue { items: RefCell::default(), receiver: RefCell::default(), is_woken: Cell::default() }))
    }
}

impl<T> Clone for Lane<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T> Lane<T> {
    /// Sends something; it comes after everything that was sent this way before.
    pub(crate) fn send(&self, item: T) {
        self.put(item);
        if !self.0.is_woken.replace(true)
            && let Some(receiver) = &*self.0.receiver.borrow()
        {
            receiver.wake_by_ref();
        }
    }

    /// Sends something that nothing follows from by itself: the receiver need not take it before it has its next turn.
    pub(crate) fn put(&self, item: T) {
        self.0.items.borrow_mut().push_back(item);
    }

    /// Has the actor that is polled here woken by what is sent from now on.
    pub(crate) fn wakes(&self, polling: &Context<'_>) {
        let mut receiver = self.0.receiver.borrow_mut();
        if !receiver.as_ref().is_some_and(|known| known.will_wake(polling.waker())) {
            *receiver = Some(polling.waker().clone());
        }
    }

    /// Takes the oldest item.
    pub(crate) fn next(&self) -> Option<T> {
        self.0.is_woken.set(false);
        self.0.items.borrow_mut().pop_front()
    }

    /// Takes what has come, in its order, and leaves this empty storage in its place.
    pub(crate) fn take(&self, storage: VecDeque<T>) -> VecDeque<T> {
        self.0.is_woken.set(false);
        self.0.items.replace(storage)
    }
}

/// Empties storage for what comes next; a burst must not hold on to its memory for ever.
pub(crate) fn emptied<T>(mut storage: VecDeque<T>) -> VecDeque<T> {
    const STORAGE_MAX: usize = 4_096;
    storage.clear();
    storage.shrink_to(STORAGE_MAX);
    storage
}
