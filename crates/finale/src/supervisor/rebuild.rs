//! What happens when the actor of an execution died: rebuilt from the journal, or parked if it dies again and again.

use std::rc::Rc;

use finale_core::execution::{Input, Refused, Turn};
use finale_core::{Execution, ExecutionId};
use finale_journal::{JournalError, Quarantine};
use tokio::time::Instant;

use super::Supervisor;
use super::query::{Answer, give};
use crate::activation::ActivateError;
use crate::errors::CommandError;
use crate::fence::fenced;
use crate::shard::{Live, Mail, Reply, Work};
use crate::telemetry::TARGET;

impl Supervisor {
    /// Folds the history again, reads again what the dead actor had in hand, and looks what must be under way.
    pub(super) fn rebuild(&mut self, live: &Rc<Live>) {
        if live.unseat() {
            self.shard.active.set(self.shard.active.get() - 1);
        }
        // First of all, also if it is parked: what the actor decided last and did not record never happened.
        let folded = self.fold_again(live);
        let parked = match folded {
            Ok(()) if self.dies_too_often(live) => Err("its actor died again and again".to_owned()),
            folded => folded,
        };
        match parked {
            Ok(()) => {
                tracing::error!(target: TARGET, execution = %live.id, "the actor of an execution died and is rebuilt");
                self.go_on(live);
            }
            Err(reason) if live.read(Execution::sequence) == 0 => self.give_up(live, reason),
            Err(reason) => self.quarantine(live, Quarantine { reason, until_released: true }),
        }
    }

    /// An operator lets a parked execution go on; that is answered when it is durable.
    pub(super) fn release(&mut self, live: &Rc<Live>, answer: Answer<()>) {
        if let Err(error) = self.may_be_released(live) {
            return give(answer, Err(error));
        }
        self.unpark(live, |durable| give(answer, durable.map_err(|error| error.clone().into())));
        live.extra(|extra| extra.deaths.clear());
        self.go_on(live);
    }

    fn may_be_released(&self, live: &Live) -> Result<(), CommandError> {
        if let Some(error) = self.shard.journal_error() {
            return Err(error.into());
        }
        if !live.is_quarantined() {
            return Err(CommandError::Invalid("the execution is not quarantined".to_owned()));
        }
        self.fold_again(live).map_err(CommandError::Invalid)?;
        if let Some(handler) = live.read(|execution| live.bound.missing_handler(execution).map(str::to_owned)) {
            return Err(CommandError::Invalid(format!("no handler {handler:?} is registered")));
        }
        Ok(())
    }

    /// An operator's word counts also for a parked execution: it is heard before the mail that brought the actor down.
    pub(super) fn overrule(&self, live: &Rc<Live>, input: Input, reply: Reply) {
        if self.fold_again(live).is_err() {
            return reply.send(Err(Refused::Invalid("its history cannot be read")));
        }
        if let Err(refused) = self.would_accept(live, &input) {
            return reply.send(Err(refused));
        }
        live.put_first(Mail::Tell(input, Some(reply)));
        self.unpark(live, |_| {});
        live.extra(|extra| extra.overruled = true);
        self.shard.wake(live);
    }

    /// A word that changes nothing does not let it go on either.
    fn would_accept(&self, live: &Live, input: &Input) -> Result<(), Refused> {
        let (mut state, mut turn) = (live.read(Execution::clone), Turn::new());
        let told = fenced(|| state.handle(&live.bound.compiled, self.shard.clock.now(), input.clone(), &mut turn));
        turn.discard();
        // Over what brings an actor down it is told all the same: that is noticed there.
        told.unwrap_or(Ok(()))
    }

    fn go_on(&self, live: &Rc<Live>) {
        live.put_back();
        self.shard.work(Work::Reconcile(Rc::clone(live)));
        if live.has_mail() {
            self.shard.wake(live);
        }
    }

    fn fold_again(&self, live: &Live) -> Result<(), String> {
        let folded = self.shard.fold_live(live, u64::MAX).map_err(|error| error.to_string())?;
        live.change(|state| *state = folded);
        Ok(())
    }

    fn dies_too_often(&self, live: &Live) -> bool {
        let options = &self.shard.options;
        let now = Instant::now();
        live.extra(|extra| {
            extra.deaths.push_back(now);
            extra.deaths.retain(|death| now.duration_since(*death) <= options.deaths_window);
            extra.deaths.len() > options.deaths_max
        })
    }

    /// Parks an execution until somebody decides, visibly.
    pub(super) fn quarantine(&mut self, live: &Live, quarantine: Quarantine) {
        tracing::error!(target: TARGET, execution = %live.id, reason = quarantine.reason, "an execution is quarantined");
        self.mark(live.id, Some(&quarantine));
        if live.extra(|extra| extra.quarantined.replace(quarantine.reason)).is_none() {
            self.shard.vitals.parked();
        }
        // Whoever waited to look at it sees it as it is now; all other mail waits for the operator.
        if let Ok(durable) = self.shard.durable(live) {
            live.show(&durable);
        }
    }

    /// An execution is not parked any more.
    fn unpark(&self, live: &Live, then: impl FnOnce(Result<(), &JournalError>) + 'static) {
        let id = live.id;
        self.shard.write(|writer| writer.quarantine(id, None), Box::new(|_, durable| then(durable)));
        if live.extra(|extra| extra.quarantined.take()).is_some() {
            self.shard.vitals.unparked();
        }
    }

    /// Notes in the journal that an execution is quarantined, or not any more. Nobody waits for that.
    pub(super) fn mark(&self, execution: ExecutionId, quarantine: Option<&Quarantine>) {
        self.shard.write(|writer| writer.quarantine(execution, quarantine), Box::new(|_, _| {}));
    }

    /// Nothing of it is recorded, and nobody knows of it but who wants to activate it.
    fn give_up(&self, live: &Live, reason: String) {
        tracing::error!(target: TARGET, execution = %live.id, reason, "an execution could not be begun");
        if let Some(key) = live.unrecorded_key() {
            self.keys.forget(&key, live.id);
        }
        self.shard.directory.borrow_mut().remove(&live.id);
        self.close_one();
        live.completion.refuse(ActivateError::NotBegun { reason });
        live.clear();
    }
}
