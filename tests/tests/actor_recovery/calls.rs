//! Workflows that are called live through every restart with what calls them, in the version they were called in.

use finale::{Call, ExecutionStatus, NodeStatus, ReportError, Task, TaskContext, TaskError, TaskReport, Workflow};
use finale_tests::actor::{Dummies, Gate, settle};
use finale_tests::lives::{Diary, Noted, for_each_restart, outcome};

/// `order` calls `ship`, which calls `carrier`; in the innermost somebody outside is asked.
fn order() -> Workflow {
    let carrier = Workflow::builder("carrier").task("book", "book").task("drive", Task::external()).after("book");
    let carrier = carrier.build().unwrap();
    let ship = Workflow::builder("ship").task("label", "label").call("carry", &carrier).after("label").build().unwrap();
    let order = Workflow::builder("order").task("pack", "pack").call("ship", &ship).after("pack");
    order.task("bill", "bill").after("ship").build().unwrap()
}

#[actix::test]
async fn what_is_called_goes_on_after_every_restart_and_nothing_that_was_done_is_done_again() {
    for_each_restart(async |lives, how| {
        let (diary, gates) = (Diary::default(), ["pack", "label", "book", "bill"].map(|_| Gate::closed()));
        let next = |builder: finale::Builder| {
            let names = ["pack", "label", "book", "bill"].iter().zip(&gates);
            names.fold(builder, |builder, (name, gate)| builder.noted_at(name, &diary, gate)).start().unwrap()
        };
        let mut runtime = next(lives.next());
        let id = runtime.activate(&order(), ()).await.unwrap().id();
        for gate in &gates[..3] {
            gate.open();
            settle().await;
            runtime = next(lives.restart(&runtime, how).await);
            settle().await;
        }
        let open = runtime.open_tasks_of(id).await.unwrap();
        assert_eq!(open.iter().map(|task| task.node.as_str()).collect::<Vec<_>>(), ["ship::carry::drive"]);
        let execution = runtime.execution(id).await.unwrap();
        let why = execution.why().await.unwrap();
        assert_eq!(why.awaited[0].node, "ship::carry::drive");
        execution.report("ship::carry::drive", TaskReport::completed("there")).await.unwrap();
        settle().await;
        runtime = next(lives.restart(&runtime, how).await);
        gates[3].open();
        assert_eq!(outcome(&runtime, id).await.status(), ExecutionStatus::Completed);
        let record = runtime.execution(id).await.unwrap().snapshot().await.unwrap();
        let shipped = record.nodes.iter().find(|node| node.id == "ship").unwrap();
        assert_eq!(shipped.state.status(), NodeStatus::Completed);
        assert!(record.nodes.iter().any(|node| node.id == "ship::carry::drive"));
        // What was at work is run again, what was done is not.
        let runs = ["pack 1", "label 1", "label 2", "book 1", "book 2", "bill 1", "bill 2"];
        assert_eq!(diary.told(), runs);
    })
    .await;
}

/// Whoever activates it again calls what is there by then; what was begun goes on with what it began with.
#[actix::test]
async fn an_execution_calls_what_was_there_when_it_was_activated() {
    for_each_restart(async |lives, how| {
        let order = |title: &str| {
            let ship = Workflow::builder("ship").task("label", Task::external().title(title)).build().unwrap();
            let order = Workflow::builder("order").task("pack", Task::external()).call("ship", &ship).after("pack");
            order.build().unwrap()
        };
        let first = lives.next().start().unwrap();
        let id = first.activate(&order("Print it"), ()).await.unwrap().id();
        let second = lives.restart(&first, how).await.start().unwrap();
        let other = second.activate(&order("Write it"), ()).await.unwrap().id();
        for (execution, title) in [(id, "Print it"), (other, "Write it")] {
            let execution = second.execution(execution).await.unwrap();
            let early = execution.report("ship::label", TaskReport::completed(1)).await;
            assert_eq!(early, Err(ReportError::NotReady(NodeStatus::Pending)), "it is not called yet");
            let unknown = execution.report("ship::lable", TaskReport::completed(1)).await;
            assert_eq!(unknown, Err(ReportError::UnknownNode("ship::lable".to_owned())));
            execution.report("pack", TaskReport::completed(1)).await.unwrap();
            settle().await;
            assert_eq!(second.open_tasks_of(execution.id()).await.unwrap()[0].title, title);
        }
    })
    .await;
}

#[actix::test]
async fn a_cancel_says_by_path_what_it_closed() {
    for_each_restart(async |lives, how| {
        let first = lives.next().never("label").start().unwrap();
        let ship = Workflow::builder("ship").task("label", "label").task("ask", Task::external()).build().unwrap();
        let order = Workflow::builder("order").call("ship", &ship).build().unwrap();
        let id = first.activate(&order, ()).await.unwrap().id();
        settle().await;
        let second = lives.restart(&first, how).await.never("label").start().unwrap();
        settle().await;
        let receipt = second.cancel_execution(id, "me").await.unwrap();
        let closed: Vec<_> = receipt.tasks.iter().map(|task| task.node.as_str()).collect();
        assert_eq!(closed, ["ship::label", "ship::ask"]);
        let record = second.execution(id).await.unwrap().snapshot().await.unwrap();
        assert!(record.nodes.iter().all(|node| node.state.status().is_settled()), "{:?}", record.nodes);
    })
    .await;
}

async fn price(_: TaskContext) -> Result<u32, TaskError> {
    Ok(20)
}

async fn charge(context: TaskContext) -> Result<String, TaskError> {
    assert!(context.output::<u32>("pack").is_err(), "what its caller has is not for it to see");
    Ok(format!("{} euros paid", context.output::<u32>("price")?))
}

#[actix::test]
async fn a_handler_sees_the_outputs_of_its_own_workflow() {
    for_each_restart(async |lives, _| {
        let builder = lives.next().handler("price", price).handler("charge", charge).handler("pack", price);
        let runtime = builder.start().unwrap();
        let pay =
            Workflow::builder("pay").task("price", "price").task("charge", "charge").after("price").build().unwrap();
        let order = Workflow::builder("order").task("pack", "pack").call("pay", &pay).after("pack");
        let order = order.call("again", Call::from(&pay).output("output ~ ' again'")).after("pay").build().unwrap();
        let outcome = runtime.activate(&order, ()).await.unwrap().outcome().await.unwrap();
        assert_eq!(outcome.output::<String>().unwrap(), "20 euros paid again");
    })
    .await;
}
