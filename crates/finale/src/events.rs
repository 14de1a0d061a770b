//! The stream of what happens to one execution, numbered so that it can be resumed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use finale_core::execution::{Notice, NumberedEvent, Replay};
use finale_core::fact::{Facts, Position};
use finale_core::record::{CustomStatus, ItemCounts};
use finale_core::{
    AttemptNo, Compiled, Execution, ExecutionId, ExecutionStatus, NodeStatus, Time, WaitingFor, WorkKey,
};
use finale_journal::Journal;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::actors::reading;
use crate::actors::requests::Watched;
use crate::fence::{fenced, fenced_drop};
use crate::offline::{self, Reading};
use crate::workflow::Workflow;

/// The number of an event: the fact it follows from, and which of its consequences it is.
///
/// Numbers of one execution rise, with gaps: not every fact is told. They are the same whenever they are read, also after a
/// restart, so a reader can keep one and go on after it with
/// [`events_after`](crate::ExecutionHandle::events_after). The default is before the first event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct EventNumber {
    /// Sequence number of the fact, from 1.
    pub sequence: u64,
    /// Which of its consequences, from 0.
    pub index: u32,
}

/// Something that happened to an execution. Serialized flat, with the name of its kind as `event`.
///
/// What has a number is durable, and is read again whenever the stream is read from before it. What has none is only told
/// live, to those who listen while it happens: how far handlers say they are, and a custom status before it is recorded. It
/// is no part of the history, of replays or of what a stream is resumed after, and a reader who has fallen behind may miss it.
///
/// ```
/// # use finale::prelude::*;
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
/// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
/// # let execution = runtime.activate(&article, ()).await?;
/// # let event = execution.events().await?.next().await?.expect("its activation");
/// let event = serde_json::to_value(&event)?;
/// assert_eq!(event["event"], "status_transitioned");
/// assert_eq!(event["to"], "running");
/// assert_eq!(event["number"]["sequence"], 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Event {
    /// What a stream can be resumed after; none of what is only told live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<EventNumber>,
    /// Which execution.
    pub execution: ExecutionId,
    /// When.
    pub at: Time,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// The execution went from one status to another.
    StatusTransitioned {
        /// From.
        from: ExecutionStatus,
        /// To.
        to: ExecutionStatus,
    },
    /// A node went from one status to another.
    NodeTransitioned {
        /// Id of the node, or its path if it is in a scope inside.
        node: String,
        /// Names the work like [`TaskContext::task_id`](crate::TaskContext::task_id) does. It is not serialized.
        #[serde(skip)]
        key: WorkKey,
        /// From.
        from: NodeStatus,
        /// To.
        to: NodeStatus,
        /// Which attempt; 0 where there are none.
        attempt: u16,
        /// What it waits for, if it waits.
        #[serde(skip_serializing_if = "Option::is_none")]
        waiting_for: Option<WaitingFor>,
    },
    /// A condition was evaluated.
    ConditionEvaluated {
        /// Id of the node.
        node: String,
        /// What it came to.
        value: bool,
    },
    /// An expression could not be evaluated.
    ExpressionFailed {
        /// Id of the node.
        node: String,
        /// Why.
        reason: String,
    },
    /// Somebody sent a signal.
    Signalled {
        /// The name of the signal.
        name: String,
        /// Who sent it; blank if nobody is named.
        by: String,
        /// Id of the node that had waited for it; none if nobody had, and it is kept until a node does.
        #[serde(skip_serializing_if = "Option::is_none")]
        taken_by: Option<String>,
    },
    /// An attempt at a task came to its result.
    Attempted {
        /// Id of the node.
        node: String,
        /// Which attempt.
        attempt: u16,
        /// Why it failed; none if it was done.
        failure: Option<finale_core::Failure>,
        /// How long it took: in the record, the time from the node's `started_at` to its `completed_at`. Serialized as whole
        /// microseconds.
        #[serde(rename = "took_us", serialize_with = "crate::health::as_micros")]
        took: Duration,
    },
    /// How many items of a map are where: when it was reached, and whenever an item is over.
    ItemsCounted {
        /// Id of the node, or its path if it is in a scope inside.
        node: String,
        /// The items.
        items: ItemCounts,
    },
    /// A handler says how far it is; see [`TaskContext::progress`](crate::TaskContext::progress). It is only told live,
    /// without a number.
    Progressed {
        /// Id of the node, or its path if it is in a scope inside.
        node: String,
        /// Which attempt.
        attempt: u16,
        /// How much is done, from 0 to 1.
        share: f64,
        /// In words; may be empty.
        text: String,
    },
    /// A handler has set the custom status; see [`TaskContext::set_status`](crate::TaskContext::set_status). It is told
    /// twice: at once, without a number, and with one when it is recorded.
    CustomStatusSet {
        /// What it is from now on; none if the handler took it back.
        custom_status: Option<CustomStatus>,
    },
}

/// The events of one execution, from its beginning or from where the reader left off, to its end; from
/// [`ExecutionHandle::events`](crate::ExecutionHandle::events).
///
/// The past is read from the journal, what comes is told as soon as it is durable. A reader that lags more than
/// [`Limits::event_lag_max`](crate::Limits::event_lag_max) events behind is cut off, so that it cannot hold up the
/// execution. Dropping the stream ends it.
///
/// ```
/// # use finale::prelude::*;
/// use finale::{EventKind, NodeStatus};
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
/// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
/// # let execution = runtime.activate(&article, ()).await?;
/// # let task = runtime.open_tasks_of(execution.id()).await?[0].id;
/// let mut events = execution.events().await?;
/// runtime.complete_task(task, "well done").await?;
///
/// let mut settled = Vec::new();
/// while let Some(event) = events.next().await? {
///     if let EventKind::NodeTransitioned { node, to: NodeStatus::Completed, .. } = event.kind {
///         settled.push(node);
///     }
/// }
/// assert!(settled.contains(&"approve".to_owned()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Events {
    /// What is read from the history before anything new; none once it was.
    past: Option<Box<Past>>,
    /// What was decided and not durable when the reader began; none once it was read.
    gate: Option<Gate>,
    receiver: mpsc::Receiver<Event>,
    last: EventNumber,
    /// Whether the stream was cut because this reader lagged behind.
    lagged: Arc<AtomicBool>,
}

/// Facts that were not durable when a reader began.
#[derive(Debug)]
struct Gate {
    execution: ExecutionId,
    /// Told when they are.
    durable: oneshot::Receiver<()>,
    /// Whether that was heard.
    told: bool,
    /// The number of the last of them.
    up_to: u64,
    journal: Arc<dyn Journal>,
}

/// The events that followed from a history, made as they are read: a reader costs no more than the history itself.
#[derive(Debug)]
struct Past {
    execution: ExecutionId,
    workflow: Workflow,
    history: Vec<u8>,
    /// How far the history was read.
    position: Position,
    state: Execution,
    replay: Replay,
    /// The number of the last fact that belongs to the past of this reader.
    up_to: u64,
    /// Made, and not read yet; in reverse order.
    made: Vec<NumberedEvent>,
}

/// The stream was cut because its reader lagged behind, after all that was kept for it was read. Nothing is lost: resume.
///
/// ```
/// use finale::{Event, EventNumber, ExecutionHandle, Lagged};
///
/// /// Reads on, however slow it is.
/// async fn read(execution: &ExecutionHandle, mut see: impl FnMut(Event)) -> Result<(), finale::Error> {
///     let mut after = EventNumber::default();
///     loop {
///         let mut events = execution.events_after(after).await?;
///         loop {
///             match events.next().await {
///                 Ok(Some(event)) => see(event),
///                 Ok(None) => return Ok(()),
///                 Err(Lagged { after: last }) => break after = last,
///             }
///         }
///     }
/// }
/// # use finale::prelude::*;
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let limits = finale::Limits::new().event_lag_max(1);
/// # let runtime = Runtime::builder().shards(Shards::Current).limits(limits).start()?;
/// # let builder = Workflow::builder("article").task("approve", Task::external());
/// # let article = builder.task("print", Task::external()).after("approve").build()?;
/// # let execution = runtime.activate(&article, ()).await?;
/// # let seen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
/// # let noting = seen.clone();
/// # let copy = execution.clone();
/// # let reading = actix::spawn(async move { read(&copy, |event| noting.borrow_mut().push(event)).await });
/// # execution.cancel("me").await?;
/// # reading.await??;
/// # let mut all = Vec::new();
/// # let mut events = execution.events().await?;
/// # while let Some(event) = events.next().await? { all.push(event) }
/// # assert_eq!(*seen.borrow(), all);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the reader lagged behind: resume after {after:?}")]
pub struct Lagged {
    /// The last event that was read.
    pub after: EventNumber,
}

impl Events {
    /// The next event; none after the end of the execution, or when the runtime has stopped.
    ///
    /// Dropping the future loses nothing: it can be one arm of a `select!`.
    ///
    /// # Errors
    /// When the reader lagged so far behind that events were not kept for it. Those that were are read first.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// # let execution = runtime.activate(&article, ()).await?;
    /// execution.cancel("the author").await?;
    /// let mut events = execution.events().await?;
    /// let mut last = None;
    /// while let Some(event) = events.next().await? {
    ///     last = Some(event);
    /// }
    /// assert_eq!(last.map(|event| event.at), Some(execution.outcome().await?.completed_at));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn next(&mut self) -> Result<Option<Event>, Lagged> {
        loop {
            while let Some(past) = &mut self.past {
                match past.next() {
                    Some(event) => {
                        if self.is_new(&event) {
                            return Ok(Some(event));
                        }
                    }
                    None => self.past = None,
                }
            }
            let Some(gate) = &mut self.gate else { break };
            if !gate.told && (&mut gate.durable).await.is_err() {
                // They never will be: the journal has failed, or the runtime has stopped.
                self.gate = None;
                return Ok(None);
            }
            gate.told = true;
            let (execution, up_to) = (gate.execution, gate.up_to);
            let read = reading::read(&gate.journal, move |journal| offline::read(journal, execution)).await;
            // Not before: whoever drops this future while it is read reads it the next time.
            self.gate = None;
            self.past = read.and_then(Result::ok).map(|reading| Box::new(Past::new(reading, up_to)));
        }
        while let Some(event) = self.receiver.recv().await {
            if self.is_new(&event) {
                return Ok(Some(event));
            }
        }
        if self.lagged.load(Ordering::Acquire) { Err(Lagged { after: self.last }) } else { Ok(None) }
    }

    /// The number of the last event that was read and has one: what to resume after.
    pub fn last_number(&self) -> EventNumber {
        self.last
    }

    /// Whether an event was not read before. It counts as read from now on.
    fn is_new(&mut self, event: &Event) -> bool {
        let Some(number) = event.number else { return true };
        let is_new = number > self.last;
        self.last = self.last.max(number);
        is_new
    }

    /// Reads the past of an execution first.
    pub(crate) fn with_past(
        mut self,
        execution: ExecutionId,
        past: Option<Reading>,
        watched: Watched,
        journal: Arc<dyn Journal>,
    ) -> Self {
        let Watched { durable, decided, gate } = watched;
        self.past = past.map(|reading| Box::new(Past::new(reading, durable)));
        let gate = gate.filter(|_| decided > durable);
        self.gate = gate.map(|durable| Gate { execution, durable, told: false, up_to: decided, journal });
        self
    }
}

impl Past {
    fn new(reading: Reading, up_to: u64) -> Self {
        let (execution, workflow, history) = reading.into_history();
        let state = Execution::new(execution, workflow.compiled());
        let (position, replay, made) = Default::default();
        Self { execution, workflow, history, position, state, replay, up_to, made }
    }

    fn next(&mut self) -> Option<Event> {
        loop {
            while let Some(made) = self.made.pop() {
                if let Some(event) = Event::new(self.execution, self.workflow.compiled(), made) {
                    return Some(event);
                }
            }
            self.apply_next()?;
        }
    }

    /// Applies the next fact; none if there is no more. A history that cannot be read ends here: it could be when the
    /// reader was given this one.
    fn apply_next(&mut self) -> Option<()> {
        if self.state.sequence() >= self.up_to {
            return None;
        }
        let mut facts = Facts::from(&self.history, self.position);
        let recorded = facts.next()?.ok()?;
        self.position = facts.position();
        self.replay.apply(&mut self.state, self.workflow.compiled(), recorded).ok()?;
        self.made = std::mem::take(&mut self.replay.notices);
        self.made.reverse();
        Some(())
    }
}

impl Event {
    pub(crate) fn new(execution: ExecutionId, compiled: &Compiled, noticed: NumberedEvent) -> Option<Self> {
        let NumberedEvent { sequence, index, at, notice, path } = noticed;
        // Of a node in a scope inside its id alone says too little.
        let id = |node| path.as_ref().map_or_else(|| compiled.node(node).id.clone(), ToString::to_string);
        let kind = match notice {
            Notice::Status { from, to } => EventKind::StatusTransitioned { from, to },
            Notice::Node { key, from, to, attempt, waiting_for } => {
                let attempt = attempt.map_or(0, AttemptNo::get);
                EventKind::NodeTransitioned { node: id(key.node), key, from, to, attempt, waiting_for }
            }
            Notice::Condition { key, value } => EventKind::ConditionEvaluated { node: id(key.node), value },
            Notice::ExpressionFailed { key, reason } => {
                EventKind::ExpressionFailed { node: id(key.node), reason: reason.into() }
            }
            Notice::Attempt { key, attempt, failure, took } => {
                let failure = failure.map(|failure| *failure);
                EventKind::Attempted { node: id(key.node), attempt: attempt.get(), failure, took }
            }
            Notice::Signal { name, by, taken_by } => {
                let taken_by = taken_by.map(|key| id(key.node));
                EventKind::Signalled { name: name.into(), by: by.into(), taken_by }
            }
            Notice::Items { key, items } => EventKind::ItemsCounted { node: id(key.node), items },
            Notice::CustomStatus(custom_status) => EventKind::CustomStatusSet { custom_status },
            _ => return None,
        };
        Some(Self { number: Some(EventNumber { sequence, index }), execution, at, kind })
    }
}

/// The sending end of a stream.
#[derive(Debug)]
pub(crate) struct Subscriber {
    /// Taken only when it is dropped.
    sender: Option<mpsc::Sender<Event>>,
    after: EventNumber,
    lagged: Arc<AtomicBool>,
}

impl Subscriber {
    /// A stream of what comes after that event. It is cut when its reader lags that many events behind.
    pub(crate) fn new(after: EventNumber, lag_max: usize) -> (Self, Events) {
        let (sender, receiver) = mpsc::channel(lag_max.max(1));
        let lagged = Arc::<AtomicBool>::default();
        let events = Events { past: None, gate: None, receiver, last: after, lagged: Arc::clone(&lagged) };
        (Self { sender: Some(sender), after, lagged }, events)
    }

    /// What followed from the facts up to that number is read from the history.
    pub(crate) fn begin_after(&mut self, sequence: u64) {
        self.after = self.after.max(EventNumber { sequence, index: u32::MAX });
    }

    /// Whether nobody reads the stream any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.sender.as_ref().is_none_or(mpsc::Sender::is_closed)
    }

    /// Passes an event on; false if the stream is over.
    pub(crate) fn pass(&mut self, event: &Event) -> bool {
        let Some(sender) = &self.sender else { return false };
        match event.number {
            Some(number) if number <= self.after => return true,
            Some(number) => self.after = number,
            // It must not take the room of what is recorded: a reader is cut off for that only.
            None if sender.capacity() <= sender.max_capacity().div_ceil(2) => return !sender.is_closed(),
            None => {}
        }
        // Waking the reader is a call into code of the user.
        let passed = fenced(|| match sender.try_send(event.clone()) {
            Ok(()) => true,
            Err(mpsc::error::TrySendError::Full(_)) => {
                self.lagged.store(true, Ordering::Release);
                false
            }
            Err(mpsc::error::TrySendError::Closed(_)) => false,
        });
        passed == Ok(true)
    }
}

impl Drop for Subscriber {
    /// The reader is woken, which is a call into code of the user.
    fn drop(&mut self) {
        fenced_drop(self.sender.take());
    }
}
