//! `saga.yaml` and `backup.yaml`: what is undone and what runs at the end, in the core alone, with a cancel or a crash anywhere.

use std::collections::BTreeMap;

use finale_core::compile::{Registry, compile};
use finale_core::execution::{Command, Effect, Execution, Input, Report, Turn};
use finale_core::fact::{Activation, StopOutcome, Timer};
use finale_core::failure::{Failure, FailureClass};
use finale_core::{Compiled, Epoch, ExecutionId, ExecutionStatus, Payload, Time};
use finale_formats::{Format, load};

/// An execution in which everything is done at once, but what is to fail.
struct Story {
    compiled: Compiled,
    execution: Execution,
    turn: Turn,
    /// The paths of what fails.
    fails: Vec<&'static str>,
    /// When somebody cancels it: after so many handlers.
    cancelled_after: Option<usize>,
    /// Whether the process crashes after each handler.
    crashes: bool,
    /// The paths of what was done, in order; with `!` behind those that failed.
    done: Vec<String>,
    /// What some of it was given.
    given: BTreeMap<String, String>,
}

impl Story {
    fn of(file: &str) -> Self {
        let path = format!("{}/../examples/definitions/{file}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read(&path).expect("the file is there");
        let loaded = load(&text, Format::Auto, file).unwrap_or_else(|error| panic!("{error}"));
        let compiled = compile(loaded.definition, &Registry::new()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(compiled.warnings(), [], "{file}");
        let execution = Execution::new(ExecutionId::from_uuid(uuid::Uuid::from_u128(7)), &compiled);
        let (turn, done, given) = (Turn::new(), Vec::new(), BTreeMap::new());
        Self { compiled, execution, turn, fails: Vec::new(), cancelled_after: None, crashes: false, done, given }
    }

    fn failing(mut self, paths: &[&'static str]) -> Self {
        self.fails = paths.to_vec();
        self
    }

    fn cancelled_after(self, count: usize) -> Self {
        Self { cancelled_after: Some(count), ..self }
    }

    fn crashing(self) -> Self {
        Self { crashes: true, ..self }
    }

    fn tell(&mut self, input: Input) {
        self.execution.handle(&self.compiled, Time::default(), input, &mut self.turn).expect("it is taken");
        self.turn.discard();
    }

    fn live(mut self, input: &str) -> Self {
        self.tell(Input::Activate(Activation {
            definition: self.compiled.hash(),
            semantics: finale_core::execution::SEMANTICS,
            input: Payload::from_json(input.as_bytes()).expect("it is JSON"),
            by: "tester".into(),
            deadline: None,
            idempotency_key: None,
            business_key: None,
        }));
        while self.step() {}
        assert!(self.execution.status().is_terminal(), "{:?}", self.execution.why(&self.compiled));
        self
    }

    /// Lets the first thing happen that is under way.
    fn step(&mut self) -> bool {
        if self.cancelled_after == Some(self.done.len()) && self.execution.status() == ExecutionStatus::Running {
            self.tell(Input::Command(Command::Cancel { by: "me".into() }));
        }
        let under_way = self.execution.under_way(&self.compiled);
        let is_stopped = |dispatch| {
            under_way
                .iter()
                .any(|effect| matches!(effect, Effect::Stop { dispatch: stopped, .. } if *stopped == dispatch))
        };
        let backoff = under_way.iter().find_map(|effect| match effect {
            Effect::ArmTimer { timer: timer @ Timer::Backoff(..), .. } => Some(*timer),
            _ => None,
        });
        let work = under_way.iter().find_map(|effect| match effect {
            Effect::Run { dispatch, input } => Some((*dispatch, input.clone(), true)),
            Effect::Offer { dispatch, input, .. } => Some((*dispatch, Some(input.clone()), false)),
            _ => None,
        });
        let Some((dispatch, input, is_run)) = work else {
            let Some(timer) = backoff else { return false };
            self.tell(Input::TimerFired(timer));
            return true;
        };
        if is_stopped(dispatch) {
            self.tell(Input::Stopped { dispatch, how: StopOutcome::Stopped });
            return true;
        }
        if self.crashes && dispatch.attempt.get() == 1 && is_run {
            self.tell(Input::Recovered { epoch: Epoch(self.execution.epoch().0 + 1), crashed: true });
            self.crashes = false;
            let again = self.step();
            self.crashes = true;
            return again;
        }
        let path = self.execution.path(&self.compiled, dispatch.key).expect("it is open").to_string();
        if let Some(input) = input {
            self.given.insert(path.clone(), String::from_utf8_lossy(input.as_bytes()).into_owned());
        }
        let result = if self.fails.contains(&path.as_str()) {
            self.done.push(format!("{path}!"));
            Err(Failure::new(FailureClass::Failed, "so it is").permanent())
        } else {
            self.done.push(path.clone());
            Ok(Payload::encode(&format!("of {path}")).expect("it is JSON"))
        };
        self.tell(match is_run {
            true => Input::Outcome { dispatch, result, started: Time::default(), ended: Time::default() },
            false => Input::Reported(Report::new(dispatch.key, result)),
        });
        true
    }

    fn ends(&self, status: ExecutionStatus, done: &str) {
        assert_eq!(self.done.join(" "), done);
        assert_eq!(self.execution.status(), status);
    }

    fn ending_failures(&self) -> Vec<String> {
        let outcome = self.execution.end_outcome(&self.compiled).expect("it has ended");
        outcome.ending_failures.iter().map(ToString::to_string).collect()
    }
}

fn saga() -> Story {
    Story::of("saga.yaml")
}

const KETTLE: &str = r#"{"item": "kettle", "euros": 20.5}"#;

#[test]
fn a_saga_that_completes_undoes_nothing() {
    use ExecutionStatus::Completed;

    let story = saga().live(KETTLE);
    story.ends(Completed, "reserve charge ship @finally::finally");
    assert_eq!(story.given["@finally::finally"], r#"{"verdict":"completed","error":null,"item":"kettle"}"#);
    let story = saga().failing(&["ship"]).live(KETTLE);
    story.ends(Completed, "reserve charge ship! pick_up @finally::finally");
    let story = saga().failing(&["@finally::finally"]).live(KETTLE);
    story.ends(Completed, "reserve charge ship @finally::finally!");
    assert_eq!(story.ending_failures(), ["finally failed: @finally::finally failed: so it is"]);
}

#[test]
fn a_saga_that_fails_undoes_what_was_done_the_last_thing_first() {
    use ExecutionStatus::Failed;

    saga().failing(&["reserve"]).live(KETTLE).ends(Failed, "reserve! @finally::finally");
    let undone = "reserve charge! reserve@compensate::reserve @finally::finally";
    saga().failing(&["charge"]).live(KETTLE).ends(Failed, undone);
    let undone =
        "reserve charge ship! pick_up! charge@compensate::charge reserve@compensate::reserve @finally::finally";
    let story = saga().failing(&["ship", "pick_up"]).live(KETTLE);
    story.ends(Failed, undone);
    assert_eq!(story.given["charge@compensate::charge"], r#"{"receipt":"of charge","euros":20.5}"#);
    assert_eq!(story.given["reserve@compensate::reserve"], r#""of reserve""#);
    let story = saga().failing(&["ship", "pick_up", "charge@compensate::charge"]).live(KETTLE);
    story.ends(Failed, &undone.replace("@compensate::charge", "@compensate::charge!"));
    let told = "the compensation of charge failed: charge@compensate::charge failed: so it is";
    assert_eq!(story.ending_failures(), [told]);
}

#[test]
fn a_saga_that_is_cancelled_undoes_what_was_done_so_far() {
    let ends = [
        "@finally::finally",
        "reserve reserve@compensate::reserve @finally::finally",
        "reserve charge charge@compensate::charge reserve@compensate::reserve @finally::finally",
    ];
    for (count, done) in ends.into_iter().enumerate() {
        saga().cancelled_after(count).live(KETTLE).ends(ExecutionStatus::Cancelled, done);
    }
}

/// Whatever fails, and whenever it is cancelled: with a crash over each handler it ends as without.
#[test]
fn a_crash_over_every_handler_changes_no_end() {
    let all = [
        "reserve",
        "charge",
        "ship",
        "pick_up",
        "charge@compensate::charge",
        "reserve@compensate::reserve",
        "@finally::finally",
    ];
    for failing in 0..1_usize << all.len() {
        let fails: Vec<_> = (0..all.len()).filter(|bit| failing & (1 << bit) != 0).map(|bit| all[bit]).collect();
        for cancelled in [None, Some(1), Some(2), Some(3)] {
            let story = || Story { cancelled_after: cancelled, ..saga().failing(&fails) };
            let (straight, crashing) = (story().live(KETTLE), story().crashing().live(KETTLE));
            assert_eq!(crashing.done, straight.done, "{fails:?}");
            assert_eq!(crashing.execution.status(), straight.execution.status(), "{fails:?}");
            assert_eq!(crashing.ending_failures(), straight.ending_failures(), "{fails:?}");
        }
    }
}

const TWO: &str = r#"{"databases": ["users", "orders"]}"#;

fn backup() -> Story {
    Story::of("backup.yaml")
}

fn sorted(story: &Story) -> Vec<&str> {
    let mut done: Vec<_> = story.done.iter().map(String::as_str).collect();
    done.sort_unstable();
    done
}

#[test]
fn a_backup_cleans_up_after_each_database_and_tells_somebody_whatever_happens() {
    let all = [
        "@finally::report",
        "dump[0]::@finally::finally",
        "dump[0]::dump",
        "dump[0]::upload",
        "dump[1]::@finally::finally",
        "dump[1]::dump",
        "dump[1]::upload",
        "lock",
        "prune",
        "unlock",
    ];
    let story = backup().live(TWO);
    assert_eq!((sorted(&story), story.execution.status()), (all.to_vec(), ExecutionStatus::Completed));
    assert_eq!(story.done.last().map(String::as_str), Some("@finally::report"));

    // One of two may fail, and its file is removed all the same.
    let story = backup().failing(&["dump[0]::upload", "prune"]).live(TWO);
    assert_eq!(story.execution.status(), ExecutionStatus::Completed);
    assert!(story.done.contains(&"dump[0]::@finally::finally".to_owned()), "{:?}", story.done);

    // Both: the lock is broken, because nobody releases it any more, and the operator is called.
    let story = backup().failing(&["dump[0]::upload", "dump[1]::dump"]).live(TWO);
    assert_eq!(story.execution.status(), ExecutionStatus::Failed);
    let end = ["lock@compensate::lock", "@finally::report", "@finally::alarm"];
    assert_eq!(story.done[story.done.len() - 3..], end, "{:?}", story.done);
    assert_eq!(story.given["lock@compensate::lock"], r#""of lock""#);
    let removed = story.done.iter().filter(|path| path.ends_with("::@finally::finally")).count();
    assert_eq!(removed, 2);
}

#[test]
fn a_backup_that_is_cancelled_removes_its_files_and_breaks_its_lock() {
    let story = backup().cancelled_after(2).live(TWO);
    assert_eq!(story.execution.status(), ExecutionStatus::Cancelled);
    let end = ["lock@compensate::lock", "@finally::report", "@finally::alarm"];
    assert_eq!(story.done[story.done.len() - 3..], end, "{:?}", story.done);
    assert_eq!(story.done.iter().filter(|path| path.ends_with("::@finally::finally")).count(), 2);
    // What fails at the end keeps nothing of the rest from being done.
    let story = backup().failing(&["unlock", "lock@compensate::lock", "@finally::report"]).live(TWO);
    assert_eq!(story.execution.status(), ExecutionStatus::Failed);
    assert_eq!(story.done.last().map(String::as_str), Some("@finally::alarm"));
    assert_eq!(story.ending_failures().len(), 2);
}
