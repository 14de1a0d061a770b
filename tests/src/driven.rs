//! Drives an execution as a shell does, and checks after every step what must always hold.

use std::collections::BTreeMap;

use finale_core::compile::{self, Registry};
use finale_core::execution::{Effect, EffectSink, Execution, Input, Notice, Refused, Replay, Turn};
use finale_core::fact::{Activation, Decision, Fact, Facts, Recorded, Timer};
use finale_core::failure::{Failure, FailureClass};
use finale_core::status::WaitingFor;
use finale_core::{
    Compiled, Definition, Dispatch, Epoch, ExecutionId, ExecutionStatus, NodePath, NodeStatus, Payload, Record, Time,
    WorkKey,
};

use crate::ledger::Ledger;
use crate::naive::Step;

/// An execution, its history, and the books on its effects.
#[derive(Debug)]
pub struct Driven {
    definition: Compiled,
    execution: Execution,
    turn: Turn,
    history: Vec<u8>,
    told: Vec<(Time, Input)>,
    effects: Vec<Effect>,
    ledger: Ledger,
    /// The same facts applied to a second execution, one by one.
    shadow: Execution,
    /// Where the nodes are, according to the notices.
    noticed: BTreeMap<WorkKey, NodeStatus>,
    /// What began and was evaluated after the last input.
    steps: Vec<Step>,
}

/// What one fact gave rise to.
#[derive(Default)]
struct Followed {
    /// Whether some nodes have others inside.
    has_inside: bool,
    effects: Vec<Effect>,
    notices: Vec<Notice>,
}

impl EffectSink for Followed {
    fn watched(&self) -> bool {
        true
    }

    fn notice(&mut self, notice: Notice, path: Option<Box<NodePath>>) {
        assert!(path.is_none() || self.has_inside, "a graph without scopes inside has no paths: {path:?}");
        self.notices.push(notice);
    }

    fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }
}

impl Driven {
    /// An execution of a definition, not yet activated.
    ///
    /// # Panics
    /// When the definition does not compile.
    pub fn new(definition: Definition) -> Self {
        let compiled = compile::compile(definition, &Registry::new());
        let definition = compiled.unwrap_or_else(|error| panic!("the definition of a test must compile: {error}"));
        let execution = Execution::new(Self::id(), &definition);
        let mut turn = Turn::new();
        turn.watch(true);
        Self {
            shadow: execution.clone(),
            definition,
            execution,
            turn,
            history: Vec::new(),
            told: Vec::new(),
            effects: Vec::new(),
            ledger: Ledger::default(),
            noticed: BTreeMap::new(),
            steps: Vec::new(),
        }
    }

    fn id() -> ExecutionId {
        ExecutionId::from_uuid(uuid::Uuid::from_u128(7))
    }

    /// The definition.
    pub fn definition(&self) -> &Compiled {
        &self.definition
    }

    /// The execution.
    pub fn execution(&self) -> &Execution {
        &self.execution
    }

    /// The facts so far, encoded.
    pub fn history(&self) -> &[u8] {
        &self.history
    }

    /// The facts so far.
    pub fn facts(&self) -> Vec<Recorded> {
        Facts::new(&self.history).map(|read| read.expect("what was written can be read")).collect()
    }

    /// All effects so far.
    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    /// Every dispatch there ever was.
    pub fn begun(&self) -> Vec<Dispatch> {
        self.ledger.begun()
    }

    /// The handlers that were told to stop and have not reported.
    pub fn stopping(&self) -> Vec<Dispatch> {
        self.ledger.stopping()
    }

    /// The timers that are armed.
    pub fn armed(&self) -> Vec<Timer> {
        self.ledger.armed()
    }

    /// An activation with this input.
    pub fn activation(&self, input: Payload, deadline: Option<Time>) -> Input {
        Input::Activate(Activation {
            definition: self.definition.hash(),
            semantics: finale_core::execution::SEMANTICS,
            input,
            by: "tester".into(),
            deadline,
            idempotency_key: None,
            business_key: None,
        })
    }

    /// What began and was evaluated after the last input, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The nodes that wait for a verdict.
    pub fn judged(&self) -> Vec<WorkKey> {
        let is_judged = |key: &WorkKey| {
            let is_verification = self.definition.node(key.node).kind.name() == "verification";
            is_verification && self.execution.node_status(*key) == Some(NodeStatus::Waiting)
        };
        self.definition.positions().map(WorkKey::root).filter(is_judged).collect()
    }

    /// The nodes that wait for an operator.
    pub fn held(&self) -> Vec<WorkKey> {
        let why = self.execution.why(&self.definition);
        let held = why.awaited.into_iter().filter(|awaited| awaited.waiting_for == Some(WaitingFor::Operator));
        held.filter_map(|awaited| Some(awaited.task_id?.key)).collect()
    }

    /// Tells the execution something and checks what came of it; gives the facts that it became.
    pub fn tell(&mut self, at: Time, input: Input) -> Result<Vec<Fact>, Refused> {
        self.told.push((at, input.clone()));
        self.steps.clear();
        let before = (self.execution.clone(), self.execution.status());
        let answer = self.execution.handle(&self.definition, at, input, &mut self.turn);
        let known = before.0.sequence();
        if answer.is_err() || before.1.is_terminal() {
            assert_eq!(self.execution, before.0, "a refused input changed something");
            assert!(self.turn.is_empty(), "a refused input had consequences");
        }
        if before.1.is_terminal() {
            assert!(answer.is_err(), "an input was accepted after the end");
        }
        self.history.extend_from_slice(self.turn.facts());
        let recorded: Vec<Recorded> = self.facts().split_off(known as usize);
        assert_eq!(recorded.len(), self.turn.count() as usize);
        self.follow(&recorded, known);
        self.turn.appended();
        self.check();
        answer.map(|()| recorded.into_iter().map(|recorded| recorded.fact).collect())
    }

    /// Applies the new facts to the shadow: it must come to the same effects and notices as the turn.
    fn follow(&mut self, recorded: &[Recorded], known: u64) {
        let (effects, notices) = (self.turn.take_effects(), self.turn.take_notices());
        let (mut effects_left, mut notices_left) = (&effects[..], &notices[..]);
        for (sequence, Recorded { at, fact }) in (known + 1..).zip(recorded) {
            let mut followed = Followed { has_inside: self.has_inside(), ..Followed::default() };
            let applied = self.shadow.apply(&self.definition, *at, fact.clone(), &mut followed);
            applied.expect("a recorded fact fits");
            let (now, later) = effects_left.split_at(followed.effects.len());
            assert_eq!(now, followed.effects, "a replay has other effects");
            effects_left = later;
            let (now, later) = notices_left.split_at(followed.notices.len());
            for ((noticed, notice), index) in now.iter().zip(&followed.notices).zip(0..) {
                assert_eq!((noticed.sequence, noticed.index, &noticed.notice), (sequence, index, notice));
            }
            notices_left = later;
            match fact {
                Fact::Recovered { epoch, .. } => self.follow_recovery(*epoch, &followed),
                _ => self.ledger.book(fact, &followed.effects, self.shadow.status()),
            }
            self.read(&followed.notices);
            self.steps.extend(steps(fact, &followed.notices));
        }
        assert!(effects_left.is_empty() && notices_left.is_empty(), "something followed from no fact");
        assert_eq!(self.shadow.sequence(), self.execution.sequence(), "facts are numbered without gaps");
        self.effects.extend(effects);
    }

    /// In a new process nothing is under way but what is performed there: first what follows from the recovery, and then
    /// what must be under way and is not. Each run that was lost is told of once.
    fn follow_recovery(&mut self, epoch: Epoch, followed: &Followed) {
        let is_lost = |failure: &Failure| failure.class == FailureClass::Lost;
        let told = followed.notices.iter().filter_map(|notice| match notice {
            Notice::Attempt { key, attempt, failure, .. } if failure.as_deref().is_some_and(is_lost) => {
                Some((*key, *attempt))
            }
            _ => None,
        });
        let mut told: Vec<_> = told.collect();
        told.sort_unstable();
        let lost = self.ledger.recover(epoch);
        let lost: Vec<_> = lost.iter().map(|dispatch| (dispatch.key, dispatch.attempt)).collect();
        assert_eq!(told, lost, "what was lost is told of once each");
        let status = self.shadow.status();
        self.ledger.begin_again(&followed.effects, &self.shadow.under_way(&self.definition), status);
    }

    fn read(&mut self, notices: &[Notice]) {
        for notice in notices {
            if let Notice::Node { key, from, to, .. } = notice {
                let known = self.noticed.insert(*key, *to).unwrap_or(NodeStatus::Pending);
                assert_eq!(known, *from, "a notice about node {key} contradicts the one before");
                assert!(!from.is_settled(), "node {key} was settled and moved on");
            }
        }
    }

    /// What must hold after every step.
    fn check(&self) {
        let execution = &self.execution;
        let folded = Execution::fold(Self::id(), &self.definition, &self.history).expect("the history can be folded");
        assert_eq!(&folded, execution, "the live state is the fold of the history");
        self.ledger.compare(&self.definition, execution);
        let nodes: Vec<NodeStatus> = self.nodes();
        for (node, status) in self.definition.positions().zip(&nodes) {
            let noticed = self.noticed.get(&WorkKey::root(node)).copied().unwrap_or(NodeStatus::Pending);
            assert_eq!(noticed, *status, "the notices about node {node} are complete");
        }
        if self.has_inside() {
            let can_move = execution.running() + execution.waiting() > 0;
            assert!(can_move || execution.status() != ExecutionStatus::Running, "it runs, and nothing can move");
            // The counts below are of the nodes of one graph.
            return;
        }
        let count = |status| nodes.iter().filter(|node| **node == status).count() as u32;
        assert_eq!(execution.running(), count(NodeStatus::Running));
        assert_eq!(execution.waiting(), count(NodeStatus::Waiting));
        let unbegun = count(NodeStatus::Pending) + count(NodeStatus::Ready);
        let open = unbegun + count(NodeStatus::Running) + count(NodeStatus::Waiting);
        match execution.status() {
            ExecutionStatus::Pending => assert_eq!(open as usize, nodes.len()),
            ExecutionStatus::Running => {
                assert!(execution.running() + execution.waiting() > 0, "it runs, and nothing can move");
            }
            ExecutionStatus::Ending => {
                assert!(execution.running() == open && open > 0, "it ends while handlers run, and only then");
            }
            _ => assert_eq!(open, 0, "it is over, and a node is not"),
        }
    }

    /// Where each node is.
    pub fn nodes(&self) -> Vec<NodeStatus> {
        let status = |node| self.execution.node_status(WorkKey::root(node)).expect("there is such a node");
        self.definition.positions().map(status).collect()
    }

    /// Whether some nodes have others inside.
    fn has_inside(&self) -> bool {
        self.definition.all_positions().count() > self.definition.positions().count()
    }

    /// What must hold of the whole, once nothing more is told.
    pub fn check_history(&self) {
        self.check_ended_fact();
        self.check_prefixes();
        self.check_again();
    }

    fn check_ended_fact(&self) {
        let facts = self.facts();
        let ends = facts.iter().filter(|recorded| matches!(recorded.fact, Fact::Ended(_))).count();
        assert_eq!(ends, usize::from(self.execution.status().is_terminal()), "there is one end, if any");
        let is_in_order = facts.windows(2).all(|pair| pair[0].at <= pair[1].at);
        assert!(is_in_order, "time runs backwards in the history");
    }

    /// Every prefix of the history is an execution with a sound record; the last one gives the same notices as live.
    fn check_prefixes(&self) {
        let mut prefix = Execution::new(Self::id(), &self.definition);
        let mut replay = Replay::default();
        for recorded in self.facts() {
            replay.apply(&mut prefix, &self.definition, recorded).expect("a prefix of a history can be folded");
            check_record(&prefix, &self.definition);
            prefix.why(&self.definition).to_string();
            self.check_crash(prefix.clone());
        }
        assert_eq!(prefix, self.execution, "a replay comes to the live state");
        let last = replay.notices.iter().rev().find_map(|noticed| match noticed.notice {
            Notice::Status { to, .. } => Some(to),
            _ => None,
        });
        assert_eq!(last.unwrap_or(ExecutionStatus::Pending), self.execution.status(), "the last notice is the status");
    }

    /// Wherever the process crashes, even in the middle of a turn, the next one knows what is under way or that it is over.
    fn check_crash(&self, mut execution: Execution) {
        if execution.status().is_terminal() {
            return;
        }
        let epoch = execution.epoch().next();
        let mut turn = Turn::new();
        let recovered = Input::Recovered { epoch, crashed: true };
        execution
            .handle(&self.definition, Time::default(), recovered, &mut turn)
            .expect("what is open can be recovered");
        let has_ended = turn.effects().contains(&Effect::Ended);
        assert_eq!(has_ended, execution.status().is_terminal(), "the end is said, and nothing else is taken for it");
        let runs = turn.effects().iter().filter(|effect| matches!(effect, Effect::Run { .. })).count();
        let stops = turn.effects().iter().filter(|effect| matches!(effect, Effect::Stop { .. })).count();
        assert!(runs + stops >= execution.running() as usize, "what is at work was dispatched in this process");
        turn.discard();
    }

    /// The same inputs give the same bytes, the same effects and the same state; whether anybody watches or not.
    fn check_again(&self) {
        let mut execution = Execution::new(Self::id(), &self.definition);
        let mut turn = Turn::new();
        for (at, input) in &self.told {
            let _refused = execution.handle(&self.definition, *at, input.clone(), &mut turn);
        }
        assert_eq!(turn.facts(), self.history, "the same inputs give the same bytes");
        assert_eq!(turn.effects(), self.effects, "the same inputs give the same effects");
        assert_eq!(execution, self.execution, "the same inputs give the same state");
        turn.discard();
    }
}

/// What one fact, with the notices about it, says of the order in which things began and were evaluated.
pub fn steps(fact: &Fact, notices: &[Notice]) -> Vec<Step> {
    let evaluated = match fact {
        Fact::Decided { decision: Decision::Verdict(..), .. } => None,
        Fact::Decided { key, .. } => Some(key.node),
        _ => None,
    };
    let is_recovery = matches!(fact, Fact::Recovered { .. });
    // A task that waited for a slot completes when an operator says so, and has not begun.
    let operated = if let Fact::Operated(operation) = fact { Some(operation.key.node) } else { None };
    let begins = |notice: &Notice| {
        let Notice::Node { key, from, to, waiting_for, .. } = notice else { return None };
        let is_reached = matches!(from, NodeStatus::Pending | NodeStatus::Ready);
        let begins = match (to, waiting_for) {
            // What was lost with its process goes on.
            (NodeStatus::Running, _) => !(is_recovery && *from == NodeStatus::Running),
            (NodeStatus::Waiting, Some(WaitingFor::Task | WaitingFor::Verdict)) => true,
            (NodeStatus::Waiting, Some(WaitingFor::Time | WaitingFor::Signal)) => evaluated != Some(key.node),
            (NodeStatus::Completed, _) => is_reached && ![evaluated, operated].contains(&Some(key.node)),
            _ => false,
        };
        begins.then_some(Step::Begin(key.node))
    };
    evaluated.map(Step::Evaluate).into_iter().chain(notices.iter().filter_map(begins)).collect()
}

fn check_record(execution: &Execution, definition: &Compiled) {
    let record = execution.record(definition);
    let text = serde_json::to_string(&record).expect("a record can be written");
    let read: Record = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(read, record, "a record reads back as it was written");
    let counts = record.counts;
    let parts = [
        counts.pending,
        counts.ready,
        counts.running,
        counts.waiting,
        counts.completed,
        counts.failed,
        counts.cancelled,
        counts.skipped,
    ];
    assert_eq!(parts.iter().sum::<u32>(), counts.tasks, "every task is counted once");
    assert!(counts.tolerated + counts.handled <= counts.failed);
}
