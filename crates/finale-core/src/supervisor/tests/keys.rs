//! One execution for each idempotency key, whoever asks first and wherever.

use super::*;

fn keyed(request: Option<RequestId>, key: &str) -> Activate {
    let idempotency = Idempotency { key: key.into(), workflow: "order".into() };
    Activate { idempotency: Some(Box::new(idempotency)), ..activation(request) }
}

impl Scene {
    fn keyed(&mut self, key: &str) -> Activate {
        keyed(Some(self.request()), key)
    }

    /// Hands in an activation with a key; gives the read that asks the journal for it.
    fn claim(&mut self, key: &str) -> ReadNo {
        let activate = self.keyed(key);
        let out = self.tell(Input::Activate(activate));
        let [Read { number, what: ReadWhat::Key(asked) }] = &out.reads[..] else { panic!("{out:?}") };
        assert_eq!((&**asked, out.actors.len()), (key, 0));
        *number
    }

    fn key_is_free(&mut self, read: ReadNo) -> Outbox {
        self.tell(Input::KeyLooked { read, owner: Ok(None) })
    }

    /// Begins an execution with a key.
    fn begin_keyed(&mut self, key: &str) -> Begin {
        let read = self.claim(key);
        let out = self.key_is_free(read);
        let [ToActor::Begin(begin)] = &to_actors(&out)[..] else { panic!("{out:?}") };
        assert_eq!((begin.idempotency_key.as_deref(), begin.acknowledge), (Some(key), Acknowledge::Supervisor));
        (**begin).clone()
    }
}

#[test]
fn the_first_is_acknowledged_when_it_has_begun_durably() {
    let mut scene = Scene::new();
    let begin = scene.begin_keyed("k");
    let out = scene.tell(Input::Begun(begin.slot));
    assert_eq!(answers(&out), [(1, Answer::Began(begin.execution))]);
    assert!(scene.tell(Input::Begun(begin.slot)).replies.is_empty(), "only once");
}

#[test]
fn repetitions_wait_for_the_first_and_are_answered_with_it() {
    let mut scene = Scene::new();
    let read = scene.claim("k");
    // One comes before the journal has answered, one before the execution has begun, one after.
    let activate = scene.keyed("k");
    assert!(scene.tell(Input::Activate(activate)).reads.is_empty());
    let out = scene.key_is_free(read);
    let [ToActor::Begin(begin)] = &to_actors(&out)[..] else { panic!("{out:?}") };
    let activate = scene.keyed("k");
    assert!(scene.tell(Input::Activate(activate)).replies.is_empty());
    let repeats = Answer::Repeats(begin.execution);
    let out = scene.tell(Input::Begun(begin.slot));
    assert_eq!(answers(&out), [(1, Answer::Began(begin.execution)), (2, repeats.clone()), (3, repeats.clone())]);
    let activate = scene.keyed("k");
    let out = scene.tell(Input::Activate(activate));
    assert_eq!((answers(&out), out.reads.len()), (vec![(4, repeats)], 0));
}

#[test]
fn the_same_key_with_another_input_or_workflow_is_a_conflict() {
    let mut scene = Scene::new();
    let begin = scene.begin_keyed("k");
    let conflict = Answer::NotActivated(NotActivated::IdempotencyConflict(begin.execution));
    let waits = Activate { input: Payload::NULL, ..scene.keyed("k") };
    assert!(scene.tell(Input::Activate(waits)).replies.is_empty());
    let out = scene.tell(Input::Begun(begin.slot));
    assert_eq!(answers(&out)[1], (2, conflict.clone()));
    let mut other = scene.keyed("k");
    other.idempotency = Some(Box::new(Idempotency { key: "k".into(), workflow: "return".into() }));
    assert_eq!(answers(&scene.tell(Input::Activate(other))), [(3, conflict)]);
    // Its version does not matter.
    let newer = Activate { definition: Some(DefinitionNo(6)), ..scene.keyed("k") };
    assert_eq!(answers(&scene.tell(Input::Activate(newer))), [(4, Answer::Repeats(begin.execution))]);
}

#[test]
fn what_the_journal_knows_is_repeated_and_nothing_begins() {
    let mut scene = Scene::new();
    let execution = scene.id();
    let read = scene.claim("k");
    let activate = Activate { input: Payload::NULL, ..scene.keyed("k") };
    scene.tell(Input::Activate(activate));
    let owner = KeyOwner { execution, workflow: "order".into(), input: input() };
    let out = scene.tell(Input::KeyLooked { read, owner: Ok(Some(owner)) });
    let conflict = Answer::NotActivated(NotActivated::IdempotencyConflict(execution));
    assert_eq!(answers(&out), [(1, Answer::Repeats(execution)), (2, conflict)]);
    assert!(out.actors.is_empty());
    // Nothing is remembered of it: what the journal forgets is free.
    scene.claim("k");
}

#[test]
fn a_repetition_is_answered_even_if_its_definition_is_refused_now() {
    let mut scene = Scene::new();
    let execution = scene.id();
    let activate = Activate { definition: None, ..scene.keyed("k") };
    let read = scene.tell(Input::Activate(activate)).reads[0].number;
    let owner = KeyOwner { execution, workflow: "order".into(), input: input() };
    let out = scene.tell(Input::KeyLooked { read, owner: Ok(Some(owner)) });
    assert_eq!(answers(&out), [(1, Answer::Repeats(execution))]);
    // But it begins nothing.
    let activate = Activate { definition: None, ..scene.keyed("other") };
    let read = scene.tell(Input::Activate(activate)).reads[0].number;
    assert_eq!(answers(&scene.key_is_free(read)), [(2, Answer::NotActivated(NotActivated::Definition))]);
}

#[test]
fn a_key_that_cannot_be_looked_for_is_refused_to_all_who_wait_and_is_free() {
    let mut scene = Scene::new();
    let read = scene.claim("k");
    let activate = scene.keyed("k");
    scene.tell(Input::Activate(activate));
    let out = scene.tell(Input::KeyLooked { read, owner: Err("the disk".into()) });
    let unread = Answer::NotActivated(NotActivated::Unread("the disk".into()));
    assert_eq!(answers(&out), [(1, unread.clone()), (2, unread)]);
    scene.claim("k");
}

#[test]
fn a_key_whose_execution_did_not_begin_goes_to_the_next_that_waits() {
    let mut scene = Scene::new();
    scene.permits = 0;
    let read = scene.claim("k");
    for _ in 0..2 {
        let activate = scene.keyed("k");
        scene.tell(Input::Activate(activate));
    }
    let out = scene.key_is_free(read);
    assert_eq!(answers(&out), [(1, Answer::NotActivated(NotActivated::Saturated))]);
    scene.permits = 10;
    let [Read { number, what: ReadWhat::Key(_) }] = out.reads[..] else { panic!("{out:?}") };
    let out = scene.key_is_free(number);
    let [ToActor::Begin(begin)] = &to_actors(&out)[..] else { panic!("{out:?}") };
    let out = scene.tell(Input::Begun(begin.slot));
    assert_eq!(answers(&out), [(2, Answer::Began(begin.execution)), (3, Answer::Repeats(begin.execution))]);
}

#[test]
fn a_key_is_remembered_as_long_as_its_execution_is_open() {
    let mut scene = Scene::new();
    let begin = scene.begin_keyed("k");
    scene.tell(Input::Begun(begin.slot));
    scene.end(&begin);
    // From now on the journal says who has it.
    scene.claim("k");
}

#[test]
fn an_execution_that_ends_in_its_first_turn_is_acknowledged_before_its_end() {
    let mut scene = Scene::new();
    let begin = scene.begin_keyed("k");
    let out = scene.end(&begin);
    assert_eq!(answers(&out), [(1, Answer::Began(begin.execution))]);
    assert_eq!(out.published.len(), 1);
}

#[test]
fn no_more_wait_for_a_key_than_allowed() {
    let mut scene = Scene::new();
    scene.claim("k");
    for _ in 0..3 {
        let activate = scene.keyed("k");
        assert!(scene.tell(Input::Activate(activate)).replies.is_empty());
    }
    let activate = scene.keyed("k");
    let out = scene.tell(Input::Activate(activate));
    assert_eq!(answers(&out), [(5, Answer::NotActivated(NotActivated::KeySaturated))]);
}

#[test]
fn an_id_of_another_shard_is_begun_there_and_the_home_hears_of_it() {
    let two = |options: &mut Options| options.shards = 2;
    let mut home = Scene::with(two);
    let mut other = Scene::with(|options| {
        two(options);
        options.shard = ShardNo(1);
    });
    let key = (0..).map(|key| format!("key {key}")).find(|key| home_of(key, 2) == ShardNo(0)).unwrap();
    let id = other.id();
    let activate = Activate { id: Some(id), ..home.keyed(&key) };
    let read = home.tell(Input::Activate(activate)).reads[0].number;
    let mut out = home.key_is_free(read);
    assert!(out.actors.is_empty());
    let Some((ShardNo(1), message @ ToShard::Begin { .. })) = out.shards.pop() else { panic!("{out:?}") };

    let message = other.tell(Input::Shard { from: ShardNo(0), message }).reads[0].number;
    let out = other.tell(Input::StatusLooked { read: message, status: Ok(None) });
    let [ToActor::Begin(begin)] = &to_actors(&out)[..] else { panic!("{out:?}") };
    assert_eq!((begin.execution, begin.acknowledge), (id, Acknowledge::Supervisor));
    // A repetition that comes meanwhile waits at home.
    let activate = home.keyed(&key);
    assert!(home.tell(Input::Activate(activate)).replies.is_empty());
    let mut out = other.tell(Input::Begun(begin.slot));
    let Some((ShardNo(0), message @ ToShard::Answered { .. })) = out.shards.pop() else { panic!("{out:?}") };
    assert!(other.tell(Input::Begun(begin.slot)).shards.is_empty(), "only once");
    let out = home.tell(Input::Shard { from: ShardNo(1), message });
    assert_eq!(answers(&out), [(1, Answer::Began(id)), (2, Answer::Repeats(id))]);
    // It is not open here, so the journal is asked the next time.
    home.claim(&key);
}

#[test]
fn what_another_shard_refuses_is_refused_at_home_and_the_key_is_free() {
    let two = |options: &mut Options| options.shards = 2;
    let mut home = Scene::with(two);
    let key = (0..).map(|key| format!("key {key}")).find(|key| home_of(key, 2) == ShardNo(0)).unwrap();
    let id = IdGenerator::new(ShardNo(1), 2, 5).next(home.now);
    let activate = Activate { id: Some(id), ..home.keyed(&key) };
    let read = home.tell(Input::Activate(activate)).reads[0].number;
    let out = home.key_is_free(read);
    let [(_, ToShard::Begin { claim, .. })] = out.shards[..] else { panic!("{out:?}") };
    let message = ToShard::Answered { claim, result: Err(NotActivated::IdConflict(id)) };
    let out = home.tell(Input::Shard { from: ShardNo(1), message });
    assert_eq!(answers(&out), [(1, Answer::NotActivated(NotActivated::IdConflict(id)))]);
    home.claim(&key);
}

#[test]
fn a_closed_shard_refuses_what_another_one_wants_to_begin_there() {
    let mut scene = Scene::with(|options| options.shards = 2);
    scene.tell(Input::Close);
    let activate = Box::new(Activate { id: Some(scene.id()), ..keyed(None, "k") });
    let message = ToShard::Begin { claim: ClaimNo(4), activate };
    let out = scene.tell(Input::Shard { from: ShardNo(1), message });
    let [(ShardNo(1), ToShard::Answered { claim: ClaimNo(4), result: Err(NotActivated::Closed) })] = out.shards[..]
    else {
        panic!("{out:?}")
    };
}
