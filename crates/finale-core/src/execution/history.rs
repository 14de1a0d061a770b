//! A history in words.

use crate::compiled::Compiled;
use crate::fact::{Described, Facts};
use crate::id::ExecutionId;

use super::Execution;

impl Execution {
    /// The facts of a history in words, numbered from 1, as far as they can be read.
    ///
    /// Work is named by its path, which only the facts before tell. From the first fact on that does not follow from those,
    /// work inside of nodes is named by the number of its scope.
    pub fn describe(id: ExecutionId, definition: &Compiled, history: &[u8]) -> Vec<Described> {
        let mut before = Some(Self::new(id, definition));
        let mut described = Vec::new();
        for (sequence, recorded) in (1..).zip(Facts::new(history).map_while(Result::ok)) {
            let path = |key| before.as_ref()?.path(definition, key);
            described.push(recorded.describe(sequence, definition, &path));
            before = before.and_then(|mut execution| {
                execution.apply(definition, recorded.at, recorded.fact, &mut ()).is_ok().then_some(execution)
            });
        }
        described
    }
}
