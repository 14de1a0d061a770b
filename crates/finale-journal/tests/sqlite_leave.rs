//! Leaving a journal in order, copying it while it runs, and waiting for whoever holds its lock.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod sqlite_support;

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use finale_journal::{Filter, Journal, JournalError, JournalReader, SqliteJournal, SqliteReader};
use rusqlite::Connection;
use sqlite_support::{Hand, Place, id};

/// The database file alone, somewhere else.
fn file_alone(place: &Place) -> Place {
    let copy = Place::new();
    fs::copy(place.path(), copy.path()).unwrap();
    copy
}

#[test]
fn after_a_release_everything_is_in_the_one_file_while_handles_live_on() {
    let place = Place::new();
    let journal = place.open();
    let claim = journal.claim().unwrap();
    let mut hand = Hand::with(&journal, claim.epoch, 0);
    (1..=100).for_each(|number| hand.begin(number, b"a"));
    hand.settle();
    let released = journal.release(claim.epoch).unwrap();
    assert_eq!(released.in_one_file, Some(true));
    let alone = file_alone(&place);
    let copy = alone.open();
    assert_eq!(copy.list(&Filter::new()).unwrap().len(), 100);
    assert!(!copy.claim().unwrap().crashed, "it was left in order");
    assert_eq!(journal.list(&Filter::new()).unwrap().len(), 100, "it can still be read");
}

#[test]
fn a_reader_that_holds_on_to_an_old_state_is_said_at_the_release() {
    let place = Place::new();
    let journal = place.open();
    let claim = journal.claim().unwrap();
    let mut hand = Hand::with(&journal, claim.epoch, 0);
    hand.begin(1, b"a");
    hand.settle();
    let reader = Connection::open(place.path()).unwrap();
    let snapshot = reader.unchecked_transaction().unwrap();
    snapshot.query_row("SELECT count(*) FROM executions", [], |_| Ok(())).unwrap();
    hand.begin(2, b"b");
    hand.settle();
    assert_eq!(journal.release(claim.epoch).unwrap().in_one_file, Some(false));
    drop(snapshot);
    assert_eq!(journal.release(claim.epoch).unwrap().in_one_file, Some(true));
}

#[test]
fn a_release_by_an_old_owner_says_nothing_of_files() {
    let place = Place::new();
    let journal = place.open();
    let old = journal.claim().unwrap();
    journal.claim().unwrap();
    assert_eq!(journal.release(old.epoch).unwrap().in_one_file, None);
}

#[test]
fn a_copy_of_a_running_journal_has_everything_that_was_acknowledged_and_can_be_restored() {
    let (place, elsewhere) = (Place::new(), Place::new());
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    (1..=50).for_each(|number| hand.begin(number, &[3; 5_000]));
    hand.settle();
    let copied = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..5 {
                journal.backup(elsewhere.folder().join(format!("copy {round}"))).unwrap();
            }
            copied.store(true, Ordering::Release);
        });
        let mut number = 50;
        while !copied.load(Ordering::Acquire) {
            number += 1;
            hand.begin(number, b"meanwhile");
            hand.settle();
        }
        assert_eq!(journal.history(id(number)).unwrap().unwrap(), b"meanwhile");
    });
    for round in 0..5 {
        let restored = SqliteJournal::open(elsewhere.folder().join(format!("copy {round}"))).unwrap();
        (1..=50).for_each(|number| assert_eq!(restored.history(id(number)).unwrap().unwrap(), [3; 5_000]));
        assert!(restored.claim().unwrap().crashed, "its owner was at work");
        let mut hand = Hand::of(&restored);
        hand.more(1, 2, b"goes on");
        hand.settle();
    }
}

#[test]
fn a_reader_copies_what_another_process_owns() {
    let (place, elsewhere) = (Place::new(), Place::new());
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    hand.begin(1, b"a");
    hand.settle();
    SqliteReader::open(place.path()).unwrap().backup(elsewhere.path()).unwrap();
    assert_eq!(SqliteReader::open(elsewhere.path()).unwrap().history(id(1)).unwrap().unwrap(), b"a");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(elsewhere.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_copy_writes_nothing_over_and_leaves_nothing_half() {
    let (place, elsewhere) = (Place::new(), Place::new());
    let journal = place.open();
    fs::write(elsewhere.path(), "something").unwrap();
    let refused = journal.backup(elsewhere.path()).unwrap_err();
    assert!(matches!(&refused, JournalError::Backup { path, .. } if *path == elsewhere.path()), "{refused}");
    assert_eq!(refused.code(), "journal_backup");
    assert_eq!(fs::read_to_string(elsewhere.path()).unwrap(), "something");
    assert!(journal.backup(elsewhere.folder().join("no/such/folder")).is_err());
    assert_eq!(fs::read_dir(elsewhere.folder()).unwrap().count(), 1);
}

#[test]
fn a_damaged_journal_is_not_copied_in_silence() {
    let (place, elsewhere) = (Place::new(), Place::new());
    {
        let mut hand = Hand::of(&place.open());
        (1..=50).for_each(|number| hand.begin(number, &[3; 500]));
    }
    // An execution that an index does not lead to any more.
    let tool = Connection::open(place.path()).unwrap();
    tool.execute_batch("PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'executions_id'").unwrap();
    tool.execute_batch("DELETE FROM executions WHERE number = 7").unwrap();
    drop(tool);
    let journal = SqliteReader::open(place.path()).unwrap();
    let refused = journal.backup(elsewhere.path()).unwrap_err();
    assert!(refused.to_string().contains("damaged"), "{refused}");
    assert_eq!(fs::read_dir(elsewhere.folder()).unwrap().count(), 0);
}

#[test]
fn a_tool_that_holds_the_write_lock_is_waited_for_and_named() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    let tool = Connection::open(place.path()).unwrap();
    tool.execute_batch("BEGIN IMMEDIATE").unwrap();
    hand.begin(1, b"a");
    let waiting = loop {
        match journal.waiting() {
            Some(waiting) => break waiting,
            None => thread::yield_now(),
        }
    };
    assert!(waiting.what.contains("another program holds the write lock"), "{waiting:?}");
    assert_eq!(journal.health(), Ok(()), "it has not failed");
    assert_eq!(hand.ear.heard(), []);
    tool.execute_batch("ROLLBACK").unwrap();
    hand.settle();
    assert_eq!((journal.waiting(), journal.health()), (None, Ok(())));
}

#[test]
fn patience_with_who_holds_the_lock_is_bounded() {
    let place = Place::new();
    let journal = SqliteJournal::builder(place.path()).lock_patience(Duration::from_millis(1)).open().unwrap();
    let mut hand = Hand::of(&journal);
    let tool = Connection::open(place.path()).unwrap();
    tool.execute_batch("BEGIN IMMEDIATE").unwrap();
    hand.begin(1, b"a");
    let error = hand.ear.wait_for_error();
    assert!(error.to_string().contains("another program has held its write lock"), "{error}");
    tool.execute_batch("ROLLBACK").unwrap();
    drop((hand, journal));
    assert_eq!(place.open().list(&Filter::new()).unwrap(), [], "nothing of it was written");
}
