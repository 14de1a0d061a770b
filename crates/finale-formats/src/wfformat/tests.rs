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

/// What a task of version 1.4 looks like.
fn old(list: &str, tasks: &Value) -> WfWorkflow {
    from_value(&json!({"name": "old", "schemaVersion": "1.4", "workflow": {"makespan": 7.0, list: tasks}})).unwrap()
}

#[test]
fn tasks_of_older_versions_say_themselves_what_was_measured_and_are_named_by_name() {
    let tasks = json!([
        {"name": "split_ID1", "id": "ID1", "type": "compute", "runtimeInSeconds": 1.5, "parents": [], "files": []},
        {"name": "merge_ID2", "id": "ID2", "type": "compute", "runtime": 2, "parents": ["split_ID1"], "children": []},
        {"name": "last", "parents": ["merge_ID2"]},
    ]);
    for list in ["tasks", "jobs"] {
        let workflow = old(list, &tasks);
        let ways: Vec<_> = workflow.definition.edges.iter().map(|edge| (&*edge.source, &*edge.target)).collect();
        assert_eq!(ways, [("START", "split_ID1"), ("split_ID1", "merge_ID2"), ("merge_ID2", "last"), ("last", "END")]);
        let seconds: Vec<_> = workflow.runtimes.iter().map(|(id, time)| (&**id, time.as_millis())).collect();
        assert_eq!(seconds, [("last", 0), ("merge_ID2", 2_000), ("split_ID1", 1_500)]);
    }
}

#[test]
fn what_is_wrong_with_an_older_file_is_told_with_its_path() {
    let fails = |tasks: Value, message: &str| {
        let error = from_value(&json!({"name": "old", "workflow": {"tasks": tasks}})).unwrap_err();
        assert_eq!(error.to_string(), message);
    };
    fails(json!([{"id": "ID1"}]), "workflow.tasks[0]: the key `name` is missing");
    fails(json!([{"name": "a"}, {"name": "a"}]), "workflow.tasks[1].name: the task id `a` is there twice");
    fails(
        json!([{"name": "a", "id": "ID1"}, {"name": "b", "parents": ["ID1"]}]),
        "workflow.tasks[1].parents[0]: there is no task with the id `ID1`",
    );
    fails(
        json!([{"name": "a", "runtime": -1}]),
        "workflow.tasks[0].runtime: a runtime of -1 s is not between 0 and a hundred years",
    );
    let neither = from_value(&json!({"name": "x", "workflow": {}})).unwrap_err();
    assert_eq!(neither.to_string(), "workflow: the key `specification` is missing");
}
