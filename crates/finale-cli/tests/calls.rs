//! Files that call other workflows.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs;

use common::{ended, finale, fresh, run, written};

const ORDER: &str = "
id: order
output: nodes.ship.output
tasks:
  pack: {log: packed}
  ship: {call: ship, with: {to: '${{ input.to }}'}, after: pack}
workflows:
  ship: parts/ship.yaml
";

const SHIP: &str = "
id: ship
version: 1.1.0
inputs: {to: string}
output: \"'sent to ' ~ input.to\"
tasks:
  label: {shell: 'echo \"label\"'}
  hand_over: {title: Hand it over, after: label}
";

fn parts(ship: &str) -> std::path::PathBuf {
    let part = fresh("parts/ship.yaml");
    fs::create_dir_all(part.parent().unwrap()).unwrap();
    fs::write(part, ship).unwrap();
    written("order.yaml", ORDER)
}

#[test]
fn a_workflow_in_another_file_is_run_with_its_nodes_named_by_their_paths() {
    let file = parts(SHIP);
    let arguments = ["--json", "--input", "to=Ann", "--yes"];
    let ended = run(file, &arguments).with_code(0);
    let record = ended.record();
    assert_eq!(record["output"], "sent to Ann");
    let nodes: Vec<_> = record["nodes"].as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap()).collect();
    assert!(nodes.contains(&"ship::label") && nodes.contains(&"ship::hand_over"), "{nodes:?}");
    assert!(ended.stderr.contains("ship::label"), "{}", ended.stderr);
}

#[test]
fn a_failure_is_told_with_the_whole_path() {
    let file = parts(&SHIP.replace("echo \"label\"", "exit 7"));
    let ended = run(file, &["--input", "to=Ann", "--yes"]).with_code(1);
    let expected = "sub-workflow \"Ship\" (ship) failed: ship::label failed: ";
    assert!(ended.stderr.contains(expected) || ended.stdout.contains(expected), "{ended:?}");
}

#[test]
fn what_is_wrong_in_the_other_file_is_shown_in_its_text_and_by_its_name() {
    let file = parts(&SHIP.replace("after: label", "after: lable"));
    let ended = ended(finale().arg("validate").arg(file)).with_code(2);
    assert!(ended.stderr.contains("parts/ship.yaml:8"), "{}", ended.stderr);
    assert!(ended.stderr.contains("there is no node `lable`"), "{}", ended.stderr);
}

#[test]
fn a_file_that_is_not_there_or_defines_another_workflow_is_refused_where_it_is_named() {
    // An earlier run of the test may have left it.
    let _ = fs::remove_file(fresh("parts/ship.yaml"));
    let file = written("order.yaml", ORDER);
    run(&file, &["--simulate"]).refused("order.yaml:8:9");
    let file = parts(&SHIP.replace("id: ship", "id: deliver"));
    run(file, &["--simulate"]).refused("defines the workflow \"deliver\"");
    let file = parts("id: ship\ntasks: {again: {call: order}}\nworkflows: {order: ../order.yaml}\n");
    run(file, &["--simulate"]).refused("circle of files");
}

const TWICE: &str = "
id: twice
tasks:
  a: {call: part}
  b: {call: part, after: a}
workflows:
  part: {output: 7, tasks: {x: {shell: sleep 0.1}, y: {log: hi, after: x}}}
";

#[test]
fn what_is_called_twice_begins_in_the_call_that_it_is_in() {
    let ended = run(written("twice.yaml", TWICE), &[]).with_code(0);
    let begun: Vec<_> = ended.stderr.lines().filter_map(|line| line.strip_suffix(": started")).collect();
    assert_eq!(begun, ["a::x", "a::y", "b::x", "b::y"], "{}", ended.stderr);
}

#[test]
fn what_a_scope_gives_is_told_of_the_node_that_opened_it() {
    let journal = common::Journal::new();
    ended(journal.command("run").arg(written("twice.yaml", TWICE))).with_code(0);
    let id = journal.list()[0]["id"].as_str().unwrap().to_owned();
    let history = journal.ask("history", &[&id]).with_code(0).stdout;
    assert!(history.contains(" a gives 7") && history.contains(" b gives 7"), "{history}");
    let history = journal.ask("history", &[&id, "--json"]).with_code(0).record();
    let facts = history["facts"].as_array().unwrap();
    let given: Vec<_> = facts.iter().filter(|fact| fact["fact"] == "output_evaluated").collect();
    assert_eq!(given.iter().map(|fact| fact["node"].as_str().unwrap()).collect::<Vec<_>>(), ["a", "b"]);
}
