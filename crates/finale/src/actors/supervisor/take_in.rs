//! What callers and other shards want.

use actix::fut::{ActorFutureExt, wrap_future};
use actix::{AsyncContext, Context, Handler};
use finale_core::execution::{self, Report};
use finale_core::number::DefinitionNo;
use finale_core::supervisor::{Activate, Ask, Body, Idempotency, Input, Message, Question, ToShard as ToPeer};
use finale_core::{Time, WorkKey};

use crate::activation::{ActivateError, Request};
use crate::actors::inbox::Knock;
use crate::actors::messages::{EngineQuery, PermitNews};
use crate::actors::requests::{Waiting, WaitingActivation};
use crate::actors::way_in::ToShard;
use crate::late::LateEvent;
use crate::observe;
use crate::workflow::Workflow;

use super::Supervisor;

/// Requests taken in before other actors of the thread get their turn.
const TURN_MAX: usize = 1_024;

/// Whether an activation was looked at before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repetition {
    First,
    /// The execution that had its key was forgotten meanwhile.
    Again,
}

impl Supervisor {
    /// Takes in what waits, as far as this turn goes.
    pub(super) fn take_waiting(&mut self, context: &mut Context<Self>) {
        self.look_at_journal();
        let now = self.shared.clock.now();
        let mut left = TURN_MAX;
        while left > 0
            && let Some(item) = self.waiting.pop_front()
        {
            left -= 1;
            self.take_in(now, item, context);
        }
        self.carry_out(context);
        if !self.waiting.is_empty() {
            // A mailbox is emptied before anything else gets its turn, so going on is asked for from outside of it.
            let others_first = wrap_future::<_, Self>(tokio::task::yield_now());
            context.spawn(others_first.map(|(), supervisor, context| {
                supervisor.take_waiting(context);
                supervisor.drive.wake_by_ref();
            }));
        }
    }

    pub(super) fn take_in(&mut self, now: Time, item: ToShard, context: &mut Context<Self>) {
        match item {
            ToShard::Activate(request) => self.activate(now, request, Repetition::First),
            ToShard::Tell { execution, input, waiting } => {
                let request = Some(self.requests.put(waiting));
                let what = Question::Tell(Message { request, body: Body::Input(*input) });
                self.decide(now, Input::Ask(Ask { execution, what }));
            }
            ToShard::Report { execution, node, report, waiting, given_back } => {
                let definition = self.machine.definition(execution);
                match definition.map(|number| self.shared.definition(number).compiled.position(&node)) {
                    Some(Some(position)) => {
                        let report = Report { key: WorkKey::root(position), ..report };
                        let input = Box::new(execution::Input::Reported(report));
                        self.take_in(now, ToShard::Tell { execution, input, waiting }, context);
                    }
                    // What is not in its own graph is looked for in its state.
                    Some(None) => drop(given_back.send((report, waiting))),
                    // Whoever reports may have gone; that is fine.
                    None => drop(given_back.send((report, waiting))),
                }
            }
            ToShard::Look { execution, look } => {
                let request = Some(self.requests.put(Waiting::Look(look)));
                let what = Question::Tell(Message { request, body: Body::Query });
                self.decide(now, Input::Ask(Ask { execution, what }));
            }
            ToShard::Release { execution, waiting } => {
                let request = Some(self.requests.put(waiting));
                self.decide(now, Input::Ask(Ask { execution, what: Question::Release(request) }));
            }
            ToShard::Tasks(look) => self.engine_address.do_send(EngineQuery(look)),
            ToShard::LateEvents(execution, answer) => {
                // Whoever asked may have gone; that is fine.
                let _ = answer.send(self.machine.late_events(execution).map(LateEvent::new).collect());
            }
            ToShard::Peer { from, message, workflow } => {
                let message = self.renumbered(message, workflow.as_ref());
                self.decide(now, Input::Shard { from, message });
            }
            ToShard::OpenWanted { by } => {
                self.decide(now, Input::PermitsWanted);
                self.carry_out(context);
                // A shard that is gone waits for nothing.
                let _ = self.peers.put(by.0, ToShard::OpenAnswered);
            }
            ToShard::OpenAnswered => {
                if let Some(permits) = self.open.answered() {
                    self.decide(now, Input::PermitsGranted(permits));
                }
            }
            ToShard::Permits(input) => self.engine_address.do_send(PermitNews(input)),
            ToShard::Shutdown(within) => self.shut_down(now, within),
        }
    }

    pub(super) fn activate(&mut self, now: Time, request: Request, repetition: Repetition) {
        let is_kept = request.idempotency_key.is_some() && repetition == Repetition::First;
        let again = is_kept.then(|| Box::new(request.without_pledge()));
        let Request { workflow, input, by, idempotency_key, business_key, deadline, id, pledge } = request;
        let (definition, refused) = match self.activatable(&workflow) {
            Ok(definition) => (Some(definition), None),
            Err(error) => (None, Some(error)),
        };
        let workflow_id = || workflow.definition().id.as_str().into();
        let idempotency = idempotency_key.map(|key| Box::new(Idempotency { key, workflow: workflow_id() }));
        let key = idempotency.as_ref().map(|idempotency| idempotency.key.clone());
        let request = Some(self.requests.put(Waiting::Activation(WaitingActivation { pledge, key, refused, again })));
        let activate = Activate { request, definition, id, idempotency, business_key, by, deadline, input };
        self.decide(now, Input::Activate(activate));
    }

    pub(super) fn activatable(&mut self, workflow: &Workflow) -> Result<DefinitionNo, ActivateError> {
        let refused = |error: &ActivateError| observe::invalid_definition(&workflow.definition().id, error);
        let definition = self.number(workflow).inspect_err(refused)?;
        match self.shared.definition(definition).refusal() {
            Some(error) => Err(error.clone()).inspect_err(refused),
            None => Ok(definition),
        }
    }

    /// Definitions have numbers of their own in each shard.
    pub(super) fn renumbered(&mut self, mut message: ToPeer, workflow: Option<&Workflow>) -> ToPeer {
        if let ToPeer::Begin { activate, .. } = &mut message {
            activate.definition = workflow.and_then(|workflow| self.activatable(workflow).ok());
        }
        message
    }
}

impl Handler<Knock> for Supervisor {
    type Result = ();

    fn handle(&mut self, _knock: Knock, context: &mut Self::Context) {
        self.take_lane(context);
        let mut items = self.inbox.take();
        self.waiting.extend(items.drain(..));
        self.inbox.reuse(items);
        self.take_waiting(context);
    }
}
