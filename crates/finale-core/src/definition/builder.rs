//! Definitions in code.

mod schemas;
mod waits;

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;
use std::time::Duration;

use serde_json::Value;

use super::{
    Body, Call, Conditional, Declaration, DeclaredType, Definition, EdgeKind, GraphRef, Group, Inside, Items,
    JoinStrategy, Loop, LoopCondition, Losers, Map, Node, NodeKind, OnFailure, ParallelJoin, ParallelSplit, Policy,
    Siblings, Task, Tolerance, TriggerRule, Verdict, Verification, title_of,
};

/// Builds a definition node by node; see [`Definition::builder`].
///
/// `Built` is what [`build`](Self::build) makes of the definition: the definition itself, or whatever checks it first.
#[derive(Clone, Debug)]
#[must_use = "a builder builds nothing until build is called"]
pub struct DefinitionBuilder<Built = Definition> {
    definition: Definition,
    /// Conditions of nodes, by id; decisions take their places when all edges are known.
    conditions: BTreeMap<String, String>,
    /// The edges that `after` made: those that leave a split are its branches, which is known when all nodes are.
    plain_edges: Vec<usize>,
    built: PhantomData<fn() -> Built>,
}

impl Definition {
    /// Begins a definition with that id and name, version 1.0.0.
    ///
    /// ```
    /// use finale_core::definition::Definition;
    ///
    /// let definition = Definition::builder("order")
    ///     .task("reserve", "reserve_stock")
    ///     .task("charge", "charge_card")
    ///     .after("reserve")
    ///     .build();
    /// assert_eq!(definition.nodes.len(), 4, "with a start and an end");
    /// ```
    pub fn builder(id: impl Into<String>) -> DefinitionBuilder {
        DefinitionBuilder::new(id)
    }
}

impl<Built> DefinitionBuilder<Built> {
    /// Begins a definition with that id and name, version 1.0.0.
    pub fn new(id: impl Into<String>) -> Self {
        let (conditions, plain_edges) = (BTreeMap::new(), Vec::new());
        Self { definition: Definition::new(id), conditions, plain_edges, built: PhantomData }
    }

    /// What people call the workflow; by default its id.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.definition.name = name.into();
        self
    }

    /// Its version, `MAJOR.MINOR.PATCH`; by default `1.0.0`.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.definition.version = version.into();
        self
    }

    /// An input that an activation must hand in.
    ///
    /// ```
    /// use finale_core::compile::accept_input;
    /// use finale_core::definition::{DeclaredType, Definition};
    /// use finale_core::Payload;
    ///
    /// let definition = Definition::builder("order").requires("items", DeclaredType::Integer).build();
    /// let error = accept_input(&definition, Payload::NULL).unwrap_err();
    /// assert_eq!(error.to_string(), "input \"items\" is missing");
    /// ```
    pub fn requires(self, name: impl Into<String>, kind: DeclaredType) -> Self {
        self.input(Declaration { name: name.into(), kind, required: true, default: None })
    }

    /// An input that an activation may hand in, and what it is otherwise.
    pub fn accepts(self, name: impl Into<String>, kind: DeclaredType, default: impl Into<Value>) -> Self {
        self.input(Declaration { name: name.into(), kind, required: false, default: Some(default.into()) })
    }

    fn input(mut self, declaration: Declaration) -> Self {
        self.definition.inputs.push(declaration);
        self
    }

    /// The expression that gives the output of an execution; by default the output of the only last task, else a map
    /// from node id to output.
    pub fn output(mut self, expression: impl Into<String>) -> Self {
        self.definition.output = Some(expression.into());
        self
    }

    /// How executions of it end.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.definition.policy = policy;
        self
    }

    /// What a failed task does to an execution; by default the first one ends it.
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.definition.policy.on_failure = on_failure;
        self
    }

    /// What becomes of running tasks when the end is decided; by default they are told to stop.
    pub fn siblings(mut self, siblings: Siblings) -> Self {
        self.definition.policy.siblings = siblings;
        self
    }

    /// What runs when the end of an execution is decided, whatever it is, and before it is over: the name of a handler, a task, a
    /// call, or a definition whose graph is taken. In it `verdict` is `completed`, `failed` or `cancelled`, and `error` says
    /// why if it failed. What fails in it changes nothing of the end.
    ///
    /// ```
    /// use finale_core::compile::{Registry, compile};
    /// use finale_core::definition::{Definition, Task};
    ///
    /// let nightly = Definition::builder("nightly")
    ///     .task("backup", "backup")
    ///     .finally(Task::handler("tell_the_operator").input("{'verdict': verdict, 'error': error}"));
    /// assert!(compile(nightly.build(), &Registry::new()).is_ok());
    /// ```
    pub fn finally(mut self, body: impl Into<Inside>) -> Self {
        let body = self.take_in(GraphRef::FINALLY, body.into());
        self.definition.finally = Some(Box::new(body));
        self
    }

    /// How long an execution may be ending, from when its end is decided; by default there is no limit. Then handlers are told
    /// to stop, and what is left of compensation and of [`finally`](Self::finally) is recorded as not run.
    pub fn ending_within(mut self, within: Duration) -> Self {
        self.definition.ending_within = Some(within);
        self
    }

    /// A task: the name of its handler, or a [`Task`] with all that can be said of one.
    ///
    /// Without a title of its own it is called by its id.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use finale_core::definition::{Definition, Task};
    ///
    /// let charge = Task::handler("charge_card").title("Charge the card").retry(3, Duration::from_secs(1));
    /// let definition = Definition::builder("order")
    ///     .task("reserve", "reserve_stock")
    ///     .task("charge", charge)
    ///     .after("reserve")
    ///     .build();
    /// assert_eq!(definition.nodes[0].label, "Reserve");
    /// assert_eq!(definition.nodes[1].label, "Charge the card");
    /// ```
    pub fn task(mut self, id: impl Into<String>, task: impl Into<Task>) -> Self {
        self.definition.nodes.push(Node::task(id, task));
        self
    }

    /// A join of the branches that say [`after`](Self::after) of it, with that strategy; its losers go on to their end.
    ///
    /// ```
    /// use finale_core::compile::{Registry, compile};
    /// use finale_core::definition::{Definition, JoinStrategy, Losers};
    ///
    /// let definition = Definition::builder("price")
    ///     .task("north", "ask_north")
    ///     .task("south", "ask_south")
    ///     .task("east", "ask_east")
    ///     .join("heard", JoinStrategy::AtLeast { count: 2 })
    ///     .after_all(["north", "south", "east"])
    ///     .losers(Losers::Cancel)
    ///     .task("report", "report")
    ///     .after("heard")
    ///     .build();
    /// assert!(compile(definition, &Registry::default()).is_ok());
    /// ```
    pub fn join(self, id: impl Into<String>, strategy: JoinStrategy) -> Self {
        self.node(id, NodeKind::ParallelJoin(ParallelJoin { strategy, losers: Losers::Finish }))
    }

    /// What becomes of the branches that the join does not wait for that was added last; by default they go on to their
    /// end. Said of any other node it changes nothing.
    pub fn losers(mut self, losers: Losers) -> Self {
        if let Some(Node { kind: NodeKind::ParallelJoin(join), .. }) = self.definition.nodes.last_mut() {
            join.losers = losers;
        }
        self
    }

    /// A split: what says [`after`](Self::after) of it is one of its branches. At most `max_concurrency` handlers are at
    /// work at once between it and where its branches meet; none means no limit.
    ///
    /// ```
    /// use finale_core::compile::{Registry, compile};
    /// use finale_core::definition::Definition;
    ///
    /// let definition = Definition::builder("ask")
    ///     .split("all", Some(2))
    ///     .task("north", "ask_north")
    ///     .after("all")
    ///     .task("south", "ask_south")
    ///     .after("all")
    ///     .task("east", "ask_east")
    ///     .after("all")
    ///     .build();
    /// assert!(compile(definition, &Registry::default()).is_ok());
    /// ```
    pub fn split(self, id: impl Into<String>, max_concurrency: Option<u32>) -> Self {
        self.node(id, NodeKind::ParallelSplit(ParallelSplit { max_concurrency }))
    }

    /// The rule by which the node that was added last begins; by default it begins when what comes before it is settled,
    /// none of that failed and one of that was done. That of a join follows from its strategy.
    ///
    /// ```
    /// use finale_core::compile::{Registry, compile};
    /// use finale_core::definition::{Definition, OnFailure, TriggerRule};
    ///
    /// let definition = Definition::builder("nightly")
    ///     .on_failure(OnFailure::WaitAll)
    ///     .task("backup", "backup")
    ///     .task("tell", "tell_the_operator")
    ///     .after("backup")
    ///     .trigger_rule(TriggerRule::OneFailed)
    ///     .build();
    /// assert!(compile(definition, &Registry::default()).is_ok());
    /// ```
    pub fn trigger_rule(mut self, rule: TriggerRule) -> Self {
        if let Some(node) = self.definition.nodes.last_mut() {
            node.trigger_rule = rule;
        }
        self
    }

    /// A failure of the node that was added last is handled by that node, also if that is added later: it is recorded and
    /// counts for no policy. What handles failures comes after nothing else; in its expressions `failure` is the first
    /// failure it handles and `failures` are all. If that handler fails, the failure counts after all.
    ///
    /// ```
    /// use finale_core::compile::{Registry, compile};
    /// use finale_core::definition::{Definition, Task};
    ///
    /// let definition = Definition::builder("order")
    ///     .task("charge", "charge_card")
    ///     .task("ship", "ship")
    ///     .after("charge")
    ///     .catch("refund")
    ///     .task("refund", Task::handler("refund").input("failure.reason"))
    ///     .build();
    /// assert!(compile(definition, &Registry::default()).is_ok());
    /// ```
    pub fn catch(mut self, handler: impl Into<String>) -> Self {
        let source = self.last();
        self.definition.connect(source, handler, EdgeKind::OnFailure);
        self
    }

    /// A decision: which of the nodes that say [`when_true`](Self::when_true) and [`when_false`](Self::when_false) runs.
    pub fn condition(self, id: impl Into<String>, expression: impl Into<String>) -> Self {
        self.node(id, NodeKind::Conditional(Conditional { condition: Some(expression.into()) }))
    }

    /// A judgement on the work before it; what comes after it says [`on`](Self::on) which verdict.
    pub fn verification(self, id: impl Into<String>, rubric: impl Into<String>, evaluator: impl Into<String>) -> Self {
        let (rubric, evaluator) = (Some(rubric.into()), Some(evaluator.into()));
        self.node(id, NodeKind::Verification(Verification { rubric, evaluator, preset: None }))
    }

    /// A call of another workflow: a [`Call`], or the definition that is called. It is labelled by its id in words.
    ///
    /// What the called workflow is given is said by the call; without that it is given an empty object. Its nodes run
    /// inside of this workflow, `ship::label` for the node `label` of what is called at `ship`.
    ///
    /// ```
    /// use finale_core::definition::{Call, Definition, OnFailure};
    ///
    /// let notify = Definition::builder("notify").task("mail", "send_mail").build();
    /// let call = Call::of(notify).input("{'to': input.customer}").on_failure(OnFailure::WaitAll).optional();
    /// let order = Definition::builder("order").call("notify", call).build();
    /// assert_eq!(order.workflows[0].id, "notify");
    /// ```
    pub fn call(mut self, id: impl Into<String>, call: impl Into<Call>) -> Self {
        let (id, Call { node, definition, .. }) = (id.into(), call.into());
        definition.into_iter().for_each(|called| self.definition.keep(called));
        let label = title_of(&id);
        self.definition.nodes.push(Node::new(id, label, NodeKind::Subworkflow(node)));
        self
    }

    /// A graph that runs once, as a scope of its own: that of a definition, whose id and name are of no interest. Its nodes
    /// are named `checks::lint` for the node `lint` inside of `checks`, and see the nodes around the group.
    ///
    /// ```
    /// use finale_core::compile::{Registry, compile};
    /// use finale_core::definition::{Definition, OnFailure, Task};
    ///
    /// let checks = Definition::builder("checks")
    ///     .on_failure(OnFailure::Tolerate { count: 1 })
    ///     .task("lint", Task::handler("lint").input("nodes.fetch.output"))
    ///     .task("test", "test");
    /// let build = Definition::builder("build").task("fetch", "fetch").group("checks", checks.build()).after("fetch");
    /// assert!(compile(build.build(), &Registry::new()).is_ok());
    /// ```
    pub fn group(mut self, id: impl Into<String>, mut definition: Definition) -> Self {
        std::mem::take(&mut definition.workflows).into_iter().for_each(|brought| self.definition.keep(brought));
        let group = Group { graph: definition.into(), optional: false };
        self.add(id.into(), NodeKind::Group(group))
    }

    /// Runs a body once for each item of a list: an expression that gives it, or the list as a document. The body is the
    /// name of a handler, a task, a call, or a definition whose graph is taken. In it `item` is the item and `index` its
    /// place from 0; the output of the node is the list of what the items gave.
    ///
    /// ```
    /// use finale_core::compile::{Registry, compile};
    /// use finale_core::definition::{Definition, Task, Tolerance};
    ///
    /// let thumbnails = Definition::builder("thumbnails")
    ///     .task("list", "list_pictures")
    ///     .map("resize", "nodes.list.output", Task::handler("resize").input("{'picture': item, 'number': index}"))
    ///     .after("list")
    ///     .max_concurrency(4)
    ///     .tolerate(Tolerance::Percent(10));
    /// assert!(compile(thumbnails.build(), &Registry::new()).is_ok());
    /// ```
    pub fn map(mut self, id: impl Into<String>, items: impl Into<Items>, body: impl Into<Inside>) -> Self {
        let id = id.into();
        let body = self.take_in(&id, body.into());
        let map = Map { items: items.into(), body, max_concurrency: None, tolerate: None, optional: false };
        self.add(id, NodeKind::Map(map))
    }

    /// Runs a body round by round, `rounds_max` times at most. In the body `round` is the number of the round from 1, and
    /// `previous` what the round before gave; the output of the node is that of the last round.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use finale_core::compile::{Registry, compile};
    /// use finale_core::definition::{Definition, LoopCondition};
    ///
    /// let deploy = Definition::builder("deploy")
    ///     .task("roll_out", "roll_out")
    ///     .repeat("poll", "look_at_the_servers", LoopCondition::until("output.healthy"), 20)
    ///     .after("roll_out")
    ///     .round_delay(Duration::from_secs(30));
    /// assert!(compile(deploy.build(), &Registry::new()).is_ok());
    /// ```
    pub fn repeat(
        mut self,
        id: impl Into<String>,
        body: impl Into<Inside>,
        condition: LoopCondition,
        rounds_max: u32,
    ) -> Self {
        let id = id.into();
        let body = self.take_in(&id, body.into());
        let repeated = Loop { body, condition, rounds_max, delay: Duration::ZERO, optional: false };
        self.add(id, NodeKind::Loop(repeated))
    }

    /// How many items may be under way at once in the map that was added last, or handlers at work behind the split that was
    /// added last; by default there is no limit. Said of any other node it changes nothing.
    pub fn max_concurrency(mut self, count: u32) -> Self {
        match self.definition.nodes.last_mut().map(|node| &mut node.kind) {
            Some(NodeKind::Map(map)) => map.max_concurrency = Some(count),
            Some(NodeKind::ParallelSplit(split)) => split.max_concurrency = Some(count),
            _ => {}
        }
        self
    }

    /// How many items may fail in the map that was added last; by default none. Said of any other node it changes nothing.
    pub fn tolerate(mut self, tolerance: Tolerance) -> Self {
        if let Some(Node { kind: NodeKind::Map(map), .. }) = self.definition.nodes.last_mut() {
            map.tolerate = Some(tolerance);
        }
        self
    }

    /// How long the loop that was added last waits between two rounds; by default it does not. Said of any other node it
    /// changes nothing.
    pub fn round_delay(mut self, delay: Duration) -> Self {
        if let Some(Node { kind: NodeKind::Loop(repeated), .. }) = self.definition.nodes.last_mut() {
            repeated.delay = delay;
        }
        self
    }

    /// What undoes the node that was added last, if it completed and the execution, or the scope that it is in, fails or is
    /// cancelled: the name of a handler, a task, a call, or a definition whose graph is taken. In it `input` is what the node
    /// was given and `output` what it gave. What completed last is undone first.
    ///
    /// ```
    /// use finale_core::compile::{Registry, compile};
    /// use finale_core::definition::{Definition, Task};
    ///
    /// let order = Definition::builder("order")
    ///     .task("charge", "charge_card")
    ///     .compensate(Task::handler("refund").input("output"))
    ///     .task("ship", "ship")
    ///     .after("charge");
    /// assert!(compile(order.build(), &Registry::new()).is_ok());
    /// ```
    pub fn compensate(mut self, body: impl Into<Inside>) -> Self {
        let body = self.take_in(&self.last(), body.into());
        if let Some(node) = self.definition.nodes.last_mut() {
            node.compensate = Some(Box::new(body));
        }
        self
    }

    /// The body of a node; the definition keeps what its calls bring with them.
    fn take_in(&mut self, id: &str, inside: Inside) -> Body {
        let (body, brought) = inside.into_body(id);
        brought.into_iter().for_each(|brought| self.definition.keep(brought));
        body
    }

    /// A node that is labelled by its id in words.
    fn add(mut self, id: String, kind: NodeKind) -> Self {
        let label = title_of(&id);
        self.definition.nodes.push(Node::new(id, label, kind));
        self
    }

    /// The execution may complete although the node that was added last failed: the failure is recorded, what depends on it
    /// goes on. Said of a node that does no work it changes nothing.
    pub fn optional(mut self) -> Self {
        match self.definition.nodes.last_mut().map(|node| &mut node.kind) {
            Some(NodeKind::Task(task)) => task.optional = true,
            Some(NodeKind::Subworkflow(call)) => call.optional = true,
            Some(NodeKind::Group(group)) => group.optional = true,
            Some(NodeKind::Map(map)) => map.optional = true,
            Some(NodeKind::Loop(repeated)) => repeated.optional = true,
            _ => {}
        }
        self
    }

    /// A node of any kind, labelled by its id.
    pub fn node(mut self, id: impl Into<String>, kind: NodeKind) -> Self {
        let id = id.into();
        self.definition.nodes.push(Node::new(id.clone(), id, kind));
        self
    }

    /// The node that was added last comes after that one; may be said several times, also of nodes that are added later.
    ///
    /// Said before any node it makes an edge that leads nowhere, and the definition is refused.
    pub fn after(mut self, source: impl Into<String>) -> Self {
        self.plain_edges.push(self.definition.edges.len());
        self.follow(source, EdgeKind::Sequential)
    }

    /// The node that was added last comes after all of those.
    pub fn after_all<S: Into<String>>(self, sources: impl IntoIterator<Item = S>) -> Self {
        sources.into_iter().fold(self, |builder, source| builder.after(source))
    }

    /// The node that was added last runs when that decision evaluates to true.
    ///
    /// ```
    /// use finale_core::compile::{Registry, compile};
    /// use finale_core::definition::Definition;
    ///
    /// let definition = Definition::builder("order")
    ///     .condition("express", "input.express")
    ///     .task("courier", "call_courier")
    ///     .when_true("express")
    ///     .task("post", "take_to_the_post")
    ///     .when_false("express")
    ///     .build();
    /// assert!(compile(definition, &Registry::default()).is_ok());
    /// ```
    pub fn when_true(self, decision: impl Into<String>) -> Self {
        self.follow(decision, EdgeKind::ConditionalTrue)
    }

    /// The node that was added last runs when that decision evaluates to false.
    pub fn when_false(self, decision: impl Into<String>) -> Self {
        self.follow(decision, EdgeKind::ConditionalFalse)
    }

    /// The node that was added last runs when that is the verdict of that verification.
    pub fn on(self, verification: impl Into<String>, verdict: Verdict) -> Self {
        self.follow(verification, verdict.edge())
    }

    /// The node that was added last runs only if that expression is true; else it is skipped, and so is what depends on
    /// nothing else. Said twice, both must be true. See [`Definition::guard`].
    ///
    /// ```
    /// use finale_core::compile::{Registry, compile};
    /// use finale_core::definition::Definition;
    ///
    /// let definition = Definition::builder("order")
    ///     .task("pack", "pack")
    ///     .task("gift_wrap", "wrap")
    ///     .after("pack")
    ///     .when("input.is_gift")
    ///     .build();
    /// assert!(compile(definition, &Registry::default()).is_ok());
    /// ```
    pub fn when(mut self, expression: impl Into<String>) -> Self {
        let (node, mut expression) = (self.last(), expression.into());
        if let Some(other) = self.conditions.remove(&node) {
            expression = format!("({other}) and ({expression})");
        }
        self.conditions.insert(node, expression);
        self
    }

    /// An edge of any kind.
    pub fn edge(mut self, source: impl Into<String>, target: impl Into<String>, kind: EdgeKind) -> Self {
        self.definition.connect(source, target, kind);
        self
    }

    fn follow(self, source: impl Into<String>, kind: EdgeKind) -> Self {
        let target = self.last();
        self.edge(source, target, kind)
    }

    fn last(&self) -> String {
        self.definition.nodes.last().map(|node| node.id.clone()).unwrap_or_default()
    }
}

impl<Built> DefinitionBuilder<Built> {
    fn draw_branches(&mut self) {
        let Definition { nodes, edges, .. } = &mut self.definition;
        let splits = nodes.iter().filter(|node| matches!(node.kind, NodeKind::ParallelSplit(_)));
        let splits: BTreeSet<&str> = splits.map(|node| node.id.as_str()).collect();
        for &number in &self.plain_edges {
            if splits.contains(edges[number].source.as_str()) {
                edges[number].kind = EdgeKind::ParallelBranch;
            }
        }
    }
}

impl<Built: FromDefinition> DefinitionBuilder<Built> {
    /// What is made of the definition, with a start and an end where there is none: see [`Definition::imply_ends`].
    ///
    /// A definition is not checked yet; a workflow is, and has its errors here.
    pub fn build(mut self) -> Built::Output {
        self.draw_branches();
        self.definition.guard(&self.conditions);
        self.definition.imply_ends();
        Built::from_definition(self.definition)
    }
}

/// What a [`DefinitionBuilder`] can build.
pub trait FromDefinition {
    /// What [`DefinitionBuilder::build`] gives: the thing itself, or a `Result` of it.
    type Output;

    /// Makes it of a definition that nobody has checked.
    fn from_definition(definition: Definition) -> Self::Output;
}

impl FromDefinition for Definition {
    type Output = Self;

    fn from_definition(definition: Definition) -> Self {
        definition
    }
}
