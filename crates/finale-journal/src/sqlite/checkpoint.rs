//! Copying the log into the database.
//!
//! The committer does it itself, when the log is long or nothing else is to be done, so that a commit alone costs one
//! sync. A reader that holds on to an old state keeps the log from beginning anew; then it grows, which is seen in
//! [`SqliteStats`](super::SqliteStats).

use rusqlite::{Connection, Statement};

use super::stats::Counters;

/// How long the log gets before it is copied.
const LOG_BYTES: u64 = 16 << 20;
/// How long it gets before readers are waited for, for a moment, so that it can begin anew.
const LOG_BYTES_HELD_UP: u64 = 8 * LOG_BYTES;
const READERS_WAIT: std::time::Duration = std::time::Duration::from_millis(100);

pub(super) struct Checkpoints<'c> {
    connection: &'c Connection,
    look: Statement<'c>,
    passive: Statement<'c>,
    page_bytes: u64,
    log: Log,
    /// When it is copied again; further away if it could not be copied whole.
    due_at: u64,
}

/// How long the log is, and how much of it is copied.
#[derive(Clone, Copy, Debug, Default)]
struct Log {
    bytes: u64,
    copied: u64,
}

impl<'c> Checkpoints<'c> {
    pub(super) fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            connection,
            look: connection.prepare("PRAGMA wal_checkpoint(NOOP)")?,
            passive: connection.prepare("PRAGMA wal_checkpoint(PASSIVE)")?,
            page_bytes: connection.query_row("PRAGMA page_size", [], |row| row.get::<_, u32>(0))?.into(),
            log: Log::default(),
            due_at: LOG_BYTES,
        })
    }

    /// Whether everything in the log is in the database as well.
    pub(super) const fn is_clean(&self) -> bool {
        self.log.bytes == self.log.copied
    }

    /// How long the file of the log is at least, as it was last looked at: what is copied is not needed any more.
    pub(super) const fn log_length_min(&self) -> u64 {
        const HEADER: u64 = 32;
        const FRAME_HEADER: u64 = 24;
        if self.is_clean() { 0 } else { HEADER + self.log.bytes / self.page_bytes * (FRAME_HEADER + self.page_bytes) }
    }

    pub(super) fn look(&mut self, counters: &Counters) -> rusqlite::Result<()> {
        self.log = read(&mut self.look, self.page_bytes)?;
        if self.log.bytes < LOG_BYTES {
            // It has begun anew.
            self.due_at = LOG_BYTES;
        }
        counters.log(self.log.bytes);
        Ok(())
    }

    pub(super) const fn is_due(&self, is_idle: bool) -> bool {
        !self.is_clean() && (is_idle || self.log.bytes >= self.due_at)
    }

    pub(super) fn run(&mut self, counters: &Counters) -> rusqlite::Result<()> {
        self.log = read(&mut self.passive, self.page_bytes)?;
        counters.checkpointed(self.is_clean());
        self.due_at = self.log.bytes + LOG_BYTES;
        if self.log.bytes >= LOG_BYTES_HELD_UP { self.begin_anew("RESTART", counters) } else { Ok(()) }
    }

    /// Copies what is left and empties the log, unless a reader holds on to it. Whether the database is whole without
    /// its log then.
    pub(super) fn finish(&mut self, counters: &Counters) -> rusqlite::Result<bool> {
        self.begin_anew("TRUNCATE", counters)?;
        Ok(self.log.bytes == 0)
    }

    /// Waits for readers, for a moment; whether they let go or not, it goes on.
    fn begin_anew(&mut self, how: &str, counters: &Counters) -> rusqlite::Result<()> {
        self.connection.busy_timeout(READERS_WAIT)?;
        let done = self.connection.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |_| Ok(()));
        self.connection.busy_timeout(super::connection::BUSY_SLICE)?;
        done?;
        self.look(counters)
    }
}

fn read(checkpoint: &mut Statement<'_>, page_bytes: u64) -> rusqlite::Result<Log> {
    let pages = |row: &rusqlite::Row<'_>, column| row.get::<_, i64>(column).map(|pages| pages.max(0).unsigned_abs());
    checkpoint.query_row([], |row| Ok(Log { bytes: pages(row, 1)? * page_bytes, copied: pages(row, 2)? * page_bytes }))
}
