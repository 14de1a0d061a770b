//! What a handle waits on: first the acknowledgement of an activation, then the outcome.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use finale_core::{ExecutionId, ExecutionStatus, Outcome};

use crate::activation::ActivateError;
use crate::fence::fenced;
use crate::telemetry::TARGET;

/// Shared between one execution on its shard and everybody who waits for it, on whatever thread.
///
/// What is said with every turn is apart from what is waited for, so that it takes no lock.
#[derive(Debug, Default)]
pub(crate) struct Completion {
    waited_for: Mutex<Inner>,
    /// Where the execution is, as long as it has not ended.
    published: AtomicU8,
    /// How many facts are durable, as was last said.
    durable: AtomicU64,
    /// Whether the execution is in the directory of the runtime.
    listed: AtomicBool,
}

#[derive(Debug, Default)]
struct Inner {
    stage: Stage,
    waiters: Waiters,
}

/// The statuses that are published, by their numbers; what else an execution can be is a stage.
const PUBLISHED: [ExecutionStatus; 3] =
    [ExecutionStatus::Running, ExecutionStatus::Ending, ExecutionStatus::Quarantined];
const RUNNING: u8 = 0;
const ENDING: u8 = 1;
const QUARANTINED: u8 = 2;

/// The wakers of the futures that wait. Each future has one entry at most and takes it along when it is dropped, so that
/// long polling with a timeout leaves nothing behind.
#[derive(Debug, Default)]
struct Waiters {
    /// The usual case is one waiter; only further ones are worth an allocation.
    first: Option<(Ticket, Waker)>,
    others: BTreeMap<Ticket, Waker>,
    /// The number of the last ticket.
    last: Ticket,
}

/// Names the entry of one future, in the order in which they were made.
type Ticket = u64;

#[derive(Clone, Debug, Default)]
enum Stage {
    #[default]
    Pending,
    Acknowledged(ExecutionId),
    /// The activation was a repetition: this is the execution it repeats.
    Repeated(Arc<Completion>),
    Refused(Box<ActivateError>),
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
    /// Waits until the activation is acknowledged or refused.
    pub(crate) async fn acknowledged(self: Arc<Self>) -> Acknowledged {
        let mut asked = self;
        loop {
            let acknowledged = asked.wait(|stage| asked.acknowledgement(stage)).await;
            match acknowledged {
                Answered::First(acknowledged) => return acknowledged,
                Answered::Repetition(of) => asked = of,
            }
        }
    }

    /// Waits until the execution has ended.
    pub(crate) async fn outcome(&self) -> Result<Arc<Outcome>, Abandoned> {
        self.wait(|stage| match stage {
            Stage::Ended(_, outcome) => Some(Ok(Arc::clone(outcome))),
            Stage::Abandoned(_) | Stage::Refused(_) => Some(Err(Abandoned)),
            Stage::Pending | Stage::Acknowledged(_) | Stage::Repeated(_) => None,
        })
        .await
    }

    /// Where the execution is, durably; none if nobody will tell any more.
    pub(crate) fn status(&self) -> Option<ExecutionStatus> {
        let inner = self.lock();
        match &inner.stage {
            Stage::Ended(_, outcome) => Some(outcome.status()),
            Stage::Pending => Some(ExecutionStatus::Pending),
            Stage::Acknowledged(_) => Some(self.published()),
            Stage::Repeated(of) => {
                let of = Arc::clone(of);
                drop(inner);
                of.status()
            }
            Stage::Refused(_) | Stage::Abandoned(_) => None,
        }
    }

    /// Says where the execution is. That it has ended is said by [`end`](Self::end).
    pub(crate) fn publish(&self, status: ExecutionStatus, durable: u64) {
        let published = if status == ExecutionStatus::Ending { ENDING } else { RUNNING };
        self.durable.store(durable, Ordering::Release);
        self.published.store(published, Ordering::Release);
    }

    /// Says that the execution is quarantined, or is not any more.
    pub(crate) fn quarantine(&self, quarantined: bool) {
        self.published.store(if quarantined { QUARANTINED } else { RUNNING }, Ordering::Release);
    }

    /// Where the execution was last, durably, and with how many facts; also when nobody will tell any more.
    pub(crate) fn last(&self) -> (ExecutionStatus, u64) {
        (self.published(), self.durable.load(Ordering::Acquire))
    }

    fn published(&self) -> ExecutionStatus {
        PUBLISHED[usize::from(self.published.load(Ordering::Acquire))]
    }

    /// Notes that the execution is in the directory; gives whether it was before.
    pub(crate) fn list(&self) -> bool {
        self.listed.swap(true, Ordering::AcqRel)
    }

    /// Whether the execution is in the directory.
    pub(crate) fn is_listed(&self) -> bool {
        self.listed.load(Ordering::Acquire)
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&self) -> Option<Arc<Outcome>> {
        match &self.lock().stage {
            Stage::Ended(_, outcome) => Some(Arc::clone(outcome)),
            _ => None,
        }
    }

    /// Says that the activation is durable.
    pub(crate) fn acknowledge(&self, execution: ExecutionId) {
        self.advance(Stage::Acknowledged(execution));
    }

    /// Says that the activation repeats another one.
    pub(crate) fn repeat(&self, of: Arc<Self>) {
        self.advance(Stage::Repeated(of));
    }

    /// Says that nothing was activated.
    pub(crate) fn refuse(&self, error: ActivateError) {
        self.advance(Stage::Refused(Box::new(error)));
    }

    /// Says that the execution has ended.
    pub(crate) fn end(&self, execution: ExecutionId, outcome: Arc<Outcome>) {
        self.advance(Stage::Ended(execution, outcome));
    }

    /// Says that nobody will tell how it ends, unless that was told already.
    pub(crate) fn abandon(&self) {
        let stage = match &self.lock().stage {
            Stage::Pending => Stage::Abandoned(None),
            Stage::Acknowledged(execution) => Stage::Abandoned(Some(*execution)),
            Stage::Repeated(_) | Stage::Refused(_) | Stage::Ended(..) | Stage::Abandoned(_) => return,
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
            Stage::Refused(error) => Some(Answered::First(Err((**error).clone()))),
            Stage::Abandoned(None) => Some(Answered::First(Err(ActivateError::Stopped))),
        }
    }

    fn wait<F: Fn(&Stage) -> Option<T>, T>(&self, ready: F) -> Wait<'_, F> {
        Wait { completion: self, ready, ticket: None }
    }

    fn advance(&self, stage: Stage) {
        let (stage_before, (first, others)) = {
            let mut inner = self.lock();
            (std::mem::replace(&mut inner.stage, stage), inner.waiters.take())
        };
        drop(stage_before);
        // Woken without the lock, each in a fence: a waker is code of the user and may do anything.
        first.into_iter().for_each(wake);
        if let Some(others) = others {
            others.into_values().for_each(wake);
        }
    }

    /// A panic elsewhere leaves what is locked here whole: nothing of the user's is called with the lock.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.waited_for.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn wake(waker: Waker) {
    if let Err(panicked) = fenced(|| waker.wake()) {
        tracing::warn!(target: TARGET, reason = %panicked.reason, "a waker of somebody who waits panicked");
    }
}

/// Waits until the stage is one that gives a value.
struct Wait<'a, F> {
    completion: &'a Completion,
    ready: F,
    ticket: Option<Ticket>,
}

impl<F: Fn(&Stage) -> Option<T> + Unpin, T> Future for Wait<'_, F> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        // Cloned before the lock is taken: that is code of the user.
        let waker = context.waker().clone();
        let mut inner = self.completion.lock();
        match (self.ready)(&inner.stage) {
            Some(value) => Poll::Ready(value),
            None => {
                let (ticket, replaced) = inner.waiters.put(self.ticket, waker);
                drop(inner);
                drop(replaced);
                self.ticket = Some(ticket);
                Poll::Pending
            }
        }
    }
}

impl<F> Drop for Wait<'_, F> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let removed = self.completion.lock().waiters.remove(ticket);
            drop(removed);
        }
    }
}

impl Waiters {
    /// Puts a waker into the entry of a future; gives the ticket of the entry and what was in it.
    fn put(&mut self, ticket: Option<Ticket>, waker: Waker) -> (Ticket, Option<Waker>) {
        if let Some((ticket, entry)) = ticket.and_then(|ticket| Some((ticket, self.entry(ticket)?))) {
            return (ticket, Some(std::mem::replace(entry, waker)));
        }
        self.last += 1;
        match &self.first {
            None => self.first = Some((self.last, waker)),
            Some(_) => drop(self.others.insert(self.last, waker)),
        }
        (self.last, None)
    }

    fn entry(&mut self, ticket: Ticket) -> Option<&mut Waker> {
        match &mut self.first {
            Some((first, waker)) if *first == ticket => Some(waker),
            _ => self.others.get_mut(&ticket),
        }
    }

    fn remove(&mut self, ticket: Ticket) -> Option<Waker> {
        match &self.first {
            Some((first, _)) if *first == ticket => self.first.take().map(|(_, waker)| waker),
            _ => self.others.remove(&ticket),
        }
    }

    /// The first one, and the others if there are some.
    fn take(&mut self) -> (Option<Waker>, Option<BTreeMap<Ticket, Waker>>) {
        let others = (!self.others.is_empty()).then(|| std::mem::take(&mut self.others));
        (self.first.take().map(|(_, waker)| waker), others)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Wake;

    use super::*;

    fn poll(wait: Pin<&mut impl Future>) -> bool {
        wait.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    fn waiting(completion: &Completion) -> usize {
        let inner = completion.lock();
        usize::from(inner.waiters.first.is_some()) + inner.waiters.others.len()
    }

    #[test]
    fn who_stops_to_wait_leaves_nothing_behind() {
        let completion = Completion::default();
        let mut patient = Box::pin(completion.outcome());
        assert!(!poll(patient.as_mut()));
        for _ in 0..1_000 {
            let mut abandoned = Box::pin(completion.outcome());
            assert!(!poll(abandoned.as_mut()));
            assert!(!poll(abandoned.as_mut()));
            assert_eq!(waiting(&completion), 2);
        }
        assert_eq!(waiting(&completion), 1);
        completion.abandon();
        assert!(poll(patient.as_mut()));
    }

    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker of the user");
        }
    }

    #[test]
    fn a_waker_that_panics_does_not_keep_the_others_from_being_woken() {
        let completion = Completion::default();
        let mut panics = Box::pin(completion.outcome());
        assert!(panics.as_mut().poll(&mut Context::from_waker(&Arc::new(Panics).into())).is_pending());
        let mut other = Box::pin(completion.outcome());
        let counter = Arc::new(Counts::default());
        assert!(other.as_mut().poll(&mut Context::from_waker(&Arc::clone(&counter).into())).is_pending());
        completion.abandon();
        assert_eq!(counter.0.load(Ordering::Relaxed), 1);
    }

    #[derive(Default)]
    struct Counts(std::sync::atomic::AtomicU32);

    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}
