//! What a journal that is opened again says of executions that have ended.

use std::path::Path;

use actix::System;
use finale::journal::Durability;
use finale::{ExecutionStatus, Filter, Runtime, Shards};
use thiserror::Error;

use super::journal;
use crate::contender::BoxError;
use crate::finale_side;
use crate::shape::Shape;
use crate::tally::Tally;

/// One execution in so many is looked at whole: every output of every task, as it was recorded.
const SAMPLED: usize = 1_000;

/// Not all executions are there, or not all of them as they should be.
#[derive(Clone, Copy, Debug, Error)]
#[error("{listed} of {expected} executions are listed as completed, {others} as something else")]
pub struct NotCompleted {
    listed: usize,
    others: usize,
    expected: usize,
}

/// Opens the journal again, and looks whether it has that many executions, all of them completed.
pub(super) fn completed(path: &Path, shape: &Shape, expected: usize) -> Result<(), BoxError> {
    System::new().block_on(async {
        let journal = journal::open(path, Durability::Full)?.journal;
        let runtime = Runtime::builder().shards(Shards::Current).journal(journal).start()?;
        let (mut listed, mut others) = (0_usize, 0);
        let mut filter = Filter::new().limit(Filter::LIMIT_MAX);
        loop {
            let page = runtime.executions(filter.clone()).await?;
            for summary in &page.executions {
                if (listed + others).is_multiple_of(SAMPLED) {
                    let record = runtime.execution(summary.id).await?.snapshot().await?;
                    finale_side::recorded(&record)?.check(shape, 1)?;
                }
                let is_right = summary.status == ExecutionStatus::Completed && summary.completed_at.is_some();
                *if is_right { &mut listed } else { &mut others } += 1;
            }
            let Some(next) = page.next else { break };
            filter = filter.before(next);
        }
        if listed == expected && others == 0 { Ok(()) } else { Err(NotCompleted { listed, others, expected }.into()) }
    })
}

/// What so many executions must come to, and at least so many appends: the activation and each task by itself.
pub(super) fn written(shape: &Shape, tally: Tally, executions: usize, appends: u64) -> Result<(), BoxError> {
    tally.check(shape, executions)?;
    let least = (executions * (shape.tasks() + 1)) as u64;
    if appends >= least { Ok(()) } else { Err(format!("{appends} appends, where {least} steps were taken").into()) }
}
