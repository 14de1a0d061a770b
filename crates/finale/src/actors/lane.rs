//! What actors of one thread send to one of them, in one order.
//!
//! A message of actix costs two allocations and a walk through a mailbox, and many small ones go the same way at the same
//! time. So senders put what they have into a vector, and only who finds it empty sends a message: it stays open for the
//! others until its receiver has its turn.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;

use actix::{Actor, Addr, Context, Handler, Message};

/// Tells the receiver of a lane that there is something for it.
pub(crate) struct Arrived<T>(PhantomData<fn() -> T>);

impl<T: 'static> Message for Arrived<T> {
    type Result = ();
}

/// The way to one actor.
pub(crate) struct Lane<T, A: Actor> {
    items: Items<T>,
    receiver: Addr<A>,
}

/// What waits for the receiver; for it to take.
pub(crate) struct Items<T>(Rc<RefCell<Vec<T>>>);

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self(Rc::default())
    }
}

impl<T> Clone for Items<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T, A: Actor> Clone for Lane<T, A> {
    fn clone(&self) -> Self {
        Self { items: self.items.clone(), receiver: self.receiver.clone() }
    }
}

impl<T: 'static, A: Actor<Context = Context<A>> + Handler<Arrived<T>>> Lane<T, A> {
    /// The way to the actor that takes these items.
    pub(crate) fn new(items: &Items<T>, receiver: Addr<A>) -> Self {
        Self { items: items.clone(), receiver }
    }

    /// Sends something; it comes after everything that was sent this way before.
    pub(crate) fn send(&self, item: T) {
        let mut items = self.items.0.borrow_mut();
        items.push(item);
        if items.len() == 1 {
            self.receiver.do_send(Arrived(PhantomData));
        }
    }

    /// The receiver, for messages that go another way.
    pub(crate) fn receiver(&self) -> &Addr<A> {
        &self.receiver
    }
}

impl<T> Items<T> {
    /// Takes what has come, in its order, and leaves this storage in its place.
    pub(crate) fn take(&self, storage: Vec<T>) -> Vec<T> {
        self.0.replace(storage)
    }
}

/// Empties storage for what comes next; a burst must not hold on to its memory for ever.
pub(crate) fn emptied<T>(mut storage: Vec<T>) -> Vec<T> {
    const STORAGE_MAX: usize = 4_096;
    storage.clear();
    storage.shrink_to(STORAGE_MAX);
    storage
}
