//! Whoever waits is woken by code of theirs: what it does is no matter of the runtime.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use finale::{ExecutionStatus, Task, Workflow};
use finale_tests::actor::{Dummies, for_each_journal, outcome_of, runtime, settle, workflow};

/// Panics when it is woken.
struct Nervous;

impl Wake for Nervous {
    fn wake(self: Arc<Self>) {
        panic!("a waker of the user");
    }
}

#[actix::test]
async fn a_waker_that_panics_harms_nobody_else() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a").start().unwrap();
        let asked = Workflow::builder("asked").task("approve", Task::external()).build().unwrap();
        let execution = runtime.activate(&asked, ()).await.unwrap();
        let task = runtime.open_tasks_of(execution.id()).await.unwrap()[0].id;
        let nervous = Waker::from(Arc::new(Nervous));
        let mut context = Context::from_waker(&nervous);
        let mut events = execution.events().await.unwrap();
        while let Poll::Ready(told) = std::pin::pin!(events.next()).poll(&mut context) {
            assert!(told.unwrap().is_some());
        }
        let mut waits: Vec<Pin<Box<dyn Future<Output = ()>>>> = vec![
            Box::pin(async { drop(execution.outcome().await) }),
            Box::pin(async { drop(execution.snapshot().await) }),
            Box::pin(async { drop(execution.why().await) }),
            Box::pin(async { drop(runtime.late_events(execution.id()).await) }),
            Box::pin(async { drop(runtime.open_tasks(None, 10).await) }),
            Box::pin(async { drop(runtime.complete_task(task, "done").await) }),
            Box::pin(async { drop(runtime.complete_task(task, "again").await) }),
            Box::pin(async { drop(execution.cancel("me").await) }),
            Box::pin(async { drop(runtime.activate(&asked, ()).await) }),
        ];
        for wait in &mut waits {
            let _ = wait.as_mut().poll(&mut context);
        }
        settle().await;
        let status = runtime.execution(execution.id()).await.unwrap().status().await.unwrap();
        assert_eq!(status, ExecutionStatus::Completed);
        let outcome = outcome_of(&runtime, &workflow("s>a a>e")).await;
        assert_eq!(outcome.status(), ExecutionStatus::Completed);
        assert!(runtime.health().is_well());
    })
    .await;
}
