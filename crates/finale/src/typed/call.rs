//! Calls in workflows of functions.

use finale_core::definition::{Call, Document, Node, NodeKind, OnFailure, Subworkflow, title_of};

use super::{TaskNode, TypedBuilder, ValueNode};
use crate::workflow::Workflow;

/// A call of a workflow in the making; from [`TypedBuilder::call`]. It is given nothing until `input` or `with` says what.
pub type CallNode<'w, Output> = ValueNode<'w, Called, Output>;

/// The kind of a [`CallNode`].
#[derive(Debug)]
pub enum Called {}

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
        self.value_at(index)
    }
}

impl<'w, Input, Output> TaskNode<'w, Input, Output> {
    /// Lets the task come after a call, whose output is its input. Takes precedence over [`input`](Self::input).
    pub fn input_from_call(self, source: CallNode<'w, Input>) -> Self {
        self.input_from(source)
    }
}

impl<Output> CallNode<'_, Output> {
    /// Sets the expression that gives the input of the called workflow; by default that is an empty object.
    pub fn input(self, expression: impl Into<String>) -> Self {
        let expression = expression.into();
        self.change_call(|call| (call.input, call.with) = (Some(expression), None))
    }

    /// Sets the input of the called workflow as a document, in whose texts `${{ expression }}` stands for a value.
    pub fn with(self, document: Document) -> Self {
        self.change_call(|call| (call.with, call.input) = (Some(document), None))
    }

    /// Sets what a failure inside does to the call; by default what the called workflow says.
    pub fn on_failure(self, on_failure: OnFailure) -> Self {
        let own = self.called_policy();
        self.change_call(|call| call.policy.get_or_insert(own).on_failure = on_failure)
    }

    /// Lets the execution complete although the call failed.
    pub fn optional(self) -> Self {
        self.change_call(|call| call.optional = true)
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

    fn change_call(self, change: impl FnOnce(&mut Subworkflow)) -> Self {
        self.change(|kind| {
            if let NodeKind::Subworkflow(call) = kind {
                change(call);
            }
        })
    }
}
