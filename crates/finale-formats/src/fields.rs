//! Reading the values of a document, with errors that know where they are.

use finale_core::nearest::nearest;
use serde_json::Value;

use crate::error::{Fault, LoadProblem, Step};
use crate::tree::{Entry, Located, Tree};

/// The entries of a map.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    map: &'a Located,
}

impl Located {
    /// The entries of a map that may have other keys too.
    pub(crate) fn open_fields(&self) -> Result<Fields<'_>, Fault> {
        match &self.tree {
            Tree::Map(_) => Ok(Fields { map: self }),
            _ => Err(self.wrong_type("a map")),
        }
    }

    /// The entries of a map that may have these keys only.
    pub(crate) fn fields(&self, accepted: &'static [&'static str]) -> Result<Fields<'_>, Fault> {
        let fields = self.open_fields()?;
        for Entry { key, key_place, .. } in fields.entries_with_places() {
            if !accepted.contains(&key.as_str()) {
                let problem = LoadProblem::UnknownKey {
                    key: key.clone(),
                    nearest: nearest(key, accepted.iter().copied()),
                    accepted,
                };
                return Err(Fault::new(problem).at(*key_place).within_key(key));
            }
        }
        Ok(fields)
    }

    pub(crate) fn as_text(&self) -> Result<&str, Fault> {
        self.certain_text("text").map_err(|problem| Fault::new(problem).at(self.place))
    }

    /// A value of any type, in which no scalar may be meant as something else.
    pub(crate) fn as_value(&self) -> Result<Value, Fault> {
        Ok(match &self.tree {
            Tree::List(elements) => {
                let value = |(index, element): (usize, &Self)| {
                    element.as_value().map_err(|fault| fault.within(Step::Index(index)))
                };
                Value::Array(elements.iter().enumerate().map(value).collect::<Result<_, _>>()?)
            }
            Tree::Map(entries) => {
                let value = |entry: &Entry| {
                    let value = entry.value.as_value().map_err(|fault| fault.within_key(&entry.key))?;
                    Ok((entry.key.clone(), value))
                };
                Value::Object(entries.iter().map(value).collect::<Result<_, Fault>>()?)
            }
            _ => match self.doubt() {
                Some(problem) => return Err(Fault::new(problem).at(self.place)),
                None => Value::from(self),
            },
        })
    }

    /// The value that a word stands for; `word` is said to be a `what` if it is none of them.
    pub(crate) fn as_word<T>(
        &self,
        what: &'static str,
        accepted: &'static [&'static str],
        meaning: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Fault> {
        let value = self.as_text()?;
        meaning(value).ok_or_else(|| {
            let problem = LoadProblem::UnknownWord {
                what,
                value: value.to_owned(),
                nearest: nearest(value, accepted.iter().copied()),
                accepted,
            };
            Fault::new(problem).at(self.place)
        })
    }

    pub(crate) fn wrong_type(&self, expected: &'static str) -> Fault {
        let found = self.tree.type_name();
        Fault::new(LoadProblem::WrongType { expected, found }).at(self.place)
    }
}

impl<'a> Fields<'a> {
    pub(crate) fn entries(self) -> impl Iterator<Item = (&'a str, &'a Located)> {
        self.entries_with_places().iter().map(|entry| (entry.key.as_str(), &entry.value))
    }

    fn entries_with_places(self) -> &'a [Entry] {
        match &self.map.tree {
            Tree::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The value of a key; `null` counts as absent.
    pub(crate) fn get(self, key: &str) -> Option<&'a Located> {
        self.map.tree.get(key)
    }

    /// What `read` makes of the value of a key, or `None` if it is absent.
    pub(crate) fn read<T>(
        self,
        key: &'static str,
        read: impl FnOnce(&'a Located) -> Result<T, Fault>,
    ) -> Result<Option<T>, Fault> {
        self.get(key).map(read).transpose().map_err(|fault| fault.within_key(key))
    }

    /// What `read` makes of the value of a key that must be there.
    pub(crate) fn require<T>(
        self,
        key: &'static str,
        read: impl FnOnce(&'a Located) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.read(key, read)?
            .ok_or_else(|| Fault::new(LoadProblem::MissingKey { key, instead: None }).at(self.map.place))
    }

    pub(crate) fn text(self, key: &'static str) -> Result<String, Fault> {
        self.require(key, Located::as_text).map(str::to_owned)
    }

    pub(crate) fn text_or(self, key: &'static str, default: &str) -> Result<String, Fault> {
        let text = self.read(key, Located::as_text)?;
        Ok(text.unwrap_or(default).to_owned())
    }

    /// What `read` makes of each element of a list; no list counts as an empty one.
    pub(crate) fn each<T>(
        self,
        key: &'static str,
        mut read: impl FnMut(&'a Located) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let elements = self.read(key, |list| match &list.tree {
            Tree::List(elements) => Ok(elements.as_slice()),
            _ => Err(list.wrong_type("a list")),
        })?;
        elements
            .unwrap_or_default()
            .iter()
            .enumerate()
            .map(|(index, element)| read(element).map_err(|fault| fault.within(Step::Index(index)).within_key(key)))
            .collect()
    }
}
