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
fn a_rule_that_can_never_hold_is_warned_of_with_its_place() {
    let text = "id: w\ntasks:\n  backup: {log: hi}\n  alarm: {log: help, after: backup, trigger_rule: one_failed}\n";
    let warned = validate(&[written("never.yaml", text).to_str().unwrap()]).with_code(0).stderr;
    for part in [
        "warning[never_fires]: \"alarm\" can never run",
        "`on_failure: alarm`",
        "`on_failure: wait_all`",
        "never.yaml:4:3",
    ] {
        assert!(warned.contains(part), "{part}: {warned}");
    }
    let fine = written("fine.yaml", format!("{text}on_failure: wait_all\n"));
    let quiet = validate(&[fine.to_str().unwrap()]).with_code(0).stderr;
    assert!(!quiet.contains("never_fires"), "{quiet}");
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

#[test]
fn a_schema_that_is_none_is_shown_where_it_stands() {
    let text = "\
id: w
workflows:
  other: {tasks: {a: {}}}
  called:
    tasks:
      a: {handler: h, input_schema: {type: text}}
tasks:
  a:
    handler: h
    output_schema: {$ref: 'https://example.com/a'}
  b: {call: called}
";
    let shown = validate(&[written("schema.yaml", text).to_str().unwrap()]).with_code(2).stderr;
    for part in ["error[schema_invalid]: the output schema of \"a\": ", "leads out of the schema", "schema.yaml:10:20"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    for part in ["the input schema of \"a\" in \"called\" 1.0.0: at \"/type\"", "schema.yaml:6:"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

/// Nothing in a simulation gives what it should.
#[test]
fn a_simulation_checks_no_task_and_a_run_does() {
    let text = "id: w\ninput_schema: {required: [x]}\ntasks:\n  a: {log: hi, output_schema: {type: integer}}\n  b: {output_schema: {type: integer}}\n";
    let file = written("simulated.yaml", text);
    let run = |arguments: &[&str]| ended(finale().arg("run").arg(&file).args(arguments));
    run(&["--simulate", "--input", "x=1"]).with_code(0);
    let refused = run(&["--simulate"]).with_code(2).stderr;
    assert!(refused.contains("the input of the workflow does not fit its schema"), "{refused}");
    let failed = run(&["--input", "x=1", "--done", "b=1"]).with_code(1).stderr;
    assert!(failed.contains("the output does not fit its schema"), "{failed}");
}
