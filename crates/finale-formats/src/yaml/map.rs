//! The entries of a map that is being read.

use std::collections::HashSet;

use super::syntax;
use crate::error::{Fault, Place};
use crate::tree::{Entry, Located, Seen, Tree};

/// The key behind which stand maps whose entries belong to this map too.
const MERGE: &str = "<<";

/// A map that is not closed yet.
#[derive(Default)]
pub(super) struct OpenMap {
    entries: Vec<Entry>,
    seen: Seen,
    /// The key whose value is due.
    key: Option<Key>,
    /// The entries of other maps, each with the number of entries before it.
    merged: Vec<(usize, Entry)>,
    /// Whether there was a key for those.
    has_merged: bool,
}

enum Key {
    Named(String, Place),
    Merge,
}

impl OpenMap {
    /// Whether the next value belongs to a key, and is no key itself.
    pub(super) const fn expects_value(&self) -> bool {
        self.key.is_some()
    }

    /// Takes a key; a plain one has neither quotes nor a tag.
    pub(super) fn key(&mut self, text: &str, is_plain: bool, place: Place) -> Result<(), Fault> {
        if is_plain && text.is_empty() {
            return Err(syntax("the key before the `:` is missing").at(Some(place)));
        }
        if is_plain && matches!(text, "~" | "null" | "Null" | "NULL") {
            return Err(syntax(format!("`{text}` is nothing, and cannot be a key: quote it")).at(Some(place)));
        }
        if is_plain && text == MERGE {
            if std::mem::replace(&mut self.has_merged, true) {
                let fault = syntax("the key `<<` is there twice: write one with a list of maps, as in `<<: [*a, *b]`");
                return Err(fault.at(Some(place)));
            }
            self.key = Some(Key::Merge);
            return Ok(());
        }
        if !self.seen.is_new(text, &self.entries) {
            let fault = syntax(format!("the key `{text}` is there twice"));
            return Err(fault.at(Some(place)));
        }
        self.key = Some(Key::Named(text.to_owned(), place));
        Ok(())
    }

    /// Takes the value of the last key.
    pub(super) fn value(&mut self, value: Located) -> Result<(), Fault> {
        match self.key.take() {
            Some(Key::Named(key, place)) => {
                self.entries.push(Entry { key, key_place: Some(place), value });
                Ok(())
            }
            Some(Key::Merge) => self.merge(value),
            None => Ok(()),
        }
    }

    fn merge(&mut self, value: Located) -> Result<(), Fault> {
        let place = value.place;
        let maps = match value.tree {
            Tree::List(elements) => elements,
            tree => vec![Located { place, ..tree.into() }],
        };
        for map in maps {
            let Tree::Map(entries) = map.tree else {
                return Err(syntax("behind `<<` stands a map, or a list of maps").at(map.place));
            };
            self.merged.extend(entries.into_iter().map(|entry| (self.entries.len(), entry)));
        }
        Ok(())
    }

    /// The entries in their order. An own entry comes before a merged one of the same key, wherever it stands, and of
    /// several merged ones the first counts.
    pub(super) fn close(self) -> Vec<Entry> {
        let Self { mut entries, merged, .. } = self;
        if !merged.is_empty() {
            let mut keys: HashSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
            let mut merged = merged.into_iter().filter(|(_, entry)| keys.insert(entry.key.clone())).peekable();
            let mut all = Vec::new();
            for (number, entry) in std::mem::take(&mut entries).into_iter().enumerate() {
                while let Some((_, before)) = merged.next_if(|(before, _)| *before <= number) {
                    all.push(before);
                }
                all.push(entry);
            }
            all.extend(merged.map(|(_, entry)| entry));
            entries = all;
        }
        entries.shrink_to_fit();
        entries
    }
}
