//! Graphs that are written inside of nodes.

use super::*;
use crate::definition::{Call, Graph, TriggerRule};

fn look_around() -> Definition {
    Definition::builder("inside")
        .task("first", Task::handler("work").input("[input, nodes.before.output]"))
        .task("second", Task::handler("work").input("nodes.first.output"))
        .after("first")
        .build()
}

fn given(run: &Run, path: &str) -> String {
    let key = run.execution.resolve(&run.definition, &path.parse().unwrap()).expect("it is there");
    String::from_utf8(run.execution.input_of(key).as_bytes().to_vec()).unwrap()
}

#[test]
fn a_group_runs_a_graph_that_sees_the_nodes_around_it() {
    let root = Definition::builder("root").task("before", "work").group("checks", look_around()).after("before");
    let mut run = Run::activated(compiled(root.task("after", "work").after("checks").build()), "7");
    run.done("before", r#"{"a":1}"#);
    assert_eq!(given(&run, "checks::first"), r#"[7,{"a":1}]"#);
    assert_eq!(run.status_of("checks"), NodeStatus::Waiting);
    run.done("checks::first", "1");
    assert_eq!(given(&run, "checks::second"), "1");
    run.done("checks::second", "2");
    assert_eq!(run.output_at("checks"), "2", "the output of its last task");
    run.done("after", "3");
    assert_eq!(run.output(), "3");
    assert_eq!(run.execution.counts(&run.definition).completed, 4);
    run.check();
}

#[test]
fn a_group_that_is_last_gives_the_output_and_a_group_in_a_group_sees_all_around_it() {
    let deepest = Definition::builder("c").task("z", Task::handler("work").input("[nodes.x.output, nodes.y.output]"));
    let middle = Definition::builder("b").task("y", "work").group("c", deepest.build()).after("y");
    let root = Definition::builder("a").task("x", "work").group("b", middle.build()).after("x");
    let mut run = Run::activated(compiled(root.build()), "null");
    run.done("x", "1");
    run.done("b::y", "2");
    assert_eq!(given(&run, "b::c::z"), "[1,2]");
    run.done("b::c::z", "3");
    assert_eq!(run.output(), "3");
    run.check();
}

/// `slow` is not before `checks`: what it comes to later is not seen, however late that is asked.
#[test]
fn the_nodes_around_are_seen_as_they_were_when_the_group_was_reached() {
    let inside = Definition::builder("inside")
        .task("first", "work")
        .task("second", Task::handler("work").input("[nodes.slow.status, nodes.slow.output | default(0)]"))
        .after("first")
        .build();
    let root = Definition::builder("root").task("slow", "work").group("checks", inside);
    let mut run = Run::activated(compiled(root.build()), "null");
    run.done("slow", "1");
    run.done("checks::first", "null");
    assert_eq!(given(&run, "checks::second"), r#"["running",0]"#);
    run.check();
}

#[test]
fn vars_inside_are_the_input_and_what_was_put_out_before_around_first() {
    let inside = Definition::builder("inside")
        .task("first", "work")
        .task("second", Task::handler("work").input("[vars.a, vars.b, vars.c]"))
        .after("first")
        .build();
    let root = Definition::builder("root").task("before", "work").group("checks", inside).after("before");
    let mut run = Run::activated(compiled(root.build()), r#"{"a":1,"b":1,"c":1}"#);
    run.done("before", r#"{"b":2,"c":2}"#);
    run.done("checks::first", r#"{"c":3}"#);
    assert_eq!(given(&run, "checks::second"), "[1,2,3]");
    run.check();
}

#[test]
fn a_group_is_judged_by_its_own_policy() {
    let two = || Definition::builder("two").task("a", "work").task("b", "work");
    let mut run = Run::activated(compiled(Definition::builder("root").group("g", two().build()).build()), "null");
    let other = run.work("g::b");
    run.failed("g::a", "no");
    run.stopped(other);
    assert_eq!(run.error(), r#"group "G" (g) failed: g::a failed: no"#);
    run.check();
    let tolerant = two().on_failure(OnFailure::Tolerate { count: 1 }).output("nodes.b.output").build();
    let mut run = Run::activated(compiled(Definition::builder("root").group("g", tolerant).build()), "null");
    run.failed("g::a", "no");
    run.done("g::b", "5");
    assert_eq!(run.output(), "5");
    run.check();
}

#[test]
fn the_failure_of_a_group_is_handled_or_tolerated_like_that_of_a_task() {
    let one = || Definition::builder("one").task("a", "work").build();
    let caught = Definition::builder("root").group("g", one()).catch("refund").task("refund", "work");
    let mut run = Run::activated(compiled(caught.build()), "null");
    run.failed("g::a", "no");
    run.done("refund", "1");
    assert_eq!(run.output(), "1");
    run.check();
    let optional = Definition::builder("root").group("g", one()).optional().task("next", "work").after("g");
    let mut run = Run::activated(compiled(optional.trigger_rule(TriggerRule::AllDone).build()), "null");
    run.failed("g::a", "no");
    run.done("next", "1");
    assert_eq!(run.output(), "1");
    run.check();
}

#[test]
fn a_call_inside_of_a_group_runs_what_is_registered_or_brought() {
    let ship = Definition::builder("ship").task("label", "work").build();
    let inside = Definition::builder("inside").call("ship", Call::of(ship).input("nodes.pack.output"));
    let root = Definition::builder("root").task("pack", "work").group("g", inside.build()).after("pack").build();
    assert_eq!(root.workflows.len(), 1, "the definition keeps what the group brings");
    let mut run = Run::activated(compiled(root), "null");
    run.done("pack", "[1]");
    assert_eq!(given(&run, "g::ship::label"), "[1]");
    run.done("g::ship::label", "2");
    assert_eq!(run.output(), "2");
    run.check();
}

#[test]
fn a_cancel_reaches_into_groups_and_a_recovery_takes_up_what_is_at_work_there() {
    let one = Definition::builder("one").task("a", "work").build();
    let root = || compiled(Definition::builder("root").group("g", one.clone()).build());
    let mut run = Run::activated(root(), "null");
    run.tell(Input::Recovered { epoch: Epoch(1), crashed: true });
    run.done("g::a", "1");
    assert_eq!(run.output(), "1");
    run.check();
    let mut run = Run::activated(root(), "null");
    let at_work = run.work("g::a");
    run.tell(Input::Command(Command::Cancel { by: "jo".into() }));
    run.stopped(at_work);
    assert_eq!(run.execution.status(), ExecutionStatus::Cancelled);
    run.check();
}

fn refused(definition: Definition) -> Vec<(&'static str, Vec<String>)> {
    let error = compile(definition, &Registry::new()).expect_err("it is refused");
    error.problems.into_iter().map(|problem| (problem.code.as_str(), problem.nodes)).collect()
}

#[test]
fn what_is_wrong_inside_is_named_by_the_way_that_leads_there() {
    let root = |inside: Definition| Definition::builder("root").group("g", inside).task("z", "work").after("g").build();
    let named = |text: &str| vec![text.to_owned()];
    let unknown = Definition::builder("i").task("a", Task::handler("work").input("nodes.nobody.output")).build();
    assert_eq!(refused(root(unknown)), [("expression_invalid", named("g::a"))]);
    let later = Definition::builder("i").task("a", Task::handler("work").input("nodes.z.output")).build();
    assert_eq!(refused(root(later)), [("reads_later_node", vec!["g".to_owned(), "z".to_owned()])]);
    let itself = Definition::builder("i").task("a", Task::handler("work").input("nodes.g.output")).build();
    assert_eq!(refused(root(itself)), [("reads_later_node", vec!["g".to_owned(), "g".to_owned()])]);
    assert_eq!(refused(root(Definition::new("i"))), [("start_count", named("g")), ("end_count", named("g"))]);
    let call = Definition::builder("i").call("c", Call::to("nobody", "1.0.0")).build();
    assert_eq!(refused(root(call)), [("subworkflow_not_found", named("g::c"))]);
}

#[test]
fn graphs_inside_of_each_other_are_as_many_and_as_deep_as_calls_may_be() {
    let mut deep = Definition::builder("deep").task("a", "work").build();
    for _ in 0..16 {
        deep = Definition::builder("deep").group("g", deep).build();
    }
    assert!(compile(deep.clone(), &Registry::new()).is_ok());
    let deeper = Definition::builder("deep").group("g", deep).build();
    assert_eq!(refused(deeper), [("subworkflow_too_deep", Vec::new())]);
    let limits = crate::compile::Limits::default().expanded_nodes_max(5);
    let one = Definition::builder("one").task("a", "work").build();
    let root = Definition::builder("root").group("g", one).build();
    let error = crate::compile::compile_within(root, &Registry::new(), &limits).unwrap_err();
    assert_eq!(error.problems[0].code.as_str(), "subworkflow_too_large", "three nodes in it, and three around it");
}

#[test]
fn a_graph_is_in_the_hash_of_its_definition_and_read_back_as_it_was_written() {
    let inside = |handler: &str| Definition::builder("inside").task("a", handler).build();
    let root = |handler: &str| Definition::builder("root").group("g", inside(handler)).build();
    assert_ne!(compiled(root("work")).hash(), compiled(root("other")).hash());
    let written = serde_json::to_string(&root("work")).unwrap();
    assert_eq!(serde_json::from_str::<Definition>(&written).unwrap(), root("work"));
    assert_eq!(Graph::from(inside("work")).nodes.len(), 3);
    let all: Vec<_> = root("work").all_nodes().iter().map(|node| node.id.clone()).collect();
    assert_eq!(all, ["g", "start", "end", "a", "start", "end"]);
}
