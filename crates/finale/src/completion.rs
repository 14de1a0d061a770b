//! What a handle waits on: first the acknowledgement of an activation, then the outcome.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use finale_core::{ExecutionId, Outcome};

use crate::activation::ActivateError;

/// Shared between one execution on its shard and everybody who waits for it, on whatever thread.
#[derive(Debug, Default)]
pub(crate) struct Completion(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    stage: Stage,
    /// The usual case is one waiter; only further ones are worth a vector.
    waiter: Option<Waker>,
    others: Vec<Waker>,
}

#[derive(Clone, Debug, Default)]
enum Stage {
    #[default]
    Pending,
    Acknowledged(ExecutionId),
    /// The activation was a repetition: this is the execution it repeats.
    Repeated(Arc<Completion>),
    Refused(ActivateError),
    Ended(ExecutionId, Arc<Outcome>),
    Abandoned(Option<ExecutionId>),
}

/// The runtime stopped before the execution ended; or its journal failed.
///
/// The execution has not failed: the next runtime goes on with it, if the journal is durable. Ask that one.
///
/// ```
/// # use finale::prelude::*;
/// use std::time::Duration;
///
/// use finale::Abandoned;
/// use finale::journal::MemoryJournal;
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
/// # let journal = MemoryJournal::new();
/// # let start = || Runtime::builder().shards(Shards::Current).journal(journal.clone()).start();
/// # let runtime = start()?;
/// let execution = runtime.activate(&article, ()).await?;
/// runtime.shutdown(Duration::from_secs(10)).await;
/// assert_eq!(execution.outcome().await, Err(Abandoned));
///
/// let runtime = start()?; // on the same journal
/// let execution = runtime.execution(execution.id()).await?;
/// assert_eq!(execution.status().await?, ExecutionStatus::Running);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the runtime stopped before the execution ended")]
pub struct Abandoned;

impl Abandoned {
    /// The name of the kind of error, which does not change between versions.
    pub const fn code(&self) -> &'static str {
        "abandoned"
    }
}

type Acknowledged = Result<(ExecutionId, Arc<Completion>), ActivateError>;

enum Answered {
    First(Acknowledged),
    /// The answer is what the execution that it repeats is answered.
    Repetition(Arc<Completion>),
}

impl Completion {
    /// Waits until the activation is durable or refused; a repetition until the one that it repeats is.
    pub(crate) async fn acknowledged(self: Arc<Self>) -> Acknowledged {
        let mut asked = self;
        loop {
            let acknowledged = poll_fn(|context| asked.poll(context, |stage| asked.acknowledgement(stage))).await;
            match acknowledged {
                Answered::First(acknowledged) => return acknowledged,
                Answered::Repetition(of) => asked = of,
            }
        }
    }

    /// Waits until the execution has ended.
    pub(crate) async fn outcome(&self) -> Result<Arc<Outcome>, Abandoned> {
        poll_fn(|context| {
            self.poll(context, |stage| match stage {
                Stage::Ended(_, outcome) => Some(Ok(Arc::clone(outcome))),
                Stage::Abandoned(_) | Stage::Refused(_) => Some(Err(Abandoned)),
                _ => None,
            })
        })
        .await
    }

    /// The outcome, if the execution has ended already.
    pub(crate) fn ended(&self) -> Option<Arc<Outcome>> {
        match &self.lock().stage {
            Stage::Ended(_, outcome) => Some(Arc::clone(outcome)),
            _ => None,
        }
    }

    pub(crate) fn acknowledge(&self, execution: ExecutionId) {
        self.advance(Stage::Acknowledged(execution));
    }

    pub(crate) fn repeat(&self, of: Arc<Self>) {
        self.advance(Stage::Repeated(of));
    }

    pub(crate) fn refuse(&self, error: ActivateError) {
        self.advance(Stage::Refused(error));
    }

    pub(crate) fn end(&self, execution: ExecutionId, outcome: Arc<Outcome>) {
        self.advance(Stage::Ended(execution, outcome));
    }

    /// Nothing will come any more; changes nothing if there is a last word already.
    pub(crate) fn abandon(&self) {
        let stage = match &self.lock().stage {
            Stage::Pending => Stage::Abandoned(None),
            Stage::Acknowledged(execution) => Stage::Abandoned(Some(*execution)),
            _ => return,
        };
        self.advance(stage);
    }

    fn acknowledgement(self: &Arc<Self>, stage: &Stage) -> Option<Answered> {
        match stage {
            Stage::Pending => None,
            Stage::Acknowledged(execution) | Stage::Ended(execution, _) | Stage::Abandoned(Some(execution)) => {
                Some(Answered::First(Ok((*execution, Arc::clone(self)))))
            }
            Stage::Repeated(of) => Some(Answered::Repetition(Arc::clone(of))),
            Stage::Refused(error) => Some(Answered::First(Err(error.clone()))),
            Stage::Abandoned(None) => Some(Answered::First(Err(ActivateError::Stopped))),
        }
    }

    fn poll<T>(&self, context: &Context<'_>, ready: impl Fn(&Stage) -> Option<T>) -> Poll<T> {
        let mut inner = self.lock();
        if let Some(value) = ready(&inner.stage) {
            return Poll::Ready(value);
        }
        inner.wait(context.waker());
        Poll::Pending
    }

    fn advance(&self, stage: Stage) {
        let (first, others) = {
            let mut inner = self.lock();
            inner.stage = stage;
            (inner.waiter.take(), std::mem::take(&mut inner.others))
        };
        // Woken without the lock: a waker may do anything.
        first.into_iter().chain(others).for_each(Waker::wake);
    }

    /// The stage is replaced as a whole, so a panic elsewhere cannot leave half of one.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn wait(&mut self, waker: &Waker) {
        match &self.waiter {
            Some(waiting) if waiting.will_wake(waker) => {}
            None => self.waiter = Some(waker.clone()),
            Some(_) if self.others.iter().any(|waiting| waiting.will_wake(waker)) => {}
            Some(_) => self.others.push(waker.clone()),
        }
    }
}
