//! At the end handlers at work may finish, and nothing else begins; nor does it after a failed append.

use super::*;
use crate::fact::StopOutcome;

const DEADLINE: Duration = Duration::from_secs(30);

fn drain(shard: &mut Shard) -> Vec<Seen> {
    let deadline = shard.now.after(DEADLINE);
    shard.told(Input::Drain { deadline })
}

/// It is said of an attempt that it has not begun, so that the next process may begin it whatever it is.
fn not_begun(scope: u32) -> Seen {
    Seen::Stopped(slot(0), scoped(scope, PENDING), StopOutcome::Closed)
}

#[test]
fn a_shard_without_work_is_drained_at_once() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [open(first(1))]);
    assert_eq!(drain(&mut shard), [Seen::Drained(Drained::default())]);
    assert_eq!(drain(&mut shard), []);
}

#[test]
fn handlers_at_work_may_finish_and_are_reported() {
    let mut shard = Shard::new(2);
    shard.perform(slot(0), [run(first(PENDING)), run(scoped(1, PENDING)), run(scoped(2, PENDING))]);
    assert_eq!(drain(&mut shard), [not_begun(2)]);
    let seen = shard.end(first(PENDING), Ok("1"));
    assert_eq!(seen, [Seen::Completed(slot(0), first(PENDING), "1".to_owned())], "what waited does not begin");
    assert_eq!(shard.perform(slot(0), [run(scoped(3, PENDING))]), [not_begun(3), Seen::Answered(1)]);
    let seen = shard.end(scoped(1, PENDING), Err("no"));
    assert_eq!(seen[0], Seen::Drained(Drained::default()));
    assert!(matches!(seen[1..], [Seen::Failed(..)]));
}

#[test]
fn what_is_left_at_the_deadline_is_dropped_and_not_reported() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(PENDING)), run(first(BLOCKING)), run(scoped(1, BLOCKING))]);
    shard.perform(slot(0), [forget(scoped(1, BLOCKING))]);
    drain(&mut shard);
    let seen = shard.advance(DEADLINE);
    let told = Seen::ToldToStop(first(BLOCKING));
    let drained = Seen::Drained(Drained { dropped: 2, leaked: 2 });
    assert_eq!(seen, [told, Seen::Dropped(first(PENDING)), Seen::Leaked(first(BLOCKING)), drained]);
}

#[test]
fn a_second_shutdown_does_not_cut_the_first_ones_time() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(PENDING))]);
    drain(&mut shard);
    assert_eq!(shard.told(Input::Drain { deadline: shard.now }), []);
    assert_eq!(shard.advance(DEADLINE / 2), []);
    assert_eq!(shard.engine.counts().running, 1);
    assert_eq!(shard.advance(DEADLINE / 2).len(), 2);
}

#[test]
fn handlers_that_wait_for_others_may_go_on() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(PENDING))]);
    shard.suspend(first(PENDING));
    assert_eq!(drain(&mut shard), []);
    assert_eq!(shard.resume(first(PENDING)), [Seen::Resumed(first(PENDING))]);
    assert!(matches!(shard.end(first(PENDING), Ok("1"))[..], [Seen::Drained(_), Seen::Completed(..)]));
}

#[test]
fn what_is_given_up_meanwhile_is_not_waited_for() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(PENDING))]);
    shard.perform(slot(1), [run(first(BLOCKING))]);
    drain(&mut shard);
    shard.perform(slot(0), [forget(first(PENDING))]);
    let seen = shard.perform(slot(1), [forget(first(BLOCKING))]);
    assert!(seen.contains(&Seen::Drained(Drained { dropped: 0, leaked: 1 })), "{seen:?}");
}

#[test]
fn all_permits_go_back() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(PENDING))]);
    drain(&mut shard);
    assert_eq!(shard.pool.held(ShardNo(0), LimitNo::RUNTIME), 1);
    shard.end(first(PENDING), Ok("1"));
    assert_eq!(shard.pool.held(ShardNo(0), LimitNo::RUNTIME), 0);
}

#[test]
fn what_was_about_to_begin_does_not() {
    let drain = Input::Drain { deadline: Time::from_micros(i64::MAX) };
    // Where nothing can be recorded any more nothing is said of it.
    for (input, is_told) in [(Input::JournalFailed, false), (drain, true)] {
        let mut shard = Shard::new(2);
        shard.lazy = true;
        shard.perform(slot(0), (0..4).map(|scope| run(scoped(scope, PENDING))));
        let seen = shard.told(input);
        let told: Vec<_> = seen.into_iter().filter(|seen| matches!(seen, Seen::Stopped(..))).collect();
        assert_eq!(told, (0..4).filter(|_| is_told).map(not_begun).collect::<Vec<_>>());
        shard.lazy = false;
        assert_eq!(began(&shard.told(Input::Wake)), []);
        assert_eq!(shard.engine.counts().running, 0);
    }
}

#[test]
fn while_a_runtime_shuts_down_nothing_is_lost_that_the_next_one_must_decide() {
    let mut shard = Shard::new(10);
    drain(&mut shard);
    assert_eq!(shard.reconcile(slot(0), vec![run(first(ONCE)), run(first(READY))]), [Seen::Answered(1)]);
}

#[test]
fn after_a_failed_append_nothing_begins() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(PENDING)), run(scoped(1, PENDING))]);
    assert_eq!(shard.told(Input::JournalFailed), []);
    let seen = shard.end(first(PENDING), Ok("1"));
    assert!(matches!(seen[..], [Seen::Completed(..)]), "{seen:?}");
    assert_eq!(shard.perform(slot(0), [run(first(READY))]), [Seen::Answered(1)]);
    assert_eq!(shard.reconcile(slot(0), vec![run(first(READY))]), [Seen::Answered(1)]);
    assert_eq!(drain(&mut shard), [Seen::Drained(Drained::default())]);
}
