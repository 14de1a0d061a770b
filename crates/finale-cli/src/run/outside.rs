//! What is done outside: by the simulation, or by whoever sits at the terminal.

use std::collections::BTreeSet;

use finale::{
    Awaited, CommandError, Event, EventKind, ExecutionHandle, Failure, FailureClass, NewSignal, ReportError, Runtime,
    TaskId, TaskReport, WaitingFor, Workflow,
};
use finale_core::definition::{Node, NodeKind, Verdict};
use finale_core::{Compiled, NodeIndex, WorkKey};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;

use super::answers::{InAdvance, awaited_signal};
use super::ask::{Answer, Lines, Question, Questions};
use super::error::RunError;
use super::simulate::Simulation;
use crate::console;
use crate::progress::Following;

/// Who activates executions here, and answers for them.
pub(crate) const BY: &str = "finale run";

/// Who does what is done outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outside {
    /// There is nothing to do.
    Nobody,
    /// The simulation.
    Simulated,
    /// Nobody: it is taken for done.
    Agreed,
    /// Nobody: of each task it was said in advance what it comes to, or it is not waited for without end.
    Told,
    /// Whoever sits at the terminal.
    Asked,
}

impl Outside {
    /// Who takes for done what is done outside, if it is.
    const fn agreeing(self) -> Option<&'static str> {
        match self {
            Self::Simulated => Some("simulate"),
            Self::Agreed => Some("--yes"),
            Self::Nobody | Self::Told | Self::Asked => None,
        }
    }
}

/// Who does the tasks of a workflow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) workflow: &'a Workflow,
    pub(crate) simulation: &'a Simulation,
    pub(crate) outside: Outside,
    /// Whether it is in a journal, so that it can go on another time.
    pub(crate) is_kept: bool,
}

/// How following an execution came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Followed {
    /// The execution is over.
    ToTheEnd,
    /// Nobody answers any more.
    EndOfInput,
    /// Only an operator can say how it goes on, and none is here.
    Held,
}

/// Does what is done outside until the execution is over, or nobody answers any more.
pub(crate) async fn follow(
    surroundings: Surroundings<'_>,
    runtime: &Runtime,
    handle: &ExecutionHandle,
    lines: Option<&mut Lines>,
    following: Option<&Following>,
) -> Result<Followed, RunError> {
    for (name, payload) in surroundings.simulation.signals() {
        if !waits_for(surroundings.workflow, name) {
            continue;
        }
        // It can be over already.
        if let Err(error) = handle.signal(name, payload, BY).await
            && !matches!(error, CommandError::AlreadyTerminal(_))
        {
            return Err(error.into());
        }
    }
    let mut events = handle.events().await?;
    let mut follower = Follower::new(surroundings, runtime, handle, Questions::new(lines, following));
    loop {
        tokio::select! {
            // What has happened is heard first: it may answer a question before it is asked.
            biased;
            event = events.next() => match event {
                Ok(Some(event)) => follower.hear(&event),
                Ok(None) => return Ok(Followed::ToTheEnd),
                Err(lagged) => events = handle.events_after(lagged.after).await?,
            },
            Some(reported) = follower.reports.next() => reported?,
            is_held = is_held_for_good(handle), if follower.may_be_held_for_good => {
                if is_held? {
                    follower.say_held();
                    return Ok(Followed::Held);
                }
                follower.may_be_held_for_good = false;
            }
            line = follower.questions.line() => match line {
                Some(line) => follower.answer(&line).await,
                None => return Ok(Followed::EndOfInput),
            },
        }
    }
}

/// What is known of the outside.
struct Follower<'a> {
    surroundings: Surroundings<'a>,
    runtime: &'a Runtime,
    handle: &'a ExecutionHandle,
    /// Reports that are not durable yet: one must not wait for another.
    reports: FuturesUnordered<LocalBoxFuture<'a, Result<(), RunError>>>,
    questions: Questions<'a>,
    /// The node whose attempt has just failed, and why.
    failed: Option<(String, String)>,
    /// The nodes that are left to an operator who is not here.
    held: BTreeSet<String>,
    /// Whether it is to be looked at whether anything else can go on.
    may_be_held_for_good: bool,
}

impl<'a> Follower<'a> {
    fn new(
        surroundings: Surroundings<'a>,
        runtime: &'a Runtime,
        handle: &'a ExecutionHandle,
        questions: Questions<'a>,
    ) -> Self {
        let (reports, held) = (FuturesUnordered::new(), BTreeSet::new());
        Self { surroundings, runtime, handle, reports, questions, failed: None, held, may_be_held_for_good: false }
    }

    fn hear(&mut self, event: &Event) {
        event.number.into_iter().for_each(|number| self.questions.heard(number));
        let (node, to, attempt, waiting_for) = match &event.kind {
            EventKind::NodeTransitioned { node, to, attempt, waiting_for, .. } => (node, *to, *attempt, *waiting_for),
            EventKind::Attempted { node, failure: Some(failure), .. } => {
                self.failed = Some((node.clone(), failure.to_string()));
                return;
            }
            _ => return,
        };
        self.questions.close(node, to);
        self.held.remove(node);
        self.may_be_held_for_good = !self.held.is_empty();
        let compiled = self.surroundings.workflow.compiled();
        let Some((waiting_for, position)) = waiting_for.zip(compiled.find(node)) else { return };
        match waiting_for {
            WaitingFor::Task | WaitingFor::Verdict | WaitingFor::Signal => {
                self.wanted(node, position, compiled.node(position), attempt);
            }
            WaitingFor::Time | WaitingFor::Backoff if self.surroundings.outside == Outside::Simulated => {
                let (handle, path) = (self.handle, node.clone());
                self.reports.push(Box::pin(async move { run_now(handle, &path).await }));
            }
            WaitingFor::Operator => self.held(node, compiled.node(position)),
            _ => {}
        }
    }

    /// An operator is to say how a node goes on.
    fn held(&mut self, path: &str, node: &Node) {
        let failed = self.failed.take().filter(|(node, _)| node == path);
        let why = failed.map(|(_, why)| why).unwrap_or_default();
        match self.surroundings.outside {
            Outside::Asked => self.questions.add(Question::held(path, node, why)),
            Outside::Nobody | Outside::Told if self.surroundings.is_kept => {
                self.held.insert(path.to_owned());
                self.may_be_held_for_good = true;
            }
            outside => {
                let by = outside.agreeing().unwrap_or(BY);
                self.reports.push(Box::pin(give_up(self.handle, path.to_owned(), by, why)));
            }
        }
    }

    fn say_held(&self) {
        for node in &self.held {
            console::insist(format_args!("{node} is held: somebody at a terminal has to say how it goes on"));
        }
    }

    /// Something is to be done outside.
    fn wanted(&mut self, path: &str, position: NodeIndex, node: &'a Node, attempt: u16) {
        let is_own = self.surroundings.workflow.compiled().position(path).is_some();
        let task = is_own.then(|| TaskId { execution: self.handle.id(), key: WorkKey::root(position) });
        let (handle, named) = (self.handle, path.to_owned());
        let (runtime, agreeing) = (self.runtime, self.surroundings.outside.agreeing());
        let answer = self.surroundings.simulation.answers().of(path, &node.id);
        let report: LocalBoxFuture<'a, _> = match (&node.kind, answer, agreeing) {
            (NodeKind::Verification(_), _, Some(by)) => Box::pin(judge(runtime, handle, named, by)),
            (NodeKind::Verification(_), ..) => return self.questions.add(Question::verdict(path, node)),
            (NodeKind::Wait(_), _, Some(by)) => {
                let compiled = self.surroundings.workflow.compiled();
                Box::pin(async move { Ok(send(handle, compiled, &named, (), by).await?) })
            }
            (NodeKind::Wait(_), ..) => return self.questions.add(Question::signal(path, node)),
            (_, Some(InAdvance::Failed(reason)), _) => {
                Box::pin(report(handle, named, TaskReport::failed(failed(reason))))
            }
            (_, Some(InAdvance::Done(output)), _) => Box::pin(report(handle, named, TaskReport::completed(output))),
            (_, None, Some(_)) => Box::pin(report(handle, named, TaskReport::completed(()))),
            (_, None, None) => {
                let assignee = self.surroundings.workflow.compiled().assignee(position);
                return self.questions.add(Question::task(path, node, task, attempt, assignee));
            }
        };
        self.reports.push(report);
    }

    /// Does what was answered at the terminal.
    async fn answer(&mut self, line: &str) {
        let Some((question, answer)) = self.questions.answered(line) else {
            return;
        };
        if let Err(refused) = self.pass_on(question.node(), answer).await {
            console::insist(format_args!("that changed nothing: {refused}"));
            if !refused.is_too_late() {
                self.questions.ask_again(question);
            }
        }
    }

    async fn pass_on(&self, node: &str, answer: Answer) -> Result<(), Refusal> {
        match answer {
            Answer::Done(output) => self.handle.report(node, TaskReport::completed(output)).await?,
            Answer::Fail(reason) => self.handle.report(node, TaskReport::failed(failed(&reason))).await?,
            Answer::Cancel => {
                let cancelled = Failure::new(FailureClass::Cancelled, format!("by {BY}"));
                self.handle.report(node, TaskReport::failed(cancelled).by(BY)).await?;
            }
            Answer::Verdict(verdict) => self.runtime.give_verdict(self.handle.id(), node, verdict, BY).await?,
            Answer::Signal(payload) => {
                send(self.handle, self.surroundings.workflow.compiled(), node, payload, BY).await?;
            }
            Answer::Retry => self.handle.retry(node, BY, "").await?,
            Answer::CompleteByHand(output) => self.handle.complete_by_hand(node, output, BY, "").await?,
            Answer::FailByHand(reason) => self.handle.fail_by_hand(node, BY, &reason).await?,
            Answer::Skip => self.handle.skip_by_hand(node, BY, "").await?,
        }
        Ok(())
    }
}

/// Why an answer changed nothing.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Refusal {
    /// Whether no other answer would change anything either: the node does not wait for one any more, or the runtime has
    /// stopped.
    const fn is_too_late(&self) -> bool {
        match self {
            Self::Report(error) => matches!(
                error,
                ReportError::NotFound
                    | ReportError::AlreadySettled(_)
                    | ReportError::ScopeOver
                    | ReportError::AlreadyTerminal(_)
                    | ReportError::StaleAttempt { .. }
                    | ReportError::Journal(_)
                    | ReportError::Stopped
            ),
            Self::Command(error) => matches!(
                error,
                CommandError::NotFound
                    | CommandError::NotRunning(_)
                    | CommandError::AlreadySettled(_)
                    | CommandError::ScopeOver
                    | CommandError::EndDecided
                    | CommandError::AlreadyTerminal(_)
                    | CommandError::WaitsForElse(_)
                    | CommandError::Journal(_)
                    | CommandError::Stopped
            ),
        }
    }
}

/// Whether nothing goes on any more unless an operator says how.
async fn is_held_for_good(handle: &ExecutionHandle) -> Result<bool, RunError> {
    let why = handle.why().await?;
    let is_held = |awaited: &Awaited| awaited.waiting_for == Some(WaitingFor::Operator);
    Ok(!why.awaited.is_empty() && why.awaited_more == 0 && why.awaited.iter().all(is_held))
}

/// Ends a wait for time, in a simulation.
async fn run_now(handle: &ExecutionHandle, node: &str) -> Result<(), RunError> {
    if_still_wanted(handle.run_now(node, "simulate", "nothing is waited for").await)
}

/// Lets a node fail that an operator would have to decide about.
async fn give_up(handle: &ExecutionHandle, node: String, by: &str, why: String) -> Result<(), RunError> {
    let reason = match why.as_str() {
        "" => "it is held, and nobody is here to say how it goes on".to_owned(),
        why => format!("{why}; it is held, and nobody is here to say how it goes on"),
    };
    if_still_wanted(handle.fail_by_hand(&node, by, &reason).await)
}

/// What came of telling a node something, where the end of the execution, or of the wait, can come first.
fn if_still_wanted(told: Result<(), CommandError>) -> Result<(), RunError> {
    match told {
        Ok(()) | Err(CommandError::AlreadyTerminal(_) | CommandError::NotRunning(_)) => Ok(()),
        Err(CommandError::AlreadySettled(_) | CommandError::NotFound) => Ok(()),
        Err(CommandError::NotReady(_) | CommandError::WaitsForElse(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether executions of a workflow may wait for a signal of that name.
fn waits_for(workflow: &Workflow, name: &str) -> bool {
    let compiled = workflow.compiled();
    let awaited = compiled.all_positions().filter_map(|position| awaited_signal(&compiled.node(position).kind));
    awaited.into_iter().any(|signal| signal.is_evaluated() || signal.name == name)
}

/// Sends the signal that a node waits for, if it still does.
async fn send(
    handle: &ExecutionHandle,
    compiled: &Compiled,
    node: &str,
    payload: impl Serialize,
    by: &str,
) -> Result<(), CommandError> {
    let known = compiled.find(node).and_then(|position| awaited_signal(&compiled.node(position).kind));
    let name = match known {
        Some(signal) if !signal.is_evaluated() => Some(signal.name.clone()),
        // It is known since the node waits.
        _ => {
            let awaited = handle.why().await?.awaited.into_iter();
            awaited.filter(|awaited| awaited.node == node).find_map(|awaited| awaited.signal)
        }
    };
    let Some(name) = name else { return Ok(()) };
    match handle.send_signal(NewSignal::named(name).payload(payload).by(by)).await {
        // The end of the execution, or of its time, can come first.
        Ok(()) | Err(CommandError::AlreadyTerminal(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn failed(reason: &str) -> Failure {
    Failure::new(FailureClass::Failed, reason)
}

async fn report(handle: &ExecutionHandle, node: String, report: TaskReport) -> Result<(), RunError> {
    match handle.report(&node, report).await {
        // The end of the execution, or of its time, can come first.
        Ok(()) | Err(ReportError::AlreadyTerminal(_) | ReportError::AlreadySettled(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn judge(runtime: &Runtime, handle: &ExecutionHandle, node: String, by: &str) -> Result<(), RunError> {
    match runtime.give_verdict(handle.id(), &node, Verdict::Pass, by).await {
        // The end of the execution can come first; a verification that it closed takes no verdict.
        Ok(()) | Err(CommandError::AlreadyTerminal(_) | CommandError::Invalid(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
