//! What tests that hold acknowledgements back rely on.

use std::sync::{Arc, Mutex};

use finale_core::fact::Terminal;
use finale_core::record::WorkflowName;
use finale_core::{DefinitionHash, ExecutionId, ExecutionStatus, Time};
use finale_journal::{
    Acknowledgement, Append, Appended, Begins, Ends, HeldJournal, Journal, JournalError, JournalReader, Listener,
    Position, Quarantine, Standing, StoredDefinition, Writer,
};

/// A fact of the kind that is shortest, at the time of the one before it.
const FACT: &[u8] = &[3, 9, 0, 0];

type Told = Arc<Mutex<Vec<Result<Position, JournalError>>>>;

fn id() -> ExecutionId {
    "00000000-0000-0000-0000-000000000001".parse().expect("it is a UUID")
}

fn open(journal: &HeldJournal) -> (Box<dyn Writer>, Told) {
    let told = Told::default();
    let hear = Arc::clone(&told);
    let listener = Listener::new(move |mark| hear.lock().expect("nothing panics").push(mark));
    let epoch = journal.claim().expect("it can be claimed").epoch;
    (journal.writer(epoch, 0, listener).expect("the owner may write"), told)
}

fn append(writer: &mut dyn Writer, sequence: u64, standing: Standing<'_>) -> Result<Appended, JournalError> {
    let workflow = WorkflowName { id: "w".into(), name: "W".into(), version: "1.0.0".into() };
    let definition = StoredDefinition { hash: DefinitionHash::from_bytes([1; 16]), workflow, bytes: [].into() };
    let begins =
        Begins { definition: &definition, by: "me", at: Time::default(), idempotency_key: None, business_key: None };
    let begins = (sequence == 1).then_some(begins);
    writer.append(Append { execution: id(), first_sequence: sequence, count: 1, facts: FACT, begins, standing })
}

fn write(writer: &mut dyn Writer, sequence: u64) -> Result<Appended, JournalError> {
    append(writer, sequence, Standing::Running)
}

fn ended() -> Standing<'static> {
    Standing::Ended(Ends { status: Terminal::Completed, at: Time::default(), error: None, to_tell: false })
}

#[test]
fn what_is_held_is_acknowledged_when_released_and_in_order() {
    let journal = HeldJournal::new(Acknowledgement::Held);
    let (mut writer, told) = open(&journal);
    for sequence in 1..=3 {
        assert!(!write(&mut *writer, sequence).unwrap().durable);
    }
    assert_eq!(journal.held(), 3);
    journal.release_up_to(1);
    journal.release();
    assert_eq!(*told.lock().unwrap(), [Ok(Position(1)), Ok(Position(3))]);
    journal.set(Acknowledgement::Immediate);
    assert!(write(&mut *writer, 4).unwrap().durable);
}

#[test]
fn a_failed_journal_takes_and_acknowledges_nothing() {
    let journal = HeldJournal::new(Acknowledgement::Held);
    let (mut writer, told) = open(&journal);
    write(&mut *writer, 1).unwrap();
    journal.fail("disk full");
    let error = JournalError::Failed("disk full".into());
    assert_eq!(write(&mut *writer, 2), Err(error.clone()));
    assert_eq!(*told.lock().unwrap(), [Err(error.clone())]);
    assert_eq!(journal.health(), Err(error));
}

#[test]
fn a_crash_takes_back_what_was_not_acknowledged() {
    let journal = HeldJournal::new(Acknowledgement::Held);
    let (mut writer, told) = open(&journal);
    for (sequence, standing) in (1..).zip([Standing::Running, Standing::Ending, Standing::Ending, ended()]) {
        append(&mut *writer, sequence, standing).unwrap();
    }
    journal.release_up_to(2);
    journal.crash();
    journal.release();
    assert_eq!(*told.lock().unwrap(), [Ok(Position(2))]);
    assert_eq!(journal.history(id()).unwrap(), Some(FACT.repeat(2)));
    assert_eq!(journal.summary(id()).unwrap().unwrap().status, ExecutionStatus::Ending);
    assert!(matches!(write(&mut *writer, 3), Err(JournalError::Fenced { .. })));
    let (mut writer, _) = open(&journal);
    assert!(write(&mut *writer, 3).is_ok());
}

#[test]
fn a_crash_takes_back_a_beginning() {
    let journal = HeldJournal::new(Acknowledgement::Held);
    let (mut writer, _) = open(&journal);
    write(&mut *writer, 1).unwrap();
    journal.crash();
    assert_eq!((journal.history(id()).unwrap(), journal.live(None, 1).unwrap()), (None, vec![]));
}

#[test]
fn a_crash_takes_back_quarantines_and_what_was_written_off() {
    let journal = HeldJournal::new(Acknowledgement::Held);
    let (mut writer, _) = open(&journal);
    let quarantine = Quarantine { reason: "it panicked".into(), until_released: true };
    write(&mut *writer, 1).unwrap();
    writer.quarantine(id(), Some(&quarantine)).unwrap();
    journal.release();
    writer.write_off(id(), Time::default(), "rotten", false).unwrap();
    assert_eq!(journal.summary(id()).unwrap().unwrap().status, ExecutionStatus::Quarantined, "it is not durable");
    journal.crash();
    assert_eq!(journal.live(None, 1).unwrap()[0].quarantine, Some(quarantine));
}

#[test]
fn a_crash_leaves_what_an_earlier_owner_held_back() {
    let journal = HeldJournal::new(Acknowledgement::Held);
    let (mut writer, _) = open(&journal);
    write(&mut *writer, 1).unwrap();
    let (mut writer, _) = open(&journal);
    write(&mut *writer, 2).unwrap();
    journal.release();
    journal.crash();
    assert_eq!(journal.history(id()).unwrap(), Some(FACT.repeat(2)));
}
