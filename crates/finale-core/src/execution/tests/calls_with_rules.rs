//! Calls among trigger rules, joins, handlers of failures and splits with a limit, and all of these inside of calls.

use super::*;
use crate::compile::compile;
use crate::compiled::Step;
use crate::definition::{Call, DefinitionBuilder, JoinStrategy, Losers, Node, TriggerRule};
use crate::record::NodeRecordState;

fn ship() -> Definition {
    Definition::builder("ship").task("label", "work").task("hand_over", "work").after("label").build()
}

/// Packs, calls, and bills what was called.
fn order(ship: impl Into<Call>) -> DefinitionBuilder {
    Definition::builder("order").task("pack", "work").call("ship", ship).after("pack")
}

/// Two calls and a task before a join that closes losers, and a task behind it.
fn race(left: Definition, right: Definition) -> Compiled {
    let race = Definition::builder("race")
        .call("left", left)
        .call("right", right)
        .task("own", "work")
        .join("heard", JoinStrategy::Any)
        .after_all(["left", "right", "own"])
        .losers(Losers::Cancel)
        .task("report", "work")
        .after("heard");
    compiled(race.build())
}

/// A nested call beside a task that is done outside.
fn carried() -> Definition {
    let carrier = Definition::builder("carrier").task("book", "work").build();
    Definition::builder("carried").call("carry", carrier).task("ask", Task::external()).build()
}

fn skipped_because(run: &Run, id: &str) -> String {
    let record = run.execution.record(&run.definition);
    let node = record.nodes.into_iter().find(|node| node.id == id).unwrap_or_else(|| panic!("there is no {id}"));
    match node.state {
        NodeRecordState::Skipped { reason } => reason,
        other => panic!("{id} is {other:?}"),
    }
}

fn inputs(run: &Run) -> Vec<String> {
    let input = |effect: &Effect| match effect {
        Effect::Run { input, .. } => Some(format!("{:?}", input.clone().unwrap_or_default())),
        _ => None,
    };
    run.effects.iter().filter_map(input).collect()
}

fn stops(run: &Run) -> Vec<WorkKey> {
    let stop = |effect: &Effect| if let Effect::Stop { dispatch, .. } = effect { Some(dispatch.key) } else { None };
    let mut stops: Vec<_> = run.effects.iter().filter_map(stop).collect();
    stops.sort_unstable();
    stops
}

#[test]
fn a_join_in_a_called_workflow_goes_on_with_the_first_and_closes_the_others() {
    let quote = Definition::builder("quote")
        .task("north", "work")
        .task("south", "work")
        .task("east", "work")
        .join("heard", JoinStrategy::Any)
        .after_all(["north", "south", "east"])
        .losers(Losers::Cancel)
        .task("book", "work")
        .after("heard")
        .build();
    let mut run = Run::activated(compiled(order(quote).build()), "null");
    run.done("pack", "null");
    let [north, south, east] = ["north", "south", "east"].map(|node| run.work(&format!("ship::{node}")));
    assert_eq!(run.at_work().len(), 3);
    run.done("ship::south", "1");
    assert_eq!(stops(&run), [north.key, east.key]);
    run.done("ship::book", "5");
    assert_eq!(run.status_of("ship"), NodeStatus::Waiting, "the losers have not left yet");
    run.stopped(north);
    let late = Input::Outcome {
        dispatch: east,
        result: Ok(Payload::NULL),
        started: run.execution.at,
        ended: run.execution.at,
    };
    run.tell(late);
    assert_eq!(run.status_of("ship::east"), NodeStatus::Cancelled, "what a closed one reports changes nothing");
    assert_eq!((run.output_at("ship"), run.status_of("ship::north")), ("5".to_owned(), NodeStatus::Cancelled));
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    let again = Input::Stopped { dispatch: south, how: crate::fact::StopOutcome::Stopped };
    assert!(run.try_tell(again).is_err());
    run.check();
}

#[test]
fn the_failure_of_a_call_is_handled_by_a_node() {
    let order = || {
        let order = order(ship()).catch("refund").task("bill", "work").after("ship");
        order.task("refund", Task::handler("work").input("failure.reason")).build()
    };
    let mut run = Run::activated(compiled(order()), "null");
    run.done("pack", "null");
    run.failed("ship::label", "no paper");
    assert_eq!(run.status_of("ship"), NodeStatus::Failed);
    assert_eq!(skipped_because(&run, "bill"), "ship failed, which refund handles");
    assert_eq!(inputs(&run).last().unwrap(), r#""ship::label failed: no paper""#);
    run.done("refund", "\"given back\"");
    assert_eq!(run.output(), "\"given back\"", "in place of what was not billed");
    run.check();

    let mut run = Run::activated(compiled(order()), "null");
    run.done("pack", "null");
    run.failed("ship::label", "no paper");
    run.failed("refund", "no money");
    let error = run.error();
    assert!(error.starts_with(r#"sub-workflow "Ship" (ship) failed: ship::label failed: no paper"#), "{error}");
    assert!(error.contains("no money"), "{error}");
    run.check();
}

#[test]
fn a_failure_inside_of_a_call_is_handled_inside() {
    let ship = Definition::builder("ship")
        .task("label", "work")
        .catch("by_hand")
        .task("hand_over", "work")
        .after("label")
        .task("by_hand", Task::handler("work").input("failures"))
        .output("nodes.by_hand.output if nodes.by_hand.status == 'completed' else nodes.hand_over.output")
        .build();
    let mut run = Run::activated(compiled(order(ship).task("bill", "work").after("ship").build()), "null");
    run.done("pack", "null");
    run.failed("ship::label", "no paper");
    assert_eq!(skipped_because(&run, "ship::hand_over"), "label failed, which by_hand handles");
    let key = run.work("ship::by_hand").key;
    let handled = run.execution.handled_failures(&run.definition, key);
    assert_eq!(
        handled.iter().map(|failure| (&*failure.node, &*failure.reason)).collect::<Vec<_>>(),
        [("label", "no paper")]
    );
    run.done("ship::by_hand", "9");
    assert_eq!(run.output_at("ship"), "9");
    run.done("bill", "null");
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    let counts = run.execution.counts(&run.definition);
    assert_eq!((counts.failed, counts.handled, counts.tolerated), (1, 1, 0));
    run.check();
}

#[test]
fn without_an_output_expression_a_call_gives_what_handled_the_failure_of_its_last_task() {
    let ship = Definition::builder("ship").task("label", "work").catch("by_hand").task("by_hand", "work").build();
    let mut run = Run::activated(compiled(order(ship).build()), "null");
    run.done("pack", "null");
    run.failed("ship::label", "no paper");
    run.done("ship::by_hand", "9");
    assert_eq!((run.output_at("ship"), run.output()), ("9".to_owned(), "9".to_owned()));
    run.check();
}

#[test]
fn a_call_that_has_lost_is_closed_with_all_that_is_in_it() {
    let mut run = Run::activated(race(carried(), ship()), "null");
    let (book, label) = (run.work("left::carry::book"), run.work("right::label"));
    run.done("own", "1");
    assert_eq!(run.status_of("report"), NodeStatus::Running, "it waits for nobody");
    assert_eq!(stops(&run), [label.key, book.key], "also what is two levels down");
    let is_withdrawn = |effect: &Effect| matches!(effect, Effect::Withdraw { .. });
    assert_eq!(run.effects.iter().filter(|effect| is_withdrawn(effect)).count(), 1);
    assert_eq!(run.status_of("left::ask"), NodeStatus::Cancelled);
    assert_eq!(run.status_of("right::hand_over"), NodeStatus::Skipped);
    assert_eq!(run.status_of("left"), NodeStatus::Waiting, "its handler has not left yet");
    run.done("report", "2");
    assert_eq!(run.execution.status(), ExecutionStatus::Running);
    run.check();
    run.stopped(book);
    run.failed("right::label", "told to stop");
    let nodes = ["left", "left::carry", "left::carry::book", "right"];
    assert_eq!(nodes.map(|node| run.status_of(node)), [NodeStatus::Cancelled; 4]);
    assert_eq!(run.status_of("right::label"), NodeStatus::Failed, "what it reported is kept, and changes nothing");
    assert_eq!(run.output(), "2");
    run.check();
}

#[test]
fn what_loses_before_anybody_has_heard_of_it_begins_nothing_inside() {
    let race = Definition::builder("race")
        .task("left", "work")
        .task("right", "work")
        .task("own", "work")
        .join("heard", JoinStrategy::Any)
        .after_all(["left", "right", "own"])
        .losers(Losers::Cancel)
        .task("report", "work")
        .after("heard");
    let body = |node, definition| Body { node, kind: OpeningKind::Single, definition: compiled(definition) };
    let nothing = Definition::builder("nothing").build();
    let bodies = vec![body("left", ship()), body("right", nothing)];
    let mut run = Run::activated(compiled(race.build()).with_bodies(bodies), "null");
    assert_eq!((run.effects.len(), run.status_of("report")), (1, NodeStatus::Running), "{:?}", run.effects);
    assert_eq!((run.status_of("left"), run.status_of("own")), (NodeStatus::Cancelled, NodeStatus::Skipped));
    run.done("report", "3");
    assert_eq!(run.output(), "3");
    run.check();
}

#[test]
fn what_would_handle_the_failure_of_a_call_that_has_lost_is_skipped() {
    let race = Definition::builder("race")
        .call("left", ship())
        .catch("mend")
        .task("own", "work")
        .join("heard", JoinStrategy::Any)
        .after_all(["left", "own"])
        .losers(Losers::Cancel)
        .task("mend", "work");
    let mut run = Run::activated(compiled(race.build()), "null");
    let label = run.work("left::label");
    run.done("own", "1");
    assert_eq!(skipped_because(&run, "mend"), "left did not fail");
    run.stopped(label);
    assert_eq!((run.status_of("left"), run.execution.status()), (NodeStatus::Cancelled, ExecutionStatus::Completed));
    run.check();
}

#[test]
fn the_failure_of_a_call_before_a_join_counts_when_the_join_can_go_on_no_more() {
    let race = Definition::builder("race")
        .call("left", ship())
        .task("own", "work")
        .join("heard", JoinStrategy::Any)
        .after_all(["left", "own"])
        .build();
    let mut run = Run::activated(compiled(race), "null");
    run.failed("left::label", "no paper");
    assert_eq!(run.execution.status(), ExecutionStatus::Running, "nobody needs it yet");
    run.failed("own", "no time");
    assert!(run.error().contains("left::label failed: no paper"), "{}", run.error());
    run.check();
}

#[test]
fn the_failure_of_an_optional_call_is_one_for_rules_about_failures() {
    let order = order(Call::of(ship()).optional())
        .task("bill", "work")
        .after("ship")
        .task("complain", "work")
        .after("ship")
        .trigger_rule(TriggerRule::OneFailed)
        .task("praise", "work")
        .after("ship")
        .trigger_rule(TriggerRule::AllSuccess);
    let definition = compiled(order.build());
    assert_eq!(definition.warnings(), [], "it can fail while the execution goes on");
    let mut run = Run::activated(definition, "null");
    run.done("pack", "null");
    run.failed("ship::label", "no paper");
    assert_eq!((run.status_of("bill"), run.status_of("complain")), (NodeStatus::Running, NodeStatus::Running));
    assert_eq!(skipped_because(&run, "praise"), "its trigger rule all_success did not hold");
    run.check();
}

#[test]
fn a_call_that_handles_failures_sees_them() {
    let refund = Definition::builder("refund").task("pay", Task::handler("work").input("input.why")).build();
    let call = Call::of(refund).input("{'why': failure.reason}").output("[output, failures | length]");
    let order = Definition::builder("order").task("charge", "work").catch("refund").call("refund", call).build();
    let mut run = Run::activated(compiled(order), "null");
    run.failed("charge", "declined");
    assert_eq!(inputs(&run).last().unwrap(), "\"declined\"");
    run.done("refund::pay", "20");
    assert_eq!(run.output(), "[20,1]");
    run.check();
}

#[test]
fn what_a_call_and_its_failure_cannot_be_is_refused() {
    let refused = |definition: Definition| compile(definition, &Registry::default()).unwrap_err().to_string();
    let twice = refused(order(Call::of(ship()).optional()).catch("mend").task("mend", "work").build());
    assert!(twice.contains("on_failure_optional"), "{twice}");
    for call in [Call::of(ship()).output("failure"), Call::of(ship()).input("failure")] {
        let unknown = refused(order(call).build());
        assert!(unknown.contains("\"ship\" reads `failure`, which is known only at a node that"), "{unknown}");
    }
}

#[test]
fn the_limit_of_a_split_bounds_handlers_inside_of_calls() {
    let parallel = Definition::builder("parallel").task("a", "work").task("b", "work").build();
    let order = Definition::builder("order")
        .split("all", Some(2))
        .call("left", parallel.clone())
        .after("all")
        .call("right", parallel)
        .after("all")
        .task("own", "work")
        .after("all")
        .join("done", JoinStrategy::All)
        .after_all(["left", "right", "own"]);
    let mut run = Run::activated(compiled(order.build()), "null");
    let mut done = 0;
    while let [first, ..] = run.at_work()[..] {
        assert_eq!(run.at_work().len(), 2.min(5 - done), "after {done}");
        let path = run.execution.path(&run.definition, first.key).unwrap().to_string();
        run.done(&path, "null");
        done += 1;
    }
    assert_eq!((done, run.execution.status()), (5, ExecutionStatus::Completed));
    run.check();
}

#[test]
fn a_split_of_a_called_workflow_bounds_each_call_for_itself() {
    let bounded = Definition::builder("bounded")
        .split("all", Some(1))
        .task("a", "work")
        .after("all")
        .task("b", "work")
        .after("all")
        .join("done", JoinStrategy::All)
        .after_all(["a", "b"])
        .build();
    let calls = Definition::builder("calls")
        .call("left", bounded.clone())
        .call("right", Call::of(bounded).on_failure(OnFailure::WaitAll));
    let mut run = Run::activated(compiled(calls.build()), "null");
    let states = |run: &Run| ["left::a", "left::b", "right::a", "right::b"].map(|path| run.status_of(path));
    let (running, ready) = (NodeStatus::Running, NodeStatus::Ready);
    assert_eq!(states(&run), [running, ready, running, ready]);
    let why = run.execution.why(&run.definition).to_string();
    assert!(why.contains("no more than 1 may be at work behind left::all"), "{why}");
    run.failed("right::a", "no");
    assert_eq!(states(&run), [running, ready, NodeStatus::Failed, running], "this call goes on after failures");
    run.done("left::a", "null");
    assert_eq!(run.status_of("left::b"), running);
    run.check();
}

#[test]
fn a_call_that_is_closed_gives_back_the_places_of_its_handlers() {
    let race = Definition::builder("race")
        .split("all", Some(2))
        .call("left", Definition::builder("parallel").task("a", "work").task("b", "work").build())
        .after("all")
        .task("own", "work")
        .after("all")
        .join("heard", JoinStrategy::Any)
        .after_all(["left", "own"])
        .losers(Losers::Cancel);
    let mut run = Run::activated(compiled(race.build()), "null");
    let ours = run.at_work();
    assert_eq!((ours.len(), run.status_of("left::b")), (2, NodeStatus::Ready));
    run.done("own", "null");
    assert_eq!(run.status_of("left::b"), NodeStatus::Skipped);
    run.stopped(run.work("left::a"));
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    run.check();
}

#[test]
fn rules_of_a_called_workflow_are_warned_of_unless_its_caller_lets_it_go_on() {
    let nightly = || {
        let nightly = Definition::builder("nightly").task("backup", "work").task("tell", "work").after("backup");
        nightly.trigger_rule(TriggerRule::OneFailed).build()
    };
    let warnings = |call: Call| compiled(order(call).build()).warnings().len();
    assert_eq!(warnings(Call::of(nightly())), 1);
    assert_eq!(warnings(Call::of(nightly()).on_failure(OnFailure::WaitAll)), 0);
}

#[test]
fn what_waits_for_its_first_scope_ends_with_what_it_is_in() {
    let both = Definition::builder("both").task("each", "work").task("one", "work").build();
    let bodies = [("each", OpeningKind::Items), ("one", OpeningKind::Single)];
    let bodies = bodies.map(|(node, kind)| Body { node, kind, definition: one_task("task") });
    let items = format!("[{}]", vec!["1"; 3 * edges::CONSEQUENCES_MAX as usize].join(","));
    let mut run = Run::activated(compiled(both).with_bodies(bodies.into()), &items);
    assert!(run.execution.continuing, "scopes are still to be opened");
    let handlers = run.at_work();
    run.tell(Input::Command(Command::Cancel { by: "jo".into() }));
    assert_eq!(run.status_of("one"), NodeStatus::Cancelled);
    handlers.into_iter().for_each(|dispatch| run.stopped(dispatch));
    assert_eq!(run.execution.status(), ExecutionStatus::Cancelled);
    run.check();
}

#[test]
fn every_node_of_a_called_workflow_keeps_the_rule_that_it_has_there() {
    let inner = Definition::builder("inner")
        .task("a", "work")
        .task("b", "work")
        .after("a")
        .trigger_rule(TriggerRule::AllDone)
        .build();
    let compiled = compiled(order(inner).build());
    let ruled =
        |node: &Node| compiled.position(&node.id).is_some_and(|at| compiled.at(at).rule != TriggerRule::Default);
    assert!(!compiled.definition().nodes.iter().any(ruled));
    let called = &compiled.graphs[1];
    let place = called.index["b"];
    let b = compiled.at(NodeIndex(called.first + place));
    assert_eq!((b.rule, b.step), (TriggerRule::AllDone, Step::Handle));
    assert_eq!(called.in_degrees[place as usize], 1 | crate::compiled::RULED);
}
