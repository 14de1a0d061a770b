//! Random definitions and random inputs, made from small numbers so that they are cheap to draw and shrink well.

use std::time::Duration;

use finale_core::definition::{
    AgentAssignment, Backoff, Conditional, Definition, Delivery, Edge, EdgeKind, Exhausted, Growth, JoinStrategy,
    Losers, Node, NodeKind, ParallelJoin, ParallelSplit, Policy, Retry, Signal, Task, Times, TriggerRule, Verdict,
    Wait, Work,
};
use finale_core::execution::{Command, Effect, Input, Report};
use finale_core::fact::{Operation, OperatorAction, Signalled, StopOutcome, Timer};
use finale_core::failure::{Failure, FailureClass};
use finale_core::{AttemptNo, Dispatch, Epoch, ExecutionStatus, NodeIndex, Payload, ScopeId, WorkKey};
use proptest::prelude::*;

use crate::chart::verification;
use crate::driven::Driven;
use crate::formula::Formula;

/// What one node is made from: what it is, and by which rule it begins.
pub type NodeSeed = (u8, u8, u8, u8, u8);

/// What one input is made from.
pub type InputSeed = (u8, u8, u8);

/// What one case is made from.
#[derive(Clone, Debug)]
pub struct Case {
    /// The nodes between start and end.
    pub nodes: Vec<NodeSeed>,
    /// What is told, step by step.
    pub inputs: Vec<InputSeed>,
    /// The order of the nodes in the definition, the output, the deadline.
    pub head: (u8, u8, bool),
}

/// Draws cases.
pub fn cases() -> impl Strategy<Value = Case> {
    let nodes = prop::collection::vec(any::<NodeSeed>(), 0..13);
    let inputs = prop::collection::vec(any::<InputSeed>(), 0..40);
    (nodes, inputs, any::<(u8, u8, bool)>()).prop_map(|(nodes, inputs, head)| Case { nodes, inputs, head })
}

impl Case {
    /// The definition: `n0` is the start, the highest number the end, edges lead from lower numbers to higher ones.
    pub fn definition(&self, policy: Policy) -> Definition {
        let last = self.nodes.len() + 1;
        let mut edges = Edges { list: Vec::new(), handlers: self.handlers(), last };
        let mut kinds = vec![NodeKind::Start];
        for (number, seed) in (1..).zip(&self.nodes) {
            kinds.push(kind(number, &edges, *seed));
        }
        kinds.push(NodeKind::End);
        edges.add(0, EdgeKind::Sequential, edges.from(1));
        for (number, seed) in (1..).zip(&self.nodes) {
            edges.leave(number, &mut kinds[number], *seed);
        }
        for number in 1..=last {
            if !edges.list.iter().any(|(_, _, target)| *target == number) {
                edges.add(0, EdgeKind::Sequential, number);
            }
        }
        let mut nodes: Vec<Node> = (0..).zip(kinds).map(|(number, kind)| node(number, kind)).collect();
        for (number, seed) in (1..).zip(&self.nodes) {
            edges.rule(number, &mut nodes[number], *seed);
        }
        if self.head.0.is_multiple_of(2) {
            nodes.reverse();
        }
        let rotation = usize::from(self.head.0 / 2) % nodes.len();
        nodes.rotate_left(rotation);
        Definition {
            id: "random".to_owned(),
            name: "Random".to_owned(),
            version: "1.0.0".to_owned(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            input_schema: None,
            output_schema: None,
            policy,
            output: (self.head.1 < 100).then(|| formula(self.head.1, last + 1).source()),
            finally: None,
            ending_within: None,
            nodes,
            edges: edges.list.into_iter().enumerate().map(edge).collect(),
            workflows: Vec::new(),
        }
    }
}

impl Case {
    /// By number of a node: whether it is meant to handle failures.
    fn handlers(&self) -> Vec<bool> {
        let of_nodes = self.nodes.iter().map(|(_, _, _, _, rule)| rule % 7 == 3);
        [false].into_iter().chain(of_nodes).chain([false]).collect()
    }
}

fn node(number: usize, kind: NodeKind) -> Node {
    Node::new(format!("n{number}"), format!("Node {number}"), kind)
}

fn edge((number, (source, kind, target)): (usize, (usize, EdgeKind, usize))) -> Edge {
    Edge { id: format!("e{number}"), source: format!("n{source}"), target: format!("n{target}"), kind, label: None }
}

fn kind(number: usize, edges: &Edges, (kind, a, b, c, rule): NodeSeed) -> NodeKind {
    match kind % 20 {
        16 => NodeKind::Wait(Wait::Delay(Duration::from_micros(u64::from(a % 4) * u64::from(b)))),
        17 => NodeKind::Wait(Wait::Until(formula(c, number).source())),
        18 | 19 => NodeKind::Wait(Wait::Signal(awaited(number, a, b, c))),
        0..=4 => NodeKind::Task(task(Work::Handler("h".to_owned()), number, a, b, c)),
        5..=7 => NodeKind::Task(task(Work::External, number, a, b, c)),
        8 | 9 => NodeKind::Conditional(Conditional { condition: (c < 240).then(|| formula(c, number).source()) }),
        10 => NodeKind::Verification(verification((c >= 200).then(|| verdict(c)))),
        11 | 12 if edges.from(number + 1) < edges.last => {
            let max_concurrency = rule.is_multiple_of(2).then_some(1 + u32::from(rule / 2) % 2);
            NodeKind::ParallelSplit(ParallelSplit { max_concurrency })
        }
        11..=14 => NodeKind::ParallelJoin(ParallelJoin::default()),
        _ => NodeKind::AgentAssignment(AgentAssignment { agent: Some("an agent".to_owned()) }),
    }
}

/// A signal with a fixed name, or with one that another node gives.
fn awaited(number: usize, a: u8, b: u8, c: u8) -> Signal {
    let name = match c % 8 {
        0 => format!("${{{{ {} }}}}", formula(c, number).source()),
        other => SIGNALS[usize::from(other) % 2].to_owned(),
    };
    let timeout = (a ^ b).is_multiple_of(2).then(|| Duration::from_micros(1 + u64::from(b)));
    Signal { timeout, ..Signal::named(name) }
}

/// The names of most signals.
pub(crate) const SIGNALS: [&str; 2] = ["a", "b"];

fn task(work: Work, number: usize, a: u8, b: u8, c: u8) -> Task {
    let backoff = if b.is_multiple_of(2) { Duration::ZERO } else { Duration::from_micros(u64::from(b)) };
    let attempts = 1 + u16::from(a ^ b) % 3;
    let is_handled = work != Work::External;
    let is_once = attempts == 1 && is_handled && b.is_multiple_of(2);
    let times = Times {
        queue: (is_handled && a % 11 == 3).then_some(Duration::from_micros(150)),
        total: (b % 9 == 4).then_some(Duration::from_micros(200)),
        heartbeat: (is_handled && a % 13 == 5).then_some(Duration::from_micros(100)),
    };
    Task {
        title: Some(format!("Task {number}")),
        work,
        input: (c < 64).then(|| formula(c, number).source()),
        optional: c.is_multiple_of(5),
        timeout: (c % 3 == 1).then(|| Duration::from_micros(50)),
        times,
        retry: retry(attempts, backoff, a, b),
        delivery: if is_once { Delivery::AtMostOnce } else { Delivery::AtLeastOnce },
        ..Task::default()
    }
}

/// How often a task is tried, and for some tasks what more can be said about that.
fn retry(attempts: u16, wait: Duration, a: u8, b: u8) -> Retry {
    let mut backoff = match a / 4 % 4 {
        0 => Backoff::linear(wait),
        1 => Backoff::exponential(wait, 1.5),
        _ => Backoff::constant(wait),
    };
    if wait.is_zero() {
        backoff.growth = Growth::Constant;
    }
    let mut retry = Retry::attempts(attempts);
    match a % 16 {
        0..=2 => backoff.jitter_percent = 40,
        3 | 4 => retry.within = Some(Duration::from_micros(1 + u64::from(b) * 4)),
        5 | 6 => retry.on = vec!["timed_out".into(), "again".into()],
        7 => retry.not_on = vec!["again".into(), FailureClass::Panicked.into()],
        8 => backoff.max = Some(wait.max(Duration::from_micros(60))),
        _ => {}
    }
    if (a / 16).is_multiple_of(5) {
        retry.exhausted = Exhausted::Hold;
    }
    retry.backoff(backoff)
}

/// An expression that may look at the nodes with lower numbers.
fn formula(seed: u8, below: usize) -> Formula {
    let other = usize::from(seed / 8) % below;
    match seed % 8 {
        0..=2 => Formula::XAbove(seed / 8 % 4),
        3 => Formula::X,
        4 | 5 => Formula::Completed(other),
        6 => Formula::Output(other),
        _ if seed.is_multiple_of(3) => Formula::Missing,
        _ => Formula::Output(other),
    }
}

fn verdict(seed: u8) -> Verdict {
    [Verdict::Pass, Verdict::Fail, Verdict::Refer][usize::from(seed) % 3]
}

struct Edges {
    list: Vec<(usize, EdgeKind, usize)>,
    /// By number of a node: whether only failures are to lead to it.
    handlers: Vec<bool>,
    /// The number of the end.
    last: usize,
}

impl Edges {
    fn add(&mut self, source: usize, kind: EdgeKind, target: usize) {
        if !self.list.contains(&(source, kind, target)) {
            self.list.push((source, kind, target));
        }
    }

    /// The first node from that number on that anything may lead to.
    fn from(&self, number: usize) -> usize {
        (number..self.last).find(|&number| !self.handlers[number]).unwrap_or(self.last)
    }

    fn leave(&mut self, number: usize, kind: &mut NodeKind, (_, a, b, c, rule): NodeSeed) {
        let near = |edges: &Self, seed: u8| edges.from((number + 1 + usize::from(seed) % 4).min(edges.last));
        let kinds: &[EdgeKind] = match kind {
            NodeKind::Conditional(_) => &[EdgeKind::ConditionalTrue, EdgeKind::ConditionalFalse],
            NodeKind::Verification(_) => {
                &[EdgeKind::VerificationPass, EdgeKind::VerificationFail, EdgeKind::VerificationRefer]
            }
            NodeKind::ParallelSplit(_) => {
                let first = self.from(number + 1);
                self.add(number, EdgeKind::ParallelBranch, first);
                self.add(number, EdgeKind::ParallelBranch, self.from(first + 1));
                &[EdgeKind::ParallelBranch, EdgeKind::Sequential]
            }
            _ if a >= 160 => &[EdgeKind::Sequential, EdgeKind::Sequential],
            _ => &[EdgeKind::Sequential],
        };
        for (kind, seed) in kinds.iter().zip([a / 4, b / 4, c / 4]) {
            self.add(number, *kind, near(self, seed));
        }
        if let NodeKind::Wait(Wait::Signal(Signal { timeout: Some(_), .. })) = kind
            && b % 4 < 3
        {
            self.add(number, EdgeKind::OnTimeout, near(self, b / 4));
        }
        let can_be_caught = match kind {
            NodeKind::Task(task) => !task.optional,
            NodeKind::Conditional(_) | NodeKind::Wait(Wait::Until(_)) => true,
            NodeKind::Wait(Wait::Signal(signal)) => signal.timeout.is_some() || signal.name.contains('$'),
            _ => false,
        };
        let handler = (number + 1..self.last).find(|&later| self.handlers[later]);
        if let Some(handler) = handler.filter(|_| can_be_caught && rule % 8 < 5) {
            self.add(number, EdgeKind::OnFailure, handler);
        }
    }

    /// Gives a node a rule of its own, now that it is known how many edges lead to it.
    fn rule(&self, number: usize, node: &mut Node, (kind, _, _, c, rule): NodeSeed) {
        let into: Vec<_> = self.list.iter().filter(|(_, _, target)| *target == number).collect();
        let handles = into.iter().any(|(_, kind, _)| *kind == EdgeKind::OnFailure);
        let count = 1 + u32::from(rule / 16) % into.len() as u32;
        match &mut node.kind {
            NodeKind::Task(task) if handles && c < 128 => task.input = Some(Formula::Failures.source()),
            NodeKind::ParallelJoin(_) if handles => {}
            NodeKind::ParallelJoin(join) => {
                let strategies = [JoinStrategy::All, JoinStrategy::Any, JoinStrategy::AtLeast { count }];
                join.strategy = strategies[usize::from(rule) % 3];
                if join.strategy.is_early() && (rule / 3).is_multiple_of(2) {
                    join.losers = Losers::Cancel;
                }
            }
            _ if !handles && (kind ^ rule) % 8 < 3 => {
                node.trigger_rule = match TriggerRule::ALL[usize::from(rule / 2) % 8] {
                    TriggerRule::AtLeast { .. } => TriggerRule::AtLeast { count },
                    other => other,
                };
            }
            _ => {}
        }
    }
}

/// What to tell next: mostly what fits, now and then what does not.
pub fn input(driven: &Driven, (kind, pick, more): InputSeed) -> Input {
    let (mut runs, mut offers) = (Vec::new(), Vec::new());
    for effect in driven.execution().under_way(driven.definition()) {
        match effect {
            Effect::Run { dispatch, .. } => runs.push(dispatch),
            Effect::Offer { dispatch, .. } => offers.push(dispatch),
            _ => {}
        }
    }
    let nodes = driven.definition().len() as u32;
    let key = WorkKey::root(NodeIndex(u32::from(pick) % nodes));
    let nothing = Dispatch { key, attempt: AttemptNo::FIRST, epoch: Epoch(0) };
    let begun = || chosen(&driven.begun(), pick).unwrap_or(nothing);
    let recovery = || recovered(driven.execution().epoch(), pick, more);
    let fitting = match kind % 36 {
        32..=34 => Some(signalled(driven, pick, more)),
        0..=9 => chosen(&runs, pick).map(|dispatch| outcome(dispatch, more)),
        10..=14 => chosen(&offers, pick).map(|dispatch| reported(dispatch, pick, more)),
        15 | 16 => chosen(&driven.judged(), pick).map(|key| judged(key, more)),
        17..=20 => chosen(&driven.armed(), pick).map(Input::TimerFired),
        22 if driven.execution().status() == ExecutionStatus::Ending => Some(recovery()),
        22 | 23 if !driven.held().is_empty() => chosen(&driven.held(), pick).map(|key| operated(key, more)),
        21 | 22 => chosen(&driven.stopping(), pick).map(|dispatch| stopped(dispatch, more)),
        _ => None,
    };
    fitting.unwrap_or_else(|| match kind % 36 {
        35 => Input::Signal(signal([" ", "c", "a", "b"][usize::from(pick) % 4], pick, more)),
        23 => Input::Command(command(pick, more)),
        24 => outcome(begun(), more),
        25 => outcome(elsewhere(begun(), nodes, more), more),
        26 => Input::Reported(Report::new(key, result(more))),
        27 => {
            let Dispatch { key, attempt, .. } = elsewhere(begun(), nodes, more);
            let attempt = more.is_multiple_of(3).then_some(attempt);
            Input::Reported(Report { attempt, ..Report::new(key, Err(failure(FailureClass::Cancelled))) })
        }
        28 if more.is_multiple_of(2) => operated(key, more / 2),
        28 => judged(WorkKey::root(NodeIndex(u32::from(pick) % (nodes + 1))), more),
        29 => Input::TimerFired(timer(begun(), more)),
        30 => stopped(begun(), more),
        31 if more.is_multiple_of(8) => driven.activation(Payload::NULL, None),
        31 => recovery(),
        _ => chosen(&[runs, driven.stopping()].concat(), pick).map_or_else(
            || judged(key, more),
            |dispatch| if more.is_multiple_of(2) { stopped(dispatch, more) } else { outcome(dispatch, more) },
        ),
    })
}

/// A signal that a node waits for, or may wait for later.
fn signalled(driven: &Driven, pick: u8, more: u8) -> Input {
    let awaited: Vec<_> = driven.execution().awaited_signals().map(|(_, name)| name).collect();
    let name = chosen(&awaited, pick).unwrap_or(SIGNALS[usize::from(pick) % 2]);
    Input::Signal(signal(name, pick, more))
}

/// A signal; one in three has an id, which it may share with others.
fn signal(name: &str, pick: u8, more: u8) -> Signalled {
    let says = [&b"\"a\""[..], b"\"b\"", b"true", b"7", b"null"][usize::from(more) % 5];
    let id = more.is_multiple_of(3).then(|| format!("{}", pick % 4).into());
    let payload = Payload::from_json(says).expect("it is JSON");
    Signalled { name: name.into(), payload, by: "somebody".into(), id }
}

fn chosen<T: Copy>(from: &[T], pick: u8) -> Option<T> {
    from.get(usize::from(pick).checked_rem(from.len())?).copied()
}

/// A report by the handler of a dispatch.
pub fn outcome(dispatch: Dispatch, more: u8) -> Input {
    Input::Outcome { dispatch, result: result(more), started: Default::default(), ended: Default::default() }
}

fn result(more: u8) -> Result<Payload, Failure> {
    let classes = [
        FailureClass::Failed,
        FailureClass::Failed,
        FailureClass::Cancelled,
        FailureClass::Rejected,
        FailureClass::Deleted,
        FailureClass::TimedOut,
        FailureClass::Panicked,
        FailureClass::Lost,
    ];
    if more >= 224 && more % 16 < 4 {
        return Err(failure(FailureClass::Unknown));
    }
    match more % 16 {
        0..=7 => {
            Ok(Payload::from_json([&b"true"[..], b"false", b"7", b"null"][usize::from(more) % 4]).expect("it is JSON"))
        }
        other if more >= 192 && other < 12 => Err(failure(FailureClass::Failed).with_code("again")),
        other if more >= 240 => Err(failure(classes[usize::from(other) - 8]).permanent()),
        other => Err(failure(classes[usize::from(other) - 8])),
    }
}

fn failure(class: FailureClass) -> Failure {
    Failure::new(class, "so it is")
}

/// What an operator says of one node.
fn operated(key: WorkKey, more: u8) -> Input {
    let action = match more % 8 {
        0..=3 => OperatorAction::Retry,
        4 => OperatorAction::RunNow,
        5 => OperatorAction::Skip,
        6 => OperatorAction::Complete(Payload::from_json(b"7").expect("it is JSON")),
        _ => OperatorAction::Fail,
    };
    let reason = if more.is_multiple_of(5) { " ".into() } else { "so it is decided".into() };
    Input::Operate(Operation { key, by: "an operator".into(), reason, action })
}

fn judged(key: WorkKey, more: u8) -> Input {
    Input::Verdict { key, verdict: verdict(more), by: "a judge".into() }
}

/// A report from outside; one in four names the attempt that it is for, or one before or after it.
fn reported(dispatch: Dispatch, pick: u8, more: u8) -> Input {
    let attempt = match pick % 16 {
        0..=1 => Some(dispatch.attempt),
        2 => Some(dispatch.attempt.next()),
        3 => dispatch.attempt.previous(),
        _ => None,
    };
    Input::Reported(Report { attempt, by: "somebody".into(), ..Report::new(dispatch.key, result(more)) })
}

/// A report that a handler is gone.
pub fn stopped(dispatch: Dispatch, more: u8) -> Input {
    Input::Stopped {
        dispatch,
        how: [StopOutcome::Stopped, StopOutcome::Aborted, StopOutcome::Lost][usize::from(more) % 3],
    }
}

/// The process crashed or was shut down; now and then the new life is no later one.
fn recovered(epoch: Epoch, pick: u8, more: u8) -> Input {
    Input::Recovered { epoch: Epoch(epoch.0 + u32::from(more / 8 % 4)), crashed: pick.is_multiple_of(2) }
}

fn command(pick: u8, more: u8) -> Command {
    let by = "an operator".into();
    match pick % 8 {
        0..=4 => Command::Cancel { by },
        5 => Command::Complete { by },
        6 => Command::Fail { by, reason: " ".into() },
        _ => Command::Fail { by, reason: format!("reason {more}").into() },
    }
}

/// A dispatch that is not the current one, or does not exist.
fn elsewhere(dispatch: Dispatch, nodes: u32, more: u8) -> Dispatch {
    let Dispatch { key, attempt, epoch } = dispatch;
    match more / 16 % 5 {
        0 => Dispatch { attempt: attempt.next(), ..dispatch },
        1 => Dispatch { attempt: attempt.previous().unwrap_or(attempt), ..dispatch },
        2 => Dispatch { epoch: epoch.next(), ..dispatch },
        3 => Dispatch { key: WorkKey { node: NodeIndex(nodes + u32::from(more)), ..key }, ..dispatch },
        _ => Dispatch { key: WorkKey { scope: ScopeId(1), ..key }, ..dispatch },
    }
}

fn timer(dispatch: Dispatch, more: u8) -> Timer {
    let Dispatch { key, attempt, .. } = dispatch;
    match more % 5 {
        4 => Timer::Wait(key),
        0 => Timer::Deadline,
        1 => Timer::Backoff(key, attempt.next()),
        2 => Timer::Backoff(key, attempt),
        _ => Timer::Timeout(key, attempt),
    }
}
