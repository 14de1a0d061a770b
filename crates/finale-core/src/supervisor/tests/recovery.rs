//! What a runtime before this one left open goes on.

use super::*;

impl Scene {
    fn ids_of(&mut self, count: usize) -> Vec<ExecutionId> {
        (0..count).map(|_| self.id()).collect()
    }

    fn found_one(&mut self) -> (ExecutionId, Read) {
        self.found_with(None)
    }

    fn found_with(&mut self, quarantine: Option<Quarantine>) -> (ExecutionId, Read) {
        let execution = self.id();
        let mut out = self.recover(vec![Found { execution, quarantine }]);
        (execution, out.reads.remove(0))
    }
}

fn held(reason: &str, until_released: bool) -> Option<Quarantine> {
    Some(Quarantine { reason: reason.into(), until_released })
}

#[test]
fn all_are_looked_at_some_at_once_before_the_first_goes_on() {
    let mut scene = Scene::unstarted(|_| {});
    let ids = scene.ids_of(5);
    let mut reads = scene.recover(ids.iter().map(|id| found(*id)).collect()).reads;
    assert_eq!(reads.len(), 2, "no more are read at once than allowed");
    for looked_at in 1..5 {
        let read = reads.remove(0);
        let ReadWhat::History(execution) = read.what else { panic!("{read:?}") };
        let out = scene.restored(&read, Ok(Some(restored(execution))));
        assert!(out.actors.is_empty(), "after {looked_at}");
        assert!(matches!(out.engine[..], [ToEngine::Register(_)]));
        reads.extend(out.reads);
        assert_eq!(scene.supervisor.health().recovering, 5);
    }
    let read = reads.remove(0);
    let ReadWhat::History(execution) = read.what else { panic!("{read:?}") };
    let out = scene.restored(&read, Ok(Some(restored(execution))));
    // Then as many as may be active, in their order.
    let again = "resume[recovered(true) reconcile]";
    assert_eq!(told(&out), [format!("0: {again}"), format!("1: {again}")]);
    assert_eq!(scene.supervisor.health().recovering, 3);
    let first = scene.supervisor.slots.find(ids[0]).unwrap();
    let out = scene.tell(Input::Detached(Box::new(hosted(first, ids[0], 0))));
    assert_eq!(told(&out), [format!("0: {again}")]);
    assert_eq!(scene.supervisor.health().recovering, 2);
}

#[test]
fn it_is_recovered_only_where_a_handler_was_at_work() {
    let mut scene = Scene::unstarted(|_| {});
    let (execution, read) = scene.found_one();
    let waiting = Restored { state: Box::new(Execution::new(execution, definition())), ..restored(execution) };
    let out = scene.restored(&read, Ok(Some(waiting)));
    let slot = scene.supervisor.slots.find(execution).unwrap();
    assert_eq!((&out.reconciles[..], out.actors.len()), (&[slot][..], 0), "nothing but the task engine hears of it");
    assert_eq!(scene.supervisor.health().recovering, 0);
}

impl Scene {
    /// Recovers so many that only wait, and gives what came of the last one that was examined.
    fn recover_waiting(&mut self, ids: &[ExecutionId]) -> Outbox {
        let mut out = self.recover(ids.iter().map(|id| found(*id)).collect());
        for id in ids {
            let read = out.reads.remove(0);
            let waiting = Restored { state: Box::new(Execution::new(*id, definition())), ..restored(*id) };
            let mut reads = std::mem::take(&mut out.reads);
            out = self.restored(&read, Ok(Some(waiting)));
            reads.append(&mut out.reads);
            out.reads = reads;
        }
        out
    }
}

#[test]
fn those_that_only_wait_go_on_some_in_each_turn_and_hold_up_nothing() {
    let mut scene = Scene::unstarted(|_| {});
    let ids = scene.ids_of(300);
    let out = scene.recover_waiting(&ids);
    assert_eq!((out.reconciles.len(), out.actors.len()), (128, 0));
    assert_eq!(scene.supervisor.health().recovering, 172);
    assert_eq!(scene.supervisor.wake_at(), Some(scene.now), "it goes on by itself");
    let activate = scene.activation();
    let out = scene.tell(Input::Activate(activate));
    assert_eq!((out.reconciles.len(), out.actors.len()), (128, 1), "new work does not wait for that");
    let out = scene.tell(Input::Wake);
    assert_eq!((out.reconciles.len(), out.actors.len()), (44, 0));
    assert_eq!(scene.supervisor.health().recovering, 0);
    assert!(scene.supervisor.wake_at() > Some(scene.now));
}

#[test]
fn one_that_is_given_to_an_actor_in_the_turn_in_which_it_is_resumed_reconciles_there() {
    let mut scene = Scene::unstarted(|_| {});
    let ids = scene.ids_of(1);
    let out = scene.recover_waiting(&ids);
    scene.out = out;
    let message = scene.report("one");
    let out = scene.ask(ids[0], message);
    assert_eq!((&told(&out)[..], out.reconciles.len()), (&["0: resume[one reconcile]".to_owned()][..], 0));
}

#[test]
fn one_that_was_to_be_reconciled_when_the_supervisor_panicked_is_reconciled_when_it_was_read_again() {
    let mut scene = Scene::unstarted(|_| {});
    let ids = scene.ids_of(1);
    scene.out = scene.recover_waiting(&ids);
    assert_eq!(scene.out.reconciles.len(), 1);
    let out = scene.rebuild();
    assert_eq!((out.reconciles.len(), histories(&out)), (0, ids.clone()));
    let waiting = Restored { state: Box::new(Execution::new(ids[0], definition())), ..restored(ids[0]) };
    let out = scene.restored(&out.reads[0], Ok(Some(waiting)));
    assert_eq!(told(&out), ["0: resume[reconcile]"]);
}

#[test]
fn a_shard_that_closes_resumes_none_that_only_waits_and_is_not_woken_for_it() {
    let mut scene = Scene::unstarted(|_| {});
    let ids = scene.ids_of(200);
    assert_eq!(scene.recover_waiting(&ids).reconciles.len(), 128);
    assert_eq!(scene.tell(Input::Close).reconciles.len(), 0);
    assert_eq!(scene.supervisor.wake_at(), None);
}

#[test]
fn what_is_recovered_has_actors_of_its_own_and_new_work_has_its_own() {
    let mut scene = Scene::unstarted(|options| options.active_executions_max = 1);
    let ids = scene.ids_of(3);
    let mut reads = scene.recover(ids.iter().map(|id| found(*id)).collect()).reads;
    let mut resumed = Vec::new();
    for id in ids {
        let mut out = scene.restored(&reads.remove(0), Ok(Some(restored(id))));
        reads.append(&mut out.reads);
        resumed.extend(told(&out));
    }
    assert_eq!(resumed.len(), 2, "as many as may be recovered at once");
    let (actor, begin) = scene.begin();
    assert_eq!(actor, ActorNo(2), "new work does not wait for them");
    let activate = scene.activation();
    assert!(scene.tell(Input::Activate(activate)).actors.is_empty(), "but one may be active");
    assert_eq!(told(&scene.end(&begin)).len(), 1);
    assert_eq!(scene.supervisor.health().recovering, 1);
}

#[test]
fn whoever_asks_about_one_has_it_looked_at_next_and_it_goes_on() {
    let mut scene = Scene::unstarted(|_| {});
    let ids = scene.ids_of(5);
    let mut reads = scene.recover(ids.iter().map(|id| found(*id)).collect()).reads;
    let message = scene.report("one");
    let asked = scene.ask(ids[4], message);
    assert_eq!(histories(&asked), [ids[4]], "it waits for none of those whose turn has come");
    let message = scene.report("two");
    assert!(scene.ask(ids[4], message).reads.is_empty(), "it is being read");
    let out = scene.restored(&asked.reads[0], Ok(Some(restored(ids[4]))));
    assert_eq!(told(&out), ["0: resume[recovered(true) one two reconcile]"]);
    let out = scene.restored(&reads.remove(0), Ok(Some(restored(ids[0]))));
    assert_eq!(histories(&out), [ids[2]], "the others are read in their order");
}

#[test]
fn a_query_shows_one_that_was_looked_at_and_waits() {
    let mut scene = Scene::unstarted(|_| {});
    let ids = scene.ids_of(2);
    let reads = scene.recover(ids.iter().map(|id| found(*id)).collect()).reads;
    let message = scene.query();
    assert!(scene.ask(ids[0], message).queries.is_empty());
    let out = scene.restored(&reads[0], Ok(Some(restored(ids[0]))));
    let [Query { at: QueryTarget::Parked(_), .. }] = out.queries[..] else { panic!("{out:?}") };
}

#[test]
fn new_executions_begin_meanwhile() {
    let mut scene = Scene::unstarted(|_| {});
    scene.found_one();
    scene.begin();
}

#[test]
fn what_lacks_a_handler_is_quarantined_until_it_is_there() {
    let mut scene = Scene::unstarted(|_| {});
    let (execution, read) = scene.found_one();
    let lacking = Restored { missing_handler: Some("pack".into()), ..restored(execution) };
    let out = scene.restored(&read, Ok(Some(lacking)));
    let quarantine = held("no handler \"pack\" is registered", false);
    assert_eq!(out.writes, [Write { number: None, what: WriteWhat::Quarantine(execution, quarantine) }]);
    assert!(out.actors.is_empty());
    assert_eq!((scene.supervisor.health().quarantined, scene.supervisor.health().recovering), (1, 0));
    let (request, out) = scene.release(execution);
    let answer = Answer::NotDone(NotDone::HandlerMissing("pack".into()));
    assert_eq!(out.replies, [Reply { request, answer }]);
    // But it can be cancelled.
    let message = scene.cancel();
    assert_eq!(told(&scene.ask(execution, message)), ["0: command[command]"]);
    let slot = scene.supervisor.slots.find(execution).unwrap();
    let out = scene.tell(Input::CommandApplied { slot, accepted: true });
    assert_eq!(told(&out), ["0: recovered(true)", "0: reconcile"]);
}

#[test]
fn what_is_ending_goes_on_to_its_end_unless_that_lacks_a_handler() {
    let mut scene = Scene::unstarted(|_| {});
    let (execution, read) = scene.found_one();
    let lacking = Restored { state: ending(execution), missing_handler: None, ..restored(execution) };
    assert_eq!(told(&scene.restored(&read, Ok(Some(lacking)))), ["0: resume[recovered(true) reconcile]"]);

    // What undoes something, or runs finally, may still need one.
    let mut scene = Scene::unstarted(|_| {});
    let (execution, read) = scene.found_one();
    let lacking = Restored { state: ending(execution), missing_handler: Some("undo".into()), ..restored(execution) };
    let out = scene.restored(&read, Ok(Some(lacking)));
    let quarantine = held("no handler \"undo\" is registered", false);
    assert_eq!(out.writes, [Write { number: None, what: WriteWhat::Quarantine(execution, quarantine) }]);
}

#[test]
fn a_quarantine_holds_until_it_is_released_or_its_reason_is_gone() {
    let mut scene = Scene::unstarted(|_| {});
    let (execution, read) = scene.found_with(held("it panicked", true));
    let out = scene.restored(&read, Ok(Some(restored(execution))));
    assert!(out.actors.is_empty());
    assert_eq!(out.notices, [Notice::Quarantined(execution, "it panicked".into())]);

    let mut scene = Scene::unstarted(|_| {});
    let (execution, read) = scene.found_with(held("no handler", false));
    let out = scene.restored(&read, Ok(Some(restored(execution))));
    assert_eq!(told(&out), ["0: resume[recovered(true) reconcile]"]);
    assert_eq!(out.writes, [Write { number: None, what: WriteWhat::Quarantine(execution, None) }]);
}

/// Whether an execution is quarantined after so many crashes that are recorded, the oldest of them so long ago.
fn crash_again(recorded: u32, first: Duration) -> bool {
    let mut scene = Scene::unstarted(|_| {});
    let (execution, read) = scene.found_one();
    let mut crashes = vec![scene.now.before(Duration::from_secs(1)); recorded as usize];
    if let Some(oldest) = crashes.last_mut() {
        *oldest = scene.now.before(first);
    }
    let out = scene
        .restored(&read, Ok(Some(Restored { state: crashed(execution, recorded), crashes, ..restored(execution) })));
    let quarantined = scene.supervisor.health().quarantined == 1;
    assert_eq!(quarantined, out.actors.is_empty());
    quarantined
}

#[test]
fn crashes_over_the_same_task_within_the_window_quarantine_it() {
    let soon = Duration::from_secs(599);
    assert!(!crash_again(0, soon), "the first");
    assert!(!crash_again(1, soon), "the second");
    assert!(crash_again(2, soon), "the third is one too many");
    assert!(!crash_again(3, soon), "it was released, and gets as many again");
    assert!(!crash_again(4, soon));
    assert!(crash_again(5, soon));
}

#[test]
fn crashes_that_are_far_between_do_not_quarantine_it() {
    assert!(!crash_again(2, Duration::from_secs(601)));
}

#[test]
fn an_end_in_order_is_no_crash() {
    let mut scene = Scene::unstarted(|_| {});
    let execution = scene.id();
    let found = vec![found(execution)];
    let out = scene.tell(Input::Recover(Recover { epoch: Epoch(3), crashed: false, found, permits: 1 }));
    let crashes = vec![scene.now; 2];
    let again = Restored { state: crashed(execution, 2), crashes, ..restored(execution) };
    assert_eq!(told(&scene.restored(&out.reads[0], Ok(Some(again)))), ["0: resume[recovered(false) reconcile]"]);
}

#[test]
fn the_crash_it_was_quarantined_for_counts_when_it_is_released() {
    let mut scene = Scene::unstarted(|_| {});
    let execution = scene.id();
    let found = vec![Found { execution, quarantine: held("crashes", true) }];
    let out = scene.tell(Input::Recover(Recover { epoch: Epoch(3), crashed: false, found, permits: 1 }));
    let crashes = vec![scene.now; 2];
    let again = Restored { state: crashed(execution, 2), crashes, ..restored(execution) };
    scene.restored(&out.reads[0], Ok(Some(again)));
    assert_eq!(told(&scene.release(execution).1), ["0: resume[recovered(true) reconcile]"]);
}

#[test]
fn the_times_of_crashes_are_read_from_the_history() {
    let (mut state, mut turn) = (state(ExecutionId::from_uuid(uuid::Uuid::nil())), Turn::new());
    for (epoch, crashed) in [(1, true), (2, false), (3, true)] {
        let at = Time::from_micros(1_000 * i64::from(epoch));
        let recovered = execution::Input::Recovered { epoch: Epoch(epoch as u32), crashed };
        state.handle(definition(), at, recovered, &mut turn).unwrap();
    }
    let history = turn.facts().to_vec();
    turn.discard();
    assert_eq!(crashes_of(&history), [Time::from_micros(3_000), Time::from_micros(1_000)]);
    assert_eq!(crashes_of(b"nonsense"), []);
}

#[test]
fn permits_that_are_missing_for_those_found_are_not_used_again() {
    let mut scene = Scene::unstarted(|options| options.unused_permits_max = 0);
    scene.permits = 0;
    let ids = scene.ids_of(3);
    let found: Vec<_> = ids.iter().map(|id| found(*id)).collect();
    let mut out = scene.tell(Input::Recover(Recover { epoch: Epoch(3), crashed: true, found, permits: 1 }));
    for id in &ids {
        let read = out.reads.remove(0);
        let mut next = scene.restored(&read, Ok(Some(restored(*id))));
        out.reads.append(&mut next.reads);
    }
    for (ended_before, id) in ids.iter().enumerate() {
        let activate = scene.activation();
        let out = scene.tell(Input::Activate(activate));
        assert_eq!(out.replies[0].answer, Answer::NotActivated(NotActivated::Saturated), "after {ended_before}");
        let slot = scene.supervisor.slots.find(*id).unwrap();
        let end = ended(slot, scene.now);
        scene.tell(Input::Ended(end));
    }
    scene.begin();
}

#[test]
fn one_that_has_ended_since_it_was_listed_is_no_matter() {
    let mut scene = Scene::unstarted(|_| {});
    let (execution, read) = scene.found_one();
    let message = scene.report("late");
    scene.ask(execution, message);
    let out = scene.restored(&read, Ok(Some(Restored { outcome: Some(outcome(scene.now)), ..restored(execution) })));
    assert!(matches!(out.reads[..], [Read { what: ReadWhat::Status(_), .. }]), "{out:?}");
    assert_eq!(scene.supervisor.health(), Health::default());
}

#[test]
fn a_closed_shard_looks_at_nothing_more_but_what_is_asked_about() {
    let mut scene = Scene::unstarted(|_| {});
    let ids = scene.ids_of(3);
    let reads = scene.recover(ids.iter().map(|id| found(*id)).collect()).reads;
    scene.tell(Input::Close);
    for (id, read) in ids.iter().zip(&reads) {
        let out = scene.restored(read, Ok(Some(restored(*id))));
        assert!(out.reads.is_empty() && out.actors.is_empty());
    }
    let message = scene.report("one");
    let out = scene.ask(ids[2], message);
    let out = scene.restored(&out.reads[0], Ok(Some(restored(ids[2]))));
    assert_eq!(told(&out), ["0: resume[recovered(true) one reconcile]"]);
}
