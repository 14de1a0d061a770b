//! Calls of other workflows: what goes in, what comes out, how they are judged, named and kept.

use super::*;
use crate::compile::compile;
use crate::definition::{Call, Declaration, DeclaredType, DefinitionBuilder, Siblings};
use crate::record::{NodeRecord, NodeRecordState};

fn order(ship: impl Into<Call>) -> DefinitionBuilder {
    Definition::builder("order")
        .task("pack", "work")
        .call("ship", ship)
        .after("pack")
        .task("bill", "work")
        .after("ship")
}

fn ship() -> DefinitionBuilder {
    Definition::builder("ship").task("label", "work").task("hand_over", "work").after("label")
}

fn names(run: &Run) -> Vec<(String, &'static str)> {
    let record = run.execution.record(&run.definition);
    record.nodes.iter().map(|node| (node.id.clone(), node.state.status().name())).collect()
}

fn record(run: &Run, id: &str) -> NodeRecord {
    let record = run.execution.record(&run.definition);
    record.nodes.into_iter().find(|node| node.id == id).unwrap_or_else(|| panic!("there is no {id}"))
}

fn input_of(run: &Run, path: &str) -> String {
    let key = run.work(path).key;
    let run = run.effects.iter().rev().find_map(|effect| match effect {
        Effect::Run { dispatch, input } if dispatch.key == key => Some(input.clone()),
        _ => None,
    });
    format!("{:?}", run.expect("it was run").unwrap_or_default())
}

#[test]
fn a_call_gives_what_it_binds_and_gets_what_the_called_workflow_makes_of_it() {
    let ship = ship()
        .requires("order", DeclaredType::Integer)
        .accepts("express", DeclaredType::Boolean, false)
        .output("{'tracking': nodes.label.output, 'express': input.express}")
        .build();
    let call = Call::of(ship).input("{'order': nodes.pack.output}").output("output.tracking ~ '!'");
    let mut run = Run::activated(compiled(order(call).build()), r#"{"secret": 1}"#);
    let all = ["start", "pack", "ship", "ship::start", "ship::label", "ship::hand_over", "ship::end", "bill", "end"];
    let listed: Vec<_> = names(&run).into_iter().map(|(name, _)| name).collect();
    let sorted = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort();
        names
    };
    assert_eq!(sorted(&listed), sorted(&all.map(str::to_owned)), "also what is not called yet");
    assert_eq!(record(&run, "ship::label").state, NodeRecordState::Pending);
    run.done("pack", "7");
    assert_eq!(input_of(&run, "ship::label"), r#"{"express":false,"order":7}"#, "and nothing of what its caller has");
    run.done("ship::label", r#""T1""#);
    run.done("ship::hand_over", "null");
    assert_eq!(run.output_at("ship"), r#""T1!""#);
    assert_eq!(run.status_of("ship::label"), NodeStatus::Completed, "what was called can still be looked at");
    run.done("bill", "null");
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    assert!(matches!(record(&run, "ship::label").state, NodeRecordState::Completed { .. }));
    assert_eq!(run.execution.counts(&run.definition).completed, 4);
    run.check();
}

#[test]
fn without_anything_said_the_input_is_empty_and_the_output_that_of_the_last_task() {
    let mut run = Run::activated(compiled(order(ship().build()).build()), r#"{"secret": 1}"#);
    run.done("pack", "7");
    assert_eq!(input_of(&run, "ship::label"), "{}");
    run.done("ship::label", "1");
    run.done("ship::hand_over", "[2]");
    assert_eq!(run.output_at("ship"), "[2]");
    run.check();
}

#[test]
fn inputs_and_outputs_are_checked_against_the_declarations() {
    let ship = || ship().requires("order", DeclaredType::Integer);
    let call = Call::of(ship().build()).input("{'order': nodes.pack.output}");
    let mut run = Run::activated(compiled(order(call).build()), "null");
    run.done("pack", r#""seven""#);
    assert_eq!(
        run.error(),
        r#"sub-workflow "Ship" (ship) could not be evaluated: input "order" must be of type integer, not "seven""#
    );
    assert!(!names(&run).iter().any(|(name, _)| name.starts_with("ship::")), "it was never called");
    run.check();

    let mut ship = self::ship().build();
    let (name, kind) = ("tracking".to_owned(), DeclaredType::String);
    ship.outputs.push(Declaration { name, kind, required: true, default: None });
    let mut run = Run::activated(compiled(order(ship).build()), "null");
    run.done("pack", "null");
    run.done("ship::label", "null");
    run.done("ship::hand_over", r#"{"trucking": "T1"}"#);
    assert_eq!(
        run.error(),
        r#"sub-workflow "Ship" (ship) could not be evaluated: ship: its output could not be evaluated: output "tracking" is missing"#
    );
    assert!(matches!(record(&run, "ship::hand_over").state, NodeRecordState::Completed { .. }));
    run.check();
}

#[test]
fn a_failure_inside_fails_the_call_with_the_whole_path() {
    let carrier = Definition::builder("carrier").task("book", "work").build();
    let ship = Definition::builder("ship").call("carry", carrier).build();
    let mut run = Run::activated(compiled(order(ship).build()), "null");
    run.done("pack", "null");
    let why = run.execution.why(&run.definition);
    assert_eq!(why.awaited.iter().map(|awaited| &*awaited.node).collect::<Vec<_>>(), ["ship::carry::book"]);
    run.failed("ship::carry::book", "no van");
    assert_eq!(run.error(), r#"sub-workflow "Ship" (ship) failed: ship::carry::book failed: no van"#);
    assert_eq!(record(&run, "ship::carry::book").state.status(), NodeStatus::Failed);
    let counts = run.execution.counts(&run.definition);
    assert_eq!((counts.tasks, counts.failed, counts.skipped), (3, 1, 1));
    run.check();
}

#[test]
fn a_policy_is_that_of_the_called_workflow_unless_the_call_says_otherwise_and_never_that_of_the_caller() {
    let side_by_side = || Definition::builder("ship").task("label", "work").task("insure", "work");
    let status = |call: Call, on_failure| {
        let order = Definition::builder("order").on_failure(on_failure).call("ship", call).build();
        let mut run = Run::activated(compiled(order), "null");
        run.failed("ship::label", "no paper");
        let insured = run.status_of("ship::insure");
        run.check();
        (insured, run)
    };
    let (insured, run) = status(Call::of(side_by_side().build()), OnFailure::WaitAll);
    assert_eq!(insured, NodeStatus::Running, "told to stop");
    assert!(run.effects.iter().any(|effect| matches!(effect, Effect::Stop { .. })));
    let (_, mut run) = status(Call::of(side_by_side().on_failure(OnFailure::WaitAll).build()), OnFailure::FailFast);
    assert!(!run.effects.iter().any(|effect| matches!(effect, Effect::Stop { .. })));
    run.done("ship::insure", "null");
    assert_eq!(run.error(), r#"sub-workflow "Ship" (ship) failed: ship::label failed: no paper"#);
    let tolerant = Call::of(side_by_side().build()).on_failure(OnFailure::Tolerate { count: 1 });
    let (_, mut run) = status(tolerant, OnFailure::FailFast);
    run.done("ship::insure", "1");
    assert_eq!((run.execution.status(), run.output()), (ExecutionStatus::Completed, r#"{"insure":1}"#.to_owned()));
    run.check();
}

#[test]
fn siblings_inside_finish_where_the_call_says_so_and_change_nothing() {
    let side_by_side = Definition::builder("ship").task("label", "work").task("insure", "work").build();
    let order = Definition::builder("order").call("ship", Call::of(side_by_side).siblings(Siblings::Finish));
    let mut run = Run::activated(compiled(order.task("bill", "work").build()), "null");
    run.failed("ship::label", "no paper");
    assert_eq!(run.status_of("ship"), NodeStatus::Waiting, "until all have left");
    assert_eq!(run.execution.status(), ExecutionStatus::Running);
    run.done("ship::insure", "null");
    assert_eq!((run.status_of("ship"), run.execution.status()), (NodeStatus::Failed, ExecutionStatus::Ending));
    run.check();
}

#[test]
fn an_optional_call_may_fail_and_what_comes_after_it_goes_on() {
    let mut run = Run::activated(compiled(order(Call::of(ship().build()).optional()).build()), "null");
    run.done("pack", "null");
    run.failed("ship::label", "no paper");
    run.done("bill", "null");
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    run.check();
}

#[test]
fn one_workflow_may_be_called_often_and_each_call_has_nodes_of_its_own() {
    let twice = Definition::builder("order").call("to", ship().build()).call("back", ship().build()).build();
    let mut run = Run::activated(compiled(twice), "null");
    for path in ["back::label", "to::label", "to::hand_over", "back::hand_over"] {
        run.done(path, &format!("{path:?}"));
    }
    assert_eq!(run.output(), r#"{"to":"to::hand_over","back":"back::hand_over"}"#);
    run.check();
}

#[test]
fn a_skipped_call_calls_nothing() {
    let order = Definition::builder("order").call("ship", ship().build()).when("input.go").task("bill", "work").build();
    let mut run = Run::activated(compiled(order), r#"{"go": false}"#);
    run.done("bill", "null");
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    assert!(!names(&run).iter().any(|(name, _)| name.starts_with("ship::")), "{:?}", names(&run));
    run.check();
}

#[test]
fn what_is_called_that_has_nothing_to_do_is_passed_in_the_same_turn() {
    let nothing = Definition::builder("nothing").build();
    let mut run = Run::activated(compiled(order(nothing).build()), "null");
    run.done("pack", "null");
    run.done("bill", "5");
    assert_eq!(run.output(), "5");
    run.check();
}

#[test]
fn the_names_of_an_object_are_bound_to_the_vars_of_both_sides() {
    let mut ship = ship().requires("go", DeclaredType::Boolean).build();
    for (name, kind) in [("tracking", DeclaredType::String), ("paid", DeclaredType::Json)] {
        ship.outputs.push(Declaration { name: name.to_owned(), kind, required: true, default: None });
    }
    let mut order = order(ship).build();
    let node = order.nodes.iter_mut().find(|node| node.id == "ship").unwrap();
    let crate::definition::NodeKind::Subworkflow(call) = &mut node.kind else { panic!() };
    call.with = None;
    call.input_bindings = [("go".to_owned(), "@parent.customer.hurry".into())].into();
    let outputs = [("tracking", "@child.label.number"), ("paid", "@parent.paid")];
    call.output_bindings = outputs.map(|(name, value)| (name.to_owned(), value.into())).into();
    let mut run = Run::activated(compiled(order.clone()), r#"{"customer": {"hurry": true}, "paid": "no"}"#);
    run.done("pack", r#"{"paid": 20}"#);
    assert_eq!(input_of(&run, "ship::label"), r#"{"go":true}"#);
    run.done("ship::label", r#"{"label": {"number": "T1"}}"#);
    run.done("ship::hand_over", "null");
    assert_eq!(run.output_at("ship"), r#"{"paid":20,"tracking":"T1"}"#);
    run.check();

    let mut run = Run::activated(compiled(order), "{}");
    run.done("pack", "null");
    let error = run.error();
    assert!(error.starts_with(r#"sub-workflow "Ship" (ship) could not be evaluated: `vars["customer"]"#), "{error}");
}

#[test]
fn a_recovery_takes_up_what_was_called() {
    let mut run = Run::activated(compiled(order(ship().build()).build()), "null");
    run.done("pack", "null");
    let before = run.work("ship::label");
    run.tell(Input::Recovered { epoch: Epoch(1), crashed: true });
    let late = Input::Outcome {
        dispatch: before,
        result: Ok(Payload::NULL),
        started: run.execution.at,
        ended: run.execution.at,
    };
    assert!(matches!(run.try_tell(late), Err(Refused::Stale { .. })));
    run.done("ship::label", "null");
    run.done("ship::hand_over", "null");
    run.done("bill", "null");
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    run.check();
}

#[test]
fn what_is_called_in_an_item_is_given_back_with_the_item() {
    let nested = compile(Definition::builder("body").call("ship", ship().build()).build(), &Registry::new()).unwrap();
    let root = Definition::builder("root").task("each", "work").task("after", "work").after("each").build();
    let map = compiled(root).with_bodies(vec![Body { node: "each", kind: OpeningKind::Items, definition: nested }]);
    let mut run = Run::activated(map, "[1,2]");
    for item in 0..2 {
        run.done(&format!("each[{item}]::ship::label"), "null");
        run.done(&format!("each[{item}]::ship::hand_over"), &format!("{item}"));
    }
    assert_eq!(run.output_at("each"), "[0,1]");
    assert!(run.execution.inner.is_empty() && run.execution.nests.len() == 1);
    assert_eq!(run.execution.counts(&run.definition).completed, 4);
    run.check();
}

#[test]
fn whatever_is_called_within_the_definition_is_in_its_hash() {
    let hash = |ship: Definition| compiled(order(ship).build()).hash();
    assert_eq!(hash(ship().build()), hash(ship().build()));
    assert_ne!(hash(ship().build()), hash(ship().task("more", "work").build()));
    let called = Definition::builder("order").call("ship", Call::to("ship", "1.0.0")).build();
    let brought = Definition::builder("order").call("ship", ship().build()).build();
    let registered = compile(called, &[ship().build()].into_iter().collect()).unwrap();
    assert_eq!(registered.hash(), compiled(brought).hash(), "wherever it was found");
    let again = compiled(registered.definition().clone());
    assert_eq!(again.hash(), registered.hash(), "what was compiled brings all it needs");
}

#[test]
fn a_share_of_failures_is_of_all_tasks_and_calls_of_the_graph_and_decided_as_early_as_it_is_certain() {
    let count = |percent, total| match (OnFailure::ToleratePercent { percent }).counted(total) {
        OnFailure::Tolerate { count } => count,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        [count(0, 7), count(25, 4), count(25, 3), count(33, 3), count(34, 3), count(100, 5)],
        [0, 1, 0, 0, 1, 5]
    );
    let four = |id: &str| {
        let tasks = ["a", "b", "c"].into_iter();
        let graph = tasks.fold(Definition::builder(id), |graph, task| graph.task(task, "work"));
        graph.task("d", "work").when("input.never is defined")
    };
    let tolerant = Call::of(four("inner").build()).on_failure(OnFailure::ToleratePercent { percent: 50 });
    let mut run = Run::activated(compiled(Definition::builder("order").call("call", tolerant).build()), "null");
    run.failed("call::a", "no");
    run.failed("call::b", "no");
    assert_eq!(run.execution.status(), ExecutionStatus::Running, "two of four, one of which is skipped");
    run.failed("call::c", "no");
    assert_eq!(run.execution.status(), ExecutionStatus::Failed);
    run.check();
    let own = four("own").on_failure(OnFailure::ToleratePercent { percent: 50 }).build();
    let mut run = Run::activated(compiled(own), "null");
    run.failed("a", "no");
    run.done("b", "1");
    run.failed("c", "no");
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    run.check();
}
