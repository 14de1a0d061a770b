//! What is written is read back as the same definition.

use std::time::Duration;

use finale_core::Definition;
use finale_core::definition::{
    AgentAssignment, Backoff, Body, Conditional, Declaration, DeclaredType, Delivery, Document, Edge, EdgeKind,
    Exhausted, FailureKind, Growth, JoinStrategy, Losers, Node, NodeKind, OnFailure, ParallelJoin, ParallelSplit,
    Policy, Retry, Schema, Siblings, Subworkflow, Task, Times, TriggerRule, Verdict, Verification, Work,
};
use finale_formats::{Format, load, write};
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Number, Value, json};

/// Loads what was written, in both languages; gives the formats.
fn read_back(definition: &Definition) -> [Format; 2] {
    let texts = [(write::yaml(definition), "w.yaml"), (write::json(definition), "w.json")];
    texts.map(|(text, name)| {
        let loaded = load(text.as_bytes(), Format::Auto, name).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(loaded.definition, *definition, "{text}");
        loaded.format
    })
}

fn is_own(definition: &Definition) -> bool {
    read_back(definition) == [Format::Own; 2]
}

const HANDWRITTEN: &str = r#"id: release
version: 2.1.0
inputs:
  publish: {type: boolean, default: false}
  tag: string
  note: {type: string, required: false}
  nothing: {type: json, default: null}
outputs:
  url: string
on_failure: {tolerate: 2}
siblings: finish
output: nodes.build.output
tasks:
  lint:
    shell: cargo clippy -- -D warnings
  script:
    shell: |
      set -e
      if true; then
        echo "done: $TAG" # really

      fi
  build:
    title: "Build: it"
    label: B
    handler: build_package
    with: {tag: "${{ input.tag }}", retries: 3, list: [1, "a ${{ input.b + 1 }} c"]}
    after: [lint, {node: choice, on: true}]
    when: input.publish == true
    retry: {attempts: 3, backoff: 2s}
    timeout: 1h30m
    optional: true
    at_most_once: true
    labels: {team: core, "yes": "no"}
  env:
    shell: {command: cargo test, env: {TAG: "${{ input.tag }}"}, dir: crates}
    after: fan
  plain:
    handler: h
    input: nodes.lint.output
    after: {node: fan, on: always}
  pause:
    sleep: 2s
    after: build
    retry: 3
  longer:
    sleep: ${{ input.pause }}
  note:
    log: hello ${{ input.tag }}
    assignee: "null"
  approve: {}
nodes:
  choice: {condition: "input.x == \"a, b\"", after: lint}
  fan: {split: {max_concurrency: 2}, after: lint}
  review: {verification: {rubric: r, evaluator: e, preset: pass}, label: Read it, after: pause}
edges:
  - {from: review, to: note, on: pass}
  - {from: review, to: pause, on: refer, id: back, label: once more}
"#;

#[test]
fn a_file_by_hand_comes_back_letter_by_letter() {
    let definition = load(HANDWRITTEN.as_bytes(), Format::Auto, "release.yaml").unwrap().definition;
    assert!(is_own(&definition));
    assert_eq!(write::yaml(&definition), HANDWRITTEN);
}

#[test]
fn what_code_builds_is_written_without_what_is_implied() {
    let definition = Definition::builder("order")
        .name("Order")
        .task("pack", "pack")
        .condition("express", "input.express")
        .after("pack")
        .task("courier", "call_courier")
        .when_true("express")
        .task("wrap", "wrap")
        .after("courier")
        .when("input.is_gift")
        .build();
    let expected = "\
id: order
nodes:
  pack: {task: {handler: pack}}
  express: {condition: input.express, after: pack}
  courier: {task: {handler: call_courier, after: {node: express, on: true}}}
  wrap: {task: {handler: wrap, after: courier, when: input.is_gift}}
";
    assert_eq!(write::yaml(&definition), expected);
    assert!(is_own(&definition));
}

#[test]
fn a_definition_of_another_format_is_written_in_finales_own() {
    let text = r#"{"id": "w", "name": "W", "nodes": [
        {"id": "s", "type": "start", "label": "Start"},
        {"id": "c", "type": "conditional", "label": "Rush?", "config": {"condition_expression": "rush"}},
        {"id": "t", "type": "task", "label": "T", "config": {"title": "Do t", "priority": "high"}},
        {"id": "e", "type": "end", "label": "End"}],
      "edges": [
        {"id": "x1", "source_node_id": "c", "target_node_id": "t", "type": "conditional_true", "label": "yes"},
        {"id": "x2", "source_node_id": "s", "target_node_id": "c"},
        {"id": "x3", "source_node_id": "t", "target_node_id": "e"},
        {"id": "x4", "source_node_id": "c", "target_node_id": "e", "type": "conditional_false"}]}"#;
    let definition = load(text.as_bytes(), Format::Auto, "w.json").unwrap().definition;
    assert!(is_own(&definition), "{}", write::yaml(&definition));
}

#[test]
fn what_finales_own_format_cannot_say_is_written_all_the_same() {
    let mut definition = Definition::builder("w").task("t", "h").build();
    definition.edges[0].target = "nowhere".to_owned();
    assert_eq!(read_back(&definition), [Format::Definition; 2]);
}

#[test]
fn ten_thousand_tasks_are_written() {
    let mut builder = Definition::builder("w").task("t0", "h");
    for number in 1..10_000 {
        builder = builder.task(format!("t{number}"), "h").after(format!("t{}", number - 1));
    }
    let text = write::yaml(&builder.build());
    assert!(text.ends_with("  t9999:\n    handler: h\n    after: t9998\n"));
}

const TEXTS: &[&str] = &[
    "a",
    "b",
    "a b",
    "true",
    "null",
    "yes",
    "on",
    "~",
    "1",
    "1.5",
    "1e3",
    "0x1f",
    "1.2.3",
    "10m",
    ".inf",
    "2001-01-01",
    "- a",
    "? a",
    "a: b",
    "a:",
    ": a",
    "a #b",
    "#a",
    "&a",
    "*a",
    "!a",
    "%a",
    "@a",
    "`a",
    "|",
    ">",
    "'a'",
    "\"a\"",
    "a\"b",
    "{a}",
    "[a]",
    "a, b",
    "a\nb",
    "a\nb\n",
    "\na",
    " a\nb",
    "a\n b\n\nc\n",
    "a\n \n",
    "a\tb",
    "\ta\nb",
    "a\r\nb",
    "\u{85}",
    "\u{2028}x",
    "\u{feff}",
    "\0",
    "\u{7f}",
    "\u{1f600}",
    "é",
    "${{ a }}",
    "${{",
    "a ${{ b }} c",
    "---",
    "...",
    "<<",
    "=",
    "a\\b",
    "",
    " ",
    "a ",
    " a",
    "\u{fffe}",
    "\u{10ffff}",
    "end",
    "start",
    "t?",
    "_",
    "0",
    "-1",
    "+1",
    "0o7",
    "1_000",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![4 => select(TEXTS).prop_map(str::to_owned), 1 => any::<String>()]
}

fn id() -> impl Strategy<Value = String> {
    prop_oneof![6 => select(&["a", "b", "c", "d", "start", "end", "a?", "b?"][..]).prop_map(str::to_owned), 1 => text()]
}

fn value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|float| Number::from_f64(float).map_or(json!(0.5), Value::Number)),
    ];
    let leaf = prop_oneof![Just(json!(true)), number, text().prop_map(Value::from)];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(prop_oneof![inner.clone(), Just(Value::Null)], 0..4).prop_map(Value::from),
            btree_map(text(), inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

const INPUTS: &[&str] = &[
    r#"{"command": "make"}"#,
    r#"{"command": "make", "env": {"A": "1"}}"#,
    r#"{"command": 1}"#,
    r#"{"dir": "a", "command": "b"}"#,
    r#"{"message": "a" ~ input.b ~ "c"}"#,
    r#"{"message": "${{ a }}"}"#,
    r#"{"seconds": 0.5}"#,
    r#"{"seconds": 2}"#,
    r#"{"seconds": input.pause * 2}"#,
    r#"{"seconds": -1.0}"#,
    r#"{ "a":1}"#,
    r#"{"a": {"b": [none, true, 1.5, (1 + 2) ~ "x"]}, "c": []}"#,
    r#"{"a": 1, "a": 2}"#,
    r#"{'a': 'b'}"#,
    "[1, 2",
    "none",
    "input.a or \"}\"",
    "\"a\" ~ b.c",
    "a[\"~\"] ~ \"x\"",
];

fn input() -> impl Strategy<Value = String> {
    prop_oneof![2 => select(INPUTS).prop_map(str::to_owned), 1 => text(), 1 => value().prop_map(|value| value.to_string())]
}

/// Inputs as documents: those that the short forms stand for, and others, their templates whole or broken.
fn document() -> impl Strategy<Value = Document> {
    let member = select(&["command", "message", "seconds", "env", "dir", "other"][..]);
    let short = btree_map(member.prop_map(str::to_owned), value(), 1..4);
    let value = prop_oneof![value(), short.prop_map(|members| Value::Object(members.into_iter().collect()))];
    value.prop_map(|value| Document::new(&value).expect("a value is a document"))
}

fn duration() -> impl Strategy<Value = Duration> {
    let any =
        (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(seconds, nanoseconds)| Duration::new(seconds, nanoseconds));
    prop_oneof![(0..10_000_u64).prop_map(Duration::from_millis), any]
}

fn task() -> impl Strategy<Value = Task> {
    let handler = prop_oneof![select(&["shell", "sleep", "log", "h"][..]).prop_map(str::to_owned), text()];
    let work = prop_oneof![Just(Work::External), handler.prop_map(Work::Handler)];
    let retry = prop_oneof![2 => (0..4_u16).prop_map(Retry::attempts), 3 => retry()];
    let flags = (any::<bool>(), any::<bool>());
    let input = prop_oneof![
        Just((None, None)),
        input().prop_map(|input| (Some(input), None)),
        document().prop_map(|with| (None, Some(with))),
    ];
    let texts = (of(text()), input, of(text()));
    let times = (of(duration()), of(duration()), of(duration()));
    let times = times.prop_map(|(queue, total, heartbeat)| Times { queue, total, heartbeat });
    let times = prop_oneof![3 => Just(Times::default()), 1 => times];
    let rest = (btree_map(text(), text(), 0..3), [schema(), schema()]);
    (texts, work, (of(duration()), times), retry, flags, rest).prop_map(
        |((title, (input, with), assignee), work, (timeout, times), retry, (optional, once), (labels, schemas))| {
            let delivery = if once { Delivery::AtMostOnce } else { Delivery::AtLeastOnce };
            let [input_schema, output_schema] = schemas;
            Task {
                title,
                work,
                input,
                with,
                input_schema,
                output_schema,
                optional,
                timeout,
                times,
                retry,
                delivery,
                assignee,
                labels,
            }
        },
    )
}

fn schema() -> impl Strategy<Value = Option<Schema>> {
    const SCHEMAS: [&str; 3] = [
        "true",
        "{}",
        r#"{"type": "object", "properties": {"a": {"enum": [null, "${{ x }}", 1.5, true]}}, "required": ["a"]}"#,
    ];
    let schema = select(&SCHEMAS[..]).prop_map(|json| Schema::from_json(json.as_bytes()).expect("it is a schema"));
    prop_oneof![3 => Just(None), 1 => schema.prop_map(Some)]
}

fn retry() -> impl Strategy<Value = Retry> {
    let growth = prop_oneof![
        3 => Just(Growth::Constant),
        1 => Just(Growth::Linear),
        2 => prop_oneof![Just(2.0), 1.0..1_000.0].prop_map(|factor| Growth::Exponential { factor }),
    ];
    let backoff = (prop_oneof![Just(Duration::ZERO), duration()], growth, of(duration()), 0..4_u8);
    let kind = prop_oneof![select(&["timed_out", "cancelled", "again"][..]).prop_map(str::to_owned), text()];
    let kinds = || vec(kind.clone().prop_map(FailureKind::from), 0..3);
    let exhausted = select(&[Exhausted::Fail, Exhausted::Hold][..]);
    (0..4_u16, backoff, of(duration()), kinds(), kinds(), exhausted).prop_map(
        |(attempts, (initial, growth, max, jitter_percent), within, on, not_on, exhausted)| {
            let backoff = Backoff { initial, growth, max, jitter_percent };
            Retry { attempts, backoff, within, on, not_on, exhausted }
        },
    )
}

fn kind() -> impl Strategy<Value = NodeKind> {
    let verdict = select(&[Verdict::Pass, Verdict::Fail, Verdict::Refer][..]);
    let strategy = prop_oneof![
        select(&[JoinStrategy::All, JoinStrategy::Any][..]),
        any::<u32>().prop_map(|count| JoinStrategy::AtLeast { count }),
    ];
    let join = (strategy, select(&[Losers::Finish, Losers::Cancel][..]));
    let bindings = || btree_map(text(), value(), 0..3);
    prop_oneof![
        1 => Just(NodeKind::Start),
        1 => Just(NodeKind::End),
        4 => task().prop_map(NodeKind::Task),
        1 => of(input()).prop_map(|condition| NodeKind::Conditional(Conditional { condition })),
        1 => of(any::<u32>()).prop_map(|max_concurrency| NodeKind::ParallelSplit(ParallelSplit { max_concurrency })),
        1 => join.prop_map(|(strategy, losers)| NodeKind::ParallelJoin(ParallelJoin { strategy, losers })),
        1 => of(text()).prop_map(|agent| NodeKind::AgentAssignment(AgentAssignment { agent })),
        1 => (of(text()), of(text()), of(verdict)).prop_map(|(rubric, evaluator, preset)| {
            NodeKind::Verification(Verification { rubric, evaluator, preset })
        }),
        1 => (of(text()), of(text()), bindings(), bindings()).prop_map(
            |(workflow, version, input_bindings, output_bindings)| {
                NodeKind::Subworkflow(Subworkflow { workflow, version, input_bindings, output_bindings, ..Subworkflow::default() })
            }
        ),
    ]
}

fn edge() -> impl Strategy<Value = Edge> {
    let kinds = [
        EdgeKind::Sequential,
        EdgeKind::ConditionalTrue,
        EdgeKind::ConditionalFalse,
        EdgeKind::ParallelBranch,
        EdgeKind::VerificationPass,
        EdgeKind::VerificationFail,
        EdgeKind::VerificationRefer,
        EdgeKind::OnFailure,
    ];
    (id(), id(), id(), select(kinds.to_vec()), of(text())).prop_map(|(id, source, target, kind, label)| Edge {
        id,
        source,
        target,
        kind,
        label,
    })
}

fn declaration() -> impl Strategy<Value = Declaration> {
    let kind = select(&[DeclaredType::String, DeclaredType::Json, DeclaredType::TaskRef, DeclaredType::Float][..]);
    (text(), kind, any::<bool>(), of(value())).prop_map(|(name, kind, required, default)| Declaration {
        name,
        kind,
        required,
        default,
    })
}

fn policy() -> impl Strategy<Value = Policy> {
    let on_failure = prop_oneof![
        Just(OnFailure::FailFast),
        Just(OnFailure::WaitAll),
        any::<u32>().prop_map(|count| OnFailure::Tolerate { count })
    ];
    (on_failure, select(&[Siblings::Cancel, Siblings::Finish][..]))
        .prop_map(|(on_failure, siblings)| Policy { on_failure, siblings })
}

fn body() -> BoxedStrategy<Body> {
    let call = (text(), of(input())).prop_map(|(workflow, input)| Subworkflow {
        workflow: Some(workflow),
        input,
        ..Subworkflow::default()
    });
    prop_oneof![
        3 => task().prop_map(|task| Body::Task(Box::new(task))),
        1 => call.prop_map(|call| Body::Call(Box::new(call))),
        1 => task().prop_map(|task| Body::Graph(Definition::builder("b").task("t", task).build().into())),
    ]
    .boxed()
}

/// Any definition at all, most of which would not compile.
fn definition() -> impl Strategy<Value = Definition> {
    let rule = select(&TriggerRule::ALL[..]);
    let node = (id(), text(), kind(), rule, of(body())).prop_map(|(id, label, kind, trigger_rule, compensate)| Node {
        trigger_rule,
        compensate: compensate.map(Box::new),
        ..Node::new(id, label, kind)
    });
    let ending = (of(body().prop_map(Box::new)), of(duration()));
    let head = (text(), text(), text(), of(input()), policy(), ending);
    let declarations = || (vec(declaration(), 0..3), schema());
    (head, declarations(), declarations(), vec(node, 0..6), vec(edge(), 0..6)).prop_map(
        |(head, (inputs, input_schema), (outputs, output_schema), nodes, edges)| {
            let (id, name, version, output, policy, (finally, ending_within)) = head;
            Definition {
                id,
                name,
                version,
                inputs,
                outputs,
                input_schema,
                output_schema,
                policy,
                output,
                finally,
                ending_within,
                nodes,
                edges,
                workflows: Vec::new(),
            }
        },
    )
}

/// One step of a builder: a task or another node, and what it comes after, counted back.
fn step() -> impl Strategy<Value = (u8, Task, String, String, Vec<usize>, TriggerRule, bool)> {
    let attempts = task().prop_map(|mut task| {
        task.retry.attempts = task.retry.attempts.max(1);
        task.title = None;
        task
    });
    let rule = select(&TriggerRule::ALL[..]);
    (0..10_u8, attempts, text(), input(), vec(1..4_usize, 0..3), rule, any::<bool>())
}

/// A definition whose edges belong where they are, with ends that are implied.
fn built() -> impl Strategy<Value = Definition> {
    vec(step(), 0..8).prop_map(|steps| {
        let (mut builder, count) = (Definition::builder("w"), steps.len());
        let mut kinds = Vec::new();
        for (number, (kind, task, text, expression, after, rule, is_caught)) in steps.into_iter().enumerate() {
            let id = format!("n{number}");
            builder = match kind {
                0 => builder.condition(&id, expression),
                1 => builder.verification(&id, text, "somebody"),
                2 => builder.node(&id, NodeKind::ParallelSplit(ParallelSplit::default())),
                3 => builder.node(&id, NodeKind::ParallelJoin(ParallelJoin::default())),
                8 => builder.join(&id, JoinStrategy::AtLeast { count: 2 }).losers(Losers::Cancel),
                9 => builder.task(&id, Task { optional: false, ..task }).trigger_rule(rule),
                4 => builder.task(&id, task).when(expression),
                5 => builder.task(&id, task.clone()).compensate(Task { optional: false, ..task }),
                _ => builder.task(&id, task),
            };
            for source in after.into_iter().filter_map(|back| number.checked_sub(back)) {
                let edge = match kinds[source] {
                    0 => EdgeKind::ConditionalTrue,
                    1 => EdgeKind::VerificationFail,
                    2 => EdgeKind::ParallelBranch,
                    _ => EdgeKind::Sequential,
                };
                builder = builder.edge(format!("n{source}"), &id, edge);
            }
            if kind == 9 && is_caught && number + 1 < count {
                builder = builder.catch(format!("n{}", number + 1));
            }
            kinds.push(kind);
        }
        builder.build()
    })
}

proptest! {
    #[test]
    fn any_definition_comes_back(definition in definition()) {
        read_back(&definition);
    }

    #[test]
    fn what_is_built_comes_back_in_the_short_form(definition in built()) {
        let is_strange = |node: &Node| match &node.kind {
            // A whole `${{ }}` is read as what is in it.
            NodeKind::Conditional(conditional) => conditional.condition.as_deref().is_some_and(|text| text.starts_with("${{")),
            NodeKind::Task(task) => {
                let is_template = |document: &Document| format!("{:?}", document.payload()).contains("${{");
                task.input.as_deref().is_some_and(|text| text.starts_with("${{")) || task.with.as_ref().is_some_and(is_template)
            }
            _ => false,
        };
        let formats = read_back(&definition);
        prop_assert!(formats == [Format::Own; 2] || definition.nodes.iter().any(is_strange));
    }

    #[test]
    fn a_text_in_any_place_comes_back(text in text(), value in value()) {
        let task = Task::external().title(&text).assignee(&text).label(&text, &text);
        let mut definition = Definition::builder(&text).name(&text).task("t", task).build();
        definition.inputs = vec![Declaration { name: text, kind: DeclaredType::Json, required: false, default: Some(value) }];
        prop_assert!(is_own(&definition));
    }

    #[test]
    fn any_text_is_loaded_or_refused(text in ".{0,200}", lines in vec(select(TEXTS), 0..12)) {
        let joined = format!("id: w\ntasks:\n  t: {{}}\n{}", lines.join("\n"));
        for text in [text, joined] {
            for name in ["f.yaml", "f.json"] {
                if let Err(error) = load(text.as_bytes(), Format::Own, name) {
                    use finale_formats::diagnostic::{Style, render};
                    prop_assert!(!render(&error.diagnostics(), name, &text, Style::Plain).is_empty());
                }
            }
        }
    }
}
