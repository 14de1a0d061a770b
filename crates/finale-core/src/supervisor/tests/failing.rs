//! The journal takes nothing more.

use super::*;

fn failed() -> (Answer, Answer) {
    (Answer::NotActivated(NotActivated::JournalFailed), Answer::NotDone(NotDone::JournalFailed))
}

#[test]
fn everybody_who_waits_is_told_and_nothing_begins() {
    let mut scene = Scene::with(|options| options.active_executions_max = 1);
    let parked = scene.begin_parked();
    scene.begin();
    let (not_activated, not_done) = failed();
    // One waits for an actor, one for its id, one for its key; a message for an actor, one for the journal.
    let queued = scene.activation();
    let by_id = Activate { id: Some(scene.id()), ..scene.activation() };
    let idempotency = Idempotency { key: "k".into(), workflow: "order".into() };
    let by_key = Activate { idempotency: Some(Box::new(idempotency)), ..scene.activation() };
    for activate in [queued, by_id, by_key] {
        scene.tell(Input::Activate(activate));
    }
    let message = scene.report("one");
    scene.ask(parked.execution, message);
    let message = scene.report("two");
    let id = scene.id();
    scene.ask(id, message);
    let mut all = answers(&scene.tell(Input::JournalFailed));
    all.sort_by_key(|(request, _)| *request);
    let expected = [not_activated.clone(), not_activated.clone(), not_activated.clone(), not_done.clone(), not_done];
    assert_eq!(all, (3..).zip(expected).collect::<Vec<_>>());
    assert!(scene.supervisor.health().journal_failed);

    let activate = scene.activation();
    assert_eq!(scene.tell(Input::Activate(activate)).replies[0].answer, not_activated);
}

#[test]
fn nothing_is_told_to_executions_any_more_but_they_can_be_looked_at() {
    let mut scene = Scene::new();
    let begin = scene.begin_parked();
    scene.tell(Input::JournalFailed);
    let message = scene.report("one");
    let out = scene.ask(begin.execution, message);
    assert_eq!((out.replies[0].answer.clone(), out.actors.len()), (failed().1, 0));
    let message = scene.query();
    assert_eq!(scene.ask(begin.execution, message).queries[0].at, QueryTarget::Parked(begin.slot));
    let out = scene.tell(Input::Delivered { slot: begin.slot, message: report(None, "outcome") });
    assert!(out.actors.is_empty());
}

#[test]
fn those_who_come_back_with_an_execution_are_told() {
    let mut scene = Scene::new();
    let (_, begin) = scene.begin();
    scene.tell(Input::JournalFailed);
    let mut value = hosted(begin.slot, begin.execution, 0);
    value.cancels.push(RequestId(70));
    let out = scene.tell(Input::Detached(Box::new(value)));
    assert_eq!(answers(&out), [(70, failed().1)]);

    let mut scene = Scene::new();
    let (_, begin) = scene.begin();
    scene.tell(Input::JournalFailed);
    let messages = vec![report(Some(RequestId(71)), "in hand")];
    let panicked = Panicked { slot: begin.slot, begin: None, messages, cancels: vec![], told: 0 };
    let out = scene.tell(Input::Panicked(Box::new(panicked)));
    assert_eq!(answers(&out), [(71, failed().1)]);
}

#[test]
fn an_end_that_was_durable_before_is_published() {
    let mut scene = Scene::new();
    let (_, begin) = scene.begin();
    scene.tell(Input::JournalFailed);
    assert_eq!(scene.end(&begin).published.len(), 1);
}

#[test]
fn what_was_being_written_is_answered() {
    let mut scene = Scene::new();
    let (_, begin) = scene.begin();
    for _ in 0..3 {
        scene.die(&begin, vec![]);
    }
    let (request, _) = scene.release(begin.execution);
    assert_eq!(scene.tell(Input::JournalFailed).replies, [Reply { request, answer: failed().1 }]);
    assert!(scene.tell(Input::Written(WriteNo(1))).replies.is_empty());
}

#[test]
fn a_shard_whose_journal_failed_leaves_without_waiting_and_does_not_say_that_all_is_recorded() {
    let mut scene = Scene::new();
    scene.begin();
    scene.tell(Input::JournalFailed);
    let request = scene.request();
    let out = scene.tell(Input::Leave { request, patience: Duration::from_secs(10) });
    assert_eq!(out.left, Some(Left { unfinished: 1, in_order: false }));
}

#[test]
fn the_home_of_a_key_hears_that_another_shard_cannot_begin() {
    let mut scene = Scene::with(|options| options.shards = 2);
    let id = scene.id();
    let idempotency = Some(Box::new(Idempotency { key: "k".into(), workflow: "order".into() }));
    let activate = Box::new(Activate { id: Some(id), idempotency, ..activation(None) });
    let message = ToShard::Begin { claim: ClaimNo(1), activate };
    let read = scene.tell(Input::Shard { from: ShardNo(1), message }).reads[0].number;
    scene.tell(Input::StatusLooked { read, status: Ok(None) });
    let out = scene.tell(Input::JournalFailed);
    let [(ShardNo(1), ToShard::Answered { result: Err(NotActivated::JournalFailed), .. })] = out.shards[..] else {
        panic!("{out:?}")
    };
}

#[test]
fn what_is_read_after_the_failure_goes_to_no_actor() {
    let mut scene = Scene::new();
    let (_, begin) = scene.begin();
    let panicked = Panicked { slot: begin.slot, begin: None, messages: vec![], cancels: vec![], told: 0 };
    scene.tell(Input::Panicked(Box::new(panicked)));
    let out = scene.tell(Input::JournalFailed);
    let out = scene.restored(&out.reads[0], Ok(Some(restored(begin.execution))));
    assert!(out.actors.is_empty());
    let message = scene.query();
    assert_eq!(scene.ask(begin.execution, message).queries[0].at, QueryTarget::Parked(begin.slot));
}
