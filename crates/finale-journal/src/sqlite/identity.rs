//! Which file a name leads to, whatever the name is.

use std::fs::Metadata;
use std::io;
use std::path::Path;

/// A file as the operating system knows it: two names with the same identity are the same file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    /// The identity of the file at a path, which is not opened for that. None if there is no file, or the system does
    /// not tell identities.
    pub(super) fn at(path: &Path) -> io::Result<Option<Self>> {
        match path.symlink_metadata() {
            Ok(metadata) => Ok(Self::of(&metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    #[cfg(unix)]
    pub(super) fn of(metadata: &Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        Some(Self { device: metadata.dev(), inode: metadata.ino() })
    }

    /// An open file can be neither moved nor deleted there, so nothing needs to tell it from others.
    #[cfg(not(unix))]
    pub(super) fn of(_metadata: &Metadata) -> Option<Self> {
        None
    }

    /// The device as Linux lists it among its mounts: `major:minor`.
    #[cfg(target_os = "linux")]
    pub(super) fn device_name(self) -> String {
        let major = (self.device >> 8) & 0xfff | (self.device >> 32) & !0xfff;
        let minor = self.device & 0xff | (self.device >> 12) & !0xff;
        format!("{major}:{minor}")
    }
}

/// How many names a file has, where the system tells that.
#[cfg(unix)]
pub(super) fn names(metadata: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(metadata)
}

#[cfg(not(unix))]
pub(super) fn names(_metadata: &Metadata) -> u64 {
    1
}
