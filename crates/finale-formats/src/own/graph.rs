//! What can be told of the graph of a file in which other things are wrong.

use finale_core::Definition;
use finale_core::compile::{Code, Limits, Problem, check_graph, check_structure};

use super::task;
use crate::error::{Fault, Faults, LoadError, LoadProblem, Step};
use crate::places::Places;

/// Adds what is wrong with a definition in any case, whatever is made of the parts that could not be read.
pub(super) fn add_problems(definition: &Definition, places: &Places, faults: &mut Faults) {
    let limits = Limits::default();
    let mut problems = check_structure(definition, &limits);
    if definition.nodes.len() <= limits.nodes_max && definition.edges.len() <= limits.edges_max {
        problems.extend(check_graph(definition, &limits));
    }
    let are_edges_known = !faults.list.iter().any(may_hide_an_edge) && faults.omitted == 0;
    let is_told = |problem: &Problem| is_certain(problem, are_edges_known, &faults.list);
    let problems: Vec<_> = problems.into_iter().filter(is_told).collect();
    for problem in problems {
        if faults.list.len() == LoadError::PROBLEMS_MAX {
            faults.omitted += 1;
            continue;
        }
        let place = places.place_of(definition, &problem);
        faults.list.push(Fault::new(LoadProblem::Definition { problem }).at(place));
    }
}

/// Whether what was wrong at this place may have been an edge, or a node with edges.
fn may_hide_an_edge(fault: &Fault) -> bool {
    const OF_THE_FILE: [&str; 13] = [
        "ending_within",
        "id",
        "name",
        "version",
        "description",
        "inputs",
        "outputs",
        "input_schema",
        "output_schema",
        "on_failure",
        "siblings",
        "output",
        "$schema",
    ];
    let path: Vec<_> = fault.path().collect();
    match path[..] {
        [Step::Key(group), Step::Key(_), Step::Key(key), ..] if group == "tasks" => {
            matches!(key.as_str(), "after" | "on_failure" | "on_timeout" | "group" | "compensate")
                || !task::KEYS.accepted.contains(&key.as_str())
        }
        [Step::Key(head), ..] => !OF_THE_FILE.contains(&head.as_str()),
        _ => true,
    }
}

/// Whether a problem will be there however the parts that could not be read are mended.
fn is_certain(problem: &Problem, are_edges_known: bool, faults: &[Fault]) -> bool {
    match problem.code {
        Code::UnreachableNode
        | Code::EndNotReachable
        | Code::DeadEndNode
        | Code::ConditionalMissingTrue
        | Code::ConditionalMissingFalse
        | Code::SplitTooFewBranches
        | Code::VerificationMissingPass
        | Code::VerificationMissingFail
        | Code::VerificationMissingRefer
        | Code::BadTriggerRule
        | Code::BadJoin => are_edges_known,
        // The reader has told these.
        Code::DuplicateNodeId
        | Code::UnknownEdgeSource
        | Code::UnknownEdgeTarget
        | Code::VerificationMissingConfig
        | Code::SubworkflowRefMissing
        | Code::SubworkflowVersionUnpinned => false,
        // Two nodes of one id have two edges where one was meant.
        Code::DuplicateEdge => !faults.iter().any(|fault| fault.is_repeated_node(&problem.nodes)),
        Code::TaskMissingTitle
        | Code::AtMostOnceRetried
        | Code::AtMostOnceExternal
        | Code::OnFailureOptional
        | Code::OnFailureOutside
        | Code::OnTimeoutOutside => !faults.iter().any(|fault| is_inside(fault, &problem.nodes)),
        _ => true,
    }
}

fn is_inside(fault: &Fault, nodes: &[String]) -> bool {
    matches!(fault.path().nth(1), Some(Step::Key(id)) if nodes.contains(id))
}
