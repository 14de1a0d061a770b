//! Maps, loops and groups in files.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use finale_core::compile::{Registry, compile};
use finale_core::definition::{
    Body, Call, Definition, Document, Inside, Items, LoopCondition, NodeKind, OnFailure, Retry, Task, Tolerance,
};
use finale_formats::{Format, load, write};

fn loaded(text: &str) -> Definition {
    load(text.as_bytes(), Format::Own, "f.yaml").unwrap_or_else(|error| panic!("{error}")).definition
}

fn file(task: &str) -> Definition {
    loaded(&format!("id: w\ntasks:\n  t: {task}\n"))
}

fn map_of(definition: &Definition) -> &finale_core::definition::Map {
    let node = definition.nodes.iter().find(|node| node.id == "t").unwrap();
    let NodeKind::Map(map) = &node.kind else { panic!("it is a map: {node:?}") };
    map
}

/// A file says what the builder says, and is written as it was read.
fn is_written_and_read(definition: &Definition) {
    for text in [write::yaml(definition), write::json(definition)] {
        let name = if text.starts_with('{') { "f.json" } else { "f.yaml" };
        assert!(!text.contains("\"kind\"") && !text.contains("kind:"), "it has words of its own: {text}");
        assert_eq!(load(text.as_bytes(), Format::Own, name).expect("it can be read").definition, *definition, "{text}");
    }
}

#[test]
fn a_map_is_what_a_builder_makes() {
    let read = file("{map: input.list, handler: h, input: item.x}");
    let built = Definition::builder("w").map("t", "input.list", Task::handler("h").input("item.x")).name("W").build();
    assert_eq!(read, built);
    is_written_and_read(&read);
    assert!(compile(read, &Registry::new()).is_ok());
}

#[test]
fn all_that_can_be_said_is_written_and_read() {
    let inside = || {
        let graph = Definition::builder("t").task("a", "h").task("b", Task::handler("h").input("nodes.a.output"));
        graph.after("a").when("input.x").on_failure(OnFailure::WaitAll).output("nodes.b.output | default(item)").build()
    };
    let list = Items::List(Document::from_json(br#"[1,{"a":"${{ input }}"}]"#).unwrap());
    let builder = Definition::builder("w")
        .task("first", "h")
        .map("t", list, inside())
        .after("first")
        .max_concurrency(3)
        .tolerate(Tolerance::Percent(20))
        .optional()
        .map("u", "input.list", Task::handler("h").title("Do it"))
        .tolerate(Tolerance::Count(2))
        .catch("mend")
        .task("mend", "h")
        .repeat("v", Task::external(), LoopCondition::while_true("round < 3"), 5)
        .round_delay(std::time::Duration::from_secs(90))
        .when("input.y")
        .repeat("x", Call::to("ship", "1.0.0"), LoopCondition::until("output"), 2)
        .map("y", "[1]", Call::to("ship", "1.0.0").input("{'a': item}"))
        .group("g", Definition::builder("g").task("deep", "h").map("each", "[1, 2]", "h").build())
        .optional();
    is_written_and_read(&builder.build());
}

#[test]
fn a_matrix_is_all_combinations_in_order() {
    let read =
        file("{map: {matrix: {os: [linux, mac], n: [1, '${{ input.n }}']}}, shell: 'echo ${{ item.os | quote }}'}");
    let Items::List(list) = &map_of(&read).items else { panic!("it is a list") };
    let json = str::from_utf8(list.payload().as_bytes()).unwrap();
    assert_eq!(
        json,
        r#"[{"os":"linux","n":1},{"os":"linux","n":"${{ input.n }}"},{"os":"mac","n":1},{"os":"mac","n":"${{ input.n }}"}]"#
    );
    is_written_and_read(&read);
}

#[test]
fn a_matrix_that_is_too_large_is_refused_before_it_is_made() {
    let axis = format!("[{}]", vec!["0"; 100].join(","));
    let text = format!("id: w\ntasks:\n  t: {{map: {{matrix: {{a: {axis}, b: {axis}, c: {axis}}}}}, handler: h}}\n");
    let error = load(text.as_bytes(), Format::Own, "f.yaml").unwrap_err();
    assert!(error.to_string().contains("100000"), "{error}");
}

fn places(text: &str) -> Vec<String> {
    let told = |error: &dyn std::fmt::Display| error.to_string().lines().map(str::to_owned).collect::<Vec<_>>();
    match load(text.as_bytes(), Format::Own, "f.yaml") {
        Err(error) => told(&error),
        Ok(loaded) => {
            let error = compile(loaded.definition.clone(), &Registry::new()).unwrap_err();
            let problem = &error.problems[0];
            let place = loaded.places.expression(&problem.nodes[0]).or_else(|| loaded.places.node(&problem.nodes[0]));
            vec![format!("{:?} {}", place.unwrap(), problem.code)]
        }
    }
}

#[test]
fn what_is_wrong_inside_is_shown_where_it_stands() {
    let inside = "id: w\ntasks:\n  t:\n    map: input\n    group:\n      tasks:\n        a: {handler: h, input: itm}\n";
    assert_eq!(places(inside), ["(7, 32) expression_invalid"]);
    let list = "id: w\ntasks:\n  t:\n    map: input.\n    handler: h\n";
    assert_eq!(places(list), ["(4, 10) expression_invalid"]);
    let body = "id: w\ntasks:\n  t:\n    map: input\n    handler: h\n    input: itm\n";
    assert_eq!(places(body), ["(6, 12) expression_invalid"]);
    let after = "id: w\ntasks:\n  t:\n    group:\n      tasks:\n        a: {handler: h, after: b}\n";
    assert!(places(after)[0].contains("f.yaml:6:32"), "{:?}", places(after));
}

#[test]
fn calls_inside_are_pinned_to_the_workflows_of_the_file() {
    let text = "id: w\ntasks:\n  t: {map: input, call: ship}\n  u: {group: {tasks: {a: {call: ship, with: {}}}}}\n\
                workflows: {ship: {version: 1.2.0, tasks: {label: {handler: h}}}}\n";
    assert!(compile(loaded(text), &Registry::new()).is_ok());
}

#[test]
fn the_only_task_of_a_map_may_be_undone_item_by_item() {
    let text = "\
id: w
workflows: {ship: {tasks: {a: {}}}}
tasks:
  t:
    map: {items: input.list, compensate: {handler: undo, input: output}}
    handler: h
    input: item.x
    retry: 3
  u: {map: {items: [1], compensate: {call: ship}}, call: ship, title: U}
";
    let definition = loaded(text);
    let body = Task::handler("h").input("item.x").retry_as(Retry::attempts(3));
    let undo = Task::handler("undo").input("output");
    let built = Definition::builder("w").map("t", "input.list", Inside::from(body).compensate(undo));
    assert_eq!(definition.nodes[0], built.build().nodes[0]);
    let Body::Graph(graph) = &map_of(&definition).body else { panic!("it is a graph of one task") };
    assert_eq!(graph.nodes[0].id, "t");
    assert!(compile(definition.clone(), &Registry::new()).is_ok());
    is_written_and_read(&definition);
    let written = write::yaml(&definition);
    assert!(!written.contains("group"), "it is written as it was read: {written}");
    let calls = definition.all_nodes().into_iter().filter(|node| matches!(node.kind, NodeKind::Subworkflow(_)));
    assert_eq!(calls.count(), 2, "a call is undone by a call");

    let wrong = "id: w\ntasks:\n  t:\n    map:\n      items: input\n      compensate:\n        handler: undo\n        input: otput\n    handler: h\n";
    assert_eq!(places(wrong), ["(8, 16) expression_invalid"]);
}
