//! The world of one run: the process, its journal, the people outside, and the time that passes for all of them.

use finale_core::Time;

use super::auditor::Auditor;
use super::bugs::Bug;
use super::journal::Journal;
use super::messages::{Bag, Event, Inside, Number};
use super::outside::Outside;
use super::process::{Process, Standing};
use super::seeds::{Faults, Plan};
use super::tally::{Count, Tally};
use super::trace::{Happening, Trace};
use super::{Failure, Run};
use crate::dice::Dice;

/// Steps after the faults have stopped within which everything must come to its end.
const CALM_STEPS_MAX: u64 = 8_000;

#[derive(Debug)]
pub(super) struct World {
    pub(super) plan: Plan,
    bug: Option<Bug>,
    pub(super) dice: Dice,
    pub(super) now: Time,
    pub(super) step: u64,
    /// Whether the faults have stopped.
    pub(super) calm: bool,
    pub(super) bag: Bag,
    pub(super) journal: Journal,
    /// Whether a batch is being written.
    pub(super) writing: bool,
    pub(super) process: Process,
    pub(super) outside: Outside,
    pub(super) auditor: Auditor,
    pub(super) trace: Trace,
    pub(super) tally: Tally,
    /// Names handlers at work, so that an old one is not taken for a new one.
    pub(super) tokens: u64,
}

impl World {
    pub(super) fn new(seed: u64, bug: Option<Bug>, aloud: bool) -> Self {
        let mut dice = Dice::new(seed);
        let plan = Plan::new(&mut dice);
        let shards = plan.shards;
        let mut world = Self {
            plan,
            bug,
            dice,
            now: Time::from_micros(1_000),
            step: 0,
            calm: false,
            bag: Bag::default(),
            journal: Journal::new(bug != Some(Bug::TwoLives)),
            writing: false,
            process: Process::new(0, Standing::Down, shards),
            outside: Outside::default(),
            auditor: Auditor::default(),
            trace: Trace::new(aloud),
            tally: Tally::default(),
            tokens: 0,
        };
        world.tally.add(Count::Seeds);
        world.bag.put(world.now, Event::Restart);
        world.bag.put(world.now, Event::LookAround);
        world.bag.put(world.now, Event::Activate);
        world
    }

    pub(super) fn run(mut self, steps: u64) -> Run {
        while self.step < steps && self.goes_on() {
            self.strike();
            self.take_step();
        }
        self.calm_down();
        while !self.is_quiet() && self.goes_on() {
            self.take_step();
            self.check_patience(steps);
        }
        if self.goes_on() {
            self.check_at_the_end();
        }
        self.tally.add_some(Count::Steps, self.step);
        let failure = self.auditor.violation.take().map(|violation| Failure {
            step: self.step,
            violation,
            last: self.trace.end(),
        });
        Run { hash: self.trace.hash(), tally: self.tally, failure }
    }

    fn goes_on(&self) -> bool {
        self.auditor.violation.is_none()
    }

    fn take_step(&mut self) {
        self.step += 1;
        let Some((at, event)) = self.bag.take() else { return };
        self.now = self.now.max(at);
        match event {
            Event::Inside { life, what } if life == self.process.life => self.happens_inside(what),
            Event::Inside { .. } => {}
            Event::Written => self.written(),
            Event::LateWrite(append) => self.late_write(&append),
            Event::Straggler { number, dispatch, result } => self.straggler(number, dispatch, result),
            Event::Arrives(asking) => self.arrives(asking),
            Event::Answered { asking, answer } => self.answered(asking, &answer),
            Event::LookAround => self.look_around(),
            Event::Activate => self.want_another(),
            Event::Restart => self.restart(),
        }
    }

    fn happens_inside(&mut self, what: Inside) {
        match what {
            Inside::Mail { number, mail } => self.mail_arrives(number, mail),
            Inside::Turn { number } => self.turn(number),
            Inside::Rebuild { number } => self.rebuild(number),
            Inside::Publish { number } => self.publish(number),
            Inside::Recover { number } => self.recover(number),
            Inside::Watermark { shard, position } => self.watermark(shard, position),
            Inside::Engine { shard } => self.engine_works(shard),
            Inside::HandlerOver { number, dispatch, token } => self.handler_over(number, dispatch, token),
            Inside::LimitOver { number, dispatch, token } => self.limit_over(number, dispatch, token),
            Inside::TimerDue { number, timer, due } => self.timer_due(number, timer, due),
            Inside::GraceOver { number, dispatch } => self.grace_over(number, dispatch),
            Inside::Sweep => self.sweep(),
        }
    }

    /// From now on nothing goes wrong any more.
    fn calm_down(&mut self) {
        self.calm = true;
        self.plan.faults = Faults::default();
        self.note(Happening::Calm);
    }

    /// Whether nothing is left but people who look around and sweeps that find nothing.
    fn is_quiet(&self) -> bool {
        let process = &self.process;
        let is_idle = process.is_up() && process.lives.is_empty() && process.recovering.is_empty();
        is_idle && self.outside.waits_for_nothing() && self.bag.len() <= 2 && self.journal.unwritten() == 0
    }

    fn check_patience(&mut self, steps: u64) {
        if self.step > steps + CALM_STEPS_MAX {
            let story = self.unfinished();
            self.violate("everything_ends_once_the_faults_have_stopped", story);
        }
    }

    pub(super) fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    pub(super) fn note(&mut self, happening: Happening) {
        self.trace.note(self.step, self.now, happening);
    }

    /// Keeps the first thing that must not be: what follows from it is of no interest.
    pub(super) fn violate(&mut self, invariant: &'static str, story: String) {
        self.auditor.violate(invariant, story);
    }

    /// A moment soon: how long a message takes.
    pub(super) fn soon(&mut self) -> Time {
        let most = self.plan.delay_micros;
        let most = if self.dice.happens(300) { most * 10 } else { most };
        self.dice.soon(self.now, most)
    }

    pub(super) fn put_inside(&mut self, at: Time, what: Inside) {
        self.bag.put(at, Event::Inside { life: self.process.life, what });
    }

    pub(super) fn put_soon(&mut self, what: Inside) {
        let at = self.soon();
        self.put_inside(at, what);
    }

    fn unfinished(&self) -> String {
        let mut story = format!("{} events in the bag, {}", self.bag.len(), self.outside.unanswered());
        for (number, live) in &self.process.lives {
            let (why, busy) = (live.state.why(&live.definition), live.is_busy());
            story += &format!("; execution {number} is {}, busy {busy}: {why}", live.state.status());
        }
        story
    }

    pub(super) fn live_numbers(&self) -> Vec<Number> {
        self.process.lives.keys().copied().collect()
    }
}
