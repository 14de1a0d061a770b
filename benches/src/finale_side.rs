//! finale as a contender.
//!
//! One [`Contender`] for each name in [`names::FINALE`]; goals and ratios find them by these names. The application is
//! one thread that activates and awaits, as a web handler would; the shards are beside it, or on that same thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix::System;
use finale::{CommandError, Outcome, Record, Runtime, Shards, TaskContext, TaskError, Workflow};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use crate::contender::{BoxError, Contender, Latencies, Load, Measure, Run, names};
use crate::handler;
use crate::memory::{Meter, WAITING_TASK, WAVE};
use crate::shape::{HANDLER, Shape, task_of_id};
use crate::tally::Tally;

/// One execution in so many is looked at whole: every output of every task, as it was recorded.
const SAMPLED: usize = 1_000;

/// Of a larger graph the record takes longer than the execution: there only counts and last outputs are looked at.
const SAMPLED_TASKS_MAX: usize = 200;

/// The configurations of finale: on the calling thread, on one arbiter, on two.
pub fn contenders() -> Vec<Box<dyn Contender>> {
    let contender = |name, shards| Box::new(Finale { name, shards }) as Box<dyn Contender>;
    vec![
        contender(names::FINALE_CURRENT, Shards::Current),
        contender(names::FINALE_1, Shards::Own(1)),
        contender(names::FINALE_2, Shards::Own(2)),
    ]
}

/// finale in one configuration.
#[derive(Clone, Copy, Debug)]
struct Finale {
    name: &'static str,
    shards: Shards,
}

impl Contender for Finale {
    fn name(&self) -> &'static str {
        self.name
    }

    /// A lone execution and one that waits use one shard however many there are.
    fn takes_part(&self, measure: Measure) -> bool {
        self.shards != Shards::Own(2) || matches!(measure, Measure::Throughput | Measure::AtOnce)
    }

    fn run(&mut self, shape: &Shape, load: Load) -> Result<Run, BoxError> {
        let shards = self.shards;
        System::new().block_on(async move {
            let (runtime, workflow) = start(shards, shape)?;
            let began = Instant::now();
            let tally = drive(&runtime, &workflow, shape, load).await?;
            let elapsed = began.elapsed();
            runtime.shutdown(Duration::from_secs(5)).await;
            Ok(Run { elapsed, tally })
        })
    }

    fn latencies(&mut self, shape: &Shape, executions: usize) -> Result<Latencies, BoxError> {
        let shards = self.shards;
        System::new().block_on(async move {
            let (runtime, workflow) = start(shards, shape)?;
            let mut latencies = Latencies { each: Vec::with_capacity(executions), tally: Tally::default() };
            for _ in 0..executions {
                let began = Instant::now();
                let outcome = runtime.activate(&workflow, ()).start().await?.outcome().await?;
                latencies.each.push(began.elapsed());
                latencies.tally += tally(shape, &outcome)?;
            }
            runtime.shutdown(Duration::from_secs(5)).await;
            Ok(latencies)
        })
    }

    fn hold(&mut self, shape: &Shape, executions: usize, meter: &mut Meter) -> Result<(), BoxError> {
        let shards = self.shards;
        System::new().block_on(async move {
            let waiting = Arc::new(AtomicUsize::new(0));
            let runtime = Runtime::builder().shards(shards).data(Arc::clone(&waiting)).limits(room_for(executions));
            let runtime = runtime.handler(HANDLER, wait).start()?;
            let workflow = Workflow::new(shape.definition())?;
            meter.begin()?;
            for begun in (0..executions).step_by(WAVE) {
                for _ in 0..WAVE.min(executions - begun) {
                    runtime.activate(&workflow, ()).start().await?;
                }
                while waiting.load(Ordering::Relaxed) < (begun + WAVE).min(executions) {
                    tokio::task::yield_now().await;
                }
            }
            meter.end(waiting.load(Ordering::Relaxed))?;
            Ok(())
        })
    }
}

/// Like [`Contender::hold`] on the calling thread, but what is waited for is a task outside: then nothing is at work.
pub fn hold_outside(executions: usize, meter: &mut Meter) -> Result<(), BoxError> {
    System::new().block_on(async move {
        let runtime = Runtime::builder().shards(Shards::Current).handler(HANDLER, noop).start()?;
        let workflow = Workflow::new(Shape::chain().definition_with_outside(WAITING_TASK))?;
        meter.begin()?;
        let mut waiting = 0;
        for _ in 0..executions {
            let execution = runtime.activate(&workflow, ()).start().await?;
            while runtime.open_tasks_of(execution.id()).await?.is_empty() {
                tokio::task::yield_now().await;
            }
            waiting += 1;
        }
        meter.end(waiting)?;
        Ok(())
    })
}

pub(crate) fn room_for(executions: usize) -> finale::Limits {
    finale::Limits::new().running_tasks_max(executions)
}

fn start(shards: Shards, shape: &Shape) -> Result<(Runtime, Workflow), BoxError> {
    let builder = Runtime::builder().shards(shards);
    let builder = if shape.yields { builder.handler(HANDLER, yielding) } else { builder.handler(HANDLER, noop) };
    Ok((builder.start()?, Workflow::new(shape.definition())?))
}

async fn yielding(context: TaskContext, _input: ()) -> Result<u64, TaskError> {
    handler::yield_once().await;
    Ok(handler::output(task(&context)))
}

pub(crate) async fn noop(context: TaskContext, _input: ()) -> Result<u64, TaskError> {
    Ok(handler::output(task(&context)))
}

async fn wait(context: TaskContext, _input: ()) -> Result<u64, TaskError> {
    let task = task(&context);
    if task == WAITING_TASK {
        if let Ok(waiting) = context.data::<Arc<AtomicUsize>>() {
            waiting.fetch_add(1, Ordering::Relaxed);
        }
        std::future::pending::<()>().await;
    }
    Ok(handler::output(task))
}

pub(crate) fn task(context: &TaskContext) -> u32 {
    task_of_id(context.node()).unwrap_or(u32::MAX)
}

/// Keeps that many executions in flight until all have ended.
async fn drive(runtime: &Runtime, workflow: &Workflow, shape: &Shape, load: Load) -> Result<Tally, BoxError> {
    let mut in_flight = FuturesUnordered::new();
    let mut tally = Tally::default();
    let mut begun = 0;
    loop {
        while begun < load.executions && in_flight.len() < load.in_flight {
            let sampled = begun % SAMPLED == 0 && shape.tasks() <= SAMPLED_TASKS_MAX;
            in_flight.push(one(runtime, workflow, shape, sampled));
            begun += 1;
        }
        match in_flight.next().await {
            Some(ended) => tally += ended?,
            None => return Ok(tally),
        }
    }
}

async fn one(runtime: &Runtime, workflow: &Workflow, shape: &Shape, sampled: bool) -> Result<Tally, BoxError> {
    let execution = runtime.activate(workflow, ()).start().await?;
    let outcome = execution.outcome().await?;
    if !sampled {
        return tally(shape, &outcome);
    }
    match execution.snapshot().await {
        Ok(record) => recorded(&record),
        // With very many in flight it may be forgotten by the time its turn comes here.
        Err(CommandError::NotFound) => tally(shape, &outcome),
        Err(error) => Err(error.into()),
    }
}

/// What an outcome says: how many tasks were done, and the output of the last ones.
pub(crate) fn tally(shape: &Shape, outcome: &Outcome) -> Result<Tally, BoxError> {
    let done = u64::from(outcome.counts.completed);
    let output: serde_json::Value = outcome.output()?;
    let expected = Tally::expected(shape, 1);
    let sum = if last_outputs_are_right(shape, &output) { expected.sum } else { 0 };
    Ok(Tally { executions: 1, outputs: done, sum })
}

fn last_outputs_are_right(shape: &Shape, output: &serde_json::Value) -> bool {
    let right = |task: Option<u32>, value: &serde_json::Value| {
        task.is_some_and(|task| value.as_u64() == Some(handler::output(task)))
    };
    match output {
        serde_json::Value::Object(outputs) => outputs.iter().all(|(id, value)| right(task_of_id(id), value)),
        value => right(Some(shape.tasks() as u32 - 1), value),
    }
}

/// What the record says, task by task.
pub(crate) fn recorded(record: &Record) -> Result<Tally, BoxError> {
    let record = serde_json::to_value(record)?;
    let nodes = record["nodes"].as_array().cloned().unwrap_or_default();
    Ok(Tally::of_execution(nodes.iter().filter_map(|node| node["output"].as_u64())))
}
