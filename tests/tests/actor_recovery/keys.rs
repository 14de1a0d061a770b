//! Idempotency keys and chosen ids mean the same in every life.

use finale::journal::{Acknowledgement, HeldJournal};
use finale::{ActivateError, ExecutionId, ExecutionStatus, Filter, Runtime, Shards, Workflow};
use finale_tests::actor::{Dummies, chart, for_each_journal_in_real_time, settle, workflow};
use finale_tests::lives::{for_each_life, for_each_restart, outcome};
use finale_tests::tasks::task_of;

fn asking() -> Workflow {
    chart("s>a a>e").outside("a").workflow()
}

async fn keyed(runtime: &Runtime, flow: &Workflow, input: u32, key: &str) -> Result<ExecutionId, ActivateError> {
    runtime.activate(flow, input).idempotency_key(key).await.map(|execution| execution.id())
}

fn is_conflict(refused: &Result<ExecutionId, ActivateError>, with: ExecutionId) -> bool {
    matches!(refused, Err(ActivateError::IdempotencyConflict { execution, .. }) if *execution == with)
}

#[actix::test]
async fn a_repetition_gives_the_execution_of_the_life_before_whether_it_lives_or_not() {
    for_each_restart(async |lives, how| {
        let (flow, first) = (asking(), lives.next().start().unwrap());
        let live = keyed(&first, &flow, 1, "live").await.unwrap();
        let ended = keyed(&first, &flow, 2, "ended").await.unwrap();
        first.complete_task(task_of(ended, &flow, "a"), ()).await.unwrap();
        outcome(&first, ended).await;
        let mut runtime = first;
        for _ in 0..3 {
            runtime = lives.restart(&runtime, how).await.start().unwrap();
            for moment in ["at once", "after the recovery"] {
                assert_eq!(keyed(&runtime, &flow, 1, "live").await.unwrap(), live, "{moment}");
                assert_eq!(keyed(&runtime, &flow, 2, "ended").await.unwrap(), ended, "{moment}");
                assert!(is_conflict(&keyed(&runtime, &flow, 2, "live").await, live), "{moment}");
                assert!(is_conflict(&keyed(&runtime, &flow, 1, "ended").await, ended), "{moment}");
                settle().await;
            }
        }
        runtime.complete_task(task_of(live, &flow, "a"), ()).await.unwrap();
        outcome(&runtime, live).await;
        assert_eq!(keyed(&runtime, &flow, 1, "live").await.unwrap(), live);
        assert_eq!(runtime.executions(Filter::new()).await.unwrap().executions.len(), 2);
    })
    .await;
}

#[actix::test]
async fn a_handle_of_a_repetition_sees_the_end() {
    for_each_restart(async |lives, how| {
        let (flow, first) = (asking(), lives.next().start().unwrap());
        let id = keyed(&first, &flow, 1, "order").await.unwrap();
        let second = lives.restart(&first, how).await.start().unwrap();
        let again = second.activate(&flow, 1).idempotency_key("order").await.unwrap();
        second.complete_task(task_of(id, &flow, "a"), "done").await.unwrap();
        assert_eq!(again.outcome().await.unwrap().output::<String>().unwrap(), "done");
    })
    .await;
}

#[actix::test]
async fn an_id_that_the_journal_knows_cannot_be_chosen_again() {
    for_each_restart(async |lives, how| {
        let (flow, first) = (asking(), lives.next().start().unwrap());
        let live = first.activate(&flow, ()).await.unwrap().id();
        let ended = first.activate(&flow, ()).await.unwrap().id();
        first.complete_task(task_of(ended, &flow, "a"), ()).await.unwrap();
        let damaged = first.activate(&flow, ()).await.unwrap().id();
        lives.journal.damage(damaged);
        let second = lives.restart(&first, how).await.start().unwrap();
        for _ in ["at once", "after the recovery"] {
            for id in [live, ended, damaged] {
                let refused = second.activate(&flow, ()).id(id).await.unwrap_err();
                assert!(matches!(refused, ActivateError::IdConflict(other) if other == id), "{refused:?}");
            }
            settle().await;
        }
    })
    .await;
}

#[actix::test]
async fn new_ids_do_not_collide_with_those_of_the_life_before() {
    for_each_life(async |lives| {
        let flow = asking();
        let mut runtime = lives.next().start().unwrap();
        for life in 1..=5 {
            for _ in 0..20 {
                runtime.activate(&flow, ()).await.unwrap();
            }
            runtime = lives.crash().start().unwrap();
            settle().await;
            assert_eq!(runtime.open_tasks(None, 1_000).await.unwrap().tasks.len(), 20 * life);
        }
    })
    .await;
}

fn shared(journal: &HeldJournal, shards: u16) -> Runtime {
    Runtime::builder().shards(Shards::Own(shards)).journal(journal.clone()).done("b").start().expect("it starts")
}

#[actix::test]
async fn keys_ids_and_executions_survive_a_change_of_the_number_of_shards() {
    for_each_journal_in_real_time(async |journal| {
        let (flow, numbers) = (asking(), 0..24);
        let mut runtime = shared(&journal, 2);
        let mut ids = Vec::new();
        for number in numbers.clone() {
            ids.push(keyed(&runtime, &flow, number, &format!("order {number}")).await.unwrap());
        }
        for (id, _) in ids.iter().zip(0..8) {
            runtime.complete_task(task_of(*id, &flow, "a"), ()).await.unwrap();
        }
        for shards in [3, 1, 3, 2] {
            journal.crash();
            runtime = shared(&journal, shards);
            for (number, id) in numbers.clone().zip(&ids) {
                assert_eq!(keyed(&runtime, &flow, number, &format!("order {number}")).await.unwrap(), *id);
                let other = keyed(&runtime, &flow, number + 1, &format!("order {number}")).await;
                assert!(is_conflict(&other, *id), "{other:?}");
                let chosen = runtime.activate(&flow, number).id(*id).await.unwrap_err();
                assert!(matches!(chosen, ActivateError::IdConflict(other) if other == *id), "{chosen:?}");
            }
            let new = runtime.activate(&workflow("s>b b>e"), ()).await.unwrap();
            assert_eq!(new.outcome().await.unwrap().status(), ExecutionStatus::Completed);
        }
        for id in &ids[8..] {
            runtime.complete_task(task_of(*id, &flow, "a"), ()).await.unwrap();
        }
        for id in ids {
            assert_eq!(outcome(&runtime, id).await.status(), ExecutionStatus::Completed);
        }
        assert_eq!(runtime.executions(Filter::new()).await.unwrap().executions.len(), 24 + 4);
    })
    .await;
}

#[actix::test]
async fn a_repetition_that_comes_to_another_shard_does_not_wait_for_the_recovery() {
    for_each_journal_in_real_time(async |journal| {
        let (flow, numbers) = (asking(), 0..1_000);
        let first = shared(&journal, 2);
        let mut ids = Vec::new();
        for number in numbers.clone() {
            ids.push(keyed(&first, &flow, number, &format!("order {number}")).await.unwrap());
        }
        journal.crash();
        let second = shared(&journal, 2);
        for (number, id) in numbers.zip(ids).rev() {
            assert_eq!(keyed(&second, &flow, number, &format!("order {number}")).await.unwrap(), id);
        }
    })
    .await;
}

#[actix::test]
async fn a_key_whose_activation_was_not_durable_is_free() {
    for_each_life(async |lives| {
        let (flow, first) = (asking(), lives.next().start().unwrap());
        lives.journal.set(Acknowledgement::Held);
        let lost = actix::spawn(first.activate(&flow, 1).idempotency_key("order").start());
        settle().await;
        let builder = lives.crash();
        lives.journal.set(Acknowledgement::Late);
        let second = builder.start().unwrap();
        keyed(&second, &flow, 2, "order").await.unwrap();
        assert!(!lost.is_finished());
    })
    .await;
}
