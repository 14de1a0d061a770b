//! What runs inside of a node, as a scope of its own.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Call, Definition, Edge, Node, NodeKind, Policy, Subworkflow, Task, title_of};

/// What runs inside of a node: once for each item of a map, once for each round of a loop.
///
/// A graph that is written inside of a node also sees the nodes around it, as they stood when that node was reached. A
/// workflow that is called sees nothing but what it is given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// One task. In paths it has the id of the node that it is inside of: `resize[3]::resize`.
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
    pub(super) body: Body,
    pub(super) brought: Vec<Definition>,
}

impl From<&str> for Inside {
    fn from(handler: &str) -> Self {
        Task::handler(handler).into()
    }
}

impl From<Task> for Inside {
    fn from(task: Task) -> Self {
        Self { body: Body::Task(Box::new(task)), brought: Vec::new() }
    }
}

impl From<Call> for Inside {
    fn from(mut call: Call) -> Self {
        if !call.is_bound {
            call.node.with = None;
        }
        Self { body: Body::Call(Box::new(call.node)), brought: call.definition.into_iter().collect() }
    }
}

impl From<Definition> for Inside {
    fn from(mut definition: Definition) -> Self {
        let brought = std::mem::take(&mut definition.workflows);
        Self { body: Body::Graph(definition.into()), brought }
    }
}

/// The graph of a definition: its name, its declarations and what it brings with it are left out.
impl From<Definition> for Graph {
    fn from(definition: Definition) -> Self {
        let Definition { policy, output, nodes, edges, .. } = definition;
        Self { policy, output, nodes, edges }
    }
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
    /// All nodes: its own with those inside of them, and those of the workflows that it brings with it.
    ///
    /// The only task or call of a map or a loop is a node here, with the id of that.
    pub fn all_nodes(&self) -> Vec<Cow<'_, Node>> {
        let (mut all, mut open) = (Vec::new(), vec![self.nodes.as_slice()]);
        open.extend(self.workflows.iter().map(|called| called.nodes.as_slice()));
        let mut next = 0;
        while let Some(nodes) = open.get(next).copied() {
            next += 1;
            for node in nodes {
                all.push(Cow::Borrowed(node));
                match node.inside() {
                    Some(InsideRef::Graph(graph)) => open.push(&graph.nodes),
                    Some(inside) => all.extend(inside.single(&node.id).map(Cow::Owned)),
                    None => {}
                }
            }
        }
        all
    }
}
