//! Messages find their executions, in their order, and whoever waits is answered.

use super::*;
use crate::ExecutionStatus;
use crate::execution::{self, Refused};
use crate::id::{AttemptNo, Dispatch, Epoch};

#[test]
fn a_message_goes_to_the_actor_that_has_its_execution() {
    let mut scene = Scene::new();
    let (actor, begin) = scene.begin();
    let message = scene.report("one");
    let out = scene.ask(begin.execution, message);
    let [(to, ToActor::Tell(tell))] = &out.actors[..] else { panic!("{out:?}") };
    assert_eq!((*to, tell.slot, tell.execution), (actor, begin.slot, begin.execution));
    assert!(out.engine.is_empty() && out.replies.is_empty());
}

#[test]
fn messages_that_cross_a_detachment_keep_their_order() {
    let mut scene = Scene::new();
    let (actor, begin) = scene.begin();
    let mut tells = Vec::new();
    for text in ["one", "two"] {
        let message = scene.report(text);
        let mut out = scene.ask(begin.execution, message);
        let Some((_, ToActor::Tell(tell))) = out.actors.pop() else { panic!("{out:?}") };
        tells.push(tell);
    }
    // The actor gave the execution back before it got them: it got none of the two.
    assert!(scene.detach(&begin, 0).actors.is_empty(), "it waits for what is on its way back");
    let message = scene.report("three");
    assert!(scene.ask(begin.execution, message).actors.is_empty());
    let second = tells.pop().unwrap();
    let first = tells.pop().unwrap();
    assert!(scene.tell(Input::Forwarded { from: actor, tell: first }).actors.is_empty());
    let out = scene.tell(Input::Forwarded { from: actor, tell: second });
    assert_eq!(told(&out), ["0: resume[one two three]"]);
}

#[test]
fn what_was_in_hand_at_a_panic_comes_before_what_is_on_its_way_back() {
    let mut scene = Scene::new();
    let (actor, begin) = scene.begin();
    let message = scene.report("in hand");
    scene.ask(begin.execution, message.clone());
    let late = scene.report("on its way");
    let mut out = scene.ask(begin.execution, late);
    let Some((_, ToActor::Tell(late))) = out.actors.pop() else { panic!("{out:?}") };
    let panicked = Panicked { slot: begin.slot, begin: None, messages: vec![message], cancels: vec![], told: 1 };
    let read = scene.tell(Input::Panicked(Box::new(panicked))).reads.remove(0);
    assert!(scene.restored(&read, Ok(Some(restored(begin.execution)))).actors.is_empty());
    let out = scene.tell(Input::Forwarded { from: actor, tell: late });
    assert_eq!(told(&out), ["0: resume[in hand on its way reconcile]"]);
}

#[test]
fn of_custom_statuses_that_follow_each_other_only_the_last_one_is_kept() {
    let mut scene = Scene::new();
    let (_, begin) = scene.begin();
    let panicked = Panicked { slot: begin.slot, begin: None, messages: vec![], cancels: vec![], told: 0 };
    let read = scene.tell(Input::Panicked(Box::new(panicked))).reads.remove(0);
    let status = |text: &str| {
        let dispatch = Dispatch { key: WorkKey::default(), attempt: AttemptNo::FIRST, epoch: Epoch(0) };
        let input = execution::Input::CustomStatus { dispatch, set_at: Time::default(), text: text.into() };
        Input::Delivered { slot: begin.slot, message: Message::tell(input) }
    };
    for text in ["one", "two"] {
        assert!(scene.tell(status(text)).actors.is_empty());
    }
    let message = scene.report("outcome");
    scene.tell(Input::Delivered { slot: begin.slot, message });
    for text in ["two", "three"] {
        scene.tell(status(text));
    }
    let out = scene.restored(&read, Ok(Some(restored(begin.execution))));
    assert_eq!(told(&out), ["0: resume[status(two) outcome status(three) reconcile]"]);
}

#[test]
fn what_comes_too_late_for_its_actor_is_answered_by_the_end() {
    let mut scene = Scene::new();
    let (actor, begin) = scene.begin();
    let message = scene.report("late");
    let mut out = scene.ask(begin.execution, message);
    let Some((_, ToActor::Tell(tell))) = out.actors.pop() else { panic!("{out:?}") };
    scene.end(&begin);
    let out = scene.tell(Input::Forwarded { from: actor, tell });
    let [Read { number, what: ReadWhat::Status(execution) }] = out.reads[..] else { panic!("{out:?}") };
    assert_eq!(execution, begin.execution);
    let out = scene.tell(Input::StatusLooked { read: number, status: Ok(Some(ExecutionStatus::Completed)) });
    let refused = NotDone::Refused(Refused::AlreadyTerminal(ExecutionStatus::Completed));
    assert_eq!(answers(&out), [(2, Answer::NotDone(refused))]);
}

#[test]
fn a_late_report_is_noted_and_only_the_newest_are_kept() {
    let mut scene = Scene::new();
    let execution = scene.id();
    for _ in 0..3 {
        let message = scene.report("late");
        let read = scene.ask(execution, message).reads[0].number;
        let out = scene.tell(Input::StatusLooked { read, status: Ok(Some(ExecutionStatus::Failed)) });
        let newest = scene.supervisor.late_events(execution).last().cloned();
        assert_eq!(out.notices, newest.map(Notice::LateReport).as_slice());
    }
    let events: Vec<_> = scene.supervisor.late_events(execution).collect();
    assert_eq!(events.len(), 2);
    assert_eq!((events[0].what, &*events[0].reason), (LateKind::Report, "the execution is over already: failed"));
    let other = LateEvent { execution: scene.id(), at: scene.now, what: LateKind::Outcome, reason: "stale".into() };
    scene.tell(Input::NoteLate(other.clone()));
    assert_eq!(scene.supervisor.late_events(execution).count(), 1);
    assert_eq!(scene.supervisor.late_events(other.execution).collect::<Vec<_>>(), [&other]);
}

#[test]
fn everything_asked_of_what_is_not_open_is_answered_in_its_kind() {
    let mut scene = Scene::new();
    let execution = scene.id();
    let status = ExecutionStatus::Failed;
    let terminal = NotDone::Refused(Refused::AlreadyTerminal(status));
    let not_running = NotDone::Refused(Refused::NotRunning(status));
    let complete = Command::Complete { by: "somebody".into() };
    let complete = Message { request: Some(RequestId(90)), body: Body::Input(execution::Input::Command(complete)) };
    let release = Question::Release(Some(RequestId(91)));
    let report = Question::Tell(report(Some(RequestId(92)), "late"));
    let cancel = Question::Tell(scene.cancel());
    let questions =
        [(Question::Tell(complete), &not_running), (release, &not_running), (report, &terminal), (cancel, &terminal)];
    for (what, answer) in questions {
        let read = scene.tell(Input::Ask(Ask { execution, what: what.clone() })).reads[0].number;
        let out = scene.tell(Input::StatusLooked { read, status: Ok(Some(status)) });
        assert_eq!(out.replies[0].answer, Answer::NotDone(answer.clone()), "{what:?}");
        let read = scene.tell(Input::Ask(Ask { execution, what: what.clone() })).reads[0].number;
        let out = scene.tell(Input::StatusLooked { read, status: Ok(None) });
        assert_eq!(out.replies[0].answer, Answer::NotDone(NotDone::NotFound), "{what:?}");
        let read = scene.tell(Input::Ask(Ask { execution, what })).reads[0].number;
        let out = scene.tell(Input::StatusLooked { read, status: Err("the disk".into()) });
        assert_eq!(out.replies[0].answer, Answer::NotDone(NotDone::Unread("the disk".into())));
    }
    let message = scene.query();
    let request = message.request.unwrap();
    let out = scene.ask(execution, message);
    assert_eq!(out.queries, [Query { request, execution, at: QueryTarget::Journal }]);
}

#[test]
fn what_is_asked_while_the_journal_is_asked_waits_behind_it() {
    let mut scene = Scene::new();
    let id = scene.id();
    let message = scene.report("one");
    let status = scene.ask(id, message).reads[0].number;
    // The execution begins meanwhile.
    let activate = Activate { id: Some(id), ..scene.activation() };
    let read = scene.tell(Input::Activate(activate)).reads[0].number;
    scene.tell(Input::StatusLooked { read, status: Ok(None) });
    let message = scene.report("two");
    assert!(scene.ask(id, message).actors.is_empty());
    let out = scene.tell(Input::StatusLooked { read: status, status: Ok(None) });
    assert_eq!(told(&out), ["0: one", "0: two"]);
}

#[test]
fn a_report_that_the_task_engine_gives_back_too_late_is_answered() {
    let mut scene = Scene::new();
    let begin = scene.begin_parked();
    let message = scene.cancel();
    scene.ask(begin.execution, message);
    scene.end(&begin);
    let message = scene.report("given back");
    let request = message.request.unwrap();
    let out = scene.tell(Input::Delivered { slot: begin.slot, message });
    assert_eq!(out.replies, [Reply { request, answer: Answer::NotDone(NotDone::NotFound) }]);
}

#[test]
fn batches_of_the_task_engine_are_acknowledged() {
    let mut scene = Scene::new();
    let batch = crate::number::BatchNo(9);
    assert_eq!(scene.tell(Input::BatchDelivered(batch)).engine, [ToEngine::Taken(batch)]);
}
