//! When commands really begin: the runtime takes a task for running that still waits for its turn.

use finale::{TaskContext, Time};
use finale_core::{Compiled, NodeIndex, TaskId};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::SHELL;
use crate::run::Simulation;
use crate::time;

/// An attempt that begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun {
    pub(crate) task: TaskId,
    pub(crate) attempt: u16,
    pub(crate) at: Time,
}

/// Tells of each attempt that begins, if somebody listens.
#[derive(Clone, Debug)]
pub(super) struct Announcer(UnboundedSender<Begun>);

/// Hears of each attempt that begins.
pub(crate) type Beginnings = UnboundedReceiver<Begun>;

pub(super) fn announcer() -> (Announcer, Beginnings) {
    let (sender, receiver) = unbounded_channel();
    (Announcer(sender), receiver)
}

impl Announcer {
    pub(super) fn begins(&self, context: &TaskContext) {
        let begun = Begun { task: context.task_id(), attempt: context.attempt(), at: time::now() };
        // Nobody need listen.
        let _ = self.0.send(begun);
    }
}

/// Whether a command really runs for a node, and nothing stands in for it.
pub(crate) fn runs_command(compiled: &Compiled, position: NodeIndex, simulation: &Simulation) -> bool {
    let answered = simulation.answer(&compiled.node(position).id).is_some();
    compiled.handler(position) == Some(SHELL) && !simulation.stands_in(SHELL) && !answered
}
