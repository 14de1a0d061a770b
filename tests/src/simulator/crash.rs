//! Crashes at any moment, and what the next life makes of what was durable.

use std::rc::Rc;

use finale_core::execution::{Command, Effect, Input, Report, Turn};
use finale_core::{Compiled, Dispatch, Epoch, Execution, Failure, Payload};

use super::bugs::Bug;
use super::journal::{Append, NotTaken};
use super::messages::{Answer, Event, Inside, Mail, Number};
use super::process::{Live, Process, Standing};
use super::tally::Count;
use super::trace::Happening;
use super::world::World;

/// A life that ended in order, rather than by a crash, of ten thousand.
const IN_ORDER: u32 = 2_000;

impl World {
    /// Lets something go wrong that can go wrong at every step.
    pub(super) fn strike(&mut self) {
        let faults = self.plan.faults;
        if self.process.standing == Standing::Up && self.dice.happens(faults.crash) {
            self.crash();
        } else if self.process.standing == Standing::Up && self.dice.happens(faults.journal_failure) {
            self.break_journal();
        }
    }

    /// The disk is broken: some of what waits was written, and nobody is told.
    fn break_journal(&mut self) {
        self.tally.add(Count::JournalFailures);
        self.note(Happening::JournalFailed);
        self.write_unseen();
        self.journal.broken = true;
        self.process.standing = Standing::Failed;
        for shard in 0..self.process.shards.len() {
            for held in std::mem::take(&mut self.process.shards[shard].held) {
                self.answer_unknown(held.answers);
            }
        }
        let at = self.dice.soon(self.now, 100);
        self.bag.put(at, Event::Restart);
    }

    fn write_unseen(&mut self) {
        let count = self.dice.below(self.journal.unwritten() + 1);
        self.tally.add_some(Count::WrittenUnseen, count as u64);
        self.write(count, false);
    }

    /// The process is gone, with everything in it.
    fn crash(&mut self) {
        self.tally.add(Count::Crashes);
        if !self.process.recovering.is_empty() {
            self.tally.add(Count::CrashesInRecovery);
        }
        self.write_unseen();
        self.go_down();
        let at = self.dice.soon(self.now, 200);
        self.bag.put(at, Event::Restart);
    }

    /// What was not written is lost.
    fn forget_unwritten(&mut self) {
        let lost = self.journal.crash();
        self.tally.add_some(Count::AppendsLost, lost as u64);
        self.auditor.crashed();
    }

    fn go_down(&mut self) {
        self.leave_late_writes();
        self.leave_stragglers();
        let life = self.process.life;
        self.note(Happening::Crashed { life });
        self.forget_unwritten();
        self.bag.forget_inside();
        self.process.turn.discard();
        self.process = Process::new(life, Standing::Down, self.plan.shards);
        for asking in self.outside.held() {
            self.answer(asking, Answer::Unknown);
        }
    }

    /// The old process was only slow: what it decided last comes to the journal in the next life.
    fn leave_late_writes(&mut self) {
        for number in self.live_numbers() {
            if self.dice.happens(self.plan.faults.late_write)
                && let Some(append) = self.late_append(number)
            {
                let at = self.dice.soon(self.now, 300);
                self.bag.put(at, Event::LateWrite(append));
            }
        }
    }

    fn late_append(&mut self, number: Number) -> Option<Append> {
        let live = self.process.lives.get_mut(&number)?;
        let mut turn = Turn::new();
        let input = late_input(live);
        live.state.handle(&live.definition, self.now, input, &mut turn).ok()?;
        let append = Append {
            life: self.process.life,
            shard: live.shard,
            position: 0,
            number,
            definition: live.index,
            first: turn.last_sequence() + 1 - u64::from(turn.count()),
            count: turn.count(),
            after: live.chain,
            facts: turn.facts().to_vec(),
            ends: turn.effects().last() == Some(&Effect::Ended),
        };
        turn.appended();
        Some(append)
    }

    pub(super) fn late_write(&mut self, append: &Append) {
        match self.journal.append(append) {
            Ok(()) => self.auditor.appended(append, self.process.life),
            Err(why) => {
                self.tally.add_some(Count::FencedWrites, (why == NotTaken::Fenced).into());
                self.note(Happening::NotTaken { number: append.number, why });
            }
        }
    }

    /// Handlers elsewhere do not hear of the crash: what they come to is told to the next life.
    fn leave_stragglers(&mut self) {
        let engines = self.process.shards.iter_mut().map(|shard| std::mem::take(&mut shard.engine.running));
        let at_work: Vec<_> = engines.flatten().collect();
        for ((number, _), at_work) in at_work {
            self.may_straggle(number, &at_work);
        }
    }

    /// The result of a handler of an earlier life or attempt comes to whoever drives the execution now.
    pub(super) fn straggler(&mut self, number: Number, dispatch: Dispatch, result: Result<Payload, Failure>) {
        if self.process.lives.contains_key(&number) {
            self.note(Happening::Straggler { number, dispatch });
            self.auditor.said(number, dispatch, result.is_ok());
            let outcome = Input::Outcome { dispatch, result, started: self.now, ended: self.now };
            self.send(number, Mail::Tell(outcome, None));
        }
    }

    /// The next life begins: it looks at everything that is durable, and takes requests meanwhile.
    pub(super) fn restart(&mut self) {
        if self.process.standing != Standing::Down {
            self.go_down();
        }
        // Until the journal is opened again, a process that was only slow may still write.
        self.write_unseen();
        self.forget_unwritten();
        let life = self.process.life + 1;
        self.process = Process::new(life, Standing::Up, self.plan.shards);
        self.journal.open(life);
        self.note(Happening::Restarted { life });
        self.cut_tails();
        let logs = self.journal.logs().iter().map(|(number, log)| (*number, log.ended));
        for (number, ended) in logs.collect::<Vec<_>>() {
            self.find(number, ended);
        }
        self.put_inside(self.now.after(self.plan.sweep), Inside::Sweep);
    }

    fn cut_tails(&mut self) {
        if self.has(Bug::CutDurableTail) {
            let numbers: Vec<Number> = self.journal.logs().keys().copied().collect();
            numbers.into_iter().for_each(|number| self.journal.cut_last_append(number));
        }
    }

    /// Something is found in the journal: what has ended is known again at once, the rest is looked at one by one.
    fn find(&mut self, number: Number, ended: bool) {
        let key = self.auditor.durable(number).activation().and_then(|activation| activation.idempotency_key.clone());
        if let Some(key) = key.and_then(|key| key.parse().ok())
            && !self.has(Bug::ForgetKeysOnRestart)
        {
            self.process.keys.insert(key, number);
        }
        if ended {
            let status = self.auditor.durable(number).status();
            self.process.archive.insert(number, status);
        } else {
            self.process.recovering.insert(number);
            self.put_soon(Inside::Recover { number });
        }
    }

    /// Folds what is durable of an execution, and lets it go on.
    pub(super) fn recover(&mut self, number: Number) {
        let Some(log) = self.journal.logs().get(&number) else { return };
        let (index, chain, is_whole) = (log.definition, log.chain(), log.is_whole());
        let Some(definition) = self.plan.definitions.get(index).map(Rc::clone) else { return };
        let folded = Execution::fold(self.auditor.id(number), &definition, &log.facts);
        if !is_whole {
            return self.violate("a_history_reads_back_as_it_was_written", format!("execution {number}"));
        }
        let state = match folded {
            Ok(state) => state,
            Err(error) => return self.violate("a_history_can_be_folded", format!("execution {number}: {error}")),
        };
        self.auditor.compare(number, &state);
        self.tally.add(Count::Recovered);
        let (sequence, running) = (state.sequence(), state.running());
        self.note(Happening::Recovering { number, sequence, running });
        let mut live = Live::new(self.process.shard_of(number), definition, index, state.id());
        (live.durable, live.chain, live.published) = (sequence, chain, state.status());
        live.state = state;
        live.recovered = true;
        self.process.recovering.remove(&number);
        self.process.lives.insert(number, live);
        self.go_on(number, running > 0);
    }

    /// Handlers that were at work are lost, which the core must hear; anything else is only to be under way again.
    fn go_on(&mut self, number: Number, had_handlers: bool) {
        let (crashed, epoch) = (!self.dice.happens(IN_ORDER), Epoch(self.process.life));
        let tells = had_handlers && !self.has(Bug::SameAttemptAfterCrash);
        let again = self.has(Bug::AtMostOnceAgain);
        let Some(live) = self.process.lives.get_mut(&number) else { return };
        let mut under_way = live.state.under_way(&live.definition);
        if !tells {
            return self.hand_over(number, under_way);
        }
        live.inbox.push_back(Mail::Tell(Input::Recovered { epoch, crashed }, None));
        self.wake(number);
        if again {
            let definition = Rc::clone(&self.process.lives[&number].definition);
            under_way.retain(|effect| is_once(effect, &definition));
            self.hand_over(number, under_way);
        }
    }

    /// What recoveries with a mistake do of what must be under way.
    pub(super) fn first_effects(&self, mut effects: Vec<Effect>) -> Vec<Effect> {
        effects.retain(|effect| match effect {
            Effect::ArmTimer { .. } => !self.has(Bug::ForgetTimersOnRecovery),
            Effect::Run { .. } => !self.has(Bug::ForgetHandlersOnRecovery),
            Effect::Offer { .. } => !self.has(Bug::DropOffersOnRecovery),
            _ => true,
        });
        if self.has(Bug::RecoverTwice) {
            effects.extend(effects.clone());
        }
        effects
    }
}

fn is_once(effect: &Effect, definition: &Compiled) -> bool {
    matches!(effect, Effect::Run { dispatch, .. } if definition.is_at_most_once(dispatch.key.node))
}

/// Something that an execution could be told at the last moment.
fn late_input(live: &Live) -> Input {
    let reported = |effect| match effect {
        Effect::Offer { dispatch, .. } => Some(Input::Reported(Report::new(dispatch.key, Ok(Payload::NULL)))),
        _ => None,
    };
    let cancel = || Input::Command(Command::Cancel { by: "somebody late".into() });
    live.state.under_way(&live.definition).into_iter().find_map(reported).unwrap_or_else(cancel)
}
