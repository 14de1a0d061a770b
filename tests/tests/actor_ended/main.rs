//! Handlers of a runtime that are told of each end: at least once, also after a crash.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod failing;
mod panics;
mod restart;
mod shutdown;
mod told;

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use finale::{Ended, ExecutionId};
use tokio::time::Instant;

/// What a handler that is told of ends gives.
type Taking = Pin<Box<dyn Future<Output = Result<(), Box<dyn Error + Send + Sync>>>>>;

/// Notes what handlers are told, and refuses the first times. A clone is the same notebook.
#[derive(Clone, Debug, Default)]
struct Notebook(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    told: Mutex<Vec<(Instant, Ended)>>,
    refusals: AtomicUsize,
}

impl Notebook {
    /// One that refuses that often before it takes anything.
    fn refusing(refusals: usize) -> Self {
        let notebook = Self::default();
        notebook.0.refusals.store(refusals, Ordering::SeqCst);
        notebook
    }

    fn handler(&self) -> impl Fn(Ended) -> Taking + Send + Sync + 'static {
        let notebook = self.clone();
        move |ended| {
            let notebook = notebook.clone();
            Box::pin(async move {
                notebook.0.told.lock().unwrap().push((Instant::now(), ended));
                let refusals = &notebook.0.refusals;
                match refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
                    Ok(_) => Err("not now".into()),
                    Err(_) => Ok(()),
                }
            })
        }
    }

    fn told(&self) -> Vec<Ended> {
        self.0.told.lock().unwrap().iter().map(|(_, ended)| ended.clone()).collect()
    }

    /// When they were told.
    fn times(&self) -> Vec<Instant> {
        self.0.told.lock().unwrap().iter().map(|(at, _)| *at).collect()
    }

    fn ids(&self) -> Vec<ExecutionId> {
        self.told().into_iter().map(|ended| ended.execution).collect()
    }
}
