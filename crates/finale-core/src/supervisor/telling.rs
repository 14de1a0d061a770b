//! Tells the handlers of the runtime how executions ended: each end at least once, also after a crash.
//!
//! The end itself says in the journal that somebody has still to be told of it. That mark goes when every handler has taken
//! the end, so a crash in between only tells it again. Ends that are not in memory are found by their marks, a page at a
//! time: those that an earlier runtime left, and those that were left out here because too many waited.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::Supervisor;
use super::ids::shard_of;
use super::message::{EndTold, KnownEnd, NotTold, ReadNo, TellEnd};
use super::outbox::{Notice, Outbox, ReadWhat, WriteWhat};
use super::reads::Purpose;
use super::writes::AfterWrite;
use crate::id::ExecutionId;
use crate::number::DefinitionNo;
use crate::time::Time;

/// How many ends are being told at once: a slow handler holds up few others.
const RUNNING_MAX: usize = 16;
/// How many of them may be told again: those that fail again and again leave room for others.
const RETRYING_MAX: usize = RUNNING_MAX / 2;
/// How many ends wait in memory for their turn. More of them are found in the journal later.
const READY_MAX: usize = 1_024;
/// How many ends wait to be told again. While there are so many, no further one is told for the first time.
const FAILING_MAX: usize = 10_000;
/// How many are found in the journal at a time.
const PAGE_MAX: usize = 256;
/// How long handlers may take over one end before they have failed.
const TIME_MAX: Duration = Duration::from_secs(60);
/// When an end is told again after the first failure; twice as late after each further one,
const BACKOFF_MIN: Duration = Duration::from_secs(1);
/// up to this.
const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// When the journal is read again that could not be read.
const READ_AGAIN: Duration = Duration::from_secs(10);

/// The ends that are to be told.
#[derive(Debug)]
pub(super) struct Telling {
    /// How many handlers are told of each end; 0 if nobody is.
    handlers: u16,
    ends: BTreeMap<ExecutionId, Untold>,
    /// Those that were not told yet, in their order.
    ready: VecDeque<ExecutionId>,
    /// Those that handlers have failed over, by when they are told again.
    failing: BTreeSet<(Time, ExecutionId)>,
    running: usize,
    /// How many of the running ones are told again.
    retrying: usize,
    /// Those that were told, to be written.
    told: Vec<ExecutionId>,
    /// Whether it is being written that some were told.
    writing: bool,
    /// Those of which that is durable, kept as long as a page that was read before may name them.
    settled: Vec<ExecutionId>,
    search: Search,
    /// Whether some were left out: they are searched for from the beginning.
    left_out: bool,
}

/// An end that is known here.
#[derive(Debug)]
struct Untold {
    /// None if it is to be read from the journal.
    known: Option<KnownEnd>,
    handlers: Vec<u16>,
    failures: u32,
    is_running: bool,
}

/// The search for ends in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    Over,
    /// It goes on after that execution, not before that time.
    Due(Option<ExecutionId>, Time),
    Reading(Option<ExecutionId>),
}

impl Telling {
    pub(super) fn new(handlers: u16) -> Self {
        Self {
            handlers,
            ends: BTreeMap::new(),
            ready: VecDeque::new(),
            failing: BTreeSet::new(),
            running: 0,
            retrying: 0,
            told: Vec::new(),
            writing: false,
            settled: Vec::new(),
            search: Search::Over,
            left_out: false,
        }
    }

    /// Whether anybody is told of ends.
    pub(super) const fn is_wanted(&self) -> bool {
        self.handlers > 0
    }

    /// Whether there is nothing left to tell, to search for or to note.
    fn is_over(&self) -> bool {
        self.ends.is_empty() && self.search == Search::Over && !self.left_out
    }

    /// Whether nothing is being told, and everything that was told is written.
    pub(super) fn is_quiet(&self) -> bool {
        self.running == 0 && self.told.is_empty()
    }

    /// The executions whose ends are known, and whether each is being told.
    #[cfg(test)]
    pub(super) fn known(&self) -> impl ExactSizeIterator<Item = (ExecutionId, bool)> {
        self.ends.iter().map(|(execution, end)| (*execution, end.is_running))
    }

    /// The definitions that ends in memory refer to.
    pub(super) fn definitions(&self) -> impl Iterator<Item = DefinitionNo> {
        self.ends.values().filter_map(|end| Some(end.known.as_ref()?.definition))
    }

    pub(super) fn what_to_read(&self) -> ReadWhat {
        let after = match self.search {
            Search::Reading(after) | Search::Due(after, _) => after,
            Search::Over => None,
        };
        ReadWhat::Untold { after, limit: PAGE_MAX }
    }

    /// When something is to be done, if nothing happens before.
    fn wake_at(&self) -> Option<Time> {
        let has_room = self.running < RUNNING_MAX && self.retrying < RETRYING_MAX;
        let again = self.failing.first().filter(|_| has_room).map(|(due, _)| *due);
        let search = match self.search {
            Search::Due(_, due) if self.has_room_for_page() => Some(due),
            _ => None,
        };
        again.into_iter().chain(search).min()
    }

    fn has_room_for_page(&self) -> bool {
        self.ready.len() + PAGE_MAX <= READY_MAX
    }

    fn put(&mut self, execution: ExecutionId, known: Option<KnownEnd>) {
        if self.ends.contains_key(&execution) {
            return;
        }
        if self.ready.len() >= READY_MAX {
            self.left_out = true;
            return;
        }
        let handlers = (0..self.handlers).collect();
        self.ends.insert(execution, Untold { known, handlers, failures: 0, is_running: false });
        self.ready.push_back(execution);
    }

    /// The next one that there is room for.
    fn next(&mut self, at: Time) -> Option<ExecutionId> {
        if self.running >= RUNNING_MAX {
            return None;
        }
        let is_due = self.failing.first().is_some_and(|(due, _)| *due <= at);
        if is_due && self.retrying < RETRYING_MAX {
            return self.failing.pop_first().map(|(_, execution)| execution);
        }
        if self.failing.len() < FAILING_MAX { self.ready.pop_front() } else { None }
    }

    fn begin(&mut self, execution: ExecutionId, out: &mut Outbox) {
        let Some(end) = self.ends.get_mut(&execution) else { return };
        let handlers = end.handlers.clone();
        out.ends.push(TellEnd { execution, end: end.known.take(), handlers, within: TIME_MAX });
        end.is_running = true;
        self.running += 1;
        self.retrying += usize::from(end.failures > 0);
    }

    /// Those of which it is durable that they were told need not be known any more.
    fn let_go(&mut self) {
        if !matches!(self.search, Search::Reading(_)) {
            for execution in self.settled.drain(..) {
                self.ends.remove(&execution);
            }
        }
    }

    /// The read that was under way is not heard of any more. An end over which the old state panicked may be missing.
    pub(super) fn rebuild(&mut self) {
        if let Search::Reading(after) = self.search {
            self.search = Search::Due(after, Time::default());
        }
        self.left_out = self.is_wanted();
    }
}

impl Supervisor {
    /// Searches for the ends that an earlier runtime has not told.
    pub(super) fn start_telling(&mut self) {
        self.telling.left_out = self.telling.is_wanted();
    }

    /// Whether there may be ends that handlers have still to be told of.
    pub fn has_untold(&self) -> bool {
        !self.telling.is_over()
    }

    /// An execution has ended, durably.
    pub(super) fn note_untold(&mut self, execution: ExecutionId, known: Option<KnownEnd>) {
        if self.telling.is_wanted() {
            self.telling.put(execution, known);
        }
    }

    /// Whether ends are told now: an end that nobody could note as told is told by the next runtime.
    fn tells(&self) -> bool {
        self.telling.is_wanted() && self.failure.is_none() && self.leaving.deadline.is_none()
    }

    /// When an end is to be told, or the journal searched.
    pub(super) fn tell_at(&self) -> Option<Time> {
        if self.tells() { self.telling.wake_at() } else { None }
    }

    /// Tells what is to be told, as far as there is room, and notes what was told.
    pub(super) fn tell_ends(&mut self, at: Time, out: &mut Outbox) {
        if !self.telling.is_wanted() || self.failure.is_some() {
            return;
        }
        if self.tells() {
            while let Some(execution) = self.telling.next(at) {
                self.telling.begin(execution, out);
            }
            self.search_untold(at);
        }
        if !self.telling.writing && !self.telling.told.is_empty() {
            let told: Arc<[ExecutionId]> = std::mem::take(&mut self.telling.told).into();
            self.telling.writing = true;
            self.write(WriteWhat::Told(Arc::clone(&told)), Some(AfterWrite::Told(told)), out);
        }
    }

    fn search_untold(&mut self, at: Time) {
        let telling = &mut self.telling;
        if telling.search == Search::Over && telling.left_out && telling.has_room_for_page() {
            (telling.search, telling.left_out) = (Search::Due(None, at), false);
        }
        if let Search::Due(after, due) = telling.search
            && due <= at
            && telling.has_room_for_page()
        {
            telling.search = Search::Reading(after);
            self.reads.want(Purpose::Untold);
        }
    }

    /// A page of ends was read that somebody has still to be told of, in all shards.
    pub(super) fn untold_found(
        &mut self,
        at: Time,
        read: ReadNo,
        found: Result<Vec<ExecutionId>, Box<str>>,
        out: &mut Outbox,
    ) {
        let is_wanted = self.reads.answered(read, |what| matches!(what, Purpose::Untold)).is_some();
        let Search::Reading(after) = self.telling.search else { return };
        if !is_wanted {
            return;
        }
        match found {
            Ok(found) => {
                let last = found.last().copied().filter(|_| found.len() >= PAGE_MAX);
                self.telling.search = last.map_or(Search::Over, |last| Search::Due(Some(last), at));
                for execution in found {
                    // Of one that is open here the end is on its way, and is told when it comes.
                    let is_here = shard_of(execution, self.options.shards) == self.options.shard;
                    if is_here && !self.is_open(execution) {
                        self.telling.put(execution, None);
                    }
                }
            }
            Err(reason) => {
                out.notices.push(Notice::UntoldNotFound(reason));
                self.telling.search = Search::Due(after, at.after(READ_AGAIN));
            }
        }
        self.telling.let_go();
    }

    /// An end was told, or not.
    pub(super) fn end_told(&mut self, at: Time, EndTold { execution, told }: EndTold, out: &mut Outbox) {
        let telling = &mut self.telling;
        let Some(end) = telling.ends.get_mut(&execution).filter(|end| end.is_running) else { return };
        end.is_running = false;
        telling.running -= 1;
        telling.retrying -= usize::from(end.failures > 0);
        match told {
            Ok(()) | Err(NotTold::Forgotten) => telling.told.push(execution),
            Err(NotTold::Failed { handlers, reason }) => {
                let backoff = BACKOFF_MIN.saturating_mul(1 << end.failures.min(30)).min(BACKOFF_MAX);
                end.failures = end.failures.saturating_add(1);
                end.handlers = handlers;
                telling.failing.insert((at.after(backoff), execution));
                out.notices.push(Notice::EndNotTold(execution, reason));
            }
        }
    }

    /// It is durable that these ends were told.
    pub(super) fn told_written(&mut self, at: Time, executions: &[ExecutionId]) {
        self.note_told(at);
        self.telling.writing = false;
        self.telling.settled.extend_from_slice(executions);
        self.telling.let_go();
    }
}
