//! Large and broken definitions cost linear time and no stack.

use super::*;

/// Runs on a stack on which recursion over a long graph would overflow at once.
fn on_a_small_stack<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(256 << 10).spawn(run).unwrap().join().unwrap()
}

#[test]
fn a_chain_of_a_hundred_thousand_nodes_compiles_on_a_small_stack() {
    let compiled = on_a_small_stack(|| compiled(chain(99_998)));
    assert_eq!((compiled.len(), compiled.own().sinks.len()), (100_000, 1));
}

#[test]
fn a_long_cycle_is_found_on_a_small_stack() {
    let mut definition = chain(99_998);
    definition.edges.extend((1..99_998).map(|n| edge(200_000 + n, &format!("t{n} t0"))));
    let problems = on_a_small_stack(move || error(definition).problems);
    assert_eq!(codes(&problems), ["cycle_detected"]);
    assert!(problems[0].message.len() < 200, "{}", problems[0].message);
}

#[test]
fn a_million_nodes_are_refused_before_they_are_looked_at() {
    let mut definition = workflow(vec![], &[]);
    definition.nodes = vec![node("", NodeKind::Start); 1_000_000];
    let found = codes(&check_structure(&definition, &Limits::default()));
    assert_eq!(found, ["too_many_nodes"], "their ids, which are all blank, are not looked at");
}

#[test]
fn the_graph_check_survives_a_broken_structure() {
    let mut definition = workflow(vec![task("a"), task("a")], &["ghost a", "a ghost", "a a"]);
    definition.nodes.remove(0);
    definition.nodes.remove(0);
    let found = check_graph(&definition, &Limits::default());
    assert!(!codes(&found).contains(&"cycle_detected"), "the other check tells of an edge from a node to itself");
    definition.nodes.clear();
    assert!(check_graph(&definition, &Limits::default()).is_empty());
}
