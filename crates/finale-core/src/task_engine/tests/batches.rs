//! Outcomes are sent in numbered batches and kept until they were taken.

use super::*;

/// Reconciles with that run under way, and says whether its outcome was sent again.
fn sent_again(shard: &mut Shard, dispatch: Dispatch) -> Vec<Seen> {
    let mut seen = shard.reconcile(slot(0), vec![run(dispatch)]);
    assert_eq!(seen.pop(), Some(Seen::Answered(1)));
    seen
}

#[test]
fn an_outcome_that_was_not_taken_is_sent_again() {
    let mut shard = Shard::new(10);
    let seen = shard.perform(slot(0), [run(first(READY)), run(first(FAILING)), run(scoped(1, READY))]);
    let completed = Seen::Completed(slot(0), scoped(1, READY), "\"ready\"".to_owned());
    assert!(seen.contains(&completed));
    for _ in 0..2 {
        assert_eq!(sent_again(&mut shard, scoped(1, READY)), std::slice::from_ref(&completed), "and not run again");
        assert!(matches!(sent_again(&mut shard, first(FAILING))[..], [Seen::Failed(..)]));
    }
}

#[test]
fn an_outcome_that_was_taken_is_not_kept() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(READY))]);
    // The next message says that it was taken.
    shard.perform(slot(0), []);
    assert_eq!(began(&sent_again(&mut shard, first(READY))), [first(READY)], "nobody knows of it any more: it is run");
    let taken = shard.newest_of(Callback::Actor(ActorNo(0)));
    shard.tell(Input::Taken { callback: Callback::Actor(ActorNo(0)), batch: taken });
    assert_eq!(began(&sent_again(&mut shard, first(READY))), [first(READY)]);
}

#[test]
fn what_one_callback_has_taken_says_nothing_about_others() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(READY))]);
    let newest = BatchNo(u64::MAX);
    shard.tell(Input::Taken { callback: Callback::Actor(ActorNo(1)), batch: newest });
    shard.tell(Input::Taken { callback: Callback::Supervisor, batch: newest });
    assert!(matches!(sent_again(&mut shard, first(READY))[..], [Seen::Completed(..)]));
}

#[test]
fn one_that_is_about_to_be_sent_is_not_sent_twice() {
    let mut shard = Shard::new(10);
    let effects = vec![(slot(0), run(first(READY)))];
    shard.tell(Input::Perform { from: ActorNo(0), taken: BatchNo::NONE, effects });
    let seen = shard.reconcile(slot(0), vec![run(first(READY))]);
    assert_eq!(seen.iter().filter(|seen| matches!(seen, Seen::Completed(..))).count(), 1, "{seen:?}");
}

#[test]
fn outcomes_of_an_ended_execution_are_not_those_of_the_next_one_in_its_slot() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(READY))]);
    shard.told(Input::Deregister { slot: slot(0), status: crate::ExecutionStatus::Completed });
    let next = slot(0).next_life();
    shard.register(next, 0);
    let seen = shard.reconcile(next, vec![run(first(READY))]);
    assert_eq!(began(&seen), [first(READY)]);
}

/// Three batches with one outcome each, which are lost on their way.
fn three_lost_batches(shard: &mut Shard) -> [Dispatch; 3] {
    let dispatches = [0, 1, 2].map(|scope| scoped(scope, PENDING));
    shard.perform(slot(0), dispatches.map(run));
    shard.losing = true;
    for dispatch in dispatches {
        assert_eq!(shard.end(dispatch, Ok("1")), []);
    }
    shard.losing = false;
    dispatches
}

#[test]
fn batches_that_were_lost_are_sent_again_in_their_order_and_once() {
    let mut shard = Shard::new(10);
    let lost = three_lost_batches(&mut shard);
    let expected = lost.map(|dispatch| Seen::Completed(slot(0), dispatch, "1".to_owned()));
    assert_eq!(shard.advance(SWEEP / 2), []);
    assert_eq!(shard.advance(SWEEP / 2), expected);
    // They are not acknowledged: nobody knows whether they came.
    assert_eq!(shard.advance(SWEEP), [], "who has processed them ignores them");
    assert_eq!(shard.engine.wake_at(), None, "and acknowledges them");
}

#[test]
fn a_batch_behind_a_lost_one_is_sent_again_with_it() {
    let mut shard = Shard::new(10);
    let [first, second] = [0, 1].map(|scope| scoped(scope, PENDING));
    shard.perform(slot(0), [run(first), run(second)]);
    shard.losing = true;
    shard.end(first, Ok("1"));
    shard.losing = false;
    shard.advance(SWEEP / 2);
    assert_eq!(shard.end(second, Ok("2")), [], "its predecessor has not come");
    let completed = |dispatch, output: &str| Seen::Completed(slot(0), dispatch, output.to_owned());
    assert_eq!(shard.advance(SWEEP / 2), [completed(first, "1"), completed(second, "2")]);
}

#[test]
fn answers_that_were_lost_with_a_batch_are_given_once() {
    let mut shard = Shard::new(10);
    shard.losing = true;
    assert_eq!(shard.perform(slot(0), [run(first(READY))]), [Seen::Began(first(READY))]);
    shard.losing = false;
    let answered = |seen: &[Seen]| seen.iter().filter(|seen| matches!(seen, Seen::Answered(1))).count();
    assert_eq!(answered(&shard.advance(SWEEP)), 1);
    assert_eq!(answered(&shard.advance(SWEEP)), 0);
}

#[test]
fn nothing_is_looked_for_where_everything_is_acknowledged() {
    let mut shard = Shard::new(10);
    assert_eq!(shard.engine.wake_at(), None);
    shard.perform(slot(0), [run(first(READY))]);
    assert_eq!(shard.engine.wake_at(), Some(shard.now.after(SWEEP)));
    let (callback, batch) = (Callback::Actor(ActorNo(0)), shard.newest_of(Callback::Actor(ActorNo(0))));
    shard.tell(Input::Taken { callback, batch });
    assert_eq!(shard.engine.wake_at(), None);
}

#[test]
fn a_batch_has_a_bounded_number_of_outcomes_and_bytes() {
    let mut shard = Shard::new(10_000);
    let seen = shard.perform(slot(0), (0..1_000).map(|scope| run(scoped(scope, READY))));
    assert_eq!(seen.iter().filter(|seen| matches!(seen, Seen::Completed(..))).count(), 1_000);
    let sizes: Vec<_> = shard
        .sent
        .iter()
        .filter_map(|(_, delivery)| match delivery {
            Delivery::TaskCompleted(batch) => Some(batch.outcomes.len()),
            _ => None,
        })
        .collect();
    assert_eq!(sizes, [256, 256, 256, 232]);
    shard.sent.clear();
    let large = format!("\"{}\"", "x".repeat(300 << 10));
    shard.perform(slot(0), [run(first(PENDING)), run(scoped(1, PENDING))]);
    shard.sent.clear();
    for dispatch in [first(PENDING), scoped(1, PENDING)] {
        let future = shard.future(dispatch);
        let result = shard.write(slot(0), &large);
        shard.futures.remove(&future.0);
        shard.tell(Input::HandlerEnded { future, ended: shard.now, custom_status: None, result });
    }
    assert_eq!(shard.sent.len(), 2, "each is sent as soon as it is there");
}

#[test]
fn storage_that_nobody_has_any_more_is_used_again() {
    let mut shard = Shard::new(10);
    let mut seen_at = std::collections::BTreeSet::new();
    for _ in 0..100 {
        shard.perform(slot(0), [run(first(READY))]);
        for (_, delivery) in shard.sent.drain(..) {
            if let Delivery::TaskCompleted(batch) = delivery {
                seen_at.insert(std::sync::Arc::as_ptr(&batch) as usize);
            }
        }
    }
    assert!(seen_at.len() <= 3, "{} batches for one that is under way", seen_at.len());
}

#[test]
fn the_output_of_a_handler_that_failed_after_all_is_not_sent() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(PENDING))]);
    shard.engine.output(slot(0), &mut shard.out).extend_from_slice(b"half an out");
    shard.end(first(PENDING), Err("no"));
    shard.perform(slot(0), [run(first(READY))]);
    let Some((_, Delivery::TaskCompleted(batch))) = shard.sent.last() else { panic!("{:?}", shard.sent) };
    assert_eq!(batch.bytes, b"\"ready\"");
}

/// The batch with the outcome of a handler.
fn outcome_in_batch(shard: &mut Shard) -> std::sync::Arc<Batch> {
    shard.perform(slot(0), [run(first(READY))]);
    let (_, delivery) = shard.sent.last().expect("a batch was sent");
    let Delivery::TaskCompleted(batch) = delivery else { panic!("{delivery:?}") };
    batch.clone()
}

#[test]
fn an_outcome_that_was_only_passed_on_is_kept_until_it_was_taken_in() {
    let mut shard = Shard::new(10);
    let batch = outcome_in_batch(&mut shard);
    shard.tell(Input::PassedOn { batch, outcomes: vec![0] });
    // The sender says that it has processed its batch.
    shard.perform(slot(1), []);
    assert!(matches!(sent_again(&mut shard, first(READY))[..], [Seen::Completed(..)]), "and not run again");
    shard.tell(Input::Taken { callback: Callback::Actor(ActorNo(0)), batch: BatchNo(u64::MAX) });
    assert_eq!(began(&sent_again(&mut shard, first(READY))), [first(READY)], "it was taken from a batch");
}

#[test]
fn whatever_the_supervisor_has_processed_it_has_passed_on() {
    let mut shard = Shard::new(10);
    shard.tell(Input::Moved { slot: slot(0), callback: Callback::Supervisor });
    outcome_in_batch(&mut shard);
    shard.tell(Input::Taken { callback: Callback::Supervisor, batch: BatchNo(u64::MAX) });
    shard.tell(Input::Moved { slot: slot(0), callback: Callback::Actor(ActorNo(0)) });
    assert!(matches!(sent_again(&mut shard, first(READY))[..], [Seen::Completed(..)]), "and not run again");
}

#[test]
fn an_outcome_that_was_passed_on_and_taken_in_is_not_kept() {
    for taken_in in [
        Input::TakenIn(vec![(slot(0), first(READY))]),
        Input::Deregister { slot: slot(0), status: crate::ExecutionStatus::Completed },
    ] {
        let mut shard = Shard::new(10);
        shard.tell(Input::Moved { slot: slot(0), callback: Callback::Supervisor });
        outcome_in_batch(&mut shard);
        shard.tell(Input::Taken { callback: Callback::Supervisor, batch: BatchNo(u64::MAX) });
        shard.tell(taken_in);
        shard.register(slot(0), 0);
        assert_eq!(began(&sent_again(&mut shard, first(READY))), [first(READY)]);
    }
}

#[test]
fn an_execution_that_does_not_wait_for_an_outcome_has_taken_it_in() {
    let mut shard = Shard::new(10);
    let batch = outcome_in_batch(&mut shard);
    shard.tell(Input::PassedOn { batch, outcomes: vec![0] });
    shard.perform(slot(1), []);
    shard.reconcile(slot(0), vec![]);
    assert_eq!(began(&sent_again(&mut shard, first(READY))), [first(READY)]);
}
