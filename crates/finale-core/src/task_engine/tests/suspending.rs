//! A handler that waits for another execution gives its permits to others, and gets them again before it goes on.

use super::*;

#[test]
fn a_handler_that_waits_for_another_execution_lets_others_begin() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(LIMITED))]);
    shard.perform(slot(1), [run(first(LIMITED_READY)), run(first(PENDING))]);
    let seen = shard.suspend(first(LIMITED));
    assert_eq!(began(&seen), [first(LIMITED_READY), first(PENDING)]);
    let Counts { running, suspended, .. } = shard.engine.counts();
    assert_eq!((running, suspended), (1, 1));
    // There is no permit for it now: it waits.
    assert_eq!(shard.resume(first(LIMITED)), []);
    let seen = shard.end_of(slot(1), first(PENDING), Ok("1"));
    assert!(seen.contains(&Seen::Resumed(first(LIMITED))), "{seen:?}");
    let Counts { running, suspended, .. } = shard.engine.counts();
    assert_eq!((running, suspended), (1, 0));
    shard.end(first(LIMITED), Ok("1"));
    assert_eq!(shard.engine.counts(), Counts::default());
}

#[test]
fn where_there_are_permits_it_goes_on_at_once() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(PENDING))]);
    shard.suspend(first(PENDING));
    assert_eq!(shard.resume(first(PENDING)), [Seen::Resumed(first(PENDING))]);
    assert_eq!(shard.resume(first(PENDING)), [Seen::Resumed(first(PENDING))], "one that holds its permits goes on");
}

#[test]
fn handlers_that_go_on_are_before_tasks_that_begin() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(PENDING)), run(scoped(1, PENDING)), run(scoped(2, PENDING))]);
    shard.suspend(first(PENDING));
    shard.resume(first(PENDING));
    assert_eq!(shard.engine.queued(slot(0))[0].position, 2, "the one that goes on is before it");
    let seen = shard.end(scoped(1, PENDING), Ok("1"));
    assert!(seen.contains(&Seen::Resumed(first(PENDING))), "{seen:?}");
    assert_eq!(began(&seen), []);
}

#[test]
fn handlers_that_go_on_are_before_tasks_in_other_queues() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(LIMITED)), run(first(PENDING)), run(scoped(1, PENDING))]);
    assert_eq!(began(&shard.suspend(first(LIMITED))), [first(PENDING)]);
    assert_eq!(shard.resume(first(LIMITED)), []);
    let seen = shard.end(first(PENDING), Ok("1"));
    assert!(seen.contains(&Seen::Resumed(first(LIMITED))), "{seen:?}");
    assert_eq!(began(&seen), []);
}

#[test]
fn one_that_waits_anew_before_its_turn_takes_no_permits() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(PENDING)), run(scoped(1, PENDING))]);
    shard.suspend(first(PENDING));
    assert_eq!(shard.resume(first(PENDING)), []);
    // Another part of it waits for something that needs the only permit.
    assert_eq!(shard.suspend(first(PENDING)), []);
    shard.perform(slot(0), [run(scoped(2, PENDING))]);
    let seen = shard.end(scoped(1, PENDING), Ok("1"));
    assert_eq!(began(&seen), [scoped(2, PENDING)], "{seen:?}");
    assert_eq!(shard.resume(first(PENDING)), []);
    let seen = shard.end(scoped(2, PENDING), Ok("1"));
    assert!(seen.contains(&Seen::Resumed(first(PENDING))), "{seen:?}");
    shard.end(first(PENDING), Ok("1"));
    assert_eq!(shard.engine.counts(), Counts::default());
}

#[test]
fn one_that_ends_while_it_waits_holds_nothing() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(PENDING)), run(scoped(1, PENDING))]);
    shard.suspend(first(PENDING));
    shard.resume(first(PENDING));
    // It has given up its wait, or what it raced with was faster.
    let seen = shard.end(first(PENDING), Ok("1"));
    assert!(matches!(seen[..], [Seen::Completed(..)]), "{seen:?}");
    assert_eq!(shard.engine.counts().suspended, 0);
    assert_eq!(shard.end(scoped(1, PENDING), Ok("1")).len(), 1);
    assert_eq!(shard.engine.counts(), Counts::default());
}

#[test]
fn one_that_is_told_to_stop_cleans_up_without_waiting_for_permits() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(PENDING)), run(scoped(1, PENDING))]);
    shard.suspend(first(PENDING));
    shard.resume(first(PENDING));
    let seen = shard.perform(slot(0), [stop(first(PENDING))]);
    assert!(seen.contains(&Seen::Resumed(first(PENDING))), "{seen:?}");
    assert_eq!(shard.engine.counts().running, 1, "nobody else loses a permit over it");
    shard.end(first(PENDING), Err("stopped"));
    // And one that is told before what it waits for is there.
    shard.perform(slot(0), [run(scoped(2, PENDING))]);
    shard.end(scoped(1, PENDING), Ok("1"));
    shard.suspend(scoped(2, PENDING));
    shard.perform(slot(0), [stop(scoped(2, PENDING)), run(scoped(3, PENDING))]);
    assert_eq!(shard.resume(scoped(2, PENDING)), [Seen::Resumed(scoped(2, PENDING))]);
}

#[test]
fn its_time_limit_goes_on_meanwhile() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(HURRIED))]);
    shard.suspend(first(HURRIED));
    let seen = shard.advance(ATTEMPT_MAX);
    assert!(matches!(seen[..], [Seen::Dropped(_), Seen::Failed(_, _, FailureClass::TimedOut, _)]), "{seen:?}");
    assert_eq!(shard.engine.counts(), Counts::default());
}

#[test]
fn what_is_said_of_one_that_is_gone_changes_nothing() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(PENDING))]);
    let future = shard.future(first(PENDING));
    shard.end(first(PENDING), Ok("1"));
    assert_eq!(shard.told(Input::Suspended(future)), []);
    assert_eq!(shard.told(Input::Resumed(future)), []);
    assert_eq!(shard.engine.counts(), Counts::default());
}

#[test]
fn a_blocking_one_that_is_given_up_goes_on_to_its_end_without_permits() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(BLOCKING)), run(scoped(1, PENDING)), run(scoped(2, PENDING))]);
    shard.suspend(first(BLOCKING));
    shard.resume(first(BLOCKING));
    let seen = shard.perform(slot(0), [forget(first(BLOCKING))]);
    assert!(seen.contains(&Seen::Resumed(first(BLOCKING))), "{seen:?}");
    // The next permit is not for one whose thread is all that is left of it.
    assert_eq!(began(&shard.end(scoped(1, PENDING), Ok("1"))), [scoped(2, PENDING)]);
    let Counts { running, leaked, suspended, .. } = shard.engine.counts();
    assert_eq!((running, leaked, suspended), (1, 1, 0));
    shard.end(first(BLOCKING), Ok("1"));
    assert_eq!(shard.engine.counts().running, 1);
}
