//! A model of the supervisor: admits, knows idempotency keys, publishes the end, rebuilds, sweeps.

use std::rc::Rc;

use finale_core::execution::{Input, Refused, SEMANTICS};
use finale_core::fact::Activation;
use finale_core::{Execution, ExecutionStatus, Payload, Time};

use super::bugs::Bug;
use super::journal::chained;
use super::messages::{Answer, Asking, Inside, Mail, Number, Wish};
use super::process::{Live, Work};
use super::tally::Count;
use super::trace::Happening;
use super::world::World;

impl World {
    /// A request comes to the process.
    pub(super) fn arrives(&mut self, asking: Asking) {
        let wish = self.outside.arrived(asking);
        self.note(Happening::Asks { asking, wish: wish.name(), number: wish.number() });
        let is_known = wish.number().is_none_or(|number| !self.process.recovering.contains(&number));
        if !self.process.is_up() || !is_known {
            return self.answer(asking, Answer::Unknown);
        }
        match wish {
            Wish::Activate { key, definition, deadline } => self.activate(asking, key, definition, deadline),
            other => self.ask_execution(asking, other),
        }
    }

    fn activate(&mut self, asking: Asking, key: Option<u16>, index: usize, deadline: Option<Time>) {
        if let Some(number) = key.and_then(|key| self.process.keys.get(&key).copied()) {
            return self.repeated(asking, number);
        }
        let Some(definition) = self.plan.definitions.get(index).map(Rc::clone) else { return };
        let number = self.auditor.subject(Rc::clone(&definition));
        if let Some(key) = key {
            self.process.keys.insert(key, number);
        }
        let activation = Activation {
            definition: definition.hash(),
            semantics: SEMANTICS,
            input: Payload::from_json(br#"{"x":2}"#).expect("it is JSON"),
            by: "somebody".into(),
            deadline,
            idempotency_key: key.map(|key| key.to_string().into()),
            business_key: None,
        };
        let shard = self.process.shard_of(number);
        let mut live = Live::new(shard, definition, index, self.auditor.id(number));
        live.begun.push(asking);
        live.inbox.push_back(Mail::Tell(Input::Activate(activation), None));
        self.process.lives.insert(number, live);
        self.wake(number);
    }

    /// The same activation again: it is the execution of the first one, as soon as that is durable.
    fn repeated(&mut self, asking: Asking, number: Number) {
        self.tally.add(Count::ActivationsRepeated);
        match self.process.lives.get_mut(&number) {
            Some(live) if live.durable == 0 => live.begun.push(asking),
            _ => self.answer(asking, Answer::Activated(number)),
        }
    }

    fn ask_execution(&mut self, asking: Asking, wish: Wish) {
        let Some(number) = wish.number() else { return };
        if let Some(status) = self.process.archive.get(&number) {
            let answer = archived(&wish, *status);
            return self.answer(asking, answer);
        }
        let Some(live) = self.process.lives.get_mut(&number) else {
            let story = format!("execution {number} is not known to life {}", self.process.life);
            return self.violate("what_was_acknowledged_survives", story);
        };
        let by = asking.to_string().into();
        match wish {
            Wish::Outcome { .. } => live.watchers.push(asking),
            Wish::Look { .. } => {
                self.tally.add(Count::Looks);
                self.send(number, Mail::Look(asking));
            }
            Wish::Report { report, .. } => self.work(number, Work::Report { number, report, asking }),
            Wish::Judge { key, verdict, .. } => {
                self.send(number, Mail::Tell(Input::Verdict { key, verdict, by }, Some(asking)));
            }
            Wish::Command { command, .. } => self.send(number, Mail::Tell(Input::Command(command), Some(asking))),
            Wish::Activate { .. } => {}
        }
    }

    /// Tells everybody that an execution has ended; it is durable, and nothing of it runs any more.
    pub(super) fn publish(&mut self, number: Number) {
        let Some(live) = self.process.lives.remove(&number) else { return };
        let status = live.state.status();
        self.note(Happening::Published { number, status });
        self.process.archive.insert(number, status);
        if self.has(Bug::FreeKeysAtTheEnd) {
            self.process.keys.retain(|_, keyed| *keyed != number);
        }
        for asking in live.cancels.into_iter().chain(live.watchers) {
            self.answer(asking, Answer::Ended(status));
        }
        for (_, asking) in live.early {
            self.answer(asking, Answer::Refused(Refused::AlreadyTerminal(status)));
        }
        let (unread, begun) = (live.inbox, live.begun);
        for asking in unread.iter().filter_map(Mail::asking) {
            self.answer(asking, Answer::Refused(Refused::AlreadyTerminal(status)));
        }
        for asking in begun {
            self.answer(asking, Answer::Activated(number));
        }
    }

    /// The actor of an execution died over this mail.
    pub(super) fn die(&mut self, number: Number, mut in_hand: Vec<Mail>) {
        self.tally.add(Count::Deaths);
        self.note(Happening::Died { number });
        if self.has(Bug::ForgetMailOfTheDead) {
            in_hand.retain(|mail| matches!(mail, Mail::Tell(Input::Activate(_), _)));
        }
        let Some(live) = self.process.lives.get_mut(&number) else { return };
        for mail in in_hand.into_iter().rev() {
            live.inbox.push_front(mail);
        }
        live.dead = true;
        self.put_soon(Inside::Rebuild { number });
    }

    /// Folds what was appended again, reads again what the dead actor had in hand, and looks what must be under way.
    pub(super) fn rebuild(&mut self, number: Number) {
        let history = match self.has(Bug::RebuildFromDurable) {
            true => self.journal.logs().get(&number).map(|log| log.facts.clone()).unwrap_or_default(),
            false => self.journal.history(number),
        };
        let Some(live) = self.process.lives.get_mut(&number) else { return };
        match Execution::fold(live.state.id(), &live.definition, &history) {
            Ok(state) => live.state = state,
            Err(error) => return self.violate("a_history_can_be_folded", error.to_string()),
        }
        live.dead = false;
        live.chain = chained(0, &history);
        let sequence = live.state.sequence();
        self.note(Happening::Rebuilt { number, sequence });
        self.work(number, Work::Reconcile { number });
        self.wake(number);
    }

    /// Looks at everything now and then: what was lost is repaired, not waited for.
    pub(super) fn sweep(&mut self) {
        if self.process.is_up() && !self.has(Bug::NoSweep) {
            for number in self.live_numbers() {
                self.work(number, Work::Reconcile { number });
            }
        }
        self.put_inside(self.now.after(self.plan.sweep), Inside::Sweep);
    }

    /// Gives an answer to whoever asked.
    pub(super) fn answer(&mut self, asking: Asking, answer: Answer) {
        if self.has(Bug::LoseReplies) && asking % 16 == 5 && answer != Answer::Unknown {
            return;
        }
        let known = self.auditor.acknowledged(asking, self.outside.wish(asking), &answer);
        if let Err((invariant, story)) = known.and_then(|()| self.outside.answering(asking, &answer)) {
            return self.violate(invariant, format!("request {asking}: {story}"));
        }
        let at = self.soon();
        self.bag.put(at, super::messages::Event::Answered { asking, answer });
    }
}

/// What is said of an execution that has ended.
fn archived(wish: &Wish, status: ExecutionStatus) -> Answer {
    match wish {
        Wish::Outcome { .. } | Wish::Look { .. } => Answer::Ended(status),
        _ => Answer::Refused(Refused::AlreadyTerminal(status)),
    }
}
