//! Tasks whose handlers are held up: their execution takes them for running, and whoever runs the handlers knows better.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{NodeRecordState, Record};
use crate::id::{AttemptNo, WorkKey};
use crate::path::{Instance, NodePath, PathStep};
use crate::status::WaitingFor;

/// A limit on the number of handlers that run at once. As JSON it is `"runtime"` or `{"handler": "NAME"}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ConcurrencyLimit {
    /// That of the whole runtime.
    Runtime,
    /// That of the handler with this name.
    Handler(String),
}

impl fmt::Display for ConcurrencyLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Runtime => f.write_str("the runtime"),
            Self::Handler(name) => write!(f, "handler {name:?}"),
        }
    }
}

/// Where a task stands in the queue for a limit on handlers.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct QueuePosition {
    /// The position among the tasks of the same shard that wait for the limit: 1 is next.
    pub position: usize,
    /// The limit that the task waits for: that of its handler if that is reached, else that of the runtime.
    pub limit: ConcurrencyLimit,
}

impl fmt::Display for QueuePosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "position {} in the queue of {}", self.position, self.limit)
    }
}

/// A task that was dispatched and whose handler is held up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldUp {
    /// The work.
    pub key: WorkKey,
    /// The attempt.
    pub attempt: AttemptNo,
    /// What holds it up.
    pub by: HeldUpBy,
}

/// What holds a handler up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeldUpBy {
    /// A limit on handlers.
    Queue(QueuePosition),
    /// Other executions, which the handler awaits.
    Execution,
}

impl HeldUp {
    /// Finds an attempt among those that are held up, which are in ascending order of their keys.
    pub(crate) fn find(all: &[Self], key: WorkKey, attempt: AttemptNo) -> Option<&Self> {
        let index = all.binary_search_by_key(&key, |held_up| held_up.key).ok()?;
        Some(&all[index]).filter(|held_up| held_up.attempt == attempt)
    }
}

impl Record {
    /// Says of tasks whose handlers are held up what they wait for, which an execution alone does not know.
    ///
    /// `held_up` is in ascending order of keys. It may be older or newer than the record: an attempt that is not at work
    /// here is left as it is.
    pub fn hold_up(&mut self, held_up: &[HeldUp]) {
        for node in &mut self.nodes {
            let (NodeRecordState::Running(begun), Some(task)) = (&node.state, node.task_id) else { continue };
            let begun = *begun;
            let Some(held_up) = begun.attempt.and_then(|attempt| HeldUp::find(held_up, task.key, attempt)) else {
                continue;
            };
            let (state, count) = match &held_up.by {
                HeldUpBy::Queue(queue) => {
                    (NodeRecordState::Queued { begun, queue: queue.clone() }, &mut self.counts.queued)
                }
                HeldUpBy::Execution => {
                    let waiting_for = WaitingFor::Execution;
                    (NodeRecordState::Waiting { begun, waiting_for }, &mut self.counts.waiting)
                }
            };
            node.state = state;
            // What undoes a node, and what `finally` runs, is counted nowhere.
            if !is_of_ending(&node.id) {
                *count += 1;
                self.counts.running = self.counts.running.saturating_sub(1);
            }
        }
    }
}

/// Whether the node with that path is a part of an end.
fn is_of_ending(path: &str) -> bool {
    let ends = |step: &PathStep| matches!(step.instance, Instance::Compensation | Instance::Finally);
    path.parse::<NodePath>().is_ok_and(|path| path.within().iter().any(ends))
}
