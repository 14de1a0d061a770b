//! Mistakes that the naive reading can be made to make: a comparison is worth what it finds.

use finale_core::definition::{JoinStrategy, NodeKind};

use super::{Naive, Place, Way};

/// A rule that is misread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Misreading {
    /// A join that did not wait for all goes on again when another edge becomes live.
    FiresTwice,
    /// A join that cancels its losers leaves one of them alone.
    ForgetsLoser,
    /// A join cancels what leads into it, also if another way leads on from there.
    CancelsWhatOthersNeed,
    /// A failure counts although another node handles it.
    CountsHandled,
    /// A failure stays handled although what handles it has failed.
    HandledForGood,
    /// What comes after a failure that is handled is skipped as by a failure.
    HandledBlocks,
    /// A failure before a join that can do without it never counts.
    JoinToleratesForGood,
    /// A failure that is tolerated is a success for the join behind it.
    FailedEdgeIsSuccess,
    /// A rule with a count waits until all edges are settled.
    AtLeastWaits,
    /// A node that was to begin after failures passes on failures when it does not.
    FailureRulesBlock,
    /// A task that waits for its next attempt takes a slot behind its split.
    BackoffTakesSlot,
    /// A failure that `not_on` names is tried again.
    RetriesWhatNotOnNames,
    /// Work that is to be held when its attempts are used up fails.
    HeldFails,
    /// Work of which nobody knows whether it took effect is tried again.
    UnknownRunsAgain,
    /// Work that an operator has failed is tried again.
    OperatorsFailIsTriedAgain,
    /// An attempt that was lost with its process uses up one of those that are allowed.
    LostUsesUpRetries,
    /// A crash makes the time for all attempts begin anew.
    TimeForgottenInCrash,
    /// Work that is held is run again after a restart.
    HeldRunsAfterRestart,
    /// An operator's retry gives no new attempts and no new time.
    RetryKeepsTheBudget,
    /// What depends on work that an operator has skipped is skipped too.
    SkippingBlocks,
    /// Work that an operator has skipped counts as failed.
    SkippingFails,
    /// All waits are as long as the first one.
    WaitsDoNotGrow,
    /// Work whose time in all is over is tried again.
    OutOfTimeIsTriedAgain,
    /// A signal that nobody waits for is lost.
    LosesEarlySignal,
    /// All nodes that wait for a signal take the same one.
    AllWaitingTakeSignal,
    /// A signal that was kept is kept on when it is taken.
    TakesSignalTwice,
    /// A signal with an id that was sent before counts once more.
    CountsRepeatedSignal,
    /// A node that was closed takes the signal that it waited for.
    ClosedTakesSignal,
    /// Of several signals that are kept the newest one is taken.
    TakesNewestSignal,
    /// Of several nodes that wait for a signal the last one takes it.
    LastWaitingTakesSignal,
    /// A signal that does not come in time is a failure, although another node is named for that.
    TimeoutFails,
    /// What comes after a wait goes on although the signal did not come.
    TimeoutGoesOn,
    /// A moment that has passed is waited for.
    WaitsForThePast,
}

impl Misreading {
    /// All of them.
    pub const ALL: [Self; 33] = [
        Self::FiresTwice,
        Self::ForgetsLoser,
        Self::CancelsWhatOthersNeed,
        Self::CountsHandled,
        Self::HandledForGood,
        Self::HandledBlocks,
        Self::JoinToleratesForGood,
        Self::FailedEdgeIsSuccess,
        Self::AtLeastWaits,
        Self::FailureRulesBlock,
        Self::BackoffTakesSlot,
        Self::RetriesWhatNotOnNames,
        Self::HeldFails,
        Self::UnknownRunsAgain,
        Self::OperatorsFailIsTriedAgain,
        Self::LostUsesUpRetries,
        Self::TimeForgottenInCrash,
        Self::HeldRunsAfterRestart,
        Self::RetryKeepsTheBudget,
        Self::SkippingBlocks,
        Self::SkippingFails,
        Self::WaitsDoNotGrow,
        Self::OutOfTimeIsTriedAgain,
        Self::LosesEarlySignal,
        Self::AllWaitingTakeSignal,
        Self::TakesSignalTwice,
        Self::CountsRepeatedSignal,
        Self::ClosedTakesSignal,
        Self::TakesNewestSignal,
        Self::LastWaitingTakesSignal,
        Self::TimeoutFails,
        Self::TimeoutGoesOn,
        Self::WaitsForThePast,
    ];
}

impl Naive {
    pub(super) fn misreads(&self, misreading: Misreading) -> bool {
        self.misreading == Some(misreading)
    }

    /// Lets the tasks behind a join begin again once a second edge into it is live.
    pub(super) fn misread_settled(&mut self) {
        if !self.misreads(Misreading::FiresTwice) {
            return;
        }
        for join in 0..self.places.len() {
            let is_early = matches!(&self.definition.nodes[join].kind,
                NodeKind::ParallelJoin(kind) if kind.strategy != JoinStrategy::All);
            let live = self.ways_into(join).iter().filter(|way| **way == Way::Live).count();
            if is_early && live == 2 && matches!(self.places[join], Place::Passed(_)) {
                for next in self.next(join, false).collect::<Vec<_>>() {
                    if let Place::Done(_) = self.places[next] {
                        self.dispatch(next);
                    }
                }
            }
        }
    }
}
