//! Nodes that wait: for some time, until a moment, for a signal.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::schema::{Schema, some_schema};

/// What a node waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// That much time, from when the node is dispatched; also while the application is down. Zero is no wait at all.
    Delay(Duration),
    /// The moment that an expression gives: a text as in RFC 3339 with its offset, `2026-01-31T12:00:00Z`, or a number of
    /// milliseconds since 1970-01-01T00:00:00Z. A moment that has passed is no wait at all.
    Until(String),
    /// A signal. The payload of the signal is the output of the node.
    Signal(Signal),
}

/// The signal that a node waits for.
///
/// ```
/// use std::time::Duration;
///
/// use finale_core::definition::Signal;
///
/// let signal = Signal::named("paid").timeout(Duration::from_secs(3_600));
/// assert_eq!((signal.name.as_str(), signal.timeout), ("paid", Some(Duration::from_secs(3_600))));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signal {
    /// The name of the signal, in which `${{ expression }}` stands for a value; at most [`Signal::NAME_BYTES_MAX`] long.
    pub name: String,
    /// How long to wait, longer than zero; by default there is no limit. When the time is up the node fails with class
    /// `timed_out`, or the edge of kind [`OnTimeout`](super::EdgeKind::OnTimeout) is taken if one leaves the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// What the signal must say. It is checked when the signal is sent, whoever waits for it then, so that the name must be
    /// known before: it has no `${{ }}` in it.
    #[serde(default, deserialize_with = "some_schema", skip_serializing_if = "Option::is_none")]
    pub schema: Option<Schema>,
}

impl Signal {
    /// The longest name, in bytes.
    pub const NAME_BYTES_MAX: usize = 256;

    /// The signal with that name, however long it takes to come.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), timeout: None, schema: None }
    }

    /// The same with a limit, longer than zero, to how long is waited for it.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout: Some(timeout), ..self }
    }

    /// The same with a schema that what it says must fit.
    ///
    /// ```
    /// use finale_core::definition::{Schema, Signal};
    ///
    /// let signal = Signal::named("paid").schema(Schema::from_json(br#"{"type": "integer"}"#)?);
    /// assert!(signal.schema.is_some());
    /// # Ok::<(), finale_core::definition::SchemaError>(())
    /// ```
    #[must_use]
    pub fn schema(self, schema: Schema) -> Self {
        Self { schema: Some(schema), ..self }
    }

    /// Whether the name is known only when the node is reached.
    pub fn is_evaluated(&self) -> bool {
        self.name.contains(crate::expression::template::OPEN)
    }
}

impl From<&str> for Signal {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}

impl From<String> for Signal {
    fn from(name: String) -> Self {
        Self::named(name)
    }
}
