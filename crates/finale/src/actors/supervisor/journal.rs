//! What is read from the journal away from this thread, and what is written that no execution writes itself.

use std::sync::Arc;

use actix::fut::{ActorFutureExt, wrap_future};
use actix::{AsyncContext, Context, Handler};
use finale_core::ExecutionId;
use finale_core::number::DefinitionNo;
use finale_core::supervisor::{Input, Read, ReadNo, ReadWhat, Restored, Write, WriteWhat};
use finale_core::task_engine::{self, TaskNode};
use finale_journal::{Appended, Journal, JournalError, Writer};

use crate::activation::ActivateError;
use crate::actors::messages::{ForEngine, ForExecution, GiveUp, PortNews};
use crate::actors::shared::Released;
use crate::actors::{past, reading};
use crate::telemetry::TARGET;
use crate::workflow::Workflow;

use super::Supervisor;

/// How many histories are read at a time: what has come meanwhile waits until they are all taken in.
pub(crate) const HISTORIES_MAX: usize = 128;

impl Supervisor {
    /// Does what is to be read: histories many at a time, as that takes hardly longer than one.
    pub(super) fn read_all(&mut self, context: &mut Context<Self>) {
        let (mut numbers, mut executions) = (Vec::new(), Vec::new());
        for Read { number, what } in std::mem::take(&mut self.out.reads) {
            match what {
                ReadWhat::History(execution) => {
                    numbers.push(number);
                    executions.push(execution);
                }
                what => self.read(Read { number, what }, context),
            }
        }
        for (numbers, executions) in numbers.chunks(HISTORIES_MAX).zip(executions.chunks(HISTORIES_MAX)) {
            self.read_histories(numbers.to_vec(), executions.to_vec(), context);
        }
    }

    fn read_histories(&mut self, numbers: Vec<ReadNo>, executions: Vec<ExecutionId>, context: &mut Context<Self>) {
        let journal = Arc::clone(&self.shared.journal);
        let found = async move {
            if executions.len() == HISTORIES_MAX && !journal.reads_block() {
                // They are read on this thread, page by page: others get their turn in between.
                tokio::task::yield_now().await;
            }
            reading::read(&journal, move |journal| past::find_histories(journal, &executions)).await
        };
        let taken = wrap_future::<_, Self>(found).map(move |found, supervisor, context| {
            let gone = || numbers.iter().map(|_| Err(past::GONE.into())).collect();
            let found = found.unwrap_or_else(gone);
            let inputs = numbers.into_iter().zip(found);
            let inputs = inputs.map(|(read, found)| supervisor.found(read, past::Found::History(found))).collect();
            supervisor.take_found(inputs, context);
        });
        context.spawn(taken);
    }

    /// A history has in it what was appended and is not durable yet: nobody sees that before.
    fn take_found(&mut self, inputs: Vec<Input>, context: &mut Context<Self>) {
        if self.shared.port.is_durable(None) {
            self.tell_found(inputs, context);
            self.drive.wake_by_ref();
        } else {
            self.held_reads += 1;
            self.shared.port.hold(None, Released::Found(inputs));
        }
    }

    fn tell_found(&mut self, inputs: Vec<Input>, context: &mut Context<Self>) {
        let now = self.shared.clock.now();
        for input in inputs {
            self.decide(now, input);
        }
        self.carry_out(context);
    }

    /// Reads the journal away from this thread, unless that cannot block.
    fn read(&mut self, Read { number, what }: Read, context: &mut Context<Self>) {
        let (journal, nothing) = (Arc::clone(&self.shared.journal), past::Found::nothing(&what));
        let epoch = self.shared.epoch;
        let found = async move {
            // A purge holds up those who append, if it is done on their thread.
            let is_purge = matches!(what, ReadWhat::Expired { .. });
            let find = move |journal: &dyn Journal| past::find(journal, epoch, what);
            if is_purge { reading::away(&journal, find).await } else { reading::read(&journal, find).await }
        };
        let taken = wrap_future::<_, Self>(found).map(move |found, supervisor, context| {
            let found = found.unwrap_or(nothing);
            let input = supervisor.found(number, found);
            supervisor.take_found(vec![input], context);
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
            past::Found::Untold(untold) => Input::UntoldFound { read, untold },
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
        WriteWhat::WriteOff { execution, at, error, to_tell } => writer.write_off(*execution, *at, error, *to_tell),
        WriteWhat::Forget(executions) => writer.forget(executions),
        WriteWhat::Told(executions) => writer.told(executions),
    }
}

impl Handler<PortNews> for Supervisor {
    type Result = ();

    fn handle(&mut self, news: PortNews, context: &mut Self::Context) {
        self.take_lane(context);
        match news {
            PortNews::Written(number) => self.tell(Input::Written(number), context),
            PortNews::Found(inputs) => {
                self.held_reads -= 1;
                self.tell_found(inputs, context);
            }
            PortNews::HasRoom => {
                self.told_full = false;
                self.tell(Input::JournalHasRoom, context);
            }
            PortNews::Failed => self.journal_failed(context),
        }
    }
}
