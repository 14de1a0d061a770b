//! What is read from the journal away from this thread, and what is written that no execution writes itself.

use std::sync::Arc;

use actix::fut::{ActorFutureExt, wrap_future};
use actix::{AsyncContext, Context, Handler};
use finale_core::number::DefinitionNo;
use finale_core::supervisor::{Input, Read, ReadNo, Restored, Write, WriteWhat};
use finale_core::task_engine::{self, TaskNode};
use finale_journal::{Appended, JournalError, Writer};

use crate::activation::ActivateError;
use crate::actors::messages::{ForEngine, ForExecution, GiveUp, PortNews};
use crate::actors::shared::Released;
use crate::actors::{past, reading};
use crate::telemetry::TARGET;
use crate::workflow::Workflow;

use super::Supervisor;

impl Supervisor {
    /// Reads the journal away from this thread, unless that cannot block.
    pub(super) fn read(&mut self, Read { number, what }: Read, context: &mut Context<Self>) {
        let (journal, nothing) = (Arc::clone(&self.shared.journal), past::Found::nothing(&what));
        let epoch = self.shared.epoch;
        let found = async move { reading::read(&journal, move |journal| past::find(journal, epoch, what)).await };
        let taken = wrap_future::<_, Self>(found).map(move |found, supervisor, context| {
            let found = found.unwrap_or(nothing);
            let input = supervisor.found(number, found);
            // A history has in it what was appended and is not durable yet: nobody sees that before.
            if supervisor.shared.port.is_durable(None) {
                supervisor.tell(input, context);
                supervisor.drive.wake_by_ref();
            } else {
                supervisor.held_reads += 1;
                supervisor.shared.port.hold(None, Released::Found(Box::new(input)));
            }
        });
        context.spawn(taken);
    }

    pub(super) fn found(&mut self, read: ReadNo, found: past::Found) -> Input {
        match found {
            past::Found::History(restored) => {
                let restored = restored.and_then(|restored| restored.map(|restored| self.bind(restored)).transpose());
                Input::Restored { read, restored }
            }
            past::Found::Key(owner) => Input::KeyLooked { read, owner },
            past::Found::Status(status) => Input::StatusLooked { read, status },
            past::Found::Expired(expired) => Input::Expired { read, expired },
        }
    }

    pub(super) fn bind(&mut self, read: past::Restored) -> Result<Restored, Box<str>> {
        let definition = self.number(&read.workflow).map_err(|error| error.to_string().into_boxed_str())?;
        let bound = self.shared.definition(definition);
        let missing_handler = bound.missing_handler(&read.state).map(Into::into);
        let past::Restored { state, crashes, outcome, .. } = read;
        Ok(Restored { definition, state, missing_handler, crashes, outcome })
    }

    /// The number of a workflow on this thread; the engine hears of it before anything of it runs.
    pub(super) fn number(&mut self, workflow: &Workflow) -> Result<DefinitionNo, ActivateError> {
        let shared = &self.shared;
        let (definition, is_new) = shared.definitions.borrow_mut().number(workflow, &shared.handlers, &shared.data)?;
        if is_new {
            self.engine.put(ForEngine::Change(self.define(definition)));
        }
        Ok(definition)
    }

    pub(super) fn define(&self, definition: DefinitionNo) -> task_engine::Input {
        let bound = self.shared.definition(definition);
        let nodes = TaskNode::all_of(&bound.compiled, |name| self.shared.handlers.number(name));
        task_engine::Input::Define { definition, nodes }
    }

    /// Writes what the machine wants written; gives whether something of it is durable already.
    pub(super) fn write_all(&mut self) -> bool {
        let mut durable = false;
        for Write { number, what } in std::mem::take(&mut self.out.writes) {
            if let (WriteWhat::Forget(_), Some(number)) = (&what, number) {
                // The journal has forgotten them where they were looked for.
                durable = true;
                self.decide(self.shared.clock.now(), Input::Written(number));
                continue;
            }
            match self.shared.port.write(|writer| write(writer, &what)) {
                Ok(appended) if self.shared.port.is_durable(Some(appended)) => {
                    if let Some(number) = number {
                        durable = true;
                        self.decide(self.shared.clock.now(), Input::Written(number));
                    }
                }
                Ok(appended) => self.shared.port.hold(Some(appended), Released::Write(number)),
                Err(error) => self.shared.journal_failed(&error),
            }
        }
        durable
    }

    /// Tells the machine when the journal has so much to do that it is better to begin nothing.
    pub(super) fn look_at_journal(&mut self) {
        let full = self.shared.port.is_full();
        if full && !self.told_full {
            self.decide(self.shared.clock.now(), Input::JournalFull);
        }
        self.told_full = full;
    }

    /// The journal takes nothing more: nobody is told anything that may not be true after a restart.
    pub(super) fn journal_failed(&mut self, context: &mut Context<Self>) {
        let error = self.shared.journal_error();
        tracing::error!(target: TARGET, %error, "the journal failed: nothing goes on");
        self.engine.send(ForEngine::perform(task_engine::Input::JournalFailed));
        for actor in &self.actors {
            actor.send(ForExecution::GiveUp(GiveUp(Some(error.clone()))));
        }
        self.sides.iter().flatten().for_each(|side| side.completion.abandon());
        self.unreadable.values().for_each(|completion| completion.abandon());
        self.tell(Input::JournalFailed, context);
        // Nobody else will answer them: what they asked for is on its way to nowhere.
        for waiting in self.requests.take_all() {
            waiting.failed(&error);
        }
    }
}

fn write(writer: &mut dyn Writer, what: &WriteWhat) -> Result<Appended, JournalError> {
    match what {
        WriteWhat::Quarantine(execution, quarantine) => {
            let quarantine = quarantine.as_ref().map(|quarantine| finale_journal::Quarantine {
                reason: quarantine.reason.to_string(),
                until_released: quarantine.until_released,
            });
            writer.quarantine(*execution, quarantine.as_ref())
        }
        WriteWhat::WriteOff { execution, at, error } => writer.write_off(*execution, *at, error),
        WriteWhat::Forget(executions) => writer.forget(executions),
    }
}

impl Handler<PortNews> for Supervisor {
    type Result = ();

    fn handle(&mut self, news: PortNews, context: &mut Self::Context) {
        self.take_lane(context);
        match news {
            PortNews::Written(number) => self.tell(Input::Written(number), context),
            PortNews::Found(input) => {
                self.held_reads -= 1;
                self.tell(*input, context);
            }
            PortNews::HasRoom => {
                self.told_full = false;
                self.tell(Input::JournalHasRoom, context);
            }
            PortNews::Failed => self.journal_failed(context),
        }
    }
}
