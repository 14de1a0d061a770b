//! A shard keeps the definitions that something needs, however many others come and go.

use std::time::Duration;

use finale_tests::actor::{Dummies, chart, for_each_journal, runtime, settle, workflow};
use finale_tests::tasks::task_of;

/// More than a shard keeps whether they are needed or not.
const MANY: u64 = 2_500;

#[actix::test]
async fn what_waits_goes_on_with_its_own_definition_after_thousands_of_others() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done("a").start().unwrap();
        let mut waiting = Vec::new();
        for number in 1..=MANY {
            // The timeout is never reached: it only makes another definition of each.
            let other = Duration::from_secs(number);
            if number % 100 == 0 {
                let ask = chart("s>a a>b b>e").outside("b").timeout("a", other).output(&number.to_string()).workflow();
                waiting.push((number, runtime.activate(&ask, ()).await.unwrap(), ask));
            } else {
                let flow = chart("s>a a>e").timeout("a", other).workflow();
                runtime.activate(&flow, ()).await.unwrap().outcome().await.unwrap();
            }
        }
        settle().await;
        for (number, execution, ask) in waiting {
            runtime.complete_task(task_of(execution.id(), &ask, "b"), ()).await.unwrap();
            assert_eq!(execution.outcome().await.unwrap().output::<u64>().unwrap(), number);
        }
        // One whose number went to another definition is numbered anew.
        runtime.activate(&chart("s>a a>e").timeout("a", Duration::from_secs(1)).workflow(), ()).await.unwrap();
        runtime.activate(&workflow("s>a a>e"), ()).await.unwrap().outcome().await.unwrap();
    })
    .await;
}
