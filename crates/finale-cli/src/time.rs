//! Moments and durations, as people write and read them.

use std::time::{SystemTime, UNIX_EPOCH};

use finale::Time;
pub(crate) use finale_core::time::format_duration_roughly as duration;
use finale_formats::parse_duration;
use serde_json::Value;

use crate::room::Room;

/// A text that says no moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a time such as 2026-01-31T12:00:00Z, a day such as 2026-01-31, or an age such as 90s, 1h30m or 7d")]
pub(crate) struct NoMoment;

/// The moment that somebody named, if need be by how long ago it was.
pub(crate) fn moment(text: &str) -> Result<Time, NoMoment> {
    if let Ok(age) = parse_duration(text) {
        return Ok(now().before(age));
    }
    let read = |text: String| serde_json::from_value(Value::from(text)).ok();
    read(text.to_owned()).or_else(|| read(format!("{text}T00:00:00Z"))).ok_or(NoMoment)
}

/// What time it is.
pub(crate) fn now() -> Time {
    of(SystemTime::now())
}

/// A moment as the system counts it.
pub(crate) fn of(time: SystemTime) -> Time {
    Time::default().after(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// A moment in UTC: to the second for people, and all of it for programs.
pub(crate) fn shown(time: Time, room: Room) -> String {
    let text = time.to_string();
    match (room, text.split_once('.')) {
        (Room::Columns(_), Some((seconds, _))) => format!("{seconds}Z"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_moment_is_a_time_a_day_or_an_age() {
        assert_eq!(moment("1970-01-01T00:00:01Z"), Ok(Time::from_micros(1_000_000)));
        assert_eq!(moment("1970-01-01T02:00:01+02:00"), Ok(Time::from_micros(1_000_000)));
        assert_eq!(moment("1970-01-02"), Ok(Time::from_micros(86_400_000_000)));
        let two_hours_ago = moment("2h").unwrap();
        let ago = now().since(two_hours_ago);
        assert!(ago >= Duration::from_secs(7_200) && ago < Duration::from_secs(7_260), "{ago:?}");
        assert!(moment("1h30m").unwrap() > two_hours_ago);
        for text in ["", "d", "-1d", "2 h", "yesterday", "1970-13-01", "99999999999999999999d", "5µ", "90", "30m1h"] {
            assert_eq!(moment(text), Err(NoMoment), "{text}");
        }
    }

    #[test]
    fn people_read_seconds_and_programs_all_of_it() {
        assert_eq!(shown(Time::from_micros(1_000_001), Room::Columns(80)), "1970-01-01T00:00:01Z");
        assert_eq!(shown(Time::from_micros(1_000_001), Room::Endless), "1970-01-01T00:00:01.000001Z");
    }
}
