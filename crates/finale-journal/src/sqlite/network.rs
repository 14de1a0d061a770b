//! File systems that several machines share.
//!
//! SQLite's log is indexed in memory that all connections share, which works within one machine alone. The locks of a
//! network file system often do not reach other machines either. So such a file system is refused where it can be told,
//! which is on Linux: everywhere else it is for the user to avoid.

use std::path::Path;

use crate::OpenProblem;

/// Refuses a folder on a file system that other machines may share.
#[cfg(target_os = "linux")]
pub(super) fn check(folder: &Path) -> Result<(), OpenProblem> {
    let device = super::identity::FileIdentity::at(folder).ok().flatten().map(|found| found.device_name());
    // Without the list of mounts nothing can be told, as on any other system.
    let (Some(device), Ok(mounts)) = (device, std::fs::read_to_string("/proc/self/mountinfo")) else {
        return Ok(());
    };
    match kind_of(&mounts, &device).filter(|kind| is_shared(kind)) {
        Some(kind) => Err(OpenProblem::NetworkFileSystem { kind: kind.to_owned() }),
        None => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn check(_folder: &Path) -> Result<(), OpenProblem> {
    Ok(())
}

/// The kind of file system that is mounted from a device, in the format of `/proc/self/mountinfo`.
#[cfg(any(target_os = "linux", test))]
fn kind_of<'m>(mounts: &'m str, device: &str) -> Option<&'m str> {
    let mount = mounts.lines().find(|line| line.split(' ').nth(2) == Some(device))?;
    // Any number of optional fields comes before the dash.
    mount.split_once(" - ")?.1.split(' ').next()
}

#[cfg(any(target_os = "linux", test))]
fn is_shared(kind: &str) -> bool {
    const SHARED: [&str; 17] = [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "afs",
        "ncpfs",
        "coda",
        "ceph",
        "lustre",
        "gfs2",
        "ocfs2",
        "glusterfs",
        "beegfs",
        "gpfs",
        "davfs",
        "pvfs2",
    ];
    const SHARED_FUSE: [&str; 8] = ["sshfs", "glusterfs", "s3fs", "rclone", "gcsfuse", "ceph", "juicefs", "davfs2"];
    SHARED.contains(&kind) || kind.strip_prefix("fuse.").is_some_and(|kind| SHARED_FUSE.contains(&kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
37 22 0:45 / /srv/data rw,relatime shared:20 master:3 - nfs4 host:/export rw,vers=4.2
38 22 0:46 / /mnt/far rw,nosuid - fuse.sshfs me@host: rw
39 22 0:47 / /mnt/near rw - fuse.gocryptfs /home rw
";

    #[test]
    fn the_kind_of_a_file_system_is_found_by_its_device() {
        let kind = |device| kind_of(MOUNTS, device);
        assert_eq!((kind("8:1"), kind("0:45"), kind("9:9")), (Some("ext4"), Some("nfs4"), None));
        let shared = |device| kind(device).is_some_and(is_shared);
        assert_eq!(["8:1", "0:45", "0:46", "0:47"].map(shared), [false, true, true, false]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_device_of_a_folder_is_among_the_mounts() {
        let folder = tempfile::tempdir().unwrap();
        check(folder.path()).unwrap();
        let device = super::super::identity::FileIdentity::at("/proc/self".as_ref()).unwrap().unwrap().device_name();
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        assert_eq!(kind_of(&mounts, &device), Some("proc"));
    }
}
