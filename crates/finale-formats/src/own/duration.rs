//! Durations: `500ms`, `2s`, `10m`, `1h30m`.

use std::time::Duration;

use super::report::Report;
use super::section::shown;
use crate::error::LoadProblem;
use crate::tree::{Located, Tree};

/// The units from long to short, with their length in nanoseconds.
const UNITS: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

pub(super) fn read<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<Duration> {
    let parsed = match &value.tree {
        Tree::Text(text) => parse(text),
        Tree::Number(number) => Err(no_unit(&value.written().unwrap_or_else(|| number.to_string()))),
        _ => return report.wrong_type(value, "a duration like `30s` or `1h30m`"),
    };
    let bad = |reason| report.add(value.place, || LoadProblem::BadDuration { found: shown(value), reason });
    parsed.map_err(bad).ok()
}

/// A duration in which something can happen.
pub(super) fn read_longer_than_zero<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<Duration> {
    let duration = read(value, report)?;
    if duration.is_zero() {
        let reason = "it is zero, and nothing happens in no time; leave the key out where there is no limit".to_owned();
        report.add(value.place, || LoadProblem::BadDuration { found: shown(value), reason });
        return None;
    }
    Some(duration)
}

/// A text that is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no duration: {reason}")]
pub struct BadDuration {
    text: String,
    reason: String,
}

/// Reads a duration in the notation of definition files: numbers with the units `d`, `h`, `m`, `s`, `ms`, `us` and `ns`,
/// the longer ones first, each at most once, without spaces. A number may have a fraction.
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(finale_formats::parse_duration("1h30m"), Ok(Duration::from_secs(5_400)));
/// assert_eq!(finale_formats::parse_duration("0.5s"), Ok(Duration::from_millis(500)));
/// assert!(finale_formats::parse_duration("90").is_err()); // it has no unit
/// ```
///
/// # Errors
/// The text is no duration, or one longer than [`Duration::MAX`].
pub fn parse_duration(text: &str) -> Result<Duration, BadDuration> {
    parse(text).map_err(|reason| BadDuration { text: text.to_owned(), reason })
}

/// Numbers with their units, the longer ones first, each at most once.
///
/// A number may have a fraction. What is shorter than a nanosecond is dropped.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let mut rest = text;
    let mut nanoseconds: u128 = 0;
    let mut units = &UNITS[..];
    if rest.is_empty() {
        return Err("it is empty; write it like `30s` or `1h30m`".to_owned());
    }
    while !rest.is_empty() {
        let number = take(&mut rest, |c| c.is_ascii_digit() || c == '.');
        let unit = take(&mut rest, |c| !c.is_ascii_digit() && c != '.');
        if unit.is_empty() && !number.is_empty() {
            return Err(match units.first() {
                Some((next, _)) if units.len() < UNITS.len() => {
                    format!("its last number has no unit; write `{text}{next}`")
                }
                Some(_) => no_unit(text),
                None => "a number without a unit stands behind the shortest one".to_owned(),
            });
        }
        let Some(position) = units.iter().position(|(name, _)| *name == unit) else {
            return Err(format!("{}; write it like `30s` or `1h30m`", unknown_unit(unit)));
        };
        let length = multiply(number, units[position].1);
        let total = length.and_then(|length| nanoseconds.checked_add(length));
        nanoseconds = total.ok_or_else(|| format!("`{number}` is no number, or too large a one"))?;
        units = &units[position + 1..];
    }
    let seconds = u64::try_from(nanoseconds / 1_000_000_000).map_err(|_| "it is too long".to_owned())?;
    let below = u32::try_from(nanoseconds % 1_000_000_000).expect("a remainder is less than its divisor");
    Ok(Duration::new(seconds, below))
}

fn take<'t>(rest: &mut &'t str, belongs: impl Fn(char) -> bool) -> &'t str {
    let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
    let (taken, behind) = rest.split_at(end);
    *rest = behind;
    taken
}

fn no_unit(number: &str) -> String {
    format!("it has no unit; write `{number}s` for seconds, `{number}m` for minutes, `{number}ms` for milliseconds")
}

fn unknown_unit(unit: &str) -> String {
    if UNITS.iter().any(|(name, _)| *name == unit) {
        return format!("the unit `{unit}` is there twice, or behind a shorter one");
    }
    let short: String = unit.chars().take(20).collect();
    format!("there is no unit `{short}`, only `d`, `h`, `m`, `s`, `ms`, `us` and `ns`")
}

fn multiply(number: &str, unit: u128) -> Option<u128> {
    const FRACTION_MAX: usize = 15;
    let (whole, fraction) = number.split_once('.').map_or((number, None), |(whole, part)| (whole, Some(part)));
    let whole = whole.parse::<u64>().ok()?;
    let part = match fraction {
        None => 0,
        Some(digits) if digits.is_empty() || digits.len() > FRACTION_MAX => return None,
        Some(digits) => {
            let scale = 10_u128.pow(u32::try_from(digits.len()).ok()?);
            u128::from(digits.parse::<u64>().ok()?) * unit / scale
        }
    };
    u128::from(whole).checked_mul(unit)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use finale_core::time::{format_duration, format_duration_roughly};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_duration_is_numbers_with_units() {
        let milliseconds = |text| parse(text).map(|duration| duration.as_millis());
        assert_eq!(milliseconds("500ms"), Ok(500));
        assert_eq!(milliseconds("2s"), Ok(2_000));
        assert_eq!(milliseconds("10m"), Ok(600_000));
        assert_eq!(milliseconds("1h30m"), Ok(5_400_000));
        assert_eq!(milliseconds("2d"), Ok(172_800_000));
        assert_eq!(milliseconds("0.5s"), Ok(500));
    }

    #[test]
    fn what_is_no_duration_is_refused_with_what_to_write() {
        let cases = [
            ("30", "it has no unit; write `30s`"),
            ("1h30", "its last number has no unit; write `1h30m`"),
            ("1m30", "its last number has no unit; write `1m30s`"),
            ("1s500", "write `1s500ms`"),
            ("1ns5", "behind the shortest one"),
            ("30m1h", "the unit `h` is there twice, or behind a shorter one"),
            ("1s1s", "twice"),
            ("5 minutes", "there is no unit ` minutes`"),
            ("-1s", "there is no unit `-`"),
            ("s", "is no number"),
            ("1.s", "is no number"),
            ("99999999999999999999s", "too large"),
            ("18446744073709551615d", "too long"),
            ("", "it is empty"),
        ];
        for (text, reason) in cases {
            let error = parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_printed_is_read_back() {
        for duration in [Duration::ZERO, Duration::from_nanos(1), Duration::new(93_784, 5_006_007), Duration::MAX] {
            assert_eq!(parse(&format_duration(duration)), Ok(duration));
        }
    }

    #[test]
    fn a_timeout_of_nothing_is_refused() {
        let load = |timeout: &str| {
            let text = format!("id: w\ntasks:\n  a: {{log: hi, timeout: {timeout}}}\n");
            crate::load(text.as_bytes(), crate::Format::Own, "w.yaml").map_err(|error| error.to_string())
        };
        assert!(load("1ns").is_ok());
        for zero in ["0s", "0.0000000001s"] {
            let expected = format!(
                "w.yaml:3:25: tasks.a.timeout: `{zero}` is no duration: it is zero, and nothing happens in no time; leave \
                 the key out where there is no limit"
            );
            assert_eq!(load(zero).unwrap_err(), expected);
        }
    }

    proptest! {
        /// Magnitudes are drawn before values: a uniform duration is always millions of years long.
        #[test]
        fn every_duration_is_read_back(seconds in 0_u32..64, low in any::<u64>(), nanos in 0_u32..1_000_000_000) {
            let duration = Duration::new(low >> seconds, nanos);
            prop_assert_eq!(parse(&format_duration(duration)), Ok(duration));
            let below_a_second = Duration::from_nanos(u64::from(nanos));
            prop_assert_eq!(parse(&format_duration(below_a_second)), Ok(below_a_second));
            prop_assert!(parse(&format_duration_roughly(duration)).is_ok());
        }
    }
}
