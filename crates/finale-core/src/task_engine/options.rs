//! What the task engine is built with.

use std::time::Duration;

use crate::compiled::Compiled;
use crate::id::NodeIndex;
use crate::number::{HandlerNo, LimitNo};

/// What a [`TaskEngine`](super::TaskEngine) is built with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The handlers of the runtime, by their numbers.
    pub handlers: Vec<HandlerOptions>,
    /// How many limits there are, that of the runtime included; at least 1.
    pub limits: u16,
    /// How many unused permits of a limit are kept before a block of them goes back to the pool; see
    /// [`PermitPool::block`](crate::permits::PermitPool::block).
    pub unused_permits_max: usize,
    /// How long a handler that was told to stop may take.
    pub grace: Duration,
    /// How many reports are kept in this shard that came before their tasks were open.
    pub early_reports_max: usize,
    /// How many bytes the reason of a failure may have; a longer one is cut.
    pub text_bytes_max: usize,
}

impl Options {
    /// The limit of a handler alone.
    pub(super) fn own_limit(&self, handler: HandlerNo) -> Option<LimitNo> {
        self.handlers.get(usize::from(handler.0))?.limit
    }

    /// Whether the work of a handler goes on when its future is dropped.
    pub(super) fn is_blocking(&self, handler: HandlerNo) -> bool {
        self.handlers.get(usize::from(handler.0)).is_some_and(|handler| handler.blocking)
    }
}

/// What the engine knows of a handler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandlerOptions {
    /// The limit of this handler alone, if it has one; never [`LimitNo::RUNTIME`], which all have.
    pub limit: Option<LimitNo>,
    /// Whether its work goes on when its future is dropped, as that of a thread does.
    pub blocking: bool,
}

/// What the engine knows of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskNode {
    /// The handler that does it; none if no handler does, or none of that name is registered.
    pub handler: Option<HandlerNo>,
    /// How long an attempt of the handler may take, from its beginning.
    pub attempt_max: Option<Duration>,
    /// Whether its handler must never begin a second time.
    pub at_most_once: bool,
}

impl TaskNode {
    /// What the engine must know of the nodes of a definition, with the handlers numbered as `number` says.
    pub fn all_of(definition: &Compiled, number: impl Fn(&str) -> Option<HandlerNo>) -> Box<[Self]> {
        let node = |node: NodeIndex| Self {
            handler: definition.handler(node).and_then(&number),
            attempt_max: definition.handler(node).and(definition.at(node).timeout),
            at_most_once: definition.is_at_most_once(node),
        };
        definition.positions().map(node).collect()
    }
}
