//! Where the output of commands is.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use finale::{ExecutionId, Time};

use super::tail::{BYTES_MAX, Tail};
use crate::time;

/// A name as long as this fits every file system, with what is put behind it.
const NAME_BYTES_MAX: usize = 160;

/// Where the output of commands is: one file for each attempt.
#[derive(Clone, Debug)]
pub(crate) enum Logs {
    /// In this directory.
    In(PathBuf),
    /// In a directory of the execution in this one.
    Below(PathBuf),
    /// In a directory of the execution below the system's one for temporary files.
    Temporary,
}

/// How much earlier than other clocks that of a file system may tell the time.
const CLOCKS_APART_MAX: Duration = Duration::from_secs(2);

impl Logs {
    /// The file of an attempt.
    pub(crate) fn path(&self, execution: ExecutionId, node: &str, attempt: u16) -> PathBuf {
        self.directory(execution).join(format!("{}.{attempt}.log", file_name(node)))
    }

    /// The directory of an execution.
    fn directory(&self, execution: ExecutionId) -> PathBuf {
        match self {
            Self::In(directory) => directory.clone(),
            Self::Below(directory) => directory.join(execution.to_string()),
            Self::Temporary => std::env::temp_dir().join(format!("finale-{execution}")),
        }
    }

    /// Makes the file of an attempt.
    pub(super) fn create(&self, execution: ExecutionId, node: &str, attempt: u16) -> io::Result<File> {
        let directory = self.directory(execution);
        match self {
            Self::In(_) | Self::Below(_) => fs::create_dir_all(directory)?,
            Self::Temporary => create_private(&directory)?,
        }
        // What commands write can hold secrets, whoever may look into the directory.
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(self.path(execution, node, attempt))?;
        // One of an earlier run keeps the mode that it had then.
        #[cfg(unix)]
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        Ok(file)
    }
}

/// What commands write is nobody else's business, and others can look into the directory for temporary files.
fn create_private(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(directory) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && is_directory(directory) => Ok(()),
        created => created,
    }
}

/// A link would lead to where somebody else wants it.
fn is_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

/// The last lines of a log; none if there is no log, or only one from before that time.
pub(crate) fn last_lines(path: &Path, since: Time) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let metadata = file.metadata().ok()?;
    if time::of(metadata.modified().ok()? + CLOCKS_APART_MAX) < since {
        return None;
    }
    let length = metadata.len();
    // One byte more tells whether the first line is whole.
    file.seek(SeekFrom::Start(length.saturating_sub(BYTES_MAX as u64 + 1))).ok()?;
    let mut bytes = Vec::new();
    file.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes).ok()?;
    let mut tail = Tail::default();
    tail.push(&bytes);
    Some(tail.text())
}

/// The id of a node as the name of a file: no two ids have the same.
fn file_name(node: &str) -> String {
    let mut name = String::new();
    for (position, character) in node.char_indices() {
        match character {
            '.' if position == 0 => name.push_str("%2E"),
            '-' | '_' | '.' => name.push(character),
            _ if character.is_alphanumeric() => name.push(character),
            _ => {
                let mut bytes = [0; 4];
                character.encode_utf8(&mut bytes).bytes().for_each(|byte| name.push_str(&format!("%{byte:02X}")));
            }
        }
    }
    if name.len() > NAME_BYTES_MAX {
        let mut hasher = DefaultHasher::new();
        node.hash(&mut hasher);
        let end = (0..=NAME_BYTES_MAX).rev().find(|end| name.is_char_boundary(*end)).unwrap_or_default();
        name.truncate(end);
        name.push_str(&format!("%{:016x}", hasher.finish()));
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_a_node_cannot_lead_out_of_the_directory() {
        assert_eq!(file_name("build-2.x_注文"), "build-2.x_注文");
        assert_eq!(file_name("../a b"), "%2E.%2Fa%20b");
        assert_eq!(file_name("a\\b:\0"), "a%5Cb%3A%00");
    }

    #[test]
    fn two_long_ids_have_two_names_that_fit() {
        let (one, other) = (file_name(&("é".repeat(500) + "1")), file_name(&("é".repeat(500) + "2")));
        assert_ne!(one, other);
        assert!(one.len() < 200, "{one}");
    }
}
