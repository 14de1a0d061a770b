//! The tasks that `--fail` makes fail.

use std::collections::BTreeMap;

use finale::core::Compiled;
use finale::core::definition::NodeKind;

/// The reason of a failure for which none was given.
const REASON: &str = "made to fail by --fail";

/// Why a task cannot be made to fail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadFailure {
    #[error("--fail {node:?}: there is no such node{}", hint(.nearest.as_deref()))]
    Unknown { node: String, nearest: Option<String> },
    #[error("--fail {node:?}: this node is no task but a {kind}{}", hint(.nearest.as_deref()))]
    NotATask { node: String, kind: &'static str, nearest: Option<String> },
    #[error("--fail {node:?} is given twice")]
    Twice { node: String },
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!(", did you mean the task {nearest:?}?"))
}

/// Reasons by the id of the task that fails for it.
pub(crate) fn failures(given: &[String], compiled: &Compiled) -> Result<BTreeMap<String, String>, BadFailure> {
    let mut failures = BTreeMap::new();
    for text in given {
        let (node, reason) = failure(text, compiled)?;
        if failures.insert(node.to_owned(), reason.to_owned()).is_some() {
            return Err(BadFailure::Twice { node: node.to_owned() });
        }
    }
    Ok(failures)
}

fn failure<'a>(text: &'a str, compiled: &Compiled) -> Result<(&'a str, &'a str), BadFailure> {
    // An id may have a `=` of its own.
    if compiled.position(text).is_some_and(|position| compiled.is_task(position)) {
        return Ok((text, REASON));
    }
    let (node, reason) = text.split_once('=').unwrap_or((text, ""));
    let reason = if reason.trim().is_empty() { REASON } else { reason };
    let given = node.to_owned();
    match compiled.position(node) {
        Some(position) if compiled.is_task(position) => Ok((node, reason)),
        Some(position) => {
            let kind = compiled.node(position).kind.name();
            Err(BadFailure::NotATask { nearest: nearest(node, compiled), node: given, kind })
        }
        None => Err(BadFailure::Unknown { nearest: nearest(node, compiled), node: given }),
    }
}

/// The task whose id is nearest to what was given, if one is near enough to be a slip.
fn nearest(given: &str, compiled: &Compiled) -> Option<String> {
    let tasks = compiled.definition().nodes.iter().filter(|node| matches!(node.kind, NodeKind::Task(_)));
    finale::core::nearest::nearest(given, tasks.map(|node| node.id.as_str())).map(str::to_owned)
}
