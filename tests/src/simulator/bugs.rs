//! Mistakes that can be planted in what moves messages: a simulator is worth what it finds.

use std::fmt;
use std::str::FromStr;

use crate::naive::{Misreading, Mistake};

macro_rules! bugs {
    ($($(#[doc = $text:literal])+ $name:ident,)+) => {
        /// A mistake in what surrounds the machines.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Bug {
            $($(#[doc = $text])+ $name,)+
        }

        impl Bug {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];
        }
    };
}

bugs! {
    /// A turn is performed when its facts are appended.
    PerformBeforeDurable,
    /// Answers are given when their facts are appended.
    AcknowledgeBeforeDurable,
    /// Whoever looks sees the state as it is now.
    ShowBeforeDurable,
    /// The watermark runs ahead of what is durable.
    WatermarkRunsAhead,
    /// The watermark of one shard releases what another one holds.
    ForeignWatermark,
    /// A history that was read is not held until all of it is durable.
    HistoryNotHeld,
    /// A crash cuts off the last durable fact.
    CutDurableTail,
    /// The journal knows no idempotency keys.
    ForgetKeys,
    /// The task engine does not hear that an execution has ended.
    ForgetDeregister,
    /// Messages for an execution that an actor does not have are lost.
    LoseForwarded,
    /// What the task engine has for an execution that an actor does not have is lost.
    LoseDelivered,
    /// What an actor had in hand when it panicked is lost.
    LosePanicked,
    /// An execution is not compared with what is under way.
    SkipReconcile,
    /// An execution does not hear that its process is another one.
    SkipRecovered,
    /// A rebuilt task engine does not adopt the handlers at work.
    SkipAdopt,
    /// A rebuilt task engine does not hear the input again over which it panicked.
    LoseInputInHand,
    /// Handlers are not told to stop, and do not go on when they may.
    IgnoreResumes,
    /// An actor acknowledges outcomes that it has only passed on.
    AcknowledgePassedOn,
    /// A rebuilt task engine does not know which outcomes are on their way.
    ForgetUntaken,
    /// An actor gives an execution back while the task engine owes it an answer.
    ParkUnanswered,
    /// An actor repairs nothing when a message to the task engine or its answer is lost.
    SkipRepair,
    /// A process takes up executions although it has not their handlers.
    IgnoreMissingHandlers,
    /// Permits that are given back never come to the pool.
    LosePermits,
    /// The output of a handler is taken for that of another one.
    MixOutputs,
    /// An actor does not hear that its messages were taken in.
    LoseAnswered,
    /// The custom status that comes with outcomes is not taken in.
    ForgetStatusInBatch,
    /// The custom status that was not recorded is lost with the state of its execution.
    ForgetStatusInPanic,
    /// A custom status that was set is told with the text of the one before.
    StaleStatus,
    /// Early reports are not given back.
    LoseEarlyReports,
    /// Timers that fired are not told.
    LoseTimers,
    /// Answers of other shards are lost.
    LoseShardAnswers,
    /// A crash loses that handlers have still to be told of ends.
    ForgetUntoldInCrash,
    /// Handlers are told of an end when it is appended.
    TellBeforeDurable,
    /// An end over which a handler has failed counts as told.
    FailedCountsAsTold,
    /// What the actor decided is not appended.
    SkipAppend,
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
    /// A failure before a join that can do without it never counts.
    JoinToleratesForGood,
    /// A task that waits for its next attempt takes a slot behind its split.
    BackoffTakesSlot,
    /// What is drawn for the wait before an attempt is another one after a restart.
    JitterDiffersOnReplay,
    /// All waits before further attempts are as long as the first one.
    WaitsDoNotGrow,
    /// A failure that `not_on` names is tried again.
    RetriesWhatNotOnNames,
    /// An attempt that was lost with its process uses up one of those that are allowed.
    LostUsesUpRetries,
    /// A crash makes the time for all attempts begin anew.
    TimeForgottenInCrash,
    /// Work that is to be held when its attempts are used up fails.
    HeldFails,
    /// Work that is held is run again after a restart.
    HeldRunsAfterRestart,
    /// Work of which nobody knows whether it took effect is tried again.
    UnknownRunsAgain,
    /// An operator's retry gives no new attempts and no new time.
    RetryKeepsTheBudget,
    /// Work that an operator has failed is tried again.
    OperatorsFailIsTriedAgain,
    /// What depends on work that an operator has skipped is skipped too.
    SkippingBlocks,
    /// Work whose time in all is over is tried again.
    OutOfTimeIsTriedAgain,
    /// A signal that nobody waits for is lost.
    LosesEarlySignal,
    /// One signal is given to all that wait for it.
    AllWaitingTakeSignal,
    /// A signal that was kept is given twice.
    TakesSignalTwice,
    /// A node that was closed takes the signal that it waited for.
    ClosedTakesSignal,
    /// Of several signals that are kept the newest one is taken.
    TakesNewestSignal,
    /// Of several nodes that wait for a signal the last one takes it.
    LastWaitingTakesSignal,
    /// A signal that does not come in time is a failure, although another node is named for that.
    TimeoutFails,
    /// What comes after a wait goes on although the signal did not come in time.
    TimeoutGoesOn,
    /// A signal with an id that was sent before counts once more.
    ForgetSignalIds,
    /// A time that is waited for begins anew in the next process.
    DelayBeginsAnew,
    /// A node that waits for a moment or a signal has no timer in the next process.
    ForgetWaits,
    /// The time for all attempts of a task has no timer in the next process.
    ForgetTotal,
    /// The deadline has no timer in the next process.
    ForgetDeadline,
    /// The time that an execution may be ending has no timer in the next process.
    ForgetEndingWithin,
    /// The time that an execution may be ending begins anew in the next process.
    EndingWithinBeginsAnew,
    /// A moment that has passed is waited for.
    WaitsForThePast,
    /// An attempt may wait for its permits as long as it takes.
    QueueTimeNeverEnds,
    /// The time in the queue is counted from before an attempt was queued.
    QueueTimeBeginsEarly,
    /// A handler may say nothing as long as it likes.
    SilenceIsNotNoticed,
    /// A sign of life is taken for one of the handler that began last.
    HeartbeatOfAnother,
    /// Work that an operator has skipped counts as failed.
    SkippingFails,
    /// What is called is opened once more after a crash.
    CallsTwice,
    /// A failure inside of a call is said without the path that leads there.
    FailsWithoutPath,
    /// What completed first is undone first.
    UndoesInOrder,
    /// What was undone is undone once more after a crash.
    UndoesTwice,
    /// What completed inside of scopes is not undone.
    EntersNoScope,
    /// What is cancelled has no `finally`.
    SkipsFinallyOnCancel,
    /// A `finally` runs once more after a crash.
    RunsFinallyTwice,
    /// A `finally` that fails decides the end.
    FinallyDecides,
}

impl Bug {
    /// The rule that is misread, if that is the mistake: what executions do is compared with a second reading of the rules,
    /// and a difference between both is found in whichever of them it is planted.
    pub(super) fn misreading(self) -> Option<Misreading> {
        Some(match self {
            Self::FiresTwice => Misreading::FiresTwice,
            Self::ForgetsLoser => Misreading::ForgetsLoser,
            Self::CancelsWhatOthersNeed => Misreading::CancelsWhatOthersNeed,
            Self::CountsHandled => Misreading::CountsHandled,
            Self::HandledForGood => Misreading::HandledForGood,
            Self::JoinToleratesForGood => Misreading::JoinToleratesForGood,
            Self::BackoffTakesSlot => Misreading::BackoffTakesSlot,
            Self::WaitsDoNotGrow => Misreading::WaitsDoNotGrow,
            Self::RetriesWhatNotOnNames => Misreading::RetriesWhatNotOnNames,
            Self::LostUsesUpRetries => Misreading::LostUsesUpRetries,
            Self::TimeForgottenInCrash => Misreading::TimeForgottenInCrash,
            Self::HeldFails => Misreading::HeldFails,
            Self::HeldRunsAfterRestart => Misreading::HeldRunsAfterRestart,
            Self::UnknownRunsAgain => Misreading::UnknownRunsAgain,
            Self::RetryKeepsTheBudget => Misreading::RetryKeepsTheBudget,
            Self::OperatorsFailIsTriedAgain => Misreading::OperatorsFailIsTriedAgain,
            Self::SkippingBlocks => Misreading::SkippingBlocks,
            Self::OutOfTimeIsTriedAgain => Misreading::OutOfTimeIsTriedAgain,
            Self::LosesEarlySignal => Misreading::LosesEarlySignal,
            Self::AllWaitingTakeSignal => Misreading::AllWaitingTakeSignal,
            Self::TakesSignalTwice => Misreading::TakesSignalTwice,
            Self::ClosedTakesSignal => Misreading::ClosedTakesSignal,
            Self::TakesNewestSignal => Misreading::TakesNewestSignal,
            Self::LastWaitingTakesSignal => Misreading::LastWaitingTakesSignal,
            Self::TimeoutFails => Misreading::TimeoutFails,
            Self::TimeoutGoesOn => Misreading::TimeoutGoesOn,
            Self::WaitsForThePast => Misreading::WaitsForThePast,
            Self::SkippingFails => Misreading::SkippingFails,
            _ => return None,
        })
    }

    /// The same for rules about scopes and their ends.
    pub(super) fn mistake(self) -> Option<Mistake> {
        Some(match self {
            Self::UndoesInOrder => Mistake::UndoesInOrder,
            Self::UndoesTwice => Mistake::UndoesTwice,
            Self::EntersNoScope => Mistake::EntersNoScope,
            Self::SkipsFinallyOnCancel => Mistake::SkipsFinallyOnCancel,
            Self::RunsFinallyTwice => Mistake::RunsFinallyTwice,
            Self::FinallyDecides => Mistake::FinallyDecides,
            Self::CallsTwice => Mistake::CallsTwice,
            Self::FailsWithoutPath => Mistake::FailsWithoutPath,
            _ => return None,
        })
    }

    /// The name on the command line: the words of the variant, with dashes.
    pub fn name(self) -> String {
        let mut name = String::new();
        for letter in format!("{self:?}").chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.extend(letter.to_lowercase());
        }
        name
    }
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// A name that no bug has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no bug {0:?}; --list-bugs tells those there are")]
pub struct UnknownBug(String);

impl FromStr for Bug {
    type Err = UnknownBug;

    fn from_str(name: &str) -> Result<Self, UnknownBug> {
        Self::ALL.iter().copied().find(|bug| bug.name() == name).ok_or_else(|| UnknownBug(name.to_owned()))
    }
}
