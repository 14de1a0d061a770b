//! The names of executions, of what is in them, and of those who ask.

use std::fmt;
use std::num::NonZeroU16;
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

impl ParseIdError {
    pub(crate) fn new(what: &'static str, text: &str) -> Self {
        Self { what, text: text.to_owned() }
    }
}

impl FromStr for ExecutionId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self).map_err(|_| ParseIdError::new("execution id", text))
    }
}

/// One running instance of a graph inside an execution: the definition's own graph, an item of a map, a round of a loop.
///
/// Scopes are numbered in the order in which they were opened, the same in every replay, and no number is used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeId(pub u32);

impl ScopeId {
    /// The scope of the definition's own graph. It is open as long as the execution is.
    pub const ROOT: Self = Self(0);

    /// Whether this is the scope of the definition's own graph.
    pub const fn is_root(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for ScopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a node in a compiled definition: first those of its own graph, then those of the graphs inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIndex(pub u32);

impl NodeIndex {
    /// The number as an index into a table of all nodes.
    pub const fn as_usize(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for NodeIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one piece of work inside an execution: a node, and the scope it is in.
///
/// It is the same over attempts and restarts, so with the id of the execution it is the key a handler can deduplicate by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkKey {
    /// The scope, and with it the item or the round.
    pub scope: ScopeId,
    /// The node.
    pub node: NodeIndex,
}

impl WorkKey {
    /// The key of a node of the definition's own graph.
    pub const fn root(node: NodeIndex) -> Self {
        Self { scope: ScopeId::ROOT, node }
    }

    /// The keys of all nodes of a scope.
    pub(crate) const fn all_of(scope: ScopeId) -> std::ops::RangeInclusive<Self> {
        Self { scope, node: NodeIndex(0) }..=Self { scope, node: NodeIndex(u32::MAX) }
    }
}

impl fmt::Display for WorkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.scope, self.node)
    }
}

/// Which try at a piece of work; counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AttemptNo(NonZeroU16);

impl AttemptNo {
    /// The first attempt.
    pub const FIRST: Self = Self(NonZeroU16::MIN);

    /// The attempt with that number; none for 0.
    pub const fn new(number: u16) -> Option<Self> {
        match NonZeroU16::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0.get()
    }

    /// The attempt after this one; the last number that can be said comes after itself.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The attempt before this one; none before the first.
    pub const fn previous(self) -> Option<Self> {
        Self::new(self.get() - 1)
    }
}

impl fmt::Display for AttemptNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialEq<u16> for AttemptNo {
    fn eq(&self, other: &u16) -> bool {
        self.get() == *other
    }
}

/// Which life of an execution, or which claim of a journal: both rise when another process takes over.
///
/// 0 is the life in the process that activated the execution; claims are counted from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Epoch(pub u32);

impl Epoch {
    /// The epoch after this one; the last number that can be said comes after itself.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names one task: derived from the execution and the work, never stored, stable over restarts.
///
/// Its text form is `<execution>.<scope>.<node>`, with numbers for scope and node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId {
    /// The execution the task belongs to.
    pub execution: ExecutionId,
    /// Which work of that execution it is.
    pub key: WorkKey,
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.execution, self.key)
    }
}

impl FromStr for TaskId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse_task_id(text).ok_or_else(|| ParseIdError::new("task id", text))
    }
}

fn parse_task_id(text: &str) -> Option<TaskId> {
    let mut parts = text.split('.');
    let execution = parts.next()?.parse().ok()?;
    let key = WorkKey { scope: ScopeId(number(parts.next()?)?), node: NodeIndex(number(parts.next()?)?) };
    parts.next().is_none().then_some(TaskId { execution, key })
}

/// A number as it is printed: `+1` and `01` are other texts for numbers, so they would be other names for a task.
pub(crate) fn number(text: &str) -> Option<u32> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text.len() == 1 || !text.starts_with('0'));
    if is_plain { text.parse().ok() } else { None }
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
    /// Which try.
    pub attempt: AttemptNo,
    /// Which life of the execution; raised by every recovery, so that an answer from before is known as stale.
    pub epoch: Epoch,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(scope: u32, node: u32) -> TaskId {
        let execution = ExecutionId::from_uuid(Uuid::from_u128(7));
        TaskId { execution, key: WorkKey { scope: ScopeId(scope), node: NodeIndex(node) } }
    }

    #[test]
    fn a_task_id_reads_back_from_its_text() {
        for id in [task(0, 3), task(7, 0), task(u32::MAX, u32::MAX)] {
            assert_eq!(id.to_string().parse::<TaskId>(), Ok(id));
        }
        assert_eq!(task(12, 3).to_string(), "00000000-0000-0000-0000-000000000007.12.3");
    }

    #[test]
    fn a_task_has_one_text() {
        for parts in ["1.0.9", "1", "+1.2", "01.2", "1.02", "1.", "4294967296.1"] {
            let text = format!("{}.{parts}", Uuid::from_u128(7));
            assert!(text.parse::<TaskId>().is_err(), "{text}");
        }
    }

    #[test]
    fn attempts_are_counted_from_one_and_stay_in_their_range() {
        assert_eq!(AttemptNo::new(0), None);
        assert_eq!(AttemptNo::FIRST.previous(), None);
        assert_eq!(AttemptNo::FIRST.next().previous(), Some(AttemptNo::FIRST));
        let last = AttemptNo::new(u16::MAX).unwrap();
        assert_eq!(last.next(), last);
    }
}
