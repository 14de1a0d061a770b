//! Drives runtimes whose journal is full of ended executions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use finale::{Limits, Outcome, Retention, Runtime, Workflow};
use finale_core::ExecutionId;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::fill::{Filled, Kept};
use crate::contender::BoxError;
use crate::finale_side::{self, noop};
use crate::handler;
use crate::shape::{HANDLER, Shape};
use crate::tally::Tally;

/// How often it is looked whether something was forgotten.
const TICK: Duration = Duration::from_millis(5);
/// How long forgetting may take before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(600);

/// How much is to be done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    pub(super) at_once: usize,
    pub(super) window: Duration,
}

/// One runtime.
pub(super) struct Life {
    runtime: Runtime,
    workflow: Workflow,
}

impl Life {
    pub(super) fn start(filled: &Filled, retention: Retention, at_once: usize) -> Result<Self, BoxError> {
        let builder = Runtime::builder().retention(retention);
        // As many may be active as are in flight: those that wait for the disk count among them.
        let builder = builder.limits(Limits::new().active_executions_max(at_once)).handler(HANDLER, noop);
        let builder = match &filled.journal {
            Kept::Memory(journal) => builder.journal(journal.clone()),
            Kept::Sqlite(journal) => builder.journal(journal.clone()),
        };
        Ok(Self { runtime: builder.start()?, workflow: Workflow::new(Shape::single().definition())? })
    }

    pub(super) async fn end(self) -> Result<(), BoxError> {
        let report = self.runtime.shutdown(Duration::from_secs(30)).await;
        if report.unfinished == 0 { Ok(()) } else { Err(format!("{} have not ended", report.unfinished).into()) }
    }

    /// Executions a second, after as many as are in flight have ended.
    pub(super) async fn run(&self, Load { at_once, window }: Load) -> Result<f64, BoxError> {
        let mut began = None;
        let mut left = window;
        let (ended, seconds) = self
            .run_while(at_once, || {
                let began = began.get_or_insert_with(Instant::now);
                left = window.saturating_sub(began.elapsed());
                Ok(!left.is_zero())
            })
            .await?;
        Ok(ended as f64 / seconds)
    }

    /// Runs as long as something is so: gives how many ended, and in how many seconds.
    pub(super) async fn run_while(
        &self,
        at_once: usize,
        mut goes_on: impl FnMut() -> Result<bool, BoxError>,
    ) -> Result<(usize, f64), BoxError> {
        let shape = Shape::single();
        let mut in_flight: FuturesUnordered<_> = (0..at_once).map(|_| self.one()).collect();
        let (mut tally, mut all, mut ended) = (Tally::default(), 0, 0);
        let (mut began, mut seconds, mut looked) = (None, None, Instant::now());
        while let Some(outcome) = in_flight.next().await {
            tally += finale_side::tally(&shape, &outcome?.1)?;
            all += 1;
            if seconds.is_some() {
                continue;
            }
            in_flight.push(self.one());
            match began {
                None if all >= at_once => (began, looked) = (Some(Instant::now()), Instant::now()),
                Some(began) => {
                    ended += 1;
                    if looked.elapsed() >= TICK {
                        looked = Instant::now();
                        if !goes_on()? {
                            seconds = Some(Instant::now().duration_since(began).as_secs_f64());
                        }
                    }
                }
                None => {}
            }
        }
        tally.check(&shape, all)?;
        Ok((ended, seconds.ok_or("nothing was run")?))
    }

    /// How many microseconds lone executions take, one after the other: at most that many, as long as something is so.
    pub(super) async fn lone(
        &self,
        executions: usize,
        goes_on: impl Fn() -> Result<bool, BoxError>,
    ) -> Result<Vec<f64>, BoxError> {
        let mut latencies = Vec::new();
        while latencies.is_empty() || (latencies.len() < executions && goes_on()?) {
            latencies.push(self.one().await?.0.as_secs_f64() * 1e6);
            // Handlers of the runtime and what it reads get their turn on this thread, too.
            handler::yield_once().await;
        }
        Ok(latencies)
    }

    async fn one(&self) -> Result<(Duration, Arc<Outcome>), BoxError> {
        let began = Instant::now();
        let outcome = self.runtime.activate(&self.workflow, ()).start().await?.outcome().await?;
        Ok((began.elapsed(), outcome))
    }

    /// Waits until not more than that many are kept.
    pub(super) async fn until_kept(&self, filled: &Filled, kept: usize) -> Result<(), BoxError> {
        until(|| Ok(filled.kept()? <= kept)).await
    }

    /// Waits until an execution is forgotten.
    pub(super) async fn until_forgotten(&self, filled: &Filled, execution: ExecutionId) -> Result<(), BoxError> {
        until(|| Ok(!filled.has(execution)?)).await
    }
}

async fn until(is_so: impl Fn() -> Result<bool, BoxError>) -> Result<(), BoxError> {
    let patience = Instant::now() + PATIENCE;
    while !is_so()? {
        if Instant::now() > patience {
            return Err("nothing is forgotten any more".into());
        }
        tokio::time::sleep(TICK).await;
    }
    Ok(())
}
