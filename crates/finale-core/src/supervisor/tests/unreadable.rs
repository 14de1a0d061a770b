//! Executions that were found and cannot be read.

use super::*;
use crate::ExecutionStatus;
use crate::record::DecidedBy;

fn unreadable(scene: &mut Scene) -> ExecutionId {
    let execution = scene.id();
    let out = scene.recover(vec![found(execution)]);
    let out = scene.restored(&out.reads[0], Err("it has rotted".into()));
    let quarantine = Some(Quarantine { reason: "it has rotted".into(), until_released: false });
    assert_eq!(out.writes, [Write { number: None, what: WriteWhat::Quarantine(execution, quarantine) }]);
    let Health { open, quarantined, unreadable, recovering, .. } = scene.supervisor.health();
    assert_eq!((open, quarantined, unreadable, recovering), (1, 1, 1, 0));
    execution
}

fn fail(request: RequestId, reason: &str) -> Message {
    let command = Command::Fail { by: "Ann".into(), reason: reason.into() };
    Message { request: Some(request), body: Body::Input(execution::Input::Command(command)) }
}

#[test]
fn it_can_be_seen_that_it_is_there_and_why_it_cannot_be_read() {
    let mut scene = Scene::unstarted(|_| {});
    let execution = unreadable(&mut scene);
    let message = scene.query();
    let out = scene.ask(execution, message);
    assert_eq!(out.queries[0].at, QueryTarget::Unreadable("it has rotted".into()));
    for message in [scene.report("one"), scene.cancel(), fail(RequestId(9), " ")] {
        let out = scene.ask(execution, message);
        assert_eq!(out.replies[0].answer, Answer::NotDone(NotDone::Unreadable("it has rotted".into())));
    }
    let activate = Activate { id: Some(execution), ..scene.activation() };
    let out = scene.tell(Input::Activate(activate));
    assert_eq!(out.replies[0].answer, Answer::NotActivated(NotActivated::IdConflict(execution)));
}

#[test]
fn it_can_be_written_off_and_then_it_has_failed() {
    let mut scene = Scene::unstarted(|_| {});
    let execution = unreadable(&mut scene);
    let out = scene.ask(execution, fail(RequestId(9), "nothing to be saved"));
    let at = scene.now;
    let what = WriteWhat::WriteOff { execution, at, error: "nothing to be saved".into(), to_tell: false };
    assert_eq!(out.writes, [Write { number: Some(WriteNo(1)), what }]);
    let out = scene.ask(execution, fail(RequestId(10), "twice"));
    assert_eq!(out.replies.len(), 1, "once is enough");
    scene.advance(Duration::from_secs(1));
    let out = scene.tell(Input::Written(WriteNo(1)));
    let [Published { outcome, definition: None, .. }] = &out.published[..] else { panic!("{out:?}") };
    assert_eq!((outcome.status(), outcome.completed_at), (ExecutionStatus::Failed, at));
    assert_eq!(outcome.decided_by, DecidedBy::Operator { by: "Ann".into() });
    assert_eq!(outcome.error().map(|error| error.message()), Some("nothing to be saved"));
    assert_eq!(answers(&out), [(9, Answer::Done)]);
    assert_eq!(scene.supervisor.health(), Health::default());
}

#[test]
fn it_goes_on_when_it_is_released_and_can_be_read() {
    let mut scene = Scene::unstarted(|_| {});
    let execution = unreadable(&mut scene);
    let (first, out) = scene.release(execution);
    let (second, again) = scene.release(execution);
    assert!(again.reads.is_empty(), "it is being read");
    let answer = Answer::NotDone(NotDone::Unreadable("still rotten".into()));
    let out = scene.restored(&out.reads[0], Err("still rotten".into()));
    assert_eq!(out.replies, [first, second].map(|request| Reply { request, answer: answer.clone() }));

    let (request, out) = scene.release(execution);
    let out = scene.restored(&out.reads[0], Ok(Some(restored(execution))));
    assert_eq!(told(&out), ["0: resume[recovered(true) reconcile]"]);
    let lifted = out.writes.iter().find(|write| write.number.is_some()).unwrap();
    assert_eq!(lifted.what, WriteWhat::Quarantine(execution, None));
    let out = scene.tell(Input::Written(lifted.number.unwrap()));
    assert_eq!(out.replies, [Reply { request, answer: Answer::Done }]);
    assert_eq!(scene.supervisor.health().quarantined, 0);
}

#[test]
fn it_stays_quarantined_when_it_can_be_read_and_lacks_a_handler() {
    let mut scene = Scene::unstarted(|_| {});
    let execution = unreadable(&mut scene);
    let (request, out) = scene.release(execution);
    let lacking = Restored { missing_handler: Some("pack".into()), ..restored(execution) };
    let out = scene.restored(&out.reads[0], Ok(Some(lacking)));
    assert_eq!(out.replies, [Reply { request, answer: Answer::NotDone(NotDone::HandlerMissing("pack".into())) }]);
    let Health { quarantined, unreadable, .. } = scene.supervisor.health();
    assert_eq!((quarantined, unreadable), (1, 0));
    let last = out.writes.last().map(|write| &write.what);
    assert!(matches!(last, Some(WriteWhat::Quarantine(_, Some(_)))), "its mark stays: {:?}", out.writes);
}
