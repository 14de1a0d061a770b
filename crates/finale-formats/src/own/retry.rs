//! When a task is tried again.

use std::time::Duration;

use finale_core::FailureClass;
use finale_core::definition::{Backoff, Exhausted, FailureKind, Growth, Retry};
use finale_core::nearest::nearest;

use super::duration;
use super::report::Report;
use super::section::{self, Keys, Section};
use crate::error::LoadProblem;
use crate::tree::{Located, Tree};
use crate::warning::LoadWarning;

pub(crate) const RETRY_KEYS: Keys = Keys {
    accepted: &["attempts", "backoff", "within", "on", "not_on", "exhausted"],
    slips: &[
        ("retries", "attempts"),
        ("max_attempts", "attempts"),
        ("count", "attempts"),
        ("delay", "backoff"),
        ("total", "within"),
        ("timeout", "within"),
        ("retry_on", "on"),
        ("only_on", "on"),
        ("except", "not_on"),
        ("non_retryable", "not_on"),
        ("on_exhausted", "exhausted"),
        ("then", "exhausted"),
    ],
};

pub(crate) const BACKOFF_KEYS: Keys = Keys {
    accepted: &["kind", "initial", "factor", "max", "jitter_percent"],
    slips: &[
        ("type", "kind"),
        ("strategy", "kind"),
        ("delay", "initial"),
        ("interval", "initial"),
        ("multiplier", "factor"),
        ("base", "factor"),
        ("max_delay", "max"),
        ("cap", "max"),
        ("jitter", "jitter_percent"),
    ],
};

pub(crate) const GROWTHS: &[&str] = &["constant", "linear", "exponential"];
pub(crate) const EXHAUSTED: &[&str] = &["fail", "hold"];

/// The number of attempts, or that with what more is said of them.
pub(super) fn read<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<Retry> {
    if !value.tree.is_map() {
        return attempts(value, report).map(Retry::attempts);
    }
    let section = Section::open(value, &RETRY_KEYS, report)?;
    let attempts = section.require("attempts", report, attempts);
    let backoff = section.read("backoff", report, backoff).unwrap_or_default();
    let within = section.read("within", report, duration::read_longer_than_zero);
    let on = section.read("on", report, kinds).unwrap_or_default();
    let not_on = section.read("not_on", report, kinds).unwrap_or_default();
    let exhausted = section.read("exhausted", report, |value, report| {
        let words = [("fail", Exhausted::Fail), ("hold", Exhausted::Hold)];
        section::word(value, "answer to used up attempts", &words, EXHAUSTED, report)
    });
    let exhausted = exhausted.unwrap_or_default();
    attempts.map(|attempts| Retry { attempts, backoff, within, on, not_on, exhausted })
}

/// One wait for all, or how the waits grow.
fn backoff<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<Backoff> {
    if !value.tree.is_map() {
        return duration::read(value, report).map(Backoff::constant);
    }
    let section = Section::open(value, &BACKOFF_KEYS, report)?;
    let initial: Option<Duration> = section.require("initial", report, duration::read);
    let factor = section.read("factor", report, factor);
    let exponential = Growth::Exponential { factor: factor.unwrap_or(Backoff::FACTOR) };
    let growth = section.read("kind", report, |value, report| {
        let words = [("constant", Growth::Constant), ("linear", Growth::Linear), ("exponential", exponential)];
        section::word(value, "kind of backoff", &words, GROWTHS, report)
    });
    let growth = growth.unwrap_or(if factor.is_some() { exponential } else { Growth::Constant });
    if let (Some(entry), Growth::Constant | Growth::Linear) = (section.entry("factor"), growth) {
        let (key, other, reason) = ("factor", "kind", "only an exponential backoff has a factor");
        report.inside(key, |report| {
            report.add(entry.key_place, || LoadProblem::Contradiction { key, other, reason });
        });
    }
    let max = section.read("max", report, duration::read_longer_than_zero);
    let jitter = section
        .read("jitter_percent", report, |value, report| u8::try_from(section::number(value, 0, 100, report)?).ok());
    Some(Backoff { initial: initial?, growth, max, jitter_percent: jitter.unwrap_or_default() })
}

fn factor<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<f64> {
    let factor = match &value.tree {
        Tree::Number(number) => number.as_f64(),
        _ => None,
    };
    let factor = factor.filter(|factor| (1.0..=Backoff::FACTOR_MAX).contains(factor));
    factor.or_else(|| report.wrong_type(value, "a number from 1 to 1000"))
}

fn attempts<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<u16> {
    let attempts = section::number(value, 1, u64::from(u16::MAX), report)?;
    u16::try_from(attempts).ok()
}

/// One class or code of failures, or a list of them.
fn kinds<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<Vec<FailureKind>> {
    let kind = |value: &'a Located, report: &mut Report<'a>| {
        let kind = FailureKind::from(section::text(value, report)?);
        if let FailureKind::Code(code) = &kind
            && let Some(class) = nearest(code, FailureClass::ALL.map(FailureClass::name))
        {
            report.warn(value.place, LoadWarning::NearlyAClass { code: code.to_string(), class });
        }
        Some(kind)
    };
    let Tree::List(elements) = &value.tree else {
        return kind(value, report).map(|kind| vec![kind]);
    };
    let read = |(index, element)| report.inside_index(index, |report| kind(element, report));
    Some(elements.iter().enumerate().filter_map(read).collect())
}
