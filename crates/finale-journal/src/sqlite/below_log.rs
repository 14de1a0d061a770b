//! Whether the log beside a database file was written for that file.
//!
//! Another file may have taken its place, an older copy for instance: SQLite would mix that with the log. The log says how
//! far the file had come when it was last copied whole (`base`), and the file says itself how far it has come.
//!
//! A checkpoint may be under way while that is looked at, or have been broken off: then the file alone is torn, and SQLite
//! finds it damaged. So only one row of it is looked at, past SQLite: it lies on one page. A checkpoint replaces a page by a
//! newer one, never by an older one, so that whatever is copied of the log, the file has come at least as far as `base`. If
//! there is no whole row where it should be, that page was broken off itself, and nothing is known; what SQLite then finds
//! with the log is compared with the mark and the hashes of the batches, as always.

use rusqlite::Connection;

use super::connection;
use super::fence::{LEAF_OF_A_TABLE, length_of, number, offset, varint};
use super::files::Files;
use super::handle::DatabaseHandle;

/// How many batches the file lacks that were in it when the log was last copied whole.
pub(super) fn missing_below_log(files: &Files, file: &DatabaseHandle) -> u64 {
    if !files.has_log() {
        return 0;
    }
    // A journal of an older release says nothing about it, and what cannot be read is found by whoever reads it next.
    match connection::reading(files).and_then(|reading| Expected::read(reading.connection())) {
        // Twice: while an owner copies the log, a row can be read of which one half is written.
        Ok(expected) if expected.base > 0 => expected.missing(file).min(expected.missing(file)),
        _ => 0,
    }
}

/// What the log says of its file.
#[derive(Clone, Copy, Debug)]
struct Expected {
    identity: [u8; 16],
    base: u64,
    /// Where the page with the row is.
    offset: u64,
    page_length: usize,
}

impl Expected {
    fn read(connection: &Connection) -> rusqlite::Result<Self> {
        let page_length = connection.query_row("PRAGMA page_size", [], |row| row.get::<_, u32>(0))? as usize;
        let offset = offset(connection, page_length)?;
        connection.query_row("SELECT identity, base FROM meta", [], |row| {
            Ok(Self { identity: row.get(0)?, base: row.get::<_, i64>(1)?.cast_unsigned(), offset, page_length })
        })
    }

    fn missing(&self, file: &DatabaseHandle) -> u64 {
        let mut page = vec![0; self.page_length];
        match file.read(self.offset, &mut page).ok().and_then(|()| FileRow::read(&page)) {
            Some(row) if row.identity == self.identity => self.base.saturating_sub(row.batch),
            // Nothing of it is in a file of another journal.
            Some(_) => self.base,
            None => 0,
        }
    }
}

/// What a row of `meta` says in the file itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileRow {
    identity: [u8; 16],
    batch: u64,
}

/// Where the columns are in a row of `meta`.
const IDENTITY: usize = 1;
const BATCH: usize = 5;
const TOKEN: usize = 8;

impl FileRow {
    /// Reads the only row of a page, in SQLite's file format, if it is whole. SQLite puts the only row of a page at the end
    /// of it; what is left of a longer or a shorter one, on a page of which a part is older, does not fit there.
    fn read(page: &[u8]) -> Option<Self> {
        if *page.first()? != LEAF_OF_A_TABLE || page.get(3..5)? != [0, 1] {
            return None;
        }
        let start = usize::from(u16::from_be_bytes(page.get(8..10)?.try_into().ok()?));
        let (payload_length, rest) = varint(page.get(start..)?)?;
        let (_row, record) = varint(rest)?;
        if record.len() as u64 != payload_length {
            return None;
        }
        let (header_length, kinds) = varint(record)?;
        let (header, mut values) = record.split_at_checked(usize::try_from(header_length).ok()?)?;
        let mut kinds = header.get(record.len() - kinds.len()..)?;
        let (mut identity, mut batch, mut column) = (None, None, 0);
        while !kinds.is_empty() {
            let (kind, more) = varint(kinds)?;
            let (value, behind) = values.split_at_checked(length_of(kind)?)?;
            match column {
                IDENTITY => identity = Some(value.try_into().ok()?),
                TOKEN if value.len() == 16 => {}
                // A number.
                _ if kind > 9 => return None,
                BATCH => batch = Some(number(kind, value)),
                _ => {}
            }
            (kinds, values, column) = (more, behind, column + 1);
        }
        if values.is_empty() { Some(Self { identity: identity?, batch: batch? }) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::schema::{MIGRATIONS, migrate};
    use super::*;

    /// The page with the row, after each of many changes of the row, and what the row says then.
    fn pages(path: &Path) -> Vec<(Vec<u8>, FileRow)> {
        let mut connection = Connection::open(path).unwrap();
        migrate(&mut connection, MIGRATIONS).unwrap();
        let numbers = [0u64, 1, 2, 100, 127, 128, 255, 256, 32_767, 32_768, 70_000, 8_388_608, 1 << 33, 1 << 50];
        let mut pages = Vec::new();
        for batch in numbers {
            for (hash, ended) in [(0, 0), (i64::MAX - 5, batch / 2), (0, batch), (-7, 3)] {
                let set = "UPDATE meta SET batch = ?1, base = ?1 / 2, merged = ?1 / 3, place = ?1 * 5, completed = ?3, \
                           failed = ?3 / 9, running = ?1 + ?2 / 2, unmerged_hash = ?2, token = randomblob(16)";
                connection.execute(set, rusqlite::params![batch as i64, hash, ended as i64]).unwrap();
                let expected = Expected::read(&connection).unwrap();
                let mut page = vec![0; expected.page_length];
                DatabaseHandle::at(path).unwrap().read(expected.offset, &mut page).unwrap();
                pages.push((page, FileRow { identity: expected.identity, batch }));
            }
        }
        pages
    }

    #[test]
    fn the_row_in_the_file_is_what_sqlite_says() {
        let folder = tempfile::tempdir().unwrap();
        for (page, row) in pages(&folder.path().join("journal")) {
            assert_eq!(FileRow::read(&page), Some(row));
        }
    }

    #[test]
    fn of_a_page_that_is_half_written_the_row_of_one_half_or_none_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let pages = pages(&folder.path().join("journal"));
        for (older, of_older) in &pages {
            for (newer, of_newer) in &pages {
                for cut in [512, 2_048, older.len() - 512] {
                    let torn = [&older[..cut], &newer[cut..]].concat();
                    let found = FileRow::read(&torn);
                    let is_right = found.is_none_or(|found| found == *of_older || found == *of_newer);
                    assert!(is_right, "{found:?} of {of_older:?} and {of_newer:?}, cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn rubbish_is_no_row() {
        for page in [&[][..], &[0x0d; 4096], &[0; 4096], &[0xff; 64], &[0x0d, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff]] {
            assert_eq!(FileRow::read(page), None);
        }
    }
}
