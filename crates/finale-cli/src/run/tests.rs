use std::time::Duration;

use clap::Parser;
use finale::actix::System;
use finale::{NodeStatus, Record};
use tokio::sync::mpsc;

use super::ask::Lines;
use super::prepare::Prepared;
use super::{Arguments, execute};

/// Else a question that is never asked would be waited for without end.
const LONGEST: Duration = Duration::from_secs(60);

#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    arguments: Arguments,
}

/// Runs a file at a terminal where somebody types these lines and leaves.
fn typed(file: &str, arguments: &[&str], lines: &[&str]) -> Record {
    let (sender, receiver) = mpsc::unbounded_channel();
    lines.iter().for_each(|line| sender.send((*line).to_owned()).unwrap());
    drop(sender);
    run(file, arguments, receiver)
}

fn run(file: &str, arguments: &[&str], lines: Lines) -> Record {
    let file = format!("{}/tests/files/{file}", env!("CARGO_MANIFEST_DIR"));
    let line = CommandLine::parse_from([&["run", &file], arguments].concat());
    let prepared = Prepared::new(&line.arguments, true).unwrap();
    let executed = async { tokio::time::timeout(LONGEST, execute::execute(&prepared, Some(lines))).await };
    System::new().block_on(executed).expect("it waits for an answer that nobody gives").unwrap()
}

fn status(record: &Record, id: &str) -> NodeStatus {
    record.nodes.iter().find(|node| node.id == id).unwrap().state.status()
}

#[test]
fn each_task_is_asked_for_in_its_turn() {
    let record = typed("parcel.json", &["--input", "weight=heavy"], &["done", "done {\"boxes\": 2}"]);
    assert_eq!(record.state.status().name(), "completed");
    assert_eq!(status(&record, "truck"), NodeStatus::Completed);
    assert_eq!(serde_json::to_value(&record).unwrap()["output"], serde_json::json!({"truck": {"boxes": 2}}));
}

#[test]
fn what_is_not_understood_is_asked_again() {
    let record = typed("parcel.json", &[], &["", "finished", "fail no scales"]);
    assert_eq!(serde_json::to_value(&record).unwrap()["error"], "task \"Weigh it\" (weigh) failed: no scales");
}

#[test]
fn a_task_can_be_cancelled_on_its_own() {
    let record = typed("parcel.json", &[], &["cancel"]);
    let error = "task \"Weigh it\" (weigh) cancelled: by finale run";
    assert_eq!(serde_json::to_value(&record).unwrap()["error"], error);
}

#[test]
fn a_verification_is_given_the_verdict_that_was_typed() {
    let record = typed("review.yaml", &[], &["done", "done", "refer", "done"]);
    assert_eq!(status(&record, "discuss"), NodeStatus::Completed);
    assert_eq!(status(&record, "print"), NodeStatus::Skipped);
}

#[test]
fn what_is_made_to_fail_is_not_asked_for() {
    let record = typed("parcel.json", &["--fail", "weigh"], &[]);
    assert_eq!(record.state.status().name(), "failed");
}

#[test]
fn the_end_of_the_input_cancels_the_execution() {
    let record = typed("parcel.json", &[], &["done"]);
    assert_eq!(record.state.status().name(), "cancelled");
    assert_eq!(status(&record, "bike"), NodeStatus::Cancelled);
}

#[test]
fn a_task_that_nobody_answers_in_time_is_not_waited_for() {
    let (_sender, silence) = mpsc::unbounded_channel();
    let record = run("doorbell.json", &[], silence);
    assert_eq!(record.state.status().name(), "failed");
    assert!(serde_json::to_value(&record).unwrap()["error"].as_str().unwrap().contains("timed out"));
}

#[test]
fn a_signal_is_sent_with_what_was_typed() {
    let record = typed("signals.yaml", &["--input", "order=7"], &["send {\"euros\": 20}", "done", "send"]);
    assert_eq!(record.state.status().name(), "completed");
    let record = serde_json::to_value(&record).unwrap();
    assert_eq!(record["nodes"][0]["output"], serde_json::json!({"euros": 20}));
}

#[test]
fn what_is_held_is_asked_about_until_somebody_settles_it() {
    let record = typed("held.yaml", &[], &["later", "retry", "done 3"]);
    assert_eq!(serde_json::to_value(&record).unwrap()["output"], 3);
    let failed = typed("held.yaml", &[], &["fail nobody knows how"]);
    let error = "task \"Try\" (try) failed: nobody knows how";
    assert!(serde_json::to_value(&failed).unwrap()["error"].as_str().unwrap().starts_with(error), "{failed:?}");
    let skipped = typed("held.yaml", &[], &["skip"]);
    assert_eq!(status(&skipped, "try"), NodeStatus::Skipped);
}

#[test]
fn a_signal_that_is_waited_for_a_time_only_is_asked_for_too() {
    let record = typed("paid.yaml", &[], &["send 20"]);
    assert_eq!(serde_json::to_value(&record).unwrap()["nodes"][0]["output"], 20);
}

#[test]
fn an_answer_that_does_not_fit_its_schema_is_asked_for_again() {
    let lines = ["done two", "done 2", "send 20", "send {\"euros\": 20}"];
    let record = typed("counted.yaml", &[], &lines);
    assert_eq!(record.state.status().name(), "completed");
    let record = serde_json::to_value(&record).unwrap();
    assert_eq!(record["output"], serde_json::json!({"euros": 20}));
}
