//! Bytes for each execution that waits, as the operating system counts them.
//!
//! Each contender is weighed in a fresh process: what an allocator keeps from earlier work would hide what new work
//! needs. So this program calls itself, as `finale-benches memory <contender> <executions>`.

use std::env;
use std::fs;
use std::io;
use std::process::{Command, Output};

use serde::Serialize;
use thiserror::Error;

use crate::check::Wrong;
use crate::contender::{BoxError, Contender, Measure};
use crate::scale::Scale;
use crate::shape::Shape;

/// The task whose handler never ends; those before it are done.
pub const WAITING_TASK: u32 = 1;

/// How many executions are begun before the ones begun are waited for, so that the burst itself weighs nothing.
pub const WAVE: usize = 100;

/// Where Linux says how much of this process is in memory, exactly and without a page size to know.
const ROLLUP: &str = "/proc/self/smaps_rollup";

/// Where it says how much there ever was.
const STATUS: &str = "/proc/self/status";

/// One contender.
#[derive(Clone, Debug, Serialize)]
pub struct Memory {
    /// The shape.
    pub shape: &'static str,
    /// The contender.
    pub contender: &'static str,
    /// How many executions waited.
    pub executions: usize,
    /// For each of them.
    pub bytes_per_execution: f64,
}

/// Why nothing was weighed.
#[derive(Debug, Error)]
pub enum MeterError {
    /// The system does not say how much memory a process has.
    #[error("the memory of this process cannot be read from {0}")]
    Unreadable(&'static str, #[source] io::Error),
    /// The file does not look as expected.
    #[error("{0} has no `{1}` in kB")]
    Format(&'static str, &'static str),
    /// Fewer executions waited than were asked for.
    #[error("{waiting} executions were waiting when all {expected} should have been")]
    NotWaiting {
        /// How many did.
        waiting: usize,
        /// How many should have.
        expected: usize,
    },
    /// The contender never began or never ended the weighing.
    #[error("the meter was not used")]
    Unused,
    /// The child process has failed.
    #[error("child process: {0}")]
    Child(String),
    /// There is no child process.
    #[error("a child process cannot be started")]
    NoChild(#[from] io::Error),
}

/// Says how many bytes there are now.
pub type Weigh = fn() -> Result<u64, MeterError>;

/// Weighs a process before and after.
#[derive(Debug)]
pub struct Meter {
    /// Says how much there is now.
    weigh: Weigh,
    expected: usize,
    before: Option<u64>,
    after: Option<u64>,
}

impl Meter {
    /// For that many executions, by what of the process is in memory.
    pub fn new(expected: usize) -> Self {
        Self::of(expected, resident_bytes)
    }

    /// For that many executions, by what somebody else says that there is.
    pub fn of(expected: usize, weigh: Weigh) -> Self {
        Self { weigh, expected, before: None, after: None }
    }

    /// The engine is up and has nothing to do.
    pub fn begin(&mut self) -> Result<(), MeterError> {
        self.before = Some((self.weigh)()?);
        Ok(())
    }

    /// All executions wait; `waiting` is how many handlers were seen to.
    pub fn end(&mut self, waiting: usize) -> Result<(), MeterError> {
        self.after = Some((self.weigh)()?);
        let expected = self.expected;
        if waiting == expected { Ok(()) } else { Err(MeterError::NotWaiting { waiting, expected }) }
    }

    /// What lies between the two, for each execution.
    pub fn bytes_per_execution(&self) -> Result<f64, MeterError> {
        let (before, after) = self.before.zip(self.after).ok_or(MeterError::Unused)?;
        Ok(after.saturating_sub(before) as f64 / self.expected as f64)
    }
}

/// Weighs a contender in this process.
pub fn weigh(contender: &mut dyn Contender, executions: usize) -> Result<f64, BoxError> {
    let mut meter = Meter::new(executions);
    contender.hold(&Shape::chain(), executions, &mut meter)?;
    Ok(meter.bytes_per_execution()?)
}

/// Whether this system says how much memory a process has.
pub fn can_be_read() -> bool {
    resident_bytes().is_ok()
}

/// Weighs the contenders, each in a process of its own; `None` where that cannot be done.
pub fn measure(contenders: &[Box<dyn Contender>], scale: &Scale) -> Result<Option<Vec<Memory>>, Wrong> {
    if !can_be_read() {
        return Ok(None);
    }
    let shape = Shape::chain();
    let weighed = contenders.iter().filter(|contender| contender.takes_part(Measure::Memory)).map(|contender| {
        let name = contender.name();
        let bytes_per_execution =
            weigh_in_child(name, scale.waiting).map_err(|error| Wrong::new(name, &shape, error))?;
        Ok(Memory { shape: shape.name, contender: name, executions: scale.waiting, bytes_per_execution })
    });
    weighed.collect::<Result<_, _>>().map(Some)
}

fn weigh_in_child(contender: &str, executions: usize) -> Result<f64, MeterError> {
    let executions = executions.to_string();
    let output = Command::new(env::current_exe()?).args(["memory", contender, &executions]).output()?;
    let Output { status, stdout, stderr } = output;
    if !status.success() {
        return Err(MeterError::Child(String::from_utf8_lossy(&stderr).trim().to_owned()));
    }
    let stdout = String::from_utf8_lossy(&stdout);
    stdout.trim().parse().map_err(|_| MeterError::Child(format!("said `{}`", stdout.trim())))
}

pub(crate) fn resident_bytes() -> Result<u64, MeterError> {
    read_bytes(ROLLUP, "Rss:")
}

/// The most that this process ever had in memory.
pub(crate) fn resident_bytes_max() -> Result<u64, MeterError> {
    read_bytes(STATUS, "VmHWM:")
}

fn read_bytes(file: &'static str, name: &'static str) -> Result<u64, MeterError> {
    let text = fs::read_to_string(file).map_err(|error| MeterError::Unreadable(file, error))?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB"));
    let kilobytes: u64 = value.and_then(|value| value.parse().ok()).ok_or(MeterError::Format(file, name))?;
    Ok(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_execution_that_does_not_wait_is_noticed() {
        if can_be_read() {
            let mut meter = Meter::new(10);
            meter.begin().unwrap();
            assert!(matches!(meter.end(9), Err(MeterError::NotWaiting { waiting: 9, expected: 10 })));
        }
        assert!(matches!(Meter::new(10).bytes_per_execution(), Err(MeterError::Unused)));
    }
}
