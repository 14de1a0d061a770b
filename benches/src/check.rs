//! The only way by which a measure calls a contender: what came out is compared before its time counts.

use std::time::Duration;

use thiserror::Error;

use crate::contender::{BoxError, Contender, Load};
use crate::shape::Shape;

/// A contender gave a wrong result, or none. The one thing that makes the program fail.
#[derive(Debug, Error)]
#[error("wrong result of {contender} on {shape}")]
pub struct Wrong {
    /// Whose result.
    pub contender: String,
    /// On what.
    pub shape: &'static str,
    /// What is wrong with it.
    #[source]
    pub reason: BoxError,
}

impl Wrong {
    /// Says whose result it was.
    pub fn new(contender: &str, shape: &Shape, reason: impl Into<BoxError>) -> Self {
        Self { contender: contender.to_owned(), shape: shape.name, reason: reason.into() }
    }
}

/// Runs a load and gives back how long it took.
pub fn run(contender: &mut dyn Contender, shape: &Shape, load: Load) -> Result<Duration, Wrong> {
    let name = contender.name();
    let run = contender.run(shape, load).map_err(|error| Wrong::new(name, shape, error))?;
    run.tally.check(shape, load.executions).map_err(|error| Wrong::new(name, shape, error))?;
    Ok(run.elapsed)
}

/// Runs a load and gives back executions a second.
pub fn rate(contender: &mut dyn Contender, shape: &Shape, load: Load) -> Result<f64, Wrong> {
    let elapsed = run(contender, shape, load)?;
    Ok(load.executions as f64 / elapsed.as_secs_f64())
}

/// Runs executions one at a time and gives back how long each took.
pub fn latencies(contender: &mut dyn Contender, shape: &Shape, executions: usize) -> Result<Vec<Duration>, Wrong> {
    let name = contender.name();
    let latencies = contender.latencies(shape, executions).map_err(|error| Wrong::new(name, shape, error))?;
    latencies.tally.check(shape, executions).map_err(|error| Wrong::new(name, shape, error))?;
    Ok(latencies.each)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contender::{Latencies, Run};
    use crate::memory::Meter;
    use crate::tally::Tally;

    /// Wins every race by staying at home.
    struct Idler;

    impl Contender for Idler {
        fn name(&self) -> &'static str {
            "idler"
        }

        fn run(&mut self, _: &Shape, _: Load) -> Result<Run, BoxError> {
            Ok(Run { elapsed: Duration::from_nanos(1), tally: Tally::default() })
        }

        fn latencies(&mut self, _: &Shape, executions: usize) -> Result<Latencies, BoxError> {
            Ok(Latencies { each: vec![Duration::ZERO; executions], tally: Tally::default() })
        }

        fn hold(&mut self, _: &Shape, _: usize, _: &mut Meter) -> Result<(), BoxError> {
            Ok(())
        }
    }

    #[test]
    fn nobody_wins_by_doing_nothing() {
        let shape = Shape::chain();
        let load = Load { executions: 3, in_flight: 1 };
        assert!(rate(&mut Idler, &shape, load).is_err());
        assert!(latencies(&mut Idler, &shape, 3).is_err());
        assert!(crate::memory::weigh(&mut Idler, 3).is_err());
    }
}
