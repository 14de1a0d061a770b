//! An activation that waits, and its requester.

use super::message::{Activate, ClaimNo};
use crate::number::{RequestId, ShardNo};

/// The requester of an activation, who gets the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Asker {
    /// Nobody waits.
    #[default]
    Nobody,
    /// Somebody outside.
    Request(RequestId),
    /// The home of its key, which is this shard.
    Claim(ClaimNo),
    /// The home of its key, which is another shard.
    Shard(ShardNo, ClaimNo),
}

/// An execution that is to begin.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) asker: Asker,
    pub(super) activate: Activate,
}
