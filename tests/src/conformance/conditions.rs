//! Conditions: translated as a loader does, evaluated as an execution does.

use std::path::Path;

use finale_core::expression::{Expression, Facts, NodeView};
use finale_core::{NodeStatus, Payload};
use finale_formats::condition::translate;
use rustc_hash::FxHashMap;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Judgement, cases};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    expression: String,
    context: Map<String, Value>,
    expected: bool,
    /// Whether the reference answers what nobody would expect.
    #[serde(default)]
    contested: bool,
    /// What most people would expect.
    sensible: Option<bool>,
}

pub(super) fn check(body: Value, _folder: &Path) -> Judgement {
    let case: Condition = match cases::parse(body) {
        Ok(case) => case,
        Err(problem) => return Judgement::failed(problem),
    };
    let sensible = case.sensible.filter(|_| case.contested);
    let wanted = sensible.unwrap_or(case.expected);
    match evaluate(&case) {
        Ok(found) if found == wanted => Judgement::Passed,
        Ok(found) => Judgement::failed(format!("{:?} is {found}, not {wanted}", case.expression)),
        Err(problem) => Judgement::failed(format!("{:?}: {problem}", case.expression)),
    }
}

fn evaluate(case: &Condition) -> Result<bool, String> {
    let source = translate(&case.expression);
    let compiled = Expression::compile(&source, &FxHashMap::default(), Vec::new);
    let expression = compiled.map_err(|error| format!("{source} does not compile: {error}"))?;
    let input = Payload::encode(&case.context).map_err(|error| error.to_string())?;
    expression.condition(&Input(input)).map_err(|error| format!("{source} cannot be evaluated: {error}"))
}

/// An execution that has an input and no nodes.
struct Input(Payload);

impl Facts for Input {
    fn input(&self) -> &Payload {
        &self.0
    }

    fn node(&self, _position: u32) -> NodeView {
        NodeView { status: NodeStatus::Pending, output: None, error: None }
    }
}
