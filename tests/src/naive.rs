//! A second opinion on how executions go: written from the semantics alone, slow, and without any cleverness.
//!
//! Whatever changes, it looks at the whole graph again and again until nothing moves. It shares words with the core
//! (definitions, inputs), and no code. One thing the semantics leaves open: in which order nodes begin that can, and
//! expressions are evaluated that are due. That order is handed in; the naive reading checks only that it was possible,
//! and that nothing was left out.

mod bugs;
mod endings;
mod failing;
mod firing;
mod inside;
mod no;
mod retries;
mod splits;
mod tree;
mod waits;

use std::time::Duration;

use finale_core::definition::{
    Definition, Delivery, EdgeKind, Node, NodeKind, OnFailure, Siblings, Task, Verdict, Wait, Work,
};
use finale_core::execution::{Command, Input, Report};
use finale_core::fact::{StopOutcome, Timer};
use finale_core::failure::{Failure, FailureClass};
use finale_core::{AttemptNo, Epoch, ExecutionStatus, NodeIndex, NodeStatus, Payload, Time, WorkKey};
use serde_json::Value;

pub use bugs::Misreading;
pub use endings::{COMPENSATION, FINALLY, body_graph};
use firing::Fired;
pub use inside::{Mistake, graph as graph_inside};
pub use no::No;
pub use tree::{Told, Tree};
use waits::Signals;

use crate::formula::Formula;

/// An execution as the semantics has it.
#[derive(Clone, Debug)]
pub struct Naive {
    /// Whether nobody says what begins.
    begins_by_itself: bool,
    definition: Definition,
    /// The edges with the numbers of their nodes.
    edges: Vec<(usize, EdgeKind, usize)>,
    input: Value,
    has_deadline: bool,
    phase: Phase,
    places: Vec<Place>,
    /// The last attempt of each node, or the next one if that is waited for.
    attempts: Vec<u16>,
    /// How many attempts of each node were lost, and how many of them through crashes.
    lost: Vec<(u16, u16)>,
    /// How many attempts of each node were made before an operator had it tried again.
    before: Vec<u16>,
    /// When each node was handed out for the first time, or for the first time after that.
    first: Vec<Option<i64>>,
    /// The shortest and the longest wait for the next attempt that each node may have had last.
    waits: Vec<(Duration, Duration)>,
    now: Time,
    epoch: u32,
    /// The nodes that failed and are not optional, in order.
    failed: Vec<usize>,
    /// Of these, whether the failure was one to be handled by another node.
    caught: Vec<usize>,
    /// Those whose failure a join could do without when the end was decided: nobody counts them any more.
    spared: Vec<usize>,
    /// The nodes that a join has closed while a handler worked on them.
    closed: Vec<bool>,
    /// The nodes of which it is known that no handler begins in this life.
    not_begun: Vec<bool>,
    output: Option<Value>,
    misreading: Option<Misreading>,
    signals: Signals,
    /// Which of the executions that share the signals it is.
    member: usize,
}

/// Something that the semantics leaves the order of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A node began: a handler or somebody outside was asked, or a control node was passed.
    Begin(NodeIndex),
    /// The expression of a node was evaluated.
    Evaluate(NodeIndex),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    New,
    Running,
    Ending { end: ExecutionStatus, stopping: bool },
    Ended(ExecutionStatus),
}

#[derive(Clone, Debug, PartialEq)]
enum Place {
    Pending,
    /// It may begin once its expression is evaluated.
    Due,
    /// It may begin as soon as there is a slot for it; whether it has been seen waiting for that.
    Reached {
        seen: bool,
    },
    Running,
    Asked,
    Judged,
    /// Waits for a moment.
    Timed,
    /// Waits for a signal of that name.
    Listening(String),
    Backing,
    /// It waits for an operator.
    Held,
    Passed(Option<EdgeKind>),
    Done(Value),
    Failed,
    Cancelled,
    Skipped(Way),
}

/// What has become of an edge.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Pending,
    Live,
    /// Its source failed, and that is tolerated.
    LiveFailed,
    Dead,
    Blocked,
}

impl Naive {
    /// An execution to which nothing has happened.
    pub fn new(definition: Definition) -> Self {
        let count = definition.nodes.len();
        let number = |id: &str| definition.nodes.iter().position(|node| node.id == id).expect("the node exists");
        let edges = definition.edges.iter().map(|edge| (number(&edge.source), edge.kind, number(&edge.target)));
        Self {
            edges: edges.collect(),
            definition,
            input: Value::Null,
            has_deadline: false,
            phase: Phase::New,
            places: vec![Place::Pending; count],
            attempts: vec![0; count],
            lost: vec![(0, 0); count],
            before: vec![0; count],
            first: vec![None; count],
            waits: vec![Default::default(); count],
            now: Time::default(),
            epoch: 0,
            failed: Vec::new(),
            caught: Vec::new(),
            spared: Vec::new(),
            closed: vec![false; count],
            not_begun: vec![false; count],
            output: None,
            misreading: None,
            begins_by_itself: false,
            signals: Signals::default(),
            member: 0,
        }
    }

    /// The same, but what can begin does, in the order of the nodes, without anybody who says so.
    pub fn beginning_by_itself(self) -> Self {
        Self { begins_by_itself: true, ..self }
    }

    /// One that has misread a rule: whoever compares it with the core must find that.
    pub fn misread(definition: Definition, misreading: Misreading) -> Self {
        Self { misreading: Some(misreading), ..Self::new(definition) }
    }

    /// Where the execution is.
    pub fn status(&self) -> ExecutionStatus {
        match self.phase {
            Phase::New => ExecutionStatus::Pending,
            Phase::Running => ExecutionStatus::Running,
            Phase::Ending { .. } => ExecutionStatus::Ending,
            Phase::Ended(end) => end,
        }
    }

    /// Where each node is.
    pub fn nodes(&self) -> Vec<NodeStatus> {
        self.places.iter().map(status).collect()
    }

    /// The failures that count, in order.
    pub fn failures(&self) -> Vec<usize> {
        self.failed.iter().copied().filter(|&node| self.counts(node)).collect()
    }

    /// How many tasks failed whose failure another node handles.
    pub fn handled(&self) -> usize {
        self.failed.iter().filter(|&&node| self.task(node).is_some() && self.is_handled(node)).count()
    }

    /// The output, once it has completed.
    pub fn output(&self) -> Option<&Value> {
        self.output.as_ref()
    }

    /// Over which running node the process crashed most often, and how often.
    pub fn losses(&self) -> u16 {
        let at_work = |node: &usize| self.places[*node] == Place::Running && !self.not_begun[*node];
        (0..self.places.len()).filter(at_work).map(|node| self.lost[node].1).max().unwrap_or(0)
    }

    /// Takes in one input; `steps` is what began and was evaluated thereafter.
    pub fn tell(&mut self, input: &Input, steps: &[Step]) -> Result<(), No> {
        let mut steps = steps;
        match input {
            Input::Activate(activation) => {
                if self.phase != Phase::New {
                    return Err(No::Invalid);
                }
                self.phase = Phase::Running;
                self.input = decode(&activation.input);
                self.has_deadline = activation.deadline.is_some();
            }
            Input::Outcome { dispatch, result, .. } => {
                let node = self.at_work(dispatch.key, dispatch.attempt, dispatch.epoch)?;
                self.outcome(node, result);
            }
            Input::Reported(report) => self.reported(report)?,
            Input::Stopped { dispatch, how } => {
                let node = self.at_work(dispatch.key, dispatch.attempt, dispatch.epoch)?;
                if matches!(self.phase, Phase::Ending { .. }) || self.closed[node] {
                    self.places[node] = Place::Cancelled;
                } else if *how != StopOutcome::Closed
                    || self.places[node] != Place::Running
                    || std::mem::replace(&mut self.not_begun[node], true)
                {
                    return Err(No::Invalid);
                }
            }
            Input::Verdict { key, verdict, .. } => self.verdict(*key, *verdict)?,
            Input::TimerFired(timer) => self.fired(*timer)?,
            Input::Signal(signal) => self.signalled(signal)?,
            Input::Command(command) => self.command(command)?,
            Input::Recovered { epoch, crashed } => {
                self.recovered(epoch.0, *crashed)?;
                self.move_all(&mut steps);
                if let Phase::Ending { .. } = self.phase {
                    self.give_up();
                }
            }
            Input::Operate(operation) => self.operate(operation)?,
            // Nothing follows from it.
            Input::CustomStatus { .. } => return Ok(()),
            Input::Continue => match self.phase {
                Phase::New => return Err(No::NotRunning),
                Phase::Ended(_) => return Err(No::Over),
                _ => {}
            },
        }
        self.go_on(&mut steps);
        self.seal();
        Ok(())
    }

    fn known(&self, key: WorkKey) -> Result<usize, No> {
        let exists = key.node.as_usize() < self.places.len() && key.scope.is_root();
        match self.phase {
            Phase::New => Err(No::NotRunning),
            _ if !exists => Err(No::Unknown),
            Phase::Ended(_) => Err(No::Over),
            _ => Ok(key.node.as_usize()),
        }
    }

    fn at_work(&self, key: WorkKey, attempt: AttemptNo, epoch: Epoch) -> Result<usize, No> {
        let node = self.known(key)?;
        let is_at_work = matches!(self.places[node], Place::Running | Place::Asked);
        match self.attempts[node] {
            current if is_at_work && attempt == current && epoch.0 == self.epoch => Ok(node),
            current if current > 0 && (attempt != current || epoch.0 != self.epoch) => Err(No::Stale),
            _ => Err(self.when(node)),
        }
    }

    fn when(&self, node: usize) -> No {
        if status(&self.places[node]).is_settled() { No::Late } else { No::Early }
    }

    fn reported(&mut self, report: &Report) -> Result<(), No> {
        let Report { key, attempt, result, .. } = report;
        let node = self.known(*key)?;
        let is_cancel = matches!(result, Err(failure) if failure.class == FailureClass::Cancelled);
        let is_stale = attempt.is_some_and(|attempt| attempt != self.attempts[node]);
        match self.places[node] {
            Place::Asked | Place::Backing | Place::Held
                if is_stale && (self.places[node] == Place::Asked || is_cancel) =>
            {
                return Err(No::Stale);
            }
            Place::Reached { .. } if self.attempts[node] > 1 && is_cancel && is_stale => return Err(No::Stale),
            Place::Backing | Place::Held if is_cancel => {
                self.forget_awaited(node);
                self.outcome(node, result);
            }
            Place::Reached { .. } if self.attempts[node] > 1 && is_cancel => {
                self.forget_awaited(node);
                self.outcome(node, result);
            }
            Place::Running if is_stale && is_cancel => return Err(No::Stale),
            Place::Asked => self.outcome(node, result),
            Place::Running if is_cancel => self.outcome(node, result),
            Place::Running => return Err(No::Invalid),
            _ if self.task(node).is_some() => return Err(self.when(node)),
            _ => return Err(No::Invalid),
        }
        Ok(())
    }

    /// The process is gone: what it worked on begins again, or fails if it must not.
    fn recovered(&mut self, epoch: u32, crashed: bool) -> Result<(), No> {
        match self.phase {
            Phase::New => return Err(No::NotRunning),
            Phase::Ended(_) => return Err(No::Over),
            _ if epoch <= self.epoch => return Err(No::Invalid),
            _ => self.epoch = epoch,
        }
        if self.misreads(Misreading::TimeForgottenInCrash) {
            self.first.fill(None);
        }
        for node in 0..self.places.len() {
            if self.places[node] == Place::Held && self.misreads(Misreading::HeldRunsAfterRestart) {
                self.places[node] = Place::Reached { seen: true };
            }
            let is_running = self.places[node] == Place::Running;
            let once = self.task(node).is_some_and(|task| task.delivery == Delivery::AtMostOnce);
            match (is_running, once) {
                (false, _) => {}
                _ if std::mem::take(&mut self.not_begun[node]) && !self.closed[node] => {}
                _ if std::mem::take(&mut self.closed[node]) => self.places[node] = Place::Cancelled,
                (true, true) if self.phase == Phase::Running && !self.has_failed_enough() => {
                    self.fail(node);
                    self.settle_all();
                }
                // What the end of the execution closes is not seen any more.
                (true, true) => {}
                (true, false) => {
                    let (lost, crashes) = self.lost[node];
                    self.lost[node] = (lost + 1, crashes + u16::from(crashed));
                    self.attempts[node] += 1;
                }
            }
        }
        Ok(())
    }

    /// With the end decided, nothing is run again.
    fn give_up(&mut self) {
        for place in self.places.iter_mut().filter(|place| **place == Place::Running) {
            *place = Place::Cancelled;
        }
    }

    fn verdict(&mut self, key: WorkKey, verdict: Verdict) -> Result<(), No> {
        let node = self.known(key)?;
        if !matches!(self.definition.nodes[node].kind, NodeKind::Verification(_)) {
            return Err(No::Invalid);
        }
        if self.places[node] != Place::Judged {
            return Err(self.when(node));
        }
        self.places[node] = Place::Passed(Some(edge(verdict)));
        Ok(())
    }

    fn fired(&mut self, timer: Timer) -> Result<(), No> {
        match timer {
            Timer::Deadline => match &mut self.phase {
                Phase::Running if !self.has_deadline => return Err(No::Invalid),
                Phase::Running => self.decide_end(ExecutionStatus::Failed, true),
                Phase::Ending { stopping, .. } if !*stopping && self.has_deadline => *stopping = true,
                _ => return Err(No::NotRunning),
            },
            Timer::Timeout(key, attempt) => {
                let node = self.at_work(key, attempt, Epoch(self.epoch))?;
                // How long a handler takes is a matter of whoever runs it.
                let is_limited =
                    self.task(node).is_some_and(|task| task.timeout.is_some() && task.work == Work::External);
                if !is_limited {
                    return Err(No::Invalid);
                }
                self.outcome(node, &Err(Failure::new(FailureClass::TimedOut, "")));
            }
            Timer::Total(key) => {
                let node = self.known(key)?;
                let is_limited = self.task(node).is_some_and(|task| task.times.total.is_some());
                let is_open = match self.places[node] {
                    Place::Running | Place::Asked | Place::Backing => true,
                    Place::Reached { .. } => self.attempts[node] > 1,
                    _ => false,
                };
                if !is_limited || !is_open || self.first[node].is_none() {
                    return Err(No::Invalid);
                }
                self.out_of_time(node);
            }
            Timer::Backoff(key, attempt) => {
                let node = self.known(key)?;
                if self.places[node] != Place::Backing || attempt != self.attempts[node] {
                    return Err(No::Stale);
                }
                self.try_now(node);
            }
            Timer::Round(..) | Timer::EndingWithin => return Err(No::Invalid),
            Timer::Wait(key) => self.wait_is_over(key)?,
        }
        Ok(())
    }

    fn command(&mut self, command: &Command) -> Result<(), No> {
        let end = match command {
            Command::Cancel { .. } | Command::ForceCancel { .. } => ExecutionStatus::Cancelled,
            Command::Complete { .. } => ExecutionStatus::Completed,
            Command::Fail { reason, .. } if reason.trim().is_empty() => return Err(No::Invalid),
            Command::Fail { .. } => ExecutionStatus::Failed,
        };
        match (&mut self.phase, end) {
            (Phase::Running, _) => self.decide_end(end, true),
            (Phase::Ending { stopping, .. }, ExecutionStatus::Cancelled) => *stopping = true,
            (Phase::Ended(_), ExecutionStatus::Cancelled) => return Err(No::Over),
            _ => return Err(No::NotRunning),
        }
        Ok(())
    }

    fn go_on(&mut self, steps: &mut &[Step]) {
        self.move_all(steps);
        while let Some((Step::Evaluate(node), rest)) = steps.split_first() {
            *steps = rest;
            assert_eq!(self.places[node.as_usize()], Place::Due, "node {node} was evaluated before its time");
            self.evaluate(node.as_usize());
            self.move_all(steps);
        }
        assert!(steps.is_empty(), "what began could not: {steps:?}");
        assert!(!self.places.contains(&Place::Due), "a node that was due was not evaluated");
        for node in 0..self.places.len() {
            if let Place::Reached { seen } = &mut self.places[node] {
                *seen = true;
                assert!(!self.has_slot(node), "node {node} could begin and did not");
            }
        }
    }

    fn seal(&mut self) {
        if let Phase::Ending { end, .. } = self.phase
            && !self.places.contains(&Place::Running)
        {
            self.phase = Phase::Ended(self.end(end));
        }
    }

    /// Looks at the graph until nothing moves: nodes are reached or skipped, those that are said to begin do, and maybe the
    /// end is decided.
    fn move_all(&mut self, steps: &mut &[Step]) {
        while self.phase == Phase::Running {
            self.settle_all();
            if self.has_failed_enough() {
                break;
            }
            let node = match steps.split_first() {
                Some((Step::Begin(node), rest)) => {
                    *steps = rest;
                    node.as_usize()
                }
                None if self.begins_by_itself => match self.next_to_begin() {
                    Some(node) => node,
                    None => break,
                },
                _ => break,
            };
            self.begin(node);
        }
        if self.phase != Phase::Running {
            return;
        }
        let is_all_settled = self.places.iter().all(|place| status(place).is_settled());
        let is_waiting_for_all = self.definition.policy.on_failure == OnFailure::WaitAll;
        if self.has_failed_enough() {
            self.decide_end(ExecutionStatus::Failed, false);
        } else if is_all_settled && is_waiting_for_all && !self.failures().is_empty() {
            self.decide_end(ExecutionStatus::Failed, true);
        } else if is_all_settled {
            self.decide_end(ExecutionStatus::Completed, true);
        }
    }

    fn next_to_begin(&self) -> Option<usize> {
        let may_begin = |&node: &usize| matches!(self.places[node], Place::Reached { .. }) && self.has_slot(node);
        (0..self.places.len()).find(may_begin)
    }

    /// Draws what follows from the edges alone, before anything begins.
    fn settle_all(&mut self) {
        let next = |naive: &Self| {
            let fired = |node: &usize| match naive.fires(*node) {
                Some(fired) if naive.places[*node] == Place::Pending => Some((*node, fired)),
                _ => None,
            };
            (0..naive.places.len()).find_map(|node| fired(&node))
        };
        while let Some((node, fired)) = next(self) {
            match fired {
                Fired::Skipped(way) => self.places[node] = Place::Skipped(way),
                Fired::Reached => {
                    let is_due = self.expression(node).is_some();
                    self.places[node] = if is_due { Place::Due } else { Place::Reached { seen: false } };
                    self.close_losers(node);
                }
            }
        }
        self.misread_settled();
    }

    fn has_failed_enough(&self) -> bool {
        match self.definition.policy.on_failure {
            OnFailure::FailFast => !self.failures().is_empty(),
            OnFailure::WaitAll => false,
            OnFailure::Tolerate { count } => self.failures().len() > count as usize,
            OnFailure::ToleratePercent { percent } => {
                let is_work = |node: &&Node| matches!(node.kind, NodeKind::Task(_) | NodeKind::Subworkflow(_));
                let total = self.definition.nodes.iter().filter(is_work).count();
                self.failures().len() * 100 > usize::from(percent) * total
            }
        }
    }

    fn begin(&mut self, node: usize) {
        assert!(matches!(self.places[node], Place::Reached { .. }), "node {node} began before its time");
        match &self.definition.nodes[node].kind {
            NodeKind::Verification(verification) => {
                let passed = verification.preset.map(|verdict| Place::Passed(Some(edge(verdict))));
                self.places[node] = passed.unwrap_or(Place::Judged);
            }
            NodeKind::Conditional(_) => self.places[node] = Place::Passed(Some(EdgeKind::ConditionalFalse)),
            NodeKind::Wait(wait) => self.begin_wait(node, &wait.clone()),
            NodeKind::Task(_) => {
                assert!(self.has_slot(node), "node {node} began beyond the limit of a split");
                self.attempts[node] = self.attempts[node].max(1);
                self.dispatch(node);
            }
            _ => self.places[node] = Place::Passed(None),
        }
    }

    /// The expression that a node needs before it begins.
    fn expression(&self, node: usize) -> Option<&str> {
        match &self.definition.nodes[node].kind {
            NodeKind::Task(task) => task.input.as_deref(),
            NodeKind::Conditional(conditional) => conditional.condition.as_deref(),
            NodeKind::Wait(Wait::Until(moment)) => Some(moment),
            NodeKind::Wait(Wait::Signal(signal)) => waits::evaluated(signal),
            _ => None,
        }
    }

    fn evaluate(&mut self, node: usize) {
        let is_task = self.task(node).is_some();
        let source = self.expression(node).expect("only nodes with expressions are due").to_owned();
        if let NodeKind::Wait(wait) = self.definition.nodes[node].kind.clone() {
            let value = self.value(&source, Some(node));
            return self.evaluate_wait(node, &wait, value);
        }
        match (is_task, self.value(&source, Some(node))) {
            (true, Some(_)) => self.places[node] = Place::Reached { seen: false },
            (false, Some(Value::Bool(true))) => self.places[node] = Place::Passed(Some(EdgeKind::ConditionalTrue)),
            (false, Some(Value::Bool(false))) => self.places[node] = Place::Passed(Some(EdgeKind::ConditionalFalse)),
            _ => self.fail(node),
        }
    }

    fn value(&self, source: &str, reader: Option<usize>) -> Option<Value> {
        let view = |number: usize| {
            let id = format!("n{number}");
            let node = self.definition.nodes.iter().position(|node| node.id == id).expect("the node exists");
            let place = &self.places[node];
            let output = if let Place::Done(output) = place { Some(output.clone()) } else { None };
            (status(place) == NodeStatus::Completed, output)
        };
        let failures = reader.map_or(0, |reader| self.handled_by(reader));
        Formula::of(source).value(self.input["x"].as_u64().expect("x is a number"), failures, view)
    }

    fn dispatch(&mut self, node: usize) {
        self.note_dispatch(node);
        let is_outside = self.task(node).is_some_and(|task| task.work == Work::External);
        self.not_begun[node] = false;
        self.places[node] = if is_outside { Place::Asked } else { Place::Running };
    }

    fn fail(&mut self, node: usize) {
        self.places[node] = Place::Failed;
        if !self.task(node).is_some_and(|task| task.optional) {
            self.failed.push(node);
        }
        if self.phase == Phase::Running && self.failure_handler(node).is_some() {
            self.caught.push(node);
        }
    }

    /// Decides the end; people who want an end do not want to wait for handlers, whatever the policy says.
    fn decide_end(&mut self, end: ExecutionStatus, by_other_than_failure: bool) {
        self.spared =
            self.failed.iter().copied().filter(|&node| !self.is_handled(node) && !self.counts(node)).collect();
        for (place, attempt) in self.places.iter_mut().zip(&mut self.attempts) {
            *place = match place {
                Place::Reached { .. } if *attempt > 1 => {
                    *attempt -= 1;
                    Place::Cancelled
                }
                Place::Pending | Place::Due | Place::Reached { .. } => Place::Skipped(Way::Pending),
                Place::Asked | Place::Judged | Place::Timed | Place::Listening(_) => Place::Cancelled,
                Place::Backing | Place::Held => {
                    *attempt -= 1;
                    Place::Cancelled
                }
                _ => continue,
            };
        }
        let stopping = by_other_than_failure || self.definition.policy.siblings == Siblings::Cancel;
        self.phase = Phase::Ending { end, stopping };
    }

    fn end(&mut self, end: ExecutionStatus) -> ExecutionStatus {
        if end != ExecutionStatus::Completed {
            return end;
        }
        self.output = match &self.definition.output {
            Some(source) => self.value(source, None),
            None => Some(self.default_output()),
        };
        if self.output.is_some() { end } else { ExecutionStatus::Failed }
    }

    /// The output of the only last task, else all outputs of last tasks by id. What only a failure leads to stands in for
    /// what was not done.
    fn default_output(&self) -> Value {
        let (last, others): (Vec<usize>, Vec<usize>) =
            (0..self.places.len()).filter(|&node| self.is_last_task(node)).partition(|&node| self.is_ordinary(node));
        let output =
            |node: usize| if let Place::Done(output) = &self.places[node] { Some(output.clone()) } else { None };
        let named = |&node: &usize| Some((self.definition.nodes[node].id.clone(), output(node)?));
        if let [only] = last[..] {
            if let Some(output) = output(only) {
                return output;
            }
            let others: Vec<_> = others.iter().filter_map(named).collect();
            return match &others[..] {
                [] => Value::Null,
                [(_, only)] => only.clone(),
                _ => Value::Object(others.into_iter().collect()),
            };
        }
        Value::Object(last.iter().chain(&others).filter_map(named).collect())
    }

    fn is_last_task(&self, node: usize) -> bool {
        let behind = self.ahead_of(node, None, false);
        self.has_output(node) && !behind.iter().any(|&later| self.has_output(later))
    }

    fn has_output(&self, node: usize) -> bool {
        let kind = &self.definition.nodes[node].kind;
        kind.is_work() || matches!(kind, NodeKind::Wait(Wait::Signal(_)))
    }

    /// Whether a node is reached also if nothing fails.
    fn is_ordinary(&self, node: usize) -> bool {
        let start = self.definition.nodes.iter().position(|node| node.kind == NodeKind::Start).expect("a start");
        node == start || self.ahead_of(start, None, false).contains(&node)
    }

    fn task(&self, node: usize) -> Option<&Task> {
        match &self.definition.nodes[node].kind {
            NodeKind::Task(task) => Some(task),
            _ => None,
        }
    }
}

const fn status(place: &Place) -> NodeStatus {
    match place {
        Place::Pending | Place::Due | Place::Reached { seen: false } => NodeStatus::Pending,
        Place::Reached { seen: true } => NodeStatus::Ready,
        Place::Running => NodeStatus::Running,
        Place::Asked | Place::Judged | Place::Backing | Place::Held => NodeStatus::Waiting,
        Place::Timed | Place::Listening(_) => NodeStatus::Waiting,
        Place::Passed(_) | Place::Done(_) => NodeStatus::Completed,
        Place::Failed => NodeStatus::Failed,
        Place::Cancelled => NodeStatus::Cancelled,
        Place::Skipped(_) => NodeStatus::Skipped,
    }
}

const fn edge(verdict: Verdict) -> EdgeKind {
    match verdict {
        Verdict::Pass => EdgeKind::VerificationPass,
        Verdict::Fail => EdgeKind::VerificationFail,
        Verdict::Refer => EdgeKind::VerificationRefer,
    }
}

fn decode(payload: &Payload) -> Value {
    payload.decode().expect("payloads of tests are JSON")
}
