//! Opening a SQLite journal: what is refused, and that one process owns it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod sqlite_support;

use std::fs;
use std::path::Path;
use std::process::Command;

use finale_core::fact::FORMAT;
use finale_journal::{Durability, Journal, JournalError, JournalReader, OpenProblem, SqliteJournal, SqliteReader};
use rusqlite::Connection;
use sqlite_support::{Hand, Place, id};

fn refused(path: &Path) -> OpenProblem {
    match SqliteJournal::open(path).unwrap_err() {
        JournalError::Open { problem, .. } => problem,
        other => panic!("{other} is not about opening"),
    }
}

#[test]
fn what_was_written_is_there_when_it_is_opened_again() {
    let place = Place::new();
    let mut hand = Hand::of(&place.open());
    hand.begin(1, b"a");
    hand.end(1, 2);
    // Not settled: dropping the last handle waits for it.
    drop(hand);
    let journal = place.open();
    assert_eq!(journal.history(id(1)).unwrap().unwrap(), b"aend");
    assert!(!fs::exists(place.file("-wal")).unwrap() || fs::metadata(place.file("-wal")).unwrap().len() == 0);
}

#[test]
fn a_second_owner_is_told_who_has_it() {
    let place = Place::new();
    let journal = place.open();
    let OpenProblem::InUse { holder } = refused(&place.path()) else { panic!("it is in use") };
    assert!(holder.contains(&format!("process {}", std::process::id())) && holder.contains("since 2"), "{holder}");
    drop(journal);
    place.open();
}

#[test]
fn a_clone_is_the_same_journal_and_keeps_it() {
    let place = Place::new();
    let journal = place.open();
    let clone = journal.clone();
    let claim = journal.claim().unwrap();
    drop(journal);
    assert!(matches!(refused(&place.path()), OpenProblem::InUse { .. }));
    clone.release(claim.epoch).unwrap();
}

const CHILD: &str = "FINALE_TEST_JOURNAL";

/// Not a test: what another process does.
#[test]
fn child_that_opens_a_journal() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    match refused(Path::new(&path)) {
        OpenProblem::InUse { holder } => println!("refused: {holder}"),
        other => println!("otherwise: {other}"),
    }
}

#[test]
fn another_process_is_refused_and_may_read() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    hand.begin(1, b"a");
    hand.settle();
    let mut child = Command::new(std::env::current_exe().unwrap());
    let child = child.args(["--exact", "child_that_opens_a_journal", "--nocapture"]).env(CHILD, place.path());
    let said = String::from_utf8(child.output().unwrap().stdout).unwrap();
    assert!(said.contains(&format!("refused: process {} (", std::process::id())), "{said}");
    assert_eq!(SqliteReader::open(place.path()).unwrap().history(id(1)).unwrap().unwrap(), b"a");
    hand.more(1, 2, b"b");
    hand.settle();
}

#[test]
fn an_owner_without_the_lock_is_fenced_all_the_same() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    hand.begin(1, b"a");
    hand.settle();
    place.faults.ignore_locks();
    let other = place.open();
    let claim = other.claim().unwrap();
    assert!(claim.crashed, "the first owner has not released it");
    hand.more(1, 2, b"b");
    let error = hand.ear.wait_for_error();
    assert!(matches!(error, JournalError::Fenced { current, .. } if current == claim.epoch), "{error}");
    assert_eq!(journal.health(), Err(error));
    assert_eq!(other.history(id(1)).unwrap().unwrap(), b"a");
}

#[test]
fn what_is_no_journal_is_left_alone() {
    let place = Place::new();
    let foreign = place.folder().join("foreign");
    Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE a(x)").unwrap();
    let before = fs::read(&foreign).unwrap();
    assert_eq!(refused(&foreign), OpenProblem::Foreign);
    assert_eq!(fs::read(&foreign).unwrap(), before);
    let text = place.folder().join("text");
    fs::write(&text, "no database at all, and long enough to be looked at as one\n".repeat(20)).unwrap();
    assert_eq!(refused(&text), OpenProblem::Foreign);
    assert_eq!(refused(place.folder()), OpenProblem::NoFile);
    assert_eq!(refused(&place.folder().join("absent/journal")), OpenProblem::NoFolder);
    assert_eq!(refused(&place.folder().join("..")), OpenProblem::NoFile);
}

#[cfg(unix)]
#[test]
fn nobody_else_reads_it_and_no_link_is_followed() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let place = Place::new();
    let mut hand = Hand::of(&place.open());
    hand.begin(1, b"a");
    hand.settle();
    for suffix in ["", "-wal", "-shm", "-lock", "-mark"] {
        let mode = fs::metadata(place.file(suffix)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "journal{suffix}");
    }
    let link = place.folder().join("link");
    symlink(place.path(), &link).unwrap();
    assert_eq!(refused(&link), OpenProblem::Link);
}

#[test]
fn what_a_newer_release_wrote_is_refused() {
    let place = Place::new();
    drop(place.open());
    place.alter("UPDATE meta SET facts_format = 99");
    let known = i64::from(FORMAT);
    assert_eq!(refused(&place.path()), OpenProblem::Newer { found: 99, known });
    place.alter("UPDATE meta SET facts_format = 1");
    Connection::open(place.path()).unwrap().pragma_update(None, "user_version", 7).unwrap();
    assert_eq!(refused(&place.path()), OpenProblem::Newer { found: 7, known: 5 });
    assert!(SqliteReader::open(place.path()).is_err());
}

#[test]
fn a_reader_refuses_what_only_an_owner_makes_newer() {
    let place = Place::new();
    drop(place.open());
    Connection::open(place.path()).unwrap().pragma_update(None, "user_version", 2).unwrap();
    let Err(JournalError::Open { problem, .. }) = SqliteReader::open(place.path()) else { panic!("it was opened") };
    assert_eq!(problem, OpenProblem::Older { found: 2, known: 5 });
}

#[test]
fn a_reader_needs_a_journal_and_none_is_made_for_it() {
    let place = Place::new();
    assert!(SqliteReader::open(place.path()).is_err());
    assert!(!fs::exists(place.path()).unwrap());
    fs::write(place.path(), "").unwrap();
    assert!(SqliteReader::open(place.path()).is_err());
}

#[test]
fn an_owner_that_has_gone_is_read_all_the_same() {
    let place = Place::new();
    let mut hand = Hand::of(&place.open());
    hand.begin(1, b"a");
    drop(hand);
    let reader = SqliteReader::open(place.path()).unwrap();
    assert_eq!(reader.history(id(1)).unwrap().unwrap(), b"a");
    assert_eq!(reader.health(), Ok(()));
    place.open();
}

#[test]
fn without_syncs_there_is_no_mark() {
    let place = Place::new();
    let mut hand = Hand::of(&place.open());
    hand.begin(1, b"a");
    drop(hand);
    assert!(fs::exists(place.file("-mark")).unwrap());
    let relaxed = SqliteJournal::builder(place.path()).durability(Durability::Relaxed).open().unwrap();
    assert!(!fs::exists(place.file("-mark")).unwrap());
    let mut hand = Hand::of(&relaxed);
    hand.begin(2, b"b");
    hand.settle();
    assert!(!fs::exists(place.file("-mark")).unwrap());
}

#[test]
fn a_release_in_order_is_no_crash() {
    let place = Place::new();
    let journal = place.open();
    let first = journal.claim().unwrap();
    assert!(!first.crashed);
    journal.release(first.epoch).unwrap();
    drop(journal);
    let journal = place.open();
    let second = journal.claim().unwrap();
    assert!(!second.crashed && second.epoch > first.epoch);
    drop(journal);
    assert!(place.open().claim().unwrap().crashed);
}
