//! A definition as one shard runs it: its own compiled copy, with the handlers of its nodes looked up.

use std::sync::Arc;

use finale_core::execution::{Effect, Input, Refused, Report};
use finale_core::nearest::nearest;
use finale_core::number::{BatchNo, Callback, Slot};
use finale_core::task_engine::Reconcile;
use finale_core::{Compiled, Execution, NodeIndex, NodeStatus, Payload, WorkKey};
use finale_journal::StoredDefinition;

use crate::activation::ActivateError;
use crate::context::Data;
use crate::handler::{Handlers, OutputCheck, Registered};
use crate::metering::WorkflowMetrics;
use crate::workflow::Workflow;

/// Kept once per shard: an `Arc` that several threads count is what makes two of them slower than one.
pub(crate) struct Bound {
    pub(crate) compiled: Compiled,
    /// What it was made from, for who needs it on another thread.
    pub(crate) workflow: Workflow,
    /// What the journal keeps of it.
    pub(crate) stored: StoredDefinition,
    pub(crate) data: Data,
    pub(crate) metrics: WorkflowMetrics,
    /// Whether handlers may ask for the failures that their node handles.
    pub(crate) has_failure_handlers: bool,
    /// By the number of a node: how many tasks its graph has.
    pub(crate) tasks_beside: Box<[u32]>,
    /// By the number of a node: the nodes beside it whose outputs no handler gives. Empty if there are none.
    giving_by_themselves: Box<[Arc<[NodeIndex]>]>,
    handlers: Box<[Option<Registered>]>,
    /// Whether no handler is missing.
    is_complete: bool,
    /// How reports are checked, by the numbers of nodes; none where they are not.
    outputs: Box<[Option<OutputCheck>]>,
    /// Why nothing can be activated with it, if so. What began with it before is looked at for itself.
    refusal: Option<ActivateError>,
}

impl Bound {
    pub(crate) fn new(workflow: &Workflow, handlers: &Handlers, data: Data) -> Result<Self, ActivateError> {
        let compiled = workflow.compile_again().map_err(ActivateError::Definition)?;
        let handler = |node| compiled.handler(node).and_then(|name| handlers.get(name)).cloned();
        let bound: Box<[_]> = compiled.all_positions().map(handler).collect();
        // What is called is built without functions of its own.
        let check = |node| {
            let id = compiled.node(node).id.as_str();
            workflow.outputs().get(id).copied().or_else(|| handlers.output_check(compiled.hash(), id))
        };
        let outputs: Box<[_]> = compiled.positions().map(check).collect();
        let missing = not_registered(&compiled, handlers);
        Ok(Self {
            is_complete: missing.is_none(),
            refusal: missing,
            metrics: WorkflowMetrics::new(&compiled),
            has_failure_handlers: compiled.has_failure_handlers(),
            tasks_beside: compiled.tasks_beside(),
            giving_by_themselves: compiled.giving_by_themselves(),
            stored: workflow.stored(),
            workflow: workflow.clone(),
            compiled,
            data,
            handlers: bound,
            outputs,
        })
    }

    /// Why nothing can be activated with it, if so.
    pub(crate) fn refusal(&self) -> Option<&ActivateError> {
        self.refusal.as_ref()
    }

    pub(crate) fn handler(&self, node: NodeIndex) -> Option<&Registered> {
        self.handlers[node.as_usize()].as_ref()
    }

    /// Refuses a report whose output is not of the type that its task was declared with. A report that comes too late is
    /// refused for that.
    pub(crate) fn check_report(&self, state: &Execution, input: &Input) -> Result<(), Refused> {
        let Input::Reported(Report { key, result: Ok(output), .. }) = input else { return Ok(()) };
        let is_over = state.status().is_terminal() || state.node_status(*key).is_none_or(NodeStatus::is_settled);
        match self.outputs.get(key.node.as_usize()) {
            Some(Some(check)) if !is_over => {
                check(output).map_err(|error| Refused::WrongType(error.to_string().into()))
            }
            _ => Ok(()),
        }
    }

    /// The failures that the handlers handle which are to run, each under the key where its handler looks for them.
    pub(crate) fn failures<'a>(
        &'a self,
        state: &'a Execution,
        effects: &'a [Effect],
    ) -> impl Iterator<Item = (WorkKey, Payload)> + 'a {
        let effects = if self.has_failure_handlers { effects } else { &[] };
        effects.iter().filter_map(|effect| match effect {
            Effect::Run { dispatch, .. } if self.compiled.handles_failures(dispatch.key.node) => {
                let failures = state.handled_failures(&self.compiled, dispatch.key);
                let failures = Payload::encode(&failures).expect("what is said of a failure is JSON");
                Some((failures_key(dispatch.key), failures))
            }
            _ => None,
        })
    }

    /// The outputs that no handler gave and that the handlers which are to run may ask for: of signals, calls, groups, maps and
    /// loops beside them. Handlers of one scope that begin one after the other share them.
    pub(crate) fn outputs<'a>(
        &'a self,
        state: &'a Execution,
        effects: &'a [Effect],
    ) -> impl Iterator<Item = (WorkKey, Payload)> + 'a {
        let effects = if self.giving_by_themselves.is_empty() { &[] } else { effects };
        let mut last = None;
        let runs = effects.iter().filter_map(move |effect| match effect {
            Effect::Run { dispatch, .. } => Some(dispatch.key).filter(|key| last.replace(key.scope) != Some(key.scope)),
            _ => None,
        });
        runs.flat_map(move |key| {
            let beside = self.giving_by_themselves[key.node.as_usize()].iter();
            beside.filter_map(move |node| {
                let key = WorkKey { node: *node, ..key };
                Some((key, state.output_of(key)?.clone()))
            })
        })
    }

    /// Whether the output of a node comes from no handler and no report.
    pub(crate) fn gives_by_itself(&self, node: NodeIndex) -> bool {
        let beside = self.giving_by_themselves.get(node.as_usize());
        beside.is_some_and(|beside| beside.binary_search(&node).is_ok())
    }

    /// The name of a handler that an execution still may need and that is not registered.
    pub(crate) fn missing_handler(&self, execution: &Execution) -> Option<&str> {
        if self.is_complete {
            return None;
        }
        let is_missing = |node| self.handler(node).is_none() && self.compiled.handler(node).is_some();
        self.compiled.handler(execution.find_ahead(&self.compiled, is_missing)?)
    }
}

/// What the task engine needs to compare what is under way for an execution with what must be: all outputs, and what must be.
/// It comes from the callback of the execution, which has taken in the batches of outcomes up to that one.
pub(crate) fn reconcile_of(
    state: &Execution,
    bound: &Bound,
    slot: Slot,
    (from, taken): (Callback, BatchNo),
) -> (Vec<(Slot, WorkKey, Payload)>, Reconcile) {
    let under_way = state.under_way(&bound.compiled);
    let outputs = state.outputs().map(|(key, output)| (slot, key, output.clone()));
    let failures = bound.failures(state, &under_way).map(|(key, failures)| (slot, key, failures));
    let outputs = outputs.chain(failures).collect();
    (outputs, Reconcile { slot, from, taken, under_way })
}

fn not_registered(compiled: &Compiled, handlers: &Handlers) -> Option<ActivateError> {
    let mut names = compiled.all_positions().filter_map(|node| compiled.handler(node));
    let missing = names.find(|name| handlers.get(name).is_none())?;
    Some(ActivateError::HandlerNotRegistered {
        handler: missing.to_owned(),
        nearest: nearest(missing, handlers.names()).map(str::to_owned),
        registered: handlers.names().map(str::to_owned).collect(),
    })
}

/// No definition has as many nodes: what a node handles stands among the outputs under a number that is no node's.
pub(crate) const FAILURES_FROM: u32 = 1 << 31;

/// Where the failures stand that a piece of work handles.
pub(crate) fn failures_key(WorkKey { scope, node }: WorkKey) -> WorkKey {
    WorkKey { scope, node: NodeIndex(node.0 | FAILURES_FROM) }
}
