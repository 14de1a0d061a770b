//! Handles on database files, to read them past SQLite.
//!
//! Closing any handle on a file frees all locks that SQLite has on it in this process. So there is one for each file, which
//! lives as long as anybody here reads the file: whoever has one closes its connections first.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::identity::FileIdentity;

/// The files that are open.
static OPEN: Mutex<Vec<Opened>> = Mutex::new(Vec::new());

#[derive(Debug)]
struct Opened {
    identity: FileIdentity,
    file: File,
    handles: usize,
}

/// A handle on a database file, which only reads.
#[derive(Debug)]
pub(super) enum DatabaseHandle {
    Shared(FileIdentity),
    /// Where the system does not tell which file it is, closing one frees nothing of another.
    Own(Mutex<File>),
}

impl DatabaseHandle {
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let mut open = opened();
        if let Some(identity) = FileIdentity::at(path)?
            && let Some(opened) = find(&mut open, identity)
        {
            opened.handles += 1;
            return Ok(Self::Shared(identity));
        }
        let file = File::open(path)?;
        let Some(identity) = FileIdentity::of(&file.metadata()?) else { return Ok(Self::Own(Mutex::new(file))) };
        match find(&mut open, identity) {
            Some(opened) => opened.handles += 1,
            None => open.push(Opened { identity, file, handles: 1 }),
        }
        Ok(Self::Shared(identity))
    }

    /// Reads as many bytes as there is room for.
    pub(super) fn read(&self, from: u64, bytes: &mut [u8]) -> io::Result<()> {
        let read = |file: &mut File, bytes: &mut [u8]| {
            file.seek(SeekFrom::Start(from))?;
            file.read_exact(bytes)
        };
        match self {
            Self::Own(file) => read(&mut file.lock().unwrap_or_else(PoisonError::into_inner), bytes),
            Self::Shared(identity) => match find(&mut opened(), *identity) {
                Some(opened) => read(&mut opened.file, bytes),
                None => Err(io::ErrorKind::NotFound.into()),
            },
        }
    }
}

impl Drop for DatabaseHandle {
    fn drop(&mut self) {
        let Self::Shared(identity) = self else { return };
        let mut open = opened();
        if let Some(opened) = find(&mut open, *identity) {
            opened.handles -= 1;
        }
        open.retain(|opened| opened.handles > 0);
    }
}

fn find(open: &mut [Opened], identity: FileIdentity) -> Option<&mut Opened> {
    open.iter_mut().find(|opened| opened.identity == identity)
}

fn opened() -> MutexGuard<'static, Vec<Opened>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_open_once_and_as_long_as_somebody_has_a_handle() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "0123456789").unwrap();
        let handles = || {
            let identity = FileIdentity::at(&path).unwrap()?;
            Some(find(&mut opened(), identity).map_or(0, |opened| opened.handles))
        };
        let (one, other) = (DatabaseHandle::at(&path).unwrap(), DatabaseHandle::at(&path).unwrap());
        let is_told = handles().is_some();
        assert_eq!(handles(), is_told.then_some(2));
        drop(other);
        assert_eq!(handles(), is_told.then_some(1));
        let mut bytes = [0; 3];
        one.read(4, &mut bytes).unwrap();
        assert_eq!(&bytes, b"456");
        assert!(one.read(8, &mut [0; 3]).is_err(), "there are not that many");
        drop(one);
        assert_eq!(handles(), is_told.then_some(0));
    }
}
