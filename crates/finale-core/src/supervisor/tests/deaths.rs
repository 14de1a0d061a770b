//! State machines that panic.

use super::*;

#[test]
fn the_history_is_folded_again_and_what_was_in_hand_comes_first() {
    let mut scene = Scene::new();
    let (_, begin) = scene.begin();
    let panicked = Panicked {
        slot: begin.slot,
        begin: None,
        messages: vec![report(None, "in hand"), report(None, "behind")],
        cancels: vec![RequestId(50)],
        told: 0,
    };
    let out = scene.tell(Input::Panicked(Box::new(panicked)));
    assert_eq!(out.notices, [Notice::Died(begin.execution)]);
    assert_eq!(out.engine, [ToEngine::Moved { slot: begin.slot, callback: Callback::Supervisor }]);
    assert_eq!(histories(&out), [begin.execution]);
    let message = scene.report("later");
    scene.ask(begin.execution, message);
    let out = scene.restored(&out.reads[0], Ok(Some(restored(begin.execution))));
    assert_eq!(told(&out), ["0: resume[in hand behind later reconcile]"]);
    let [ToActor::Resume(resume)] = &to_actors(&out)[..] else { panic!("{out:?}") };
    assert_eq!(resume.hosted.cancels, [RequestId(50)]);
}

#[test]
fn another_execution_takes_the_actor_meanwhile() {
    let mut scene = Scene::with(|options| options.active_executions_max = 1);
    let (_, begin) = scene.begin();
    let activate = scene.activation();
    scene.tell(Input::Activate(activate));
    let panicked = Panicked { slot: begin.slot, begin: None, messages: vec![], cancels: vec![], told: 0 };
    assert_eq!(told(&scene.tell(Input::Panicked(Box::new(panicked)))), ["0: begin"]);
}

#[test]
fn too_many_panics_within_the_window_quarantine_it() {
    let mut scene = Scene::new();
    let (_, begin) = scene.begin();
    for _ in 0..2 {
        assert_eq!(told(&scene.die(&begin, vec![report(None, "bad")])), ["0: resume[bad reconcile]"]);
        scene.advance(Duration::from_secs(20));
    }
    let out = scene.die(&begin, vec![report(None, "bad")]);
    assert!(out.actors.is_empty());
    let reason: Box<str> = "its state machine panicked again and again".into();
    assert_eq!(out.notices, [Notice::Quarantined(begin.execution, reason.clone())]);
    let quarantine = Some(Quarantine { reason, until_released: true });
    assert_eq!(out.writes, [Write { number: None, what: WriteWhat::Quarantine(begin.execution, quarantine) }]);
    assert_eq!(scene.supervisor.health().quarantined, 1);
    assert!(scene.supervisor.parked(begin.slot).is_some(), "it can be looked at");
}

#[test]
fn panics_that_are_far_between_are_survived() {
    let mut scene = Scene::new();
    let (_, begin) = scene.begin();
    for _ in 0..20 {
        assert_eq!(told(&scene.die(&begin, vec![])), ["0: resume[reconcile]"]);
        scene.advance(Duration::from_secs(31));
    }
}

#[test]
fn an_execution_of_which_nothing_is_recorded_begins_once_more() {
    let mut scene = Scene::with(|options| options.unused_permits_max = 0);
    let (_, begin) = scene.begin();
    let id = begin.execution;
    let panic = |begin: &Begin, told| {
        let again = Some(Box::new(begin.clone()));
        let panicked = Panicked { slot: begin.slot, begin: again, messages: vec![], cancels: vec![], told };
        Input::Panicked(Box::new(panicked))
    };
    for told_before in 0..2 {
        let read = scene.tell(panic(&begin, told_before)).reads.remove(0);
        let message = scene.report("later");
        scene.ask(id, message);
        let out = scene.restored(&read, Ok(None));
        let [ToActor::Begin(again), ..] = &to_actors(&out)[..] else { panic!("{out:?}") };
        assert_eq!(**again, begin);
        assert_eq!(told(&out)[1], "0: later");
    }
    // Again and again: whoever wants it hears that, and whoever said something to it.
    let message = scene.report("later");
    let request = message.request.unwrap();
    let read = scene.tell(panic(&begin, 1)).reads.remove(0);
    scene.ask(id, message);
    let out = scene.restored(&read, Ok(None));
    let refused = NotActivated::NotBegun("its state machine panicked again and again".into());
    assert_eq!(out.replies[0], Reply { request: RequestId(1), answer: Answer::NotActivated(refused) });
    assert_eq!(out.replies[1], Reply { request, answer: Answer::NotDone(NotDone::NotFound) });
    assert_eq!(scene.supervisor.health(), Health::default());
    assert_eq!(scene.permits, 1_000, "its permit is free again");
}

#[test]
fn an_execution_that_was_recorded_at_its_panic_after_all_has_begun() {
    let mut scene = Scene::new();
    let (_, begin) = scene.begin();
    let again = Some(Box::new(begin.clone()));
    let panicked = Panicked { slot: begin.slot, begin: again, messages: vec![], cancels: vec![], told: 0 };
    let read = scene.tell(Input::Panicked(Box::new(panicked))).reads.remove(0);
    let out = scene.restored(&read, Ok(Some(restored(begin.execution))));
    assert_eq!(answers(&out), [(1, Answer::Began(begin.execution))]);
    assert_eq!(told(&out), ["0: resume[reconcile]"]);
}

#[test]
fn an_execution_that_had_ended_at_its_panic_is_acknowledged_all_the_same() {
    let mut scene = Scene::new();
    let (_, begin) = scene.begin();
    let again = Some(Box::new(begin.clone()));
    let panicked = Panicked { slot: begin.slot, begin: again, messages: vec![], cancels: vec![], told: 0 };
    let read = scene.tell(Input::Panicked(Box::new(panicked))).reads.remove(0);
    let ended = Restored { outcome: Some(outcome(scene.now)), ..restored(begin.execution) };
    let out = scene.restored(&read, Ok(Some(ended)));
    assert_eq!(answers(&out), [(1, Answer::Began(begin.execution))]);
    assert_eq!(out.published.len(), 1);
}

#[test]
fn an_execution_that_had_not_begun_and_could_not_be_read_begins_when_it_is_released() {
    let mut scene = Scene::new();
    let (_, begin) = scene.begin();
    let again = Some(Box::new(begin.clone()));
    let panicked = Panicked { slot: begin.slot, begin: again, messages: vec![], cancels: vec![], told: 0 };
    let read = scene.tell(Input::Panicked(Box::new(panicked))).reads.remove(0);
    scene.restored(&read, Err("it cannot be read now".into()));
    assert_eq!(scene.supervisor.health().quarantined, 1);
    let (request, out) = scene.release(begin.execution);
    let out = scene.restored(&out.reads[0], Ok(None));
    assert_eq!(told(&out), ["0: begin", "0: reconcile"]);
    assert_eq!(scene.supervisor.health().quarantined, 0);
    let out = scene.tell(Input::Written(out.writes[0].number.unwrap()));
    assert_eq!(answers(&out), [(request.0, Answer::Done)]);
}

#[test]
fn an_execution_that_is_lost_before_anything_is_recorded_has_not_begun() {
    let mut scene = Scene::new();
    let (actor, _) = scene.begin();
    let out = scene.tell(Input::ActorGone(actor));
    let out = scene.restored(&out.reads[0], Ok(None));
    assert!(matches!(out.notices[..], [Notice::NotBegun(..)]));
    assert_eq!(scene.supervisor.health(), Health::default());
}

#[test]
fn a_history_that_cannot_be_folded_quarantines_it_and_it_can_be_looked_at_no_more() {
    let mut scene = Scene::new();
    let (_, begin) = scene.begin();
    let panicked = Panicked { slot: begin.slot, begin: None, messages: vec![], cancels: vec![], told: 0 };
    let read = scene.tell(Input::Panicked(Box::new(panicked))).reads.remove(0);
    let waits = scene.query();
    let request = waits.request.unwrap();
    scene.ask(begin.execution, waits);
    let out = scene.restored(&read, Err("it has rotted".into()));
    let at = QueryTarget::Unreadable("it has rotted".into());
    assert_eq!(out.queries, [Query { request, execution: begin.execution, at: at.clone() }]);
    assert_eq!(out.notices, [Notice::Quarantined(begin.execution, "it has rotted".into())]);
    let message = scene.query();
    assert_eq!(scene.ask(begin.execution, message).queries[0].at, at);
    // An operator is told why not, after it was tried once more.
    let (request, out) = scene.release(begin.execution);
    let out = scene.restored(&out.reads[0], Err("it has rotted".into()));
    let answer = Answer::NotDone(NotDone::Unreadable("it has rotted".into()));
    assert_eq!(out.replies, [Reply { request, answer }]);
    // Until it can be read.
    let (_, out) = scene.release(begin.execution);
    let out = scene.restored(&out.reads[0], Ok(Some(restored(begin.execution))));
    assert_eq!(told(&out), ["0: resume[reconcile]"]);
}

#[test]
fn a_panic_that_nobody_expects_changes_nothing() {
    let mut scene = Scene::new();
    let begin = scene.begin_parked();
    let panicked = Panicked { slot: begin.slot, begin: None, messages: vec![], cancels: vec![], told: 0 };
    let out = scene.tell(Input::Panicked(Box::new(panicked)));
    assert!(out.reads.is_empty() && out.notices.is_empty());
}
