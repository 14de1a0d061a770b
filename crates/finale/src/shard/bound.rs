//! A definition as one shard runs it: its own compiled copy, with the handlers of its nodes looked up.

use std::rc::Rc;

use finale_core::Compiled;

use super::Shard;
use crate::activation::ActivateError;
use crate::context::Data;
use crate::handler::{Handlers, Registered};
use crate::metering::WorkflowMetrics;
use crate::workflow::Workflow;

/// Kept once per shard: an `Arc` that several threads count is what makes two of them slower than one.
pub(crate) struct Bound {
    pub(crate) compiled: Compiled,
    pub(crate) data: Data,
    pub(crate) metrics: WorkflowMetrics,
    handlers: Box<[Option<Registered>]>,
}

/// More definitions than this are kept only while something runs on them.
const IDLE_MAX: usize = 1_024;

impl Bound {
    fn new(workflow: &Workflow, handlers: &Handlers, data: Data) -> Result<Self, ActivateError> {
        let compiled = workflow.compile_again().map_err(ActivateError::Definition)?;
        refuse_unsupported(&compiled)?;
        let handler = |node| compiled.handler(node).map(|name| lookup(name, handlers)).transpose();
        let handlers = (0..compiled.len() as u32).map(handler).collect::<Result<_, _>>()?;
        Ok(Self { metrics: WorkflowMetrics::new(&compiled), compiled, data, handlers })
    }

    pub(crate) fn handler(&self, node: u32) -> Option<&Registered> {
        self.handlers[node as usize].as_ref()
    }
}

fn refuse_unsupported(compiled: &Compiled) -> Result<(), ActivateError> {
    match compiled.unsupported().first() {
        None => Ok(()),
        Some(unsupported) => {
            Err(ActivateError::Unsupported { node: unsupported.node.clone(), feature: unsupported.feature })
        }
    }
}

fn lookup(name: &str, handlers: &Handlers) -> Result<Registered, ActivateError> {
    handlers.get(name).cloned().ok_or_else(|| ActivateError::HandlerNotRegistered {
        handler: name.to_owned(),
        registered: handlers.names().map(str::to_owned).collect(),
    })
}

impl Shard {
    /// The shard's copy of a workflow.
    pub(crate) fn bind(&self, workflow: &Workflow) -> Result<Rc<Bound>, ActivateError> {
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
