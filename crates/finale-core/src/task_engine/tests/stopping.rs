//! What was begun is asked to stop, then dropped; what was not begun never begins.

use super::*;
use crate::fact::StopOutcome;

#[test]
fn a_handler_that_stops_in_its_grace_is_stopped_not_failed() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(PENDING))]);
    let seen = shard.perform(slot(0), [stop(first(PENDING))]);
    assert_eq!(seen, [Seen::ToldToStop(first(PENDING)), Seen::Answered(1)]);
    let seen = shard.end(first(PENDING), Err("told to stop"));
    assert_eq!(seen, [Seen::Stopped(slot(0), first(PENDING), StopOutcome::Stopped)]);
    assert_eq!(shard.advance(GRACE * 2), []);
}

#[test]
fn a_handler_that_completes_in_its_grace_has_completed() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(PENDING)), stop(first(PENDING))]);
    // Asked before it has begun, it is called off; so it is begun first.
    shard.perform(slot(0), [run(first(PENDING))]);
    shard.perform(slot(0), [stop(first(PENDING))]);
    let seen = shard.end(first(PENDING), Ok("7"));
    assert_eq!(seen, [Seen::Completed(slot(0), first(PENDING), "7".to_owned())]);
}

#[test]
fn a_handler_that_does_not_stop_is_dropped_after_its_grace() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(PENDING))]);
    shard.perform(slot(0), [stop(first(PENDING))]);
    assert_eq!(shard.advance(GRACE - Duration::from_micros(1)), []);
    let seen = shard.advance(Duration::from_micros(1));
    assert_eq!(seen, [Seen::Dropped(first(PENDING)), Seen::Stopped(slot(0), first(PENDING), StopOutcome::Aborted)]);
    assert_eq!(shard.engine.counts(), Counts::default());
}

#[test]
fn to_be_told_twice_does_not_lengthen_the_grace() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(PENDING))]);
    shard.perform(slot(0), [stop(first(PENDING))]);
    shard.advance(GRACE / 2);
    assert_eq!(shard.perform(slot(0), [stop(first(PENDING))]), [Seen::Answered(1)]);
    assert_eq!(shard.advance(GRACE / 2).len(), 2);
}

#[test]
fn a_handler_whose_result_nobody_wants_is_dropped_at_once_and_not_reported() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(PENDING))]);
    let seen = shard.perform(slot(0), [forget(first(PENDING)), run(attempt(PENDING, 2))]);
    assert_eq!(seen, [Seen::Dropped(first(PENDING)), Seen::Began(attempt(PENDING, 2)), Seen::Answered(1)]);
}

#[test]
fn a_blocking_handler_that_does_not_stop_is_lost_and_keeps_its_permits_until_its_thread_is_back() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(LIMITED_BLOCKING))]);
    shard.perform(slot(0), [stop(first(LIMITED_BLOCKING)), run(first(LIMITED_READY))]);
    let seen = shard.advance(GRACE);
    let lost = Seen::Stopped(slot(0), first(LIMITED_BLOCKING), StopOutcome::Lost);
    assert_eq!(seen, [Seen::Leaked(first(LIMITED_BLOCKING)), lost]);
    let leaks: Vec<_> = shard.engine.leaks().collect();
    assert_eq!(leaks.len(), 1);
    assert_eq!(leaks[0].attempt.dispatch, first(LIMITED_BLOCKING));
    let Counts { running, leaked, queued, .. } = shard.engine.counts();
    assert_eq!((running, leaked, queued), (1, 1, 1), "who waits for the limit still waits");
    // The result changes nothing.
    let seen = shard.end(first(LIMITED_BLOCKING), Ok("7"));
    assert_eq!(began(&seen), [first(LIMITED_READY)]);
    assert!(
        !seen.iter().any(|seen| matches!(seen, Seen::Completed(_, dispatch, _) if *dispatch != first(LIMITED_READY)))
    );
    assert_eq!(shard.engine.leaks().count(), 0);
}

#[test]
fn a_blocking_handler_that_nobody_wants_is_told_to_stop_and_leaks_too() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(BLOCKING))]);
    let seen = shard.perform(slot(0), [forget(first(BLOCKING))]);
    let told = Seen::ToldToStop(first(BLOCKING));
    assert_eq!(seen, [told, Seen::Leaked(first(BLOCKING)), Seen::Answered(1)]);
    // Its execution may end and its slot may be given again; the permit is still held.
    shard.told(Input::Deregister { slot: slot(0), status: crate::ExecutionStatus::Completed });
    shard.register(slot(0).next_life(), 0);
    assert_eq!(shard.engine.counts().running, 1);
    assert_eq!(shard.end(first(BLOCKING), Ok("7")), []);
    assert_eq!(shard.engine.counts(), Counts::default());
}

#[test]
fn what_waits_to_begin_is_closed_and_never_begins() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(PENDING)), run(scoped(1, PENDING)), run(scoped(2, PENDING))]);
    let seen = shard.perform(slot(0), [stop(scoped(1, PENDING)), forget(scoped(2, PENDING))]);
    assert_eq!(seen, [Seen::Stopped(slot(0), scoped(1, PENDING), StopOutcome::Closed), Seen::Answered(1)]);
    assert_eq!(began(&shard.end(first(PENDING), Ok("1"))), []);
}

#[test]
fn what_is_about_to_begin_is_closed_and_never_begins() {
    let mut shard = Shard::new(100);
    let all: Vec<_> = (0..50).map(|scope| scoped(scope, PENDING)).collect();
    // In one message, and in two with nothing begun in between; forwards and backwards.
    shard.lazy = true;
    shard.perform(slot(0), all.iter().copied().map(run));
    shard.perform(slot(1), [run(first(PENDING))]);
    let seen = shard.perform(slot(0), all[..25].iter().chain(all[25..].iter().rev()).copied().map(stop));
    assert_eq!(seen.iter().filter(|seen| matches!(seen, Seen::Stopped(_, _, StopOutcome::Closed))).count(), 50);
    assert_eq!(shard.engine.counts().running, 1);
    shard.lazy = false;
    assert_eq!(began(&shard.perform(slot(0), [])), [first(PENDING)]);
}

#[test]
fn when_the_end_is_decided_what_waits_is_closed_also_where_siblings_may_finish() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(PENDING)), run(scoped(1, PENDING))]);
    shard.perform(slot(1), [run(first(READY))]);
    let seen = shard.perform(slot(0), [finish(first(PENDING)), finish(scoped(1, PENDING))]);
    assert_eq!(seen, [Seen::Stopped(slot(0), scoped(1, PENDING), StopOutcome::Closed), Seen::Answered(1)]);
    // What its end is made of is run.
    assert_eq!(shard.perform(slot(0), [run(scoped(2, PENDING))]), [Seen::Answered(1)]);
    assert_eq!(began(&shard.end(first(PENDING), Ok("1"))), [first(READY), scoped(2, PENDING)]);
}

#[test]
fn stopping_what_is_over_changes_nothing() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(READY))]);
    assert_eq!(shard.perform(slot(0), [stop(first(READY)), forget(first(READY))]), [Seen::Answered(1)]);
    // Nor does it another attempt at the same work.
    shard.perform(slot(0), [run(attempt(PENDING, 2))]);
    assert_eq!(shard.perform(slot(0), [stop(first(PENDING)), forget(first(PENDING))]), [Seen::Answered(1)]);
    assert_eq!(shard.engine.counts().running, 1);
}

#[test]
fn the_result_of_a_handler_that_was_dropped_in_the_same_moment_changes_nothing() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(PENDING))]);
    let future = shard.future(first(PENDING));
    shard.perform(slot(0), [forget(first(PENDING))]);
    let result = shard.write(slot(0), "7");
    assert_eq!(shard.told(Input::HandlerEnded { future, ended: shard.now, custom_status: None, result }), []);
    assert_eq!(shard.engine.counts(), Counts::default());
}
