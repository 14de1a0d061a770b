//! A panic of a handler is the failure of its task, and harms nothing else.

use finale::{ExecutionStatus, FailureClass, TaskContext, TaskError};
use finale_tests::actor::{Any, Dummies, Gate, chart, for_each_journal, only_failure, outcome_of, runtime, workflow};

#[actix::test]
async fn a_panic_before_the_first_await_fails_the_task_with_its_message() {
    for_each_journal(async |journal| {
        let early = async |_: TaskContext, _: Any| -> Result<(), TaskError> { panic!("the shelf fell") };
        let runtime = runtime(&journal).handler("a", early).start().unwrap();
        let failure = only_failure(&outcome_of(&runtime, &workflow("s>a a>e")).await);
        assert_eq!(failure, (FailureClass::Panicked, "the shelf fell".to_owned()));
    })
    .await;
}

#[actix::test]
async fn a_panic_after_an_await_fails_the_task_with_its_message() {
    for_each_journal(async |journal| {
        let late = async |_: TaskContext, _: Any| -> Result<(), TaskError> {
            tokio::task::yield_now().await;
            panic!("the {} fell", "shelf")
        };
        let runtime = runtime(&journal).handler("a", late).start().unwrap();
        let failure = only_failure(&outcome_of(&runtime, &workflow("s>a a>e")).await);
        assert_eq!(failure, (FailureClass::Panicked, "the shelf fell".to_owned()));
    })
    .await;
}

#[actix::test]
async fn a_panic_in_the_handler_function_fails_the_task_with_its_message() {
    for_each_journal(async |journal| {
        let never_a_future =
            |_: TaskContext, _: Any| -> std::future::Ready<Result<(), TaskError>> { panic!("no future") };
        let runtime = runtime(&journal).handler("a", never_a_future).start().unwrap();
        let failure = only_failure(&outcome_of(&runtime, &workflow("s>a a>e")).await);
        assert_eq!(failure, (FailureClass::Panicked, "no future".to_owned()));
    })
    .await;
}

/// Panics when it is dropped, unless a panic is under way: two at once end the process.
struct Brittle;

impl Drop for Brittle {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("a brittle thing broke");
        }
    }
}

#[actix::test]
async fn a_panic_in_a_destructor_at_the_end_of_a_handler_fails_the_task_with_its_message() {
    for_each_journal(async |journal| {
        let brittle = async |_: TaskContext, _: Any| {
            let _brittle = Brittle;
            tokio::task::yield_now().await;
            Ok::<_, TaskError>(())
        };
        let runtime = runtime(&journal).handler("a", brittle).start().unwrap();
        let failure = only_failure(&outcome_of(&runtime, &workflow("s>a a>e")).await);
        assert_eq!(failure, (FailureClass::Panicked, "a brittle thing broke".to_owned()));
    })
    .await;
}

#[actix::test]
async fn a_panic_in_a_destructor_of_a_dropped_handler_harms_nobody() {
    for_each_journal(async |journal| {
        let brittle = async |_: TaskContext, _: Any| {
            let _brittle = Brittle;
            std::future::pending::<Result<(), TaskError>>().await
        };
        let runtime = runtime(&journal).handler("a", brittle).done("b").start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        let receipt = execution.cancel("me").await.unwrap();
        assert_eq!(receipt.status, ExecutionStatus::Cancelled);
        assert_eq!(outcome_of(&runtime, &workflow("s>b b>e")).await.status(), ExecutionStatus::Completed);
    })
    .await;
}

/// What a panic carries can break as well when it is thrown away.
#[actix::test]
async fn a_panic_with_a_brittle_message_is_a_failure_like_any_other() {
    for_each_journal(async |journal| {
        let odd = async |_: TaskContext, _: Any| -> Result<(), TaskError> { std::panic::panic_any(Brittle) };
        let runtime = runtime(&journal).handler("a", odd).done("b").start().unwrap();
        let failure = only_failure(&outcome_of(&runtime, &workflow("s>a a>e")).await);
        assert_eq!(failure, (FailureClass::Panicked, "no message".to_owned()));
        assert_eq!(outcome_of(&runtime, &workflow("s>b b>e")).await.status(), ExecutionStatus::Completed);
    })
    .await;
}

#[actix::test]
async fn a_panic_is_tried_again_like_any_failure() {
    for_each_journal(async |journal| {
        let shaky = async |task: TaskContext, _: Any| {
            assert!(task.attempt() == 3, "not yet");
            Ok::<_, TaskError>(task.attempt())
        };
        let runtime = runtime(&journal).handler("a", shaky).start().unwrap();
        let flow = chart("s>a a>e").task("a", |task| task.retry.attempts = 3).workflow();
        assert_eq!(outcome_of(&runtime, &flow).await.output::<u16>().unwrap(), 3);
    })
    .await;
}

#[actix::test]
async fn other_executions_do_not_notice_a_panic() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let bad = async |_: TaskContext, _: Any| -> Result<(), TaskError> { panic!("bad") };
        let runtime = runtime(&journal).gated("good", &gate).handler("bad", bad).start().unwrap();
        let mut good = Vec::new();
        for _ in 0..5 {
            good.push(runtime.activate(&workflow("s>good good>e"), ()).await.unwrap());
            let bad = outcome_of(&runtime, &workflow("s>bad bad>e")).await;
            assert_eq!(bad.status(), ExecutionStatus::Failed);
        }
        gate.open();
        for execution in good {
            assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
        }
    })
    .await;
}
