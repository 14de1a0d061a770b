//! Executions whose facts are real: the core decides them.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use finale_core::compile::{Registry, compile};
use finale_core::definition::{Definition, NodeKind, Retry, Task, Work};
use finale_core::execution::{Command, Effect, Input, Turn};
use finale_core::fact::{Activation, StopOutcome, Terminal};
use finale_core::record::WorkflowName;
use finale_core::{Compiled, Dispatch, Execution, ExecutionId, ExecutionStatus, Failure, FailureClass, Payload, Time};

use crate::{Append, Begins, Ends, Standing, StoredDefinition, Summary};

/// When the execution with the number 0 is activated.
pub(super) const BEGINNING: Time = Time::from_micros(1_700_000_000_000_000);
/// What lies between the activations of executions with neighbouring numbers, and between their steps.
pub(super) const SECOND: Duration = Duration::from_secs(1);

/// The id with that number; they sort like the numbers.
pub(super) fn id(number: u128) -> ExecutionId {
    format!("{number:032x}").parse().expect("32 hexadecimal digits are a UUID")
}

/// A workflow with one task, which is tried for as often as it fails.
#[derive(Clone, Debug)]
pub(super) struct Workflow {
    compiled: Arc<Compiled>,
    pub(super) stored: StoredDefinition,
}

impl Workflow {
    pub(super) fn new(id: &str, version: &str) -> Self {
        let retry = Retry::attempts(u16::MAX);
        let task = Task { title: Some("Work".into()), work: Work::Handler("work".into()), retry, ..Task::default() };
        let builder = Definition::builder(id).name(format!("The workflow {id}")).version(version);
        let definition = builder.node("work", NodeKind::Task(task)).build();
        let workflow = WorkflowName {
            id: definition.id.clone(),
            name: definition.name.clone(),
            version: definition.version.clone(),
        };
        let bytes = format!("{definition:?}").into_bytes().into();
        let compiled = compile(definition, &Registry::new()).expect("the definition is sound");
        let stored = StoredDefinition { hash: compiled.hash(), workflow, bytes };
        Self { compiled: Arc::new(compiled), stored }
    }

    /// The same, kept under another name: one that no definition could have.
    pub(super) fn called(mut self, id: &str, name: &str, version: &str) -> Self {
        self.stored.workflow = WorkflowName { id: id.into(), name: name.into(), version: version.into() };
        self
    }

    /// The same, kept with other bytes.
    pub(super) fn kept_as(mut self, bytes: &[u8]) -> Self {
        self.stored.bytes = bytes.into();
        self
    }
}

impl Default for Workflow {
    fn default() -> Self {
        static USUAL: LazyLock<Workflow> = LazyLock::new(|| Workflow::new("usual", "1.0.0"));
        USUAL.clone()
    }
}

/// An execution on its way, with all that a journal must know of it.
#[derive(Debug)]
pub(super) struct Subject {
    id: ExecutionId,
    workflow: Workflow,
    execution: Execution,
    turn: Turn,
    running: Option<Dispatch>,
    now: Time,
    input: Payload,
    by: String,
    idempotency_key: Option<String>,
    business_key: Option<String>,
    standing: Stands,
    to_tell: bool,
    history: Vec<u8>,
}

/// What is appended in one go.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) execution: ExecutionId,
    pub(super) first_sequence: u64,
    pub(super) count: u32,
    pub(super) facts: Vec<u8>,
    pub(super) begins: Option<Beginning>,
    pub(super) standing: Stands,
    /// Whether somebody is to be told of the end, if it is one.
    pub(super) to_tell: bool,
}

/// What is known of an execution from its beginning, owned.
#[derive(Clone, Debug)]
pub(super) struct Beginning {
    pub(super) definition: StoredDefinition,
    by: String,
    at: Time,
    pub(super) idempotency_key: Option<String>,
    business_key: Option<String>,
}

/// Where an execution is, owned.
#[derive(Clone, Debug)]
pub(super) enum Stands {
    Running,
    Ending,
    Ended { status: Terminal, at: Time, error: Option<String> },
}

impl Subject {
    /// An execution that was not activated yet.
    pub(super) fn new(number: u128) -> Self {
        Self::of(number, &Workflow::default())
    }

    /// An execution of that workflow.
    pub(super) fn of(number: u128, workflow: &Workflow) -> Self {
        let seconds = u32::try_from(number).unwrap_or_default();
        Self {
            id: id(number),
            execution: Execution::new(id(number), &workflow.compiled),
            workflow: workflow.clone(),
            turn: Turn::new(),
            running: None,
            now: BEGINNING.after(SECOND * seconds),
            input: Payload::NULL,
            by: "somebody".to_owned(),
            idempotency_key: None,
            business_key: None,
            standing: Stands::Running,
            to_tell: false,
            history: Vec::new(),
        }
    }

    pub(super) fn by(mut self, by: &str) -> Self {
        by.clone_into(&mut self.by);
        self
    }

    pub(super) fn keyed(mut self, key: &str) -> Self {
        self.idempotency_key = Some(key.to_owned());
        self
    }

    pub(super) fn about(mut self, business_key: &str) -> Self {
        self.business_key = Some(business_key.to_owned());
        self
    }

    /// Somebody is to be told of its end.
    pub(super) fn told_of(mut self) -> Self {
        self.to_tell = true;
        self
    }

    pub(super) fn given(mut self, input: Payload) -> Self {
        self.input = input;
        self
    }

    /// What follows happens then, or as soon as time allows.
    pub(super) fn at(mut self, now: Time) -> Self {
        self.now = now;
        self
    }

    pub(super) fn id(&self) -> ExecutionId {
        self.id
    }

    /// All its facts so far.
    pub(super) fn history(&self) -> &[u8] {
        &self.history
    }

    /// When the last thing happened to it.
    pub(super) fn now(&self) -> Time {
        self.now
    }

    /// What a journal must say of it.
    pub(super) fn summary(&self) -> Summary {
        let name = self.workflow.stored.workflow.clone();
        let mut summary = Summary::running(self.id, name, self.by.as_str(), self.execution.created_at());
        summary.idempotency_key.clone_from(&self.idempotency_key);
        summary.business_key.clone_from(&self.business_key);
        match &self.standing {
            Stands::Running => {}
            Stands::Ending => summary.status = ExecutionStatus::Ending,
            Stands::Ended { status, at, error } => {
                summary.status = (*status).into();
                summary.completed_at = Some(*at);
                summary.error.clone_from(error);
            }
        }
        summary
    }

    /// Whether the facts read back are those that were decided.
    pub(super) fn folds_from(&self, history: &[u8]) -> bool {
        Execution::fold(self.id, &self.workflow.compiled, history).is_ok_and(|folded| folded == self.execution)
    }

    pub(super) fn begin(&mut self) -> Step {
        let activation = Activation {
            definition: self.workflow.stored.hash,
            semantics: finale_core::execution::SEMANTICS,
            input: self.input.clone(),
            by: self.by.clone().into(),
            deadline: None,
            idempotency_key: self.idempotency_key.as_deref().map(Into::into),
            business_key: self.business_key.as_deref().map(Into::into),
        };
        let mut step = self.step([Input::Activate(activation)]);
        step.begins = Some(Beginning {
            definition: self.workflow.stored.clone(),
            by: self.by.clone(),
            at: self.execution.created_at(),
            idempotency_key: self.idempotency_key.clone(),
            business_key: self.business_key.clone(),
        });
        step
    }

    /// The task fails and is tried again: one fact.
    pub(super) fn again(&mut self) -> Step {
        let outcome = self.outcome(Err(failure("not yet", false)));
        self.step([outcome])
    }

    /// The task fails that often and is tried again, all in one append.
    pub(super) fn again_and_again(&mut self, times: usize) -> Step {
        let steps: Vec<_> = (0..times).map(|_| self.again()).collect();
        joined(steps)
    }

    pub(super) fn complete(&mut self) -> Step {
        self.complete_with(Payload::NULL)
    }

    pub(super) fn complete_with(&mut self, output: Payload) -> Step {
        let outcome = self.outcome(Ok(output));
        self.step([outcome])
    }

    pub(super) fn fail(&mut self, error: &str) -> Step {
        let outcome = self.outcome(Err(failure(error, true)));
        let mut step = self.step([outcome]);
        for standing in [&mut step.standing, &mut self.standing] {
            if let Stands::Ended { error: why, .. } = standing {
                *why = Some(error.to_owned());
            }
        }
        step
    }

    /// Somebody cancels it: its task is being stopped.
    pub(super) fn cancel(&mut self) -> Step {
        self.step([Input::Command(Command::Cancel { by: "somebody".into() })])
    }

    /// The task of an execution that was cancelled has stopped.
    pub(super) fn stopped(&mut self) -> Step {
        let dispatch = self.running.expect("the task runs");
        self.step([Input::Stopped { dispatch, how: StopOutcome::Stopped }])
    }

    /// From its beginning to that end, in one append.
    pub(super) fn whole(&mut self, end: Terminal) -> Step {
        let steps = match end {
            Terminal::Completed => vec![self.begin(), self.complete()],
            Terminal::Failed => vec![self.begin(), self.fail("no more")],
            Terminal::Cancelled => vec![self.begin(), self.cancel(), self.stopped()],
        };
        joined(steps)
    }

    fn outcome(&self, result: Result<Payload, Failure>) -> Input {
        let dispatch = self.running.expect("the task runs");
        Input::Outcome { dispatch, result, started: self.now, ended: self.now }
    }

    fn step(&mut self, inputs: impl IntoIterator<Item = Input>) -> Step {
        let first_sequence = self.execution.sequence() + 1;
        if first_sequence > 1 {
            self.now = self.now.after(SECOND);
        }
        for input in inputs {
            let handled = self.execution.handle(&self.workflow.compiled, self.now, input, &mut self.turn);
            handled.expect("the input fits");
        }
        self.standing = self.stands();
        self.history.extend_from_slice(self.turn.facts());
        let step = Step {
            execution: self.id,
            first_sequence,
            count: self.turn.count(),
            facts: self.turn.facts().to_vec(),
            begins: None,
            standing: self.standing.clone(),
            to_tell: self.to_tell,
        };
        self.turn.appended();
        let begun = |effect| if let Effect::Run { dispatch, .. } = effect { Some(dispatch) } else { None };
        self.running = self.turn.take_effects().into_iter().filter_map(begun).next_back().or(self.running);
        step
    }

    fn stands(&self) -> Stands {
        let ended = |status| Stands::Ended { status, at: self.now, error: None };
        match self.execution.status() {
            ExecutionStatus::Completed => ended(Terminal::Completed),
            ExecutionStatus::Failed => ended(Terminal::Failed),
            ExecutionStatus::Cancelled => ended(Terminal::Cancelled),
            ExecutionStatus::Ending => Stands::Ending,
            _ => Stands::Running,
        }
    }
}

impl Step {
    pub(super) fn append(&self) -> Append<'_> {
        Append {
            execution: self.execution,
            first_sequence: self.first_sequence,
            count: self.count,
            facts: &self.facts,
            begins: self.begins.as_ref().map(Beginning::begins),
            standing: self.standing.standing(self.to_tell),
        }
    }

    /// For messages.
    pub(super) fn name(&self) -> String {
        format!("the append to {} at fact {}", self.execution, self.first_sequence)
    }
}

impl Beginning {
    fn begins(&self) -> Begins<'_> {
        Begins {
            definition: &self.definition,
            by: &self.by,
            at: self.at,
            idempotency_key: self.idempotency_key.as_deref(),
            business_key: self.business_key.as_deref(),
        }
    }
}

impl Stands {
    fn standing(&self, to_tell: bool) -> Standing<'_> {
        match self {
            Self::Running => Standing::Running,
            Self::Ending => Standing::Ending,
            Self::Ended { status, at, error } => {
                Standing::Ended(Ends { status: *status, at: *at, error: error.as_deref(), to_tell })
            }
        }
    }
}

/// Steps that follow each other, as one.
fn joined(steps: Vec<Step>) -> Step {
    let together = |mut first: Step, next: Step| {
        first.count += next.count;
        first.facts.extend(next.facts);
        first.standing = next.standing;
        first
    };
    steps.into_iter().reduce(together).expect("there is a step")
}

fn failure(reason: &str, permanent: bool) -> Failure {
    let failure = Failure::new(FailureClass::Failed, reason);
    if permanent { failure.permanent() } else { failure }
}
