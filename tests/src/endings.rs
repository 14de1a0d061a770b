//! Random workflows with `finally` and `compensate` in all places, and a twin of their executions: the naive reading of each
//! fact that the core records.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use finale_core::compile::{Registry, compile};
use finale_core::definition::{
    Body, Call, Definition, Document, Inside, Items, LoopCondition, NodeKind, OnFailure, Policy, Siblings, Task,
    Tolerance,
};
use finale_core::execution::{Command, Execution};
use finale_core::fact::{Activation, EndRequest, Fact, Timer};
use finale_core::path::{Instance, NodePath};
use finale_core::{Compiled, WorkKey};

use crate::dice::Dice;
use crate::naive::{COMPENSATION, FINALLY, Mistake, Told, Tree, body_graph, graph_inside};

fn policy(dice: &mut Dice) -> Policy {
    let ways = [OnFailure::FailFast, OnFailure::FailFast, OnFailure::WaitAll, OnFailure::Tolerate { count: 1 }];
    Policy { on_failure: *dice.choose(&ways), siblings: *dice.choose(&[Siblings::Cancel, Siblings::Finish]) }
}

/// What undoes a node or runs at the end.
fn ending(dice: &mut Dice, depth: usize, called: &[&str]) -> Inside {
    match dice.below(6) {
        0 => Task::external().into(),
        // What a `finally` does with failures is not its to say.
        1 if depth > 0 => {
            let graph = workflow(dice, "ending", depth - 1, &[]);
            Definition { policy: Policy::default(), ..graph }.into()
        }
        2 if !called.is_empty() => Call::to(*dice.choose(called), "1.0.0").input("input").into(),
        _ => "h".into(),
    }
}

/// Items and rounds, of which there is at least one: what takes no time at all completes in an order that nobody sees.
fn repeated(
    builder: finale_core::definition::DefinitionBuilder,
    id: String,
    dice: &mut Dice,
    depth: usize,
) -> finale_core::definition::DefinitionBuilder {
    let body: Inside = if dice.one_in(3) { "h".into() } else { workflow(dice, "body", depth - 1, &[]).into() };
    if dice.one_in(2) {
        let items: Vec<String> = (0..1 + dice.below(3)).map(|number| format!("{number}")).collect();
        let list = Document::from_json(format!("[{}]", items.join(",")).as_bytes()).expect("it is a document");
        let builder = builder.map(id, Items::List(list), body);
        let builder = if dice.one_in(3) { builder.max_concurrency(1) } else { builder };
        return if dice.one_in(3) { builder.tolerate(Tolerance::Count(1)) } else { builder };
    }
    let condition = match dice.below(3) {
        0 => LoopCondition::until(format!("round >= {}", 1 + dice.below(3))),
        1 => LoopCondition::while_true(format!("round <= {}", 1 + dice.below(2))),
        _ => LoopCondition::until("output"),
    };
    let builder = builder.repeat(id, body, condition, 1 + dice.below(3) as u32);
    if dice.one_in(2) { builder.round_delay(Duration::from_secs(1)) } else { builder }
}

/// A workflow of handlers, people, groups, maps, loops and calls of these workflows, many of which can be undone.
pub fn workflow(dice: &mut Dice, id: &str, depth: usize, called: &[&str]) -> Definition {
    let mut builder = Definition::builder(id).policy(policy(dice));
    let count = 1 + dice.below(3);
    for number in 0..count {
        let id = format!("n{number}");
        builder = match dice.below(8) {
            0 => builder.task(id, Task::external()),
            1 if depth > 0 => builder.group(id, workflow(dice, "group", depth - 1, called)),
            2 if depth > 0 => repeated(builder, id, dice, depth),
            3 if !called.is_empty() => builder.call(id, Call::to(*dice.choose(called), "1.0.0").input("input")),
            _ => builder.task(id, "h"),
        };
        if dice.one_in(6) {
            builder = builder.optional();
        }
        if dice.one_in(2) {
            let body = ending(dice, depth.min(1), called);
            builder = builder.compensate(body);
        }
        if number > 0 && !dice.one_in(3) {
            builder = builder.after(format!("n{}", dice.below(number)));
        }
    }
    if dice.one_in(3) {
        let body = ending(dice, depth.min(1), called);
        builder = builder.finally(body);
    }
    builder.build()
}

/// A whole one, with the workflow that it calls.
pub fn definition(dice: &mut Dice) -> Definition {
    let inner = workflow(dice, "inner", 0, &[]);
    Definition { workflows: vec![inner], ..workflow(dice, "root", 2, &["inner"]) }
}

/// The naive twin of an execution.
#[derive(Clone, Debug)]
pub struct Twin {
    definition: Definition,
    tree: Tree,
    activation: Option<Activation>,
}

impl Twin {
    /// The twin of an execution to which nothing has happened; it may misread a rule.
    pub fn new(definition: &Definition, mistake: Option<Mistake>) -> Self {
        let library = definition.workflows.clone();
        let tree = Tree::new(definition.clone(), library).misread(mistake);
        Self { definition: definition.clone(), tree, activation: None }
    }

    /// Takes in a fact that was recorded; `before` is the execution before it was taken in.
    ///
    /// # Errors
    /// What the twin says of it, if that is not that it is right.
    pub fn take(&mut self, compiled: &Compiled, before: &Execution, fact: &Fact) -> Result<(), String> {
        let told = catch_unwind(AssertUnwindSafe(|| self.tell(compiled, before, fact)));
        match told {
            Ok(Ok(())) => Ok(()),
            Ok(Err(no)) => Err(format!("{fact:?} was taken, and should have been refused: {no:?}")),
            Err(_) => Err(format!("{fact:?} could not be")),
        }
    }

    fn tell(&mut self, compiled: &Compiled, before: &Execution, fact: &Fact) -> Result<(), crate::naive::No> {
        if let Fact::Activated(activation) = fact {
            self.activation = Some(activation.clone());
            return self.tree.activate(activation);
        }
        let activation = self.activation.clone().expect("it was activated first");
        let way = |key: WorkKey| self.way(&before.path(compiled, key).expect("its scope is open"));
        match fact {
            Fact::Outcome { key, attempt, result, .. } => {
                let way = way(*key);
                self.tree.tell(&way, *attempt, &Told::Outcome(result.clone()), &activation)
            }
            Fact::Reported { key, attempt, result, .. } => {
                let way = way(*key);
                self.tree.tell(&way, *attempt, &Told::Reported(result.clone()), &activation)
            }
            Fact::AttemptStopped { key, attempt, .. } => {
                let way = way(*key);
                self.tree.tell(&way, *attempt, &Told::Stopped, &activation)
            }
            Fact::TimerFired(Timer::Round(key, round)) => {
                let way = way(*key);
                self.tree.fire(&way, *round, &activation)
            }
            Fact::TimerFired(Timer::Deadline) => self.tree.deadline(&activation),
            Fact::TimerFired(Timer::EndingWithin) => {
                self.tree.command(Command::ForceCancel { by: "time".into() }, &activation)
            }
            Fact::Ending(EndRequest::Cancel(by)) => self.tree.command(Command::Cancel { by: by.clone() }, &activation),
            Fact::Ending(EndRequest::ForceCancel(by)) => {
                self.tree.command(Command::ForceCancel { by: by.clone() }, &activation)
            }
            Fact::Ending(EndRequest::Complete(by)) => {
                self.tree.command(Command::Complete { by: by.clone() }, &activation)
            }
            Fact::Ending(EndRequest::Fail { by, reason }) => {
                self.tree.command(Command::Fail { by: by.clone(), reason: reason.clone() }, &activation)
            }
            Fact::Recovered { .. } => {
                self.tree.recover(&activation);
                Ok(())
            }
            Fact::Operated(operation) => {
                let way = way(operation.key);
                self.tree.operate(&way, &operation.action, &activation)
            }
            // What is decided by evaluation the twin decides itself.
            _ => Ok(()),
        }
    }

    /// How the execution differs from its twin, when all that follows from what was said is drawn.
    pub fn difference(&self, compiled: &Compiled, execution: &Execution) -> Option<String> {
        let (status, expected) = (execution.status(), self.tree.status());
        let nodes = execution.record(compiled).nodes.into_iter();
        let nodes: BTreeMap<_, _> = nodes.map(|node| (node.id.clone(), node.state.status())).collect();
        let mut wanted = BTreeMap::new();
        self.tree.statuses("", &mut wanted);
        // The only task of a body has no start and no end around it.
        let is_around = |id: &str| id.ends_with("::start") || id.ends_with("::end");
        wanted.retain(|id, _| nodes.contains_key(id) || !is_around(id));
        let (running, at_work) = (execution.running(), self.tree.running());
        if (status, &nodes, running) == (expected, &wanted, at_work) {
            return None;
        }
        let differs = |(id, status): &(&String, &finale_core::NodeStatus)| wanted.get(*id) != Some(*status);
        let wrong = nodes.iter().filter(differs).map(|(id, status)| (id, status, wanted.get(id)));
        let wrong: Vec<_> = wrong.collect();
        let missing: Vec<_> = wanted.iter().filter(|(id, _)| !nodes.contains_key(*id)).collect();
        Some(format!(
            "it is {status} with {running} at work, and should be {expected} with {at_work}: {wrong:?}, missing {missing:?}"
        ))
    }

    fn way(&self, path: &NodePath) -> Vec<(usize, u32)> {
        let library = &self.definition.workflows;
        let mut definition = self.definition.clone();
        let mut way = Vec::new();
        let place = |definition: &Definition, id: &str| {
            definition.nodes.iter().position(|node| node.id == id).expect("the path is right")
        };
        for step in path.within() {
            if step.instance == Instance::Finally {
                way.push(FINALLY);
                definition = of_finally(definition.finally.as_deref().expect("there is one"));
                continue;
            }
            let number = place(&definition, &step.node);
            let node = definition.nodes[number].clone();
            way.push((
                number,
                match step.instance {
                    Instance::Item(index) => index,
                    Instance::Round(round) => round - 1,
                    Instance::Compensation => COMPENSATION,
                    _ => 0,
                },
            ));
            definition = match step.instance {
                Instance::Compensation => body_graph(&node).expect("it can be undone"),
                _ => graph_inside(&node, library).expect("something is inside"),
            };
        }
        way.push((place(&definition, path.node()), 0));
        way
    }
}

fn of_finally(body: &Body) -> Definition {
    match body {
        Body::Graph(graph) => Definition {
            nodes: graph.nodes.clone(),
            edges: graph.edges.clone(),
            finally: graph.finally.clone(),
            ..Definition::new("finally")
        },
        Body::Task(task) => Definition::builder("finally").task("finally", (**task).clone()).build(),
        Body::Call(call) => {
            Definition::builder("finally").node("finally", NodeKind::Subworkflow((**call).clone())).build()
        }
    }
}

/// A compiled one; the same number gives the same one.
///
/// # Panics
/// When one of them does not compile.
pub fn compiled(dice: &mut Dice) -> Compiled {
    compile(definition(dice), &Registry::new()).expect("it is sound")
}
