//! Definitions, and the codes of what is wrong with them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use finale_core::Definition;
use finale_core::compile::{
    Limits, Problem, Registry, check_graph, check_structure, check_subworkflow_cycle, check_subworkflow_io,
};
use finale_formats::{LoadError, LoadProblem, synthorg};
use serde::Deserialize;
use serde_json::Value;

use super::{Judgement, cases};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Validation {
    definition: Value,
    check: Check,
    expected_codes: Vec<String>,
    /// Whether the reference accepts what should not be.
    #[serde(default)]
    contested: bool,
    proposed_codes: Option<Vec<String>>,
    #[serde(default)]
    expected_nodes: BTreeMap<String, Vec<String>>,
    error_count: Option<usize>,
    #[serde(default)]
    registry: Vec<Value>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Check {
    Structure,
    Graph,
    SubworkflowIo,
    SubworkflowCycle,
}

pub(super) fn check(body: Value, _folder: &Path) -> Judgement {
    let case: Validation = match cases::parse(body) {
        Ok(case) => case,
        Err(problem) => return Judgement::failed(problem),
    };
    match find(&case) {
        Ok(found) => Judgement::of(compare(&case, &found)),
        Err(problem) => Judgement::failed(problem),
    }
}

/// One thing that is wrong.
struct Found {
    code: String,
    nodes: Vec<String>,
    message: String,
}

fn find(case: &Validation) -> Result<Vec<Found>, String> {
    let definition = match synthorg::from_value(&case.definition) {
        Ok(definition) => definition,
        Err(error) => return Ok(vec![not_loaded(&error)]),
    };
    let registry = registry(&case.registry)?;
    Ok(problems(case.check, &definition, &registry).into_iter().map(Found::from).collect())
}

fn registry(definitions: &[Value]) -> Result<Registry, String> {
    let load = |definition: &Value| synthorg::from_value(definition);
    definitions.iter().map(load).collect::<Result<_, _>>().map_err(|error| format!("the registry: {error}"))
}

fn problems(check: Check, definition: &Definition, registry: &Registry) -> Vec<Problem> {
    match check {
        Check::Structure => check_structure(definition, &Limits::default()),
        Check::Graph => check_graph(definition, &Limits::default()),
        Check::SubworkflowIo => check_subworkflow_io(definition, registry),
        Check::SubworkflowCycle => check_subworkflow_cycle(definition, registry),
    }
}

impl From<Problem> for Found {
    fn from(Problem { code, nodes, message, .. }: Problem) -> Self {
        Self { code: code.as_str().to_owned(), nodes, message }
    }
}

/// What cannot be told from a typing mistake is refused when it is read, by a name that says what was wrong.
fn not_loaded(error: &LoadError) -> Found {
    let code = match error.problem() {
        LoadProblem::UnknownWord { what, .. } => format!("unknown_{}", what.replace(' ', "_")),
        problem => problem.code().trim_start_matches("file_").to_owned(),
    };
    Found { code, nodes: Vec::new(), message: error.to_string() }
}

fn compare(case: &Validation, found: &[Found]) -> Vec<String> {
    let mut differences = Vec::new();
    let proposed = case.proposed_codes.as_ref().filter(|_| case.contested);
    let wanted: BTreeSet<&str> = proposed.unwrap_or(&case.expected_codes).iter().map(String::as_str).collect();
    let codes: BTreeSet<&str> = found.iter().map(|found| found.code.as_str()).collect();
    if codes != wanted {
        let messages: Vec<_> = found.iter().map(|found| found.message.as_str()).collect();
        differences.push(format!("codes are {codes:?}, not {wanted:?}: {messages:?}"));
    }
    for (code, wanted) in &case.expected_nodes {
        let blamed = found.iter().filter(|found| found.code == *code).flat_map(|found| &found.nodes);
        let (blamed, wanted): (BTreeSet<_>, BTreeSet<_>) = (blamed.collect(), wanted.iter().collect());
        if blamed != wanted {
            differences.push(format!("{code} blames {blamed:?}, not {wanted:?}"));
        }
    }
    if let Some(wanted) = case.error_count.filter(|wanted| *wanted != found.len()) {
        differences.push(format!("{} problems were found, not {wanted}", found.len()));
    }
    differences
}
