//! What is done outside: by the simulation, or by whoever sits at the terminal.

use finale::{
    CommandError, Event, EventKind, ExecutionHandle, Failure, FailureClass, NewSignal, Runtime, TaskId, TaskReport,
    WaitingFor, Workflow,
};
use finale_core::definition::{Node, NodeKind, Verdict};
use finale_core::{Compiled, NodeIndex, WorkKey};
use futures_util::StreamExt;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;

use super::answers::{InAdvance, verdict};
use super::ask::{Answer, Lines, Question, Questions};
use super::error::RunError;
use super::refusal::Refusal;
use super::signals::{awaited_signal, can_be_named, waits_for_a_time};
use super::simulate::Simulation;
use super::unanswered::{Reason, Unanswered};
use crate::console;
use crate::progress::Following;
use crate::text::shortened;

/// Who activates executions here, and answers for them.
pub(crate) const BY: &str = "finale run";

/// The reason why nobody goes on with an execution is cut off after so many columns.
const REASON_COLUMNS_MAX: usize = 200;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Followed {
    /// The execution is over.
    ToTheEnd,
    /// Nobody answers any more.
    EndOfInput,
    /// Nothing goes on without an answer that nobody here gives; who would cancel it, in words.
    Unanswered(String),
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
        match handle.signal(name, payload, BY).await.map_err(Refusal::from) {
            Ok(()) => {}
            Err(refused) if refused.has_stopped() => return Err(refused.into()),
            // It can be over already.
            Err(refused) if refused.is_too_late() => {}
            Err(refused) => console::insist(format_args!("--signal {name:?} changed nothing: {refused}")),
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
            Some(reported) = follower.reports.next() => {
                if let Err(refused) = reported {
                    follower.refused(refused)?;
                }
            }
            lines = follower.unanswered.lines(handle), if follower.unanswered.is_to_be_looked_at() => match lines? {
                Some(lines) => {
                    lines.iter().for_each(console::insist);
                    return Ok(Followed::Unanswered(cancelling(&lines)));
                }
                None => follower.unanswered.looked_at(),
            },
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
    reports: FuturesUnordered<LocalBoxFuture<'a, Result<(), Refused>>>,
    questions: Questions<'a>,
    /// The node whose attempt has just failed, and why.
    failed: Option<(String, String)>,
    unanswered: Unanswered,
}

/// Something that is to be done outside.
#[derive(Clone, Debug)]
struct Wanted {
    path: String,
    position: NodeIndex,
    attempt: u16,
}

/// What was said of a node in advance changed nothing.
#[derive(Debug)]
struct Refused {
    /// What is still to be done; none if nobody can be asked for it.
    wanted: Option<Wanted>,
    why: Refusal,
}

impl From<Refusal> for Refused {
    fn from(why: Refusal) -> Self {
        Self { wanted: None, why }
    }
}

impl<'a> Follower<'a> {
    fn new(
        surroundings: Surroundings<'a>,
        runtime: &'a Runtime,
        handle: &'a ExecutionHandle,
        questions: Questions<'a>,
    ) -> Self {
        let (reports, unanswered) = (FuturesUnordered::new(), Unanswered::default());
        Self { surroundings, runtime, handle, reports, questions, failed: None, unanswered }
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
        self.unanswered.moved(node);
        let compiled = self.surroundings.workflow.compiled();
        let Some((waiting_for, position)) = waiting_for.zip(compiled.find(node)) else { return };
        match waiting_for {
            WaitingFor::Task | WaitingFor::Verdict | WaitingFor::Signal => {
                self.wanted(Wanted { path: node.clone(), position, attempt });
            }
            WaitingFor::Time | WaitingFor::Backoff if self.surroundings.outside == Outside::Simulated => {
                let (handle, path) = (self.handle, node.clone());
                self.reports.push(Box::pin(async move { Ok(run_now(handle, &path).await?) }));
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
                self.unanswered.add(path.to_owned(), Reason::Held);
            }
            outside => {
                let (handle, path, by) = (self.handle, path.to_owned(), outside.agreeing().unwrap_or(BY));
                self.reports.push(Box::pin(async move { Ok(give_up(handle, path, by, why).await?) }));
            }
        }
    }

    /// Something is to be done outside.
    fn wanted(&mut self, wanted: Wanted) {
        match self.answer_in_advance(&wanted) {
            Some(answer) => self
                .reports
                .push(Box::pin(async move { answer.await.map_err(|why| Refused { wanted: Some(wanted), why }) })),
            None => self.ask(wanted, Reason::Untold),
        }
    }

    /// Reports what was said of it in advance, if something was.
    fn answer_in_advance(&self, wanted: &Wanted) -> Option<LocalBoxFuture<'a, Result<(), Refusal>>> {
        let Surroundings { workflow, simulation, outside, .. } = self.surroundings;
        let (runtime, handle, path) = (self.runtime, self.handle, wanted.path.clone());
        let compiled = workflow.compiled();
        let node = compiled.node(wanted.position);
        let answer = simulation.answers().of(&path, &node.id);
        Some(match (&node.kind, answer, outside.agreeing()) {
            (NodeKind::Verification(_), Some(InAdvance::Done(output)), agreeing) => {
                Box::pin(judge(runtime, handle, path, verdict(output)?, agreeing.unwrap_or(BY)))
            }
            (NodeKind::Verification(_), _, Some(by)) => Box::pin(judge(runtime, handle, path, Verdict::Pass, by)),
            (NodeKind::Wait(_), _, Some(by)) => {
                Box::pin(async move { Ok(send(handle, compiled, &path, (), by).await?) })
            }
            (NodeKind::Verification(_) | NodeKind::Wait(_), ..) => return None,
            (_, Some(InAdvance::Failed(reason)), _) => {
                Box::pin(report(handle, path, TaskReport::failed(failed(reason))))
            }
            (_, Some(InAdvance::Done(output)), _) => Box::pin(report(handle, path, TaskReport::completed(output))),
            (_, None, Some(_)) => Box::pin(report(handle, path, TaskReport::completed(()))),
            (_, None, None) => return None,
        })
    }

    /// Asks for it, if somebody is there.
    fn ask(&mut self, wanted: Wanted, otherwise: Reason) {
        let Wanted { path, position, attempt } = wanted;
        let compiled = self.surroundings.workflow.compiled();
        let node = compiled.node(position);
        if self.surroundings.outside == Outside::Asked {
            self.questions.add(match &node.kind {
                NodeKind::Verification(_) => Question::verdict(&path, node),
                NodeKind::Wait(_) => Question::signal(&path, node),
                _ => {
                    let key = compiled.position(&path).map(WorkKey::root);
                    let task = key.map(|key| TaskId { execution: self.handle.id(), key });
                    Question::task(&path, node, task, attempt, compiled.assignee(position))
                }
            });
        } else if !waits_for_a_time(&node.kind) {
            self.unanswered.add(path, otherwise);
        }
    }

    /// Says that what was said in advance changed nothing, and asks for something else.
    fn refused(&mut self, Refused { wanted, why }: Refused) -> Result<(), RunError> {
        match wanted {
            _ if why.has_stopped() => Err(why.into()),
            // The end of the execution, or of its time, can come first.
            _ if why.is_too_late() => Ok(()),
            None => Err(why.into()),
            Some(wanted) => {
                console::insist(format_args!("{}: what was said in advance changed nothing: {why}", wanted.path));
                self.ask(wanted, Reason::Refused(why.to_string()));
                Ok(())
            }
        }
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

/// Ends a wait for time, in a simulation.
async fn run_now(handle: &ExecutionHandle, node: &str) -> Result<(), Refusal> {
    if_still_wanted(handle.run_now(node, "simulate", "nothing is waited for").await)
}

/// Lets a node fail that an operator would have to decide about.
async fn give_up(handle: &ExecutionHandle, node: String, by: &str, why: String) -> Result<(), Refusal> {
    let reason = match why.as_str() {
        "" => "it is held, and nobody is here to say how it goes on".to_owned(),
        why => format!("{why}; it is held, and nobody is here to say how it goes on"),
    };
    if_still_wanted(handle.fail_by_hand(&node, by, &reason).await)
}

/// What came of telling a node something, where the end of the execution, or of the wait, can come first.
fn if_still_wanted(told: Result<(), CommandError>) -> Result<(), Refusal> {
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
    awaited.into_iter().any(|signal| can_be_named(signal, name))
}

/// Who cancels an execution that waits for answers that nobody gives, with the first reason.
fn cancelling(lines: &[String]) -> String {
    let first = lines.first().map_or("", String::as_str);
    let more = lines.len().saturating_sub(1);
    let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
    format!("{BY}, because {}{more}", shortened(first, REASON_COLUMNS_MAX))
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

async fn report(handle: &ExecutionHandle, node: String, report: TaskReport) -> Result<(), Refusal> {
    Ok(handle.report(&node, report).await?)
}

async fn judge(
    runtime: &Runtime,
    handle: &ExecutionHandle,
    node: String,
    verdict: Verdict,
    by: &str,
) -> Result<(), Refusal> {
    match runtime.give_verdict(handle.id(), &node, verdict, by).await {
        // A verification that the end of the execution closed takes no verdict.
        Ok(()) | Err(CommandError::Invalid(_)) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
