//! What handlers at work say: how far they are, and the custom status of their execution.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use finale::journal::HeldJournal;
use finale::{
    BlockingContext, CustomStatus, Event, EventKind, Events, ExecutionHandle, ExecutionStatus, Limits, Runtime, Shards,
    TaskContext, TaskError, Tolerance, Workflow,
};
use finale_tests::actor::{Any, Dummies, Gate, for_each_journal, runtime, settle, workflow};
use futures_util::FutureExt;

const MINUTE: Duration = Duration::from_secs(60);

async fn custom_status(execution: &ExecutionHandle) -> Option<(String, String)> {
    let status = execution.snapshot().await.expect("the runtime answers").custom_status;
    status.map(|CustomStatus { text, node, .. }| (text, node))
}

fn seen(text: &str, node: &str) -> Option<(String, String)> {
    Some((text.to_owned(), node.to_owned()))
}

/// All events that are there.
fn told(events: &mut Events) -> Vec<Event> {
    std::iter::from_fn(|| events.next().now_or_never()?.expect("nobody lags")).collect()
}

/// How many facts are recorded.
fn facts(journal: &HeldJournal, execution: &ExecutionHandle) -> usize {
    finale::offline::read(journal, execution.id()).expect("it can be read").history().len()
}

#[actix::test]
async fn a_custom_status_is_seen_at_once_and_recorded_with_the_next_fact() {
    for_each_journal(async |journal| {
        let charge = async |context: TaskContext, _: Any| {
            context.set_status("waiting for the bank");
            tokio::time::sleep(MINUTE).await;
            context.set_status("the bank");
            context.set_status("the bank has answered");
            tokio::time::sleep(MINUTE).await;
            context.set_status("charged");
            Ok::<_, TaskError>(())
        };
        let runtime = runtime(&journal).handler("a", charge).never("b").start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>b b>e"), ()).await.unwrap();
        settle().await;
        let before = facts(&journal, &execution);
        assert_eq!(custom_status(&execution).await, seen("waiting for the bank", "a"));
        tokio::time::sleep(MINUTE).await;
        assert_eq!(custom_status(&execution).await, seen("the bank has answered", "a"));
        assert_eq!(facts(&journal, &execution), before, "it makes no append of its own");
        tokio::time::sleep(MINUTE).await;
        assert_eq!(custom_status(&execution).await, seen("charged", "a"));
        assert_eq!(facts(&journal, &execution), before + 2, "the status and the outcome");
        execution.cancel("ann").await.unwrap();
        assert_eq!(custom_status(&execution).await, seen("charged", "a"), "it stays after the end");
    })
    .await;
}

#[actix::test]
async fn a_custom_status_is_there_in_the_next_process() {
    for_each_journal(async |journal| {
        let first = async |context: TaskContext, _: Any| {
            context.set_status("first");
            Ok::<_, TaskError>(())
        };
        let second = async |context: TaskContext, _: Any| {
            context.set_status("not recorded");
            std::future::pending::<Result<(), TaskError>>().await
        };
        let before = runtime(&journal).handler("a", first).handler("b", second).start().unwrap();
        let execution = before.activate(&workflow("s>a a>b b>e"), ()).await.unwrap();
        settle().await;
        assert_eq!(custom_status(&execution).await, seen("not recorded", "b"));
        let id = execution.id();
        journal.crash();
        drop(before);
        let after = runtime(&journal).done("a b").start().unwrap();
        let execution = after.execution(id).await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
        assert_eq!(custom_status(&execution).await, seen("first", "a"));
    })
    .await;
}

#[actix::test]
async fn a_handler_that_sets_custom_statuses_all_the_time_floods_nothing() {
    for_each_journal(async |journal| {
        let busy = async |context: TaskContext, _: Any| {
            for number in 0..20_000 {
                context.set_status(&format!("number {number}"));
                context.progress(f64::from(number) / 20_000.0, "");
                if number % 10 == 0 {
                    tokio::task::yield_now().await;
                }
            }
            Ok::<_, TaskError>(())
        };
        let runtime = runtime(&journal).limits(Limits::new().event_lag_max(100)).handler("a", busy).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        let mut events = execution.events().await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
        assert_eq!(custom_status(&execution).await, seen("number 19999", "a"));
        let facts = facts(&journal, &execution);
        assert!(facts <= 4, "{facts} facts: the activation, the status, the outcome, the end");
        let told = told(&mut events);
        assert!(told.len() <= 100, "{} events", told.len());
        let last = EventKind::StatusTransitioned { from: ExecutionStatus::Running, to: ExecutionStatus::Completed };
        assert_eq!(told.last().unwrap().kind, last, "what is recorded has its room");
    })
    .await;
}

#[actix::test]
async fn a_blocking_handler_sets_a_custom_status_from_its_own_thread() {
    let count = |context: BlockingContext, _: Any| {
        context.set_status("counting");
        Ok::<_, TaskError>(())
    };
    let runtime = Runtime::builder().shards(Shards::Current).blocking_handler("a", count).start().unwrap();
    let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
    assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
    assert_eq!(custom_status(&execution).await, seen("counting", "a"));
}

#[actix::test]
async fn those_who_listen_hear_at_once_what_handlers_say_and_a_replay_tells_what_is_recorded() {
    for_each_journal(async |journal| {
        let parse = async |context: TaskContext, _: Any| {
            tokio::time::sleep(MINUTE).await;
            context.progress(0.4, "4 of 10 lines");
            context.set_status("parsing");
            tokio::time::sleep(MINUTE).await;
            Ok::<_, TaskError>(())
        };
        let file = finale::Definition::builder("file").task("parse", "parse").build();
        let import = Workflow::builder("import").map("import", "[1]", file).build().unwrap();
        let runtime = runtime(&journal).handler("parse", parse).start().unwrap();
        let execution = runtime.activate(&import, ()).await.unwrap();
        let mut events = execution.events().await.unwrap();
        settle().await;
        let before = told(&mut events);
        assert!(before.iter().all(|event| event.number.is_some()));
        let resume_after = events.last_number();
        assert_eq!(Some(resume_after), before.last().unwrap().number);

        tokio::time::sleep(MINUTE).await;
        let live = told(&mut events);
        let (node, text) = ("import[0]::parse".to_owned(), "4 of 10 lines".to_owned());
        assert_eq!(live[0].kind, EventKind::Progressed { node: node.clone(), attempt: 1, share: 0.4, text });
        let EventKind::CustomStatusSet { custom_status: Some(status) } = &live[1].kind else { panic!("{live:?}") };
        assert_eq!((status.text.as_str(), &status.node), ("parsing", &node));
        assert_eq!((live.len(), live[0].number, live[1].number), (2, None, None));
        assert_eq!(events.last_number(), resume_after, "a stream is resumed after what is recorded");
        let json = serde_json::to_value(&live[0]).unwrap();
        assert_eq!((&json["event"], json.get("number")), (&"progressed".into(), None));

        execution.outcome().await.unwrap();
        let mut replay = execution.events().await.unwrap();
        let mut replayed = Vec::new();
        while let Some(event) = replay.next().await.unwrap() {
            replayed.push(event);
        }
        assert!(replayed.iter().all(|event| event.number.is_some()));
        let of_status = |event: &&Event| event.kind == live[1].kind;
        assert_eq!(replayed.iter().filter(of_status).count(), 1, "it is told once more, with its number");
        let rest: Vec<_> = told(&mut events);
        assert_eq!([before, rest].concat(), replayed);
    })
    .await;
}

#[actix::test]
async fn events_say_how_many_items_of_a_map_are_where() {
    for_each_journal(async |journal| {
        let work = async |_: TaskContext, item: u8| match item {
            2 => Err(TaskError::new("no")),
            _ => Ok(()),
        };
        let each = Workflow::builder("each").map("each", "[1, 2, 3]", "work").tolerate(Tolerance::Count(1));
        let runtime = runtime(&journal).handler("work", work).start().unwrap();
        let execution = runtime.activate(&each.build().unwrap(), ()).await.unwrap();
        execution.outcome().await.unwrap();
        let mut events = execution.events().await.unwrap();
        let counted = |event: Event| match event.kind {
            EventKind::ItemsCounted { node, items } => Some((node, items.to_string())),
            _ => None,
        };
        let counted: Vec<_> = told(&mut events).into_iter().filter_map(counted).collect();
        let expected = [
            "0 of 3: 3 pending",
            "1 of 3: 1 completed, 2 open",
            "2 of 3: 1 completed, 1 failed, 1 open",
            "3 of 3: 2 completed, 1 failed",
        ];
        assert_eq!(counted, expected.map(|items| ("each".to_owned(), items.to_owned())));
    })
    .await;
}

#[actix::test]
async fn run_now_lets_a_queued_task_begin_before_those_that_wait_longer() {
    for_each_journal(async |journal| {
        let (gate, order) = (Gate::closed(), Arc::new(Mutex::new(Vec::new())));
        let (wait, noted) = (gate.clone(), Arc::clone(&order));
        let work = move |context: TaskContext, input: Any| {
            noted.lock().unwrap().push(context.node().to_owned());
            wait.handler()(context, input)
        };
        let limits = Limits::new().running_tasks_max(1);
        let runtime = runtime(&journal).limits(limits).handler("a", work.clone()).handler("b", work.clone());
        let runtime = runtime.handler("c", work).start().unwrap();
        let flow = workflow("s>p p:branch>a p:branch>b p:branch>c a>join b>join c>join join>e");
        let execution = runtime.activate(&flow, ()).await.unwrap();
        settle().await;
        execution.run_now("c", "ann", "in a hurry").await.unwrap();
        settle().await;
        assert_eq!(*order.lock().unwrap(), ["a"], "it passes no limit");
        gate.open();
        execution.outcome().await.unwrap();
        assert_eq!(*order.lock().unwrap(), ["a", "c", "b"]);
    })
    .await;
}
