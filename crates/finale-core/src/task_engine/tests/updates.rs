//! What handlers at work say.

use super::*;
use crate::record::{CustomStatus, TaskProgress};

fn alive(
    shard: &mut Shard,
    dispatch: Dispatch,
    progress: Option<TaskProgress>,
    custom_status: Option<&str>,
) -> Vec<Seen> {
    let (future, custom_status) = (shard.future(dispatch), custom_status.map(Into::into));
    shard.told(Input::Alive { future, progress, custom_status })
}

/// So many microseconds later.
fn later(time: Time, micros: u64) -> Time {
    time.after(Duration::from_micros(micros))
}

fn status(at: Time, dispatch: Dispatch, text: &str) -> Seen {
    Seen::Updated(TaskUpdate { slot: slot(0), dispatch, at, update: Update::CustomStatus(text.into()) })
}

#[test]
fn what_handlers_say_is_told_at_once_and_of_each_kind_only_the_last() {
    let mut shard = Shard::new(10);
    let (one, other) = (first(SILENT), scoped(1, SILENT));
    shard.perform(slot(0), [run(one), run(other)]);
    let now = shard.now;
    assert_eq!(alive(&mut shard, one, None, Some("waiting for the bank")), [status(now, one, "waiting for the bank")]);

    let (half, all) = (TaskProgress::new(0.5, "half"), TaskProgress::new(1.0, "all"));
    let inputs = [(one, half.clone(), "a"), (other, half.clone(), "b"), (one, all.clone(), "c")];
    for (dispatch, progress, text) in inputs {
        let (future, custom_status) = (shard.future(dispatch), Some(text.into()));
        shard.engine.handle(now, Input::Alive { future, progress: Some(progress), custom_status }, &mut shard.out);
    }
    let progressed = |dispatch, progress| {
        Seen::Updated(TaskUpdate { slot: slot(0), dispatch, at: now, update: Update::Progress(progress) })
    };
    let told = shard.told(Input::Wake);
    assert_eq!(
        told,
        [progressed(other, half), progressed(one, all), status(later(now, 3), one, "c")],
        "each has a time of its own"
    );
}

#[test]
fn an_outcome_carries_the_custom_status_that_was_set_last() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(SILENT)), run(scoped(1, SILENT))]);
    let now = shard.now;
    alive(&mut shard, first(SILENT), None, Some("half of it"));
    let done = |dispatch, output: &str| Seen::Completed(slot(0), dispatch, output.to_owned());
    let seen = shard.end(scoped(1, SILENT), Ok("1"));
    assert_eq!(seen, [status(now, first(SILENT), "half of it"), done(scoped(1, SILENT), "1")], "it may have been lost");
    // One that is set right before the outcome is not told twice.
    let (future, ended) = (shard.future(first(SILENT)), shard.now);
    shard.futures.remove(&future.0);
    let result = shard.write(slot(0), "2");
    let input = Input::HandlerEnded { future, ended, custom_status: Some("all of it".into()), result };
    assert_eq!(shard.told(input), [status(later(now, 1), first(SILENT), "all of it"), done(first(SILENT), "2")]);
}

#[test]
fn an_execution_whose_state_was_lost_is_told_the_custom_status_again() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(SILENT))]);
    let now = shard.now;
    alive(&mut shard, first(SILENT), None, Some("half of it"));
    let seen = shard.reconcile(slot(0), vec![run(first(SILENT))]);
    assert!(seen.contains(&status(now, first(SILENT), "half of it")), "{seen:?}");
}

#[test]
fn an_engine_that_is_rebuilt_knows_the_custom_status_that_was_set_last() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(SILENT))]);
    let now = shard.now;
    alive(&mut shard, first(SILENT), None, Some("half of it"));
    shard.rebuild_with(&[slot(0)], |_| AdoptedState::Working);
    let seen = shard.end(first(SILENT), Ok("1"));
    assert_eq!(seen[0], status(now, first(SILENT), "half of it"));
}

#[test]
fn a_long_custom_status_is_cut() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(SILENT))]);
    let now = shard.now;
    let seen = alive(&mut shard, first(SILENT), None, Some(&"x".repeat(1_000)));
    assert_eq!(seen, [status(now, first(SILENT), &"x".repeat(CustomStatus::TEXT_BYTES_MAX))]);
}
