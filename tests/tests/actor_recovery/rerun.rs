//! What is done stays done; what was at work is run again under the same name.

use std::time::Duration;

use finale::{ExecutionStatus, TaskContext, TaskError};
use finale_tests::actor::{Any, Dummies, Gate, chart, only_failure, settle, workflow};
use finale_tests::lives::{Diary, Noted, for_each_life, for_each_restart, outcome};

#[actix::test]
async fn what_is_done_is_not_run_again_and_what_was_at_work_is() {
    for_each_restart(async |lives, how| {
        let (diary, gate) = (Diary::default(), Gate::closed());
        let first = lives.next().noted("a", &diary).noted_at("b c", &diary, &gate).start().unwrap();
        let id = first.activate(&workflow("s>a a>b b>c c>e"), ()).await.unwrap().id();
        settle().await;
        let second = lives.restart(&first, how).await.noted("a b c", &diary).start().unwrap();
        assert_eq!(outcome(&second, id).await.output::<String>().unwrap(), "c");
        assert_eq!(diary.told(), ["a 1", "b 1", "b 2", "c 1"]);
        let runs = diary.runs();
        assert_eq!(runs[1].task, runs[2].task, "the same task under the same name");
        assert_eq!(second.health().after_crash, how == finale_tests::lives::End::Crash);
    })
    .await;
}

#[actix::test]
async fn only_those_branches_that_were_at_work_are_run_again() {
    for_each_restart(async |lives, how| {
        let (diary, gate) = (Diary::default(), Gate::closed());
        let first = lives.next().noted("a d", &diary).noted_at("b c", &diary, &gate).handler_limit("c", 1);
        let first = first.start().unwrap();
        let flow = workflow("s>p p:branch>a p:branch>b p:branch>c a>join b>join c>join join>d d>e");
        let id = first.activate(&flow, ()).await.unwrap().id();
        settle().await;
        let second = lives.restart(&first, how).await.noted("a b c d", &diary).start().unwrap();
        assert_eq!(outcome(&second, id).await.counts.completed, 4);
        let (mut attempts, mut expected) = (diary.told(), ["a 1", "b 1", "c 1", "b 2", "c 2", "d 1"]);
        attempts.sort_unstable();
        expected.sort_unstable();
        assert_eq!(attempts, expected);
    })
    .await;
}

#[actix::test]
async fn every_life_gives_a_lost_task_a_higher_attempt() {
    for_each_restart(async |lives, how| {
        let (diary, gate) = (Diary::default(), Gate::closed());
        let mut runtime = lives.next().noted_at("a", &diary, &gate).start().unwrap();
        let id = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap().id();
        for attempt in 1..=4 {
            settle().await;
            assert_eq!(diary.attempts("a").last(), Some(&attempt));
            runtime = lives.restart(&runtime, how).await.noted_at("a", &diary, &gate).start().unwrap();
        }
        settle().await;
        gate.open();
        assert_eq!(outcome(&runtime, id).await.status(), ExecutionStatus::Completed);
        assert_eq!(diary.attempts("a"), [1, 2, 3, 4, 5]);
    })
    .await;
}

#[actix::test]
async fn being_lost_uses_up_no_retries() {
    for_each_restart(async |lives, how| {
        let flow = chart("s>a a>e").retry("a", 2, Duration::from_secs(10)).workflow();
        let number = |task: TaskContext, _: Any| async move {
            Err::<(), _>(TaskError::new(format!("number {}", task.attempt())))
        };
        let first = lives.next().never("a").start().unwrap();
        let id = first.activate(&flow, ()).await.unwrap().id();
        settle().await;
        let second = lives.restart(&first, how).await.never("a").start().unwrap();
        settle().await;
        let third = lives.restart(&second, how).await.handler("a", number).start().unwrap();
        assert_eq!(only_failure(&outcome(&third, id).await).1, "number 4", "two were lost, two failed");
    })
    .await;
}

#[actix::test]
async fn what_the_handlers_of_the_old_life_come_to_changes_nothing() {
    for_each_life(async |lives| {
        let (old, new, diary) = (Gate::closed(), Gate::closed(), Diary::default());
        let first = lives.next().noted_at("a", &diary, &old).noted("b", &diary).start().unwrap();
        let id = first.activate(&workflow("s>a a>b b>e"), ()).await.unwrap().id();
        settle().await;
        let second = lives.crash().noted_at("a", &diary, &new).noted("b", &diary).start().unwrap();
        settle().await;
        old.open();
        settle().await;
        assert_eq!(second.execution(id).await.unwrap().status().await.unwrap(), ExecutionStatus::Running);
        assert_eq!(diary.told(), ["a 1", "a 2"]);
        new.open();
        assert_eq!(outcome(&second, id).await.status(), ExecutionStatus::Completed);
        assert_eq!(diary.told(), ["a 1", "a 2", "b 1"]);
    })
    .await;
}

#[actix::test]
async fn a_task_that_waited_for_a_place_waits_for_one_again() {
    for_each_restart(async |lives, how| {
        let gate = Gate::closed();
        let first = lives.next().never("a").handler_limit("a", 1).start().unwrap();
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(first.activate(&workflow("s>a a>e"), ()).await.unwrap().id());
        }
        settle().await;
        let second = lives.restart(&first, how).await.gated("a", &gate).handler_limit("a", 1).start().unwrap();
        settle().await;
        assert_eq!(gate.inside(), 1);
        gate.open();
        for id in ids {
            assert_eq!(outcome(&second, id).await.status(), ExecutionStatus::Completed);
        }
        assert_eq!((gate.begun(), gate.inside_max()), (3, 1));
    })
    .await;
}

#[actix::test]
async fn the_record_and_the_events_tell_of_both_lives() {
    for_each_restart(async |lives, how| {
        let first = lives.next().never("a").start().unwrap();
        let execution = first.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        let mut events = execution.events().await.unwrap();
        let seen = events.next().await.unwrap().expect("it began").number.expect("it is recorded");
        let second = lives.restart(&first, how).await.done("a").start().unwrap();
        let execution = second.execution(execution.id()).await.unwrap();
        let mut events = execution.events_after(seen).await.unwrap();
        let mut last = seen;
        while let Some(event) = events.next().await.unwrap() {
            let number = event.number.expect("it is recorded");
            assert!(number > last, "{event:?} after {last:?}");
            last = number;
        }
        let record = execution.snapshot().await.unwrap();
        assert_eq!(record.state.status(), ExecutionStatus::Completed);
        assert_eq!(last.sequence, 4, "activated, recovered, done, ended");
    })
    .await;
}
