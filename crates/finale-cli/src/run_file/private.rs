//! Files and directories that only their owner can read.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

/// Creates a file that only its owner can read.
///
/// An existing file or link of that name is deleted, never opened: a link could lead to a file of the victim.
pub(crate) fn create_file(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Gives a new file to the owner of another one, if this user may give files away: else the owner could not open it any more.
#[cfg(unix)]
pub(super) fn give_to_owner(file: &File, of: &Path) {
    use std::os::unix::fs::{MetadataExt, fchown};
    let (Ok(own), Ok(of)) = (file.metadata(), fs::metadata(of)) else { return };
    if own.uid() != of.uid() {
        // Only an administrator may; for everybody else the file stays their own.
        let _ = fchown(file, Some(of.uid()), Some(of.gid()));
    }
}

/// Files have no owner of that kind here.
#[cfg(not(unix))]
pub(super) fn give_to_owner(_file: &File, _of: &Path) {}

/// Creates a directory that only its owner can read.
///
/// # Errors
/// Also when anything of that name exists: another user may have created it.
pub(crate) fn create_folder(path: &Path) -> io::Result<()> {
    #[cfg_attr(not(unix), allow(unused_mut, reason = "there is no mode to set"))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_link_is_not_followed() {
        let folder = TempDir::new().unwrap();
        let [victim, link] = ["victim", "link"].map(|name| folder.path().join(name));
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, &link).unwrap();
        drop(create_file(&link).unwrap());
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert!(fs::symlink_metadata(&link).unwrap().is_file());
        assert_eq!(fs::metadata(&link).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_folder_or_a_link_that_is_there_is_refused() {
        let folder = TempDir::new().unwrap();
        let [fresh, link] = ["fresh", "link"].map(|name| folder.path().join(name));
        create_folder(&fresh).unwrap();
        assert_eq!(fs::metadata(&fresh).unwrap().permissions().mode() & 0o777, 0o700);
        symlink(&fresh, &link).unwrap();
        for path in [&fresh, &link] {
            assert_eq!(create_folder(path).unwrap_err().kind(), ErrorKind::AlreadyExists);
        }
    }
}
