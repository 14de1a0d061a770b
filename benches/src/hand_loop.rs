//! Contender (a): the loop that a competent user would write by hand.
//!
//! It keeps no record, has no cancel, no retry, no deadline, no limit but the semaphore, and forgets everything
//! when the process ends. It is what finale will be compared with first by anybody who tries it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::{self, JoinSet};

use crate::contender::{BoxError, Contender, Latencies, Load, Run, names};
use crate::handler::Handler;
use crate::memory::{Meter, WAITING_TASK, WAVE};
use crate::shape::Shape;
use crate::tally::Tally;

/// A tokio runtime with two workers, and the loop on it.
#[derive(Debug)]
pub struct HandLoop {
    runtime: Runtime,
}

impl HandLoop {
    /// Starts the worker threads.
    pub fn new() -> Result<Self, BoxError> {
        let runtime = Builder::new_multi_thread().worker_threads(2).build()?;
        Ok(Self { runtime })
    }

    /// Runs the driver on a worker: awaited from the main thread, each of its turns would cost a thread switch.
    fn block_on<T: Send + 'static>(
        &self,
        driver: impl Future<Output = Result<T, BoxError>> + Send + 'static,
    ) -> Result<T, BoxError> {
        self.runtime.block_on(self.runtime.spawn(driver))?
    }
}

impl Contender for HandLoop {
    fn name(&self) -> &'static str {
        names::HAND_LOOP
    }

    fn run(&mut self, shape: &Shape, load: Load) -> Result<Run, BoxError> {
        let shape = Arc::new(shape.clone());
        let began = Instant::now();
        let tally = self.block_on(drive(shape, load))?;
        Ok(Run { elapsed: began.elapsed(), tally })
    }

    fn latencies(&mut self, shape: &Shape, executions: usize) -> Result<Latencies, BoxError> {
        self.block_on(one_at_a_time(Arc::new(shape.clone()), executions))
    }

    fn hold(&mut self, shape: &Shape, executions: usize, meter: &mut Meter) -> Result<(), BoxError> {
        let shape = Arc::new(shape.clone());
        meter.begin()?;
        let waiting = self.block_on(hold(shape, executions))?;
        meter.end(waiting)?;
        Ok(())
    }
}

/// Keeps `load.in_flight` executions going until all have ended.
async fn drive(shape: Arc<Shape>, load: Load) -> Result<Tally, BoxError> {
    let handler = Handler::of(&shape);
    let permits = Arc::new(Semaphore::new(load.in_flight));
    let mut running = JoinSet::new();
    let mut tally = Tally::default();
    for _ in 0..load.executions {
        let permit = Arc::clone(&permits).acquire_owned().await?;
        let execution = execute(Arc::clone(&shape), handler.clone());
        running.spawn(async move {
            let outputs = execution.await?;
            drop(permit);
            Ok::<_, BoxError>(Tally::of_execution(outputs.into_values()))
        });
        while let Some(ended) = running.try_join_next() {
            tally += ended??;
        }
    }
    while let Some(ended) = running.join_next().await {
        tally += ended??;
    }
    Ok(tally)
}

/// One execution: a task is spawned when the last one that it waits for has given its output.
async fn execute(shape: Arc<Shape>, handler: Handler) -> Result<HashMap<u32, u64>, BoxError> {
    let mut waits_for: HashMap<u32, u32> = (0..).zip(shape.predecessors.iter().copied()).collect();
    let mut outputs = HashMap::new();
    let mut running = JoinSet::new();
    let spawn = |running: &mut JoinSet<_>, task| {
        let work = handler.call(task);
        running.spawn(async move { (task, work.await) });
    };
    for task in shape.roots() {
        spawn(&mut running, task);
    }
    while let Some(ended) = running.join_next().await {
        let (task, output) = ended?;
        outputs.insert(task, output?);
        for &successor in &shape.successors[task as usize] {
            let left = waits_for.get_mut(&successor).expect("every task was entered above");
            *left -= 1;
            if *left == 0 {
                spawn(&mut running, successor);
            }
        }
    }
    Ok(outputs)
}

async fn one_at_a_time(shape: Arc<Shape>, executions: usize) -> Result<Latencies, BoxError> {
    let handler = Handler::of(&shape);
    let mut latencies = Latencies { each: Vec::with_capacity(executions), tally: Tally::default() };
    for _ in 0..executions {
        let began = Instant::now();
        let outputs = task::spawn(execute(Arc::clone(&shape), handler.clone())).await??;
        latencies.each.push(began.elapsed());
        latencies.tally += Tally::of_execution(outputs.into_values());
    }
    Ok(latencies)
}

async fn hold(shape: Arc<Shape>, executions: usize) -> Result<usize, BoxError> {
    let waiting = Arc::new(AtomicUsize::new(0));
    let handler = Handler::waiting_at(WAITING_TASK, Arc::clone(&waiting));
    let mut begun = 0;
    while begun < executions {
        let wave = WAVE.min(executions - begun);
        for _ in 0..wave {
            task::spawn(execute(Arc::clone(&shape), handler.clone()));
        }
        begun += wave;
        while waiting.load(Ordering::Relaxed) < begun {
            task::yield_now().await;
        }
    }
    Ok(waiting.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_of_every_shape_gives_its_output() {
        let mut hand_loop = HandLoop::new().unwrap();
        for shape in Shape::all() {
            let run = hand_loop.run(&shape, Load { executions: 20, in_flight: 3 }).unwrap();
            run.tally.check(&shape, 20).unwrap();
            let latencies = hand_loop.latencies(&shape, 5).unwrap();
            latencies.tally.check(&shape, 5).unwrap();
        }
    }
}
