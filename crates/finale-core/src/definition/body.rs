//! What runs inside of a node, as a scope of its own.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Call, Definition, Edge, Node, NodeKind, Policy, Subworkflow, Task, Wait, title_of};

/// What runs as a scope of its own: inside of a node, once for each item of a map or once for each round of a loop; to undo a
/// node (`compensate`); or when the end of a scope is decided (`finally`).
///
/// A graph that is written inside of a node also sees the nodes around it, as they stood when that node was reached. A
/// workflow that is called sees nothing but what it is given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// One task. In paths it has the id of the node that it is inside of or undoes: `resize[3]::resize`,
    /// `charge@compensate::charge`. That of a `finally` is called so: `@finally::finally`.
    Task(Box<Task>),
    /// A graph of its own.
    Graph(Graph),
    /// A call of another workflow; a call that binds no input is given what its body is given. In paths it has the id of
    /// the node that it is inside of, like a single task.
    Call(Box<Subworkflow>),
}

/// A graph that is written inside of a node: a definition without a name, an input or declarations of its own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Graph {
    /// How its scope ends; policies are not inherited.
    #[serde(default, skip_serializing_if = "is_default_policy")]
    pub policy: Policy,
    /// Expression for its output; by default the output of the only last task, else a map from node id to output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// What runs when the end of its scope is decided, like that of a [`Definition`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finally: Option<Box<Body>>,
    /// The nodes, with a start and an end among them.
    pub nodes: Vec<Node>,
    /// The edges between them.
    pub edges: Vec<Edge>,
}

fn is_default_policy(policy: &Policy) -> bool {
    *policy == Policy::default()
}

/// A graph that runs once, inside of a node.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The graph.
    pub graph: Graph,
    /// Whether the scope that it is in may complete although it failed: the failure is recorded, what depends on it goes on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// What runs inside of a node, for the builder: a [`Body`] and the workflows that its calls bring with them.
///
/// It is made of the name of a handler, of a [`Task`], of a [`Call`], or of a [`Definition`] whose graph is taken; the id, the
/// name, the version and the declarations of that are of no interest.
#[derive(Clone, Debug)]
pub struct Inside {
    body: Body,
    brought: Vec<Definition>,
    /// What undoes the task or the call that it is.
    compensate: Option<Body>,
}

impl Inside {
    /// What undoes it, if it completed and the scope that it is in fails or is cancelled: of a map that is each item for itself.
    /// In it `input` is what the task was given, and `output` what it gave.
    ///
    /// Only for one task or one call; what is in a graph says for itself what undoes it.
    ///
    /// ```
    /// use finale_core::compile::{Registry, compile};
    /// use finale_core::definition::{Definition, Inside, Task};
    ///
    /// let charge = Inside::from("charge_card").compensate(Task::handler("refund").input("output"));
    /// let bill = Definition::builder("bill").map("charge", "input.cards", charge);
    /// assert!(compile(bill.build(), &Registry::new()).is_ok());
    /// ```
    #[must_use]
    pub fn compensate(mut self, body: impl Into<Self>) -> Self {
        let Self { body, mut brought, .. } = body.into();
        self.brought.append(&mut brought);
        self.compensate = Some(body);
        self
    }

    /// The body as the node with that id has it, and the workflows that its calls bring with them.
    ///
    /// One task that something undoes is a graph of that task, which has the id of the node.
    pub fn into_body(self, id: &str) -> (Body, Vec<Definition>) {
        let Self { body, brought, compensate } = self;
        let node = body.as_inside().single(id);
        let body = match (node, compensate) {
            (Some(node), Some(compensate)) => {
                let mut node = Node { compensate: Some(Box::new(compensate)), ..node };
                if let NodeKind::Subworkflow(call) = &mut node.kind
                    && call.binds_nothing()
                {
                    // As a body it is given what the body is; in a graph that must be said.
                    call.input = Some("input".to_owned());
                }
                let mut graph = Definition { nodes: vec![node], ..Definition::new(id) };
                graph.imply_ends();
                Body::Graph(graph.into())
            }
            _ => body,
        };
        (body, brought)
    }
}

impl From<&str> for Inside {
    fn from(handler: &str) -> Self {
        Task::handler(handler).into()
    }
}

impl From<Task> for Inside {
    fn from(task: Task) -> Self {
        Self { body: Body::Task(Box::new(task)), brought: Vec::new(), compensate: None }
    }
}

impl From<Body> for Inside {
    fn from(body: Body) -> Self {
        Self { body, brought: Vec::new(), compensate: None }
    }
}

impl From<Call> for Inside {
    fn from(mut call: Call) -> Self {
        if !call.is_bound {
            call.node.with = None;
        }
        let brought = call.definition.into_iter().collect();
        Self { body: Body::Call(Box::new(call.node)), brought, compensate: None }
    }
}

impl From<Definition> for Inside {
    fn from(mut definition: Definition) -> Self {
        let brought = std::mem::take(&mut definition.workflows);
        Self { body: Body::Graph(definition.into()), brought, compensate: None }
    }
}

/// The graph of a definition: its name, its declarations and what it brings with it are left out.
impl From<Definition> for Graph {
    fn from(definition: Definition) -> Self {
        let Definition { policy, output, finally, nodes, edges, .. } = definition;
        Self { policy, output, finally, nodes, edges }
    }
}

/// What a body is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyRole {
    /// It is what a node does.
    Inside,
    /// It undoes a node.
    Compensate,
    /// It runs when the end of a scope is decided.
    Finally,
}

/// A graph, wherever it is written, borrowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GraphRef<'d> {
    pub(crate) nodes: &'d [Node],
    pub(crate) finally: Option<&'d Body>,
}

/// What is inside of a node, borrowed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum InsideRef<'d> {
    Task(&'d Task),
    Graph(&'d Graph),
    Call(&'d Subworkflow),
}

impl Body {
    pub(crate) fn as_inside(&self) -> InsideRef<'_> {
        match self {
            Self::Task(task) => InsideRef::Task(task),
            Self::Graph(graph) => InsideRef::Graph(graph),
            Self::Call(call) => InsideRef::Call(call),
        }
    }
}

impl Node {
    /// What is written inside of the node, and what undoes it.
    fn bodies(&self) -> impl Iterator<Item = (BodyRole, InsideRef<'_>)> {
        let compensate = self.compensate.as_deref().map(|body| (BodyRole::Compensate, body.as_inside()));
        self.inside().map(|inside| (BodyRole::Inside, inside)).into_iter().chain(compensate)
    }

    /// What is written inside of the node, if something is.
    pub(crate) fn inside(&self) -> Option<InsideRef<'_>> {
        match &self.kind {
            NodeKind::Group(group) => Some(InsideRef::Graph(&group.graph)),
            NodeKind::Map(map) => Some(map.body.as_inside()),
            NodeKind::Loop(repeated) => Some(repeated.body.as_inside()),
            _ => None,
        }
    }
}

impl Definition {
    pub(crate) fn as_graph(&self) -> GraphRef<'_> {
        GraphRef { nodes: &self.nodes, finally: self.finally.as_deref() }
    }
}

impl Graph {
    pub(crate) fn as_graph(&self) -> GraphRef<'_> {
        GraphRef { nodes: &self.nodes, finally: self.finally.as_deref() }
    }
}

impl<'d> GraphRef<'d> {
    /// The id of the only node of a `finally` that is no graph.
    pub(crate) const FINALLY: &'static str = "finally";

    /// The bodies that are written in the graph: of its nodes, each with its place, and last its `finally`.
    pub(crate) fn bodies(self) -> impl Iterator<Item = (u32, BodyRole, InsideRef<'d>)> {
        let of_nodes = (0..).zip(self.nodes);
        let of_nodes =
            of_nodes.flat_map(|(place, node)| node.bodies().map(move |(role, inside)| (place, role, inside)));
        of_nodes.chain(self.finally.map(|body| (0, BodyRole::Finally, body.as_inside())))
    }

    /// The id of the only node of a body that is no graph.
    pub(crate) fn single_id(self, place: u32, role: BodyRole) -> &'d str {
        match role {
            BodyRole::Finally => Self::FINALLY,
            BodyRole::Inside | BodyRole::Compensate => &self.nodes[place as usize].id,
        }
    }
}

impl InsideRef<'_> {
    /// The only node of a body that is no graph, with the id of the node that it is inside of.
    pub(crate) fn single(self, id: &str) -> Option<Node> {
        match self {
            Self::Task(task) => Some(Node::task(id, task.clone())),
            Self::Call(call) => Some(Node::new(id, title_of(id), NodeKind::Subworkflow(call.clone()))),
            Self::Graph(_) => None,
        }
    }
}

impl Definition {
    /// All nodes: its own with those inside of them, those that undo them and those of `finally`, and those of the workflows
    /// that it brings with it.
    ///
    /// The only task or call of a map or a loop is a node here, with the id of that.
    pub fn all_nodes<'d>(&'d self) -> Vec<Cow<'d, Node>> {
        let (mut all, mut open) = (Vec::new(), vec![self.as_graph()]);
        open.extend(self.workflows.iter().map(Self::as_graph));
        let mut next = 0;
        while let Some(graph) = open.get(next).copied() {
            next += 1;
            let mut enter = |all: &mut Vec<_>, inside: InsideRef<'d>, id: &str| match inside {
                InsideRef::Graph(graph) => open.push(graph.as_graph()),
                inside => all.extend(inside.single(id).map(Cow::Owned)),
            };
            for node in graph.nodes {
                all.push(Cow::Borrowed(node));
                node.bodies().for_each(|(_, inside)| enter(&mut all, inside, &node.id));
            }
            if let Some(body) = graph.finally {
                enter(&mut all, body.as_inside(), GraphRef::FINALLY);
            }
        }
        all
    }
}

impl Definition {
    /// The same, with no schema of what tasks, signals and workflows give and what tasks and calls are given, in whichever graph
    /// they are: for simulations, in which nothing gives what it should.
    ///
    /// ```
    /// use finale_core::definition::{Definition, Schema, Task};
    ///
    /// let task = Task::handler("pack").output_schema(Schema::from_json(b"false")?);
    /// let definition = Definition::builder("order").map("each", "[1]", task).build();
    /// let plain = Definition::builder("order").map("each", "[1]", "pack").build();
    /// assert_eq!(definition.without_task_schemas(), plain);
    /// # Ok::<(), finale_core::definition::SchemaError>(())
    /// ```
    #[must_use]
    pub fn without_task_schemas(mut self) -> Self {
        let mut bodies: Vec<&mut Body> = self.finally.iter_mut().map(|body| &mut **body).collect();
        let mut graphs: Vec<&mut Vec<Node>> = vec![&mut self.nodes];
        self.output_schema = None;
        for called in &mut self.workflows {
            (called.input_schema, called.output_schema) = (None, None);
            bodies.extend(called.finally.iter_mut().map(|body| &mut **body));
            graphs.push(&mut called.nodes);
        }
        loop {
            if let Some(nodes) = graphs.pop() {
                for node in nodes {
                    bodies.extend(node.compensate.iter_mut().map(|body| &mut **body));
                    match &mut node.kind {
                        NodeKind::Task(task) => (task.input_schema, task.output_schema) = (None, None),
                        NodeKind::Wait(Wait::Signal(signal)) => signal.schema = None,
                        NodeKind::Group(group) => {
                            bodies.extend(group.graph.finally.iter_mut().map(|body| &mut **body));
                            graphs.push(&mut group.graph.nodes);
                        }
                        NodeKind::Map(map) => bodies.push(&mut map.body),
                        NodeKind::Loop(repeated) => bodies.push(&mut repeated.body),
                        _ => {}
                    }
                }
            } else if let Some(body) = bodies.pop() {
                match body {
                    Body::Task(task) => (task.input_schema, task.output_schema) = (None, None),
                    Body::Graph(graph) => {
                        bodies.extend(graph.finally.iter_mut().map(|body| &mut **body));
                        graphs.push(&mut graph.nodes);
                    }
                    Body::Call(_) => {}
                }
            } else {
                break;
            }
        }
        self
    }
}
