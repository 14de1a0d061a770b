//! What handlers tell the progress display: that an attempt begins, which no event says, because it is not recorded when a
//! handler gets its turn; and the messages of `log`.

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use finale::{TaskContext, Time};
use finale_core::{Compiled, NodeIndex, TaskId};
use tokio::sync::Notify;

use super::SHELL;
use crate::run::Simulation;
use crate::{console, time};

/// An attempt that begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    pub(crate) task: TaskId,
    pub(crate) attempt: u16,
    pub(crate) at: Time,
}

/// A message of an attempt.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) task: TaskId,
    pub(crate) attempt: u16,
    pub(crate) text: String,
}

/// Something that a handler tells.
#[derive(Clone, Debug)]
pub(crate) enum Announced {
    /// A handler begins.
    Begun(Begun),
    /// `log` has a message.
    Said(Said),
}

/// A queue from the handlers to the progress display.
#[derive(Clone, Debug, Default)]
pub(crate) struct Announcements(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    is_heard: AtomicBool,
    queue: Mutex<VecDeque<Announced>>,
    more: Notify,
}

impl Announcements {
    /// Turns the queue on: from now on the caller displays its content.
    pub(super) fn listen(&self) -> Self {
        self.0.is_heard.store(true, Relaxed);
        self.clone()
    }

    /// Takes the oldest announcement.
    pub(crate) fn take(&self) -> Option<Announced> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Waits for an announcement.
    pub(crate) async fn more(&self) {
        self.0.more.notified().await;
    }

    fn add(&self, announced: Announced) {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).push_back(announced);
        self.0.more.notify_one();
    }

    /// A handler begins an attempt. All handlers of the command line say so.
    pub(crate) fn begins(&self, context: &TaskContext) {
        // Without a reader the queue would only grow.
        if self.0.is_heard.load(Relaxed) {
            self.add(Announced::Begun(Begun { task: context.task_id(), attempt: context.attempt(), at: time::now() }));
        }
    }

    /// Displays a message: through the queue, so that it comes after the events before it, or at once without a reader.
    pub(super) fn says(&self, context: &TaskContext, text: String) {
        if self.0.is_heard.load(Relaxed) {
            self.add(Announced::Said(Said { task: context.task_id(), attempt: context.attempt(), text }));
        } else {
            console::note(text);
        }
    }
}

/// Whether a command really runs for a node, and nothing stands in for it.
pub(crate) fn runs_command(compiled: &Compiled, position: NodeIndex, simulation: &Simulation) -> bool {
    let answered = simulation.answers().is_told(compiled, position);
    compiled.handler(position) == Some(SHELL) && !simulation.stands_in(SHELL) && !answered
}
