//! What the futures of an application hold while they wait for executions.

use finale::{Runtime, Shards};
use finale_tests::actor::{Dummies, workflow};

/// A future has room for the largest of all that it awaits, also where it hardly ever does: one that activates, waits and
/// then looks has room for each of these.
#[actix::test]
async fn the_futures_of_activations_and_of_handles_are_small() {
    let runtime = Runtime::builder().shards(Shards::Current).done("a").start().unwrap();
    let start = runtime.activate(&workflow("s>a a>e"), ()).start();
    assert!(size_of_val(&start) <= 256, "{} bytes", size_of_val(&start));
    let execution = start.await.unwrap();
    let waits = [size_of_val(&execution.outcome()), size_of_val(&execution.status())];
    let looks = [size_of_val(&execution.snapshot()), size_of_val(&execution.why()), size_of_val(&execution.events())];
    let rest = [size_of_val(&execution.workflow()), size_of_val(&execution.cancel("me"))];
    for bytes in waits.into_iter().chain(looks).chain(rest) {
        assert!(bytes <= 64, "{bytes} bytes");
    }
}
