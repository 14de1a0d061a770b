//! Random workflows with maps, loops and groups: the core must agree with the naive reading at every step.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use finale_core::compile::{Registry, compile};
use finale_core::definition::{
    Call, Definition, Document, Inside, Items, LoopCondition, NodeKind, OnFailure, Policy, Siblings, Signal, Task,
    Tolerance, Wait,
};
use finale_core::execution::{Command, Effect, Execution, Input, Turn};
use finale_core::fact::{Activation, Operation, OperatorAction, Signalled, StopOutcome, Timer};
use finale_core::failure::{Failure, FailureClass};
use finale_core::path::{Instance, NodePath};
use finale_core::{Compiled, Dispatch, Epoch, ExecutionId, Payload, Time};
use finale_tests::dice::Dice;
use finale_tests::naive::{Mistake, No, Told, Tree, graph_inside};

const SEEDS: u64 = 1_500;
const STEPS: usize = 50;

type Way = Vec<(usize, u32)>;

fn policy(dice: &mut Dice) -> Policy {
    let share = OnFailure::ToleratePercent { percent: *dice.choose(&[0, 34, 50, 100]) };
    let ways = [OnFailure::FailFast, OnFailure::WaitAll, OnFailure::Tolerate { count: 1 }, share];
    Policy { on_failure: *dice.choose(&ways), siblings: *dice.choose(&[Siblings::Cancel, Siblings::Finish]) }
}

/// What runs inside of a map or a loop.
fn body(dice: &mut Dice, depth: usize, called: &[&str]) -> Inside {
    match dice.below(5) {
        0 => Task::external().into(),
        1 if depth > 0 => workflow(dice, "body", depth - 1, called).into(),
        2 if !called.is_empty() => Call::to(*dice.choose(called), "1.0.0").into(),
        _ => "h".into(),
    }
}

fn list(dice: &mut Dice) -> Items {
    let items: Vec<String> = (0..dice.below(5)).map(|number| format!("{number}")).collect();
    let document = Document::from_json(format!("[{}]", items.join(",")).as_bytes());
    Items::List(document.expect("it is a document"))
}

/// Work of all kinds beside and behind each other.
fn workflow(dice: &mut Dice, id: &str, depth: usize, called: &[&str]) -> Definition {
    let mut builder = Definition::builder(id).policy(policy(dice));
    let count = 1 + dice.below(3);
    for number in 0..count {
        let id = format!("n{number}");
        builder = match dice.below(11) {
            8 => builder.delay(id, Duration::from_secs(dice.below(2) as u64)),
            // What is called from several places would wait for one signal in several of them.
            9 | 10 if called.is_empty() => builder.delay(id, Duration::ZERO),
            9 => builder.signal(id, signal_name(dice)),
            10 => {
                let builder = builder.signal(id, Signal::named(signal_name(dice)).timeout(Duration::from_secs(1)));
                if dice.one_in(2) {
                    builder.on_timeout(format!("late{number}")).task(format!("late{number}"), "h")
                } else {
                    builder
                }
            }
            0 => builder.task(id, Task::external()),
            1 if depth > 0 => builder.group(id, workflow(dice, "group", depth - 1, called)),
            2..=4 => {
                let items = list(dice);
                builder = builder.map(id, items, body(dice, depth, called));
                if dice.one_in(2) {
                    builder = builder.max_concurrency(1 + dice.below(2) as u32);
                }
                match dice.below(4) {
                    0 => builder.tolerate(Tolerance::Count(1)),
                    1 => builder.tolerate(Tolerance::Percent(*dice.choose(&[34, 50]))),
                    _ => builder,
                }
            }
            5 | 6 => {
                let condition = match dice.below(3) {
                    0 => LoopCondition::until(format!("round >= {}", 1 + dice.below(3))),
                    1 => LoopCondition::while_true(format!("round <= {}", dice.below(3))),
                    _ => LoopCondition::until("output"),
                };
                let inside = body(dice, depth, called);
                builder = builder.repeat(id, inside, condition, 1 + dice.below(3) as u32);
                if dice.one_in(2) { builder.round_delay(Duration::from_secs(1)) } else { builder }
            }
            _ => builder.task(id, "h"),
        };
        if dice.one_in(5) {
            builder = builder.optional();
        }
        if number > 0 && dice.one_in(2) {
            builder = builder.after(format!("n{}", dice.below(number)));
        }
    }
    builder.build()
}

/// A name that no other node has: in which order nodes begin that wait in different scopes is not said.
fn signal_name(dice: &mut Dice) -> String {
    format!("signal {:x}", dice.next())
}

/// An execution and its naive twin.
struct Twins {
    compiled: Compiled,
    library: Vec<Definition>,
    execution: Execution,
    tree: Tree,
    turn: Turn,
    history: Vec<u8>,
    activation: Activation,
    /// Every dispatch there was, with the way to its node.
    dispatched: Vec<(Dispatch, Way)>,
    /// Every timer there was.
    armed: Vec<(Timer, Way)>,
    /// The names of all signals that may be waited for.
    names: Vec<String>,
    signals: u32,
    epoch: u32,
}

impl Twins {
    fn new(dice: &mut Dice, mistake: Option<Mistake>) -> Self {
        let library = vec![workflow(dice, "inner", 0, &[])];
        let definition = Definition { workflows: library.clone(), ..workflow(dice, "root", 2, &["inner"]) };
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
        let tree = Tree::new(definition, library.clone()).misread(mistake);
        let (turn, history, dispatched, armed) = (Turn::new(), Vec::new(), Vec::new(), Vec::new());
        let name = |node| match &compiled.node(node).kind {
            NodeKind::Wait(Wait::Signal(signal)) => Some(signal.name.clone()),
            _ => None,
        };
        let names = compiled.all_positions().filter_map(name).collect();
        let (signals, epoch) = (0, 0);
        Self { compiled, library, execution, tree, turn, history, activation, dispatched, armed, names, signals, epoch }
    }

    fn tell(&mut self, input: Input) -> Result<(), No> {
        let told = self.execution.handle(&self.compiled, Time::default(), input, &mut self.turn);
        self.history.extend_from_slice(self.turn.facts());
        self.turn.appended();
        for effect in self.turn.take_effects() {
            match effect {
                Effect::Run { dispatch, .. } | Effect::Offer { dispatch, .. } => {
                    let path = self.execution.path(&self.compiled, dispatch.key).expect("its scope is open");
                    self.dispatched.push((dispatch, self.way(&path)));
                }
                Effect::ArmTimer { timer: timer @ (Timer::Round(key, _) | Timer::Wait(key)), .. } => {
                    let path = self.execution.path(&self.compiled, key).expect("its scope is open");
                    self.armed.push((timer, self.way(&path)));
                }
                _ => {}
            }
        }
        told.map_err(|refused| No::from(&refused))
    }

    fn way(&self, path: &NodePath) -> Way {
        let mut definition = self.compiled.definition().clone();
        let steps = path.within().iter().map(|step| (&*step.node, step.instance));
        let mut way = Vec::new();
        for (id, instance) in steps.chain([(path.node(), Instance::Single)]) {
            let place = definition.nodes.iter().position(|node| node.id == id).expect("the path is right");
            let number = match instance {
                Instance::Item(index) => index,
                Instance::Round(round) => round - 1,
                _ => 0,
            };
            way.push((place, number));
            if let Some(inside) = graph_inside(&definition.nodes[place], &self.library) {
                definition = inside;
            }
        }
        way
    }

    /// Says something to both; they must answer the same.
    fn step(&mut self, dice: &mut Dice) {
        let activation = self.activation.clone();
        match dice.below(30) {
            24..=29 if !self.names.is_empty() => self.signal(dice, &activation),
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
            3..=6 if !self.armed.is_empty() => {
                let newest = self.armed.len() - 1 - dice.below(self.armed.len().min(3));
                let (timer, way) = self.armed[newest].clone();
                let told = self.tell(Input::TimerFired(timer));
                let naive = match timer {
                    Timer::Round(_, round) => self.tree.fire(&way, round, &activation),
                    _ => self.tree.wait_is_over(&way, &activation),
                };
                assert_eq!(told, naive, "{timer:?} of {way:?}");
            }
            _ if self.dispatched.is_empty() => {}
            7 => self.operate(dice, &activation),
            kind => self.report(dice, kind, &activation),
        }
    }

    /// An operator says something of a task, or of what it is in.
    fn operate(&mut self, dice: &mut Dice, activation: &Activation) {
        let newest = self.dispatched.len() - 1 - dice.below(self.dispatched.len().min(6));
        let (dispatch, mut way) = self.dispatched[newest].clone();
        let mut key = dispatch.key;
        if dice.one_in(2)
            && let Some(path) = self.execution.path(&self.compiled, key)
            && let Some((last, within)) = path.within().split_last()
        {
            let around = NodePath::new(within.to_vec(), &last.node);
            way.pop();
            key = self.execution.resolve(&self.compiled, &around).expect("what it is in is there");
        }
        let action = match dice.below(6) {
            0 => OperatorAction::Retry,
            1 => OperatorAction::RunNow,
            2 => OperatorAction::Fail,
            3 => OperatorAction::Skip,
            _ => OperatorAction::Complete(Payload::from_json(b"true").expect("it is JSON")),
        };
        let operation = Operation { key, by: "me".into(), reason: "so".into(), action: action.clone() };
        let told = self.tell(Input::Operate(operation));
        let naive = self.tree.operate(&way, &action, activation);
        // Why it is refused is told in stories: what is being stopped is open here and over there.
        assert_eq!(told.is_ok(), naive.is_ok(), "{action:?} of {way:?}: {told:?}, {naive:?}");
    }

    /// A signal that is waited for, or one that may be later; some are sent again.
    fn signal(&mut self, dice: &mut Dice, activation: &Activation) {
        let awaited: Vec<String> = self.execution.awaited_signals().map(|(_, name)| name.to_owned()).collect();
        let name = if awaited.is_empty() || dice.one_in(3) { &self.names } else { &awaited };
        let name = dice.choose(name).as_str().into();
        self.signals += u32::from(!dice.one_in(6));
        let payload = Payload::encode(&self.signals).expect("it is a number");
        let id = (!dice.one_in(3)).then(|| format!("{}", self.signals).into());
        let signal = Signalled { name, payload, by: "me".into(), id };
        let told = self.tell(Input::Signal(signal.clone()));
        assert_eq!(told, self.tree.signal(&signal, activation), "{signal:?}");
    }

    fn report(&mut self, dice: &mut Dice, kind: usize, activation: &Activation) {
        // Mostly the newest, which are still open.
        let newest = self.dispatched.len() - 1 - dice.below(self.dispatched.len().min(6));
        let (dispatch, way) = self.dispatched[newest].clone();
        if dispatch.epoch != Epoch(self.epoch) && !self.execution.is_current(dispatch) && kind.is_multiple_of(2) {
            return;
        }
        let result = match dice.below(5) {
            0 => Err(Failure::new(FailureClass::Failed, "so it is")),
            1 => Ok("true".to_owned()),
            2 => Ok("false".to_owned()),
            _ => Ok(dice.below(9).to_string()),
        };
        let result = result.map(|json| Payload::from_json(json.as_bytes()).expect("it is JSON"));
        let told = match (self.compiled.is_external(dispatch.key.node), dice.below(5)) {
            (true, _) => Told::Reported(result),
            (false, 0) => Told::Stopped(StopOutcome::Stopped),
            (false, _) => Told::Outcome(result),
        };
        let dispatch = Dispatch { epoch: Epoch(self.epoch), ..dispatch };
        let answer = self.tell(told.input(dispatch));
        let naive = self.tree.tell(&way, dispatch.attempt, &told, activation);
        // Of what is over it need not be known which attempt was the last.
        let late = |no| if no == No::Stale { No::Late } else { no };
        let (answer, naive) = (answer.map_err(late), naive.map_err(late));
        assert_eq!(answer, naive, "{told:?} of {way:?} attempt {}", dispatch.attempt);
    }

    fn compare(&self) {
        assert_eq!(self.execution.status(), self.tree.status());
        let record = self.execution.record(&self.compiled);
        let nodes = record.nodes.iter().map(|node| (node.id.clone(), node.state.status()));
        let mut expected = BTreeMap::new();
        self.tree.statuses("", &mut expected);
        assert_eq!(nodes.collect::<BTreeMap<_, _>>(), expected);
        assert_eq!(self.execution.running(), self.tree.running());
        let left = record.signals.iter();
        let left = left.map(|signal| (signal.name.clone(), signal.payload.decode().expect("it is JSON")));
        assert_eq!(left.collect::<Vec<_>>(), self.tree.signals_left());
        let items = record.nodes.iter().filter(|node| !node.id.contains("::"));
        let items = items.filter_map(|node| Some((node.id.clone(), node.items?)));
        let items = items.map(|(id, items)| (id, (items.open, items.completed, items.failed)));
        assert_eq!(items.collect::<BTreeMap<_, _>>(), self.tree.items());
        if let finale_core::record::State::Ended(outcome) = &record.state
            && let finale_core::record::End::Completed { output } = &outcome.end
        {
            let declared = outcome.decided_by != finale_core::record::DecidedBy::AllSettled;
            let output: serde_json::Value = output.decode().expect("it is JSON");
            assert!(declared || Some(&output) == self.tree.output(), "{output:?}, not {:?}", self.tree.output());
        }
        let folded = Execution::fold(id(), &self.compiled, &self.history).expect("the history can be folded");
        assert!(folded == self.execution, "the state is the fold of its history");
    }

    fn live(seed: u64, mistake: Option<Mistake>) -> Self {
        let mut dice = Dice::new(seed);
        let mut twins = Self::new(&mut dice, mistake);
        let activation = twins.activation.clone();
        twins.tell(Input::Activate(activation.clone())).expect("it is new");
        twins.tree.activate(&activation).expect("it is new");
        for _ in 0..STEPS {
            twins.compare();
            twins.step(&mut dice);
        }
        twins.compare();
        twins
    }
}

fn id() -> ExecutionId {
    ExecutionId::from_uuid(uuid::Uuid::from_u128(7))
}

#[test]
fn maps_loops_and_groups_agree_with_the_naive_reading() {
    let mut seen = BTreeMap::<String, usize>::new();
    for seed in 0..SEEDS {
        let twins = catch_unwind(AssertUnwindSafe(|| Twins::live(seed, None)));
        let twins = twins.unwrap_or_else(|_| panic!("seed {seed}"));
        *seen.entry(twins.execution.status().to_string()).or_default() += 1;
        for (_, way) in &twins.dispatched {
            *seen.entry(format!("{} down", way.len().min(4))).or_default() += 1;
        }
        let is_wait = |(timer, _): &&(Timer, Way)| matches!(timer, Timer::Wait(_));
        let waits = twins.armed.iter().filter(is_wait).count();
        *seen.entry("waits".to_owned()).or_default() += waits;
        *seen.entry("delays".to_owned()).or_default() += twins.armed.len() - waits;
        *seen.entry("signals".to_owned()).or_default() += twins.signals as usize;
    }
    for wanted in
        ["completed", "failed", "cancelled", "1 down", "2 down", "3 down", "4 down", "delays", "waits", "signals"]
    {
        assert!(seen.get(wanted).is_some_and(|count| *count > 20), "{wanted} hardly comes up: {seen:?}");
    }
}

/// A comparison is worth what it finds.
#[test]
fn every_mistake_about_maps_and_loops_is_found() {
    for mistake in Mistake::ALL.into_iter().filter(|mistake| !mistake.is_about_ends()) {
        let is_found = |seed: u64| catch_unwind(|| drop(Twins::live(seed, Some(mistake)))).is_err();
        assert!((0..SEEDS).any(is_found), "nobody finds {mistake:?}");
    }
}
