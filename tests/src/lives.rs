//! Several runtimes one after the other on one journal, as an application is started again and again.
//!
//! ```
//! # use finale_tests::actor::{Dummies, Gate, settle, workflow};
//! # use finale_tests::lives::{for_each_restart, outcome};
//! #[actix::test]
//! async fn what_was_at_work_is_run_again() {
//!     for_each_restart(async |lives, how| {
//!         let first = lives.next().never("a").start().unwrap();
//!         let id = first.activate(&workflow("s>a a>e"), ()).await.unwrap().id();
//!         settle().await;
//!         let second = lives.restart(&first, how).await.done("a").start().unwrap();
//!         assert_eq!(outcome(&second, id).await.output::<String>().unwrap(), "a");
//!     })
//!     .await;
//! }
//! ```

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use finale::journal::{Acknowledgement, HeldJournal};
use finale::{Builder, ExecutionId, Faults, Outcome, Runtime, TaskContext, TaskId};
use tokio::time::Instant;

use crate::actor::{Any, Gate, PATIENCE, Passing, for_each_journal, runtime, with_journal, within};

/// Starts one runtime after the other on the same journal, with clocks that go on from one to the next.
#[derive(Clone, Debug)]
pub struct Lives {
    /// Where they all keep what happens.
    pub journal: HeldJournal,
    began: Instant,
    wall: i64,
}

/// How a life comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// What was not acknowledged is gone. The old runtime does not know; what its handlers come to is refused.
    Crash,
    /// In order.
    Shutdown,
}

impl Lives {
    /// Lives on that journal.
    pub fn new(journal: &HeldJournal) -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { journal: journal.clone(), began: Instant::now(), wall: wall.as_micros() as i64 }
    }

    /// A runtime in the making that takes the journal over.
    pub fn next(&self) -> Builder {
        runtime(&self.journal).faults(self.faults())
    }

    /// Faults for a runtime that is started at this moment.
    pub fn faults(&self) -> Arc<Faults> {
        let faults = Arc::<Faults>::default();
        faults.wall_clock.store(self.wall + self.began.elapsed().as_micros() as i64, Ordering::Relaxed);
        faults
    }

    /// The next runtime, after a crash.
    pub fn crash(&self) -> Builder {
        self.journal.crash();
        self.next()
    }

    /// The next runtime, after this one has come to its end like that.
    pub async fn restart(&self, runtime: &Runtime, how: End) -> Builder {
        match how {
            End::Crash => self.crash(),
            End::Shutdown => {
                runtime.shutdown(Duration::from_millis(10)).await;
                self.next()
            }
        }
    }
}

/// Runs a test with each way a life can end, and each acknowledgement.
///
/// # Panics
/// When the test hangs.
pub async fn for_each_restart(test: impl AsyncFn(Lives, End)) {
    tokio::time::pause();
    for how in [End::Crash, End::Shutdown] {
        for acknowledgement in [Acknowledgement::Immediate, Acknowledgement::Late] {
            within(acknowledgement, PATIENCE, &async |journal| test(Lives::new(&journal), how).await).await;
        }
    }
}

/// Runs a test with each acknowledgement.
///
/// # Panics
/// When the test hangs.
pub async fn for_each_life(test: impl AsyncFn(Lives)) {
    for_each_journal(async |journal| test(Lives::new(&journal)).await).await;
}

/// Runs a test with a journal that acknowledges when it is told to.
///
/// # Panics
/// When the test hangs.
pub async fn with_held_life(test: impl AsyncFn(Lives)) {
    with_journal(Acknowledgement::Held, async |journal| test(Lives::new(&journal)).await).await;
}

/// Waits for the end of an execution that was begun in any life.
///
/// # Panics
/// When it is unknown, or the runtime stops first.
pub async fn outcome(runtime: &Runtime, execution: ExecutionId) -> Arc<Outcome> {
    let execution = runtime.execution(execution).await.expect("the execution is known");
    execution.outcome().await.expect("it ends before the runtime")
}

/// Notes which handlers were run; a clone is the same diary.
#[derive(Clone, Debug, Default)]
pub struct Diary(Arc<Mutex<Vec<Run>>>);

/// One run of a handler.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Which task.
    pub task: TaskId,
    /// Id of its node.
    pub node: String,
    /// Which attempt.
    pub attempt: u16,
    /// When it began.
    pub began: Instant,
}

impl Diary {
    /// Notes that a handler was run.
    pub fn note(&self, task: &TaskContext) {
        let (node, attempt) = (task.node().to_owned(), task.attempt());
        let run = Run { task: task.task_id(), node, attempt, began: Instant::now() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(run);
    }

    /// All runs, in their order.
    pub fn runs(&self) -> Vec<Run> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Nodes and attempts, in their order.
    pub fn told(&self) -> Vec<String> {
        self.runs().iter().map(|run| format!("{} {}", run.node, run.attempt)).collect()
    }

    /// Which attempts at a node there were.
    pub fn attempts(&self, node: &str) -> Vec<u16> {
        self.runs().iter().filter(|run| run.node == node).map(|run| run.attempt).collect()
    }

    /// A handler that is noted, passes a gate, and gives back the id of its node.
    pub fn handler(&self, gate: &Gate) -> impl Fn(TaskContext, Any) -> Passing + Send + Sync + 'static {
        let (diary, pass) = (self.clone(), gate.handler());
        move |task, input| {
            diary.note(&task);
            pass(task, input)
        }
    }
}

/// Handlers whose runs are noted; they take names separated by blanks.
pub trait Noted {
    /// Handlers that are noted and done at once.
    #[must_use]
    fn noted(self, names: &str, diary: &Diary) -> Self;

    /// Handlers that are noted and go through a gate.
    #[must_use]
    fn noted_at(self, names: &str, diary: &Diary, gate: &Gate) -> Self;
}

impl Noted for Builder {
    fn noted(self, names: &str, diary: &Diary) -> Self {
        let gate = Gate::closed();
        gate.open();
        self.noted_at(names, diary, &gate)
    }

    fn noted_at(self, names: &str, diary: &Diary, gate: &Gate) -> Self {
        names.split_whitespace().fold(self, |builder, name| builder.handler(name, diary.handler(gate)))
    }
}
