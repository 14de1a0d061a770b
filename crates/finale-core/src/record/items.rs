//! Counts of the items of a map.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many items of a map are where: each is counted once, so that they add up to `total`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ItemCounts {
    /// All of them.
    pub total: u32,
    /// Not begun yet.
    pub pending: u32,
    /// Under way: at work, or waiting.
    pub open: u32,
    /// Done.
    pub completed: u32,
    /// Not done, those included that are tolerated.
    pub failed: u32,
    /// Begun, and closed by the failure of the map or by the end of what it is in.
    pub cancelled: u32,
    /// Never begun.
    pub skipped: u32,
}

impl ItemCounts {
    /// How many are settled, whatever became of them.
    pub const fn settled(&self) -> u32 {
        self.completed + self.failed + self.cancelled + self.skipped
    }

    pub(super) fn add_up(&self) -> bool {
        let Self { total, pending, open, completed, failed, cancelled, skipped } = *self;
        let all = [pending, open, completed, failed, cancelled, skipped];
        all.into_iter().map(u64::from).sum::<u64>() == u64::from(total)
    }
}

/// `7 of 9: 6 completed, 1 failed, 2 open`; what no item is in is left out.
impl fmt::Display for ItemCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.completed, "completed"),
            (self.failed, "failed"),
            (self.cancelled, "cancelled"),
            (self.skipped, "skipped"),
            (self.open, "open"),
            (self.pending, "pending"),
        ];
        write!(f, "{} of {}", self.settled(), self.total)?;
        for (number, (count, word)) in counts.into_iter().filter(|(count, _)| *count > 0).enumerate() {
            f.write_str(if number == 0 { ": " } else { ", " })?;
            write!(f, "{count} {word}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_counted_in_words() {
        let counts = ItemCounts { total: 9, completed: 6, failed: 1, open: 2, ..ItemCounts::default() };
        assert_eq!(counts.to_string(), "7 of 9: 6 completed, 1 failed, 2 open");
        assert_eq!(ItemCounts::default().to_string(), "0 of 0");
        assert!(counts.add_up() && !ItemCounts { pending: 1, ..counts }.add_up());
    }
}
