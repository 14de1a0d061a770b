//! What the engine knows of the nodes of a definition.

use super::*;
use crate::compile::{Registry, compile};
use crate::compiled::Compiled;
use crate::definition::{Definition, Task};

fn compiled(id: &str, tasks: &[(&str, Task)]) -> Compiled {
    let definition = tasks.iter().fold(Definition::builder(id), |all, (node, task)| all.task(*node, task.clone()));
    compile(definition.build(), &Registry::default()).expect("the definition of a test compiles")
}

fn numbered(name: &str) -> Option<HandlerNo> {
    ["pack", "ship"].iter().position(|known| *known == name).map(|number| HandlerNo(number as u16))
}

#[test]
fn time_limits_are_those_of_handlers_and_unknown_handlers_have_no_number() {
    let tasks = [
        ("a", Task::handler("ship").timeout(ATTEMPT_MAX)),
        ("b", Task::external().timeout(ATTEMPT_MAX)),
        ("c", Task::handler("pack").at_most_once()),
        ("d", Task::handler("unknown")),
    ];
    let definition = compiled("outer", &tasks);
    let nodes = TaskNode::all_of(&definition, numbered);
    let node = |id| nodes[definition.position(id).unwrap().as_usize()];
    let (none, limit) = (TaskNode::default(), Some(ATTEMPT_MAX));
    assert_eq!(node("a"), TaskNode { handler: Some(HandlerNo(1)), attempt_max: limit, ..none });
    assert_eq!(node("b"), none, "the core has the timer of what is done outside");
    assert_eq!(node("c"), TaskNode { handler: Some(HandlerNo(0)), at_most_once: true, ..none });
    assert_eq!(node("d"), none);
}

#[test]
fn nodes_of_graphs_inside_are_known_too() {
    let mut definition = compiled("outer", &[("a", Task::handler("ship"))]);
    let body = compiled("body", &[("b", Task::handler("pack").timeout(ATTEMPT_MAX))]);
    let inside = definition.nodes.len() + body.position("b").unwrap().as_usize();
    definition.nodes = std::mem::take(&mut definition.nodes).into_iter().chain(body.nodes).collect();
    definition.inner = body.definition.nodes.into();
    let expected = TaskNode { handler: Some(HandlerNo(0)), attempt_max: Some(ATTEMPT_MAX), ..TaskNode::default() };
    assert_eq!(TaskNode::all_of(&definition, numbered)[inside], expected);
}
