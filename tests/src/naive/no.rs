//! Why an input changes nothing, without the details.

use finale_core::execution::Refused;

/// Why an input changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum No {
    /// It is not running.
    NotRunning,
    /// It is over.
    Over,
    /// It makes no sense.
    Invalid,
    /// It comes before its time.
    Early,
    /// It comes after its time.
    Late,
    /// It is about another attempt.
    Stale,
    /// It is about work that does not exist.
    Unknown,
}

impl From<&Refused> for No {
    fn from(refused: &Refused) -> Self {
        match refused {
            Refused::NotRunning(_) => Self::NotRunning,
            Refused::AlreadyTerminal(_) => Self::Over,
            Refused::NotReady { .. } | Refused::WaitsForElse { .. } => Self::Early,
            Refused::Settled { .. } => Self::Late,
            Refused::Stale { .. } => Self::Stale,
            Refused::Unknown => Self::Unknown,
            _ => Self::Invalid,
        }
    }
}
