//! Reports that come before their tasks are open are kept, given back when they open, and always answered.

use super::*;

#[test]
fn a_report_that_came_early_is_given_back_when_its_task_opens() {
    let mut shard = Shard::new(10);
    assert_eq!(shard.keep_early(slot(0), key(1), 70), []);
    assert_eq!(shard.keep_early(slot(0), key(1), 71), []);
    assert_eq!(shard.keep_early(slot(0), key(2), 72), []);
    let seen = shard.perform(slot(0), [open(first(1))]);
    let given_back = |request| Seen::GivenBack(slot(0), key(1), Some(request));
    assert_eq!(seen, [given_back(70), given_back(71), Seen::Answered(1)], "in their order, and only those");
    assert_eq!(shard.engine.counts().early, 1);
}

#[test]
fn one_whose_task_opened_while_it_was_on_its_way_is_given_back_at_once() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [open(first(1))]);
    assert_eq!(shard.keep_early(slot(0), key(1), 70), [Seen::GivenBack(slot(0), key(1), Some(70))]);
    assert_eq!(shard.engine.counts().early, 0);
}

#[test]
fn no_more_are_kept_than_the_limit_allows() {
    let mut shard = Shard::new(10);
    (0..EARLY_MAX as u64).for_each(|request| assert_eq!(shard.keep_early(slot(0), key(1), request), []));
    let saturated = EarlyAnswer::Saturated { early_reports_max: EARLY_MAX };
    assert_eq!(shard.keep_early(slot(1), key(1), 70), [Seen::Replied(70, saturated)]);
    shard.perform(slot(0), [open(first(1))]);
    assert_eq!(shard.keep_early(slot(1), key(1), 71), [], "there is room again");
}

#[test]
fn one_whose_node_has_settled_without_being_opened_is_given_back_to_be_refused() {
    let mut shard = Shard::new(10);
    shard.keep_early(slot(0), key(1), 70);
    let settled = |slot, key| Input::GiveBackEarly { slot, key };
    assert_eq!(shard.told(settled(slot(0), key(2))), []);
    assert_eq!(shard.told(settled(slot(1), key(1))), []);
    assert_eq!(shard.told(settled(slot(0), key(1))), [Seen::GivenBack(slot(0), key(1), Some(70))]);
    assert_eq!(shard.told(settled(slot(0), key(1))), []);
    assert_eq!(shard.engine.counts(), Counts::default());
}

#[test]
fn one_whose_task_closes_without_having_been_open_is_given_back_too() {
    let mut shard = Shard::new(10);
    shard.keep_early(slot(0), key(1), 70);
    let seen = shard.perform(slot(0), [close(first(1))]);
    assert_eq!(seen, [Seen::GivenBack(slot(0), key(1), Some(70)), Seen::Answered(1)]);
}

#[test]
fn those_that_the_end_of_the_execution_goes_past_are_answered_with_it() {
    let mut shard = Shard::new(10);
    shard.keep_early(slot(0), key(1), 70);
    shard.keep_early(slot(1), key(1), 71);
    let ended = crate::ExecutionStatus::Cancelled;
    let seen = shard.told(Input::Deregister { slot: slot(0), status: ended });
    assert_eq!(seen, [Seen::Replied(70, EarlyAnswer::Ended(ended))]);
    assert_eq!(shard.engine.counts().early, 1);
}

#[test]
fn one_for_an_execution_that_is_not_here_is_answered_at_once() {
    let mut shard = Shard::new(10);
    assert_eq!(shard.keep_early(slot(9), key(1), 70), [Seen::Replied(70, EarlyAnswer::Unknown)]);
    assert_eq!(shard.keep_early(slot(0).next_life(), key(1), 71), [Seen::Replied(71, EarlyAnswer::Unknown)]);
}

#[test]
fn they_go_to_whoever_has_the_execution_then() {
    let mut shard = Shard::new(10);
    shard.keep_early(slot(0), key(1), 70);
    shard.tell(Input::Moved { slot: slot(0), callback: Callback::Supervisor });
    shard.perform(slot(0), [open(first(1))]);
    let to: Vec<_> = shard.sent.iter().map(|(callback, _)| *callback).collect();
    assert!(to.contains(&Callback::Supervisor), "{to:?}");
}
