//! Handlers that fail, panic or hang are told again, and hold up nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use finale::journal::JournalReader;
use finale_tests::actor::{Dummies, for_each_journal, outcome_of, runtime, settle, workflow};
use tokio::time::Instant;

use super::{Notebook, Taking};

const SECOND: Duration = Duration::from_secs(1);

#[actix::test]
async fn a_handler_that_fails_is_told_again_later_and_later() {
    for_each_journal(async |journal| {
        let (refusing, other) = (Notebook::refusing(8), Notebook::default());
        let builder = runtime(&journal).done("a").on_ended(refusing.handler()).on_ended(other.handler());
        let runtime = builder.start().unwrap();
        let outcome = outcome_of(&runtime, &workflow("s>a a>e")).await;
        tokio::time::sleep(600 * SECOND).await;
        let told = refusing.told();
        assert!(told.iter().all(|again| *again == told[0]), "it is told the same each time");
        let times = refusing.times();
        let waited = times.windows(2).map(|times| (times[1] - times[0]).as_secs());
        assert_eq!(waited.collect::<Vec<_>>(), [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!((&told[8].outcome, other.told().len()), (&outcome, 1), "who has taken it is not told again");
        assert_eq!(journal.untold(None, 10), Ok(Vec::new()));
    })
    .await;
}

#[actix::test]
async fn an_end_over_which_a_handler_fails_holds_up_no_other() {
    for_each_journal(async |journal| {
        let notebook = Notebook::default();
        let (inner, failing) = (notebook.handler(), workflow("s>a a>e").definition().id.clone());
        let handler = move |ended: finale::Ended| -> Taking {
            if ended.business_key.as_deref() == Some(&failing) {
                Box::pin(async { Err("never".into()) })
            } else {
                inner(ended)
            }
        };
        let runtime = runtime(&journal).done("a").on_ended(handler).start().unwrap();
        let flow = workflow("s>a a>e");
        let mut poisoned = Vec::new();
        for _ in 0..100 {
            poisoned.push(runtime.activate(&flow, ()).business_key(flow.definition().id.as_str()).await.unwrap().id());
        }
        settle().await;
        tokio::time::sleep(100 * SECOND).await;
        let begun = Instant::now();
        outcome_of(&runtime, &flow).await;
        settle().await;
        assert_eq!(notebook.told().len(), 1);
        assert!(begun.elapsed() < SECOND);
        assert_eq!(journal.untold(None, 1_000), Ok(poisoned));
    })
    .await;
}

/// Panics when it is dropped.
struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("a destructor of the user");
        }
    }
}

#[actix::test]
async fn a_panic_in_a_handler_wherever_it_is_harms_nobody_and_it_is_told_again() {
    for_each_journal(async |journal| {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let handler = move |_| -> Taking {
            match counted.fetch_add(1, Ordering::SeqCst) {
                0 => panic!("before its future"),
                1 => Box::pin(async { panic!("in its future") }),
                2 => Box::pin(async {
                    tokio::task::yield_now().await;
                    panic!("in its future, later");
                }),
                3 => Box::pin(async {
                    let _panics = PanicsOnDrop;
                    Err("and its destructor panics".into())
                }),
                // Given up after a minute, with a destructor that panics.
                4 => Box::pin(async {
                    let _panics = PanicsOnDrop;
                    std::future::pending().await
                }),
                _ => Box::pin(async { Ok(()) }),
            }
        };
        let other = Notebook::default();
        let runtime = runtime(&journal).done("a").on_ended(handler).on_ended(other.handler()).start().unwrap();
        outcome_of(&runtime, &workflow("s>a a>e")).await;
        tokio::time::sleep(300 * SECOND).await;
        assert_eq!((calls.load(Ordering::SeqCst), other.told().len()), (6, 1));
        assert_eq!(journal.untold(None, 10), Ok(Vec::new()));
        outcome_of(&runtime, &workflow("s>a a>e")).await;
        assert!(runtime.health().is_well());
    })
    .await;
}

#[actix::test]
async fn a_handler_that_hangs_is_given_up_after_a_minute_and_told_again() {
    for_each_journal(async |journal| {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let handler = move |_| -> Taking {
            let hangs = counted.fetch_add(1, Ordering::SeqCst) == 0;
            Box::pin(async move { if hangs { std::future::pending().await } else { Ok(()) } })
        };
        let runtime = runtime(&journal).done("a").on_ended(handler).start().unwrap();
        outcome_of(&runtime, &workflow("s>a a>e")).await;
        tokio::time::sleep(60 * SECOND).await;
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        tokio::time::sleep(2 * SECOND).await;
        assert_eq!(calls.load(Ordering::SeqCst), 2);
        assert_eq!(journal.untold(None, 10), Ok(Vec::new()));
    })
    .await;
}

#[actix::test]
async fn a_bounded_number_of_ends_is_told_at_once() {
    for_each_journal(async |journal| {
        let gate = finale_tests::actor::Gate::closed();
        let entered = gate.clone();
        let handler = move |_| {
            let gate = entered.clone();
            async move {
                gate.pass().await;
                Ok(())
            }
        };
        let runtime = runtime(&journal).done("a").on_ended(handler).start().unwrap();
        for _ in 0..50 {
            outcome_of(&runtime, &workflow("s>a a>e")).await;
        }
        settle().await;
        assert_eq!((gate.begun(), gate.inside()), (16, 16));
        gate.let_through(1);
        settle().await;
        assert_eq!((gate.begun(), gate.inside()), (17, 16), "the next one when one is done");
        gate.open();
        settle().await;
        assert_eq!((gate.begun(), gate.inside(), gate.inside_max()), (50, 0, 16));
        assert_eq!(journal.untold(None, 10), Ok(Vec::new()));
    })
    .await;
}
