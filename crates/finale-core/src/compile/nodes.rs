//! What several checks ask of nodes, and say about them.

use super::problem::{Code, Problem};
use crate::definition::{Definition, NodeKind, Wait};

/// The first node of a kind without content.
pub(super) fn find(definition: &Definition, kind: &NodeKind) -> Option<u32> {
    let position = definition.nodes.iter().position(|node| node.kind == *kind)?;
    u32::try_from(position).ok()
}

/// Whether a node of that kind can fail: it does work, evaluates an expression, or waits for a signal that may not come.
pub(super) fn can_fail(kind: &NodeKind) -> bool {
    match kind {
        NodeKind::Conditional(_) | NodeKind::Wait(Wait::Until(_)) => true,
        NodeKind::Wait(Wait::Signal(signal)) => signal.timeout.is_some() || signal.is_evaluated(),
        kind => kind.is_work(),
    }
}

/// Where the problems of one node go.
pub(super) struct Report<'r> {
    pub(super) node: &'r str,
    pub(super) problems: &'r mut Vec<Problem>,
}

impl Report<'_> {
    pub(super) fn add_if(&mut self, is_wrong: bool, code: Code, message: impl FnOnce(&str) -> String) {
        if is_wrong {
            self.problems.push(Problem::of(code, self.node, message(self.node)));
        }
    }
}
