//! `finale validate`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Ended, ended, finale, own, written};
use serde_json::json;

const SLIP: &str = "id: w\ntasks:\n  test:\n    shell: cargo test\n    needs: build\n";

fn validate(arguments: &[&str]) -> Ended {
    ended(finale().arg("validate").args(arguments))
}

#[test]
fn a_file_without_problems_is_said_to_have_none() {
    let fine = validate(&[own("parcel.json").to_str().unwrap(), own("bake.json").to_str().unwrap()]).with_code(0);
    assert_eq!((fine.stdout.as_str(), fine.stderr.as_str()), ("", "2 files: no problems\n"));
}

#[test]
fn every_problem_of_every_file_is_shown_with_its_line() {
    let slip = written("slip.yaml", SLIP);
    let cycle = written("cycle.yaml", "id: w\ntasks:\n  a: {after: b}\n  b: {after: a}\n");
    let missing = slip.with_file_name("missing.yaml");
    let [slip, cycle, missing] = [&slip, &cycle, &missing].map(|path| path.to_str().unwrap());
    let ended = validate(&[slip, own("parcel.json").to_str().unwrap(), cycle, missing]);
    let shown = format!("error[file_unknown_key]: unknown key `needs`\n --> {slip}:5:5\n");
    assert!(ended.stderr.starts_with(&shown), "{}", ended.stderr);
    assert!(ended.stderr.contains("\n\nerror[cycle_detected]: "), "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("\n\nerror: {missing}: ")), "{}", ended.stderr);
    assert!(ended.stderr.ends_with("\n\n4 files: 3 problems in 3\n"), "{}", ended.stderr);
    ended.with_code(2);
}

#[test]
fn programs_read_the_problems_as_json() {
    let file = written("slip.yaml", SLIP);
    let fine = own("parcel.json");
    let ended = validate(&["--json", file.to_str().unwrap(), fine.to_str().unwrap()]).with_code(2);
    let files = &ended.record()["files"];
    let problem = &files[0]["problems"][0];
    assert_eq!(
        (&problem["code"], &problem["line"], &problem["column"]),
        (&json!("file_unknown_key"), &json!(5), &json!(5))
    );
    assert_eq!(problem["hint"], "did you mean `after`?");
    assert_eq!(files[0]["format"], json!(null));
    assert_eq!(
        files[1],
        json!({"file": fine.to_str().unwrap(), "format": "definition", "problems": [], "warnings": []})
    );
    assert_eq!(ended.stderr, "");
}

#[test]
fn a_run_shows_problems_in_the_same_way() {
    let file = written("slip.yaml", SLIP);
    let shown = validate(&[file.to_str().unwrap()]).stderr;
    let ran = common::run(&file, &[]);
    assert_eq!(shown, format!("{}\n1 file: 1 problem in 1\n", ran.stderr));
    ran.with_code(2);
}

#[test]
fn a_template_in_a_command_is_warned_of_and_hinders_nothing() {
    let file = written("greet.yaml", "id: w\ntasks:\n  greet:\n    shell: echo ${{ input.who }}\n");
    let ended = validate(&[file.to_str().unwrap()]).with_code(0);
    assert!(ended.stderr.starts_with("warning[command_unquoted]: the shell runs what"), "{}", ended.stderr);
    assert!(ended.stderr.ends_with("\n\n1 file: no problems, 1 warning in 1\n"), "{}", ended.stderr);
    let ended = validate(&["--json", file.to_str().unwrap()]).with_code(0);
    let warning = &ended.record()["files"][0]["warnings"][0];
    assert_eq!((&warning["code"], &warning["line"]), (&json!("command_unquoted"), &json!(4)));
}

#[test]
fn what_is_wrong_with_keys_and_with_the_graph_is_told_in_one_go() {
    let text = "id: w\ntasks:\n  a: {log: x, timeout: 30, after: b}\n  b: {log: x, after: a}\n";
    for (text, codes) in [
        (text.to_owned(), ["file_bad_duration", "cycle_detected"]),
        (text.replace("timeout: 30, ", "").replace("id: w", "id: w\nversion: v1"), ["bad_version", "cycle_detected"]),
    ] {
        let ended = validate(&[written("both.yaml", &text).to_str().unwrap()]).with_code(2);
        for code in codes {
            assert!(ended.stderr.contains(&format!("error[{code}]")), "{code}: {}", ended.stderr);
        }
    }
}

#[test]
fn what_is_suspicious_is_shown_with_its_line_and_refuses_nothing() {
    let text = "id: w\ninputs: {thorough: {type: boolean, default: true}}\ntasks:\n  build: {shell: make}\n  test:\n    \
                shell: make test\n    when: input.thorogh or nodes.build.output.is_new\n";
    let file = written("suspicious.yaml", text);
    let path = file.to_str().unwrap();
    let ended = validate(&[path, own("parcel.json").to_str().unwrap()]).with_code(0);
    let place = format!(" --> {path}:7:11\n");
    assert!(ended.stderr.contains("warning[undeclared_input]: "), "{}", ended.stderr);
    assert!(ended.stderr.contains("warning[reads_unordered_node]: "), "{}", ended.stderr);
    assert_eq!(ended.stderr.matches(&place).count(), 2, "{}", ended.stderr);
    assert!(ended.stderr.ends_with("\n\n2 files: no problems, 2 warnings in 1\n"), "{}", ended.stderr);

    let ended = validate(&["--json", path]).with_code(0);
    let shown = &ended.record()["files"][0];
    assert_eq!(shown["problems"], json!([]));
    assert_eq!((&shown["warnings"][0]["code"], &shown["warnings"][0]["line"]), (&json!("undeclared_input"), &json!(7)));
}

#[test]
fn a_condition_of_synthorg_that_compares_with_one_equals_is_suspicious() {
    let node = |id: &str, kind: &str, config: serde_json::Value| json!({"id": id, "type": kind, "label": id, "config": config});
    let edge = |source: &str, target: &str, kind: &str| json!({"id": format!("{source}-{target}"), "source_node_id": source, "target_node_id": target, "type": kind});
    let document = json!({
        "id": "w", "name": "W", "revision": 1,
        "nodes": [
            node("s", "start", json!({})),
            node("c", "conditional", json!({"condition_expression": "severity = critical"})),
            node("t", "task", json!({"title": "Fix it"})),
            node("e", "end", json!({})),
        ],
        "edges": [
            edge("s", "c", "sequential"), edge("c", "t", "conditional_true"), edge("c", "e", "conditional_false"),
            edge("t", "e", "sequential"),
        ],
    });
    let file = written("equals.json", document.to_string());
    let ended = validate(&["--json", file.to_str().unwrap()]).with_code(0);
    assert_eq!(ended.record()["files"][0]["warnings"][0]["code"], "file_single_equals");
}
