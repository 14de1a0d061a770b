//! When a task is tried again, as somebody would write it.

use finale_core::definition::{Backoff, Exhausted, FailureKind, Growth, Retry};
use finale_core::time::format_duration;
use serde_json::Number;

use super::entry::{number, text};
use crate::tree::{Entry, Located, Tree};

pub(super) fn retry(Retry { attempts, backoff, within, on, not_on, exhausted }: &Retry) -> Located {
    let mut entries = Vec::new();
    if *backoff != Backoff::default() {
        entries.push(Entry::new("backoff", self::backoff(*backoff)));
    }
    entries.extend(within.map(|within| text("within", &format_duration(within))));
    for (key, kinds) in [("on", on), ("not_on", not_on)] {
        if !kinds.is_empty() {
            entries.push(Entry::new(key, self::kinds(kinds)));
        }
    }
    if *exhausted != Exhausted::default() {
        entries.push(text("exhausted", exhausted.name()));
    }
    let attempts = number(u64::from(*attempts));
    if entries.is_empty() {
        return attempts;
    }
    entries.insert(0, Entry::new("attempts", attempts));
    Tree::Map(entries).into()
}

fn backoff(backoff: Backoff) -> Located {
    let Backoff { initial, growth, max, jitter_percent } = backoff;
    let initial = text("initial", &format_duration(initial));
    if backoff == Backoff::constant(backoff.initial) {
        return initial.value;
    }
    let mut entries = Vec::new();
    if growth != Growth::Constant {
        entries.push(text("kind", growth.name()));
    }
    entries.push(initial);
    if let Growth::Exponential { factor } = growth
        && factor != Backoff::FACTOR
        && let Some(factor) = written(factor)
    {
        entries.push(Entry::new("factor", Tree::Number(factor)));
    }
    entries.extend(max.map(|max| text("max", &format_duration(max))));
    if jitter_percent > 0 {
        entries.push(Entry::new("jitter_percent", number(u64::from(jitter_percent))));
    }
    Tree::Map(entries).into()
}

/// A factor without a point, where it needs none; none for what is no number.
fn written(factor: f64) -> Option<Number> {
    let is_whole = factor.fract() == 0.0 && (0.0..=Backoff::FACTOR_MAX).contains(&factor);
    if is_whole { Some(Number::from(factor as u16)) } else { Number::from_f64(factor) }
}

fn kinds(kinds: &[FailureKind]) -> Located {
    let kind = |kind: &FailureKind| Located::from(Tree::Text(kind.name().to_owned()));
    match kinds {
        [only] => kind(only),
        all => Tree::List(all.iter().map(kind).collect()).into(),
    }
}
