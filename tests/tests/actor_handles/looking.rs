//! What is seen of an execution is durable, whoever looks.

use finale::journal::{Acknowledgement, HeldJournal, JournalReader};
use finale::{ExecutionHandle, ExecutionStatus, Record, Workflow};
use finale_core::record::{End, State};
use finale_tests::actor::{Dummies, Gate, chart, for_each_journal, runtime, settle, workflow};
use finale_tests::tasks::task_of;

#[actix::test]
async fn an_execution_is_pending_until_its_activation_is_durable() {
    tokio::time::pause();
    let journal = HeldJournal::new(Acknowledgement::Held);
    let runtime = runtime(&journal).done("a").start().unwrap();
    let id = runtime.new_execution_id();
    let waiting = actix::spawn(runtime.activate(&workflow("s>a a>e"), ()).id(id).start());
    settle().await;
    let execution = runtime.execution(id).await.unwrap();
    assert_eq!(execution.status().await, Ok(ExecutionStatus::Pending));
    let snapshot = {
        let seen = execution.clone();
        actix::spawn(async move { seen.snapshot().await })
    };
    let why = {
        let seen = execution.clone();
        actix::spawn(async move { seen.why().await })
    };
    settle().await;
    assert!(!snapshot.is_finished() && !why.is_finished(), "what is not durable is not shown");
    journal.release();
    assert_eq!(snapshot.await.unwrap().unwrap().state.status(), ExecutionStatus::Running);
    assert_eq!(why.await.unwrap().unwrap().status, ExecutionStatus::Running);
    waiting.await.unwrap().unwrap();
    assert_eq!(execution.status().await, Ok(ExecutionStatus::Running));
}

#[actix::test]
async fn an_end_that_is_not_durable_is_seen_by_nobody() {
    tokio::time::pause();
    let journal = HeldJournal::new(Acknowledgement::Immediate);
    let gate = Gate::closed();
    let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
    let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
    settle().await;
    journal.set(Acknowledgement::Held);
    gate.open();
    settle().await;
    assert!(journal.held() > 0, "the end is appended");
    let outcome = actix::spawn(execution.outcome());
    let snapshot = {
        let seen = execution.clone();
        actix::spawn(async move { seen.snapshot().await })
    };
    settle().await;
    assert_eq!(execution.status().await, Ok(ExecutionStatus::Running));
    let listed = runtime.executions(finale::Filter::new()).await.unwrap().executions;
    assert_eq!((listed[0].status, listed[0].completed_at), (ExecutionStatus::Running, None));
    assert!(!outcome.is_finished() && !snapshot.is_finished());
    journal.release();
    assert_eq!(outcome.await.unwrap().unwrap().status(), ExecutionStatus::Completed);
    assert_eq!(snapshot.await.unwrap().unwrap().state.status(), ExecutionStatus::Completed);
}

#[actix::test]
async fn an_execution_whose_end_is_decided_says_so_until_nothing_runs_any_more() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).never("a").start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        settle().await;
        let cancelling = {
            let it = execution.clone();
            actix::spawn(async move { it.cancel("ann").await })
        };
        settle().await;
        assert_eq!(execution.status().await, Ok(ExecutionStatus::Ending));
        assert_eq!(execution.snapshot().await.unwrap().state.status(), ExecutionStatus::Ending);
        assert_eq!(execution.why().await.unwrap().status, ExecutionStatus::Ending);
        cancelling.await.unwrap().unwrap();
        assert_eq!(execution.status().await, Ok(ExecutionStatus::Cancelled));
    })
    .await;
}

async fn expect_fold(journal: &HeldJournal, execution: &ExecutionHandle, workflow: &Workflow) -> Record {
    execution.outcome().await.unwrap();
    let history = journal.history(execution.id()).unwrap().unwrap();
    let folded = finale_core::Execution::fold(execution.id(), workflow.compiled(), &history).unwrap();
    let snapshot = execution.snapshot().await.unwrap();
    assert_eq!(snapshot, folded.record(workflow.compiled()));
    assert_eq!(execution.why().await.unwrap(), folded.why(workflow.compiled()));
    snapshot
}

#[actix::test]
async fn after_the_end_a_snapshot_is_what_the_history_comes_to() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a b").failing("c").never("d").start().unwrap();
        for edges in ["s>a a>b b>e", "s>a a>c c>e", "s>x x:branch>a x:branch>c x:branch>d a>join c>join d>join join>e"]
        {
            let workflow = workflow(edges);
            let execution = runtime.activate(&workflow, 5).by("ann").await.unwrap();
            let record = expect_fold(&journal, &execution, &workflow).await;
            let State::Ended(outcome) = record.state else { panic!("{:?}", record.state) };
            assert_eq!(outcome, *execution.outcome().await.unwrap());
        }
    })
    .await;
}

#[actix::test]
async fn a_record_is_written_flat_with_microseconds_and_reads_back() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a").failing("c").start().unwrap();
        let ask = chart("s>b b>e").outside("b").workflow();
        let completed = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        let failed = runtime.activate(&workflow("s>c c>e"), ()).await.unwrap();
        let cancelled = runtime.activate(&ask, ()).await.unwrap();
        let running = runtime.activate(&ask, ()).await.unwrap();
        cancelled.cancel("ann").await.unwrap();
        completed.outcome().await.unwrap();
        failed.outcome().await.unwrap();
        settle().await;
        for (execution, status) in
            [(&completed, "completed"), (&failed, "failed"), (&cancelled, "cancelled"), (&running, "running")]
        {
            let record = execution.snapshot().await.unwrap();
            let flat = serde_json::to_value(&record).unwrap();
            assert_eq!(flat["status"], status);
            assert_eq!(flat["completed_at"].is_string(), status != "running");
            assert_eq!(flat["error"].is_string(), status == "failed");
            expect_microseconds(flat["created_at"].as_str().unwrap());
            flat["completed_at"].as_str().into_iter().for_each(expect_microseconds);
            assert_eq!(serde_json::from_value::<Record>(flat).unwrap(), record);
        }
    })
    .await;
}

/// `2026-01-31T12:00:00.000000Z`
fn expect_microseconds(text: &str) {
    let (_, fraction) = text.split_once('.').unwrap_or_else(|| panic!("{text} has no fraction"));
    assert!(fraction.len() == 7 && fraction.ends_with('Z'), "{text}");
}

#[actix::test]
async fn why_says_what_is_waited_for_and_then_why_it_ended_so() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let ask = chart("s>b b>e").outside("b").workflow();
        let execution = runtime.activate(&ask, ()).await.unwrap();
        settle().await;
        let why = execution.why().await.unwrap();
        assert_eq!(why.awaited.len(), 1);
        assert_eq!((why.awaited[0].node.as_str(), why.awaited[0].title.as_str()), ("b", "Do b"));
        let failure = finale::Failure::new(finale::FailureClass::Rejected, "not now");
        runtime.fail_task(task_of(execution.id(), &ask, "b"), failure).await.unwrap();
        execution.outcome().await.unwrap();
        let why = execution.why().await.unwrap();
        assert_eq!((why.awaited.len(), why.status), (0, ExecutionStatus::Failed));
        assert_eq!(why.error.as_deref(), Some("task \"Do b\" (b) rejected: not now"));
    })
    .await;
}

#[actix::test]
async fn the_output_of_the_only_last_task_is_that_of_the_execution() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a").start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        let outcome = execution.outcome().await.unwrap();
        let End::Completed { output } = &outcome.end else { panic!("{outcome:?}") };
        assert_eq!(output.as_bytes(), b"\"a\"");
    })
    .await;
}

#[actix::test]
async fn a_snapshot_says_what_it_was_given_and_what_is_to_be_done() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let ask = chart("s>b b>e").outside("b").workflow();
        let activation = runtime.activate(&ask, 5).by("ann").idempotency_key("i 1").business_key("b 1");
        let execution = activation.deadline(std::time::Duration::from_secs(60)).await.unwrap();
        let check = |record: Record| {
            assert_eq!((record.input.decode::<u32>().unwrap(), record.activated_by.as_str()), (5, "ann"));
            assert_eq!(record.idempotency_key.as_deref(), Some("i 1"));
            assert_eq!(record.business_key.as_deref(), Some("b 1"));
            let deadline = record.created_at.after(std::time::Duration::from_secs(60));
            assert_eq!(record.deadline, Some(deadline));
            assert_eq!(record.nodes.iter().find(|node| node.id == "b").unwrap().title, "Do b");
            let text = serde_json::to_string(&record).unwrap();
            assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
        };
        check(execution.snapshot().await.unwrap());
        assert_eq!(execution.workflow().await.unwrap().hash(), ask.hash());
        execution.complete("b", ()).await.unwrap();
        execution.outcome().await.unwrap();
        check(execution.snapshot().await.unwrap());
        assert_eq!(execution.workflow().await.unwrap().hash(), ask.hash(), "also when it is read from the journal");
    })
    .await;
}

#[actix::test]
async fn a_snapshot_says_what_became_of_each_attempt() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let ask = chart("s>b b>e").outside("b").task("b", |task| task.retry.attempts = 3).workflow();
        let execution = runtime.activate(&ask, ()).await.unwrap();
        for reason in ["busy", "ill"] {
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
            execution.fail("b", finale::Failure::new(finale::FailureClass::Failed, reason)).await.unwrap();
        }
        let check = |record: &Record| {
            let node = record.nodes.iter().find(|node| node.id == "b").unwrap();
            let attempts: Vec<_> = node.earlier.iter().map(|one| (one.attempt.get(), one.error.as_str())).collect();
            assert_eq!(attempts, [(1, "failed: busy"), (2, "failed: ill")]);
            for one in &node.earlier {
                assert_eq!(one.completed_at.since(one.started_at).as_secs(), 2);
            }
        };
        check(&execution.snapshot().await.unwrap());
        execution.complete("b", ()).await.unwrap();
        execution.outcome().await.unwrap();
        let record = execution.snapshot().await.unwrap();
        check(&record);
        assert_eq!(serde_json::from_str::<Record>(&serde_json::to_string(&record).unwrap()).unwrap(), record);
    })
    .await;
}
