//! Time as an argument: the core has no clock.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// A moment, in microseconds since 1970-01-01T00:00:00Z.
///
/// Its serialized form is RFC 3339 in UTC with microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(i64);

impl Time {
    /// The moment that many microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds after the epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// The time between two moments; zero if `earlier` is the later one.
    pub const fn since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        if micros <= 0 { Duration::ZERO } else { Duration::from_micros(micros as u64) }
    }

    /// The moment that much later, held at the last one that can be said.
    pub fn after(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(micros))
    }

    /// The moment that much earlier, held at the first one that can be said.
    pub fn before(self, span: Duration) -> Self {
        let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DateTime::<Utc>::from_timestamp_micros(self.0) {
            Some(moment) => f.write_str(&moment.to_rfc3339_opts(SecondsFormat::Micros, true)),
            None => write!(f, "{} us after 1970", self.0),
        }
    }
}

/// The units of a duration from long to short, with their length in nanoseconds; those below a second stand alone.
const UNITS: [(&str, u128); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", NANOS_PER_SECOND),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];
const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// A duration as people write it: `3d`, `1h30m`, `2.5s`, `250ms`, `0s`.
///
/// The text is exact: definition files, which take durations like this, read it back as the same duration.
///
/// ```
/// use std::time::Duration;
///
/// use finale_core::time::format_duration;
///
/// assert_eq!(format_duration(Duration::from_secs(3 * 24 * 60 * 60)), "3d");
/// assert_eq!(format_duration(Duration::from_millis(90_500)), "1m30.5s");
/// assert_eq!(format_duration(Duration::ZERO), "0s");
/// ```
pub fn format_duration(duration: Duration) -> String {
    let mut nanos = duration.as_nanos();
    let mut text = String::new();
    for (unit, length) in UNITS {
        // A fraction belongs to the last unit that is written: `1.5s` and not `1s500ms`.
        let is_last = length <= NANOS_PER_SECOND;
        let (whole, rest) = (nanos / length, nanos % length);
        if whole > 0 || is_last && !text.is_empty() && rest > 0 {
            text.push_str(&whole.to_string());
            nanos = rest;
            if is_last {
                push_fraction(&mut text, rest, length);
                nanos = 0;
            }
            text.push_str(unit);
        }
        if nanos == 0 {
            break;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Appends `rest / length` as the digits behind a point, if there are any.
fn push_fraction(text: &mut String, rest: u128, length: u128) {
    if rest > 0 {
        let places = length.ilog10() as usize;
        let digits = format!("{rest:0places$}");
        text.push('.');
        text.push_str(digits.trim_end_matches('0'));
    }
}

/// A duration for people who compare many of them: the two longest units at most, rounded: `3d4h`, `1m30s`, `1.2s`.
///
/// It is [`format_duration`] of a duration near to it, so that the two agree about what is short or round.
///
/// ```
/// use std::time::Duration;
///
/// use finale_core::time::format_duration_roughly;
///
/// assert_eq!(format_duration_roughly(Duration::from_micros(1_234_567)), "1.2s");
/// assert_eq!(format_duration_roughly(Duration::from_secs(7_261)), "2h1m");
/// ```
pub fn format_duration_roughly(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    // By the length from which on it is used: what is rounded to.
    const STEPS: [(u128, u128); 5] = [
        (UNITS[0].1, UNITS[1].1),
        (UNITS[1].1, UNITS[2].1),
        (UNITS[2].1, UNITS[3].1),
        (UNITS[3].1, NANOS_PER_SECOND / 10),
        (UNITS[4].1, UNITS[4].1 / 10),
    ];
    let step = STEPS.iter().find(|(from, _)| nanos >= *from).map_or(UNITS[5].1, |(_, step)| *step);
    let rounded = (nanos + step / 2) / step * step;
    let seconds = u64::try_from(rounded / NANOS_PER_SECOND).unwrap_or(u64::MAX);
    let below = u32::try_from(rounded % NANOS_PER_SECOND).expect("a remainder is less than its divisor");
    format_duration(Duration::new(seconds, below))
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let moment = DateTime::parse_from_rfc3339(&text).map_err(serde::de::Error::custom)?;
        Ok(Self(moment.timestamp_micros()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_prints_as_rfc_3339_with_microseconds() {
        assert_eq!(Time::from_micros(1_000_001).to_string(), "1970-01-01T00:00:01.000001Z");
    }

    #[test]
    fn a_duration_is_written_in_the_fewest_units_that_say_it_exactly() {
        let cases = [
            (Duration::ZERO, "0s"),
            (Duration::from_nanos(1), "1ns"),
            (Duration::from_nanos(1_500), "1.5us"),
            (Duration::from_micros(420), "420us"),
            (Duration::from_millis(250), "250ms"),
            (Duration::from_micros(1_500), "1.5ms"),
            (Duration::from_millis(1_500), "1.5s"),
            (Duration::new(1, 1), "1.000000001s"),
            (Duration::from_millis(60_001), "1m0.001s"),
            (Duration::from_secs(90), "1m30s"),
            (Duration::from_secs(5_400), "1h30m"),
            (Duration::from_secs(259_200), "3d"),
            (Duration::from_secs(86_401), "1d1s"),
            (Duration::MAX, "213503982334601d7h15.999999999s"),
        ];
        for (duration, text) in cases {
            assert_eq!(format_duration(duration), text);
        }
    }

    #[test]
    fn a_rough_duration_has_two_units_at_most() {
        let cases = [
            (Duration::ZERO, "0s"),
            (Duration::from_nanos(400), "0s"),
            (Duration::from_micros(420), "420us"),
            (Duration::from_micros(1_420), "1.4ms"),
            (Duration::from_millis(1_240), "1.2s"),
            (Duration::from_millis(59_960), "1m"),
            (Duration::from_secs(61), "1m1s"),
            (Duration::from_secs(7_260), "2h1m"),
            (Duration::from_secs(90_061), "1d1h"),
            (Duration::MAX, "213503982334601d7h"),
        ];
        for (duration, text) in cases {
            assert_eq!(format_duration_roughly(duration), text);
        }
    }

    #[test]
    fn the_time_since_a_later_moment_is_zero() {
        assert_eq!(Time::from_micros(1).since(Time::from_micros(5)), Duration::ZERO);
    }
}
