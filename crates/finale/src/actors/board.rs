//! What the handlers of one execution can look at: its definition, and the outputs that are there.
//!
//! It belongs to the task engine, which also owns the handlers. Outputs of handlers are put on it as they come; those that
//! come from elsewhere are sent by the execution's actor before it lets a handler run that may ask for them.

use std::cell::RefCell;
use std::rc::Rc;

use finale_core::record::NodeFailure;
use finale_core::{Dispatch, ExecutionId, NodeIndex, Payload, ScopeId, WorkKey};
use rustc_hash::FxHashMap;
use tracing::Span;

use super::bound::{Bound, FAILURES_FROM, failures_key};
use crate::observe;

pub(crate) struct Board {
    pub(crate) execution: ExecutionId,
    pub(crate) bound: Rc<Bound>,
    /// Those of the definition's own graph.
    outputs: RefCell<Vec<(NodeIndex, Payload)>>,
    inside: RefCell<FxHashMap<ScopeId, Inside>>,
    /// The span of the execution, if anybody looks at it.
    span: RefCell<Option<Box<Span>>>,
}

/// The outputs of one scope inside, as long as some task of it may ask for them.
#[derive(Default)]
struct Inside {
    outputs: FxHashMap<NodeIndex, Payload>,
    /// How many tasks have given theirs.
    given: u32,
}

impl Board {
    pub(crate) fn new(execution: ExecutionId, bound: Rc<Bound>) -> Self {
        Self { execution, bound, outputs: RefCell::default(), inside: RefCell::default(), span: RefCell::default() }
    }

    /// Makes a board that nobody looks at any more the board of another execution.
    pub(crate) fn reset(&mut self, execution: ExecutionId, bound: &Rc<Bound>) {
        self.execution = execution;
        if !Rc::ptr_eq(&self.bound, bound) {
            self.bound = Rc::clone(bound);
        }
        self.outputs.get_mut().clear();
        self.inside.get_mut().clear();
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
    ///
    /// When all tasks of a scope inside have given theirs, nobody is left in it who could ask: a map has as many scopes as
    /// items.
    pub(crate) fn put(&self, key: WorkKey, output: Payload) {
        let WorkKey { scope, node } = key;
        // These come again with each handler that may ask for them.
        let comes_again = self.bound.gives_by_itself(node);
        if scope.is_root() {
            let mut outputs = self.outputs.borrow_mut();
            if !comes_again || !outputs.iter().any(|(other, _)| *other == node) {
                outputs.push((node, output));
            }
            return;
        }
        let is_output = node.0 < FAILURES_FROM && !comes_again;
        let tasks = self.bound.tasks_beside.get(node.as_usize()).copied().unwrap_or(u32::MAX);
        if is_output && tasks == 1 {
            return;
        }
        let mut all = self.inside.borrow_mut();
        let inside = all.entry(scope).or_default();
        let is_new = inside.outputs.insert(node, output).is_none();
        inside.given += u32::from(is_new && is_output);
        if inside.given >= tasks {
            all.remove(&scope);
        }
    }

    /// The failures that a piece of work handles.
    pub(crate) fn failures(&self, key: WorkKey) -> Vec<NodeFailure> {
        let failures = self.output(failures_key(key)).map(|failures| failures.decode());
        failures.and_then(Result::ok).unwrap_or_default()
    }

    /// Takes all outputs off.
    pub(crate) fn clear(&self) {
        self.outputs.borrow_mut().clear();
        self.inside.borrow_mut().clear();
    }

    /// The output of a piece of work, if it is there.
    pub(crate) fn output(&self, WorkKey { scope, node }: WorkKey) -> Option<Payload> {
        if scope.is_root() {
            let outputs = self.outputs.borrow();
            return outputs.iter().rev().find(|(other, _)| *other == node).map(|(_, output)| output.clone());
        }
        self.inside.borrow().get(&scope)?.outputs.get(&node).cloned()
    }

    /// All outputs that are there of one scope.
    pub(crate) fn outputs(&self, scope: ScopeId) -> Vec<(NodeIndex, Payload)> {
        let (outputs, inside) = (self.outputs.borrow(), self.inside.borrow());
        let inside = inside.get(&scope).into_iter().flat_map(|inside| &inside.outputs);
        let inside = inside.map(|(node, output)| (*node, output.clone()));
        let root = if scope.is_root() { &outputs[..] } else { &[] };
        root.iter().cloned().chain(inside).filter(|(node, _)| node.0 < FAILURES_FROM).collect()
    }
}

#[cfg(test)]
mod tests {
    use finale_core::Definition;
    use finale_core::definition::Task;

    use super::*;
    use crate::context::Data;
    use crate::handler::Handlers;
    use crate::workflow::Workflow;

    #[test]
    fn the_outputs_of_items_are_gone_when_nobody_can_ask_for_them() {
        let body = Definition::builder("body").task("first", "h").task("then", "h").after("first").build();
        let flow = Workflow::builder("flow").map("pairs", "input", body).map("ones", "input", Task::handler("h"));
        let flow = flow.after("pairs").build().unwrap();
        let bound = Bound::new(&flow, &Handlers::default(), Data::default()).unwrap();
        let node = |path: &str| bound.compiled.node_at(&path.parse().unwrap()).unwrap();
        let (first, then, one) = (node("pairs[0]::first"), node("pairs[0]::then"), node("ones[0]::ones"));
        let board = Board::new(ExecutionId::from_uuid(uuid::Uuid::nil()), Rc::new(bound));
        let key = |scope, node| WorkKey { scope: ScopeId(scope), node };
        for scope in 1..100 {
            board.put(key(scope, first), Payload::NULL);
            assert!(board.output(key(scope, first)).is_some());
            // An output that is put once more is no other one.
            board.put(key(scope, first), Payload::NULL);
            assert_eq!(board.outputs(ScopeId(scope)).len(), 1);
            board.put(key(scope, then), Payload::NULL);
            board.put(key(1_000 + scope, one), Payload::NULL);
            assert!(board.inside.borrow().is_empty());
        }
    }
}
