//! Ctrl-C.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use common::{Ended, finale, node, own};

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
