//! The end of a shard.

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

impl Scene {
    fn leave(&mut self) -> Outbox {
        let request = self.request();
        self.tell(Input::Leave { request, patience: PATIENCE })
    }
}

#[test]
fn a_closed_shard_refuses_what_has_not_begun_and_goes_on_with_the_rest() {
    let mut scene = Scene::with(|options| options.active_executions_max = 1);
    let old = scene.begin_parked();
    let (_, busy) = scene.begin();
    let activate = scene.activation();
    scene.tell(Input::Activate(activate));
    let closed = Answer::NotActivated(NotActivated::Closed);
    let before = scene.permits;
    assert_eq!(answers(&scene.tell(Input::Close)), [(3, closed.clone())]);
    assert_eq!(scene.tell(Input::Close).replies, [], "once");
    assert!(scene.permits >= before);
    let activate = scene.activation();
    assert_eq!(answers(&scene.tell(Input::Activate(activate))), [(4, closed)]);
    let message = scene.report("one");
    scene.ask(old.execution, message);
    assert_eq!(told(&scene.end(&busy)), ["0: resume[one]"]);
}

#[test]
fn what_was_being_looked_for_is_refused_when_it_is_found() {
    let mut scene = Scene::new();
    let activate = Activate { id: Some(scene.id()), ..scene.activation() };
    let read = scene.tell(Input::Activate(activate)).reads[0].number;
    let idempotency = Idempotency { key: "k".into(), workflow: "order".into() };
    let activate = Activate { idempotency: Some(Box::new(idempotency)), ..scene.activation() };
    let key = scene.tell(Input::Activate(activate)).reads[0].number;
    assert!(scene.tell(Input::Close).replies.is_empty());
    let closed = Answer::NotActivated(NotActivated::Closed);
    let out = scene.tell(Input::StatusLooked { read, status: Ok(None) });
    assert_eq!(answers(&out), [(1, closed.clone())]);
    let out = scene.tell(Input::KeyLooked { read: key, owner: Ok(None) });
    assert_eq!(answers(&out), [(2, closed)]);
}

#[test]
fn a_quiet_shard_leaves_at_once_and_says_what_has_not_ended() {
    let mut scene = Scene::new();
    scene.begin_parked();
    let out = scene.leave();
    let left = Left { unfinished: 1, in_order: true };
    assert_eq!((out.left, answers(&out)), (Some(left), vec![(2, Answer::Left(left))]));
    // Whoever comes later hears the same.
    let out = scene.leave();
    assert_eq!((out.left, answers(&out)), (None, vec![(3, Answer::Left(left))]));
}

#[test]
fn all_join_one_end_which_waits_for_what_is_at_work() {
    let mut scene = Scene::new();
    let (_, begin) = scene.begin();
    assert_eq!(scene.leave().left, None);
    scene.advance(PATIENCE / 2);
    // A second one neither puts the end off nor brings it on.
    let request = scene.request();
    assert_eq!(scene.tell(Input::Leave { request, patience: Duration::ZERO }).left, None);
    let out = scene.end(&begin);
    let left = Left { unfinished: 0, in_order: true };
    assert_eq!(out.left, Some(left));
    assert_eq!(answers(&out), [(2, Answer::Left(left)), (3, Answer::Left(left))]);
}

#[test]
fn its_patience_has_an_end() {
    let mut scene = Scene::new();
    scene.begin();
    scene.leave();
    assert_eq!(scene.wake_after(PATIENCE - Duration::from_micros(1)).left, None);
    let out = scene.wake_after(Duration::from_micros(1));
    assert_eq!(out.left, Some(Left { unfinished: 1, in_order: true }));
    assert_eq!(scene.supervisor.wake_at().filter(|due| *due <= scene.now), None);
}

#[test]
fn an_endless_patience_overflows_nowhere() {
    let mut scene = Scene::new();
    let (_, begin) = scene.begin();
    let request = scene.request();
    assert_eq!(scene.tell(Input::Leave { request, patience: Duration::MAX }).left, None);
    assert!(scene.supervisor.wake_at().is_some());
    assert!(scene.end(&begin).left.is_some());
}

#[test]
fn a_release_that_is_being_written_is_waited_for() {
    let mut scene = Scene::new();
    let (_, begin) = scene.begin();
    for _ in 0..3 {
        scene.die(&begin, vec![]);
    }
    scene.release(begin.execution);
    scene.end(&begin);
    assert_eq!(scene.leave().left, None);
    let out = scene.tell(Input::Written(WriteNo(1)));
    assert_eq!(answers(&out)[0].1, Answer::Done);
    assert!(out.left.is_some());
}

#[test]
fn nobody_is_left_waiting_at_the_end() {
    let mut scene = Scene::with(|options| options.active_executions_max = 1);
    let parked = scene.begin_parked();
    scene.begin();
    let message = scene.report("never told");
    let request = message.request.unwrap();
    scene.ask(parked.execution, message);
    let absent = scene.report("never looked for");
    let absent_request = absent.request.unwrap();
    let id = scene.id();
    scene.ask(id, absent);
    scene.leave();
    let out = scene.wake_after(PATIENCE);
    let closed = Answer::NotDone(NotDone::Closed);
    for request in [request, absent_request] {
        assert!(out.replies.contains(&Reply { request, answer: closed.clone() }), "{out:?}");
    }
    // And nothing is taken in any more.
    let message = scene.query();
    assert_eq!(scene.ask(parked.execution, message).replies[0].answer, closed);
}
