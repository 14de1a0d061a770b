//! The state machine that decides what is told may panic over each of its inputs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use finale::journal::{Acknowledgement, HeldJournal, JournalReader};
use finale::{Faults, Keep, Retention};
use finale_tests::actor::{Dummies, runtime, workflow};

use super::Notebook;

#[actix::test]
async fn a_supervisor_that_panics_over_any_input_tells_each_end_all_the_same() {
    tokio::time::pause();
    let mut kinds = BTreeSet::new();
    for over in 1.. {
        let (faults, notebook) = (Arc::<Faults>::default(), Notebook::refusing(1));
        let journal = HeldJournal::new(Acknowledgement::Late);
        // What may be forgotten is looked for on another thread, which no test knows the time of.
        let builder = runtime(&journal).retention(Retention::all(Keep::for_ever())).done("a");
        let runtime = builder.faults(Arc::clone(&faults)).on_ended(notebook.handler()).start().unwrap();
        faults.kill_supervisor.over.store(over, Ordering::Relaxed);
        let mut ids = BTreeSet::new();
        for _ in 0..3 {
            ids.insert(runtime.activate(&workflow("s>a a>e"), ()).await.unwrap().id());
        }
        tokio::time::sleep(Duration::from_secs(100)).await;
        let told: BTreeSet<_> = notebook.ids().into_iter().collect();
        assert_eq!((told, journal.untold(None, 10)), (ids, Ok(Vec::new())), "after a panic over input {over}");
        if faults.kill_supervisor.over.load(Ordering::Relaxed) > 0 {
            break;
        }
        kinds.extend(faults.kill_supervisor.kinds.lock().unwrap().iter().cloned());
    }
    for kind in ["Ended", "UntoldFound", "EndTold", "Written", "Wake"] {
        assert!(kinds.contains(kind), "{kind} is not among {kinds:?}");
    }
}
