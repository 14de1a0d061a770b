//! Calls of other workflows in finale's own format: in the same file, in another one, and back into a file.

use finale_core::compile::{Registry, compile};
use finale_core::definition::{
    Call, Definition, EdgeKind, NodeKind, OnFailure, Siblings, Subworkflow, Task, TriggerRule,
};
use finale_formats::{Format, load, picture, write};

const ORDER: &str = "
id: order
tasks:
  pack: {handler: pack}
  ship:
    call: ship
    with: {order: '${{ nodes.pack.output }}', express: true}
    after: pack
  bill:
    title: Send the bill
    call: {workflow: bill, version: 2.0.0, output: output.total, on_failure: {tolerate: 1}, siblings: finish}
    input: nodes.ship.output
    after: ship
    optional: true
workflows:
  ship:
    version: 1.2.0
    inputs: {order: json, express: boolean}
    output: nodes.label.output
    tasks: {label: {handler: label}, drive: {call: drive, after: label}}
    workflows: {drive: {tasks: {go: {handler: go}}}}
  bill: {version: 2.0.0, tasks: {mail: {handler: mail}}}
";

fn call<'d>(definition: &'d Definition, id: &str) -> &'d Subworkflow {
    match &definition.nodes.iter().find(|node| node.id == id).expect("the node is there").kind {
        NodeKind::Subworkflow(call) => call,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_call_says_what_goes_in_and_comes_out_and_finds_its_workflow_in_the_file() {
    let loaded = load(ORDER.as_bytes(), Format::Auto, "order.yaml").expect("the file is right");
    let definition = &loaded.definition;
    let (ship, bill) = (call(definition, "ship"), call(definition, "bill"));
    assert_eq!((ship.workflow.as_deref(), ship.version.as_deref()), (Some("ship"), Some("1.2.0")), "it is pinned");
    assert!(ship.with.is_some() && ship.policy.is_none() && !ship.optional);
    assert_eq!((bill.input.as_deref(), bill.output.as_deref()), (Some("nodes.ship.output"), Some("output.total")));
    let policy = bill.policy.expect("it says how it ends");
    assert_eq!((policy.on_failure, policy.siblings), (OnFailure::Tolerate { count: 1 }, Siblings::Finish));
    assert!(bill.optional);
    let labels: Vec<_> = definition.nodes.iter().map(|node| node.label.as_str()).collect();
    assert_eq!(labels[..3], ["Pack", "Ship", "Send the bill"]);
    let compiled = compile(definition.clone(), &Registry::new()).expect("all that it calls is in it");
    let called: Vec<_> = compiled.definition().workflows.iter().map(|called| called.id.as_str()).collect();
    assert_eq!(called, ["ship", "bill", "drive"]);
}

#[test]
fn a_workflow_in_another_file_is_named_with_its_place_and_added_when_it_was_read() {
    let text = "id: order\ntasks: {ship: {call: ship}}\nworkflows:\n  ship: parts/ship.yaml\n";
    let mut loaded = load(text.as_bytes(), Format::Auto, "order.yaml").expect("the file is right");
    let [file] = &loaded.called_files[..] else { panic!("{:?}", loaded.called_files) };
    assert_eq!((file.id.as_str(), file.path.as_str(), file.place), ("ship", "parts/ship.yaml", Some((4, 9))));
    assert_eq!(call(&loaded.definition, "ship").version, None);
    loaded.add_called(Definition::builder("ship").version("3.0.0").task("label", "label").build());
    assert_eq!(call(&loaded.definition, "ship").version.as_deref(), Some("3.0.0"));
    assert!(compile(loaded.definition, &Registry::new()).is_ok());
}

#[test]
fn what_is_wrong_in_a_workflow_of_the_file_is_shown_there() {
    let text = "id: w\ntasks:\n  label: {log: hi}\n  ship: {call: ship}\nworkflows:\n  ship:\n    tasks:\n      label: {log: hi, when: input.x ==}\n";
    let loaded = load(text.as_bytes(), Format::Auto, "w.yaml").expect("its parts can be read");
    let error = compile(loaded.definition.clone(), &Registry::new()).expect_err("the expression is none");
    let diagnostics = loaded.places.diagnostics(&loaded.definition, &error.problems);
    assert_eq!((diagnostics[0].code, diagnostics[0].place), ("expression_invalid", Some((8, 30))));
    assert!(diagnostics[0].message.starts_with("in ship 1.0.0: "), "{}", diagnostics[0].message);
}

#[test]
fn what_a_call_cannot_be_is_refused() {
    let refused = |task: &str| {
        let text = format!("id: w\ntasks: {{t: {task}}}\nworkflows: {{x: {{tasks: {{a: {{log: hi}}}}}}}}");
        load(text.as_bytes(), Format::Own, "f.yaml").expect_err("something is wrong with it").code()
    };
    assert_eq!(refused("{call: x, handler: h}"), "file_contradiction");
    assert_eq!(refused("{call: x, retry: 3}"), "file_contradiction");
    assert_eq!(refused("{call: x, input: input, with: {}}"), "file_contradiction");
    assert_eq!(refused("{call: {workflow: x, with: {}}}"), "file_unknown_key");
    let named = "id: w\ntasks: {t: {call: x}}\nworkflows: {x: {id: y, tasks: {a: {log: hi}}}}";
    assert_eq!(load(named.as_bytes(), Format::Own, "f.yaml").expect_err("it has two ids").code(), "file_contradiction");
}

#[test]
fn what_is_written_is_read_back_the_same_and_is_as_short_as_somebody_would_write_it() {
    let loaded = load(ORDER.as_bytes(), Format::Auto, "order.yaml").expect("the file is right");
    let text = write::yaml(&loaded.definition);
    assert!(text.contains("workflows:") && text.contains("call:"), "{text}");
    assert_eq!(load(text.as_bytes(), Format::Auto, "o.yaml").expect("it is right").definition, loaded.definition);
    let ship = Definition::builder("ship").task("label", Task::handler("label")).build();
    let order = Definition::builder("order").call("ship", Call::of(ship).input("input")).build();
    let expected = "id: order\nname: order\ntasks:\n  ship:\n    call: {workflow: ship, version: \"1.0.0\"}\n    input: input\nworkflows: {ship: {name: ship, tasks: {label: {handler: label}}}}\n";
    assert_eq!(write::yaml(&order).replace("version: 1.0.0", "version: \"1.0.0\""), expected);
}

#[test]
fn a_picture_shows_what_is_called_inside_of_the_call() {
    let ship = Definition::builder("ship").task("label", "label").build();
    let order = Definition::builder("order").call("ship", ship).build();
    let mermaid = picture::mermaid(&order, None);
    let expected = "    subgraph n0[\"Ship\"]\n    n0_0[\"Label\"]\n    n0_1([\"start\"])\n    n0_2([\"end\"])\n    n0_1 --> n0_0\n    n0_0 --> n0_2\n    end\n";
    assert!(mermaid.contains(expected), "{mermaid}");
    let dot = picture::dot(&order, None);
    assert!(dot.contains("    subgraph cluster_n0 {\n    label=\"Ship\";\n    n0 [label=\"Ship\""), "{dot}");
    assert!(dot.contains("n0_1 -> n0_0;"), "{dot}");
}

/// Two calls of one workflow, one of which handles the failure of the other; what is called has rules of its own.
const RULED: &str = "
id: order
tasks:
  pack: {handler: pack}
  ship:
    call: {workflow: ship, on_failure: wait_all}
    after: pack
    on_failure: fetch
  fetch: {call: ship, with: {why: '${{ failure.reason }}'}}
  tell:
    call: ship
    after: [pack, ship]
    trigger_rule: all_done
workflows:
  ship:
    inputs: {why: {type: string, default: ''}}
    tasks:
      label: {handler: label, on_failure: by_hand}
      by_hand: {title: Write it by hand}
      van: {handler: van}
      bike: {handler: bike}
    nodes:
      gone: {join: {strategy: any, losers: cancel}, after: [van, bike]}
";

#[test]
fn a_call_has_rules_like_a_task_and_what_is_called_has_its_own() {
    let loaded = load(RULED.as_bytes(), Format::Auto, "order.yaml").expect("the file is right");
    let definition = &loaded.definition;
    let policy = call(definition, "ship").policy.expect("it says how it ends");
    assert_eq!(policy.on_failure, OnFailure::WaitAll, "beside who handles that it failed");
    let handled: Vec<_> = definition.edges.iter().filter(|edge| edge.kind == EdgeKind::OnFailure).collect();
    assert_eq!(handled.iter().map(|edge| (&*edge.source, &*edge.target)).collect::<Vec<_>>(), [("ship", "fetch")]);
    let rule = |id: &str| definition.nodes.iter().find(|node| node.id == id).map(|node| node.trigger_rule);
    assert_eq!((rule("tell"), rule("ship")), (Some(TriggerRule::AllDone), Some(TriggerRule::Default)));
    let compiled = compile(definition.clone(), &Registry::new()).expect("all of it is right");
    assert_eq!(compiled.warnings(), []);
    let text = write::yaml(definition);
    assert_eq!(load(text.as_bytes(), Format::Auto, "o.yaml").expect("it is right").definition, *definition, "{text}");
    let mermaid = picture::mermaid(definition, None);
    assert!(mermaid.contains("n1 -.->|\"on failure\"| n2"), "{mermaid}");
    assert!(mermaid.contains("[\\\"gone<br>(any, cancels losers)\"/]"), "{mermaid}");
    // Edges are counted in the order in which they are drawn, those inside of calls included.
    let drawn = mermaid.lines().filter(|line| line.contains("-->") || line.contains("-.->"));
    let for_failures: Vec<_> =
        drawn.enumerate().filter(|(_, line)| line.contains("-.->")).map(|(number, _)| number.to_string()).collect();
    assert_eq!(for_failures.len(), 4, "one in each call, and that of the call");
    assert!(mermaid.contains(&format!("linkStyle {} stroke", for_failures.join(","))), "{mermaid}");
    let dot = picture::dot(definition, None);
    assert_eq!(dot.matches("style=dashed").count(), 4, "{dot}");
    assert!(dot.contains("(any, cancels losers)"), "{dot}");
}

#[test]
fn a_call_whose_failure_is_handled_cannot_be_optional() {
    let text = "id: w\ntasks: {t: {call: x, optional: true, on_failure: h}, h: {log: hi}}\nworkflows: {x: {tasks: {a: {log: hi}}}}";
    let error = load(text.as_bytes(), Format::Own, "f.yaml").expect_err("it says both");
    assert_eq!(error.code(), "file_contradiction", "{error}");
}

#[test]
fn a_slip_in_what_is_called_is_told_as_that() {
    let text = "id: order\ntasks: {e: {call: shp}}\nworkflows: {ship: {tasks: {a: {handler: h}}}}\n";
    let definition = load(text.as_bytes(), Format::Auto, "order.yaml").unwrap().definition;
    let error = compile(definition, &Registry::new()).unwrap_err().to_string();
    assert!(error.contains("\"e\" calls \"shp\", which is not registered; did you mean \"ship\"?"), "{error}");
}
