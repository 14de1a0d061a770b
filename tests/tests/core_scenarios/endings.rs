//! Random workflows with `finally` and `compensate`: the core must agree with the naive reading at every step.

use std::collections::BTreeMap;
use std::panic::catch_unwind;

use finale_core::definition::Verdict;
use finale_core::execution::{Command, Effect, Execution, Input, Report, Turn};
use finale_core::fact::{Activation, Facts, Operation, OperatorAction, Signalled, StopOutcome, Timer};
use finale_core::failure::{Failure, FailureClass};
use finale_core::{Compiled, Epoch, ExecutionId, Payload, Time, WaitingFor, WorkKey};
use finale_tests::dice::Dice;
use finale_tests::endings::{Twin, compiled};
use finale_tests::naive::Mistake;

const SEEDS: u64 = 2_500;
const STEPS: usize = 60;

struct Lived {
    compiled: Compiled,
    execution: Execution,
    twin: Twin,
    turn: Turn,
    history: Vec<u8>,
    epoch: u32,
    seen: BTreeMap<&'static str, usize>,
}

impl Lived {
    fn new(dice: &mut Dice, mistake: Option<Mistake>) -> Self {
        let compiled = compiled(dice);
        let twin = Twin::new(compiled.definition(), mistake);
        let execution = Execution::new(id(), &compiled);
        let (turn, history, seen) = (Turn::new(), Vec::new(), BTreeMap::new());
        Self { compiled, execution, twin, turn, history, epoch: 0, seen }
    }

    fn tell(&mut self, input: Input) {
        let mut before = self.execution.clone();
        if self.execution.handle(&self.compiled, Time::default(), input, &mut self.turn).is_err() {
            return;
        }
        for recorded in Facts::new(self.turn.facts()) {
            let recorded = recorded.expect("it can be read");
            self.twin.take(&self.compiled, &before, &recorded.fact).unwrap_or_else(|told| panic!("{told}"));
            before.apply(&self.compiled, recorded.at, recorded.fact, &mut ()).expect("it fits");
        }
        assert!(before == self.execution, "the state is the fold of its history");
        self.history.extend_from_slice(self.turn.facts());
        self.turn.discard();
        if let Some(difference) = self.twin.difference(&self.compiled, &self.execution) {
            panic!("{difference}");
        }
    }

    fn note(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    fn step(&mut self, dice: &mut Dice) {
        let command = |command| Input::Command(command);
        match dice.below(40) {
            0 => self.tell(command(Command::Cancel { by: "me".into() })),
            1 => self.tell(command(Command::Complete { by: "me".into() })),
            2 => self.tell(command(Command::Fail { by: "me".into(), reason: "no".into() })),
            3 if dice.one_in(3) => self.tell(command(Command::ForceCancel { by: "me".into() })),
            4..=6 if !self.execution.status().is_terminal() => {
                self.epoch += 1;
                self.tell(Input::Recovered { epoch: Epoch(self.epoch), crashed: true });
            }
            _ => self.work(dice),
        }
    }

    /// Something that is under way comes to its result, or somebody says what is waited for.
    fn work(&mut self, dice: &mut Dice) {
        if dice.one_in(3) && self.help(dice) {
            return;
        }
        let under_way = self.execution.under_way(&self.compiled);
        let is_work = |effect: &&Effect| {
            let is_task = matches!(effect, Effect::Run { .. } | Effect::Offer { .. });
            is_task || matches!(effect, Effect::ArmTimer { timer, .. } if *timer != Timer::EndingWithin)
        };
        let work: Vec<_> = under_way.iter().filter(is_work).collect();
        let stops = |wanted| {
            under_way.iter().any(|effect| matches!(effect, Effect::Stop { dispatch, .. } if *dispatch == wanted))
        };
        if work.is_empty() {
            return;
        }
        let result = match dice.below(6) {
            0 => Err(Failure::new(FailureClass::Failed, "so it is")),
            1 => Ok("true".to_owned()),
            2 => Ok("false".to_owned()),
            _ => Ok(dice.below(9).to_string()),
        };
        let result = result.map(|json| Payload::from_json(json.as_bytes()).expect("it is JSON"));
        let input = match *dice.choose(&work) {
            Effect::Run { dispatch, .. } if stops(*dispatch) && dice.one_in(2) => {
                Input::Stopped { dispatch: *dispatch, how: StopOutcome::Stopped }
            }
            Effect::Run { dispatch, .. } => {
                Input::Outcome { dispatch: *dispatch, result, started: Time::default(), ended: Time::default() }
            }
            Effect::Offer { dispatch, .. } => Input::Reported(Report::new(dispatch.key, result)),
            Effect::ArmTimer { timer, .. } => Input::TimerFired(*timer),
            other => panic!("{other:?} is no work"),
        };
        match &input {
            Input::Outcome { dispatch, .. } => {
                let path = self.path(dispatch.key);
                let parts = [("@compensate", "undoing"), ("@finally", "finally"), ("]::", "item"), ("#", "round")];
                parts.iter().filter(|(part, _)| path.contains(part)).for_each(|(_, what)| self.note(what));
            }
            Input::TimerFired(Timer::Wait(key)) if self.is_of_end(*key) => self.note("a wait in an end"),
            Input::TimerFired(Timer::Total(key)) if self.is_of_end(*key) => self.note("a time in all in an end"),
            Input::TimerFired(Timer::Backoff(key, _)) if self.is_of_end(*key) => {
                self.note("a further attempt in an end");
            }
            _ => {}
        }
        self.tell(input);
    }

    /// Somebody judges, sends a signal, or says how it goes on with what is held; false if nothing waits for that.
    fn help(&mut self, dice: &mut Dice) -> bool {
        let path = |node: &str| node.parse().ok().and_then(|path| self.execution.resolve(&self.compiled, &path));
        let awaited = self.execution.why(&self.compiled).awaited.into_iter();
        let awaited = awaited.filter_map(|awaited| Some((path(&awaited.node)?, awaited.waiting_for?)));
        let awaited: Vec<_> = awaited.collect();
        let Some((key, waiting_for)) = dice.pick(&awaited) else { return false };
        let input = match waiting_for {
            WaitingFor::Verdict => {
                let verdict = *dice.choose(&[Verdict::Pass, Verdict::Fail, Verdict::Refer]);
                Input::Verdict { key, verdict, by: "a judge".into() }
            }
            WaitingFor::Signal => {
                let awaits = |(other, _): &(WorkKey, &str)| *other == key;
                let (_, name) = self.execution.awaited_signals().find(awaits).expect("it waits for a signal");
                let payload = Payload::from_json(b"7").expect("it is JSON");
                Input::Signal(Signalled { name: name.into(), payload, by: "somebody".into(), id: None })
            }
            WaitingFor::Operator => {
                let completes = OperatorAction::Complete(Payload::NULL);
                let actions = [OperatorAction::Retry, OperatorAction::Fail, OperatorAction::Skip, completes];
                let action = dice.choose(&actions).clone();
                Input::Operate(Operation { key, by: "an operator".into(), reason: "so it is".into(), action })
            }
            // What is inside of a node is ended before the node is.
            WaitingFor::Scope if dice.one_in(4) => {
                let completes = OperatorAction::Complete(Payload::NULL);
                let action = dice.choose(&[OperatorAction::Fail, OperatorAction::Skip, completes]).clone();
                Input::Operate(Operation { key, by: "an operator".into(), reason: "so it is".into(), action })
            }
            _ => return false,
        };
        if self.is_of_end(key) {
            match waiting_for {
                WaitingFor::Verdict => self.note("a verdict in an end"),
                WaitingFor::Signal => self.note("a signal in an end"),
                _ => self.note("held in an end"),
            }
        }
        self.tell(input);
        true
    }

    fn path(&self, key: WorkKey) -> String {
        self.execution.path(&self.compiled, key).expect("it is open").to_string()
    }

    fn is_of_end(&self, key: WorkKey) -> bool {
        self.path(key).contains('@')
    }

    fn live(seed: u64, mistake: Option<Mistake>) -> Self {
        let mut dice = Dice::new(seed);
        let mut lived = Self::new(&mut dice, mistake);
        let activation = Activation {
            definition: lived.compiled.hash(),
            semantics: finale_core::execution::SEMANTICS,
            input: Payload::from_json(br#"{"x": 1}"#).expect("it is JSON"),
            by: "tester".into(),
            deadline: None,
            idempotency_key: None,
            business_key: None,
        };
        lived.tell(Input::Activate(activation));
        for _ in 0..STEPS {
            lived.step(&mut dice);
        }
        let folded = Execution::fold(id(), &lived.compiled, &lived.history).expect("it can be folded");
        assert!(folded == lived.execution);
        lived
    }
}

fn id() -> ExecutionId {
    ExecutionId::from_uuid(uuid::Uuid::from_u128(7))
}

#[test]
fn ends_of_scopes_agree_with_the_naive_reading() {
    let mut seen = BTreeMap::<&str, usize>::new();
    for seed in 0..SEEDS {
        let lived = catch_unwind(|| Lived::live(seed, None)).unwrap_or_else(|_| panic!("seed {seed}"));
        *seen.entry(lived.execution.status().name()).or_default() += 1;
        for (what, count) in lived.seen {
            *seen.entry(what).or_default() += count;
        }
    }
    for wanted in ["completed", "failed", "cancelled", "undoing", "finally", "item", "round"] {
        assert!(seen.get(wanted).is_some_and(|count| *count > 100), "{wanted} hardly comes up: {seen:?}");
    }
    for wanted in ["wait", "verdict", "signal", "time in all", "further attempt"] {
        let wanted = format!("a {wanted} in an end");
        assert!(seen.get(&*wanted).is_some_and(|count| *count > 30), "{wanted} hardly comes up: {seen:?}");
    }
}

/// A comparison is worth what it finds.
#[test]
fn every_mistake_about_the_ends_of_scopes_is_found() {
    for mistake in Mistake::ABOUT_ENDS.iter().copied() {
        let is_found = |seed: u64| catch_unwind(|| drop(Lived::live(seed, Some(mistake)))).is_err();
        assert!((0..SEEDS).any(is_found), "nobody finds {mistake:?}");
    }
}
