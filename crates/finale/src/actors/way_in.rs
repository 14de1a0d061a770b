//! What callers and other shards want of a shard, and how it gets there.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::oneshot;
use finale_core::ExecutionId;
use finale_core::execution::{Input, Report};
use finale_core::number::ShardNo;
use finale_core::supervisor::ToShard as ToPeer;
use finale_core::task_engine;

use super::inbox::Inbox;
use super::requests::{Look, Waiting};
use super::shared::Shared;
use crate::activation::Request;
use crate::late::LateEvent;
use crate::workflow::Workflow;

/// Something that is put into the inbox of a shard.
pub(crate) enum ToShard {
    Activate(Request),
    /// Something for an execution.
    Tell {
        execution: ExecutionId,
        input: Box<Input>,
        waiting: Waiting,
    },
    /// A report on a task, by its node.
    Report {
        execution: ExecutionId,
        node: Box<str>,
        report: Report,
        waiting: Waiting,
        /// Takes back a report on an execution whose definition is not known here now.
        given_back: oneshot::Sender<(Report, Waiting)>,
    },
    /// A query about an execution.
    Look {
        execution: ExecutionId,
        look: Look,
    },
    /// An operator lets a quarantined execution go on.
    Release {
        execution: ExecutionId,
        waiting: Waiting,
    },
    /// A look at the tasks of the shard, by its engine.
    Tasks(LookAtTasks),
    /// What came too late for an execution.
    LateEvents(ExecutionId, oneshot::Sender<Vec<LateEvent>>),
    /// From another shard.
    Peer {
        from: ShardNo,
        message: ToPeer,
        workflow: Option<Workflow>,
    },
    /// Another shard asks for permits of the limit on open executions.
    OpenWanted {
        by: ShardNo,
    },
    /// The answer to that: what there was to spare is in the pool.
    OpenAnswered,
    /// Permits of a limit on handlers are wanted elsewhere, or may be had again.
    Permits(task_engine::Input),
    /// Nothing is admitted any more, and the shard ends within this time.
    Shutdown(Duration),
}

/// Looks at the tasks of a shard, on its thread.
pub(crate) type LookAtTasks = Box<dyn FnOnce(&task_engine::TaskEngine, &Shared) + Send>;

/// The inboxes of all shards, once they are there.
#[derive(Clone, Default)]
pub(crate) struct Peers(Arc<OnceLock<Vec<Arc<Inbox<ToShard>>>>>);

impl Peers {
    /// Connects the shards; before anything is activated.
    pub(crate) fn connect(&self, inboxes: Vec<Arc<Inbox<ToShard>>>) {
        // It is set once, by whoever starts the runtime.
        let _ = self.0.set(inboxes);
    }

    /// Hands something to a shard.
    ///
    /// # Errors
    /// Gives it back if the shard is gone.
    #[expect(clippy::result_large_err, reason = "it is given back as it came, and that is rare")]
    pub(crate) fn put(&self, shard: u16, item: ToShard) -> Result<(), ToShard> {
        match self.0.get().and_then(|inboxes| inboxes.get(usize::from(shard))) {
            Some(inbox) => inbox.put(item),
            None => Err(item),
        }
    }
}

impl std::fmt::Debug for ToShard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ToShard")
    }
}
