//! What a value can come from in a workflow of functions.

/// What gives a `Value`: a [`TaskNode`](super::TaskNode) or another [`ValueNode`](super::ValueNode) whose output that is, or the
/// [input](super::InputNode) of the workflow. Nobody else can implement it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not give `{Value}`",
    label = "this task takes `{Value}`",
    note = "what a node gives is the last type in its name: `ValueNode<'_, Kind, Output>`, \
            `TaskNode<'_, Input, Output>`, `InputNode<'_, Input>`"
)]
pub trait Gives<'w, Value>: private::Gives<'w, Value> {}

pub(crate) mod private {
    use super::super::Feed;

    /// Where a value comes from.
    pub trait Gives<'w, Value> {
        fn feed(self) -> Feed<'w>;
    }
}
