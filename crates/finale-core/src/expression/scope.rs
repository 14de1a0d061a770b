//! The variables of an expression, made from the facts of an execution.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use minijinja::value::{Enumerator, Object};
use minijinja::{Error, ErrorKind, Value};
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor};

use super::{EvaluationError, Facts, NodeView};
use crate::payload::Payload;
use crate::status::NodeStatus;

/// What an expression refers to: only that is asked of the facts.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) input: bool,
    pub(super) nodes: Vec<NodeReference>,
    pub(super) vars: Option<Vars>,
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
    /// The variables as they are now.
    pub(super) fn open(&self, facts: &dyn Facts) -> Result<Value, EvaluationError> {
        let mut names = BTreeMap::new();
        if self.input {
            names.insert("input", parse(facts.input()).map_err(|error| unreadable("the input", &error))?);
        }
        if !self.nodes.is_empty() {
            names.insert("nodes", self.nodes(facts));
        }
        if let Some(vars) = &self.vars {
            names.insert("vars", vars.open(facts)?);
        }
        Ok(Value::from(names))
    }

    fn nodes(&self, facts: &dyn Facts) -> Value {
        let node = |node: &NodeReference| {
            let view = facts.node(node.position);
            (node.id.clone(), Value::from_object(SeenNode { id: node.id.clone(), view, output: OnceLock::new() }))
        };
        Value::from(self.nodes.iter().map(node).collect::<BTreeMap<_, _>>())
    }
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
        let bytes = document.as_bytes();
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Ok(());
        }
        for (key, value) in
            Members(self.keys.as_deref()).deserialize(&mut serde_json::Deserializer::from_slice(bytes))?
        {
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
