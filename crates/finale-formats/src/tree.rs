//! A parsed document, whatever it was written in.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use crate::error::{Place, Step};

/// A value, and where it stands if the parser knows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Located {
    pub(crate) tree: Tree,
    pub(crate) place: Option<Place>,
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
        Self { tree, place: None }
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
        Self { tree, place: None }
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

/// How a parser hands over what stands inside a list or a map.
pub(crate) trait Inside<'de> {
    fn element<A: SeqAccess<'de>>(&self, list: &mut A) -> Result<Option<Located>, A::Error>;
    fn key<A: MapAccess<'de>>(&self, map: &mut A) -> Result<Option<(String, Option<Place>)>, A::Error>;
    fn value<A: MapAccess<'de>>(&self, map: &mut A) -> Result<Located, A::Error>;
}

/// Builds a [`Tree`] from what a parser visits.
pub(crate) struct TreeVisitor<'de, I> {
    inside: I,
    input: PhantomData<&'de str>,
}

impl<I> TreeVisitor<'_, I> {
    pub(crate) const fn new(inside: I) -> Self {
        Self { inside, input: PhantomData }
    }
}

impl<'de, I: Inside<'de>> Visitor<'de> for TreeVisitor<'de, I> {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_none<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Tree, E> {
        Number::from_f64(value).map(Tree::Number).ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Tree, E> {
        Ok(Tree::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = self.inside.element(&mut list)? {
            elements.push(element);
        }
        elements.shrink_to_fit();
        Ok(Tree::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen = Seen::default();
        while let Some((key, key_place)) = self.inside.key(&mut map)? {
            if !seen.is_new(&key, &entries) {
                return Err(A::Error::custom(format!("the key `{key}` is there twice")));
            }
            entries.push(Entry { key, key_place, value: self.inside.value(&mut map)? });
        }
        entries.shrink_to_fit();
        Ok(Tree::Map(entries))
    }
}

/// The keys of a map so far: those of a short map are looked up where they are.
#[derive(Default)]
struct Seen {
    keys: HashSet<String>,
}

impl Seen {
    const SHORT_MAX: usize = 16;

    fn is_new(&mut self, key: &str, entries: &[Entry]) -> bool {
        if entries.len() < Self::SHORT_MAX {
            return entries.iter().all(|entry| entry.key != key);
        }
        if self.keys.is_empty() {
            self.keys.extend(entries.iter().map(|entry| entry.key.clone()));
        }
        self.keys.insert(key.to_owned())
    }
}
