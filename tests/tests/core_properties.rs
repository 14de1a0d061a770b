//! Random definitions, random inputs: the core must agree with the naive reading of the semantics at every step.
//!
//! The cases are the same in every run. `FINALE_SEED=<number>` draws others, `FINALE_CASES=<number>` more or fewer.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use finale_core::definition::{Definition, Node, OnFailure, Policy, Siblings};
use finale_core::execution::{Command, Execution, Input};
use finale_core::fact::Fact;
use finale_core::record::{End, NodeRecord, NodeRecordState, Outcome, State};
use finale_core::{Payload, Time};
use finale_tests::driven::Driven;
use finale_tests::naive::{Misreading, Naive, No};
use finale_tests::random::{self, Case};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use serde_json::Value;

/// Cases of all tests in this file together.
const CASES: u32 = 20_000;
const SEED: u64 = 1;

#[test]
fn fail_fast_agrees_with_the_naive_reading() {
    check(OnFailure::FailFast, Siblings::Cancel);
}

#[test]
fn fail_fast_that_lets_siblings_finish_agrees_with_the_naive_reading() {
    check(OnFailure::FailFast, Siblings::Finish);
}

#[test]
fn wait_all_agrees_with_the_naive_reading() {
    check(OnFailure::WaitAll, Siblings::Finish);
}

#[test]
fn tolerate_agrees_with_the_naive_reading() {
    check(OnFailure::Tolerate { count: 1 }, Siblings::Cancel);
}

#[test]
fn tolerate_that_lets_siblings_finish_agrees_with_the_naive_reading() {
    check(OnFailure::Tolerate { count: 2 }, Siblings::Finish);
}

/// A comparison is worth what it finds: each mistake is planted in the second reading, and must be found.
#[test]
fn every_rule_that_is_misread_is_found() {
    const CASES_MAX: usize = 6_000;
    silence_while_shrinking();
    let ways = [OnFailure::FailFast, OnFailure::WaitAll, OnFailure::Tolerate { count: 1 }];
    for misreading in Misreading::ALL {
        let mut runner = TestRunner::new_with_rng(Config::default(), rng(SEED));
        let is_found = |round: usize| {
            let case = random::cases().new_tree(&mut runner).expect("cases can be drawn").current();
            let siblings = if round.is_multiple_of(2) { Siblings::Cancel } else { Siblings::Finish };
            let definition = case.definition(Policy { on_failure: ways[round % 3], siblings });
            let naive = Naive::misread(definition.clone(), misreading);
            catch_unwind(AssertUnwindSafe(|| drive_beside(&case, naive, definition))).is_err()
        };
        QUIET.set(true);
        let found = (0..CASES_MAX).position(is_found);
        QUIET.set(false);
        assert!(found.is_some(), "{misreading:?} is not found in {CASES_MAX} cases");
    }
}

/// A comparison is worth as much as what comes up in it.
#[test]
fn the_random_cases_come_to_every_kind_of_end_and_of_node() {
    let mut seen = BTreeSet::new();
    let policies = [OnFailure::FailFast, OnFailure::WaitAll, OnFailure::Tolerate { count: 1 }];
    let mut runner = TestRunner::new_with_rng(Config::default(), rng(SEED));
    for round in 0..600 {
        let case = random::cases().new_tree(&mut runner).expect("cases can be drawn").current();
        let policy = Policy { on_failure: policies[round % 3], siblings: Siblings::Cancel };
        let driven = drive(&case, policy);
        let record = driven.execution().record(driven.definition());
        let State::Ended(Outcome { decided_by, .. }) = &record.state else {
            panic!("it is over and its record does not say so");
        };
        let clause = serde_json::to_value(decided_by).expect("it is JSON")["clause"].to_string();
        seen.insert(clause);
        let node = |node: &NodeRecord| format!("{} {}", node.kind, node.state.status());
        seen.extend(record.nodes.iter().map(node));
        seen.extend(recoveries(&driven));
    }
    let clauses = ["all_settled", "fail_fast", "wait_all", "tolerate", "operator", "deadline", "output", "cancelled"];
    let clauses = clauses.map(|clause| format!("\"{clause}\""));
    let works = ["completed", "failed", "cancelled", "skipped"].map(|status| format!("task {status}"));
    let others = [
        "parallel_join completed",
        "verification cancelled",
        "conditional failed",
        "conditional completed",
        "wait completed",
        "wait failed",
        "wait cancelled",
    ];
    let recoveries =
        ["running: goes on", "running: it is over", "ending: it is over", "a second life", "never run again"];
    let others = others.into_iter().chain(recoveries);
    for wanted in clauses.into_iter().chain(works).chain(others.map(str::to_owned)) {
        assert!(seen.contains(&wanted), "{wanted} never comes up; what does: {seen:?}");
    }
}

/// What recoveries there were, and what came of them.
fn recoveries(driven: &Driven) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let facts = driven.facts();
    for (known, recorded) in (0..).zip(&facts) {
        let Fact::Recovered { epoch, .. } = recorded.fact else {
            continue;
        };
        let before = Execution::fold_up_to(driven.execution().id(), driven.definition(), driven.history(), known);
        let status = before.expect("a prefix of a history can be folded").status();
        let is_over = facts.get(known as usize + 1).is_some_and(|next| matches!(next.fact, Fact::Ended(_)));
        seen.insert(format!("{status}: {}", if is_over { "it is over" } else { "goes on" }));
        if epoch.0 > 3 {
            seen.insert("a second life".to_owned());
        }
    }
    let record = driven.execution().record(driven.definition());
    let is_given_up = |node: &NodeRecord| matches!(&node.state, NodeRecordState::Failed { error, .. } if error.ends_with("must not be run again"));
    if record.nodes.iter().any(is_given_up) {
        seen.insert("never run again".to_owned());
    }
    seen
}

fn rng(seed: u64) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

thread_local! {
    /// While a failing case is made smaller, each smaller one panics; only what is left of it is worth reading.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

fn silence_while_shrinking() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !QUIET.get() {
                loud(panic);
            }
        }));
    });
}

fn check(on_failure: OnFailure, siblings: Siblings) {
    silence_while_shrinking();
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().expect("a number is wanted"));
    let seed: u64 = number("FINALE_SEED").unwrap_or(SEED);
    let all = number("FINALE_CASES").unwrap_or(CASES.into());
    let cases = u32::try_from(all / 5).expect("so many cases take for ever");
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, rng(seed));
    let policy = Policy { on_failure, siblings };
    QUIET.set(true);
    let outcome = runner.run(&random::cases(), |case| {
        drive(&case, policy);
        Ok(())
    });
    QUIET.set(false);
    if let Err(error) = outcome {
        let again = format!("FINALE_SEED={seed} FINALE_CASES={all} cargo test -p finale-tests --test core_properties");
        let drawn = match &error {
            TestError::Fail(_, case) => describe(&case.definition(policy)),
            TestError::Abort(_) => String::new(),
        };
        panic!("{policy:?}: {error}\n{drawn}run it again: {again}");
    }
}

/// A definition, a line for each node.
fn describe(definition: &Definition) -> String {
    let of_node = |node: &Node| {
        let edges = definition.edges.iter().filter(|edge| edge.source == node.id);
        let edges: Vec<_> = edges.map(|edge| format!("{} ({})", edge.target, edge.kind.name())).collect();
        format!("{} -> {}: {} {:?}\n", node.id, edges.join(", "), node.rule(), node.kind)
    };
    definition.nodes.iter().map(of_node).collect()
}

/// The core and the naive reading side by side.
struct Both {
    driven: Driven,
    naive: Naive,
    now: i64,
}

fn drive(case: &Case, policy: Policy) -> Driven {
    let definition = case.definition(policy);
    drive_beside(case, Naive::new(definition.clone()), definition)
}

fn drive_beside(case: &Case, naive: Naive, definition: Definition) -> Driven {
    let mut both = Both { driven: Driven::new(definition), naive, now: 1_000 };
    let (_, x, has_deadline) = case.head;
    let too_early = Input::Command(Command::Cancel { by: "nobody".into() });
    both.tell(&too_early);
    let input = Payload::encode(&serde_json::json!({ "x": x / 32 })).expect("it is JSON");
    let deadline = has_deadline.then_some(Time::from_micros(9_000));
    both.tell(&both.driven.activation(input, deadline));
    for &seed in &case.inputs {
        // Clocks may go back now and then.
        both.now += i64::from(seed.2) - 20;
        both.tell(&random::input(&both.driven, seed));
    }
    both.finish();
    both.driven.check_history();
    both.driven
}

impl Both {
    fn tell(&mut self, input: &Input) {
        let answer = self.driven.tell(Time::from_micros(self.now), input.clone());
        let begun_at = self.driven.facts().last().map(|recorded| recorded.at);
        self.naive.set_time(begun_at.unwrap_or_default());
        let expected = self.naive.tell(input, self.driven.steps());
        let answer = answer.as_ref().map(|_| ()).map_err(No::from);
        assert_eq!(answer, expected, "the answer to {input:?}");
        assert_eq!(self.driven.execution().status(), self.naive.status(), "the status after {input:?}");
        assert_eq!(self.driven.nodes(), self.naive.nodes(), "the nodes after {input:?}");
        assert_eq!(self.driven.execution().losses(), self.naive.losses(), "the losses after {input:?}");
        let record = self.driven.execution().record(self.driven.definition());
        let signals =
            record.signals.into_iter().map(|signal| (signal.name, signal.payload.decode().expect("it is JSON")));
        assert_eq!(signals.collect::<Vec<_>>(), self.naive.signals_left(), "the signals left after {input:?}");
    }

    /// Does whatever is asked for until it is over, then looks at the result.
    fn finish(&mut self) {
        let mut steps = 0;
        while !self.driven.execution().status().is_terminal() {
            steps += 1;
            assert!(steps < 200, "it never ends");
            let seeds = [(21, 0, 0), (0, 0, 0), (10, 0, 1), (15, 0, 0), (17, 0, 0), (22, 0, 5), (21, 0, 0), (32, 0, 1)];
            for seed in seeds {
                self.tell(&random::input(&self.driven, seed));
            }
        }
        let record = self.driven.execution().record(self.driven.definition());
        assert_eq!(record.counts.handled as usize, self.naive.handled(), "how many failures are handled");
        let State::Ended(outcome) = record.state else {
            panic!("it is over and its record does not say so");
        };
        match outcome.end {
            End::Completed { output } => {
                assert_eq!(Some(&output.decode::<Value>().expect("outputs are JSON")), self.naive.output());
            }
            End::Failed { error } => {
                self.compare_failures(error.failures().iter().map(|failure| failure.node.as_str()));
            }
            End::Cancelled { by } => assert_eq!(by, "an operator"),
        }
    }

    fn compare_failures<'a>(&self, failures: impl Iterator<Item = &'a str>) {
        let definition = self.driven.definition();
        let position = |id: &str| definition.position(id).expect("the node exists").as_usize();
        assert_eq!(failures.map(position).collect::<Vec<_>>(), self.naive.failures());
    }
}
