//! Handlers as one shard calls them: by `&mut`, so that what they keep for the next call needs no cell and no lock.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use finale_core::{Failure, Payload};
use serde::Serialize;

use crate::context::TaskContext;
use crate::handler::{Handler, TaskFuture, TaskResult, decode_input, encode_output, write_output};
use crate::task_error::TaskError;

/// What came of beginning a handler.
pub(crate) enum Begun {
    /// It was ready at once; its output was appended to the bytes that it was given.
    Completed,
    /// It was ready at once, and the task was not done.
    Failed(Box<Failure>),
    /// It goes on; it is to be polled.
    Pending(Pin<Box<dyn Pending>>),
}

/// A handler at work.
pub(crate) trait Pending {
    /// Polls the handler; its output is at most `bytes_max` bytes.
    fn poll_pending(self: Pin<&mut Self>, context: &mut Context<'_>, bytes_max: usize) -> Poll<TaskResult>;
}

/// A handler of one shard.
pub(crate) trait LocalHandler {
    /// Begins the work on a task, as far as it gets without waiting.
    fn begin(&mut self, task: TaskContext, input: &Payload, context: &mut Context<'_>, output: &mut Vec<u8>) -> Begun;
}

/// A function as a handler.
///
/// Most handlers are ready at once or wait only briefly. The box of the last one that was ready is used for the next, so
/// that they cost no allocation.
pub(crate) struct Function<H: Handler<Arguments>, Arguments> {
    handler: Arc<H>,
    bytes_max: usize,
    spare: Option<Pin<Box<Option<H::Future>>>>,
}

impl<H: Handler<Arguments>, Arguments> Function<H, Arguments> {
    pub(crate) fn new(handler: Arc<H>, bytes_max: usize) -> Self {
        Self { handler, bytes_max, spare: None }
    }
}

impl<H: Handler<Arguments>, Arguments> LocalHandler for Function<H, Arguments> {
    fn begin(&mut self, task: TaskContext, input: &Payload, context: &mut Context<'_>, output: &mut Vec<u8>) -> Begun {
        let input = match decode_input(input) {
            Ok(input) => input,
            Err(failure) => return Begun::Failed(Box::new(failure)),
        };
        let future = self.handler.call(task, input);
        let mut place = match self.spare.take() {
            Some(mut place) => {
                place.set(Some(future));
                place
            }
            None => Box::pin(Some(future)),
        };
        let polled = place.as_mut().as_pin_mut().map(|future| future.poll(context));
        match polled {
            Some(Poll::Ready(result)) => {
                place.set(None);
                self.spare = Some(place);
                let written = result.map_err(Failure::from);
                let written = written.and_then(|value| write_output(value, self.bytes_max, output));
                written.map_or_else(|failure| Begun::Failed(Box::new(failure)), |()| Begun::Completed)
            }
            _ => Begun::Pending(place),
        }
    }
}

impl<Fut, Output> Pending for Option<Fut>
where
    Fut: Future<Output = Result<Output, TaskError>>,
    Output: Serialize,
{
    fn poll_pending(self: Pin<&mut Self>, context: &mut Context<'_>, bytes_max: usize) -> Poll<TaskResult> {
        match self.as_pin_mut() {
            Some(future) => future.poll(context).map(|result| encode_output(result?, bytes_max)),
            None => Poll::Pending,
        }
    }
}

/// A handler whose future is boxed anyway: it waits for a thread or for an actor.
pub(crate) struct Boxed<F>(pub(crate) F);

impl<F: FnMut(TaskContext, Payload) -> TaskFuture> LocalHandler for Boxed<F> {
    fn begin(&mut self, task: TaskContext, input: &Payload, context: &mut Context<'_>, output: &mut Vec<u8>) -> Begun {
        let mut future = (self.0)(task, input.clone());
        match future.as_mut().poll(context) {
            Poll::Ready(result) => written(result, output),
            Poll::Pending => Begun::Pending(Box::pin(Waiting(future))),
        }
    }
}

struct Waiting(TaskFuture);

impl Pending for Waiting {
    fn poll_pending(mut self: Pin<&mut Self>, context: &mut Context<'_>, _bytes_max: usize) -> Poll<TaskResult> {
        self.0.as_mut().poll(context)
    }
}

fn written(result: TaskResult, output: &mut Vec<u8>) -> Begun {
    match result {
        Ok(payload) => {
            output.extend_from_slice(payload.as_bytes());
            Begun::Completed
        }
        Err(failure) => Begun::Failed(Box::new(failure)),
    }
}
