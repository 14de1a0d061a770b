//! The process that is killed.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use finale::journal::sqlite::{Durability, SqliteJournal};
use finale::{
    CommandError, ExecutionHandle, ExecutionId, ExecutionStatus, Filter, Runtime, Shards, TaskContext, TaskError,
};

use super::book::Book;
use super::entry::{Entry, Pen};
use super::load::Kind;
use crate::actor::Any;
use crate::dice::Dice;

/// What a child is told.
#[derive(Clone, Debug)]
pub struct Child {
    /// The file of the journal.
    pub journal: PathBuf,
    /// The file of the ledger.
    pub ledger: PathBuf,
    /// Where chance begins.
    pub seed: u64,
    /// The first idempotency key that nobody has used.
    pub first_key: u64,
    /// Whether a power loss may lose what was acknowledged; the death of a process must not.
    pub relaxed: bool,
    /// Whether it activates nothing, and ends when everything has ended.
    pub drains: bool,
}

/// As many executions are under way at once.
const OPEN_MAX: usize = 48;
/// As many bytes of the ledger are read again at the beginning.
const TAIL_BYTES: u64 = 16 << 10;

/// Lives until it is killed, or until everything has ended.
///
/// # Errors
/// When something cannot be opened.
pub fn live(child: &Child) -> Result<(), Box<dyn std::error::Error>> {
    let pen = Arc::new(Pen::new(&child.ledger)?);
    pen.write(&Entry::Life);
    actix::System::new().block_on(async {
        let runtime = start(child, &pen)?;
        let life = Rc::new(Life { runtime, pen, open: Cell::new(0) });
        if child.drains { life.drain(&child.ledger).await } else { life.work(child).await }
    })
}

fn start(child: &Child, pen: &Arc<Pen>) -> Result<Runtime, Box<dyn std::error::Error>> {
    let durability = if child.relaxed { Durability::Relaxed } else { Durability::Full };
    let journal = SqliteJournal::builder(&child.journal).durability(durability).open()?;
    let mut builder = Runtime::builder().shards(Shards::Own(2)).journal(journal);
    for name in Kind::handlers() {
        let pen = Arc::clone(pen);
        builder = builder.handler(name, move |task: TaskContext, _: Any| do_task(task, Arc::clone(&pen)));
    }
    Ok(builder.start()?)
}

async fn do_task(task: TaskContext, pen: Arc<Pen>) -> Result<u16, TaskError> {
    let (id, attempt) = (task.task_id(), task.attempt());
    pen.write(&Entry::Run { task: id, attempt });
    let mut dice = Dice::new(id.execution.as_u128() as u64 ^ u64::from(id.key.node.0) ^ (u64::from(attempt) << 32));
    if dice.one_in(2) {
        tokio::time::sleep(Duration::from_micros(dice.below(3_000) as u64)).await;
    }
    match task.node() {
        "flaky" if dice.one_in(2) => Err(TaskError::new("not today")),
        "slow" if dice.one_in(2) => std::future::pending().await,
        _ => Ok(attempt),
    }
}

/// What a child does besides handlers: it activates, reports, cancels, and waits for ends.
struct Life {
    runtime: Runtime,
    pen: Arc<Pen>,
    /// How many executions it waits for.
    open: Cell<usize>,
}

impl Life {
    async fn work(self: Rc<Self>, child: &Child) -> Result<(), Box<dyn std::error::Error>> {
        self.look_back(&child.ledger).await?;
        actix::spawn(Rc::clone(&self).report());
        let mut dice = Dice::new(child.seed);
        for key in child.first_key.. {
            while self.open.get() >= OPEN_MAX {
                tokio::time::sleep(Duration::from_micros(200)).await;
            }
            let (kind, cancels) = (Kind::ALL[dice.below(Kind::ALL.len())], dice.one_in(12));
            let pause = Duration::from_micros(dice.below(4_000) as u64);
            self.open.set(self.open.get() + 1);
            actix::spawn(Rc::clone(&self).see_through(kind, key, cancels.then_some(pause)));
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// What was acknowledged to the lives before is still there, and is what it was.
    async fn look_back(self: &Rc<Self>, ledger: &Path) -> io::Result<()> {
        let mut acknowledged: Vec<_> = tail(ledger)?.iter().filter_map(activation).collect();
        acknowledged.reverse();
        for (execution, kind, key) in acknowledged.iter().take(OPEN_MAX) {
            match self.runtime.execution(*execution).await {
                Ok(handle) => {
                    self.open.set(self.open.get() + 1);
                    actix::spawn(Rc::clone(self).see_end(handle));
                }
                Err(error) => self.wrong(format!("{execution} was acknowledged and is gone: {error}")),
            }
            if key % 4 == 0 {
                self.repeat(*execution, *kind, *key).await;
            }
        }
        Ok(())
    }

    /// The same activation again gives the same execution.
    async fn repeat(&self, execution: ExecutionId, kind: Kind, key: u64) {
        match self.runtime.activate(&kind.workflow(), key).idempotency_key(key.to_string()).await {
            Ok(again) if again.id() == execution => {}
            Ok(again) => self.wrong(format!("key {key} gave {execution} and then {}", again.id())),
            Err(error) => self.wrong(format!("key {key} was not taken again: {error}")),
        }
    }

    async fn see_through(self: Rc<Self>, kind: Kind, key: u64, cancel_after: Option<Duration>) {
        let activation = self.runtime.activate(&kind.workflow(), key).idempotency_key(key.to_string());
        let handle = match activation.await {
            Ok(handle) => handle,
            Err(error) => return self.wrong(format!("an activation was refused: {error}")),
        };
        let execution = handle.id();
        self.pen.write(&Entry::Activated { execution, kind, key });
        if let Some(pause) = cancel_after {
            tokio::time::sleep(pause).await;
            match handle.cancel("the child").await {
                Ok(receipt) if receipt.status == ExecutionStatus::Cancelled => {
                    self.pen.write(&Entry::Cancelled { execution });
                }
                Ok(_) | Err(CommandError::AlreadyTerminal(_)) => {}
                Err(error) => self.wrong(format!("{execution} could not be cancelled: {error}")),
            }
        }
        self.see_end(handle).await;
    }

    async fn see_end(self: Rc<Self>, handle: ExecutionHandle) {
        let execution = handle.id();
        match handle.outcome().await {
            Ok(outcome) => {
                let (status, completed_at) = (outcome.status().name().to_owned(), outcome.completed_at.as_micros());
                self.pen.write(&Entry::Ended { execution, status, completed_at });
            }
            Err(error) => self.wrong(format!("the outcome of {execution}: {error}")),
        }
        self.open.set(self.open.get() - 1);
    }

    /// Reports on every task that waits for somebody outside.
    async fn report(self: Rc<Self>) {
        loop {
            let open = self.runtime.open_tasks(None, 1_000).await.unwrap_or_default();
            for task in open.tasks {
                if self.runtime.complete_task(task.id, "done").await.is_ok() {
                    self.pen.write(&Entry::Reported { task: task.id });
                }
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Sees everything to its end that was ever acknowledged, and everything else that is under way.
    async fn drain(self: Rc<Self>, ledger: &Path) -> Result<(), Box<dyn std::error::Error>> {
        actix::spawn(Rc::clone(&self).report());
        self.release_all().await?;
        let mut book = Book::default();
        for line in std::fs::read_to_string(ledger)?.lines() {
            // What is wrong with the ledger is said by the parent.
            let _ = line.parse().map(|entry| book.add(entry));
        }
        let acknowledged: Vec<_> = book.unfinished().map(|(execution, _)| *execution).collect();
        for execution in acknowledged {
            match self.runtime.execution(execution).await {
                Ok(handle) => Rc::clone(&self).see_one_end(handle).await,
                Err(error) => self.wrong(format!("{execution} was acknowledged and is gone: {error}")),
            }
        }
        for status in [ExecutionStatus::Running, ExecutionStatus::Ending] {
            while let [summary, ..] =
                &self.runtime.executions(Filter::new().status(status).limit(1)).await?.executions[..]
            {
                let handle = self.runtime.execution(summary.id).await?;
                Rc::clone(&self).see_one_end(handle).await;
            }
        }
        self.runtime.shutdown(Duration::from_secs(10)).await;
        Ok(())
    }

    /// The operator: whatever was at work through many crashes is parked, and may go on now.
    async fn release_all(&self) -> Result<(), Box<dyn std::error::Error>> {
        while self.runtime.health().recovering > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let quarantined = Filter::new().status(ExecutionStatus::Quarantined).limit(1);
        while let [parked, ..] = &self.runtime.executions(quarantined.clone()).await?.executions[..] {
            self.runtime.release_execution(parked.id).await?;
            self.pen.write(&Entry::Released { execution: parked.id });
            while self.runtime.execution(parked.id).await?.status().await? == ExecutionStatus::Quarantined {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    async fn see_one_end(self: Rc<Self>, handle: ExecutionHandle) {
        self.open.set(self.open.get() + 1);
        self.see_end(handle).await;
    }

    fn wrong(&self, what: String) {
        self.pen.write(&Entry::Wrong(what));
    }
}

fn activation(entry: &Entry) -> Option<(ExecutionId, Kind, u64)> {
    match *entry {
        Entry::Activated { execution, kind, key } => Some((execution, kind, key)),
        _ => None,
    }
}

/// The last entries of the ledger.
fn tail(ledger: &Path) -> io::Result<Vec<Entry>> {
    let mut file = File::open(ledger)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    // The first line may be the rest of one.
    Ok(text.lines().skip(usize::from(length > TAIL_BYTES)).filter_map(|line| line.parse().ok()).collect())
}
