//! What rotted or was cut off is told from what was never written: nothing that was acknowledged goes away in silence.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod sqlite_support;

use std::fs;

use finale_journal::{JournalError, JournalReader, OpenProblem, SqliteJournal, SqliteReader};
use sqlite_support::{Hand, Place, id};

const EXECUTIONS: u128 = 20;
const FACTS: u64 = 5;

/// Everything that is written to an execution, one fact after the other.
fn facts(number: u128) -> Vec<u8> {
    (1..=FACTS).flat_map(|sequence| fact(number, sequence)).collect()
}

fn fact(number: u128, sequence: u64) -> Vec<u8> {
    format!("{number}.{sequence};").repeat(20).into_bytes()
}

/// A journal that was killed after everything was acknowledged: most of it is in the log alone.
fn killed() -> Place {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    (1..=FACTS).for_each(|sequence| append(&mut hand, sequence));
    // When nothing else is to be done it would come into the tables.
    place.faults.hold();
    let killed = place.copy();
    place.faults.release();
    killed
}

/// The same, closed in order after each fact: all of it is in the tables of the database, and each fact is a row.
fn closed() -> Place {
    let place = Place::new();
    (1..=FACTS).for_each(|sequence| append(&mut Hand::of(&place.open()), sequence));
    place
}

/// One fact for each execution, each in a commit of its own.
fn append(hand: &mut Hand, sequence: u64) {
    for number in 1..=EXECUTIONS {
        match sequence {
            1 => hand.begin(number, &fact(number, sequence)),
            _ => hand.more(number, sequence, &fact(number, sequence)),
        }
        hand.settle();
    }
}

fn open(place: &Place) -> Result<SqliteJournal, JournalError> {
    SqliteJournal::open(place.path())
}

fn expect_all(journal: &SqliteJournal) {
    for number in 1..=EXECUTIONS {
        assert_eq!(journal.history(id(number)).unwrap().as_deref(), Some(&facts(number)[..]), "execution {number}");
    }
}

fn lost_tail(opened: Result<SqliteJournal, JournalError>) -> u64 {
    match opened {
        Err(JournalError::Open { problem: OpenProblem::LostTail { missing }, .. }) => missing,
        other => panic!("it was opened all the same: {other:?}"),
    }
}

#[test]
fn what_a_kill_leaves_is_whole() {
    let place = killed();
    expect_all(&open(&place).unwrap());
}

#[test]
fn an_acknowledged_tail_that_is_missing_is_said() {
    let place = killed();
    let log = fs::read(place.file("-wal")).unwrap();
    for cut in [1, 4_096, log.len() / 2, log.len() - 100] {
        let place = place.copy();
        fs::write(place.file("-wal"), &log[..log.len() - cut]).unwrap();
        assert!(lost_tail(open(&place)) >= 1, "{cut} bytes are missing");
    }
    fs::remove_file(place.file("-wal")).unwrap();
    assert!(lost_tail(open(&place)) > 50, "the whole log is missing");
}

#[test]
fn a_loss_that_is_accepted_leaves_the_beginning_of_everything() {
    let place = killed();
    let log = fs::read(place.file("-wal")).unwrap();
    fs::write(place.file("-wal"), &log[..log.len() * 2 / 3]).unwrap();
    lost_tail(open(&place));
    let journal = SqliteJournal::builder(place.path()).accept_lost_tail().open().unwrap();
    for number in 1..=EXECUTIONS {
        let history = journal.history(id(number)).unwrap().unwrap_or_default();
        assert!(facts(number).starts_with(&history), "execution {number}");
    }
    let mut hand = Hand::of(&journal);
    hand.begin(1_000, b"goes on");
    hand.settle();
    drop((hand, journal));
    drop(open(&place).unwrap());
}

#[test]
fn a_torn_tail_that_was_not_acknowledged_is_repaired() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    hand.begin(1, b"acknowledged");
    hand.settle();
    // The mark of this moment, and the log of a later one: as if the kill came between the log and the mark.
    let (mark, before) = (fs::read(place.file("-mark")).unwrap(), fs::metadata(place.file("-wal")).unwrap().len());
    hand.more(1, 2, b"not");
    hand.settle();
    let after = fs::metadata(place.file("-wal")).unwrap().len();
    for length in (before..after).step_by(61).chain([after - 1, after]) {
        let torn = place.copy();
        fs::write(torn.file("-mark"), &mark).unwrap();
        fs::File::options().write(true).open(torn.file("-wal")).unwrap().set_len(length).unwrap();
        let journal = open(&torn).unwrap();
        let history = journal.history(id(1)).unwrap().unwrap();
        let whole = length == after;
        assert_eq!(history, if whole { &b"acknowledgednot"[..] } else { b"acknowledged" }, "{length} of {after} bytes");
    }
}

#[test]
fn a_byte_of_the_log_that_rotted_takes_nothing_acknowledged_away_in_silence() {
    let place = killed();
    let log = fs::read(place.file("-wal")).unwrap();
    let (mut whole, mut said) = (0, 0);
    for step in 0..100 {
        let rotten = place.copy();
        let mut bytes = log.clone();
        let byte = log.len() * step / 100 + step % 97;
        bytes[byte.min(log.len() - 1)] ^= 1 << (step % 8);
        fs::write(rotten.file("-wal"), bytes).unwrap();
        match open(&rotten) {
            Ok(journal) => {
                expect_all(&journal);
                whole += 1;
            }
            Err(JournalError::Open { .. }) => said += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(said > 50, "{said} of 100 were said, {whole} hurt nothing");
}

/// Something is wrong with batches that were durable and not in the tables when the process was killed.
#[test]
fn a_batch_that_was_changed_or_taken_away_before_it_came_into_the_tables_is_a_lost_tail() {
    let changes = [
        ("UPDATE batches SET bytes = zeroblob(length(bytes)) WHERE batch = 50", 49),
        ("UPDATE batches SET bytes = substr(bytes, 2) WHERE batch = 50", 49),
        ("UPDATE batches SET hash = hash + 1 WHERE batch = 50", 49),
        ("DELETE FROM batches WHERE batch = 50", 49),
        ("DELETE FROM batches WHERE batch = (SELECT max(batch) FROM batches)", 100),
        ("UPDATE batches SET batch = 1000 WHERE batch = 50", 49),
        ("UPDATE meta SET unmerged_hash = unmerged_hash + 1", 101),
    ];
    for (change, left) in changes {
        let place = killed();
        let whole = place.count("batches");
        place.alter(change);
        let missing = lost_tail(open(&place));
        let reader = SqliteReader::open(place.path()).map(drop).unwrap_err();
        assert_eq!(missing, lost_tail(Err(reader)), "{change}: owner and reader say the same");
        let reader = SqliteReader::builder(place.path()).accept_lost_tail().open().unwrap();
        assert_eq!(reader.lost_batches(), missing, "{change}");
        let seen: Vec<_> = (1..=EXECUTIONS).map(|number| reader.history(id(number)).unwrap()).collect();
        let journal = SqliteJournal::builder(place.path()).accept_lost_tail().open().unwrap();
        for (number, seen) in (1..=EXECUTIONS).zip(seen) {
            assert_eq!(journal.history(id(number)).unwrap(), seen, "{change}: they see the same");
            assert!(facts(number).starts_with(&seen.unwrap_or_default()), "{change}: execution {number}");
        }
        // One batch is the claim, which changes nothing else.
        assert_eq!(place.count("batches"), whole.min(left - 1), "{change}");
        Hand::of(&journal).begin(1_000, b"goes on");
        drop(journal);
        assert_eq!(open(&place).unwrap().history(id(1_000)).unwrap().unwrap(), b"goes on");
    }
}

#[test]
fn a_batch_that_rots_under_its_owner_is_said_by_reads_and_health() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    hand.begin(1, b"a");
    hand.settle();
    place.alter("UPDATE batches SET bytes = zeroblob(length(bytes))");
    assert!(matches!(journal.summary(id(1)), Err(JournalError::Unreadable(_))));
    assert!(matches!(journal.health(), Err(JournalError::Unreadable(_))));
}

#[test]
fn a_byte_of_the_database_that_rotted_never_becomes_another_fact() {
    let place = closed();
    let database = fs::read(place.path()).unwrap();
    let (mut whole, mut said) = (0, 0);
    for step in 0..200usize {
        let rotten = place.copy();
        let mut bytes = database.clone();
        let byte = (database.len() * step / 200 + step * 31 % 4_096).min(database.len() - 1);
        bytes[byte] ^= 1 << (step % 8);
        fs::write(rotten.path(), bytes).unwrap();
        let Ok(journal) = open(&rotten) else {
            said += 1;
            continue;
        };
        for number in 1..=EXECUTIONS {
            match journal.history(id(number)) {
                Ok(Some(history)) if history == facts(number) => whole += 1,
                Ok(found) => panic!("byte {byte}: execution {number} became {found:?}"),
                Err(_) => said += 1,
            }
        }
        // They may say that they cannot be read, and nothing else.
        let _ = (journal.live(None, 100), journal.list(&finale_journal::Filter::new()), journal.keyed("key 1"));
    }
    assert!(whole > 150 * EXECUTIONS && said > 0, "{said} were said, {whole} were whole");
}

#[test]
fn facts_that_were_changed_taken_away_or_put_in_another_place_are_said() {
    let changes = [
        "UPDATE facts SET facts = zeroblob(length(facts)) WHERE execution = 1 AND sequence = 3",
        "UPDATE facts SET chain = chain + 1 WHERE execution = 1 AND sequence = 3",
        "UPDATE facts SET count = 2 WHERE execution = 1 AND sequence = 3",
        "UPDATE facts SET previous = 0 WHERE execution = 1 AND sequence = 3",
        "DELETE FROM facts WHERE execution = 1 AND sequence = 3",
        "DELETE FROM facts WHERE execution = 1 AND sequence = 5",
        "UPDATE heads SET sequence = sequence - 1 WHERE number = 1",
        "DELETE FROM heads WHERE number = 1",
    ];
    for change in changes {
        let place = closed();
        place.alter(change);
        let journal = open(&place).unwrap();
        let said = journal.history(id(1)).unwrap_err();
        assert!(matches!(&said, JournalError::Damaged { execution, .. } if *execution == id(1)), "{change}: {said}");
        for number in 2..=EXECUTIONS {
            assert_eq!(journal.history(id(number)).unwrap(), Some(facts(number)), "{change}: the others");
        }
    }
}

#[test]
fn a_summary_that_was_changed_is_said_and_hides_no_other() {
    let changes = [
        "UPDATE executions SET activated_by = 'somebody else' WHERE number = 1",
        "UPDATE executions SET created_at = created_at + 1 WHERE number = 1",
        "UPDATE executions SET idempotency_key = 'another' WHERE number = 1",
        "UPDATE executions SET status = 1 WHERE number = 1",
        "UPDATE executions SET error = 'x' WHERE number = 1",
    ];
    for change in changes {
        let place = closed();
        place.alter(change);
        let journal = open(&place).unwrap();
        let live = journal.live(None, 100).unwrap();
        assert_eq!(live.len() as u128, EXECUTIONS, "{change}: all are there");
        let marked = live.iter().filter(|live| live.quarantine.is_some()).count();
        let is_said = marked == 1 || journal.summary(id(1)).is_err();
        assert!(is_said, "{change}: {:?}", live[0]);
        assert_eq!(live[0].id, id(1));
    }
}

#[test]
fn a_mark_of_another_journal_or_none_is_no_loss() {
    let (place, other) = (killed(), killed());
    fs::copy(other.file("-mark"), place.file("-mark")).unwrap();
    drop(open(&place).unwrap());
    fs::remove_file(place.file("-mark")).unwrap();
    drop(open(&place).unwrap());
    fs::write(place.file("-mark"), b"rubbish").unwrap();
    expect_all(&open(&place).unwrap());
}

#[test]
fn an_older_copy_of_the_database_is_no_journal_that_lost_nothing() {
    let place = killed();
    let older = place.copy();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    hand.begin(1_000, b"later");
    hand.settle();
    drop((hand, journal));
    fs::copy(place.file("-mark"), older.file("-mark")).unwrap();
    assert!(lost_tail(open(&older)) >= 1);
}
