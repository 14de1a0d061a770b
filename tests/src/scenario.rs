//! Tells a story about one execution in virtual time, and checks what is said about it.

use std::time::Duration;

use finale_core::definition::{Definition, Verdict};
use finale_core::execution::{Command, Effect, Input, Report};
use finale_core::fact::{Operation, OperatorAction, Signalled, StopOutcome, Timer};
use finale_core::failure::{Failure, FailureClass};
use finale_core::record::{NodeRecord, NodeRecordState, Outcome, Record, State};
use finale_core::{Dispatch, ExecutionStatus, NodeStatus, Payload, Time, WorkKey};
use serde_json::{Value, json};

use crate::chart::Chart;
use crate::driven::Driven;

/// A story about one execution; each step panics if it cannot be taken, and the whole history is checked at the end.
#[derive(Debug)]
#[must_use]
pub struct Scenario {
    driven: Driven,
    now: Time,
    input: Value,
    deadline: Option<Time>,
    /// The effects that were looked at already.
    seen: usize,
}

impl Scenario {
    /// Begins a story.
    pub fn new(chart: Chart) -> Self {
        Self::of(chart.definition())
    }

    /// Begins a story about a definition.
    pub fn of(definition: Definition) -> Self {
        let driven = Driven::new(definition);
        Self { driven, now: Time::from_micros(1_000_000), input: Value::Null, deadline: None, seen: 0 }
    }

    /// What the execution is activated with.
    pub fn input(mut self, input: Value) -> Self {
        self.input = input;
        self
    }

    /// How long the execution may take.
    pub fn deadline(mut self, span: Duration) -> Self {
        self.deadline = Some(self.now.after(span));
        self
    }

    /// Sets the clock, maybe back.
    pub fn clock(mut self, now: Time) -> Self {
        self.now = now;
        self
    }

    /// Activates the execution.
    pub fn activate(self) -> Self {
        let input = self.driven.activation(payload(&self.input), self.deadline);
        self.tell(input)
    }

    /// Tells it something that it takes.
    pub fn tell(mut self, input: Input) -> Self {
        let told = format!("{input:?}");
        self.driven.tell(self.now, input).unwrap_or_else(|refused| panic!("{told} was refused: {refused}"));
        self
    }

    /// Somebody finished the task, with that output.
    #[expect(clippy::needless_pass_by_value, reason = "a story reads better without ampersands")]
    pub fn complete(self, node: &str, output: Value) -> Self {
        let result = Ok(payload(&output));
        self.report(node, result)
    }

    /// Somebody failed at the task.
    pub fn fail(self, node: &str, reason: &str) -> Self {
        self.fail_as(node, FailureClass::Failed, reason)
    }

    /// Somebody failed at the task, in that way.
    pub fn fail_as(self, node: &str, class: FailureClass, reason: &str) -> Self {
        self.report(node, Err(Failure::new(class, reason)))
    }

    /// Somebody failed at the task, so.
    pub fn fail_with(self, node: &str, failure: Failure) -> Self {
        self.report(node, Err(failure))
    }

    /// An operator says how it goes on with the task.
    pub fn operate(self, node: &str, action: OperatorAction) -> Self {
        let (key, by, reason) = (self.key(node), "jo".into(), "given up".into());
        self.tell(Input::Operate(Operation { key, by, reason, action }))
    }

    /// An operator fails the task.
    pub fn fail_by_hand(self, node: &str) -> Self {
        self.operate(node, OperatorAction::Fail)
    }

    fn report(self, node: &str, result: Result<Payload, Failure>) -> Self {
        let key = self.key(node);
        let input = match self.dispatch(node) {
            Some(dispatch) => Input::Outcome { dispatch, result, started: self.now, ended: self.now },
            None => Input::Reported(Report::new(key, result)),
        };
        self.tell(input)
    }

    /// A person cancels the task.
    pub fn cancel_task(self, node: &str, reason: &str) -> Self {
        let key = self.key(node);
        self.tell(Input::Reported(Report::new(key, Err(Failure::new(FailureClass::Cancelled, reason)))))
    }

    /// A handler that was told to stop is gone.
    pub fn stopped(self, node: &str, how: StopOutcome) -> Self {
        let dispatch = self.dispatch(node).unwrap_or_else(|| panic!("no handler works on {node}"));
        self.tell(Input::Stopped { dispatch, how })
    }

    /// A verdict is given.
    pub fn verdict(self, node: &str, verdict: Verdict) -> Self {
        let key = self.key(node);
        self.tell(Input::Verdict { key, verdict, by: "jo".into() })
    }

    /// Somebody sends a signal.
    #[expect(clippy::needless_pass_by_value, reason = "a story reads better without ampersands")]
    pub fn signal(self, name: &str, says: Value) -> Self {
        let (name, payload) = (name.into(), payload(&says));
        self.tell(Input::Signal(Signalled { name, payload, by: "jo".into(), id: None }))
    }

    /// Somebody sends a signal that is known by its id.
    #[expect(clippy::needless_pass_by_value, reason = "a story reads better without ampersands")]
    pub fn signal_once(self, name: &str, id: &str, says: Value) -> Self {
        let (name, payload) = (name.into(), payload(&says));
        self.tell(Input::Signal(Signalled { name, payload, by: "jo".into(), id: Some(id.into()) }))
    }

    /// Somebody cancels the execution.
    pub fn cancel(self) -> Self {
        self.tell(Input::Command(Command::Cancel { by: "jo".into() }))
    }

    /// The process crashes, and another one takes over.
    pub fn crash(self) -> Self {
        self.recover(true)
    }

    /// The process is killed, and another one takes over that much later: nothing that became due meanwhile was noticed.
    pub fn crash_for(mut self, span: Duration) -> Self {
        self.now = self.now.after(span);
        self.crash().advance(Duration::ZERO)
    }

    /// The process is shut down in order, and another one takes over.
    pub fn restart(self) -> Self {
        self.recover(false)
    }

    fn recover(self, crashed: bool) -> Self {
        let epoch = self.driven.execution().epoch().next();
        self.tell(Input::Recovered { epoch, crashed })
    }

    /// Time goes by; timers fire when they are due.
    pub fn advance(mut self, span: Duration) -> Self {
        let until = self.now.after(span);
        while let Some((due, timer)) = self.next_timer(until) {
            self.now = self.now.max(due);
            self = self.tell(Input::TimerFired(timer));
        }
        self.now = until;
        self
    }

    fn next_timer(&self, until: Time) -> Option<(Time, Timer)> {
        let armed = self.under_way().into_iter().filter_map(|effect| match effect {
            Effect::ArmTimer { timer, due, .. } => Some((due, timer)),
            _ => None,
        });
        armed.filter(|(due, _)| *due <= until).min()
    }

    /// Something it must refuse, in those words; nothing changes.
    pub fn refuses(mut self, input: Input, words: &str) -> Self {
        match self.driven.tell(self.now, input) {
            Ok(facts) => panic!("it should have been refused, and became {facts:?}"),
            Err(refused) => assert_eq!(refused.to_string(), words),
        }
        self
    }

    /// The execution is there now.
    pub fn expect_status(self, status: ExecutionStatus) -> Self {
        assert_eq!(self.driven.execution().status(), status);
        self
    }

    /// The node is there now.
    pub fn expect_node(self, node: &str, status: NodeStatus) -> Self {
        assert_eq!(self.node(node).state.status(), status, "the status of {node}");
        self
    }

    /// The nodes are there now.
    pub fn expect_nodes(self, nodes: &[&str], status: NodeStatus) -> Self {
        nodes.iter().fold(self, |story, node| story.expect_node(node, status))
    }

    /// These signals are kept, with what they say.
    #[expect(clippy::needless_pass_by_value, reason = "a story reads better without ampersands")]
    pub fn expect_signals(self, expected: Value) -> Self {
        let left = self.record().signals.into_iter();
        let left: Vec<_> = left.map(|signal| (signal.name, signal.payload.decode::<Value>())).collect();
        let left: Vec<_> = left.into_iter().map(|(name, says)| json!([name, says.expect("it is JSON")])).collect();
        assert_eq!(Value::from(left), expected, "the signals that nobody has taken");
        self
    }

    /// The node was skipped for that reason.
    pub fn expect_skipped(self, node: &str, why: &str) -> Self {
        match self.node(node).state {
            NodeRecordState::Skipped { reason } => assert_eq!(reason, why, "the reason why {node} was skipped"),
            other => panic!("{node} was not skipped: {other:?}"),
        }
        self
    }

    /// The execution failed, with that error.
    pub fn expect_error(self, words: &str) -> Self {
        let outcome = self.outcome();
        assert_eq!(outcome.error().map(ToString::to_string).as_deref(), Some(words));
        self
    }

    /// The execution completed, with that output.
    pub fn expect_output(self, output: Value) -> Self {
        assert_eq!(self.outcome().output::<Value>(), Ok(output));
        self
    }

    /// The process crashed so often over one of the tasks that are worked on.
    pub fn expect_losses(self, losses: u16) -> Self {
        assert_eq!(self.driven.execution().losses(), losses, "how often the process crashed over a task");
        self
    }

    /// The effects since the last time somebody looked.
    pub fn expect_effects(mut self, expected: &[Effect]) -> Self {
        assert_eq!(&self.driven.effects()[self.seen..], expected);
        self.seen = self.driven.effects().len();
        self
    }

    /// What drives the execution.
    pub fn driven(&self) -> &Driven {
        &self.driven
    }

    /// Looks at something else.
    pub fn look(self, look: impl FnOnce(&Driven)) -> Self {
        look(&self.driven);
        self
    }

    /// Which work that node is, by its id or its path.
    ///
    /// # Panics
    /// When there is no such node, or what it is in is not open.
    pub fn key(&self, node: &str) -> WorkKey {
        let (execution, compiled) = (self.driven.execution(), self.driven.definition());
        let own = compiled.position(node).map(WorkKey::root);
        let found = own.or_else(|| execution.resolve(compiled, &node.parse().ok()?));
        found.unwrap_or_else(|| panic!("there is no node {node}"))
    }

    /// The dispatch that a handler works on, or was told to leave.
    pub fn dispatch(&self, node: &str) -> Option<Dispatch> {
        let key = self.key(node);
        self.under_way().into_iter().find_map(|effect| match effect {
            Effect::Run { dispatch, .. } => Some(dispatch).filter(|it| it.key == key),
            _ => None,
        })
    }

    fn under_way(&self) -> Vec<Effect> {
        self.driven.execution().under_way(self.driven.definition())
    }

    /// Everything there is to know about the execution.
    pub fn record(&self) -> Record {
        self.driven.execution().record(self.driven.definition())
    }

    /// What is known of a node.
    ///
    /// # Panics
    /// When there is no such node.
    pub fn node(&self, node: &str) -> NodeRecord {
        let mut nodes = self.record().nodes.into_iter();
        nodes.find(|known| known.id == node).unwrap_or_else(|| panic!("there is no node {node}"))
    }

    /// How it ended.
    ///
    /// # Panics
    /// When it has not.
    pub fn outcome(&self) -> Outcome {
        match self.record().state {
            State::Ended(outcome) => outcome,
            other => panic!("it is not over: {other:?}"),
        }
    }

    /// Why it is where it is, in words.
    pub fn why(&self) -> String {
        self.driven.execution().why(self.driven.definition()).to_string()
    }
}

impl Drop for Scenario {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.driven.check_history();
        }
    }
}

fn payload(value: &Value) -> Payload {
    Payload::encode(value).expect("values are JSON")
}
