//! A reader that nobody owns: what is missing or damaged is said, and an older state is never shown as the newest.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic, and says what it skips")]

mod sqlite_support;

use std::fs;
use std::path::Path;
use std::process::Command;

use finale_core::ExecutionId;
use finale_journal::{Filter, JournalError, JournalReader, OpenProblem, SqliteJournal, SqliteReader};
use sqlite_support::{Hand, Place, id};

const EXECUTIONS: u128 = 12;

/// A journal that was killed: of each execution one fact is in the database, and another in the log.
fn killed() -> Place {
    let place = Place::new();
    {
        let mut hand = Hand::of(&place.open());
        (1..=EXECUTIONS).for_each(|number| hand.begin(number, format!("first {number};").as_bytes()));
    }
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    for number in 1..=EXECUTIONS {
        hand.more(number, 2, format!("second {number};").as_bytes());
        hand.settle();
    }
    place.copy()
}

fn whole(number: u128) -> Vec<u8> {
    format!("first {number};second {number};").into_bytes()
}

fn problem(error: JournalError) -> OpenProblem {
    match error {
        JournalError::Open { problem, .. } => problem,
        other => panic!("{other} is not about opening"),
    }
}

fn cut(path: &Path, bytes: u64) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() - bytes).unwrap();
}

#[test]
fn a_tail_that_is_missing_is_said_and_can_be_accepted() {
    let place = killed();
    cut(&place.file("-wal"), 1);
    let refused = problem(SqliteReader::open(place.path()).unwrap_err());
    assert_eq!(refused, OpenProblem::LostTail { missing: 1 });
    let reader = SqliteReader::builder(place.path()).accept_lost_tail().open().unwrap();
    assert_eq!(reader.lost_batches(), 1);
    assert_eq!(reader.history(id(EXECUTIONS)).unwrap().unwrap(), format!("first {EXECUTIONS};").into_bytes());
    assert_eq!(reader.history(id(1)).unwrap().unwrap(), whole(1));
    assert_eq!(SqliteReader::open(killed().path()).unwrap().lost_batches(), 0);
}

#[test]
fn a_tail_that_goes_missing_later_is_said_by_the_next_read() {
    let place = killed();
    let copy = place.copy();
    let reader = SqliteReader::open(copy.path()).unwrap();
    reader.list(&Filter::new()).unwrap();
    let mut hand = Hand::of(&place.open());
    hand.begin(99, b"later");
    hand.settle();
    fs::copy(place.file("-mark"), copy.file("-mark")).unwrap();
    let said = [
        reader.list(&Filter::new()).map(drop).unwrap_err(),
        reader.summary(id(1)).map(drop).unwrap_err(),
        reader.history(id(1)).map(drop).unwrap_err(),
        reader.live(None, 1).map(drop).unwrap_err(),
        reader.keyed("key 1").map(drop).unwrap_err(),
        reader.health().unwrap_err(),
    ];
    for error in said {
        assert!(matches!(problem(error), OpenProblem::LostTail { .. }));
    }
}

#[test]
fn a_database_that_was_deleted_is_a_lost_tail_for_owner_and_reader() {
    let place = killed();
    fs::remove_file(place.path()).unwrap();
    let batches = match problem(SqliteReader::open(place.path()).unwrap_err()) {
        OpenProblem::LostTail { missing } => missing,
        other => panic!("{other}"),
    };
    assert!(batches as u128 > EXECUTIONS);
    assert_eq!(problem(SqliteJournal::open(place.path()).unwrap_err()), OpenProblem::LostTail { missing: batches });
    assert!(!place.path().exists(), "nothing was made in its place");
    let accepted = SqliteReader::builder(place.path()).accept_lost_tail().open().unwrap_err();
    assert_eq!(problem(accepted), OpenProblem::NoFile, "there is nothing to look at all the same");
    let journal = SqliteJournal::builder(place.path()).accept_lost_tail().open().unwrap();
    assert_eq!(journal.list(&Filter::new()).unwrap(), [], "the log of the old one is not taken for that of the new");
    let mut hand = Hand::of(&journal);
    hand.begin(1, b"new");
    hand.settle();
    drop((hand, journal));
    assert_eq!(place.open().history(id(1)).unwrap().unwrap(), b"new");
}

#[test]
fn a_log_without_its_database_is_a_lost_tail_even_without_a_mark() {
    let place = killed();
    fs::remove_file(place.path()).unwrap();
    fs::remove_file(place.file("-mark")).unwrap();
    let refused = [SqliteReader::open(place.path()).map(drop), SqliteJournal::open(place.path()).map(drop)];
    for refused in refused {
        assert!(matches!(problem(refused.unwrap_err()), OpenProblem::LostTail { .. }));
    }
}

#[test]
fn an_empty_file_is_the_same_problem_for_owner_and_reader() {
    let place = Place::new();
    fs::write(place.path(), "").unwrap();
    assert_eq!(problem(SqliteJournal::open(place.path()).unwrap_err()), OpenProblem::Empty);
    assert_eq!(problem(SqliteReader::open(place.path()).unwrap_err()), OpenProblem::Empty);
    let place = killed();
    for suffix in ["", "-wal"] {
        cut(&place.file(suffix), fs::metadata(place.file(suffix)).unwrap().len());
    }
    assert!(matches!(problem(SqliteReader::open(place.path()).unwrap_err()), OpenProblem::LostTail { .. }));
    assert!(matches!(problem(SqliteJournal::open(place.path()).unwrap_err()), OpenProblem::LostTail { .. }));
}

#[test]
fn a_journal_whose_making_was_cut_off_is_made_anew() {
    let place = Place::new();
    fs::write(place.file("-new"), "half of it").unwrap();
    drop(place.open());
    assert!(!place.file("-new").exists());
}

/// A small file system in memory, as long as this lives.
struct Small(tempfile::TempDir);

impl Small {
    fn mount() -> Option<Self> {
        let small = Self(tempfile::tempdir().ok()?);
        small.mounted("size=8m").then_some(small)
    }

    fn mounted(&self, options: &str) -> bool {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(self.0.path()).output();
        mounted.is_ok_and(|mounted| mounted.status.success())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // What is left mounted is gone with the machine at the latest.
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_closed_journal_is_read_where_nothing_can_be_written() {
    let Some(small) = Small::mount() else {
        eprintln!("skipped: a file system cannot be mounted here");
        return;
    };
    let path = small.0.path().join("a journal?%#");
    {
        let mut hand = Hand::of(&SqliteJournal::open(&path).unwrap());
        hand.begin(1, b"a");
    }
    assert!(small.mounted("remount,ro"), "it can be made read-only");
    let reader = SqliteReader::open(&path).unwrap();
    assert_eq!(reader.history(id(1)).unwrap().unwrap(), b"a");
    assert_eq!(reader.list(&Filter::new()).unwrap().len(), 1);
    assert!(SqliteJournal::open(&path).is_err());
    assert!(small.mounted("remount,rw"), "it can be made writable again");
}

/// Numbers that look random, and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }
}

/// What a reader says of a journal in which everything is known: each answer is right, or it is an error, or it is marked.
fn look(place: &Place, what: &str) -> (usize, usize) {
    let (mut right, mut said) = (0, 0);
    let Ok(reader) = SqliteReader::open(place.path()) else { return (0, 1) };
    for number in 1..=EXECUTIONS {
        match reader.history(id(number)) {
            Ok(Some(history)) if history == whole(number) => right += 1,
            Ok(found) => panic!("{what}: execution {number} became {:?}", found.map(String::from_utf8)),
            Err(_) => said += 1,
        }
        match reader.summary(id(number)) {
            Ok(Some(summary)) => assert_eq!(summary.id, id(number), "{what}"),
            Ok(None) => panic!("{what}: execution {number} is not found"),
            Err(_) => said += 1,
        }
    }
    let expected: Vec<ExecutionId> = (1..=EXECUTIONS).rev().map(id).collect();
    match reader.list(&Filter::new()) {
        Ok(listed) => assert_eq!(listed.iter().map(|one| one.id).collect::<Vec<_>>(), expected, "{what}"),
        Err(_) => said += 1,
    }
    (right, said)
}

#[test]
fn six_hundred_damages_never_give_a_wrong_answer_that_is_silent() {
    let intact = killed();
    let mut dice = Dice(1);
    let (mut right, mut said) = (0, 0);
    for round in 0..600 {
        let place = intact.copy();
        // What rots in the database is the subject of other tests.
        let suffix = ["-wal", "-wal", "-mark", "-wal", "-wal"][round % 5];
        let mut bytes = fs::read(place.file(suffix)).unwrap();
        let at = dice.below(bytes.len());
        let what = match round / 5 % 4 {
            0 => {
                bytes[at] ^= 1 << dice.below(8);
                format!("{round}: bit in byte {at} of journal{suffix}")
            }
            1 => {
                bytes.truncate(at);
                format!("{round}: journal{suffix} cut off at {at}")
            }
            2 => {
                let end = bytes.len().min(at + 1 + dice.below(4_096));
                bytes[at..end].fill(0);
                format!("{round}: zeros from {at} to {end} of journal{suffix}")
            }
            _ => {
                let end = bytes.len().min(at + 512);
                bytes[at..end].iter_mut().for_each(|byte| *byte = dice.below(256) as u8);
                format!("{round}: rubbish from {at} to {end} of journal{suffix}")
            }
        };
        fs::write(place.file(suffix), bytes).unwrap();
        let found = look(&place, &what);
        (right, said) = (right + found.0, said + found.1);
    }
    eprintln!("{right} answers were right, {said} times it was said that something is wrong");
    assert!(right > 1_000 && said > 200);
}

#[test]
fn a_damaged_database_is_not_well_while_it_runs() {
    let place = Place::new();
    {
        let mut hand = Hand::of(&place.open());
        (1..=200).for_each(|number| hand.begin(number, &[7; 2_000]));
    }
    let journal = place.open();
    // Once something was written, whatever the writing thread reads when it begins is read.
    let mut hand = Hand::of(&journal);
    hand.begin(1_000, b"a");
    hand.settle();
    assert_eq!(journal.health(), Ok(()));
    let mut bytes = fs::read(place.path()).unwrap();
    // Everything but the first pages, which say what is in the others.
    bytes[10 * 4_096..].fill(0xff);
    fs::write(place.path(), bytes).unwrap();
    let failed = (1..=200).filter(|number| journal.history(id(*number)).is_err()).count();
    assert!(failed > 0);
    let health = journal.health().unwrap_err();
    assert!(matches!(&health, JournalError::Unreadable(problem) if problem.contains("damaged")), "{health}");
}
