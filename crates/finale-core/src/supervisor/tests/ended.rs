//! The terminal transition.

use super::*;
use crate::ExecutionStatus;

#[test]
fn the_end_is_published_once_with_who_cancelled() {
    let mut scene = Scene::new();
    let (_, begin) = scene.begin();
    let end = Ended { cancels: vec![RequestId(40)], ..ended(begin.slot, scene.now) };
    let out = scene.tell(Input::Ended(end.clone()));
    let [Published { execution, definition, outcome, cancels, .. }] = &out.published[..] else { panic!("{out:?}") };
    assert_eq!((*execution, *definition), (begin.execution, Some(DefinitionNo(5))));
    assert_eq!((outcome, &cancels[..]), (&end.outcome, &[RequestId(40)][..]));
    let status = ExecutionStatus::Completed;
    assert_eq!(out.engine, [ToEngine::Deregister { slot: begin.slot, status }]);
    assert_eq!(scene.supervisor.health(), Health::default());

    let out = scene.tell(Input::Ended(end));
    assert!(out.published.is_empty() && out.engine.is_empty(), "a second one changes nothing");
}

#[test]
fn nothing_is_kept_of_an_execution_that_has_ended() {
    let mut scene = Scene::new();
    for _ in 0..100 {
        let (_, begin) = scene.begin();
        scene.end(&begin);
        assert_eq!(begin.slot.index(), 0);
    }
    assert_eq!(scene.supervisor.slots.all(), []);
}

#[test]
fn an_end_from_before_the_slot_was_given_again_changes_nothing() {
    let mut scene = Scene::new();
    let (_, first) = scene.begin();
    scene.end(&first);
    let (_, second) = scene.begin();
    let out = scene.end(&first);
    assert!(out.published.is_empty());
    assert_eq!(scene.end(&second).published.len(), 1);
}
