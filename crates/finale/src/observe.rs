//! Where observers hang: log events and streams, after the facts are durable and never before.

use finale_core::NodeIndex;
use finale_core::execution::{Effect, Notice, NumberedEvent, Refused};
use finale_core::{ExecutionId, ExecutionStatus, NodeStatus, Outcome, TaskId};
use tracing::{Level, debug, info, warn};

use crate::events::Event;
use crate::late::LateEvent;
use crate::shard::{Attempted, Live, Reply};
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
pub(crate) fn notices(live: &Live, notices: Vec<NumberedEvent>) {
    for noticed in notices {
        if let Notice::Attempt { key, failure, took, .. } = &noticed.notice {
            let failure = failure.as_ref().map(|failure| failure.class);
            live.bound.metrics.attempted(key.node, failure, *took);
        }
        log(live, &noticed.notice);
        if live.is_watched() {
            let event = Event::new(live.id, &live.bound.compiled, noticed);
            event.iter().for_each(|event| stream(live, event));
        }
    }
}

/// Passes an event on to those who watch its execution.
pub(crate) fn stream(live: &Live, event: &Event) {
    live.extra(|extra| extra.subscribers.retain_mut(|subscriber| subscriber.pass(event)));
}

/// Counts what no notice tells.
pub(crate) fn attempts(live: &Live, attempts: impl Iterator<Item = Attempted>) {
    for Attempted { node, failure, took } in attempts {
        live.bound.metrics.attempted(node, failure, took);
    }
}

/// Says which tasks are about to be handed to whoever does them.
pub(crate) fn created(live: &Live, effects: &[Effect]) {
    if effects.is_empty() || !watched() {
        return;
    }
    for effect in effects {
        if let Effect::Run { dispatch, .. } | Effect::Offer { dispatch, .. } = effect {
            let (execution, attempt) = (live.id, dispatch.attempt.get());
            let task = TaskId { execution, key: dispatch.key };
            let node = live.bound.compiled.node(dispatch.key.node).id.as_str();
            debug!(target: TARGET, event = event::TASK_CREATED, %execution, node, %task, attempt);
        }
    }
}

/// Says that an operator asked for what cannot be done any more.
pub(crate) fn refused(execution: ExecutionId, reply: &Reply, result: &Result<(), Refused>) {
    match (reply, result) {
        (Reply::Cancel(_), Err(Refused::AlreadyTerminal(status))) => cancel_conflict(execution, *status),
        (Reply::Command(_), Err(Refused::NotRunning(status))) => invalid_status(execution, *status),
        _ => {}
    }
}

fn log(live: &Live, notice: &Notice) {
    let execution = live.id;
    let name = |node: NodeIndex| live.bound.compiled.node(node).id.as_str();
    match notice {
        Notice::Status { from, to } => {
            debug!(target: TARGET, event = event::STATUS_TRANSITIONED, %execution, %from, %to);
        }
        Notice::Node { key, from, to, .. } => {
            let node = name(key.node);
            debug!(target: TARGET, event = event::NODE_STATUS_TRANSITIONED, %execution, node, %from, %to);
            if *to == NodeStatus::Skipped {
                debug!(target: TARGET, event = event::NODE_SKIPPED, %execution, node);
            }
        }
        Notice::Condition { key, value } => {
            debug!(target: TARGET, event = event::CONDITION_EVALUATED, %execution, node = name(key.node), value);
        }
        Notice::ExpressionFailed { key, reason } => {
            let node = name(key.node);
            debug!(target: TARGET, event = event::CONDITION_EVAL_FAILED, %execution, node, %reason);
        }
        Notice::Attempt { key, attempt, failure: None, took } => {
            let node = name(key.node);
            debug!(target: TARGET, event = event::NODE_TASK_COMPLETED, %execution, node, attempt = attempt.get(), ?took);
        }
        Notice::Attempt { key, attempt, failure: Some(failure), took } => {
            let node = name(key.node);
            debug!(target: TARGET, event = event::NODE_TASK_FAILED, %execution, node, attempt = attempt.get(), ?took, %failure);
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

/// Says that something was asked of an execution that is not there.
pub(crate) fn not_found(execution: ExecutionId) {
    debug!(target: TARGET, event = event::NOT_FOUND, %execution);
}

/// Says that a definition was refused.
pub(crate) fn invalid_definition(workflow: &str, error: &dyn std::fmt::Display) {
    warn!(target: TARGET, event = event::INVALID_DEFINITION, workflow, %error);
}
