//! Whatever happens in whatever order: see [`World`] for what must hold.

use super::world::World;
use super::*;

const SEEDS: u64 = 400;
const STEPS: usize = 400;

/// Lives of runtimes in which everything goes wrong that can.
fn run(seed: u64, traces: bool) -> World {
    let mut world = World::new(seed);
    world.traces = traces;
    let loses = world.rng.one_in(4);
    let restarts = world.rng.one_in(2);
    let fails = world.rng.one_in(6);
    for step in 0..STEPS {
        match world.rng.below(12) {
            0 | 1 => activate(&mut world),
            2 => ask(&mut world),
            3 if world.rng.one_in(6) => world.advance(Duration::from_secs(20)),
            4 if restarts && world.rng.one_in(60) => world.restart(),
            6 if loses && world.rng.one_in(20) => world.lose_news(),
            7 if loses && world.rng.one_in(30) => world.lose_actor(),
            5 if fails && step > STEPS / 2 && world.rng.one_in(40) => world.fail_journal(),
            _ => {
                world.step();
            }
        }
        world.check();
    }
    world.finish();
    world
}

fn activate(world: &mut World) {
    let request = (!world.rng.one_in(5)).then(|| world.new_request());
    let mut activate = activation(request);
    if world.rng.one_in(2) {
        let key = format!("key {}", world.rng.below(4)).into();
        activate.idempotency = Some(Box::new(Idempotency { key, workflow: "order".into() }));
        if world.rng.one_in(8) {
            activate.input = Payload::NULL;
        }
    }
    if world.rng.one_in(3) {
        activate.id = Some(match world.any_execution() {
            Some(execution) if world.rng.one_in(4) => execution,
            _ => world.new_id(),
        });
    }
    let home = world.home(&activate);
    let id = activate.id;
    world.hand_in(home, Input::Activate(activate));
    if let Some(id) = id.filter(|_| world.rng.one_in(2)) {
        report_to(world, id);
    }
}

fn ask(world: &mut World) {
    let Some(execution) = world.any_execution() else { return };
    match world.rng.below(6) {
        0..3 => report_to(world, execution),
        other => {
            let request = world.new_request();
            let command = Command::Cancel { by: "somebody".into() };
            let what = match other {
                3 => Question::Release(Some(request)),
                4 => Question::Tell(Message { request: Some(request), body: Body::Query }),
                _ => {
                    let body = Body::Input(execution::Input::Command(command));
                    Question::Tell(Message { request: Some(request), body })
                }
            };
            let shard = world.shard_of(execution);
            world.hand_in(shard, Input::Ask(Ask { execution, what }));
        }
    }
}

/// Reports are numbered as they are handed in, and must come in that order.
fn report_to(world: &mut World, execution: ExecutionId) {
    let request = world.new_request();
    let what = Question::Tell(report(Some(request), &request.0.to_string()));
    let shard = world.shard_of(execution);
    world.hand_in(shard, Input::Ask(Ask { execution, what }));
}

#[test]
fn everybody_is_answered_once_and_nothing_happens_twice() {
    let mut seen = BTreeMap::<_, usize>::new();
    for seed in 0..SEEDS {
        let run = std::panic::catch_unwind(|| run(seed, false).seen);
        let Ok(of_run) = run else { panic!("seed {seed} fails: see above") };
        for (what, times) in of_run {
            *seen.entry(what).or_default() += times;
        }
    }
    // The test is worth something only if all of this happens.
    for what in [
        "began",
        "began by its key",
        "repeats",
        "key conflict",
        "id conflict",
        "saturated",
        "reported",
        "cancelled",
        "operator command",
        "quarantined",
        "released",
        "died",
        "not begun",
        "rebuild",
        "restart",
        "journal failed",
        "look",
        "query",
        "refused",
        "not done",
        "done",
        "forgotten",
        "told",
        "end not told",
        "left",
        "lost",
        "news lost",
        "actor lost",
    ] {
        assert!(seen.get(what).is_some_and(|times| *times > 5), "{what} does not happen: {seen:?}");
    }
}

#[test]
fn the_same_inputs_give_the_same_outputs() {
    for seed in 0..20 {
        let trace = run(seed, true).trace;
        assert_ne!(trace, 0);
        assert_eq!(trace, run(seed, true).trace, "seed {seed}");
    }
}
