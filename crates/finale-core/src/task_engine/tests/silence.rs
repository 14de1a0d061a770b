//! Attempts that wait too long for their permits, and handlers that say nothing for too long.

use super::*;
use crate::record::TaskProgress;

const TICK: Duration = Duration::from_micros(1);

fn alive(shard: &mut Shard, dispatch: Dispatch, progress: Option<TaskProgress>) -> Vec<Seen> {
    let future = shard.future(dispatch);
    shard.told(Input::Alive { future, progress, custom_status: None })
}

fn timed_out(dispatch: Dispatch, reason: &str) -> Seen {
    Seen::Failed(slot(0), dispatch, FailureClass::TimedOut, reason.to_owned())
}

#[test]
fn an_attempt_that_waits_too_long_for_its_permits_has_timed_out_and_never_begins() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(LIMITED)), run(first(HASTY))]);
    assert_eq!(shard.advance(ATTEMPT_MAX - TICK), []);
    assert_eq!(shard.advance(TICK), [timed_out(first(HASTY), "its handler could not begin within 10s")]);
    assert_eq!(shard.end(first(LIMITED), Ok("1")), [Seen::Completed(slot(0), first(LIMITED), "1".to_owned())]);
    assert_eq!(shard.engine.counts(), Counts::default());
}

#[test]
fn the_time_in_the_queue_is_over_when_the_handler_begins() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(LIMITED)), run(first(HASTY))]);
    shard.advance(ATTEMPT_MAX - TICK);
    assert_eq!(began(&shard.end(first(LIMITED), Ok("1"))), [first(HASTY)]);
    assert_eq!(shard.engine.counts().timers, 0);
    assert_eq!(shard.advance(10 * ATTEMPT_MAX), []);
    // One that is taken out of the queue leaves no timer either.
    shard.perform(slot(0), [run(scoped(1, HASTY))]);
    shard.perform(slot(0), [forget(scoped(1, HASTY))]);
    assert_eq!(shard.engine.counts().timers, 0);
}

#[test]
fn a_handler_that_says_nothing_for_too_long_has_timed_out_and_is_dropped() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(SILENT))]);
    assert_eq!(shard.advance(ATTEMPT_MAX - TICK), []);
    let failed = timed_out(first(SILENT), "its handler said nothing for 10s");
    assert_eq!(shard.advance(TICK), [Seen::Dropped(first(SILENT)), failed]);
    assert_eq!(shard.engine.counts(), Counts::default());
}

#[test]
fn whoever_says_something_has_all_the_time_again() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(SILENT))]);
    for _ in 0..5 {
        shard.advance(ATTEMPT_MAX - TICK);
        assert_eq!(alive(&mut shard, first(SILENT), None), []);
    }
    assert_eq!(shard.engine.counts().timers, 1);
    let said = TaskProgress::new(0.4, "4 of 10 files");
    alive(&mut shard, first(SILENT), Some(said.clone()));
    assert_eq!(shard.engine.progress_of(slot(0)), [(first(SILENT), said.clone())]);
    alive(&mut shard, first(SILENT), None);
    assert_eq!(shard.engine.progress_of(slot(0)), [(first(SILENT), said)], "a sign of life takes nothing back");
    shard.advance(ATTEMPT_MAX - TICK);
    shard.end(first(SILENT), Ok("1"));
    assert_eq!(shard.engine.counts(), Counts::default());
    assert_eq!(shard.engine.progress_of(slot(0)), []);
}

#[test]
fn whoever_waits_for_other_executions_need_not_say_anything() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(SILENT))]);
    shard.suspend(first(SILENT));
    assert_eq!(shard.advance(5 * ATTEMPT_MAX), []);
    shard.resume(first(SILENT));
    let seen = shard.advance(2 * ATTEMPT_MAX);
    assert!(matches!(&seen[..], [Seen::Dropped(_), Seen::Failed(..)]), "{seen:?}");
}

#[test]
fn whoever_goes_on_after_waiting_has_all_the_time_to_say_something() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(SILENT))]);
    shard.suspend(first(SILENT));
    assert_eq!(shard.advance(2 * ATTEMPT_MAX - TICK), []);
    shard.resume(first(SILENT));
    assert_eq!(shard.advance(ATTEMPT_MAX - TICK), []);
    let seen = shard.advance(TICK);
    assert!(matches!(&seen[..], [Seen::Dropped(_), Seen::Failed(..)]), "{seen:?}");
    assert_eq!(shard.engine.counts(), Counts::default());
}

#[test]
fn a_blocking_handler_that_says_nothing_leaks_and_keeps_its_permits() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(SILENT_BLOCKING))]);
    let seen = shard.advance(ATTEMPT_MAX);
    assert!(
        matches!(&seen[..], [Seen::ToldToStop(_), Seen::Leaked(_), Seen::Failed(_, _, FailureClass::TimedOut, _)]),
        "{seen:?}"
    );
    let Counts { running, leaked, timers, .. } = shard.engine.counts();
    assert_eq!((running, leaked, timers), (1, 1, 0));
}

#[test]
fn a_handler_that_was_told_to_stop_has_its_grace_however_silent_it_is() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(SILENT))]);
    shard.advance(ATTEMPT_MAX - TICK);
    shard.perform(slot(0), [stop(first(SILENT))]);
    assert_eq!(shard.advance(GRACE - TICK), []);
    let seen = shard.advance(TICK);
    assert!(matches!(seen[..], [Seen::Dropped(_), Seen::Stopped(_, _, crate::fact::StopOutcome::Aborted)]), "{seen:?}");
}
