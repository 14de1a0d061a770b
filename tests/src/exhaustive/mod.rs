//! Every order in which things can be told to an execution of a small graph: nothing is drawn, nothing is left out.
//!
//! From each state, everything that may come next is told to a copy of it: each handler succeeds or fails, or stops where
//! it was told to; people answer; timers fire in any order, whatever they were set to; signals come for whoever waits, and
//! once before anybody does; the execution is cancelled once, and the process crashes once. States that were met before are not looked at again, so that the search ends.

mod graphs;
mod laws;
mod moves;
mod open;

use std::collections::{BTreeSet, HashSet};
use std::fmt::{self, Write as _};
use std::hash::{BuildHasherDefault, Hash, Hasher};

use finale_core::definition::{Body, Exhausted, Loop, Map, NodeKind, Wait};
use finale_core::execution::{Effect, Execution, Input, Turn};
use finale_core::fact::{Activation, Fact, Facts};
use finale_core::{Compiled, ExecutionId, Payload, Time};
use rustc_hash::FxHasher;

pub use graphs::graph;
pub use laws::Law;
pub use moves::{Budget, Move};
use open::Open;

/// What a search came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Explored {
    /// How many different states there are, or were met until there were too many.
    pub states: usize,
    /// How many inputs were told.
    pub moves: usize,
    /// How many of the states are over.
    pub ends: usize,
    /// Whether there are more states than were asked for.
    pub is_cut: bool,
}

/// A law that does not hold, and how to come there.
#[derive(Debug, thiserror::Error)]
#[error("{law}\nafter:{}", Listed(.way))]
pub struct Violation {
    /// Which.
    pub law: Law,
    /// What was told, in order.
    pub way: Vec<Move>,
}

struct Listed<'a>(&'a [Move]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|told| write!(f, "\n  {told:?}"))
    }
}

/// What one input came to.
pub(crate) struct Step {
    pub(crate) after: Execution,
    pub(crate) facts: Vec<Fact>,
    pub(crate) effects: Vec<Effect>,
}

/// Something that is wrong with the core, planted to see that it is found.
pub type Flaw = fn(&mut Vec<Effect>);

/// A search through all states of one definition.
#[derive(Debug)]
pub struct Search<'a> {
    definition: &'a Compiled,
    states_max: usize,
    flaw: Option<Flaw>,
    /// Verdicts are asked for by nobody: whoever judges looks at the nodes.
    judged: Vec<finale_core::NodeIndex>,
    /// The names of the signals that nodes wait for.
    signals: BTreeSet<Box<str>>,
    /// Whether there are tasks that wait for an operator when they fail.
    can_hold: bool,
    /// Where states are written down for their fingerprints.
    text: String,
    seen: HashSet<u64, BuildHasherDefault<FxHasher>>,
    explored: Explored,
}

/// The last thing told, and where the one before it is; shared by all that goes on from there.
type Way = (Move, Option<usize>);

impl<'a> Search<'a> {
    /// A search that gives up after so many states.
    pub fn new(definition: &'a Compiled, states_max: usize) -> Self {
        let awaited = |node: finale_core::NodeIndex| match &definition.node(node).kind {
            NodeKind::Wait(Wait::Signal(signal)) => Some(signal.name.as_str().into()),
            _ => None,
        };
        let can_hold = |node: finale_core::NodeIndex| match &definition.node(node).kind {
            NodeKind::Task(task) => task.retry.exhausted == Exhausted::Hold,
            NodeKind::Map(Map { body: Body::Task(task), .. }) | NodeKind::Loop(Loop { body: Body::Task(task), .. }) => {
                task.retry.exhausted == Exhausted::Hold
            }
            _ => false,
        };
        let is_verification = |node: &finale_core::NodeIndex| definition.node(*node).kind.name() == "verification";
        Self {
            definition,
            states_max,
            flaw: None,
            judged: definition.all_positions().filter(is_verification).collect(),
            signals: definition.all_positions().filter_map(awaited).collect(),
            can_hold: definition.all_positions().any(can_hold),
            text: String::new(),
            seen: HashSet::default(),
            explored: Explored::default(),
        }
    }

    /// The same with a fault in what is to be performed.
    #[must_use]
    pub fn with_flaw(self, flaw: Flaw) -> Self {
        Self { flaw: Some(flaw), ..self }
    }

    /// Looks at all states there are.
    ///
    /// # Errors
    /// The first law that does not hold somewhere, with the way there.
    pub fn explore(mut self, input: &Payload, deadline: Option<Time>) -> Result<Explored, Violation> {
        let activation = self.activation(input, deadline);
        let fresh = Execution::new(ExecutionId::from_uuid(uuid::Uuid::from_u128(7)), self.definition);
        // The ways lie in one list: a state knows the last step of its own, which knows the one before.
        let mut ways: Vec<Way> = Vec::new();
        let first = self.tell((&fresh, &Open::default()), activation, &Move::Activate);
        let (first, under_way) = first.map_err(|law| Violation { law, way: Vec::new() })?;
        let mut open = vec![(first.after, under_way, Budget::default(), None::<usize>)];
        while let Some((execution, under_way, budget, last)) = open.pop() {
            let fingerprint = self.fingerprint(&execution, budget);
            if !self.seen.insert(fingerprint) {
                continue;
            }
            self.explored.states += 1;
            if execution.status().is_terminal() {
                self.explored.ends += 1;
                continue;
            }
            if self.explored.states >= self.states_max {
                self.explored.is_cut = true;
                break;
            }
            let moves = self.moves((&execution, &under_way), budget);
            let violation = |law, told: Option<Move>, ways: &[Way]| Violation { law, way: way(ways, last, told) };
            if !moves.iter().any(Move::is_progress) {
                return Err(violation(Law::NothingCanMove, None, &ways));
            }
            for told in moves {
                let step = self.tell((&execution, &under_way), told.input(&execution), &told);
                let (step, now) = step.map_err(|law| violation(law, Some(told.clone()), &ways))?;
                let left = budget.spend(&told);
                ways.push((told, last));
                open.push((step.after, now, left, Some(ways.len() - 1)));
            }
        }
        Ok(self.explored)
    }

    fn activation(&self, input: &Payload, deadline: Option<Time>) -> Input {
        Input::Activate(Activation {
            definition: self.definition.hash(),
            semantics: finale_core::execution::SEMANTICS,
            input: input.clone(),
            by: "tester".into(),
            deadline,
            idempotency_key: None,
            business_key: None,
        })
    }

    /// Tells a copy something, and looks whether all laws hold; gives what is under way then.
    fn tell(&mut self, before: (&Execution, &Open), input: Input, told: &Move) -> Result<(Step, Open), Law> {
        self.explored.moves += 1;
        let (before, under_way) = before;
        let (mut after, mut turn) = (before.clone(), Turn::new());
        let answer = after.handle(self.definition, Time::default(), input, &mut turn);
        let facts = Facts::new(turn.facts()).map(|read| read.map(|recorded| recorded.fact)).collect::<Result<_, _>>();
        let mut effects = turn.take_effects();
        turn.discard();
        if let Some(flaw) = self.flaw {
            flaw(&mut effects);
        }
        let facts = facts.map_err(|error| Law::Unreadable(error.to_string()))?;
        let step = Step { after, facts, effects };
        answer.map_err(Law::Refused)?;
        let now = laws::check(self.definition, (before, under_way), told, &step)?;
        Ok((step, now))
    }

    /// A number for a state: two states have the same one only by an accident that is of no consequence but that one of them
    /// is not looked at.
    fn fingerprint(&mut self, execution: &Execution, budget: Budget) -> u64 {
        // Written as a whole: to take in each word by itself is most of the work.
        self.text.clear();
        write!(self.text, "{execution:?}").expect("a text takes everything");
        let mut digest = FxHasher::default();
        budget.hash(&mut digest);
        digest.write(self.text.as_bytes());
        digest.finish()
    }
}

fn way(ways: &[Way], last: Option<usize>, told: Option<Move>) -> Vec<Move> {
    let before = std::iter::successors(last, |number| ways[*number].1).map(|number| ways[number].0.clone());
    let mut way: Vec<Move> = told.into_iter().chain(before).collect();
    way.reverse();
    way
}
