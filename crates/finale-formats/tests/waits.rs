//! Waits in files: `delay`, `until` and `signal`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use finale_core::compile::{Registry, compile};
use finale_core::definition::{Definition, EdgeKind, NodeKind, Signal, Wait};
use finale_formats::{Format, load, picture, write};

const ALL: &str = "
id: order
tasks:
  reserve: {handler: reserve_stock}
  ship: {handler: ship, after: morning}
  give_up: {handler: release_stock}
nodes:
  paid: {signal: payment, timeout: 3d, after: reserve, on_timeout: give_up}
  morning: {until: input.deliver_at, after: paid, on_failure: call}
  call: {signal: 'called-${{ input.order }}', label: Somebody calls}
  a_week: {delay: 7d, after: ship, when: input.asks}
";

fn loaded(text: &str) -> Definition {
    load(text.as_bytes(), Format::Own, "f.yaml").unwrap_or_else(|error| panic!("{error}")).definition
}

fn refused(node: &str) -> String {
    let text = format!("id: w\ntasks: {{a: {{handler: h}}}}\nnodes:\n  n: {node}\n");
    match load(text.as_bytes(), Format::Own, "f.yaml") {
        Err(error) => error.to_string(),
        Ok(loaded) => compile(loaded.definition, &Registry::new()).unwrap_err().to_string(),
    }
}

#[test]
fn what_a_file_says_of_waits_is_read() {
    let definition = loaded(ALL);
    let kind = |id: &str| &definition.nodes.iter().find(|node| node.id == id).unwrap().kind;
    let paid = Signal::named("payment").timeout(Duration::from_secs(3 * 86_400));
    assert_eq!(*kind("paid"), NodeKind::Wait(Wait::Signal(paid)));
    assert_eq!(*kind("morning"), NodeKind::Wait(Wait::Until("input.deliver_at".to_owned())));
    assert_eq!(*kind("call"), NodeKind::Wait(Wait::Signal("called-${{ input.order }}".into())));
    assert_eq!(*kind("a_week"), NodeKind::Wait(Wait::Delay(Duration::from_secs(7 * 86_400))));
    let edge = |kind| definition.edges.iter().find(|edge| edge.kind == kind).map(|edge| (&*edge.source, &*edge.target));
    assert_eq!(edge(EdgeKind::OnTimeout), Some(("paid", "give_up")));
    assert_eq!(edge(EdgeKind::OnFailure), Some(("morning", "call")));
    assert!(compile(definition, &Registry::new()).is_ok());
}

#[test]
fn a_date_needs_no_quotes_of_its_own() {
    let text = "id: w\ntasks: {a: {handler: h, after: n}}\nnodes: {n: {until: 2027-12-24T08:00:00+01:00}}\n";
    let definition = loaded(text);
    assert_eq!(definition.nodes[1].kind, NodeKind::Wait(Wait::Until("\"2027-12-24T08:00:00+01:00\"".to_owned())));
    assert!(compile(definition.clone(), &Registry::new()).is_ok());
    let written = write::yaml(&definition);
    assert_eq!(load(written.as_bytes(), Format::Own, "f.yaml").unwrap().definition, definition, "{written}");
}

#[test]
fn what_was_read_is_written_and_read_again() {
    let definition = loaded(ALL);
    for text in [write::yaml(&definition), write::json(&definition)] {
        assert!(!text.contains("\"kind\"") && !text.contains("kind:"), "it has words of its own: {text}");
        let name = if text.starts_with('{') { "f.json" } else { "f.yaml" };
        assert_eq!(load(text.as_bytes(), Format::Own, name).unwrap().definition, definition, "{text}");
    }
}

#[test]
fn waits_stand_in_graphs_inside_too() {
    let text = "id: w\ntasks:\n  each:\n    map: input\n    group: {nodes: {w: {delay: 1s}}, tasks: {t: {handler: h, after: w}}}\n";
    assert!(compile(loaded(text), &Registry::new()).is_ok());
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (node, why) in [
        ("{delay: 3}", "unit"),
        ("{until: 'input.'}", "the moment that \"n\" waits for is no expression"),
        ("{until: 2027-12-24}", "it has no time and no time zone"),
        ("{until: '2027-12-24T12:00'}", "it has no time zone"),
        ("{until: '2027 - 12 - 24'}", "`2027 - 12 - 24` is calculated, and gives 1991 milliseconds after 1970"),
        ("{until: \"'25:00'\"}", "\"25:00\" is no moment as in 2026-01-31T12:00:00Z"),
        ("{signal: ''}", "does not say by its name which signal it waits for"),
        ("{signal: 'a${{ input. }}'}", "the name of the signal that \"n\" waits for cannot be made"),
        ("{signal: a, timeout: 0s}", "zero"),
        ("{signal: a, on_timeout: a}", "has no timeout and waits for ever"),
        ("{signal: a, on_failure: a}", "on_failure"),
        ("{delay: 1s, timeout: 1s}", "only what waits for a signal has a timeout of its own"),
        ("{delay: 1s, signal: a}", "a node is one thing"),
        ("{wait: 1s}", "delay"),
        ("{event: a}", "signal"),
    ] {
        let words = refused(node);
        assert!(words.contains(why), "{node}: {words}");
    }
}

#[test]
fn pictures_say_what_is_waited_for() {
    let definition = loaded(ALL);
    let text = picture::mermaid(&definition, None);
    for part in [
        "((\"paid<br>(signal payment, at most 3d)\"))",
        "((\"morning<br>(until input.deliver_at)\"))",
        "((\"a_week<br>(7d)\"))",
        "on timeout",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let text = picture::dot(&definition, None);
    assert!(text.contains("shape=octagon") && text.contains("on timeout"), "{text}");
}
