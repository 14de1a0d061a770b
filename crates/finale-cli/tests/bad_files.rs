//! Files that are no workflows: a clear message and exit code 2, never a panic.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs::{self, File};

use common::{fresh, own, run, written};
use serde_json::{Value, json};

#[track_caller]
fn refused(name: &str, content: impl AsRef<[u8]>, why: &str) {
    let file = written(name, content);
    let ended = run(&file, &["--simulate"]);
    assert!(ended.stderr.contains(&*file.to_string_lossy()), "the file is not named: {ended:?}");
    ended.refused(why);
    // Some are large.
    fs::remove_file(file).unwrap();
}

fn definition(nodes: &Value, edges: &[(&str, &str)]) -> String {
    let edge = |(position, (source, target)): (usize, &(&str, &str))| json!({"id": format!("e{position}"), "source_node_id": source, "target_node_id": target});
    let edges: Vec<Value> = edges.iter().enumerate().map(edge).collect();
    json!({"id": "w", "name": "W", "nodes": nodes, "edges": edges}).to_string()
}

fn task(id: &str) -> Value {
    json!({"id": id, "type": "task", "label": id, "config": {"title": id}})
}

fn with_input(expression: &str) -> String {
    json!({
        "id": "w", "name": "W",
        "nodes": [
            {"id": "start", "label": "Start", "kind": "start"},
            {"id": "count", "label": "Count", "kind": {"task": {"title": "Count", "input": expression}}},
            {"id": "end", "label": "End", "kind": "end"},
        ],
        "edges": [
            {"id": "e1", "source": "start", "target": "count"},
            {"id": "e2", "source": "count", "target": "end"},
        ],
    })
    .to_string()
}

#[test]
fn a_file_that_is_not_there() {
    run(fresh("nowhere.json"), &[]).refused("nowhere.json: ");
}

#[test]
fn a_directory() {
    run(own(""), &[]).refused("this is a directory, not a file");
}

#[test]
fn a_file_of_100_mb_is_refused_before_it_is_read() {
    let path = fresh("huge.json");
    File::create(&path).unwrap().set_len(100 << 20).unwrap();
    run(&path, &[]).refused("huge.json: the file has 104857600 bytes, at most 67108864 are read");
}

#[test]
fn an_empty_file() {
    refused("empty.yaml", "", "the file is empty");
}

#[test]
fn a_file_that_is_not_text() {
    refused("latin.json", b"{\"id\": \"caf\xe9\"}", "the file is not UTF-8 text: it breaks off after 11 bytes");
}

#[test]
fn a_file_with_a_slip_says_the_line() {
    refused("slip.json", "{\n  \"nodes\": [,]\n}", "slip.json:2:13\n");
}

#[test]
fn an_unknown_key_says_where_and_what_is_accepted() {
    let nodes = json!([{"id": "a", "type": "task", "titel": "A"}]);
    refused("keys.json", definition(&nodes, &[]), "error[file_unknown_key]: unknown key `titel`");
}

#[test]
fn a_file_of_no_known_format() {
    refused("other.yaml", "name: x\nsteps: []\n", "cannot tell the format");
}

#[test]
fn all_problems_of_a_definition_are_listed() {
    let nodes = json!([
        {"id": "start", "type": "start", "label": "start"}, task("a"), task("b"), task("c"), {"id": "end", "type": "end", "label": "end"},
        {"id": "d", "type": "task", "label": "d"},
    ]);
    let edges = [("start", "a"), ("a", "b"), ("b", "c"), ("c", "b"), ("c", "end"), ("a", "d"), ("d", "end")];
    let file = written("loop.json", definition(&nodes, &edges));
    let ended = run(&file, &["--simulate"]);
    for problem in ["error[cycle_detected]: ", "error[task_missing_title]: "] {
        assert!(ended.stderr.contains(problem), "{ended:?}");
    }
    ended.refused("loop.json:");
}

#[test]
fn a_million_nodes() {
    let nodes: Vec<String> = (0..1_000_000).map(|id| format!(r#"{{"id":"{id}","type":"task"}}"#)).collect();
    let text = format!(r#"{{"id":"w","name":"W","nodes":[{}]}}"#, nodes.join(","));
    refused("million.json", text, "error[too_many_nodes]: 1000002 nodes are more than the 100000 allowed");
}

#[test]
fn values_nested_a_hundred_thousand_deep() {
    refused("deep.json", "[".repeat(100_000), "nested more than 127 levels deep");
    refused("deep.yaml", "[".repeat(100_000), "deep.yaml:1:");
}

#[test]
fn a_yaml_file_that_grows_when_it_is_read() {
    let mut text = "a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, before) in "bcdefghij".chars().zip("abcdefghi".chars()) {
        let list = vec![format!("*{before}"); 9].join(", ");
        text += &format!("{name}: &{name} [{list}]\n");
    }
    refused("bomb.yaml", text + "nodes: *j\n", "alias");
}

#[test]
fn a_runtime_that_is_no_time() {
    let run = |runtime: &str| {
        let tasks = "specification: {tasks: [{id: a, name: a}]}";
        format!("name: x\nworkflow:\n  {tasks}\n  execution: {{tasks: [{{id: a, runtimeInSeconds: {runtime}}}]}}\n")
    };
    refused("nan.yaml", run(".nan"), "nan.yaml:4:");
    refused("infinite.yaml", run(".inf"), "infinite.yaml:4:");
    refused("negative.yaml", run("-1"), "a runtime of -1 s is not between 0 and a hundred years");
}

#[test]
fn an_expression_that_is_nested_too_deeply() {
    let nested = format!("{}1{}", "(".repeat(1_000), ")".repeat(1_000));
    refused("nested.json", with_input(&nested), "error[expression_invalid]: ");
    let chained = format!("1{}", " + 1".repeat(10_000));
    refused("chained.json", with_input(&chained), "error[expression_invalid]: ");
}

#[test]
fn an_expression_that_loops_fails_its_task() {
    let file = written("loop.json", with_input("range(1000000000) | list"));
    let ended = run(&file, &["--simulate", "--json"]).with_code(1);
    assert!(
        ended.record()["error"].as_str().unwrap().starts_with("task \"Count\" (count) could not be evaluated: "),
        "{ended:?}"
    );
    refused("statement.json", with_input("{% for x in [1] %}{% endfor %}"), "error[expression_invalid]: ");
}

#[test]
fn a_file_cannot_give_orders_to_the_terminal() {
    let file = written("escape.json", r#"{"id": "w", "name": "W", "nodes": [{"\u001b[2Jkey": 1}]}"#);
    let ended = run(&file, &[]);
    assert!(!ended.stderr.contains('\u{1b}'), "{ended:?}");
    ended.refused("unknown key `\u{241b}[2Jkey`");
}
