//! What runs inside of a node as the semantics has it: once, for each item of a list, or round by round.

use std::collections::BTreeMap;

use finale_core::Payload;
use finale_core::definition::{Body, Definition, Items, Loop, LoopCondition, Map, Node, NodeKind, Tolerance};
use finale_core::failure::{Failure, FailureClass};
use serde_json::Value;

/// A rule about maps and loops that is misread: whoever compares it with the core must find that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mistake {
    /// One item more is open than may be.
    OpensTooMany,
    /// An item whose failure is tolerated fails the map.
    CountsTolerated,
    /// Results are in the order in which the items were done.
    OutOfOrder,
    /// After its condition a loop runs another round.
    OneRoundTooMany,
    /// A loop does not wait between two rounds.
    ForgetsDelay,
    /// An item that is done is given once more after a crash.
    GivesTwice,
    /// A node that an operator ends is done before what runs inside of it has left.
    OperatorDoesNotWait,
    /// A signal that nobody waits for is lost.
    LosesEarlySignal,
    /// A signal is given to all that wait for it.
    GivesSignalToAll,
    /// What is inside of a node does not see the signals that were kept.
    KeepsSignalsApart,
    /// What completed first is undone first.
    UndoesInOrder,
    /// What was undone is undone once more after a crash.
    UndoesTwice,
    /// A scope that completed is not entered.
    EntersNoScope,
    /// What is cancelled has no `finally`.
    SkipsFinallyOnCancel,
    /// After a crash a `finally` that is over runs once more.
    RunsFinallyTwice,
    /// A `finally` that fails makes an execution fail that has completed.
    FinallyDecides,
    /// What is called begins once more after a crash.
    CallsTwice,
    /// What a call failed of is said without the path that leads there.
    FailsWithoutPath,
}

impl Mistake {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::OpensTooMany,
        Self::CountsTolerated,
        Self::OutOfOrder,
        Self::OneRoundTooMany,
        Self::ForgetsDelay,
        Self::GivesTwice,
        Self::OperatorDoesNotWait,
        Self::LosesEarlySignal,
        Self::GivesSignalToAll,
        Self::KeepsSignalsApart,
        Self::UndoesInOrder,
        Self::UndoesTwice,
        Self::EntersNoScope,
        Self::SkipsFinallyOnCancel,
        Self::RunsFinallyTwice,
        Self::FinallyDecides,
        Self::CallsTwice,
        Self::FailsWithoutPath,
    ];

    /// Those about calls and about the ends of scopes.
    pub const ABOUT_ENDS: &[Self] = Self::ALL.split_at(10).1;

    /// Whether it is about calls or about the ends of scopes.
    pub fn is_about_ends(self) -> bool {
        Self::ABOUT_ENDS.contains(&self)
    }
}

/// What runs inside of one node.
#[derive(Clone, Debug)]
pub(super) struct Inside {
    repeats: Repeats,
    mistake: Option<Mistake>,
    opened: u32,
    open: u32,
    /// What the items gave, by their numbers.
    results: BTreeMap<u32, Value>,
    /// The same in the order in which they did.
    in_time: Vec<Value>,
    failed: u32,
    /// Of a loop: whether the next round is to begin.
    is_due: bool,
    /// Of a loop: whether it waits for its next round.
    is_delayed: bool,
    /// How it came to its end, if it has by itself.
    end: Option<Result<Value, Failure>>,
    gave_twice: bool,
}

#[derive(Clone, Debug)]
enum Repeats {
    Once,
    Items { items: Vec<Value>, max: u32, tolerated: u32 },
    Rounds { condition: LoopCondition, max: u32, has_delay: bool },
}

/// The graph inside of a node, as a definition; a single task is the first node of one.
pub fn graph(node: &Node, library: &[Definition]) -> Option<Definition> {
    let single = |body: &Body| of_body(body, &node.id);
    match &node.kind {
        NodeKind::Subworkflow(call) => library.iter().find(|known| Some(&known.id) == call.workflow.as_ref()).cloned(),
        NodeKind::Group(group) => Some(single(&Body::Graph(group.graph.clone()))),
        NodeKind::Map(Map { body, .. }) | NodeKind::Loop(Loop { body, .. }) => Some(single(body)),
        _ => None,
    }
}

/// The graph of a body as a definition; a single task or call is the first node of one.
pub(super) fn of_body(body: &Body, id: &str) -> Definition {
    match body {
        Body::Graph(graph) => Definition {
            nodes: graph.nodes.clone(),
            edges: graph.edges.clone(),
            policy: graph.policy,
            output: graph.output.clone(),
            finally: graph.finally.clone(),
            ..Definition::new("body")
        },
        Body::Task(task) => Definition::builder("body").task(id, (**task).clone()).build(),
        Body::Call(call) => Definition::builder("body").node(id, NodeKind::Subworkflow((**call).clone())).build(),
    }
}

/// Whether what is inside of it is listed with it.
pub(super) const fn is_listed(node: &Node) -> bool {
    matches!(node.kind, NodeKind::Subworkflow(_) | NodeKind::Group(_))
}

impl Inside {
    pub(super) fn new(node: &Node, mistake: Option<Mistake>) -> Self {
        let repeats = match &node.kind {
            NodeKind::Map(map) => items(map),
            NodeKind::Loop(repeated) => Repeats::Rounds {
                condition: repeated.condition.clone(),
                max: repeated.rounds_max,
                has_delay: !repeated.delay.is_zero(),
            },
            _ => Repeats::Once,
        };
        let mut inside = Self {
            repeats,
            mistake,
            opened: 0,
            open: 0,
            results: BTreeMap::new(),
            in_time: Vec::new(),
            failed: 0,
            is_due: true,
            is_delayed: false,
            end: None,
            gave_twice: false,
        };
        if let Repeats::Rounds { condition: LoopCondition::While(_), .. } = &inside.repeats {
            inside.is_due = false;
            inside.ask(&Value::Null);
        }
        inside
    }

    /// What is given to the next one that may begin.
    pub(super) fn next(&mut self, given: &Payload) -> Option<(u32, Payload)> {
        let is_wrong = |mistake| self.mistake == Some(mistake);
        let input = match &self.repeats {
            _ if self.end.is_some() || self.has_failed() => return None,
            Repeats::Once if self.opened == 0 => given.clone(),
            Repeats::Items { items, max, .. } => {
                let max = max.saturating_add(u32::from(is_wrong(Mistake::OpensTooMany)));
                let item = items.get(self.opened as usize).filter(|_| self.open < max)?;
                Payload::encode(item).expect("it was JSON")
            }
            Repeats::Rounds { .. } if self.is_due => given.clone(),
            _ => return None,
        };
        self.is_due = false;
        self.opened += 1;
        self.open += 1;
        Some((self.opened - 1, input))
    }

    /// One of them is over, without an output if it has failed. If nobody wants it any more, what came of it does not count.
    pub(super) fn over(&mut self, number: u32, output: Option<&Value>, is_unwanted: bool) {
        self.open -= 1;
        let Some(output) = output.filter(|_| !is_unwanted) else {
            self.failed += u32::from(!is_unwanted);
            return;
        };
        self.results.insert(number, output.clone());
        self.in_time.push(output.clone());
        if let Repeats::Rounds { .. } = self.repeats {
            self.ask(output);
        }
    }

    /// Whether so many have failed that the node fails.
    pub(super) fn has_failed(&self) -> bool {
        let tolerated = match &self.repeats {
            Repeats::Items { .. } if self.mistake == Some(Mistake::CountsTolerated) => 0,
            Repeats::Items { tolerated, .. } => *tolerated,
            _ => 0,
        };
        self.failed > tolerated
    }

    /// What came of all of them.
    pub(super) fn result(&self) -> Option<Result<Value, Failure>> {
        if self.open > 0 {
            return None;
        }
        if self.has_failed() {
            return Some(Err(Failure::new(FailureClass::Failed, "what is inside failed")));
        }
        match &self.repeats {
            Repeats::Once => self.results.get(&0).cloned().map(Ok),
            Repeats::Items { .. } if self.mistake == Some(Mistake::OutOfOrder) && self.failed == 0 => {
                (self.in_time.len() == self.count() as usize).then(|| Ok(Value::Array(self.in_time.clone())))
            }
            Repeats::Items { items, .. } => (self.opened as usize == items.len()).then(|| {
                let result = |number: u32| self.results.get(&number).cloned().unwrap_or_default();
                Ok(Value::Array((0..self.opened).map(result).collect()))
            }),
            Repeats::Rounds { .. } => self.end.clone(),
        }
    }

    fn count(&self) -> u32 {
        match &self.repeats {
            Repeats::Items { items, .. } => items.len() as u32,
            _ => 1,
        }
    }

    /// How many items are open, done and not done; none if it is no map.
    pub(super) fn items(&self) -> Option<(u32, u32, u32)> {
        match &self.repeats {
            Repeats::Items { .. } => Some((self.open, self.results.len() as u32, self.failed)),
            _ => None,
        }
    }

    /// The moment of the next round has come.
    pub(super) fn fire(&mut self, round: u32) -> bool {
        let fits = self.is_delayed && round == self.opened + 1;
        if fits {
            (self.is_delayed, self.is_due) = (false, true);
        }
        fits
    }

    /// The next round begins now, if it is waited for.
    pub(super) fn run_now(&mut self) -> bool {
        self.fire(self.opened + 1)
    }

    /// Nobody wants it any more.
    pub(super) fn close(&mut self) {
        self.is_delayed = false;
    }

    /// The process has crashed: nothing changes, unless that is misread.
    pub(super) fn recover(&mut self) {
        if self.mistake == Some(Mistake::GivesTwice) && self.open > 0 && !self.gave_twice {
            self.gave_twice = true;
            if let Repeats::Items { items, .. } = &mut self.repeats
                && self.opened > self.open
            {
                items.push(items[0].clone());
            }
        }
    }

    /// Asks whether another round follows.
    fn ask(&mut self, output: &Value) {
        let Repeats::Rounds { condition, max, has_delay } = self.repeats.clone() else { return };
        let goes_on = match &condition {
            LoopCondition::While(source) => said(source, self.opened + 1, output),
            LoopCondition::Until(source) => said(source, self.opened, output).map(|is_enough| !is_enough),
        };
        let is_more = self.mistake == Some(Mistake::OneRoundTooMany) && !self.gave_twice && self.opened > 0;
        match goes_on {
            None => self.end = Some(Err(Failure::new(FailureClass::Expression, "no boolean"))),
            Some(false) if is_more => (self.gave_twice, self.is_due) = (true, true),
            Some(false) => self.end = Some(Ok(output.clone())),
            Some(true) if self.opened >= max => {
                self.end = Some(Err(Failure::new(FailureClass::Exhausted, "no round is left")));
            }
            Some(true) if self.opened > 0 && has_delay && self.mistake != Some(Mistake::ForgetsDelay) => {
                self.is_delayed = true;
            }
            Some(true) => self.is_due = true,
        }
    }
}

fn items(map: &Map) -> Repeats {
    let Items::List(list) = &map.items else { panic!("lists of tests are written down") };
    let items: Vec<Value> = list.payload().decode().expect("it is a list");
    let tolerated = match map.tolerate {
        None => 0,
        Some(Tolerance::Count(count)) => count,
        // As many as are no more than the share.
        Some(Tolerance::Percent(percent)) => {
            let is_tolerated = |failures: &usize| failures * 100 <= usize::from(percent) * items.len();
            (0..=items.len()).filter(is_tolerated).max().unwrap_or_default() as u32
        }
    };
    Repeats::Items { items, max: map.max_concurrency.unwrap_or(u32::MAX), tolerated }
}

/// What a condition of the tests says: `round >= N`, `round <= N`, or `output`.
fn said(source: &str, round: u32, output: &Value) -> Option<bool> {
    if let Some(count) = source.strip_prefix("round >= ") {
        return count.parse().ok().map(|count: u32| round >= count);
    }
    if let Some(count) = source.strip_prefix("round <= ") {
        return count.parse().ok().map(|count: u32| round <= count);
    }
    output.as_bool()
}
