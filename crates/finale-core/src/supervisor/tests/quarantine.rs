//! What can be said to a quarantined execution.

use super::*;

/// An execution that was quarantined because it panicked over `bad`.
fn quarantined(scene: &mut Scene) -> Begin {
    let (_, begin) = scene.begin();
    for _ in 0..3 {
        scene.die(&begin, vec![report(None, "bad")]);
    }
    assert_eq!(scene.supervisor.health().quarantined, 1);
    begin
}

fn lifted(execution: ExecutionId, number: Option<WriteNo>) -> Write {
    Write { number, what: WriteWhat::Quarantine(execution, None) }
}

#[test]
fn what_is_told_to_it_waits_and_queries_show_it_as_it_is() {
    let mut scene = Scene::new();
    let begin = quarantined(&mut scene);
    for text in ["one", "two"] {
        let message = scene.report(text);
        assert!(scene.ask(begin.execution, message).actors.is_empty());
    }
    let message = scene.query();
    let out = scene.ask(begin.execution, message);
    let reason = "its state machine panicked again and again".into();
    assert_eq!(out.queries[0].at, QueryTarget::Quarantined(begin.slot, reason));
    // As many as allowed wait, `bad` among them.
    let message = scene.report("one too many");
    let out = scene.ask(begin.execution, message);
    assert_eq!(out.replies[0].answer, Answer::NotDone(NotDone::Saturated));
}

#[test]
fn a_release_lets_it_go_on_and_is_answered_when_it_is_durable() {
    let mut scene = Scene::new();
    let begin = quarantined(&mut scene);
    let message = scene.report("one");
    scene.ask(begin.execution, message);
    let (request, out) = scene.release(begin.execution);
    assert_eq!(told(&out), ["0: resume[bad one reconcile]"]);
    assert_eq!(out.writes, [lifted(begin.execution, Some(WriteNo(1)))]);
    assert!(out.replies.is_empty());
    let out = scene.tell(Input::Written(WriteNo(1)));
    assert_eq!(out.replies, [Reply { request, answer: Answer::Done }]);
    assert_eq!(scene.supervisor.health().quarantined, 0);
    // It may panic as often as before.
    for _ in 0..2 {
        assert!(!scene.die(&begin, vec![]).actors.is_empty());
    }
    scene.die(&begin, vec![]);
    assert_eq!(scene.supervisor.health().quarantined, 1);
}

#[test]
fn only_what_is_quarantined_can_be_released() {
    let mut scene = Scene::new();
    let begin = scene.begin_parked();
    let (request, out) = scene.release(begin.execution);
    assert_eq!(out.replies, [Reply { request, answer: Answer::NotDone(NotDone::NotQuarantined) }]);
}

#[test]
fn a_command_is_told_to_it_alone_and_if_it_is_carried_out_the_execution_goes_on() {
    let mut scene = Scene::new();
    let begin = quarantined(&mut scene);
    let message = scene.cancel();
    let out = scene.ask(begin.execution, message);
    assert_eq!(told(&out), ["0: command[command]"]);
    assert!(out.writes.is_empty(), "nothing is lifted before it was carried out");
    // What comes in meanwhile waits.
    let message = scene.report("meanwhile");
    assert!(scene.ask(begin.execution, message).actors.is_empty());

    let out = scene.tell(Input::CommandApplied { slot: begin.slot, accepted: true });
    assert_eq!(told(&out), ["0: bad", "0: meanwhile", "0: reconcile"]);
    assert_eq!(out.writes, [lifted(begin.execution, None)]);
    assert_eq!(scene.supervisor.health().quarantined, 0);
    let message = scene.report("later");
    assert_eq!(told(&scene.ask(begin.execution, message)), ["0: later"]);
}

#[test]
fn a_command_that_is_refused_changes_nothing() {
    let mut scene = Scene::new();
    let begin = quarantined(&mut scene);
    let message = scene.cancel();
    scene.ask(begin.execution, message);
    let message = scene.query();
    assert!(scene.ask(begin.execution, message).queries.is_empty());
    assert!(scene.tell(Input::CommandApplied { slot: begin.slot, accepted: false }).writes.is_empty());
    let out = scene.detach(&begin, 0);
    assert_eq!(scene.supervisor.health().quarantined, 1);
    assert!(out.actors.is_empty() && out.writes.is_empty());
    assert_eq!(out.queries.len(), 1, "who waited to look at it sees it");
}

#[test]
fn a_command_over_which_it_panics_is_answered_and_it_stays_where_it_is() {
    let mut scene = Scene::new();
    let begin = quarantined(&mut scene);
    let message = scene.cancel();
    let request = message.request.unwrap();
    scene.ask(begin.execution, message.clone());
    let panicked = Panicked { slot: begin.slot, begin: None, messages: vec![message], cancels: vec![], told: 0 };
    let out = scene.tell(Input::Panicked(Box::new(panicked)));
    assert_eq!(out.replies, [Reply { request, answer: Answer::NotDone(NotDone::Panicked) }]);
    let out = scene.restored(&out.reads[0], Ok(Some(restored(begin.execution))));
    assert!(out.actors.is_empty());
    assert_eq!(scene.supervisor.health().quarantined, 1);
    let (_, out) = scene.release(begin.execution);
    assert_eq!(told(&out), ["0: resume[bad reconcile]"]);
}

#[test]
fn operators_are_heard_in_their_order() {
    let mut scene = Scene::with(|options| options.active_executions_max = 1);
    let begin = quarantined(&mut scene);
    let (_, busy) = scene.begin();
    let message = scene.cancel();
    scene.ask(begin.execution, message);
    let (request, out) = scene.release(begin.execution);
    assert!(out.replies.is_empty() && out.writes.is_empty(), "it waits behind the command");
    assert_eq!(told(&scene.end(&busy)), ["0: command[command]"]);
    let out = scene.tell(Input::CommandApplied { slot: begin.slot, accepted: true });
    assert_eq!(out.replies, [Reply { request, answer: Answer::NotDone(NotDone::NotQuarantined) }]);
}

#[test]
fn an_end_by_an_operator_answers_everything_that_waited() {
    let mut scene = Scene::new();
    let begin = quarantined(&mut scene);
    let message = scene.cancel();
    scene.ask(begin.execution, message);
    let message = scene.report("never told");
    let request = message.request.unwrap();
    scene.ask(begin.execution, message);
    let out = scene.end(&begin);
    assert_eq!(out.replies.len(), 1);
    assert_eq!(out.replies[0].request, request);
    assert_eq!((out.published.len(), scene.supervisor.health()), (1, Health::default()));
}
