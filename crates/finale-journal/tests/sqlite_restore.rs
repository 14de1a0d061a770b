//! Copies that are put in the place of a journal, and what is left of it beside them.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod sqlite_support;

use std::fs;

use finale_journal::{JournalError, JournalReader, OpenProblem, SqliteJournal, SqliteReader};

use sqlite_support::{Hand, Place, id};

/// Executions 1 to 50 are in an older copy, `older`, of a journal that was killed later, with 110.
fn killed_after_a_copy() -> Place {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    (1..=50).for_each(|number| hand.begin(number, &[7; 900]));
    hand.settle();
    let older = place.folder().join("older");
    journal.backup(&older).unwrap();
    (51..=100).for_each(|number| hand.begin(number, &[7; 900]));
    hand.settle();
    // A claim copies the log into the file. What follows is in a log that has begun anew.
    let mut hand = Hand::of(&journal);
    (101..=110).for_each(|number| hand.begin(number, &[7; 900]));
    hand.settle();
    let killed = place.copy();
    fs::copy(older, killed.folder().join("older")).unwrap();
    killed
}

fn is_lost_tail(error: &JournalError) -> bool {
    matches!(error, JournalError::Open { problem: OpenProblem::LostTail { missing }, .. } if *missing > 0)
}

fn count(journal: &dyn JournalReader) -> usize {
    let live = journal.live(None, 1_000).unwrap();
    assert!(live.iter().all(|live| journal.history(live.id) == Ok(Some(vec![7; 900]))), "each is whole");
    live.len()
}

#[test]
fn a_log_that_belongs_to_its_file_is_read_with_it() {
    let killed = killed_after_a_copy();
    assert_eq!(count(&SqliteReader::open(killed.path()).unwrap()), 110);
    assert_eq!(count(&SqliteJournal::open(killed.path()).unwrap()), 110);
}

#[test]
fn an_older_copy_beside_a_newer_log_is_a_lost_tail_and_not_a_mixture_of_both() {
    for has_mark in [true, false] {
        let killed = killed_after_a_copy();
        fs::copy(killed.folder().join("older"), killed.path()).unwrap();
        if !has_mark {
            fs::remove_file(killed.file("-mark")).unwrap();
        }
        assert!(is_lost_tail(&SqliteReader::open(killed.path()).unwrap_err()), "mark: {has_mark}");
        assert!(is_lost_tail(&SqliteJournal::open(killed.path()).unwrap_err()), "mark: {has_mark}");
        // Whoever accepts that gets what the copy has, and nothing of the log.
        let reader = SqliteReader::builder(killed.path()).accept_lost_tail().open().unwrap();
        assert!(reader.lost_batches() > 0);
        assert_eq!(count(&reader), 50);
        let journal = SqliteJournal::builder(killed.path()).accept_lost_tail().open().unwrap();
        assert_eq!(count(&journal), 50);
        let mut hand = Hand::of(&journal);
        hand.begin(200, &[7; 900]);
        hand.settle();
        drop((hand, journal));
        assert_eq!(count(&SqliteJournal::open(killed.path()).unwrap()), 51);
    }
}

#[test]
fn a_copy_that_takes_the_place_of_a_journal_of_which_nothing_is_left_is_whole() {
    let killed = killed_after_a_copy();
    fs::copy(killed.folder().join("older"), killed.path()).unwrap();
    for suffix in ["-wal", "-shm", "-mark"] {
        let _ = fs::remove_file(killed.file(suffix));
    }
    assert_eq!(count(&SqliteJournal::open(killed.path()).unwrap()), 50);
}

#[test]
fn no_copy_is_made_where_files_of_another_journal_would_be_taken_for_its_own() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    hand.begin(1, b"one");
    hand.settle();
    let to = place.folder().join("copy");
    for suffix in ["-wal", "-mark"] {
        let left = place.folder().join(format!("copy{suffix}"));
        fs::write(&left, "left").unwrap();
        let error = journal.backup(&to).unwrap_err();
        assert!(
            matches!(&error, JournalError::Backup { problem, .. } if problem.contains("left of another")),
            "{error}"
        );
        assert!(!to.exists());
        fs::remove_file(left).unwrap();
    }
    journal.backup(&to).unwrap();
    assert_eq!(SqliteReader::open(&to).unwrap().history(id(1)), Ok(Some(b"one".to_vec())));
}
