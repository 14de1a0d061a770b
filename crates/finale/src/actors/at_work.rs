//! The futures of handlers at work, by the numbers that the machine knows them by.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use finale_core::Time;
use finale_core::number::{FutureNo, Slot};
use finale_core::task_engine::{Adopted, AdoptedState, Attempt};
use futures_util::stream::{FuturesUnordered, Stream};
use tracing::Span;

use super::handlers::Pending;

use crate::context::{SignOfLife, StopAsked, Suspension, Task};
use crate::fence::{fenced, fenced_drop};
use crate::handler::TaskResult;

/// All handlers of a shard that did not come to their result at once.
#[derive(Default)]
pub(crate) struct AtWork {
    futures: FuturesUnordered<Running>,
    /// By their numbers; none where a number is free.
    known: Vec<Option<Known>>,
    free: Vec<FutureNo>,
    said: Rc<Said>,
    bytes_max: usize,
}

/// What handlers said while they were polled.
#[derive(Default)]
struct Said {
    progress: RefCell<VecDeque<Progress>>,
    /// How many handlers of each execution were kept and have not had their first turn since, by the indices of slots.
    new: RefCell<Vec<u32>>,
}

/// What is known of a handler besides its future.
struct Known {
    task: Rc<Task>,
    attempt: Attempt,
    started: Time,
    /// Whether it was given up and is only waited for.
    leaked: bool,
}

/// What a turn of the handlers brought.
pub(crate) enum Progress {
    /// One came to its result.
    Ended { handler: Adopted, custom_status: Option<Box<str>>, result: TaskResult },
    /// One waits for another execution from now on.
    Suspended(FutureNo),
    /// What one waited for is there.
    Resumed(FutureNo),
    /// One is alive, and perhaps says how far it is, or has set the custom status of its execution.
    Alive(FutureNo, SignOfLife),
}

struct Running {
    number: FutureNo,
    task: Rc<Task>,
    future: Option<Pin<Box<dyn Pending>>>,
    said: Rc<Said>,
    /// The execution, as long as the handler has not had a turn here.
    new: Option<Slot>,
    bytes_max: usize,
    /// What the handler is polled in, if anybody looks at it.
    span: Option<Box<Span>>,
}

impl AtWork {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, ..Self::default() }
    }

    /// Keeps a handler that goes on; gives the number of its future.
    pub(crate) fn keep(
        &mut self,
        task: Rc<Task>,
        attempt: Attempt,
        started: Time,
        future: Pin<Box<dyn Pending>>,
        span: Option<Box<Span>>,
    ) -> FutureNo {
        let number = self.reserve();
        let known = Known { task: Rc::clone(&task), attempt, started, leaked: false };
        self.known[number.index()] = Some(known);
        let (said, bytes_max, new) = (Rc::clone(&self.said), self.bytes_max, Some(attempt.slot));
        said.begins(attempt.slot);
        self.futures.push(Running { number, task, future: Some(future), said, new, bytes_max, span });
        number
    }

    /// Whether handlers of the execution in that slot were kept that have their first turn here soon: many are ready then.
    pub(crate) fn is_beginning(&self, slot: Slot) -> bool {
        self.said.new.borrow().get(slot.index()).is_some_and(|new| *new > 0)
    }

    /// Tells a handler that it is to stop.
    pub(crate) fn ask_to_stop(&self, number: FutureNo) {
        if let Some(known) = self.known(number) {
            // The handler hears it through code of the user: its wakers.
            let _ = fenced(|| known.task.ask_to_stop(StopAsked::Gently));
        }
    }

    /// Drops the future of a handler; its number is free.
    pub(crate) fn drop(&mut self, number: FutureNo) {
        let Some(known) = self.known.get_mut(number.index()).and_then(Option::take) else { return };
        self.free.push(number);
        // It is dropped where it is polled, without a result, and that is as soon as the engine has its turn.
        let _ = fenced(|| known.task.ask_to_stop(StopAsked::Now));
    }

    /// Lets a suspended handler go on.
    pub(crate) fn resume(&self, number: FutureNo) {
        if let Some(known) = self.known(number) {
            let _ = fenced(|| known.task.resume());
        }
    }

    /// Notes that a handler was given up: its future is only waited for.
    pub(crate) fn leak(&mut self, number: FutureNo) {
        if let Some(known) = self.known.get_mut(number.index()).and_then(Option::as_mut) {
            known.leaked = true;
        }
    }

    /// Drops all handlers.
    pub(crate) fn clear(&mut self) {
        self.known.clear();
        self.free.clear();
        fenced_drop(std::mem::take(&mut self.futures));
    }

    /// What a machine must know that takes the place of one whose state was lost.
    pub(crate) fn adopted(&self) -> impl Iterator<Item = Adopted> {
        (0..).map(FutureNo).zip(&self.known).filter_map(|(future, known)| Some(known.as_ref()?.adopted(future)))
    }

    /// A number that no future has, until [`release`](Self::release).
    pub(crate) fn reserve(&mut self) -> FutureNo {
        self.free.pop().unwrap_or_else(|| {
            self.known.push(None);
            FutureNo(self.known.len() as u32 - 1)
        })
    }

    /// Gives a reserved number back.
    pub(crate) fn release(&mut self, number: FutureNo) {
        self.free.push(number);
    }

    /// The handlers that are suspended and have what they waited for: they want their permits again.
    pub(crate) fn resuming(&self) -> impl Iterator<Item = FutureNo> {
        (0..)
            .map(FutureNo)
            .zip(&self.known)
            .filter_map(|(future, known)| known.as_ref().filter(|known| known.task.is_held_up()).map(|_| future))
    }

    /// Polls handlers that were woken, until one of them has something to say.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Progress> {
        loop {
            if let Some(said) = self.said.progress.borrow_mut().pop_front() {
                return Poll::Ready(said);
            }
            let Poll::Ready(ended) = Pin::new(&mut self.futures).poll_next(context) else {
                // What one of them said on the way is still to be told.
                return self.said.progress.borrow_mut().pop_front().map_or(Poll::Pending, Poll::Ready);
            };
            match ended {
                Some(Some((future, custom_status, result))) => {
                    let Some(known) = self.known[future.index()].take() else { continue };
                    self.free.push(future);
                    return Poll::Ready(Progress::Ended { handler: known.adopted(future), custom_status, result });
                }
                Some(None) => {}
                None => return Poll::Pending,
            }
        }
    }

    fn known(&self, number: FutureNo) -> Option<&Known> {
        self.known.get(number.index())?.as_ref()
    }
}

impl Known {
    /// What a machine must know of it that takes the place of one whose state was lost.
    fn adopted(&self, future: FutureNo) -> Adopted {
        let state = match (self.leaked, self.task.stop_asked(), self.task.suspension()) {
            (true, ..) => AdoptedState::Leaked,
            (_, StopAsked::Gently, _) => AdoptedState::Stopping,
            (_, _, Suspension::None) => AdoptedState::Working,
            _ => AdoptedState::Suspended,
        };
        Adopted { attempt: self.attempt, started: self.started, future, state }
    }
}

impl Future for Running {
    /// None if it was dropped; else with the custom status that it set last and that nobody has heard of.
    type Output = Option<(FutureNo, Option<Box<str>>, TaskResult)>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.has_begun();
        this.task.polled_by(context.waker());
        if this.task.stop_asked() == StopAsked::Now {
            this.drop_handler();
            return Poll::Ready(None);
        }
        if this.task.is_held_up() {
            // It did not see to its end what it waited for, or a task that it has spawned waited: it has no permits yet.
            this.tell();
            return Poll::Pending;
        }
        let Some(future) = &mut this.future else { return Poll::Ready(None) };
        let poll = || {
            let _entered = this.span.as_deref().map(Span::enter);
            future.as_mut().poll_pending(context, this.bytes_max)
        };
        let result = match this.task.poll(|| fenced(poll)) {
            Ok(Poll::Pending) => {
                this.tell();
                return Poll::Pending;
            }
            Ok(Poll::Ready(result)) => result,
            Err(panicked) => Err(panicked),
        };
        this.drop_handler();
        let custom_status = this.task.take_sign().and_then(|sign| sign.custom_status);
        Poll::Ready(Some((this.number, custom_status, result)))
    }
}

impl Said {
    fn begins(&self, slot: Slot) {
        let mut new = self.new.borrow_mut();
        if new.len() <= slot.index() {
            new.resize(slot.index() + 1, 0);
        }
        new[slot.index()] += 1;
    }
}

impl Running {
    /// It has its first turn, or never will.
    fn has_begun(&mut self) {
        if let Some(slot) = self.new.take() {
            self.said.new.borrow_mut()[slot.index()] -= 1;
        }
    }

    /// Passes on what the handler has said.
    fn tell(&self) {
        let said = self.task.take_said().map(|said| match said {
            Suspension::Resuming => Progress::Resumed(self.number),
            _ => Progress::Suspended(self.number),
        });
        let alive = self.task.take_sign().map(|sign| Progress::Alive(self.number, sign));
        self.said.progress.borrow_mut().extend(said.into_iter().chain(alive));
    }

    fn drop_handler(&mut self) {
        let _ = fenced(|| self.task.end());
        if let Some(future) = self.future.take() {
            fenced_drop(future);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.has_begun();
        self.drop_handler();
    }
}
