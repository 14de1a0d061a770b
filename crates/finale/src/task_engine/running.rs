//! Handlers at work.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use finale_core::execution::Input;
use finale_core::fact::StopOutcome;
use finale_core::time::format_duration;
use finale_core::{Dispatch, ExecutionId, Failure, FailureClass, Payload, Time, WorkKey};
use futures_util::stream::FuturesUnordered;
use rustc_hash::FxHashMap;

use super::places::Queued;
use super::{PermitNews, TaskEngine};
use crate::context::{StopAsked, Task, TaskContext};
use crate::fence::{fenced, fenced_drop};
use crate::handler::{TaskFuture, TaskResult};
use crate::permits::Waiting;
use crate::shard::{Live, Mail};

/// Waiting tasks begun before other actors of the thread get their turn.
const BEGUN_MAX: usize = 256;

/// The handlers that did not come to their result at once.
#[derive(Default)]
pub(super) struct Running {
    futures: FuturesUnordered<AtWork>,
    tasks: FxHashMap<(ExecutionId, WorkKey), Rc<Task>>,
}

/// One handler at work.
struct AtWork {
    task: Rc<Task>,
    started: Time,
    blocking: bool,
    handler: Option<usize>,
    future: Option<TaskFuture>,
}

/// How a handler came to its end.
pub(super) struct Over {
    task: Rc<Task>,
    started: Time,
    handler: Option<usize>,
    how: HowOver,
}

enum HowOver {
    Result(TaskResult),
    Dropped { blocking: bool },
}

impl Running {
    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    pub(super) fn has(&self, execution: ExecutionId, dispatch: Dispatch) -> bool {
        self.tasks.get(&(execution, dispatch.key)).is_some_and(|task| task.dispatch == dispatch)
    }

    /// Tells a handler to stop; false if there is none at work.
    pub(super) fn ask_to_stop(&self, execution: ExecutionId, dispatch: Dispatch) -> bool {
        self.ask(execution, dispatch, StopAsked::Gently)
    }

    /// Drops a handler that did not stop within its grace.
    pub(super) fn abort(&self, execution: ExecutionId, dispatch: Dispatch) {
        self.ask(execution, dispatch, StopAsked::Now);
    }

    /// Drops a handler that takes longer than it may.
    pub(super) fn time_out(&self, execution: ExecutionId, dispatch: Dispatch) {
        self.ask(execution, dispatch, StopAsked::TimedOut);
    }

    /// Drops a handler whose result nobody wants any more.
    pub(super) fn forget(&mut self, execution: ExecutionId, dispatch: Dispatch) {
        if self.ask(execution, dispatch, StopAsked::Forgotten) {
            // The next attempt may begin before this one is dropped.
            self.tasks.remove(&(execution, dispatch.key));
        }
    }

    /// Drops all handlers; says how many there were.
    pub(super) fn abandon(&mut self) -> usize {
        let left = self.tasks.len();
        self.tasks.clear();
        fenced_drop(std::mem::take(&mut self.futures));
        left
    }

    fn ask(&self, execution: ExecutionId, dispatch: Dispatch, how: StopAsked) -> bool {
        let task = self.tasks.get(&(execution, dispatch.key)).filter(|task| task.dispatch == dispatch);
        let Some(task) = task else { return false };
        // The handler hears it through code of the user: its wakers.
        let _ = fenced(|| task.ask_to_stop(how));
        true
    }

    fn keep(&mut self, at_work: AtWork) {
        let task = &at_work.task;
        self.tasks.insert((task.live.id, task.dispatch.key), Rc::clone(task));
        self.futures.push(at_work);
    }

    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Over>> {
        let polled = futures_util::Stream::poll_next(Pin::new(&mut self.futures), context);
        if let Poll::Ready(Some(over)) = &polled {
            let task = &over.task;
            let key = (task.live.id, task.dispatch.key);
            if self.tasks.get(&key).is_some_and(|known| Rc::ptr_eq(known, task)) {
                self.tasks.remove(&key);
            }
        }
        polled
    }
}

impl Future for AtWork {
    type Output = Over;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Over> {
        let this = &mut *self;
        this.task.polled_by(context.waker());
        let how = match this.poll_handler(context) {
            Poll::Ready(how) => how,
            Poll::Pending => return Poll::Pending,
        };
        let (task, started, handler) = (Rc::clone(&this.task), this.started, this.handler);
        Poll::Ready(Over { task, started, handler, how })
    }
}

impl AtWork {
    fn poll_handler(&mut self, context: &mut Context<'_>) -> Poll<HowOver> {
        if matches!(self.task.stop_asked(), StopAsked::Now | StopAsked::TimedOut | StopAsked::Forgotten) {
            self.drop_handler();
            return Poll::Ready(HowOver::Dropped { blocking: self.blocking });
        }
        let Some(future) = &mut self.future else {
            return Poll::Ready(HowOver::Dropped { blocking: self.blocking });
        };
        match fenced(|| future.as_mut().poll(context)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(result)) => {
                self.drop_handler();
                Poll::Ready(HowOver::Result(result))
            }
            Err(panicked) => {
                self.drop_handler();
                Poll::Ready(HowOver::Result(Err(panicked)))
            }
        }
    }

    fn drop_handler(&mut self) {
        if let Some(future) = self.future.take() {
            fenced_drop(future);
        }
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.drop_handler();
    }
}

impl TaskEngine {
    /// Runs a handler, if there is a place for it.
    pub(super) fn run(&mut self, live: &Rc<Live>, dispatch: Dispatch, input: Payload, now: &mut Option<Time>) {
        if self.shard.draining.get() {
            return;
        }
        if live.is_ending() {
            return self.close(live, dispatch);
        }
        let live = Rc::clone(live);
        match self.places.take(Queued { live, dispatch, input }) {
            Some(task) => self.begin(task, now),
            None => {
                (self.peers)(PermitNews::Wanted(self.shard.index));
                let untold = self.places.take_untold();
                self.pass_on(untold);
            }
        }
    }

    /// Says that a task is not begun any more, because the end of its execution was decided before.
    pub(super) fn close(&self, live: &Rc<Live>, dispatch: Dispatch) {
        self.shard.deliver(live, Mail::Tell(Input::Stopped { dispatch, how: StopOutcome::Closed }, None));
    }

    /// Begins the waiting tasks for which there is a place, and leaves some for later if there are many.
    pub(super) fn begin_waiting(&mut self) {
        let mut now = None;
        let mut left = if self.shard.draining.get() { 0 } else { BEGUN_MAX };
        self.more_waiting = false;
        while left > 0
            && let Some(task) = self.places.next()
        {
            left -= 1;
            self.more_waiting = left == 0;
            let live = Rc::clone(&task.live);
            if live.is_ending() {
                self.pass_on(self.places.give(task.limited_handler()));
                self.close(&live, task.dispatch);
            } else if !live.read(|execution| execution.is_current(task.dispatch)) {
                // It timed out, was cancelled, or its execution has ended, and it is about to be called off.
                self.pass_on(self.places.give(task.limited_handler()));
            } else {
                self.begin(task, &mut now);
            }
            self.shard.park(&live);
        }
        let untold = self.places.take_untold();
        self.pass_on(untold);
    }

    /// Calls the handler and polls it once in place: many are ready at once, and those cost no place in any set.
    fn begin(&mut self, task: Queued, now: &mut Option<Time>) {
        let Queued { live, dispatch, input } = task;
        let started = *now.get_or_insert_with(|| self.shard.clock.now());
        let task = Rc::new(Task::new(Rc::clone(&live), dispatch));
        let Some(registered) = live.bound.handler(dispatch.key.node) else {
            let failure = Failure::new(FailureClass::Lost, "its handler is not registered");
            return self.settle(Over { task, started, handler: None, how: HowOver::Result(Err(failure)) }, now);
        };
        let context = TaskContext::new(Rc::clone(&task));
        let handler = registered.running_max.map(|_| registered.index);
        let called = fenced(|| {
            let mut future = registered.handle.call(context, input);
            let polled = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            (future, polled)
        });
        // The clock is read once after each poll: the end of this one is the beginning of the next.
        *now = None;
        let how = match called {
            Ok((future, Poll::Pending)) => {
                let blocking = registered.handle.is_blocking();
                if let Some(limit) = live.bound.compiled.attempt_limit(dispatch.key.node) {
                    self.timers.arm_limit(&live, dispatch, started.after(limit));
                }
                self.running.keep(AtWork { task, started, blocking, handler, future: Some(future) });
                return;
            }
            Ok((future, Poll::Ready(result))) => {
                fenced_drop(future);
                HowOver::Result(result)
            }
            Err(panicked) => HowOver::Result(Err(panicked)),
        };
        self.settle(Over { task, started, handler, how }, now);
    }

    /// Reports how a handler came to its end, and gives its place back.
    pub(super) fn settle(&mut self, over: Over, now: &mut Option<Time>) {
        let Over { task, started, handler, how } = over;
        self.pass_on(self.places.give(handler));
        let ended = *now.get_or_insert_with(|| self.shard.clock.now());
        let (live, dispatch) = (&task.live, task.dispatch);
        let limit = live.bound.compiled.attempt_limit(dispatch.key.node);
        if limit.is_some() {
            self.timers.disarm_limit(live.id, dispatch);
        }
        let stopped = |how| Mail::Tell(Input::Stopped { dispatch, how }, None);
        match (how, task.stop_asked()) {
            (_, StopAsked::Forgotten) => {}
            (HowOver::Dropped { .. }, StopAsked::TimedOut) => {
                let failure = Failure::new(
                    FailureClass::TimedOut,
                    format!("no result within {}", format_duration(limit.unwrap_or_default())),
                );
                self.deliver_outcome(live, Input::Outcome { dispatch, result: Err(failure), started, ended });
            }
            (HowOver::Dropped { blocking: true }, _) => self.shard.deliver(live, stopped(StopOutcome::Lost)),
            (HowOver::Dropped { blocking: false }, _) => self.shard.deliver(live, stopped(StopOutcome::Aborted)),
            // It was told to stop and gave up its work: that is no failure.
            (HowOver::Result(Err(_)), StopAsked::Gently) => self.shard.deliver(live, stopped(StopOutcome::Stopped)),
            (HowOver::Result(result), _) => {
                let result = result.map_err(|failure| failure.cut(self.shard.options.limits.text_bytes_max));
                self.deliver_outcome(live, Input::Outcome { dispatch, result, started, ended });
            }
        }
        self.answer_if_drained();
    }

    /// Other shards are told; this one looks at its own queue anyway.
    pub(super) fn pass_on(&self, waiting: Waiting) {
        if waiting != Waiting::default() {
            (self.peers)(PermitNews::Free(waiting));
        }
    }
}
