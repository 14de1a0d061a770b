//! What is drawn at once is limited; the rest is drawn when the execution is told to go on.

use super::*;
use crate::definition::{AgentAssignment, Edge, EdgeKind, Node, NodeKind};

/// Start, so many control nodes in a row, and a task.
fn corridor(length: usize) -> Compiled {
    let mut definition = Definition::builder("corridor").task("work", "work").build();
    let pass = |number: usize| {
        let kind = NodeKind::AgentAssignment(AgentAssignment::default());
        Node::new(format!("c{number}"), format!("C{number}"), kind)
    };
    let into_work = definition.edges.iter().position(|edge| edge.target == "work").unwrap();
    let first = definition.edges.remove(into_work);
    let mut source = first.source;
    for number in 0..length {
        let node = pass(number);
        definition.edges.push(edge(source, &node.id));
        source = node.id.clone();
        definition.nodes.push(node);
    }
    definition.edges.push(edge(source, "work"));
    compiled(definition)
}

fn edge(source: String, target: &str) -> Edge {
    Edge { id: format!("to {target}"), source, target: target.to_owned(), kind: EdgeKind::Sequential, label: None }
}

#[test]
fn a_long_row_of_control_nodes_is_passed_in_turns_of_bounded_length() {
    let mut run = Run::activated(corridor(12_000), "null");
    assert_eq!(run.effects, [Effect::Continue]);
    assert!(run.execution.under_way(&run.definition).contains(&Effect::Continue), "it can be asked for again");
    run.check();
    // Each node is begun, and then its edges are settled.
    assert_eq!(run.go_on(), 2 * 12_000 / edges::CONSEQUENCES_MAX as usize);
    assert_eq!(run.at_work().len(), 1);
    run.check();
    run.done("work", "null");
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    assert_eq!(run.try_tell(Input::Continue), Err(Refused::AlreadyTerminal(ExecutionStatus::Completed)));
}

#[test]
fn whoever_says_something_meanwhile_does_not_wait_for_the_rest() {
    let mut run = Run::activated(corridor(12_000), "null");
    run.tell(Input::Command(Command::Cancel { by: "jo".into() }));
    assert_eq!(run.execution.status(), ExecutionStatus::Cancelled);
    run.check();
    let mut run = Run::activated(corridor(7_000), "null");
    run.tell(Input::Recovered { epoch: Epoch(1), crashed: true });
    run.tell(Input::Continue);
    run.go_on();
    assert_eq!(run.at_work().len(), 1);
    run.check();
}

#[test]
fn nothing_to_go_on_with_changes_nothing() {
    let mut run = Run::activated(corridor(3), "null");
    assert!(!run.execution.continuing);
    let before = run.history.len();
    run.tell(Input::Continue);
    assert_eq!(run.history.len(), before);
}
