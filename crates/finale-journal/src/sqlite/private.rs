//! Files that only their owner may read.

use std::fs::OpenOptions;

/// Lets nobody else read what is created.
pub(super) fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}
