//! A parsed document, whatever it was written in.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use crate::error::Place;

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
    /// Sorted by key, no key twice: small maps cost little and a lookup is a binary search.
    Map(Vec<(String, Located)>),
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
        let found = entries.binary_search_by(|(known, _)| known.as_str().cmp(key)).ok()?;
        let value = &entries[found].1;
        (value.tree != Self::Null).then_some(value)
    }

    /// The text, if this is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
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
                let mut entries: Vec<_> = entries.iter().map(|(key, value)| (key.clone(), Self::from(value))).collect();
                entries.sort_unstable_by(|left, right| left.0.cmp(&right.0));
                Tree::Map(entries)
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
                Self::Object(entries.iter().map(|(key, value)| (key.clone(), Self::from(value))).collect())
            }
        }
    }
}

/// How a parser hands over what stands inside a list or a map.
pub(crate) trait Inside<'de> {
    fn element<A: SeqAccess<'de>>(&self, list: &mut A) -> Result<Option<Located>, A::Error>;
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
        let mut entries: Vec<(String, Located)> = Vec::new();
        while let Some(key) = map.next_key()? {
            entries.push((key, self.inside.value(&mut map)?));
        }
        entries.shrink_to_fit();
        entries.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        if let Some(twice) = entries.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let message = format!("the key `{}` is there twice", twice[0].0);
            return Err(A::Error::custom(message));
        }
        Ok(Tree::Map(entries))
    }
}
