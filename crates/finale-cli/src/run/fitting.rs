//! Whether what is said in advance fits the schemas of a definition.

use finale::{Payload, SchemaMismatch, Workflow};
use finale_core::NodeIndex;
use finale_core::definition::{NodeKind, Work};

use super::answers::InAdvance;
use super::error::RunError;
use super::outside::Outside;
use super::signals::{awaited_signal, is_sent};
use super::simulate::Simulation;

/// Checks that every answer given in advance fits the schema of what it stands for. Of nodes that are over nothing is wanted
/// any more.
///
/// Before anything runs: in the middle of an execution nobody is there to give another answer.
pub(crate) fn check_answers(
    workflow: &Workflow,
    simulation: &Simulation,
    outside: Outside,
    file: &str,
    is_over: impl Fn(NodeIndex) -> bool,
) -> Result<(), RunError> {
    let misfit = |option: String| {
        let file = file.to_owned();
        move |mismatch: SchemaMismatch| RunError::Misfit { file, option, mismatch }
    };
    for (name, payload) in simulation.signals() {
        workflow.check_signal(name, payload).map_err(misfit(format!("--signal {name:?}")))?;
    }
    let compiled = workflow.compiled();
    for position in compiled.all_positions().filter(|position| !is_over(*position)) {
        let node = compiled.node(position);
        let by_id = simulation.answers().by_id(&node.id).map(|answer| (node.id.clone(), answer));
        let of_single = simulation.answers().of_single(&node.id);
        let of_single = of_single.filter(|(path, _)| compiled.node_at(path) == Some(position));
        for (name, answer) in by_id.into_iter().chain(of_single.map(|(path, answer)| (path.to_string(), answer))) {
            // A verdict was looked at when it was read.
            if let (NodeKind::Task(_), InAdvance::Done(output)) = (&node.kind, answer) {
                workflow.check_output(position, output).map_err(misfit(format!("--done {name:?}")))?;
            }
        }
        if outside == Outside::Agreed {
            check_agreed(workflow, simulation, position).map_err(|(option, mismatch)| {
                misfit(format!("--yes says null for {:?}; say {option}", node.id))(mismatch)
            })?;
        }
    }
    Ok(())
}

/// Checks what is said of a node by `--yes`, which is null; if that does not fit, gives the option that says something else.
fn check_agreed(
    workflow: &Workflow,
    simulation: &Simulation,
    position: NodeIndex,
) -> Result<(), (String, SchemaMismatch)> {
    let compiled = workflow.compiled();
    let node = compiled.node(position);
    let is_told = || simulation.answers().is_told(compiled, position);
    match &node.kind {
        NodeKind::Task(task) if task.work == Work::External && !is_told() => workflow
            .check_output(position, &Payload::NULL)
            .map_err(|mismatch| (format!("--done {}=OUTPUT", node.id), mismatch)),
        kind => match awaited_signal(kind) {
            Some(signal) if !is_sent(signal, compiled, simulation.signals()) => workflow
                .check_signal(&signal.name, &Payload::NULL)
                .map_err(|mismatch| (format!("--signal {}=PAYLOAD", signal.name), mismatch)),
            _ => Ok(()),
        },
    }
}
