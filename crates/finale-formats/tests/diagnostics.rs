//! What is wrong with a file, shown in it.

use finale_core::compile::{Registry, compile};
use finale_formats::diagnostic::{Style, render};
use finale_formats::{Format, load};

/// What is found when a file is loaded and compiled.
fn shown(text: &str) -> String {
    let diagnostics = match load(text.as_bytes(), Format::Auto, "f.yaml") {
        Err(error) => error.diagnostics(),
        Ok(loaded) => {
            let error = compile(loaded.definition.clone(), &Registry::new()).expect_err("something is wrong with it");
            loaded.places.diagnostics(&loaded.definition, &error.problems)
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

/// The places of what is found with this code.
fn places(text: &str, code: &str) -> Vec<Option<(u32, u32)>> {
    let loaded = load(text.as_bytes(), Format::Auto, "f.yaml").unwrap_or_else(|error| panic!("{error}"));
    let error = compile(loaded.definition.clone(), &Registry::new()).expect_err("something is wrong with it");
    let diagnostics = loaded.places.diagnostics(&loaded.definition, &error.problems);
    assert!(diagnostics.iter().any(|diagnostic| diagnostic.code == code), "{diagnostics:?}");
    diagnostics.iter().filter(|one| one.code == code).map(|one| one.place).collect()
}

#[test]
fn a_problem_of_one_entry_of_many_is_shown_at_that_entry() {
    let inputs = "
id: w
inputs:
  a: {type: integer, default: 1}
  b: {type: integer, default: x}
  c: {type: string, required: true, default: y}
outputs:
  d: string
  e: {type: string, required: false}
tasks: {}
";
    assert_eq!(places(inputs, "default_type"), [Some((5, 3))]);
    assert_eq!(places(inputs, "required_with_default"), [Some((6, 3))]);
    assert_eq!(places(inputs, "optional_output"), [Some((9, 3))]);
    let edges = "
id: w
tasks:
  a: {}
  b: {after: [a, a]}
  c: {after: c}
edges:
  - {from: a, to: b, id: x}
  - {from: b, to: c, id: x}
  - {from: b, to: c, id: y, label: \" \"}
";
    assert_eq!(places(edges, "duplicate_edge_id"), [Some((9, 5))]);
    assert_eq!(places(edges, "blank_field"), [Some((10, 5))]);
    assert_eq!(places(edges, "self_loop"), [Some((6, 14))]);
    let repeated =
        edges.replace("id: x}", "id: y}").replace("{after: c}", "{}").replace(", id: y", "").replace("\" \"", "z");
    assert_eq!(places(&repeated, "duplicate_edge"), [Some((5, 18)), Some((8, 5)), Some((10, 5))]);
    let expressions = "
id: w
tasks:
  a: {handler: h, with: {x: \"${{ input.x }}\", y: [1, \"a ${{ 1 + }} b\"]}}
  b: {shell: {command: \"x\", env: {A: \"${{ input.a }}\", B: \"${{ nodes.c.output }}\"}}}
  c: {handler: h, input: 1 +}
";
    assert_eq!(places(expressions, "expression_invalid"), [Some((4, 54)), Some((6, 26))]);
    let unknown = expressions.replace("nodes.c", "nodes.d");
    assert_eq!(places(&unknown, "expression_invalid"), [Some((4, 54)), Some((5, 59)), Some((6, 26))]);
    let definition = "
id: w
name: W
inputs:
  - {name: a, type: string}
  - {name: a, type: string}
nodes:
  - {id: s, type: start, label: S}
  - {id: t, type: task, label: T, config: {title: t}}
  - {id: t, type: task, label: T, config: {title: t}}
  - {id: e, type: end, label: E}
edges:
  - {id: x, source_node_id: s, target_node_id: t}
  - {id: y, source_node_id: t, target_node_id: nobody}
";
    assert_eq!(places(definition, "duplicate_input"), [Some((6, 5))]);
    assert_eq!(places(definition, "duplicate_node_id"), [Some((10, 5))]);
    assert_eq!(places(definition, "unknown_edge_target"), [Some((14, 5))]);
}

#[test]
fn no_edge_is_called_by_a_name_that_nobody_wrote() {
    let text = "id: w\ntasks:\n  a: {}\n  b: {after: [a, a]}\n  c: {after: c}\n";
    let shown = format!("{}{}", shown(text), shown(&text.replace("after: c", "after: b")));
    assert!(shown.contains("an edge leads from \"c\" to itself"), "{shown}");
    assert!(shown.contains("there is more than one sequential edge from \"a\" to \"b\""), "{shown}");
    assert!(!shown.contains("\"e1\"") && !shown.contains("\"e2\""), "{shown}");
    // An edge that is named like one that nobody named is no second one.
    let text = "id: w\ntasks: {a: {}, b: {}, c: {after: a}}\nedges: [{from: b, to: c, id: e1}]\n";
    let loaded = load(text.as_bytes(), Format::Auto, "f.yaml").unwrap();
    assert!(compile(loaded.definition, &Registry::new()).is_ok());
}

/// The codes that are told at once.
fn codes(text: &str) -> Vec<&'static str> {
    let error = load(text.as_bytes(), Format::Auto, "f.yaml").expect_err("something is wrong with it");
    error.problems().iter().map(finale_formats::FileProblem::code).collect()
}

#[test]
fn what_is_wrong_with_the_graph_is_told_with_what_is_wrong_with_the_keys() {
    let text = "
id: w
version: v1
inputs:
  n: {type: integer, default: x}
tasks:
  a: {timeout: 30, after: b, when: 1 +}
  b: {log: x, after: a}
  c: {handler: h, at_most_once: true, retry: 2}
nodes:
  d: {condition: \"1 2\"}
  review: {verification: {rubric: r, evaluator: e}}
";
    let expected = [
        "bad_version",
        "default_type",
        "cycle_detected",
        "file_bad_duration",
        "expression_invalid",
        "at_most_once_retried",
        "verification_missing_pass",
        "verification_missing_fail",
        "verification_missing_refer",
    ];
    let found = codes(text);
    for code in expected {
        assert!(found.contains(&code), "{code}: {found:?}");
    }
    assert!(!found.contains(&"verification_extra_outgoing"), "nobody wrote a way to the end: {found:?}");
}

#[test]
fn what_may_only_follow_from_another_mistake_is_not_told() {
    // The edge that is missing, the title and the handler that could not be read: they say nothing of the graph.
    for (text, code) in [
        ("id: w\nnodes:\n  d: {verification: {rubric: r, evaluator: e}}\ntasks: {a: {needs: d}}\n", "file_unknown_key"),
        (
            "id: w\nnodes:\n  s: {start: true}\n  x: {join: every, after: s}\ntasks: {a: {after: x}}\n",
            "file_unknown_word",
        ),
        ("id: w\ntasks:\n  a: {after: [b, c]}\n  b: {}\nnodes: {e: {end: true, after: a}}\n", "file_unknown_node"),
        ("id: w\ntasks:\n  a: {title: 5}\n", "file_unquoted"),
        ("id: w\ntasks:\n  a: {handler: [x], at_most_once: true}\n", "file_wrong_type"),
        ("tasks: {a: {}}\n", "file_missing_key"),
        ("id: w\nnodes: {v: {verification: {rubric: r}}}\n", "file_missing_key"),
        ("id: w\ntasks:\n  a: {log: \"${{ nodes.b.status }}\", after: b}\n  b:\n", "file_empty_task"),
    ] {
        assert_eq!(codes(text), [code], "{text}");
    }
}

#[test]
fn what_the_compiler_tells_in_phases_a_file_is_told_at_once() {
    let text = "id: w\nversion: v1\ntasks:\n  a: {log: a, after: b}\n  b: {log: b, after: a, when: input.x ==}\n";
    let loaded = load(text.as_bytes(), Format::Auto, "f.yaml").unwrap();
    let found: Vec<_> = loaded.structural_problems().iter().map(|one| (one.code, one.place)).collect();
    assert!(found.contains(&("bad_version", Some((2, 10)))), "{found:?}");
    assert!(found.contains(&("cycle_detected", Some((4, 3)))), "{found:?}");
    assert!(found.contains(&("expression_invalid", Some((5, 31)))), "{found:?}");
    let fits = load(text.replace("v1", "1.0.0").as_bytes(), Format::Auto, "f.yaml").unwrap();
    assert_eq!(fits.structural_problems(), []);
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

#[test]
fn a_problem_of_what_repeats_a_task_is_shown_at_its_expression() {
    let text = "id: w
tasks:
  a: {loop: {rounds_max: 3, until: odd}, handler: x}
  b: {loop: {while: odd, rounds_max: 3}, handler: x}
  c: {map: {max_concurrency: 2, items: odd}, handler: x}
  d: {map: odd, handler: x}
";
    let at = [(3, 36), (4, 21), (5, 40), (6, 12)].map(Some);
    assert_eq!(places(text, "expression_invalid"), at);
}
