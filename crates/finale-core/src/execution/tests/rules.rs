//! Rules, joins, failures that are handled and limits of splits, where nodes open scopes.

use super::*;
use crate::definition::{JoinStrategy, Losers, TriggerRule};

/// A map over three items, of which one may be at work at once behind a split, beside another branch.
fn bounded_map() -> Compiled {
    let root = Definition::builder("root")
        .split("split", Some(2))
        .task("each", "work")
        .after("split")
        .task("other", "work")
        .after("split")
        .join("all", JoinStrategy::All)
        .after_all(["each", "other"])
        .task("after", "work")
        .after("all")
        .build();
    compiled(root).with_bodies(vec![Body { node: "each", kind: OpeningKind::Items, definition: one_task("parse") }])
}

#[test]
fn a_split_bounds_the_handlers_in_all_scopes_inside() {
    let mut run = Run::activated(bounded_map(), "[1, 2, 3]");
    assert_eq!(run.at_work().len(), 2, "the other branch, and one item");
    assert_eq!(run.status_of("each[0]::parse"), NodeStatus::Running);
    assert_eq!(run.status_of("each[1]::parse"), NodeStatus::Ready);
    let why = run.execution.why(&run.definition).to_string();
    assert!(why.contains("each[1]::parse) for a slot: no more than 2 may be at work behind split"), "{why}");
    run.check();
    run.done("other", "0");
    assert_eq!(run.at_work().len(), 2);
    run.check();
    run.done("each[0]::parse", "1");
    run.done("each[1]::parse", "2");
    run.done("each[2]::parse", "3");
    run.done("after", "null");
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    assert!(run.execution.split_slots.as_ref().is_none_or(|slots| **slots == SplitSlots::default()), "all were left");
    run.check();
}

#[test]
fn items_of_a_scope_that_ends_give_their_slots_to_others() {
    let mut run = Run::activated(bounded_map(), "[1, 2, 3]");
    let other = run.work("other");
    run.failed("each[0]::parse", "bad");
    assert_eq!(run.execution.status(), ExecutionStatus::Ending);
    run.stopped(other);
    assert!(run.error().contains("each[0]::parse failed: bad"), "{}", run.error());
    run.check();
}

/// A call and a task race each other to a join.
fn race(losers: Losers) -> Compiled {
    let inside = Definition::builder("inside").task("first", "work").task("second", "work").after("first").build();
    let root = Definition::builder("root")
        .task("call", "work")
        .task("quick", "work")
        .join("any", JoinStrategy::Any)
        .after_all(["call", "quick"])
        .losers(losers)
        .task("after", "work")
        .after("any")
        .build();
    compiled(root).with_bodies(vec![Body { node: "call", kind: OpeningKind::Single, definition: compiled(inside) }])
}

#[test]
fn a_node_with_scopes_that_loses_is_closed_with_all_that_is_in_it() {
    let mut run = Run::activated(race(Losers::Cancel), "null");
    let first = run.work("call::first");
    run.done("quick", "1");
    let stop = Effect::Stop { dispatch: first, then: AfterStop::Report };
    assert!(run.effects.contains(&stop), "{:?}", run.effects);
    assert_eq!(run.status_of("call::second"), NodeStatus::Skipped);
    run.check();
    run.done("after", "2");
    assert_eq!(run.execution.status(), ExecutionStatus::Running, "it is judged when all have left");
    run.stopped(first);
    assert_eq!(run.status_of("call"), NodeStatus::Cancelled);
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    assert_eq!(run.status_of("call::second"), NodeStatus::Skipped, "what was closed can still be looked at");
    run.check();
}

#[test]
fn a_scope_that_fails_is_a_failure_that_a_join_can_do_without() {
    let mut run = Run::activated(race(Losers::Finish), "null");
    run.failed("call::first", "no");
    assert_eq!(run.status_of("call"), NodeStatus::Failed);
    assert_eq!(run.execution.status(), ExecutionStatus::Running);
    run.done("quick", "1");
    run.done("after", "2");
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    run.check();
}

#[test]
fn a_node_with_scopes_can_have_its_failure_handled_and_so_can_what_is_in_them() {
    let inside = || Definition::builder("inside").task("ship", "work").catch("cure").task("cure", "work").build();
    let root = Definition::builder("root").task("call", "work").catch("refund").task("refund", "work").build();
    let definition = || {
        compiled(root.clone()).with_bodies(vec![Body {
            node: "call",
            kind: OpeningKind::Single,
            definition: compiled(inside()),
        }])
    };
    let mut run = Run::activated(definition(), "null");
    run.failed("call::ship", "no van");
    let cure = run.work("call::cure").key;
    let handled = run.execution.handled_failures(&run.definition, cure);
    assert_eq!(handled.iter().map(|failure| failure.reason.as_str()).collect::<Vec<_>>(), ["no van"]);
    run.done("call::cure", "\"cured\"");
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    assert_eq!((run.execution.counts(&run.definition).handled, run.output()), (1, "\"cured\"".to_owned()));
    run.check();

    let mut run = Run::activated(definition(), "null");
    run.failed("call::ship", "no van");
    run.failed("call::cure", "no cure");
    let refund = run.work("refund").key;
    let handled = run.execution.handled_failures(&run.definition, refund);
    assert_eq!(handled[0].reason, "call::ship failed: no van; call::cure failed: no cure");
    run.done("refund", "1");
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    run.check();
}

#[test]
fn rules_hold_in_scopes_inside() {
    let inside = Definition::builder("inside")
        .on_failure(OnFailure::WaitAll)
        .task("a", "work")
        .task("b", "work")
        .task("alarm", "work")
        .after_all(["a", "b"])
        .trigger_rule(TriggerRule::OneFailed)
        .build();
    let root = Definition::builder("root").task("call", "work").build();
    let definition = compiled(root).with_bodies(vec![Body {
        node: "call",
        kind: OpeningKind::Single,
        definition: compiled(inside),
    }]);
    let mut run = Run::activated(definition, "null");
    run.failed("call::a", "no");
    assert_eq!(run.status_of("call::alarm"), NodeStatus::Running, "it does not wait for the other one");
    run.check();
    run.done("call::alarm", "null");
    run.done("call::b", "null");
    assert!(run.error().contains("call::a failed: no"), "{}", run.error());
}

#[test]
fn a_fan_in_of_failures_before_a_join_is_linear() {
    const BRANCHES: usize = 20_000;
    let mut builder = Definition::builder("wide");
    for number in 0..BRANCHES {
        builder = builder.task(format!("t{number}"), "work");
    }
    builder = builder.join("enough", JoinStrategy::AtLeast { count: 2 });
    builder = builder.after_all((0..BRANCHES).map(|number| format!("t{number}")));
    let mut run = Run::activated(compiled(builder.build()), "null");
    for number in 0..BRANCHES - 1 {
        assert_eq!(run.execution.status(), ExecutionStatus::Running);
        run.failed(&format!("t{number}"), "no");
    }
    assert_eq!(run.execution.status(), ExecutionStatus::Ending, "the last but one leaves too few");
    assert_eq!(run.execution.root.failures().len(), BRANCHES - 1);
    let last = run.at_work();
    run.stopped(last[0]);
    assert_eq!(run.execution.ended().map(|(status, _)| status), Some(Terminal::Failed));
}
