//! `sleep`: waits.

use std::time::Duration;

use finale::{TaskContext, TaskError};
use serde::Deserialize;

/// Nobody means to wait longer than a year.
const SECONDS_MAX: f64 = 365.0 * 24.0 * 60.0 * 60.0;

/// How long.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    seconds: f64,
}

/// A time that nobody can wait for.
#[derive(Debug, thiserror::Error)]
#[error("expected a number of seconds from 0 to {SECONDS_MAX} (a year), not {0}")]
struct NoTime(f64);

pub(super) async fn run(context: TaskContext, input: Input) -> Result<(), TaskError> {
    let time = time(&input).map_err(|error| TaskError::from(error).permanent())?;
    tokio::select! {
        () = tokio::time::sleep(time) => Ok(()),
        () = context.cancelled() => Err(TaskError::new("cancelled")),
    }
}

fn time(input: &Input) -> Result<Duration, NoTime> {
    let Input { seconds } = *input;
    if (0.0..=SECONDS_MAX).contains(&seconds) { Ok(Duration::from_secs_f64(seconds)) } else { Err(NoTime(seconds)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_from_nothing_to_a_year() {
        assert_eq!(time(&Input { seconds: 0.25 }).unwrap(), Duration::from_millis(250));
        assert_eq!(time(&Input { seconds: SECONDS_MAX }).unwrap(), Duration::from_secs(31_536_000));
        for seconds in [-1.0, -f64::MIN_POSITIVE, SECONDS_MAX + 1.0, f64::NAN, f64::INFINITY] {
            assert!(time(&Input { seconds }).is_err(), "{seconds}");
        }
    }
}
