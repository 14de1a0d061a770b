//! How writes to a SQLite journal become durable, and what happens when they do not.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod sqlite_support;

use std::fs;
use std::time::{Duration, Instant};

use finale_journal::{Journal, JournalError, JournalReader, Position, SqliteJournal, Standing};
use sqlite_support::{Ear, Hand, Place, ended, id, try_begin, try_more};

#[test]
fn many_appends_share_a_commit_and_each_writer_hears_one_watermark() {
    let place = Place::new();
    let journal = place.open();
    let epoch = journal.claim().unwrap().epoch;
    let (mut one, mut two) = (Hand::with(&journal, epoch, 0), Hand::with(&journal, epoch, 1));
    let before = journal.stats();
    place.faults.hold();
    one.begin(1_000_000, b"first");
    place.faults.wait_until_stuck();
    for number in 1..=500 {
        one.begin(2 * number, b"a");
        two.begin(2 * number + 1, b"a");
    }
    assert_eq!((one.ear.heard(), two.ear.heard()), (vec![], vec![]), "nothing is told before it is durable");
    place.faults.release();
    one.settle();
    two.settle();
    let after = journal.stats();
    assert_eq!((after.appends - before.appends, after.commits - before.commits), (1_001, 2));
    assert_eq!(after.appends_max, 1_000);
    assert_eq!(one.ear.heard(), [Ok(Position(1)), Ok(Position(501))]);
    assert_eq!(two.ear.heard(), [Ok(Position(500))]);
}

#[test]
fn a_batch_that_is_too_long_is_several_transactions() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    let before = journal.stats().commits;
    place.faults.hold();
    hand.begin(1, b"a");
    place.faults.wait_until_stuck();
    let large = vec![7; 5 << 20];
    for sequence in 2..=6 {
        hand.more(1, sequence, &large);
    }
    place.faults.release();
    hand.settle();
    assert_eq!(journal.stats().commits - before, 1 + 3);
    assert_eq!(journal.history(id(1)).unwrap().unwrap().len(), 1 + 5 * large.len());
}

#[test]
fn a_lone_append_is_one_commit() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    let before = journal.stats();
    hand.begin(1, b"a");
    hand.settle();
    let after = journal.stats();
    assert_eq!((after.commits - before.commits, after.checkpoints - before.checkpoints), (1, 0));
}

#[test]
fn the_log_is_copied_when_it_is_long() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    hand.begin(1, b"a");
    for sequence in 2..=8 {
        hand.more(1, sequence, &vec![7; 5 << 20]);
        hand.settle();
    }
    let stats = journal.stats();
    assert!(stats.checkpoints >= 1 && stats.checkpoints_held_up == 0, "{stats:?}");
    assert!(fs::metadata(place.file("-wal")).unwrap().len() < 32 << 20);
}

#[test]
fn appends_go_on_while_a_commit_is_stuck_until_it_is_too_much() {
    let place = Place::new();
    let journal = SqliteJournal::builder(place.path()).faults(&place.faults).queue_bytes_max(100_000).open().unwrap();
    let mut hand = Hand::of(&journal);
    place.faults.hold();
    hand.begin(1, b"a");
    place.faults.wait_until_stuck();
    assert!(!hand.writer.is_full());
    for sequence in 2..=1_000 {
        hand.more(1, sequence, &[7; 100]);
    }
    assert!(hand.writer.is_full() && journal.stats().waiting_bytes > 100_000);
    assert_eq!(journal.history(id(1)).unwrap().unwrap().len(), 1 + 999 * 100, "what waits is shown");
    place.faults.release();
    hand.settle();
    assert!(!hand.writer.is_full());
    assert_eq!(journal.stats().waiting_bytes, 0);
}

#[test]
fn a_history_shows_what_is_durable_in_flight_and_waiting() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    hand.begin(1, b"durable ");
    hand.settle();
    place.faults.hold();
    hand.more(1, 2, b"in flight ");
    place.faults.wait_until_stuck();
    hand.more(1, 3, b"waiting");
    hand.begin(2, b"new");
    assert_eq!(journal.history(id(1)).unwrap().unwrap(), b"durable in flight waiting");
    assert_eq!(journal.history(id(2)).unwrap().unwrap(), b"new");
    assert_eq!(journal.summary(id(2)).unwrap(), None, "only a history shows what is not durable");
    assert_eq!(sqlite_reader(&place).history(id(1)).unwrap().unwrap(), b"durable ");
    place.faults.release();
}

fn sqlite_reader(place: &Place) -> finale_journal::SqliteReader {
    finale_journal::SqliteReader::open(place.path()).unwrap()
}

#[test]
fn a_history_is_whole_while_it_is_written() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    hand.begin(1, &0u32.to_le_bytes());
    let watcher = std::thread::spawn(move || {
        let (mut before, begun) = (0, Instant::now());
        while before < 4 * 5_000 && begun.elapsed() < Duration::from_secs(60) {
            let history = journal.history(id(1)).unwrap().unwrap();
            assert!(history.len() >= before, "nothing is taken back");
            before = history.len();
            let numbers = history.chunks(4).map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap()));
            assert!(numbers.eq(0..(before / 4) as u32), "each fact is there once");
        }
        before
    });
    for number in 1..5_000u32 {
        hand.more(1, u64::from(number) + 1, &number.to_le_bytes());
        if number % 64 == 0 {
            std::thread::sleep(Duration::from_micros(300));
        }
    }
    assert_eq!(watcher.join().unwrap(), 20_000);
}

/// Fails the commit after the first, and looks at what is left.
fn fails(fault: impl FnOnce(&Place), is_done: bool) -> JournalError {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    hand.begin(1, b"a");
    hand.settle();
    fault(&place);
    hand.more(1, 2, b"b");
    let error = hand.ear.wait_for_error();
    assert!(matches!(error, JournalError::Failed(_)));
    assert_eq!(try_more(&mut *hand.writer, 1, 3, b"c", Standing::Running), Err(error.clone()));
    assert_eq!(hand.writer.quarantine(id(1), None), Err(error.clone()));
    assert_eq!(journal.claim(), Err(error.clone()));
    assert_eq!(journal.writer(finale_journal::Epoch(1), 0, Ear::default().listener()).err(), Some(error.clone()));
    assert_eq!(journal.health(), Err(error.clone()));
    let kept: &[u8] = if is_done { b"ab" } else { b"a" };
    assert_eq!(journal.history(id(1)).unwrap().unwrap(), kept, "reads go on");
    assert_eq!(hand.ear.heard(), [Ok(Position(1)), Err(error.clone())], "it is told once");
    drop((hand, journal));
    let log = fs::metadata(place.file("-wal")).map(|log| log.len());
    assert!(log.is_ok_and(|length| length > 0), "nothing is synced again, not even to close it");
    let journal = place.open();
    assert_eq!(journal.history(id(1)).unwrap().unwrap(), kept);
    Hand::of(&journal).more(1, kept.len() as u64 + 1, b"c");
    error
}

#[test]
fn a_commit_that_fails_is_the_last() {
    fails(|place| place.faults.fail_commit(1), false);
}

#[test]
fn a_commit_that_is_said_to_have_failed_is_the_last() {
    fails(|place| place.faults.fail_after_commit(1), true);
}

#[test]
fn a_thread_that_panics_is_no_silence() {
    let error = fails(|place| place.faults.panic_at_commit(1), false);
    assert!(error.to_string().contains("panicked: injected panic"), "{error}");
}

#[test]
fn what_waited_behind_a_failure_is_not_shown_and_its_writer_is_told() {
    let place = Place::new();
    let journal = place.open();
    let epoch = journal.claim().unwrap().epoch;
    let (mut one, mut two) = (Hand::with(&journal, epoch, 0), Hand::with(&journal, epoch, 1));
    place.faults.hold();
    place.faults.fail_commit(1);
    one.begin(1, b"a");
    place.faults.wait_until_stuck();
    two.begin(2, b"a");
    place.faults.release();
    assert_eq!(one.ear.wait_for_error(), two.ear.wait_for_error());
    assert_eq!(journal.history(id(2)).unwrap(), None);
    assert!(!two.writer.is_full());
}

#[test]
fn a_checkpoint_that_fails_is_the_end_and_loses_nothing() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    place.faults.fail_checkpoint();
    hand.begin(1, &vec![7; 20 << 20]);
    hand.settle();
    assert!(matches!(hand.ear.wait_for_error(), JournalError::Failed(_)));
    drop((hand, journal));
    assert_eq!(place.open().history(id(1)).unwrap().unwrap().len(), 20 << 20);
}

#[test]
fn a_stuck_disk_does_not_hang_whoever_drops_the_journal() {
    let place = Place::new();
    let mut hand = Hand::of(&place.open());
    place.faults.hold();
    hand.begin(1, b"a");
    place.faults.wait_until_stuck();
    let begun = Instant::now();
    drop(hand);
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(4) && took < Duration::from_secs(8), "{took:?}");
    assert!(SqliteJournal::open(place.path()).is_err(), "the stuck thread still has it");
    place.faults.release();
    let free = || SqliteJournal::open(place.path()).ok();
    let journal = std::iter::repeat_with(free).take(1_000).inspect(|_| std::thread::sleep(Duration::from_millis(5)));
    assert_eq!(journal.flatten().next().unwrap().history(id(1)).unwrap().unwrap(), b"a");
}

#[test]
fn a_listener_may_hold_the_last_handle() {
    let place = Place::new();
    let journal = place.open();
    let epoch = journal.claim().unwrap().epoch;
    let last = std::sync::Mutex::new(Some(journal.clone()));
    let drops = finale_journal::Listener::new(move |_| drop(last.lock().unwrap().take()));
    let mut writer = journal.writer(epoch, 0, drops).unwrap();
    place.faults.hold();
    try_begin(&mut *writer, 1, b"a", Standing::Running).unwrap();
    drop((writer, journal));
    place.faults.release();
    let free = || SqliteJournal::open(place.path()).ok();
    let mut opened = std::iter::repeat_with(free).take(1_000).inspect(|_| std::thread::sleep(Duration::from_millis(5)));
    assert!(opened.any(|journal| journal.is_some()), "it is free long before anybody waited in vain");
}

#[test]
fn two_writers_at_once_keep_what_each_wrote() {
    let place = Place::new();
    let journal = place.open();
    let epoch = journal.claim().unwrap().epoch;
    std::thread::scope(|scope| {
        for shard in 0..2u16 {
            let journal = &journal;
            scope.spawn(move || {
                let mut hand = Hand::with(journal, epoch, shard);
                for number in (u128::from(shard)..2_000).step_by(2) {
                    hand.begin(number + 1, b"a");
                    hand.more(number + 1, 2, b"b");
                    hand.end(number + 1, 3);
                }
                hand.settle();
                let watermarks: Vec<_> = hand.ear.heard().into_iter().map(Result::unwrap).collect();
                assert!(watermarks.is_sorted_by(|one, next| one < next), "watermarks rise");
            });
        }
    });
    for number in 1..=2_000 {
        assert_eq!(journal.history(id(number)).unwrap().unwrap(), b"abend");
    }
    assert_eq!(journal.live(None, 10).unwrap(), []);
}

#[test]
fn an_end_is_known_before_and_after_it_is_durable() {
    let place = Place::new();
    let journal = place.open();
    let mut hand = Hand::of(&journal);
    place.faults.hold();
    hand.whole(1);
    let again = |hand: &mut Hand| try_begin(&mut *hand.writer, 1, b"x", ended(1));
    assert_eq!(again(&mut hand), Err(JournalError::Ended(id(1))));
    place.faults.release();
    hand.settle();
    hand.begin(2, b"lets go of what has ended");
    hand.settle();
    assert_eq!(again(&mut hand), Err(JournalError::Ended(id(1))));
}
