//! What the handlers of one execution can look at: its definition, and the outputs that are there.
//!
//! It belongs to the task engine, which also owns the handlers. Outputs of handlers are put on it as they come; those that
//! come from elsewhere are sent by the execution's actor before it lets a handler run that may ask for them.

use std::cell::RefCell;
use std::rc::Rc;

use finale_core::record::NodeFailure;
use finale_core::{Dispatch, ExecutionId, Payload, WorkKey};
use tracing::Span;

use super::bound::{Bound, FAILURES_FROM, failures_key};
use crate::observe;

pub(crate) struct Board {
    pub(crate) execution: ExecutionId,
    pub(crate) bound: Rc<Bound>,
    outputs: RefCell<Vec<(WorkKey, Payload)>>,
    /// The span of the execution, if anybody looks at it.
    span: RefCell<Option<Box<Span>>>,
}

impl Board {
    pub(crate) fn new(execution: ExecutionId, bound: Rc<Bound>) -> Self {
        Self { execution, bound, outputs: RefCell::default(), span: RefCell::default() }
    }

    /// Makes a board that nobody looks at any more the board of another execution.
    pub(crate) fn reset(&mut self, execution: ExecutionId, bound: &Rc<Bound>) {
        self.execution = execution;
        if !Rc::ptr_eq(&self.bound, bound) {
            self.bound = Rc::clone(bound);
        }
        self.outputs.get_mut().clear();
        self.span.get_mut().take();
    }

    /// Takes the span of the execution.
    pub(crate) fn put_span(&self, span: Box<Span>) {
        *self.span.borrow_mut() = Some(span);
    }

    /// Closes the span of the execution.
    pub(crate) fn close_span(&self) {
        // Not in the borrow: whoever looks at spans may do as they like.
        let span = self.span.borrow_mut().take();
        drop(span);
    }

    /// The span of an attempt, if anybody looks at it.
    pub(crate) fn task_span(&self, dispatch: Dispatch) -> Option<Box<Span>> {
        observe::task_span(&mut self.span.borrow_mut(), &self.bound.compiled, self.execution, dispatch)
    }

    /// Puts an output on the board; the last one of a key counts.
    pub(crate) fn put(&self, key: WorkKey, output: Payload) {
        self.outputs.borrow_mut().push((key, output));
    }

    /// The failures that a piece of work handles.
    pub(crate) fn failures(&self, key: WorkKey) -> Vec<NodeFailure> {
        let failures = self.output(failures_key(key)).map(|failures| failures.decode());
        failures.and_then(Result::ok).unwrap_or_default()
    }

    /// Takes all outputs off.
    pub(crate) fn clear(&self) {
        self.outputs.borrow_mut().clear();
    }

    /// The output of a piece of work, if it is there.
    pub(crate) fn output(&self, key: WorkKey) -> Option<Payload> {
        let outputs = self.outputs.borrow();
        outputs.iter().rev().find(|(other, _)| *other == key).map(|(_, output)| output.clone())
    }

    /// All outputs that are there.
    pub(crate) fn outputs(&self) -> Vec<(WorkKey, Payload)> {
        let outputs = self.outputs.borrow();
        outputs.iter().filter(|(key, _)| key.node.0 < FAILURES_FROM).cloned().collect()
    }
}
