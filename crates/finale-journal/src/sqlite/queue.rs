//! What waits to become durable.
//!
//! Shards put their writes into one batch under a short lock; the committer swaps the batch out whole. So a commit never
//! holds up a shard, and everything that came in meanwhile becomes durable together.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use finale_core::{DefinitionHash, ExecutionId};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::{Epoch, JournalError, Listener, Position};

use super::batch::{Batch, Change, Pending, Span, Step, Ticket};
use super::watermark::WriterEnd;

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// Told when something waits that the committer may not know of.
    work: Condvar,
    waiting_bytes: AtomicUsize,
    /// The claim whose writers are let in; 0 if there is none. What is refused is refused before anything else.
    open_to: AtomicU32,
}

/// Where the numbers of a journal go on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) number: i64,
    pub(super) definition: i64,
}

#[derive(Debug)]
struct State {
    batch: Batch,
    in_flight: Option<InFlight>,
    /// Whose writers are let in: those of the newest claim, from the moment that it is asked for.
    epoch: Epoch,
    /// Whether that claim was made here.
    claimed: bool,
    failed: Option<JournalError>,
    closing: bool,
    last: Counts,
    definitions: FxHashMap<DefinitionHash, i64>,
    writers: Vec<Arc<WriterEnd>>,
}

/// What the committer has taken.
#[derive(Clone, Debug)]
struct InFlight {
    batch: Arc<Batch>,
    /// How many of its steps are durable: they are found in the database.
    durable: usize,
}

/// What the committer finds when it looks.
pub(super) enum Taken {
    /// Something to write.
    Work(Arc<Batch>),
    /// Nothing came for a while.
    Idle,
    /// Nothing, and nothing will come.
    Closed,
}

impl Queue {
    pub(super) fn new(epoch: Epoch, last: Counts, definitions: FxHashMap<DefinitionHash, i64>) -> Self {
        let state = State {
            batch: Batch::default(),
            in_flight: None,
            epoch,
            claimed: false,
            failed: None,
            closing: false,
            last,
            definitions,
            writers: Vec::new(),
        };
        Self {
            state: Mutex::new(state),
            work: Condvar::new(),
            waiting_bytes: AtomicUsize::new(0),
            open_to: AtomicU32::new(0),
        }
    }

    /// Lets a writer put something in, all of it or nothing: it becomes durable together.
    pub(super) fn enter(&self, epoch: Epoch, ticket: Ticket) -> Result<Entrance<'_>, JournalError> {
        let state = self.state();
        state.check(epoch)?;
        let was_empty = state.batch.steps.is_empty();
        Ok(Entrance { queue: self, state, was_empty, ticket, bytes: 0 })
    }

    /// Whether a writer of that claim is let in.
    pub(super) fn check(&self, epoch: Epoch) -> Result<(), JournalError> {
        if self.open_to.load(Ordering::Acquire) == epoch.0 { Ok(()) } else { self.state().check(epoch) }
    }

    /// Puts in a claim. From now on no other writer is let in than those of that claim.
    pub(super) fn claim(&self, claim: Change) -> Result<(), JournalError> {
        let mut state = self.state();
        state.epoch = Epoch(state.epoch.0.checked_add(1).ok_or_else(|| super::trouble::failed("no claims are left"))?);
        state.claimed = true;
        self.open_to.store(state.epoch.0, Ordering::Release);
        self.control(state, claim)
    }

    /// The claim that was made is that one. It differs from what was expected if somebody else had the database.
    pub(super) fn claimed(&self, epoch: Epoch) {
        let mut state = self.state();
        state.epoch = state.epoch.max(epoch);
        self.open_to.store(state.epoch.0, Ordering::Release);
        // Everything that the writers before it had put in is written, and they put in nothing more.
        state.writers.clear();
    }

    /// Puts in something that nobody is given a position for.
    pub(super) fn put(&self, change: Change) -> Result<(), JournalError> {
        self.control(self.state(), change)
    }

    fn control(&self, mut state: MutexGuard<'_, State>, change: Change) -> Result<(), JournalError> {
        if let Some(error) = &state.failed {
            return Err(error.clone());
        }
        state.batch.steps.push(Step { ticket: None, change, more: false });
        drop(state);
        self.work.notify_one();
        Ok(())
    }

    /// Lets a writer of that claim in.
    pub(super) fn register(&self, epoch: Epoch, listener: Listener) -> Result<Arc<WriterEnd>, JournalError> {
        let mut state = self.state();
        state.check(epoch)?;
        let end = Arc::new(WriterEnd::new(state.writers.len(), epoch, listener));
        state.writers.push(Arc::clone(&end));
        Ok(end)
    }

    pub(super) fn writer(&self, slot: usize) -> Option<Arc<WriterEnd>> {
        self.state().writers.get(slot).cloned()
    }

    /// What is appended to an execution and not durable yet, in order.
    pub(super) fn pending(&self, execution: ExecutionId) -> Vec<Pending> {
        let state = self.state();
        // What is in flight came first. It is copied without the lock: it does not change any more.
        let in_flight = state.in_flight.clone();
        let waiting = state.batch.pending(execution, 0);
        drop(state);
        let mut pending = in_flight.map(|taken| taken.batch.pending(execution, taken.durable)).unwrap_or_default();
        pending.extend(waiting);
        pending
    }

    /// The same of several executions, by their ids.
    pub(super) fn pending_of(&self, executions: &[ExecutionId]) -> FxHashMap<ExecutionId, Vec<Pending>> {
        let wanted: FxHashSet<_> = executions.iter().copied().collect();
        let mut found = FxHashMap::default();
        let state = self.state();
        let in_flight = state.in_flight.clone();
        let mut waiting = FxHashMap::default();
        state.batch.pending_of(&wanted, 0, &mut waiting);
        drop(state);
        if let Some(taken) = in_flight {
            taken.batch.pending_of(&wanted, taken.durable, &mut found);
        }
        for (execution, more) in waiting {
            found.entry(execution).or_default().extend(more);
        }
        found
    }

    pub(super) fn waiting_bytes(&self) -> usize {
        self.waiting_bytes.load(Ordering::Relaxed)
    }

    /// Takes everything that waits; waits for something to come if nothing does.
    pub(super) fn take(&self, spare: &mut Batch, wait: Duration) -> Taken {
        let mut state = self.state();
        while state.batch.steps.is_empty() {
            if state.closing {
                return Taken::Closed;
            }
            let (next, waited) = self.work.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner);
            state = next;
            if waited.timed_out() && state.batch.steps.is_empty() && !state.closing {
                return Taken::Idle;
            }
        }
        let batch = Arc::new(std::mem::replace(&mut state.batch, std::mem::take(spare)));
        state.in_flight = Some(InFlight { batch: Arc::clone(&batch), durable: 0 });
        Taken::Work(batch)
    }

    /// Of what was taken, that many steps are durable, and with them that many bytes more.
    pub(super) fn settled(&self, steps: usize, bytes: usize) {
        if let Some(in_flight) = &mut self.state().in_flight {
            in_flight.durable = steps;
        }
        self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// All that was taken is durable: readers find it in the database. Gives back the room that it took.
    pub(super) fn finished(&self, batch: Arc<Batch>) -> Batch {
        self.state().in_flight = None;
        let mut spare = Arc::try_unwrap(batch).unwrap_or_default();
        spare.clear();
        spare
    }

    /// Takes nothing more, and drops what waits. Who wrote it is to be told, once.
    pub(super) fn fail(&self, error: &JournalError) -> Vec<Arc<WriterEnd>> {
        let mut state = self.state();
        if state.failed.is_some() {
            return Vec::new();
        }
        state.failed = Some(error.clone());
        self.open_to.store(0, Ordering::Release);
        state.batch = Batch::default();
        state.in_flight = None;
        self.waiting_bytes.store(0, Ordering::Relaxed);
        let newest = state.epoch;
        state.writers.drain(..).filter(|writer| writer.epoch == newest).collect()
    }

    pub(super) fn health(&self) -> Result<(), JournalError> {
        self.state().failed.clone().map_or(Ok(()), Err)
    }

    /// No handle is left: what waits is still written.
    pub(super) fn close(&self) {
        self.state().closing = true;
        self.work.notify_one();
    }

    /// Waits until no handle is left.
    pub(super) fn wait_for_close(&self) {
        let open = |state: &mut State| !state.closing;
        drop(self.work.wait_while(self.state(), open).unwrap_or_else(PoisonError::into_inner));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check(&self, epoch: Epoch) -> Result<(), JournalError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if self.claimed && epoch == self.epoch {
            return Ok(());
        }
        Err(JournalError::Fenced { epoch, current: self.epoch })
    }
}

/// A writer that puts something in; it is in when this is closed.
#[must_use]
pub(super) struct Entrance<'a> {
    queue: &'a Queue,
    state: MutexGuard<'a, State>,
    was_empty: bool,
    ticket: Ticket,
    bytes: usize,
}

impl Entrance<'_> {
    pub(super) fn next_number(&mut self) -> i64 {
        self.state.last.number += 1;
        self.state.last.number
    }

    /// The number of a definition, and whether it is a new one.
    pub(super) fn definition(&mut self, hash: DefinitionHash) -> (i64, bool) {
        let state = &mut *self.state;
        let next = state.last.definition + 1;
        let number = *state.definitions.entry(hash).or_insert(next);
        state.last.definition = state.last.definition.max(number);
        (number, number == next)
    }

    pub(super) fn keep(&mut self, bytes: &[u8]) -> Span {
        self.state.batch.keep(bytes)
    }

    pub(super) fn keep_text(&mut self, text: Option<&str>) -> Option<Span> {
        text.map(|text| self.keep(text.as_bytes()))
    }

    pub(super) fn put(&mut self, change: Change) {
        let step = Step { ticket: Some(self.ticket), change, more: true };
        self.bytes += step.bytes();
        self.state.batch.steps.push(step);
    }

    /// Everything is in; gives its position.
    pub(super) fn close(mut self) -> Position {
        if let Some(last) = self.state.batch.steps.last_mut() {
            last.more = false;
        }
        self.queue.waiting_bytes.fetch_add(self.bytes, Ordering::Relaxed);
        let (was_empty, queue, position) = (self.was_empty, self.queue, self.ticket.position);
        drop(self);
        // The committer takes everything that is there: it needs to be told of the first alone.
        if was_empty {
            queue.work.notify_one();
        }
        position
    }
}
