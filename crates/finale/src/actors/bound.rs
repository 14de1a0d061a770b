//! A definition as one shard runs it: its own compiled copy, with the handlers of its nodes looked up.

use std::sync::Arc;

use finale_core::execution::{Effect, Input, Refused, Report};
use finale_core::fact::{Operation, OperatorAction};
use finale_core::nearest::nearest;
use finale_core::number::{BatchNo, Callback, Slot};
use finale_core::task_engine::Reconcile;
use finale_core::{Compiled, Execution, Failure, FailureClass, NodeIndex, NodeStatus, Payload, Time, WorkKey};
use finale_journal::StoredDefinition;

use super::handlers::Begun;
use super::schema_conflict::find_conflict;
use crate::activation::ActivateError;
use crate::context::Data;
use crate::handler::{Handlers, OutputCheck, Registered};
use crate::metering::WorkflowMetrics;
use crate::schemas::{Schemas, schemas_of};
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
    /// The nodes whose handlers bring the schemas with them that the nodes declare, in order.
    trusted: Box<[NodeIndex]>,
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
        let trusted = trusted(workflow, &compiled, &bound);
        let conflict =
            || find_conflict(workflow, handlers).map(|conflict| ActivateError::SchemaConflict(Box::new(conflict)));
        Ok(Self {
            is_complete: missing.is_none(),
            refusal: missing.or_else(conflict),
            metrics: WorkflowMetrics::new(&compiled),
            has_failure_handlers: compiled.has_failure_handlers(),
            tasks_beside: compiled.tasks_beside(),
            giving_by_themselves: compiled.giving_by_themselves(),
            stored: workflow.stored(),
            workflow: workflow.clone(),
            compiled,
            data,
            trusted,
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

    /// Refuses a payload from outside that is not what the definition declares. What comes too late is refused for that.
    pub(crate) fn check_payload(&self, state: &Execution, input: &Input) -> Result<(), Refused> {
        let is_over =
            |key: WorkKey| state.status().is_terminal() || state.node_status(key).is_none_or(NodeStatus::is_settled);
        let fits = match (input, self.workflow.schemas()) {
            (Input::Reported(Report { key, result: Ok(output), .. }), schemas) => {
                let is_over = is_over(*key);
                let schemas = schemas.filter(|_| self.compiled.is_external(key.node) && !is_over);
                let fits = schemas.map_or(Ok(()), |schemas| schemas.check_output(key.node, output.as_bytes()));
                if fits.is_ok() {
                    // A schema says where it is wrong, a type only that it is.
                    self.check_type(*key, output, is_over)?;
                }
                Some(fits)
            }
            (Input::Operate(Operation { key, action: OperatorAction::Complete(output), .. }), Some(schemas)) => {
                (!is_over(*key)).then(|| schemas.check_output(key.node, output.as_bytes()))
            }
            (Input::Signal(signal), Some(schemas)) => {
                (!state.status().is_terminal()).then(|| schemas.check_signal(&signal.name, &signal.payload))
            }
            _ => None,
        };
        fits.unwrap_or(Ok(())).map_err(|mismatch| Refused::SchemaMismatch(Box::new(mismatch)))
    }

    /// Refuses a report whose output is not of the type that its task was declared with.
    fn check_type(&self, key: WorkKey, output: &Payload, is_over: bool) -> Result<(), Refused> {
        match self.outputs.get(key.node.as_usize()) {
            Some(Some(check)) if !is_over => {
                check(output).map_err(|error| Refused::WrongType(error.to_string().into()))
            }
            _ => Ok(()),
        }
    }

    /// Begins the work on a task, if the handler can be given its input and may have given what it gave. Its output is behind
    /// what is in the buffer already.
    pub(crate) fn begin_checked(
        &self,
        node: NodeIndex,
        input: &Payload,
        output: &mut Vec<u8>,
        begin: impl FnOnce(&mut Vec<u8>) -> Begun,
    ) -> Begun {
        let Some(schemas) = self.schemas_of_handler(node) else { return begin(output) };
        if let Err(mismatch) = schemas.check_input(node, input) {
            let failure = Failure::new(FailureClass::Failed, mismatch.to_string()).permanent();
            return Begun::Failed(Box::new(failure.with_code("input_schema")));
        }
        let before = output.len();
        let begun = begin(output);
        if matches!(begun, Begun::Completed)
            && let Err(failure) = self.check_output(node, &output[before..])
        {
            output.truncate(before);
            return Begun::Failed(Box::new(failure));
        }
        begun
    }

    /// Whether a handler may have given what it gave. If not, another attempt may give something else.
    pub(crate) fn check_output(&self, node: NodeIndex, output: &[u8]) -> Result<(), Failure> {
        let Some(schemas) = self.schemas_of_handler(node) else { return Ok(()) };
        let checked = schemas.check_output(node, output);
        checked.map_err(|mismatch| Failure::new(FailureClass::Failed, mismatch.to_string()).with_code("output_schema"))
    }

    /// What the payloads of a node are checked by, if its handler does not see to them by its types.
    fn schemas_of_handler(&self, node: NodeIndex) -> Option<&Schemas> {
        let schemas = self.workflow.schemas()?;
        self.trusted.binary_search(&node).is_err().then_some(schemas)
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

    /// Refuses a command after which something would begin that has no handler. Only what came from a journal can lack one.
    pub(crate) fn check_handlers(&self, state: &Execution, at: Time, input: &Input) -> Result<(), Refused> {
        let Input::Command(command) = input else { return Ok(()) };
        if self.is_complete {
            return Ok(());
        }
        let missing = state.find_ahead_after(&self.compiled, at, command.clone(), |node| self.is_missing(node));
        match missing.and_then(|node| self.compiled.handler(node)) {
            Some(handler) => Err(Refused::HandlerMissing(handler.into())),
            None => Ok(()),
        }
    }

    fn is_missing(&self, node: NodeIndex) -> bool {
        self.handler(node).is_none() && self.compiled.handler(node).is_some()
    }

    /// The name of a handler that an execution still may need and that is not registered.
    pub(crate) fn missing_handler(&self, execution: &Execution) -> Option<&str> {
        if self.is_complete {
            return None;
        }
        self.compiled.handler(execution.find_ahead(&self.compiled, |node| self.is_missing(node))?)
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

/// The nodes whose payloads are what they declare because their handlers have the same schemas.
fn trusted(workflow: &Workflow, compiled: &Compiled, handlers: &[Option<Registered>]) -> Box<[NodeIndex]> {
    if workflow.schemas().is_none() {
        return Box::default();
    }
    let is_trusted = |node: &NodeIndex| {
        let brought = handlers[node.as_usize()].as_ref().and_then(|registered| registered.schemas.as_deref());
        let Some(brought) = brought.filter(|brought| brought.is_kept) else { return false };
        let mut sides = schemas_of(compiled.node(*node)).into_iter().zip(brought.both());
        sides.all(|(declared, brought)| match (declared, brought) {
            (Some(declared), Some(brought)) => declared.difference(brought).is_none(),
            (Some(_), None) => false,
            (None, _) => true,
        })
    };
    compiled.all_positions().filter(is_trusted).collect()
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
