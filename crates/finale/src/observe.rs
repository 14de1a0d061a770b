//! Where observers hang: log events and streams, after the facts are durable and never before.

use finale_core::execution::{Notice, Noticed};
use finale_core::{ExecutionId, ExecutionStatus, NodeStatus, Outcome};
use tracing::{Level, debug, info, warn};

use crate::events::Event;
use crate::late::LateEvent;
use crate::shard::Live;
use crate::telemetry::{TARGET, event};

/// Whether anybody reads what happens to nodes.
pub(crate) fn watched() -> bool {
    tracing::enabled!(target: TARGET, Level::DEBUG)
}

/// Says that an execution was activated.
pub(crate) fn activated(live: &Live) {
    live.bound.metrics.activated();
    info!(
        target: TARGET,
        event = event::ACTIVATED,
        execution = %live.id,
        workflow = live.bound.compiled.definition().id,
    );
}

/// Says how an execution ended.
pub(crate) fn ended(live: &Live, outcome: &Outcome) {
    let took = outcome.completed_at.since(live.read(finale_core::Execution::created_at));
    let status = outcome.status();
    live.bound.metrics.ended(status, took);
    let (execution, workflow) = (live.id, &live.bound.compiled.definition().id);
    match &outcome.end {
        finale_core::record::End::Completed { .. } => {
            info!(target: TARGET, event = event::COMPLETED, %execution, workflow, ?took);
        }
        finale_core::record::End::Failed { error } => {
            warn!(target: TARGET, event = event::FAILED, %execution, workflow, ?took, %error);
        }
        finale_core::record::End::Cancelled { by } => {
            info!(target: TARGET, event = event::CANCELLED, %execution, workflow, ?took, by);
        }
    }
}

/// Passes notices on to the log and to the streams of their execution.
pub(crate) fn notices(live: &Live, notices: Vec<Noticed>) {
    for noticed in notices {
        log(live, &noticed.notice);
        if live.is_watched() {
            let event = Event::new(live.id, &live.bound.compiled, noticed);
            stream(live, event);
        }
    }
}

fn stream(live: &Live, event: Option<Event>) {
    if let Some(event) = event {
        live.extra(|extra| extra.subscribers.retain_mut(|subscriber| subscriber.pass(&event)));
    }
}

fn log(live: &Live, notice: &Notice) {
    let execution = live.id;
    let name = |node: u32| live.bound.compiled.node(node).id.as_str();
    match notice {
        Notice::Status { from, to } => {
            debug!(target: TARGET, event = event::STATUS_TRANSITIONED, %execution, %from, %to);
        }
        Notice::Node { node, from, to, attempt } => {
            let node = name(*node);
            debug!(target: TARGET, event = event::NODE_STATUS_TRANSITIONED, %execution, node, %from, %to);
            match to {
                NodeStatus::Skipped => debug!(target: TARGET, event = event::NODE_SKIPPED, %execution, node),
                NodeStatus::Running | NodeStatus::Waiting if *attempt > 0 => {
                    debug!(target: TARGET, event = event::TASK_CREATED, %execution, node, attempt);
                }
                _ => {}
            }
        }
        Notice::Condition { node, value } => {
            debug!(target: TARGET, event = event::CONDITION_EVALUATED, %execution, node = name(*node), value);
        }
        Notice::ExpressionFailed { node, reason } => {
            let node = name(*node);
            debug!(target: TARGET, event = event::CONDITION_EVAL_FAILED, %execution, node, %reason);
        }
        Notice::Attempt { key, attempt, failure: None, took } => {
            let node = name(key.node);
            debug!(target: TARGET, event = event::NODE_TASK_COMPLETED, %execution, node, attempt, ?took);
        }
        Notice::Attempt { key, attempt, failure: Some(failure), took } => {
            let node = name(key.node);
            debug!(target: TARGET, event = event::NODE_TASK_FAILED, %execution, node, attempt, ?took, %failure);
        }
        _ => {}
    }
}

/// Says that something came too late, twice or for nothing.
pub(crate) fn late(late: &LateEvent) {
    let LateEvent { execution, what, reason, .. } = late;
    debug!(target: TARGET, event = event::LATE_EVENT, %execution, what, reason);
}

/// Says that an execution was to be cancelled that is over.
pub(crate) fn cancel_conflict(execution: ExecutionId, status: ExecutionStatus) {
    debug!(target: TARGET, event = event::CANCEL_CONFLICT, %execution, %status);
}

/// Says that something was asked of an execution that is not running.
pub(crate) fn invalid_status(execution: ExecutionId, status: ExecutionStatus) {
    debug!(target: TARGET, event = event::INVALID_STATUS, %execution, %status);
}
