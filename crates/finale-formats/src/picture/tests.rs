use finale_core::definition::{Edge, EdgeKind, Node, NodeKind, Task};
use finale_core::{Definition, Record};

use super::{NODES_MAX, dot, mermaid, svg};
use crate::{Format, load};

const ALL_KINDS: &str = "
id: order
nodes:
  go: {start: true}
  rush: {condition: input.rush, after: go}
  fan: {split: true, after: {node: rush, on: true}}
  left: {assign: ada, after: fan}
  right: {subworkflow: {workflow: w, version: 1.0.0}, after: fan}
  both: {join: all, after: [left, right]}
  check: {verification: {rubric: r, evaluator: e}, after: both}
  ship: {task: {after: {node: check, on: pass}}}
  stop: {end: true, after: [ship, {node: check, on: fail}, {node: check, on: refer}]}
edges:
  - {from: rush, to: ship, on: false, label: no hurry}
";

pub(super) fn all_kinds() -> Definition {
    load(ALL_KINDS.as_bytes(), Format::Own, "f.yaml").unwrap().definition
}

#[test]
fn mermaid_draws_every_kind_of_node_and_edge() {
    let expected = r#"flowchart TD
    n0(["go"])
    n1{"rush"}
    n2[/"fan"\]
    n3>"left"]
    n4[["right"]]
    n5[\"both"/]
    n6{{"check"}}
    n7["Ship"]
    n8(["stop"])
    n0 --> n1
    n1 -->|"true"| n2
    n2 ==> n3
    n2 ==> n4
    n3 --> n5
    n4 --> n5
    n5 --> n6
    n6 -->|"pass"| n7
    n7 --> n8
    n6 -->|"fail"| n8
    n6 -->|"refer"| n8
    n1 -->|"no hurry"| n7
"#;
    assert_eq!(mermaid(&all_kinds(), None), expected);
}

const RULES: &str = "
id: order
nodes:
  ask: {split: {max_concurrency: 2}}
  enough: {join: {at_least: 2, losers: cancel}, after: [north, south, east]}
  first: {join: any, after: [north, south]}
tasks:
  north: {after: ask}
  south: {after: ask}
  east: {after: ask, on_failure: cure}
  cure: {}
  alarm: {after: [north, south], trigger_rule: one_failed}
";

#[test]
fn pictures_tell_rules_limits_and_what_handles_failures() {
    let definition = load(RULES.as_bytes(), Format::Own, "f.yaml").unwrap().definition;
    let text = mermaid(&definition, None);
    for line in [
        r#"    n0[/"ask<br>(at most 2 at once)"\]"#,
        r#"    n1[\"enough<br>(at least 2, cancels losers)"/]"#,
        r#"    n2[\"first<br>(any)"/]"#,
        r#"    n7["Alarm<br>(one_failed)"]"#,
        r#"    n5 -.->|"on failure"| n6"#,
        "    linkStyle 8 stroke:#dc2626,color:#dc2626",
    ] {
        assert!(text.lines().any(|known| known == line), "{line}: {text}");
    }
    let arrows: Vec<_> =
        text.lines().filter(|line| line.contains("--") || line.contains("==") || line.contains("-.")).collect();
    assert!(arrows[8].contains("-.->"), "the style is that of the edge for failures: {arrows:?}");
    let text = dot(&definition, None);
    let edge = r##"n5 -> n6 [label=" on failure ", style=dashed, color="#dc2626", fontcolor="#dc2626"];"##;
    assert!(text.contains(edge), "{text}");
    assert!(text.contains(r#"[label="enough\n(at least 2, cancels losers)""#), "{text}");
}

#[test]
fn dot_draws_every_kind_of_node_and_edge() {
    let expected = r#"digraph "Order" {
    graph [fontname="sans-serif"];
    node [fontname="sans-serif"];
    edge [fontname="sans-serif"];
    n0 [label="go", tooltip="go", shape=oval];
    n1 [label="rush", tooltip="rush", shape=diamond];
    n2 [label="fan", tooltip="fan", shape=trapezium];
    n3 [label="left", tooltip="left", shape=cds];
    n4 [label="right", tooltip="right", shape=component];
    n5 [label="both", tooltip="both", shape=invtrapezium];
    n6 [label="check", tooltip="check", shape=hexagon];
    n7 [label="Ship", tooltip="ship", shape=box];
    n8 [label="stop", tooltip="stop", shape=oval];
    n0 -> n1;
    n1 -> n2 [label=" true "];
    n2 -> n3 [style=bold];
    n2 -> n4 [style=bold];
    n3 -> n5;
    n4 -> n5;
    n5 -> n6;
    n6 -> n7 [label=" pass "];
    n7 -> n8;
    n6 -> n8 [label=" fail "];
    n6 -> n8 [label=" refer "];
    n1 -> n7 [label=" no hurry "];
}
"#;
    assert_eq!(dot(&all_kinds(), None), expected);
}

pub(super) fn hostile() -> Definition {
    let mut definition = Definition::new("w\"\\");
    for text in [
        "end",
        "a\"] --> b[\"",
        "x|y\n\"\r\nz",
        "#quot;&lt;<b>`%%`",
        "\\N\\",
        "",
        "日本語 🚀",
        "}; subgraph",
        "\u{1b}[2J",
        "- 2. a\n1. b_ c_d",
        "style:#;",
    ] {
        definition.nodes.push(Node::new(text, text, NodeKind::Task(Task::external())));
    }
    let mut edge = |label: &str| {
        let (source, target) = ("end".to_owned(), "".to_owned());
        let kind = EdgeKind::Sequential;
        definition.edges.push(Edge { id: "e".into(), source, target, kind, label: Some(label.into()) });
    };
    edge("\"|\n");
    edge("end");
    definition.connect("end", "nowhere", EdgeKind::Sequential);
    definition
}

#[test]
fn mermaid_escapes_whatever_people_call_their_nodes() {
    let expected = r##"flowchart TD
    n0["end"]
    n1["a#quot;#93; --#gt; b#91;#quot;"]
    n2["x#124;y<br>#quot;<br>z"]
    n3["#35;quot;#amp;lt;#lt;b#gt;#96;#37;#37;#96;"]
    n4["#92;N#92;"]
    n5["?"]
    n6["日本語 🚀"]
    n7["}; subgraph"]
    n8["�#91;2J"]
    n9["#45; 2. a<br>1#46; b#95; c_d"]
    n10["style#58;#35;;"]
    n0 -->|"#quot;#124;<br>"| n5
    n0 -->|"end"| n5
"##;
    assert_eq!(mermaid(&hostile(), None), expected);
}

#[test]
fn dot_escapes_whatever_people_call_their_nodes() {
    let expected = r##"digraph "w\"\\" {
    graph [fontname="sans-serif"];
    node [fontname="sans-serif"];
    edge [fontname="sans-serif"];
    n0 [label="end", tooltip="end", shape=box];
    n1 [label="a\"] --> b[\"", tooltip="a\"] --> b[\"", shape=box];
    n2 [label="x|y\n\"\nz", tooltip="x|y\n\"\nz", shape=box];
    n3 [label="#quot;&amp;lt;<b>`%%`", tooltip="#quot;&amp;lt;<b>`%%`", shape=box];
    n4 [label="\\N\\", tooltip="\\N\\", shape=box];
    n5 [label="", tooltip="", shape=box];
    n6 [label="日本語 🚀", tooltip="日本語 🚀", shape=box];
    n7 [label="}; subgraph", tooltip="}; subgraph", shape=box];
    n8 [label="�[2J", tooltip="�[2J", shape=box];
    n9 [label="- 2. a\n1. b_ c_d", tooltip="- 2. a\n1. b_ c_d", shape=box];
    n10 [label="style:#;", tooltip="style:#;", shape=box];
    n0 -> n5 [label=" \"|\n "];
    n0 -> n5 [label=" end "];
}
"##;
    assert_eq!(dot(&hostile(), None), expected);
}

#[test]
fn what_turns_the_direction_of_text_is_drawn_and_not_obeyed() {
    let obeyed = [
        '\u{200e}',
        '\u{200f}',
        '\u{61c}',
        '\u{202a}',
        '\u{202e}',
        '\u{2066}',
        '\u{2069}',
        '\u{2028}',
        '\u{feff}',
        '\u{fffa}',
        '\u{e0041}',
        '\u{7f}',
        '\u{9b}',
        '\u{1b}',
    ];
    for letter in obeyed {
        let text = format!("a{letter}b");
        let mut definition = Definition::new(&text);
        definition.nodes.push(Node::new(text.clone(), text.clone(), NodeKind::Start));
        definition.connect(text.clone(), text.clone(), EdgeKind::Sequential);
        definition.edges[0].label = Some(text);
        for picture in [mermaid(&definition, None), dot(&definition, None), svg(&definition, None)] {
            assert!(!picture.contains(letter) && picture.contains("a\u{fffd}b"), "{letter:?}: {picture:?}");
        }
    }
    // A joiner belongs to the writing of people and of pictures of people.
    let joined = Definition::builder("w").task("👩\u{200d}🔬", "h").build();
    assert!(dot(&joined, None).contains("👩\u{200d}🔬"));
}

/// An execution of `a`, `b` and `c` in which one is done, one failed and one was skipped.
pub(super) fn record() -> Record {
    let counts = serde_json::to_string(&finale_core::record::Counts::default()).unwrap();
    let times = r#""started_at": "2026-01-01T00:00:00Z", "completed_at": "2026-01-01T00:00:01Z""#;
    let text = format!(
        r#"{{"id": "00000000-0000-0000-0000-000000000001", "workflow": {{"id": "w", "name": "w", "version": "1.0.0"}},
        "status": "running", "activated_by": "me", "created_at": "2026-01-01T00:00:00Z", "counts": {counts}, "nodes": [
          {{"id": "a", "kind": "task", "status": "completed", "attempt": 1, {times}, "output": null}},
          {{"id": "b", "kind": "task", "status": "failed", "attempt": 1, {times}, "error": "x", "class": "failed"}},
          {{"id": "c", "kind": "task", "status": "skipped", "skipped_reason": "b failed"}}
        ]}}"#
    );
    serde_json::from_str(&text).unwrap()
}

#[test]
fn colours_say_where_an_execution_is() {
    let definition = Definition::builder("w").task("a", "h").task("b", "h").task("c", "h").after("b").build();
    let text = mermaid(&definition, Some(&record()));
    let expected = "    classDef completed fill:#dcfce7,stroke:#16a34a,color:#111827
    class n0 completed
    classDef failed fill:#fee2e2,stroke:#dc2626,color:#111827
    class n1 failed
    classDef skipped fill:#ffffff,stroke:#d1d5db,color:#111827
    class n2 skipped
";
    assert!(text.ends_with(expected), "{text}");
    let text = dot(&definition, Some(&record()));
    let expected = r##"n1 [label="B", tooltip="b", shape=box, class="failed", style=filled, fillcolor="#fee2e2", color="#dc2626"];"##;
    assert!(text.contains(expected), "{text}");
    assert!(text.contains(r#"n3 [label="start", tooltip="start", shape=oval];"#), "the record says nothing of it");
}

pub(super) const ENDINGS: &str = "
id: order
tasks:
  charge: {handler: charge, compensate: {handler: refund, title: Give it back, input: output}}
  ship: {handler: ship, after: charge, compensate: {group: {tasks: {call: {handler: call_back}}}}}
finally: {handler: tell}
";

#[test]
fn what_runs_at_the_end_stands_in_a_dashed_frame() {
    let definition = load(ENDINGS.as_bytes(), Format::Own, "f.yaml").unwrap().definition;
    let text = mermaid(&definition, None);
    for line in [
        r#"    subgraph n0c["undoes Charge"]"#,
        r#"    n0c_0["Give it back"]"#,
        r#"    n0 -.->|"compensate"| n0c"#,
        r#"    n1c_0["Call"]"#,
        r#"    subgraph nf["finally"]"#,
        r#"    nf_0["Finally"]"#,
        "    style n0c stroke-dasharray:5 5",
        "    style nf stroke-dasharray:5 5",
    ] {
        assert!(text.lines().any(|known| known == line), "{line}: {text}");
    }
    assert!(!text.contains("--> nf") && !text.contains("nf -->"), "nothing leads there: {text}");
    let text = dot(&definition, None);
    for line in [
        "    subgraph cluster_n0c {",
        r#"    n0 -> n0c_0 [label=" compensate ", style=dashed];"#,
        r#"    nf_0 [label="Finally", tooltip="finally", shape=box];"#,
    ] {
        assert!(text.lines().any(|known| known == line), "{line}: {text}");
    }
}

pub(super) const BODIES: &str = "
id: order
tasks:
  resize: {map: {items: input, max_concurrency: 2}, handler: resize}
  each: {map: input, group: {tasks: {parse: {handler: parse}}}, after: resize}
  poll: {loop: {until: output, rounds_max: 5}, group: {tasks: {look: {handler: look}}}, after: each, trigger_rule: all_done}
  checks: {group: {tasks: {lint: {handler: lint}}}}
";

#[test]
fn what_is_inside_of_a_node_is_drawn_inside_of_it() {
    let definition = load(BODIES.as_bytes(), Format::Own, "f.yaml").unwrap().definition;
    let text = mermaid(&definition, None);
    for line in [
        r#"    n0[["Resize<br>(for each item, at most 2 at once)"]]"#,
        r#"    subgraph n1["Each<br>(for each item)"]"#,
        r#"    n1_0["Parse"]"#,
        r#"    n1_1 --> n1_0"#,
        r#"    subgraph n2["Poll<br>(at most 5 rounds, all_done)"]"#,
        r#"    n3_0["Lint"]"#,
        "    n1 --> n2",
    ] {
        assert!(text.lines().any(|known| known == line), "{line}: {text}");
    }
    let text = dot(&definition, None);
    assert!(text.contains("subgraph cluster_n1 {") && text.contains("n1_1 -> n1_0;"), "{text}");
    assert!(
        text.contains(r#"n0 [label="Resize\n(for each item, at most 2 at once)", tooltip="resize", shape=tab];"#),
        "{text}"
    );
}

#[test]
fn workflows_that_call_each_other_many_times_are_drawn_up_to_a_limit() {
    let calls = |what: &str, next: usize| {
        let calls: Vec<_> =
            (0..8).map(|call| what.replace('#', &call.to_string()).replace('N', &next.to_string())).collect();
        calls.join(", ")
    };
    for what in ["c#: {call: wN}", "c#: {handler: h, compensate: {call: wN}}"] {
        let mut text = format!("id: w\ntasks: {{{}}}\nworkflows:\n", calls(what, 0));
        for number in 0..10 {
            text.push_str(&format!("  w{number}: {{tasks: {{{}}}}}\n", calls(what, number + 1)));
        }
        text.push_str("  w10: {tasks: {a: {handler: a}}}\n");
        let definition = load(text.as_bytes(), Format::Own, "f.yaml").unwrap().definition;
        let drawn = [
            svg(&definition, None).matches("<g class=\"node").count(),
            dot(&definition, None).matches("shape=").count(),
            mermaid(&definition, None).matches("[\"").count(),
        ];
        for drawn in drawn {
            assert!(drawn > NODES_MAX / 2 && drawn < 4 * NODES_MAX, "{what}: {drawn}");
        }
    }
}
