//! Purging a SQLite journal: what it costs, what damage does to it, and where the space goes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod sqlite_support;

use std::fs;
use std::time::{Duration, Instant};

use finale_core::Time;
use finale_core::fact::Terminal::{self, Cancelled, Completed, Failed};
use finale_journal::{Ends, Expired, Filter, Journal, JournalReader, Purge, SqliteJournal, Standing};
use rusqlite::Connection;
use sqlite_support::{Hand, Place, try_begin};

const fn all_but(kept: u64) -> Purge {
    Purge::all(Expired { ended_before: None, all_but: Some(kept) })
}

fn whole(hand: &mut Hand, number: u128, status: Terminal, facts: &[u8]) {
    let at = Time::from_micros(i64::try_from(number).unwrap());
    hand.note(|writer| {
        try_begin(writer, number, facts, Standing::Ended(Ends { status, at, error: None, to_tell: false }))
    });
}

fn purge(journal: &SqliteJournal, hand: &Hand, purge: &Purge) -> usize {
    let mut gone = 0;
    loop {
        let purged = journal.purge(hand.epoch, purge, 500).unwrap();
        gone += purged.executions.len();
        if !purged.more {
            return gone;
        }
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_tool_that_makes_the_file_shorter_is_no_harm() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    (1..=1_000).for_each(|number| whole(&mut hand, number, Completed, &[7; 4_000]));
    hand.settle();
    let length = || fs::metadata(place.path()).unwrap().len();
    until("everything comes into the database", || length() > 4_000_000);
    assert_eq!(purge(&journal, &hand, &all_but(900)), 100);
    let tool = Connection::open(place.path()).unwrap();
    tool.busy_timeout(Duration::from_secs(30)).unwrap();
    for number in 2_000..2_003 {
        let before = length();
        tool.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        assert!(number > 2_000 || length() < before, "{} and {before}", length());
        // Longer than the files are looked at.
        std::thread::sleep(Duration::from_millis(700));
        whole(&mut hand, number, Completed, &[7; 4_000]);
        hand.settle();
    }
    assert_eq!(journal.health(), Ok(()));
}

#[test]
fn space_is_given_back_when_nothing_else_is_to_be_done() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    (1..=2_000).for_each(|number| whole(&mut hand, number, Completed, &[7; 4_000]));
    hand.settle();
    let length = || fs::metadata(place.path()).unwrap().len();
    until("everything comes into the database", || length() > 8_000_000);
    assert_eq!(purge(&journal, &hand, &all_but(10)), 1_990);
    until("the file becomes shorter", || length() < 2_000_000);
    assert_eq!(journal.list(&Filter::new()).unwrap().len(), 10);
    drop((hand, journal));
    let check: String =
        Connection::open(place.path()).unwrap().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(check, "ok");
}

#[test]
fn with_a_bound_the_file_does_not_grow() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    let mut lengths = Vec::new();
    for round in 0..40u128 {
        for number in round * 300 + 1..=round * 300 + 300 {
            whole(&mut hand, number, [Completed, Failed, Cancelled][number as usize % 3], &[7; 1_000]);
        }
        hand.settle();
        purge(&journal, &hand, &all_but(100));
        let pages = Connection::open(place.path()).unwrap().query_row("PRAGMA page_count", [], |row| row.get(0));
        lengths.push(pages.unwrap());
    }
    let (early, late): (i64, i64) = (lengths[5], lengths[39]);
    assert!(late <= early + early / 5, "{lengths:?}");
    assert_eq!(journal.list(&Filter::new().limit(1_000)).unwrap().len(), 300);
}

#[test]
fn nobody_counts_and_wrong_counts_are_mended() {
    for wrong in ["completed = 1000000", "completed = 0", "completed = -5"] {
        let place = Place::new();
        let mut hand = Hand::of(&place.open());
        (1..=50).for_each(|number| whole(&mut hand, number, Completed, b"a"));
        drop(hand);
        place.alter(&format!("UPDATE meta SET {wrong}"));
        let journal = place.open();
        let hand = Hand::of(&journal);
        purge(&journal, &hand, &all_but(20));
        let left = journal.list(&Filter::new()).unwrap().len();
        // Fewer than there are is harmless until the next one ends; more than there are is found out.
        assert!(left == 20 || wrong != "completed = 1000000" && left == 50 || left < 20, "{wrong}: {left}");
    }
}

#[test]
fn one_that_is_damaged_keeps_no_other_from_being_forgotten() {
    let place = Place::new();
    let mut hand = Hand::of(&place.open());
    hand.begin(1, b"open");
    (2..=50).for_each(|number| whole(&mut hand, number, Completed, b"a"));
    drop(hand);
    place.alter("UPDATE executions SET status = 2, completed_at = 1 WHERE number = 1");
    let journal = place.open();
    let hand = Hand::of(&journal);
    assert_eq!(purge(&journal, &hand, &all_but(0)), 49);
    assert_eq!(journal.list(&Filter::new()).unwrap().len(), 1, "it is open, whatever its row says");
}

#[test]
fn a_journal_of_the_release_before_is_counted_once_and_purged() {
    let place = Place::new();
    let mut hand = Hand::of(&place.open());
    (1..=30).for_each(|number| whole(&mut hand, number, [Completed, Failed, Cancelled][number as usize % 3], b"a"));
    drop(hand);
    let older = "DROP TABLE untold; DROP TABLE batches; ALTER TABLE meta DROP COLUMN base; ALTER TABLE meta DROP COLUMN merged;
        ALTER TABLE meta DROP COLUMN unmerged_hash; ALTER TABLE meta DROP COLUMN token; ALTER TABLE meta DROP COLUMN completed;
        ALTER TABLE meta DROP COLUMN failed; ALTER TABLE meta DROP COLUMN cancelled; PRAGMA user_version = 1;";
    Connection::open(place.path()).unwrap().execute_batch(older).unwrap();
    let journal = place.open();
    let hand = Hand::of(&journal);
    assert_eq!(purge(&journal, &hand, &all_but(4)), 18);
    drop((hand, journal));
    assert_eq!(place.open().list(&Filter::new()).unwrap().len(), 12);
}

#[test]
fn a_purge_holds_nobody_up_for_long() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    (1..=3_000).for_each(|number| whole(&mut hand, number, Completed, &[7; 500]));
    hand.settle();
    let before = journal.stats().commits;
    assert_eq!(purge(&journal, &hand, &all_but(0)), 3_000);
    let commits = journal.stats().commits - before;
    assert!(commits >= 6, "it was done in {commits} transactions, and whoever came in between had to wait for one");
}

#[test]
fn those_that_stay_among_those_that_go_keep_every_fact_and_nothing_is_left_of_the_others() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    let stays = |number: u128| number.is_multiple_of(7) || number == 50;
    for part in 0..3 {
        for number in 1..=100 {
            let facts = [number as u8; 30];
            match part {
                0 => hand.begin(number, &facts),
                1 => hand.more(number, 2, &facts),
                _ if stays(number) => hand.more(number, 3, &facts),
                _ => hand.end(number, 3),
            }
        }
        hand.settle();
        // All that is there comes into the tables, so that each has a row of facts of each part.
        until("it comes into the tables", || place.count("batches") == 0);
    }
    assert_eq!(purge(&journal, &hand, &all_but(0)), 100 - 15);
    for number in 1..=100 {
        let facts = stays(number).then(|| vec![number as u8; 90]);
        assert_eq!(journal.history(sqlite_support::id(number)).unwrap(), facts, "execution {number}");
    }
    until("nothing is left to delete", || place.count("forgotten") == 0);
    assert_eq!((place.count("facts"), place.count("executions")), (3 * 15, 15));
}

#[test]
fn facts_that_lie_between_those_that_go_and_belong_to_another_are_left_alone() {
    let place = Place::new();
    let mut hand = Hand::of(&place.open());
    (1..=20).for_each(|number| whole(&mut hand, number, Completed, b"a"));
    hand.begin(21, b"stays");
    drop(hand);
    place.alter("UPDATE facts SET execution = 21 WHERE execution = 10");
    let journal = place.open();
    let hand = Hand::of(&journal);
    assert_eq!(purge(&journal, &hand, &all_but(0)), 20);
    assert_eq!(place.count("facts"), 2, "who has rotted takes nothing along");
    assert_eq!(journal.history(sqlite_support::id(21)).unwrap().unwrap(), b"stays");
}
