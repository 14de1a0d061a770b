//! A machine panicked and is built again.

use super::*;

impl Scene {
    /// The supervisor panicked, and is rebuilt.
    pub(super) fn rebuild(&mut self) -> Outbox {
        let fresh = Supervisor::new(self.supervisor.options.clone());
        let lost = std::mem::replace(&mut self.supervisor, fresh);
        self.supervisor = lost.rebuild(self.now, &mut self.out);
        std::mem::take(&mut self.out)
    }
}

#[test]
fn executions_stay_with_their_actors_and_plain_values_are_read_again() {
    let mut scene = Scene::new();
    let mut parked = hosted(scene.begin().1.slot, ExecutionId::from_uuid(uuid::Uuid::nil()), 0);
    let first = scene.supervisor.slots.get(parked.slot).unwrap().execution;
    parked.state = state(first);
    parked.cancels.push(RequestId(60));
    scene.tell(Input::Detached(Box::new(parked)));
    let (_, busy) = scene.begin();
    let out = scene.rebuild();
    assert_eq!(histories(&out), [first]);
    // What comes for it meanwhile waits.
    let message = scene.report("one");
    assert!(scene.ask(first, message).actors.is_empty());
    let message = scene.report("two");
    assert_eq!(told(&scene.ask(busy.execution, message)), ["0: two"]);
    let out = scene.restored(&out.reads[0], Ok(Some(restored(first))));
    assert_eq!(told(&out), ["1: resume[one]"]);
    let [ToActor::Resume(resume)] = &to_actors(&out)[..] else { panic!("{out:?}") };
    assert_eq!(resume.hosted.cancels, [RequestId(60)]);
    assert_eq!(scene.end(&busy).published.len(), 1);
}

#[test]
fn those_who_wait_to_begin_begin_all_the_same() {
    let mut scene = Scene::with(|options| options.active_executions_max = 1);
    let (_, busy) = scene.begin();
    let queued = scene.activation();
    let by_id = Activate { id: Some(scene.id()), ..scene.activation() };
    let idempotency = Idempotency { key: "k".into(), workflow: "order".into() };
    let by_key = Activate { idempotency: Some(Box::new(idempotency)), ..scene.activation() };
    for activate in [queued, by_id, by_key] {
        scene.tell(Input::Activate(activate));
    }
    let out = scene.rebuild();
    assert_eq!(out.reads.len(), 2);
    assert!(out.replies.is_empty());
    // Answers to what the old one asked are not taken for answers to what the new one asks.
    let stale = scene.tell(Input::StatusLooked { read: ReadNo(1), status: Ok(None) });
    assert!(stale.actors.is_empty());
    for read in out.reads {
        match read.what {
            ReadWhat::Status(_) => scene.tell(Input::StatusLooked { read: read.number, status: Ok(None) }),
            _ => scene.tell(Input::KeyLooked { read: read.number, owner: Ok(None) }),
        };
    }
    let mut begun = Vec::new();
    let mut last = busy;
    for _ in 0..3 {
        let out = scene.end(&last);
        let [ToActor::Begin(begin)] = &to_actors(&out)[..] else { panic!("{out:?}") };
        begun.push(begin.acknowledge);
        last = (**begin).clone();
    }
    let request = |number| Acknowledge::Request(RequestId(number));
    assert_eq!(begun, [request(2), request(3), Acknowledge::Supervisor]);
    assert_eq!(answers(&scene.tell(Input::Begun(last.slot))), [(4, Answer::Began(last.execution))]);
}

#[test]
fn what_waits_for_an_actor_to_begin_once_more_waits_on() {
    let mut scene = Scene::with(|options| options.active_executions_max = 1);
    let (_, begin) = scene.begin();
    let activate = scene.activation();
    scene.tell(Input::Activate(activate));
    let again = Some(Box::new(begin.clone()));
    let panicked = Panicked { slot: begin.slot, begin: again, messages: vec![], cancels: vec![], told: 0 };
    let out = scene.tell(Input::Panicked(Box::new(panicked)));
    let [ToActor::Begin(busy)] = &to_actors(&out)[..] else { panic!("{out:?}") };
    assert!(scene.restored(&out.reads[0], Ok(None)).actors.is_empty());
    assert!(scene.rebuild().reads.is_empty(), "there is nothing of it to be read");
    let out = scene.end(busy);
    assert_eq!(to_actors(&out).len(), 1);
    assert!(matches!(to_actors(&out)[0], ToActor::Begin(same) if **same == begin));
}

#[test]
fn a_look_at_a_plain_value_is_answered_when_that_was_read_again() {
    let mut scene = Scene::new();
    let begin = scene.begin_parked();
    let message = scene.query();
    let ask = Input::Ask(Ask { execution: begin.execution, what: Question::Tell(message) });
    // It panicked before anything was done about the look.
    scene.supervisor.handle(scene.now, ask, &mut scene.out);
    let out = scene.rebuild();
    assert!(out.queries.is_empty());
    let out = scene.restored(&out.reads[0], Ok(Some(restored(begin.execution))));
    assert_eq!(told(&out), ["0: resume[query]"]);
}

#[test]
fn what_was_found_and_what_cannot_be_read_is_kept() {
    let mut scene = Scene::unstarted(|_| {});
    let (first, second) = (scene.id(), scene.id());
    let out = scene.recover(vec![found(first), found(second)]);
    scene.restored(&out.reads[0], Err("it has rotted".into()));
    let out = scene.rebuild();
    assert_eq!(histories(&out), [second]);
    let Health { open, recovering, unreadable, .. } = scene.supervisor.health();
    assert_eq!((open, recovering, unreadable), (2, 1, 1));
    let out = scene.restored(&out.reads[0], Ok(Some(restored(second))));
    assert_eq!(told(&out), ["0: resume[recovered(true) reconcile]"]);
}

#[test]
fn a_quarantine_outlives_it() {
    let mut scene = Scene::new();
    let (_, begin) = scene.begin();
    for _ in 0..3 {
        scene.die(&begin, vec![]);
    }
    let out = scene.rebuild();
    let out = scene.restored(&out.reads[0], Ok(Some(restored(begin.execution))));
    assert!(out.actors.is_empty() && out.writes.is_empty());
    assert_eq!(scene.supervisor.health().quarantined, 1);
}

#[test]
fn a_supervisor_that_panics_too_often_refuses_everything() {
    let mut scene = Scene::with(|options| options.active_executions_max = 1);
    let (_, begin) = scene.begin();
    let activate = scene.activation();
    scene.tell(Input::Activate(activate));
    for _ in 0..2 {
        assert!(scene.rebuild().replies.is_empty());
        scene.advance(Duration::from_secs(1));
    }
    let out = scene.rebuild();
    assert_eq!(answers(&out), [(2, Answer::NotActivated(NotActivated::ShardFailed))]);
    assert!(scene.supervisor.health().shard_failed);
    let message = scene.report("one");
    let out = scene.ask(begin.execution, message);
    assert_eq!(out.replies[0].answer, Answer::NotDone(NotDone::ShardFailed));
    let activate = scene.activation();
    let out = scene.tell(Input::Activate(activate));
    assert_eq!(out.replies[0].answer, Answer::NotActivated(NotActivated::ShardFailed));
    // What has ended durably is published all the same, and it leaves when it is told to.
    assert_eq!(scene.end(&begin).published.len(), 1);
    let request = scene.request();
    let out = scene.tell(Input::Leave { request, patience: Duration::ZERO });
    assert_eq!(out.left, Some(Left { unfinished: 0, in_order: false }));
}

#[test]
fn panics_of_the_supervisor_that_are_far_between_are_survived() {
    let mut scene = Scene::new();
    for _ in 0..10 {
        scene.rebuild();
        scene.advance(Duration::from_secs(31));
        let (_, begin) = scene.begin();
        scene.end(&begin);
    }
    assert!(!scene.supervisor.health().shard_failed);
}

#[test]
fn the_home_of_a_key_waits_while_a_failed_shard_may_still_begin() {
    let mut scene = Scene::with(|options| options.shards = 2);
    let id = scene.id();
    let idempotency = Some(Box::new(Idempotency { key: "k".into(), workflow: "order".into() }));
    let activate = Box::new(Activate { id: Some(id), idempotency, ..activation(None) });
    let message = ToShard::Begin { claim: ClaimNo(1), activate };
    let read = scene.tell(Input::Shard { from: ShardNo(1), message }).reads[0].number;
    let out = scene.tell(Input::StatusLooked { read, status: Ok(None) });
    let [ToActor::Begin(begin)] = &to_actors(&out)[..] else { panic!("{out:?}") };
    for _ in 0..3 {
        assert!(scene.rebuild().shards.is_empty());
    }
    let out = scene.tell(Input::Begun(begin.slot));
    assert!(matches!(out.shards[..], [(_, ToShard::Answered { result: Ok(_), .. })]), "{out:?}");
}

#[test]
fn a_new_task_engine_hears_of_all_executions_and_each_reconciles() {
    let mut scene = Scene::new();
    let parked = scene.begin_parked();
    let (_, busy) = scene.begin();
    let out = scene.tell(Input::EngineRebuilt);
    let callbacks: Vec<_> = out
        .engine
        .iter()
        .filter_map(|message| match message {
            ToEngine::Register(registration) => Some((registration.slot, registration.callback)),
            _ => None,
        })
        .collect();
    let actor = Callback::Actor(ActorNo(0));
    assert_eq!(callbacks, [(parked.slot, Callback::Supervisor), (busy.slot, actor)]);
    assert_eq!(told(&out), ["0: reconcile", "1: resume[reconcile]"]);
}
