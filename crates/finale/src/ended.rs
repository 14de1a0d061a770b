//! What handlers of a runtime are told of an execution that has ended.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use finale_core::record::WorkflowName;
use finale_core::{ExecutionId, ExecutionStatus, Outcome, Time};
use futures_util::future::join_all;

use crate::fence::{fenced, fenced_drop};
use crate::sources::with_sources;
use crate::vitals::Vitals;

/// An execution that has ended, as handlers are told of it; see [`Builder::on_ended`](crate::Builder::on_ended).
///
/// The same end can come more than once: [`execution`](Self::execution) is what it is known by.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Ended {
    /// Which execution.
    pub execution: ExecutionId,
    /// What it ran. Of an execution that was declared failed because it cannot be read this can be empty.
    pub workflow: WorkflowName,
    /// What people find it by; see [`Activate::business_key`](crate::Activate::business_key).
    pub business_key: Option<String>,
    /// How it ended, and why: output or error, counts, what decided it.
    pub outcome: Arc<Outcome>,
    /// What is wrong with the history of the execution, if it rotted before its end was told and cannot be read any more.
    /// Then only the status and the time in [`outcome`](Self::outcome) are what they were: the output is null, and nothing
    /// else is known. None if all is well.
    pub damage: Option<String>,
}

impl Ended {
    /// As what it ended: completed, failed or cancelled.
    pub fn status(&self) -> ExecutionStatus {
        self.outcome.status()
    }

    /// When it ended.
    pub fn completed_at(&self) -> Time {
        self.outcome.completed_at
    }
}

/// What a handler that is told of ends fails with.
pub(crate) type NotTaken = Box<dyn Error + Send + Sync>;

type Taken = Pin<Box<dyn Future<Output = Result<(), NotTaken>>>>;

/// The handlers that are told of ends, by their numbers from 0.
#[derive(Clone, Default)]
pub(crate) struct EndedHandlers(Vec<Arc<dyn Fn(Ended) -> Taken + Send + Sync>>);

impl fmt::Debug for EndedHandlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EndedHandlers").field(&self.0.len()).finish()
    }
}

impl EndedHandlers {
    pub(crate) fn add<Taking>(&mut self, handler: impl Fn(Ended) -> Taking + Send + Sync + 'static)
    where
        Taking: Future<Output = Result<(), NotTaken>> + 'static,
    {
        self.0.push(Arc::new(move |ended| Box::pin(handler(ended))));
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u16 {
        u16::try_from(self.0.len()).unwrap_or(u16::MAX)
    }

    /// Whether anybody is told of ends.
    pub(crate) const fn is_some(&self) -> bool {
        !self.0.is_empty()
    }

    /// Tells some of them at the same time; gives those that have not taken it within that time, and why.
    pub(crate) async fn tell(
        &self,
        handlers: &[u16],
        ended: &Ended,
        within: Duration,
        vitals: &Vitals,
    ) -> Vec<(u16, String)> {
        let told = handlers.iter().map(async |number| (*number, self.tell_one(*number, ended, within, vitals).await));
        let failed = |(number, told): (u16, Result<(), String>)| told.err().map(|reason| (number, reason));
        join_all(told).await.into_iter().filter_map(failed).collect()
    }

    async fn tell_one(&self, number: u16, ended: &Ended, within: Duration, vitals: &Vitals) -> Result<(), String> {
        let Some(handler) = self.0.get(usize::from(number)) else { return Ok(()) };
        let taken = vitals.call_ended(|| fenced(|| handler(ended.clone())));
        let future = Some(taken.map_err(|panicked| panicked.to_string())?);
        let taken = tokio::time::timeout(within, Fenced { future, vitals }).await;
        taken.unwrap_or_else(|_| Err(format!("it has taken longer than {within:?}")))
    }
}

/// A future of the user, polled and dropped inside of the fence, and watched meanwhile.
struct Fenced<'v> {
    future: Option<Taken>,
    vitals: &'v Vitals,
}

impl Future for Fenced<'_> {
    type Output = Result<(), String>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { future, vitals } = &mut *self;
        vitals.call_ended(|| {
            let Some(polled) = future else { return Poll::Pending };
            let polled = fenced(|| match polled.as_mut().poll(context) {
                Poll::Ready(taken) => Poll::Ready(taken.map_err(|error| with_sources(&*error))),
                Poll::Pending => Poll::Pending,
            });
            let taken = match polled {
                Ok(Poll::Pending) => return Poll::Pending,
                Ok(Poll::Ready(taken)) => taken,
                Err(panicked) => Err(panicked.to_string()),
            };
            fenced_drop(future.take());
            Poll::Ready(taken)
        })
    }
}

impl Drop for Fenced<'_> {
    fn drop(&mut self) {
        if let Some(future) = self.future.take() {
            self.vitals.call_ended(|| fenced_drop(future));
        }
    }
}
