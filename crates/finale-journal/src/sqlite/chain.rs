//! Hashes that tell rot from what was written.

use finale_core::ExecutionId;
use twox_hash::XxHash3_64;

/// The hash of an append, over the one before it: a fact that rots, goes missing or moves breaks the chain.
pub(super) fn link(before: u64, execution: ExecutionId, first_sequence: u64, count: u32, facts: &[u8]) -> u64 {
    let mut head = [0; 28];
    head[..16].copy_from_slice(execution.as_uuid().as_bytes());
    head[16..24].copy_from_slice(&first_sequence.to_le_bytes());
    head[24..].copy_from_slice(&count.to_le_bytes());
    XxHash3_64::oneshot_with_seed(XxHash3_64::oneshot_with_seed(before, &head), facts)
}

/// The hash over the batches so far.
pub(super) fn batch(before: u64, next: u64) -> u64 {
    XxHash3_64::oneshot_with_seed(before, &next.to_le_bytes())
}

/// The hash over the batches that are not in the tables yet.
pub(super) fn recent(before: u64, number: u64, bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot_with_seed(batch(before, number), bytes)
}

/// A hash over the fields of a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Check(u64);

impl Check {
    pub(super) const fn new() -> Self {
        Self(0)
    }

    #[must_use]
    pub(super) fn bytes(self, bytes: &[u8]) -> Self {
        // The length keeps neighbours apart.
        Self(XxHash3_64::oneshot_with_seed(self.0 ^ bytes.len() as u64, bytes))
    }

    #[must_use]
    pub(super) fn number(self, number: i64) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    #[must_use]
    pub(super) fn text(self, text: Option<&str>) -> Self {
        self.number(text.is_some().into()).bytes(text.unwrap_or_default().as_bytes())
    }

    /// As SQLite keeps it.
    pub(super) const fn sum(self) -> i64 {
        self.0 as i64
    }
}
