//! What was lost on its way is found.

use super::*;

const INTERVAL: Duration = Duration::from_secs(5);

impl Scene {
    /// Takes the only message to an actor out of what came out.
    fn only_tell(mut out: Outbox) -> (Tell, Outbox) {
        let Some((_, ToActor::Tell(tell))) = out.actors.pop() else { panic!("{out:?}") };
        (tell, out)
    }

    /// An actor forwards a message because it does not have its execution, and the marker that is sent after it.
    fn forward_lost(&mut self, from: ActorNo, tell: Tell) -> Outbox {
        let (marker, out) = Self::only_tell(self.tell(Input::Forwarded { from, tell }));
        assert!(self.tell(Input::Forwarded { from, tell: marker }).actors.is_empty());
        out
    }
}

#[test]
fn there_is_no_tick_where_no_actor_has_anything() {
    let mut scene = Scene::new();
    assert_eq!(scene.supervisor.wake_at(), None);
    let (_, begin) = scene.begin();
    assert_eq!(scene.supervisor.wake_at(), Some(scene.now.after(INTERVAL)));
    scene.detach(&begin, 0);
    assert_eq!(scene.supervisor.wake_at(), None);
}

#[test]
fn an_actor_that_has_an_execution_for_long_is_asked_whether_it_has() {
    let mut scene = Scene::new();
    let (_, begin) = scene.begin();
    assert!(scene.wake_after(INTERVAL / 2).actors.is_empty());
    assert_eq!(told(&scene.wake_after(INTERVAL / 2)), ["0: probe"]);
    assert_eq!(scene.supervisor.wake_at(), Some(scene.now.after(INTERVAL)));
    // It has: nothing comes back, and it is asked again only after a while.
    assert!(scene.wake_after(INTERVAL / 2).actors.is_empty());
    let out = scene.detach(&begin, 1);
    assert!(out.reads.is_empty());
    assert_eq!(scene.supervisor.wake_at(), None);
}

#[test]
fn an_execution_that_its_actor_does_not_have_is_folded_again() {
    let mut scene = Scene::new();
    let (actor, begin) = scene.begin();
    let (probe, _) = Scene::only_tell(scene.wake_after(INTERVAL));
    let out = scene.forward_lost(actor, probe);
    assert_eq!(out.notices, [Notice::Lost(begin.execution)]);
    assert_eq!(histories(&out), [begin.execution]);
    let out = scene.restored(&out.reads[0], Ok(Some(restored(begin.execution))));
    assert_eq!(told(&out), ["0: resume[reconcile]"]);
}

#[test]
fn an_end_that_was_lost_is_published_all_the_same() {
    let mut scene = Scene::new();
    let (actor, begin) = scene.begin();
    let (probe, _) = Scene::only_tell(scene.wake_after(INTERVAL));
    let read = scene.forward_lost(actor, probe).reads.remove(0);
    let ended = Restored { outcome: Some(outcome(scene.now)), ..restored(begin.execution) };
    let out = scene.restored(&read, Ok(Some(ended)));
    assert_eq!(out.published.len(), 1);
    assert_eq!(scene.supervisor.health(), Health::default());
}

#[test]
fn a_message_for_the_attachment_that_is_known_shows_at_once_that_it_is_lost() {
    let mut scene = Scene::new();
    let (actor, begin) = scene.begin();
    let mut tells = Vec::new();
    for text in ["one", "two"] {
        let message = scene.report(text);
        tells.push(Scene::only_tell(scene.ask(begin.execution, message)).0);
    }
    let (two, one) = (tells.pop().unwrap(), tells.pop().unwrap());
    let (marker, out) = Scene::only_tell(scene.tell(Input::Forwarded { from: actor, tell: one }));
    assert_eq!(out.notices, [Notice::Lost(begin.execution)]);
    assert_eq!(told(&out), [] as [&str; 0], "nothing is sent to and fro");
    // What comes in meanwhile does not overtake what is on its way back.
    let message = scene.report("three");
    scene.ask(begin.execution, message);
    assert!(scene.restored(&out.reads[0], Ok(Some(restored(begin.execution)))).actors.is_empty());
    assert!(scene.tell(Input::Forwarded { from: actor, tell: two }).actors.is_empty());
    let out = scene.tell(Input::Forwarded { from: actor, tell: marker });
    assert_eq!(told(&out), ["0: resume[one two three reconcile]"]);
}

#[test]
fn messages_that_do_not_come_back_are_not_waited_for_for_ever() {
    let mut scene = Scene::new();
    let (actor, begin) = scene.begin();
    let message = scene.report("lost");
    scene.ask(begin.execution, message);
    scene.detach(&begin, 0);
    let message = scene.report("next");
    scene.ask(begin.execution, message);
    // What is sent after them comes back after them.
    let mut out = scene.wake_after(INTERVAL);
    assert_eq!(told(&out), ["0: probe"]);
    let Some((_, ToActor::Tell(tell))) = out.actors.pop() else { panic!("{out:?}") };
    let out = scene.tell(Input::Forwarded { from: actor, tell });
    assert_eq!(told(&out), ["0: resume[next]"]);
}

#[test]
fn an_actor_that_is_gone_leaves_its_execution_to_another_one() {
    let mut scene = Scene::new();
    let (actor, begin) = scene.begin();
    let out = scene.tell(Input::ActorGone(actor));
    let out = scene.restored(&out.reads[0], Ok(Some(restored(begin.execution))));
    assert_eq!(told(&out), ["0: resume[reconcile]"]);
    assert_eq!(scene.tell(Input::ActorGone(ActorNo(9))).actors.len(), 0, "one that never was is no matter");
}

#[test]
fn a_marker_that_comes_late_is_not_taken_for_a_message() {
    let mut scene = Scene::new();
    let (actor, begin) = scene.begin();
    let message = scene.report("one");
    let mut out = scene.ask(begin.execution, message);
    let Some((_, ToActor::Tell(one))) = out.actors.pop() else { panic!("{out:?}") };
    scene.detach(&begin, 0);
    let mut out = scene.wake_after(INTERVAL);
    let Some((_, ToActor::Tell(marker))) = out.actors.pop() else { panic!("{out:?}") };
    // The message comes back before the marker, and the execution is attached and detached once more meanwhile.
    assert_eq!(told(&scene.tell(Input::Forwarded { from: actor, tell: one })), ["0: resume[one]"]);
    let message = scene.report("two");
    let mut out = scene.ask(begin.execution, message);
    let Some((_, ToActor::Tell(two))) = out.actors.pop() else { panic!("{out:?}") };
    scene.detach(&begin, 0);
    let message = scene.report("three");
    scene.ask(begin.execution, message);
    assert!(scene.tell(Input::Forwarded { from: actor, tell: marker }).actors.is_empty());
    assert_eq!(told(&scene.tell(Input::Forwarded { from: actor, tell: two })), ["0: resume[two three]"]);
}
