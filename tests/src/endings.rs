//! Random workflows with `finally` and `compensate` in all places, and a twin of their executions: the naive reading of each
//! fact that the core records.

mod draw;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use finale_core::definition::{Body, Definition, NodeKind};
use finale_core::execution::{Command, Execution};
use finale_core::fact::{Activation, Decision, EndRequest, Fact, Timer};
use finale_core::path::{Instance, NodePath};
use finale_core::record::{NodeRecord, NodeRecordState};
use finale_core::{AttemptNo, Compiled, WorkKey};

pub use draw::{compiled, definition};

use crate::naive::{COMPENSATION, FINALLY, Mistake, Told, Tree, body_graph, graph_inside};

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
        let way = |twin: &Self, key: WorkKey| twin.way(&before.path(compiled, key).expect("its scope is open"));
        let told = |twin: &mut Self, key: WorkKey, attempt: AttemptNo, told: &Told| {
            let way = way(twin, key);
            twin.tree.tell(&way, attempt, told, &activation)
        };
        match fact {
            Fact::Outcome { key, attempt, result, .. } => told(self, *key, *attempt, &Told::Outcome(result.clone())),
            Fact::Reported { key, attempt, result, .. } => told(self, *key, *attempt, &Told::Reported(result.clone())),
            Fact::AttemptStopped { key, attempt, how } => told(self, *key, *attempt, &Told::Stopped(*how)),
            Fact::Decided { key, decision: Decision::Verdict(verdict, _) } => {
                told(self, *key, AttemptNo::FIRST, &Told::Judged(*verdict))
            }
            Fact::TimerFired(Timer::Timeout(key, attempt)) => told(self, *key, *attempt, &Told::TimedOut),
            Fact::TimerFired(Timer::Backoff(key, attempt)) => told(self, *key, *attempt, &Told::BackoffOver),
            Fact::TimerFired(Timer::Total(key)) => told(self, *key, AttemptNo::FIRST, &Told::OutOfTime),
            Fact::TimerFired(Timer::Wait(key)) => {
                let way = way(self, *key);
                self.tree.wait_is_over(&way, &activation)
            }
            Fact::Signalled(signal) => self.tree.signal(signal, &activation),
            Fact::TimerFired(Timer::Round(key, round)) => {
                let way = way(self, *key);
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
                let way = way(self, operation.key);
                self.tree.operate(&way, &operation.action, &activation)
            }
            // What is decided by evaluation the twin decides itself, and more of what follows it has drawn at once.
            Fact::Decided { .. } | Fact::Continued | Fact::Ended(_) | Fact::Ending(_) | Fact::Activated(_) => Ok(()),
            // A line that is only shown changes nothing.
            Fact::CustomStatusSet(_) => Ok(()),
        }
    }

    /// How the execution differs from its twin, when all that follows from what was said is drawn.
    pub fn difference(&self, compiled: &Compiled, execution: &Execution) -> Option<String> {
        let (status, expected) = (execution.status(), self.tree.status());
        let records = execution.record(compiled).nodes;
        let nodes: BTreeMap<_, _> = records.iter().map(|node| (node.id.clone(), node.state.status())).collect();
        let mut wanted = BTreeMap::new();
        self.tree.statuses("", &mut wanted);
        // The only task of a body has no start and no end around it.
        let is_around = |id: &str| id.ends_with("::start") || id.ends_with("::end");
        wanted.retain(|id, _| nodes.contains_key(id) || !is_around(id));
        let (running, at_work) = (execution.running(), self.tree.running());
        if (status, &nodes, running) == (expected, &wanted, at_work) {
            return self.difference_of_signals(execution).or_else(|| self.difference_of_causes(&records));
        }
        let differs = |(id, status): &(&String, &finale_core::NodeStatus)| wanted.get(*id) != Some(*status);
        let wrong = nodes.iter().filter(differs).map(|(id, status)| (id, status, wanted.get(id)));
        let wrong: Vec<_> = wrong.collect();
        let missing: Vec<_> = wanted.iter().filter(|(id, _)| !nodes.contains_key(*id)).collect();
        Some(format!(
            "it is {status} with {running} at work, and should be {expected} with {at_work}: {wrong:?}, missing {missing:?}"
        ))
    }

    fn difference_of_signals(&self, execution: &Execution) -> Option<String> {
        let left = execution.signals_left().into_iter();
        let left: Vec<_> = left.map(|signal| (signal.name, signal.payload.decode().expect("it is JSON"))).collect();
        let wanted = self.tree.signals_left();
        (left != wanted).then(|| format!("{left:?} are left, and should be {wanted:?}"))
    }

    /// What a call or a group failed of is said with the whole path of each node that it failed by.
    fn difference_of_causes(&self, records: &[NodeRecord]) -> Option<String> {
        let mut causes = BTreeMap::new();
        self.tree.causes("", &mut causes);
        causes.into_iter().find_map(|(path, wanted)| {
            let record = records.iter().find(|record| record.id == path)?;
            let NodeRecordState::Failed { error, .. } = &record.state else { return None };
            let (_class, said) = error.split_once(": ")?;
            let said: Vec<&str> = said.split("; ").collect();
            let is_said = |cause: &String| said.iter().any(|words| words.starts_with(cause.as_str()));
            let is_meant = |words: &&str| wanted.iter().any(|cause| words.starts_with(cause.as_str()));
            // What fails after the end was decided is not said any more.
            let is_right = wanted.first().is_some_and(is_said) && said.iter().all(is_meant);
            (!is_right).then(|| format!("{path} failed of {wanted:?}, and says {error:?}"))
        })
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
