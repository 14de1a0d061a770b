//! A checkpoint copies the log into the file, and may be broken off anywhere, or be under way while somebody reads.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says what it skips")]

mod sqlite_support;

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use finale_journal::{Filter, JournalReader, SqliteJournal, SqliteReader};

use sqlite_support::{Hand, Place, id};

const EXECUTIONS: u128 = 60;
const FACTS: [u8; 1_500] = [7; 1_500];

/// A journal that was killed: half of it was in the file when its log began anew, and nothing of the log is copied.
fn killed() -> Place {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    (1..=EXECUTIONS / 2).for_each(|number| hand.begin(number, &FACTS));
    hand.settle();
    // A claim copies the log into the file.
    let mut hand = Hand::of(&journal);
    place.faults.merge_every(5);
    for number in EXECUTIONS / 2 + 1..=EXECUTIONS {
        hand.begin(number, &FACTS);
        if number % 3 == 0 {
            hand.settle();
        }
    }
    hand.settle();
    place.faults.hold();
    let killed = place.copy();
    place.faults.release();
    killed
}

/// The pages in a log, each as it is after the last commit, in the order in which a checkpoint copies them.
struct Log {
    bytes: Vec<u8>,
    page: usize,
    frames: Vec<(u64, Range<usize>)>,
}

impl Log {
    fn read(path: &Path) -> Self {
        const HEADER: usize = 32;
        const FRAME_HEADER: usize = 24;
        let bytes = fs::read(path).unwrap();
        let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        let page = number(8) as usize;
        let (mut latest, mut of_commit) = (BTreeMap::new(), BTreeMap::new());
        let mut at = HEADER;
        // What comes after the last frame with its salt is left of the log before it.
        while at + FRAME_HEADER + page <= bytes.len() && bytes[at + 8..at + 16] == bytes[16..24] {
            of_commit.insert(u64::from(number(at)), at + FRAME_HEADER..at + FRAME_HEADER + page);
            if number(at + 4) > 0 {
                latest.append(&mut of_commit);
            }
            at += FRAME_HEADER + page;
        }
        Self { frames: latest.into_iter().collect(), bytes, page }
    }

    /// Copies a part of one page into the file.
    fn copy(&self, place: &Place, frame: usize, part: Range<usize>) {
        let (number, range) = &self.frames[frame];
        let file = fs::File::options().write(true).open(place.path()).unwrap();
        let from = (number - 1) * self.page as u64 + part.start as u64;
        file.write_all_at(&self.bytes[range.clone()][part], from).unwrap();
    }
}

fn expect_all(place: &Place, what: &str) {
    let whole = |journal: &dyn JournalReader| {
        for number in 1..=EXECUTIONS {
            assert_eq!(journal.history(id(number)), Ok(Some(FACTS.to_vec())), "{what}: execution {number}");
        }
        assert_eq!(journal.list(&Filter::new()).unwrap().len() as u128, EXECUTIONS, "{what}");
    };
    whole(&SqliteReader::open(place.path()).unwrap_or_else(|error| panic!("{what}: {error}")));
    let journal = SqliteJournal::open(place.path()).unwrap_or_else(|error| panic!("{what}: {error}"));
    whole(&journal);
    let mut hand = Hand::of(&journal);
    hand.begin(1_000, b"goes on");
    hand.settle();
}

#[test]
fn a_checkpoint_that_was_broken_off_after_any_page_leaves_a_whole_journal() {
    let killed = killed();
    let log = Log::read(&killed.file("-wal"));
    let pages = log.frames.len();
    assert!(pages > 10, "{pages} pages are in the log");
    for copied in 0..=pages {
        // What is not on the disk when the power fails need not be the end.
        for frames in [0..copied, pages - copied..pages] {
            let place = killed.copy();
            frames.clone().for_each(|frame| log.copy(&place, frame, 0..log.page));
            expect_all(&place, &format!("pages {frames:?} of {pages}"));
        }
    }
}

#[test]
fn a_checkpoint_that_was_broken_off_in_the_midst_of_a_page_leaves_a_whole_journal() {
    let killed = killed();
    let log = Log::read(&killed.file("-wal"));
    for frame in 0..log.frames.len() {
        for part in [0..512, log.page - 512..log.page] {
            let place = killed.copy();
            (0..frame).for_each(|frame| log.copy(&place, frame, 0..log.page));
            log.copy(&place, frame, part.clone());
            expect_all(&place, &format!("bytes {part:?} of page {frame}"));
        }
    }
}

#[test]
fn whoever_reads_beside_an_owner_that_copies_its_log_is_told_of_no_damage() {
    let place = Place::new();
    let journal = place.open();
    drop(Hand::of(&journal));
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let read = || {
            while !is_over.load(Ordering::Acquire) {
                let reader = SqliteReader::open(place.path()).unwrap_or_else(|error| panic!("it is opened: {error}"));
                reader.list(&Filter::new()).unwrap_or_else(|error| panic!("it is read: {error}"));
            }
        };
        let readers = [scope.spawn(read), scope.spawn(read)];
        for round in 0..60 {
            // A claim copies the log into the file.
            let mut hand = Hand::of(&journal);
            (1..=60).for_each(|number| hand.begin(round * 100 + number, &[7; 9_000]));
            hand.settle();
        }
        is_over.store(true, Ordering::Release);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
}

#[test]
fn whoever_reads_beside_an_owner_that_commits_is_told_of_no_loss() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    place.faults.merge_every(3);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let read = || {
            while !is_over.load(Ordering::Acquire) {
                drop(SqliteReader::open(place.path()).unwrap_or_else(|error| panic!("it is opened: {error}")));
            }
        };
        let readers = [scope.spawn(read), scope.spawn(read)];
        for number in 1..=500 {
            hand.begin(number, &[7; 20]);
            hand.settle();
        }
        is_over.store(true, Ordering::Release);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
}

/// How many locks of SQLite this process has on a file, where the system tells that.
fn locks(path: &Path) -> Option<usize> {
    let (process, inode) = (std::process::id().to_string(), format!(":{}", fs::metadata(path).ok()?.ino()));
    let listed = fs::read_to_string("/proc/locks").ok()?;
    let is_ours = |line: &&str| {
        let mut words = line.split_whitespace();
        let is_of_file = words.clone().any(|word| word.ends_with(&inode));
        line.contains("POSIX") && is_of_file && words.any(|word| word == process)
    };
    Some(listed.lines().filter(is_ours).count())
}

#[test]
fn a_reader_that_is_closed_frees_no_locks_of_others_in_its_process() {
    let place = killed();
    let first = SqliteReader::open(place.path()).unwrap();
    first.list(&Filter::new()).unwrap();
    let before = locks(&place.path());
    if before.is_none_or(|locks| locks == 0) {
        eprintln!("skipped: the system does not list locks here");
        return;
    }
    drop(SqliteReader::open(place.path()).unwrap());
    assert_eq!(locks(&place.path()), before, "the one that is open still has its own");
}
