//! Random workflows, in a form that all lives of a process share.

use std::sync::Arc;
use std::time::Duration;

use finale_core::compile::{self, Registry};
use finale_core::definition::{
    Body, Call, Definition, Document, Group, Items, Loop, LoopCondition, Map, NodeKind, OnFailure, Policy, Siblings,
    Task, Tolerance,
};
use finale_core::number::HandlerNo;
use finale_core::task_engine::TaskNode;
use finale_core::{Compiled, WaitingFor, WorkKey};

use crate::dice::Dice;
use crate::endings;
use crate::random::Case;

/// The handlers of all processes: one without a limit, one with, and one that blocks its thread.
pub(super) const HANDLERS: u16 = 3;

#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) compiled: Arc<Compiled>,
    pub(super) nodes: Box<[TaskNode]>,
    /// Whether its scopes have something to do at their ends, and a twin reads it.
    pub(super) has_endings: bool,
}

impl Flow {
    pub(super) fn random(dice: &mut Dice) -> Self {
        if dice.one_in(4) {
            return Self::with_endings(dice);
        }
        loop {
            let mut definition = graph(dice, 9);
            if dice.one_in(3) {
                add_calls(&mut definition, dice);
            }
            if dice.one_in(3) {
                add_bodies(&mut definition, dice);
            }
            let Ok(compiled) = compile::compile(definition, &Registry::new()) else { continue };
            return Self::of(compiled, dice);
        }
    }

    /// One whose scopes have something to do at their ends; nothing else is special about it.
    fn with_endings(dice: &mut Dice) -> Self {
        let mut definition = endings::definition(dice);
        definition.ending_within = dice.one_in(3).then(|| Duration::from_micros(100 + dice.below(3_000) as u64));
        let compiled = compile::compile(definition, &Registry::new()).expect("it is sound");
        Self { has_endings: true, ..Self::of(compiled, dice) }
    }

    fn of(compiled: Compiled, dice: &mut Dice) -> Self {
        let mut nodes = TaskNode::all_of(&compiled, |_| Some(HandlerNo(0)));
        for node in &mut nodes {
            node.handler = node.handler.map(|_| HandlerNo(dice.below(usize::from(HANDLERS)) as u16));
        }
        Self { compiled: Arc::new(compiled), nodes, has_endings: false }
    }

    /// The verifications that wait for a verdict, also in what is called.
    pub(super) fn judged(&self, state: &finale_core::Execution) -> Vec<WorkKey> {
        let awaited = state.why(&self.compiled).awaited.into_iter();
        let judged = awaited.filter(|awaited| awaited.waiting_for == Some(WaitingFor::Verdict));
        judged.filter_map(|awaited| state.resolve(&self.compiled, &awaited.node.parse().ok()?)).collect()
    }

    /// The nodes that wait for an operator, also in what is called.
    pub(super) fn held(&self, state: &finale_core::Execution) -> Vec<WorkKey> {
        let awaited = state.why(&self.compiled).awaited.into_iter();
        let held = awaited.filter(|awaited| awaited.waiting_for == Some(WaitingFor::Operator));
        held.filter_map(|awaited| Some(awaited.task_id?.key)).collect()
    }
}

fn graph(dice: &mut Dice, nodes_max: usize) -> Definition {
    let node = |dice: &mut Dice| (dice.byte(), dice.byte(), dice.byte(), dice.byte(), dice.byte());
    let nodes = (0..dice.below(nodes_max)).map(|_| node(dice)).collect();
    let case = Case { nodes, inputs: Vec::new(), head: (dice.byte(), dice.byte(), dice.one_in(2)) };
    case.definition(policy(dice))
}

fn policy(dice: &mut Dice) -> Policy {
    let ways = [OnFailure::FailFast, OnFailure::WaitAll, OnFailure::Tolerate { count: 1 }];
    let siblings = *dice.choose(&[Siblings::Cancel, Siblings::Finish]);
    Policy { on_failure: *dice.choose(&ways), siblings }
}

/// Lets some tasks of a definition be done by other workflows, and some tasks of one of these by the other.
fn add_calls(definition: &mut Definition, dice: &mut Dice) {
    let mut inner = Definition { id: "inner".to_owned(), ..graph(dice, 4) };
    let mut outer = Definition { id: "outer".to_owned(), ..graph(dice, 5) };
    replace_tasks(&mut outer, &["inner"], dice);
    replace_tasks(definition, &["inner", "outer"], dice);
    // What its own output is is said by its definition; half of the time it is that of the last tasks.
    if dice.one_in(2) {
        (inner.output, outer.output) = (None, None);
    }
    definition.workflows = vec![inner, outer];
}

/// Lets some tasks of a definition be done for each item of a list, round by round, or by a graph inside.
fn add_bodies(definition: &mut Definition, dice: &mut Dice) {
    let list = |dice: &mut Dice| {
        let items = vec![r#"{"x": 2}"#; dice.below(4)].join(",");
        Items::List(Document::from_json(format!("[{items}]").as_bytes()).expect("it is a document"))
    };
    for node in &mut definition.nodes {
        let NodeKind::Task(task) = &node.kind else { continue };
        if !dice.one_in(3) {
            continue;
        }
        let optional = task.optional;
        let single = Task { optional: false, input: None, ..task.clone() };
        let body = match dice.below(3) {
            0 => Body::Graph(graph(dice, 3).into()),
            _ => Body::Task(Box::new(single)),
        };
        node.kind = match dice.below(5) {
            0 | 1 => NodeKind::Map(Map {
                items: list(dice),
                body,
                max_concurrency: dice.one_in(2).then(|| 1 + dice.below(2) as u32),
                tolerate: dice.one_in(2).then(|| *dice.choose(&[Tolerance::Count(1), Tolerance::Percent(50)])),
                optional,
            }),
            2 | 3 => {
                let conditions = [
                    LoopCondition::until("round >= 2"),
                    LoopCondition::until("output"),
                    LoopCondition::while_true("round <= 2"),
                ];
                let delay = *dice.choose(&[Duration::ZERO, Duration::from_secs(3)]);
                NodeKind::Loop(Loop {
                    body,
                    condition: dice.choose(&conditions).clone(),
                    rounds_max: 3,
                    delay,
                    optional,
                })
            }
            _ => NodeKind::Group(Group { graph: graph(dice, 4).into(), optional }),
        };
    }
}

fn replace_tasks(definition: &mut Definition, called: &[&str], dice: &mut Dice) {
    for node in &mut definition.nodes {
        if matches!(node.kind, NodeKind::Task(_)) && dice.one_in(3) {
            let call = Call::to(*dice.choose(called), "1.0.0").input("input");
            let call = if dice.one_in(4) { call.optional() } else { call };
            let call = if dice.one_in(4) { call.output("output") } else { call };
            node.kind = call.into();
            if let (NodeKind::Subworkflow(call), true) = (&mut node.kind, dice.one_in(3)) {
                call.policy = Some(policy(dice));
            }
        }
    }
}
