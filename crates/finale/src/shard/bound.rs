//! A definition as one shard runs it: its own compiled copy, with the handlers of its nodes looked up.

use std::rc::Rc;

use finale_core::nearest::nearest;
use finale_core::{Compiled, DefinitionHash, Execution, NodeIndex, WorkKey};
use finale_journal::StoredDefinition;

use super::Shard;
use crate::activation::ActivateError;
use crate::context::Data;
use crate::handler::{Handlers, Registered};
use crate::metering::WorkflowMetrics;
use crate::workflow::Workflow;

/// Kept once per shard: an `Arc` that several threads count is what makes two of them slower than one.
pub(crate) struct Bound {
    pub(crate) compiled: Compiled,
    /// What the journal keeps of it.
    pub(crate) stored: StoredDefinition,
    pub(crate) data: Data,
    pub(crate) metrics: WorkflowMetrics,
    handlers: Box<[Option<Registered>]>,
    /// Why nothing can be activated with it, if so. What began with it before is looked at for itself.
    refusal: Option<ActivateError>,
}

/// More definitions than this are kept only while something runs on them.
const IDLE_MAX: usize = 1_024;

impl Bound {
    fn new(workflow: &Workflow, handlers: &Handlers, data: Data) -> Result<Self, ActivateError> {
        let compiled = workflow.compile_again().map_err(ActivateError::Definition)?;
        let handler = |node| compiled.handler(node).and_then(|name| handlers.get(name)).cloned();
        let bound: Box<[_]> = compiled.positions().map(handler).collect();
        Ok(Self {
            refusal: unsupported(&compiled).or_else(|| not_registered(&compiled, handlers)),
            metrics: WorkflowMetrics::new(&compiled),
            stored: workflow.stored(),
            compiled,
            data,
            handlers: bound,
        })
    }

    pub(crate) fn handler(&self, node: NodeIndex) -> Option<&Registered> {
        self.handlers[node.as_usize()].as_ref()
    }

    /// The name of a handler that an execution still may need and that is not registered.
    pub(crate) fn missing_handler(&self, execution: &Execution) -> Option<&str> {
        self.compiled.positions().find_map(|node| {
            let name = self.compiled.handler(node)?;
            let is_open = !execution.node_status(WorkKey::root(node))?.is_settled();
            (is_open && self.handler(node).is_none()).then_some(name)
        })
    }
}

fn unsupported(compiled: &Compiled) -> Option<ActivateError> {
    let unsupported = compiled.unsupported().first()?;
    Some(ActivateError::Unsupported { node: unsupported.node.clone(), feature: unsupported.feature })
}

fn not_registered(compiled: &Compiled, handlers: &Handlers) -> Option<ActivateError> {
    let mut names = compiled.positions().filter_map(|node| compiled.handler(node));
    let missing = names.find(|name| handlers.get(name).is_none())?;
    Some(ActivateError::HandlerNotRegistered {
        handler: missing.to_owned(),
        nearest: nearest(missing, handlers.names()).map(str::to_owned),
        registered: handlers.names().map(str::to_owned).collect(),
    })
}

impl Shard {
    /// The shard's copy of a workflow that is to be activated.
    pub(crate) fn bind(&self, workflow: &Workflow) -> Result<Rc<Bound>, ActivateError> {
        let bound = self.bound(workflow)?;
        bound.refusal.clone().map_or(Ok(bound), Err)
    }

    /// The shard's copy of a workflow that something began with before.
    pub(crate) fn restore(&self, hash: DefinitionHash) -> Result<Rc<Bound>, String> {
        if let Some(bound) = self.bounds.borrow().get(&hash) {
            return Ok(Rc::clone(bound));
        }
        let stored = self.journal.definition(hash).map_err(|error| error.to_string())?;
        let stored = stored.ok_or_else(|| format!("its definition ({hash}) is not kept any more"))?;
        self.bound(&Workflow::restore(&stored)?).map_err(|error| error.to_string())
    }

    fn bound(&self, workflow: &Workflow) -> Result<Rc<Bound>, ActivateError> {
        let hash = workflow.hash();
        if let Some(bound) = self.bounds.borrow().get(&hash) {
            return Ok(Rc::clone(bound));
        }
        let bound = Rc::new(Bound::new(workflow, &self.handlers, self.data.clone())?);
        let mut bounds = self.bounds.borrow_mut();
        if bounds.len() >= IDLE_MAX {
            bounds.retain(|_, bound| Rc::strong_count(bound) > 1);
        }
        bounds.insert(hash, Rc::clone(&bound));
        Ok(bound)
    }
}
