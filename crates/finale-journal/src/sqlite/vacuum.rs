//! Giving back the space of what was forgotten.
//!
//! Free pages are used again by what comes next, and moving pages costs writes. So space is given back only when much of
//! the file is free, a little at a time, and when nothing else is to be done.

use rusqlite::Connection;

/// How many pages one transaction frees.
const PAGES: u32 = 64;
/// Fewer free pages than that are kept (1 MiB).
const KEPT: i64 = 256;
/// Space is given back when more than this part of the file is free, until it is half as much.
const FREE_MAX: i64 = 4;

/// Whether free pages are being given back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Vacuum {
    pub(super) is_under_way: bool,
}

impl Vacuum {
    /// Looks whether so much is free that it is to be given back.
    pub(super) fn look(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let number = |name: &str| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
        let (free, pages) = (number("freelist_count")?, number("page_count")?);
        let part = if self.is_under_way { 2 * FREE_MAX } else { FREE_MAX };
        // A file that was made by an older release cannot give anything back.
        self.is_under_way = free > KEPT && free * part > pages && number("auto_vacuum")? > 0;
        Ok(())
    }

    /// Frees some pages at the end of the file, in a transaction that is under way.
    pub(super) fn step(connection: &Connection) -> rusqlite::Result<()> {
        let mut vacuum = connection.prepare_cached(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
        let mut freed = vacuum.query([])?;
        // One row is one page.
        while freed.next()?.is_some() {}
        Ok(())
    }
}
