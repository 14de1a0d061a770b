use std::time::Duration;

use serde_json::json;

use super::*;
use crate::definition::NodeKind;
use crate::definition::{
    AgentAssignment, Conditional, Declaration, DeclaredType, Delivery, Edge, EdgeKind, JoinStrategy, Node,
    ParallelJoin, Retry, Subworkflow, Task, Verification, Work,
};

mod assembled;
mod links;
mod reading;
mod size;

fn node(id: &str, kind: NodeKind) -> Node {
    Node::new(id, id, kind)
}

pub(super) fn task(id: &str) -> Node {
    node(id, NodeKind::Task(Task { title: Some(format!("Do {id}")), ..Task::default() }))
}

fn assignment(id: &str) -> Node {
    node(id, NodeKind::AgentAssignment(AgentAssignment { agent: Some(format!("agent-{id}")) }))
}

fn conditional(id: &str, condition: &str) -> Node {
    node(id, NodeKind::Conditional(Conditional { condition: Some(condition.to_owned()) }))
}

fn split(id: &str) -> Node {
    node(id, NodeKind::ParallelSplit(Default::default()))
}

fn join(id: &str, strategy: JoinStrategy) -> Node {
    node(id, NodeKind::ParallelJoin(ParallelJoin { strategy, ..ParallelJoin::default() }))
}

fn call(id: &str, workflow: &str) -> Node {
    let call =
        Subworkflow { workflow: Some(workflow.to_owned()), version: Some("1.0.0".to_owned()), ..Default::default() };
    node(id, NodeKind::Subworkflow(call))
}

/// A definition of a start `s`, an end `e` and these nodes; edges are written `a b`, `a b conditional_true`.
pub(super) fn workflow(nodes: Vec<Node>, edges: &[&str]) -> Definition {
    let ends = [node("s", NodeKind::Start), node("e", NodeKind::End)];
    Definition {
        id: "wf".to_owned(),
        name: "wf".to_owned(),
        version: "1.0.0".to_owned(),
        inputs: Vec::new(),
        outputs: Vec::new(),
        input_schema: None,
        output_schema: None,
        policy: Default::default(),
        output: None,
        finally: None,
        ending_within: None,
        nodes: ends.into_iter().chain(nodes).collect(),
        edges: edges.iter().enumerate().map(|(number, text)| edge(number, text)).collect(),
        workflows: Vec::new(),
    }
}

fn edge(number: usize, text: &str) -> Edge {
    let words: Vec<&str> = text.split(' ').collect();
    let kind = words.get(2).map_or(EdgeKind::Sequential, |kind| serde_json::from_value(json!(kind)).unwrap());
    Edge { id: format!("x{number}"), source: words[0].to_owned(), target: words[1].to_owned(), kind, label: None }
}

pub(super) fn chain(length: usize) -> Definition {
    let mut definition = workflow((0..length).map(|n| task(&format!("t{n}"))).collect(), &["s t0"]);
    let ends = (1..length).map(|n| edge(n, &format!("t{} t{n}", n - 1)));
    definition.edges.extend(ends.chain([edge(length, &format!("t{} e", length - 1))]));
    definition
}

fn compiled(definition: Definition) -> Compiled {
    compile(definition, &Registry::new()).unwrap_or_else(|error| panic!("{error}"))
}

fn error(definition: Definition) -> CompileError {
    compile(definition, &Registry::new()).expect_err("it should be refused")
}

fn codes(problems: &[Problem]) -> Vec<&'static str> {
    let mut codes: Vec<_> = problems.iter().map(|problem| problem.code.as_str()).collect();
    codes.sort_unstable();
    codes
}

#[test]
fn structure_gates_the_graph() {
    let mut definition = workflow(vec![task("a"), task("a")], &["s ghost", "phantom e", "a a"]);
    definition.version = "1.0".to_owned();
    definition.nodes[2].label = " ".to_owned();
    let error = error(definition);
    assert_eq!(error.phase, Phase::Structure);
    let expected =
        ["bad_version", "blank_field", "duplicate_node_id", "self_loop", "unknown_edge_source", "unknown_edge_target"];
    assert_eq!(codes(&error.problems), expected);
}

#[test]
fn all_problems_of_the_graph_are_listed_one_per_line() {
    let definition = workflow(vec![node("t", NodeKind::Task(Task::default())), task("o")], &["s t", "t e"]);
    let error = error(definition);
    assert_eq!(
        error.to_string(),
        "workflow \"wf\" has 2 problems in its graph:\n  \
         unreachable_node: no way leads from the start to \"o\"\n  \
         task_missing_title: task \"t\" has no title"
    );
}

#[test]
fn declarations_are_checked() {
    let declare = |name: &str, kind, required, default| Declaration { name: name.to_owned(), kind, required, default };
    let mut definition = workflow(vec![], &["s e"]);
    definition.inputs = vec![
        declare("a", DeclaredType::Integer, false, Some(json!(true))),
        declare("a", DeclaredType::Float, false, Some(json!(1))),
        declare("c", DeclaredType::TaskRef, true, Some(json!("x"))),
        declare(" ", DeclaredType::Json, true, None),
    ];
    definition.outputs =
        vec![declare("a", DeclaredType::String, false, None), declare("a", DeclaredType::String, true, None)];
    let expected = [
        "blank_field",
        "default_type",
        "duplicate_input",
        "duplicate_output",
        "optional_output",
        "required_with_default",
    ];
    assert_eq!(codes(&check_structure(&definition, &Limits::default())), expected);
}

#[test]
fn dates_and_times_are_those_of_iso_8601() {
    for text in [
        "2026-01-02",
        "20260102",
        "2026-W01-1",
        "2026W011",
        "2026-W01",
        "2026-01-02T03:04:05",
        "2026-01-02 03:04",
        "2026-01-02T03",
        "20260102T030405",
        "2026-01-02T03:04:05.678901+05:30",
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05,5-0800",
        "2024-02-29T23:59:59+00:00",
    ] {
        assert!(types::matches(DeclaredType::Datetime, &json!(text)), "{text}");
    }
    for text in [
        "",
        "soon",
        "tomorrow",
        "2026",
        "2026-1-2",
        "2026-02-30",
        "2026-01-02T",
        "2026-01-02T25:00",
        "2026-01-02T03:60",
        "2026-01-02T03:04:05.",
        "2026-01-02T03:04Q",
        "2026-01-02T03:04+",
        "2026-01-02T03:04+0",
        "12026-01-02",
        "2026-W54-1",
        "2026-01-02T03:04:05Z1",
        "\u{e9}026-01-02",
        "2026-01-0\u{e9}",
    ] {
        assert!(!types::matches(DeclaredType::Datetime, &json!(text)), "{text}");
    }
}

#[test]
fn a_cycle_is_reported_with_its_path() {
    let definition = workflow(vec![task("a"), task("b"), task("c")], &["s a", "a b", "b c", "c b", "c e"]);
    let error = error(definition);
    assert_eq!(error.problems.len(), 1);
    assert_eq!(error.problems[0].nodes, ["b", "c"]);
    assert_eq!(error.problems[0].to_string(), "cycle_detected: b -> c -> b is a cycle");
}

#[test]
fn cycles_without_common_nodes_are_all_reported() {
    let nodes = ["a", "b", "c", "d"].map(task).to_vec();
    let definition = workflow(nodes, &["s a", "a b", "b a", "b c", "c d", "d c", "d a", "d e"]);
    let cycles: Vec<Vec<String>> = error(definition).problems.into_iter().map(|problem| problem.nodes).collect();
    assert_eq!(cycles, [["a", "b"], ["c", "d"]]);
}

#[test]
fn a_node_without_a_way_to_the_end_is_a_dead_end() {
    let error = error(workflow(vec![task("a"), task("d")], &["s a", "a e", "a d"]));
    assert_eq!((codes(&error.problems), &error.problems[0].nodes), (vec!["dead_end_node"], &vec!["d".to_owned()]));
}

#[test]
fn choices_need_exactly_their_edges() {
    let nodes = vec![conditional("c", "true"), task("a"), task("b")];
    let edges =
        ["s c", "c a conditional_true", "c b conditional_true", "c e parallel_branch", "a e verification_pass", "b e"];
    let expected = [
        "conditional_duplicate_edge",
        "conditional_extra_outgoing",
        "conditional_missing_false",
        "verification_edge_outside",
    ];
    assert_eq!(codes(&error(workflow(nodes, &edges)).problems), expected);
    let nodes = vec![node("v", NodeKind::Verification(Verification::default())), task("a")];
    let edges = ["s v", "v e verification_pass", "v a verification_pass", "v a verification_fail", "v a", "a e"];
    let expected = [
        "verification_duplicate_edge",
        "verification_extra_outgoing",
        "verification_missing_config",
        "verification_missing_config",
        "verification_missing_refer",
    ];
    assert_eq!(codes(&error(workflow(nodes, &edges)).problems), expected);
}

#[test]
fn edges_of_a_choice_belong_to_nodes_that_choose() {
    let edges = ["s a conditional_true", "s b parallel_branch", "a e", "b e"];
    let expected = ["branch_edge_outside", "conditional_edge_outside"];
    assert_eq!(codes(&error(workflow(vec![task("a"), task("b")], &edges)).problems), expected);
}

#[test]
fn two_edges_of_one_type_between_two_nodes_are_one_too_many() {
    let edges = ["s p", "p a parallel_branch", "p a parallel_branch", "p a", "a e"];
    assert_eq!(codes(&error(workflow(vec![split("p"), task("a")], &edges)).problems), ["duplicate_edge"]);
}

#[test]
fn a_bad_expression_is_reported_with_its_place() {
    let mut asks = task("a");
    if let NodeKind::Task(task) = &mut asks.kind {
        task.input = Some("nodes.z.output".to_owned());
        task.retry = Retry::attempts(0);
    }
    let edges = ["s c", "c a conditional_true", "c e conditional_false", "a e"];
    let mut definition = workflow(vec![conditional("c", "1 +"), asks], &edges);
    definition.output = Some("amount".to_owned());
    let error = error(definition);
    assert_eq!(codes(&error.problems), ["bad_retry", "expression_invalid", "expression_invalid", "expression_invalid"]);
    let text = error.to_string();
    for part in [
        "the condition of \"c\" is no expression: syntax error",
        "the input of \"a\" is no expression: there is no node \"z\"",
        "the output of the workflow is no expression: `amount` is unknown",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn at_most_once_needs_a_handler_and_contradicts_retries() {
    let with = |work: Work, attempts: u16| {
        let mut once = task("a");
        if let NodeKind::Task(task) = &mut once.kind {
            (task.work, task.delivery) = (work, Delivery::AtMostOnce);
            task.retry = Retry::attempts(attempts);
        }
        workflow(vec![once], &["s a", "a e"])
    };
    let handler = || Work::Handler("charge".to_owned());
    let compiled = compiled(with(handler(), 1));
    assert_eq!([0, 2, 9].map(|node| compiled.is_at_most_once(crate::NodeIndex(node))), [false, true, false]);
    let retried = error(with(handler(), 3)).problems;
    assert_eq!(
        retried[0].to_string(),
        "at_most_once_retried: task \"a\" runs at most once and allows 3 attempts; it can have only one"
    );
    let external = error(with(Work::External, 1)).problems;
    assert_eq!(
        external[0].to_string(),
        "at_most_once_external: task \"a\" runs at most once and is done outside, where no handler runs"
    );
    assert_eq!(codes(&error(with(Work::External, 2)).problems), ["at_most_once_external", "at_most_once_retried"]);
    assert_eq!(codes(&error(with(handler(), 0)).problems), ["bad_retry"]);
}
