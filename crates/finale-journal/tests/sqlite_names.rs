//! One file under several names, and files that are moved away under a running owner.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says what it skips")]

mod sqlite_support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use finale_journal::{Journal, JournalError, JournalReader, OpenProblem, SqliteJournal, SqliteReader, Standing};
use sqlite_support::{Hand, Place, id, try_begin};

fn problem(error: JournalError) -> OpenProblem {
    match error {
        JournalError::Open { problem, .. } => problem,
        other => panic!("{other} is not about opening"),
    }
}

#[test]
fn a_hard_link_is_refused_whoever_comes_by_it() {
    let place = Place::new();
    drop(place.open());
    let other = place.folder().join("other");
    fs::hard_link(place.path(), &other).unwrap();
    for path in [place.path(), other.clone()] {
        let refused = problem(SqliteJournal::open(&path).unwrap_err());
        assert_eq!(refused, OpenProblem::SeveralNames { names: 2 });
        assert_eq!(problem(SqliteReader::open(&path).unwrap_err()), refused);
    }
    fs::remove_file(other).unwrap();
    place.open();
}

#[test]
fn a_hard_link_that_is_made_while_a_journal_runs_lets_nobody_in() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    let other = place.folder().join("other");
    fs::hard_link(place.path(), &other).unwrap();
    assert!(SqliteJournal::open(&other).is_err());
    hand.begin(1, b"a");
    hand.settle();
}

const CHILD: &str = "FINALE_TEST_OTHER_NAME";

/// Not a test: what another process does, which knows the file under another name.
#[test]
fn child_that_opens_another_name() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    println!("refused: {}", problem(SqliteJournal::open(Path::new(&path)).unwrap_err()));
}

/// Another process that is let near the file by its other name.
fn refused_elsewhere(path: &Path) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    let child = child.args(["--exact", "child_that_opens_another_name", "--nocapture"]).env(CHILD, path);
    String::from_utf8(child.output().unwrap().stdout).unwrap()
}

/// A file of another folder, as a container is given one.
struct Bound(PathBuf);

impl Bound {
    fn mount(file: &Path, folder: &Path) -> Option<Self> {
        let bound = folder.join("bound");
        fs::write(&bound, "").unwrap();
        let mounted = Command::new("mount").arg("--bind").args([file, &bound]).output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then_some(Self(bound))
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        // What is left mounted is gone with the machine at the latest.
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_file_that_is_mounted_under_another_name_has_one_owner() {
    let (place, elsewhere) = (Place::new(), Place::new());
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    hand.begin(1, b"a");
    hand.settle();
    let Some(bound) = Bound::mount(&place.path(), elsewhere.folder()) else {
        eprintln!("skipped: a file cannot be mounted here");
        return;
    };
    let refused = problem(SqliteJournal::open(&bound.0).unwrap_err());
    assert!(matches!(refused, OpenProblem::InUse { .. }), "{refused}");
    let said = refused_elsewhere(&bound.0);
    assert!(said.contains("in use by another process, which has opened it under another name"), "{said}");
    hand.more(1, 2, b"b");
    hand.settle();
    drop((hand, journal));
    assert_eq!(SqliteJournal::open(&bound.0).unwrap().history(id(1)).unwrap().unwrap(), b"ab");
}

const NEW_OWNER: &str = "FINALE_TEST_NEW_OWNER";

/// Not a test: another owner that locks do not keep away, as on another machine.
#[test]
fn child_that_takes_the_file_over() {
    let Some(path) = std::env::var_os(NEW_OWNER) else { return };
    let faults = finale_journal::sqlite::SqliteFaults::new();
    faults.ignore_locks();
    let journal = SqliteJournal::builder(Path::new(&path)).faults(&faults).open().unwrap();
    let mut hand = Hand::of(&journal);
    hand.begin(2, b"new");
    hand.settle();
}

#[test]
fn of_two_owners_with_logs_of_their_own_the_older_one_is_fenced_by_the_file() {
    let (place, elsewhere) = (Place::new(), Place::new());
    let older = place.open();
    let mut old = Hand::of(&older);
    old.begin(1, b"a");
    old.settle();
    let other = elsewhere.path();
    fs::hard_link(place.path(), &other).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    let child = child.args(["--exact", "child_that_takes_the_file_over"]).env(NEW_OWNER, &other);
    assert!(child.output().unwrap().status.success());
    old.more(1, 2, b"b");
    let error = old.ear.wait_for_error();
    assert!(matches!(error, JournalError::Fenced { .. }), "{error}");
    assert_eq!(older.health(), Err(error));
    drop((old, older));
    fs::remove_file(place.path()).unwrap();
    let left = SqliteJournal::open(&other).unwrap();
    assert_eq!(left.history(id(2)).unwrap().unwrap(), b"new", "the older one has overwritten nothing");
}

#[test]
fn a_file_that_is_taken_away_or_replaced_is_noticed_and_nothing_more_is_acknowledged() {
    for suffix in ["", "-wal", "-shm", "-mark"] {
        for replaced in [false, true] {
            let place = Place::new();
            let journal = place.open();
            let mut hand = Hand::of(&journal);
            hand.begin(1, b"a");
            hand.settle();
            let (path, away) = (place.file(suffix), place.folder().join("away"));
            if replaced {
                fs::copy(&path, &away).unwrap();
            }
            fs::rename(if replaced { &away } else { &path }, if replaced { &path } else { &away }).unwrap();
            // Nothing is written: it is noticed all the same.
            let error = hand.ear.wait_for_error();
            assert_eq!(
                error,
                JournalError::FileReplaced { path: path.canonicalize().unwrap_or(path) },
                "journal{suffix}"
            );
            assert_eq!(journal.health(), Err(error.clone()));
            assert_eq!(journal.claim().unwrap_err(), error);
        }
    }
}

#[test]
fn a_log_that_is_cut_off_under_a_running_owner_is_noticed() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    hand.begin(1, &[7; 100_000]);
    hand.settle();
    fs::File::options().write(true).open(place.file("-wal")).unwrap().set_len(4_096).unwrap();
    let error = hand.ear.wait_for_error();
    assert!(error.to_string().contains("the log was cut off under the running journal"), "{error}");
    assert_eq!(journal.health(), Err(error));
}

#[test]
fn a_log_that_is_cut_off_between_two_commits_does_not_grow_again_and_nothing_more_is_acknowledged() {
    for length in [0, 4_096] {
        let place = Place::new();
        let journal = place.open();
        let mut hand = Hand::of(&journal);
        hand.begin(1, &[7; 100_000]);
        hand.settle();
        fs::File::options().write(true).open(place.file("-wal")).unwrap().set_len(length).unwrap();
        // At once: before it is looked at the files for no other reason than that time has passed.
        let _ = try_begin(&mut *hand.writer, 2, &[7; 100_000], Standing::Running);
        let error = hand.ear.wait_for_error();
        assert!(error.to_string().contains("the log was cut off under the running journal"), "{error}");
        let heard = hand.ear.heard();
        assert_eq!(heard.iter().filter(|told| told.is_ok()).count(), 1, "{heard:?}");
    }
}

#[test]
fn a_database_that_is_cut_off_under_a_running_owner_is_noticed_and_does_not_grow_again() {
    for (part, is_busy) in [(5, false), (8, false), (5, true), (8, true)] {
        let place = Place::new();
        let journal = place.open();
        let mut hand = Hand::of(&journal);
        (1..=40).for_each(|number| hand.begin(number, &[7; 100_000]));
        hand.settle();
        let length = || fs::metadata(place.path()).unwrap().len();
        while length() < 4_000_000 {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        // The log is copied to its end.
        std::thread::sleep(std::time::Duration::from_millis(700));
        let cut = length() / 10 * part;
        fs::File::options().write(true).open(place.path()).unwrap().set_len(cut).unwrap();
        if is_busy {
            // So much that the log is copied, which would make the file longer again.
            for number in 100..400 {
                if try_begin(&mut *hand.writer, number, &[7; 100_000], Standing::Running).is_err() {
                    break;
                }
            }
        }
        let error = hand.ear.wait_for_error();
        assert!(error.to_string().contains("it was cut off under the running journal"), "{error}");
        assert_eq!(journal.health(), Err(error));
        assert_eq!(length(), cut);
    }
}

#[test]
fn a_tool_that_rebuilds_the_database_and_empties_the_log_is_no_harm() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    for number in 1..=3 {
        hand.begin(number, &[7; 100_000]);
        hand.settle();
        let tool = rusqlite::Connection::open(place.path()).unwrap();
        tool.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
        tool.busy_timeout(std::time::Duration::from_secs(30)).unwrap();
        tool.execute_batch("VACUUM").unwrap();
    }
    hand.begin(4, b"a");
    hand.settle();
    assert_eq!(journal.health(), Ok(()));
}
