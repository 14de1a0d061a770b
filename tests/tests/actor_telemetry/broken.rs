//! Observers of the application that panic: whatever they are told of goes on without them.

use std::sync::Arc;
use std::time::Duration;

use finale::{ExecutionStatus, Runtime};
use finale_tests::actor::{Dummies, for_each_journal, runtime, settle, workflow};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata as Described, Recorder,
    SharedString, Unit,
};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// A recorder that panics over all that is counted, and a subscriber that panics over each event.
struct Broken;

impl CounterFn for Broken {
    fn increment(&self, _value: u64) {
        panic!("a test panics over a count");
    }

    fn absolute(&self, _value: u64) {
        panic!("a test panics over a count");
    }
}

impl GaugeFn for Broken {
    fn increment(&self, _value: f64) {
        panic!("a test panics over a gauge");
    }

    fn decrement(&self, _value: f64) {
        panic!("a test panics over a gauge");
    }

    fn set(&self, _value: f64) {
        panic!("a test panics over a gauge");
    }
}

impl HistogramFn for Broken {
    fn record(&self, _value: f64) {
        panic!("a test panics over a time");
    }
}

impl Recorder for Broken {
    fn describe_counter(&self, _key: KeyName, _unit: Option<Unit>, _description: SharedString) {}

    fn describe_gauge(&self, _key: KeyName, _unit: Option<Unit>, _description: SharedString) {}

    fn describe_histogram(&self, _key: KeyName, _unit: Option<Unit>, _description: SharedString) {}

    fn register_counter(&self, _key: &Key, _metadata: &Described<'_>) -> Counter {
        Counter::from_arc(Arc::new(Self))
    }

    fn register_gauge(&self, _key: &Key, _metadata: &Described<'_>) -> Gauge {
        Gauge::from_arc(Arc::new(Self))
    }

    fn register_histogram(&self, _key: &Key, _metadata: &Described<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Self))
    }
}

impl Subscriber for Broken {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == finale::telemetry::TARGET && metadata.is_event()
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, _event: &Event<'_>) {
        panic!("a test panics over an event");
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

/// Executions come to each of their ends at once, everybody hears of it, and the runtime ends in order.
async fn lives(runtime: &Runtime) {
    for (edges, end) in [("s>a a>e", ExecutionStatus::Completed), ("s>b b>e", ExecutionStatus::Failed)] {
        let execution = runtime.activate(&workflow(edges), ()).await.unwrap();
        let outcome = tokio::time::timeout(Duration::from_secs(1), execution.outcome());
        assert_eq!(outcome.await.expect("it ends at once").unwrap().status(), end);
    }
    let cancelled = runtime.activate(&workflow("s>c c>e"), ()).await.unwrap();
    settle().await;
    let receipt = tokio::time::timeout(Duration::from_secs(10), cancelled.cancel("ann"));
    receipt.await.expect("it is cancelled within the grace").unwrap();
    cancelled.cancel("bob").await.unwrap_err();
    let health = runtime.health();
    assert!(health.is_well(), "{health:?}");
    let report = runtime.shutdown(Duration::from_secs(1)).await;
    assert_eq!((report.unfinished, report.gone, report.unresponsive), (0, 0, 0));
}

#[actix::test]
async fn a_recorder_of_metrics_that_panics_harms_nothing() {
    for_each_journal(async |journal| {
        let _guard = metrics::set_default_local_recorder(&Broken);
        let runtime = runtime(&journal).done("a").failing("b").never("c").start().unwrap();
        lives(&runtime).await;
    })
    .await;
}

#[actix::test]
async fn a_subscriber_of_the_log_that_panics_harms_nothing() {
    for_each_journal(async |journal| {
        let _guard = tracing::subscriber::set_default(Broken);
        let runtime = runtime(&journal).done("a").failing("b").never("c").start().unwrap();
        lives(&runtime).await;
    })
    .await;
}
