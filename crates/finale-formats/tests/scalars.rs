//! A scalar is what was written where text is meant, and nothing else than it seems anywhere.

use finale_core::Definition;
use finale_core::definition::{NodeKind, Task};
use finale_formats::{Format, LoadError, load};

const NUMERALS: [&str; 22] = [
    "0755",
    "007",
    "00",
    "1.50",
    "3.10",
    "1234e56",
    "1e3",
    "1E-3",
    "-0",
    "+1",
    "0x1F",
    "0o17",
    "0b11",
    "1_000",
    ".5",
    "5.",
    ".inf",
    "-.nan",
    "1e999",
    "18446744073709551616",
    "123456789012345678901234567890",
    "0.1000",
];

fn try_task(text: &str, origin: &str) -> Result<Task, LoadError> {
    let Definition { nodes, .. } = load(text.as_bytes(), Format::Own, origin)?.definition;
    match nodes.into_iter().find(|node| node.id == "t").expect("the task is there").kind {
        NodeKind::Task(task) => Ok(task),
        other => panic!("{other:?}"),
    }
}

fn yaml(task: &str) -> Result<Task, LoadError> {
    try_task(&format!("id: w\ntasks: {{t: {task}}}"), "w.yaml")
}

fn json(task: &str) -> Result<Task, LoadError> {
    try_task(&format!("{{\"id\": \"w\", \"tasks\": {{\"t\": {task}}}}}"), "w.json")
}

fn refused(result: Result<Task, LoadError>) -> String {
    result.expect_err("something is in doubt").to_string()
}

/// The input of a task that is a literal.
fn literal(task: &Task) -> &str {
    str::from_utf8(task.with.as_ref().expect("it has a literal").payload().as_bytes()).expect("JSON is text")
}

#[test]
fn a_variable_of_a_command_and_a_label_are_what_is_written() {
    for written in
        NUMERALS.into_iter().chain(["True", "FALSE", "yes", "5", "-7", "0.5", "1.2.3", "12:30", "2024-05-01"])
    {
        let task = yaml(&format!("{{shell: {{command: x, env: {{A: {written}}}}}, labels: {{b: {written}}}}}"));
        let task = task.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(literal(&task), format!(r#"{{"command":"x","env":{{"A":"{written}"}}}}"#), "{written}");
        assert_eq!(task.labels["b"], written);
    }
    for written in ["1.50", "1e3", "-0", "18446744073709551616", "1234E+56", "true", "7"] {
        let task = json(&format!(r#"{{"handler": "h", "labels": {{"b": {written}}}}}"#)).unwrap();
        assert_eq!(task.labels["b"], written);
    }
}

#[test]
fn a_value_that_may_be_another_one_is_refused_with_what_to_write() {
    for written in NUMERALS {
        for value in [written.to_owned(), format!("[1, {{a: {written}}}]")] {
            let message = refused(yaml(&format!("{{handler: h, with: {value}}}")));
            assert!(message.contains(&format!("`\"{written}\"`")), "{written}: {message}");
        }
        assert!(yaml(&format!("{{handler: h, with: \"{written}\"}}")).is_ok(), "quoted it is a text");
    }
    let message = refused(yaml("{handler: h, with: {python: 3.10}}"));
    let expected = "w.yaml:2:40: tasks.t.with.python: `3.10` is a number, and would arrive as `3.1`: quote it if it is \
                    text, `\"3.10\"`, or write `3.1`";
    assert_eq!(message, expected);
    let message = refused(yaml("{handler: h, with: {mode: 0755}}"));
    let expected = "w.yaml:2:38: tasks.t.with.mode: some readers of YAML take `0755` for a number, and others for text: \
                    quote it, `\"0755\"`";
    assert_eq!(message, expected);
}

#[test]
fn a_number_of_json_is_meant_as_one() {
    let task = json(r#"{"handler": "h", "with": {"price": 1.50, "big": 1E3}}"#).unwrap();
    assert_eq!(literal(&task), r#"{"price":1.5,"big":1000.0}"#);
    let message = refused(json(r#"{"handler": "h", "with": {"id": 123456789012345678901234567890}}"#));
    assert!(message.contains("no number of 64 bits is `123456789012345678901234567890`: quote it"), "{message}");
    for whole in [u64::MAX.to_string(), i64::MIN.to_string()] {
        let task = json(&format!(r#"{{"handler": "h", "with": {whole}}}"#)).unwrap();
        assert_eq!(literal(&task), whole);
    }
}

#[test]
fn a_text_that_may_be_a_number_needs_quotes() {
    for (task, written) in [
        ("{title: 5}", "5"),
        ("{title: 3.10}", "3.10"),
        ("{title: 007}", "007"),
        ("{title: TRUE}", "TRUE"),
        ("{log: 1_000}", "1_000"),
        ("{shell: 0x1F}", "0x1F"),
        ("{after: 007}", "007"),
        ("{after: [7]}", "7"),
        ("{handler: 1.0}", "1.0"),
    ] {
        let message = refused(yaml(task));
        assert!(
            message.contains(": expected ") && message.ends_with(&format!("quote it, `\"{written}\"`")),
            "{message}"
        );
    }
    assert_eq!(yaml("{title: 1.2.3}").unwrap().title.as_deref(), Some("1.2.3"));
}

#[test]
fn defaults_and_bindings_are_what_they_seem() {
    let head = |text: &str| load(format!("id: w\ntasks: {{}}\n{text}").as_bytes(), Format::Own, "w.yaml");
    for text in [
        "inputs: {a: {type: string, default: 3.10}}",
        "inputs: {a: {type: integer, default: 1_000}}",
        "nodes: {s: {subworkflow: {workflow: w, version: 1.0.0, inputs: {a: 0755}}}}",
    ] {
        assert_eq!(head(text).unwrap_err().code(), "file_unquoted", "{text}");
    }
    assert!(head("inputs: {a: {type: float, default: 0.5}}").is_ok());
}

#[test]
fn expressions_and_durations_take_no_doubtful_numbers() {
    assert_eq!(yaml("{handler: h, input: 5}").unwrap().input.as_deref(), Some("5"));
    assert!(refused(yaml("{handler: h, input: 0755}")).contains("expected an expression, found what may be a number"));
    assert!(refused(yaml("{timeout: 007}")).contains("`007` is no duration"));
    assert!(refused(yaml("{retry: 1_000}")).contains("expected a whole number"));
    assert!(refused(yaml("{timeout: 1m30}")).ends_with("its last number has no unit; write `1m30s`"));
}

#[test]
fn a_boolean_in_quotes_is_told_to_lose_them() {
    for (written, right) in [("\"true\"", "true"), ("'False'", "false")] {
        let message = refused(yaml(&format!("{{optional: {written}}}")));
        assert!(message.ends_with(&format!("; write `{right}` without quotes")), "{message}");
    }
    assert!(refused(yaml("{optional: yes}")).ends_with("; write `true`"));
}

#[test]
fn settings_of_other_formats_are_what_is_written() {
    let text = "
blueprint:
  name: flow
  display_name: Flow
  nodes:
    - {id: n, type: task, label: N, config: {title: Do n, mode: 0755, python: 3.10}}
";
    let definition = load(text.as_bytes(), Format::Auto, "f.yaml").unwrap().definition;
    let NodeKind::Task(task) = &definition.nodes[1].kind else { panic!("{definition:?}") };
    assert_eq!((&*task.labels["mode"], &*task.labels["python"]), ("0755", "3.10"));
}

#[test]
fn values_of_other_formats_are_what_they_seem() {
    let refused =
        |text: &str, name: &str| load(text.as_bytes(), Format::Auto, name).expect_err("it is in doubt").to_string();
    let definition = r#"{"id": "w", "name": "W", "nodes": [], "inputs": [{"name": "a", "type": "json", "default": [18446744073709551616]}]}"#;
    let message = refused(definition, "w.json");
    assert!(message.contains("inputs[0].default[0]: no number of 64 bits is `18446744073709551616`"), "{message}");
    let call = "
blueprint:
  name: f
  display_name: F
  nodes:
    - {id: n, type: subworkflow, label: N, config: {subworkflow_id: s, version: \"1.0.0\", input_bindings: {a: {b: 0755}}}}
";
    let message = refused(call, "f.yaml");
    assert!(message.contains("nodes[0].config.input_bindings.a.b: some readers of YAML take `0755`"), "{message}");
    let serialized = "id: w\nname: W\nnodes: [{id: 007, label: S, kind: start}]\n";
    let message = refused(serialized, "w.yaml");
    assert!(message.contains("nodes[0].id: some readers of YAML take `007`"), "{message}");
}
