//! The thread that writes.
//!
//! It takes everything that waits, writes it in one transaction, waits for the disk once, and then tells each writer
//! concerned how far it is durable. The first error of a write or a sync is the last: after a sync that failed nobody
//! knows what is on the disk, so nothing is tried again.

use std::collections::VecDeque;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, params};

use crate::{Claim, Epoch, JournalError, Position, Released};

use super::Durability;
use super::activity::Activity;
use super::batch::{Batch, Change, Step};
use super::checkpoint::Checkpoints;
use super::connection::{self, checkpoint_on_close};
use super::ended::Ended;
use super::faults::SqliteFaults;
use super::fence::{StoreFence, Token};
use super::forget;
use super::lock::{DatabaseLock, Lock};
use super::mark::{Mark, MarkFile};
use super::pace::Pace;
use super::purge::PurgeTask;
use super::queue::Taken;
use super::recent::Recent;
use super::shared::{Shared, TellsEnd};
use super::transaction::{Steps, Written};
use super::trouble::{failed, panicked};
use super::vacuum::Vacuum;
use super::watch::{self, FileWatch};

/// Only the newest claim changes it, and nobody else may have changed it since: even without a lock on the file an owner
/// that is none any more writes nothing.
const SEAL: &str = "UPDATE meta SET batch = ?1, running = ?2, place = ?3, completed = ?5, failed = ?6, cancelled = ?7, \
     merged = ?8, unmerged_hash = ?9, base = ?10";

/// How often facts of forgotten executions are [swept](forget::sweep) in one transaction: it must not become a giant one on
/// a machine that is fast.
const SWEEPS_MAX: usize = 16;

/// What the thread needs.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) shared: Arc<Shared>,
    pub(super) connection: Connection,
    /// How far the database has come.
    pub(super) reached: Mark,
    pub(super) place: i64,
    /// What is not in the tables yet.
    pub(super) recent: Recent,
    /// None if the log is not synced with each commit.
    pub(super) mark: Option<MarkFile>,
    pub(super) faults: Option<SqliteFaults>,
    pub(super) locks: (Option<Lock>, DatabaseLock),
    pub(super) fence: StoreFence,
    pub(super) watch: FileWatch,
    /// How long to wait for somebody else who holds the write lock.
    pub(super) lock_patience: Duration,
}

/// Starts the thread.
pub(super) fn start(start: Start) -> std::io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name("finale-journal".to_owned()).spawn(|| run(start))
}

fn run(start: Start) {
    let Start { shared, connection, reached, place, recent, mark, faults, locks, fence, watch, lock_patience } = start;
    // Dropped in this order, from the last: who is told that it ended finds everything free. The connection goes before
    // the lock on its file, because closing that file frees the locks of SQLite.
    let _ends = TellsEnd(Arc::clone(&shared));
    let _locks = locks;
    let mut fence = fence;
    let connection = connection;
    let drive = |fence| {
        let ended = Ended::read(&connection).map_err(failed)?;
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
        let (merged, base) = connection.query_row("SELECT merged, base FROM meta", [], read).map_err(failed)?;
        let (merged, base) = (merged.cast_unsigned(), base.cast_unsigned());
        let written = Written { place, running: reached.running, ended, merged, ..Written::default() };
        Committer {
            shared: &shared,
            connection: &connection,
            steps: Steps::new(&connection, recent).map_err(failed)?,
            checkpoints: Checkpoints::new(&connection).map_err(failed)?,
            mark,
            faults,
            fence,
            watch,
            lock_patience,
            reached,
            base,
            written,
            is_claimed: false,
            sweeps: forget::is_left(&connection).map_err(failed)?,
            merges: false,
            purges: VecDeque::new(),
            pace: Pace::new(Instant::now()),
            vacuum: Vacuum::default(),
            watermarks: Vec::new(),
        }
        .drive()
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| drive(&mut fence))).unwrap_or_else(|panic| Err(panicked(&*panic)));
    if let Err(error) = outcome {
        // What the connection had begun is not tried again when it is closed.
        let _ = checkpoint_on_close(&connection, false);
        let _ = connection.execute_batch("ROLLBACK");
        shared.activities.end();
        shared.fail(&error);
        shared.queue.wait_for_close();
    }
}

struct Committer<'c> {
    shared: &'c Shared,
    connection: &'c Connection,
    steps: Steps<'c>,
    checkpoints: Checkpoints<'c>,
    mark: Option<MarkFile>,
    faults: Option<SqliteFaults>,
    fence: &'c mut StoreFence,
    watch: FileWatch,
    lock_patience: Duration,
    reached: Mark,
    /// How far the database file itself has come, without its log, when that was last copied whole.
    base: u64,
    written: Written,
    /// Whether the journal was claimed here: whoever only opens one changes nothing in it.
    is_claimed: bool,
    /// Whether facts of forgotten executions are left to delete.
    sweeps: bool,
    /// Whether the next commit is to bring everything into the tables.
    merges: bool,
    /// What has expired and is being forgotten, for whoever asked first.
    purges: VecDeque<PurgeTask>,
    pace: Pace,
    vacuum: Vacuum,
    watermarks: Vec<(usize, Position)>,
}

impl Committer<'_> {
    fn drive(&mut self) -> Result<(), JournalError> {
        let mut spare = Batch::default();
        loop {
            match self.shared.queue.take(&mut spare, self.patience()) {
                Taken::Work(batch) => {
                    self.work(&batch)?;
                    spare = self.shared.queue.finished(batch);
                }
                Taken::Idle => self.tidy_up()?,
                Taken::Closed => return self.close(),
            }
        }
    }

    /// How long to wait for work before there is something else to do. The files are looked at even if nothing comes.
    fn patience(&self) -> Duration {
        if self.has_housekeeping() { Duration::ZERO } else { watch::INTERVAL }
    }

    /// Whether there is something to forget, or space to give back, when nothing else is to be done.
    fn has_housekeeping(&self) -> bool {
        (self.sweeps || !self.purges.is_empty() || self.vacuum.is_under_way) && self.is_claimed
    }

    fn tidy_up(&mut self) -> Result<(), JournalError> {
        self.check_ownership()?;
        if !self.has_housekeeping() {
            if self.is_claimed && !self.steps.recent().is_empty() {
                self.merges = true;
                self.commit_unsynced()?;
            }
            self.vacuum.look(self.connection).map_err(failed)?;
            return self.checkpoint(true);
        }
        self.commit_unsynced()?;
        if self.vacuum.is_under_way { self.vacuum.look(self.connection).map_err(failed) } else { Ok(()) }
    }

    /// Commits housekeeping. It need not be on the disk: the log keeps the order, so whatever is synced later takes it
    /// along.
    fn commit_unsynced(&mut self) -> Result<(), JournalError> {
        self.set_sync(Durability::Relaxed)?;
        let outcome = self.commit(&Batch::default(), 0..0).and_then(|()| self.checkpoint(false));
        self.set_sync(Durability::Full)?;
        outcome
    }

    fn work(&mut self, batch: &Batch) -> Result<(), JournalError> {
        let mut from = 0;
        while from < batch.steps.len() {
            let part = batch.transaction(from);
            from = part.end;
            match &batch.steps[part.clone()] {
                [Step { change: Change::Claim(reply), .. }] => self.claim(reply)?,
                [Step { change: Change::Release(epoch, reply), .. }] => self.release(*epoch, reply)?,
                [Step { change: Change::Flush(reply), .. }] => answer(reply, Ok(())),
                // It goes on with whatever is committed next, be it nothing else.
                steps if steps.iter().all(Step::is_purge) => self.begin_purges(steps),
                _ => self.commit(batch, part)?,
            }
            self.checkpoint(false)?;
        }
        Ok(())
    }

    fn commit(&mut self, batch: &Batch, part: Range<usize>) -> Result<(), JournalError> {
        let steps = &batch.steps[part.clone()];
        self.begin_purges(steps);
        let begun = Instant::now();
        self.begin()?;
        // From here on nobody else copies the log and empties it. One that was cut off grows with what is written next, and is
        // as long as it should be then, with a hole in it: that is to be found before.
        while !self.watch.has_log_of(self.checkpoints.log_length_min())? {
            self.connection.execute_batch("ROLLBACK").map_err(failed)?;
            self.check_log()?;
            self.begin()?;
        }
        self.written = Written { batch: self.reached.batch + 1, appends: 0, bytes: 0, ..self.written };
        self.steps.write(batch, steps, &mut self.written).map_err(failed)?;
        self.merges |= self.faults.as_ref().is_some_and(SqliteFaults::merges);
        if std::mem::take(&mut self.merges) {
            self.steps.merge(&mut self.written).map_err(failed)?;
        }
        self.sweeps |= std::mem::take(&mut self.written.leaves);
        if steps.is_empty() && self.vacuum.is_under_way {
            Vacuum::step(self.connection).map_err(failed)?;
            self.watch.note_shorter(self.connection).map_err(failed)?;
        }
        self.forget(!steps.is_empty()).map_err(failed)?;
        self.seal("")?;
        self.shared.counters.committed(self.written.appends, self.written.bytes, begun.elapsed());
        self.settle(steps, part.end);
        if let Some(purge) = self.purges.pop_front() {
            if purge.leaves_nothing() {
                self.pace.caught_up();
            }
            if let Some(purge) = purge.answer() {
                self.purges.push_front(purge);
            }
        }
        Ok(())
    }

    /// Forgets what has expired, and deletes what is left of what was forgotten, as long as there is time for that.
    fn forget(&mut self, beside_others: bool) -> rusqlite::Result<()> {
        if !self.sweeps && self.purges.is_empty() {
            return Ok(());
        }
        let Some(turn) = self.pace.turn(Instant::now(), beside_others) else { return Ok(()) };
        let somebody_waits = || self.shared.queue.waiting_bytes() > 0;
        let mut swept = 0;
        while turn.goes_on(Instant::now(), somebody_waits) {
            if self.sweeps {
                if swept == SWEEPS_MAX {
                    break;
                }
                swept += 1;
                self.sweeps = forget::sweep(self.connection)?;
                continue;
            }
            let Some(purge) = self.purges.front_mut().filter(|purge| !purge.is_over()) else { break };
            let stepped = purge.step(self.connection, self.steps.for_purge(), &mut self.written.ended)?;
            self.sweeps |= stepped.leaves;
            self.merges |= stepped.needs_merge;
            if stepped.needs_merge {
                break;
            }
        }
        self.pace.took(&turn, Instant::now());
        Ok(())
    }

    /// Syncs with each commit from now on, or not. A log that is never synced stays so.
    fn set_sync(&self, durability: Durability) -> Result<(), JournalError> {
        if self.mark.is_none() {
            return Ok(());
        }
        connection::sync(self.connection, durability).map_err(failed)
    }

    fn begin_purges(&mut self, steps: &[Step]) {
        let current = Epoch(self.reached.epoch);
        for step in steps {
            let Change::Purge(epoch, purge, reply) = &step.change else { continue };
            if *epoch == current {
                self.purges.push_back(PurgeTask::new(purge.0, purge.1, reply.clone()));
            } else {
                answer(reply, Err(JournalError::Fenced { epoch: *epoch, current }));
            }
        }
    }

    /// Begins a transaction that writes. Whoever holds the write lock is waited for: nothing is written yet, so that it
    /// can be tried again.
    fn begin(&mut self) -> Result<(), JournalError> {
        let begun = Instant::now();
        self.shared.activities.begin(Activity::Lock);
        let outcome = loop {
            match self.connection.execute_batch("BEGIN IMMEDIATE") {
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                    let waited = begun.elapsed();
                    if waited >= self.lock_patience {
                        break Err(failed(format!("another program has held its write lock for {waited:.0?}")));
                    }
                    if let Err(error) = self.watch.look_if_due(self.connection) {
                        break Err(error);
                    }
                }
                done => break done.map_err(failed),
            }
        };
        self.shared.activities.end();
        outcome
    }

    /// Numbers the batch, which only the newest claim may do, and commits.
    fn seal(&mut self, more: &str) -> Result<(), JournalError> {
        let update = format!("{SEAL}{more} WHERE epoch = ?4 AND batch = ?1 - 1");
        let batch = self.reached.batch + 1;
        let running = super::chain::batch(self.written.running, batch);
        let [completed, of_failed, cancelled] = self.written.ended.counts();
        let values = params![
            batch as i64,
            running as i64,
            self.written.place,
            self.reached.epoch,
            completed,
            of_failed,
            cancelled,
            self.written.merged as i64,
            self.steps.recent().hash() as i64,
            self.base as i64
        ];
        let mut update = self.connection.prepare_cached(&update).map_err(failed)?;
        if update.execute(values).map_err(failed)? != 1 {
            return Err(self.fenced());
        }
        self.shared.activities.begin(Activity::Commit);
        if let Some(faults) = &self.faults {
            faults.before_commit().map_err(failed)?;
        }
        self.connection.execute_batch("COMMIT").map_err(failed)?;
        self.shared.activities.end();
        if let Some(faults) = &self.faults {
            faults.after_commit().map_err(failed)?;
        }
        // After the commit and before anybody is told of it: what was committed to a file that is somebody else's, or
        // that nobody finds, is not acknowledged.
        self.check_ownership()?;
        self.written.running = running;
        self.reached = Mark { batch, running, ..self.reached };
        Ok(())
    }

    /// Whether the database is still this owner's, and its files are where they were.
    fn check_ownership(&mut self) -> Result<(), JournalError> {
        if self.is_claimed {
            self.fence.check(self.reached.epoch, self.connection)?;
        }
        self.check_log()?;
        self.watch.look_if_due(self.connection)
    }

    /// Whether the log is as long as what was written to it.
    fn check_log(&mut self) -> Result<(), JournalError> {
        if !self.watch.has_log_of(self.checkpoints.log_length_min())? {
            // A tool may have copied the log and emptied it, which is no harm.
            self.checkpoints.look(&self.shared.counters).map_err(failed)?;
            if !self.watch.has_log_of(self.checkpoints.log_length_min())? {
                return Err(self.watch.cut());
            }
        }
        Ok(())
    }

    /// Everything is on the disk: notes it, and tells it.
    fn settle(&mut self, steps: &[Step], durable: usize) {
        if !steps.is_empty() {
            // Otherwise it was housekeeping, which was not synced.
            self.note();
        }
        self.shared.queue.settled(durable, steps.iter().filter(|step| step.ticket.is_some()).map(Step::bytes).sum());
        for ticket in steps.iter().filter_map(|step| step.ticket) {
            match self.watermarks.iter_mut().find(|(slot, _)| *slot == ticket.slot) {
                Some((_, watermark)) => *watermark = ticket.position,
                None => self.watermarks.push((ticket.slot, ticket.position)),
            }
        }
        self.shared.tell(&mut self.watermarks);
    }

    fn note(&mut self) {
        if let Some(mark) = &mut self.mark {
            // One that could not be written is an older one, which is no harm.
            let _ = mark.put(&self.reached);
        }
    }

    fn fenced(&self) -> JournalError {
        let current = self.connection.query_row("SELECT epoch FROM meta", [], |row| row.get(0));
        match current {
            Ok(current) if current == self.reached.epoch => failed("something else has written to the database"),
            Ok(current) => JournalError::Fenced { epoch: Epoch(self.reached.epoch), current: Epoch(current) },
            Err(error) => failed(error),
        }
    }

    fn claim(&mut self, reply: &SyncSender<Result<Claim, JournalError>>) -> Result<(), JournalError> {
        self.begin()?;
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, u32>(0)?, row.get::<_, bool>(1)?));
        let (found, crashed) =
            self.connection.query_row("SELECT epoch, claimed FROM meta", [], read).map_err(failed)?;
        let next = found.checked_add(1).ok_or_else(|| failed("no claims are left"))?;
        self.reached.epoch = found;
        let token: Token = self.connection.query_row("SELECT randomblob(16)", [], |row| row.get(0)).map_err(failed)?;
        self.merge()?;
        let hex = token.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
        self.seal(&format!(", epoch = epoch + 1, claimed = 1, token = x'{hex}'"))?;
        self.reached.epoch = next;
        self.fence.claimed(token);
        self.is_claimed = true;
        for purge in self.purges.drain(..) {
            purge.refuse(JournalError::Fenced { epoch: Epoch(found), current: Epoch(next) });
        }
        // Into the database itself, where an owner that came by another name finds it.
        self.copy_log()?;
        self.note();
        self.shared.queue.claimed(Epoch(next));
        self.shared.found.clear();
        answer(reply, Ok(Claim { epoch: Epoch(next), crashed }));
        Ok(())
    }

    fn release(
        &mut self,
        epoch: Epoch,
        reply: &SyncSender<Result<Released, JournalError>>,
    ) -> Result<(), JournalError> {
        let mut released = Released::default();
        if epoch.0 == self.reached.epoch {
            self.begin()?;
            self.merge()?;
            self.seal(", claimed = 0")?;
            self.note();
            self.shared.activities.begin(Activity::Checkpoint);
            self.watch.check_database(self.connection)?;
            released.in_one_file = Some(self.checkpoints.finish(&self.shared.counters).map_err(failed)?);
            self.note_base()?;
            self.shared.activities.end();
        }
        answer(reply, Ok(released));
        Ok(())
    }

    /// Brings everything into the tables, in a transaction that is under way.
    fn merge(&mut self) -> Result<(), JournalError> {
        self.written.batch = self.reached.batch + 1;
        self.steps.merge(&mut self.written).map_err(failed)
    }

    fn checkpoint(&mut self, is_idle: bool) -> Result<(), JournalError> {
        self.checkpoints.look(&self.shared.counters).map_err(failed)?;
        if !self.checkpoints.is_due(is_idle) {
            return Ok(());
        }
        if let Some(faults) = &self.faults {
            faults.checkpoint().map_err(failed)?;
        }
        self.shared.activities.begin(Activity::Checkpoint);
        self.copy_log()?;
        self.shared.activities.end();
        Ok(())
    }

    fn copy_log(&mut self) -> Result<(), JournalError> {
        self.watch.check_database(self.connection)?;
        self.checkpoints.run(&self.shared.counters).map_err(failed)?;
        self.note_base()
    }

    /// The log was copied, whole or not.
    fn note_base(&mut self) -> Result<(), JournalError> {
        if self.checkpoints.is_clean() {
            self.base = self.reached.batch;
            self.watch.note_whole(self.connection).map_err(failed)?;
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), JournalError> {
        self.check_ownership()?;
        if self.is_claimed && !self.steps.recent().is_empty() {
            self.merges = true;
            self.commit_unsynced()?;
        }
        self.watch.check_database(self.connection)?;
        self.checkpoints.finish(&self.shared.counters).map_err(failed)?;
        checkpoint_on_close(self.connection, true).map_err(failed)
    }
}

/// Whoever asked may have stopped waiting.
fn answer<T>(reply: &SyncSender<T>, answer: T) {
    let _ = reply.try_send(answer);
}
