//! A handler that may begin begins, and its result reaches the callback of its execution.

use super::*;

#[test]
fn a_handler_that_is_ready_at_once_is_answered_in_the_same_message() {
    let mut shard = Shard::new(10);
    let seen = shard.perform(slot(0), [run(first(READY))]);
    let done = Seen::Completed(slot(0), first(READY), "\"ready\"".to_owned());
    assert_eq!(seen, [Seen::Began(first(READY)), done, Seen::Answered(1)]);
    assert_eq!(shard.engine.counts(), Counts::default());
}

#[test]
fn a_handler_that_is_pending_is_answered_as_such_and_reported_later() {
    let mut shard = Shard::new(10);
    let seen = shard.perform(slot(0), [run(first(PENDING))]);
    assert_eq!(seen, [Seen::Began(first(PENDING)), Seen::Answered(1)]);
    assert_eq!(shard.engine.counts().running, 1);
    let seen = shard.end(first(PENDING), Ok("7"));
    assert_eq!(seen, [Seen::Completed(slot(0), first(PENDING), "7".to_owned())]);
    assert_eq!(shard.engine.counts(), Counts::default());
}

#[test]
fn a_failure_is_told_apart_and_its_reason_is_cut() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(PENDING))]);
    let seen = shard.end(first(PENDING), Err(&"long ".repeat(100)));
    let Seen::Failed(_, dispatch, class, reason) = &seen[0] else { panic!("{seen:?}") };
    assert_eq!((*dispatch, *class, reason.len()), (first(PENDING), FailureClass::Failed, 100));
}

#[test]
fn results_keep_their_order_whatever_they_are() {
    let mut shard = Shard::new(10);
    let runs = [run(first(READY)), run(first(FAILING)), run(scoped(1, READY)), run(scoped(1, FAILING))];
    let seen = shard.perform(slot(0), runs);
    let outcomes: Vec<_> = seen
        .iter()
        .filter_map(|seen| match seen {
            Seen::Completed(_, dispatch, _) | Seen::Failed(_, dispatch, ..) => Some(*dispatch),
            _ => None,
        })
        .collect();
    assert_eq!(outcomes, [first(READY), first(FAILING), scoped(1, READY), scoped(1, FAILING)]);
    assert_eq!(seen.last(), Some(&Seen::Answered(1)), "the last one says that the message is answered");
}

#[test]
fn a_node_without_a_registered_handler_is_lost() {
    let mut shard = Shard::new(10);
    let seen = shard.perform(slot(0), [run(first(UNREGISTERED))]);
    assert!(matches!(&seen[..], [Seen::Failed(_, _, FailureClass::Lost, _), Seen::Answered(1)]), "{seen:?}");
    assert_eq!(shard.engine.counts(), Counts::default());
}

#[test]
fn a_handler_gets_the_input_of_its_execution_unless_it_has_its_own() {
    let mut shard = Shard::new(10);
    shard.lazy = true;
    let own = Payload::encode(&7).unwrap();
    shard.perform(slot(0), [Effect::Run { dispatch: first(READY), input: Some(own.clone()) }, run(first(PENDING))]);
    assert_eq!(shard.out.next_start().map(|start| start.input), Some(Some(own)));
    assert_eq!(shard.out.next_start().map(|start| start.input), Some(None));
    let given = &shard.engine.registration(slot(0)).unwrap().input;
    assert_eq!(given.as_bytes(), b"\"given\"");
}

#[test]
fn a_run_that_is_under_way_already_changes_nothing() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(PENDING)), run(scoped(1, PENDING))]);
    let seen = shard.perform(slot(0), [run(first(PENDING)), run(scoped(1, PENDING))]);
    assert_eq!(seen, [Seen::Answered(1)]);
    let Counts { running, queued, .. } = shard.engine.counts();
    assert_eq!((running, queued), (1, 1));
}

/// An actor that has all answers may give the execution back: what its handlers returned at once would come too late.
#[test]
fn a_message_is_answered_when_all_its_handlers_have_begun() {
    let mut shard = Shard::new(10);
    shard.lazy = true;
    assert_eq!(shard.perform(slot(0), [run(first(READY)), run(scoped(1, READY))]), []);
    assert_eq!(shard.perform(slot(0), []), [], "nor is a later one, which would overtake the first");
    let start = shard.out.next_start().unwrap();
    shard.begin(start.attempt);
    shard.flush();
    assert!(matches!(shard.take_seen()[..], [Seen::Began(_), Seen::Completed(..)]), "outcomes do not wait for that");
    shard.lazy = false;
    let seen = shard.told(Input::Wake);
    assert!(matches!(seen[..], [Seen::Began(_), Seen::Completed(..), Seen::Answered(2)]), "{seen:?}");
}

/// The owner knows of handlers that have begun and are ready as soon as they are polled again.
#[test]
fn a_message_is_not_answered_while_its_handlers_are_about_to_be_polled_again() {
    let mut shard = Shard::new(10);
    shard.tell(Input::Perform {
        from: ActorNo(0),
        taken: BatchNo::NONE,
        effects: vec![(slot(0), run(first(READY))), (slot(0), run(scoped(1, PENDING)))],
    });
    shard.engine.flush_but(|about| about == slot(0), &mut shard.out);
    shard.carry_out();
    assert!(matches!(shard.take_seen()[..], [Seen::Began(_), Seen::Began(_), Seen::Completed(..)]));
    shard.engine.flush_but(|about| about == slot(1), &mut shard.out);
    shard.carry_out();
    assert_eq!(shard.take_seen(), [Seen::Answered(1)]);
}

#[test]
fn every_message_is_answered_also_one_without_effects() {
    let mut shard = Shard::new(10);
    let perform = || Input::Perform { from: ActorNo(3), taken: BatchNo::NONE, effects: vec![] };
    (0..3).for_each(|_| shard.tell(perform()));
    shard.flush();
    assert_eq!(shard.take_seen(), [Seen::Answered(3)]);
    assert!(matches!(shard.sent[..], [(Callback::Actor(ActorNo(3)), Delivery::Answered(3))]));
    shard.flush();
    assert_eq!(shard.take_seen(), []);
}

#[test]
fn many_handlers_of_one_execution_are_found_each() {
    let mut shard = Shard::new(1_000);
    let all: Vec<_> = (0..100).map(|scope| scoped(scope, PENDING)).collect();
    shard.perform(slot(0), all.iter().copied().map(run));
    // In an order that has nothing to do with that in which they began.
    for scope in (0..100).map(|index| index * 37 % 100) {
        let seen = shard.perform(slot(0), [forget(scoped(scope, PENDING))]);
        assert_eq!(seen, [Seen::Dropped(scoped(scope, PENDING)), Seen::Answered(1)]);
    }
    assert_eq!(shard.engine.counts(), Counts::default());
    let seen = shard.perform(slot(0), [run(first(PENDING)), stop(first(PENDING))]);
    assert_eq!(seen.len(), 2, "{seen:?}");
}

#[test]
fn a_handler_of_many_that_has_ended_is_not_taken_for_one_of_another_execution() {
    let mut shard = Shard::new(1_000);
    let all: Vec<_> = (0..100).map(|scope| scoped(scope, PENDING)).collect();
    shard.perform(slot(0), all.iter().copied().map(run));
    let future = shard.future(all[7]);
    shard.end(all[7], Ok("1"));
    shard.perform(slot(1), [run(all[7])]);
    assert_eq!(shard.future_of(slot(1), all[7]), future, "the number of its future is given again");
    assert_eq!(shard.perform(slot(0), [forget(all[7])]), [Seen::Answered(1)]);
}
