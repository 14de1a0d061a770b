//! What undoes tasks and what runs at the end, in runtimes that follow each other, and on both journals.

use std::time::Duration;

use finale::journal::{MemoryJournal, SqliteJournal};
use finale::{
    CancelReceipt, ExecutionId, ExecutionStatus, Failure, FailureClass, Inside, Runtime, Shards, Task, TaskContext,
    TaskError, TaskReport, Workflow,
};
use finale_tests::actor::{Any, Gate, settle};
use finale_tests::lives::{Diary, Noted, for_each_restart, outcome};

/// Everything is done outside, so that each step is told by the test.
fn order() -> Workflow {
    let order = Workflow::builder("order")
        .task("reserve", Task::external())
        .compensate(Task::external())
        .task("charge", Task::external())
        .compensate(Task::external())
        .after("reserve")
        .task("ship", Task::external())
        .after("charge")
        .finally(Task::external());
    order.build().unwrap()
}

async fn open(runtime: &Runtime, id: ExecutionId) -> Vec<String> {
    settle().await;
    let open = runtime.open_tasks_of(id).await.unwrap();
    open.into_iter().map(|task| task.node).collect()
}

const STEPS: [(&str, bool); 6] = [
    ("reserve", true),
    ("charge", true),
    ("ship", false),
    ("charge@compensate::charge", true),
    ("reserve@compensate::reserve", false),
    ("@finally::finally", true),
];

/// Before each step, and before several of them, the application is started again.
#[actix::test]
async fn an_end_goes_on_over_a_restart_between_any_two_steps() {
    for_each_restart(async |lives, how| {
        for restarts in [1, 2, 4, 8, 16, 32, 63_u32] {
            let mut runtime = lives.next().start().unwrap();
            let id = runtime.activate(&order(), ()).await.unwrap().id();
            for (number, (path, is_done)) in STEPS.into_iter().enumerate() {
                if restarts & (1 << number) != 0 {
                    settle().await;
                    runtime = lives.restart(&runtime, how).await.start().unwrap();
                }
                assert_eq!(open(&runtime, id).await, [path], "restarts {restarts:b}");
                let report = if is_done {
                    TaskReport::completed("done")
                } else {
                    TaskReport::failed(Failure::new(FailureClass::Failed, "no"))
                };
                runtime.execution(id).await.unwrap().report(path, report).await.unwrap();
            }
            let outcome = outcome(&runtime, id).await;
            assert_eq!(outcome.status(), ExecutionStatus::Failed);
            assert_eq!(outcome.error().unwrap().to_string(), "task \"Ship\" (ship) failed: no");
            assert_eq!(outcome.counts.compensated, 1);
            let [failure] = &outcome.ending_failures[..] else { panic!("{:?}", outcome.ending_failures) };
            assert!(failure.to_string().starts_with("the compensation of reserve failed: "), "{failure}");
            runtime.shutdown(Duration::from_millis(10)).await;
        }
    })
    .await;
}

/// The only task of each item is undone by itself, whenever the application is started again.
#[actix::test]
async fn items_are_undone_one_by_one_over_a_restart_between_any_two_steps() {
    const STEPS: [(&str, bool); 5] = [
        ("book[1]::book", true),
        ("book[0]::book", true),
        ("last", false),
        ("book[0]::book@compensate::book", true),
        ("book[1]::book@compensate::book", true),
    ];
    for_each_restart(async |lives, how| {
        for restarts in [2, 4, 8, 16, 31_u32] {
            let book = Inside::from(Task::external()).compensate(Task::external().input("[item, output]"));
            let flow =
                Workflow::builder("trip").map("book", "input", book).task("last", Task::external()).after("book");
            let mut runtime = lives.next().start().unwrap();
            let id = runtime.activate(&flow.build().unwrap(), [5, 6]).await.unwrap().id();
            for (number, (path, is_done)) in STEPS.into_iter().enumerate() {
                if restarts & (1 << number) != 0 {
                    settle().await;
                    runtime = lives.restart(&runtime, how).await.start().unwrap();
                }
                let open = open(&runtime, id).await;
                assert_eq!(open.len(), if number == 0 { 2 } else { 1 }, "restarts {restarts:b}: {open:?}");
                let report = if is_done {
                    TaskReport::completed(number)
                } else {
                    TaskReport::failed(Failure::new(FailureClass::Failed, "no"))
                };
                runtime.execution(id).await.unwrap().report(path, report).await.unwrap();
            }
            let outcome = outcome(&runtime, id).await;
            assert_eq!((outcome.status(), outcome.counts.compensated), (ExecutionStatus::Failed, 2));
            runtime.shutdown(Duration::from_millis(10)).await;
        }
    })
    .await;
}

/// Handlers of the end are lost with their process like all others, and run again; what is done is not.
#[actix::test]
async fn handlers_of_an_end_run_again_after_a_restart_and_never_when_they_were_done() {
    for_each_restart(async |lives, how| {
        let (diary, gate) = (Diary::default(), Gate::closed());
        let flow = Workflow::builder("order")
            .task("charge", "charge")
            .compensate("undo")
            .task("ship", "ship")
            .after("charge")
            .finally("tell")
            .build()
            .unwrap();
        let ship = |_: TaskContext, _: Any| async { Err::<(), _>(TaskError::new("no van").permanent()) };
        let first = lives.next().noted("charge tell", &diary).noted_at("undo", &diary, &gate).handler("ship", ship);
        let first = first.start().unwrap();
        let id = first.activate(&flow, ()).await.unwrap().id();
        settle().await;
        assert_eq!(first.execution(id).await.unwrap().status().await.unwrap(), ExecutionStatus::Ending);
        let second = lives.restart(&first, how).await.noted("charge undo tell", &diary).handler("ship", ship);
        let second = second.start().unwrap();
        let outcome = outcome(&second, id).await;
        assert_eq!((outcome.status(), outcome.counts.compensated), (ExecutionStatus::Failed, 1));
        // The only task of what undoes a task is called like that.
        assert_eq!(diary.told(), ["charge 1", "charge 1", "charge 2", "finally 1"]);
    })
    .await;
}

/// The handlers of an end are given their permits, their inputs and their grace like all others.
#[actix::test]
async fn ends_run_on_both_journals_and_a_forced_cancel_cuts_them_short() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = SqliteJournal::open(folder.path().join("journal.db")).unwrap();
    let builder = || Runtime::builder().shards(Shards::Current).grace(Duration::from_millis(5));
    for builder in [builder().journal(MemoryJournal::new()), builder().journal(sqlite)] {
        let gate = Gate::closed();
        let undone = |_: TaskContext, receipt: String| async move {
            assert_eq!(receipt, "paid");
            Ok::<_, TaskError>(())
        };
        let runtime = builder
            .handler("charge", |_: TaskContext, _: Any| async { Ok::<_, TaskError>("paid") })
            .handler("ship", |_: TaskContext, _: Any| async { Err::<(), _>(TaskError::new("no van").permanent()) })
            .handler("undo", undone)
            .handler("tell", gate.handler())
            .start()
            .unwrap();
        let flow = Workflow::builder("order")
            .task("charge", "charge")
            .compensate(Task::handler("undo").input("output"))
            .task("ship", "ship")
            .after("charge")
            .finally("tell")
            .build()
            .unwrap();
        let execution = runtime.activate(&flow, ()).await.unwrap();
        while gate.begun() == 0 {
            tokio::task::yield_now().await;
        }
        let record = execution.snapshot().await.unwrap();
        let running: Vec<_> =
            record.nodes.iter().filter(|node| node.state.status() == finale::NodeStatus::Running).collect();
        assert_eq!((running.len(), &*running[0].id), (1, "@finally::finally"));
        let CancelReceipt { status, tasks, .. } = execution.cancel_forced("the operator").await.unwrap();
        assert_eq!(status, ExecutionStatus::Failed, "what was decided stays");
        assert_eq!((tasks.len(), tasks[0].node.as_str()), (1, "@finally::finally"));
        let outcome = execution.outcome().await.unwrap();
        assert_eq!(outcome.ending_failures[0].to_string(), "finally was not finished: it was cut short");
        assert_eq!(outcome.counts.compensated, 1);
        runtime.shutdown(Duration::from_secs(5)).await;
    }
}

/// Also what nobody needs until something fails is missed before it is too late.
#[actix::test]
async fn what_only_an_end_needs_is_missed_at_a_restart() {
    for_each_restart(async |lives, how| {
        let (diary, gate) = (Diary::default(), Gate::closed());
        let flow =
            Workflow::builder("order").task("charge", "charge").compensate("undo").finally("tell").build().unwrap();
        let first = lives.next().noted("undo tell", &diary).noted_at("charge", &diary, &gate).start().unwrap();
        let id = first.activate(&flow, ()).await.unwrap().id();
        settle().await;
        for registered in ["charge undo", "charge tell"] {
            let second = lives.restart(&first, how).await.noted(registered, &diary).start().unwrap();
            settle().await;
            let status = second.execution(id).await.unwrap().status().await.unwrap();
            assert_eq!(status, ExecutionStatus::Quarantined, "only {registered}");
            second.shutdown(Duration::from_millis(10)).await;
        }
        let last = lives.next().noted("charge undo tell", &diary).start().unwrap();
        assert_eq!(outcome(&last, id).await.status(), ExecutionStatus::Completed);
    })
    .await;
}

#[actix::test]
async fn an_end_that_lacks_a_handler_begins_only_if_it_is_forced() {
    for_each_restart(async |lives, how| {
        let diary = Diary::default();
        let flow = Workflow::builder("order").task("charge", Task::external()).finally("tell").build().unwrap();
        let first = lives.next().noted("tell", &diary).start().unwrap();
        let id = first.activate(&flow, ()).await.unwrap().id();
        settle().await;
        let second = lives.restart(&first, how).await.start().unwrap();
        settle().await;
        let execution = second.execution(id).await.unwrap();
        assert_eq!(execution.status().await.unwrap(), ExecutionStatus::Quarantined);
        let refused = execution.cancel("me").await.unwrap_err();
        assert!(refused.to_string().contains("its end needs the handler \"tell\""), "{refused}");
        settle().await;
        assert_eq!(execution.status().await.unwrap(), ExecutionStatus::Quarantined);
        execution.cancel_forced("me").await.unwrap();
        let outcome = execution.outcome().await.unwrap();
        assert_eq!((outcome.status(), outcome.ending_failures.len()), (ExecutionStatus::Cancelled, 1));
    })
    .await;
}

#[actix::test]
async fn an_end_that_takes_too_long_is_cut_short_by_the_clock() {
    for_each_restart(async |lives, how| {
        let flow = Workflow::builder("order").task("charge", Task::external()).finally(Task::external());
        let flow = flow.ending_within(Duration::from_secs(60)).build().unwrap();
        let first = lives.next().start().unwrap();
        let id = first.activate(&flow, ()).await.unwrap().id();
        assert_eq!(open(&first, id).await, ["charge"]);
        first.execution(id).await.unwrap().report("charge", TaskReport::completed(1)).await.unwrap();
        assert_eq!(open(&first, id).await, ["@finally::finally"]);
        tokio::time::sleep(Duration::from_secs(40)).await;
        let second = lives.restart(&first, how).await.start().unwrap();
        let began = tokio::time::Instant::now();
        let outcome = outcome(&second, id).await;
        assert_eq!(outcome.status(), ExecutionStatus::Completed);
        assert_eq!(outcome.ending_failures.len(), 1);
        assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
    })
    .await;
}
