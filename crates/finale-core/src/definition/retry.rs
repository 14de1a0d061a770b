//! When a task is tried again, and what becomes of it when it is not.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::failure::FailureClass;

/// When a task is tried again.
///
/// ```
/// use std::time::Duration;
///
/// use finale_core::definition::{Backoff, Retry, Task};
///
/// let wait = Backoff::exponential(Duration::from_secs(1), 2.0).max(Duration::from_secs(60)).jitter_percent(20);
/// let retry = Retry::attempts(5).backoff(wait).within(Duration::from_secs(600)).not_on(["card_declined"]).hold();
/// let task = Task::handler("charge_card").retry_as(retry);
/// assert_eq!(task.retry.attempts, 5);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// How many attempts in all, at least 1; default 1. Those that were lost with their process are not counted.
    pub attempts: u16,
    /// How long to wait before each further attempt; default not at all.
    #[serde(default)]
    pub backoff: Backoff,
    /// How long after the first attempt was handed out a further one may begin at the latest; by default there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Duration>,
    /// The failures after which there is another attempt; empty means all that can be tried again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<FailureKind>,
    /// The failures after which there is none, even if [`on`](Self::on) names them too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_on: Vec<FailureKind>,
    /// What becomes of the task when its attempts or its time are used up.
    #[serde(default, skip_serializing_if = "Exhausted::is_default")]
    pub exhausted: Exhausted,
}

/// What becomes of a task whose attempts or whose time are used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Exhausted {
    /// It fails.
    #[default]
    Fail,
    /// It waits for an operator, who has it tried again, completes it or fails it.
    Hold,
}

impl Exhausted {
    /// The name in definition files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Hold => "hold",
        }
    }

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Which failures are meant: those of a class, or those with a code. As a text it is the name of either; the name of a
/// class always means the class.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum FailureKind {
    /// All failures of that class.
    Class(FailureClass),
    /// All failures with that code, of whatever class.
    Code(Box<str>),
}

impl FailureKind {
    /// The name in definition files.
    pub fn name(&self) -> &str {
        match self {
            Self::Class(class) => class.name(),
            Self::Code(code) => code,
        }
    }
}

impl From<FailureClass> for FailureKind {
    fn from(class: FailureClass) -> Self {
        Self::Class(class)
    }
}

impl From<&str> for FailureKind {
    fn from(name: &str) -> Self {
        let class = FailureClass::ALL.into_iter().find(|class| class.name() == name);
        class.map_or_else(|| Self::Code(name.into()), Self::Class)
    }
}

impl From<String> for FailureKind {
    fn from(name: String) -> Self {
        name.as_str().into()
    }
}

impl From<FailureKind> for String {
    fn from(kind: FailureKind) -> Self {
        kind.name().to_owned()
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self::attempts(1)
    }
}

impl Retry {
    /// That many attempts in all, without a wait between them.
    pub fn attempts(attempts: u16) -> Self {
        Self {
            attempts,
            backoff: Backoff::default(),
            within: None,
            on: Vec::new(),
            not_on: Vec::new(),
            exhausted: Exhausted::default(),
        }
    }

    /// How long to wait before each further attempt: a [`Backoff`], or one duration for all of them.
    #[must_use]
    pub fn backoff(self, backoff: impl Into<Backoff>) -> Self {
        Self { backoff: backoff.into(), ..self }
    }

    /// How long after the first attempt was handed out a further one may begin at the latest.
    #[must_use]
    pub fn within(self, total: Duration) -> Self {
        Self { within: Some(total), ..self }
    }

    /// Only these failures are tried again: classes, or codes as texts.
    #[must_use]
    pub fn on<K: Into<FailureKind>>(self, kinds: impl IntoIterator<Item = K>) -> Self {
        Self { on: kinds.into_iter().map(Into::into).collect(), ..self }
    }

    /// These failures are not tried again: classes, or codes as texts.
    #[must_use]
    pub fn not_on<K: Into<FailureKind>>(self, kinds: impl IntoIterator<Item = K>) -> Self {
        Self { not_on: kinds.into_iter().map(Into::into).collect(), ..self }
    }

    /// When the attempts or the time are used up, the task waits for an operator instead of failing.
    #[must_use]
    pub fn hold(self) -> Self {
        Self { exhausted: Exhausted::Hold, ..self }
    }
}

/// How long to wait before each further attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Backoff {
    /// The wait before the second attempt.
    pub initial: Duration,
    /// How the waits after that one grow.
    pub growth: Growth,
    /// No wait is longer than this; by default there is no limit. What a failure asks for itself is not held by it.
    pub max: Option<Duration>,
    /// By how many percent, at most 100, a wait may be shorter than the growth says. How much it is is drawn from the ids
    /// of the execution and the task and from the number of the attempt: the same in every replay. Default 0.
    pub jitter_percent: u8,
}

/// How the waits between attempts grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Growth {
    /// All are equally long.
    #[default]
    Constant,
    /// The second is twice as long as the first, the third three times.
    Linear,
    /// Each is so many times as long as the one before.
    Exponential {
        /// From 1 to [`Backoff::FACTOR_MAX`].
        factor: f64,
    },
}

impl Growth {
    /// The name in definition files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Linear => "linear",
            Self::Exponential { .. } => "exponential",
        }
    }
}

impl Backoff {
    /// The largest factor of an exponential backoff.
    pub const FACTOR_MAX: f64 = 1_000.0;
    /// The factor of an exponential backoff that names none.
    pub const FACTOR: f64 = 2.0;

    /// The same wait each time.
    pub fn constant(wait: Duration) -> Self {
        Self { initial: wait, ..Self::default() }
    }

    /// A wait that becomes longer by the first one each time.
    pub fn linear(initial: Duration) -> Self {
        Self { initial, growth: Growth::Linear, ..Self::default() }
    }

    /// A wait that is `factor` times as long each time.
    pub fn exponential(initial: Duration, factor: f64) -> Self {
        Self { initial, growth: Growth::Exponential { factor }, ..Self::default() }
    }

    /// Lets no wait be longer than this.
    #[must_use]
    pub fn max(self, max: Duration) -> Self {
        Self { max: Some(max), ..self }
    }

    /// Lets each wait be shorter by a share of at most so many percent.
    #[must_use]
    pub fn jitter_percent(self, percent: u8) -> Self {
        Self { jitter_percent: percent, ..self }
    }

    /// The wait after that many failed attempts, counted from 1, without jitter.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use finale_core::definition::Backoff;
    ///
    /// let second = Duration::from_secs(1);
    /// assert_eq!(Backoff::linear(second).wait(3), 3 * second);
    /// assert_eq!(Backoff::exponential(second, 1.5).wait(3), Duration::from_millis(2_250));
    /// assert_eq!(Backoff::exponential(second, 2.0).max(4 * second).wait(60_000), 4 * second);
    /// ```
    pub fn wait(&self, failed: u16) -> Duration {
        let further = failed.saturating_sub(1);
        let wait = match self.growth {
            Growth::Constant => self.initial,
            Growth::Linear => self.initial.saturating_mul(u32::from(further) + 1),
            Growth::Exponential { factor } => grown(self.initial, factor, further),
        };
        wait.min(self.max.unwrap_or(Duration::MAX))
    }
}

/// The duration multiplied so many times. Multiplications alone give the same bits on every machine; a power need not.
fn grown(initial: Duration, factor: f64, times: u16) -> Duration {
    let mut seconds = initial.as_secs_f64();
    for _ in 0..times {
        seconds *= factor;
        if factor == 1.0 || !seconds.is_finite() {
            break;
        }
    }
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

impl From<Duration> for Backoff {
    fn from(wait: Duration) -> Self {
        Self::constant(wait)
    }
}

/// The form in which a backoff is written down: what could be said before there were kinds is written as it was then, so
/// that definitions keep their hash.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Constant(Duration),
    Whole(Whole),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    initial: Duration,
    #[serde(default)]
    growth: Growth,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max: Option<Duration>,
    #[serde(default)]
    jitter_percent: u8,
}

impl From<Written> for Backoff {
    fn from(written: Written) -> Self {
        match written {
            Written::Constant(wait) => wait.into(),
            Written::Whole(Whole { initial, growth, max, jitter_percent }) => {
                Self { initial, growth, max, jitter_percent }
            }
        }
    }
}

impl From<Backoff> for Written {
    fn from(backoff: Backoff) -> Self {
        let Backoff { initial, growth, max, jitter_percent } = backoff;
        match backoff == initial.into() {
            true => Self::Constant(initial),
            false => Self::Whole(Whole { initial, growth, max, jitter_percent }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(retry: &Retry) -> String {
        serde_json::to_string(retry).unwrap()
    }

    #[test]
    fn what_could_be_said_before_is_written_as_it_was() {
        assert_eq!(json(&Retry::default()), r#"{"attempts":1,"backoff":{"secs":0,"nanos":0}}"#);
        let plain = Retry::attempts(3).backoff(Duration::from_millis(1_500));
        assert_eq!(json(&plain), r#"{"attempts":3,"backoff":{"secs":1,"nanos":500000000}}"#);
    }

    #[test]
    fn everything_is_read_back_as_it_was_written() {
        let second = Duration::from_secs(1);
        let backoffs = [
            Backoff::constant(second),
            Backoff::constant(second).jitter_percent(7),
            Backoff::linear(second).max(9 * second),
            Backoff::exponential(second, 1.25),
        ];
        for backoff in backoffs {
            let retry = Retry::attempts(2).backoff(backoff).within(second).on(["failed", "late"]).not_on(["no"]).hold();
            assert_eq!(serde_json::from_str::<Retry>(&json(&retry)).unwrap(), retry);
        }
    }

    #[test]
    fn the_name_of_a_class_means_the_class() {
        let kinds = ["timed_out", "timeout"].map(FailureKind::from);
        assert_eq!(kinds, [FailureKind::Class(FailureClass::TimedOut), FailureKind::Code("timeout".into())]);
    }

    #[test]
    fn no_wait_is_too_long_to_be_said() {
        let day = Duration::from_secs(86_400);
        assert_eq!(Backoff::exponential(day, 1_000.0).wait(u16::MAX), Duration::MAX);
        assert_eq!(Backoff::exponential(day, 1.0).wait(u16::MAX), day);
        assert_eq!(Backoff::linear(day).wait(u16::MAX), day * 65_535);
        assert_eq!(Backoff::constant(day).max(Duration::from_secs(1)).wait(2), Duration::from_secs(1));
    }
}
