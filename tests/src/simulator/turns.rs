//! A model of the actor of an execution: it reads mail, lets the core decide, and has it made durable.

use finale_core::WorkKey;
use finale_core::execution::{Command, Effect, Input, Refused, Turn};

use super::bugs::Bug;
use super::expected::Expected;
use super::mail::name_of;
use super::messages::{Mail, Number};
use super::process::{Answers, Live};
use super::tally::Count;
use super::trace::Happening;
use super::world::World;

/// Mail that is handled in one turn at most.
const TURN_MAIL_MAX: usize = 4;

impl World {
    /// Reads mail, lets the core decide, and makes durable what it decided.
    pub(super) fn turn(&mut self, number: Number) {
        let Some(live) = self.process.lives.get_mut(&number) else { return };
        live.nudged = false;
        if live.dead || live.inbox.is_empty() {
            return;
        }
        let count = 1 + self.dice.below(live.inbox.len().min(TURN_MAIL_MAX));
        let mails: Vec<Mail> = live.inbox.drain(..count).collect();
        let mut turn = std::mem::take(&mut self.process.turn);
        let (mut told, mut under_way) = (Vec::new(), Vec::new());
        for mail in &mails {
            told.push(self.tell(number, mail, &mut turn));
            if let (Mail::Tell(Input::Recovered { .. }, _), Some(Ok(()))) = (mail, told.last()) {
                under_way = self.first_under_way(number, &mut turn);
            }
        }
        if self.dice.happens(self.plan.faults.death) {
            turn.discard();
            self.die(number, mails);
        } else {
            let answers = Answers { under_way, ..self.answers(number, mails, told) };
            self.commit(number, &mut turn, answers);
        }
        self.process.turn = turn;
        if self.process.lives.get(&number).is_some_and(|live| !live.inbox.is_empty()) {
            self.wake(number);
        }
    }

    /// In a new process all that must be under way is performed, in the place of what a recovery alone makes necessary.
    fn first_under_way(&self, number: Number, turn: &mut Turn) -> Vec<Effect> {
        let live = self.process.lives.get(&number).filter(|live| !live.state.status().is_terminal());
        let Some(live) = live else { return Vec::new() };
        drop(turn.take_effects());
        live.state.under_way(&live.definition)
    }

    fn tell(&mut self, number: Number, mail: &Mail, turn: &mut Turn) -> Result<(), Refused> {
        let Mail::Tell(input, _) = mail else { return Ok(()) };
        let name = name_of(mail);
        let bug = self.rewrite(number, input);
        let now = self.now;
        let Some(live) = self.process.lives.get_mut(&number) else { return Ok(()) };
        let expected = Expected::of(&live.state, &live.definition, input);
        let answer = live.state.handle(&live.definition, now, bug.unwrap_or_else(|| input.clone()), turn);
        self.note(Happening::Told { number, input: name, accepted: answer.is_ok() });
        self.count_told(input, &answer);
        if let Err((invariant, story)) = expected.check(now, answer.is_ok()) {
            self.violate(invariant, format!("execution {number}: {story}"));
        }
        answer
    }

    fn count_told(&mut self, input: &Input, answer: &Result<(), Refused>) {
        match (input, answer) {
            (Input::TimerFired(_), Ok(())) => self.tally.add(Count::Timers),
            (Input::Command(_), Ok(())) => self.tally.add(Count::Commands),
            (Input::Outcome { .. }, Err(Refused::Stale { .. })) => self.tally.add(Count::StaleRefused),
            (_, Err(_)) => self.tally.add(Count::Refused),
            _ => {}
        }
    }

    /// What a shell with a mistake tells the core instead.
    fn rewrite(&self, number: Number, input: &Input) -> Option<Input> {
        let live = self.process.lives.get(&number)?;
        let Input::Outcome { dispatch, result, started, ended } = input else { return None };
        let is_current = |effect: &Effect| match effect {
            Effect::Run { dispatch: current, .. } | Effect::Offer { dispatch: current, .. } => {
                current.key == dispatch.key && (self.has(Bug::ApplyLateOutcome) || current.attempt == dispatch.attempt)
            }
            _ => false,
        };
        if !self.has(Bug::SkipEpochCheck) && !self.has(Bug::ApplyLateOutcome) {
            return None;
        }
        let under_way = live.state.under_way(&live.definition);
        match under_way.iter().find(|effect| is_current(effect))? {
            Effect::Run { dispatch, .. } | Effect::Offer { dispatch, .. } => {
                Some(Input::Outcome { dispatch: *dispatch, result: result.clone(), started: *started, ended: *ended })
            }
            _ => None,
        }
    }

    /// What is said of a turn, once it is durable; a report that came too early is kept instead.
    fn answers(&mut self, number: Number, mails: Vec<Mail>, told: Vec<Result<(), Refused>>) -> Answers {
        let mut answers = Answers::default();
        let Some(live) = self.process.lives.get_mut(&number) else { return answers };
        for (mail, result) in mails.into_iter().zip(told) {
            match mail {
                Mail::Look(asking) => answers.seen.push((asking, live.state.sequence(), live.state.status())),
                Mail::Tell(Input::Reported(reported), Some(asking)) if is_early(live, reported.key, &result) => {
                    self.tally.add(Count::ReportsEarly);
                    live.early.push((reported, asking));
                }
                Mail::Tell(input, Some(asking)) => {
                    let is_cancel = matches!(input, Input::Command(Command::Cancel { .. }));
                    answers.replies.push((asking, is_cancel, result));
                }
                Mail::Tell(_, None) => {}
            }
        }
        answers
    }
}

fn is_early(live: &Live, key: WorkKey, result: &Result<(), Refused>) -> bool {
    matches!(result, Err(Refused::NotReady { .. })) && live.definition.is_external(key.node)
}
