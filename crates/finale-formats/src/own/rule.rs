//! By which rule a node begins, and what a join waits for.

use finale_core::definition::{JoinStrategy, Losers, ParallelJoin, TriggerRule};

use super::report::Report;
use super::section::{self, Keys, Section};
use crate::error::LoadProblem;
use crate::tree::Located;

pub(crate) const RULES: &[&str] =
    &["default", "all_success", "none_failed", "all_done", "one_success", "one_failed", "all_failed"];
/// What is proposed for a word that is none of them.
const RULES_SHOWN: &[&str] =
    &["default", "all_success", "none_failed", "all_done", "one_success", "one_failed", "all_failed", "{at_least: N}"];

pub(crate) const RULE_KEYS: Keys = Keys {
    accepted: &["at_least"],
    slips: &[("count", "at_least"), ("min", "at_least"), ("n", "at_least"), ("min_success", "at_least")],
};

#[cfg(test)]
pub(crate) const JOINS: &[&str] = &["all", "any"];
const JOINS_SHOWN: &[&str] = &["all", "any", "{at_least: N}"];
pub(crate) const LOSERS: &[&str] = &["finish", "cancel"];

pub(crate) const JOIN_KEYS: Keys = Keys {
    accepted: &["strategy", "at_least", "losers"],
    slips: &[
        ("join_strategy", "strategy"),
        ("mode", "strategy"),
        ("type", "strategy"),
        ("count", "at_least"),
        ("min", "at_least"),
        ("n", "at_least"),
        ("others", "losers"),
        ("cancel_remaining", "losers"),
    ],
};

/// A word, or a map with the count.
pub(super) fn trigger_rule<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<TriggerRule> {
    if value.tree.is_map() {
        let section = Section::open(value, &RULE_KEYS, report)?;
        return section.require("at_least", report, count).map(|count| TriggerRule::AtLeast { count });
    }
    let words = RULES.iter().filter_map(|word| {
        let rule = TriggerRule::ALL.into_iter().find(|rule| rule.name() == *word)?;
        Some((*word, rule))
    });
    section::word(value, "trigger rule", &words.collect::<Vec<_>>(), RULES_SHOWN, report)
}

/// A word, or a map with what more there is to say.
pub(super) fn join<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<ParallelJoin> {
    if !value.tree.is_map() {
        return Some(ParallelJoin { strategy: strategy(value, report)?, ..ParallelJoin::default() });
    }
    let section = Section::open(value, &JOIN_KEYS, report)?;
    if let (Some(_), Some(count)) = (section.entry("strategy"), section.entry("at_least")) {
        let (key, other, reason) = ("at_least", "strategy", "both say what it waits for");
        report.inside(key, |report| {
            report.add(count.key_place, || LoadProblem::Contradiction { key, other, reason });
        });
    }
    let counted = section.read("at_least", report, count).map(|count| JoinStrategy::AtLeast { count });
    let strategy = section.read("strategy", report, strategy).or(counted).unwrap_or_default();
    let words = [("finish", Losers::Finish), ("cancel", Losers::Cancel)];
    let losers = section.read("losers", report, |value, report| {
        section::word(value, "fate of the other branches", &words, LOSERS, report)
    });
    Some(ParallelJoin { strategy, losers: losers.unwrap_or_default() })
}

fn strategy<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<JoinStrategy> {
    let words = [("all", JoinStrategy::All), ("any", JoinStrategy::Any)];
    section::word(value, "join", &words, JOINS_SHOWN, report)
}

fn count<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<u32> {
    let count = section::number(value, 1, u64::from(u32::MAX), report)?;
    u32::try_from(count).ok()
}
