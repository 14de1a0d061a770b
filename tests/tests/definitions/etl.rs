//! `etl.yaml`: trigger rules, as in Airflow.

use std::collections::BTreeSet;

use finale::ExecutionStatus;
use serde_json::json;

use super::play::{definition, failing, play, subsets};

/// Which tasks run, as a reader of the file would say.
fn runs(fails: &BTreeSet<&str>, whole: bool) -> BTreeSet<&'static str> {
    let ok = |task: &str| !fails.contains(task);
    let mut runs: BTreeSet<&'static str> = ["orders", "customers", "weather", "report"].into();
    let load = if whole { "load_all" } else { "load_new" };
    let extracted = ok("orders") && ok("customers");
    let loaded = extracted && ok(load);
    let checked = loaded && ok("check");
    runs.extend(extracted.then_some(load));
    runs.extend(loaded.then_some("check"));
    runs.extend((checked && ok("weather")).then_some("publish"));
    runs.extend(checked.then_some("forecast"));
    // The missing weather keeps it from being published, and is no failure.
    let is_well = checked && (ok("publish") || !ok("weather"));
    runs.extend((!is_well).then_some("alert"));
    runs
}

#[test]
fn whatever_fails_what_needs_it_is_skipped_and_somebody_is_told() {
    for whole in [false, true] {
        let load = if whole { "load_all" } else { "load_new" };
        for fails in subsets(&["orders", "customers", "weather", load, "check", "publish", "forecast"]) {
            let ended = play(&definition("etl.yaml"), &json!({"day": "2026-03-01", "whole": whole}), &failing(&fails));
            let runs = runs(&fails, whole);
            let failed: BTreeSet<_> = runs.intersection(&fails).copied().collect();
            let asked: BTreeSet<_> = ended.asked.iter().map(|task| task.node.as_str()).collect();
            assert_eq!(asked, runs, "{fails:?}");
            assert_eq!(ended.nodes("failed"), failed, "{fails:?}");
            let is_well = failed.iter().all(|task| *task == "weather");
            let expected = if is_well { ExecutionStatus::Completed } else { ExecutionStatus::Failed };
            assert_eq!(ended.status(), expected, "{fails:?}");
        }
    }
}
