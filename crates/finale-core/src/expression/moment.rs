//! Values that name a moment.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

use crate::payload::Payload;
use crate::time::Time;

const MICROS_PER_MILLI: i64 = 1_000;

/// The moment that a value names: a text as in RFC 3339, or milliseconds since 1970.
pub(crate) fn moment(value: &Payload) -> Result<Time, String> {
    match value.decode::<serde_json::Value>() {
        Ok(serde_json::Value::String(text)) => match DateTime::parse_from_rfc3339(&text) {
            Ok(moment) => Ok(Time::from_micros(moment.timestamp_micros())),
            Err(error) => {
                let lacks = lacks(&text).map_or_else(|| error.to_string(), str::to_owned);
                Err(format!("{value:?} is no moment as in 2026-01-31T12:00:00Z: {lacks}"))
            }
        },
        Ok(serde_json::Value::Number(number)) => micros(&number)
            .map(Time::from_micros)
            .ok_or_else(|| format!("{value:?} milliseconds after 1970 are beyond all moments")),
        _ => Err(format!(
            "a moment is a text like \"2026-01-31T12:00:00Z\" or a number of milliseconds since 1970, not {value:?}"
        )),
    }
}

/// What a date or a time of some place lacks to be a moment.
fn lacks(text: &str) -> Option<&'static str> {
    let is_time = ["%FT%T%.f", "%FT%R", "%F %T%.f", "%F %R"];
    if text.parse::<NaiveDate>().is_ok() {
        Some("it has no time and no time zone")
    } else if is_time.iter().any(|format| NaiveDateTime::parse_from_str(text, format).is_ok()) {
        Some("it has no time zone, `Z` or `+01:00` for instance")
    } else {
        None
    }
}

fn micros(millis: &serde_json::Number) -> Option<i64> {
    if let Some(millis) = millis.as_i64() {
        return millis.checked_mul(MICROS_PER_MILLI);
    }
    let micros = (millis.as_f64()? * MICROS_PER_MILLI as f64).round();
    // Beyond these a conversion would not fail but give the nearest number that there is.
    (micros.abs() < i64::MAX as f64).then_some(micros as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_date_lacks_is_named() {
        let why = |text: &str| moment(&Payload::encode(text).unwrap()).unwrap_err();
        assert!(why("2027-05-01").ends_with(": it has no time and no time zone"), "{}", why("2027-05-01"));
        for text in ["2027-05-01T12:00:00", "2027-05-01T12:00", "2027-05-01 12:00:00.5"] {
            assert!(why(text).ends_with(": it has no time zone, `Z` or `+01:00` for instance"), "{}", why(text));
        }
        assert!(why("25:00").starts_with("\"25:00\" is no moment as in "));
    }
}
