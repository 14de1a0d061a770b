//! The names of executions and of their tasks.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Names one execution for ever; ids are minted once and never reused.
///
/// It is a UUID, version 7 when finale minted it, so that ids sort by the time of their activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExecutionId(Uuid);

impl ExecutionId {
    /// Wraps a UUID that the caller minted.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The UUID itself.
    pub const fn as_uuid(&self) -> &Uuid {
        &self.0
    }

    /// The 128 bits as a number; its low bits are random and choose the shard.
    pub const fn as_u128(&self) -> u128 {
        self.0.as_u128()
    }
}

impl fmt::Display for ExecutionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A text that is no id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what}")]
pub struct ParseIdError {
    what: &'static str,
    text: String,
}

impl FromStr for ExecutionId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self).map_err(|_| ParseIdError { what: "execution id", text: text.to_owned() })
    }
}

/// Names one piece of work inside an execution: the node, the item of a map, the round of a loop.
///
/// It is the same over attempts and restarts, so it is the key a handler can deduplicate by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkKey {
    /// Index of the node in the order of the definition.
    pub node: u32,
    /// Item of a map over a list; 0 elsewhere.
    pub item: u32,
    /// Round of a loop; 0 elsewhere.
    pub round: u16,
}

impl WorkKey {
    /// The key of a node that runs once.
    pub const fn node(node: u32) -> Self {
        Self { node, item: 0, round: 0 }
    }
}

/// Names one task: derived from the execution and the work, never stored, stable over restarts.
///
/// Its text form is `<execution>.<node>.<item>.<round>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// The execution the task belongs to.
    pub execution: ExecutionId,
    /// Which work of that execution it is.
    pub key: WorkKey,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WorkKey { node, item, round } = self.key;
        write!(f, "{}.{node}.{item}.{round}", self.execution)
    }
}

impl FromStr for TaskId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_task_id(text).ok_or_else(|| ParseIdError { what: "task id", text: text.to_owned() })
    }
}

fn parse_task_id(text: &str) -> Option<TaskId> {
    let mut parts = text.split('.');
    let execution = parts.next()?.parse().ok()?;
    let key = WorkKey {
        node: parts.next()?.parse().ok()?,
        item: parts.next()?.parse().ok()?,
        round: parts.next()?.parse().ok()?,
    };
    parts.next().is_none().then_some(TaskId { execution, key })
}

impl Serialize for TaskId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TaskId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// One try at one piece of work; what a running handler is answered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dispatch {
    /// Which work.
    pub key: WorkKey,
    /// Which try, counted from 1.
    pub attempt: u16,
    /// Which life of the execution; raised by every recovery, so that an answer from before is known as stale.
    pub epoch: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_id_reads_back_from_its_text() {
        let id = TaskId {
            execution: ExecutionId::from_uuid(Uuid::from_u128(7)),
            key: WorkKey { node: 3, item: 0, round: 1 },
        };
        assert_eq!(id.to_string().parse::<TaskId>(), Ok(id));
    }

    #[test]
    fn a_text_with_too_many_parts_is_no_task_id() {
        let text = format!("{}.1.0.0.9", Uuid::from_u128(7));
        assert!(text.parse::<TaskId>().is_err());
    }
}
