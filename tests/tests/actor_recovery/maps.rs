//! Maps and loops live on the real runtime, on both journals, and through every restart.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use finale::journal::{MemoryJournal, SqliteJournal};
use finale::{
    Builder, Definition, ExecutionStatus, LoopCondition, Runtime, Shards, Task, TaskContext, TaskError, TaskReport,
    Tolerance, Workflow,
};
use finale_tests::actor::{Any, Gate, settle};
use finale_tests::lives::{for_each_restart, outcome};
use tokio::time::Instant;

/// Each item is doubled and asked about; then somebody is asked again and again, until it is enough.
fn doubled() -> Workflow {
    let each = Definition::builder("each")
        .task("double", Task::handler("double").input("{'item': item, 'index': index}"))
        .task("check", Task::handler("check").input("nodes.double.output"))
        .after("double")
        .output("nodes.double.output");
    Workflow::builder("doubled")
        .map("each", "input", each.build())
        .max_concurrency(4)
        .tolerate(Tolerance::Count(1))
        .repeat("poll", Task::handler("poll").input("round"), LoopCondition::until("output >= 3"), 5)
        .after("each")
        .round_delay(Duration::from_millis(20))
        .task("sum", Task::handler("sum").input("nodes.each.output"))
        .after("poll")
        .build()
        .unwrap()
}

#[derive(serde::Deserialize)]
struct Item {
    item: u64,
    index: u64,
}

fn handlers(builder: Builder, gate: &Gate) -> Builder {
    let gate = gate.clone();
    let double = move |_: TaskContext, Item { item, index }: Item| {
        let gate = gate.clone();
        async move {
            let _inside = gate.enter();
            tokio::task::yield_now().await;
            assert_eq!(item, index + 1);
            if item == 13 { Err(TaskError::new("unlucky")) } else { Ok(2 * item) }
        }
    };
    let sum =
        |_: TaskContext, all: Vec<Option<u64>>| async move { Ok::<_, TaskError>(all.iter().flatten().sum::<u64>()) };
    builder
        .handler("double", double)
        .handler("check", |_: TaskContext, twice: u64| async move { Ok::<_, TaskError>(twice > 0) })
        .handler("poll", |_: TaskContext, round: u64| async move { Ok::<_, TaskError>(round) })
        .handler("sum", sum)
}

#[actix::test]
async fn maps_and_loops_run_on_both_journals() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = SqliteJournal::open(folder.path().join("journal.db")).unwrap();
    let builder = || Runtime::builder().shards(Shards::Current);
    for builder in [builder().journal(MemoryJournal::new()), builder().journal(sqlite)] {
        let gate = Gate::closed();
        let runtime = handlers(builder, &gate).start().unwrap();
        let items: Vec<u64> = (1..=200).collect();
        let execution = runtime.activate(&doubled(), &items).await.unwrap();
        let outcome = execution.outcome().await.unwrap();
        assert_eq!(outcome.status(), ExecutionStatus::Completed, "{:?}", outcome.error());
        assert_eq!(outcome.output::<u64>().unwrap(), 200 * 201 - 26);
        assert_eq!((gate.begun(), gate.inside_max()), (200, 4), "four items are open at once");
        let record = execution.snapshot().await.unwrap();
        let node = |id: &str| record.nodes.iter().find(|node| node.id == id).unwrap();
        let counts = node("each").items.unwrap();
        assert_eq!((counts.total, counts.completed, counts.failed), (200, 199, 1));
        assert_eq!(node("poll").rounds, Some(3));
        assert_eq!(outcome.counts.tasks, 200 + 200 + 3 + 1);
        runtime.shutdown(Duration::from_secs(5)).await;
    }
}

#[actix::test]
async fn items_that_are_done_are_not_done_again_after_a_restart() {
    for_each_restart(async |lives, how| {
        let flow = Workflow::builder("ask").map("each", "input", Task::external()).max_concurrency(2).build().unwrap();
        let first = lives.next().start().unwrap();
        let id = first.activate(&flow, vec!["a", "b", "c"]).await.unwrap().id();
        let open = async |runtime: &Runtime| {
            settle().await;
            let open = runtime.open_tasks_of(id).await.unwrap();
            open.into_iter().map(|task| task.node).collect::<Vec<_>>()
        };
        assert_eq!(open(&first).await, ["each[0]::each", "each[1]::each"]);
        let report = async |runtime: &Runtime, path: &str| {
            let execution = runtime.execution(id).await.unwrap();
            execution.report(path, TaskReport::completed(path)).await.unwrap();
        };
        report(&first, "each[1]::each").await;
        settle().await;
        let second = lives.restart(&first, how).await.start().unwrap();
        assert_eq!(open(&second).await, ["each[0]::each", "each[2]::each"]);
        report(&second, "each[2]::each").await;
        report(&second, "each[0]::each").await;
        let output: Vec<String> = outcome(&second, id).await.output().unwrap();
        assert_eq!(output, ["each[0]::each", "each[1]::each", "each[2]::each"]);
    })
    .await;
}

#[actix::test]
async fn the_delay_between_two_rounds_goes_on_over_a_restart() {
    for_each_restart(async |lives, how| {
        let condition = LoopCondition::until("output == 2");
        let flow = Workflow::builder("poll").repeat("poll", "poll", condition, 3).round_delay(Duration::from_secs(60));
        let flow = flow.build().unwrap();
        let rounds = std::sync::Arc::new(AtomicU64::new(0));
        let next = |builder: Builder| {
            let rounds = std::sync::Arc::clone(&rounds);
            let poll = move |_: TaskContext, _: Any| {
                let round = rounds.fetch_add(1, Ordering::Relaxed) + 1;
                async move { Ok::<_, TaskError>(round) }
            };
            builder.handler("poll", poll).start().unwrap()
        };
        let first = next(lives.next());
        let began = Instant::now();
        let id = first.activate(&flow, ()).await.unwrap().id();
        tokio::time::sleep(Duration::from_secs(20)).await;
        let why = first.execution(id).await.unwrap().why().await.unwrap();
        assert!(why.awaited[0].what.starts_with("round 2 at "), "{}", why.awaited[0].what);
        let second = next(lives.restart(&first, how).await);
        assert_eq!(outcome(&second, id).await.output::<u64>().unwrap(), 2);
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(59_999) && took < Duration::from_secs(61), "{took:?}");
    })
    .await;
}

/// Each handler finds what the one before it gave for the same item, whatever the others are at.
#[actix::test]
async fn a_handler_of_an_item_finds_the_outputs_of_its_own_item() {
    let plus = |context: TaskContext, item: u64| async move {
        let first = context.output::<u64>("first")?;
        assert!(context.output::<u64>("other").is_err(), "that of another scope is not seen");
        Ok::<_, TaskError>(first + item)
    };
    let times = |context: finale::BlockingContext, _: Any| {
        let (first, then) = (context.output::<u64>("first")?, context.output::<u64>("then")?);
        Ok::<_, TaskError>(first * then)
    };
    let body = Definition::builder("body")
        .task("first", Task::handler("same").input("item"))
        .task("then", Task::handler("plus").input("item"))
        .after("first")
        .task("last", "times")
        .after("then");
    let flow = Workflow::builder("each").task("other", "one").map("each", "input", body.build()).after("other");
    let runtime = Runtime::builder()
        .shards(Shards::Current)
        .handler("one", |_: TaskContext, _: Any| async { Ok::<_, TaskError>(1) })
        .handler("same", |_: TaskContext, item: u64| async move { Ok::<_, TaskError>(item) })
        .handler("plus", plus)
        .blocking_handler("times", times)
        .start()
        .unwrap();
    let execution = runtime.activate(&flow.build().unwrap(), (1..=20).collect::<Vec<u64>>()).await.unwrap();
    let outcome = execution.outcome().await.unwrap();
    let expected: Vec<u64> = (1..=20).map(|item| item * 2 * item).collect();
    assert_eq!(outcome.output::<Vec<u64>>().unwrap(), expected);
}
