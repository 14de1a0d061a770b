//! Small graphs of all kinds of nodes, and every order in which things can happen to them.
//!
//! `FINALE_STATES=<number>` looks at more states or fewer, `FINALE_SEED=<number>` begins with other graphs.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use finale_core::compile::{Registry, compile};
use finale_core::definition::Definition;
use finale_core::execution::Effect;
use finale_core::{Payload, Time};
use finale_tests::exhaustive::{Explored, Flaw, Law, Search, Violation, graph};

/// As many states are looked at, in all graphs together.
const STATES: usize = 1_000_000;
/// A graph that has more is left unfinished.
const STATES_OF_GRAPH: usize = 150_000;
/// Nodes beside start and end.
const INNER_MAX: usize = 4;

fn explore(definition: Definition, deadline: bool, flaw: Option<Flaw>) -> Result<Explored, Violation> {
    let compiled = compile(definition, &Registry::new()).expect("drawn graphs are sound");
    let search = Search::new(&compiled, STATES_OF_GRAPH);
    let search = if let Some(flaw) = flaw { search.with_flaw(flaw) } else { search };
    let input = Payload::from_json(&br#"{"x": 2}"#[..]).expect("it is JSON");
    search.explore(&input, deadline.then(|| Time::from_micros(9_000)))
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number is wanted"))
}

#[test]
fn whatever_comes_in_whatever_order_every_law_holds() {
    let wanted = number("FINALE_STATES").map_or(STATES, |states| states as usize);
    let next = AtomicU64::new(number("FINALE_SEED").unwrap_or(1));
    let (states, moves, cut) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        while states.load(Ordering::Relaxed) < wanted {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let definition = graph(seed, INNER_MAX);
            match explore(definition.clone(), seed.is_multiple_of(4), None) {
                Ok(explored) => {
                    states.fetch_add(explored.states, Ordering::Relaxed);
                    moves.fetch_add(explored.moves, Ordering::Relaxed);
                    cut.fetch_add(usize::from(explored.is_cut), Ordering::Relaxed);
                }
                Err(violation) => panic!("FINALE_SEED={seed}: {violation}\nof {definition:#?}"),
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| _ = scope.spawn(work)));
    let [states, moves, cut] = [states, moves, cut].map(AtomicUsize::into_inner);
    println!("{states} states after {moves} inputs");
    assert!(cut * 100 <= next.into_inner() as usize, "{cut} graphs have more states than are looked at");
    assert!(moves > states, "{states} states after {moves} inputs");
}

/// A search is worth what it finds.
#[test]
fn a_fault_in_what_is_performed_is_found() {
    let flaws: [Flaw; 5] = [
        |effects| effects.retain(|effect| !matches!(effect, Effect::Stop { .. })),
        |effects| effects.retain(|effect| !matches!(effect, Effect::DisarmTimer { .. })),
        |effects| effects.retain(|effect| !matches!(effect, Effect::Withdraw { .. })),
        |effects| effects.retain(|effect| !matches!(effect, Effect::Ended)),
        |effects| {
            let runs: Vec<_> = effects.iter().filter(|effect| matches!(effect, Effect::Run { .. })).cloned().collect();
            effects.splice(0..0, runs);
        },
    ];
    for (number, flaw) in flaws.into_iter().enumerate() {
        let finds = |seed: &u64| explore(graph(*seed, INNER_MAX), false, Some(flaw)).is_err();
        assert!((1..200).any(|seed| finds(&seed)), "flaw {number} is not found");
    }
}

#[test]
fn one_task_comes_to_each_of_its_ends() {
    let definition = Definition::builder("one").task("a", "h").build();
    let explored = explore(definition, false, None).expect("every law holds");
    // Done; failed; cancelled, and then stopped, done anyway or failed anyway; the same after a crash, which closes at once what
    // was stopping.
    assert!(!explored.is_cut && explored.ends >= 8, "{explored:?}");
}

#[test]
fn an_end_that_nobody_is_told_of_breaks_a_law() {
    let definition = Definition::builder("one").task("a", "h").build();
    let silent: Flaw = |effects| effects.retain(|effect| !matches!(effect, Effect::Ended));
    let violation = explore(definition, false, Some(silent)).expect_err("nobody is told of the end");
    assert!(matches!(violation.law, Law::WrongEnd(_)), "{violation}");
}
