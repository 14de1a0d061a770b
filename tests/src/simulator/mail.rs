//! Mail to executions: it comes late, in any order, twice, or not at all.

use finale_core::execution::{Input, Refused};

use super::messages::{Answer, Asking, Inside, Mail, Number};
use super::tally::Count;
use super::trace::Happening;
use super::world::World;

impl World {
    /// Sends mail to an execution; what is about an outcome may get lost on the way, or come twice.
    pub(super) fn send(&mut self, number: Number, mail: Mail) {
        let faults = self.plan.faults;
        let name = name_of(&mail);
        let is_outcome = matches!(mail, Mail::Tell(Input::Outcome { .. } | Input::Stopped { .. }, _))
            || matches!(mail, Mail::Tell(Input::Reported(_) | Input::TimerFired(_), _));
        if is_outcome && self.dice.happens(faults.duplicate) {
            self.tally.add(Count::Duplicates);
            self.note(Happening::Twice { number, input: name });
            self.send_one(number, mail.again());
        }
        if is_outcome && self.dice.happens(faults.lose) {
            return self.lose(number, &mail);
        }
        self.send_one(number, mail);
    }

    fn send_one(&mut self, number: Number, mail: Mail) {
        if let Some(live) = self.process.lives.get_mut(&number) {
            live.flying += 1;
        }
        self.put_soon(Inside::Mail { number, mail });
    }

    /// A message is lost. Whoever waits for an answer to it hears that there is none.
    fn lose(&mut self, number: Number, mail: &Mail) {
        self.tally.add(Count::MessagesLost);
        self.note(Happening::Lost { number, input: name_of(mail) });
        if let Some(live) = self.process.lives.get_mut(&number) {
            live.lost = true;
        }
        if let Mail::Tell(Input::Outcome { dispatch, .. }, _) = mail {
            self.auditor.lost_on_the_way(number, *dispatch);
        }
        if let Some(asking) = mail.asking() {
            self.answer(asking, Answer::Unknown);
        }
    }

    pub(super) fn mail_arrives(&mut self, number: Number, mail: Mail) {
        let Some(live) = self.process.lives.get_mut(&number) else {
            return self.too_late(number, &mail);
        };
        live.flying = live.flying.saturating_sub(1);
        live.inbox.push_back(mail);
        self.wake(number);
    }

    /// Mail for an execution that has ended and is out of the way.
    fn too_late(&mut self, number: Number, mail: &Mail) {
        let status = self.process.archive.get(&number).copied();
        if let (Some(asking), Some(status)) = (mail.asking(), status) {
            self.answer(asking, Answer::Refused(Refused::AlreadyTerminal(status)));
        }
    }

    pub(super) fn wake(&mut self, number: Number) {
        let Some(live) = self.process.lives.get_mut(&number) else { return };
        if !live.dead && !std::mem::replace(&mut live.nudged, true) {
            let at = self.dice.soon(self.now, 2);
            self.put_inside(at, Inside::Turn { number });
        }
    }
}
impl Mail {
    pub(super) fn asking(&self) -> Option<Asking> {
        match self {
            Self::Tell(_, asking) => *asking,
            Self::Look(asking) => Some(*asking),
        }
    }

    /// The same once more, for which nobody waits.
    fn again(&self) -> Self {
        match self {
            Self::Tell(input, _) => Self::Tell(input.clone(), None),
            look @ Self::Look(_) => look.clone(),
        }
    }
}

/// What a mail is called in the trace.
pub(super) fn name_of(mail: &Mail) -> &'static str {
    match mail {
        Mail::Look(_) => "look",
        Mail::Tell(Input::Activate(_), _) => "activate",
        Mail::Tell(Input::Outcome { .. }, _) => "outcome",
        Mail::Tell(Input::Reported(_), _) => "report",
        Mail::Tell(Input::Stopped { .. }, _) => "stopped",
        Mail::Tell(Input::Verdict { .. }, _) => "verdict",
        Mail::Tell(Input::TimerFired(_), _) => "timer",
        Mail::Tell(Input::Command(_), _) => "command",
        Mail::Tell(..) => "recovered",
    }
}
