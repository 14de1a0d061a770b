//! Small graphs of all kinds of nodes, from numbers.

use std::time::Duration;

use finale_core::definition::{
    Body, Call, Definition, Document, Inside, LoopCondition, NodeKind, OnFailure, Policy, Siblings, Task, Tolerance,
};

use crate::dice::Dice;
use crate::random::Case;

/// How a graph is made a part of another one.
enum Place {
    /// It is the whole workflow.
    Alone,
    /// A workflow calls it, beside another task.
    Called,
    /// It runs for two items, beside another task.
    Mapped,
    /// It runs in up to three rounds, beside another task.
    Repeated,
    /// It stands inside of a node, beside another task.
    Grouped,
}

/// A definition of at most `inner_max` nodes beside start and end; the same number gives the same one.
pub fn graph(seed: u64, inner_max: usize) -> Definition {
    let mut dice = Dice::new(seed);
    // What comes at the end makes for many more states: there is little else then.
    if dice.one_in(4) {
        let mut definition = part(&mut dice, inner_max.saturating_sub(2).max(1));
        add_endings(&mut definition, &mut dice);
        return definition;
    }
    part(&mut dice, inner_max)
}

/// Lets some nodes be undone, at most three, and something run at the end.
fn add_endings(definition: &mut Definition, dice: &mut Dice) {
    let mut left = 3;
    for node in &mut definition.nodes {
        if left > 0 && node.kind.is_work() && dice.one_in(2) {
            node.compensate = Some(Box::new(ending(dice)));
            left -= 1;
        }
        if let NodeKind::Group(group) = &mut node.kind
            && let Some(inside) = group.graph.nodes.iter_mut().find(|node| node.kind.is_work())
            && left > 0
        {
            inside.compensate = Some(Box::new(ending(dice)));
        }
    }
    definition.finally = dice.one_in(2).then(|| Box::new(ending(dice)));
    definition.ending_within = dice.one_in(4).then(|| Duration::from_secs(1));
}

fn ending(dice: &mut Dice) -> Body {
    Body::Task(Box::new(if dice.one_in(4) { Task::external() } else { Task::handler("h") }))
}

fn part(dice: &mut Dice, inner_max: usize) -> Definition {
    let places =
        [Place::Alone, Place::Alone, Place::Alone, Place::Called, Place::Mapped, Place::Repeated, Place::Grouped];
    match dice.choose(&places) {
        Place::Alone => case(dice, inner_max),
        Place::Called => called(dice, inner_max),
        place => inside(dice, place, inner_max),
    }
}

fn case(dice: &mut Dice, inner_max: usize) -> Definition {
    let seed = |dice: &mut Dice| (dice.byte(), dice.byte(), dice.byte(), dice.byte(), dice.byte());
    let count = 1 + dice.below(inner_max);
    let nodes = (0..count).map(|_| seed(dice)).collect();
    let case = Case { nodes, inputs: Vec::new(), head: (dice.byte(), dice.byte(), false) };
    case.definition(policy(dice))
}

fn policy(dice: &mut Dice) -> Policy {
    let ways = [OnFailure::FailFast, OnFailure::WaitAll, OnFailure::Tolerate { count: 1 }];
    Policy { on_failure: *dice.choose(&ways), siblings: *dice.choose(&[Siblings::Cancel, Siblings::Finish]) }
}

fn called(dice: &mut Dice, inner_max: usize) -> Definition {
    let inside = case(dice, inner_max.saturating_sub(2).max(1));
    let call = Call::of(inside).input("input");
    let call = if dice.one_in(3) { call.optional() } else { call };
    let builder = Definition::builder("outer").policy(policy(dice)).call("call", call).task("beside", "h");
    match dice.below(3) {
        0 => builder,
        1 => builder.after("call"),
        _ => builder.task("after", "h").after("call"),
    }
    .build()
}

/// A graph, or a single task, inside of a node that stands beside another task.
fn inside(dice: &mut Dice, place: &Place, inner_max: usize) -> Definition {
    let graph = case(dice, inner_max.saturating_sub(2).max(1));
    let body = |dice: &mut Dice, graph: Definition| match dice.below(3) {
        0 => Inside::from("h"),
        1 => Task::external().into(),
        _ => graph.into(),
    };
    let builder = Definition::builder("outer").policy(policy(dice));
    let builder = match place {
        Place::Mapped => {
            let list = Document::from_json(br#"[{"x": 1}, {"x": 3}]"#).expect("it is a document");
            let builder = builder.map("inside", list, body(dice, graph));
            let builder = if dice.one_in(3) { builder.max_concurrency(1) } else { builder };
            if dice.one_in(3) { builder.tolerate(Tolerance::Count(1)) } else { builder }
        }
        Place::Repeated => {
            let conditions = [
                LoopCondition::until("round >= 2"),
                LoopCondition::until("output"),
                LoopCondition::while_true("round <= 2"),
            ];
            let builder = builder.repeat("inside", body(dice, graph), dice.choose(&conditions).clone(), 3);
            if dice.one_in(2) { builder.round_delay(Duration::from_micros(5)) } else { builder }
        }
        _ => builder.group("inside", graph),
    };
    let builder = if dice.one_in(4) { builder.optional() } else { builder };
    match dice.below(3) {
        0 => builder.task("beside", "h"),
        1 => builder.task("beside", "h").after("inside"),
        _ => builder.task("after", "h").after("inside"),
    }
    .build()
}
