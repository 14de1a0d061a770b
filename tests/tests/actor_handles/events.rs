//! The stream of what happens to an execution.

use finale::journal::{Acknowledgement, HeldJournal};
use finale::{Event, EventKind, EventNumber, Events, ExecutionStatus, Lagged, Limits, NodeStatus};
use finale_tests::actor::{Dummies, Gate, chart, for_each_journal, runtime, settle, workflow};
use finale_tests::tasks::task_of;

async fn read(mut events: Events) -> Result<Vec<Event>, Lagged> {
    let mut all = Vec::new();
    while let Some(event) = events.next().await? {
        all.push(event);
    }
    Ok(all)
}

/// The number of an event that is recorded.
fn number(event: &Event) -> EventNumber {
    event.number.expect("it is recorded")
}

/// The numbers of one fact go up from 0 by 1, and facts are numbered upwards.
fn expect_no_gap(events: &[Event]) {
    let mut last: Option<EventNumber> = None;
    for EventNumber { sequence, index } in events.iter().map(number) {
        match last {
            Some(last) if last.sequence == sequence => assert_eq!(index, last.index + 1),
            Some(last) => assert!(sequence > last.sequence && index == 0, "{last:?} then {sequence}.{index}"),
            None => assert_eq!((sequence, index), (1, 0)),
        }
        last = Some(EventNumber { sequence, index });
    }
}

const MANY_THINGS: &str = "s>x x:branch>a x:branch>c a>if if:true>b if:false>d c>join b>join join>f f>e d>e";

#[actix::test]
async fn a_live_stream_and_a_replay_tell_the_same_from_the_beginning_to_the_end() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).done("a b d f").gated("c", &gate).start().unwrap();
        let workflow = chart(MANY_THINGS).condition("if", "true").outside("f").workflow();
        let execution = runtime.activate(&workflow, ()).await.unwrap();
        let early = actix::spawn(read(execution.events().await.unwrap()));
        settle().await;
        let middle = actix::spawn(read(execution.events().await.unwrap()));
        gate.open();
        settle().await;
        runtime.complete_task(task_of(execution.id(), &workflow, "f"), ()).await.unwrap();
        execution.outcome().await.unwrap();

        let replayed = read(execution.events().await.unwrap()).await.unwrap();
        expect_no_gap(&replayed);
        assert_eq!(early.await.unwrap().unwrap(), replayed, "a stream from before");
        assert_eq!(middle.await.unwrap().unwrap(), replayed, "a stream from the middle");
        let first = &replayed[0].kind;
        let last = &replayed.last().unwrap().kind;
        let (pending, running, completed) =
            (ExecutionStatus::Pending, ExecutionStatus::Running, ExecutionStatus::Completed);
        assert_eq!(*first, EventKind::StatusTransitioned { from: pending, to: running });
        assert_eq!(*last, EventKind::StatusTransitioned { from: running, to: completed });
        let condition = EventKind::ConditionEvaluated { node: "if".into(), value: true };
        assert_eq!(replayed.iter().filter(|event| event.kind == condition).count(), 1);
        let skips = |event: &&Event| {
            matches!(&event.kind, EventKind::NodeTransitioned { node, to: NodeStatus::Skipped, .. } if node == "d")
        };
        assert_eq!(replayed.iter().filter(skips).count(), 1);
    })
    .await;
}

#[actix::test]
async fn a_stream_resumes_after_any_event_without_gap_or_repetition() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a b").start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>b b>e"), ()).await.unwrap();
        execution.outcome().await.unwrap();
        let all = read(execution.events().await.unwrap()).await.unwrap();
        for (place, event) in all.iter().enumerate() {
            let rest = read(execution.events_after(number(event)).await.unwrap()).await.unwrap();
            assert_eq!(rest, all[place + 1..], "after {:?}", event.number);
        }
    })
    .await;
}

#[actix::test]
async fn a_live_stream_resumes_where_its_reader_left_off() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).done("a").gated("b", &gate).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>b b>e"), ()).await.unwrap();
        settle().await;
        let mut events = execution.events().await.unwrap();
        let mut told = Vec::new();
        for _ in 0..3 {
            told.push(events.next().await.unwrap().unwrap());
        }
        drop(events);
        let rest = execution.events_after(number(&told[2])).await.unwrap();
        gate.open();
        told.extend(read(rest).await.unwrap());
        assert_eq!(told, read(execution.events().await.unwrap()).await.unwrap());
    })
    .await;
}

#[actix::test]
async fn after_the_end_there_is_nothing_more_to_tell() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a").start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        execution.outcome().await.unwrap();
        let mut events = execution.events().await.unwrap();
        while events.next().await.unwrap().is_some() {}
        assert_eq!(events.next().await, Ok(None));
    })
    .await;
}

#[actix::test]
async fn nothing_is_told_before_it_is_durable() {
    tokio::time::pause();
    let journal = HeldJournal::new(Acknowledgement::Immediate);
    let gate = Gate::closed();
    let runtime = runtime(&journal).gated("a", &gate).start().unwrap();
    let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
    settle().await;
    journal.set(Acknowledgement::Held);
    let watched = actix::spawn(read(execution.events().await.unwrap()));
    gate.open();
    settle().await;
    assert!(journal.held() > 0 && !watched.is_finished());
    let mut late = execution.events().await.unwrap();
    let mut told = Vec::new();
    while let Some(event) = futures_util::FutureExt::now_or_never(late.next()) {
        told.push(event.unwrap().unwrap());
    }
    let running = |event: &Event| matches!(&event.kind, EventKind::NodeTransitioned { node, .. } if node == "a");
    assert_eq!(told.iter().filter(|event| running(event)).count(), 1, "{told:?}");
    journal.release();
    told.extend(read(late).await.unwrap());
    assert_eq!(told, watched.await.unwrap().unwrap());
    assert_eq!(told, read(execution.events().await.unwrap()).await.unwrap());
}

#[actix::test]
async fn who_begins_to_watch_while_something_is_on_its_way_to_the_journal_misses_nothing() {
    tokio::time::pause();
    let journal = HeldJournal::new(Acknowledgement::Held);
    let runtime = runtime(&journal).done("a b").start().unwrap();
    let id = runtime.new_execution_id();
    let waiting = actix::spawn(runtime.activate(&workflow("s>a a>b b>e"), ()).id(id).start());
    settle().await;
    // The activation is decided, by a turn that nobody watched.
    let execution = runtime.execution(id).await.unwrap();
    let watched = actix::spawn(read(execution.events().await.unwrap()));
    settle().await;
    while !watched.is_finished() {
        journal.release_up_to(1);
        settle().await;
    }
    let replayed = read(waiting.await.unwrap().unwrap().events().await.unwrap()).await.unwrap();
    assert_eq!(watched.await.unwrap().unwrap(), replayed);
}

#[actix::test]
async fn a_reader_that_lags_is_told_so_and_can_resume() {
    for_each_journal(async |journal| {
        let limits = Limits::new().event_lag_max(4);
        let gate = Gate::closed();
        let builder = runtime(&journal).limits(limits).gated("a", &gate);
        let runtime = builder.done("b c d").start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>b b>c c>d d>e"), ()).await.unwrap();
        settle().await;
        let mut slow = execution.events().await.unwrap();
        gate.open();
        execution.outcome().await.unwrap();

        let mut told = Vec::new();
        let lagged = loop {
            match slow.next().await {
                Ok(Some(event)) => told.push(event),
                Ok(None) => panic!("it was not told"),
                Err(lagged) => break lagged,
            }
        };
        assert_eq!(lagged.after, number(told.last().unwrap()));
        assert_eq!(slow.next().await, Err(lagged));
        told.extend(read(execution.events_after(lagged.after).await.unwrap()).await.unwrap());
        assert_eq!(told, read(execution.events().await.unwrap()).await.unwrap());
    })
    .await;
}

#[actix::test]
async fn a_reader_that_lags_holds_nobody_up() {
    for_each_journal(async |journal| {
        let limits = Limits::new().event_lag_max(1);
        let gate = Gate::closed();
        let runtime = runtime(&journal).limits(limits).gated("a", &gate).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        let slow = execution.events().await.unwrap();
        let quick = execution.events().await.unwrap();
        drop(quick);
        gate.open();
        assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
        drop(slow);
    })
    .await;
}

#[actix::test]
async fn when_the_runtime_stops_a_stream_ends_without_an_error() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).never("a").start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        let watched = actix::spawn(read(execution.events().await.unwrap()));
        settle().await;
        runtime.shutdown(std::time::Duration::from_secs(1)).await;
        let told = watched.await.unwrap().unwrap();
        assert!(told.iter().all(|event| !matches!(
            &event.kind,
            EventKind::StatusTransitioned { to, .. } if to.is_terminal()
        )));
    })
    .await;
}

#[actix::test]
async fn an_event_is_written_flat_with_its_name() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a").start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        let first = execution.events().await.unwrap().next().await.unwrap().unwrap();
        let flat = serde_json::to_value(&first).unwrap();
        assert_eq!(flat["event"], "status_transitioned");
        assert_eq!((flat["from"].as_str(), flat["to"].as_str()), (Some("pending"), Some("running")));
        assert_eq!(flat["number"], serde_json::json!({"sequence": 1, "index": 0}));
    })
    .await;
}
