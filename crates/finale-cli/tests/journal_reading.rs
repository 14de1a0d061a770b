//! Looking into a journal.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Journal, ended, statuses, written};
use serde_json::json;

#[test]
fn what_was_run_is_shown_afterwards() {
    let journal = Journal::new();
    let (ran, id) = journal.run("parcel.json", &["--simulate", "--durability", "relaxed"]);
    let listed = journal.list();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["id"], *id);
    assert_eq!(listed[0]["status"], "completed");
    let (ran, mut shown) = (ran.with_code(0).record(), journal.ask("show", &[&id, "--json"]).with_code(0).record());
    assert_eq!(statuses(&shown, &["weigh", "truck", "bike"]), ["completed", "skipped", "completed"]);
    for key in ["business_key", "idempotency_key"] {
        assert_eq!(shown.as_object_mut().unwrap().remove(key), Some(json!(null)));
    }
    assert_eq!(shown, ran);
}

#[test]
fn a_failed_run_says_how_to_see_why() {
    let journal = Journal::new();
    let (ran, id) = journal.run("parcel.json", &["--simulate", "--fail", "weigh=no scales"]);
    let line = format!("see why: `finale why --journal {} {id}`\n", journal.path().display());
    assert!(ran.with_code(1).stderr.contains(&line));
    let why = journal.ask("why", &[&id, "--json"]).with_code(0).record();
    assert_eq!(why["id"], *id);
    assert_eq!(why["status"], "failed");
    assert_eq!(why["decided_by"], json!({"clause": "fail_fast", "node": "weigh"}));
    let text = journal.ask("why", &[&id[..20]]).with_code(0).stdout;
    assert!(text.contains("\nerror      task \"Weigh it\" (weigh) failed: no scales\n"), "{text}");
}

#[test]
fn a_history_tells_every_fact() {
    let journal = Journal::new();
    let (_, id) = journal.run("parcel.json", &["--simulate"]);
    let history = journal.ask("history", &[&id, "--json"]).with_code(0).record();
    assert_eq!(history["id"], *id);
    let facts = history["facts"].as_array().unwrap();
    assert_eq!((&facts[0]["fact"], &facts[0]["sequence"]), (&json!("activated"), &json!(1)));
    assert_eq!(facts.last().unwrap()["fact"], "ended");
    let text = journal.ask("history", &[&id]).with_code(0).stdout;
    assert_eq!(text.lines().count(), facts.len() + 1);
    assert!(text.contains("activated by finale run, with {}"), "{text}");
}

#[test]
fn a_history_names_what_happened_inside_of_nodes_by_its_path() {
    let journal = Journal::new();
    let nested = "id: nested\ntasks:\n  sizes:\n    map: {items: '[1, 2]'}\n    group: {tasks: {cut: {log: cut}, sew: {log: sewn, after: cut}}}\n";
    let (_, id) = journal.run(written("nested.yaml", nested).to_str().unwrap(), &[]);
    let history = journal.ask("history", &[&id, "--json"]).with_code(0).record();
    let facts = history["facts"].as_array().unwrap();
    for path in ["sizes[0]::cut", "sizes[0]::sew", "sizes[1]::cut", "sizes[1]::sew"] {
        assert!(facts.iter().any(|fact| fact["node"] == path), "{path}: {history}");
    }
    let text = journal.ask("history", &[&id]).with_code(0).stdout;
    assert!(text.contains("sizes[1]::sew: attempt 1 completed") && !text.contains("scope"), "{text}");
}

#[test]
fn a_list_is_filtered_and_comes_page_by_page() {
    let journal = Journal::new();
    let (_, first) = journal.run("parcel.json", &["--simulate"]);
    let (_, second) = journal.run("parcel.json", &["--simulate", "--fail", "weigh"]);
    let ids = |arguments: &[&str]| {
        let page = journal.ask("list", &[arguments, &["--json"]].concat()).with_code(0).record();
        let executions = page["executions"].as_array().unwrap().iter();
        let ids: Vec<_> = executions.map(|execution| execution["id"].as_str().unwrap().to_owned()).collect();
        (ids, page["next"].as_str().map(str::to_owned))
    };
    assert_eq!(ids(&["--limit", "1"]), (vec![second.clone()], Some(second.clone())));
    assert_eq!(ids(&["--limit", "1", "--before", &second]), (vec![first.clone()], None));
    assert_eq!(ids(&["--status", "completed"]).0, [first.as_str()]);
    assert_eq!(ids(&["--workflow", "parcel", "--since", "1h"]).0, [second.as_str(), &first]);
    for nothing in [["--business-key", "A-17"], ["--until", "1h"], ["--workflow", "order"]] {
        let ended = journal.ask("list", &nothing).with_code(0);
        assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", "no executions\n"));
        assert!(ids(&nothing).0.is_empty());
    }
}

#[test]
fn tables_fit_a_terminal_and_are_whole_in_a_file() {
    let journal = Journal::new();
    let reason = "it went wrong in many ways, ".repeat(9);
    let (_, id) = journal.run("parcel.json", &["--simulate", "--fail", &format!("weigh={reason}")]);
    for (command, arguments) in [("list", vec![]), ("history", vec![id.as_str()]), ("show", vec![id.as_str()])] {
        let whole = journal.ask(command, &arguments).with_code(0).stdout;
        assert!(whole.contains(reason.trim_end()), "{whole}");
        let cut = ended(journal.command(command).args(&arguments).env("COLUMNS", "80")).with_code(0).stdout;
        let table = cut.split_once("\n\n").map_or(cut.as_str(), |(_, table)| table);
        assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
        assert!(table.contains('~'), "{table}");
        let time =
            table.lines().any(|line| line.split_whitespace().any(|word| word.len() == 20 && word.ends_with('Z')));
        assert!(time, "{table}");
    }
}

#[test]
fn a_journal_is_read_while_another_process_has_it() {
    let journal = Journal::new();
    let mut child = journal.start_endless_run();
    assert_eq!(journal.list()[0]["status"], "running");
    let why = journal.ask("why", &["0", "--json"]).with_code(0).record();
    assert_eq!(why["awaited"][0]["node"], "mix");
    let shown = journal.ask("show", &["0", "--json"]).with_code(0).record();
    assert_eq!(statuses(&shown, &["mix", "bake"]), ["running", "pending"]);
    for command in ["resume", "retry-quarantined"] {
        let ended = journal.ask(command, &[]).with_code(1);
        let holder = format!("the journal is in use by process {} (finale)", child.id());
        assert!(ended.stderr.contains(&holder), "{ended:?}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[cfg(unix)]
#[test]
fn a_held_task_shows_the_attempts_that_were_made_and_why_the_last_one_failed() {
    let journal = Journal::new();
    ended(journal.command("run").arg(common::own("held.yaml"))).with_code(3);
    let table = journal.ask("show", &["0"]).with_code(0).stdout;
    let row: Vec<&str> = table.lines().find(|line| line.starts_with("try ")).unwrap().split_whitespace().collect();
    assert_eq!((row[2], row[4]), ("waiting", "2"), "{table}");
    assert!(row[6..].join(" ").ends_with("held for an operator: exit code 7"), "{table}");
}
