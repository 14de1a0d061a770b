//! Forgetting executions that a SQLite journal keeps.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod sqlite_support;

use std::fs;
use std::time::{Duration, Instant};

use finale_journal::{Journal, JournalReader};
use sqlite_support::{Hand, Place, id};

/// Waits until nothing of what was forgotten is left, and everything else has come into the tables.
fn swept(place: &Place, rows: i64) {
    let begun = Instant::now();
    while place.count("forgotten") > 0 || place.count("batches") > 0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "it is swept within half a minute");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(place.count("facts"), rows);
}

#[test]
fn what_ends_and_is_forgotten_at_once_leaves_nothing() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    hand.begin(1, b"began before");
    hand.settle();
    place.faults.hold();
    hand.begin(3, b"stays");
    place.faults.wait_until_stuck();
    hand.end(1, 2);
    hand.whole(2);
    hand.note(|writer| writer.forget(&[id(1), id(2), id(3)]));
    place.faults.release();
    hand.settle();
    assert_eq!((journal.history(id(1)).unwrap(), journal.history(id(2)).unwrap()), (None, None));
    assert!(journal.history(id(3)).unwrap().is_some());
    swept(&place, 1);
    assert_eq!((place.count("executions"), place.count("heads")), (1, 1));
}

#[test]
fn a_huge_history_goes_in_several_transactions_with_others_in_between() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    hand.begin(1, b"a");
    (2..50).for_each(|sequence| hand.more(1, sequence, &vec![7; 1 << 20]));
    hand.end(1, 50);
    hand.settle();
    let before = journal.stats();
    hand.note(|writer| writer.forget(&[id(1)]));
    hand.settle();
    assert_eq!(journal.history(id(1)).unwrap(), None, "it is gone at once");
    hand.begin(2, b"b");
    hand.settle();
    swept(&place, 1);
    assert!(journal.stats().commits - before.commits >= 5);
}

#[test]
fn what_was_left_to_sweep_is_swept_by_the_next_owner() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    hand.begin(1, b"a");
    (2..20).for_each(|sequence| hand.more(1, sequence, &vec![7; 1 << 20]));
    hand.end(1, 20);
    hand.settle();
    // The one that follows the first, which sweeps on.
    place.faults.fail_commit(2);
    hand.note(|writer| writer.forget(&[id(1)]));
    hand.settle();
    hand.ear.wait_for_error();
    drop((hand, journal));
    let journal = place.open();
    assert!(place.count("forgotten") > 0 && place.count("facts") > 0, "who only opens it changes nothing");
    journal.claim().unwrap();
    swept(&place, 0);
}

#[test]
fn room_that_was_forgotten_is_used_again() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    let mut lengths = Vec::new();
    for round in 0..30u128 {
        let numbers = round * 100 + 1..=round * 100 + 100;
        for number in numbers.clone() {
            hand.begin(number, &[7; 2_000]);
            hand.end(number, 2);
        }
        let ids: Vec<_> = numbers.map(id).collect();
        hand.note(|writer| writer.forget(&ids));
        hand.settle();
        lengths.push(journal.stats().bytes);
    }
    drop((hand, journal));
    let length = fs::metadata(place.path()).unwrap().len();
    assert!(length < lengths[29] / 5, "{length} bytes for {} that were written", lengths[29]);
}

#[test]
fn facts_of_another_execution_are_not_swept_along() {
    let place = Place::new();
    let mut hand = Hand::of(&place.open());
    hand.begin(1, b"a");
    hand.begin(2, b"b");
    hand.end(2, 2);
    drop(hand);
    place.alter("UPDATE facts SET previous = 1 WHERE execution = 2");
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    hand.note(|writer| writer.forget(&[id(2)]));
    hand.settle();
    assert_eq!(journal.history(id(1)).unwrap().unwrap(), b"a");
}

#[test]
fn an_open_execution_whose_summary_says_otherwise_is_not_forgotten() {
    let place = Place::new();
    let mut hand = Hand::of(&place.open());
    hand.begin(1, b"a");
    drop(hand);
    place.alter("UPDATE executions SET status = 2, completed_at = 1");
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    hand.note(|writer| writer.forget(&[id(1)]));
    hand.settle();
    assert_eq!((place.count("executions"), place.count("facts")), (1, 1));
    assert!(journal.live(None, 10).unwrap()[0].quarantine.is_some());
}
