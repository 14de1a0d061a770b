//! What every user of the in-memory journals relies on.

use std::sync::{Arc, Mutex};

use finale_core::ExecutionId;
use finale_journal::{
    Acknowledgement, Append, Appended, HeldJournal, Journal, JournalError, Listener, MemoryJournal, Position, Writer,
};
use uuid::Uuid;

fn id(number: u128) -> ExecutionId {
    ExecutionId::from_uuid(Uuid::from_u128(number))
}

fn nobody() -> Listener {
    Listener::new(|_| {})
}

fn append(execution: ExecutionId, first_sequence: u64, facts: &[u8], ends: bool) -> Append<'_> {
    Append { execution, first_sequence, count: 1, facts, ends }
}

fn write(writer: &mut dyn Writer, number: u128, sequence: u64) -> Result<Appended, JournalError> {
    writer.append(append(id(number), sequence, b"f", false))
}

#[test]
fn appends_are_durable_at_once_and_read_back_in_order() {
    let journal = MemoryJournal::new();
    let mut writer = journal.writer(0, nobody()).unwrap();
    let first = writer.append(append(id(1), 1, b"ab", false)).unwrap();
    let second = writer.append(append(id(1), 2, b"c", true)).unwrap();
    assert!(first.durable && second.durable && first.position < second.position);
    assert_eq!(journal.history(id(1)).unwrap().unwrap(), b"abc");
}

#[test]
fn a_gap_is_refused_and_nothing_is_written() {
    let journal = MemoryJournal::new();
    let mut writer = journal.writer(0, nobody()).unwrap();
    write(&mut *writer, 1, 1).unwrap();
    let error = write(&mut *writer, 1, 3).unwrap_err();
    assert_eq!(error, JournalError::Gap { execution: id(1), expected: 2, found: 3 });
    assert_eq!(journal.history(id(1)).unwrap().unwrap(), b"f");
}

#[test]
fn nothing_is_written_after_the_end() {
    let journal = MemoryJournal::new();
    let mut writer = journal.writer(0, nobody()).unwrap();
    writer.append(append(id(1), 1, b"f", true)).unwrap();
    assert_eq!(write(&mut *writer, 1, 2), Err(JournalError::Ended(id(1))));
}

#[test]
fn live_executions_are_loaded_page_by_page_in_order() {
    let journal = MemoryJournal::new();
    for shard in 0..2u16 {
        let mut writer = journal.writer(shard, nobody()).unwrap();
        for number in 0..5 {
            write(&mut *writer, number * 2 + u128::from(shard), 1).unwrap();
        }
        writer.append(append(id(100 + u128::from(shard)), 1, b"f", true)).unwrap();
    }
    let first = journal.load(None, 4).unwrap();
    let rest = journal.load(first.last().copied(), 100).unwrap();
    let all: Vec<_> = first.into_iter().chain(rest).collect();
    assert_eq!(all, (0..10).map(id).collect::<Vec<_>>());
}

#[test]
fn only_what_has_ended_is_forgotten() {
    let journal = MemoryJournal::new();
    let mut writer = journal.writer(0, nobody()).unwrap();
    write(&mut *writer, 1, 1).unwrap();
    writer.append(append(id(2), 1, b"f", true)).unwrap();
    journal.forget(&[id(1), id(2), id(3)]).unwrap();
    assert!(journal.history(id(1)).unwrap().is_some());
    assert!(journal.history(id(2)).unwrap().is_none());
}

#[test]
fn held_appends_are_acknowledged_when_released_and_in_order() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let hear = Arc::clone(&told);
    let journal = HeldJournal::new(Acknowledgement::Held);
    let mut writer = journal.writer(0, Listener::new(move |mark| hear.lock().unwrap().push(mark))).unwrap();
    for sequence in 1..=3 {
        assert!(!write(&mut *writer, 1, sequence).unwrap().durable);
    }
    assert_eq!(journal.held(), 3);
    journal.release_up_to(1);
    journal.release();
    assert_eq!(*told.lock().unwrap(), [Ok(Position(1)), Ok(Position(3))]);
    journal.set(Acknowledgement::Immediate);
    assert!(write(&mut *writer, 1, 4).unwrap().durable);
}

#[test]
fn a_failed_journal_takes_and_acknowledges_nothing() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let hear = Arc::clone(&told);
    let journal = HeldJournal::new(Acknowledgement::Held);
    let mut writer = journal.writer(0, Listener::new(move |mark| hear.lock().unwrap().push(mark))).unwrap();
    write(&mut *writer, 1, 1).unwrap();
    journal.fail("disk full");
    let error = JournalError::Failed("disk full".into());
    assert_eq!(write(&mut *writer, 1, 2), Err(error.clone()));
    assert_eq!(*told.lock().unwrap(), [Err(error)]);
}
