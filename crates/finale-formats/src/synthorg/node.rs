//! One node and its configuration.
//!
//! A wrong type in the configuration is no error here: the value counts as absent, and the
//! definition is refused with a code when it is compiled if the value is required. An error is only
//! what cannot be told apart from something else afterwards.

use std::collections::BTreeMap;

use finale_core::definition::{
    AgentAssignment, Conditional, JoinStrategy, Node, NodeKind, ParallelJoin, ParallelSplit, Subworkflow, Task,
    Verdict, Verification, Work,
};
use serde_json::Value;

use crate::condition;
use crate::error::Fault;
use crate::fields::Fields;
use crate::tree::{Located, Tree};

pub(super) fn read(node: &Located) -> Result<Node, Fault> {
    let fields = node.fields(&["id", "type", "label", "position_x", "position_y", "config"])?;
    for position in ["position_x", "position_y"] {
        fields.read(position, number)?;
    }
    let read_kind = fields.require("type", |kind| kind.as_word("node type", NODE_TYPES, kind_reader))?;
    let empty = Located { place: node.place, ..Tree::Map(Vec::new()).into() };
    let config = fields.read("config", Located::open_fields)?;
    let kind = read_kind(config.unwrap_or(empty.open_fields()?)).map_err(|fault| fault.within_key("config"))?;
    Ok(Node::new(fields.text("id")?, fields.text_or("label", "")?, kind))
}

const NODE_TYPES: &[&str] = &[
    "start",
    "end",
    "task",
    "agent_assignment",
    "conditional",
    "parallel_split",
    "parallel_join",
    "subworkflow",
    "verification",
];

type KindReader = fn(Fields<'_>) -> Result<NodeKind, Fault>;

fn kind_reader(name: &str) -> Option<KindReader> {
    Some(match name {
        "start" => |_| Ok(NodeKind::Start),
        "end" => |_| Ok(NodeKind::End),
        "task" => |config| Ok(task(config)),
        "agent_assignment" => |config| Ok(agent_assignment(config)),
        "conditional" => |config| Ok(conditional(config)),
        "parallel_split" => |config| Ok(parallel_split(config)),
        "parallel_join" => parallel_join,
        "subworkflow" => subworkflow,
        "verification" => |config| Ok(verification(config)),
        _ => return None,
    })
}

/// JSON cannot write a number that is not finite, and the YAML parser refuses one.
fn number(value: &Located) -> Result<(), Fault> {
    match value.tree {
        Tree::Number(_) => Ok(()),
        _ => Err(value.wrong_type("a number")),
    }
}

fn text(config: Fields<'_>, key: &str) -> Option<String> {
    config.get(key)?.tree.text().map(str::to_owned)
}

fn task(config: Fields<'_>) -> NodeKind {
    NodeKind::Task(Task {
        title: text(config, "title"),
        work: Work::External,
        labels: labels(config),
        ..Task::default()
    })
}

/// Everything but the title that can be printed on one line.
fn labels(config: Fields<'_>) -> BTreeMap<String, String> {
    config
        .entries()
        .filter(|(key, _)| *key != "title")
        .filter_map(|(key, value)| Some((key.to_owned(), value.written()?)))
        .collect()
}

fn agent_assignment(config: Fields<'_>) -> NodeKind {
    NodeKind::AgentAssignment(AgentAssignment { agent: text(config, "agent_name") })
}

fn conditional(config: Fields<'_>) -> NodeKind {
    let condition = config.get("condition_expression").and_then(|value| match &value.tree {
        Tree::Text(text) => Some(condition::translate(text)),
        // YAML reads an unquoted `true` as a boolean; it means the condition `true`.
        Tree::Bool(value) => Some(value.to_string()),
        _ => None,
    });
    NodeKind::Conditional(Conditional { condition })
}

fn parallel_split(config: Fields<'_>) -> NodeKind {
    let max_concurrency = config.get("max_concurrency").and_then(|value| match &value.tree {
        Tree::Number(number) => number.as_u64().and_then(|number| u32::try_from(number).ok()),
        _ => None,
    });
    NodeKind::ParallelSplit(ParallelSplit { max_concurrency })
}

fn parallel_join(config: Fields<'_>) -> Result<NodeKind, Fault> {
    let strategy = config.read("join_strategy", |strategy| {
        strategy.as_word("join strategy", &["all", "any"], |name| match name {
            "all" => Some(JoinStrategy::All),
            "any" => Some(JoinStrategy::Any),
            _ => None,
        })
    })?;
    Ok(NodeKind::ParallelJoin(ParallelJoin { strategy: strategy.unwrap_or_default(), ..ParallelJoin::default() }))
}

fn verification(config: Fields<'_>) -> NodeKind {
    let preset = config.get("_verdict_override").map(|value| match value.tree.text() {
        Some("pass") => Verdict::Pass,
        Some("fail") => Verdict::Fail,
        // A verdict that nobody knows is a case for somebody else to look at.
        _ => Verdict::Refer,
    });
    NodeKind::Verification(Verification {
        rubric: text(config, "rubric_name"),
        evaluator: text(config, "evaluator_agent_id"),
        preset,
    })
}

fn subworkflow(config: Fields<'_>) -> Result<NodeKind, Fault> {
    let version = config.get("version").map(|version| version.tree.text());
    // A version that is not text names no workflow at all, which is another mistake than to leave it out.
    let workflow = match version {
        Some(None) => None,
        _ => text(config, "subworkflow_id"),
    };
    Ok(NodeKind::Subworkflow(Subworkflow {
        workflow,
        version: version.flatten().map(str::to_owned),
        input_bindings: config.read("input_bindings", bindings)?.unwrap_or_default(),
        output_bindings: config.read("output_bindings", bindings)?.unwrap_or_default(),
        ..Subworkflow::default()
    }))
}

fn bindings(bindings: &Located) -> Result<BTreeMap<String, Value>, Fault> {
    let entries = bindings.open_fields()?.entries();
    let binding = |(name, value): (&str, &Located)| {
        let value = value.as_value().map_err(|fault| fault.within_key(name))?;
        Ok((name.to_owned(), value))
    };
    entries.map(binding).collect()
}
