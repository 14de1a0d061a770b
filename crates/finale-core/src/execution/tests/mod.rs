//! Tests of what only the core itself can build: definitions whose nodes open scopes.

mod budget;
mod calls;
mod calls_with_rules;
mod compensated_items;
mod compensation;
mod custom_status;
mod finally;
mod groups;
mod held_compensation;
mod loops;
mod maps;
mod outcomes;
mod retries;
mod rules;
mod tree;

use std::sync::Arc;

use super::*;
use crate::compile::{Registry, compile};
use crate::compiled::{Opening, OpeningKind};
use crate::definition::{Definition, OnFailure, Policy, Task};
use crate::fact::Recorded;
use crate::failure::{Failure, FailureClass};
use crate::id::NodeIndex;
use crate::path::NodePath;
use crate::status::WaitingFor;

/// A node that opens scopes, by its id in the graph that it is in, and what runs there.
struct Body {
    node: &'static str,
    kind: OpeningKind,
    definition: Compiled,
}

impl Compiled {
    /// Puts graphs inside: the nodes that open them are written as tasks, because nothing else can be written yet.
    ///
    /// A body may have bodies itself.
    fn with_bodies(mut self, bodies: Vec<Body>) -> Self {
        for Body { node, kind, definition } in bodies {
            let opener = self.position(node).expect("the graph has the node that opens the body");
            let opening = Opening { graph: self.graphs.len() as u32, kind };
            self.nodes[opener.as_usize()].step = Step::Open(opening);
            self.append(definition);
        }
        self
    }

    fn append(&mut self, body: Self) {
        let (nodes, edges, graphs) = (self.nodes.len() as u32, self.edges.len() as u32, self.graphs.len() as u32);
        let moved = |position: NodeIndex| NodeIndex(position.0 + nodes);
        let appended = body.nodes.into_iter().map(|mut node| {
            node.out = node.out.start + edges..node.out.end + edges;
            if let Step::Open(opening) = &mut node.step {
                opening.graph += graphs;
            }
            node
        });
        self.nodes = std::mem::take(&mut self.nodes).into_iter().chain(appended).collect();
        let appended = body.edges.into_iter().map(|mut edge| {
            edge.target += nodes;
            edge
        });
        self.edges = std::mem::take(&mut self.edges).into_iter().chain(appended).collect();
        let appended = body.graphs.into_iter().map(|mut graph| {
            graph.first += nodes;
            graph.start = moved(graph.start);
            graph.sinks.iter_mut().for_each(|sink| *sink = moved(*sink));
            graph
        });
        self.graphs = std::mem::take(&mut self.graphs).into_iter().chain(appended).collect();
        let appended = body.definition.nodes.into_iter().chain(body.inner);
        self.inner = std::mem::take(&mut self.inner).into_iter().chain(appended).collect();
    }
}

fn compiled(definition: Definition) -> Compiled {
    compile(definition, &Registry::default()).expect("the definition of a test compiles")
}

/// One task with a handler, without any control nodes around it: what the body of a map of one task is.
fn one_task(node: &'static str) -> Compiled {
    let mut one = compiled(Definition::builder("body").task(node, "work").build());
    let task = one.position(node).unwrap();
    one.nodes[task.as_usize()].out = 0..0;
    let mut all = std::mem::take(&mut one.nodes).into_vec();
    one.nodes = Box::new([all.swap_remove(task.as_usize())]);
    one.definition.nodes = vec![one.definition.nodes.swap_remove(task.as_usize())];
    one.edges = Box::new([]);
    one.index = Arc::new(std::iter::once((node.to_owned(), 0)).collect());
    let graph = &mut one.graphs[0];
    graph.index = Arc::clone(&one.index);
    (graph.start, graph.sinks, graph.in_degrees) = (NodeIndex(0), Box::new([NodeIndex(0)]), Box::new([0]));
    one
}

/// An execution, its history, and what is to be done for it.
struct Run {
    definition: Compiled,
    execution: Execution,
    turn: Turn,
    history: Vec<u8>,
    effects: Vec<Effect>,
}

impl Run {
    fn new(definition: Compiled) -> Self {
        let execution = Execution::new(id(), &definition);
        Self { definition, execution, turn: Turn::new(), history: Vec::new(), effects: Vec::new() }
    }

    fn activated(definition: Compiled, input: &str) -> Self {
        let mut run = Self::new(definition);
        let activation = Activation {
            definition: run.definition.hash(),
            semantics: SEMANTICS,
            input: Payload::from_json(input.as_bytes()).unwrap(),
            by: "tester".into(),
            deadline: None,
            idempotency_key: None,
            business_key: None,
        };
        run.tell(Input::Activate(activation));
        run
    }

    fn try_tell(&mut self, input: Input) -> Result<(), Refused> {
        let told = self.execution.handle(&self.definition, Time::from_micros(1_000), input, &mut self.turn);
        self.history.extend_from_slice(self.turn.facts());
        self.turn.appended();
        let effects = self.turn.take_effects();
        self.effects.extend(effects.iter().cloned());
        self.turn.reuse_effects(effects);
        told
    }

    fn tell(&mut self, input: Input) {
        self.try_tell(input).expect("it is taken");
    }

    /// Goes on until nothing more follows; says how often it had to.
    fn go_on(&mut self) -> usize {
        let mut times = 0;
        while self.execution.continuing {
            let before = self.effects.len();
            self.tell(Input::Continue);
            times += 1;
            let is_asked_for = self.effects[before..].contains(&Effect::Continue);
            assert_eq!(is_asked_for, self.execution.continuing, "nobody tells it to go on again");
        }
        times
    }

    /// The handlers that are to be at work.
    fn at_work(&self) -> Vec<Dispatch> {
        let run = |effect| if let Effect::Run { dispatch, .. } = effect { Some(dispatch) } else { None };
        self.execution.under_way(&self.definition).into_iter().filter_map(run).collect()
    }

    fn work(&self, path: &str) -> Dispatch {
        let path: NodePath = path.parse().unwrap();
        let key = self.execution.resolve(&self.definition, &path).unwrap_or_else(|| panic!("there is no {path}"));
        assert_eq!(self.execution.path(&self.definition, key), Some(path));
        let attempt = self.execution.state_at(key).attempt().unwrap_or(AttemptNo::FIRST);
        Dispatch { key, attempt, epoch: self.execution.epoch() }
    }

    fn done(&mut self, path: &str, output: &str) {
        let result = Ok(Payload::from_json(output.as_bytes()).unwrap());
        let dispatch = self.work(path);
        self.tell(Input::Outcome { dispatch, result, started: Time::default(), ended: Time::default() });
    }

    fn failed(&mut self, path: &str, reason: &str) {
        let result = Err(Failure::new(FailureClass::Failed, reason));
        let dispatch = self.work(path);
        self.tell(Input::Outcome { dispatch, result, started: Time::default(), ended: Time::default() });
    }

    fn stopped(&mut self, dispatch: Dispatch) {
        self.tell(Input::Stopped { dispatch, how: crate::fact::StopOutcome::Stopped });
    }

    fn status_of(&self, path: &str) -> NodeStatus {
        let key = self.execution.resolve(&self.definition, &path.parse().unwrap()).unwrap();
        self.execution.node_status(key).unwrap()
    }

    /// The state is the fold of its history, and a replay has the same effects.
    fn check(&self) {
        let folded = Execution::fold(id(), &self.definition, &self.history).expect("the history can be folded");
        assert!(folded == self.execution, "the state is not the fold of its history");
        let mut replayed = Replayed::default();
        let mut execution = Execution::new(id(), &self.definition);
        for recorded in Facts::new(&self.history) {
            let Recorded { at, fact } = recorded.expect("it can be read");
            execution.apply(&self.definition, at, fact, &mut replayed).expect("it fits");
        }
        assert_eq!(replayed.0, self.effects, "a replay has other effects");
    }

    fn output_at(&self, path: &str) -> String {
        let key = self.execution.resolve(&self.definition, &path.parse().unwrap()).unwrap();
        let output = self.execution.output_of(key).expect("it has an output");
        String::from_utf8(output.as_bytes().to_vec()).unwrap()
    }

    fn output(&self) -> String {
        let outcome = self.execution.end_outcome(&self.definition).expect("it has ended");
        match outcome.end {
            crate::record::End::Completed { output } => String::from_utf8(output.as_bytes().to_vec()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn error(&self) -> String {
        let outcome = self.execution.end_outcome(&self.definition).expect("it has ended");
        outcome.error().expect("it failed").to_string()
    }
}

#[derive(Default)]
struct Replayed(Vec<Effect>);

impl EffectSink for Replayed {
    fn effect(&mut self, effect: Effect) {
        self.0.push(effect);
    }
}

impl Execution {
    /// How many bytes of memory it takes, at most: a tree may have its nodes half full.
    fn allocated(&self) -> usize {
        let scopes =
            self.inner.values().map(|scope| size_of::<Scope>() + scope.allocated() + 2 * (4 + 8)).sum::<usize>();
        let nests = self.nests.values().map(|nest| size_of::<Nest>() + nest.allocated() + 2 * (8 + 8)).sum::<usize>();
        let keys =
            self.settled.capacity() + self.opening.capacity() + self.undecided.capacity() + self.held_back.capacity();
        let lists = 8 * keys + 4 * self.dispatching.capacity() + 4 * self.unjudged.capacity();
        size_of::<Self>() + self.root.allocated() + scopes + nests + lists
    }
}

fn id() -> ExecutionId {
    ExecutionId::from_uuid(uuid::Uuid::from_u128(7))
}
