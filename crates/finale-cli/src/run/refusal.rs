//! Why an answer changed nothing.

use finale::{CommandError, ReportError};

use super::error::RunError;

/// Why an answer changed nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    Command(#[from] CommandError),
}

impl Refusal {
    /// Whether the runtime has stopped, so that nobody can answer any more.
    pub(super) const fn has_stopped(&self) -> bool {
        matches!(
            self,
            Self::Report(ReportError::Journal(_) | ReportError::Stopped)
                | Self::Command(CommandError::Journal(_) | CommandError::Stopped)
        )
    }

    /// Whether no other answer would change anything either: the node does not wait for one any more, or the runtime has
    /// stopped.
    pub(super) const fn is_too_late(&self) -> bool {
        match self {
            _ if self.has_stopped() => true,
            Self::Report(error) => matches!(
                error,
                ReportError::NotFound
                    | ReportError::AlreadySettled(_)
                    | ReportError::ScopeOver
                    | ReportError::AlreadyTerminal(_)
                    | ReportError::StaleAttempt { .. }
            ),
            Self::Command(error) => matches!(
                error,
                CommandError::NotFound
                    | CommandError::NotRunning(_)
                    | CommandError::AlreadySettled(_)
                    | CommandError::ScopeOver
                    | CommandError::EndDecided
                    | CommandError::AlreadyTerminal(_)
                    | CommandError::WaitsForElse(_)
            ),
        }
    }
}

impl From<Refusal> for RunError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Report(error) => error.into(),
            Refusal::Command(error) => error.into(),
        }
    }
}
