//! Tasks that wait for somebody outside.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};

use crate::id::{Dispatch, ExecutionId, TaskId, WorkKey};
use crate::number::Slot;
use crate::path::NodePath;
use crate::payload::Payload;
use crate::time::Time;

/// A task that waits for somebody outside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OpenTask<'a> {
    /// The execution.
    pub slot: Slot,
    /// The id to report by.
    pub id: TaskId,
    /// The attempt.
    pub dispatch: Dispatch,
    /// When it was first asked for, also if that was before a restart.
    pub since: Time,
    /// Its input.
    pub input: &'a Payload,
    /// The path of its node, if that is in a scope inside.
    pub path: Option<&'a NodePath>,
}

/// The open tasks of the shard, by id.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenTasks(BTreeMap<TaskId, Open>);

#[derive(Clone, Debug)]
pub(super) struct Open {
    pub(super) slot: Slot,
    pub(super) dispatch: Dispatch,
    pub(super) since: Time,
    pub(super) input: Payload,
    pub(super) path: Option<Box<NodePath>>,
}

impl OpenTasks {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Opens a task, or another attempt of it; true if it was not open before.
    pub(super) fn insert(&mut self, id: TaskId, open: Open) -> bool {
        self.0.insert(id, open).is_none()
    }

    /// Closes a task; false if that attempt is not open.
    pub(super) fn remove(&mut self, id: TaskId, dispatch: Dispatch) -> bool {
        self.attempt(id) == Some(dispatch) && self.0.remove(&id).is_some()
    }

    /// The open attempt of a task.
    pub(super) fn attempt(&self, id: TaskId) -> Option<Dispatch> {
        self.0.get(&id).map(|open| open.dispatch)
    }

    /// The open tasks of an execution.
    pub(super) fn of(&self, execution: ExecutionId) -> Vec<Dispatch> {
        self.range(None, Some(execution)).map(|(_, open)| open.dispatch).collect()
    }

    /// Open tasks after that id in ascending order, of one execution or of all.
    pub(super) fn page(
        &self,
        after: Option<TaskId>,
        execution: Option<ExecutionId>,
    ) -> impl Iterator<Item = OpenTask<'_>> {
        self.range(after, execution).map(|(id, open)| {
            let Open { slot, dispatch, since, ref input, ref path } = *open;
            OpenTask { slot, id: *id, dispatch, since, input, path: path.as_deref() }
        })
    }

    fn range(&self, after: Option<TaskId>, execution: Option<ExecutionId>) -> impl Iterator<Item = (&TaskId, &Open)> {
        let first = execution.map(|execution| TaskId { execution, key: WorkKey::default() });
        // An id of an earlier execution is before all tasks of this one.
        let from = after.filter(|after| first.is_none_or(|first| *after >= first)).map(Excluded);
        let from = from.or(first.map(Included)).unwrap_or(Unbounded);
        self.0.range((from, Unbounded)).take_while(move |(id, _)| execution.is_none_or(|it| id.execution == it))
    }
}
