//! The handlers that the contenders without finale run.

use std::fmt;
use std::future::{self, Future};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use crate::contender::BoxError;
use crate::shape::Shape;

/// What a handler is, once it is called.
pub type HandlerFuture = Pin<Box<dyn Future<Output = Result<u64, BoxError>> + Send>>;

/// An async function behind a pointer, as any program must keep it that has more than one.
#[derive(Clone)]
pub struct Handler(Arc<dyn Fn(u32) -> HandlerFuture + Send + Sync>);

impl Handler {
    /// What the tasks of a shape do.
    pub fn of(shape: &Shape) -> Self {
        if shape.yields { Self::yielding() } else { Self::noop() }
    }

    /// Is ready when it is first polled.
    pub fn noop() -> Self {
        Self(Arc::new(|task| Box::pin(async move { Ok(output(task)) })))
    }

    /// Is ready when it is polled again.
    pub fn yielding() -> Self {
        Self(Arc::new(|task| {
            Box::pin(async move {
                yield_once().await;
                Ok(output(task))
            })
        }))
    }

    /// Like [`Handler::noop`], but this one task never ends. `waiting` counts how often it was begun.
    pub fn waiting_at(stop: u32, waiting: Arc<AtomicUsize>) -> Self {
        Self(Arc::new(move |task| {
            let waiting = (task == stop).then(|| Arc::clone(&waiting));
            Box::pin(async move {
                if let Some(waiting) = waiting {
                    waiting.fetch_add(1, Ordering::Relaxed);
                    future::pending::<()>().await;
                }
                Ok(output(task))
            })
        }))
    }

    /// Begins a task.
    pub fn call(&self, task: u32) -> HandlerFuture {
        (self.0)(task)
    }
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handler")
    }
}

/// What a task gives back: different for each one and never zero, so that a forgotten output is seen in the sum.
pub fn output(task: u32) -> u64 {
    u64::from(task) + 1
}

/// Is not ready when it is first polled, and says at once that it is worth another one: the same on every executor.
pub async fn yield_once() {
    let mut is_polled_again = false;
    future::poll_fn(|context| {
        if std::mem::replace(&mut is_polled_again, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
