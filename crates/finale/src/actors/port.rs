//! The journal port of a shard: its one writer, and the queue of turns that wait until they are durable.
//!
//! Everything that a shard records goes through here, in one order. What must not be seen or done before it is durable
//! waits in a queue; a watermark of the journal releases the queue up to its position, each entry to its own receiver.
//! The watermark does not go through a mailbox: a journal that is fast is not held up by an actor that is not.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use finale_journal::{Append, Appended, JournalError, Listener, Position, Writer};
use futures_util::task::AtomicWaker;
use tokio::time::Instant;

/// Takes what the port releases; the actors of the shard behind it.
pub(crate) trait Receiver<T> {
    /// Everything that `item` depends on is durable.
    fn release(&self, item: T);

    /// `item` never becomes durable: the journal failed before.
    fn discard(&self, item: T, error: &JournalError);

    /// There is room in the journal again, after [`Port::is_full`] was true.
    fn room(&self);

    /// The journal takes nothing more. Told once.
    fn failed(&self, error: &JournalError);
}

/// The port of one shard. `T` is what waits for durability.
pub(crate) struct Port<T> {
    writer: RefCell<Box<dyn Writer>>,
    /// Position of the last thing that was written.
    appended: Cell<Position>,
    pending: RefCell<VecDeque<Pending<T>>>,
    watermark: Arc<Watermark>,
    failed: OnceCell<JournalError>,
    /// Whether everybody was told of the failure.
    gave_up: Cell<bool>,
    /// Whether somebody was turned away because the journal was full.
    turned_away: Cell<bool>,
    closed: Cell<bool>,
    waits_since: Box<dyn Fn(Option<Instant>)>,
}

/// Something that waits until everything up to a position is durable.
struct Pending<T> {
    position: Position,
    /// When it was written; none if it was durable at once and only waits for its turn.
    since: Option<Instant>,
    item: T,
}

/// How far the journal says that everything is durable; told from whatever thread.
#[derive(Debug, Default)]
pub(crate) struct Watermark {
    position: AtomicU64,
    failed: OnceLock<JournalError>,
    waker: AtomicWaker,
}

impl Watermark {
    /// What the journal tells its watermarks to.
    pub(crate) fn listener(self: &Arc<Self>) -> Listener {
        let watermark = Arc::clone(self);
        Listener::new(move |told| watermark.advance(told))
    }

    fn advance(&self, told: Result<Position, JournalError>) {
        match told {
            Ok(Position(position)) => {
                self.position.fetch_max(position, Ordering::AcqRel);
            }
            Err(error) => {
                // The first error is the cause of all that follow.
                let _ = self.failed.set(error);
            }
        }
        self.waker.wake();
    }

    fn position(&self) -> Position {
        Position(self.position.load(Ordering::Acquire))
    }
}

impl<T> Port<T> {
    /// `waits_since` is told since when the oldest thing that was written waits to become durable; none if nothing does.
    pub(crate) fn new(
        writer: Box<dyn Writer>,
        watermark: Arc<Watermark>,
        waits_since: impl Fn(Option<Instant>) + 'static,
    ) -> Self {
        Self {
            writer: RefCell::new(writer),
            appended: Cell::default(),
            pending: RefCell::default(),
            watermark,
            failed: OnceCell::new(),
            gave_up: Cell::new(false),
            turned_away: Cell::new(false),
            closed: Cell::new(false),
            waits_since: Box::new(waits_since),
        }
    }

    /// Writes the facts of a turn.
    ///
    /// # Errors
    /// As [`Writer::append`]; after an error that concerns more than one execution the caller reports [`Port::fail`].
    pub(crate) fn append(&self, append: Append<'_>) -> Result<Appended, JournalError> {
        self.write(|writer| writer.append(append))
    }

    /// Writes something.
    ///
    /// # Errors
    /// What the journal says, or what it failed with before.
    pub(crate) fn write(
        &self,
        write: impl FnOnce(&mut dyn Writer) -> Result<Appended, JournalError>,
    ) -> Result<Appended, JournalError> {
        if let Some(error) = self.failed.get() {
            return Err(error.clone());
        }
        let appended = write(&mut **self.writer.borrow_mut())?;
        self.appended.set(appended.position);
        Ok(appended)
    }

    /// Whether what was written, and everything before it, is durable already, so that it can be performed at once.
    ///
    /// `appended` is what came of writing it; none if nothing was written and it only must not overtake what was.
    pub(crate) fn is_durable(&self, appended: Option<Appended>) -> bool {
        appended.is_none_or(|appended| appended.durable) && self.pending.borrow().is_empty()
    }

    /// Keeps something until what was written is durable, and everything before it.
    pub(crate) fn hold(&self, appended: Option<Appended>, item: T) {
        let durable = appended.is_none_or(|appended| appended.durable);
        let position = appended.map_or(self.appended.get(), |appended| appended.position);
        let mut pending = self.pending.borrow_mut();
        let since = (!durable).then(Instant::now);
        if pending.is_empty() {
            (self.waits_since)(since);
        }
        pending.push_back(Pending { position, since, item });
        if durable && appended.is_some() {
            // Then everything before it is durable as well, also if the watermark that says so is still on its way.
            self.watermark.advance(Ok(position));
        }
    }

    /// Whether it is better to write nothing more for now; who is turned away is told by [`Receiver::room`].
    pub(crate) fn is_full(&self) -> bool {
        let full = self.failed.get().is_none() && self.writer.borrow().is_full();
        if full {
            self.turned_away.set(true);
        }
        full
    }

    /// How long the oldest thing that was written has waited to become durable.
    pub(crate) fn lag(&self) -> Option<Duration> {
        self.pending.borrow().front()?.since.map(|since| since.elapsed())
    }

    /// What the journal failed with, if it has.
    pub(crate) fn error(&self) -> Option<&JournalError> {
        self.failed.get()
    }

    /// Says that a write was refused for good. From now on nothing is written, and nothing that was decided is shown; who waits
    /// hears of it as soon as the port has its turn.
    pub(crate) fn report_failure(&self, error: &JournalError) {
        // The first failure counts.
        let _ = self.failed.set(error.clone());
        self.watermark.advance(Err(error.clone()));
    }

    /// The journal takes nothing more: what was not durable never happened.
    fn fail(&self, error: &JournalError, receiver: &impl Receiver<T>) {
        let _ = self.failed.set(error.clone());
        if self.gave_up.replace(true) {
            return;
        }
        for Pending { item, .. } in self.pending.take() {
            receiver.discard(item, error);
        }
        (self.waits_since)(None);
        receiver.failed(error);
    }

    /// Throws away what waits: the shard is at its end.
    pub(crate) fn close(&self) {
        self.closed.set(true);
        drop(self.pending.take());
        self.watermark.waker.wake();
    }

    fn next(&self, position: Position) -> Option<(Option<Instant>, T)> {
        let mut pending = self.pending.borrow_mut();
        let due = pending.front().is_some_and(|first| first.position <= position);
        if !due {
            return None;
        }
        pending.pop_front().map(|Pending { since, item, .. }| (since, item))
    }

    /// Releases what the watermark allows.
    fn advance(&self, receiver: &impl Receiver<T>, durable_after: &impl Fn(Duration)) {
        let position = self.watermark.position();
        let mut released = false;
        while let Some((since, item)) = self.next(position) {
            released = true;
            if let Some(since) = since {
                durable_after(since.elapsed());
            }
            receiver.release(item);
        }
        if released {
            (self.waits_since)(self.pending.borrow().front().and_then(|first| first.since));
        }
        if let Some(error) = self.watermark.failed.get() {
            self.fail(error, receiver);
        }
        // Also when nothing is taken any more: those who were turned away are refused then, and do not wait for ever.
        if self.turned_away.get() && (self.failed.get().is_some() || !self.writer.borrow().is_full()) {
            self.turned_away.set(false);
            receiver.room();
        }
    }
}

/// Moves what the port holds whenever the journal tells a new watermark.
pub(crate) struct Driver<T, R, D> {
    pub(crate) port: Rc<Port<T>>,
    pub(crate) receiver: R,
    /// Told how long each thing that was not durable at once has waited.
    pub(crate) durable_after: D,
}

impl<T, R: Receiver<T> + Unpin, D: Fn(Duration) + Unpin> Future for Driver<T, R, D> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // Registered first: a watermark that comes while the queue is released wakes this again.
        self.port.watermark.waker.register(context.waker());
        self.port.advance(&self.receiver, &self.durable_after);
        if self.port.closed.get() { Poll::Ready(()) } else { Poll::Pending }
    }
}
