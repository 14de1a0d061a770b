//! What handlers have of rules, joins and failures that they handle.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use finale::{BlockingContext, ExecutionStatus, JoinStrategy, Losers, TaskContext, TaskError, Workflow};
use finale_tests::actor::{Dummies, for_each_journal, for_each_journal_in_real_time, runtime};
use serde_json::{Value, json};

fn order() -> Workflow {
    Workflow::builder("order")
        .task("ship", "ship")
        .catch("refund")
        .task("refund", "refund")
        .build()
        .expect("it compiles")
}

#[actix::test]
async fn a_handler_is_given_the_failures_it_handles() {
    for_each_journal_in_real_time(async |journal| {
        let ship = async |context: TaskContext| {
            assert!(context.failures().is_empty(), "it handles none");
            Err::<(), _>(TaskError::new("no van").permanent())
        };
        let refund = async |context: TaskContext| {
            assert!(context.output::<Value>("refund").is_err(), "what it handles is no output of it");
            Ok::<_, TaskError>(context.failures().into_iter().map(|failure| failure.to_string()).collect::<Vec<_>>())
        };
        let blocking = |context: BlockingContext, _: Value| {
            Ok::<_, TaskError>(context.failures().iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let runtime = runtime(&journal).handler("ship", ship).handler("refund", refund);
        let runtime = runtime.blocking_handler("blocking", blocking).start().unwrap();
        let expected = json!([r#"task "Ship" (ship) failed: no van"#]);
        let outcome = runtime.activate(&order(), ()).await.unwrap().outcome().await.unwrap();
        assert_eq!(outcome.output::<Value>().unwrap(), expected);
        assert_eq!((outcome.counts.failed, outcome.counts.handled), (1, 1));
        let order = Workflow::builder("order").task("ship", "ship").catch("r").task("r", "blocking").build().unwrap();
        let outcome = runtime.activate(&order, ()).await.unwrap().outcome().await.unwrap();
        assert_eq!(outcome.output::<Value>().unwrap(), expected);
    })
    .await;
}

#[actix::test]
async fn a_loser_is_told_to_stop_and_its_execution_goes_on_without_it() {
    for_each_journal(async |journal| {
        let stopped = Arc::new(AtomicBool::new(false));
        let (quick, seen) = (async |_: TaskContext| Ok::<_, TaskError>(1), Arc::clone(&stopped));
        let slow = move |context: TaskContext| {
            let seen = Arc::clone(&seen);
            async move {
                context.cancelled().await;
                seen.store(true, Ordering::Relaxed);
                Err::<(), _>(TaskError::new("told to stop"))
            }
        };
        let runtime = runtime(&journal).handler("quick", quick).handler("slow", slow).done("after").start().unwrap();
        let race = Workflow::builder("race")
            .task("quick", "quick")
            .task("slow", "slow")
            .join("first", JoinStrategy::Any)
            .after_all(["quick", "slow"])
            .losers(Losers::Cancel)
            .task("after", "after")
            .after("first")
            .build()
            .unwrap();
        let execution = runtime.activate(&race, ()).await.unwrap();
        let outcome = execution.outcome().await.unwrap();
        assert_eq!(outcome.status(), ExecutionStatus::Completed);
        assert!(stopped.load(Ordering::Relaxed), "its token was set");
        assert_eq!((outcome.counts.completed, outcome.counts.cancelled), (2, 1));
    })
    .await;
}
