//! What is wrong with a file, shown in it.

use finale_core::compile::{Registry, compile};
use finale_formats::diagnostic::{Style, render};
use finale_formats::{Format, load};

/// What is found when a file is loaded and compiled.
fn shown(text: &str) -> String {
    let diagnostics = match load(text.as_bytes(), Format::Auto, "f.yaml") {
        Err(error) => error.diagnostics(),
        Ok(loaded) => {
            let error = compile(loaded.definition, &Registry::new()).expect_err("something is wrong with it");
            loaded.places.diagnostics(&error)
        }
    };
    render(&diagnostics, "f.yaml", text, Style::Ascii)
}

#[test]
fn all_faults_of_a_file_are_shown_with_their_lines() {
    let text = "\
id: release
tasks:
  build:
    shell: make
    timeout: 30
  test:
    shell: make test
    after: biuld
";
    let expected = "\
error[file_bad_duration]: `30` is no duration: it has no unit; write `30s` for seconds, `30m` for minutes, `30ms` for milliseconds
 --> f.yaml:5:14
  |
5 |     timeout: 30
  |              ^^

error[file_unknown_node]: there is no node `biuld`
 --> f.yaml:8:12
  |
8 |     after: biuld
  |            ^^^^^ did you mean `build`?";
    assert_eq!(shown(text), expected);
}

#[test]
fn what_the_compiler_finds_is_shown_where_the_nodes_are() {
    let text = "\
id: release
version: 1.0
tasks:
  build: {handler: b}
";
    assert!(shown(text).contains("expected text, found a number\n --> f.yaml:2:10"), "{}", shown(text));
    let text = text.replace("1.0", "v1");
    assert!(
        shown(&text).contains("error[bad_version]") && shown(&text).contains(" --> f.yaml:2:10"),
        "{}",
        shown(&text)
    );
    let text = text.replace("v1", "1.0.0").replace("handler: b", "handler: b, input: 1 +, after: test")
        + "  test: {handler: t, after: build, when: input.x =, at_most_once: true, retry: 2}\noutput: (\n";
    let shown = shown(&text);
    for part in [
        "error[cycle_detected]: build -> test? -> test -> build is a cycle\n --> f.yaml:4:3",
        "error[at_most_once_retried]",
        " --> f.yaml:4:30\n  |\n4 |   build: {handler: b, input: 1 +, after: test}\n  |                              ^^^",
        " --> f.yaml:5:42",
        " --> f.yaml:6:9",
    ] {
        assert!(shown.contains(part), "{part}\n\n{shown}");
    }
}

#[test]
fn places_are_known_in_every_format() {
    let blueprint = "blueprint:\n  name: f\n  display_name: F\n  nodes:\n    - {id: n, type: task, label: N}\n";
    assert!(shown(blueprint).contains("error[task_missing_title]") && shown(blueprint).contains(" --> f.yaml:5:7"));
    let trace = r#"{"workflow": {"specification": {"tasks": [{"id": "t"}]}}}"#;
    let loaded = load(trace.as_bytes(), Format::Auto, "w.json").unwrap();
    assert_eq!(loaded.places.node("t"), Some((1, 43)));
    let serialized = serde_json::to_string_pretty(&loaded.definition).unwrap();
    let loaded = load(serialized.as_bytes(), Format::Auto, "w.json").unwrap();
    assert!(loaded.places.node("t").is_some());
}
