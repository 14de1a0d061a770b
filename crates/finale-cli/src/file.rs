//! Reading a file of which nothing is known yet.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("this is a directory, not a file")]
    Directory,
    #[error("the file has {bytes} bytes, at most {bytes_max} are read")]
    TooLarge { bytes: u64, bytes_max: u64 },
    #[error("the file has more than the {bytes_max} bytes that are read at most")]
    Endless { bytes_max: u64 },
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The content of a file that is not too large; a larger one is refused by its size, before anything is read.
pub(crate) fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, ReadError> {
    let metadata = fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(ReadError::Directory);
    }
    if metadata.len() > bytes_max {
        return Err(ReadError::TooLarge { bytes: metadata.len(), bytes_max });
    }
    let mut bytes = Vec::new();
    // A pipe or a device does not tell its size, and a file may be growing.
    File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(ReadError::Endless { bytes_max });
    }
    Ok(bytes)
}
