//! The people outside: they ask, wait for answers, ask again after a crash, and do what tasks ask of them.

use std::collections::BTreeSet;
use std::time::Duration;

use finale_core::definition::Verdict;
use finale_core::execution::{Command, Report};
use finale_core::{ExecutionStatus, Failure, FailureClass, NodeIndex, NodeStatus, Payload, WorkKey};

use super::messages::{Answer, Asking, Event, Number, Wish};
use super::tally::Count;
use super::trace::Happening;
use super::world::World;

/// What was ever asked; it survives every crash.
#[derive(Debug, Default)]
pub(super) struct Outside {
    requests: Vec<Request>,
    /// Requests whose answer is not there yet.
    open: BTreeSet<Asking>,
    /// Executions that were acknowledged and are not known to have ended.
    known: BTreeSet<Number>,
    keys: u16,
}

#[derive(Debug)]
struct Request {
    wish: Wish,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// On its way.
    Sent,
    /// The process has it.
    Held,
    /// The answer is on its way.
    Answering,
    Answered,
}

type Checked = Result<(), (&'static str, String)>;

impl Outside {
    pub(super) fn wish(&self, asking: Asking) -> &Wish {
        &self.requests[asking as usize].wish
    }

    pub(super) fn arrived(&mut self, asking: Asking) -> Wish {
        let request = &mut self.requests[asking as usize];
        request.state = State::Held;
        request.wish.clone()
    }

    /// Notes that the process answers; once is enough.
    pub(super) fn answering(&mut self, asking: Asking, answer: &Answer) -> Checked {
        let request = &mut self.requests[asking as usize];
        if request.state != State::Held {
            return Err(("a_request_is_answered_once", format!("{answer:?} for {:?}", request.wish)));
        }
        request.state = State::Answering;
        Ok(())
    }

    /// Requests that the process has and has not answered.
    pub(super) fn held(&self) -> Vec<Asking> {
        let is_held = |asking: &Asking| self.requests[*asking as usize].state == State::Held;
        self.open.iter().copied().filter(is_held).collect()
    }

    pub(super) fn waits_for_nothing(&self) -> bool {
        self.open.is_empty() && self.known.is_empty()
    }

    pub(super) fn unanswered(&self) -> String {
        let wish = |asking: &Asking| format!("{asking}: {:?}", self.requests[*asking as usize]);
        let wishes: Vec<String> = self.open.iter().take(4).map(wish).collect();
        format!("{} requests unanswered {wishes:?}, executions {:?} not seen to end", self.open.len(), self.known)
    }

    fn is_reported(&self, number: Number, key: WorkKey) -> bool {
        self.open.iter().any(|asking| {
            matches!(&self.requests[*asking as usize].wish,
                Wish::Report { number: other, report } if (*other, report.key) == (number, key))
        })
    }

    fn is_judged(&self, number: Number, wanted: WorkKey) -> bool {
        self.open.iter().any(|asking| {
            matches!(&self.requests[*asking as usize].wish,
                Wish::Judge { number: other, key, .. } if (*other, *key) == (number, wanted))
        })
    }
}

impl Wish {
    /// What a report is recognized by; the same one may be sent twice.
    pub(super) fn word(&self) -> Option<Asking> {
        let Self::Report { report, .. } = self else { return None };
        match &report.result {
            Ok(output) => std::str::from_utf8(output.as_bytes()).ok()?.parse().ok(),
            Err(failure) => failure.reason.parse().ok(),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Activate { .. } => "activate",
            Self::Report { .. } => "report",
            Self::Judge { .. } => "judge",
            Self::Command { .. } => "command",
            Self::Look { .. } => "look",
            Self::Outcome { .. } => "outcome",
        }
    }
}

impl Answer {
    fn name(&self) -> &'static str {
        match self {
            Self::Activated(_) => "activated",
            Self::Done => "done",
            Self::Refused(_) => "refused",
            Self::Seen { .. } => "seen",
            Self::Ended(_) => "ended",
            Self::Unknown => "unknown",
        }
    }
}

impl World {
    fn ask(&mut self, wish: Wish) -> Asking {
        let asking = self.outside.requests.len() as Asking;
        self.outside.requests.push(Request { wish, state: State::Sent });
        self.outside.open.insert(asking);
        self.send_request(asking);
        asking
    }

    fn send_request(&mut self, asking: Asking) {
        self.outside.requests[asking as usize].state = State::Sent;
        let at = self.soon();
        self.bag.put(at, Event::Arrives(asking));
    }

    /// The number that the next request will have: what it says is recognized by it.
    fn next_asking(&self) -> String {
        self.outside.requests.len().to_string()
    }

    /// An answer is there.
    pub(super) fn answered(&mut self, asking: Asking, answer: &Answer) {
        self.note(Happening::Answered { asking, answer: answer.name() });
        let wish = self.outside.wish(asking).clone();
        // Whoever gave no key does not dare to ask for another execution.
        let asks_again = !matches!(wish, Wish::Activate { key: None, .. });
        if *answer == Answer::Unknown && asks_again {
            self.tally.add(Count::SentAgain);
            self.outside.requests[asking as usize].state = State::Sent;
            let at = self.dice.soon(self.now.after(Duration::from_micros(20)), 100);
            return self.bag.put(at, Event::Arrives(asking));
        }
        self.outside.requests[asking as usize].state = State::Answered;
        self.outside.open.remove(&asking);
        match (answer, wish.number()) {
            (Answer::Activated(number), _) => self.begun(*number),
            (Answer::Ended(_), Some(number)) => drop(self.outside.known.remove(&number)),
            _ => {}
        }
    }

    /// An execution was acknowledged: somebody waits for its end.
    fn begun(&mut self, number: Number) {
        if !self.auditor.is_seen_ended(number) && self.outside.known.insert(number) {
            self.ask(Wish::Outcome { number });
        }
    }

    /// Somebody wants another execution, unless there are enough.
    pub(super) fn want_another(&mut self) {
        if self.calm {
            return;
        }
        if self.process.lives.len() < self.plan.executions as usize {
            let definition = self.dice.below(self.plan.definitions.len());
            let within = Duration::from_micros(self.dice.between(100, 3_000).into());
            let deadline = self.dice.happens(3_000).then(|| self.now.after(within));
            self.outside.keys += 1;
            let key = (!self.dice.happens(1_500)).then_some(self.outside.keys);
            let wish = Wish::Activate { key, definition, deadline };
            if key.is_some() && self.dice.happens(1_500) {
                self.ask(wish.clone());
            }
            self.ask_later(wish);
        }
        let at = self.dice.soon(self.now, 150);
        self.bag.put(at, Event::Activate);
    }

    /// Asks, and sometimes once more long after.
    fn ask_later(&mut self, wish: Wish) {
        let has_key = matches!(wish, Wish::Activate { key: Some(_), .. });
        let again = has_key && self.dice.happens(2_000);
        self.ask(wish.clone());
        if again {
            let asking = self.outside.requests.len() as Asking;
            self.outside.requests.push(Request { wish, state: State::Sent });
            self.outside.open.insert(asking);
            let at = self.dice.soon(self.now, 2_000);
            self.bag.put(at, Event::Arrives(asking));
        }
    }

    /// People look around and do something, or nothing.
    pub(super) fn look_around(&mut self) {
        if self.process.is_up() {
            for number in self.live_numbers() {
                self.attend_to(number);
            }
        }
        let at = self.dice.soon(self.now.after(Duration::from_micros(5)), 60);
        self.bag.put(at, Event::LookAround);
    }

    fn attend_to(&mut self, number: Number) {
        let faults = self.plan.faults;
        self.do_open_tasks(number);
        self.judge_what_waits(number);
        if self.calm {
            return self.cancel_what_hangs(number);
        }
        if self.dice.happens(faults.command) {
            self.command(number);
        }
        if self.dice.happens(faults.odd_report) {
            self.report_oddly(number);
        }
        if self.dice.happens(1_500) && self.auditor.is_begun(number) {
            self.ask(Wish::Look { number });
        }
    }

    fn do_open_tasks(&mut self, number: Number) {
        let offers = &self.process.engine(number).offers;
        let open: Vec<_> =
            offers.range((number, WorkKey::default())..).map(|(place, offer)| (*place, offer.dispatch)).collect();
        for ((_, key), dispatch) in open.into_iter().take_while(|((other, _), _)| *other == number) {
            let is_wanted = self.calm || self.dice.happens(2_500);
            if !is_wanted || self.outside.is_reported(number, key) {
                continue;
            }
            if self.dice.happens(self.plan.faults.odd_report) {
                // By the name of the attempt: it may be another one by the time this arrives.
                let at = self.dice.soon(self.now, 300);
                self.bag.put(at, Event::Straggler { number, dispatch, result: Ok(Payload::NULL) });
            } else {
                self.report_on(number, key);
            }
        }
    }

    fn report_on(&mut self, number: Number, key: WorkKey) {
        let said = self.next_asking();
        let classes = [FailureClass::Failed, FailureClass::Rejected, FailureClass::Deleted];
        let class = classes[self.dice.below(classes.len())];
        let result = match self.dice.happens(7_500) {
            true => Ok(Payload::from_json(said.as_bytes()).expect("a number is JSON")),
            false => Err(Failure::new(class, said)),
        };
        self.ask(Wish::Report { number, report: Report::new(key, result.clone()) });
        if !self.calm && self.dice.happens(1_000) {
            self.ask(Wish::Report { number, report: Report::new(key, result) });
        }
    }

    fn judge_what_waits(&mut self, number: Number) {
        let Some(live) = self.process.lives.get(&number) else { return };
        let is_judged = |key: &WorkKey| {
            live.definition.node(key.node).kind.name() == "verification"
                && live.state.node_status(*key) == Some(NodeStatus::Waiting)
        };
        let keys: Vec<WorkKey> = live.definition.positions().map(WorkKey::root).filter(is_judged).collect();
        for key in keys {
            let is_wanted = self.calm || self.dice.happens(2_500);
            if is_wanted && live_is_begun(self, number) && !self.outside.is_judged(number, key) {
                let all = [Verdict::Pass, Verdict::Fail, Verdict::Refer];
                let verdict = all[self.dice.below(all.len())];
                self.ask(Wish::Judge { number, key, verdict });
            }
        }
    }

    /// A handler that never comes to its end is called off by somebody who has lost patience.
    fn cancel_what_hangs(&mut self, number: Number) {
        let running = &self.process.engine(number).running;
        let hangs = running.range((number, WorkKey::default())..).take_while(|((other, _), _)| *other == number);
        let hanging = hangs.filter(|(_, at_work)| at_work.temper.takes.is_none()).map(|((_, key), _)| *key);
        for key in hanging.collect::<Vec<_>>() {
            if !self.outside.is_reported(number, key) {
                self.cancel_task(number, key);
            }
        }
    }

    fn cancel_task(&mut self, number: Number, key: WorkKey) {
        let said = self.next_asking();
        let result = Err(Failure::new(FailureClass::Cancelled, said));
        self.ask(Wish::Report { number, report: Report::new(key, result) });
    }

    fn command(&mut self, number: Number) {
        if !live_is_begun(self, number) {
            return;
        }
        let by: Box<str> = self.next_asking().into();
        let command = match self.dice.below(5) {
            0..=2 => Command::Cancel { by },
            3 => Command::Complete { by },
            _ => Command::Fail { by, reason: "enough".into() },
        };
        let is_cancel = matches!(command, Command::Cancel { .. });
        self.ask(Wish::Command { number, command });
        if is_cancel && self.dice.happens(4_000) {
            let command = Command::Cancel { by: self.next_asking().into() };
            self.ask(Wish::Command { number, command });
        }
    }

    /// Reports on some task, whatever it is at: too early, too late, or one that is not done outside.
    fn report_oddly(&mut self, number: Number) {
        let Some(live) = self.process.lives.get(&number).filter(|live| live.durable > 0) else { return };
        let is_task = |node: &NodeIndex| live.definition.is_task(*node);
        let tasks: Vec<_> = live.definition.positions().filter(is_task).collect();
        let Some(node) = self.dice.pick(&tasks) else { return };
        if self.dice.happens(2_000) {
            self.cancel_task(number, WorkKey::root(node));
        } else {
            self.report_on(number, WorkKey::root(node));
        }
    }
}

/// Nobody outside knows of an execution that was not acknowledged.
fn live_is_begun(world: &World, number: Number) -> bool {
    let live = world.process.lives.get(&number);
    live.is_some_and(|live| live.durable > 0 && live.published != ExecutionStatus::Pending)
}
