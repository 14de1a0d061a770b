//! What handlers are told and what they may be.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix::{Actor, Context, Handler, ResponseFuture};
use finale::message::RunTask;
use finale::{
    ActivateError, BlockingContext, Definition, FailureClass, NodeStatus, Payload, Task, TaskContext, TaskError,
    TaskOutputError, Workflow,
};
use finale_tests::actor::{
    Any, Dummies, chart, for_each_journal, for_each_journal_in_real_time, only_failure, outcome_of, runtime, workflow,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Order {
    item: String,
    count: u32,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Reserved {
    shelf: u32,
}

#[actix::test]
async fn a_handler_takes_and_gives_types_of_the_application() {
    for_each_journal(async |journal| {
        let reserve = async |_: TaskContext, order: Order| Ok::<_, TaskError>(Reserved { shelf: order.count + 1 });
        let runtime = runtime(&journal).handler("a", reserve).start().unwrap();
        let order = Order { item: "pen".to_owned(), count: 6 };
        let execution = runtime.activate(&workflow("s>a a>e"), &order).await.unwrap();
        let outcome = execution.outcome().await.unwrap();
        assert_eq!(outcome.output::<Reserved>().unwrap(), Reserved { shelf: 7 });
    })
    .await;
}

#[actix::test]
async fn the_future_of_a_handler_need_not_be_send() {
    for_each_journal(async |journal| {
        let local = async |_: TaskContext, _: Any| {
            let not_send = Rc::new(5);
            tokio::task::yield_now().await;
            Ok::<_, TaskError>(*not_send)
        };
        let runtime = runtime(&journal).handler("a", local).start().unwrap();
        assert_eq!(outcome_of(&runtime, &workflow("s>a a>e")).await.output::<i32>().unwrap(), 5);
    })
    .await;
}

#[actix::test]
async fn any_error_becomes_the_reason_of_the_failure() {
    for_each_journal(async |journal| {
        let parse = async |_: TaskContext, _: Any| Ok::<_, TaskError>("x".parse::<u32>()?);
        let runtime = runtime(&journal).handler("a", parse).start().unwrap();
        let (class, reason) = only_failure(&outcome_of(&runtime, &workflow("s>a a>e")).await);
        assert_eq!((class, reason.as_str()), (FailureClass::Failed, "invalid digit found in string"));
    })
    .await;
}

#[actix::test]
async fn a_blocking_handler_works_on_a_thread_of_its_own() {
    for_each_journal_in_real_time(async |journal| {
        let here = std::thread::current().id();
        let blocking = move |task: BlockingContext, order: Order| {
            assert_eq!((task.node(), task.attempt(), task.task_id().key.node.0), ("b", 1, 2));
            let before: String = task.output("a")?;
            let none = task.output::<String>("e").unwrap_err();
            assert_eq!(none, TaskOutputError::Missing("e".to_owned()));
            Ok((std::thread::current().id() != here, before, order.item))
        };
        let runtime = runtime(&journal).done("a").blocking_handler("b", blocking).start().unwrap();
        let order = Order { item: "pen".to_owned(), count: 6 };
        let execution = runtime.activate(&workflow("s>a a>b b>e"), &order).await.unwrap();
        let output: (bool, String, String) = execution.outcome().await.unwrap().output().unwrap();
        assert_eq!(output, (true, "a".to_owned(), "pen".to_owned()));
    })
    .await;
}

#[actix::test]
async fn a_blocking_handler_that_panics_fails_its_task_with_the_message() {
    for_each_journal_in_real_time(async |journal| {
        let blocking = |_: BlockingContext, _: Any| -> Result<(), TaskError> { panic!("no {}", "paper") };
        let runtime = runtime(&journal).blocking_handler("a", blocking).start().unwrap();
        let failure = only_failure(&outcome_of(&runtime, &workflow("s>a a>e")).await);
        assert_eq!(failure, (FailureClass::Panicked, "no paper".to_owned()));
    })
    .await;
}

/// An actor of the application.
#[derive(Default)]
struct Printer {
    asked: usize,
}

impl Actor for Printer {
    type Context = Context<Self>;
}

impl Handler<RunTask> for Printer {
    type Result = ResponseFuture<Result<Payload, TaskError>>;

    fn handle(&mut self, task: RunTask, _context: &mut Self::Context) -> Self::Result {
        self.asked += 1;
        let answer = (task.node.clone(), task.attempt, self.asked, task.input);
        Box::pin(async move {
            tokio::task::yield_now().await;
            match answer.0.as_str() {
                "broken" => Err(TaskError::new("out of paper").permanent()),
                "long" => Ok(Payload::encode("a longer answer than allowed")?),
                _ => Ok(Payload::encode(&answer)?),
            }
        })
    }
}

#[actix::test]
async fn an_actor_of_the_application_can_do_tasks() {
    for_each_journal(async |journal| {
        let printer = Printer::default().start().recipient();
        let runtime =
            runtime(&journal).actor_handler("a", printer.clone()).actor_handler("b", printer).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>b b>e"), "page").await.unwrap();
        let output: (String, u16, usize, String) = execution.outcome().await.unwrap().output().unwrap();
        assert_eq!(output, ("b".to_owned(), 1, 2, "page".to_owned()));
    })
    .await;
}

#[actix::test]
async fn the_error_of_an_actor_is_the_failure_of_its_task() {
    for_each_journal(async |journal| {
        let printer = Printer::default().start().recipient();
        let runtime = runtime(&journal).actor_handler("broken", printer).start().unwrap();
        let failure = only_failure(&outcome_of(&runtime, &workflow("s>broken broken>e")).await);
        assert_eq!(failure, (FailureClass::Failed, "out of paper".to_owned()));
    })
    .await;
}

#[actix::test]
async fn a_task_for_an_actor_that_is_gone_is_lost() {
    for_each_journal(async |journal| {
        let printer = Printer::default().start();
        let gone = printer.clone().recipient();
        let (stopped, is_stopped) = tokio::sync::oneshot::channel();
        printer.do_send(Leave(stopped));
        is_stopped.await.unwrap();
        let runtime = runtime(&journal).actor_handler("a", gone).start().unwrap();
        let (class, reason) = only_failure(&outcome_of(&runtime, &workflow("s>a a>e")).await);
        assert_eq!(class, FailureClass::Lost);
        assert!(reason.starts_with("the actor did not answer"), "{reason}");
    })
    .await;
}

/// Ends the printer, and says so when it has come to that.
#[derive(actix::Message)]
#[rtype(result = "()")]
struct Leave(tokio::sync::oneshot::Sender<()>);

impl Handler<Leave> for Printer {
    type Result = ();

    fn handle(&mut self, leave: Leave, context: &mut Self::Context) {
        use actix::ActorContext;
        context.stop();
        leave.0.send(()).expect("the test waits for it");
    }
}

#[actix::test]
async fn handlers_share_the_state_of_the_application() {
    for_each_journal(async |journal| {
        let counter = Arc::new(AtomicUsize::new(0));
        let count = async |task: TaskContext, _: Any| {
            assert!(task.data::<String>().is_err());
            let counter = task.data::<Arc<AtomicUsize>>()?;
            Ok::<_, TaskError>(counter.fetch_add(1, Ordering::SeqCst))
        };
        let runtime = runtime(&journal).data(Arc::clone(&counter)).handler("a", count).handler("b", count).start();
        outcome_of(&runtime.unwrap(), &workflow("s>a a>b b>e")).await;
        assert_eq!(counter.load(Ordering::SeqCst), 2);
    })
    .await;
}

#[actix::test]
async fn a_handler_sees_the_outputs_of_tasks_done_before() {
    for_each_journal(async |journal| {
        let look = async |task: TaskContext, _: Any| {
            let first: String = task.output("a")?;
            let unknown = task.output::<String>("nowhere").unwrap_err();
            let missing = task.output::<String>("later").unwrap_err();
            let control = task.output::<String>("s").unwrap_err();
            let wrong = task.output::<u32>("a").unwrap_err();
            assert_eq!(unknown, TaskOutputError::Unknown("nowhere".to_owned()));
            assert_eq!(missing, TaskOutputError::Missing("later".to_owned()));
            assert_eq!(control, TaskOutputError::Missing("s".to_owned()));
            assert!(matches!(wrong, TaskOutputError::Type { node, .. } if node == "a"));
            Ok::<_, TaskError>(first)
        };
        let runtime = runtime(&journal).done("a later").handler("b", look).start().unwrap();
        let outcome = outcome_of(&runtime, &workflow("s>a a>b b>later later>e")).await;
        assert_eq!(outcome.error(), None);
    })
    .await;
}

#[actix::test]
async fn what_is_around_its_graph_a_handler_is_given_by_its_input() {
    for_each_journal(async |journal| {
        let looked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&looked);
        let look = move |task: TaskContext, given: String| {
            assert_eq!(task.output::<String>("a").unwrap_err(), TaskOutputError::Unknown("a".to_owned()));
            assert_eq!(given, "a");
            counter.fetch_add(1, Ordering::SeqCst);
            async { Ok::<_, TaskError>(()) }
        };
        let give = async |_: TaskContext, _: Any| Ok::<_, TaskError>("a");
        let fail = async |_: TaskContext, _: Any| Err::<(), _>(TaskError::new("no"));
        let builder = runtime(&journal).handler("give", give).handler("look", look).handler("fail", fail);
        let task = || Task::handler("look").input("nodes.a.output");
        let group = Definition::builder("g").task("b", task()).build();
        let workflow = Workflow::builder("w").task("a", "give").group("group", group).after("a").compensate(task());
        let workflow = workflow.map("map", "[1]", task()).after("group").task("c", "fail").after("map").finally(task());
        outcome_of(&builder.start().unwrap(), &workflow.build().unwrap()).await;
        assert_eq!(looked.load(Ordering::SeqCst), 4);
    })
    .await;
}

#[actix::test]
async fn an_input_that_does_not_fit_is_a_failure_that_is_not_tried_again() {
    for_each_journal(async |journal| {
        let called = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&called);
        let strict = move |_: TaskContext, _: Order| {
            seen.fetch_add(1, Ordering::SeqCst);
            async { Ok::<_, TaskError>(()) }
        };
        let runtime = runtime(&journal).handler("a", strict).start().unwrap();
        let flow = chart("s>a a>e").task("a", |task| task.retry.attempts = 5).workflow();
        let execution = runtime.activate(&flow, "no order").await.unwrap();
        let outcome = execution.outcome().await.unwrap();
        let failure = &outcome.error().unwrap().failures()[0];
        assert!(failure.reason.starts_with("the input does not fit the handler"), "{}", failure.reason);
        assert_eq!((failure.class, failure.attempt), (FailureClass::Failed, 1));
        assert_eq!(called.load(Ordering::SeqCst), 0);
    })
    .await;
}

#[actix::test]
async fn an_output_that_is_too_large_is_a_failure_that_is_not_tried_again() {
    for_each_journal(async |journal| {
        let long = async |_: TaskContext, _: Any| Ok::<_, TaskError>("a longer answer than allowed");
        let printer = Printer::default().start().recipient();
        let runtime = runtime(&journal)
            .limits(finale::Limits::new().payload_bytes_max(20))
            .handler("a", long)
            .actor_handler("long", printer);
        let runtime = runtime.start().unwrap();
        for node in ["a", "long"] {
            let flow = chart(&format!("s>{node} {node}>e")).task(node, |task| task.retry.attempts = 5).workflow();
            let outcome = outcome_of(&runtime, &flow).await;
            let failure = &outcome.error().unwrap().failures()[0];
            assert_eq!(failure.reason, "the output: 30 bytes are more than the 20 bytes allowed for a payload");
            assert_eq!((failure.class, failure.attempt), (FailureClass::Failed, 1));
        }
    })
    .await;
}

#[actix::test]
async fn a_workflow_with_an_unknown_handler_is_refused_with_those_that_are_known() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("pack ship").start().unwrap();
        let refused = runtime.activate(&workflow("s>pick pick>e"), ()).await.unwrap_err();
        let ActivateError::HandlerNotRegistered { handler, registered, .. } = &refused else {
            panic!("{refused:?}");
        };
        assert_eq!(
            (handler.as_str(), registered.as_slice()),
            ("pick", ["pack".to_owned(), "ship".to_owned()].as_slice())
        );
        assert!(journal.held() == 0 && outcome_of(&runtime, &workflow("s>pack pack>e")).await.error().is_none());
    })
    .await;
}

#[actix::test]
async fn the_id_of_a_task_names_its_execution_and_its_node() {
    for_each_journal(async |journal| {
        let name = async |task: TaskContext, _: Any| Ok::<_, TaskError>(task.task_id());
        let runtime = runtime(&journal).handler("a", name).start().unwrap();
        let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
        let outcome = execution.outcome().await.unwrap();
        let record = execution.snapshot().await.unwrap();
        let node = record.nodes.iter().find(|node| node.id == "a").unwrap();
        assert_eq!(node.state.status(), NodeStatus::Completed);
        assert_eq!(Some(outcome.output().unwrap()), node.task_id);
    })
    .await;
}
