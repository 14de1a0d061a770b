//! Executions that only wait are plain values.

use super::*;

#[test]
fn the_task_engine_hears_where_an_execution_is_before_its_actor_has_it() {
    let mut scene = Scene::new();
    let (_, begin) = scene.begin();
    let slot = begin.slot;
    let out = scene.detach(&begin, 0);
    assert_eq!(out.engine, [ToEngine::Moved { slot, callback: Callback::Supervisor }]);
    assert_eq!(scene.supervisor.parked(slot).map(|hosted| hosted.state.id()), Some(begin.execution));
    assert_eq!(scene.supervisor.wake_at(), None, "there is nothing to look at");

    let out = scene.tell(Input::Delivered { slot, message: report(None, "done") });
    assert_eq!(out.engine, [ToEngine::Moved { slot, callback: Callback::Actor(ActorNo(0)) }]);
    assert_eq!(told(&out), ["0: resume[done]"]);
    assert!(scene.supervisor.parked(slot).is_none());
}

#[test]
fn a_query_is_answered_from_the_plain_value() {
    let mut scene = Scene::new();
    let begin = scene.begin_parked();
    let message = scene.query();
    let request = message.request.unwrap();
    let out = scene.ask(begin.execution, message);
    assert_eq!(out.queries, [Query { request, execution: begin.execution, at: QueryTarget::Parked(begin.slot) }]);
    assert!(out.actors.is_empty());
}

#[test]
fn a_query_does_not_overtake_what_was_told_before_it() {
    let mut scene = Scene::with(|options| options.active_executions_max = 1);
    let begin = scene.begin_parked();
    let (_, other) = scene.begin();
    let message = scene.report("one");
    scene.ask(begin.execution, message);
    let message = scene.query();
    assert!(scene.ask(begin.execution, message).queries.is_empty());
    assert_eq!(told(&scene.end(&other)), ["0: resume[one query]"]);
}

#[test]
fn those_who_wait_for_a_cancellation_go_with_the_value() {
    let mut scene = Scene::new();
    let (_, begin) = scene.begin();
    let mut value = hosted(begin.slot, begin.execution, 0);
    value.cancels.push(RequestId(70));
    scene.tell(Input::Detached(Box::new(value)));
    let out = scene.tell(Input::Delivered { slot: begin.slot, message: report(None, "done") });
    let [ToActor::Resume(resume)] = &to_actors(&out)[..] else { panic!("{out:?}") };
    assert_eq!(resume.hosted.cancels, [RequestId(70)]);
}

#[test]
fn all_that_came_while_no_actor_was_free_is_told_in_its_order() {
    let mut scene = Scene::with(|options| options.active_executions_max = 1);
    let first = scene.begin_parked();
    let second = scene.begin_parked();
    let (_, busy) = scene.begin();
    for (begin, text) in [(&second, "a"), (&first, "b"), (&second, "c")] {
        let message = scene.report(text);
        assert!(scene.ask(begin.execution, message).actors.is_empty());
    }
    assert_eq!(told(&scene.end(&busy)), ["0: resume[a c]"]);
    assert_eq!(told(&scene.end(&second)), ["0: resume[b]"]);
}

#[test]
fn a_value_that_nobody_expects_changes_nothing() {
    let mut scene = Scene::new();
    let begin = scene.begin_parked();
    let out = scene.detach(&begin, 0);
    assert!(out.engine.is_empty() && out.actors.is_empty());
    assert_eq!(scene.supervisor.health().active, 0);
}
