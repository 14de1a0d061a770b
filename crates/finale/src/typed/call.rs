//! Calls in workflows of functions.

use std::fmt;
use std::marker::PhantomData;

use finale_core::definition::{Call, Document, EdgeKind, Node, NodeKind, OnFailure, Subworkflow, title_of};

use super::private::Way;
use super::{Source, TaskNode, TypedBuilder};
use crate::workflow::Workflow;

/// A call of a workflow in the making; from [`TypedBuilder::call`]. A copy is the same call.
#[must_use = "a call is given nothing until `input` or `with` says what"]
pub struct CallNode<'w, Output> {
    builder: &'w TypedBuilder,
    index: usize,
    output: PhantomData<fn() -> Output>,
}

impl TypedBuilder {
    /// A call of another workflow, which gives an `Output`: that is what a task behind it decodes, and not checked before.
    ///
    /// The functions that the called workflow was built of come with it, so that it need not be given to
    /// [`Builder::workflow`](crate::Builder::workflow) itself.
    ///
    /// ```
    /// use finale::{Runtime, Shards, TaskContext, TaskError, Workflow};
    ///
    /// async fn print_label(_context: TaskContext, to: String) -> Result<String, TaskError> {
    ///     Ok(format!("to {to}"))
    /// }
    ///
    /// async fn write_down(_context: TaskContext, label: String) -> Result<usize, TaskError> {
    ///     Ok(label.len())
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let ship = Workflow::typed("ship");
    /// ship.task("label", print_label).input("input.to");
    /// let ship = ship.build()?;
    ///
    /// let order = Workflow::typed("order");
    /// let shipped = order.call::<String>("ship", &ship).input("{'to': input.customer}");
    /// order.task("write", write_down).input_from_call(shipped);
    /// let order = order.build()?;
    ///
    /// let runtime = Runtime::builder().shards(Shards::Current).workflow(&order).start()?;
    /// let given = serde_json::json!({"customer": "Ann"});
    /// let outcome = runtime.activate(&order, given).await?.outcome().await?;
    /// assert_eq!(outcome.output::<usize>()?, 6);
    /// # Ok(())
    /// # }
    /// ```
    pub fn call<Output>(
        &self,
        id: impl Into<String>,
        workflow: &Workflow<impl Sized, impl Sized>,
    ) -> CallNode<'_, Output> {
        let index = self.add(&id.into(), |id| {
            let kind = NodeKind::from(Call::from(workflow));
            let label = title_of(&id);
            Node::new(id, label, kind)
        });
        let mut draft = self.draft();
        let called = workflow.definition();
        if !draft.definition.workflows.contains(called) {
            draft.definition.workflows.push(called.clone());
        }
        draft.functions.extend_from_slice(workflow.functions());
        CallNode { builder: self, index, output: PhantomData }
    }
}

impl<'w, Input, Output> TaskNode<'w, Input, Output> {
    /// Lets the task come after a call, whose output is its input. Takes precedence over [`input`](Self::input).
    pub fn input_from_call(self, source: CallNode<'w, Input>) -> Self {
        self.input_from(source)
    }
}

impl<'w, Output> CallNode<'w, Output> {
    /// The call as something that gives an output and is given nothing.
    pub(crate) fn result(self) -> TaskNode<'w, (), Output> {
        self.builder.task_at(self.index)
    }

    /// Lets the call come after `source`; called several times, after all of them.
    pub fn after(self, source: impl Source<'w>) -> Self {
        self.builder.task_at::<(), ()>(self.index).after(source);
        self
    }

    /// Sets the condition on which the call is made; see [`TaskNode::when`].
    pub fn when(self, expression: impl Into<String>) -> Self {
        self.builder.task_at::<(), ()>(self.index).when(expression);
        self
    }

    /// Sets the expression that gives the input of the called workflow; by default that is an empty object.
    pub fn input(self, expression: impl Into<String>) -> Self {
        let expression = expression.into();
        self.change(|call| (call.input, call.with) = (Some(expression), None))
    }

    /// Sets the input of the called workflow as a document, in whose texts `${{ expression }}` stands for a value.
    pub fn with(self, document: Document) -> Self {
        self.change(|call| (call.with, call.input) = (Some(document), None))
    }

    /// Sets the id of the node; see [`TaskNode::id`].
    pub fn id(self, id: impl Into<String>) -> Self {
        self.builder.task_at::<(), ()>(self.index).id(id);
        self
    }

    /// Sets what the node is called by people; by default its id in words.
    pub fn title(self, title: impl Into<String>) -> Self {
        self.builder.draft().definition.nodes[self.index].label = title.into();
        self
    }

    /// Sets what a failure inside does to the call; by default what the called workflow says.
    pub fn on_failure(self, on_failure: OnFailure) -> Self {
        let own = self.called_policy();
        self.change(|call| call.policy.get_or_insert(own).on_failure = on_failure)
    }

    /// Lets the execution complete although the call failed.
    pub fn optional(self) -> Self {
        self.change(|call| call.optional = true)
    }

    /// The policy of the called workflow.
    fn called_policy(&self) -> finale_core::definition::Policy {
        let draft = self.builder.draft();
        let NodeKind::Subworkflow(call) = &draft.definition.nodes[self.index].kind else { return Default::default() };
        let is_called = |known: &&finale_core::Definition| {
            Some(&known.id) == call.workflow.as_ref() && Some(&known.version) == call.version.as_ref()
        };
        draft.definition.workflows.iter().find(is_called).map(|called| called.policy).unwrap_or_default()
    }

    fn change(self, change: impl FnOnce(&mut Subworkflow)) -> Self {
        if let NodeKind::Subworkflow(call) = &mut self.builder.draft().definition.nodes[self.index].kind {
            change(call);
        }
        self
    }
}

// By hand: the derived ones would ask the same of the output.
impl<Output> Clone for CallNode<'_, Output> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Output> Copy for CallNode<'_, Output> {}

impl<Output> fmt::Debug for CallNode<'_, Output> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallNode({})", self.builder.draft().definition.nodes[self.index].id)
    }
}

impl<'w, Output> Way<'w> for CallNode<'w, Output> {
    fn way(self) -> (&'w TypedBuilder, usize, EdgeKind) {
        (self.builder, self.index, EdgeKind::Sequential)
    }
}

impl<'w, Output> Source<'w> for CallNode<'w, Output> {}
