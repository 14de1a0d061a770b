//! What can be told of an execution: why, and its history.

use super::*;

#[test]
fn why_says_what_a_waiting_execution_waits_for() {
    let chart = chart("s>p p:branch>a p:branch>b p:branch>c a>e b>e c>e");
    let chart = chart.outside("b").task("b", |task| task.assignee = Some("kim".to_owned()));
    let scenario = Scenario::new(chart.task("c", retried(2, SECOND))).activate().fail("c", "once");
    let since = "since 1970-01-01T00:00:01.000000Z";
    let waits = format!(
        "running\n  waits at \"Do a\" (a) for attempt 1 by handler a {since}\n  waits at \"Do b\" (b) for attempt 1 by kim \
         {since}\n  waits at \"Do c\" (c) for attempt 2 at 1970-01-01T00:00:02.000000Z {since}"
    );
    assert_eq!(scenario.why(), waits);
}

#[test]
fn why_says_why_an_execution_failed() {
    let scenario = Scenario::new(chart("s>a a>e")).activate().fail("a", "no luck");
    assert_eq!(scenario.why(), r#"failed: task "Do a" (a) failed: no luck"#);
}

#[test]
fn the_last_outcome_and_the_end_are_facts_of_one_turn_and_always_the_same_bytes() {
    let tell = || Scenario::new(chart("s>a a>e")).activate().complete("a", json!({"id": 7}));
    let mut histories = Vec::new();
    for _ in 0..2 {
        let _story = tell().look(|driven| {
            let facts: Vec<Fact> = driven.facts().into_iter().map(|recorded| recorded.fact).collect();
            assert!(matches!(facts[..], [Fact::Activated(_), Fact::Outcome { .. }, Fact::Ended(_)]), "{facts:?}");
            histories.push(driven.history().to_vec());
        });
    }
    assert_eq!(histories[0], histories[1]);
}

#[test]
fn time_never_runs_backwards_in_a_history() {
    let early = Time::from_micros(5);
    let _story = Scenario::new(chart("s>a a>b b>e")).activate().clock(early).complete("a", NULL).look(|driven| {
        let times: Vec<Time> = driven.facts().iter().map(|recorded| recorded.at).collect();
        assert_eq!(times, [Time::from_micros(1_000_000); 2]);
    });
}
