//! A disk without space. Needs a file system of its own, and so the rights to mount one.

use std::path::Path;
use std::process::Command;

use finale::journal::sqlite::SqliteFaults;
use finale::{ActivateError, ExecutionId, Filter, Payload, Runtime};

use super::{ask, expect_all, runtime};

/// A small file system in memory, as long as this lives.
struct Small(tempfile::TempDir);

impl Small {
    fn mount(megabytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().ok()?;
        mount(folder.path(), &format!("size={megabytes}m"), false).then_some(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn grow(&self, megabytes: u32) -> bool {
        mount(self.path(), &format!("size={megabytes}m"), true)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // What is left mounted is gone with the machine at the latest.
        let _ = Command::new("umount").arg(self.path()).status();
    }
}

fn mount(folder: &Path, options: &str, again: bool) -> bool {
    let options = if again { format!("remount,{options}") } else { options.to_owned() };
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder).output();
    mounted.is_ok_and(|mounted| mounted.status.success())
}

/// Activates until the disk is full.
async fn fill(runtime: &Runtime) -> (Vec<ExecutionId>, ActivateError) {
    let large = Payload::encode(&"x".repeat(60_000)).unwrap();
    let mut acknowledged = Vec::new();
    loop {
        match runtime.activate(&ask(), &large).await {
            Ok(execution) => acknowledged.push(execution.id()),
            Err(error) => return (acknowledged, error),
        }
        assert!(acknowledged.len() < 10_000, "the disk is never full");
    }
}

#[actix::test]
async fn a_full_disk_stops_the_journal_and_loses_nothing_and_space_and_a_restart_mend_it() {
    for megabytes in [1, 2, 5] {
        let Some(small) = Small::mount(megabytes) else {
            eprintln!("skipped: a small file system cannot be mounted here");
            return;
        };
        let runtime = runtime(small.path(), &SqliteFaults::new()).start().unwrap();
        let (acknowledged, refused) = fill(&runtime).await;
        assert!(matches!(refused, ActivateError::Journal(_)), "{megabytes} MiB: {refused:?}");
        assert!(runtime.health().journal.is_err());
        let wanted = Filter::new().limit(1_000);
        let listed = runtime.executions(wanted).await.unwrap().executions;
        assert!(acknowledged.iter().rev().take(1_000).all(|id| listed.iter().any(|summary| summary.id == *id)));
        runtime.shutdown(std::time::Duration::from_secs(5)).await;
        drop(runtime);
        assert!(small.grow(megabytes + 64), "the file system can be made larger");
        expect_all(small.path(), &acknowledged).await;
    }
}
