//! Who owns the database file, as the file itself says.
//!
//! Locks and logs are found by name, and a file can have several: by a bind mount, for instance. Two owners that came by
//! different names have each a log of their own, so neither sees in it what the other writes. What they share is the
//! database file. Each claim puts a token of its own into it, and an owner looks for its token there, past SQLite and
//! the log, before it acknowledges anything or copies its log into the file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use rusqlite::Connection;

use super::trouble::failed;
use crate::{Epoch, JournalError};

/// Names one claim, and no other.
pub(super) type Token = [u8; 16];

/// The row of `meta` as it lies in the database file.
#[derive(Debug)]
pub(super) struct StoreFence {
    file: File,
    offset: u64,
    page: Vec<u8>,
    own: Token,
    /// The tokens before it: one of them stays in the file until the log is copied, which a reader may hold up.
    previous: Vec<Token>,
}

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owned {
    epoch: u32,
    token: Token,
}

impl StoreFence {
    /// Finds the row in a file that has it. As long as nobody claims the journal, whatever the file says is taken.
    pub(super) fn find(file: File, connection: &Connection) -> rusqlite::Result<Self> {
        let length: u32 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        let own = connection.query_row("SELECT token FROM meta", [], |row| row.get(0))?;
        let page = vec![0; length as usize];
        Ok(Self { file, offset: offset(connection, page.len())?, page, own, previous: Vec::new() })
    }

    /// The journal was claimed here, with a token of its own.
    pub(super) fn claimed(&mut self, token: Token) {
        self.previous.push(std::mem::replace(&mut self.own, token));
    }

    /// Refuses to go on if somebody else has claimed the file since.
    pub(super) fn check(&mut self, epoch: u32, connection: &Connection) -> Result<(), JournalError> {
        let mut found = self.read()?;
        if !self.is_known(found) {
            // A tool that rebuilds the database may have moved the row.
            let before = std::mem::replace(&mut self.offset, offset(connection, self.page.len()).map_err(failed)?);
            if before != self.offset {
                found = self.read()?.or(found);
            }
        }
        match found {
            Some(found) if found.token == self.own => self.previous.clear(),
            found if self.is_known(found) => {}
            Some(found) => return Err(JournalError::Fenced { epoch: Epoch(epoch), current: Epoch(found.epoch) }),
            None => return Err(failed("the database file was overwritten under the running journal")),
        }
        Ok(())
    }

    fn is_known(&self, found: Option<Owned>) -> bool {
        found.is_some_and(|found| found.token == self.own || self.previous.contains(&found.token))
    }

    /// What the file says where the row was; none if there is no such row.
    fn read(&mut self) -> Result<Option<Owned>, JournalError> {
        let Self { file, page, offset, .. } = self;
        let read = file.seek(SeekFrom::Start(*offset)).and_then(|_| file.read_exact(page));
        read.map_err(|error| failed(format!("the database file cannot be read: {error}")))?;
        Ok(owned(page))
    }
}

/// Where the page with the row begins.
pub(super) fn offset(connection: &Connection, page_length: usize) -> rusqlite::Result<u64> {
    let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'meta'";
    let root: u32 = connection.query_row(root, [], |row| row.get(0))?;
    Ok(u64::from(root.saturating_sub(1)) * page_length as u64)
}

/// How a page with rows of a table begins.
pub(super) const LEAF_OF_A_TABLE: u8 = 0x0d;
/// Where the columns of [`Owned`] are in a row of `meta`.
const EPOCH: usize = 3;
const TOKEN: usize = 8;

/// Reads the only row of a leaf page, in SQLite's file format.
fn owned(page: &[u8]) -> Option<Owned> {
    if *page.first()? != LEAF_OF_A_TABLE || page.get(3..5)? != [0, 1] {
        return None;
    }
    let start = usize::from(u16::from_be_bytes(page.get(8..10)?.try_into().ok()?));
    let (_payload_length, rest) = varint(page.get(start..)?)?;
    let (_row, record) = varint(rest)?;
    let (header_length, kinds) = varint(record)?;
    let (mut kinds, mut values) = (kinds, record.get(usize::try_from(header_length).ok()?..)?);
    let mut epoch = None;
    for column in 0..=TOKEN {
        let (kind, more) = varint(kinds)?;
        let (value, behind) = values.split_at_checked(length_of(kind)?)?;
        match column {
            EPOCH => epoch = u32::try_from(number(kind, value)).ok(),
            TOKEN => return Some(Owned { epoch: epoch?, token: value.try_into().ok()? }),
            _ => {}
        }
        (kinds, values) = (more, behind);
    }
    None
}

pub(super) fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0u64;
    for (index, byte) in bytes.iter().take(9).enumerate() {
        if index == 8 {
            return Some((number << 8 | u64::from(*byte), &bytes[9..]));
        }
        number = number << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[index + 1..]));
        }
    }
    None
}

pub(super) fn length_of(kind: u64) -> Option<usize> {
    match kind {
        0 | 8 | 9 => Some(0),
        1..=4 => usize::try_from(kind).ok(),
        5 => Some(6),
        6 | 7 => Some(8),
        10 | 11 => None,
        _ => usize::try_from((kind - 12) / 2).ok(),
    }
}

pub(super) fn number(kind: u64, value: &[u8]) -> u64 {
    match kind {
        9 => 1,
        _ => value.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema::{MIGRATIONS, migrate};
    use super::*;

    /// The fence reads the file without SQLite, so it has to agree with SQLite about every value.
    #[test]
    fn the_file_says_what_sqlite_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut connection = Connection::open(&path).unwrap();
        migrate(&mut connection, MIGRATIONS).unwrap();
        let mut fence = StoreFence::find(File::open(&path).unwrap(), &connection).unwrap();
        for epoch in [0, 1, 2, 127, 128, 32_767, 32_768, 8_388_608, u32::MAX >> 1, u32::MAX] {
            let set = "UPDATE meta SET epoch = ?1, token = randomblob(16), batch = epoch * 7919, running = -epoch";
            connection.execute(set, [epoch]).unwrap();
            let token: Token = connection.query_row("SELECT token FROM meta", [], |row| row.get(0)).unwrap();
            assert_eq!(fence.read().unwrap(), Some(Owned { epoch, token }));
        }
    }

    #[test]
    fn another_token_fences_and_the_one_before_it_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut connection = Connection::open(&path).unwrap();
        migrate(&mut connection, MIGRATIONS).unwrap();
        let mut fence = StoreFence::find(File::open(&path).unwrap(), &connection).unwrap();
        let claim = |epoch: u32, token: Token| {
            connection.execute("UPDATE meta SET epoch = ?1, token = ?2", rusqlite::params![epoch, token]).unwrap();
        };
        fence.claimed([1; 16]);
        fence.check(1, &connection).unwrap();
        claim(1, [1; 16]);
        fence.check(1, &connection).unwrap();
        claim(2, [2; 16]);
        let fenced = JournalError::Fenced { epoch: Epoch(1), current: Epoch(2) };
        assert_eq!(fence.check(1, &connection), Err(fenced));
    }

    #[test]
    fn rubbish_is_no_row() {
        for page in [&[][..], &[0x0d; 4096], &[0; 4096], &[0xff; 64], &[0x0d, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff]] {
            assert_eq!(owned(page), None);
        }
        let mut page = vec![0x0d, 0, 0, 0, 1, 0, 0, 0, 0, 16];
        page.resize(4096, 0xff);
        assert_eq!(owned(&page), None);
    }
}
