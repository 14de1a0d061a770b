//! Messages to the actors of executions, to the task engine and to other shards.

use std::rc::Rc;

use actix::{Actor, Addr, AsyncContext, Context};
use finale_core::number::{ActorNo, Callback, ShardNo};
use finale_core::supervisor::{
    Body, Input, NotActivated, PermitChange, Registration, ToActor, ToEngine, ToShard as ToPeer,
};
use finale_core::task_engine;

use crate::actors::execution_actor::ExecutionActor;
use crate::actors::messages::{Attach, NewActor, Reattach, Register, Tell};
use crate::actors::way_in::ToShard;

use super::Supervisor;

impl Supervisor {
    pub(super) fn send_to_actors(&mut self, context: &mut Context<Self>) {
        // What the engine must know of an execution is on its way before anything of it can run.
        self.flush_engine();
        let mut messages = std::mem::take(&mut self.out.actors);
        for (number, message) in messages.drain(..) {
            let actor = self.actor(number, context);
            match message {
                ToActor::Begin(begin) => {
                    let side = self.new_side(&begin);
                    actor.do_send(Attach(begin, side));
                }
                ToActor::Resume(resume) => {
                    let side = self.take_side(resume.hosted.slot, resume.hosted.state.id());
                    let queries = resume.messages.iter().filter(|message| matches!(message.body, Body::Query));
                    let looks = queries.filter_map(|message| self.requests.take_look(message.request?)).collect();
                    actor.do_send(Reattach(Box::new(resume), side, looks));
                }
                ToActor::Tell(told) => {
                    let is_query = matches!(told.message.body, Body::Query);
                    let look = told.message.request.filter(|_| is_query);
                    let look = look.and_then(|request| self.requests.take_look(request));
                    actor.do_send(Tell(told, look));
                }
            }
        }
        self.out.actors = messages;
    }

    pub(super) fn actor(&mut self, number: ActorNo, context: &mut Context<Self>) -> Addr<ExecutionActor> {
        while self.actors.len() <= number.0 as usize {
            let next = ActorNo(self.actors.len() as u32);
            let (shared, engine) = (Rc::clone(&self.shared), self.engine.clone());
            let actor = ExecutionActor::new(next, shared, engine, context.address()).start();
            self.engine.do_send(NewActor(actor.clone()));
            self.actors.push(actor);
        }
        self.actors[number.0 as usize].clone()
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

    pub(super) fn flush_engine(&mut self) {
        if !self.register.is_empty() {
            let room = Vec::with_capacity(self.register.len().min(256));
            self.engine.do_send(Register(std::mem::replace(&mut self.register, room)));
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
