//! The world around the machines: a process with its shards, chance that says what happens next, and what is checked.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use finale_core::fact::Timer;
use finale_core::number::{ActorNo, LimitNo, ShardNo, Slot};
use finale_core::permits::PermitPool;
use finale_core::supervisor::{
    Input, Keep, Options, Read, ReadWhat, Recover, Retention, Supervisor, TellEnd, shard_of,
};
use finale_core::{Epoch, ExecutionId, Time, WorkKey, task_engine};

use super::actor::{Actor, Reach};
use super::bugs::Bug;
use super::engine::{Engine, LIMITS};
use super::flows::Flow;
use super::mail::{ENGINE, Post, SUPERVISOR};
use super::port::Port;
use super::shared::{Chances, ENDED_HANDLERS, Shared, ToShard};
use super::supervisor::{SupervisorActor, definitions};
use super::tally::Count;
use super::{Failure, Run};
use crate::dice::Dice;

/// After so many steps without faults everything must be over.
const CALM_MAX: u64 = 20_000;

pub(super) struct Shard {
    pub(super) number: u16,
    pub(super) supervisor: SupervisorActor,
    pub(super) engine: Engine,
    actors: Vec<Actor>,
    post: Post,
    port: Port,
    early: BTreeMap<Slot, Vec<WorkKey>>,
    reads: Vec<PendingRead>,
}

/// A read of the journal that is under way.
struct PendingRead {
    read: Read,
    not_before: Time,
    /// What was found, on its way back.
    found: Option<Input>,
}

/// Something that can happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Next {
    Letter(u16, usize),
    Flush(u16, usize),
    Inbox(u16, u16),
    Port(u16),
    Commit,
    Read(u16, usize),
    Handler(u16),
    Starts(u16),
    Taken(u16, usize),
    EngineWake(u16),
    SupervisorWake(u16),
}

pub(super) struct World {
    pub(super) shared: Shared,
    pub(super) shards: Vec<Option<Shard>>,
    pub(super) calm: bool,
    options: Options,
    limits: [usize; LIMITS as usize],
    open_max: usize,
    step: u64,
    /// How the shards that are gone have ended: whether everything of them is recorded.
    in_order: bool,
    next: Vec<Next>,
}

impl World {
    pub(super) fn new(seed: u64, bug: Option<Bug>, lines: usize) -> Self {
        let mut dice = Dice::new(seed);
        let flows = (0..4).map(|_| Flow::random(&mut dice)).collect();
        let shards = 1 + dice.below(3) as u16;
        let limits = [1 + dice.below(4), 1 + dice.below(2), 1 + dice.below(2)];
        let open_max = 1 + dice.below(12);
        // No chance is taken: runs without handlers are what they were.
        let tells = seed.is_multiple_of(2);
        let mut options = options(&mut dice, shards, open_max);
        options.ended_handlers = if tells { ENDED_HANDLERS } else { 0 };
        let mut shared = Shared::new(dice, bug, flows, shards, lines);
        shared.audit.tally.add(Count::Seeds);
        (shared.tells, shared.audit.tells) = (tells, tells);
        shared.chances = chances(&mut shared.dice);
        if tells {
            shared.chances.not_taken = 1 + shared.dice.below(4_000) as u32;
        }
        shared.is_lossy = shared.chances.loss > 0;
        shared.journal.full = if shared.dice.one_in(3) { 1 + shared.dice.below(4) } else { 1_000 };
        let (shards, next) = (Vec::new(), Vec::new());
        let mut world = Self { shared, shards, calm: false, options, limits, open_max, step: 0, in_order: true, next };
        world.start();
        world
    }

    /// A process takes over what the journal has.
    fn start(&mut self) {
        let shared = &mut self.shared;
        shared.journal.claim(shared.shards);
        shared.journal.immediate = shared.dice.one_in(4);
        shared.running = PermitPool::new(self.limits, shared.shards);
        shared.open = PermitPool::new([self.open_max], shared.shards);
        shared.gone = vec![false; usize::from(shared.shards)];
        shared.inboxes.clear();
        shared.requests.clear();
        shared.poisoned = None;
        shared.without_handlers = (!self.calm && shared.dice.one_in(6)).then(|| shared.dice.below(4));
        (self.shards, self.in_order) = (Vec::new(), true);
        for number in 0..shared.shards {
            let found = shared.journal.found(|execution| shard_of(execution, shared.shards) == ShardNo(number));
            let permits = shared.open.claim(ShardNo(number), LimitNo::RUNTIME, found.len());
            let (epoch, crashed) = (Epoch(shared.journal.epoch), shared.journal.crashed);
            let mut options = Options { shard: ShardNo(number), seed: shared.dice.next(), ..self.options.clone() };
            if number > 0 {
                // One shard forgets for all.
                options.retention = Retention { completed: Keep::default(), ..options.retention };
                options.retention = Retention { failed: Keep::default(), ..options.retention };
            }
            let mut shard = Shard::new(number, Supervisor::new(options), shared);
            let recover = Recover { epoch, crashed, found, permits };
            shard.with_supervisor(shared, |supervisor, reach| supervisor.tell(Input::Recover(recover), reach));
            self.shards.push(Some(shard));
        }
        self.shared.journal.crashed = true;
    }

    /// The process is gone, with everything that is not durable.
    fn crash(&mut self) {
        let shared = &mut self.shared;
        shared.trace.note(shared.now, || "the process crashes".to_owned());
        shared.audit.tally.add(Count::Crashes);
        self.shards.clear();
        shared.journal.crash(&mut shared.dice, &shared.flows, &mut shared.audit);
        shared.audit.crash(&shared.journal.durable);
        self.start();
    }

    pub(super) fn run(mut self, steps: u64) -> Run {
        while self.step < steps && self.is_sound() {
            self.careful_step();
        }
        if self.is_sound() {
            self.calm_down();
        }
        while self.is_sound() && !self.is_over() {
            if self.step > steps + CALM_MAX {
                let open = self.shared.journal.appended.iter().filter(|(_, kept)| kept.is_open());
                let open: Vec<_> = open.map(|(execution, kept)| format!("{execution} {:?}", kept.state)).collect();
                self.shared.audit.violate("everything_ends", open.join("\n  "));
            }
            self.careful_step();
        }
        if self.is_sound() {
            self.check_over();
        }
        self.finish()
    }

    /// A panic of a machine is a failure like any other.
    fn careful_step(&mut self) {
        let taken = catch_unwind(AssertUnwindSafe(|| self.one_step()));
        if let Err(panicked) = taken {
            // What is half-done is of no use to anybody, and says so when it is dropped.
            #[expect(clippy::mem_forget, reason = "a turn that is dropped with facts in it panics")]
            std::mem::forget(std::mem::take(&mut self.shards));
            let text = panicked.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panicked.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            self.shared.audit.violate("nothing_panics", text.unwrap_or_default());
        }
    }

    fn is_sound(&self) -> bool {
        self.shared.audit.violation.is_none()
    }

    fn finish(mut self) -> Run {
        let trace = &self.shared.trace;
        let (step, hash, last) = (self.step, trace.hash(), trace.story());
        let failure = self.shared.audit.violation.take().map(|violation| Failure { step, violation, last });
        Run { hash, tally: std::mem::take(&mut self.shared.audit.tally), failure }
    }

    /// Nothing goes wrong any more.
    fn calm_down(&mut self) {
        self.shared.trace.note(self.shared.now, || "nothing goes wrong from here on".to_owned());
        self.calm = true;
        self.shared.chances = Chances::default();
        self.shared.poisoned = None;
        for read in self.shards.iter_mut().flatten().flat_map(|shard| &mut shard.reads) {
            read.not_before = self.shared.now;
        }
        let fails = |shard: &Shard| shard.supervisor.machine().health().shard_failed;
        let lacks = self.shared.without_handlers.is_some();
        if self.shared.journal.failed || lacks || self.shards.iter().flatten().any(fails) || self.shared.dice.one_in(4)
        {
            self.crash();
        }
    }

    fn one_step(&mut self) {
        self.step += 1;
        self.shared.trace.step(self.step);
        self.shared.audit.tally.add(Count::Steps);
        self.shared.now = self.shared.now.after(Duration::from_micros(self.shared.dice.below(4) as u64));
        if !self.calm && self.disturb() {
            return;
        }
        if !self.calm && self.shared.dice.one_in(7) {
            return self.act_outside();
        }
        if self.shards.iter().all(Option::is_none) {
            return self.restart();
        }
        self.collect_next();
        let Some(next) = self.shared.dice.pick(&self.next) else { return self.idle() };
        self.shared.trace.mix((next, self.shared.now.as_micros()));
        self.happen(next);
    }

    /// Something goes wrong, if chance has it so.
    fn disturb(&mut self) -> bool {
        let Chances { crash, shutdown, journal_failure, .. } = self.shared.chances;
        if self.shared.dice.happens(crash) || (self.shared.journal.failed && self.shared.dice.one_in(60)) {
            self.crash();
            return true;
        }
        if self.shared.dice.happens(shutdown) {
            let within = self.shared.dice.below(2_000) as u64;
            for shard in 0..self.shared.shards {
                self.shared.put(self.shared.shards, shard, ToShard::Shutdown { within });
            }
        }
        if self.shared.dice.happens(journal_failure) && !self.shared.journal.failed {
            self.shared.trace.note(self.shared.now, || "the journal fails".to_owned());
            self.shared.audit.tally.add(Count::JournalFailures);
            self.shared.journal.failed = true;
        }
        false
    }

    /// All shards have left: the next process begins.
    fn restart(&mut self) {
        if !self.in_order {
            return self.crash();
        }
        self.shared.audit.tally.add(Count::Shutdowns);
        self.shared.audit.crash(&self.shared.journal.durable);
        self.shared.journal.crashed = false;
        self.start();
    }

    fn collect_next(&mut self) {
        let (shared, next) = (&self.shared, &mut self.next);
        let now = shared.now;
        next.clear();
        if !shared.journal.is_idle() {
            next.push(Next::Commit);
        }
        for shard in self.shards.iter().flatten() {
            let number = shard.number;
            next.extend(shard.post.waiting().map(|party| Next::Letter(number, party)));
            next.extend(shard.dirty().map(|party| Next::Flush(number, party)));
            if shard.port.can_advance(shared) {
                next.push(Next::Port(number));
            }
            let due = |read: &PendingRead| read.not_before <= now;
            let reads = shard.reads.iter().enumerate().filter(|(_, read)| due(read));
            next.extend(reads.map(|(at, _)| Next::Read(number, at)));
            let answers = |(_, due): &(TellEnd, Time)| *due <= now;
            let taken = shard.supervisor.telling.iter().enumerate().filter(|(_, end)| answers(end));
            next.extend(taken.map(|(at, _)| Next::Taken(number, at)));
            if shard.engine.has_starts && shard.post.is_empty(ENGINE) {
                next.push(Next::Starts(number));
            }
            if shard.engine.next_due().is_some_and(|due| due <= now) {
                next.push(Next::Handler(number));
            }
            if shard.engine.wake_at().is_some_and(|due| due <= now) {
                next.push(Next::EngineWake(number));
            }
            if shard.supervisor.machine().wake_at().is_some_and(|due| due <= now) {
                next.push(Next::SupervisorWake(number));
            }
        }
        let inboxes =
            shared.inboxes.iter().filter(|((to, _), inbox)| !inbox.is_empty() && !shared.gone[usize::from(*to)]);
        next.extend(inboxes.map(|((to, from), _)| Next::Inbox(*to, *from)));
    }

    fn happen(&mut self, next: Next) {
        if next == Next::Commit {
            let writes = 1 + self.shared.dice.below(4);
            let shared = &mut self.shared;
            return shared.journal.commit(writes, &shared.flows, &mut shared.audit);
        }
        let (Next::Letter(number, _)
        | Next::Flush(number, _)
        | Next::Inbox(number, _)
        | Next::Port(number)
        | Next::Read(number, _)
        | Next::Handler(number)
        | Next::Starts(number)
        | Next::Taken(number, _)
        | Next::EngineWake(number)
        | Next::SupervisorWake(number)) = next
        else {
            return;
        };
        let Some(shard) = self.shards.get_mut(usize::from(number)).and_then(Option::as_mut) else { return };
        shard.happen(next, &mut self.shared);
        shard.take_reads(&mut self.shared, self.calm);
        if let Some(left) = shard.supervisor.left {
            // What is written and not durable yet is the business of the journal, which is released after it.
            self.in_order &= left.in_order && !shard.port.is_holding();
            self.shared.gone[usize::from(number)] = true;
            self.shared.requests.retain(|_, request| request.shard != number);
            self.shared.trace.note(self.shared.now, || format!("shard {number} has left: {left:?}"));
            self.shards[usize::from(number)] = None;
        }
    }

    /// Nothing is on its way: time goes on to what comes next, or somebody outside helps.
    fn idle(&mut self) {
        self.shared.audit.tally.add(Count::Quiet);
        self.check_quiet();
        if !self.is_sound() {
            return;
        }
        if self.calm && self.help() {
            return;
        }
        let dues = self.shards.iter().flatten().flat_map(|shard| {
            let reads = shard.reads.iter().map(|read| read.not_before);
            let answers = shard.supervisor.telling.iter().map(|(_, due)| *due);
            let machines = [shard.engine.next_due(), shard.engine.wake_at(), shard.supervisor.machine().wake_at()];
            machines.into_iter().flatten().chain(reads).chain(answers).collect::<Vec<_>>()
        });
        let due = dues.min();
        if let Some(overdue) = due.and_then(|due| self.overdue(due)) {
            return self.shared.audit.violate("a_timer_fires_when_it_is_due", overdue);
        }
        match due {
            Some(due) => self.shared.now = self.shared.now.max(due),
            None if self.calm => {
                let open = self.shared.journal.appended.iter().filter(|(_, kept)| kept.is_open());
                let open: Vec<_> = open.map(|(execution, kept)| format!("{execution} {:?}", kept.state)).collect();
                if !open.is_empty() {
                    let engines = self.shards.iter().flatten().map(|shard| shard.engine.story());
                    let pool = format!("{:?}", self.shared.running);
                    let open: Vec<_> = open.into_iter().chain(engines).chain([pool]).collect();
                    self.shared.audit.violate("nothing_open_is_stuck", open.join("\n  "));
                }
            }
            None => self.act_outside(),
        }
    }

    /// A timer that must be armed and would be passed over if time went on to that moment.
    fn overdue(&self, until: Time) -> Option<String> {
        let works = |shard: &&Shard| {
            let health = shard.supervisor.machine().health();
            // What is quarantined, or not looked at yet after a restart, has no timers.
            let is_held = health.shard_failed || health.quarantined + health.recovering > 0;
            !(shard.port.failed || shard.engine.is_lost() || is_held)
        };
        // What was lost is found to be missing when the engine or the supervisor looks next.
        let shards = self.shards.iter().flatten().filter(|_| !self.shared.is_lossy).filter(works);
        shards.flat_map(|shard| shard.armed(&self.shared)).find_map(|(execution, timer, due)| {
            (due < until).then(|| format!("{execution}: {timer:?} is due at {due}, and nobody wakes before {until}"))
        })
    }

    pub(super) fn is_over(&mut self) -> bool {
        let is_open = self.shared.journal.appended.values().any(super::journal::Kept::is_open);
        let is_held = |shard: &Shard| shard.supervisor.machine().health().quarantined > 0;
        if is_open
            || self.shards.iter().flatten().any(is_held)
            || self.shards.iter().any(Option::is_none)
            || !self.shared.inboxes.values().all(|it| it.is_empty())
        {
            return false;
        }
        self.collect_next();
        let tells = |shard: &Shard| shard.supervisor.machine().has_untold();
        let is_done = |shard: &Shard| shard.reads.is_empty() && shard.engine.next_due().is_none() && !tells(shard);
        self.next.is_empty() && self.shards.iter().flatten().all(is_done)
    }

    /// What must hold when nothing is on its way.
    fn check_quiet(&mut self) {
        for shard in self.shards.iter().flatten() {
            if shard.port.failed || shard.supervisor.machine().health().shard_failed || shard.engine.is_lost() {
                continue;
            }
            shard.check_quiet(&mut self.shared);
        }
    }

    /// What must hold when everything is over.
    fn check_over(&mut self) {
        self.check_quiet();
        let shared = &mut self.shared;
        shared.audit.check_told(&shared.journal.durable);
        for shard in self.shards.iter().flatten() {
            let (health, counts) = (shard.supervisor.machine().health(), shard.engine.machine.counts());
            let left = health.open + health.active + health.queued + health.recovering + health.quarantined;
            let at_work =
                counts.running + counts.suspended + counts.queued + counts.open + counts.early + counts.leaked;
            if left + at_work + counts.timers > 0 {
                shared.audit.violate("everything_is_given_back", format!("{health:?} {counts:?}"));
            }
        }
        if let Some((request, what)) = shared.requests.iter().next() {
            let story = format!("request {} is not answered: {what:?}", request.0);
            shared.audit.violate("everybody_is_answered_once", story);
        }
        for shard in 0..shared.shards {
            shared.open.remove_shard(ShardNo(shard));
        }
        let all = shared.open.try_take(ShardNo(0), LimitNo::RUNTIME).permits;
        if all == 0 {
            shared.audit.violate("everything_is_given_back", "no execution may begin any more".to_owned());
        }
    }
}

impl Shard {
    fn new(number: u16, machine: Supervisor, shared: &mut Shared) -> Self {
        let mut post = Post::default();
        let mut port = Port::new(number);
        let mut early = BTreeMap::new();
        let reach = Reach { shared, post: &mut post, port: &mut port, early: &mut early };
        let supervisor = SupervisorActor::new(number, machine, definitions(&reach));
        Self {
            number,
            supervisor,
            engine: Engine::new(number),
            actors: Vec::new(),
            post,
            port,
            early,
            reads: Vec::new(),
        }
    }

    fn with_supervisor(&mut self, shared: &mut Shared, act: impl FnOnce(&mut SupervisorActor, &mut Reach<'_>)) {
        let Self { supervisor, post, port, early, .. } = self;
        act(supervisor, &mut Reach { shared, post, port, early });
    }

    fn dirty(&self) -> impl Iterator<Item = usize> {
        let actors = self.actors.iter().enumerate().filter(|(_, actor)| actor.dirty).map(|(number, _)| number + 3);
        let supervisor = self.supervisor.dirty.then_some(SUPERVISOR);
        let engine = self.engine.dirty.then_some(ENGINE);
        // What has gathered is sent when the mailbox is empty, as actix has it.
        supervisor.into_iter().chain(engine).chain(actors).filter(|party| self.post.is_empty(*party))
    }

    fn happen(&mut self, next: Next, shared: &mut Shared) {
        let Self { supervisor, engine, actors, post, port, early, reads, number } = self;
        let letter = match next {
            Next::Letter(_, party) => post.take(party),
            _ => None,
        };
        if let Some(letter) = &letter {
            shared.trace.note(shared.now, || format!("shard {number}: {next:?} {letter:?}"));
        }
        let mut reach = Reach { shared, post, port, early };
        match (next, letter) {
            (Next::Letter(_, SUPERVISOR), Some(letter)) => supervisor.handle(letter, &mut reach),
            (Next::Letter(_, ENGINE), Some(letter)) => engine.handle(letter, &mut reach),
            (Next::Letter(_, party), Some(letter)) => {
                while actors.len() + 3 <= party {
                    actors.push(Actor::new(ActorNo(actors.len() as u32)));
                }
                actors[party - 3].handle(letter, &mut reach);
            }
            (Next::Flush(_, SUPERVISOR), _) => supervisor.flush(&mut reach),
            (Next::Flush(_, ENGINE), _) => engine.flush(&mut reach),
            (Next::Flush(_, party), _) => actors[party - 3].flush(&mut reach),
            (Next::Inbox(to, from), _) => {
                let inbox = reach.shared.inboxes.get_mut(&(to, from));
                if let Some(what) = inbox.and_then(std::collections::VecDeque::pop_front) {
                    supervisor.take_in(what, &mut reach);
                }
            }
            (Next::Port(_), _) => reach.port.advance(reach.post, reach.shared),
            (Next::Read(_, at), _) => match reads[at].found.take() {
                Some(found) => {
                    reads.swap_remove(at);
                    supervisor.found(found, &mut reach);
                }
                None => reads[at].found = Some(find(&reads[at].read, reach.shared)),
            },
            (Next::Handler(_), _) => engine.poll(&mut reach),
            (Next::Taken(_, at), _) => supervisor.taken(at, &mut reach),
            (Next::Starts(_), _) => engine.carry_out(&mut reach),
            (Next::EngineWake(_), _) => engine.tell((task_engine::Input::Wake, None), &mut reach),
            (Next::SupervisorWake(_), _) => supervisor.tell(Input::Wake, &mut reach),
            (Next::Letter(..) | Next::Commit, _) => {}
        }
    }

    /// Reads that were asked for are done away from here, some of them after long.
    fn take_reads(&mut self, shared: &mut Shared, calm: bool) {
        for read in std::mem::take(&mut self.supervisor.reads) {
            let is_stuck = !calm && shared.dice.happens(shared.chances.stuck_read);
            let not_before = if is_stuck { shared.dice.soon(shared.now, 20_000) } else { shared.now };
            self.reads.push(PendingRead { read, not_before, found: None });
        }
    }

    fn check_quiet(&self, shared: &mut Shared) {
        let overdue = self.engine.overdue(&self.supervisor.slots, shared).filter(|_| !self.supervisor.is_leaving());
        if let Some((invariant, story)) = overdue {
            shared.audit.violate(invariant, story);
        }
        for (number, actor) in self.actors.iter().enumerate() {
            // What was lost is repaired when it is looked for next.
            if !shared.is_lossy && (!actor.is_idle() || actor.unanswered > 0) {
                let story = format!("actor {number} of shard {}: {}", self.number, actor.story());
                shared.audit.violate("what_only_waits_is_parked", story);
            }
        }
        for (slot, execution) in &self.supervisor.slots {
            let Some(hosted) = self.supervisor.machine().parked(*slot) else { continue };
            let Some(kept) = shared.journal.appended.get(execution) else {
                shared.audit.violate("what_is_open_is_recorded", execution.to_string());
                return;
            };
            if kept.state != *hosted.state {
                let story = format!("{execution}: {:?}\n  is not {:?}", hosted.state, kept.state);
                shared.audit.violate("the_live_state_is_the_fold_of_the_journal", story);
            }
        }
        if self.supervisor.machine().health().quarantined > 0 {
            // Tasks of an execution that is quarantined are compared when it is released,
            return;
        }
        // and those of one that is being read when it was read, which may be long after.
        let is_parked = |slot| self.supervisor.machine().parked(slot).is_some();
        for task in self.engine.machine.open_tasks(None, None).filter(|task| is_parked(task.slot)) {
            let state = shared.journal.durable.get(&task.id.execution).map(|kept| &kept.state);
            if state.and_then(|state| state.node_status(task.id.key)) != Some(finale_core::NodeStatus::Waiting) {
                shared.audit.violate("what_is_open_is_asked_for", format!("{task:?}"));
            }
        }
    }

    /// Whether everything that a parked execution needs is under way; what is missing, if not.
    /// The timers that the parked executions of the shard need.
    fn armed<'a>(&'a self, shared: &'a Shared) -> impl Iterator<Item = (ExecutionId, Timer, Time)> + 'a {
        use finale_core::execution::Effect;
        let slots = self.supervisor.slots.keys().filter(|_| !self.supervisor.is_leaving());
        let parked = slots.filter_map(|slot| self.supervisor.machine().parked(*slot));
        parked.flat_map(|hosted| {
            let compiled = &shared.flows[hosted.definition.0 as usize].compiled;
            let armed = hosted.state.under_way(compiled).into_iter().filter_map(|effect| match effect {
                Effect::ArmTimer { timer, due, .. } => Some((timer, due)),
                _ => None,
            });
            let execution = hosted.state.id();
            armed.map(move |(timer, due)| (execution, timer, due))
        })
    }

    pub(super) fn missing(&self, slot: Slot, shared: &Shared) -> Option<String> {
        use finale_core::execution::Effect;
        let hosted = self.supervisor.machine().parked(slot).filter(|_| !self.supervisor.is_leaving())?;
        let (at_work, execution) = (self.engine.at_work(slot), hosted.state.id());
        let open: Vec<_> = self.engine.machine.open_tasks(None, Some(execution)).map(|task| task.id.key).collect();
        let compiled = &shared.flows[hosted.definition.0 as usize].compiled;
        let missing = hosted.state.under_way(compiled).into_iter().find(|effect| match effect {
            Effect::Run { dispatch, .. } => !at_work.contains(dispatch),
            Effect::Offer { dispatch, .. } => !open.contains(&dispatch.key),
            Effect::Continue => true,
            _ => false,
        });
        missing.map(|missing| format!("{execution} in {slot}: {missing:?}; {:?}", self.engine.machine.counts()))
    }
}

/// Looks into the journal, which may be out of order.
fn find(read: &Read, shared: &mut Shared) -> Input {
    let number = read.number;
    let fails = shared.dice.happens(shared.chances.read_failure);
    let error = || Box::<str>::from("it cannot be read now");
    match &read.what {
        ReadWhat::History(execution) => {
            let mut restored = shared.journal.restore(*execution, &shared.flows);
            if let Some(restored) =
                restored.as_mut().filter(|it| shared.without_handlers == Some(it.definition.0 as usize))
                && restored.outcome.is_none()
            {
                shared.audit.tally.add(Count::WithoutHandlers);
                let missing = !shared.has(Bug::IgnoreMissingHandlers);
                restored.missing_handler = missing.then(|| "a handler".into());
            }
            Input::Restored { read: number, restored: if fails { Err(error()) } else { Ok(restored) } }
        }
        ReadWhat::Key(key) => {
            let owner = shared.journal.key_owner(key);
            Input::KeyLooked { read: number, owner: if fails { Err(error()) } else { Ok(owner) } }
        }
        ReadWhat::Status(execution) => {
            let status = shared.journal.status(*execution);
            Input::StatusLooked { read: number, status: if fails { Err(error()) } else { Ok(status) } }
        }
        ReadWhat::Untold { after, limit } => {
            let untold = shared.journal.untold(*after, *limit);
            Input::UntoldFound { read: number, untold: if fails { Err(error()) } else { Ok(untold) } }
        }
        what @ ReadWhat::Expired { .. } => {
            let expired =
                if fails { Err(error()) } else { Ok(shared.journal.purge(what, &shared.flows, &mut shared.audit)) };
            Input::Expired { read: number, expired }
        }
    }
}

fn options(dice: &mut Dice, shards: u16, open_max: usize) -> Options {
    let age = |dice: &mut Dice| Some(Duration::from_micros(1_000 * (1 + dice.below(8) as u64)));
    let forgets = dice.one_in(3);
    let keep = Keep { age: if forgets { age(dice) } else { None }, count: None };
    Options {
        shard: ShardNo(0),
        shards,
        seed: 0,
        active_executions_max: 1 + dice.below(3),
        recovering_executions_max: 1 + dice.below(3),
        unused_permits_max: 2 * PermitPool::block(open_max, shards),
        reads_max: 1 + dice.below(3),
        recovery_reads_max: 1 + dice.below(3),
        early_messages_max: 6,
        crashes_max: if dice.one_in(3) { 2 } else { 100 },
        crashes_window: Duration::from_millis(20),
        deaths_max: 3,
        deaths_window: Duration::from_millis(10),
        sweep_interval: Duration::from_millis(2),
        retention: Retention {
            completed: keep,
            failed: keep,
            cancelled: Keep::default(),
            interval: Duration::from_millis(3),
        },
        ended_handlers: 0,
        late_events_max: 10,
    }
}

fn chances(dice: &mut Dice) -> Chances {
    // Some faults show only when others strike within a few steps of each other.
    let storm = if dice.one_in(4) { 8 } else { 1 };
    let mut often = |of: usize, most: u32| if dice.one_in(of) { 1 + dice.between(0, most - 1) } else { 0 };
    Chances {
        execution_panic: often(3, 200 * storm),
        engine_panic: often(3, 100 * storm),
        supervisor_panic: often(3, 60),
        crash: often(2, 60),
        shutdown: often(3, 40),
        journal_failure: often(6, 30),
        duplicate: often(3, 1_000),
        read_failure: often(4, 500),
        stuck_read: often(4, 2_000),
        overtake: often(2, 3_000),
        loss: often(4, 200 * storm),
        not_taken: 0,
    }
}
