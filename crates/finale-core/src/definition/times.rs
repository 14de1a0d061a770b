//! How long a task may take, beside what one attempt may.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long a task may take, beside what [one attempt](super::Task::timeout) may. Each is longer than zero; by default none
/// is limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Times {
    /// How long an attempt may wait for a place before its handler begins. One that waits longer has failed, with class
    /// `timed_out`, and is tried again like any other. It counts anew in a new process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<Duration>,
    /// How long all attempts together may take, from when the first one was handed out, with the waits between them. It goes
    /// on counting over a restart, and stands still while the task is held; an operator's `retry` gives all of it again. When
    /// it is over the attempt under way has failed, with class `timed_out`, and there is no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Duration>,
    /// How long a handler at work may say nothing: neither that it is alive nor how far it is. One that is silent for longer
    /// has failed, with class `timed_out`, and is tried again like any other. While it waits for other executions it need say
    /// nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Duration>,
}

impl Times {
    /// Whether nothing is limited.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
