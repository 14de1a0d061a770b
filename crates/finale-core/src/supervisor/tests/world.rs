//! A simulated runtime around several supervisors: actors, journal, reader, pool and callers, as simple as can be.
//!
//! Messages between two parties keep their order; which pair goes next is drawn. The world checks what must always hold, and
//! panics where it does not.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::*;

/// A number generator for tests.
pub(super) struct Rng(u64);

impl Rng {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(super) fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }
}

/// Which queue a message is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    ToActor(u16, u32),
    FromActor(u16, u32),
    FromPort(u16),
    FromReader(u16, u64),
    FromHandler(u16, ExecutionId),
    Between(u16, u16),
    FromCaller(u16),
}

/// Something on its way.
#[derive(Debug)]
enum Mail {
    Actor(ToActor),
    Input(Box<Input>),
    Read(Read),
    Shard(ShardNo, ToShard),
}

/// What the journal knows of an execution.
#[derive(Clone, Debug)]
struct Kept {
    key: Option<Idempotency>,
    input: Payload,
    quarantine: Option<Quarantine>,
    outcome: Option<Arc<Outcome>>,
    /// Whether somebody has still to be told of its end.
    untold: bool,
}

#[derive(Debug, Default)]
struct SimActor {
    hosted: Option<SimHosted>,
    /// It is gone, and the supervisor has not heard of that.
    gone: bool,
}

#[derive(Debug)]
struct SimHosted {
    slot: Slot,
    execution: ExecutionId,
    cancels: Vec<RequestId>,
    told: u32,
    /// What it has not taken in yet.
    messages: VecDeque<Message>,
    applies_command: bool,
    /// It is to begin, and nothing is recorded.
    begin: Option<Box<Begin>>,
}

struct Shard {
    supervisor: Option<Supervisor>,
    out: Outbox,
    actors: Vec<SimActor>,
    left: bool,
}

pub(super) struct World {
    pub(super) rng: Rng,
    shards: Vec<Shard>,
    queues: BTreeMap<Way, VecDeque<Mail>>,
    journal: BTreeMap<ExecutionId, Kept>,
    pub(super) now: Time,
    permits: usize,
    permits_max: usize,
    requests: u64,
    open_requests: BTreeSet<u64>,
    /// Slots that the task engine of each shard knows.
    registered: BTreeMap<(u16, Slot), (ExecutionId, Callback)>,
    published: BTreeSet<ExecutionId>,
    forgotten: BTreeSet<ExecutionId>,
    /// The last report that each execution has taken in.
    taken: BTreeMap<ExecutionId, u64>,
    /// Everything that came out, for comparing two runs, if it is wanted.
    pub(super) trace: u64,
    pub(super) traces: bool,
    reads_fail: bool,
    /// Whether a handler is told of ends, and those that have taken it in this life and the one before.
    tells: bool,
    handlers_fail: bool,
    told: BTreeSet<ExecutionId>,
    pub(super) panics: bool,
    epoch: u32,
    journal_failed: bool,
    pub(super) seen: BTreeMap<&'static str, usize>,
}

const SHARDS: u16 = 2;
const ACTIVE_MAX: usize = 2;
const RECOVERING_MAX: usize = 2;

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let permits_max = 1 + rng.below(12);
        let mut world = Self {
            rng,
            shards: Vec::new(),
            queues: BTreeMap::new(),
            journal: BTreeMap::new(),
            now: Time::from_micros(1_000_000_000_000),
            permits: permits_max,
            permits_max,
            requests: 0,
            open_requests: BTreeSet::new(),
            registered: BTreeMap::new(),
            published: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            taken: BTreeMap::new(),
            trace: 0,
            traces: false,
            reads_fail: false,
            tells: false,
            handlers_fail: true,
            told: BTreeSet::new(),
            panics: true,
            epoch: 0,
            journal_failed: false,
            seen: BTreeMap::new(),
        };
        world.reads_fail = world.rng.one_in(4);
        world.tells = world.rng.one_in(2);
        world.start();
        world
    }

    fn see(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    /// A runtime starts on what the journal says.
    fn start(&mut self) {
        self.epoch += 1;
        self.permits = self.permits_max;
        self.shards.clear();
        for shard in 0..SHARDS {
            let mut options = options();
            (options.shard, options.shards) = (ShardNo(shard), SHARDS);
            options.seed = self.rng.next();
            (options.active_executions_max, options.unused_permits_max) = (ACTIVE_MAX, 0);
            options.recovering_executions_max = RECOVERING_MAX;
            options.ended_handlers = u16::from(self.tells);
            options.retention.completed = Keep { age: Some(Duration::from_secs(100)), count: None };
            let open = |(id, kept): (&ExecutionId, &Kept)| {
                let is_here = kept.outcome.is_none() && shard_of(*id, SHARDS) == ShardNo(shard);
                is_here.then(|| Found { execution: *id, quarantine: kept.quarantine.clone() })
            };
            let found: Vec<_> = self.journal.iter().filter_map(open).collect();
            let permits = found.len().min(self.permits);
            self.permits -= permits;
            let supervisor = Some(Supervisor::new(options));
            self.shards.push(Shard { supervisor, out: Outbox::default(), actors: Vec::new(), left: false });
            let crashed = self.epoch > 1;
            self.tell(shard, Input::Recover(Recover { epoch: Epoch(self.epoch), crashed, found, permits }));
        }
    }

    /// The process is killed, and another one starts. Nobody who waited hears anything.
    pub(super) fn restart(&mut self) {
        self.queues.clear();
        self.open_requests.clear();
        self.registered.clear();
        self.taken.clear();
        self.journal_failed = false;
        // Nobody is left to hear of what had ended.
        let ended = self.journal.iter().filter(|(_, kept)| kept.outcome.is_some());
        self.published.extend(ended.map(|(execution, _)| *execution));
        self.see("restart");
        self.start();
    }

    fn tell(&mut self, shard: u16, input: Input) {
        let number = usize::from(shard);
        let Some(mut supervisor) = self.shards[number].supervisor.take() else { return };
        let mut out = std::mem::take(&mut self.shards[number].out);
        supervisor.handle(self.now, input, &mut out);
        if self.panics && self.rng.one_in(60) {
            supervisor = supervisor.rebuild(self.now, &mut out);
            self.see("rebuild");
        }
        assert!(supervisor.health().active <= ACTIVE_MAX + RECOVERING_MAX, "more are active than allowed");
        self.shards[number].supervisor = Some(supervisor);
        self.carry_out(shard, &mut out);
        self.shards[number].out = out;
    }

    fn post(&mut self, way: Way, mail: Mail) {
        self.queues.entry(way).or_default().push_back(mail);
    }

    fn carry_out(&mut self, shard: u16, out: &mut Outbox) {
        if self.traces {
            for byte in format!("{out:?}").bytes() {
                self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
        for message in out.engine.drain(..) {
            self.engine(shard, &message);
        }
        for (actor, message) in out.actors.drain(..) {
            self.post(Way::ToActor(shard, actor.0), Mail::Actor(message));
        }
        for (to, message) in out.shards.drain(..) {
            self.post(Way::Between(shard, to.0), Mail::Shard(ShardNo(shard), message));
        }
        for Published { execution, outcome, cancels, .. } in out.published.drain(..) {
            let kept = self.journal.get(&execution).and_then(|kept| kept.outcome.clone());
            let is_forgotten = self.forgotten.contains(&execution);
            assert!(is_forgotten || kept == Some(outcome), "what is published of {execution} is not recorded");
            assert!(is_forgotten || self.published.insert(execution), "the end of {execution} is published twice");
            cancels.into_iter().for_each(|request| self.answered(request, "cancelled"));
        }
        out.ends.drain(..).for_each(|end| self.tell_end(shard, end));
        for reply in out.replies.drain(..) {
            if let Answer::Began(execution) | Answer::Repeats(execution) = reply.answer {
                assert!(self.journal.contains_key(&execution), "{execution} is acknowledged and not recorded");
            }
            self.answered(reply.request, kind(&reply.answer));
        }
        for look in out.queries.drain(..) {
            let parked = |slot| {
                let supervisor = self.shards[usize::from(shard)].supervisor.as_ref();
                supervisor.and_then(|supervisor| supervisor.parked(slot)).is_some()
            };
            if let QueryTarget::Parked(slot) | QueryTarget::Quarantined(slot, _) = look.at {
                assert!(parked(slot), "there is nothing to look at");
            }
            self.answered(look.request, "look");
        }
        for read in out.reads.drain(..) {
            self.post(Way::FromReader(shard, read.number.0), Mail::Read(read));
        }
        for write in out.writes.drain(..) {
            self.write(shard, write);
        }
        out.reconciles.drain(..).for_each(|slot| self.reconciles(shard, slot));
        out.forgotten.clear();
        for notice in out.notices.drain(..) {
            self.see(match notice {
                Notice::Died(_) => "died",
                Notice::Quarantined(..) => "quarantined",
                Notice::Released(_) => "released",
                Notice::NotBegun(..) => "not begun",
                Notice::Lost(_) => "lost",
                Notice::EndNotTold(..) => "end not told",
                _ => "other notice",
            });
        }
        if out.left.take().is_some() {
            self.shards[usize::from(shard)].left = true;
        }
        for change in std::mem::take(&mut out.permits) {
            match change {
                PermitChange::Ask(wanted) => {
                    let granted = wanted.min(self.permits);
                    self.permits -= granted;
                    self.post(Way::FromPort(shard), Mail::Input(Box::new(Input::PermitsGranted(granted))));
                }
                PermitChange::Return(permits) => self.permits += permits,
            }
        }
    }

    /// A handler is told of an end, and answers when its turn comes.
    fn tell_end(&mut self, shard: u16, TellEnd { execution, handlers, .. }: TellEnd) {
        let has_ended = self.journal.get(&execution).is_none_or(|kept| kept.outcome.is_some());
        assert!(has_ended, "a handler is told that {execution} has ended, and that is not recorded");
        let fails = self.handlers_fail && self.rng.one_in(3);
        let told = match fails {
            true => Err(NotTold::Failed { handlers, reason: "not now".into() }),
            false => Ok(()),
        };
        let told = EndTold { execution, told };
        self.post(Way::FromHandler(shard, execution), Mail::Input(Box::new(Input::EndTold(told))));
    }

    fn reconciles(&mut self, shard: u16, slot: Slot) {
        assert!(self.registered.contains_key(&(shard, slot)), "{slot} is not registered");
        self.see("reconciled without an actor");
    }

    fn engine(&mut self, shard: u16, message: &ToEngine) {
        match *message {
            ToEngine::Register(Registration { slot, execution, callback, .. }) => {
                self.registered.insert((shard, slot), (execution, callback));
            }
            ToEngine::Moved { slot, callback } => {
                let registered = self.registered.get_mut(&(shard, slot));
                registered.expect("only what is registered is moved").1 = callback;
            }
            ToEngine::Deregister { slot, .. } => {
                assert!(self.registered.remove(&(shard, slot)).is_some(), "{slot} is not registered");
            }
            ToEngine::Taken(_) => {}
        }
    }

    fn write(&mut self, shard: u16, Write { number, what }: Write) {
        match what {
            _ if self.journal_failed => return,
            WriteWhat::Quarantine(execution, quarantine) => {
                if let Some(kept) = self.journal.get_mut(&execution) {
                    kept.quarantine = quarantine;
                }
            }
            WriteWhat::WriteOff { execution, at, error, to_tell } => {
                let error = crate::record::ExecutionError::new(error, Vec::new()).expect("an error is not blank");
                let outcome = Outcome {
                    completed_at: at,
                    decided_by: DecidedBy::Operator { by: "an operator".into() },
                    counts: Counts::default(),
                    ending_failures: Vec::new(),
                    ending_failures_more: 0,
                    end: End::Failed { error },
                };
                if let Some(kept) = self.journal.get_mut(&execution) {
                    kept.outcome = Some(Arc::new(outcome));
                    kept.untold = to_tell;
                }
            }
            WriteWhat::Told(executions) => {
                for execution in executions.iter() {
                    let kept = self.journal.get_mut(execution).expect("what is to be told is not forgotten");
                    assert!(std::mem::take(&mut kept.untold), "{execution} was told already");
                    assert!(self.told.contains(execution), "{execution} was not told");
                }
                self.see("told");
            }
            WriteWhat::Forget(executions) => {
                for execution in executions.iter() {
                    let gone = self.journal.remove(execution);
                    assert!(gone.as_ref().is_none_or(|kept| kept.outcome.is_some()), "an open execution is forgotten");
                    assert!(gone.is_none_or(|kept| !kept.untold), "an end that is to be told is forgotten");
                    self.told.remove(execution);
                    // Its id may be given again.
                    self.forgotten.insert(*execution);
                    self.published.remove(execution);
                    self.taken.remove(execution);
                }
                self.see("forgotten");
            }
        }
        if let Some(number) = number {
            self.post(Way::FromPort(shard), Mail::Input(Box::new(Input::Written(number))));
        }
    }

    fn answered(&mut self, RequestId(request): RequestId, what: &'static str) {
        assert!(self.open_requests.remove(&request), "request {request} is answered again: {what}");
        self.see(what);
    }

    pub(super) fn new_request(&mut self) -> RequestId {
        self.requests += 1;
        self.open_requests.insert(self.requests);
        RequestId(self.requests)
    }

    /// A caller hands something in.
    pub(super) fn hand_in(&mut self, shard: ShardNo, input: Input) {
        self.post(Way::FromCaller(shard.0), Mail::Input(Box::new(input)));
    }

    /// Something that is open, or was.
    pub(super) fn any_execution(&mut self) -> Option<ExecutionId> {
        let count = self.journal.len();
        (count > 0).then(|| *self.journal.keys().nth(self.rng.below(count)).expect("there are so many"))
    }

    pub(super) fn new_id(&mut self) -> ExecutionId {
        let shard = ShardNo(self.rng.below(usize::from(SHARDS)) as u16);
        let seed = self.rng.next();
        IdGenerator::new(shard, SHARDS, seed).next(self.now)
    }

    pub(super) fn home(&self, activate: &Activate) -> ShardNo {
        match (&activate.idempotency, activate.id) {
            (Some(idempotency), _) => home_of(&idempotency.key, SHARDS),
            (None, Some(id)) => shard_of(id, SHARDS),
            (None, None) => ShardNo((self.requests % u64::from(SHARDS)) as u16),
        }
    }

    pub(super) fn shard_of(&self, execution: ExecutionId) -> ShardNo {
        shard_of(execution, SHARDS)
    }

    /// The journal takes nothing more.
    pub(super) fn fail_journal(&mut self) {
        self.journal_failed = true;
        self.see("journal failed");
        for shard in 0..SHARDS {
            // The port tells its actors at once; what they hold is never recorded.
            for actor in 0..self.shards[usize::from(shard)].actors.len() {
                self.drop_hosted(shard, actor);
            }
            self.tell(shard, Input::JournalFailed);
        }
    }

    /// An actor answers everybody who waits for it, and gives back what it has.
    fn drop_hosted(&mut self, shard: u16, actor: usize) {
        let Some(hosted) = &mut self.shards[usize::from(shard)].actors[actor].hosted else { return };
        let messages = std::mem::take(&mut hosted.messages).into_iter().filter_map(|message| message.request);
        let begin = hosted.begin.take().and_then(|begin| match begin.acknowledge {
            Acknowledge::Request(request) => Some(request),
            _ => None,
        });
        let requests: Vec<_> = messages.chain(hosted.cancels.drain(..)).chain(begin).collect();
        requests.into_iter().for_each(|request| self.answered(request, "dropped"));
    }

    /// Moves something; false if there is nothing to move.
    pub(super) fn step(&mut self) -> bool {
        let ways: Vec<_> = self.queues.iter().filter(|(_, queue)| !queue.is_empty()).map(|(way, _)| *way).collect();
        let busy = |(number, shard): (usize, &Shard)| {
            let actors = shard.actors.iter().enumerate();
            let hosting = actors.filter(|(_, actor)| actor.hosted.is_some()).map(|(actor, _)| (number as u16, actor));
            hosting.collect::<Vec<_>>()
        };
        let busy: Vec<_> = self.shards.iter().enumerate().flat_map(busy).collect();
        if ways.is_empty() && busy.is_empty() {
            return false;
        }
        let next = self.rng.below(ways.len() + busy.len());
        match ways.get(next) {
            Some(way) => self.deliver(*way),
            None => {
                let (shard, actor) = busy[next - ways.len()];
                self.work(shard, actor);
            }
        }
        true
    }

    fn deliver(&mut self, way: Way) {
        if let Way::FromActor(shard, actor) = way
            && let Some(Mail::Input(input)) = self.queues.get(&way).and_then(VecDeque::front)
            && matches!(**input, Input::ActorGone(_))
        {
            // What is for the one that is gone does not reach the one that takes its number.
            for mail in self.queues.remove(&Way::ToActor(shard, actor)).unwrap_or_default() {
                if let Mail::Actor(message) = mail {
                    self.drop_mail(&message);
                }
            }
            self.actor(shard, actor).gone = false;
        }
        let Some(mail) = self.queues.get_mut(&way).and_then(VecDeque::pop_front) else { return };
        match (way, mail) {
            (Way::ToActor(shard, actor), Mail::Actor(message)) => self.hand_over(shard, actor, message),
            (Way::FromReader(shard, _), Mail::Read(read)) => self.read(shard, read),
            (Way::Between(_, to), Mail::Shard(from, message)) => self.tell(to, Input::Shard { from, message }),
            (
                Way::FromActor(shard, _)
                | Way::FromPort(shard)
                | Way::FromReader(shard, _)
                | Way::FromHandler(shard, _)
                | Way::FromCaller(shard),
                Mail::Input(input),
            ) => {
                if let Input::EndTold(EndTold { execution, told: Ok(()) }) = *input {
                    self.told.insert(execution);
                }
                self.tell(shard, *input);
            }
            (way, mail) => panic!("{mail:?} came by {way:?}"),
        }
    }

    fn read(&mut self, shard: u16, Read { number: read, what }: Read) {
        let fails = self.reads_fail && self.rng.one_in(10);
        let input = match what {
            ReadWhat::History(_) if fails => Input::Restored { read, restored: Err("it has rotted".into()) },
            ReadWhat::History(execution) => {
                let kept = self.journal.get(&execution);
                let restored = kept.map(|kept| Restored { outcome: kept.outcome.clone(), ..restored(execution) });
                Input::Restored { read, restored: Ok(restored) }
            }
            ReadWhat::Key(_) if fails => Input::KeyLooked { read, owner: Err("the disk".into()) },
            ReadWhat::Key(key) => {
                let has = |kept: &Kept| kept.key.as_ref().is_some_and(|kept| kept.key == key);
                let owner = self.journal.iter().find(|(_, kept)| has(kept)).map(|(id, kept)| KeyOwner {
                    execution: *id,
                    workflow: kept.key.as_ref().map(|key| key.workflow.clone()).unwrap_or_default(),
                    input: kept.input.clone(),
                });
                Input::KeyLooked { read, owner: Ok(owner) }
            }
            ReadWhat::Status(execution) => {
                let status = |kept: &Kept| match &kept.outcome {
                    Some(outcome) => outcome.status(),
                    None => crate::ExecutionStatus::Running,
                };
                Input::StatusLooked { read, status: Ok(self.journal.get(&execution).map(status)) }
            }
            ReadWhat::Untold { .. } if fails => Input::UntoldFound { read, untold: Err("the disk".into()) },
            ReadWhat::Untold { after, limit } => {
                let untold = self.journal.iter().filter(|(id, kept)| kept.untold && Some(**id) > after);
                Input::UntoldFound { read, untold: Ok(untold.map(|(id, _)| *id).take(limit).collect()) }
            }
            ReadWhat::Expired { criteria, now, limit, keeps_untold } => {
                let age = criteria.iter().find_map(|criterion| criterion.age).expect("it is asked with an age");
                let ended = |kept: &Kept| kept.outcome.as_ref().map(|outcome| outcome.completed_at);
                let is_kept = |kept: &Kept| keeps_untold && kept.untold;
                let is_old = |kept: &Kept| !is_kept(kept) && ended(kept).is_some_and(|at| at.after(age) <= now);
                let old = self.journal.iter().filter(|(_, kept)| is_old(kept)).map(|(id, _)| *id).take(limit);
                let next = self.journal.values().filter(|kept| !is_old(kept)).filter_map(ended).min();
                let expired = Expired { executions: old.collect(), next: next.map(|at| at.after(age)) };
                Input::Expired { read, expired: Ok(expired) }
            }
        };
        self.tell(shard, input);
    }

    fn actor(&mut self, shard: u16, actor: u32) -> &mut SimActor {
        let actors = &mut self.shards[usize::from(shard)].actors;
        while actors.len() <= actor as usize {
            actors.push(SimActor::default());
        }
        &mut actors[actor as usize]
    }

    fn news(&mut self, shard: u16, actor: u32, input: Input) {
        self.post(Way::FromActor(shard, actor), Mail::Input(Box::new(input)));
    }

    fn host(&mut self, shard: u16, actor: u32, hosted: SimHosted) {
        let all = self.shards.iter().flat_map(|shard| &shard.actors).filter_map(|actor| actor.hosted.as_ref());
        let twice = all.filter(|other| other.execution == hosted.execution).count();
        assert_eq!(twice, 0, "two actors have {}", hosted.execution);
        let place = &mut self.actor(shard, actor).hosted;
        assert!(place.is_none(), "an actor is given two executions");
        *place = Some(hosted);
    }

    fn hand_over(&mut self, shard: u16, actor: u32, message: ToActor) {
        if self.actor(shard, actor).gone {
            return self.drop_mail(&message);
        }
        match message {
            ToActor::Begin(begin) => {
                let Begin { slot, execution, .. } = *begin;
                let begin = Some(begin);
                let (cancels, messages, applies_command) = (Vec::new(), VecDeque::new(), false);
                self.host(
                    shard,
                    actor,
                    SimHosted { slot, execution, cancels, told: 0, messages, applies_command, begin },
                );
            }
            ToActor::Resume(Resume { hosted, messages, applies_command }) => {
                let Hosted { slot, state, cancels, .. } = *hosted;
                let (execution, messages, begin) = (state.id(), messages.into(), None);
                self.host(
                    shard,
                    actor,
                    SimHosted { slot, execution, cancels, told: 0, messages, applies_command, begin },
                );
            }
            ToActor::Tell(tell) => match &mut self.actor(shard, actor).hosted {
                Some(hosted) if hosted.slot == tell.slot => {
                    hosted.told += 1;
                    hosted.messages.push_back(tell.message);
                }
                _ => self.news(shard, actor, Input::Forwarded { from: ActorNo(actor), tell }),
            },
        }
        if self.journal_failed {
            self.drop_hosted(shard, actor as usize);
        }
    }

    /// An actor does something about what it has.
    fn work(&mut self, shard: u16, actor: usize) {
        let panics = self.panics && self.rng.one_in(12);
        let Some(mut hosted) = self.shards[usize::from(shard)].actors[actor].hosted.take() else { return };
        if self.journal_failed {
            return self.give_back(shard, actor, hosted);
        }
        if panics {
            let SimHosted { slot, cancels, told, messages, begin, .. } = hosted;
            let messages = messages.into();
            let panicked = Panicked { slot, begin, messages, cancels, told };
            return self.news(shard, actor as u32, Input::Panicked(Box::new(panicked)));
        }
        if let Some(begin) = hosted.begin.take() {
            self.record(shard, actor, *begin);
        } else if let Some(message) = hosted.messages.pop_front() {
            if let Some(ends) = self.take_in(shard, actor, &mut hosted, message) {
                return if ends { self.end(shard, actor, hosted) } else { self.give_back(shard, actor, hosted) };
            }
        } else if self.rng.one_in(3) {
            return self.end(shard, actor, hosted);
        } else {
            return self.give_back(shard, actor, hosted);
        }
        self.shards[usize::from(shard)].actors[actor].hosted = Some(hosted);
    }

    fn record(&mut self, shard: u16, actor: usize, begin: Begin) {
        let Begin { slot, execution, input, idempotency_key, acknowledge, .. } = begin;
        if let Some(key) = &idempotency_key {
            let has = |kept: &Kept| kept.key.as_ref().is_some_and(|kept| kept.key == *key);
            assert!(!self.journal.values().any(has), "two executions have the key {key}");
        }
        self.forgotten.remove(&execution);
        let key = idempotency_key.map(|key| Idempotency { key, workflow: "order".into() });
        let kept = Kept { key, input, quarantine: None, outcome: None, untold: false };
        assert!(self.journal.insert(execution, kept).is_none(), "{execution} begins twice");
        match acknowledge {
            Acknowledge::Nobody => {}
            Acknowledge::Request(request) => self.answered(request, "began"),
            Acknowledge::Supervisor => self.news(shard, actor as u32, Input::Begun(slot)),
        }
    }

    /// Whether the execution ends over a message; none if it goes on with its actor.
    fn take_in(&mut self, shard: u16, actor: usize, hosted: &mut SimHosted, message: Message) -> Option<bool> {
        match (message.body, message.request) {
            (Body::Input(execution::Input::Reported(report)), request) => {
                let number: u64 = report.by.parse().expect("reports are numbered");
                let before = self.taken.insert(hosted.execution, number);
                assert!(before < Some(number), "report {number} comes after {before:?}");
                request.into_iter().for_each(|request| self.answered(request, "reported"));
                None
            }
            (Body::Input(execution::Input::Command(Command::Cancel { .. })), request) if hosted.applies_command => {
                let accepted = self.rng.one_in(2);
                hosted.applies_command = false;
                let slot = hosted.slot;
                self.news(shard, actor as u32, Input::CommandApplied { slot, accepted });
                request.into_iter().for_each(|request| self.answered(request, "operator command"));
                (!accepted).then_some(false)
            }
            (Body::Input(execution::Input::Command(_)), request) => {
                hosted.cancels.extend(request);
                Some(true)
            }
            (_, request) => {
                request.into_iter().for_each(|request| self.answered(request, "query"));
                None
            }
        }
    }

    fn end(&mut self, shard: u16, actor: usize, hosted: SimHosted) {
        let outcome = outcome(self.now);
        let kept = self.journal.get_mut(&hosted.execution).expect("it has begun");
        assert!(kept.outcome.is_none(), "{} ends twice", hosted.execution);
        kept.outcome = Some(Arc::clone(&outcome));
        kept.untold = self.tells;
        let SimHosted { slot, cancels, messages, .. } = hosted;
        for request in messages.into_iter().filter_map(|message| message.request) {
            self.answered(request, "refused at the end");
        }
        let ended = Ended { slot, outcome, business_key: None, cancels, interrupted: Vec::new() };
        self.news(shard, actor as u32, Input::Ended(ended));
    }

    fn give_back(&mut self, shard: u16, actor: usize, hosted: SimHosted) {
        let SimHosted { slot, execution, cancels, told, .. } = hosted;
        let hosted = Hosted { cancels, ..super::hosted(slot, execution, told) };
        self.news(shard, actor as u32, Input::Detached(Box::new(hosted)));
    }

    /// The next thing that an actor says is lost, with everything in it.
    pub(super) fn lose_news(&mut self) {
        let from = |(way, queue): (&Way, &VecDeque<Mail>)| match (way, queue.front()) {
            (Way::FromActor(..), Some(Mail::Input(input))) => {
                matches!(**input, Input::Detached(_) | Input::Ended(_)).then_some(*way)
            }
            _ => None,
        };
        let ways: Vec<_> = self.queues.iter().filter_map(from).collect();
        if ways.is_empty() {
            return;
        }
        let way = ways[self.rng.below(ways.len())];
        let cancels = match self.queues.get_mut(&way).and_then(VecDeque::pop_front) {
            Some(Mail::Input(input)) => match *input {
                Input::Detached(hosted) => hosted.cancels,
                Input::Ended(ended) => ended.cancels,
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        cancels.into_iter().for_each(|request| self.answered(request, "dropped"));
        self.see("news lost");
    }

    /// An actor is gone, with what it has and with what was on its way to it.
    pub(super) fn lose_actor(&mut self) {
        let shard = self.rng.below(usize::from(SHARDS)) as u16;
        let count = self.shards[usize::from(shard)].actors.len();
        if count == 0 {
            return;
        }
        let actor = self.rng.below(count);
        if self.shards[usize::from(shard)].actors[actor].gone {
            return;
        }
        self.drop_hosted(shard, actor);
        self.shards[usize::from(shard)].actors[actor] = SimActor { hosted: None, gone: true };
        self.see("actor lost");
        self.news(shard, actor as u32, Input::ActorGone(ActorNo(actor as u32)));
    }

    /// Nobody takes a message: whoever waits for something in it hears of that.
    fn drop_mail(&mut self, message: &ToActor) {
        let requests: Vec<_> = match message {
            ToActor::Begin(begin) => match begin.acknowledge {
                Acknowledge::Request(request) => vec![request],
                _ => Vec::new(),
            },
            ToActor::Resume(resume) => {
                let messages = resume.messages.iter().filter_map(|message| message.request);
                messages.chain(resume.hosted.cancels.iter().copied()).collect()
            }
            ToActor::Tell(tell) => tell.message.request.into_iter().collect(),
        };
        requests.into_iter().for_each(|request| self.answered(request, "dropped"));
    }

    /// Time passes, as far as somebody waits for it.
    pub(super) fn advance(&mut self, span: Duration) {
        self.now = self.now.after(span);
        for shard in 0..SHARDS {
            let supervisor = self.shards[usize::from(shard)].supervisor.as_ref();
            if supervisor.and_then(Supervisor::wake_at).is_some_and(|due| due <= self.now) {
                self.tell(shard, Input::Wake);
            }
        }
    }

    /// Lets everything come to rest, with nothing that goes wrong any more, and shuts down.
    pub(super) fn finish(&mut self) {
        (self.panics, self.reads_fail, self.handlers_fail) = (false, false, false);
        self.settle();
        for shard in 0..SHARDS {
            for _ in 0..2 {
                let (request, patience) = (self.new_request(), Duration::from_secs(100));
                self.tell(shard, Input::Leave { request, patience });
            }
        }
        self.settle();
        self.advance(Duration::from_secs(100));
        self.settle();
        assert!(self.shards.iter().all(|shard| shard.left), "a shard has not left");
        assert_eq!(self.open_requests, BTreeSet::new(), "requests are not answered");
        let ended = self.journal.iter().filter(|(_, kept)| kept.outcome.is_some());
        for (execution, _) in ended {
            // The news of its end was lost, and then its history could not be read: that is for an operator.
            let is_held = self.shards.iter().filter_map(|shard| shard.supervisor.as_ref()).any(|supervisor| {
                let slot = supervisor.slots.find(*execution).and_then(|slot| supervisor.slots.get(slot));
                slot.is_some_and(|entry| entry.is_quarantined())
            });
            let is_published = self.published.contains(execution);
            assert!(is_published || self.journal_failed || is_held, "the end of {execution} is not published");
        }
        let untold = self.journal.iter().filter(|(id, kept)| kept.untold && self.published.contains(id));
        let untold: Vec<_> = untold.map(|(id, _)| *id).collect();
        let supervisors = self.shards.iter().filter_map(|shard| shard.supervisor.as_ref());
        let has_failed = self.journal_failed || supervisors.map(Supervisor::health).any(|health| health.shard_failed);
        assert!(has_failed || untold.is_empty(), "these ends were never told: {untold:?}");
    }

    fn settle(&mut self) {
        for _ in 0..100 {
            while self.step() {}
            self.advance(Duration::from_secs(5));
            let rests = |supervisor: &Supervisor| supervisor.sweep_at().is_none() && supervisor.tell_at().is_none();
            if self.shards.iter().all(|shard| shard.supervisor.as_ref().is_none_or(rests)) {
                while self.step() {}
                return;
            }
        }
        panic!("it does not come to rest: {:?}", self.queues);
    }

    /// No more executions are open than allowed, but for those that were when the runtime started.
    pub(super) fn check(&self) {
        let supervisors = self.shards.iter().filter_map(|shard| shard.supervisor.as_ref());
        let open: usize = supervisors.map(|supervisor| supervisor.open() + supervisor.admission.queue.len()).sum();
        assert!(self.epoch > 1 || open <= self.permits_max, "{open} are open, {} may be", self.permits_max);
    }
}

fn kind(answer: &Answer) -> &'static str {
    match answer {
        Answer::Began(_) => "began by its key",
        Answer::Repeats(_) => "repeats",
        Answer::NotActivated(NotActivated::Saturated) => "saturated",
        Answer::NotActivated(NotActivated::IdempotencyConflict(_)) => "key conflict",
        Answer::NotActivated(NotActivated::IdConflict(_)) => "id conflict",
        Answer::NotActivated(_) => "not activated",
        Answer::NotDone(NotDone::Refused(_)) => "refused",
        Answer::NotDone(_) => "not done",
        Answer::Done => "done",
        Answer::Left(_) => "left",
    }
}
