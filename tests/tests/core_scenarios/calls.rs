//! Random workflows that call others: the core must agree with the naive reading at every step.

use std::collections::BTreeMap;

use finale_core::compile::{Registry, compile};
use finale_core::definition::{Call, Definition, NodeKind, OnFailure, Policy, Siblings};
use finale_core::execution::{Command, Effect, Execution, Input, Turn};
use finale_core::fact::{Activation, Facts, StopOutcome};
use finale_core::failure::{Failure, FailureClass};
use finale_core::{Compiled, Dispatch, Epoch, ExecutionId, NodeStatus, Payload, Time};
use finale_tests::dice::Dice;
use finale_tests::naive::{No, Told, Tree};

const SEEDS: u64 = 1_500;
const STEPS: usize = 40;

/// Tasks beside and behind each other, some of which are done outside, and calls of these workflows.
fn workflow(dice: &mut Dice, id: &str, called: &[&str]) -> Definition {
    let share = OnFailure::ToleratePercent { percent: *dice.choose(&[0, 34, 50, 100]) };
    let ways = [OnFailure::FailFast, OnFailure::WaitAll, OnFailure::Tolerate { count: 1 }, share];
    let siblings = *dice.choose(&[Siblings::Cancel, Siblings::Finish]);
    let mut builder = Definition::builder(id).policy(Policy { on_failure: *dice.choose(&ways), siblings });
    let count = dice.below(4);
    for number in 0..count {
        let id = format!("n{number}");
        builder = match called {
            [_, ..] if dice.one_in(2) => {
                let call = Call::to(*dice.choose(called), "1.0.0").input("input");
                builder.call(id, if dice.one_in(4) { call.optional() } else { call })
            }
            _ if dice.one_in(3) => builder.task(id, finale_core::definition::Task::external()),
            _ => builder.task(id, "h"),
        };
        if number > 0 && dice.one_in(2) {
            builder = builder.after(format!("n{}", dice.below(number)));
        }
    }
    builder.build()
}

/// An execution and its naive twin.
struct Twins {
    compiled: Compiled,
    execution: Execution,
    tree: Tree,
    turn: Turn,
    history: Vec<u8>,
    activation: Activation,
    /// Every dispatch there was, with the way to its node.
    dispatched: Vec<(Dispatch, Vec<usize>)>,
    epoch: u32,
}

impl Twins {
    fn new(dice: &mut Dice) -> Self {
        let library = vec![workflow(dice, "inner", &[]), workflow(dice, "outer", &["inner"])];
        let definition = Definition { workflows: library.clone(), ..workflow(dice, "root", &["outer", "inner"]) };
        let compiled = compile(definition.clone(), &Registry::new()).expect("it is sound");
        let activation = Activation {
            definition: compiled.hash(),
            semantics: finale_core::execution::SEMANTICS,
            input: Payload::from_json(br#"{"x": 1}"#).expect("it is JSON"),
            by: "tester".into(),
            deadline: None,
            idempotency_key: None,
            business_key: None,
        };
        let execution = Execution::new(id(), &compiled);
        let tree = Tree::new(definition, library);
        let (turn, history, dispatched) = (Turn::new(), Vec::new(), Vec::new());
        Self { compiled, execution, tree, turn, history, activation, dispatched, epoch: 0 }
    }

    fn tell(&mut self, input: Input) -> Result<(), No> {
        let told = self.execution.handle(&self.compiled, Time::default(), input, &mut self.turn);
        self.history.extend_from_slice(self.turn.facts());
        self.turn.appended();
        for effect in self.turn.take_effects() {
            let (Effect::Run { dispatch, .. } | Effect::Offer { dispatch, .. }) = effect else { continue };
            let path = self.execution.path(&self.compiled, dispatch.key).expect("its scope is kept");
            self.dispatched.push((dispatch, self.way(&path)));
        }
        told.map_err(|refused| No::from(&refused))
    }

    fn way(&self, path: &finale_core::NodePath) -> Vec<usize> {
        let mut definition = self.compiled.definition();
        let ids = path.within().iter().map(|step| &*step.node).chain([path.node()]);
        let mut way = Vec::new();
        for id in ids {
            let place = definition.nodes.iter().position(|node| node.id == id).expect("the path is right");
            way.push(place);
            if let NodeKind::Subworkflow(call) = &definition.nodes[place].kind {
                let called =
                    self.compiled.definition().workflows.iter().find(|known| Some(&known.id) == call.workflow.as_ref());
                definition = called.expect("it is called");
            }
        }
        way
    }

    /// Says something to both; they must answer the same.
    fn step(&mut self, dice: &mut Dice) {
        let activation = self.activation.clone();
        match dice.below(24) {
            0 => {
                let command = match dice.below(3) {
                    0 => Command::Complete { by: "me".into() },
                    _ => Command::Cancel { by: "me".into() },
                };
                let told = self.tell(Input::Command(command.clone()));
                assert_eq!(told, self.tree.command(command, &activation));
            }
            1 | 2 if !self.execution.status().is_terminal() => {
                self.epoch += 1;
                self.tell(Input::Recovered { epoch: Epoch(self.epoch), crashed: true }).expect("it is open");
                self.tree.recover(&activation);
            }
            _ if self.dispatched.is_empty() => {}
            kind => {
                // Mostly the newest, which are still open.
                let newest = self.dispatched.len() - 1 - dice.below(self.dispatched.len().min(6));
                let (dispatch, way) = self.dispatched[newest].clone();
                if dispatch.epoch != Epoch(self.epoch) && !self.execution.is_current(dispatch) && kind % 2 == 0 {
                    return;
                }
                let is_outside = self.compiled.is_external(dispatch.key.node);
                let result = match dice.below(3) {
                    0 => Err(Failure::new(FailureClass::Failed, "so it is")),
                    _ => Ok(Payload::from_json(b"7").expect("it is JSON")),
                };
                let told = match (is_outside, dice.below(4)) {
                    (true, _) => Told::Reported(result),
                    (false, 0) => Told::Stopped(StopOutcome::Stopped),
                    (false, _) => Told::Outcome(result),
                };
                // One of an earlier life is stale for both; that is tested elsewhere.
                let dispatch = Dispatch { epoch: Epoch(self.epoch), ..dispatch };
                let answer = self.tell(told.input(dispatch));
                let way: Vec<_> = way.into_iter().map(|node| (node, 0)).collect();
                let naive = self.tree.tell(&way, dispatch.attempt, &told, &activation);
                // Of what is over it need not be known which attempt was the last.
                let late = |no| if no == No::Stale { No::Late } else { no };
                let (answer, naive) = (answer.map_err(late), naive.map_err(late));
                assert_eq!(answer, naive, "{told:?} of {way:?} attempt {}", dispatch.attempt);
            }
        }
    }

    fn compare(&self) {
        assert_eq!(self.execution.status(), self.tree.status());
        let record = self.execution.record(&self.compiled);
        let nodes = record.nodes.iter().map(|node| (node.id.clone(), node.state.status()));
        let mut expected = BTreeMap::new();
        self.tree.statuses("", &mut expected);
        assert_eq!(nodes.collect::<BTreeMap<_, _>>(), expected);
        let count = |status| expected.values().filter(|known| **known == status).count() as u32;
        assert_eq!(self.execution.running(), count(NodeStatus::Running));
        if let finale_core::record::State::Ended(outcome) = &record.state
            && let finale_core::record::End::Completed { output } = &outcome.end
        {
            let declared = outcome.decided_by != finale_core::record::DecidedBy::AllSettled;
            let output: serde_json::Value = output.decode().expect("it is JSON");
            assert!(declared || Some(&output) == self.tree.output(), "{output:?}, not {:?}", self.tree.output());
        }
        let folded = Execution::fold(id(), &self.compiled, &self.history).expect("the history can be folded");
        assert!(folded == self.execution, "the state is the fold of its history");
        let counts = record.counts;
        let parts = counts.pending + counts.ready + counts.running + counts.waiting + counts.completed;
        assert_eq!(parts + counts.failed + counts.cancelled + counts.skipped, counts.tasks);
        assert!(Facts::new(&self.history).all(|fact| fact.is_ok()));
    }
}

fn id() -> ExecutionId {
    ExecutionId::from_uuid(uuid::Uuid::from_u128(7))
}

#[test]
fn workflows_that_call_others_agree_with_the_naive_reading() {
    let mut ends = BTreeMap::<String, usize>::new();
    for seed in 0..SEEDS {
        let mut dice = Dice::new(seed);
        let mut twins = Twins::new(&mut dice);
        let activation = twins.activation.clone();
        twins.tell(Input::Activate(activation.clone())).expect("it is new");
        twins.tree.activate(&activation).expect("it is new");
        for _ in 0..STEPS {
            twins.compare();
            twins.step(&mut dice);
        }
        twins.compare();
        *ends.entry(twins.execution.status().to_string()).or_default() += 1;
        let is_inside = |path: &Vec<usize>| path.len() > 2;
        let deep = twins.dispatched.iter().filter(|(_, way)| is_inside(way)).count();
        *ends.entry("work two calls down".to_owned()).or_default() += deep;
    }
    for wanted in ["completed", "failed", "cancelled", "work two calls down"] {
        assert!(ends.get(wanted).is_some_and(|count| *count > 20), "{wanted} hardly comes up: {ends:?}");
    }
}
