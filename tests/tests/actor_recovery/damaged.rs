//! A history that cannot be read harms its own execution only, and stays in sight until somebody decides.

use finale::{Abandoned, CommandError, ExecutionId, ExecutionStatus, Filter, ReportError, Runtime, Workflow};
use finale_tests::actor::{chart, settle};
use finale_tests::lives::{End, Lives, for_each_life, for_each_restart, outcome};
use finale_tests::tasks::task_of;

fn asking() -> Workflow {
    chart("s>a a>e").outside("a").workflow()
}

/// A runtime that finds three executions, of which the middle one is damaged.
async fn one_of_three(lives: &Lives, how: End) -> (Runtime, [ExecutionId; 3]) {
    let first = lives.next().start().expect("it starts");
    let mut ids = [first.new_execution_id(), first.new_execution_id(), first.new_execution_id()];
    for id in &mut ids {
        *id = first.activate(&asking(), ()).await.expect("it is activated").id();
    }
    lives.journal.damage(ids[1]);
    (lives.restart(&first, how).await.start().expect("it starts"), ids)
}

#[actix::test]
async fn it_is_parked_for_all_to_see_and_others_go_on() {
    for_each_restart(async |lives, how| {
        let (runtime, [before, damaged, after]) = one_of_three(&lives, how).await;
        settle().await;
        for id in [before, after] {
            runtime.complete_task(task_of(id, &asking(), "a"), ()).await.unwrap();
            assert_eq!(outcome(&runtime, id).await.status(), ExecutionStatus::Completed);
        }
        let execution = runtime.execution(damaged).await.unwrap();
        assert_eq!(execution.status().await.unwrap(), ExecutionStatus::Quarantined);
        let why = execution.why().await.unwrap();
        assert_eq!(why.status, ExecutionStatus::Quarantined);
        assert!(!why.error.unwrap().is_empty());
        assert!(matches!(execution.snapshot().await, Err(CommandError::Invalid(_))));
        assert!(matches!(execution.cancel("me").await, Err(CommandError::Invalid(_))));
        let released = runtime.release_execution(damaged).await;
        assert!(matches!(released, Err(CommandError::Invalid(_))), "{released:?}");
        let report = runtime.complete_task(task_of(damaged, &asking(), "a"), ()).await;
        assert!(matches!(report, Err(ReportError::Invalid(_))), "{report:?}");
        let listed = runtime.executions(Filter::new().status(ExecutionStatus::Quarantined)).await.unwrap().executions;
        assert_eq!(listed.iter().map(|summary| summary.id).collect::<Vec<_>>(), [damaged]);
        assert!(listed[0].error.is_some());
        let health = runtime.health();
        assert_eq!((health.quarantined, health.recovering), (1, 0));
    })
    .await;
}

#[actix::test]
async fn an_operator_fails_it_for_good() {
    for_each_restart(async |lives, how| {
        let (runtime, [_, damaged, _]) = one_of_three(&lives, how).await;
        let execution = runtime.execution(damaged).await.unwrap();
        let waiting = actix::spawn(execution.outcome());
        let blank = runtime.fail_execution(damaged, "me", " ").await;
        assert!(matches!(blank, Err(CommandError::Invalid(_))), "{blank:?}");
        runtime.fail_execution(damaged, "me", "nobody can read it").await.unwrap();
        let ended = waiting.await.unwrap().unwrap();
        assert_eq!(ended.error().unwrap().to_string(), "nobody can read it");
        assert_eq!(runtime.health().quarantined, 0);
        let again = runtime.fail_execution(damaged, "me", "again").await;
        assert_eq!(again, Err(CommandError::NotRunning(ExecutionStatus::Failed)));
        let third = lives.restart(&runtime, how).await.start().unwrap();
        assert_eq!(third.health().recovering, 2);
        let kept = outcome(&third, damaged).await;
        assert_eq!((kept.status(), kept.completed_at), (ExecutionStatus::Failed, ended.completed_at));
        assert_eq!(kept.error().unwrap().to_string(), "nobody can read it");
        let listed = third.executions(Filter::new().status(ExecutionStatus::Failed)).await.unwrap().executions;
        assert_eq!(listed.iter().map(|summary| summary.id).collect::<Vec<_>>(), [damaged]);
        assert_eq!(listed[0].completed_at, Some(ended.completed_at));
        let report = third.complete_task(task_of(damaged, &asking(), "a"), ()).await;
        assert_eq!(report, Err(ReportError::AlreadyTerminal(ExecutionStatus::Failed)));
    })
    .await;
}

#[actix::test]
async fn one_that_was_repaired_goes_on_when_it_is_released() {
    for_each_restart(async |lives, how| {
        let (runtime, [_, damaged, _]) = one_of_three(&lives, how).await;
        let execution = runtime.execution(damaged).await.unwrap();
        lives.journal.repair(damaged);
        runtime.release_execution(damaged).await.unwrap();
        assert_eq!((execution.status().await.unwrap(), runtime.health().quarantined), (ExecutionStatus::Running, 0));
        runtime.complete_task(task_of(damaged, &asking(), "a"), "done").await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().output::<String>().unwrap(), "done");
    })
    .await;
}

#[actix::test]
async fn one_that_was_repaired_goes_on_by_itself_in_the_next_life() {
    for_each_restart(async |lives, how| {
        let (runtime, [_, damaged, _]) = one_of_three(&lives, how).await;
        settle().await;
        lives.journal.repair(damaged);
        let third = lives.restart(&runtime, how).await.start().unwrap();
        third.complete_task(task_of(damaged, &asking(), "a"), "done").await.unwrap();
        assert_eq!(outcome(&third, damaged).await.status(), ExecutionStatus::Completed);
        assert_eq!(third.health().quarantined, 0);
    })
    .await;
}

#[actix::test]
async fn whoever_waits_for_it_hears_that_the_runtime_stops() {
    for_each_life(async |lives| {
        let (runtime, [_, damaged, _]) = one_of_three(&lives, End::Crash).await;
        let waiting = actix::spawn(runtime.execution(damaged).await.unwrap().outcome());
        let report = runtime.shutdown(std::time::Duration::from_secs(1)).await;
        assert_eq!(waiting.await.unwrap(), Err(Abandoned));
        assert_eq!(report.unfinished, 3);
        let (runtime, [_, damaged, _]) = one_of_three(&lives, End::Crash).await;
        let waiting = actix::spawn(runtime.execution(damaged).await.unwrap().outcome());
        settle().await;
        lives.journal.fail("the disk is full");
        assert_eq!(waiting.await.unwrap(), Err(Abandoned));
    })
    .await;
}

#[actix::test]
async fn asked_about_before_its_turn_it_does_not_keep_the_recovery_from_its_end() {
    for_each_life(async |lives| {
        let first = lives.next().start().unwrap();
        let damaged = first.activate(&asking(), ()).await.unwrap().id();
        lives.journal.damage(damaged);
        let second = lives.crash().start().unwrap();
        assert_eq!(second.health().recovering, 1);
        let execution = second.execution(damaged).await.unwrap();
        assert_eq!(execution.status().await.unwrap(), ExecutionStatus::Quarantined);
        settle().await;
        assert_eq!((second.health().recovering, second.health().quarantined), (0, 1));
    })
    .await;
}
