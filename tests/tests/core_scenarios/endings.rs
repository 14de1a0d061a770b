//! Random workflows with `finally` and `compensate`: the core must agree with the naive reading at every step.

use std::collections::BTreeMap;
use std::panic::catch_unwind;

use finale_core::execution::{Command, Effect, Execution, Input, Report, Turn};
use finale_core::fact::{Activation, Facts, StopOutcome, Timer};
use finale_core::failure::{Failure, FailureClass};
use finale_core::{Compiled, Epoch, ExecutionId, Payload, Time};
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

    /// Something that is under way comes to its result.
    fn work(&mut self, dice: &mut Dice) {
        let under_way = self.execution.under_way(&self.compiled);
        let is_work = |effect: &&Effect| {
            matches!(
                effect,
                Effect::Run { .. } | Effect::Offer { .. } | Effect::ArmTimer { timer: Timer::Round(..), .. }
            )
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
        if let Input::Outcome { dispatch, .. } = &input {
            let path = self.execution.path(&self.compiled, dispatch.key).expect("it is open").to_string();
            for (part, what) in [("@compensate", "undoing"), ("@finally", "finally"), ("]::", "item"), ("#", "round")] {
                if path.contains(part) {
                    self.note(what);
                }
            }
        }
        self.tell(input);
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
}

/// A comparison is worth what it finds.
#[test]
fn every_mistake_about_the_ends_of_scopes_is_found() {
    for mistake in Mistake::ABOUT_ENDS.iter().copied() {
        let is_found = |seed: u64| catch_unwind(|| drop(Lived::live(seed, Some(mistake)))).is_err();
        assert!((0..SEEDS).any(is_found), "nobody finds {mistake:?}");
    }
}
