//! What a machine under load has no say in: bytes written, and the time that threads were on a processor.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// What the thread of a journal is called.
const JOURNAL: &str = "finale-journal";
/// Where Linux lists the threads of this process.
const THREADS: &str = "/proc/self/task";
/// Where it says how many bytes this process has handed over to be written, to files and elsewhere.
const IO: &str = "/proc/self/io";

/// What was used since this process began; none where the system does not say.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    /// Bytes that were written.
    pub(super) written: Option<u64>,
    /// How long threads of journals ran.
    pub(super) journal: Option<Duration>,
}

impl Usage {
    pub(super) fn now() -> Self {
        Self { written: written(), journal: journal() }
    }

    /// What was used since then.
    pub(super) fn since(&self, before: &Self) -> Self {
        let written = self.written.zip(before.written).map(|(now, then)| now.saturating_sub(then));
        let journal = self.journal.zip(before.journal).map(|(now, then)| now.saturating_sub(then));
        Self { written, journal }
    }
}

/// How long the calling thread ran.
pub(super) fn this_thread() -> Option<Duration> {
    on_processor(Path::new("/proc/thread-self"))
}

fn written() -> Option<u64> {
    let io = fs::read_to_string(IO).ok()?;
    io.lines().find_map(|line| line.strip_prefix("wchar: "))?.parse().ok()
}

fn journal() -> Option<Duration> {
    let threads = fs::read_dir(THREADS).ok()?.flatten().map(|thread| thread.path());
    let of_journals =
        threads.filter(|thread| fs::read_to_string(thread.join("comm")).is_ok_and(|name| name.trim_end() == JOURNAL));
    of_journals.map(|thread| on_processor(&thread)).sum()
}

fn on_processor(thread: &Path) -> Option<Duration> {
    let schedule = fs::read_to_string(thread.join("schedstat")).ok()?;
    schedule.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_and_done_is_counted() {
        let before = Usage::now();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), vec![7; 1 << 20]).unwrap();
        let on_processor = this_thread().unwrap();
        assert!(Usage::now().since(&before).written.unwrap() >= 1 << 20);
        assert!((0..1_000).any(|_| this_thread().unwrap() > on_processor));
    }
}
