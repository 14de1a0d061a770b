//! The definitions that sub-workflow references may find.

use rustc_hash::FxHashMap;

use crate::definition::Definition;

/// Definitions by id and version.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    definitions: FxHashMap<String, FxHashMap<String, Definition>>,
}

impl Registry {
    /// A registry without definitions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a definition; gives back the one that had its id and version before.
    pub fn insert(&mut self, definition: Definition) -> Option<Definition> {
        let versions = self.definitions.entry(definition.id.clone()).or_default();
        versions.insert(definition.version.clone(), definition)
    }

    /// The ids of its definitions, in no order.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.definitions.keys().map(String::as_str)
    }

    /// The definition with that id and version.
    pub fn get(&self, id: &str, version: &str) -> Option<&Definition> {
        self.definitions.get(id)?.get(version)
    }
}

impl FromIterator<Definition> for Registry {
    fn from_iter<I: IntoIterator<Item = Definition>>(definitions: I) -> Self {
        let mut registry = Self::new();
        registry.extend(definitions);
        registry
    }
}

impl Extend<Definition> for Registry {
    fn extend<I: IntoIterator<Item = Definition>>(&mut self, definitions: I) {
        for definition in definitions {
            self.insert(definition);
        }
    }
}
