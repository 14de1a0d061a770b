//! Messages to the actors of executions, to the task engine and to other shards.

use std::rc::Rc;

use actix::Actor;
use finale_core::number::{ActorNo, Callback, ShardNo};
use finale_core::supervisor::{
    Body, Input, NotActivated, PermitChange, Registration, ToActor, ToEngine, ToShard as ToPeer,
};
use finale_core::task_engine;

use crate::actors::bound::reconcile_of;
use crate::actors::execution_actor::ExecutionActor;
use crate::actors::lane::Lane;
use crate::actors::messages::{Attach, ForEngine, ForExecution, Reattach, Tell};
use crate::actors::way_in::ToShard;

use super::Supervisor;

impl Supervisor {
    pub(super) fn send_to_actors(&mut self) {
        let mut messages = std::mem::take(&mut self.out.actors);
        for (number, message) in messages.drain(..) {
            self.start_actors(number);
            let message = match message {
                ToActor::Begin(begin) => {
                    let side = self.new_side(&begin);
                    ForExecution::Attach(Attach(begin, side))
                }
                ToActor::Resume(resume) => {
                    let side = self.take_side(resume.hosted.slot, resume.hosted.state.id());
                    let queries = resume.messages.iter().filter(|message| matches!(message.body, Body::Query));
                    let looks = queries.filter_map(|message| self.requests.take_look(message.request?)).collect();
                    ForExecution::Reattach(Reattach(Box::new(resume), side, looks))
                }
                ToActor::Tell(told) => {
                    let is_query = matches!(told.message.body, Body::Query);
                    let look = told.message.request.filter(|_| is_query);
                    let look = look.and_then(|request| self.requests.take_look(request));
                    ForExecution::Tell(Box::new(Tell(told, look)))
                }
            };
            self.actors[number.0 as usize].send(message);
        }
        self.out.actors = messages;
        self.shared.take_begins(&mut self.out.spare_begins);
    }

    /// Has the task engine compare what is under way for executions that only wait with what must be.
    pub(super) fn send_reconciles(&mut self) {
        for slot in std::mem::take(&mut self.out.reconciles) {
            // One that is no plain value any more reconciles with its actor, or when it was read again.
            let Some(hosted) = self.machine.parked(slot) else { continue };
            let bound = self.shared.definition(hosted.definition);
            let (from, taken) = (Callback::Supervisor, self.taken);
            let (outputs, reconcile) = reconcile_of(&hosted.state, &bound, slot, (from, taken));
            let input = task_engine::Input::Reconcile(reconcile);
            self.engine.send(ForEngine::Perform { outputs, input });
        }
    }

    /// Starts the actors up to that one that are not there yet.
    fn start_actors(&mut self, number: ActorNo) {
        while self.actors.len() <= number.0 as usize {
            let next = ActorNo(self.actors.len() as u32);
            let (shared, engine, supervisor) = (Rc::clone(&self.shared), self.engine.clone(), self.own.clone());
            let own = Lane::default();
            // It lives until it is dismissed.
            let _address = ExecutionActor::new(next, shared, own.clone(), engine, supervisor).start();
            self.engine.put(ForEngine::NewActor(own.clone()));
            self.actors.push(own);
        }
    }

    /// Gives whether the machine was told at once that the shard is gone.
    pub(super) fn send_to_shard(&mut self, ShardNo(shard): ShardNo, message: ToPeer) -> bool {
        let from = ShardNo(self.shared.index);
        let workflow = match &message {
            ToPeer::Begin { activate, .. } => {
                activate.definition.map(|number| self.shared.definition(number).workflow.clone())
            }
            ToPeer::Answered { .. } => None,
        };
        match self.peers.put(shard, ToShard::Peer { from, message, workflow }) {
            Err(ToShard::Peer { message: ToPeer::Begin { claim, .. }, .. }) => {
                let message = ToPeer::Answered { claim, result: Err(NotActivated::ShardFailed) };
                self.decide(self.shared.clock.now(), Input::Shard { from: ShardNo(shard), message });
                true
            }
            // A shard that is gone has nothing else to hear.
            Ok(()) | Err(_) => false,
        }
    }

    /// Changes what this shard holds of the limit on open executions; gives whether the machine was answered.
    pub(super) fn change_permits(&mut self) -> bool {
        let mut answered = false;
        for change in std::mem::take(&mut self.out.permits) {
            match change {
                PermitChange::Return(permits) => self.open.give(permits),
                PermitChange::Ask(_) => {
                    if let Some(granted) = self.open.ask(&self.peers) {
                        answered = true;
                        self.decide(self.shared.clock.now(), Input::PermitsGranted(granted));
                    }
                }
            }
        }
        answered
    }
}

pub(super) fn to_engine(message: ToEngine) -> task_engine::Input {
    match message {
        ToEngine::Register(registration) => {
            let Registration { slot, execution, definition, callback, input } = registration;
            task_engine::Input::Register(Registration { slot, execution, definition, callback, input })
        }
        ToEngine::Moved { slot, callback } => task_engine::Input::Moved { slot, callback },
        ToEngine::Deregister { slot, status } => task_engine::Input::Deregister { slot, status },
        ToEngine::Taken(batch) => task_engine::Input::Taken { callback: Callback::Supervisor, batch },
    }
}
