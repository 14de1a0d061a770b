//! What handlers say while they are at work, and how far maps have come.

use std::collections::BTreeMap;

use finale::{CustomStatus, EventKind, ItemCounts, NodeStatus, TaskProgress, Time};
use finale_core::NodeIndex;

use crate::look::Look;

/// How wide a bar is.
const BAR: usize = 10;

/// What was said and still counts.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// By the paths of nodes that there are once in an execution.
    nodes: BTreeMap<String, Far>,
    /// By the paths of those in items and rounds.
    repeated: BTreeMap<String, Repeated>,
    custom_status: Option<CustomStatus>,
}

/// How far something has come.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Far {
    Task(TaskProgress),
    Map(ItemCounts),
}

/// A node of an item or a round that said how far it is.
#[derive(Debug)]
pub(super) struct Repeated {
    pub(super) position: NodeIndex,
    pub(super) attempt: u16,
    /// When it said so first.
    pub(super) since: Time,
    pub(super) far: Far,
}

impl Said {
    /// Takes an event into account that is about that node; `is_repeated` says whether it is in an item or a round.
    pub(super) fn hear(&mut self, kind: &EventKind, at: Time, position: Option<NodeIndex>, is_repeated: bool) {
        if let EventKind::CustomStatusSet { custom_status } = kind {
            self.custom_status.clone_from(custom_status);
        }
        let Some(position) = position else { return };
        let (node, attempt, far) = match kind {
            EventKind::Progressed { node, attempt, share, text } => {
                (node, *attempt, Far::Task(TaskProgress::new(*share, text)))
            }
            EventKind::ItemsCounted { node, items } => (node, 0, Far::Map(*items)),
            EventKind::NodeTransitioned { node, to, .. }
                if !matches!(to, NodeStatus::Running | NodeStatus::Waiting) =>
            {
                self.nodes.remove(node);
                self.repeated.remove(node);
                return;
            }
            EventKind::Attempted { node, .. } => {
                // The next attempt begins anew.
                self.nodes.remove(node);
                self.repeated.remove(node);
                return;
            }
            _ => return,
        };
        if is_repeated {
            let since = self.repeated.get(node).map_or(at, |known| known.since);
            self.repeated.insert(node.clone(), Repeated { position, attempt, since, far });
        } else {
            self.nodes.insert(node.clone(), far);
        }
    }

    pub(super) fn of(&self, path: &str) -> Option<&Far> {
        self.nodes.get(path)
    }

    pub(super) fn repeated(&self) -> impl Iterator<Item = (&str, &Repeated)> {
        self.repeated.iter().map(|(path, repeated)| (path.as_str(), repeated))
    }

    pub(super) fn repeated_count(&self) -> usize {
        self.repeated.len()
    }

    pub(super) fn custom_status(&self) -> Option<&CustomStatus> {
        self.custom_status.as_ref()
    }
}

impl Far {
    /// A bar, and how far that is.
    pub(super) fn text(&self, look: Look) -> String {
        match self {
            Self::Task(TaskProgress { share, text }) => {
                // What is not done yet does not count as all of it.
                let percent = (share * 100.0).floor();
                let gap = if text.is_empty() { "" } else { " " };
                format!("{} {percent}%{gap}{text}", bar(*share, look))
            }
            Self::Map(items) => {
                let share = f64::from(items.settled()) / f64::from(items.total.max(1));
                let failed = if items.failed > 0 { format!(", {} failed", items.failed) } else { String::new() };
                format!("{} {} of {}{failed}", bar(share, look), items.settled(), items.total)
            }
        }
    }
}

fn bar(share: f64, look: Look) -> String {
    let full = (share.clamp(0.0, 1.0) * BAR as f64).floor() as usize;
    let symbols = look.symbols();
    format!("{}{}", symbols.full.repeat(full), symbols.empty.repeat(BAR - full))
}
