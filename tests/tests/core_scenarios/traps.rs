//! What goes wrong where workflows are judged by their last tasks, or by messages instead of states.

use finale_core::Execution;
use finale_core::definition::{
    Call, Definition, Inside, JoinStrategy, LoopCondition, Losers, OnFailure, Siblings, Task, Tolerance, TriggerRule,
};
use finale_core::execution::Turn;
use finale_core::record::{CompensationState, EndingKind};
use finale_tests::driven::Driven;

use super::*;

/// Tasks of this rule behind one that fails, which are all done in the end.
fn last_of(rule: TriggerRule, on_failure: OnFailure) -> Scenario {
    let builder = Definition::builder("w").on_failure(on_failure).task("work", "h");
    let builder = builder.task("tell", "h").after("work").trigger_rule(rule).task("also", "h").after("tell");
    Scenario::of(builder.build()).activate().fail("work", "no")
}

#[test]
fn a_last_task_that_is_done_makes_no_failed_execution_a_completed_one() {
    for rule in [TriggerRule::AllDone, TriggerRule::OneFailed, TriggerRule::AllFailed] {
        let _story = last_of(rule, OnFailure::WaitAll)
            .complete("tell", NULL)
            .complete("also", json!("told"))
            .expect_status(ExecutionStatus::Failed)
            .expect_error("task \"Work\" (work) failed: no")
            .look(|driven| assert_eq!(driven.execution().counts(driven.definition()).failed, 1));
    }
}

#[test]
fn a_finally_that_succeeds_makes_no_failed_execution_a_completed_one() {
    let builder = Definition::builder("w").task("work", "h").finally("tell");
    let story =
        Scenario::of(builder.build()).activate().fail("work", "no").complete("@finally::finally", json!("told"));
    let story = story.expect_status(ExecutionStatus::Failed);
    assert_eq!(story.outcome().ending_failures, []);
}

#[test]
fn under_fail_fast_rules_about_failures_hold_over_tolerated_ones_only() {
    let _ended = last_of(TriggerRule::OneFailed, OnFailure::FailFast)
        .expect_status(ExecutionStatus::Failed)
        .expect_skipped("tell", "the execution ended first");
    let optional = Definition::builder("w").task("work", Task::handler("h").optional());
    let optional = optional.task("tell", "h").after("work").trigger_rule(TriggerRule::OneFailed).build();
    let _story = Scenario::of(optional)
        .activate()
        .fail("work", "no")
        .complete("tell", NULL)
        .expect_status(ExecutionStatus::Completed)
        .look(|driven| assert_eq!(driven.execution().counts(driven.definition()).tolerated, 1));
}

#[test]
fn of_a_handled_failure_the_other_edges_are_dead_and_not_failed() {
    let builder = Definition::builder("w").on_failure(OnFailure::WaitAll);
    let builder = builder.task("ship", "h").catch("refund").task("refund", "h");
    let builder = builder.task("next", "h").after("ship");
    let builder = builder.task("alarm", "h").after("ship").trigger_rule(TriggerRule::OneFailed);
    let builder = builder.task("all", "h").after("ship").trigger_rule(TriggerRule::AllFailed);
    let builder = builder.task("none", "h").after("ship").trigger_rule(TriggerRule::NoneFailed);
    let _story = Scenario::of(builder.build())
        .activate()
        .fail("ship", "no van")
        .expect_nodes(&["next", "alarm", "all"], NodeStatus::Skipped)
        .expect_nodes(&["none", "refund"], NodeStatus::Running)
        .complete("none", NULL)
        .complete("refund", json!("back"))
        .expect_status(ExecutionStatus::Completed)
        .look(|driven| assert_eq!(driven.execution().counts(driven.definition()).handled, 1));
}

#[test]
fn a_share_of_failures_counts_those_that_took_too_long_and_a_whole_of_them_never_fails() {
    let tolerant = |percent| {
        let map = Definition::builder("w").map("each", "[1, 2, 3, 4]", "h").tolerate(Tolerance::Percent(percent));
        Scenario::of(map.task("next", "h").after("each").build()).activate().fail("each[0]::each", "no")
    };
    let timed_out = |story: Scenario, item: &str| story.fail_as(item, FailureClass::TimedOut, "too long");
    let _failed = timed_out(tolerant(25), "each[1]::each")
        .stopped("each[2]::each", StopOutcome::Stopped)
        .stopped("each[3]::each", StopOutcome::Stopped)
        .expect_node("each", NodeStatus::Failed)
        .expect_status(ExecutionStatus::Failed);
    let mut story = tolerant(100);
    for item in ["each[1]::each", "each[2]::each", "each[3]::each"] {
        story = timed_out(story, item);
    }
    let _story = story
        .expect_node("each", NodeStatus::Completed)
        .complete("next", NULL)
        .expect_status(ExecutionStatus::Completed)
        .look(|driven| assert_eq!(driven.execution().counts(driven.definition()).tolerated, 4));
}

/// A call of a workflow of one task, and what comes after it.
fn caller() -> Scenario {
    let called = Definition::builder("called").task("t", Task::handler("h")).build();
    Scenario::of(Definition::builder("w").call("call", Call::of(called)).task("next", "h").after("call").build())
        .activate()
}

#[test]
fn however_what_is_called_ends_its_caller_goes_on_or_ends_in_the_same_turn() {
    let _story = caller().complete("call::t", json!(1)).expect_node("next", NodeStatus::Running).complete("next", NULL);
    let classes = [
        FailureClass::Failed,
        FailureClass::Rejected,
        FailureClass::Deleted,
        FailureClass::TimedOut,
        FailureClass::Panicked,
        FailureClass::Lost,
    ];
    for class in classes {
        let story = caller().fail_as("call::t", class, "so");
        let failures = story.outcome().error().map(|error| error.failures().to_vec()).unwrap_or_default();
        assert_eq!(failures.iter().map(|failure| failure.class).collect::<Vec<_>>(), [class], "{class:?}");
    }
    // Somebody cancels the task alone: that is a failure, and no cancel of the execution.
    let _story = caller().cancel_task("call::t", "not wanted").expect_status(ExecutionStatus::Failed);
    let empty = Definition::builder("called").build();
    let empty = Definition::builder("w").call("call", Call::of(empty)).task("next", "h").after("call").build();
    let _next = Scenario::of(empty).activate().expect_node("next", NodeStatus::Running);
}

#[test]
fn after_a_cancel_no_scope_is_opened_whatever_was_to_open_one_next() {
    let called = || Call::of(Definition::builder("called").task("t", "h").build());
    let stories = [
        (Definition::builder("w").task("a", "h").call("call", called()).after("a"), "a"),
        (Definition::builder("w").map("each", "[1, 2]", "h").max_concurrency(1), "each[0]::each"),
        (Definition::builder("w").repeat("again", "h", LoopCondition::until("false"), 9), "again#1::again"),
    ];
    for (builder, at_work) in stories {
        let cancelled = Scenario::of(builder.build()).activate().cancel();
        let nodes = cancelled.record().nodes.len();
        let ended = cancelled.complete(at_work, json!(1)).expect_status(ExecutionStatus::Cancelled);
        assert_eq!(ended.record().nodes.len(), nodes, "nothing was opened: {at_work}");
        assert!(ended.record().nodes.iter().all(|node| node.state.status().is_settled()));
    }
}

#[test]
fn a_loser_that_is_a_scope_undoes_itself_and_a_plain_one_is_not_undone() {
    let slow =
        Definition::builder("slow").task("book", "h").compensate("unbook").task("pay", "h").after("book").build();
    let builder = Definition::builder("w").task("quick", "h").task("plain", "h").compensate("undo");
    let builder = builder.call("slow", Call::of(slow)).task("more", "h").after("plain");
    let builder = builder.join("first", JoinStrategy::Any).losers(Losers::Cancel).after_all(["quick", "more", "slow"]);
    let story = Scenario::of(builder.task("last", "h").after("first").build())
        .activate()
        .complete("plain", json!(1))
        .complete("slow::book", json!("seat 7"))
        .complete("quick", NULL)
        .stopped("more", StopOutcome::Stopped)
        .stopped("slow::pay", StopOutcome::Stopped)
        .expect_node("last", NodeStatus::Running)
        .complete("slow::book@compensate::book", NULL)
        .expect_nodes(&["slow", "more"], NodeStatus::Cancelled)
        .complete("last", NULL)
        .expect_status(ExecutionStatus::Completed);
    assert_eq!(story.node("slow::book").compensation, Some(CompensationState::Completed));
    assert_eq!(story.node("plain").compensation, None);
}

#[test]
fn the_deadline_stops_what_was_left_to_finish_and_nothing_of_the_end() {
    let builder = Definition::builder("w").siblings(Siblings::Finish).task("a", "h").task("b", "h").finally("tell");
    let story = Scenario::of(builder.build()).deadline(10 * SECOND).activate().fail("a", "no");
    let _story = story
        .expect_node("b", NodeStatus::Running)
        .advance(11 * SECOND)
        .stopped("b", StopOutcome::Stopped)
        .expect_node("@finally::finally", NodeStatus::Running)
        .advance(100 * SECOND)
        .complete("@finally::finally", NULL)
        .expect_error("task \"A\" (a) failed: no");
}

#[test]
fn a_join_of_a_hundred_thousand_counts_each_edge_once() {
    // With the join, the start and the end it is as many nodes as there may be.
    const BRANCHES: usize = 99_997;
    let ids = || (0..BRANCHES).map(|number| format!("t{number}"));
    let builder = ids().fold(Definition::builder("wide"), |builder, id| builder.task(id, "h"));
    let definition = builder.join("all", JoinStrategy::All).after_all(ids()).build();
    let driven = Driven::new(definition);
    let (compiled, now) = (driven.definition(), Time::from_micros(1));
    let mut execution = Execution::new(driven.execution().id(), compiled);
    let mut turn = Turn::new();
    let mut tell = |execution: &mut Execution, input| {
        execution.handle(compiled, now, input, &mut turn).expect("it is taken");
        let facts = turn.count();
        turn.discard();
        facts
    };
    tell(&mut execution, driven.activation(Payload::NULL, None));
    let join = WorkKey::root(compiled.position("all").expect("it is there"));
    for number in 0..BRANCHES {
        assert_eq!(execution.node_status(join), Some(NodeStatus::Pending));
        let key = WorkKey::root(NodeIndex(number as u32));
        let dispatch = Dispatch { key, attempt: attempt(1), epoch: Epoch(0) };
        let outcome = Input::Outcome { dispatch, result: Ok(Payload::NULL), started: now, ended: now };
        let facts = if number + 1 == BRANCHES { 2 } else { 1 };
        assert_eq!(tell(&mut execution, outcome), facts, "one for each, and one for the end");
    }
    assert_eq!(execution.status(), ExecutionStatus::Completed);
}

#[test]
fn what_undoes_an_item_is_told_beside_the_first_cause_wherever_it_fails() {
    let body = Inside::from("h").compensate("undo");
    let builder = Definition::builder("w").map("each", "[1, 2]", body).task("last", Task::handler("h")).after("each");
    let story = Scenario::of(builder.build())
        .activate()
        .complete("each[0]::each", NULL)
        .complete("each[1]::each", NULL)
        .fail("last", "no")
        .fail("each[1]::each@compensate::each", "it is glued")
        .complete("each[0]::each@compensate::each", NULL)
        .expect_error("task \"Last\" (last) failed: no");
    let [failure] = &*story.outcome().ending_failures else { panic!("one was not undone") };
    assert_eq!((failure.kind, failure.of.as_str()), (EndingKind::Compensation, "each[1]::each"));
}

#[test]
fn who_reads_the_output_of_a_skipped_node_fails_and_was_warned_of() {
    let reading = |input: &str| {
        let builder = Definition::builder("w").task("wrap", "h").task("pack", "h").when("input.pack");
        let builder = builder.task("ship", Task::handler("h").input(input)).after_all(["wrap", "pack"]);
        Scenario::of(builder.build()).input(json!({"pack": false})).activate().complete("wrap", NULL)
    };
    let failed = reading("nodes.pack.output").expect_status(ExecutionStatus::Failed);
    let failures = failed.outcome().error().map(|error| error.failures().to_vec()).unwrap_or_default();
    assert_eq!(failures[0].class, FailureClass::Expression);
    assert_eq!(failed.driven().definition().warnings().len(), 1);
    let asked = reading("nodes.pack.output | default(none)").expect_node("ship", NodeStatus::Running);
    assert!(asked.driven().definition().warnings().is_empty());
}
