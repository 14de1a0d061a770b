//! Why a task was not done.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureClass {
    /// The handler or the outside reported that it could not be done.
    Failed,
    /// Somebody cancelled this task.
    Cancelled,
    /// Whoever was asked refused.
    Rejected,
    /// The task was deleted where it was kept.
    Deleted,
    /// An attempt took longer than allowed.
    TimedOut,
    /// The handler panicked.
    Panicked,
    /// Nobody knows what became of it.
    Lost,
    /// An expression of the node could not be evaluated.
    Expression,
    /// A list has more items than a map may have.
    Limit,
    /// The rounds of a loop are used up.
    Exhausted,
    /// Whoever did it cannot say whether it took effect.
    Unknown,
}

/// The code of a failure because what was given does not fit its schema.
pub(crate) const INPUT_SCHEMA: &str = "input_schema";

/// The code of a failure because what something gave does not fit its schema.
pub(crate) const OUTPUT_SCHEMA: &str = "output_schema";

impl FailureClass {
    /// All classes.
    pub const ALL: [Self; 11] = [
        Self::Failed,
        Self::Cancelled,
        Self::Rejected,
        Self::Deleted,
        Self::TimedOut,
        Self::Panicked,
        Self::Lost,
        Self::Expression,
        Self::Limit,
        Self::Exhausted,
        Self::Unknown,
    ];

    /// The name in records, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
            Self::Deleted => "deleted",
            Self::TimedOut => "timed_out",
            Self::Panicked => "panicked",
            Self::Lost => "lost",
            Self::Expression => "expression",
            Self::Limit => "limit",
            Self::Exhausted => "exhausted",
            Self::Unknown => "unknown",
        }
    }

    /// Whether another attempt could help; what people decided is not tried again.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Failed | Self::TimedOut | Self::Panicked | Self::Lost)
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "timed out",
            Self::Expression => "could not be evaluated",
            Self::Limit => "is over a limit",
            Self::Unknown => "has an unknown outcome",
            other => other.name(),
        })
    }
}

/// Why a task was not done, in the words of whoever reports it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of failure it was.
    pub class: FailureClass,
    /// In words; may be empty.
    pub reason: Box<str>,
    /// Whether the reporter knows that another attempt cannot help.
    pub permanent: bool,
    /// Which failure it was, for programs: what a handler calls it. Never blank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<Box<str>>,
    /// In whole microseconds, as it is recorded: what is shorter would be seen live and not in a replay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after_us: Option<u64>,
}

impl Failure {
    /// A failure of that class, for that reason.
    pub fn new(class: FailureClass, reason: impl Into<Box<str>>) -> Self {
        Self { class, reason: reason.into(), permanent: false, code: None, retry_after_us: None }
    }

    /// The same failure, not to be tried again.
    pub fn permanent(self) -> Self {
        Self { permanent: true, ..self }
    }

    /// The longest code, in bytes.
    pub const CODE_BYTES_MAX: usize = 128;

    /// The same failure, with a code by which programs and definitions know it.
    ///
    /// A blank one is none, and of one that is too long only the first [`CODE_BYTES_MAX`](Self::CODE_BYTES_MAX) bytes are
    /// kept.
    pub fn with_code(self, code: &str) -> Self {
        let code = code.trim();
        let end = cut_at(code, Self::CODE_BYTES_MAX);
        Self { code: (end > 0).then(|| code[..end].into()), ..self }
    }

    /// Which failure it was, for programs; none if nobody said so.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The same failure, with another attempt not before that time has passed.
    ///
    /// It gives no attempt to a task that has none left. What is beyond whole microseconds is dropped.
    pub fn retry_after(self, delay: Duration) -> Self {
        Self { retry_after_us: Some(u64::try_from(delay.as_micros()).unwrap_or(u64::MAX)), ..self }
    }

    /// How long to wait at least before another attempt, if the reporter knows: longer than the backoff of the task, it
    /// counts instead.
    pub fn delay(&self) -> Option<Duration> {
        self.retry_after_us.map(Duration::from_micros)
    }

    /// The same failure, with a reason of at most so many bytes: a longer one ends with `…`.
    pub fn cut(mut self, bytes_max: usize) -> Self {
        const MORE: &str = "…";
        if self.reason.len() > bytes_max {
            let fits = bytes_max.saturating_sub(MORE.len());
            self.reason = format!("{}{MORE}", &self.reason[..cut_at(&self.reason, fits)]).into();
        }
        self
    }

    /// Whether another attempt could help.
    pub const fn is_retryable(&self) -> bool {
        self.class.is_retryable() && !self.permanent
    }
}

/// Where a text ends of which at most so many bytes are kept.
pub(crate) fn cut_at(text: &str, bytes_max: usize) -> usize {
    let fits = text.len().min(bytes_max);
    (0..=fits).rev().find(|&end| text.is_char_boundary(end)).unwrap_or_default()
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.reason.is_empty() {
            return self.class.fmt(f);
        }
        write!(f, "{}: {}", self.class, self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_between_letters_and_only_if_it_is_too_long() {
        let cut = |reason: &str, bytes_max| Failure::new(FailureClass::Failed, reason).cut(bytes_max).reason;
        assert_eq!(&*cut("äöü", 6), "äöü");
        assert_eq!(&*cut("äöü", 5), "ä…");
        assert_eq!(&*cut("long", 0), "…");
    }

    #[test]
    fn a_code_is_never_blank_nor_too_long() {
        let code = |code: &str| Failure::new(FailureClass::Failed, "").with_code(code).code().map(str::to_owned);
        assert_eq!(code(" card_declined\n").as_deref(), Some("card_declined"));
        assert_eq!(code(" "), None);
        assert_eq!(code(&"ä".repeat(100)), Some("ä".repeat(64)));
    }
}
