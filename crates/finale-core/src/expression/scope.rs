//! The variables of an expression, made from the facts of an execution.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use minijinja::value::{Enumerator, Object};
use minijinja::{Error, ErrorKind, Value};
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};

use super::{EvaluationError, Facts, Local, NodeView};
use crate::payload::Payload;
use crate::status::NodeStatus;

/// What an expression refers to: only that is asked of the facts.
#[derive(Debug, Default)]
pub(super) struct Scope {
    pub(super) input: bool,
    pub(super) failures: bool,
    pub(super) nodes: Vec<NodeReference>,
    pub(super) vars: Option<Vars>,
    pub(super) locals: Vec<Local>,
}

/// A node that an expression names.
#[derive(Debug)]
pub(super) struct NodeReference {
    pub(super) id: String,
    pub(super) position: u32,
}

/// How an expression uses `vars`.
#[derive(Debug)]
pub(super) struct Vars {
    /// The keys it names, sorted; all keys if it names one that is not fixed.
    pub(super) keys: Option<Vec<String>>,
    /// The tasks whose outputs count, in the order of the definition.
    pub(super) upstream: Vec<u32>,
}

impl Scope {
    /// The input, parsed.
    pub(super) fn input(&self, facts: &dyn Facts) -> Result<Value, EvaluationError> {
        parse(facts.input()).map_err(|error| unreadable("the input", &error))
    }

    /// The failures that the node handles, as a list.
    pub(super) fn failures(&self, facts: &dyn Facts) -> Result<Value, EvaluationError> {
        parse(&facts.failures()).map_err(|error| unreadable("the failures", &error))
    }

    /// What a name stands for that is known in some places only, parsed.
    pub(super) fn local(local: Local, facts: &dyn Facts) -> Result<Value, EvaluationError> {
        parse(&facts.local(local)).map_err(|error| unreadable(local.name(), &error))
    }

    /// What `vars` shows.
    pub(super) fn vars(&self, facts: &dyn Facts) -> Result<Value, EvaluationError> {
        self.vars.as_ref().map_or_else(|| Ok(Value::UNDEFINED), |vars| vars.open(facts))
    }

    /// The node at a place of the list.
    pub(super) fn node(&self, place: u32, facts: &dyn Facts) -> Value {
        let NodeReference { id, position } = &self.nodes[place as usize];
        let view = facts.node(*position);
        Value::from_object(SeenNode { id: id.clone(), view, output: OnceLock::new() })
    }

    /// The numbers of the nodes that are looked at.
    pub(super) fn all_nodes(&self) -> impl Iterator<Item = u32> {
        let named = self.nodes.iter().map(|node| node.position);
        named.chain(self.vars.iter().flat_map(|vars| vars.upstream.iter().copied()))
    }

    /// Adds what another expression refers to.
    pub(super) fn add(&mut self, other: &Self) {
        self.input |= other.input;
        self.failures |= other.failures;
        let locals = other.locals.iter().filter(|local| !self.locals.contains(local));
        let locals: Vec<_> = locals.copied().collect();
        self.locals.extend(locals);
        for NodeReference { id, position } in &other.nodes {
            if !self.nodes.iter().any(|node| node.position == *position) {
                self.nodes.push(NodeReference { id: id.clone(), position: *position });
            }
        }
        if let Some(vars) = &other.vars {
            let upstream = vars.upstream.clone();
            self.vars.get_or_insert(Vars { keys: None, upstream });
        }
    }

    /// The size of the documents that the value may be made of.
    pub(super) fn bytes(&self, facts: &dyn Facts) -> usize {
        let input = if self.input || self.vars.is_some() { facts.input().size() } else { 0 };
        let failures = if self.failures { facts.failures().size() } else { 0 };
        let nodes = self.nodes.iter().map(|node| node.position);
        let upstream = self.vars.iter().flat_map(|vars| vars.upstream.iter().copied());
        let output = |position| facts.node(position).output.map_or(0, |output| output.size());
        let locals = self.locals.iter().map(|local| facts.local(*local).size()).sum::<usize>();
        input + failures + locals + nodes.chain(upstream).map(output).sum::<usize>()
    }
}

/// Whether a document is an object, without parsing it.
pub(super) fn is_object(document: &Payload) -> bool {
    document.as_bytes().trim_ascii_start().first() == Some(&b'{')
}

impl Vars {
    /// Looks from the last task to the first and then at the input, until all keys are found.
    fn open(&self, facts: &dyn Facts) -> Result<Value, EvaluationError> {
        let mut found = BTreeMap::new();
        for &position in self.upstream.iter().rev() {
            if self.is_complete(&found) {
                return Ok(Value::from(found));
            }
            let view = facts.node(position);
            if let (NodeStatus::Completed, Some(output)) = (view.status, &view.output) {
                self.overlay(&mut found, output).map_err(|error| unreadable("the output of a task", &error))?;
            }
        }
        if !self.is_complete(&found) {
            self.overlay(&mut found, facts.input()).map_err(|error| unreadable("the input", &error))?;
        }
        Ok(Value::from(found))
    }

    fn is_complete(&self, found: &BTreeMap<String, Value>) -> bool {
        self.keys.as_ref().is_some_and(|keys| keys.len() == found.len())
    }

    /// Adds the members of a document that were not found in a later one; other documents than objects have none.
    fn overlay(&self, found: &mut BTreeMap<String, Value>, document: &Payload) -> serde_json::Result<()> {
        if !is_object(document) {
            return Ok(());
        }
        let mut parser = serde_json::Deserializer::from_slice(document.as_bytes());
        for (key, value) in Members(self.keys.as_deref()).deserialize(&mut parser)? {
            found.entry(key).or_insert(value);
        }
        Ok(())
    }
}

/// Reads the members of an object whose keys are asked for, and passes over the others.
struct Members<'k>(Option<&'k [String]>);

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = BTreeMap<String, Value>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = BTreeMap<String, Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            if self.0.is_none_or(|keys| keys.binary_search(&key).is_ok()) {
                members.insert(key, map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(members)
    }
}

/// A node as an object; its output is parsed when it is looked at.
#[derive(Debug)]
struct SeenNode {
    id: String,
    view: NodeView,
    output: OnceLock<Value>,
}

impl SeenNode {
    fn output(&self) -> Option<Value> {
        let output = self.view.output.as_ref()?;
        let parse = || match parse(output) {
            Ok(value) => value,
            Err(error) => {
                let detail = format!("the output of {:?} cannot be read: {error}", self.id);
                Value::from(Error::new(ErrorKind::CannotDeserialize, detail))
            }
        };
        Some(self.output.get_or_init(parse).clone())
    }
}

impl Object for SeenNode {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "status" => Some(Value::from(self.view.status.name())),
            "output" => self.output(),
            "error" => self.view.error.as_deref().map(Value::from),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let keys = ["status", "output", "error"].into_iter().map(Value::from);
        Enumerator::Values(keys.filter(|key| self.get_value(key).is_some()).collect())
    }
}

fn parse(document: &Payload) -> serde_json::Result<Value> {
    serde_json::from_slice(document.as_bytes())
}

fn unreadable(what: &str, error: &serde_json::Error) -> EvaluationError {
    EvaluationError::Unreadable { what: what.to_owned(), detail: error.to_string() }
}
