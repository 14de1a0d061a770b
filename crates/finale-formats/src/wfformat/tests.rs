use std::time::Duration;

use serde_json::{Value, json};

use super::{SIMULATE, WfWorkflow, from_value};
use crate::error::LoadError;
use finale_core::definition::{NodeKind, Work};

fn task(id: &str, parents: &[&str], children: &[&str]) -> Value {
    json!({"id": id, "name": format!("name of {id}"), "parents": parents, "children": children, "inputFiles": []})
}

fn file(tasks: &[Value], runtimes: &Value) -> Value {
    json!({
        "name": "trace", "schemaVersion": "1.5", "author": {},
        "workflow": {"specification": {"tasks": tasks, "files": []}, "execution": {"tasks": runtimes}},
    })
}

fn read(tasks: &[Value], runtimes: &Value) -> Result<WfWorkflow, LoadError> {
    from_value(&file(tasks, runtimes))
}

fn edges(workflow: &WfWorkflow) -> Vec<String> {
    let edges = &workflow.definition.edges;
    edges.iter().map(|edge| format!("{}>{}", edge.source, edge.target)).collect()
}

#[test]
fn a_dependency_counts_once_however_often_it_is_named() {
    let tasks = [task("c", &["a", "a"], &[]), task("a", &[], &["c", "b"]), task("b", &[], &[])];
    let workflow = read(&tasks, &json!([])).unwrap();
    assert_eq!(edges(&workflow), ["START>a", "a>c", "a>b", "c>END", "b>END"]);
}

#[test]
fn a_task_is_simulated_under_its_own_name() {
    let workflow = read(&[task("a", &[], &[])], &json!([])).unwrap();
    let node = &workflow.definition.nodes[1];
    let NodeKind::Task(task) = &node.kind else {
        panic!("no task: {node:?}");
    };
    assert_eq!(node.id, "a");
    assert_eq!(node.label, "name of a");
    assert_eq!(task.title.as_deref(), Some("name of a"));
    assert_eq!(task.work, Work::Handler(SIMULATE.to_owned()));
}

#[test]
fn ids_of_start_and_end_do_not_clash() {
    let tasks = [task("START", &[], &[]), task("END", &[], &[]), task("END_", &[], &[])];
    let workflow = read(&tasks, &json!([])).unwrap();
    let ids: Vec<_> = workflow.definition.nodes.iter().map(|node| node.id.as_str()).collect();
    assert_eq!(ids, ["START_", "START", "END", "END_", "END__"]);
}

#[test]
fn no_tasks_are_a_start_and_an_end() {
    let workflow = read(&[], &json!([])).unwrap();
    assert_eq!(edges(&workflow), ["START>END"]);
}

#[test]
fn runtimes_are_zero_unless_the_file_says_so() {
    let tasks = [task("a", &[], &[]), task("b", &[], &[]), task("c", &[], &[])];
    let times = json!([{"id": "a", "runtimeInSeconds": 2}, {"id": "b", "command": {}}]);
    let workflow = read(&tasks, &times).unwrap();
    let expected = [("a", 2), ("b", 0), ("c", 0)].map(|(id, s)| (id.to_owned(), Duration::from_secs(s)));
    assert_eq!(workflow.runtimes, expected.into_iter().collect());
}

fn check(tasks: &[Value], runtimes: &Value, message: &str) {
    assert_eq!(read(tasks, runtimes).unwrap_err().to_string(), message);
}

#[test]
fn what_does_not_fit_together_is_an_error_with_its_path() {
    let one = [task("a", &[], &[])];
    check(
        &[task("a", &["ghost"], &[])],
        &json!([]),
        "workflow.specification.tasks[0].parents[0]: there is no task with the id `ghost`",
    );
    check(
        &[task("a", &[], &[]), task("a", &[], &[])],
        &json!([]),
        "workflow.specification.tasks[1].id: the task id `a` is there twice",
    );
    check(&one, &json!([{"id": "b"}]), "workflow.execution.tasks[0].id: there is no task with the id `b`");
    check(
        &one,
        &json!([{"id": "a", "runtimeInSeconds": -1}]),
        "workflow.execution.tasks[0].runtimeInSeconds: a runtime of -1 s is not between 0 and a hundred years",
    );
    check(
        &one,
        &json!([{"id": "a", "runtimeInSeconds": 1e300}]),
        &format!(
            "workflow.execution.tasks[0].runtimeInSeconds: a runtime of {} s is not between 0 and a hundred years",
            1e300
        ),
    );
    check(
        &one,
        &json!([{"id": "a", "runtimeInSeconds": "2"}]),
        "workflow.execution.tasks[0].runtimeInSeconds: expected a number, found text",
    );
}

#[test]
fn an_older_schema_is_told_by_its_missing_specification() {
    let error = from_value(&json!({"name": "old", "workflow": {"tasks": []}})).unwrap_err();
    assert_eq!(error.to_string(), "workflow: the key `specification` is missing");
}
