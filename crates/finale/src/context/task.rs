//! One attempt at one task, as its handler and the engine share it.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use finale_core::Dispatch;
use tokio::sync::Notify;

use super::signs::{SignOfLife, Signs};
use crate::actors::board::Board;

/// One attempt at one task, shared by its handler and the engine.
pub(crate) struct Task {
    pub(super) board: Rc<Board>,
    pub(crate) dispatch: Dispatch,
    stop: Cell<StopAsked>,
    /// Tells all who wait for it to stop: a handler may have helpers.
    pub(super) told: Notify,
    /// The engine's future of this task, to be polled again when it is to be dropped.
    engine: RefCell<Option<Waker>>,
    /// What a blocking handler looks at, once there is one.
    pub(super) flag: RefCell<Option<Arc<AtomicBool>>>,
    suspension: Cell<Suspension>,
    /// Whether the engine polls it now, and hears afterwards what it says.
    is_polled: Cell<bool>,
    /// Whether its handler has ended or was dropped: what is left of it holds no permits, and waits for none.
    is_over: Cell<bool>,
    /// How many parts of the handler wait for other executions at once.
    waits: Cell<u32>,
    /// What the engine is to hear of the suspension.
    said: Cell<Option<Suspension>>,
    /// What the engine is to hear of how far it is, once it says so or may from another thread: most never do.
    signs: OnceCell<Arc<Signs>>,
}

impl Task {
    pub(crate) fn new(board: Rc<Board>, dispatch: Dispatch) -> Self {
        Self {
            board,
            dispatch,
            stop: Cell::new(StopAsked::No),
            told: Notify::new(),
            engine: RefCell::default(),
            flag: RefCell::default(),
            suspension: Cell::default(),
            is_polled: Cell::default(),
            is_over: Cell::default(),
            waits: Cell::default(),
            said: Cell::default(),
            signs: OnceCell::new(),
        }
    }

    /// Makes a task that nobody has any more the task of another attempt.
    pub(crate) fn reset(&mut self, board: &Rc<Board>, dispatch: Dispatch) {
        if !Rc::ptr_eq(&self.board, board) {
            self.board = Rc::clone(board);
        }
        self.dispatch = dispatch;
        self.stop.set(StopAsked::No);
        self.engine.get_mut().take();
        self.flag.get_mut().take();
        self.suspension.set(Suspension::None);
        self.is_polled.set(false);
        self.is_over.set(false);
        self.waits.set(0);
        self.said.set(None);
        // The thread of a blocking handler that was given up may still speak of the attempt before.
        match self.signs.get_mut().map(Arc::get_mut) {
            Some(Some(signs)) => signs.reset(),
            _ => drop(self.signs.take()),
        }
    }

    pub(crate) fn suspension(&self) -> Suspension {
        self.suspension.get()
    }

    /// Gives the permits of the handler back until what this gives is dropped, unless they are given back already.
    pub(super) fn begin_to_wait(&self) -> Waiting<'_> {
        let waits = self.waits.get();
        self.waits.set(waits + 1);
        if waits == 0 {
            let was_held_up = self.is_held_up();
            self.suspend(Suspension::Suspended);
            if was_held_up {
                // Another part of the handler waits now: those that were held up go on meanwhile, as beside any wait.
                self.told.notify_waiters();
            }
        }
        Waiting(self)
    }

    /// Says where the handler is with its suspension. The engine hears of it when it has polled the handler; a wait that
    /// begins or ends elsewhere, in a task that the handler has spawned, has it polled.
    fn suspend(&self, suspension: Suspension) {
        self.suspension.set(suspension);
        self.said.set(Some(suspension));
        if !self.is_polled.get() {
            self.wake_engine();
        }
    }

    /// Whether the handler has to have its permits before it goes on. One that is to stop has to hear of that.
    pub(crate) fn is_held_up(&self) -> bool {
        let works_on = self.stop.get() == StopAsked::No && !self.is_over.get();
        works_on && self.suspension.get() == Suspension::Resuming
    }

    /// Polls the handler for the engine, which hears afterwards what it said.
    pub(crate) fn poll<T>(&self, poll: impl FnOnce() -> T) -> T {
        self.is_polled.set(true);
        let polled = poll();
        self.is_polled.set(false);
        polled
    }

    /// The handler has ended or is dropped: what it has spawned and what is still there waits for no permits.
    pub(crate) fn end(&self) {
        let was_held_up = self.is_held_up();
        self.is_over.set(true);
        if was_held_up {
            self.told.notify_waiters();
        }
    }

    fn wake_engine(&self) {
        let engine = self.engine.take();
        engine.into_iter().for_each(Waker::wake);
    }

    /// What the handler says of itself.
    pub(super) fn signs(&self) -> &Arc<Signs> {
        self.signs.get_or_init(|| {
            let engine = self.engine.borrow().clone();
            Arc::new(Signs::heard_by(engine))
        })
    }

    /// What the engine has not heard of how far the handler is; none if the handler said nothing.
    pub(crate) fn take_sign(&self) -> Option<SignOfLife> {
        self.signs.get()?.take()
    }

    /// What the engine has not heard of the suspension.
    pub(crate) fn take_said(&self) -> Option<Suspension> {
        self.said.take()
    }

    /// Lets the handler go on: it has its permits again. One that has begun to wait anew gives them back, once the engine
    /// hears of that.
    pub(crate) fn resume(&self) {
        if self.suspension.get() == Suspension::Resuming {
            self.suspension.set(Suspension::None);
            self.wake_engine();
            self.told.notify_waiters();
        }
    }

    pub(crate) fn stop_asked(&self) -> StopAsked {
        self.stop.get()
    }

    /// Tells the handler to stop, that far.
    pub(crate) fn ask_to_stop(&self, how: StopAsked) {
        self.stop.set(how);
        if let Some(flag) = &*self.flag.borrow() {
            flag.store(true, Ordering::Relaxed);
        }
        // The engine first: what waits for the token is woken by code of the user, which may panic.
        self.wake_engine();
        self.told.notify_waiters();
    }

    pub(crate) fn polled_by(&self, waker: &Waker) {
        let mut engine = self.engine.borrow_mut();
        if !engine.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *engine = Some(waker.clone());
            if let Some(signs) = self.signs.get() {
                signs.wakes(waker);
            }
        }
    }
}

/// A part of a handler that waits for another execution.
pub(super) struct Waiting<'a>(&'a Task);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let waits = self.0.waits.get() - 1;
        self.0.waits.set(waits);
        if waits == 0 {
            self.0.suspend(Suspension::Resuming);
        }
    }
}

/// Whether a handler has given back its permits while it waits for another execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Suspension {
    /// It works.
    #[default]
    None,
    /// It waits.
    Suspended,
    /// It waits no more, whether what it waited for is there or the wait was dropped: it is not polled until it has its
    /// permits, or is to stop.
    Resuming,
}

/// How far a handler was told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopAsked {
    No,
    /// It may take its grace.
    Gently,
    /// It is dropped.
    Now,
}
