//! How large a definition may be.

use serde::{Deserialize, Serialize};

/// How large a definition may be; checked before anything else is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Limits {
    /// The most nodes; default 100,000.
    pub nodes_max: usize,
    /// The most edges; default 1,000,000.
    pub edges_max: usize,
    /// The most nodes and edges that all expressions with `vars` together may look back at; default 10,000,000.
    ///
    /// Each such expression keeps the tasks before its node, so that without a limit the cost were quadratic.
    pub lookups_max: usize,
    /// The most levels of workflows that call each other, the definition itself not counted; default 16.
    pub subworkflow_depth_max: usize,
    /// The most nodes of a workflow and all that it calls, each counted as often as it is called; default 100,000.
    ///
    /// A workflow that calls no other may have as many as [`nodes_max`](Self::nodes_max).
    pub expanded_nodes_max: usize,
    /// The most items of a map; default 100,000.
    #[serde(default = "items_max")]
    pub items_max: u32,
}

const fn items_max() -> u32 {
    100_000
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            nodes_max: 100_000,
            edges_max: 1_000_000,
            lookups_max: 10_000_000,
            subworkflow_depth_max: 16,
            expanded_nodes_max: 100_000,
            items_max: items_max(),
        }
    }
}

impl Limits {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the most nodes.
    #[must_use]
    pub const fn nodes_max(self, nodes_max: usize) -> Self {
        Self { nodes_max, ..self }
    }

    /// Sets the most edges.
    #[must_use]
    pub const fn edges_max(self, edges_max: usize) -> Self {
        Self { edges_max, ..self }
    }

    /// Sets the most levels of workflows that call each other.
    #[must_use]
    pub const fn subworkflow_depth_max(self, subworkflow_depth_max: usize) -> Self {
        Self { subworkflow_depth_max, ..self }
    }

    /// Sets the most nodes of a workflow and all that it calls.
    #[must_use]
    pub const fn expanded_nodes_max(self, expanded_nodes_max: usize) -> Self {
        Self { expanded_nodes_max, ..self }
    }

    /// Sets the most items of a map.
    #[must_use]
    pub const fn items_max(self, items_max: u32) -> Self {
        Self { items_max, ..self }
    }

    /// Sets the most nodes and edges that expressions with `vars` may look back at.
    #[must_use]
    pub const fn lookups_max(self, lookups_max: usize) -> Self {
        Self { lookups_max, ..self }
    }
}
