//! Where the parts of a definition stand in its file.

use std::collections::HashMap;

use crate::error::Place;
use crate::tree::{Located, Tree};

/// Where the parts of a definition stand in the file it was loaded from.
///
/// What a file only implies, like most starts and ends, has no place.
///
/// ```
/// use finale_formats::{Format, load};
///
/// let text = b"id: release\ntasks:\n  test:\n    shell: cargo test\n    when: input.thorough\n";
/// let loaded = load(text, Format::Auto, "release.yaml")?;
/// assert_eq!(loaded.places.node("test"), Some((3, 3)));
/// assert_eq!(loaded.places.expression("test?"), Some((5, 11)));
/// assert_eq!(loaded.places.node("start"), None);
/// # Ok::<(), finale_formats::LoadError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Places {
    nodes: HashMap<String, Place>,
    expressions: HashMap<String, Place>,
    heads: HashMap<String, Place>,
}

impl Places {
    /// Line and column of the node with that id, both counted from 1.
    pub fn node(&self, id: &str) -> Option<(u32, u32)> {
        self.nodes.get(id).map(|place| (place.line, place.column))
    }

    /// Line and column of the expression of the node with that id: the input of a task, the condition of a decision.
    pub fn expression(&self, id: &str) -> Option<(u32, u32)> {
        self.expressions.get(id).map(|place| (place.line, place.column))
    }

    /// Line and column of the value under that key of the document itself, like `version` or `output`.
    pub fn head(&self, key: &str) -> Option<(u32, u32)> {
        self.heads.get(key).map(|place| (place.line, place.column))
    }

    pub(crate) fn add_node(&mut self, id: &str, place: Option<Place>) {
        add(&mut self.nodes, id, place);
    }

    pub(crate) fn add_expression(&mut self, id: &str, place: Option<Place>) {
        add(&mut self.expressions, id, place);
    }

    pub(crate) fn add_head(&mut self, key: &str, place: Option<Place>) {
        add(&mut self.heads, key, place);
    }

    /// The places in a document that lists its nodes, each with its id in it.
    pub(crate) fn of_lists(root: &Located) -> Self {
        let mut places = Self::default();
        let root = root.tree.get("blueprint").unwrap_or(root);
        if let Tree::Map(entries) = &root.tree {
            entries.iter().for_each(|entry| places.add_head(&entry.key, entry.value.place));
        }
        if let Some(nodes) =
            root.tree.get("nodes").or_else(|| root.tree.get("workflow")?.tree.get("specification")?.tree.get("tasks"))
            && let Tree::List(nodes) = &nodes.tree
        {
            for node in nodes {
                if let Some(id) = node.tree.get("id").and_then(|id| id.tree.text()) {
                    places.add_node(id, node.place);
                }
            }
        }
        places
    }
}

fn add(places: &mut HashMap<String, Place>, name: &str, place: Option<Place>) {
    if let Some(place) = place {
        places.entry(name.to_owned()).or_insert(place);
    }
}
