//! A condition that the compiler refuses because it can never be true is never true, whatever happens.
//!
//! Random definitions get conditions that compare the status of an earlier node. What the compiler says of them is held
//! against runs of the same definitions with conditions that mean the same and that the compiler does not understand.

use finale_core::compile::{Code, Limits, check_graph};
use finale_core::definition::{Definition, EdgeKind, NodeKind, OnFailure, ParallelJoin, Policy, Siblings, TriggerRule};
use finale_core::{NodeStatus, Payload, Time};
use finale_tests::chart::chart;
use finale_tests::driven::Driven;
use finale_tests::random::{self, Case};
use finale_tests::scenario::Scenario;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

const CASES: usize = 3_000;

/// What the condition of a node compares; `is_plain` decides whether the compiler understands it.
fn comparison(seed: usize, node: usize, is_plain: bool) -> String {
    let other = seed % node;
    let status = ["completed", "failed", "skipped", "pending", "running", "cancelled"][seed / 13 % 6];
    let operator = if seed.is_multiple_of(3) { "!=" } else { "==" };
    let read = if is_plain { "" } else { " | string" };
    format!(r#"nodes["n{other}"].status{read} {operator} "{status}""#)
}

fn with_comparisons(definition: &Definition, seed: usize, is_plain: bool) -> Definition {
    let mut definition = definition.clone();
    for node in &mut definition.nodes {
        let number: usize = node.id[1..].parse().expect("the ids of random nodes are numbered");
        if let NodeKind::Conditional(conditional) = &mut node.kind {
            conditional.condition = Some(comparison(seed + number * 7, number, is_plain));
        }
    }
    definition
}

/// With rules the compiler says nothing of conditions, so that most definitions here have none.
fn without_rules(definition: &mut Definition) {
    for node in &mut definition.nodes {
        node.trigger_rule = TriggerRule::Default;
        if let NodeKind::ParallelJoin(join) = &mut node.kind {
            *join = ParallelJoin::default();
        }
    }
}

/// Ids of the nodes whose condition is refused.
fn refused(definition: &Definition) -> Vec<String> {
    let problems = check_graph(definition, &Limits::default());
    assert!(problems.iter().all(|problem| problem.code == Code::ConditionNeverTrue), "{problems:?}");
    problems.into_iter().flat_map(|problem| problem.nodes).collect()
}

/// Ids of the nodes whose condition was true.
fn came_true(definition: Definition, case: &Case) -> Vec<String> {
    let mut driven = Driven::new(definition);
    let mut now = 1_000;
    let mut tell = |driven: &mut Driven, input| {
        now += 1;
        // What does not fit is refused, and changes nothing.
        let _ = driven.tell(Time::from_micros(now), input);
    };
    let activation = driven.activation(Payload::NULL, None);
    tell(&mut driven, activation);
    for &seed in &case.inputs {
        let input = random::input(&driven, seed);
        tell(&mut driven, input);
    }
    for round in 0..200_u8 {
        if driven.execution().status().is_terminal() {
            break;
        }
        for (kind, more) in [(21, 0), (0, round), (10, round.wrapping_mul(3)), (15, round), (17, 0)] {
            let input = random::input(&driven, (kind, round, more));
            tell(&mut driven, input);
        }
    }
    let compiled = driven.definition();
    let is_true = |id: &&String| {
        let position = compiled.position(id).expect("it is a node");
        driven.execution().taken(finale_core::WorkKey::root(position)) == Some(EdgeKind::ConditionalTrue)
    };
    let ids: Vec<_> = compiled.definition().nodes.iter().map(|node| node.id.clone()).collect();
    ids.iter().filter(is_true).cloned().collect()
}

#[test]
fn a_condition_that_is_refused_is_never_true() {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let policies =
        [OnFailure::FailFast, OnFailure::WaitAll, OnFailure::Tolerate { count: 0 }, OnFailure::Tolerate { count: 2 }];
    let (mut refusals, mut truths) = (0, 0);
    for round in 0..CASES {
        let case = random::cases().new_tree(&mut runner).expect("cases can be drawn").current();
        let policy = Policy { on_failure: policies[round / 4 % 4], siblings: Siblings::Cancel };
        let mut definition = case.definition(policy);
        definition.output = None;
        if !round.is_multiple_of(4) {
            without_rules(&mut definition);
        }
        let refused = refused(&with_comparisons(&definition, round, true));
        let came_true = came_true(with_comparisons(&definition, round, false), &case);
        for id in &came_true {
            assert!(!refused.contains(id), "round {round}: {id} was true and is refused\n{definition:#?}");
        }
        refusals += refused.len();
        truths += came_true.len();
    }
    assert!(refusals > 200 && truths > 200, "{refusals} were refused and {truths} were true: too few to tell");
}

/// The random definitions have too many ways round their joins to come to this.
#[test]
fn a_condition_behind_a_join_sees_a_failure_that_is_tolerated() {
    let chart = chart("s>p p:branch>a p:branch>b a>join b>join join>c c:true>x c:false>e x>e");
    let chart = chart.condition("c", "nodes.a.status == 'failed'").on_failure(OnFailure::Tolerate { count: 1 });
    let _story = Scenario::new(chart)
        .activate()
        .fail("a", "no luck")
        .complete("b", Value::Null)
        .expect_node("x", NodeStatus::Running);
}
