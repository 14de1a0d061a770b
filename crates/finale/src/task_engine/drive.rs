//! Polls the handlers at work and the timers, as part of the engine's own future.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use actix::{ActorFuture, Context};
use finale_core::execution::Input;

use super::TaskEngine;
use super::timers::What;
use crate::shard::Mail;

/// Results and moments taken before other actors of the thread get their turn.
const TAKEN_MAX: usize = 256;

/// Never ends: it is polled whenever the engine is.
pub(super) struct Drive;

impl ActorFuture<TaskEngine> for Drive {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        engine: &mut TaskEngine,
        _actor: &mut Context<TaskEngine>,
        context: &mut TaskContext<'_>,
    ) -> Poll<()> {
        engine.drive(context);
        Poll::Pending
    }
}

impl TaskEngine {
    fn drive(&mut self, context: &mut TaskContext<'_>) {
        let mut now = None;
        if self.more_waiting {
            self.begin_waiting();
        }
        for _ in 0..TAKEN_MAX {
            let worked = self.take_result(context, &mut now) | self.take_moment(context);
            if !worked {
                self.shard.metrics.tasks_running.set(self.places.used());
                self.shard.metrics.task_queue.set(self.places.waiting());
                if self.more_waiting {
                    context.waker().wake_by_ref();
                }
                return;
            }
        }
        // There may be more: the others get their turn first.
        context.waker().wake_by_ref();
    }

    fn take_result(&mut self, context: &mut TaskContext<'_>, now: &mut Option<finale_core::Time>) -> bool {
        match self.running.poll_next(context) {
            Poll::Ready(Some(over)) => {
                self.settle(over, now);
                self.begin_waiting();
                true
            }
            _ => false,
        }
    }

    fn take_moment(&mut self, context: &mut TaskContext<'_>) -> bool {
        match self.timers.poll_next(context) {
            Poll::Ready(Some((live, What::Timer(timer)))) => {
                self.shard.deliver(&live, Mail::Tell(Input::TimerFired(timer), None));
                true
            }
            Poll::Ready(Some((live, What::Grace(dispatch)))) => {
                self.running.abort(live.id, dispatch);
                true
            }
            Poll::Ready(Some((live, What::Limit(dispatch)))) => {
                self.running.time_out(live.id, dispatch);
                true
            }
            _ => false,
        }
    }
}
