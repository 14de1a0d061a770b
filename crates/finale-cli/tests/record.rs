//! What is written with `--json`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeSet;

use common::{node, own, run, statuses};
use serde_json::{Value, json};

#[track_caller]
fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A time in RFC 3339 with microseconds, which sorts like the text it is.
#[track_caller]
fn time(value: &Value) -> &str {
    let text = value.as_str().unwrap();
    let like = |(character, pattern): (char, char)| match pattern {
        '0' => character.is_ascii_digit(),
        _ => character == pattern,
    };
    let pattern = "0000-00-00T00:00:00.000000Z";
    assert!(text.len() == pattern.len() && text.chars().zip(pattern.chars()).all(like), "{text}");
    text
}

#[test]
fn the_record_has_all_that_is_known_of_the_execution() {
    let ended = run(own("parcel.json"), &["--simulate", "--json"]).with_code(0);
    assert_eq!(ended.stdout.lines().count(), 1);
    let record = ended.record();
    let all = [
        "id",
        "workflow",
        "status",
        "activated_by",
        "created_at",
        "input",
        "completed_at",
        "error",
        "counts",
        "decided_by",
        "output",
        "nodes",
    ];
    assert_eq!(keys(&record), all.into());
    assert_eq!(record["workflow"], json!({"id": "parcel", "name": "Parcel", "version": "1.0.0"}));
    assert_eq!(record["status"], "completed");
    assert_eq!(record["activated_by"], "finale run");
    assert_eq!(record["error"], Value::Null);
    assert_eq!(record["decided_by"], json!({"clause": "all_settled"}));
    assert_eq!(record["counts"]["tasks"], 3);
    assert_eq!(record["counts"]["completed"], 2);
    assert_eq!(record["counts"]["skipped"], 1);
    assert!(time(&record["created_at"]) <= time(&record["completed_at"]));
}

#[test]
fn the_record_has_all_that_is_known_of_each_node() {
    let record = run(own("parcel.json"), &["--simulate", "--json"]).record();
    let all = [
        "id",
        "kind",
        "title",
        "status",
        "task_id",
        "attempt",
        "started_at",
        "completed_at",
        "output",
        "error",
        "skipped_reason",
    ];
    for node in record["nodes"].as_array().unwrap() {
        assert_eq!(keys(node), all.into());
    }
    let weigh = node(&record, "weigh");
    assert_eq!(weigh["kind"], "task");
    assert_eq!(weigh["attempt"], 1);
    assert!(weigh["task_id"].as_str().unwrap().starts_with(record["id"].as_str().unwrap()));
    assert!(time(&weigh["started_at"]) <= time(&weigh["completed_at"]));
    assert_eq!(node(&record, "truck")["skipped_reason"], "heavy went false");
    assert_eq!(node(&record, "start")["task_id"], Value::Null);
}

#[test]
fn standard_output_has_the_record_only() {
    let ended = run(own("bake.json"), &["--time-scale", "0", "--json", "--fail", "heat"]).with_code(1);
    assert_eq!(ended.record()["status"], "failed");
    assert!(ended.stdout.starts_with('{') && ended.stdout.ends_with("}\n"));
}

#[test]
fn a_task_of_a_recorded_run_begins_when_its_parents_are_done() {
    let record = run(own("bake.json"), &["--time-scale", "0", "--json"]).record();
    for (parent, child) in [("mix", "rise"), ("mix", "heat"), ("rise", "bake"), ("heat", "bake")] {
        let done = time(&node(&record, parent)["completed_at"]);
        assert!(done <= time(&node(&record, child)["started_at"]), "{parent} before {child}");
    }
}

#[test]
fn a_task_of_a_recorded_run_takes_its_time_multiplied_by_the_scale() {
    let record = run(own("bake.json"), &["--time-scale", "0.01", "--json"]).record();
    let took = |id: &str| {
        let [started, completed] = ["started_at", "completed_at"].map(|key| micros(time(&node(&record, id)[key])));
        // The hour may be over in between.
        (completed + 3_600_000_000 - started) % 3_600_000_000
    };
    for (id, micros_min) in [("mix", 10_000), ("rise", 30_000), ("heat", 20_000), ("bake", 10_000)] {
        assert!(took(id) >= micros_min, "{id} took {} µs", took(id));
    }
}

/// Microseconds since the beginning of the hour.
fn micros(time: &str) -> u64 {
    let number = |range: std::ops::Range<usize>| time[range].parse::<u64>().unwrap();
    (number(14..16) * 60 + number(17..19)) * 1_000_000 + number(20..26)
}

#[test]
fn an_input_decides_which_way_is_taken() {
    let ways = |input: &str| {
        let record = run(own("parcel.json"), &["--simulate", "--json", "--input", input]).record();
        statuses(&record, &["truck", "bike"]).join(" ")
    };
    assert_eq!(ways("weight=heavy"), "completed skipped");
    assert_eq!(ways("weight=\"heavy\""), "completed skipped");
    assert_eq!(ways("weight=light"), "skipped completed");
    assert_eq!(ways("other=heavy"), "skipped completed");
}

#[test]
fn the_input_is_an_object_of_json_values_and_texts() {
    let definition = json!({
        "id": "echo", "name": "Echo", "output": "input",
        "nodes": [
            {"id": "start", "label": "Start", "kind": "start"},
            {"id": "end", "label": "End", "kind": "end"},
        ],
        "edges": [{"id": "e1", "source": "start", "target": "end"}],
    });
    let file = common::written("echo.json", definition.to_string());
    let inputs = ["--input", "count=3", "--input", "box={\"wide\": true}", "--input", "name=Ada", "--input", "none="];
    let record = run(&file, &[&["--json"], &inputs[..]].concat()).with_code(0).record();
    assert_eq!(record["output"], json!({"count": 3, "box": {"wide": true}, "name": "Ada", "none": ""}));
    assert_eq!(run(&file, &["--json"]).record()["output"], json!({}));
}

#[test]
fn the_simulation_gives_the_verdict_pass() {
    let record = run(own("review.yaml"), &["--simulate", "--json"]).with_code(0).record();
    assert_eq!(
        statuses(&record, &["check", "print", "rewrite", "discuss"]).join(" "),
        "completed completed skipped skipped"
    );
}
