//! A parsed document, whatever it was written in.

use std::collections::HashSet;

use serde_json::{Number, Value};

use crate::error::{LoadProblem, Place, Step};

/// A value, where it stands if the parser knows, and how it is written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Located {
    pub(crate) tree: Tree,
    pub(crate) place: Option<Place>,
    pub(crate) notation: Notation,
}

/// How a scalar is written: where text is meant, that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notation {
    /// As it would be printed.
    Canonical,
    /// A number or a boolean of YAML that would be printed in another way.
    Written(Box<str>),
    /// A number of JSON that would be printed in another way. What is text has quotes there, so that this one is meant
    /// as a number.
    WrittenInJson(Box<str>),
    /// A text without quotes that may be meant as a number.
    Doubtful(Doubt),
}

impl Notation {
    /// That of a scalar which would be printed as `canonical`.
    pub(crate) fn of(written: &str, canonical: &str) -> Self {
        if written == canonical { Self::Canonical } else { Self::Written(written.into()) }
    }
}

/// Why it is in doubt what a scalar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doubt {
    /// It is a number in some versions of YAML only.
    Numeral,
    /// It is a number that 64 bits do not hold.
    TooLarge,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Located>),
    /// In the order of the source, no key twice. A lookup is linear: whoever reads a long map goes through its entries.
    Map(Vec<Entry>),
}

/// One entry of a map.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_place: Option<Place>,
    pub(crate) value: Located,
}

impl Entry {
    /// An entry that stands nowhere.
    pub(crate) fn new(key: impl Into<String>, value: impl Into<Located>) -> Self {
        Self { key: key.into(), key_place: None, value: value.into() }
    }
}

impl From<Tree> for Located {
    fn from(tree: Tree) -> Self {
        Self { tree, place: None, notation: Notation::Canonical }
    }
}

impl Tree {
    /// The type of the value, for error messages.
    pub(crate) const fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }

    /// The value under a key, if this is a map that has it; `null` counts as absent.
    pub(crate) fn get(&self, key: &str) -> Option<&Located> {
        let Self::Map(entries) = self else {
            return None;
        };
        let value = &entries.iter().find(|entry| entry.key == key)?.value;
        (value.tree != Self::Null).then_some(value)
    }

    pub(crate) const fn is_map(&self) -> bool {
        matches!(self, Self::Map(_))
    }

    /// The text, if this is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl Located {
    /// The text of a scalar that is not nothing, as it stands in the file.
    pub(crate) fn written(&self) -> Option<String> {
        match (&self.notation, &self.tree) {
            (Notation::Written(written) | Notation::WrittenInJson(written), _) => Some(written.to_string()),
            (_, Tree::Text(text)) => Some(text.clone()),
            (_, Tree::Bool(value)) => Some(value.to_string()),
            (_, Tree::Number(number)) => Some(number.to_string()),
            (_, Tree::Null | Tree::List(_) | Tree::Map(_)) => None,
        }
    }

    /// The text, if this one cannot be taken for anything else; `expected` says in the problem what is needed.
    pub(crate) fn certain_text(&self, expected: &'static str) -> Result<&str, LoadProblem> {
        let found = match (&self.tree, &self.notation) {
            (Tree::Text(_), Notation::Doubtful(_)) => "what may be a number",
            (Tree::Text(text), _) => return Ok(text),
            (tree, _) => tree.type_name(),
        };
        match self.written() {
            Some(written) => {
                let reason = format!("expected {expected}, found {found}");
                Err(LoadProblem::Unquoted { written, reason, instead: None })
            }
            None => Err(LoadProblem::WrongType { expected, found }),
        }
    }

    /// Why a scalar does not say beyond doubt what value it is, if that is so.
    pub(crate) fn doubt(&self) -> Option<LoadProblem> {
        let written = self.written()?;
        let (reason, instead) = match (&self.notation, &self.tree) {
            (Notation::Doubtful(Doubt::Numeral), _) => {
                (format!("some readers of YAML take `{written}` for a number, and others for text"), None)
            }
            (Notation::Doubtful(Doubt::TooLarge), _) => (format!("no number of 64 bits is `{written}`"), None),
            (Notation::Written(_), Tree::Number(number)) => {
                (format!("`{written}` is a number, and would arrive as `{number}`"), Some(number.to_string()))
            }
            _ => return None,
        };
        Some(LoadProblem::Unquoted { written, reason, instead })
    }

    /// The number of values in this one, itself included.
    pub(crate) fn count(&self) -> usize {
        match &self.tree {
            Tree::List(elements) => elements.iter().map(Self::count).sum::<usize>() + 1,
            Tree::Map(entries) => entries.iter().map(|entry| entry.value.count()).sum::<usize>() + 1,
            Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) => 1,
        }
    }

    /// How many lists and maps are inside each other at most.
    pub(crate) fn depth(&self) -> usize {
        match &self.tree {
            Tree::List(elements) => elements.iter().map(Self::depth).max().unwrap_or_default() + 1,
            Tree::Map(entries) => entries.iter().map(|entry| entry.value.depth()).max().unwrap_or_default() + 1,
            Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Text(_) => 0,
        }
    }

    /// The place of the value at the end of a path, or of the last one on the way that there is.
    pub(crate) fn place_of(&self, path: &mut dyn Iterator<Item = &Step>) -> Option<Place> {
        let mut value = self;
        for step in path {
            let next = match (&value.tree, step) {
                (Tree::Map(entries), Step::Key(key)) => {
                    entries.iter().find(|entry| entry.key == *key).map(|entry| &entry.value)
                }
                (Tree::List(elements), Step::Index(index)) => elements.get(*index),
                _ => None,
            };
            let Some(next) = next else { break };
            value = next;
        }
        value.place
    }
}

impl From<&Value> for Located {
    fn from(value: &Value) -> Self {
        let tree = match value {
            Value::Null => Tree::Null,
            Value::Bool(value) => Tree::Bool(*value),
            Value::Number(value) => Tree::Number(value.clone()),
            Value::String(value) => Tree::Text(value.clone()),
            Value::Array(values) => Tree::List(values.iter().map(Self::from).collect()),
            Value::Object(entries) => {
                Tree::Map(entries.iter().map(|(key, value)| Entry::new(key, Self::from(value))).collect())
            }
        };
        tree.into()
    }
}

impl From<&Located> for Value {
    fn from(located: &Located) -> Self {
        match &located.tree {
            Tree::Null => Self::Null,
            Tree::Bool(value) => Self::Bool(*value),
            Tree::Number(value) => Self::Number(value.clone()),
            Tree::Text(value) => Self::String(value.clone()),
            Tree::List(values) => Self::Array(values.iter().map(Self::from).collect()),
            Tree::Map(entries) => {
                Self::Object(entries.iter().map(|entry| (entry.key.clone(), Self::from(&entry.value))).collect())
            }
        }
    }
}

/// The keys of a map so far: those of a short map are looked up where they are.
#[derive(Default)]
pub(crate) struct Seen {
    keys: HashSet<String>,
}

impl Seen {
    const SHORT_MAX: usize = 16;

    /// Whether no entry has the key yet; it has one from now on.
    pub(crate) fn is_new(&mut self, key: &str, entries: &[Entry]) -> bool {
        if entries.len() < Self::SHORT_MAX {
            return entries.iter().all(|entry| entry.key != key);
        }
        if self.keys.is_empty() {
            self.keys.extend(entries.iter().map(|entry| entry.key.clone()));
        }
        self.keys.insert(key.to_owned())
    }
}
