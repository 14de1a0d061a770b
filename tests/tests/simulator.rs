//! The simulator of the three state machines finds nothing in them, everything that is planted around them, and the same in
//! every run.
//!
//! `FINALE_SEEDS=<number>` runs more or fewer seeds, `FINALE_FIRST=<number>` others.

use finale_tests::simulator::{Bug, Campaign, Count, Failed, Report, STEPS, simulate};

/// Within so many seeds each planted bug must be found.
const FOUND_WITHIN: u64 = 2_000;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number is wanted"))
}

#[test]
fn many_seeds_find_nothing_and_visit_everything() {
    let (first, seeds) = (number("FINALE_FIRST", 0), number("FINALE_SEEDS", 400));
    let Report { tally, failed } = Campaign { first, seeds, ..Campaign::default() }.run();
    println!("{tally}");
    if let Some(failed) = failed {
        panic!("{failed}");
    }
    assert_eq!(tally[Count::Seeds], seeds);
    assert_eq!(tally.missing(), [""; 0], "these never came up");
    let steps_least = seeds * STEPS;
    assert!(tally[Count::Steps] >= steps_least, "{} steps are less than {steps_least}", tally[Count::Steps]);
}

#[test]
fn every_planted_bug_is_found() {
    let mut missed = Vec::new();
    for bug in Bug::ALL {
        let report = Campaign { seeds: FOUND_WITHIN, bug: Some(*bug), ..Campaign::default() }.run();
        match report.failed {
            Some(Failed { seed, failure, .. }) => {
                let alone = simulate(seed, STEPS, None, 60).failure;
                assert!(alone.is_none(), "seed {seed} fails without {bug}: {}", alone.expect("it fails"));
                println!("{bug}: found after {} seeds: {}", seed + 1, failure.violation.invariant);
            }
            None => missed.push(bug.name()),
        }
    }
    assert_eq!(missed, [""; 0], "these bugs were not found within {FOUND_WITHIN} seeds");
}

#[test]
fn a_seed_always_gives_the_same_run() {
    for seed in 0..60 {
        let (once, again) = (simulate(seed, STEPS, None, 0), simulate(seed, STEPS, None, 60));
        assert_eq!((once.hash, once.tally), (again.hash, again.tally), "seed {seed}");
    }
    let hashes = |seeds: std::ops::Range<u64>| seeds.map(|seed| simulate(seed, STEPS, None, 0).hash);
    let distinct: std::collections::BTreeSet<u64> = hashes(0..60).collect();
    assert_eq!(distinct.len(), 60, "each seed is another run");
}

#[test]
fn a_failure_tells_its_story_and_how_to_run_it_again() {
    let bug = Some(Bug::AcknowledgeBeforeDurable);
    let failed = Campaign { seeds: 50, bug, ..Campaign::default() }.run().failed.expect("it is found at once");
    let text = failed.to_string();
    let line = "cargo run --release -p finale-tests --bin simulate -- --seed ";
    assert!(text.contains(line) && text.contains("what_is_seen_is_durable"), "{text}");
    assert!(text.lines().count() > 8, "{text}");
}
