//! Whoever has an execution hears of its tasks; of one that has ended nobody does.

use super::*;
use crate::ExecutionStatus;

#[test]
fn an_outcome_goes_to_whoever_has_the_execution_when_it_comes() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(PENDING))]);
    shard.tell(Input::Moved { slot: slot(0), callback: Callback::Supervisor });
    shard.sent.clear();
    shard.end(first(PENDING), Ok("1"));
    assert!(matches!(shard.sent[..], [(Callback::Supervisor, Delivery::TaskCompleted(_))]), "{:?}", shard.sent);
}

#[test]
fn nothing_of_an_ended_execution_is_left() {
    let mut shard = Shard::new(2);
    let timer = arm(Timer::Deadline, shard.now);
    shard.perform(slot(0), [run(first(PENDING)), run(first(HURRIED)), run(scoped(1, PENDING)), open(first(1)), timer]);
    shard.keep_early(slot(0), key(2), 70);
    let seen = shard.told(Input::Deregister { slot: slot(0), status: ExecutionStatus::Completed });
    let dropped = [Seen::Dropped(first(PENDING)), Seen::Dropped(first(HURRIED))];
    assert_eq!(seen[..2], dropped);
    assert_eq!(shard.engine.counts(), Counts::default());
    assert_eq!(shard.engine.registration(slot(0)), None);
    assert_eq!(shard.engine.wake_at(), None);
}

#[test]
fn what_was_to_begin_for_an_ended_execution_does_not() {
    let mut shard = Shard::new(10);
    shard.lazy = true;
    shard.perform(slot(0), [run(first(PENDING))]);
    shard.perform(slot(1), [run(first(PENDING))]);
    shard.told(Input::Deregister { slot: slot(0), status: ExecutionStatus::Completed });
    shard.lazy = false;
    assert_eq!(began(&shard.told(Input::Wake)).len(), 1);
    assert_eq!(shard.engine.counts().running, 1);
}

#[test]
fn the_slot_of_an_ended_execution_says_nothing_about_the_next_one() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(PENDING))]);
    shard.told(Input::Deregister { slot: slot(0), status: ExecutionStatus::Completed });
    let next = slot(0).next_life();
    shard.register(next, 0);
    assert_eq!(began(&shard.perform(next, [run(first(PENDING))])), [first(PENDING)]);
    // What somebody still says about the first one finds nothing.
    assert_eq!(
        shard.perform(slot(0), [forget(first(PENDING)), run(first(READY)), open(first(1))]),
        [Seen::Answered(1)]
    );
    shard.told(Input::Deregister { slot: slot(0), status: ExecutionStatus::Completed });
    shard.told(Input::Moved { slot: slot(0), callback: Callback::Supervisor });
    assert_eq!(shard.engine.counts().running, 1);
    let seen = shard.end_of(next, first(PENDING), Ok("1"));
    assert_eq!(seen, [Seen::Completed(next, first(PENDING), "1".to_owned())]);
}

#[test]
fn one_whose_end_was_missed_makes_room_for_the_next() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(PENDING))]);
    shard.keep_early(slot(0), key(1), 70);
    shard.register(slot(0).next_life(), 0);
    let seen = shard.told(Input::Wake);
    assert_eq!(seen, [Seen::Dropped(first(PENDING)), Seen::Replied(70, EarlyAnswer::Unknown)]);
    assert_eq!(shard.engine.counts(), Counts::default());
}

#[test]
fn an_execution_that_is_registered_again_keeps_what_is_under_way() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(PENDING)), open(first(1))]);
    shard.register(slot(0), 5);
    let Counts { running, open, .. } = shard.engine.counts();
    assert_eq!((running, open), (1, 1));
    shard.sent.clear();
    shard.end(first(PENDING), Ok("1"));
    assert!(matches!(shard.sent[..], [(Callback::Actor(ActorNo(5)), _)]), "{:?}", shard.sent);
}

#[test]
fn a_definition_can_be_defined_again() {
    let mut shard = Shard::new(10);
    let nodes = nodes().iter().map(|node| TaskNode { handler: Some(HandlerNo(READY as u16)), ..*node }).collect();
    shard.tell(Input::Define { definition: DefinitionNo(0), nodes });
    let seen = shard.perform(slot(0), [run(first(PENDING))]);
    assert!(seen.iter().any(|seen| matches!(seen, Seen::Completed(..))), "{seen:?}");
}
