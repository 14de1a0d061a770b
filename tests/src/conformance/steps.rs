//! The steps of a life, done to a runtime.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use finale::{
    ActivateError, CommandError, ExecutionHandle, ExecutionId, Fate, Faults, NodeStatus, ReportError, Runtime, Workflow,
};
use finale_core::Execution;
use finale_core::definition::Verdict;
use serde_json::{Map, Value};
use tokio::task::yield_now;

use super::cases::{ErrorName, Lifecycle, Mutation, Operation, Step, TaskEvent};
use super::events::{Report, Sent, send};
use super::expect::{Differences, Seen};
use super::refusal::Refusal;
use super::surroundings::{Kept, SWEEP_INTERVAL, Surroundings};

/// How often the others get their turn before it is looked whether they still change anything; a message from actor to
/// actor takes one, an acknowledgement of the journal one more.
const HOPS: usize = 16;
/// How often it is looked before something goes in circles.
const LOOKS_MAX: usize = 100;
/// Who does everything.
pub(super) const OPERATOR: &str = "conformance";

/// A runtime with the executions of one case.
pub(super) struct Story<'c> {
    stage: Stage<'c>,
    /// The execution that the case is about.
    main: ExecutionId,
    /// Those that it activates besides.
    others: BTreeMap<String, ExecutionId>,
    reports: Vec<Sent>,
    /// The nodes that a cancellation has closed, as it says.
    closed: Vec<String>,
    differences: Differences,
}

/// A runtime, and what a case can do to it.
struct Stage<'c> {
    surroundings: Surroundings,
    /// None only while nothing runs.
    running: Option<Runtime>,
    kept: Kept,
    faults: Arc<Faults>,
    workflow: &'c Workflow,
    context: &'c Map<String, Value>,
}

/// How an activation went.
pub(super) enum Activated<'c> {
    Story(Box<Story<'c>>),
    Refused(Refusal),
}

impl<'c> Stage<'c> {
    fn set_up(case: &'c Lifecycle, workflow: &'c Workflow, surroundings: Surroundings) -> Result<Self, String> {
        let mut kept = surroundings.journal()?;
        let faults = Arc::<Faults>::default();
        let running = Some(surroundings.start(&mut kept, &faults)?);
        Ok(Self { surroundings, running, kept, faults, workflow, context: &case.context })
    }

    fn runtime(&self) -> &Runtime {
        self.running.as_ref().expect("it runs whenever a step is taken")
    }

    /// Tears everything down, and begins again.
    async fn restart(&mut self) -> Result<(), String> {
        if let Some(runtime) = self.running.take() {
            self.surroundings.end(runtime, &mut self.kept).await?;
        }
        self.running = Some(self.surroundings.start(&mut self.kept, &self.faults)?);
        Ok(())
    }

    async fn activate(&self) -> Result<ExecutionHandle, ActivateError> {
        self.runtime().activate(self.workflow, self.context).by(OPERATOR).await
    }

    /// Activates an execution to which something happens before anything of it is durable.
    async fn activate_amid(
        &self,
        early: &[&Step],
        reports: &mut Vec<Sent>,
    ) -> Result<Result<ExecutionHandle, ActivateError>, String> {
        self.kept.hold();
        let id = self.runtime().new_execution_id();
        let activation = self.runtime().activate(self.workflow, self.context).by(OPERATOR).id(id);
        let activating = actix::spawn(activation.start());
        hop().await;
        for step in early {
            step.check_early()?;
            let report = step.operation.report(self.workflow, id, self.runtime())?;
            reports.extend(report.map(|report| send(self.runtime(), report)));
            hop().await;
        }
        for sent in reports.iter_mut().filter(|sent| sent.report.task.execution == id) {
            if activating.is_finished() || sent.answer().await.is_some() {
                return Err("something was answered before it was durable".to_owned());
            }
        }
        self.kept.release(self.surroundings);
        activating.await.map_err(|error| format!("the activation: {error}"))
    }
}

impl<'c> Story<'c> {
    /// Activates the execution; what comes during that comes while the journal holds back.
    pub(super) async fn begin(
        case: &'c Lifecycle,
        workflow: &'c Workflow,
        surroundings: Surroundings,
    ) -> Result<Activated<'c>, String> {
        let stage = Stage::set_up(case, workflow, surroundings)?;
        let early: Vec<&Step> = case.steps.iter().take_while(|step| step.is_early()).collect();
        let mut reports = Vec::new();
        let activated = match early.is_empty() {
            true => stage.activate().await,
            false => stage.activate_amid(&early, &mut reports).await?,
        };
        let main = match activated {
            Ok(main) => main.id(),
            Err(error) => return refusal(&error, case.registry.is_some()).map(Activated::Refused),
        };
        let (others, closed, differences) = (BTreeMap::new(), Vec::new(), Differences::default());
        Ok(Activated::Story(Box::new(Self { stage, main, others, reports, closed, differences })))
    }

    /// Takes all steps; gives what differed from the case.
    pub(super) async fn tell(mut self, case: &Lifecycle) -> Result<Vec<String>, String> {
        self.settle().await?;
        let early = case.steps.iter().take_while(|step| step.is_early()).count();
        for (number, step) in case.steps.iter().enumerate() {
            let error = match number < early {
                true => None,
                false => self.take(step).await.map_err(|problem| format!("{}: {problem}", step.words))?,
            };
            self.compare_errors(step, error);
            let seen = self.settle().await?;
            if self.stage.surroundings.restarts() {
                let again = self.restart().await?;
                self.compare_lives(step, &seen, &again);
            }
            let mut differences = Differences::default();
            differences.check_sanity(&seen);
            differences.check_step(&step.expect, &seen);
            for difference in differences.into_vec() {
                self.differences.add(format!("after {}: {difference}", step.words));
            }
        }
        self.end(case).await
    }

    /// Tears everything down; whoever has not heard of a report sends it again to what comes after.
    async fn restart(&mut self) -> Result<Seen, String> {
        self.stage.restart().await?;
        hop().await;
        // What the case means to be lost until it is looked for stays lost until then.
        self.send_again(|report| !report.lost).await;
        self.settle().await
    }

    /// Sends reports again whose senders were told that the runtime has stopped.
    async fn send_again(&mut self, which: impl Fn(&Report) -> bool) {
        for sent in &mut self.reports {
            if matches!(sent.answer().await, Some(Err(ReportError::Stopped))) && which(&sent.report) {
                *sent = send(self.stage.runtime(), sent.report.clone());
            }
        }
    }

    /// What is seen after a restart is what was seen before it.
    fn compare_lives(&mut self, step: &Step, before: &Seen, after: &Seen) {
        if before != after {
            self.differences.add(format!("after {}: a restart made of {before:?} {after:?}", step.words));
        }
    }

    async fn end(mut self, case: &Lifecycle) -> Result<Vec<String>, String> {
        let seen = self.settle().await?;
        self.differences.check_sanity(&seen);
        let folded = self.fold(self.main)?;
        self.differences.check_end(&case.expected, &seen, self.stage.workflow.compiled(), &folded);
        for node in &self.closed {
            if seen.node(node).is_none_or(|node| node.state.status() != NodeStatus::Cancelled) {
                self.differences.add(format!("{node:?} was closed, as the cancellation says, and is not cancelled"));
            }
        }
        for (name, expected) in &case.expected.others {
            let other = self.others.get(name).ok_or_else(|| format!("no execution was activated as {name:?}"))?;
            let status = Seen::of(self.stage.runtime(), *other).await?.status();
            if status != expected.status {
                self.differences.add(format!("status of {name:?} is {status}, not {}", expected.status));
            }
        }
        for sent in std::mem::take(&mut self.reports) {
            self.check_answer(sent).await?;
        }
        Ok(self.differences.into_vec())
    }

    /// The execution as its journal tells it.
    fn fold(&self, id: ExecutionId) -> Result<Execution, String> {
        let history = self.stage.kept.reader()?.history(id).map_err(|error| format!("no history: {error}"))?;
        let folded = Execution::fold(id, self.stage.workflow.compiled(), &history.unwrap_or_default());
        folded.map_err(|error| format!("the history cannot be folded: {error}"))
    }

    /// Waits until nothing changes any more, without any time going by.
    async fn settle(&self) -> Result<Seen, String> {
        let mut last = Vec::new();
        for _ in 0..LOOKS_MAX {
            hop().await;
            let mut seen = Vec::new();
            for execution in std::iter::once(&self.main).chain(self.others.values()) {
                seen.push(Seen::of(self.stage.runtime(), *execution).await?);
            }
            if seen == last {
                return Ok(seen.swap_remove(0));
            }
            last = seen;
        }
        Err("it does not come to rest".to_owned())
    }

    /// Does what the step says; gives the error of a command.
    async fn take(&mut self, step: &Step) -> Result<Option<CommandError>, String> {
        if step.is_early() {
            return Err("what comes during the activation comes before everything else".to_owned());
        }
        match &step.operation {
            Operation::Task(TaskEvent { execution, .. }) | Operation::Mutation(Mutation { execution, .. }) => {
                let target = self.target(execution.as_ref());
                if let Some(report) = step.operation.report(self.stage.workflow, target, self.stage.runtime())? {
                    self.deliver(report).await;
                }
                Ok(None)
            }
            Operation::Cancel { execution } => {
                let target = self.target(execution.as_ref());
                Ok(self.cancel(target).await.err())
            }
            Operation::Complete { execution } => {
                let target = self.target(execution.as_ref());
                Ok(self.stage.runtime().complete_execution(target, OPERATOR).await.err())
            }
            Operation::Fail { error, execution } => {
                let target = self.target(execution.as_ref());
                Ok(self.stage.runtime().fail_execution(target, OPERATOR, error).await.err())
            }
            Operation::Verdict { node, verdict, execution } => {
                let target = self.target(execution.as_ref());
                self.give_verdict(target, node, verdict).await
            }
            Operation::Activate { r#as } => self.activate_another(r#as).await,
            Operation::Reconcile {} => {
                // The second sweep finds nothing more; the first may just have begun.
                tokio::time::sleep(SWEEP_INTERVAL * 2).await;
                self.send_again(|_| true).await;
                Ok(None)
            }
            Operation::Observe {} => Ok(None),
        }
    }

    /// The execution of that name; one that does not exist if the name is unknown.
    fn target(&self, name: Option<&String>) -> ExecutionId {
        match name.map(|name| self.others.get(name)) {
            None => self.main,
            Some(Some(other)) => *other,
            Some(None) => self.stage.runtime().new_execution_id(),
        }
    }

    async fn cancel(&mut self, target: ExecutionId) -> Result<(), CommandError> {
        let receipt = self.stage.runtime().cancel_execution(target, OPERATOR).await?;
        let closed = receipt.tasks.into_iter().filter(|task| task.fate == Fate::Closed);
        if target == self.main {
            self.closed.extend(closed.map(|task| task.node));
        }
        Ok(())
    }

    async fn give_verdict(
        &self,
        target: ExecutionId,
        node: &str,
        verdict: &str,
    ) -> Result<Option<CommandError>, String> {
        let parsed: Result<Verdict, _> = serde_json::from_value(Value::String(verdict.to_owned()));
        match parsed {
            Ok(verdict) => Ok(self.stage.runtime().give_verdict(target, node, verdict, OPERATOR).await.err()),
            // There is no such verdict to be given: the types see to that.
            Err(error) => Ok(Some(CommandError::Invalid(error.to_string()))),
        }
    }

    async fn activate_another(&mut self, name: &str) -> Result<Option<CommandError>, String> {
        let activated = self.stage.activate().await;
        let other = activated.map_err(|error| format!("the activation of {name:?}: {error}"))?;
        match self.others.insert(name.to_owned(), other.id()) {
            None => Ok(None),
            Some(_) => Err(format!("two executions are called {name:?}")),
        }
    }

    /// Sends a report, and lets everything come of it that comes of it at once.
    async fn deliver(&mut self, report: Report) {
        let losses = u32::from(report.lost);
        self.stage.faults.lose_outcomes.store(losses, Ordering::Relaxed);
        self.reports.push(send(self.stage.runtime(), report));
        hop().await;
        // A report that was refused beforehand cannot be lost: the next one must not be lost in its place.
        self.stage.faults.lose_outcomes.store(0, Ordering::Relaxed);
    }

    fn compare_errors(&mut self, step: &Step, found: Option<CommandError>) {
        let accepted = found.as_ref().map(|error| names_of(error, &step.operation));
        let is_right = match (step.expect.error, &accepted) {
            (None, None) => true,
            (Some(wanted), Some(accepted)) => accepted.contains(&wanted),
            _ => false,
        };
        if !is_right {
            let found = found.map_or_else(|| "none".to_owned(), |error| format!("{error:?}"));
            let wanted = step.expect.error;
            self.differences.add(format!("{}: error is {found}, not {wanted:?}", step.words));
        }
    }

    /// A report is answered at the latest when its execution has ended, and changes nothing if it comes too late.
    async fn check_answer(&mut self, mut sent: Sent) -> Result<(), String> {
        let Report { task, lost, .. } = sent.report;
        match sent.answer().await {
            None => {
                if Seen::of(self.stage.runtime(), task.execution).await?.has_ended() {
                    self.differences.add(format!("a report on {task} was never answered"));
                }
            }
            Some(Ok(())) => {}
            Some(Err(ReportError::NotFound | ReportError::AlreadySettled(_) | ReportError::AlreadyTerminal(_))) => {}
            Some(Err(ReportError::Stopped)) if lost => {}
            Some(Err(error)) => {
                let error = error.clone();
                self.differences.add(format!("a report on {task}: {error}"));
            }
        }
        Ok(())
    }
}

/// Gives all others their turn, often enough for what a message sets going.
async fn hop() {
    for _ in 0..HOPS {
        yield_now().await;
    }
}

fn refusal(error: &ActivateError, has_registry: bool) -> Result<Refusal, String> {
    match error {
        ActivateError::Definition(error) => Ok(Refusal::of(error, has_registry)),
        error => Err(format!("the activation: {error}")),
    }
}

/// The names that the cases have for the error of a command.
fn names_of(error: &CommandError, operation: &Operation) -> &'static [ErrorName] {
    match error {
        CommandError::NotFound => &[ErrorName::NotFound],
        CommandError::NotRunning(_) => &[ErrorName::NotRunning],
        // The cases have no name of its own for a verdict that comes after the end.
        CommandError::AlreadyTerminal(_) if matches!(operation, Operation::Verdict { .. }) => {
            &[ErrorName::AlreadyTerminal, ErrorName::NotRunning]
        }
        CommandError::AlreadyTerminal(_) => &[ErrorName::AlreadyTerminal],
        CommandError::Invalid(_) => &[ErrorName::Invalid],
        CommandError::NotReady(_) | CommandError::WaitsForElse(_) => &[ErrorName::NotReady],
        _ => &[],
    }
}
