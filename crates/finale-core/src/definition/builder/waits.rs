//! Nodes that wait, in code.

use std::time::Duration;

use super::DefinitionBuilder;
use crate::definition::{EdgeKind, Node, NodeKind, Signal, Wait, title_of};

impl<Built> DefinitionBuilder<Built> {
    /// A wait of that length. It counts from when the node is reached, also while the application is down.
    pub fn delay(self, id: impl Into<String>, delay: Duration) -> Self {
        self.wait(id, Wait::Delay(delay))
    }

    /// A wait until the moment that an expression gives: a text as in RFC 3339, or milliseconds since 1970. One that has
    /// passed is not waited for.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use finale_core::compile::{Registry, compile};
    /// use finale_core::definition::Definition;
    ///
    /// let definition = Definition::builder("reminder")
    ///     .until("morning", "input.remind_at")
    ///     .task("remind", "send_mail")
    ///     .after("morning")
    ///     .delay("a_while", Duration::from_secs(3_600))
    ///     .after("remind")
    ///     .task("remind_again", "send_mail")
    ///     .after("a_while")
    ///     .build();
    /// assert!(compile(definition, &Registry::default()).is_ok());
    /// ```
    pub fn until(self, id: impl Into<String>, expression: impl Into<String>) -> Self {
        self.wait(id, Wait::Until(expression.into()))
    }

    /// A wait for a signal: its name, or a [`Signal`] with a limit to how long is waited for it. The payload of the signal
    /// is the output of the node.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use finale_core::compile::{Registry, compile};
    /// use finale_core::definition::{Definition, Signal};
    ///
    /// let definition = Definition::builder("order")
    ///     .signal("paid", Signal::named("payment").timeout(Duration::from_secs(86_400)))
    ///     .on_timeout("give_up")
    ///     .task("ship", "ship")
    ///     .after("paid")
    ///     .task("give_up", "release_stock")
    ///     .build();
    /// assert!(compile(definition, &Registry::default()).is_ok());
    /// ```
    pub fn signal(self, id: impl Into<String>, signal: impl Into<Signal>) -> Self {
        self.wait(id, Wait::Signal(signal.into()))
    }

    /// The node that runs if the signal does not come in time that the node waits for that was added last; what comes
    /// [`after`](Self::after) the wait is skipped then, as by a decision. Without it the wait fails.
    pub fn on_timeout(mut self, target: impl Into<String>) -> Self {
        let source = self.last();
        self.definition.connect(source, target, EdgeKind::OnTimeout);
        self
    }

    fn wait(mut self, id: impl Into<String>, wait: Wait) -> Self {
        let id = id.into();
        let label = title_of(&id);
        self.definition.nodes.push(Node::new(id, label, NodeKind::Wait(wait)));
        self
    }
}
