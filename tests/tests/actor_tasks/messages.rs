//! Actors report on tasks by message.

use finale::actix::{Actor, Addr, Context, Handler, Message, Recipient, ResponseFuture};
use finale::message::{RunTask, TaskCompleted, TaskFailed};
use finale::{ExecutionStatus, Failure, FailureClass, Payload, ReportError, Runtime, Shards, TaskError, TaskId};
use finale_core::PayloadError;
use finale_tests::actor::{
    for_each_journal, for_each_journal_in_real_time, only_failure, outcome_of, runtime, workflow,
};

use super::waiting;

/// An actor of an application that does tasks.
struct Clerk {
    completed: Recipient<TaskCompleted>,
    failed: Recipient<TaskFailed>,
}

/// Asks the clerk to do a task, or not to.
#[derive(Message)]
#[rtype(result = "Result<(), ReportError>")]
struct Decide(TaskId, Result<&'static str, &'static str>);

impl Actor for Clerk {
    type Context = Context<Self>;
}

impl Handler<Decide> for Clerk {
    type Result = ResponseFuture<Result<(), ReportError>>;

    fn handle(&mut self, Decide(task, decision): Decide, _context: &mut Self::Context) -> Self::Result {
        let (completed, failed) = (self.completed.clone(), self.failed.clone());
        Box::pin(async move {
            let sent = match decision {
                Ok(output) => completed.send(TaskCompleted::new(task, Payload::encode(output)?).by("a clerk")).await,
                Err(reason) => {
                    failed.send(TaskFailed::new(task, Failure::new(FailureClass::Rejected, reason)).by("a clerk")).await
                }
            };
            sent.expect("the runtime is there")
        })
    }
}

fn clerk(runtime: &Runtime) -> Addr<Clerk> {
    Clerk { completed: runtime.task_completed(), failed: runtime.task_failed() }.start()
}

#[actix::test]
async fn an_actor_reports_by_message() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let clerk = clerk(&runtime);
        let (done, task) = waiting(&runtime).await;
        assert_eq!(clerk.send(Decide(task, Ok("signed"))).await.unwrap(), Ok(()));
        assert_eq!(done.outcome().await.unwrap().output::<String>().unwrap(), "signed");
        let again = clerk.send(Decide(task, Ok("again"))).await.unwrap();
        assert_eq!(again, Err(ReportError::AlreadyTerminal(ExecutionStatus::Completed)));

        let (refused, task) = waiting(&runtime).await;
        assert_eq!(clerk.send(Decide(task, Err("not mine"))).await.unwrap(), Ok(()));
        let outcome = refused.outcome().await.unwrap();
        assert_eq!(only_failure(&outcome), (FailureClass::Rejected, "not mine".to_owned()));
    })
    .await;
}

#[actix::test]
async fn a_message_finds_its_task_in_whatever_shard_it_is() {
    for_each_journal_in_real_time(async |journal| {
        let runtime = Runtime::builder().shards(Shards::Own(3)).journal(journal.clone()).start().unwrap();
        let clerk = clerk(&runtime);
        let asks = super::asks();
        for round in 0..9 {
            let execution = runtime.activate(&asks, ()).await.unwrap();
            let task = finale_tests::tasks::task_of(execution.id(), &asks, "a");
            let decision = if round % 2 == 0 { Ok("signed") } else { Err("not mine") };
            assert_eq!(clerk.send(Decide(task, decision)).await.unwrap(), Ok(()), "round {round}");
            execution.outcome().await.unwrap();
        }
        let unknown = TaskId {
            execution: runtime.new_execution_id(),
            key: finale_core::WorkKey::root(finale_core::NodeIndex(1)),
        };
        assert_eq!(clerk.send(Decide(unknown, Ok("for nobody"))).await.unwrap(), Err(ReportError::NotFound));
    })
    .await;
}

#[actix::test]
async fn a_message_says_who_reports_and_on_which_attempt() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let completed = runtime.task_completed();
        for attempt in [2, 0] {
            let (_execution, task) = waiting(&runtime).await;
            let report = TaskCompleted::new(task, Payload::NULL).attempt(attempt);
            assert_eq!(completed.send(report).await.unwrap(), Err(ReportError::StaleAttempt { attempt }));
        }
        let (execution, task) = waiting(&runtime).await;
        let report = TaskCompleted::new(task, Payload::NULL).by("the chief clerk").attempt(1);
        assert_eq!(completed.send(report).await.unwrap(), Ok(()));
        let history = finale::offline::read(&journal, execution.id()).unwrap();
        let told: Vec<_> = history.history().iter().map(|described| format!("{described:?}")).collect();
        assert!(told.iter().any(|line| line.contains("the chief clerk")), "{told:?}");
    })
    .await;
}

#[actix::test]
async fn a_message_may_carry_as_much_as_a_call() {
    for_each_journal(async |journal| {
        let limits = finale::Limits::new().payload_bytes_max(10);
        let runtime = runtime(&journal).limits(limits).start().unwrap();
        let (execution, task) = waiting(&runtime).await;
        let too_large = Err(ReportError::Payload(PayloadError::TooLarge { bytes: 11, bytes_max: 10 }));
        let sent = clerk(&runtime).send(Decide(task, Ok("nine byte"))).await.unwrap();
        assert_eq!(sent, too_large);
        assert_eq!(execution.status().await, Ok(ExecutionStatus::Running));
    })
    .await;
}

#[actix::test]
async fn after_the_runtime_has_stopped_a_message_is_not_taken() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).start().unwrap();
        let completed = runtime.task_completed();
        let (_execution, task) = waiting(&runtime).await;
        runtime.shutdown(std::time::Duration::from_secs(1)).await;
        assert!(completed.send(TaskCompleted::new(task, Payload::NULL)).await.is_err());
    })
    .await;
}

/// An actor that a runtime asks to do tasks; it says more than anybody can keep.
struct Talker;

impl Actor for Talker {
    type Context = Context<Self>;
}

impl Handler<RunTask> for Talker {
    type Result = Result<Payload, TaskError>;

    fn handle(&mut self, task: RunTask, _context: &mut Self::Context) -> Self::Result {
        Ok(Payload::encode(&"x".repeat(if task.node == "long" { 9 } else { 8 }))?)
    }
}

#[actix::test]
async fn what_an_actor_gives_back_for_its_task_may_not_be_larger_than_a_payload() {
    for_each_journal(async |journal| {
        let limits = finale::Limits::new().payload_bytes_max(10);
        let talker = Talker.start();
        let builder = runtime(&journal).limits(limits).actor_handler("long", talker.clone().recipient());
        let runtime = builder.actor_handler("short", talker.recipient()).start().unwrap();
        let outcome = outcome_of(&runtime, &workflow("s>short short>e")).await;
        assert_eq!(outcome.output::<String>().unwrap(), "xxxxxxxx");
        let outcome = outcome_of(&runtime, &workflow("s>long long>e")).await;
        let (class, reason) = only_failure(&outcome);
        assert_eq!(class, FailureClass::Failed);
        assert_eq!(reason, "the output: 11 bytes are more than the 10 bytes allowed for a payload");
    })
    .await;
}
