//! Forgetting executions that ended long ago.

use finale_core::fact::Terminal;
use finale_core::{ExecutionId, Time};

/// Which executions need not be kept any more, by how they ended. By default all are kept.
///
/// ```
/// use finale_core::Time;
/// use finale_core::fact::Terminal;
/// use finale_journal::{Expired, Purge};
///
/// let mut purge = Purge::all(Expired { ended_before: None, all_but: Some(1_000) });
/// purge.failed = Expired::default();
/// assert_eq!(purge.of(Terminal::Completed).all_but, Some(1_000));
/// assert!(!purge.of(Terminal::Failed).is_some() && purge.is_some());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purge {
    /// Of those that completed.
    pub completed: Expired,
    /// Of those that failed.
    pub failed: Expired,
    /// Of those that were cancelled.
    pub cancelled: Expired,
    /// Whether those are kept of whose ends somebody has [still to be told](crate::Ends::to_tell), although they have
    /// expired. They count among the [number](Expired::all_but) that is kept. By default they go like all others.
    pub keeps_untold: bool,
}

/// Which executions of one kind need not be kept any more: those that ended earlier than a moment, and those that a
/// number of others ended after. By default all are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Those that ended earlier.
    pub ended_before: Option<Time>,
    /// All but that many, those that ended last.
    pub all_but: Option<u64>,
}

/// What became of a purge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// The executions that were forgotten. Of one kind those that ended first come first.
    pub executions: Vec<ExecutionId>,
    /// Whether there may be more that have expired.
    pub more: bool,
}

impl Purge {
    /// Every kind of end.
    pub(crate) const KINDS: [Terminal; 3] = [Terminal::Completed, Terminal::Failed, Terminal::Cancelled];

    /// The same for all, however they ended.
    pub const fn all(expired: Expired) -> Self {
        Self { completed: expired, failed: expired, cancelled: expired, keeps_untold: false }
    }

    /// What has expired of those that ended so.
    pub const fn of(&self, status: Terminal) -> Expired {
        match status {
            Terminal::Completed => self.completed,
            Terminal::Failed => self.failed,
            Terminal::Cancelled => self.cancelled,
        }
    }

    /// Whether anything can expire at all.
    pub fn is_some(&self) -> bool {
        Self::KINDS.iter().any(|status| self.of(*status).is_some())
    }
}

impl Expired {
    /// Whether anything can expire at all.
    pub const fn is_some(&self) -> bool {
        self.ended_before.is_some() || self.all_but.is_some()
    }
}

/// Takes some of each of several lists in turn, so that a long one keeps no other waiting. At most that many.
pub(crate) fn in_turn<T>(lists: [Vec<T>; 3], limit: usize) -> Vec<T> {
    let mut lists = lists.map(Vec::into_iter);
    let mut taken = Vec::new();
    loop {
        let before = taken.len();
        for list in &mut lists {
            if taken.len() < limit {
                taken.extend(list.next());
            }
        }
        if taken.len() == before {
            return taken;
        }
    }
}
