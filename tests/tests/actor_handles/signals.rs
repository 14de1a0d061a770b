//! Signals that are sent to executions, and waits for time.

use std::time::Duration;

use finale::journal::MemoryJournal;
use finale::{
    CommandError, EventKind, ExecutionStatus, Limits, NewSignal, NodeStatus, PayloadError, Runtime, Shards, Signal,
    TaskContext, TaskError, WaitingFor, Workflow,
};
use finale_tests::actor::{Any, Dummies, for_each_journal, runtime, settle};
use serde_json::json;
use tokio::time::Instant;

const DAY: Duration = Duration::from_secs(86_400);

/// Two waits for the same signal, one after the other.
fn twice() -> Workflow {
    Workflow::builder("twice").signal("first", "go").signal("second", "go").after("first").build().unwrap()
}

#[actix::test]
async fn a_signal_is_taken_by_who_waits_and_an_early_one_is_kept() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let execution = runtime.activate(&twice(), ()).await.unwrap();
        let awaited = execution.why().await.unwrap().awaited.remove(0);
        assert_eq!((awaited.node.as_str(), awaited.waiting_for), ("first", Some(WaitingFor::Signal)));
        assert_eq!(awaited.signal.as_deref(), Some("go"));
        runtime.signal(execution.id(), "other", json!([1]), "me").await.unwrap();
        let record = execution.snapshot().await.unwrap();
        assert_eq!((record.signals[0].name.as_str(), record.signals[0].by.as_str()), ("other", "me"));
        execution.signal("go", 1, "me").await.unwrap();
        execution.signal("go", 2, "me").await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().output::<u32>().unwrap(), 2);
    })
    .await;
}

#[actix::test]
async fn a_signal_with_an_id_that_was_sent_before_changes_nothing() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let execution = runtime.activate(&twice(), ()).await.unwrap();
        let signal = |says: u32| NewSignal::named("go").payload(says).by("the bank");
        for _ in 0..2 {
            execution.send_signal(signal(1).id("transfer 7")).await.unwrap();
        }
        assert_eq!(execution.why().await.unwrap().awaited[0].node, "second");
        execution.send_signal(signal(2).id("transfer 8")).await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().output::<u32>().unwrap(), 2);
    })
    .await;
}

#[actix::test]
async fn signals_that_nobody_took_are_listed_at_the_end() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let one = Workflow::builder("one").signal("first", "go").build().unwrap();
        let execution = runtime.activate(&one, ()).await.unwrap();
        for (name, says) in [("more", 1), ("go", 2), ("more", 3)] {
            execution.signal(name, says, "me").await.unwrap();
        }
        execution.outcome().await.unwrap();
        let left = execution.snapshot().await.unwrap().signals;
        let left: Vec<_> =
            left.iter().map(|left| (left.name.as_str(), left.payload.decode::<u32>().unwrap())).collect();
        assert_eq!(left, [("more", 1), ("more", 3)]);
    })
    .await;
}

#[actix::test]
async fn a_signal_that_cannot_be_taken_says_why() {
    for_each_journal(async |journal| {
        let limits = Limits::new().payload_bytes_max(100).text_bytes_max(50);
        let runtime = runtime(&journal).limits(limits).start().unwrap();
        let execution = runtime.activate(&twice(), ()).await.unwrap();
        let refused = async |name: &str, says: &str, by: &str| execution.signal(name, says, by).await.unwrap_err();
        assert_eq!(refused(" ", "", "me").await.code(), "invalid");
        assert_eq!(refused(&"x".repeat(257), "", "me").await.code(), "invalid");
        assert_eq!(refused("go", "", &"x".repeat(51)).await.code(), "too_long");
        let id = NewSignal::named("go").id("x".repeat(51));
        assert_eq!(execution.send_signal(id).await.unwrap_err().code(), "too_long");
        let large = refused("go", &"x".repeat(100), "me").await;
        assert_eq!(large, CommandError::Payload(PayloadError::TooLarge { bytes: 102, bytes_max: 100 }));
        assert_eq!(
            runtime.signal(runtime.new_execution_id(), "go", (), "me").await.unwrap_err(),
            CommandError::NotFound
        );
        for _ in 0..1_000 {
            execution.signal("early", (), "me").await.unwrap();
        }
        assert_eq!(refused("early", "", "me").await, CommandError::SignalsFull { max: 1_000 });
        execution.cancel("me").await.unwrap();
        let over = refused("go", "", "me").await;
        assert_eq!(over, CommandError::AlreadyTerminal(ExecutionStatus::Cancelled));
        let late = execution.late_events().await.unwrap();
        assert_eq!(
            (late.last().unwrap().what, late.last().unwrap().reason.as_str()),
            ("signal", over.to_string().as_str())
        );
    })
    .await;
}

#[actix::test]
async fn events_tell_of_signals_and_of_who_took_them() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let execution = runtime.activate(&twice(), ()).await.unwrap();
        execution.signal("other", (), "me").await.unwrap();
        execution.signal("go", (), "me").await.unwrap();
        execution.signal("go", (), "me").await.unwrap();
        let mut told = Vec::new();
        let mut events = execution.events().await.unwrap();
        while let Some(event) = events.next().await.unwrap() {
            if let EventKind::Signalled { name, taken_by, .. } = event.kind {
                told.push((name, taken_by));
            }
        }
        let expected = [("other", None), ("go", Some("first")), ("go", Some("second"))];
        let expected = expected.map(|(name, node)| (name.to_owned(), node.map(str::to_owned)));
        assert_eq!(told, expected);
    })
    .await;
}

#[actix::test]
async fn a_handler_reads_what_a_signal_said() {
    for_each_journal(async |journal| {
        let ship = async |context: TaskContext, _: Any| Ok::<u32, TaskError>(context.output("paid")?);
        let runtime = runtime(&journal).handler("ship", ship).start().unwrap();
        let order = Workflow::builder("order").signal("paid", "payment").task("ship", "ship").after("paid");
        let execution = runtime.activate(&order.build().unwrap(), ()).await.unwrap();
        execution.signal("payment", 20, "the bank").await.unwrap();
        assert_eq!(execution.outcome().await.unwrap().output::<u32>().unwrap(), 20);
    })
    .await;
}

/// Nobody answers for three days, somebody else is asked, and nobody answers for the rest of a month.
#[actix::test]
async fn a_month_of_waiting_is_a_matter_of_milliseconds() {
    tokio::time::pause();
    let builder = Runtime::builder().shards(Shards::Current).journal(MemoryJournal::new());
    let runtime = builder.done("escalate withdraw").start().unwrap();
    let approval = Workflow::builder("approval")
        .signal("lead", Signal::named("decision").timeout(3 * DAY))
        .on_timeout("escalate")
        .task("escalate", "escalate")
        .signal("director", Signal::named("decision").timeout(26 * DAY))
        .after("escalate")
        .on_timeout("a_day")
        .delay("a_day", DAY)
        .task("withdraw", "withdraw")
        .after("a_day")
        .build()
        .unwrap();
    let (began, really) = (Instant::now(), std::time::Instant::now());
    let execution = runtime.activate(&approval, ()).await.unwrap();
    settle().await;
    assert_eq!(execution.snapshot().await.unwrap().nodes[0].state.status(), NodeStatus::Waiting);
    assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
    assert!(
        began.elapsed() >= 30 * DAY && began.elapsed() < 30 * DAY + Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    assert!(really.elapsed() < Duration::from_secs(20), "{:?}", really.elapsed());
}
