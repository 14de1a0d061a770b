//! Writes definitions down in one line: `chart("s>a a>b b>e")`.

use std::time::Duration;

use finale_core::definition::{
    Conditional, Definition, Delivery, Edge, EdgeKind, JoinStrategy, Losers, Node, NodeKind, OnFailure, ParallelJoin,
    ParallelSplit, Policy, Retry, Siblings, Signal, Task, TriggerRule, Verdict, Verification, Wait, Work,
};

/// A definition in the making.
#[derive(Clone, Debug)]
pub struct Chart(Definition);

/// Reads edges `from>to` and `from:kind>to`, where kind is `true`, `false`, `pass`, `fail`, `refer`, `branch` or, where the
/// target handles the failure, `failed`, and where it runs if a signal does not come, `timeout`.
///
/// What a node is follows from its edges and its name: `s` is the start, `e` the end, one whose name begins with `join`
/// is a join, one with a kind of edge that only one kind of node has is that; all others are tasks with a handler.
///
/// # Panics
/// When a word is no edge.
pub fn chart(edges: &str) -> Chart {
    let mut chart = Chart(Definition {
        id: "test".to_owned(),
        name: "Test".to_owned(),
        version: "1.0.0".to_owned(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        input_schema: None,
        output_schema: None,
        policy: Policy::default(),
        output: None,
        finally: None,
        ending_within: None,
        nodes: Vec::new(),
        edges: Vec::new(),
        workflows: Vec::new(),
    });
    for word in edges.split_whitespace() {
        let (from, to) = word.split_once('>').expect("an edge is written from>to");
        let (from, kind) = from.split_once(':').unwrap_or((from, ""));
        chart.add(from, edge_kind(kind), to);
    }
    chart
}

fn edge_kind(word: &str) -> EdgeKind {
    match word {
        "" => EdgeKind::Sequential,
        "true" => EdgeKind::ConditionalTrue,
        "false" => EdgeKind::ConditionalFalse,
        "pass" => EdgeKind::VerificationPass,
        "fail" => EdgeKind::VerificationFail,
        "refer" => EdgeKind::VerificationRefer,
        "branch" => EdgeKind::ParallelBranch,
        "failed" => EdgeKind::OnFailure,
        "timeout" => EdgeKind::OnTimeout,
        _ => panic!("{word:?} is no kind of edge"),
    }
}

impl Chart {
    fn add(&mut self, from: &str, kind: EdgeKind, to: &str) {
        for id in [from, to] {
            if !self.0.nodes.iter().any(|node| node.id == id) {
                self.0.nodes.push(Node::new(id, format!("Do {id}"), by_name(id)));
            }
        }
        match kind {
            EdgeKind::Sequential | EdgeKind::OnFailure | EdgeKind::OnTimeout => {}
            EdgeKind::ConditionalTrue | EdgeKind::ConditionalFalse => {
                *self.kind(from) = NodeKind::Conditional(Conditional::default());
            }
            EdgeKind::ParallelBranch => *self.kind(from) = NodeKind::ParallelSplit(ParallelSplit::default()),
            EdgeKind::VerificationPass | EdgeKind::VerificationFail | EdgeKind::VerificationRefer => {
                *self.kind(from) = NodeKind::Verification(verification(None));
            }
        }
        let id = format!("{}", self.0.edges.len());
        self.0.edges.push(Edge { id, source: from.to_owned(), target: to.to_owned(), kind, label: None });
    }

    fn kind(&mut self, id: &str) -> &mut NodeKind {
        let node = self.0.nodes.iter_mut().find(|node| node.id == id);
        &mut node.expect("the chart has this node").kind
    }

    /// Changes a task.
    ///
    /// # Panics
    /// When the node is no task.
    #[must_use]
    pub fn task(mut self, id: &str, change: impl FnOnce(&mut Task)) -> Self {
        match self.kind(id) {
            NodeKind::Task(task) => change(task),
            kind => panic!("{id:?} is a {}, not a task", kind.name()),
        }
        self
    }

    /// Makes a task one for somebody outside.
    #[must_use]
    pub fn outside(self, id: &str) -> Self {
        self.task(id, |task| task.work = Work::External)
    }

    /// The handler of a task begins at most once.
    #[must_use]
    pub fn at_most_once(self, id: &str) -> Self {
        self.task(id, |task| task.delivery = Delivery::AtMostOnce)
    }

    /// Tries a task that often, with a pause between.
    #[must_use]
    pub fn retry(self, id: &str, attempts: u16, backoff: Duration) -> Self {
        self.task(id, |task| task.retry = Retry::attempts(attempts).backoff(backoff))
    }

    /// Says how long one attempt at a task may take.
    #[must_use]
    pub fn timeout(self, id: &str, timeout: Duration) -> Self {
        self.task(id, |task| task.timeout = Some(timeout))
    }

    /// Says what the input of a task is.
    #[must_use]
    pub fn input(self, id: &str, expression: &str) -> Self {
        self.task(id, |task| task.input = Some(expression.to_owned()))
    }

    /// Says what a conditional decides by.
    #[must_use]
    pub fn condition(mut self, id: &str, condition: &str) -> Self {
        *self.kind(id) = NodeKind::Conditional(Conditional { condition: Some(condition.to_owned()) });
        self
    }

    /// Gives the verdict of a verification in advance.
    #[must_use]
    pub fn preset(mut self, id: &str, verdict: Verdict) -> Self {
        *self.kind(id) = NodeKind::Verification(verification(Some(verdict)));
        self
    }

    /// Makes a node one that waits.
    #[must_use]
    pub fn wait(mut self, id: &str, wait: Wait) -> Self {
        *self.kind(id) = NodeKind::Wait(wait);
        self
    }

    /// Makes a node one that waits for a signal.
    #[must_use]
    pub fn signal(self, id: &str, signal: impl Into<Signal>) -> Self {
        self.wait(id, Wait::Signal(signal.into()))
    }

    /// By which rule a node begins.
    #[must_use]
    pub fn rule(mut self, id: &str, rule: TriggerRule) -> Self {
        let node = self.0.nodes.iter_mut().find(|node| node.id == id);
        node.expect("the chart has this node").trigger_rule = rule;
        self
    }

    /// What a join waits for, and what becomes of the rest.
    #[must_use]
    pub fn join(mut self, id: &str, strategy: JoinStrategy, losers: Losers) -> Self {
        *self.kind(id) = NodeKind::ParallelJoin(ParallelJoin { strategy, losers });
        self
    }

    /// How many handlers may be at work behind a split.
    #[must_use]
    pub fn at_once(mut self, id: &str, max: u32) -> Self {
        *self.kind(id) = NodeKind::ParallelSplit(ParallelSplit { max_concurrency: Some(max) });
        self
    }

    /// Says what a failure does to the execution.
    #[must_use]
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.0.policy.on_failure = on_failure;
        self
    }

    /// Lets what runs finish when a failure ends the execution.
    #[must_use]
    pub fn finish(mut self) -> Self {
        self.0.policy.siblings = Siblings::Finish;
        self
    }

    /// Says what the output of the execution is.
    #[must_use]
    pub fn output(mut self, expression: &str) -> Self {
        self.0.output = Some(expression.to_owned());
        self
    }

    /// The definition.
    pub fn definition(self) -> Definition {
        self.0
    }
}

fn by_name(id: &str) -> NodeKind {
    match id {
        "s" => NodeKind::Start,
        "e" => NodeKind::End,
        _ if id.starts_with("join") => NodeKind::ParallelJoin(ParallelJoin::default()),
        _ => NodeKind::Task(Task {
            title: Some(format!("Do {id}")),
            work: Work::Handler(id.to_owned()),
            ..Task::default()
        }),
    }
}

/// A verification that can be run.
pub fn verification(preset: Option<Verdict>) -> Verification {
    Verification { rubric: Some("It is good".to_owned()), evaluator: Some("a reviewer".to_owned()), preset }
}
