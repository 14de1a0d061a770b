//! Expressions that only name a part of a document: the part is passed on byte for byte.
//!
//! Values in between would round numbers, drop keys that are there twice, and cost time.

use std::fmt;

use minijinja::Value;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::program::{Program, Step};
use super::scope::Scope;
use super::{Facts, Local};
use crate::payload::Payload;
use crate::status::NodeStatus;

/// A part of the input, or of the output of a node.
#[derive(Debug)]
pub(super) struct Path {
    root: Root,
    keys: Box<[Key]>,
}

#[derive(Debug)]
enum Root {
    Input,
    Node(u32),
    Vars,
    Local(Local),
}

#[derive(Debug)]
enum Key {
    Member(Box<str>),
    Element(usize),
}

impl Path {
    /// The path that a program follows, if it does nothing else.
    pub(super) fn of(program: &Program, scope: &Scope) -> Option<Self> {
        let (first, mut rest) = program.steps.split_first()?;
        let root = match first {
            Step::Input => Root::Input,
            Step::Vars => Root::Vars,
            Step::Local(local) => Root::Local(*local),
            Step::Node(place) => {
                let (Step::Attribute(name, _), behind) = rest.split_first()? else {
                    return None;
                };
                rest = behind;
                (**name == *"output").then_some(Root::Node(scope.nodes[*place as usize].position))?
            }
            _ => return None,
        };
        let mut keys = Vec::new();
        while let Some((step, behind)) = rest.split_first() {
            rest = behind;
            match (step, rest.first()) {
                (Step::Attribute(name, _), _) => keys.push(Key::Member(name.clone())),
                (Step::Constant(value), Some(Step::Item(_))) => {
                    keys.push(key(value)?);
                    rest = &rest[1..];
                }
                _ => return None,
            }
        }
        let is_whole_vars = matches!(root, Root::Vars) && !matches!(keys.first(), Some(Key::Member(_)));
        (!is_whole_vars).then(|| Self { root, keys: keys.into() })
    }

    /// The part as it stands in its document; nothing if it is not there, and then the program says why.
    pub(super) fn follow(&self, scope: &Scope, facts: &dyn Facts) -> Option<Payload> {
        match self.root {
            Root::Input => self.inside(facts.input()),
            Root::Local(local) => self.inside(&facts.local(local)),
            Root::Node(position) => self.inside(&output(facts, position)?),
            Root::Vars => {
                let upstream = scope.vars.as_ref()?.upstream.iter().rev();
                let outputs = upstream.filter_map(|&position| output(facts, position));
                let (first, rest) = self.keys.split_first()?;
                let documents = outputs.chain(std::iter::once_with(|| facts.input().clone()));
                for document in documents.filter(super::scope::is_object) {
                    let found = part(document.as_bytes(), std::slice::from_ref(first));
                    if let Some(found) = found {
                        return part(found, rest).map(Payload::trusted);
                    }
                }
                None
            }
        }
    }

    fn inside(&self, document: &Payload) -> Option<Payload> {
        if self.keys.is_empty() {
            return Some(document.clone());
        }
        part(document.as_bytes(), &self.keys).map(Payload::trusted)
    }
}

fn output(facts: &dyn Facts, position: u32) -> Option<Payload> {
    let view = facts.node(position);
    view.output.filter(|_| view.status == NodeStatus::Completed)
}

fn key(value: &Value) -> Option<Key> {
    match value.as_str() {
        Some(text) => Some(Key::Member(text.into())),
        None => value.is_integer().then(|| value.as_usize())?.map(Key::Element),
    }
}

fn part<'d>(mut document: &'d [u8], keys: &[Key]) -> Option<&'d [u8]> {
    for key in keys {
        let mut parser = serde_json::Deserializer::from_slice(document);
        document = key.deserialize(&mut parser).ok().flatten()?.get().as_bytes();
    }
    Some(document)
}

impl<'de> DeserializeSeed<'de> for &Key {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        match self {
            Key::Member(_) => deserializer.deserialize_map(self),
            Key::Element(_) => deserializer.deserialize_seq(self),
        }
    }
}

impl<'de> Visitor<'de> for &Key {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or an object")
    }

    /// Of a key that is there twice the last one counts, as everywhere.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            match self {
                Key::Member(name) if **name == *key => found = Some(map.next_value()?),
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let (mut found, mut place) = (None, 0);
        while let Some(element) = list.next_element::<&RawValue>()? {
            if matches!(self, Key::Element(index) if *index == place) {
                found = Some(element);
            }
            place += 1;
        }
        Ok(found)
    }
}
