//! Options of the task engine.

use std::time::Duration;

use crate::compiled::Compiled;
use crate::id::NodeIndex;
use crate::number::{HandlerNo, LimitNo};

/// Options of a [`TaskEngine`](super::TaskEngine).
#[derive(Clone, Debug)]
pub struct Options {
    /// The handlers of the runtime, by handler number.
    pub handlers: Vec<HandlerOptions>,
    /// Number of limits, including [`LimitNo::RUNTIME`]; 0 is taken for 1.
    pub limits: u16,
    /// Unused permits of a limit that the shard keeps. When it has twice as many, it returns the surplus to the pool; see
    /// [`PermitPool::block`](crate::permits::PermitPool::block).
    pub unused_permits_max: usize,
    /// Time that a handler has to stop after it was asked to.
    pub grace: Duration,
    /// Early reports that this shard keeps, at most.
    pub early_reports_max: usize,
    /// A batch that was not acknowledged for so long is sent again.
    pub sweep_interval: Duration,
    /// Bytes in the reason of a failure, at most; a longer reason is cut.
    pub text_bytes_max: usize,
}

impl Options {
    /// The limit of a handler, apart from that of the runtime.
    pub(super) fn own_limit(&self, handler: HandlerNo) -> Option<LimitNo> {
        self.handlers.get(usize::from(handler.0))?.limit
    }

    /// Whether the work of a handler goes on when its future is dropped.
    pub(super) fn is_blocking(&self, handler: HandlerNo) -> bool {
        self.handlers.get(usize::from(handler.0)).is_some_and(|handler| handler.blocking)
    }
}

/// Properties of a handler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandlerOptions {
    /// The limit of this handler, if it has one apart from [`LimitNo::RUNTIME`].
    pub limit: Option<LimitNo>,
    /// Whether its work continues when its future is dropped, like that of a thread.
    pub blocking: bool,
}

/// Properties of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskNode {
    /// The handler of the node; none if it has no handler, or one that is not registered.
    pub handler: Option<HandlerNo>,
    /// Time limit of an attempt, from the beginning of its handler.
    pub attempt_max: Option<Duration>,
    /// How long an attempt may wait for its permits.
    pub queue_max: Option<Duration>,
    /// How long its handler may say nothing.
    pub silence_max: Option<Duration>,
    /// Whether the handler must never begin a second time.
    pub at_most_once: bool,
}

impl TaskNode {
    /// Properties of all nodes of a definition, by node index. `number` gives the number of a handler by its name.
    pub fn all_of(definition: &Compiled, number: impl Fn(&str) -> Option<HandlerNo>) -> Box<[Self]> {
        let node = |node: NodeIndex| Self {
            handler: definition.handler(node).and_then(&number),
            attempt_max: definition.attempt_limit(node),
            queue_max: definition.times(node).queue,
            silence_max: definition.times(node).heartbeat,
            at_most_once: definition.is_at_most_once(node),
        };
        // Those of the graphs inside as well.
        (0..definition.nodes.len() as u32).map(NodeIndex).map(node).collect()
    }
}
