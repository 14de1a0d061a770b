//! Nodes that give a value and are no tasks: what calls, waits, maps and loops have in common.

use std::fmt;
use std::marker::PhantomData;

use finale_core::definition::{EdgeKind, NodeKind};

use super::private::Way;
use super::{Branch, Feed, Gives, Source, TaskNode, TypedBuilder, ends};

/// A node of a workflow in the making that gives an `Output` and is no task. A copy is the same node.
///
/// `Kind` says what it does: see [`CallNode`](super::CallNode), [`WaitNode`](super::WaitNode), [`MapNode`](super::MapNode) and
/// [`LoopNode`](super::LoopNode).
pub struct ValueNode<'w, Kind, Output> {
    pub(super) builder: &'w TypedBuilder,
    pub(super) index: usize,
    types: PhantomData<fn(Kind) -> Output>,
}

impl TypedBuilder {
    pub(super) fn value_at<Kind, Output>(&self, index: usize) -> ValueNode<'_, Kind, Output> {
        ValueNode { builder: self, index, types: PhantomData }
    }
}

impl<'w, Kind, Output> ValueNode<'w, Kind, Output> {
    /// Lets the node begin after `source`; called several times, after all of them.
    pub fn after(self, source: impl Source<'w>) -> Self {
        self.node().after(source);
        self
    }

    /// Sets the condition on which the node runs; see [`TaskNode::when`].
    pub fn when(self, expression: impl Into<String>) -> Self {
        self.node().when(expression);
        self
    }

    /// Sets the id of the node; see [`TaskNode::id`].
    pub fn id(self, id: impl Into<String>) -> Self {
        self.node().id(id);
        self
    }

    /// Sets what the node is called by people; by default its id in words.
    pub fn title(self, title: impl Into<String>) -> Self {
        self.builder.draft().definition.nodes[self.index].label = title.into();
        self
    }

    /// The branch that is taken if the node fails; see [`TaskNode::failure`].
    pub fn failure(self) -> Branch<'w> {
        self.branch(EdgeKind::OnFailure)
    }

    pub(super) fn branch(self, kind: EdgeKind) -> Branch<'w> {
        Branch { builder: self.builder, index: self.index, kind }
    }

    /// The node, whatever it takes and gives.
    pub(super) fn node(self) -> TaskNode<'w, (), ()> {
        self.builder.task_at(self.index)
    }

    /// The same node, said to be of another kind or to give something else.
    pub(super) fn as_other<OtherKind, Other>(self) -> ValueNode<'w, OtherKind, Other> {
        self.builder.value_at(self.index)
    }

    pub(super) fn change(self, change: impl FnOnce(&mut NodeKind)) -> Self {
        change(&mut self.builder.draft().definition.nodes[self.index].kind);
        self
    }
}

// By hand: the derived ones would ask the same of the kind and the output.
impl<Kind, Output> Clone for ValueNode<'_, Kind, Output> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Kind, Output> Copy for ValueNode<'_, Kind, Output> {}

impl<Kind, Output> fmt::Debug for ValueNode<'_, Kind, Output> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ValueNode({})", self.builder.draft().definition.nodes[self.index].id)
    }
}

impl<'w, Kind, Output> Way<'w> for ValueNode<'w, Kind, Output> {
    fn way(self) -> (&'w TypedBuilder, usize, EdgeKind) {
        (self.builder, self.index, EdgeKind::Sequential)
    }
}

impl<'w, Kind, Output> Source<'w> for ValueNode<'w, Kind, Output> {}

impl<'w, Kind, Output> ends::private::Gives<'w, Output> for ValueNode<'w, Kind, Output> {
    fn feed(self) -> Feed<'w> {
        Feed::Output(self.builder, self.index)
    }
}

impl<'w, Kind, Output> Gives<'w, Output> for ValueNode<'w, Kind, Output> {}
