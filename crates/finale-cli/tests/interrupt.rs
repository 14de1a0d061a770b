//! Ctrl-C.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use common::{AtWork, Ended, finale, node, own, written};

/// Runs a recording that takes hours and interrupts it as soon as it says that it runs.
fn interrupted(arguments: &[&str]) -> Ended {
    let mut command = finale();
    command.arg("run").arg(own("bake.json")).args(["--time-scale", "10000"]).args(arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut stderr, mut said) = (BufReader::new(child.stderr.take().unwrap()), String::new());
    stderr.read_line(&mut said).unwrap();
    assert!(said.ends_with("is running; Ctrl-C cancels it\n"), "{said}");
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    stderr.read_to_string(&mut said).unwrap();
    let output = child.wait_with_output().unwrap();
    Ended { code: output.status.code(), stdout: String::from_utf8(output.stdout).unwrap(), stderr: said }
}

#[test]
fn ctrl_c_cancels_the_execution_and_says_what_became_of_its_tasks() {
    let ended = interrupted(&[]).with_code(3);
    assert!(ended.stderr.ends_with("\ncancelled: 1 task was under way\n  mix: stopped\n"), "{}", ended.stderr);
    assert!(ended.stdout.starts_with("cancelled in "), "{}", ended.stdout);
    assert!(ended.stdout.contains("\ncancelled  by Ctrl-C\n"), "{}", ended.stdout);
}

#[test]
fn with_json_the_receipt_stays_out_of_the_record() {
    let record = interrupted(&["--json"]).with_code(3).record();
    assert_eq!(record["status"], "cancelled");
    assert_eq!(record["decided_by"], serde_json::json!({"clause": "cancelled", "by": "Ctrl-C"}));
    assert_eq!(record["error"], serde_json::Value::Null);
    assert_eq!(node(&record, "mix")["status"], "cancelled");
}

/// A workflow in which something takes hours to be undone.
fn slow_to_undo(bake: &str) -> AtWork {
    let mix = "mix: {shell: 'true', compensate: {sleep: 1000s}}";
    let file = written("w.yaml", format!("id: w\ntasks:\n  {mix}\n  bake: {{{bake}, after: mix}}\n"));
    AtWork::start(finale().arg("run").arg(file))
}

#[track_caller]
fn was_left_out(ended: &Ended) {
    let Ended { stdout, stderr, .. } = ended;
    assert!(stderr.contains("\nforcing the end: what is to be done at the end is left out\n"), "{stderr}");
    assert!(stdout.contains("\nat the end the compensation of mix was not "), "{stdout}");
}

#[test]
fn a_second_ctrl_c_leaves_out_what_is_to_be_done_at_the_end() {
    let mut at_work = slow_to_undo("sleep: 1000s");
    at_work.until("bake: started");
    at_work.signal("INT");
    at_work.until("cancelling; Ctrl-C again leaves out what is to be done at the end");
    // It is undone.
    at_work.until("mix: started");
    at_work.signal("INT");
    let ended = at_work.ended().with_code(3);
    assert!(ended.stdout.contains("\ncancelled  by Ctrl-C\n"), "{}", ended.stdout);
    was_left_out(&ended);
}

#[test]
fn ctrl_c_while_the_execution_is_ending_leaves_out_what_is_to_be_done_at_the_end() {
    let mut at_work = slow_to_undo("shell: 'exit 4'");
    at_work.until("exit code 4");
    at_work.until("mix: started");
    at_work.signal("INT");
    was_left_out(&at_work.ended().with_code(1));
}
