//! Definitions in code.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use serde_json::Value;

use super::{
    Call, Conditional, Declaration, DeclaredType, Definition, EdgeKind, Node, NodeKind, OnFailure, Policy, Siblings,
    Task, Verdict, Verification, title_of,
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
        Self { definition: Definition::new(id), conditions: BTreeMap::new(), built: PhantomData }
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
        let (id, Call { node, definition }) = (id.into(), call.into());
        definition.into_iter().for_each(|called| self.definition.keep(called));
        let label = title_of(&id);
        self.definition.nodes.push(Node { id, label, kind: NodeKind::Subworkflow(node) });
        self
    }

    /// A node of any kind, labelled by its id.
    pub fn node(mut self, id: impl Into<String>, kind: NodeKind) -> Self {
        let id = id.into();
        self.definition.nodes.push(Node { label: id.clone(), id, kind });
        self
    }

    /// The node that was added last comes after that one; may be said several times, also of nodes that are added later.
    ///
    /// Said before any node it makes an edge that leads nowhere, and the definition is refused.
    pub fn after(self, source: impl Into<String>) -> Self {
        self.follow(source, EdgeKind::Sequential)
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

impl<Built: FromDefinition> DefinitionBuilder<Built> {
    /// What is made of the definition, with a start and an end where there is none: see [`Definition::imply_ends`].
    ///
    /// A definition is not checked yet; a workflow is, and has its errors here.
    pub fn build(mut self) -> Built::Output {
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
