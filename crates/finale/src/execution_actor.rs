//! The actor of one execution: it owns the core's state and is the only one who changes it.

use std::collections::VecDeque;
use std::rc::Rc;

use actix::{Actor, Context, Handler};
use finale_core::execution::{Effect, Input, Refused, Turn};
use finale_core::{Execution, Time};
use smallvec::SmallVec;

use crate::faults::Faults;
use crate::observe;
use crate::shard::{Answers, Attempted, Live, Mail, Note, Nudge, Shard};

/// Mail that is handled in one turn at most, so that one execution cannot keep its thread for itself.
const TURN_MAIL_MAX: usize = 256;

/// There is one for each execution that has something to do; one that only waits has none.
pub(crate) struct ExecutionActor {
    shard: Rc<Shard>,
    live: Rc<Live>,
}

impl ExecutionActor {
    pub(crate) fn new(shard: Rc<Shard>, live: Rc<Live>) -> Self {
        Self { shard, live }
    }

    /// Reads the mail, lets the core decide, and makes durable what it decided.
    fn turn(&self) {
        self.live.reading();
        if !self.live.has_mail() || !self.shard.has_room_for(&self.live) {
            return;
        }
        let mut turn = self.shard.take_turn();
        let answers = self.decide(&mut turn);
        let performs = !turn.effects().is_empty() || !answers.under_way.is_empty();
        self.shard.commit(&self.live, turn, answers);
        if self.live.has_mail() {
            self.live.nudge();
        } else if !performs || self.shard.holds_turns() || self.live.has_ended() {
            self.shard.park(&self.live);
        }
    }

    fn decide(&self, turn: &mut Turn) -> Answers {
        let mut answers = Answers::default();
        let overruled = self.live.if_extra(|extra| std::mem::take(&mut extra.overruled)) == Some(true);
        let mut in_hand = self.live.take_in_hand(if overruled { 1 } else { TURN_MAIL_MAX });
        answers.watched = observe::watched() || self.live.is_watched() || in_hand.iter().any(only_notices_tell);
        turn.watch(answers.watched);
        if !answers.watched {
            answers.attempts.reserve_exact(in_hand.len());
        }
        let now = self.shard.clock.now();
        self.live.change(|execution| {
            // Most turns are about one input: no allocation for that.
            let tell = |mail: &Mail| {
                let told = self.tell(execution, now, mail, turn);
                if let (Mail::Tell(Input::Recovered { .. }, _), Ok(())) = (mail, &told) {
                    answers.under_way = self.under_way(execution, turn);
                }
                told
            };
            let told: SmallVec<[_; 4]> = in_hand.iter().map(tell).collect();
            self.strike(&in_hand);
            for (mail, result) in in_hand.drain(..).zip(told) {
                self.answer(execution, mail, result, &mut answers);
            }
        });
        answers
    }

    /// In a new process all that must be under way is performed, in the place of what a recovery alone makes necessary.
    fn under_way(&self, execution: &Execution, turn: &mut Turn) -> Vec<Effect> {
        if execution.status().is_terminal() {
            return Vec::new();
        }
        let fewer = turn.take_effects();
        turn.reuse_effects(fewer);
        execution.under_way(&self.live.bound.compiled)
    }

    /// The input is copied, and the mail stays in hand until the whole turn is decided: an actor that dies loses none.
    fn tell(&self, execution: &mut Execution, now: Time, mail: &Mail, turn: &mut Turn) -> Result<(), Refused> {
        match mail {
            Mail::Tell(input, _) => execution.handle(&self.live.bound.compiled, now, input.clone(), turn),
            Mail::Look(_) => Ok(()),
        }
    }

    fn answer(&self, execution: &Execution, mail: Mail, result: Result<(), Refused>, answers: &mut Answers) {
        match mail {
            Mail::Look(look) => answers.shown.push(look(&self.live, execution)),
            Mail::Tell(input, reply) => {
                if let Err(refused) = &result {
                    if is_early(&input, refused, &self.live)
                        && let Some(reply) = reply
                    {
                        return self.shard.keep_early(&self.live, input, reply);
                    }
                    answers.late.extend(self.shard.late_event(self.live.id, &input, refused));
                } else if !answers.watched {
                    answers.attempts.extend(attempted(&input));
                }
                answers.replies.extend(reply.map(|reply| (reply, result)));
            }
        }
    }

    fn strike(&self, in_hand: &VecDeque<Mail>) {
        if let Some(faults) = &self.shard.faults {
            let is_outcome = |mail: &Mail| matches!(mail, Mail::Tell(Input::Outcome { .. }, _));
            let over_outcome = in_hand.iter().any(is_outcome) && Faults::strike(&faults.panic_over_outcome);
            assert!(!over_outcome && !Faults::strike(&faults.panic_in_turn), "a fault was injected");
        }
    }
}

/// Whether a report came before its task was asked for: it is kept until then.
fn is_early(input: &Input, refused: &Refused, live: &Live) -> bool {
    let Input::Reported(report) = input else {
        return false;
    };
    matches!(refused, Refused::NotReady { .. }) && live.bound.compiled.is_external(report.key.node)
}

/// Whether an attempt may come to its end with this in a way that only the notices of the core tell in full.
fn only_notices_tell(mail: &Mail) -> bool {
    matches!(mail, Mail::Tell(Input::Reported(_) | Input::TimerFired(_) | Input::Recovered { .. }, _))
}

/// What a handler came to, to be counted once it is durable.
fn attempted(input: &Input) -> Option<Attempted> {
    let Input::Outcome { dispatch, result, started, ended } = input else {
        return None;
    };
    let failure = result.as_ref().err().map(|failure| failure.class);
    Some(Attempted { node: dispatch.key.node, failure, took: ended.since(*started) })
}

impl Actor for ExecutionActor {
    type Context = Context<Self>;

    fn started(&mut self, _context: &mut Self::Context) {
        self.turn();
    }
}

impl Handler<Nudge> for ExecutionActor {
    type Result = ();

    fn handle(&mut self, _nudge: Nudge, _context: &mut Self::Context) {
        self.turn();
    }
}

impl Drop for ExecutionActor {
    fn drop(&mut self) {
        // actix has no supervision that survives a panic: this is how ours hears of one.
        if std::thread::panicking() {
            self.shard.note(Note::Died(Rc::clone(&self.live)));
        }
    }
}
