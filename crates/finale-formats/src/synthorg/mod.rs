//! `SynthOrg`'s workflow definitions and blueprints.
//!
//! What a file means for people or for `SynthOrg` alone is read and dropped: `description`,
//! `workflow_type`, `tags`, `revision`, `created_by`, times, `is_subworkflow`, positions and edge
//! labels. Of these only the revision is checked: it counts from 1. A task's other settings become its labels.
//!
//! A file that has neither edges nor a start or end node gets both: all its nodes then run side by
//! side. In any other file nothing is implied.

use finale_core::Definition;
use finale_core::definition::{Declaration, DeclaredType, Edge, EdgeKind, Node, NodeKind, Policy};
use serde_json::Value;

use crate::error::{Fault, LoadError, LoadProblem};
use crate::fields::Fields;
use crate::tree::{Located, Tree};

mod node;
mod slips;

pub(crate) use self::slips::warnings;

/// Reads a workflow definition that is parsed already.
///
/// ```
/// use finale_formats::synthorg;
///
/// let error = synthorg::from_value(&serde_json::json!({
///     "id": "w", "name": "W", "nodes": [{"id": "a", "type": "tsk", "label": "A"}],
/// }))
/// .unwrap_err();
/// assert_eq!(error.code(), "file_unknown_word");
/// assert!(error.to_string().starts_with("nodes[0].type: unknown node type `tsk`, did you mean `task`?"));
/// ```
pub fn from_value(document: &Value) -> Result<Definition, LoadError> {
    definition(&Located::from(document)).map_err(|fault| fault.into_error(""))
}

/// Reads a `blueprint:` document that is parsed already.
pub fn blueprint_from_value(document: &Value) -> Result<Definition, LoadError> {
    blueprint(&Located::from(document)).map_err(|fault| fault.into_error(""))
}

const DEFINITION_KEYS: &[&str] = &[
    "id",
    "name",
    "version",
    "nodes",
    "edges",
    "inputs",
    "outputs",
    "description",
    "workflow_type",
    "tags",
    "revision",
    "created_by",
    "created_at",
    "updated_at",
    "is_subworkflow",
];

const BLUEPRINT_KEYS: &[&str] = &["name", "display_name", "description", "workflow_type", "tags", "nodes", "edges"];

const FIRST_VERSION: &str = "1.0.0";

pub(crate) fn definition(root: &Located) -> Result<Definition, Fault> {
    let fields = root.fields(DEFINITION_KEYS)?;
    fields.read("revision", revision)?;
    Ok(Definition {
        version: fields.text_or("version", FIRST_VERSION)?,
        inputs: fields.each("inputs", declaration)?,
        outputs: fields.each("outputs", declaration)?,
        ..graph(fields, fields.text("id")?, fields.text("name")?)?
    })
}

/// The revision is not kept; that it counts from 1 is part of the format.
fn revision(value: &Located) -> Result<(), Fault> {
    match &value.tree {
        Tree::Number(number) if number.as_u64().is_some_and(|number| number > 0) => Ok(()),
        Tree::Number(number) => Err(Fault::new(LoadProblem::BadRevision { found: number.to_string() }).at(value.place)),
        _ => Err(value.wrong_type("a whole number")),
    }
}

pub(crate) fn blueprint(root: &Located) -> Result<Definition, Fault> {
    root.fields(&["blueprint"])?.require("blueprint", |blueprint| {
        let fields = blueprint.fields(BLUEPRINT_KEYS)?;
        graph(fields, fields.text("name")?, fields.text("display_name")?)
    })
}

fn graph(fields: Fields<'_>, id: String, name: String) -> Result<Definition, Fault> {
    // A definition without the key is more likely a slip than an empty workflow.
    fields.require("nodes", |_| Ok(()))?;
    let mut nodes = fields.each("nodes", node::read)?;
    let mut edges = fields.each("edges", edge)?;
    let is_end = |node: &Node| matches!(node.kind, NodeKind::Start | NodeKind::End);
    if edges.is_empty() && !nodes.iter().any(is_end) {
        edges = imply_ends(&mut nodes);
    }
    Ok(Definition {
        id,
        name,
        version: FIRST_VERSION.to_owned(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        input_schema: None,
        output_schema: None,
        policy: Policy::default(),
        output: None,
        finally: None,
        ending_within: None,
        nodes,
        edges,
        workflows: Vec::new(),
    })
}

const EDGE_KINDS: &[&str] = &[
    "sequential",
    "conditional_true",
    "conditional_false",
    "parallel_branch",
    "verification_pass",
    "verification_fail",
    "verification_refer",
];

fn edge(edge: &Located) -> Result<Edge, Fault> {
    let fields = edge.fields(&["id", "source_node_id", "target_node_id", "type", "label"])?;
    let kind = fields.read("type", |kind| kind.as_word("edge type", EDGE_KINDS, edge_kind))?;
    Ok(Edge {
        id: fields.text("id")?,
        source: fields.text("source_node_id")?,
        target: fields.text("target_node_id")?,
        kind: kind.unwrap_or_default(),
        label: fields.read("label", Located::as_text)?.map(str::to_owned),
    })
}

fn edge_kind(name: &str) -> Option<EdgeKind> {
    let kinds = [
        EdgeKind::Sequential,
        EdgeKind::ConditionalTrue,
        EdgeKind::ConditionalFalse,
        EdgeKind::ParallelBranch,
        EdgeKind::VerificationPass,
        EdgeKind::VerificationFail,
        EdgeKind::VerificationRefer,
    ];
    kinds.into_iter().find(|kind| kind.name() == name)
}

const DECLARED_TYPES: &[&str] = &["string", "integer", "float", "boolean", "datetime", "json", "task_ref", "agent_ref"];

fn declaration(declaration: &Located) -> Result<Declaration, Fault> {
    let fields = declaration.fields(&["name", "type", "required", "default", "description"])?;
    Ok(Declaration {
        name: fields.text("name")?,
        kind: fields.require("type", |kind| kind.as_word("type", DECLARED_TYPES, declared_type))?,
        required: fields.read("required", boolean)?.unwrap_or(true),
        default: fields.read("default", Located::as_value)?,
    })
}

fn declared_type(name: &str) -> Option<DeclaredType> {
    Some(match name {
        "string" => DeclaredType::String,
        "integer" => DeclaredType::Integer,
        "float" => DeclaredType::Float,
        "boolean" => DeclaredType::Boolean,
        "datetime" => DeclaredType::Datetime,
        "json" => DeclaredType::Json,
        "task_ref" => DeclaredType::TaskRef,
        "agent_ref" => DeclaredType::AgentRef,
        _ => return None,
    })
}

fn boolean(value: &Located) -> Result<bool, Fault> {
    match value.tree {
        Tree::Bool(value) => Ok(value),
        _ => Err(value.wrong_type("a boolean")),
    }
}

/// Puts a start before all nodes and an end behind them; gives the edges.
fn imply_ends(nodes: &mut Vec<Node>) -> Vec<Edge> {
    let start = free_id(nodes, "start");
    let end = free_id(nodes, "end");
    let mut ways: Vec<(String, String)> = Vec::new();
    for node in nodes.iter() {
        ways.push((start.clone(), node.id.clone()));
        ways.push((node.id.clone(), end.clone()));
    }
    if nodes.is_empty() {
        ways.push((start.clone(), end.clone()));
    }
    nodes.insert(0, implied(start, "Start", NodeKind::Start));
    nodes.push(implied(end, "End", NodeKind::End));
    let edge = |(position, (source, target)): (usize, (String, String))| Edge {
        id: format!("e{}", position + 1),
        source,
        target,
        kind: EdgeKind::Sequential,
        label: None,
    };
    ways.into_iter().enumerate().map(edge).collect()
}

fn free_id(nodes: &[Node], wanted: &str) -> String {
    let mut id = wanted.to_owned();
    while nodes.iter().any(|node| node.id == id) {
        id.push('_');
    }
    id
}

fn implied(id: String, label: &str, kind: NodeKind) -> Node {
    Node::new(id, label, kind)
}

#[cfg(test)]
mod tests;
