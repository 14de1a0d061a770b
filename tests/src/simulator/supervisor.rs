//! The actor of a shard's executions, as the shell has it: it moves what its machine wants moved.

use std::collections::BTreeMap;
use std::time::Duration;

use finale_core::execution;
use finale_core::number::{ActorNo, BatchNo, Callback, DefinitionNo, LimitNo, ShardNo, Slot};
use finale_core::supervisor::{
    Answer, EndTold, Input, Left, Message, NotActivated, NotTold, PermitChange, Published, Query, QueryTarget, Read,
    Reply, Supervisor, TellEnd, ToActor, ToEngine, ToShard as ToPeer, Write, WriteWhat,
};
use finale_core::task_engine::{self, Batch, Drained, EarlyReport, FiredTimer, Reconcile, TaskUpdate};
use finale_core::{ExecutionId, Time};

use super::actor::{Reach, told};
use super::bugs::Bug;
use super::clocks;
use super::flows::Flow;
use super::journal::Op;
use super::mail::{self, ENGINE, Letter, News, PORT, SUPERVISOR};
use super::port::Held;
use super::shared::ToShard;
use super::tally::Count;

#[derive(Debug)]
pub(super) struct SupervisorActor {
    shard: u16,
    machine: Option<Supervisor>,
    out: finale_core::supervisor::Outbox,
    /// What is to be sent to the engine with the next flush.
    register: Vec<task_engine::Input>,
    /// The newest batch of outcomes that was taken in.
    taken: BatchNo,
    /// Shards that were asked whether they have permits to spare and have not answered.
    asked: Option<usize>,
    told_full: bool,
    leaving: Option<(Time, Drained)>,
    pub(super) left: Option<Left>,
    /// Ends that handlers are being told of, and when they answer.
    pub(super) telling: Vec<(TellEnd, Time)>,
    /// Reads of the journal that were asked for.
    pub(super) reads: Vec<Read>,
    /// The executions of slots, as the engine is told.
    pub(super) slots: BTreeMap<Slot, ExecutionId>,
    pub(super) dirty: bool,
}

impl SupervisorActor {
    pub(super) fn new(shard: u16, machine: Supervisor, definitions: Vec<task_engine::Input>) -> Self {
        Self {
            taken: BatchNo::NONE,
            shard,
            machine: Some(machine),
            out: Default::default(),
            register: definitions,
            asked: None,
            told_full: false,
            leaving: None,
            left: None,
            telling: Vec::new(),
            reads: Vec::new(),
            slots: BTreeMap::new(),
            dirty: true,
        }
    }

    pub(super) fn machine(&self) -> &Supervisor {
        self.machine.as_ref().expect("it is only taken out while it is rebuilt")
    }

    /// Whether nothing more begins here, because the shard is at its end.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    /// Tells the machine something and does what comes of it.
    pub(super) fn tell(&mut self, input: Input, reach: &mut Reach<'_>) {
        self.decide(input, reach);
        self.carry_out(reach);
    }

    /// The machine takes an input in before it does anything about it, so a panic is one after everything was done or not.
    fn decide(&mut self, input: Input, reach: &mut Reach<'_>) {
        self.dirty = true;
        let now = reach.shared.now;
        let Some(mut machine) = self.machine.take() else { return };
        reach.shared.trace.note(now, || format!("supervisor {}: {input:?}", self.shard));
        machine.handle(now, input, &mut self.out);
        if reach.shared.dice.happens(reach.shared.chances.supervisor_panic) {
            reach.shared.audit.tally.add(Count::SupervisorPanics);
            reach.shared.trace.note(now, || format!("supervisor {} panics", self.shard));
            machine = machine.rebuild(now, &mut self.out);
        }
        self.machine = Some(machine);
    }

    pub(super) fn handle(&mut self, letter: Letter, reach: &mut Reach<'_>) {
        match letter {
            Letter::News(from, news) => {
                for news in news {
                    self.hear(from, news, reach);
                }
            }
            Letter::Ended(ended) => {
                self.look_at_journal(reach);
                self.decide(Input::Ended(ended), reach);
            }
            Letter::Outcomes(batch) => self.batch(&batch, reach),
            Letter::Timers(timers) => {
                for FiredTimer { slot, timer } in timers {
                    self.delivered(slot, Message::tell(execution::Input::TimerFired(timer)), reach);
                }
            }
            Letter::Reports(reports) => {
                for EarlyReport { slot, report, request, .. } in reports {
                    let body = finale_core::supervisor::Body::Input(*report);
                    self.delivered(slot, Message { request, body }, reach);
                }
            }
            Letter::Continue(slots) => {
                for slot in slots {
                    self.delivered(slot, Message::tell(execution::Input::Continue), reach);
                }
            }
            Letter::Updates(updates) => updates.into_iter().for_each(|update| self.updated(update, reach)),
            Letter::Answered(_) => {}
            Letter::EngineAnswers(replies, drained) => {
                for reply in replies {
                    reach.shared.answer(reply.request, "early", self.is_failed(reach));
                }
                if let Some(drained) = drained {
                    self.drained(drained, reach);
                }
            }
            Letter::EngineLost => {
                self.register.extend(definitions(reach));
                self.tell(Input::EngineRebuilt, reach);
                self.flush(reach);
                reach.post.send(SUPERVISOR, ENGINE, Letter::Registered, 0);
            }
            Letter::Written(write) => self.decide(Input::Written(write), reach),
            Letter::Found(input) => self.decide(*input, reach),
            Letter::Room => {
                self.told_full = false;
                self.decide(Input::JournalHasRoom, reach);
            }
            Letter::JournalFailed => self.journal_failed(reach),
            letter => unreachable!("no supervisor gets {letter:?}"),
        }
        self.carry_out(reach);
    }

    fn is_failed(&self, reach: &Reach<'_>) -> bool {
        let health = self.machine().health();
        reach.port.failed || health.journal_failed || health.shard_failed
    }

    fn hear(&mut self, from: ActorNo, news: News, reach: &mut Reach<'_>) {
        let input = match news {
            News::Begun(slot) => Input::Begun(slot),
            News::Detached(hosted) => Input::Detached(hosted),
            News::Panicked(panicked) => Input::Panicked(panicked),
            News::Forwarded(tell) => Input::Forwarded { from, tell },
            News::Delivered(slot, message) => return self.delivered(slot, message, reach),
            News::Overruled(slot, accepted) => Input::CommandApplied { slot, accepted },
            News::Late(event) => Input::NoteLate(event),
            News::Replied(request, result) => {
                let with = if result.is_ok() { "done" } else { "refused" };
                return reach.shared.answer(request, with, self.is_failed(reach));
            }
            News::Failed(request) => return reach.shared.answer(request, "failed", true),
        };
        self.decide(input, reach);
    }

    fn delivered(&mut self, slot: Slot, message: Message, reach: &mut Reach<'_>) {
        self.decide(Input::Delivered { slot, message }, reach);
    }

    /// A handler says something. Nobody watches here who would hear of its progress.
    fn updated(&mut self, update: TaskUpdate, reach: &mut Reach<'_>) {
        let slot = update.slot;
        if let Some(input) = update.into_input() {
            self.delivered(slot, Message::tell(input), reach);
        }
    }

    fn batch(&mut self, batch: &Batch, reach: &mut Reach<'_>) {
        if batch.number > self.taken && batch.previous <= self.taken {
            self.taken = batch.number;
            if !reach.shared.has(Bug::ForgetStatusInBatch) {
                batch.statuses.iter().for_each(|status| self.updated(status.clone(), reach));
            }
            for outcome in &batch.outcomes {
                self.delivered(outcome.slot, Message::tell(told(batch, outcome)), reach);
            }
        }
        self.decide(Input::BatchDelivered(self.taken), reach);
    }

    /// Takes in what comes from outside of the shard.
    pub(super) fn take_in(&mut self, what: ToShard, reach: &mut Reach<'_>) {
        self.look_at_journal(reach);
        match what {
            ToShard::Activate(activate) => self.decide(Input::Activate(activate), reach),
            ToShard::Ask(ask) => self.decide(Input::Ask(ask), reach),
            ToShard::Peer { from, message } => {
                if matches!(message, ToPeer::Begin { .. }) {
                    reach.shared.audit.tally.add(Count::BegunForOthers);
                }
                self.decide(Input::Shard { from, message }, reach);
            }
            ToShard::OpenWanted { by } => {
                self.tell(Input::PermitsWanted, reach);
                reach.shared.put(self.shard, by, ToShard::OpenAnswered);
            }
            ToShard::OpenAnswered => {
                if let Some(permits) = self.open_answered(reach) {
                    self.decide(Input::PermitsGranted(permits), reach);
                }
            }
            ToShard::Permits(input) => {
                reach.post.send(SUPERVISOR, ENGINE, Letter::Perform(input), 0);
            }
            ToShard::Shutdown { within } => {
                if self.leaving.is_none() {
                    let until = reach.shared.now.after(Duration::from_micros(within));
                    self.leaving = Some((until, Drained::default()));
                    self.decide(Input::Close, reach);
                    let drain = task_engine::Input::Drain { deadline: until };
                    reach.post.send(SUPERVISOR, ENGINE, Letter::Perform(drain), 0);
                }
            }
        }
        self.carry_out(reach);
    }

    fn drained(&mut self, drained: Drained, reach: &mut Reach<'_>) {
        let Some(leaving) = &mut self.leaving else { return };
        leaving.1 = drained;
        let patience = leaving.0.since(reach.shared.now);
        let request = reach.shared.request(self.shard, "leave");
        self.tell(Input::Leave { request, patience }, reach);
    }

    fn look_at_journal(&mut self, reach: &mut Reach<'_>) {
        let full = reach.port.is_full(reach.shared);
        if full && !self.told_full {
            self.decide(Input::JournalFull, reach);
        }
        self.told_full = full;
    }

    fn journal_failed(&mut self, reach: &mut Reach<'_>) {
        reach.post.send(SUPERVISOR, ENGINE, Letter::Perform(task_engine::Input::JournalFailed), 0);
        self.tell(Input::JournalFailed, reach);
        let shard = self.shard;
        reach.shared.requests.retain(|_, request| request.shard != shard || request.what == "leave");
    }

    /// Does what the machine wants done, until nothing is left.
    fn carry_out(&mut self, reach: &mut Reach<'_>) {
        loop {
            for message in std::mem::take(&mut self.out.engine) {
                self.tell_engine(message, reach);
            }
            if !self.out.reconciles.is_empty() || !self.out.actors.is_empty() {
                self.flush(reach);
            }
            self.send_reconciles(reach);
            for (number, message) in std::mem::take(&mut self.out.actors) {
                let letter = match message {
                    ToActor::Begin(begin) => Letter::Begin(begin),
                    ToActor::Resume(resume) => Letter::Resume(Box::new(resume)),
                    ToActor::Tell(tell) => Letter::Tell(tell),
                };
                let overtakes = reach.shared.overtakes();
                reach.post.send(SUPERVISOR, mail::actor(number), letter, overtakes);
            }
            for (ShardNo(shard), message) in std::mem::take(&mut self.out.shards) {
                if !(reach.shared.has(Bug::LoseShardAnswers) && matches!(message, ToPeer::Answered { .. })) {
                    reach.shared.put(self.shard, shard, ToShard::Peer { from: ShardNo(self.shard), message });
                }
            }
            for Published { execution, outcome, cancels, .. } in std::mem::take(&mut self.out.published) {
                reach.shared.audit.publishes(execution, outcome.status(), &reach.shared.journal.durable);
                let failed = self.is_failed(reach);
                cancels.into_iter().for_each(|request| reach.shared.answer(request, "done", failed));
            }
            for end in std::mem::take(&mut self.out.ends) {
                reach.shared.audit.tells(end.execution, &reach.shared.journal.durable);
                let answers = reach.shared.dice.soon(reach.shared.now, 500);
                self.telling.push((end, answers));
            }
            for reply in std::mem::take(&mut self.out.replies) {
                self.reply(reply, reach);
            }
            for query in std::mem::take(&mut self.out.queries) {
                self.look(&query, reach);
            }
            self.reads.append(&mut self.out.reads);
            self.out.forgotten.clear();
            for notice in std::mem::take(&mut self.out.notices) {
                reach.shared.audit.tally.add(match notice {
                    finale_core::supervisor::Notice::Quarantined(..) => Count::Quarantined,
                    finale_core::supervisor::Notice::Released(_) => Count::Released,
                    _ => continue,
                });
            }
            let written = self.write_all(reach);
            let granted = self.change_permits(reach);
            self.left = self.left.or(self.out.left.take());
            if !written && !granted {
                break;
            }
        }
    }

    /// Handlers that were told of an end have taken it, or some have failed.
    pub(super) fn taken(&mut self, index: usize, reach: &mut Reach<'_>) {
        let (TellEnd { execution, handlers, .. }, _) = self.telling.swap_remove(index);
        let fails = |_: &u16| reach.shared.dice.happens(reach.shared.chances.not_taken);
        let (failed, taken): (Vec<_>, Vec<_>) = handlers.into_iter().partition(fails);
        reach.shared.audit.takes_end(execution, taken);
        let told = match failed.is_empty() || reach.shared.has(Bug::FailedCountsAsTold) {
            true => Ok(()),
            false => Err(NotTold::Failed { handlers: failed, reason: "not now".into() }),
        };
        self.tell(Input::EndTold(EndTold { execution, told }), reach);
    }

    fn send_reconciles(&mut self, reach: &mut Reach<'_>) {
        for slot in std::mem::take(&mut self.out.reconciles) {
            let Some(hosted) = self.machine().parked(slot).filter(|_| !reach.shared.has(Bug::SkipReconcile)) else {
                continue;
            };
            reach.shared.audit.tally.add(Count::ReconciledWithoutActor);
            let mut under_way = hosted.state.under_way(&reach.shared.flows[hosted.definition.0 as usize].compiled);
            clocks::arm_again(&mut under_way, hosted.state.id(), reach.shared);
            let reconcile = Reconcile { slot, from: Callback::Supervisor, taken: self.taken, under_way };
            let letter = Letter::Perform(task_engine::Input::Reconcile(reconcile));
            reach.post.send(SUPERVISOR, ENGINE, letter, 0);
        }
    }

    fn tell_engine(&mut self, message: ToEngine, reach: &mut Reach<'_>) {
        self.register.push(match message {
            ToEngine::Register(registration) => {
                self.slots.insert(registration.slot, registration.execution);
                task_engine::Input::Register(registration)
            }
            ToEngine::Moved { slot, callback } => task_engine::Input::Moved { slot, callback },
            ToEngine::Deregister { slot, status } => {
                self.slots.remove(&slot);
                if reach.shared.has(Bug::ForgetDeregister) {
                    return;
                }
                task_engine::Input::Deregister { slot, status }
            }
            ToEngine::Taken(batch) => task_engine::Input::Taken { callback: Callback::Supervisor, batch },
        });
    }

    pub(super) fn flush(&mut self, reach: &mut Reach<'_>) {
        self.dirty = false;
        if !self.register.is_empty() {
            let register = std::mem::take(&mut self.register);
            reach.post.send(SUPERVISOR, ENGINE, Letter::Register(register), 0);
        }
    }

    fn reply(&mut self, Reply { request, answer }: Reply, reach: &mut Reach<'_>) {
        let failed = self.is_failed(reach);
        let with = match answer {
            Answer::Began(execution) | Answer::Repeats(execution) => {
                reach.shared.audit.shows(execution, 1, &reach.shared.journal.durable);
                if matches!(answer, Answer::Repeats(_)) {
                    reach.shared.audit.tally.add(Count::Repeats);
                }
                "done"
            }
            Answer::Done => "done",
            Answer::NotActivated(NotActivated::IdempotencyConflict(execution)) => {
                reach.shared.audit.shows(execution, 1, &reach.shared.journal.durable);
                "refused"
            }
            Answer::Left(_) => "left",
            _ => "refused",
        };
        reach.shared.answer(request, with, failed);
    }

    fn look(&mut self, query: &Query, reach: &mut Reach<'_>) {
        if let QueryTarget::Parked(slot) | QueryTarget::Quarantined(slot, _) = query.at {
            match self.machine().parked(slot) {
                Some(hosted) => {
                    let (id, sequence) = (hosted.state.id(), hosted.state.sequence());
                    reach.shared.audit.shows(id, sequence, &reach.shared.journal.durable);
                }
                None => reach.shared.audit.violate("what_is_looked_at_is_there", format!("{query:?}")),
            }
        }
        if query.at == QueryTarget::Journal {
            reach.shared.audit.reads(query.execution, &reach.shared.journal.durable);
        }
        reach.shared.audit.tally.add(Count::Looks);
        reach.shared.answer(query.request, "seen", self.is_failed(reach));
    }

    /// The answer to a read has come from where the journal is read.
    pub(super) fn found(&mut self, input: Input, reach: &mut Reach<'_>) {
        if reach.port.is_durable(None, reach.shared) || reach.shared.has(Bug::HistoryNotHeld) {
            // What the port has released is in the mailboxes before anything that comes of this.
            reach.post.follows(SUPERVISOR, PORT);
            self.tell(input, reach);
        } else {
            reach.port.hold(None, Held::Found(Box::new(input)));
            reach.post.follows(PORT, SUPERVISOR);
        }
    }

    fn write_all(&mut self, reach: &mut Reach<'_>) -> bool {
        let mut durable = false;
        for Write { number, what } in std::mem::take(&mut self.out.writes) {
            if let (WriteWhat::Forget(_), Some(number)) = (&what, number) {
                durable = true;
                self.decide(Input::Written(number), reach);
                continue;
            }
            let Some(position) = reach.port.write(Op::Write(what), reach.shared) else { continue };
            if reach.port.is_durable(Some(position), reach.shared) {
                if let Some(number) = number {
                    durable = true;
                    self.decide(Input::Written(number), reach);
                }
            } else {
                reach.port.hold(Some(position), Held::Write(number));
                reach.post.follows(PORT, SUPERVISOR);
            }
        }
        durable
    }

    fn change_permits(&mut self, reach: &mut Reach<'_>) -> bool {
        let mut answered = false;
        for change in std::mem::take(&mut self.out.permits) {
            match change {
                PermitChange::Return(permits) => {
                    if permits > 0 && !reach.shared.has(Bug::LosePermits) {
                        // Whoever waits for these asks the shards, which answer.
                        let _ = reach.shared.open.give(ShardNo(self.shard), LimitNo::RUNTIME, permits);
                    }
                }
                PermitChange::Ask(_) => {
                    if let Some(granted) = self.open_ask(reach) {
                        answered = true;
                        self.decide(Input::PermitsGranted(granted), reach);
                    }
                }
            }
        }
        answered
    }

    fn open_ask(&mut self, reach: &mut Reach<'_>) -> Option<usize> {
        let grant = reach.shared.open.try_take(ShardNo(self.shard), LimitNo::RUNTIME);
        if grant.permits > 0 {
            return Some(grant.permits);
        }
        let (by, mut asked) = (self.shard, 0);
        for ShardNo(holder) in grant.holders {
            asked += usize::from(reach.shared.put(by, holder, ToShard::OpenWanted { by }));
        }
        self.asked = (asked > 0).then_some(asked);
        if asked > 0 { None } else { Some(0) }
    }

    fn open_answered(&mut self, reach: &mut Reach<'_>) -> Option<usize> {
        let left = self.asked?.saturating_sub(1);
        let permits = reach.shared.open.try_take(ShardNo(self.shard), LimitNo::RUNTIME).permits;
        self.asked = (permits == 0 && left > 0).then_some(left);
        if permits > 0 || left == 0 { Some(permits) } else { None }
    }
}

/// What the engine must know of all workflows.
pub(super) fn definitions(reach: &Reach<'_>) -> Vec<task_engine::Input> {
    let numbered = (0..).map(DefinitionNo).zip(&reach.shared.flows);
    let nodes = |flow: &Flow| clocks::told(&flow.nodes, reach.shared.bug);
    numbered.map(|(definition, flow)| task_engine::Input::Define { definition, nodes: nodes(flow) }).collect()
}
