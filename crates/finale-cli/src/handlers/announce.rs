//! What handlers tell those who follow an execution: when commands really begin, because the runtime takes a task for
//! running that still waits for its turn, and what `log` has to say.

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, PoisonError};

use finale::core::{Compiled, TaskId};
use finale::{TaskContext, Time};
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

/// What an attempt has to say.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub(crate) task: TaskId,
    pub(crate) attempt: u16,
    pub(crate) text: String,
}

/// Something that is told.
#[derive(Clone, Debug)]
pub(crate) enum Announced {
    /// A command begins.
    Begun(Begun),
    /// `log` says something.
    Said(Said),
}

/// Tells of each attempt, if somebody listens; hears of each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Announcements(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    is_heard: AtomicBool,
    queue: Mutex<VecDeque<Announced>>,
    more: Notify,
}

impl Announcements {
    /// From now on somebody tells people what is heard here.
    pub(super) fn listen(&self) -> Self {
        self.0.is_heard.store(true, Relaxed);
        self.clone()
    }

    /// What comes next of what is there.
    pub(crate) fn take(&self) -> Option<Announced> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Waits until there is more.
    pub(crate) async fn more(&self) {
        self.0.more.notified().await;
    }

    fn add(&self, announced: Announced) {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).push_back(announced);
        self.0.more.notify_one();
    }

    pub(super) fn begins(&self, context: &TaskContext) {
        // What nobody hears would pile up.
        if self.0.is_heard.load(Relaxed) {
            self.add(Announced::Begun(Begun { task: context.task_id(), attempt: context.attempt(), at: time::now() }));
        }
    }

    /// Says something; where an execution is followed, after what happened before the attempt.
    pub(super) fn says(&self, context: &TaskContext, text: String) {
        if self.0.is_heard.load(Relaxed) {
            self.add(Announced::Said(Said { task: context.task_id(), attempt: context.attempt(), text }));
        } else {
            console::note(text);
        }
    }
}

/// Whether a command really runs for a node, and nothing stands in for it.
pub(crate) fn runs_command(compiled: &Compiled, position: u32, simulation: &Simulation) -> bool {
    let answered = simulation.answer(&compiled.node(position).id).is_some();
    compiled.handler(position) == Some(SHELL) && !simulation.stands_in(SHELL) && !answered
}
