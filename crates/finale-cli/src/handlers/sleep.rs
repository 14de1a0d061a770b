//! `sleep`: waits.

use std::sync::Arc;
use std::time::Duration;

use finale::{TaskContext, TaskError};
use finale_core::TaskId;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;

use super::paths::CommandPaths;
use crate::run_file::{RunFile, RunFileError};
use crate::time::now;

/// Nobody means to wait longer than a year.
const SECONDS_MAX: f64 = 365.0 * 24.0 * 60.0 * 60.0;

/// How often it says how much of a time is over, at most.
const STEP_LEAST: Duration = Duration::from_secs(1);

/// How long.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Input {
    seconds: Value,
}

/// A time that nobody can wait for.
#[derive(Debug, thiserror::Error)]
#[error("expected a number of seconds from 0 to {SECONDS_MAX} (a year), not {0}")]
struct NoTime(Value);

pub(super) async fn run(
    paths: Arc<CommandPaths>,
    halt: watch::Receiver<bool>,
    context: TaskContext,
    input: Input,
) -> Result<(), TaskError> {
    let time = time(&input).map_err(|error| TaskError::from(error).permanent())?;
    let sleep = Sleep::begin(paths.run_file().cloned(), halt, context.task_id(), time)?;
    tokio::select! {
        () = rest(&context, sleep.rest, time) => Ok(()),
        () = context.cancelled() => Err(TaskError::new("cancelled")),
    }
}

/// Sleeps for what is left of a time, and says how much of it is over.
async fn rest(context: &TaskContext, left: Duration, time: Duration) {
    let until = tokio::time::Instant::now() + left;
    let step = (time / 100).max(STEP_LEAST);
    loop {
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        if left.is_zero() {
            return;
        }
        context.progress(1.0 - left.as_secs_f64() / time.as_secs_f64(), "");
        tokio::time::sleep(left.min(step)).await;
    }
}

/// A sleep that another process can resume.
struct Sleep {
    task: TaskId,
    /// The time that is left.
    rest: Duration,
    halt: watch::Receiver<bool>,
    run_file: Option<Arc<RunFile>>,
}

impl Sleep {
    /// Starts a sleep, or resumes an interrupted one.
    fn begin(
        run_file: Option<Arc<RunFile>>,
        halt: watch::Receiver<bool>,
        task: TaskId,
        time: Duration,
    ) -> Result<Self, RunFileError> {
        let mut rest = time;
        if let Some(file) = &run_file {
            match file.sleeps_until(task) {
                // A clock that was set back must not make the sleep longer.
                Some(until) => rest = until.since(now()).min(time),
                None => file.sleeps(task, now().after(time))?,
            }
        }
        Ok(Self { task, rest, halt, run_file })
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        // The next attempt of this process sleeps the whole time again; the attempt of the next process resumes.
        if let Some(file) = self.run_file.as_ref().filter(|_| !*self.halt.borrow()) {
            // Failing to record that is harmless: the task has ended.
            let _ = file.slept(self.task);
        }
    }
}

fn time(input: &Input) -> Result<Duration, NoTime> {
    let seconds = input.seconds.as_f64().filter(|seconds| (0.0..=SECONDS_MAX).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| NoTime(input.seconds.clone()))
}

#[cfg(test)]
mod tests {
    use finale_core::{NodeIndex, WorkKey};
    use serde_json::json;
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_time_is_from_nothing_to_a_year() {
        let time = |seconds: Value| time(&Input { seconds });
        assert_eq!(time(json!(0.25)).unwrap(), Duration::from_millis(250));
        assert_eq!(time(json!(SECONDS_MAX)).unwrap(), Duration::from_secs(31_536_000));
        for seconds in [json!(-1), json!(-f64::MIN_POSITIVE), json!(SECONDS_MAX + 1.0), json!(null), json!([1])] {
            assert!(time(seconds.clone()).is_err(), "{seconds}");
        }
        let expected = "expected a number of seconds from 0 to 31536000 (a year), not \"5s\"";
        assert_eq!(time(json!("5s")).unwrap_err().to_string(), expected);
    }

    #[test]
    fn what_was_cut_off_sleeps_the_rest_and_what_is_tried_again_sleeps_anew() {
        let folder = TempDir::new().unwrap();
        let journal = folder.path().join("j.db");
        std::fs::write(&journal, "").unwrap();
        let open = || Some(Arc::new(RunFile::open(&journal, |_| true).unwrap()));
        let execution = "0199b1c2-0000-7000-8000-000000000000".parse().unwrap();
        let task = TaskId { execution, key: WorkKey::root(NodeIndex(1)) };
        let (hour, year) = (Duration::from_secs(3_600), Duration::from_secs(31_536_000));
        let (halt, halted) = watch::channel(true);

        let first = Sleep::begin(open(), halted.clone(), task, hour).unwrap();
        assert_eq!(first.rest, hour);
        drop(first);
        // The time that was said may be another one now, and counts no more: it is the same sleep.
        let resumed = Sleep::begin(open(), halted.clone(), task, year).unwrap();
        assert!(resumed.rest <= hour, "{:?}", resumed.rest);
        halt.send_replace(false);
        drop(resumed);
        assert_eq!(Sleep::begin(open(), halted, task, year).unwrap().rest, year);
    }
}
