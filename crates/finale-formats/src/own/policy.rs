//! How an execution ends.

use finale_core::definition::{OnFailure, Siblings};

use super::report::Report;
use super::section::{self, Keys, Section};
use crate::tree::Located;

pub(crate) const TOLERATE_KEYS: Keys = Keys {
    accepted: &["tolerate"],
    slips: &[("count", "tolerate"), ("max", "tolerate"), ("max_failures", "tolerate"), ("failures", "tolerate")],
};

#[cfg(test)]
pub(crate) const ON_FAILURE: &[&str] = &["fail_fast", "wait_all"];
/// What is proposed for a word that is none of them.
const ON_FAILURE_SHOWN: &[&str] = &["fail_fast", "wait_all", "{tolerate: N}"];
pub(crate) const SIBLINGS: &[&str] = &["cancel", "finish"];

pub(super) fn on_failure<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<OnFailure> {
    if value.tree.is_map() {
        let section = Section::open(value, &TOLERATE_KEYS, report)?;
        let tolerated = |value, report: &mut Report<'a>| section::number(value, 0, u64::from(u32::MAX), report);
        let count = section.require("tolerate", report, tolerated)?;
        return u32::try_from(count).ok().map(|count| OnFailure::Tolerate { count });
    }
    let words = [("fail_fast", OnFailure::FailFast), ("wait_all", OnFailure::WaitAll)];
    section::word(value, "answer to a failure", &words, ON_FAILURE_SHOWN, report)
}

pub(super) fn siblings<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<Siblings> {
    let words = [("cancel", Siblings::Cancel), ("finish", Siblings::Finish)];
    section::word(value, "fate of running tasks", &words, SIBLINGS, report)
}
