//! finale's own format.

use std::fmt::Write as _;
use std::time::Duration;

use finale_core::Definition;
use finale_core::compile::{Registry, compile};
use finale_core::definition::{
    Delivery, Document, EdgeKind, JoinStrategy, Losers, Node, NodeKind, OnFailure, ParallelJoin, Retry, Siblings, Task,
    Times, TriggerRule, Verdict, Work,
};
use finale_formats::{Format, LoadError, load};

fn read(text: &str) -> Definition {
    let loaded = load(text.as_bytes(), Format::Auto, "flow.yaml").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(loaded.format, Format::Own);
    loaded.definition
}

fn refused(text: &str) -> LoadError {
    load(text.as_bytes(), Format::Own, "f.yaml").expect_err("something is wrong with it")
}

/// A workflow of these tasks.
fn tasks(tasks: &str) -> Definition {
    read(&format!("id: w\ntasks:\n{tasks}"))
}

fn task(text: &str) -> Task {
    let definition = tasks(&format!("  t:\n    {}", text.replace('\n', "\n    ")));
    match definition.nodes.into_iter().find(|node| node.id == "t").expect("the task is there").kind {
        NodeKind::Task(task) => task,
        other => panic!("{other:?}"),
    }
}

fn ways(definition: &Definition) -> Vec<String> {
    let edges = definition.edges.iter();
    edges.map(|edge| format!("{} {} {}", edge.source, edge.kind.name(), edge.target)).collect()
}

fn document(json: &str) -> Document {
    Document::from_json(json.as_bytes()).expect("it is JSON")
}

const RELEASE: &str = r#"
id: release
name: Release the project
version: 2.1.0
description: From a green branch to a published crate.
inputs:
  publish: {type: boolean, default: false, description: Whether it goes out}
  tag: string
outputs:
  url: string
on_failure: {tolerate: 2}
siblings: finish
output: nodes.build.output
tasks:
  format:
    shell: cargo fmt --all --check
  lint:
    shell: cargo clippy
  build:
    title: Build it
    handler: build_package
    with: {tag: "${{ input.tag }}", retries: 3}
    after: [format, lint]
    when: input.publish == true
    retry: {attempts: 3, backoff: 2s}
    timeout: 10m
    labels: {team: core, level: 3}
  approve:
    after: build
    assignee: release-manager
"#;

#[test]
fn a_file_with_everything_is_the_definition_that_code_would_build() {
    let build = Task::handler("build_package")
        .title("Build it")
        .with(document(r#"{"tag": "${{ input.tag }}", "retries": 3}"#))
        .retry(3, Duration::from_secs(2))
        .timeout(Duration::from_secs(600))
        .label("team", "core")
        .label("level", "3");
    let expected = Definition::builder("release")
        .name("Release the project")
        .version("2.1.0")
        .accepts("publish", finale_core::definition::DeclaredType::Boolean, false)
        .requires("tag", finale_core::definition::DeclaredType::String)
        .on_failure(OnFailure::Tolerate { count: 2 })
        .siblings(Siblings::Finish)
        .task("format", Task::handler("shell").with(document(r#"{"command": "cargo fmt --all --check"}"#)))
        .task("lint", Task::handler("shell").with(document(r#"{"command": "cargo clippy"}"#)))
        .task("build", build)
        .after("format")
        .after("lint")
        .when("input.publish == true")
        .task("approve", Task::external().assignee("release-manager"))
        .after("build")
        .build();
    let mut loaded = read(RELEASE);
    assert_eq!(loaded.outputs.len(), 1);
    loaded.outputs.clear();
    assert_eq!(loaded.output.take().as_deref(), Some("nodes.build.output"));
    assert_eq!(loaded, expected);
    assert!(compile(read(RELEASE), &Registry::new()).is_ok());
}

#[test]
fn json_says_the_same_as_yaml() {
    let json = r#"{"id": "w", "tasks": {"b": {"shell": "x"}, "a": {"log": "y", "after": "b"}}}"#;
    let yaml = "id: w\ntasks:\n  b: {shell: x}\n  a: {log: y, after: b}\n";
    let loaded = load(json.as_bytes(), Format::Auto, "w.json").unwrap();
    assert_eq!((loaded.format, &loaded.definition), (Format::Own, &read(yaml)));
    assert_eq!(loaded.definition.nodes[0].id, "b", "the order is kept");
    assert_eq!(loaded.places.node("a"), Some((1, 44)));
}

#[test]
fn names_and_titles_default_to_ids_in_words() {
    let definition = read("id: nightly_build\ntasks:\n  run_all: {}\n");
    assert_eq!((&*definition.name, &*definition.version), ("Nightly build", "1.0.0"));
    assert_eq!(definition.nodes[0], Node::task("run_all", Task::external().title("Run all")));
    let task = tasks("  a: {title: Do a, label: A}\n");
    assert_eq!(task.nodes[0].label, "A");
}

#[test]
fn short_forms_are_handlers_of_their_name() {
    let cases = [
        ("shell: make all", "shell", r#"{"command": "make all"}"#),
        ("shell: git tag ${{ input.tag }}", "shell", r#"{"command": "git tag ${{ input.tag }}"}"#),
        (
            "shell: {command: make, env: {TAG: \"${{ input.tag }}\", N: 1}, dir: crates}",
            "shell",
            r#"{"command": "make", "env": {"TAG": "${{ input.tag }}", "N": "1"}, "dir": "crates"}"#,
        ),
        ("sleep: 1m30s", "sleep", r#"{"seconds": 90.0}"#),
        ("sleep: 250ms", "sleep", r#"{"seconds": 0.25}"#),
        ("sleep: ${{ input.pause * 2 }}", "sleep", r#"{"seconds": "${{ input.pause * 2 }}"}"#),
        ("log: \"hello ${{ input.tag }}\"", "log", r#"{"message": "hello ${{ input.tag }}"}"#),
    ];
    for (text, handler, input) in cases {
        let task = task(text);
        assert_eq!(task.work, Work::Handler(handler.into()), "{text}");
        assert_eq!(task.with, Some(document(input)), "{text}");
    }
}

#[test]
fn an_input_is_an_expression_or_a_literal_value() {
    let input = |text: &str| task(&format!("handler: h\n{text}")).input.unwrap();
    assert_eq!(input("input: nodes.a.output"), "nodes.a.output");
    assert_eq!(input("input: ${{ nodes.a.output }}"), "nodes.a.output");
    assert_eq!(input("input: 5"), "5");
    let with = |text: &str| task(&format!("handler: h\nwith: {text}")).with.unwrap();
    assert_eq!(with("[1, -2.5, null, true, \"a\\nb\"]"), document(r#"[1, -2.5, null, true, "a\nb"]"#));
    let nested = with("{z: 1, a: {b: \"${{ input.x or 1 }}\"}}");
    assert_eq!(nested.payload().as_bytes(), br#"{"z":1,"a":{"b":"${{ input.x or 1 }}"}}"#, "keys keep their order");
    let joined = with("\"${{ input.a + 1 }} of ${{ input.b }}\"");
    assert_eq!(joined, document(r#""${{ input.a + 1 }} of ${{ input.b }}""#));
}

/// What has no `${{ }}` is no expression: it is neither compiled nor limited.
#[test]
fn literal_values_of_any_size_are_loaded_and_run() {
    let lines = |count, line: fn(usize) -> String| (0..count).map(line).collect::<String>();
    let with = lines(1500, |n| format!("      key_{n}: [{n}, 'a ~ | {{{{ {n}', null]\n"));
    let env = lines(700, |n| format!("        NAME_{n}: value {n}\n"));
    let script = lines(2500, |n| format!("        echo \"line {n} of the $SCRIPT, {{{{ and }}}}\"\n"));
    assert!(script.len() > 100_000);
    let deep = format!("{}x{}", "[".repeat(60), "]".repeat(60));
    let yaml = format!(
        "id: w\ntasks:\n  with:\n    handler: h\n    with:\n{with}      last: ${{{{ input }}}}\n  \
         env:\n    shell:\n      command: env\n      env:\n{env}  script:\n    shell:\n      command: |\n{script}"
    );
    let definition = load(yaml.as_bytes(), Format::Auto, "w.yaml").unwrap().definition;
    assert!(compile(definition, &Registry::new()).is_ok());
    let text = format!(r#"{{"id": "w", "tasks": {{"deep": {{"handler": "h", "with": {}}}}}}}"#, deep.replace('x', "1"));
    for name in ["w.json", "w.yaml"] {
        let definition = load(text.as_bytes(), Format::Auto, name).unwrap().definition;
        assert!(compile(definition, &Registry::new()).is_ok());
    }
}

#[test]
fn a_literal_value_may_be_nested_as_deep_as_a_payload() {
    let text = |depth: usize| {
        let nested = "[".repeat(depth) + &"]".repeat(depth);
        format!(r#"{{"id": "w", "tasks": {{"t": {{"handler": "h", "with": {nested}}}}}}}"#)
    };
    for name in ["w.json", "w.yaml"] {
        assert!(load(text(96).as_bytes(), Format::Auto, name).is_ok());
        for depth in [97, 120] {
            assert_eq!(load(text(depth).as_bytes(), Format::Auto, name).unwrap_err().code(), "file_over_limit");
        }
    }
    assert_eq!(load(text(100_000).as_bytes(), Format::Auto, "w.json").unwrap_err().code(), "file_over_limit");
    // The parser of YAML refuses that many brackets before it looks at what they mean.
    assert!(load(text(100_000).as_bytes(), Format::Auto, "w.yaml").is_err());
}

#[test]
fn settings_of_a_task_are_those_of_the_definition() {
    let task = task(
        "handler: h\nretry: 1\ntimeout: 1h30m\nqueue_timeout: 1s\ntotal_timeout: 2h\nheartbeat: 3s\noptional: true\nat_most_once: true",
    );
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    assert_eq!(task.times, Times { queue: seconds(1), total: seconds(7_200), heartbeat: seconds(3) });
    assert_eq!(task.retry, Retry::attempts(1));
    assert_eq!(task.timeout, Some(Duration::from_secs(5_400)));
    assert!(task.optional);
    assert_eq!(task.delivery, Delivery::AtMostOnce);
}

const ORDER: &str = r"
id: order
nodes:
  express: {condition: input.express, after: pack}
  both: {join: any, after: [{node: express, on: false}, courier]}
  fan: {split: {max_concurrency: 2}, after: both}
  review: {verification: {rubric: r, evaluator: e}, after: [a, b]}
  who: {assign: warehouse, after: {node: review, on: fail}}
  sub: {subworkflow: {workflow: w, version: 1.0.0, inputs: {x: '@parent.y'}, outputs: {z: 1}}, after: {node: review, on: pass}, label: Another}
tasks:
  pack: {}
  courier: {after: {node: express, on: true}}
  a: {after: fan}
  b: {after: fan}
  check: {after: {node: review, on: refer}}
edges:
  - {from: who, to: check, id: extra, label: hand over}
";

#[test]
fn rules_joins_and_what_handles_failures_are_those_of_the_definition() {
    let text = "
id: order
nodes:
  rush: {condition: input.rush, on_failure: tell}
  heard: {join: {at_least: 2, losers: cancel}, after: [a, b, c]}
tasks:
  a: {after: {node: rush, on: true}, on_failure: tell}
  b: {}
  c: {}
  tell: {input: failure.reason}
  alarm: {after: [b, c], trigger_rule: one_failed, when: input.loud}
  some: {after: [b, c], trigger_rule: {at_least: 1}}
edges:
  - {from: c, to: tell, on: failure}
";
    let definition = read(text);
    let node = |id: &str| definition.nodes.iter().find(|node| node.id == id).unwrap();
    let heard = ParallelJoin { strategy: JoinStrategy::AtLeast { count: 2 }, losers: Losers::Cancel };
    assert_eq!(node("heard").kind, NodeKind::ParallelJoin(heard));
    let rules = ["a", "alarm?", "alarm", "some"].map(|id| node(id).trigger_rule);
    let (default, one_failed) = (TriggerRule::Default, TriggerRule::OneFailed);
    assert_eq!(rules, [default, one_failed, default, TriggerRule::AtLeast { count: 1 }]);
    let failures = definition.edges.iter().filter(|edge| edge.kind == EdgeKind::OnFailure);
    let failures: Vec<_> = failures.map(|edge| (edge.source.as_str(), edge.target.as_str())).collect();
    assert_eq!(failures, [("rush", "tell"), ("a", "tell"), ("c", "tell")]);
    assert!(ways(&definition).contains(&"a sequential heard".to_owned()));
    assert!(compile(definition, &Registry::new()).is_ok());
}

#[test]
fn control_nodes_stand_under_nodes_and_say_which_answer_comes_before() {
    let definition = read(ORDER);
    let kinds: Vec<_> = definition.nodes.iter().map(|node| node.kind.name()).collect();
    let control = ["conditional", "parallel_join", "parallel_split", "verification", "agent_assignment", "subworkflow"];
    assert_eq!(kinds[..6], control);
    assert_eq!(definition.nodes[5].label, "Another");
    let expected = [
        "pack sequential express",
        "express conditional_false both",
        "courier sequential both",
        "both sequential fan",
        "a sequential review",
        "b sequential review",
        "review verification_fail who",
        "review verification_pass sub",
        "express conditional_true courier",
        "fan parallel_branch a",
        "fan parallel_branch b",
        "review verification_refer check",
        "who sequential check",
        "start sequential pack",
        "sub sequential end",
        "check sequential end",
    ];
    assert_eq!(ways(&definition), expected);
    let extra = definition.edges.iter().find(|edge| edge.id == "extra").unwrap();
    assert_eq!(extra.label.as_deref(), Some("hand over"));
}

#[test]
fn start_and_end_may_be_named_and_a_silent_answer_leads_to_the_end() {
    let text = "id: w\nnodes:\n  go: {start: true}\n  c: {condition: true, after: go}\n  t: {task: {handler: h, after: {node: c, on: true}}}\n  stop: {end: true, label: Over, after: t}\n";
    let definition = read(text);
    assert_eq!(definition.nodes.len(), 4);
    assert_eq!(definition.nodes[3].label, "Over");
    let expected = ["go sequential c", "c conditional_true t", "t sequential stop", "c conditional_false stop"];
    assert_eq!(ways(&definition), expected);
    assert!(compile(definition, &Registry::new()).is_ok());
}

#[test]
fn a_workflow_without_tasks_goes_from_start_to_end() {
    assert_eq!(ways(&read("id: w\ntasks: {}\n")), ["start sequential end"]);
}

#[test]
fn preset_verdicts_are_read() {
    let definition = read("id: w\nnodes:\n  v: {verification: {rubric: r, evaluator: e, preset: refer}}\n");
    let NodeKind::Verification(verification) = &definition.nodes[0].kind else { panic!() };
    assert_eq!(verification.preset, Some(Verdict::Refer));
}

fn problems(text: &str) -> Vec<String> {
    refused(text).problems().iter().map(ToString::to_string).collect()
}

#[test]
fn every_fault_of_a_file_is_reported_in_its_order() {
    let text = "\
id: w
tasks:
  a:
    shell: x
    handler: y
    needs: b
    timeout: 30
  b: {after: [a, aa, c], optional: yes}
  c:
nodes:
  choice: {condition: input.x}
  d: {after: choice}
edges:
  - {from: choice, to: a, on: pass}
";
    let expected = [
        "4:5: tasks.a.shell: `shell` and `handler` exclude each other: a task does one thing",
        "6:5: tasks.a.needs: unknown key `needs`, did you mean `after`?; accepted: `title`, `label`, `handler`, `shell`, \
         `sleep`, `log`, `call`, `map`, `loop`, `group`, `input`, `with`, `input_schema`, `output_schema`, `after`, `when`, `retry`, `timeout`, `queue_timeout`, `total_timeout`, `heartbeat`, `optional`, `on_failure`, `compensate`, `trigger_rule`, `at_most_once`, `assignee`, \
         `labels`",
        "7:14: tasks.a.timeout: `30` is no duration: it has no unit; write `30s` for seconds, `30m` for minutes, `30ms` \
         for milliseconds",
        "8:18: tasks.b.after[1]: there is no node `aa`, did you mean `a`?",
        "8:36: tasks.b.optional: expected `true` or `false`, found `yes`; write `true`",
        "9:3: tasks.c: the task is empty: say what it does with `handler`, `shell`, `sleep` or `log`, or write `{}` if \
         somebody outside does it",
        "12:6: nodes.d: the node does not say what it is; accepted: `start`, `end`, `task`, `condition`, `split`, `join`, \
         `assign`, `verification`, `subworkflow`, `delay`, `until`, `signal`",
        "12:14: nodes.d.after: `choice` is a condition: say after which answer, like `{node: choice, on: true}`; \
         accepted: `true`, `false`, `failure`",
        "14:31: edges[0].on: `choice` is a condition, which does not answer `pass`; accepted after `on`: `true`, `false`, `failure`",
    ];
    assert_eq!(problems(text), expected);
    let error = refused(text);
    assert_eq!((error.line_column(), error.code()), (Some((4, 5)), "file_contradiction"));
    assert_eq!(error.to_string().lines().count(), expected.len());
}

#[test]
fn words_of_other_tools_are_answered_with_those_of_finale() {
    let cases = [
        ("depends_on: b", "after"),
        ("if: x", "when"),
        ("command: x", "shell"),
        ("retries: 3", "retry"),
        ("Shell: x", "shell"),
        ("continue-on-error: true", "optional"),
        ("env: {}", "shell: {command: ..., env: ...}"),
        ("timout: 3s", "timeout"),
    ];
    for (key, meant) in cases {
        let problem = problems(&format!("id: w\ntasks:\n  a:\n    {key}\n")).remove(0);
        assert!(problem.contains(&format!("did you mean `{meant}`?")), "{problem}");
    }
    let problem = problems("id: w\nsteps: {}\n");
    assert!(problem[1].contains("did you mean `tasks`?"), "{problem:?}");
}

#[test]
fn wrong_values_are_told_what_would_be_right() {
    let cases = [
        ("handler: h\n    retry: 0", "expected a whole number from 1 to 65535, found `0`"),
        ("handler: h\n    retry: many", "expected a whole number, found text"),
        ("handler: h\n    retry: {backoff: 1s}", "the key `attempts` is missing"),
        ("handler: h\n    input: {a: 1}", "expected an expression as text, found a map"),
        ("handler: h\n    input: a\n    with: b", "`with` and `input` exclude each other"),
        ("shell: x\n    with: b", "`with` and `shell` exclude each other"),
        ("shell: {env: {}}", "the key `command` is missing"),
        ("shell: {command: x, env: {A: [1]}}", "expected text, found a list"),
        ("sleep: 5", "`5` is no duration: it has no unit; write `5s`"),
        ("log: a ${{ b", "`${{` in a text: its `}}` is missing"),
        ("handler: [h]", "expected text, found a list"),
        ("after: 7", "expected the id of a node, or `{node: ..., on: ...}`, found a number"),
        ("after: {on: true}", "the key `node` is missing"),
        ("labels: [a]", "expected a map, found a list"),
    ];
    for (text, expected) in cases {
        let found = problems(&format!("id: w\ntasks:\n  a:\n    {text}\n"));
        assert!(found.iter().any(|problem| problem.contains(expected)), "{text}: {found:?}");
    }
    let cases = [
        ("on_failure: wait", "unknown answer to a failure `wait`; accepted: `fail_fast`, `wait_all`"),
        ("on_failure: {tolerate: -1}", "expected a whole number from 0 to"),
        ("siblings: cancell", "did you mean `cancel`?"),
        ("inputs: {a: text}", "unknown type `text`"),
        ("inputs: {a: {default: 1}}", "the key `type` is missing"),
        ("nodes: {a: {start: false}}", "expected `true`, found a boolean"),
        ("nodes: {a: {join: every}}", "unknown join `every`"),
        ("nodes: {a: {split: {max_concurrency: 0}}}", "from 1 to"),
        ("nodes: {a: {start: true, after: b}}", "`after` and `start` exclude each other: nothing comes before a start"),
        ("nodes: {a: {start: true, end: true}}", "`end` and `start` exclude each other: a node is one thing"),
        ("nodes: {a: {task: {}, when: x}}", "it belongs into the task"),
        ("nodes: {t: {join: all}}", "the id `t` is there twice"),
        ("edges: {}", "expected a list, found a map"),
        ("edges: [{from: t}]", "the key `to` is missing"),
        ("edges: [{from: t, to: t, on: branch}]", "`t` is a task, which does not answer `branch`"),
    ];
    for (text, expected) in cases {
        let found = problems(&format!("id: w\n{text}\ntasks: {{t: {{}}}}\n"));
        assert!(found.iter().any(|problem| problem.contains(expected)), "{text}: {found:?}");
    }
}

#[test]
fn what_is_no_yaml_is_answered_with_what_to_do() {
    let cases = [
        ("tasks:\n\ta: {}\n", "f.yaml:2:2: a tab cannot stand here", "indent with spaces, YAML takes no tabs for that"),
        ("id: a: b\n", "f.yaml:1:6: ", "a text with `: ` in it needs quotes"),
        ("id: @b\n", "f.yaml:1:5: ", "a text that begins with this character needs quotes"),
        ("id: *b\n", "f.yaml:1:5: ", "a text that begins with `*` needs quotes"),
        ("t: {id: ${{ a }}}\n", "f.yaml:1:10: ", "inside of braces a text with `{`"),
        ("t:\n  a: b\n c: d\n", "f.yaml:3:2: ", "is it indented like the keys beside it?"),
        ("id: a\nid: b\n", "f.yaml:2:1: the key `id` is there twice", ""),
    ];
    for (text, begin, advice) in cases {
        let message = refused(text).to_string();
        assert!(message.starts_with(begin) && message.contains(advice), "{message}");
    }
}

#[test]
fn a_file_that_lacks_everything_says_so() {
    let found: Vec<_> = refused("name: x\n").problems().iter().map(finale_formats::FileProblem::code).collect();
    assert_eq!(found, ["file_missing_key", "file_missing_key"]);
}

#[test]
fn a_flood_of_faults_is_counted() {
    let mut text = String::from("id: w\ntasks:\n");
    for number in 0..5_000 {
        writeln!(text, "  t{number}: {{after: nobody{number}}}").unwrap();
    }
    let error = refused(&text);
    assert_eq!((error.problems().len(), error.omitted()), (LoadError::PROBLEMS_MAX, 4_900));
    assert!(error.to_string().ends_with("\nand 4900 more"));
}

#[test]
fn a_hundred_thousand_tasks_in_a_row_are_loaded() {
    let mut text = String::from("{\"id\": \"w\", \"tasks\": {\"t0\": {\"log\": \"x\"}");
    for number in 1..100_000 {
        write!(text, ", \"t{number}\": {{\"log\": \"x\", \"when\": true, \"after\": \"t{}\"}}", number - 1).unwrap();
    }
    text.push_str("}}");
    let loaded = load(text.as_bytes(), Format::Auto, "w.json").unwrap();
    assert_eq!(loaded.definition.nodes.len(), 200_001);
}
