//! How far handlers say they are.

use serde::{Deserialize, Serialize};

use super::{NodeRecordState, Record};
use crate::failure::cut_at;
use crate::id::{AttemptNo, WorkKey};

/// How far a handler says it is. Nothing of it is recorded: it is gone with the attempt, and with the process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskProgress {
    /// How much is done, from 0 to 1.
    pub share: f64,
    /// In words; may be empty.
    pub text: String,
}

impl TaskProgress {
    /// The longest text, in bytes; of a longer one the beginning is kept.
    pub const TEXT_BYTES_MAX: usize = 256;

    /// So much, in these words. A share below 0 or above 1 is the nearest of these, and one that is no number is 0.
    pub fn new(share: f64, text: &str) -> Self {
        let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
        Self { share, text: text[..cut_at(text, Self::TEXT_BYTES_MAX)].to_owned() }
    }
}

impl Record {
    /// Says of attempts under way how far their handlers say they are.
    pub fn show_progress(&mut self, all: &[(WorkKey, AttemptNo, TaskProgress)]) {
        for node in &mut self.nodes {
            let (NodeRecordState::Running(begun) | NodeRecordState::Waiting { begun, .. }) = &node.state else {
                continue;
            };
            let is_it = |key: WorkKey, attempt| {
                node.task_id.is_some_and(|task| task.key == key) && begun.attempt == Some(attempt)
            };
            let progress = all.iter().find(|(key, attempt, _)| is_it(*key, *attempt));
            node.progress = progress.map(|(.., progress)| progress.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_share_and_a_text_is_short() {
        let share = |share| TaskProgress::new(share, "").share;
        assert_eq!([0.4, -1.0, 7.0, f64::NAN].map(share), [0.4, 0.0, 1.0, 0.0]);
        assert_eq!(TaskProgress::new(0.0, &"ä".repeat(200)).text, "ä".repeat(128));
    }
}
