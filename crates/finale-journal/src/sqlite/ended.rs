//! How many executions have ended.

use finale_core::fact::Terminal;
use rusqlite::Connection;

use super::summary::{COMPLETED, code};

/// How many executions have ended with each status, as `meta` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ended([i64; 3]);

impl Ended {
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let select = "SELECT completed, failed, cancelled FROM meta";
        connection.query_row(select, [], |row| Ok(Self([row.get(0)?, row.get(1)?, row.get(2)?])))
    }

    /// As it is kept.
    pub(super) const fn counts(&self) -> [i64; 3] {
        self.0
    }

    /// One more has ended so, or one less is kept.
    pub(super) fn add(&mut self, status: u8, count: i64) {
        let index = usize::from(status.saturating_sub(COMPLETED));
        if let Some(kept) = self.0.get_mut(index) {
            *kept += count;
        }
    }

    /// How many have ended so.
    pub(super) fn of(&self, status: Terminal) -> u64 {
        let index = usize::from(code(status) - COMPLETED);
        self.0.get(index).copied().unwrap_or_default().max(0).unsigned_abs()
    }

    /// Counts once more what damage has made wrong.
    pub(super) fn count(&mut self, connection: &Connection, status: Terminal) -> rusqlite::Result<()> {
        let select = "SELECT count(*) FROM executions WHERE status = ?1 AND completed_at IS NOT NULL";
        let count: i64 = connection.query_row(select, [code(status)], |row| row.get(0))?;
        let counted = count - self.of(status).cast_signed();
        self.add(code(status), counted);
        Ok(())
    }
}
