//! Whether handlers take and give what tasks declare that they do.

use crate::handler::Handlers;
use crate::schemas::{SchemaConflict, schemas_of};
use crate::workflow::Workflow;

/// The first task of a workflow that declares something else than its handler brings with it.
pub(crate) fn find_conflict(workflow: &Workflow, handlers: &Handlers) -> Option<SchemaConflict> {
    workflow.schemas()?;
    let compiled = workflow.compiled();
    compiled.all_positions().find_map(|number| {
        let (node, handler) = (compiled.node(number), compiled.handler(number)?);
        let brought = handlers.get(handler)?.schemas.as_ref()?.both();
        let mut sides = schemas_of(node).into_iter().zip(brought).zip([true, false]);
        sides.find_map(|((declared, brought), is_of_input)| {
            let difference = declared?.difference(brought?)?;
            let (workflow, node) = (workflow.definition().id.clone(), node.id.clone());
            Some(SchemaConflict { workflow, node, handler: handler.to_owned(), is_of_input, difference })
        })
    })
}
