//! What a seed chooses: the definitions, how many executions, and how rough the weather is.

use std::rc::Rc;
use std::time::Duration;

use finale_core::Compiled;
use finale_core::compile::{self, Registry};
use finale_core::definition::{Definition, Delivery, NodeKind, OnFailure, Policy, Siblings, Task, Work};

use crate::dice::Dice;
use crate::random::Case;

/// What holds for one run. Rates are per ten thousand.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) definitions: Vec<Rc<Compiled>>,
    /// Executions at once.
    pub(super) executions: u32,
    pub(super) shards: usize,
    /// Handlers at work at once, per shard.
    pub(super) places: usize,
    /// Whether an append is durable at once.
    pub(super) immediate: bool,
    /// How long a batch takes to be written, at most.
    pub(super) write_micros: u32,
    /// How long a message takes, at most; now and then ten times as long.
    pub(super) delay_micros: u32,
    pub(super) grace: Duration,
    pub(super) sweep: Duration,
    pub(super) faults: Faults,
}

/// How often things go wrong, of ten thousand times.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    /// At each step.
    pub(super) crash: u32,
    /// At each step.
    pub(super) journal_failure: u32,
    /// At each turn.
    pub(super) death: u32,
    /// Per message about an outcome.
    pub(super) lose: u32,
    /// Per message about an outcome.
    pub(super) duplicate: u32,
    /// Per handler that nobody waits for any more.
    pub(super) straggle: u32,
    /// Per execution at a crash.
    pub(super) late_write: u32,
    /// Each time that somebody looks around: commands of operators.
    pub(super) command: u32,
    /// Each time that somebody looks around: reports that do not fit.
    pub(super) odd_report: u32,
}

impl Plan {
    pub(super) fn new(dice: &mut Dice) -> Self {
        let definitions = (0..dice.between(1, 2)).map(|_| Rc::new(definition(dice))).collect();
        Self {
            definitions,
            executions: dice.between(1, 4),
            shards: 1 + dice.below(2),
            places: [1, 2, 4, 64][dice.below(4)],
            immediate: dice.happens(1_500),
            write_micros: dice.between(1, 80),
            delay_micros: dice.between(1, 12),
            grace: Duration::from_micros(dice.between(10, 80).into()),
            sweep: Duration::from_micros(dice.between(100, 400).into()),
            faults: Faults::new(dice),
        }
    }
}

impl Faults {
    fn new(dice: &mut Dice) -> Self {
        let mut rate = |most: u32| if dice.happens(3_000) { 0 } else { dice.between(1, most) };
        Self {
            crash: rate(200),
            journal_failure: rate(30),
            death: rate(400),
            lose: rate(800),
            duplicate: rate(1_500),
            straggle: rate(6_000),
            late_write: rate(8_000),
            command: rate(300),
            odd_report: rate(2_000),
        }
    }
}

fn definition(dice: &mut Dice) -> Compiled {
    let policy = Policy {
        on_failure: [OnFailure::FailFast, OnFailure::WaitAll, OnFailure::Tolerate { count: 1 }][dice.below(3)],
        siblings: [Siblings::Cancel, Siblings::Finish][dice.below(2)],
    };
    let mut definition = case(dice).definition(policy);
    for node in &mut definition.nodes {
        if let NodeKind::Task(task) = &mut node.kind {
            stretch(task, dice);
        }
    }
    compiled(definition)
}

fn case(dice: &mut Dice) -> Case {
    let nodes = (0..dice.between(1, 11)).map(|_| node(dice)).collect();
    Case { nodes, inputs: Vec::new(), head: (dice.byte(), dice.byte() | 0x80, false) }
}

/// Mostly tasks that need no expression: what fails at once is soon over and shows little.
fn node(dice: &mut Dice) -> (u8, u8, u8, u8) {
    let (kind, a, b, c) = (dice.byte(), dice.byte(), dice.byte(), dice.byte());
    if dice.happens(6_500) { (kind % 8, a, b, c | 0x40) } else { (kind, a, b, c) }
}

/// Gives a task limits on the scale of a run, and lets some begin at most once.
fn stretch(task: &mut Task, dice: &mut Dice) {
    task.timeout = dice.happens(4_000).then(|| Duration::from_micros(dice.between(40, 400).into()));
    if dice.happens(5_000) && task.delivery == Delivery::AtLeastOnce {
        task.retry.attempts = task.retry.attempts.max(3);
    }
    if matches!(task.work, Work::Handler(_)) && dice.happens(3_000) {
        task.delivery = Delivery::AtMostOnce;
        task.retry.attempts = 1;
    }
}

fn compiled(definition: Definition) -> Compiled {
    compile::compile(definition, &Registry::new()).expect("a random definition compiles")
}
