//! What must be under way is, and nothing else.

use super::*;
use crate::fact::StopOutcome;

#[test]
fn a_stop_that_was_lost_is_made_up_for_and_one_that_was_not_changes_nothing() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(PENDING))]);
    let under_way = || vec![run(first(PENDING)), stop(first(PENDING))];
    let seen = shard.reconcile(slot(0), under_way());
    assert_eq!(seen, [Seen::ToldToStop(first(PENDING)), Seen::Answered(1)]);
    assert_eq!(shard.reconcile(slot(0), under_way()), [Seen::Answered(1)]);
}

#[test]
fn what_is_missing_is_performed() {
    let mut shard = Shard::new(10);
    let due = shard.now.after(Duration::from_secs(1));
    let under_way = vec![run(first(PENDING)), open(first(1)), arm(Timer::Deadline, due)];
    let seen = shard.reconcile(slot(0), under_way.clone());
    assert_eq!(seen, [Seen::Began(first(PENDING)), Seen::Answered(1)]);
    let Counts { running, open, timers, .. } = shard.engine.counts();
    assert_eq!((running, open, timers), (1, 1, 1));
    // And once only.
    assert_eq!(shard.reconcile(slot(0), under_way), [Seen::Answered(1)]);
    assert_eq!(shard.engine.counts().running, 1);
}

#[test]
fn what_waits_or_is_about_to_begin_is_under_way() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(PENDING)), run(scoped(1, PENDING))]);
    let under_way = vec![run(first(PENDING)), run(scoped(1, PENDING))];
    assert_eq!(shard.reconcile(slot(0), under_way), [Seen::Answered(1)]);
    assert_eq!(shard.engine.counts().queued, 1);
    shard.lazy = true;
    shard.end(first(PENDING), Ok("1"));
    let seen = shard.reconcile(slot(0), vec![run(scoped(1, PENDING))]);
    assert_eq!(seen, [], "the answer comes when it has begun");
    shard.lazy = false;
    assert_eq!(began(&shard.told(Input::Wake)), [scoped(1, PENDING)]);
}

#[test]
fn an_early_report_on_a_task_that_opens_in_it_is_given_back() {
    let mut shard = Shard::new(10);
    shard.keep_early(slot(0), key(1), 70);
    let seen = shard.reconcile(slot(0), vec![open(first(1))]);
    assert_eq!(seen, [Seen::GivenBack(slot(0), key(1), Some(70)), Seen::Answered(1)]);
}

#[test]
fn what_must_not_be_is_dropped() {
    let mut shard = Shard::new(2);
    let deadline = arm(Timer::Deadline, shard.now);
    let all = [run(first(PENDING)), run(first(BLOCKING)), run(scoped(1, PENDING)), open(first(1)), deadline];
    shard.perform(slot(0), all);
    shard.perform(slot(1), [open(first(1)), open(first(2))]);
    let seen = shard.reconcile(slot(0), vec![]);
    let told = Seen::ToldToStop(first(BLOCKING));
    let dropped = [told, Seen::Dropped(first(PENDING)), Seen::Leaked(first(BLOCKING)), Seen::Answered(1)];
    assert_eq!(seen, dropped);
    let Counts { running, queued, open, timers, leaked, .. } = shard.engine.counts();
    assert_eq!((running, queued, open, timers, leaked), (1, 0, 2, 0, 1));
}

#[test]
fn an_earlier_attempt_is_not_the_one_that_must_be() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(PENDING)), open(first(1))]);
    let seen = shard.reconcile(slot(0), vec![run(attempt(PENDING, 2)), open(attempt(1, 2))]);
    assert_eq!(seen, [Seen::Dropped(first(PENDING)), Seen::Began(attempt(PENDING, 2)), Seen::Answered(1)]);
    assert_eq!(shard.engine.open_tasks(None, None).next().map(|task| task.dispatch), Some(attempt(1, 2)));
}

#[test]
fn after_the_end_is_decided_what_is_missing_is_lost_and_what_waits_is_closed() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(PENDING)), run(scoped(1, PENDING))]);
    let all = || [first(PENDING), scoped(1, PENDING), scoped(2, PENDING)].into_iter();
    let under_way = all().map(run).chain(all().map(finish)).collect();
    let seen = shard.reconcile(slot(0), under_way);
    let stopped = |scope, how| Seen::Stopped(slot(0), scoped(scope, PENDING), how);
    assert_eq!(seen, [stopped(2, StopOutcome::Lost), stopped(1, StopOutcome::Closed), Seen::Answered(1)]);
    assert_eq!(shard.engine.counts().running, 1, "what is at work goes on");
}

#[test]
fn what_must_not_begin_twice_is_lost_for_good() {
    let mut shard = Shard::new(10);
    let seen = shard.reconcile(slot(0), vec![run(first(ONCE))]);
    assert!(matches!(seen[..], [Seen::Failed(_, _, FailureClass::Lost, _), Seen::Answered(1)]), "{seen:?}");
    let Some((_, Delivery::TaskFailed(batch))) = shard.sent.last() else { panic!("{:?}", shard.sent) };
    let TaskResult::Failed(failure) = &batch.outcomes[0].result else { panic!("{batch:?}") };
    assert!(failure.permanent);
    // Its first beginning is none.
    assert_eq!(began(&shard.perform(slot(0), [run(attempt(ONCE, 2))])), [attempt(ONCE, 2)]);
    assert_eq!(shard.reconcile(slot(0), vec![run(attempt(ONCE, 2))]), [Seen::Answered(1)]);
}

#[test]
fn a_timer_that_is_armed_for_a_later_time_is_armed_anew() {
    let mut shard = Shard::new(10);
    let arm = |due| arm(Timer::Deadline, due);
    let (soon, later) = (shard.now.after(GRACE), shard.now.after(GRACE * 2));
    shard.perform(slot(0), [arm(later)]);
    shard.reconcile(slot(0), vec![arm(soon)]);
    assert_eq!(shard.engine.wake_at(), Some(soon));
    assert_eq!(shard.engine.counts().timers, 1);
}

#[test]
fn an_execution_that_is_to_continue_is_told_so_again() {
    let mut shard = Shard::new(10);
    let seen = shard.perform(slot(0), [run(first(READY)), Effect::Continue]);
    assert!(
        matches!(seen[..], [Seen::Began(_), Seen::Continued(_), Seen::Completed(..), Seen::Answered(1)]),
        "{seen:?}"
    );
    let seen = shard.reconcile(slot(0), vec![Effect::Continue]);
    assert_eq!(seen, [Seen::Continued(slot(0)), Seen::Answered(1)]);
}

#[test]
fn an_execution_that_is_not_registered_is_answered_and_nothing_else() {
    let mut shard = Shard::new(10);
    assert_eq!(shard.reconcile(slot(9), vec![run(first(READY)), open(first(1))]), [Seen::Answered(1)]);
    assert_eq!(shard.engine.counts(), Counts::default());
}
