//! How an execution ends.

use finale_core::definition::{OnFailure, Siblings};

use super::report::Report;
use super::section::{self, Keys, Section};
use crate::error::LoadProblem;
use crate::tree::{Located, Tree};

pub(crate) const TOLERATE_KEYS: Keys = Keys {
    accepted: &["tolerate"],
    slips: &[("count", "tolerate"), ("max", "tolerate"), ("max_failures", "tolerate"), ("failures", "tolerate")],
};

pub(crate) const SHARE_KEYS: Keys = Keys {
    accepted: &["count", "percent"],
    slips: &[
        ("max", "count"),
        ("number", "count"),
        ("share", "percent"),
        ("percentage", "percent"),
        ("ratio", "percent"),
    ],
};

#[cfg(test)]
pub(crate) const ON_FAILURE: &[&str] = &["fail_fast", "wait_all"];
/// What is proposed for a word that is none of them.
const ON_FAILURE_SHOWN: &[&str] = &["fail_fast", "wait_all", "{tolerate: N}", "{tolerate: {percent: N}}"];
pub(crate) const SIBLINGS: &[&str] = &["cancel", "finish"];

pub(super) fn on_failure<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<OnFailure> {
    if value.tree.is_map() {
        let section = Section::open(value, &TOLERATE_KEYS, report)?;
        return section.require("tolerate", report, tolerated);
    }
    let words = [("fail_fast", OnFailure::FailFast), ("wait_all", OnFailure::WaitAll)];
    section::word(value, "answer to a failure", &words, ON_FAILURE_SHOWN, report)
}

/// A number of failures, or a share of all tasks: `2`, `{count: 2}`, `{percent: 10}`.
pub(super) fn tolerated<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<OnFailure> {
    let count = |value, report: &mut Report<'a>| {
        let count = section::number(value, 0, u64::from(u32::MAX), report)?;
        u32::try_from(count).ok().map(|count| OnFailure::Tolerate { count })
    };
    if !value.tree.is_map() {
        return match value.tree {
            Tree::Text(_) => report.wrong_type(value, "a whole number, or a share like `{percent: 10}`"),
            _ => count(value, report),
        };
    }
    let section = Section::open(value, &SHARE_KEYS, report)?;
    let share = section.read("percent", report, |value, report| {
        let percent = section::number(value, 0, 100, report)?;
        u8::try_from(percent).ok().map(|percent| OnFailure::ToleratePercent { percent })
    });
    match (section.entry("percent"), section.entry("count")) {
        (Some(_), None) => share,
        (Some(_), Some(entry)) => {
            let reason = "one of them says how many may fail";
            let problem = || LoadProblem::Contradiction { key: "count", other: "percent", reason };
            report.inside("count", |report| report.add(entry.key_place, problem));
            None
        }
        (None, _) => section.require("count", report, count),
    }
}

pub(super) fn siblings<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<Siblings> {
    let words = [("cancel", Siblings::Cancel), ("finish", Siblings::Finish)];
    section::word(value, "fate of running tasks", &words, SIBLINGS, report)
}
