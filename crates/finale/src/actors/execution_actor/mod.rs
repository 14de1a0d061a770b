//! The actor of an execution at work: it lets the core decide, records what was decided, and performs it when it is durable.
//!
//! There is a pool of them in each shard. Each has one execution at a time, from the Supervisor, and gives it back as soon
//! as that only waits. It decides nothing about workflows.

mod flush;
mod hosting;
mod perform;
mod take_in;
mod turn;

use std::collections::VecDeque;
use std::rc::Rc;

use actix::{Actor, ActorContext, Addr, AsyncContext, Context, Handler};
use finale_core::execution::{Effect, Turn};
use finale_core::number::{ActorNo, BatchNo, Slot};
use finale_core::{Dispatch, Execution, Payload, WorkKey};

use super::lane::Lane;
use super::messages::{ActorNews, CommittedTurn, Dismiss, ForEngine, ForExecution, ForSupervisor};
use super::shared::Shared;

use flush::Flush;
use hosting::Hosting;
use take_in::Incoming;
pub(super) use take_in::told;

pub(crate) struct ExecutionActor {
    number: ActorNo,
    /// Where what is for this actor is sent; once it runs.
    own: Option<Rc<Addr<Self>>>,
    shared: Rc<Shared>,
    /// What the Supervisor and the task engine send here.
    lane: Lane<ForExecution>,
    engine: Lane<ForEngine>,
    supervisor: Lane<ForSupervisor>,
    hosting: Option<Hosting>,
    turn: Turn,
    /// The storage of an execution that has ended.
    spare: Option<Box<Execution>>,
    /// The newest batch of outcomes that has come,
    received: BatchNo,
    /// and the newest one that was taken in.
    taken: BatchNo,
    /// Messages to the task engine that it has not answered.
    unanswered: u32,
    /// Whether there were such messages at the last probe, and none of them was answered since.
    is_overdue: bool,
    /// What came in while the journal was full.
    backlog: VecDeque<Incoming>,
    /// What comes of the turn in hand.
    decided: Box<CommittedTurn>,
    /// The storage of a turn that was performed.
    spare_turn: Option<Box<CommittedTurn>>,
    /// what is to be performed,
    effects: Vec<(Slot, Effect)>,
    /// outcomes that were taken in after others had passed them on,
    taken_in: Vec<(Slot, Dispatch)>,
    /// outputs that did not come from handlers,
    outputs: Vec<(Slot, WorkKey, Payload)>,
    /// and what the Supervisor is to hear.
    news: Vec<ActorNews>,
}

impl ExecutionActor {
    pub(crate) fn new(
        number: ActorNo,
        shared: Rc<Shared>,
        lane: Lane<ForExecution>,
        engine: Lane<ForEngine>,
        supervisor: Lane<ForSupervisor>,
    ) -> Self {
        Self {
            number,
            own: None,
            shared,
            lane,
            engine,
            supervisor,
            hosting: None,
            turn: Turn::new(),
            spare: None,
            received: BatchNo::NONE,
            taken: BatchNo::NONE,
            unanswered: 0,
            is_overdue: false,
            backlog: VecDeque::new(),
            decided: Box::default(),
            spare_turn: None,
            effects: Vec::new(),
            taken_in: Vec::new(),
            outputs: Vec::new(),
            news: Vec::new(),
        }
    }
}

impl Actor for ExecutionActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        self.own = Some(Rc::new(context.address()));
        context.spawn(Flush);
    }
}

impl ExecutionActor {
    fn own(&self) -> Rc<Addr<Self>> {
        Rc::clone(self.own.as_ref().expect("an actor that is told something runs"))
    }
}

impl Handler<Dismiss> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, _dismiss: Dismiss, context: &mut Self::Context) {
        context.stop();
    }
}
