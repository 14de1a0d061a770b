//! Who is let in, when and in what order.

use super::*;

#[test]
fn a_plain_execution_is_registered_and_begun_at_once() {
    let mut scene = Scene::new();
    let activate = Activate {
        business_key: Some("order 7".into()),
        deadline: Some(Duration::from_secs(60)),
        ..scene.activation()
    };
    let out = scene.tell(Input::Activate(activate));

    let [(actor, ToActor::Begin(begin))] = &out.actors[..] else { panic!("{out:?}") };
    let Begin { slot, execution, definition, .. } = **begin;
    assert_eq!((*actor, definition, &begin.input), (ActorNo(0), DefinitionNo(5), &input()));
    assert_eq!((&*begin.by, begin.business_key.as_deref()), ("somebody", Some("order 7")));
    assert_eq!(begin.deadline, Some(scene.now.after(Duration::from_secs(60))));
    assert_eq!(begin.acknowledge, Acknowledge::Request(RequestId(1)));
    let callback = Callback::Actor(ActorNo(0));
    let registration = Registration { slot, execution, definition, callback, input: input() };
    assert_eq!(out.engine, [ToEngine::Register(registration)]);
    assert!(out.replies.is_empty() && out.reads.is_empty() && out.writes.is_empty());
    assert_eq!(shard_of(execution, 1), ShardNo(0));
}

#[test]
fn a_deadline_beyond_all_time_is_the_last_moment() {
    let mut scene = Scene::new();
    let activate = Activate { deadline: Some(Duration::MAX), ..scene.activation() };
    let out = scene.tell(Input::Activate(activate));
    let [ToActor::Begin(begin)] = &to_actors(&out)[..] else { panic!("{out:?}") };
    assert_eq!(begin.deadline, Some(Time::from_micros(i64::MAX)));
}

#[test]
fn no_more_are_active_than_allowed_and_the_oldest_begins_first() {
    let mut scene = Scene::new();
    let (_, first) = scene.begin();
    scene.begin();
    for _ in 0..2 {
        let activate = scene.activation();
        assert!(scene.tell(Input::Activate(activate)).actors.is_empty());
    }
    assert_eq!(scene.supervisor.health().queued, 2);

    let out = scene.end(&first);
    let [ToActor::Begin(third)] = &to_actors(&out)[..] else { panic!("{out:?}") };
    assert_eq!(third.acknowledge, Acknowledge::Request(RequestId(3)));
    assert_ne!(third.slot, first.slot, "a slot names its life");
    assert_eq!(third.slot.index(), first.slot.index(), "the place is used again");
    // What is left of the first is dropped before the third is registered in its place.
    let [ToEngine::Deregister { slot, .. }, ToEngine::Register(registration)] = &out.engine[..] else {
        panic!("{out:?}")
    };
    assert_eq!((*slot, registration.slot), (first.slot, third.slot));

    let out = scene.end(third);
    let [ToActor::Begin(fourth)] = &to_actors(&out)[..] else { panic!("{out:?}") };
    assert_eq!(fourth.acknowledge, Acknowledge::Request(RequestId(4)));
}

#[test]
fn an_execution_that_only_waits_holds_no_place_among_the_active_ones() {
    let mut scene = Scene::with(|options| options.active_executions_max = 1);
    for begun in 1..=50 {
        scene.begin_parked();
        assert_eq!(scene.supervisor.health().open, begun);
        assert_eq!(scene.supervisor.health().active, 0);
    }
}

#[test]
fn old_executions_come_before_new_ones() {
    let mut scene = Scene::with(|options| options.active_executions_max = 1);
    let old = scene.begin_parked();
    let (_, other) = scene.begin();
    let activate = scene.activation();
    scene.tell(Input::Activate(activate));
    let message = scene.report("old");
    scene.ask(old.execution, message);

    assert_eq!(told(&scene.end(&other)), ["0: resume[old]"]);
}

#[test]
fn nobody_is_let_in_beyond_the_limit_and_whoever_ends_makes_room() {
    let mut scene = Scene::with(|options| options.unused_permits_max = 0);
    scene.permits = 2;
    let first = scene.begin_parked();
    scene.begin_parked();
    let activate = scene.activation();
    let out = scene.tell(Input::Activate(activate));
    assert_eq!(answers(&out), [(3, Answer::NotActivated(NotActivated::Saturated))]);
    assert!(out.actors.is_empty());

    let message = scene.cancel();
    scene.ask(first.execution, message);
    scene.end(&first);
    assert_eq!(scene.permits, 1);
    scene.begin();
}

#[test]
fn permits_are_asked_for_in_blocks_and_what_is_too_much_goes_back() {
    let mut scene = Scene::with(|options| options.active_executions_max = 10);
    let all: Vec<_> = (0..8).map(|_| scene.begin().1).collect();
    assert_eq!(scene.permits, 1_000 - 8);
    for begin in &all[..4] {
        scene.end(begin);
    }
    assert_eq!(scene.permits, 1_000 - 8, "four may lie around unused");
    scene.end(&all[4]);
    assert_eq!(scene.permits, 1_000 - 5, "of five, half of four stay");

    let out = {
        scene.supervisor.handle(scene.now, Input::PermitsWanted, &mut scene.out);
        std::mem::take(&mut scene.out)
    };
    assert_eq!(out.permits, [PermitChange::Return(2)]);
    scene.supervisor.handle(scene.now, Input::PermitsWanted, &mut scene.out);
    assert_eq!(scene.out.permits, [PermitChange::Return(0)], "it is answered all the same");
}

#[test]
fn the_pool_is_asked_once_and_those_that_wait_go_on_in_their_order() {
    let mut scene = Scene::with(|options| options.active_executions_max = 10);
    for _ in 0..6 {
        let activate = scene.activation();
        scene.supervisor.handle(scene.now, Input::Activate(activate), &mut scene.out);
    }
    assert_eq!(std::mem::take(&mut scene.out.permits), [PermitChange::Ask(4)]);
    scene.supervisor.handle(scene.now, Input::PermitsGranted(4), &mut scene.out);
    assert_eq!(std::mem::take(&mut scene.out.permits), [PermitChange::Ask(4)]);
    assert_eq!(scene.out.actors.len(), 4);
    // One ends before the pool says that there are none: its permit is not lost to those that wait.
    let [(_, ToActor::Begin(begin)), ..] = &scene.out.actors[..] else { panic!("{:?}", scene.out) };
    let first = ended(begin.slot, scene.now);
    scene.supervisor.handle(scene.now, Input::Ended(first), &mut scene.out);
    assert_eq!(scene.out.actors.len(), 5);
    scene.supervisor.handle(scene.now, Input::PermitsGranted(0), &mut scene.out);
    assert_eq!(answers(&scene.out), [(6, Answer::NotActivated(NotActivated::Saturated))]);
    assert_eq!(scene.out.actors.len(), 5);
}

#[test]
fn a_definition_that_was_refused_is_refused() {
    let mut scene = Scene::new();
    let activate = Activate { definition: None, ..scene.activation() };
    let out = scene.tell(Input::Activate(activate));
    assert_eq!(answers(&out), [(1, Answer::NotActivated(NotActivated::Definition))]);
    assert_eq!(scene.supervisor.health(), Health::default());
}

#[test]
fn nothing_begins_while_the_journal_is_full_but_what_has_begun_goes_on() {
    let mut scene = Scene::new();
    let old = scene.begin_parked();
    scene.tell(Input::JournalFull);
    let activate = scene.activation();
    assert!(scene.tell(Input::Activate(activate)).actors.is_empty());
    let message = scene.report("old");
    assert_eq!(told(&scene.ask(old.execution, message)), ["0: resume[old]"]);
    assert_eq!(told(&scene.tell(Input::JournalHasRoom)), ["1: begin"]);
}

#[test]
fn an_id_is_looked_for_before_it_is_given() {
    let mut scene = Scene::new();
    let id = scene.id();
    let activate = Activate { id: Some(id), ..scene.activation() };
    let out = scene.tell(Input::Activate(activate));
    assert!(out.actors.is_empty());
    let [Read { number, what: ReadWhat::Status(asked) }] = out.reads[..] else { panic!("{out:?}") };
    assert_eq!(asked, id);
    let out = scene.tell(Input::StatusLooked { read: number, status: Ok(None) });
    let [ToActor::Begin(begin)] = &to_actors(&out)[..] else { panic!("{out:?}") };
    assert_eq!(begin.execution, id);
}

#[test]
fn an_id_that_exists_or_is_about_to_is_a_conflict() {
    let mut scene = Scene::new();
    let conflict = |id| Answer::NotActivated(NotActivated::IdConflict(id));
    // In memory.
    let open = scene.begin_parked().execution;
    let activate = Activate { id: Some(open), ..scene.activation() };
    assert_eq!(answers(&scene.tell(Input::Activate(activate))), [(2, conflict(open))]);
    // In the journal.
    let id = scene.id();
    let activate = Activate { id: Some(id), ..scene.activation() };
    let read = scene.tell(Input::Activate(activate)).reads[0].number;
    // On its way to begin.
    let activate = Activate { id: Some(id), ..scene.activation() };
    assert_eq!(answers(&scene.tell(Input::Activate(activate))), [(4, conflict(id))]);
    let out = scene.tell(Input::StatusLooked { read, status: Ok(Some(crate::ExecutionStatus::Failed)) });
    assert_eq!(answers(&out), [(3, conflict(id))]);
}

#[test]
fn an_id_that_cannot_be_looked_for_is_not_given() {
    let mut scene = Scene::new();
    let id = scene.id();
    let activate = Activate { id: Some(id), ..scene.activation() };
    let read = scene.tell(Input::Activate(activate)).reads[0].number;
    let out = scene.tell(Input::StatusLooked { read, status: Err("the disk".into()) });
    assert_eq!(answers(&out), [(1, Answer::NotActivated(NotActivated::Unread("the disk".into())))]);
    // The id is free again.
    let activate = Activate { id: Some(id), ..scene.activation() };
    assert_eq!(scene.tell(Input::Activate(activate)).reads.len(), 1);
}

#[test]
fn what_is_said_to_an_execution_that_waits_to_begin_is_told_after_its_beginning() {
    let mut scene = Scene::with(|options| options.active_executions_max = 1);
    let (_, other) = scene.begin();
    let id = scene.id();
    let activate = Activate { id: Some(id), ..scene.activation() };
    let read = scene.tell(Input::Activate(activate)).reads[0].number;
    for text in ["one", "two"] {
        let message = scene.report(text);
        assert!(scene.ask(id, message).replies.is_empty());
    }
    scene.tell(Input::StatusLooked { read, status: Ok(None) });
    let message = scene.query();
    scene.ask(id, message);
    let message = scene.report("one too many");
    assert_eq!(answers(&scene.ask(id, message)), [(6, Answer::NotDone(NotDone::Saturated))]);
    assert_eq!(told(&scene.end(&other)), ["0: begin", "0: one", "0: two", "0: query"]);
}

#[test]
fn what_is_said_to_an_execution_that_does_not_begin_is_answered() {
    let mut scene = Scene::new();
    scene.permits = 0;
    let id = scene.id();
    let activate = Activate { id: Some(id), ..scene.activation() };
    let read = scene.tell(Input::Activate(activate)).reads[0].number;
    let message = scene.report("early");
    scene.ask(id, message);
    let out = scene.tell(Input::StatusLooked { read, status: Ok(None) });
    assert_eq!(answers(&out), [(1, Answer::NotActivated(NotActivated::Saturated))]);
    let read = out.reads[0].number;
    let out = scene.tell(Input::StatusLooked { read, status: Ok(None) });
    assert_eq!(answers(&out), [(2, Answer::NotDone(NotDone::NotFound))]);
}

#[test]
fn a_definition_is_in_use_as_long_as_something_open_or_waiting_needs_it() {
    let mut scene = Scene::new();
    let numbers = |scene: &Scene| -> Vec<u32> {
        scene.supervisor.definitions_in_use().into_iter().map(|number| number.0).collect()
    };
    let activate = |scene: &mut Scene, definition: u32, change: fn(&mut Activate)| {
        let mut activate = Activate { definition: Some(DefinitionNo(definition)), ..scene.activation() };
        change(&mut activate);
        scene.tell(Input::Activate(activate))
    };
    let id = scene.id();
    let out = activate(&mut scene, 1, |_| {});
    let [ToActor::Begin(first)] = &to_actors(&out)[..] else { panic!("{out:?}") };
    let first = first.clone();
    activate(&mut scene, 2, |_| {});
    // Two may be active: this one waits for an actor, and that for what the journal says of its key.
    activate(&mut scene, 3, |_| {});
    let keyed = |activate: &mut Activate| {
        activate.idempotency = Some(Box::new(Idempotency { key: "key".into(), workflow: "workflow".into() }));
    };
    activate(&mut scene, 4, keyed);
    let chosen = Activate { definition: Some(DefinitionNo(5)), id: Some(id), ..scene.activation() };
    scene.tell(Input::Activate(chosen));
    assert_eq!(numbers(&scene), [1, 2, 3, 4, 5]);
    scene.end(&first);
    assert_eq!(numbers(&scene), [2, 3, 4, 5]);
}
