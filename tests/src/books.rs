//! Keeps the books over many lives: which handlers began, what was acknowledged, what was seen; and compares.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use finale::{EventKind, ExecutionId, ExecutionStatus, NodeStatus, Outcome, Payload, Record, Runtime, TaskContext};
use finale::{TaskError, TaskId, Workflow};
use finale_core::definition::Verdict;
use finale_core::record::NodeRecordState;
use finale_core::{NodeIndex, WorkKey};

use crate::actor::{Any, Passing};
use crate::dice::Dice;

/// What was said and done; a clone is the same books.
#[derive(Clone, Debug)]
pub struct Books {
    seed: u64,
    entries: Arc<Mutex<Entries>>,
}

#[derive(Debug, Default)]
struct Entries {
    /// Which runtime has the journal, counted from 1.
    life: u32,
    /// Attempts that handlers began.
    begun: BTreeSet<(TaskId, u16)>,
    /// Tasks whose end was shown to somebody.
    settled: BTreeSet<TaskId>,
    /// Acknowledged activations, by their keys.
    activated: BTreeMap<u64, ExecutionId>,
    /// Acknowledged reports.
    reported: Vec<(TaskId, u64)>,
    /// Acknowledged ends: executions and what they were said to have become.
    decreed: Vec<(ExecutionId, ExecutionStatus)>,
    /// Ends that were seen.
    ended: BTreeMap<ExecutionId, Arc<Outcome>>,
    /// What must not have happened.
    wrongs: Vec<String>,
}

impl Books {
    /// Empty books; the seed decides what handlers come to.
    pub fn new(seed: u64) -> Self {
        Self { seed, entries: Arc::default() }
    }

    /// The executions whose activation was acknowledged.
    pub fn acknowledged(&self) -> Vec<ExecutionId> {
        self.lock().activated.values().copied().collect()
    }

    /// Another runtime has the journal from now on; handlers that are made now are its.
    pub fn begin_life(&self) {
        self.lock().life += 1;
    }

    /// A handler that is booked when it begins and comes to something random.
    pub fn handler(&self) -> impl Fn(TaskContext, Any) -> Passing + Send + Sync + 'static {
        let books = self.clone();
        let life = self.lock().life;
        move |task, _| {
            books.lock().begin(life, &task);
            let key = task.task_id().key;
            let mut dice = Dice::new(books.seed ^ (u64::from(key.node.0) << 32) ^ (u64::from(task.attempt()) << 16));
            let (first, pause) = (dice.next(), Duration::from_millis(dice.below(5_000) as u64));
            Box::pin(async move {
                match first % 16 {
                    0 | 1 => return Err(TaskError::new("no luck")),
                    // It works long, and stops when it is told to.
                    2 => drop(tokio::time::timeout(Duration::from_secs(30), task.cancelled()).await),
                    3..=8 => tokio::time::sleep(pause).await,
                    _ => {}
                }
                Ok(task.node().to_owned())
            })
        }
    }

    /// Activates something under a key.
    pub fn activate(&self, runtime: &Runtime, flow: &Workflow, key: u64) {
        let activation = runtime.activate(flow, key).idempotency_key(key.to_string()).start();
        self.book(
            async move { activation.await.ok().map(|execution| execution.id()) },
            move |entries, id| match entries.activated.insert(key, id) {
                Some(before) if before != id => entries.wrongs.push(format!("key {key} is {before} and {id}")),
                _ => {}
            },
        );
    }

    /// Reports on a task.
    pub fn report(&self, runtime: &Runtime, task: TaskId, output: u64) {
        let runtime = runtime.clone();
        self.book(async move { runtime.complete_task(task, output).await.ok() }, move |entries, ()| {
            entries.reported.push((task, output));
            entries.settled.insert(task);
        });
    }

    /// Cancels an execution.
    pub fn cancel(&self, runtime: &Runtime, id: ExecutionId) {
        let runtime = runtime.clone();
        self.book(async move { runtime.cancel_execution(id, "me").await.ok() }, move |entries, receipt| {
            entries.decreed.push((id, receipt.status));
        });
    }

    /// Declares an execution failed.
    pub fn fail(&self, runtime: &Runtime, id: ExecutionId) {
        let runtime = runtime.clone();
        self.book(async move { runtime.fail_execution(id, "me", "so I say").await.ok() }, move |entries, ()| {
            entries.decreed.push((id, ExecutionStatus::Failed));
        });
    }

    /// Gives a verdict, which may not be asked for.
    pub fn verdict(&self, runtime: &Runtime, id: ExecutionId, verdict: Verdict) {
        let runtime = runtime.clone();
        self.book(async move { runtime.give_verdict(id, "v", verdict, "me").await.ok() }, |_, ()| {});
    }

    /// Waits for the end of an execution.
    pub fn watch(&self, runtime: &Runtime, id: ExecutionId) {
        let runtime = runtime.clone();
        let watching = async move { runtime.execution(id).await.ok()?.outcome().await.ok() };
        self.book(watching, move |entries, outcome| entries.see_end(id, &outcome));
    }

    /// Looks at an execution.
    pub fn look(&self, runtime: &Runtime, id: ExecutionId) {
        let runtime = runtime.clone();
        let looking = async move { runtime.execution(id).await.ok()?.snapshot().await.ok() };
        self.book(looking, |entries, record| entries.see(&record));
    }

    /// Compares the end of all stories with what was said before.
    ///
    /// # Panics
    /// When something that was said did not come true.
    pub async fn close(&self, runtime: &Runtime, executions: &[ExecutionId]) {
        for id in executions {
            let execution = runtime.execution(*id).await.expect("it is known");
            let outcome = execution.outcome().await.expect("it has ended");
            let record = execution.snapshot().await.expect("it can be read");
            let mut events = execution.events().await.expect("it can be read");
            let mut told = Vec::new();
            while let Some(event) = events.next().await.expect("everything fits") {
                told.push(event.kind);
            }
            let mut entries = self.lock();
            entries.see_end(*id, &outcome);
            entries.close_one(*id, &outcome, &record, &told);
        }
        let mut entries = self.lock();
        for id in entries.activated.clone().into_values().filter(|id| !executions.contains(id)) {
            entries.wrongs.push(format!("{id} was acknowledged and is gone"));
        }
        assert_eq!(entries.wrongs, Vec::<String>::new());
    }

    fn book<T: 'static>(
        &self,
        act: impl Future<Output = Option<T>> + 'static,
        book: impl FnOnce(&mut Entries, T) + 'static,
    ) {
        let books = self.clone();
        actix::spawn(async move {
            if let Some(came) = act.await {
                book(&mut books.lock(), came);
            }
        });
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn begin(&mut self, life: u32, task: &TaskContext) {
        let (id, attempt) = (task.task_id(), task.attempt());
        // A runtime that lost the journal knows nothing of what the next one saw to its end, until it writes.
        if life == self.life && self.settled.contains(&id) {
            self.wrongs.push(format!("{} {attempt} began after it was seen to be over", task.node()));
        }
        let again = self.begun.range((id, 0)..=(id, u16::MAX)).next().is_some();
        if task.node() == "o" && again {
            self.wrongs.push(format!("{} {attempt} began a second time", task.node()));
        }
        if !self.begun.insert((id, attempt)) {
            self.wrongs.push(format!("{} {attempt} began twice", task.node()));
        }
    }

    fn see(&mut self, record: &Record) {
        for (number, node) in (0..).zip(&record.nodes) {
            if node.state.status().is_settled() {
                self.settled.insert(TaskId { execution: record.id, key: WorkKey::root(NodeIndex(number)) });
            }
        }
    }

    fn see_end(&mut self, id: ExecutionId, outcome: &Arc<Outcome>) {
        match self.ended.insert(id, Arc::clone(outcome)) {
            Some(before) if before != *outcome => {
                self.wrongs.push(format!("{id} ended as {before:?} and as {outcome:?}"));
            }
            _ => {}
        }
    }

    fn close_one(&mut self, id: ExecutionId, outcome: &Outcome, record: &Record, told: &[EventKind]) {
        let status = outcome.status();
        let wrong: Vec<_> = self.decreed.iter().filter(|(of, decreed)| *of == id && *decreed != status).collect();
        let mut wrongs = Vec::new();
        if !wrong.is_empty() {
            wrongs.push(format!("{id} was said to be {wrong:?} and is {status}"));
        }
        for (task, output) in self.reported.iter().filter(|(task, _)| task.execution == id) {
            let state = &record.nodes[task.key.node.as_usize()].state;
            let expected = Payload::encode(output).expect("a number is a payload");
            let kept = matches!(state, NodeRecordState::Completed { output, .. } if *output == expected);
            if !kept {
                wrongs.push(format!("the report {output} on {task} was acknowledged: {state:?}"));
            }
        }
        let ends = told.iter().filter(|event| ended(event)).count();
        if ends != 1 || !record.state.status().is_terminal() {
            wrongs.push(format!("{id} ended {ends} times"));
        }
        for &(task, attempt) in self.begun.iter().filter(|(task, _)| task.execution == id) {
            let node = &record.nodes[task.key.node.as_usize()];
            let outcomes = told.iter().filter(|event| concerns(event, &node.id, attempt)).count();
            // What was closed with the end has no outcome but that.
            let closed = usize::from(node.state.status() == NodeStatus::Cancelled);
            if outcomes > 1 || outcomes + closed < 1 {
                wrongs.push(format!("{} {attempt} of {id} has {outcomes} outcomes", node.id));
            }
        }
        self.wrongs.append(&mut wrongs);
    }
}

fn ended(event: &EventKind) -> bool {
    matches!(event, EventKind::StatusTransitioned { to, .. } if to.is_terminal())
}

fn concerns(event: &EventKind, of: &str, number: u16) -> bool {
    matches!(event, EventKind::Attempted { node, attempt, .. } if node == of && *attempt == number)
}
