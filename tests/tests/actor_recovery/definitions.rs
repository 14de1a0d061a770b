//! An execution goes on with the definition it began with, whatever the application knows by now.

use finale::{ExecutionStatus, TaskContext, TaskError};
use finale_core::definition::OnFailure;
use finale_tests::actor::{Dummies, Gate, chart, settle};
use finale_tests::lives::{Diary, Noted, for_each_restart, outcome};

#[actix::test]
async fn expressions_and_conditions_are_those_it_began_with() {
    for_each_restart(async |lives, how| {
        let flow = chart("s>a a>q q:true>b q:false>c b>e c>e")
            .input("b", "{\"twice\": input.amount * 2, \"from\": nodes.a.output}")
            .condition("q", "input.amount > 5")
            .output("nodes.b.output.twice");
        let first = lives.next().never("a").done("b c").start().unwrap();
        let id = first.activate(&flow.workflow(), serde_json::json!({"amount": 7})).await.unwrap().id();
        settle().await;
        let echo = async |_: TaskContext, input: serde_json::Value| Ok::<_, TaskError>(input);
        let second = lives.restart(&first, how).await.done("a c").handler("b", echo).start().unwrap();
        let outcome = outcome(&second, id).await;
        assert_eq!(outcome.output::<u32>().unwrap(), 14);
        let record = second.execution(id).await.unwrap().snapshot().await.unwrap();
        assert_eq!(record.workflow.name, "Test");
    })
    .await;
}

#[actix::test]
async fn a_changed_definition_under_the_same_id_is_for_new_executions_only() {
    for_each_restart(async |lives, how| {
        let (diary, gate) = (Diary::default(), Gate::closed());
        let first = lives.next().noted_at("a", &diary, &gate).noted("b", &diary).start().unwrap();
        let old = first.activate(&chart("s>a a>b b>e").workflow(), ()).await.unwrap().id();
        settle().await;
        let second = lives.restart(&first, how).await.noted("a b c", &diary).start().unwrap();
        let new = second.activate(&chart("s>a a>c c>e").workflow(), ()).await.unwrap().id();
        assert_eq!(outcome(&second, old).await.output::<String>().unwrap(), "b");
        assert_eq!(outcome(&second, new).await.output::<String>().unwrap(), "c");
    })
    .await;
}

#[actix::test]
async fn policies_are_those_it_began_with() {
    for_each_restart(async |lives, how| {
        let flow = chart("s>p p:branch>a p:branch>b a>e b>e").on_failure(OnFailure::WaitAll).workflow();
        let (diary, first) = (Diary::default(), lives.next().failing("a").never("b").start().unwrap());
        let id = first.activate(&flow, ()).await.unwrap().id();
        settle().await;
        let second = lives.restart(&first, how).await.failing("a").noted("b", &diary).start().unwrap();
        let outcome = outcome(&second, id).await;
        assert_eq!((outcome.status(), outcome.counts.completed), (ExecutionStatus::Failed, 1));
        assert_eq!(diary.told(), ["b 2"]);
    })
    .await;
}
