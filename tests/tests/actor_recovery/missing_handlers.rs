//! An execution whose handler is not registered any more is parked, visibly, until a runtime has it again.

use finale::{CommandError, Definition, ExecutionStatus, Filter, LoopCondition, Runtime, Workflow};
use finale_tests::actor::{Dummies, Gate, chart, settle, workflow};
use finale_tests::lives::{Diary, Noted, for_each_life, for_each_restart, outcome};
use finale_tests::tasks::task_of;

const MISSING: &str = r#"no handler "b" is registered"#;

async fn quarantined(runtime: &Runtime) -> Vec<finale::ExecutionId> {
    let filter = Filter::new().status(ExecutionStatus::Quarantined);
    let listed = runtime.executions(filter).await.expect("the runtime answers").executions;
    listed.iter().map(|summary| summary.id).collect()
}

#[actix::test]
async fn it_is_parked_for_all_to_see_and_others_go_on() {
    for_each_restart(async |lives, how| {
        let first = lives.next().never("a b").start().unwrap();
        let victim = first.activate(&workflow("s>a a>b b>e"), ()).await.unwrap().id();
        let other = first.activate(&workflow("s>a a>e"), ()).await.unwrap().id();
        settle().await;
        let second = lives.restart(&first, how).await.done("a").start().unwrap();
        assert_eq!(outcome(&second, other).await.status(), ExecutionStatus::Completed);
        let execution = second.execution(victim).await.unwrap();
        assert_eq!(execution.status().await.unwrap(), ExecutionStatus::Quarantined);
        assert_eq!(execution.why().await.unwrap().error.as_deref(), Some(MISSING));
        assert_eq!(execution.snapshot().await.unwrap().state.status(), ExecutionStatus::Quarantined);
        assert_eq!(quarantined(&second).await, [victim]);
        assert_eq!((second.health().quarantined, second.health().recovering), (1, 0));
        let refused = second.release_execution(victim).await;
        assert_eq!(refused, Err(CommandError::Invalid(MISSING.to_owned())));
        assert_eq!(execution.status().await.unwrap(), ExecutionStatus::Quarantined);
    })
    .await;
}

#[actix::test]
async fn it_goes_on_by_itself_when_the_handler_is_back() {
    for_each_restart(async |lives, how| {
        let diary = Diary::default();
        let first = lives.next().noted("a", &diary).never("b").start().unwrap();
        let id = first.activate(&workflow("s>a a>b b>e"), ()).await.unwrap().id();
        settle().await;
        let second = lives.restart(&first, how).await.noted("a", &diary).start().unwrap();
        settle().await;
        assert_eq!(second.health().quarantined, 1);
        let gate = Gate::closed();
        let builder = lives.restart(&second, how).await.noted("a", &diary);
        let third = builder.noted_at("b", &diary, &gate).start().unwrap();
        settle().await;
        assert_eq!(third.health().quarantined, 0);
        assert_eq!(quarantined(&third).await, []);
        gate.open();
        assert_eq!(outcome(&third, id).await.status(), ExecutionStatus::Completed);
        assert_eq!(diary.attempts("b").len(), 1);
    })
    .await;
}

#[actix::test]
async fn a_handler_that_is_not_needed_any_more_parks_nothing() {
    for_each_restart(async |lives, how| {
        let flow = chart("s>q q:true>a q:false>b a>c c>e b>e").condition("q", "true").workflow();
        let first = lives.next().done("a b").never("c").start().unwrap();
        let id = first.activate(&flow, ()).await.unwrap().id();
        settle().await;
        let second = lives.restart(&first, how).await.done("c").start().unwrap();
        assert_eq!(outcome(&second, id).await.status(), ExecutionStatus::Completed);
    })
    .await;
}

#[actix::test]
async fn one_that_only_the_body_of_a_map_or_a_loop_needs_is_missed_too() {
    for_each_restart(async |lives, how| {
        let body = || Definition::builder("body").task("first", "a").task("then", "b").after("first").build();
        let map = Workflow::builder("map").map("each", "input", body()).max_concurrency(1).build().unwrap();
        let condition = LoopCondition::until("true");
        let repeat = Workflow::builder("repeat").repeat("again", body(), condition, 3).build().unwrap();
        let later = Workflow::builder("later").task("wait", "a").map("each", "input", body()).after("wait");
        let first = lives.next().never("a b").start().unwrap();
        let mut ids = Vec::new();
        for flow in [map, repeat, later.build().unwrap()] {
            ids.push(first.activate(&flow, [1, 2]).await.unwrap().id());
        }
        settle().await;
        let second = lives.restart(&first, how).await.done("a").start().unwrap();
        settle().await;
        for id in &ids {
            let execution = second.execution(*id).await.unwrap();
            assert_eq!(execution.status().await.unwrap(), ExecutionStatus::Quarantined);
            assert_eq!(execution.why().await.unwrap().error.as_deref(), Some(MISSING));
        }
        let third = lives.restart(&second, how).await.done("a b").start().unwrap();
        for id in ids {
            assert_eq!(outcome(&third, id).await.status(), ExecutionStatus::Completed);
        }
    })
    .await;
}

#[actix::test]
async fn an_operator_can_end_it() {
    for_each_restart(async |lives, how| {
        let first = lives.next().never("a b").start().unwrap();
        let flow = workflow("s>a a>b b>e");
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(first.activate(&flow, ()).await.unwrap().id());
        }
        settle().await;
        let diary = Diary::default();
        let second = lives.restart(&first, how).await.noted("a", &diary).start().unwrap();
        settle().await;
        second.fail_execution(ids[0], "me", "no use").await.unwrap();
        second.complete_execution(ids[1], "me").await.unwrap();
        second.cancel_execution(ids[2], "me").await.unwrap();
        let expected = [ExecutionStatus::Failed, ExecutionStatus::Completed, ExecutionStatus::Cancelled];
        for (id, status) in ids.iter().zip(expected) {
            assert_eq!(outcome(&second, *id).await.status(), status);
        }
        assert!(diary.runs().is_empty());
        assert_eq!(second.health().quarantined, 0);
        let third = lives.restart(&second, how).await.start().unwrap();
        for (id, status) in ids.iter().zip(expected) {
            assert_eq!(outcome(&third, *id).await.status(), status);
        }
    })
    .await;
}

#[actix::test]
async fn a_word_that_changes_nothing_does_not_let_it_go_on() {
    for_each_life(async |lives| {
        let flow = workflow("s>v v:pass>b v:fail>e v:refer>e b>e");
        let first = lives.next().never("b").start().unwrap();
        let id = first.activate(&flow, ()).await.unwrap().id();
        let second = lives.crash().start().unwrap();
        settle().await;
        let blank = second.fail_execution(id, "me", " ").await;
        assert!(matches!(blank, Err(CommandError::Invalid(_))), "{blank:?}");
        let verdict = actix::spawn({
            let second = second.clone();
            async move { second.give_verdict(id, "v", finale_core::definition::Verdict::Pass, "me").await }
        });
        settle().await;
        assert_eq!(second.execution(id).await.unwrap().status().await.unwrap(), ExecutionStatus::Quarantined);
        assert!(!verdict.is_finished(), "it waits for the operator with all other mail");
        second.cancel_execution(id, "me").await.unwrap();
        verdict.await.unwrap().unwrap_err();
    })
    .await;
}

#[actix::test]
async fn a_report_waits_until_it_is_released_or_ended() {
    for_each_life(async |lives| {
        let flow = chart("s>a a>b b>e").outside("a").workflow();
        let first = lives.next().never("b").start().unwrap();
        let id = first.activate(&flow, ()).await.unwrap().id();
        let second = lives.crash().start().unwrap();
        settle().await;
        let task = task_of(id, &flow, "a");
        let report = actix::spawn({
            let second = second.clone();
            async move { second.complete_task(task, ()).await }
        });
        settle().await;
        assert!(!report.is_finished());
        let third = lives.crash().done("b").start().unwrap();
        third.complete_task(task, ()).await.unwrap();
        assert_eq!(outcome(&third, id).await.status(), ExecutionStatus::Completed);
    })
    .await;
}
