//! Going on with what was cut off.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;

use common::{Journal, ended, own, statuses, written};
use finale::journal::{Journal as _, Listener, Quarantine, SqliteJournal};
use finale_core::ExecutionId;

/// Parks an execution as the runtime does it when its process crashed again and again.
fn park(journal: &Journal, id: ExecutionId) {
    let opened = SqliteJournal::open(journal.path()).unwrap();
    let claim = opened.claim().unwrap();
    let (tell, told) = channel();
    let listener = Listener::new(move |watermark| drop(tell.send(watermark)));
    let mut writer = opened.writer(claim.epoch, 0, listener).unwrap();
    let quarantine = Quarantine { reason: "it crashed".into(), until_released: true };
    if !writer.quarantine(id, Some(&quarantine)).unwrap().durable {
        told.recv().unwrap().unwrap();
    }
    drop(writer);
    opened.release(claim.epoch).unwrap();
}

fn only_id(journal: &Journal) -> String {
    journal.list()[0]["id"].as_str().unwrap().to_owned()
}

fn interrupt(child: &Child) {
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn a_run_that_was_killed_is_resumed_to_its_end() {
    let journal = Journal::new();
    journal.leave_one_behind();
    let id = only_id(&journal);
    assert_eq!(journal.list()[0]["status"], "running");
    let resumed = journal.ask("resume", &["--json"]).with_code(0).record();
    assert_eq!(resumed["executions"][0]["id"], *id);
    assert_eq!(resumed["executions"][0]["status"], "completed");
    let shown = journal.ask("show", &[&id, "--json"]).with_code(0).record();
    assert_eq!(statuses(&shown, &["mix", "rise", "heat", "bake"]), ["completed"; 4]);
    let again = journal.ask("resume", &[]).with_code(0);
    assert_eq!((again.stdout.as_str(), again.stderr.as_str()), ("", "every execution has ended\n"));
    assert!(!journal.files().contains(&"j.db-run".to_owned()), "{:?}", journal.files());
}

#[test]
fn a_killed_run_is_not_begun_again_from_its_start() {
    let journal = Journal::new();
    let mut command = journal.command("run");
    // The second task takes one and a half seconds: long enough to see that the first is done.
    command.arg(own("bake.json")).args(["--time-scale", "0.5"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut String::new()).unwrap();
    let mixed = || journal.ask("show", &["0", "--json"]).with_code(0).record();
    while statuses(&mixed(), &["mix"]) != ["completed"] {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = mixed();
    assert_eq!(statuses(&before, &["bake"]), ["pending"]);
    journal.ask("resume", &[]).with_code(0);
    let after = mixed();
    assert_eq!(after["status"], "completed");
    assert_eq!(common::node(&after, "mix"), common::node(&before, "mix"));
}

#[test]
fn ctrl_c_leaves_a_run_with_a_journal_to_be_resumed() {
    let journal = Journal::new();
    let mut command = journal.command("run");
    command.arg(own("bake.json")).args(["--time-scale", "10000"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut stderr, mut said) = (BufReader::new(child.stderr.take().unwrap()), String::new());
    stderr.read_line(&mut said).unwrap();
    interrupt(&child);
    stderr.read_to_string(&mut said).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    let line = format!("\ngo on with it: `finale resume --journal {}`\n", journal.path().display());
    assert!(said.ends_with(&line), "{said}");
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("running: bake"));
    assert_eq!(journal.list()[0]["status"], "running");
    let refused = ended(journal.command("run").arg(own("parcel.json")).arg("--simulate"));
    refused.refused("executions that have not ended: 1");
    journal.ask("resume", &[]).with_code(0);
}

#[test]
fn ctrl_c_leaves_what_was_resumed_for_another_time() {
    let journal = Journal::new();
    let (run, said) = interrupted(journal.command("run").arg(engaged_for_an_hour()));
    assert_eq!(run.code(), Some(3), "{said}");
    let (resumed, said) = interrupted(&mut journal.command("resume"));
    assert_eq!(resumed.code(), Some(3), "{said}");
    let line = format!("\ngo on with what has not ended: `finale resume --journal {}`\n", journal.path().display());
    assert!(said.ends_with(&line), "{said}");
    let why = journal.ask("why", &["0", "--json"]).with_code(0).record();
    assert_eq!(why["status"], "running");
    assert!(why["awaited"][0]["what"].as_str().unwrap().starts_with("attempt 2 at "), "{why}");
}

/// A call that is tried again after an hour.
fn engaged_for_an_hour() -> std::path::PathBuf {
    written("calls.yaml", "id: calls\ntasks:\n  dial: {shell: exit 7, retry: {attempts: 3, backoff: 1h}}\n")
}

/// What a command comes to that is interrupted a moment after it says that it is at work.
fn interrupted(command: &mut Command) -> (ExitStatus, String) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut stderr, mut said) = (BufReader::new(child.stderr.take().unwrap()), String::new());
    stderr.read_line(&mut said).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    interrupt(&child);
    stderr.read_to_string(&mut said).unwrap();
    (child.wait().unwrap(), said)
}

#[test]
fn what_is_quarantined_stays_so_until_it_is_released() {
    let journal = Journal::new();
    journal.leave_one_behind();
    let id = only_id(&journal);
    let why = journal.ask("retry-quarantined", &[&id]);
    why.refused(&format!("execution {id} is running, not quarantined"));
    park(&journal, id.parse().unwrap());
    let resumed = journal.ask("resume", &[]).with_code(1);
    assert!(resumed.stdout.contains(&id) && resumed.stdout.contains("quarantined"), "{resumed:?}");
    assert!(resumed.stderr.contains("`finale retry-quarantined --journal "), "{resumed:?}");
    let why = journal.ask("why", &[&id, "--json"]).with_code(0).record();
    assert_eq!((why["status"].as_str(), why["error"].as_str()), (Some("quarantined"), Some("it crashed")));
    let hint =
        format!("have it looked at again: `finale retry-quarantined --journal {} {id}`\n", journal.path().display());
    assert_eq!(journal.ask("why", &[&id]).with_code(0).stderr, hint);

    let released = journal.ask("retry-quarantined", &[]).with_code(0);
    assert_eq!(released.stdout, format!("{id}\n"));
    let error = &journal.list()[0]["error"];
    assert_eq!(error, "released by an operator");
    journal.ask("resume", &[]).with_code(0);
    assert_eq!(journal.list()[0]["status"], "completed");
    let nothing = journal.ask("retry-quarantined", &[]).with_code(0);
    assert_eq!((nothing.stdout.as_str(), nothing.stderr.as_str()), ("", "nothing is quarantined\n"));
}

#[test]
fn what_is_done_outside_needs_somebody() {
    let journal = Journal::new();
    leave_parcel_behind(&journal);
    leave_parcel_behind(&journal);
    let stand_all = |status| journal.list().iter().filter(|execution| execution["status"] == status).count() == 2;
    journal.ask("resume", &[]).refused("workflow \"parcel\": the task \"weigh\" needs somebody outside");
    assert!(stand_all("running"));
    let resumed = journal.ask("resume", &["--simulate"]).with_code(0);
    assert_eq!(resumed.stdout.lines().count(), 3, "{resumed:?}");
    assert!(stand_all("completed"));
}

/// An application leaves an execution behind that waits for somebody.
fn leave_parcel_behind(journal: &Journal) {
    use finale::actix::System;
    use finale::{Runtime, Shards, Workflow};
    let bytes = std::fs::read(own("parcel.json")).unwrap();
    let limits = finale_formats::Limits::default();
    let definition = limits.load(&bytes, finale_formats::Format::default(), "parcel.json").unwrap().definition;
    let workflow = Workflow::new(definition).unwrap();
    let opened = SqliteJournal::open(journal.path()).unwrap();
    System::new().block_on(async {
        let runtime = Runtime::builder().shards(Shards::Current).journal(opened).start().unwrap();
        runtime.activate(&workflow, serde_json::json!({})).by("an application").await.unwrap();
        runtime.shutdown(std::time::Duration::from_secs(1)).await;
    });
}

#[test]
fn what_is_damaged_is_not_taken_for_ended() {
    let journal = Journal::new();
    // The word is in what is kept of the execution and not in its definition.
    let file = written("w.yaml", "id: w\ntasks: {a: {shell: \"echo hali''but >&2; exit 1\"}}\n");
    ended(journal.command("run").arg(file)).with_code(1);
    let id = only_id(&journal);
    let mut bytes = std::fs::read(journal.path()).unwrap();
    let found: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"halibut")).collect();
    assert!(!found.is_empty());
    found.into_iter().for_each(|at| bytes[at..at + 7].copy_from_slice(b"haddock"));
    std::fs::write(journal.path(), bytes).unwrap();
    let resumed = journal.ask("resume", &[]).with_code(1);
    assert!(resumed.stdout.contains(&id) && resumed.stdout.contains("quarantined"), "{resumed:?}");
    assert!(resumed.stderr.starts_with("see why: `finale why "), "{resumed:?}");
    assert!(!resumed.stderr.contains("retry-quarantined"), "{resumed:?}");
}
