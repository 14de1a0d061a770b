//! How a run gets on, as people hear of it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Journal, ended, finale, fresh, own, run, shell, task, tasks};
use serde_json::json;

/// What is said after the first line.
fn told(stderr: &str) -> Vec<String> {
    stderr.lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn where_there_is_no_terminal_each_change_is_a_line() {
    let mut flaky = shell("test $FINALE_ATTEMPT = 2 || { echo no flour; exit 3; }");
    flaky["retry"] = json!({"attempts": 2});
    let logs = fresh("logs");
    let file = tasks("w.json", &[("mix", flaky), ("bake", shell("exit 4")), ("eat", shell("true"))]);
    let ended = run(file, &["--logs", logs.to_str().unwrap()]).with_code(1);
    let told = told(&ended.stderr);
    assert_eq!(told[0], "mix: started");
    assert_eq!(told[1], "mix: attempt 1 failed, to be retried: exit code 3: no flour");
    assert_eq!(told[2], "mix: started, attempt 2");
    assert!(told[3].starts_with("mix: completed in "), "{told:?}");
    assert_eq!(told[4], "bake: started");
    assert!(told[5].starts_with("bake: failed after ") && told[5].ends_with(" exit code 4"), "{told:?}");
    assert_eq!(told[6], "eat: skipped");
    assert!(!ended.stderr.contains('\u{1b}'), "{}", ended.stderr);
}

#[test]
fn what_is_done_outside_is_waited_for() {
    let ended = run(own("parcel.json"), &["--yes"]).with_code(0);
    let told = told(&ended.stderr);
    assert_eq!(told[0], "weigh: waiting");
    assert!(told.contains(&"truck: skipped".to_owned()), "{told:?}");
}

#[test]
fn many_that_are_skipped_are_one_line() {
    let all: Vec<_> = (0..9).map(|number| (format!("t{number}"), shell("exit 1"))).collect();
    let all: Vec<_> = all.iter().map(|(id, task)| (id.as_str(), task.clone())).collect();
    let ended = run(tasks("w.json", &all), &[]).with_code(1);
    assert!(ended.stderr.contains("\nt1, t2, t3 and 5 more: skipped\n"), "{}", ended.stderr);
}

#[test]
fn quiet_says_nothing_but_errors() {
    let file = tasks("w.json", &[("a", task("log", &json!({"message": "hello"}))), ("b", shell("exit $CODE"))]);
    let quiet = |code: &str, arguments: &[&str]| {
        ended(finale().env("CODE", code).args(["run", "-q"]).arg(&file).args(arguments))
    };
    let well = quiet("0", &[]).with_code(0);
    assert_eq!((well.stdout.as_str(), well.stderr.as_str()), ("", ""));
    assert_eq!(quiet("0", &["--json"]).record()["status"], "completed");
    let badly = quiet("3", &[]).with_code(1);
    assert_eq!(badly.stdout, "");
    assert!(badly.stderr.starts_with("error: task \"shell\" (b) failed: exit code 3\n"), "{}", badly.stderr);
}

#[test]
fn where_there_is_only_ascii_finale_writes_nothing_else() {
    let file =
        tasks("w.json", &[("a", task("sleep", &json!({"seconds": 0.000_001}))), ("b", json!({"title": "Sign"}))]);
    let ascii = ended(finale().env("LC_ALL", "C").arg("run").arg(&file).arg("--yes")).with_code(0);
    assert!(ascii.stderr.is_ascii(), "{}", ascii.stderr);
}

#[test]
fn what_is_resumed_is_told_from_there_on() {
    let journal = Journal::new();
    let file = tasks("w.json", &[("a", shell("true")), ("b", task("sleep", &json!({"seconds": 1_000})))]);
    let mut at_work = common::AtWork::start(journal.command("run").arg(file));
    at_work.until("b: started");
    at_work.signal("INT");
    at_work.ended().with_code(3);
    let resumed = journal.ask("resume", &["--done", "b"]).with_code(0);
    assert!(resumed.stderr.contains("\nb: completed in "), "{}", resumed.stderr);
    assert!(!resumed.stderr.contains("a: "), "{}", resumed.stderr);
}

#[test]
fn what_is_inside_of_a_node_is_named_by_its_path_from_its_beginning() {
    let file = common::written("w.yaml", "id: w\ntasks:\n  g: {group: {tasks: {t: {shell: 'true'}}}}\n");
    let told = run(file, &[]).with_code(0).stderr;
    assert!(told.contains("\ng::t: started\n") && told.contains("\ng::t: completed in"), "{told}");
}

#[test]
fn an_item_that_fails_is_told_with_the_time_that_it_took() {
    let text = "id: w\ntasks:\n  load: {map: {items: [1], tolerate: 1}, shell: sleep 0.3; exit 1}\n";
    let told = run(common::written("w.yaml", text), &[]).with_code(0).stderr;
    let failed = told.lines().find_map(|line| line.strip_prefix("load[0]::load: failed after ")).unwrap();
    assert!(!failed.starts_with("0s"), "{told}");
    assert!(failed.ends_with(": exit code 1"), "{told}");
}
