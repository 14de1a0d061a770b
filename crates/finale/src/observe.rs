//! Where observers hang: log events and streams, after the facts are durable and never before.

use finale_core::execution::{Effect, Notice, NumberedEvent, Refused};
use finale_core::record::{End, TaskProgress};
use finale_core::supervisor::{self, LateEvent};
use finale_core::{
    Compiled, Dispatch, Execution, ExecutionId, ExecutionStatus, NodeIndex, NodeStatus, Outcome, TaskId, Time,
};
use tracing::{Level, Span, debug, error, field, info, info_span, warn};

use crate::actors::bound::Bound;
use crate::actors::messages::{Attempted, Side};
use crate::events::{Event, EventKind, Subscriber};
use crate::fence::fenced_observer;
use crate::telemetry::{TARGET, event, span};

/// Whether anybody reads what happens to nodes.
pub(crate) fn watched() -> bool {
    tracing::enabled!(target: TARGET, Level::DEBUG)
}

/// Whether anybody looks at spans.
fn has_spans() -> bool {
    tracing::span_enabled!(target: TARGET, Level::INFO)
}

/// The span of an execution that is about to be activated, a child of the one that is current here; none if nobody looks
/// at it. Its id is said when it has one.
pub(crate) fn activation_span(workflow: &str) -> Option<Box<Span>> {
    let span = || info_span!(target: TARGET, span::EXECUTION, execution = field::Empty, workflow);
    has_spans().then(span).filter(|span| !span.is_disabled()).map(Box::new)
}

/// Says of which execution that span is.
pub(crate) fn identify(span: &Span, execution: ExecutionId) {
    span.record("execution", field::display(execution));
}

/// The span of an attempt at a task, a child of that of its execution; none if nobody looks at it. An execution that was
/// found in a journal has a span of its own from here on.
pub(crate) fn task_span(
    parent: &mut Option<Box<Span>>,
    compiled: &Compiled,
    execution: ExecutionId,
    dispatch: Dispatch,
) -> Option<Box<Span>> {
    if !has_spans() {
        return None;
    }
    let workflow = compiled.definition().id.as_str();
    let found = || Box::new(info_span!(target: TARGET, parent: None, span::EXECUTION, %execution, workflow));
    let parent = &**parent.get_or_insert_with(found);
    let (node, attempt) = (compiled.node(dispatch.key.node).id.as_str(), dispatch.attempt.get());
    let span = info_span!(target: TARGET, parent: parent, span::TASK, %execution, workflow, node, attempt);
    Some(span).filter(|span| !span.is_disabled()).map(Box::new)
}

/// Says that an execution was activated.
pub(crate) fn activated(bound: &Bound, execution: ExecutionId) {
    bound.metrics.activated();
    let workflow = &bound.compiled.definition().id;
    fenced_observer(|| info!(target: TARGET, event = event::ACTIVATED, %execution, workflow));
}

/// Says how an execution ended.
pub(crate) fn ended(bound: &Bound, execution: ExecutionId, created_at: Time, outcome: &Outcome) {
    let took = outcome.completed_at.since(created_at);
    bound.metrics.ended(outcome.status(), took);
    let workflow = &bound.compiled.definition().id;
    fenced_observer(|| match &outcome.end {
        End::Completed { .. } => info!(target: TARGET, event = event::COMPLETED, %execution, workflow, ?took),
        End::Failed { error } => warn!(target: TARGET, event = event::FAILED, %execution, workflow, ?took, %error),
        End::Cancelled { by } => info!(target: TARGET, event = event::CANCELLED, %execution, workflow, ?took, by),
    });
}

/// Says that an execution that cannot be read counts as failed. Of which workflow it is, nobody knows.
pub(crate) fn written_off(execution: ExecutionId, outcome: &Outcome) {
    if let Some(error) = outcome.error() {
        fenced_observer(|| warn!(target: TARGET, event = event::FAILED, %execution, %error));
    }
}

/// Passes events on to the log and to those who watch the execution.
pub(crate) fn events(
    bound: &Bound,
    execution: ExecutionId,
    events: impl Iterator<Item = NumberedEvent>,
    mut subscribers: Option<&mut Vec<Subscriber>>,
) {
    for numbered in events {
        if let Notice::Attempt { key, failure, took, .. } = &numbered.notice {
            let failure = failure.as_ref().map(|failure| failure.class);
            bound.metrics.attempted(key.node, failure, *took);
        }
        fenced_observer(|| log(bound, execution, &numbered));
        if let Some(subscribers) = subscribers.as_mut().filter(|subscribers| !subscribers.is_empty())
            && let Some(event) = Event::new(execution, &bound.compiled, numbered)
        {
            subscribers.retain_mut(|subscriber| subscriber.pass(&event));
        }
    }
}

/// Tells those who watch an execution how far a handler says it is.
pub(crate) fn progress(
    bound: &Bound,
    state: &Execution,
    side: &mut Side,
    (dispatch, at): (Dispatch, Time),
    progress: TaskProgress,
) {
    // What an attempt says that is over is of no interest.
    if !state.is_current(dispatch) {
        return;
    }
    let Some(node) = state.path(&bound.compiled, dispatch.key) else { return };
    let TaskProgress { share, text } = progress;
    let kind = EventKind::Progressed { node: node.to_string(), attempt: dispatch.attempt.get(), share, text };
    live(state.id(), at, kind, side);
}

/// Tells those who watch an execution what custom status a handler has set.
pub(crate) fn custom_status(state: &Execution, at: Time, side: &mut Side) {
    let kind = EventKind::CustomStatusSet { custom_status: state.custom_status() };
    live(state.id(), at, kind, side);
}

/// Passes on what is not recorded.
fn live(execution: ExecutionId, at: Time, kind: EventKind, side: &mut Side) {
    let event = Event { number: None, execution, at, kind };
    if let Some(subscribers) = side.subscribers() {
        subscribers.retain_mut(|subscriber| subscriber.pass(&event));
    }
}

/// Counts what handlers came to, where no events say so.
pub(crate) fn attempts(bound: &Bound, attempts: impl Iterator<Item = Attempted>) {
    for Attempted { node, failure, took } in attempts {
        bound.metrics.attempted(node, failure, took);
    }
}

/// Says which tasks are to be done.
pub(crate) fn created(bound: &Bound, execution: ExecutionId, effects: &[Effect]) {
    if effects.is_empty() || !watched() {
        return;
    }
    for effect in effects {
        if let Effect::Run { dispatch, .. } | Effect::Offer { dispatch, .. } = effect {
            let task = TaskId { execution, key: dispatch.key };
            let node = bound.compiled.node(dispatch.key.node).id.as_str();
            let attempt = dispatch.attempt.get();
            fenced_observer(|| debug!(target: TARGET, event = event::TASK_CREATED, %execution, node, %task, attempt));
        }
    }
}

/// Says what the Supervisor found worth a line.
pub(crate) fn notice(notice: &supervisor::Notice) {
    fenced_observer(|| match notice {
        supervisor::Notice::Died(execution) => {
            error!(target: TARGET, %execution, "the state machine of an execution panicked, and is folded again");
        }
        supervisor::Notice::Quarantined(execution, reason) => {
            error!(target: TARGET, %execution, %reason, "an execution is quarantined");
        }
        supervisor::Notice::Released(execution) => info!(target: TARGET, %execution, "an execution is released"),
        supervisor::Notice::NotBegun(execution, reason) => {
            error!(target: TARGET, %execution, %reason, "an execution could not be begun");
        }
        supervisor::Notice::NotFound(execution) => not_found(*execution),
        supervisor::Notice::LateReport(event) => late(event),
        supervisor::Notice::PurgeFailed(reason) => {
            warn!(target: TARGET, %reason, "what ended long ago could not be looked for");
        }
        supervisor::Notice::EndNotTold(execution, reason) => {
            warn!(target: TARGET, %execution, %reason, "a handler that was told of an end has failed, and is told again");
        }
        supervisor::Notice::UntoldNotFound(reason) => {
            warn!(target: TARGET, %reason, "ends that are still to be told could not be looked for");
        }
        supervisor::Notice::Lost(execution) => {
            error!(target: TARGET, %execution, "an actor had lost its execution, which is folded again");
        }
        _ => {}
    });
}

/// Says that a command was refused.
pub(crate) fn refused(execution: ExecutionId, cancel: bool, refused: &Refused) {
    match refused {
        Refused::AlreadyTerminal(status) if cancel => cancel_conflict(execution, *status),
        Refused::NotRunning(status) => invalid_status(execution, *status),
        _ => {}
    }
}

fn log(bound: &Bound, execution: ExecutionId, numbered: &NumberedEvent) {
    let path = numbered.path.as_ref().map(ToString::to_string);
    let name_of = |node: NodeIndex| path.as_deref().unwrap_or_else(|| bound.compiled.node(node).id.as_str());
    match &numbered.notice {
        Notice::Status { from, to } => {
            debug!(target: TARGET, event = event::STATUS_TRANSITIONED, %execution, %from, %to);
        }
        Notice::Node { key, from, to, .. } => {
            let node = name_of(key.node);
            debug!(target: TARGET, event = event::NODE_STATUS_TRANSITIONED, %execution, node, %from, %to);
            if *to == NodeStatus::Skipped {
                debug!(target: TARGET, event = event::NODE_SKIPPED, %execution, node);
            }
        }
        Notice::Condition { key, value } => {
            debug!(target: TARGET, event = event::CONDITION_EVALUATED, %execution, node = name_of(key.node), value);
        }
        Notice::ExpressionFailed { key, reason } => {
            let node = name_of(key.node);
            debug!(target: TARGET, event = event::CONDITION_EVAL_FAILED, %execution, node, %reason);
        }
        Notice::Signal { name, by, taken_by } => {
            let node = taken_by.map(|key| name_of(key.node));
            debug!(target: TARGET, event = event::SIGNALLED, %execution, signal = %name, %by, node);
        }
        Notice::Attempt { key, attempt, failure: None, took } => {
            let node = name_of(key.node);
            debug!(target: TARGET, event = event::NODE_TASK_COMPLETED, %execution, node, attempt = attempt.get(), ?took);
        }
        Notice::Attempt { key, attempt, failure: Some(failure), took } => {
            let node = name_of(key.node);
            debug!(target: TARGET, event = event::NODE_TASK_FAILED, %execution, node, attempt = attempt.get(), ?took, %failure);
        }
        _ => {}
    }
}

/// Says that something came too late, twice or for nothing.
pub(crate) fn late(late: &LateEvent) {
    let LateEvent { execution, what, reason, .. } = late;
    fenced_observer(|| debug!(target: TARGET, event = event::LATE_EVENT, %execution, what = what.name(), %reason));
}

/// Says that an execution was to be cancelled that is over.
pub(crate) fn cancel_conflict(execution: ExecutionId, status: ExecutionStatus) {
    fenced_observer(|| debug!(target: TARGET, event = event::CANCEL_CONFLICT, %execution, %status));
}

/// Says that something was asked of an execution that is not running.
pub(crate) fn invalid_status(execution: ExecutionId, status: ExecutionStatus) {
    fenced_observer(|| debug!(target: TARGET, event = event::INVALID_STATUS, %execution, %status));
}

/// Says that something was asked of an execution that is not there.
pub(crate) fn not_found(execution: ExecutionId) {
    fenced_observer(|| debug!(target: TARGET, event = event::NOT_FOUND, %execution));
}

/// Says that a definition was refused.
pub(crate) fn invalid_definition(workflow: &str, error: &dyn std::fmt::Display) {
    fenced_observer(|| warn!(target: TARGET, event = event::INVALID_DEFINITION, workflow, %error));
}
