//! Nodes that give a value: what tasks, calls, waits, maps and loops have in common.

use std::fmt;
use std::marker::PhantomData;

use finale_core::definition::{EdgeKind, NodeKind};

use super::private::Way;
use super::{Branch, Feed, Gives, Origin, Source, TypedBuilder, gives};

/// A node of a workflow in the making that gives an `Output`. A copy is the same node.
///
/// `Kind` says what it does: see [`TaskNode`](super::TaskNode), [`CallNode`](super::CallNode),
/// [`WaitNode`](super::WaitNode), [`MapNode`](super::MapNode) and [`LoopNode`](super::LoopNode).
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
    /// Lets the node come after `source`; called several times, after all of them.
    pub fn after(self, source: impl Source<'w>) -> Self {
        let (other, index, kind) = source.way();
        let from = self.builder.origin(other, index);
        self.builder.draft().edges.push((from, self.index, kind));
        self
    }

    /// Sets the condition on which the node runs. If it evaluates to false the node is skipped, and with it whatever depends
    /// on nothing else. Called twice, both conditions must hold.
    pub fn when(self, expression: impl Into<String>) -> Self {
        let mut expression = expression.into();
        let conditions = &mut self.builder.draft().conditions;
        if let Some(other) = conditions.remove(&self.index) {
            expression = format!("({other}) and ({expression})");
        }
        conditions.insert(self.index, expression);
        self
    }

    /// Sets the id of the node; by default the name of its function, if it has one. Two nodes with one id are refused when the
    /// workflow is built.
    pub fn id(self, id: impl Into<String>) -> Self {
        self.builder.draft().definition.nodes[self.index].id = id.into();
        self
    }

    /// Sets what the node is called by people; by default its id in words.
    pub fn title(self, title: impl Into<String>) -> Self {
        let title = title.into();
        let mut draft = self.builder.draft();
        draft.definition.nodes[self.index].label.clone_from(&title);
        draft.change(self.index, |task| task.title = Some(title));
        drop(draft);
        self
    }

    /// The branch that is taken if the node has failed for good: what comes after it handles the failure, which then does not
    /// count. See [`DefinitionBuilder::catch`](crate::DefinitionBuilder::catch).
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # async fn ship(_: TaskContext, item: String) -> Result<(), TaskError> { Ok(()) }
    /// async fn refund(context: TaskContext, _item: String) -> Result<String, TaskError> {
    ///     Ok(format!("refunded: {}", context.failures()[0].reason))
    /// }
    ///
    /// let order = Workflow::typed("order");
    /// let ship = order.task("ship", ship);
    /// order.task("refund", refund).after(ship.failure());
    /// assert!(order.build().is_ok());
    /// ```
    pub fn failure(self) -> Branch<'w> {
        self.branch(EdgeKind::OnFailure)
    }

    /// Lets the node come after what its input, or its list of items, comes from.
    pub(super) fn fed_by(self, from: &Feed<'w>) {
        match *from {
            Feed::Output(builder, index) => {
                let from = self.builder.origin(builder, index);
                self.builder.draft().inputs.push((self.index, from));
                self.after(builder.task_at::<(), ()>(index));
            }
            Feed::Input(builder) if std::ptr::eq(builder, self.builder) => {
                self.builder.draft().set_input(self.index, "input".to_owned());
            }
            Feed::Input(builder) => {
                let stranger = builder.draft().definition.id.clone();
                let from = Origin::Stranger(format!("the input of workflow {stranger}"));
                self.builder.draft().edges.push((from, self.index, EdgeKind::Sequential));
            }
        }
    }

    pub(super) fn branch(self, kind: EdgeKind) -> Branch<'w> {
        Branch { builder: self.builder, index: self.index, kind }
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

impl<'w, Kind, Output> gives::private::Gives<'w, Output> for ValueNode<'w, Kind, Output> {
    fn feed(self) -> Feed<'w> {
        Feed::Output(self.builder, self.index)
    }
}

impl<'w, Kind, Output> Gives<'w, Output> for ValueNode<'w, Kind, Output> {}
