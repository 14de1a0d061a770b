//! Reading a SQLite journal while it is written, and after something in it was damaged.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod sqlite_support;

use finale_core::{ExecutionStatus, Time};
use finale_journal::{Filter, JournalError, JournalReader, SqliteReader, Standing};
use rusqlite::Connection;
use sqlite_support::{Hand, Place, ended, id, try_begin, try_more};

#[test]
fn a_reader_sees_what_is_durable_while_the_owner_writes() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    let reader = SqliteReader::open(place.path()).unwrap();
    for number in 1..=200 {
        hand.begin(number, b"a");
        hand.end(number, 2);
        if number % 10 == 0 {
            hand.settle();
            assert_eq!(reader.list(&Filter::new().limit(1_000)).unwrap().len() as u128, number);
            assert_eq!(reader.history(id(number)).unwrap().unwrap(), b"aend");
            assert_eq!(reader.keyed(&format!("key {number}")).unwrap(), Some(id(number)));
        }
    }
    assert_eq!(reader.live(None, 10).unwrap(), []);
    drop((hand, journal));
    assert_eq!(reader.summary(id(1)).unwrap().unwrap().status, ExecutionStatus::Completed);
}

#[test]
fn a_reader_that_holds_on_to_an_old_state_holds_up_nobody_and_is_noticed() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    hand.begin(1, b"a");
    hand.settle();
    let old = Connection::open(place.path()).unwrap();
    let batch = "SELECT batch FROM meta";
    old.execute_batch("BEGIN").unwrap();
    let before = old.query_row(batch, [], |row| row.get::<_, i64>(0)).unwrap();
    for sequence in 2..=10 {
        hand.more(1, sequence, &vec![7; 20 << 20]);
        hand.settle();
    }
    let stats = journal.stats();
    assert!(stats.checkpoints_held_up > 0 && stats.log_bytes > 150 << 20, "{stats:?}");
    assert_eq!(old.query_row(batch, [], |row| row.get(0)), Ok(before), "it still sees the old state");
    old.execute_batch("COMMIT").unwrap();
    for sequence in 11..=13 {
        hand.more(1, sequence, &vec![7; 20 << 20]);
        hand.settle();
    }
    assert!(journal.stats().log_bytes < 64 << 20, "then the log begins anew: {:?}", journal.stats());
}

/// An open and an ended execution; something in them is changed.
fn damaged(change: &str) -> Place {
    let place = Place::new();
    let mut hand = Hand::of(&place.open());
    hand.begin(1, b"a");
    hand.whole(2);
    drop(hand);
    place.alter(change);
    place
}

#[test]
fn a_damaged_summary_shows_as_quarantined_with_the_reason() {
    let changes = ["UPDATE executions SET activated_by = 'x'", "UPDATE executions SET error = 'x'"];
    for change in changes {
        let place = damaged(change);
        let journal = place.open();
        for summary in journal.list(&Filter::new()).unwrap() {
            assert_eq!((summary.status, summary.completed_at), (ExecutionStatus::Quarantined, None), "{change}");
            assert!(summary.error.unwrap().contains("damaged"));
        }
        assert_eq!(journal.history(id(1)).is_ok(), change.contains("activated_by"), "{change}");
    }
}

#[test]
fn a_key_that_was_damaged_leads_nowhere() {
    let place = damaged("UPDATE executions SET idempotency_key = 'key 1' WHERE number = 2");
    let error = place.open().keyed("key 1").unwrap_err();
    assert!(matches!(error, JournalError::Damaged { execution, .. } if execution == id(2)), "{error}");
}

#[test]
fn a_definition_that_was_damaged_is_said() {
    let place = damaged("UPDATE definitions SET name = 'Other'");
    let journal = place.open();
    assert!(matches!(journal.definition(sqlite_support::definition().hash), Err(JournalError::Unreadable(_))));
    assert!(journal.live(None, 10).unwrap()[0].quarantine.is_some());
    assert_eq!(journal.summary(id(2)).unwrap().unwrap().status, ExecutionStatus::Quarantined);
}

#[test]
fn a_damaged_execution_takes_nothing_more_and_can_be_written_off() {
    let changes = [
        "UPDATE facts SET chain = chain + 1 WHERE execution = 1",
        "DELETE FROM facts WHERE execution = 1",
        "DELETE FROM heads",
        "UPDATE heads SET number = 2",
        "UPDATE executions SET error = 'x' WHERE number = 1",
        "UPDATE executions SET activated_by = 'x' WHERE number = 1",
        "UPDATE executions SET status = 2 WHERE number = 1",
    ];
    for change in changes {
        let place = damaged(change);
        let journal = place.open();
        let mut hand = Hand::of(&journal);
        let more = try_more(&mut *hand.writer, 1, 2, b"b", Standing::Running);
        let is_whole = change.contains("activated_by");
        assert_eq!(matches!(more, Err(JournalError::Damaged { .. })), !is_whole, "{change}: {more:?}");
        hand.note(|writer| writer.write_off(id(1), Time::from_micros(9), "rotten", false));
        hand.settle();
        let summary = journal.summary(id(1)).unwrap().unwrap();
        assert_eq!((summary.status, summary.error.as_deref()), (ExecutionStatus::Failed, Some("rotten")), "{change}");
        assert_eq!(journal.live(None, 10).unwrap(), [], "{change}");
        assert_eq!(journal.history(id(2)).unwrap().unwrap(), b"whole", "{change}: the other");
        hand.note(|writer| writer.forget(&[id(1)]));
        hand.settle();
        assert_eq!(journal.summary(id(1)).unwrap(), None, "{change}");
    }
}

#[test]
fn executions_of_another_life_go_on() {
    let place = Place::new();
    let mut hand = Hand::of(&place.open());
    (1..=3).for_each(|number| hand.begin(number, b"a"));
    hand.end(3, 2);
    drop(hand);
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    let gap = try_more(&mut *hand.writer, 1, 3, b"c", Standing::Running);
    assert_eq!(gap, Err(JournalError::Gap { execution: id(1), expected: 2, found: 3 }));
    hand.more(1, 2, b"b");
    assert_eq!(try_more(&mut *hand.writer, 3, 3, b"c", Standing::Running), Err(JournalError::Ended(id(3))));
    assert_eq!(try_begin(&mut *hand.writer, 3, b"c", ended(3)), Err(JournalError::Ended(id(3))));
    hand.settle();
    assert_eq!(journal.history(id(1)).unwrap().unwrap(), b"ab");
}

#[test]
fn a_writer_knows_where_an_execution_stands_from_the_history_that_was_read() {
    let place = Place::new();
    let mut hand = Hand::of(&place.open());
    (1..=3).for_each(|number| hand.begin(number, b"a"));
    drop(hand);
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    let mut read = 0;
    journal.histories(&[id(1), id(2)], &mut |_, history| read += history.unwrap().unwrap().len());
    assert_eq!(read, 2);
    // Whoever looks into the database now finds that something is wrong.
    place.alter("DELETE FROM heads");
    hand.more(1, 2, b"b");
    hand.settle();
    assert_eq!(
        try_more(&mut *hand.writer, 2, 3, b"c", Standing::Running),
        Err(JournalError::Gap { execution: id(2), expected: 2, found: 3 })
    );
    let looked = try_more(&mut *hand.writer, 3, 2, b"b", Standing::Running);
    assert!(matches!(looked, Err(JournalError::Damaged { .. })), "{looked:?}");
}
