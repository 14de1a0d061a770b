//! A definition made ready to run: nodes as numbers, edges as flat slices, expressions compiled.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use rustc_hash::FxHashMap;

use crate::definition::{
    Declaration, Definition, EdgeKind, Node, NodeKind, Policy, Retry, Schema, SchemaMismatch, Times, Tolerance,
    TriggerRule, Verdict,
};
use crate::expression::Expression;
use crate::id::NodeIndex;
use crate::path::{Instance, NodePath};
use crate::payload::Payload;
use crate::warning::Warning;

/// A checked definition; made only by [`compile`](crate::compile()).
///
/// It is read on every event of every execution, so it is meant to be kept once per thread and passed by reference.
#[derive(Debug)]
pub struct Compiled {
    pub(crate) definition: Definition,
    pub(crate) hash: DefinitionHash,
    pub(crate) index: Arc<FxHashMap<String, u32>>,
    pub(crate) nodes: Box<[CompiledNode]>,
    pub(crate) edges: Box<[OutEdge]>,
    /// The graph of the definition itself, and behind it those that run inside of it.
    pub(crate) graphs: Box<[Graph]>,
    /// The nodes of the graphs inside, as they were defined; their numbers come after those of the definition's own.
    pub(crate) inner: Box<[Node]>,
    pub(crate) warnings: Box<[Warning]>,
    /// How many items a map may have.
    pub(crate) items_max: u32,
    /// By what the payloads of workflows are checked; none if they are not.
    pub(crate) checks: Option<Arc<dyn SchemaChecks>>,
}

/// Checks what workflows take and give by the schemas that they declare; see [`Compiled::check_by`].
pub trait SchemaChecks: fmt::Debug + Send + Sync {
    /// Checks a payload by a schema of the definition; `what` is what the payload is called if it does not fit.
    ///
    /// # Errors
    /// When the payload does not fit.
    fn check(&self, schema: &Schema, what: &'static str, payload: &Payload) -> Result<(), SchemaMismatch>;
}

/// A graph that is run as a scope: the definition's own, or one that a node of another graph opens.
///
/// Several may have the same nodes: a workflow that is called, and the same one judged by another policy.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    /// The number of its first node; the others follow.
    pub(crate) first: u32,
    pub(crate) start: NodeIndex,
    pub(crate) policy: Policy,
    /// Tasks behind which only control nodes come; one alone gives the output of the scope.
    pub(crate) sinks: Box<[NodeIndex]>,
    /// How many edges lead into each of its nodes; [`RULED`] is set where another rule than the default counts them, and
    /// the highest bit is free.
    pub(crate) in_degrees: Box<[u32]>,
    /// What only some graphs need.
    pub(crate) rules: Option<Arc<GraphRules>>,
    /// Its nodes by id, counted from 0.
    pub(crate) index: Arc<FxHashMap<String, u32>>,
    /// What the scope gives, if that is said.
    pub(crate) output: Option<Arc<Expression>>,
    /// What that must fit, if the graph is that of a workflow which says so.
    pub(crate) output_schema: Option<Arc<Schema>>,
    /// The `vars` of the whole graph.
    pub(crate) vars: Arc<Expression>,
    /// The nodes around it that it looks at, if it is written inside of a node: as places in the graph of that node.
    pub(crate) captures: Arc<[u32]>,
    /// The graph that runs when the end of the scope is decided.
    pub(crate) finally: Option<u32>,
    /// Whether something undoes one of its nodes, or of those inside of them.
    pub(crate) is_undoable: bool,
}

impl Graph {
    /// Whether it must be evaluated or checked what the scope gives.
    pub(crate) const fn says_what_it_gives(&self) -> bool {
        self.output.is_some() || self.output_schema.is_some()
    }

    fn has(&self, node: NodeIndex) -> bool {
        node.0.checked_sub(self.first).is_some_and(|place| (place as usize) < self.in_degrees.len())
    }
}

/// Marks the in-degree of a node that has another trigger rule than the default.
pub(crate) const RULED: u32 = 1 << 30;

/// What joins that close losers, handlers of failures and splits with a limit need.
///
/// Nodes are named by their places in the graph, so that a graph can be put beside others as it is.
#[derive(Debug, Default)]
pub(crate) struct GraphRules {
    /// The last tasks that only the failure of another one leads to: their output takes its place.
    pub(crate) alternatives: Box<[u32]>,
    /// The joins that close losers, in the order of the graph.
    pub(crate) cancelling: Box<[CancellingJoin]>,
    /// The nodes, sorted so that the losers of each join stand together; empty if no join closes any.
    pub(crate) dominated: Box<[u32]>,
    /// By node: which of the bounds hold for it; empty if no split has a limit.
    pub(crate) bounded_by: Box<[Range<u32>]>,
    pub(crate) bounds: Box<[Bound]>,
}

/// A join that closes every open node whose every way on leads into it.
#[derive(Debug)]
pub(crate) struct CancellingJoin {
    pub(crate) join: u32,
    /// Where these nodes stand among those that are sorted.
    pub(crate) losers: Range<u32>,
}

/// How many handlers may be at work behind a split.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) split: u32,
    pub(crate) max: u32,
}

impl GraphRules {
    /// The nodes that a join closes when it fires.
    pub(crate) fn losers(&self, join: u32) -> &[u32] {
        let found = self.cancelling.binary_search_by_key(&join, |cancelling| cancelling.join);
        let Range { start, end } = found.map_or(0..0, |found| self.cancelling[found].losers.clone());
        &self.dominated[start as usize..end as usize]
    }

    /// The splits that bound a node.
    pub(crate) fn bounds_of(&self, node: u32) -> &[Bound] {
        let Some(Range { start, end }) = self.bounded_by.get(node as usize) else { return &[] };
        &self.bounds[*start as usize..*end as usize]
    }
}

/// What a call knows of the workflow that it calls.
#[derive(Debug)]
pub(crate) struct Call {
    /// What the called workflow declares.
    pub(crate) inputs: Box<[Declaration]>,
    pub(crate) outputs: Box<[Declaration]>,
    pub(crate) input_schema: Option<Schema>,
    pub(crate) result: CallResult,
}

/// What the output of a call is.
#[derive(Debug)]
pub(crate) enum CallResult {
    /// What the called workflow gives.
    Own,
    /// What an expression makes of that.
    Made(Expression),
    /// The declared outputs, each bound by name; what the called workflow gives is of no interest.
    Bound(Expression),
}

/// Names a definition by its content, whatever its version says.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DefinitionHash(pub(crate) [u8; 16]);

/// What the core needs to know of a node on each event.
#[derive(Debug)]
pub(crate) struct CompiledNode {
    pub(crate) step: Step,
    /// By which it begins; that of a join follows from its strategy.
    pub(crate) rule: TriggerRule,
    pub(crate) out: Range<u32>,
    pub(crate) optional: bool,
    /// Whether another node handles its failure.
    pub(crate) is_caught: bool,
    /// Whether its edges do not all become live when it has completed: some are for its failure, or for a signal that did
    /// not come.
    pub(crate) has_exits: bool,
    /// Whether it handles the failures of others.
    pub(crate) is_failure_handler: bool,
    /// Whether every way on leads into a join that may go on without it.
    pub(crate) is_join_tolerated: bool,
    pub(crate) at_most_once: bool,
    pub(crate) attempts: u16,
    /// Whether there is a limit that counts from when it is handed out for the first time.
    pub(crate) is_timed: bool,
    /// When it is tried again, where more is said of that than how often.
    pub(crate) retry: Option<Box<Retry>>,
    /// How long an attempt may take, or a signal be waited for.
    pub(crate) timeout: Option<Duration>,
    pub(crate) times: Times,
    /// The condition of a conditional or a loop, the input of a task, the items of a map, the moment or the name of the
    /// signal of a wait.
    pub(crate) expression: Option<Expression>,
    /// Who is asked to do the task: its own assignee, else the nearest assignment before it.
    pub(crate) assignee: Option<String>,
    /// What it calls, if it is a call.
    pub(crate) call: Option<Box<Call>>,
    /// How it repeats what it has inside, if it is a map or a loop.
    pub(crate) repeated: Option<Box<Repeated>>,
    /// The graph that undoes it.
    pub(crate) compensate: Option<u32>,
    /// Whether something undoes it, or nodes inside of it.
    pub(crate) is_undoable: bool,
}

/// How a node repeats what it has inside.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Repeated {
    Items(ItemLimits),
    Rounds(Rounds),
}

/// What holds for the items of a map.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ItemLimits {
    pub(crate) max_concurrency: Option<u32>,
    pub(crate) tolerate: Option<Tolerance>,
}

/// What holds for the rounds of a loop.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rounds {
    /// Whether the condition is asked before each round, and must be true for it to begin; else after it, and ends the loop.
    pub(crate) asks_before: bool,
    pub(crate) max: u32,
    pub(crate) delay: Duration,
}

impl CompiledNode {
    /// What holds for its rounds, if it is a loop.
    pub(crate) fn rounds(&self) -> Option<Rounds> {
        match self.repeated.as_deref() {
            Some(Repeated::Rounds(rounds)) => Some(*rounds),
            _ => None,
        }
    }

    /// What holds for its items, if it is a map.
    pub(crate) fn item_limits(&self) -> Option<ItemLimits> {
        match self.repeated.as_deref() {
            Some(Repeated::Items(limits)) => Some(*limits),
            _ => None,
        }
    }
}

/// What happens when a node is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It completes at once: start, end, split, assignment.
    Pass,
    /// It completes at once; by the default rule it goes on without what the policy tolerates.
    Join,
    /// Its condition is evaluated.
    Decide,
    /// It waits for a verdict, unless one was given in advance.
    Judge(Option<Verdict>),
    /// A handler runs.
    Handle,
    /// Somebody outside is asked.
    Ask,
    /// A graph is run in scopes of its own.
    Open(Opening),
    /// It waits for so long.
    Delay(Duration),
    /// It waits until the moment that its expression gives.
    Until,
    /// It waits for a signal: with the name that its expression gives, else with the one in its definition.
    AwaitSignal,
}

/// Which graph a node runs in scopes of its own, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Opening {
    /// Which of the graphs of the definition.
    pub(crate) graph: u32,
    pub(crate) kind: OpeningKind,
}

/// How often a node runs a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpeningKind {
    /// Once.
    Single,
    /// Once for each item of the list that the node is given.
    Items,
    /// Round by round.
    Rounds,
}

impl OpeningKind {
    /// What a scope that was opened so is called in paths; `number` counts from 0.
    pub(crate) const fn instance(self, number: u32) -> Instance {
        match self {
            Self::Single => Instance::Single,
            Self::Items => Instance::Item(number),
            Self::Rounds => Instance::Round(number + 1),
        }
    }

    /// Which of the scopes is meant in a path, counted from 0; none if no scope of the node is called so.
    pub(crate) const fn number(self, instance: Instance) -> Option<u32> {
        match (self, instance) {
            (Self::Single, Instance::Single) => Some(0),
            (Self::Items, Instance::Item(index)) => Some(index),
            (Self::Rounds, Instance::Round(round)) => round.checked_sub(1),
            _ => None,
        }
    }
}

/// An edge, seen from its source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutEdge {
    pub(crate) target: u32,
    pub(crate) kind: EdgeKind,
}

impl Compiled {
    /// The definition this was made from.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// The same, with something that checks what is given to the workflows that it calls, and what they and it give themselves,
    /// by the schemas that they declare. Without it, schemas are only there to be read.
    ///
    /// What a check came to is recorded: a history that is read again is not checked again.
    #[must_use]
    pub fn check_by(mut self, checks: Arc<dyn SchemaChecks>) -> Self {
        self.checks = Some(checks);
        self
    }

    /// Checks a payload, if there is a schema and something to check by.
    pub(crate) fn check(
        &self,
        schema: Option<&Schema>,
        what: &'static str,
        payload: &Payload,
    ) -> Result<(), SchemaMismatch> {
        match (schema, &self.checks) {
            (Some(schema), Some(checks)) => checks.check(schema, what, payload),
            _ => Ok(()),
        }
    }

    /// What names the definition by its content.
    pub fn hash(&self) -> DefinitionHash {
        self.hash
    }

    /// How many nodes its own graph has; their numbers are below it.
    pub fn len(&self) -> usize {
        self.own().in_degrees.len()
    }

    /// The numbers of the nodes of its own graph, in the order of the definition.
    pub fn positions(&self) -> impl DoubleEndedIterator<Item = NodeIndex> + ExactSizeIterator + use<> {
        (0..self.len() as u32).map(NodeIndex)
    }

    /// Whether there are no nodes: never, a start and an end are required.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of the node with that id.
    pub fn position(&self, id: &str) -> Option<NodeIndex> {
        self.index.get(id).copied().map(NodeIndex)
    }

    /// The numbers of all nodes, those of the workflows that are called behind its own.
    pub fn all_positions(&self) -> impl DoubleEndedIterator<Item = NodeIndex> + ExactSizeIterator + use<> {
        (0..self.nodes.len() as u32).map(NodeIndex)
    }

    /// The node with that id in the graph of another one.
    pub fn beside(&self, node: NodeIndex, id: &str) -> Option<NodeIndex> {
        let graph = self.graphs.iter().find(|graph| graph.has(node))?;
        graph.index.get(id).map(|place| NodeIndex(graph.first + place))
    }

    /// Whether two nodes are of one graph.
    pub fn are_beside(&self, one: NodeIndex, other: NodeIndex) -> bool {
        self.graphs.iter().find(|graph| graph.has(one)).is_some_and(|graph| graph.has(other))
    }

    /// The node that people name so: by its id in the definition's own graph, else by its path.
    pub fn find(&self, name: &str) -> Option<NodeIndex> {
        self.position(name).or_else(|| self.node_at(&name.parse().ok()?))
    }

    /// The node that a path leads to, now or later; several works may be of one node.
    pub fn node_at(&self, path: &NodePath) -> Option<NodeIndex> {
        let mut graph = self.own();
        for step in path.within() {
            let number = match step.instance {
                Instance::Finally => graph.finally?,
                instance => {
                    let place = graph.index.get(&*step.node)?;
                    let node = &self.nodes[(graph.first + place) as usize];
                    match (instance, node.step) {
                        (Instance::Compensation, _) => node.compensate?,
                        (instance, Step::Open(opening)) => {
                            opening.kind.number(instance)?;
                            opening.graph
                        }
                        _ => return None,
                    }
                }
            };
            graph = &self.graphs[number as usize];
        }
        graph.index.get(path.node()).map(|place| NodeIndex(graph.first + place))
    }

    /// The node with that number, as it was defined.
    ///
    /// # Panics
    /// When there is no such node.
    pub fn node(&self, position: NodeIndex) -> &Node {
        self.find_node(position).expect("the number of a node comes from the definition it is asked of")
    }

    /// The node with that number, if there is one.
    pub(crate) fn find_node(&self, position: NodeIndex) -> Option<&Node> {
        let own = &self.definition.nodes;
        own.get(position.as_usize()).or_else(|| self.inner.get(position.as_usize().checked_sub(own.len())?))
    }

    /// How long an attempt of a handler may take, from when it begins; none if there is no limit, and for what is done outside.
    ///
    /// It is the business of whoever runs the handler: a limit that began before would count time spent waiting.
    pub fn attempt_limit(&self, position: NodeIndex) -> Option<Duration> {
        let node = self.nodes.get(position.as_usize())?;
        node.timeout.filter(|_| node.step == Step::Handle)
    }

    /// Who is asked to do a task: its own assignee, else the nearest assignment before it.
    pub fn assignee(&self, position: NodeIndex) -> Option<&str> {
        self.at(position).assignee.as_deref()
    }

    /// The name of the handler that does a node, if one does.
    pub fn handler(&self, position: NodeIndex) -> Option<&str> {
        match &self.node(position).kind {
            NodeKind::Task(task) => match &task.work {
                crate::definition::Work::Handler(name) => Some(name),
                crate::definition::Work::External => None,
            },
            _ => None,
        }
    }

    /// Whether a node is a task.
    pub fn is_task(&self, position: NodeIndex) -> bool {
        matches!(self.at(position).step, Step::Handle | Step::Ask)
    }

    /// Whether a node handles the failures of others; false also for a number that is no node's.
    pub fn handles_failures(&self, node: NodeIndex) -> bool {
        self.nodes.get(node.as_usize()).is_some_and(|node| node.is_failure_handler)
    }

    /// Whether some node, in whatever graph of it, handles the failures of others.
    pub fn has_failure_handlers(&self) -> bool {
        self.nodes.iter().any(|node| node.is_failure_handler)
    }

    /// Whether a handler does a node.
    pub(crate) fn is_handled(&self, position: NodeIndex) -> bool {
        self.at(position).step == Step::Handle
    }

    /// By the number of a node: whether it is of its own graph or of one that runs inside of that; what undoes nodes and what
    /// runs at the end of a scope is not, unless it is called elsewhere too.
    pub fn in_graphs(&self) -> Box<[bool]> {
        let (mut inside, mut open) = (vec![false; self.nodes.len()], vec![0]);
        let mut seen = vec![false; self.graphs.len()];
        while let Some(number) = open.pop() {
            if std::mem::replace(&mut seen[number as usize], true) {
                continue;
            }
            let graph = &self.graphs[number as usize];
            let nodes = graph.first as usize..graph.first as usize + graph.in_degrees.len();
            inside[nodes.clone()].fill(true);
            open.extend(self.nodes[nodes].iter().filter_map(|node| match node.step {
                Step::Open(opening) => Some(opening.graph),
                _ => None,
            }));
        }
        inside.into_boxed_slice()
    }

    /// By the number of a node: how many tasks its graph has, itself included.
    pub fn tasks_beside(&self) -> Box<[u32]> {
        let mut tasks = vec![0; self.nodes.len()];
        for graph in &self.graphs {
            let nodes = graph.first..graph.first + graph.in_degrees.len() as u32;
            let count = nodes.clone().filter(|node| self.is_task(NodeIndex(*node))).count() as u32;
            tasks[nodes.start as usize..nodes.end as usize].fill(count);
        }
        tasks.into_boxed_slice()
    }

    /// By the number of a node: the nodes of its graph that have an output which comes from no handler and no report: waits for
    /// signals, and what has something inside. Empty if there are none anywhere.
    pub fn giving_by_themselves(&self) -> Box<[Arc<[NodeIndex]>]> {
        let gives = |node: &NodeIndex| matches!(self.at(*node).step, Step::Open(_) | Step::AwaitSignal);
        if !self.all_positions().any(|node| gives(&node)) {
            return Box::default();
        }
        let mut all: Vec<Arc<[NodeIndex]>> = vec![Arc::default(); self.nodes.len()];
        for graph in &self.graphs {
            let nodes = graph.first..graph.first + graph.in_degrees.len() as u32;
            let giving: Arc<[NodeIndex]> = nodes.clone().map(NodeIndex).filter(gives).collect();
            all[nodes.start as usize..nodes.end as usize].fill(giving);
        }
        all.into_boxed_slice()
    }

    /// The first node of a graph, or of one that runs inside of it, for which this holds.
    pub(crate) fn find_inside(&self, graph: u32, holds: &impl Fn(NodeIndex) -> bool) -> Option<NodeIndex> {
        let graph = &self.graphs[graph as usize];
        let nodes = (graph.first..graph.first + graph.in_degrees.len() as u32).map(NodeIndex);
        let inside = nodes.into_iter().find_map(|node| {
            let compensate = self.at(node).compensate.and_then(|graph| self.find_inside(graph, holds));
            compensate.or_else(|| match self.at(node).step {
                _ if holds(node) => Some(node),
                Step::Open(opening) => self.find_inside(opening.graph, holds),
                _ => None,
            })
        });
        inside.or_else(|| self.find_inside(graph.finally?, holds))
    }

    /// Whether a node is a task that is done outside; false also for a number that is no node's.
    pub fn is_external(&self, position: NodeIndex) -> bool {
        self.nodes.get(position.as_usize()).is_some_and(|node| node.step == Step::Ask)
    }

    /// How long a node may take, beside what one attempt may; nothing is limited for a number that is no node's.
    pub fn times(&self, node: NodeIndex) -> Times {
        self.nodes.get(node.as_usize()).map(|node| node.times).unwrap_or_default()
    }

    /// Whether the handler of a node must never begin a second time; false also for a number that is no node's.
    pub fn is_at_most_once(&self, node: NodeIndex) -> bool {
        self.nodes.get(node.as_usize()).is_some_and(|node| node.at_most_once)
    }

    /// What is suspicious in it: it runs, and probably does not do what its author meant.
    ///
    /// ```
    /// use finale_core::compile::{Registry, WarningCode, compile};
    /// use finale_core::definition::{Definition, Task};
    ///
    /// let charge = Task::handler("charge_card").input("nodes.reserve.output");
    /// let definition = Definition::builder("order").task("reserve", "reserve_stock").task("charge", charge).build();
    /// let compiled = compile(definition, &Registry::new())?;
    /// assert_eq!(compiled.warnings()[0].code, WarningCode::ReadsUnorderedNode, "`.after(\"reserve\")` is missing");
    /// # Ok::<(), finale_core::compile::CompileError>(())
    /// ```
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The graph of the definition itself.
    pub(crate) fn own(&self) -> &Graph {
        &self.graphs[0]
    }

    pub(crate) fn at(&self, position: NodeIndex) -> &CompiledNode {
        &self.nodes[position.as_usize()]
    }

    /// The node that handles the failure of this one, if one does.
    pub(crate) fn failure_handler(&self, position: NodeIndex) -> Option<NodeIndex> {
        if !self.at(position).is_caught {
            return None;
        }
        let caught = self.edges_of(position).iter().find(|edge| edge.kind == EdgeKind::OnFailure);
        caught.map(|edge| NodeIndex(edge.target))
    }

    pub(crate) fn edges_of(&self, position: NodeIndex) -> &[OutEdge] {
        let Range { start, end } = self.at(position).out;
        &self.edges[start as usize..end as usize]
    }
}

impl DefinitionHash {
    /// The hash as bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// A hash read back from its bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for DefinitionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for DefinitionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
