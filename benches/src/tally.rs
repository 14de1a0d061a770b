//! What a contender has to show for its time.

use std::ops::AddAssign;

use thiserror::Error;

use crate::handler;
use crate::shape::Shape;

/// A sum over executions that ended, small enough that keeping it costs no contender anything worth measuring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Executions that ended well.
    pub executions: u64,
    /// Outputs of their tasks.
    pub outputs: u64,
    /// The sum of those outputs, so that one task counted twice does not stand in for another.
    pub sum: u64,
}

impl Tally {
    /// One execution and the outputs that it ended with.
    pub fn of_execution(outputs: impl IntoIterator<Item = u64>) -> Self {
        let mut tally = Self { executions: 1, ..Self::default() };
        for output in outputs {
            tally.outputs += 1;
            tally.sum += output;
        }
        tally
    }

    /// What so many executions of a shape must come to.
    pub fn expected(shape: &Shape, executions: usize) -> Self {
        let executions = executions as u64;
        let sum: u64 = (0..shape.tasks() as u32).map(handler::output).sum();
        Self { executions, outputs: executions * shape.tasks() as u64, sum: executions * sum }
    }

    /// Whether this is what so many executions of a shape must come to.
    pub fn check(self, shape: &Shape, executions: usize) -> Result<(), TallyError> {
        let expected = Self::expected(shape, executions);
        if self == expected { Ok(()) } else { Err(TallyError { expected, found: self }) }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.executions += other.executions;
        self.outputs += other.outputs;
        self.sum += other.sum;
    }
}

/// A contender did not do its work, or not all of it.
#[derive(Clone, Copy, Debug, Error)]
#[error("expected {expected:?}, found {found:?}")]
pub struct TallyError {
    /// What the work comes to.
    pub expected: Tally,
    /// What was handed in.
    pub found: Tally,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_and_a_doubled_output_are_both_seen() {
        let chain = Shape::chain();
        let right: Vec<u64> = (0..10).map(handler::output).collect();
        let mut doubled = right.clone();
        doubled[3] = doubled[4];
        assert!(Tally::of_execution(right.iter().copied()).check(&chain, 1).is_ok());
        assert!(Tally::of_execution(right[1..].iter().copied()).check(&chain, 1).is_err());
        assert!(Tally::of_execution(doubled).check(&chain, 1).is_err());
    }
}
