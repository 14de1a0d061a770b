//! What the tests of the actors share: a runtime on this thread, under a clock that stands still while anything moves.
//!
//! ```
//! # use finale_tests::actor::{Dummies, for_each_journal, runtime, workflow};
//! #[actix::test]
//! async fn a_chain_completes() {
//!     for_each_journal(async |journal| {
//!         let runtime = runtime(&journal).done("a b").start().unwrap();
//!         let execution = runtime.activate(&workflow("s>a a>b b>e"), ()).await.unwrap();
//!         execution.outcome().await.unwrap();
//!     })
//!     .await;
//! }
//! ```

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use finale::journal::{Acknowledgement, HeldJournal};
use finale::{Builder, FailureClass, Outcome, Runtime, Shards, TaskContext, TaskError, Workflow};
use tokio::sync::Semaphore;

pub use crate::chart::{Chart, chart};

/// How much virtual time a test may take: one that hangs fails instead.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60 * 60);

/// Runs a test with a journal that is durable at once, and with one that says so a moment later.
///
/// Time stands still while anything can move and then jumps to the next moment that somebody waits for.
///
/// # Panics
/// When the test hangs.
pub async fn for_each_journal(test: impl AsyncFn(HeldJournal)) {
    tokio::time::pause();
    for acknowledgement in [Acknowledgement::Immediate, Acknowledgement::Late] {
        within(acknowledgement, PATIENCE, &test).await;
    }
}

/// Runs a test with a journal that acknowledges like that, under a paused clock.
///
/// # Panics
/// When the test hangs.
pub async fn with_journal(acknowledgement: Acknowledgement, test: impl AsyncFn(HeldJournal)) {
    tokio::time::pause();
    within(acknowledgement, PATIENCE, &test).await;
}

/// Like [`for_each_journal`], in real time: a clock that jumps does not wait for threads of a test.
///
/// # Panics
/// When the test hangs.
pub async fn for_each_journal_in_real_time(test: impl AsyncFn(HeldJournal)) {
    for acknowledgement in [Acknowledgement::Immediate, Acknowledgement::Late] {
        within(acknowledgement, Duration::from_secs(60), &test).await;
    }
}

pub(crate) async fn within(acknowledgement: Acknowledgement, patience: Duration, test: &impl AsyncFn(HeldJournal)) {
    let _told = ToldOnPanic(acknowledgement);
    let test = test(HeldJournal::new(acknowledgement));
    tokio::time::timeout(patience, test).await.expect("the test hangs: nothing comes any more");
}

/// Says under which acknowledgement a test failed.
struct ToldOnPanic(Acknowledgement);

impl Drop for ToldOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with Acknowledgement::{:?}", self.0);
        }
    }
}

/// Lets everything happen that can happen without waiting for a moment; for tests under a paused clock.
pub async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// A runtime in the making, on this thread and with this journal.
pub fn runtime(journal: &HeldJournal) -> Builder {
    Runtime::builder().shards(Shards::Current).journal(journal.clone())
}

/// A workflow in one line; see [`chart`] for the words.
///
/// # Panics
/// When the definition does not compile.
pub fn workflow(edges: &str) -> Workflow {
    chart(edges).workflow()
}

impl Chart {
    /// The definition, compiled.
    ///
    /// # Panics
    /// When it does not compile.
    pub fn workflow(self) -> Workflow {
        Workflow::new(self.definition()).expect("the chart is a sound definition")
    }
}

/// Runs a workflow to its end.
///
/// # Panics
/// When it is not activated, or the runtime stops first.
pub async fn outcome_of(runtime: &Runtime, workflow: &Workflow) -> Arc<Outcome> {
    let execution = runtime.activate(workflow, ()).await.expect("it is activated");
    execution.outcome().await.expect("it ends before the runtime")
}

/// The class and the reason of the only failure of an execution.
///
/// # Panics
/// When it has none, or more than one.
pub fn only_failure(outcome: &Arc<Outcome>) -> (FailureClass, String) {
    match outcome.error().expect("the execution failed").failures() {
        [failure] => (failure.class, failure.reason.clone()),
        failures => panic!("one failure was expected: {failures:?}"),
    }
}

/// Handlers that many tests need; each takes names separated by blanks.
pub trait Dummies {
    /// Handlers that are done at once and give back the id of their node.
    #[must_use]
    fn done(self, names: &str) -> Self;

    /// Handlers that fail at once, for the reason that it is `broken`.
    #[must_use]
    fn failing(self, names: &str) -> Self;

    /// Handlers that are never done and do not hear that they are to stop.
    #[must_use]
    fn never(self, names: &str) -> Self;

    /// Handlers that go through a gate.
    #[must_use]
    fn gated(self, names: &str, gate: &Gate) -> Self;
}

impl Dummies for Builder {
    fn done(self, names: &str) -> Self {
        let done = async |task: TaskContext| Ok::<_, TaskError>(task.node().to_owned());
        names.split_whitespace().fold(self, |builder, name| builder.handler(name, move |task, _: Any| done(task)))
    }

    fn failing(self, names: &str) -> Self {
        let failing = async |_: TaskContext, _: Any| Err::<(), _>(TaskError::new("broken"));
        names.split_whitespace().fold(self, |builder, name| builder.handler(name, failing))
    }

    fn never(self, names: &str) -> Self {
        let never = async |_: TaskContext, _: Any| std::future::pending::<Result<(), TaskError>>().await;
        names.split_whitespace().fold(self, |builder, name| builder.handler(name, never))
    }

    fn gated(self, names: &str, gate: &Gate) -> Self {
        names.split_whitespace().fold(self, |builder, name| builder.handler(name, gate.handler()))
    }
}

/// An input that the handler does not look at.
pub type Any = finale::Payload;

/// Holds handlers back until the test lets them through, and counts them. A clone is the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    places: Semaphore,
    begun: AtomicUsize,
    inside: AtomicUsize,
    inside_max: AtomicUsize,
}

impl Default for Gate {
    fn default() -> Self {
        Self::closed()
    }
}

impl Gate {
    /// A gate that nobody gets through.
    pub fn closed() -> Self {
        let (begun, inside, inside_max) = Default::default();
        Self(Arc::new(Inner { places: Semaphore::new(0), begun, inside, inside_max }))
    }

    /// Lets that many handlers through.
    pub fn let_through(&self, handlers: usize) {
        self.0.places.add_permits(handlers);
    }

    /// Lets everybody through from now on.
    pub fn open(&self) {
        self.0.places.close();
    }

    /// How many handlers came here, ever.
    pub fn begun(&self) -> usize {
        self.0.begun.load(Ordering::SeqCst)
    }

    /// How many wait here now; those that were dropped do not.
    pub fn inside(&self) -> usize {
        self.0.inside.load(Ordering::SeqCst)
    }

    /// How many waited here at once, at most.
    pub fn inside_max(&self) -> usize {
        self.0.inside_max.load(Ordering::SeqCst)
    }

    /// Comes in, waits until it is let through, and leaves.
    pub async fn pass(&self) {
        let _inside = self.enter();
        // An error says that the gate is open for good.
        self.0.places.acquire().await.into_iter().for_each(tokio::sync::SemaphorePermit::forget);
    }

    /// A handler that passes and gives back the id of its node.
    pub fn handler(&self) -> impl Fn(TaskContext, Any) -> Passing + Send + Sync + 'static {
        let gate = self.clone();
        move |task, _| {
            let gate = gate.clone();
            Box::pin(async move {
                gate.pass().await;
                Ok(task.node().to_owned())
            })
        }
    }

    /// Comes in; leaves when what this gives is dropped.
    pub fn enter(&self) -> Inside {
        self.0.begun.fetch_add(1, Ordering::SeqCst);
        let inside = self.0.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.inside_max.fetch_max(inside, Ordering::SeqCst);
        Inside(Arc::clone(&self.0))
    }
}

/// A handler on its way through a gate.
pub type Passing = std::pin::Pin<Box<dyn Future<Output = Result<String, TaskError>>>>;

/// Somebody who came in through a gate.
#[derive(Debug)]
pub struct Inside(Arc<Inner>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::SeqCst);
    }
}
