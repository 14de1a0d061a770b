//! `--fail` and `--on-failure`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{node, own, run, statuses};
use serde_json::{Value, json};

fn record(file: &str, arguments: &[&str]) -> Value {
    run(own(file), &[&["--simulate", "--time-scale", "0", "--json"], arguments].concat()).record()
}

#[test]
fn an_external_task_fails_for_the_reason_that_was_given() {
    let record = record("parcel.json", &["--fail", "weigh=no scales"]);
    assert_eq!(record["status"], "failed");
    assert_eq!(record["decided_by"], json!({"clause": "fail_fast", "node": "weigh"}));
    assert_eq!(node(&record, "weigh")["error"], "failed: no scales");
    assert_eq!(node(&record, "bike")["skipped_reason"], "weigh failed");
}

#[test]
fn a_task_of_a_recorded_run_fails_too() {
    let record = record("bake.json", &["--fail", "heat"]);
    assert_eq!(record["status"], "failed");
    assert_eq!(record["error"], "task \"Heat the oven\" (heat) failed: made to fail by --fail");
    assert_eq!(node(&record, "bake")["status"], "skipped");
}

#[test]
fn a_reason_may_have_an_equals_sign_and_may_be_left_out() {
    let error = |fail: &str| record("parcel.json", &["--fail", fail])["nodes"][1]["error"].clone();
    assert_eq!(error("weigh=a=b"), "failed: a=b");
    assert_eq!(error("weigh="), "failed: made to fail by --fail");
    assert_eq!(error("weigh"), "failed: made to fail by --fail");
}

#[test]
fn a_failed_attempt_is_tried_again_as_the_definition_says() {
    let record = record("calls.json", &["--fail", "dial=busy"]);
    assert_eq!(node(&record, "dial")["attempt"], 3);
    assert_eq!(statuses(&record, &["dial", "mail"]), ["failed", "completed"]);
    assert_eq!(record["status"], "completed", "the task is optional");
}

#[test]
fn the_handlers_that_are_stood_in_for_fail_too() {
    let record = record("calls.json", &["--fail", "mail"]);
    assert_eq!(node(&record, "mail")["error"], "failed: made to fail by --fail");
    assert_eq!(node(&record, "mail")["attempt"], 4);
    assert_eq!(record["status"], "failed");
}

#[test]
fn the_policy_of_the_definition_can_be_replaced() {
    let failing = ["--fail", "heat"];
    let with = |policy: &str| record("bake.json", &[&failing[..], &["--on-failure", policy]].concat());
    assert_eq!(with("fail_fast")["decided_by"]["clause"], "fail_fast");
    let waited = with("wait_all");
    assert_eq!(waited["decided_by"], json!({"clause": "wait_all", "node": "heat"}));
    assert_eq!(statuses(&waited, &["rise", "bake"]), ["completed", "skipped"]);
    assert_eq!(with("tolerate=0")["decided_by"], json!({"clause": "tolerate", "node": "heat", "count": 0}));
    let tolerated = with("tolerate=1");
    assert_eq!(tolerated["status"], "completed");
    assert_eq!(tolerated["counts"]["tolerated"], 1);
}

#[test]
fn a_node_that_does_not_exist_is_refused_with_the_nearest_task() {
    let refused = |fail: &str, why: &str| run(own("parcel.json"), &["--simulate", "--fail", fail]).refused(why);
    refused("wiegh=x", "parcel.json: --fail \"wiegh\": there is no such node, did you mean the task \"weigh\"?");
    refused("banana", "--fail \"banana\": there is no such node\n");
    refused("=x", "--fail \"\": there is no such node\n");
    refused("heavy", "--fail \"heavy\": this node is no task, its kind is conditional\n");
    run(own("parcel.json"), &["--simulate", "--fail", "weigh", "--fail", "weigh=x"]).refused("is given twice");
}

#[test]
fn the_summary_names_every_failed_task() {
    let arguments = ["--time-scale", "0", "--fail", "rise=cold", "--fail", "heat=no gas", "--on-failure", "wait_all"];
    let ended = run(own("bake.json"), &arguments).with_code(1);
    for failure in ["task \"Let it rise\" (rise) failed: cold", "task \"Heat the oven\" (heat) failed: no gas"] {
        assert!(ended.stdout.contains(failure), "{}", ended.stdout);
    }
}
