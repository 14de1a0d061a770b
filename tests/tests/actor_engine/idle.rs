//! Executions that only wait cost nothing while they do.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use finale::journal::{MemoryJournal, SqliteJournal};
use finale::{Builder, Faults, Runtime, Shards};
use finale_tests::actor::{Dummies, Gate, chart};

/// More inputs than any of the state machines gets here.
const MANY: u32 = 1_000_000;

/// Lets three days pass over executions that wait, and gives how many inputs the three state machines got meanwhile.
async fn inputs_in_three_days(builder: Builder) -> [u32; 3] {
    let faults = Arc::<Faults>::default();
    let gate = Gate::default();
    let runtime = builder.faults(Arc::clone(&faults)).gated("a", &gate).start().expect("it starts");
    let outside = chart("s>o o>e").outside("o").workflow();
    let handled = chart("s>a a>e").workflow();
    for number in 0..100 {
        runtime.activate(&outside, number).deadline(Duration::from_secs(30 * 86_400)).await.expect("it is activated");
        runtime.activate(&handled, number).await.expect("it is activated");
    }
    // What is left to do after an activation is done at once; then nothing is due for a month.
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let kills = [&faults.kill_execution, &faults.kill_engine, &faults.kill_supervisor];
    kills.iter().for_each(|kill| kill.over.store(MANY, Ordering::Relaxed));
    tokio::time::sleep(Duration::from_secs(3 * 86_400)).await;
    let inputs = kills.map(|kill| MANY - kill.over.swap(0, Ordering::Relaxed));
    assert_eq!(runtime.health().open_executions, 200);
    inputs
}

#[actix::test]
async fn no_machine_gets_anything_to_do_in_three_days_of_waiting() {
    let builder = || Runtime::builder().shards(Shards::Current);
    assert_eq!(inputs_in_three_days(builder().journal(MemoryJournal::new())).await, [0; 3]);
    tokio::time::resume();
    let folder = tempfile::tempdir().unwrap();
    let sqlite = SqliteJournal::open(folder.path().join("journal.db")).unwrap();
    assert_eq!(inputs_in_three_days(builder().journal(sqlite)).await, [0; 3]);
}
