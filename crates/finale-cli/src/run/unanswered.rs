//! The nodes that nobody here answers for, and whether anything else can go on.

use std::collections::BTreeMap;

use finale::{Awaited, CommandError, ExecutionHandle};

/// Why nobody here answers for a node.
#[derive(Clone, Debug)]
pub(super) enum Reason {
    /// An operator has to say how it goes on.
    Held,
    /// The answer given in advance was refused, for that reason.
    Refused(String),
    /// Nothing was said of it in advance: of a signal whose name is evaluated nobody can know which it will be.
    Untold,
}

impl Reason {
    /// Why the execution cannot go on, in a line.
    fn told(&self, awaited: &Awaited) -> String {
        let node = &awaited.node;
        match (self, &awaited.signal) {
            (Self::Held, _) => format!("{node} is held: somebody at a terminal has to say how it goes on"),
            (Self::Refused(why), _) => format!("{node} still waits: {why}"),
            (Self::Untold, Some(signal)) => format!("{node} waits for the signal {signal:?}, which nobody sends"),
            (Self::Untold, None) => format!("{node} waits for an answer that nobody gives"),
        }
    }
}

/// The nodes of an execution that nobody here answers for.
#[derive(Debug, Default)]
pub(super) struct Unanswered {
    nodes: BTreeMap<String, Reason>,
    /// Whether something has happened since it was looked whether anything else can go on.
    has_changed: bool,
}

impl Unanswered {
    pub(super) fn add(&mut self, node: String, reason: Reason) {
        self.nodes.insert(node, reason);
        self.has_changed = true;
    }

    /// Something has happened to a node, so that it may not wait any more.
    pub(super) fn moved(&mut self, node: &str) {
        self.nodes.remove(node);
        self.has_changed = !self.nodes.is_empty();
    }

    /// Whether it is to be looked at whether anything else can go on.
    pub(super) const fn is_to_be_looked_at(&self) -> bool {
        self.has_changed
    }

    /// It was found that something else goes on.
    pub(super) const fn looked_at(&mut self) {
        self.has_changed = false;
    }

    /// Why nothing can go on any more, in a line for each node; none if something can.
    pub(super) async fn lines(&self, handle: &ExecutionHandle) -> Result<Option<Vec<String>>, CommandError> {
        let why = handle.why().await?;
        let line = |awaited: &Awaited| Some(self.nodes.get(&awaited.node)?.told(awaited));
        let lines: Option<Vec<String>> = why.awaited.iter().map(line).collect();
        // Of many only the first are listed.
        let are_all = self.nodes.len() >= why.awaited.len() + why.awaited_more;
        Ok(lines.filter(|lines| !lines.is_empty() && are_all))
    }
}
