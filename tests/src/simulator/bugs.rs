//! Mistakes that can be planted in the model of the shell: a simulator is worth what it finds.

use std::fmt;
use std::str::FromStr;

/// A mistake in what surrounds the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Bug {
    /// Answers are given when their facts are appended.
    AcknowledgeBeforeDurable,
    /// Effects are performed when their facts are appended.
    PerformBeforeDurable,
    /// Whoever looks sees the state as it is now.
    ShowBeforeDurable,
    /// The end is published when it is appended.
    PublishBeforeDurable,
    /// The watermark of one shard lets go what another shard holds.
    ForeignWatermark,
    /// A batch acknowledges also what was appended while it was written.
    WatermarkRunsAhead,
    /// An outcome is told under the current epoch, whichever it is of.
    SkipEpochCheck,
    /// An outcome counts for the current attempt, whichever it is of.
    ApplyLateOutcome,
    /// A timer fires when half of its time is over.
    TimerTooEarly,
    /// Recovery arms no timers.
    ForgetTimersOnRecovery,
    /// Recovery runs no handlers again.
    ForgetHandlersOnRecovery,
    /// Recovery opens no tasks of the outside again.
    DropOffersOnRecovery,
    /// Recovery runs handlers again under their old attempt and does not tell the core.
    SameAttemptAfterCrash,
    /// Recovery takes the last append for torn and cuts it off.
    CutDurableTail,
    /// Recovery does everything twice.
    RecoverTwice,
    /// Recovery runs handlers again that may begin only once.
    AtMostOnceAgain,
    /// A sweep runs a handler again that may begin only once and whose result was lost.
    SweepAtMostOnceAgain,
    /// The end is appended apart from the fact that brought it about.
    EndInSecondAppend,
    /// The journal takes writes of an older life.
    TwoLives,
    /// Recovery knows no idempotency keys.
    ForgetKeysOnRestart,
    /// An idempotency key is free again when its execution has ended.
    FreeKeysAtTheEnd,
    /// Nobody looks whether something was lost.
    NoSweep,
    /// Some answers are never given.
    LoseReplies,
    /// What an actor had in hand when it died is not read again.
    ForgetMailOfTheDead,
    /// An actor that died is rebuilt from what is durable, not from what is appended.
    RebuildFromDurable,
    /// Tasks that wait for a place begin although the end is decided.
    BeginAfterEnd,
    /// A task stays open although it was taken back.
    KeepWithdrawnOffers,
    /// Effects that are left when a piece of work is interrupted are dropped.
    DropRestOfEffects,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 28] = [
        Self::AcknowledgeBeforeDurable,
        Self::PerformBeforeDurable,
        Self::ShowBeforeDurable,
        Self::PublishBeforeDurable,
        Self::ForeignWatermark,
        Self::WatermarkRunsAhead,
        Self::SkipEpochCheck,
        Self::ApplyLateOutcome,
        Self::TimerTooEarly,
        Self::ForgetTimersOnRecovery,
        Self::ForgetHandlersOnRecovery,
        Self::DropOffersOnRecovery,
        Self::SameAttemptAfterCrash,
        Self::CutDurableTail,
        Self::RecoverTwice,
        Self::AtMostOnceAgain,
        Self::SweepAtMostOnceAgain,
        Self::EndInSecondAppend,
        Self::TwoLives,
        Self::ForgetKeysOnRestart,
        Self::FreeKeysAtTheEnd,
        Self::NoSweep,
        Self::LoseReplies,
        Self::ForgetMailOfTheDead,
        Self::RebuildFromDurable,
        Self::BeginAfterEnd,
        Self::KeepWithdrawnOffers,
        Self::DropRestOfEffects,
    ];

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
        Self::ALL.into_iter().find(|bug| bug.name() == name).ok_or_else(|| UnknownBug(name.to_owned()))
    }
}
