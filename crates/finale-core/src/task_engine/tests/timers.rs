//! Time limits of attempts begin with their handlers; timers of executions fire once, in their order.

use super::*;

#[test]
fn an_attempt_that_takes_too_long_has_timed_out_and_its_handler_is_dropped() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(HURRIED))]);
    assert_eq!(shard.advance(ATTEMPT_MAX - Duration::from_micros(1)), []);
    let seen = shard.advance(Duration::from_micros(1));
    let failed = Seen::Failed(slot(0), first(HURRIED), FailureClass::TimedOut, "no result within 10s".to_owned());
    assert_eq!(seen, [Seen::Dropped(first(HURRIED)), failed]);
    assert_eq!(shard.engine.counts().timers, 0);
}

#[test]
fn the_limit_begins_with_the_handler_not_with_the_wait_for_a_permit() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(PENDING)), run(first(HURRIED))]);
    shard.advance(ATTEMPT_MAX * 3);
    assert_eq!(began(&shard.end(first(PENDING), Ok("1"))), [first(HURRIED)]);
    assert_eq!(shard.advance(ATTEMPT_MAX - Duration::from_micros(1)), []);
    assert_eq!(shard.advance(Duration::from_micros(1)).len(), 2);
}

#[test]
fn a_handler_that_ends_in_time_leaves_no_timer() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(HURRIED))]);
    assert_eq!(shard.engine.counts().timers, 1);
    shard.end(first(HURRIED), Ok("1"));
    assert_eq!(shard.engine.counts().timers, 0);
}

#[test]
fn a_blocking_handler_that_takes_too_long_leaks() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(HURRIED_BLOCKING))]);
    let seen = shard.advance(ATTEMPT_MAX);
    assert!(
        matches!(&seen[..], [Seen::ToldToStop(_), Seen::Leaked(_), Seen::Failed(_, _, FailureClass::TimedOut, _)]),
        "{seen:?}"
    );
    // The next attempt is another one.
    assert_eq!(began(&shard.perform(slot(0), [run(attempt(HURRIED_BLOCKING, 2))])), [attempt(HURRIED_BLOCKING, 2)]);
    let Counts { running, leaked, .. } = shard.engine.counts();
    assert_eq!((running, leaked), (2, 1));
}

#[test]
fn a_handler_that_was_told_to_stop_has_its_grace_and_no_other_limit() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(HURRIED))]);
    shard.advance(ATTEMPT_MAX - Duration::from_secs(1));
    shard.perform(slot(0), [stop(first(HURRIED))]);
    assert_eq!(shard.advance(GRACE - Duration::from_micros(1)), []);
    let seen = shard.advance(Duration::from_micros(1));
    assert!(matches!(seen[..], [Seen::Dropped(_), Seen::Stopped(_, _, crate::fact::StopOutcome::Aborted)]), "{seen:?}");
}

#[test]
fn timers_of_executions_fire_once_in_the_order_in_which_they_are_due() {
    let mut shard = Shard::new(10);
    let now = shard.now;
    let arm = |timer, seconds| arm(timer, now.after(Duration::from_secs(seconds)));
    let backoff = Timer::Backoff(key(1), first(1).attempt);
    shard.perform(slot(0), [arm(Timer::Deadline, 3), arm(backoff, 1)]);
    shard.perform(slot(1), [arm(Timer::Deadline, 2)]);
    assert_eq!(shard.engine.wake_at(), Some(now.after(Duration::from_secs(1))));
    let seen = shard.advance(Duration::from_secs(5));
    let fired =
        [Seen::Fired(slot(0), backoff), Seen::Fired(slot(1), Timer::Deadline), Seen::Fired(slot(0), Timer::Deadline)];
    assert_eq!(seen, fired);
    assert_eq!(shard.advance(Duration::from_secs(100)), []);
}

#[test]
fn a_timer_that_is_armed_again_is_not_postponed_and_one_that_is_disarmed_never_fires() {
    let mut shard = Shard::new(10);
    let now = shard.now;
    let arm = |seconds| arm(Timer::Deadline, now.after(Duration::from_secs(seconds)));
    shard.perform(slot(0), [arm(3), arm(1), arm(2)]);
    assert_eq!(shard.engine.counts().timers, 1);
    assert_eq!(shard.advance(Duration::from_secs(1)), [Seen::Fired(slot(0), Timer::Deadline)]);
    assert_eq!(shard.advance(Duration::from_secs(100)), []);
    let disarm = || Effect::DisarmTimer { timer: Timer::Deadline };
    shard.perform(slot(0), [arm(200), disarm(), disarm()]);
    assert_eq!(shard.advance(Duration::from_secs(200)), []);
    assert_eq!(shard.engine.counts(), Counts::default());
}

#[test]
fn a_timer_whose_clock_was_ahead_is_due_after_its_own_length_at_the_latest() {
    let mut shard = Shard::new(10);
    let (hour, span) = (Duration::from_secs(3_600), Duration::from_secs(2));
    let ahead = || Effect::ArmTimer { timer: Timer::Deadline, due: Time::from_micros(0).after(hour), within: span };
    shard.perform(slot(0), [ahead()]);
    assert_eq!(shard.advance(span / 2), []);
    // To arm it again does not begin its length anew.
    shard.perform(slot(0), [ahead()]);
    shard.reconcile(slot(0), vec![ahead()]);
    assert_eq!(shard.advance(span / 2), [Seen::Fired(slot(0), Timer::Deadline)]);
}

#[test]
fn a_time_that_has_passed_is_due_at_once() {
    let mut shard = Shard::new(10);
    let due = Time::from_micros(0);
    shard.perform(slot(0), [arm(Timer::Deadline, due)]);
    assert!(shard.engine.wake_at().is_some_and(|due| due <= shard.now));
    assert_eq!(shard.advance(Duration::ZERO), [Seen::Fired(slot(0), Timer::Deadline)]);
}

#[test]
fn a_great_many_timers_are_taken_in_portions() {
    let mut shard = Shard::new(10);
    let due = shard.now;
    let timers = (0..1_000).map(|node| Timer::Backoff(key(node), first(node).attempt));
    shard.perform(slot(0), timers.map(|timer| arm(timer, due)));
    let seen = shard.told(Input::Wake);
    assert!(!seen.is_empty() && seen.len() < 1_000, "{}", seen.len());
    assert_eq!(shard.engine.wake_at(), Some(due), "the rest is due still");
    assert_eq!(seen.len() + shard.advance(Duration::ZERO).len(), 1_000);
}

#[test]
fn no_timer_of_an_execution_comes_before_its_deadline_in_the_order_of_names() {
    let others = [Timer::Backoff(key(0), first(0).attempt), Timer::Timeout(key(0), first(0).attempt)];
    assert!(others.iter().all(|other| *other > Timer::Deadline), "the timers of a slot are found from there");
}
