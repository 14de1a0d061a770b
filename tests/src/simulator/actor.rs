//! The actor of an execution at work, as the shell has it: it lets the core decide, appends, and performs what is durable.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use finale_core::execution::{Command, Effect, Execution, Input, Refused, Turn};
use finale_core::fact::Activation;
use finale_core::number::{ActorNo, BatchNo, Callback, DefinitionNo, RequestId, Slot};
use finale_core::supervisor::{
    Acknowledge, Begin, Body, Ended, Hosted, LateEvent, LateKind, Message, Panicked, Resume, Tell,
};
use finale_core::task_engine::{self, Batch, EarlyReport, FiredTimer, Reconcile, TaskOutcome, TaskResult, TaskUpdate};
use finale_core::{Dispatch, ExecutionId, ExecutionStatus, NodeStatus, Payload, Time, WorkKey};

use super::bugs::Bug;
use super::clocks;
use super::journal::Op;
use super::mail::{self, ENGINE, Letter, News, Post, SUPERVISOR};
use super::port::{Held, Port};
use super::shared::Shared;
use super::tally::Count;

/// What an actor of a shard can reach.
pub(super) struct Reach<'a> {
    pub(super) shared: &'a mut Shared,
    pub(super) post: &'a mut Post,
    pub(super) port: &'a mut Port,
    /// Work on which reports came before it was open. It belongs to an execution, and is with whoever has that.
    pub(super) early: &'a mut BTreeMap<Slot, Vec<WorkKey>>,
}

/// What becomes visible of a turn once its facts are durable.
#[derive(Debug, Default)]
pub(super) struct CommittedTurn {
    slot: Slot,
    last_sequence: u64,
    status: ExecutionStatus,
    effects: Vec<Effect>,
    replies: Vec<(RequestId, Result<(), Refused>)>,
    /// Who looked, at which execution, and how many facts they saw.
    shown: Vec<(RequestId, ExecutionId, u64)>,
    late: Vec<LateEvent>,
}

/// The execution that an actor has.
#[derive(Debug)]
pub(super) struct Hosting {
    slot: Slot,
    definition: DefinitionNo,
    state: Box<Execution>,
    begin: Option<Box<Begin>>,
    acknowledge: Acknowledge,
    cancels: Vec<RequestId>,
    durable: u64,
    pending: u32,
    reconciles: bool,
    told: u32,
}

#[derive(Debug)]
pub(super) struct Actor {
    number: ActorNo,
    pub(super) hosting: Option<Hosting>,
    turn: Turn,
    spare: Option<Box<Execution>>,
    /// The newest batch that has come, and the newest that was taken in.
    received: BatchNo,
    taken: BatchNo,
    pub(super) unanswered: u32,
    /// Whether there were such messages at the last probe, and none of them was answered since.
    is_overdue: bool,
    backlog: VecDeque<Letter>,
    decided: CommittedTurn,
    effects: Vec<(Slot, Effect)>,
    taken_in: Vec<(Slot, Dispatch)>,
    /// Whether the turn says what must be under way in a new process.
    recovers: bool,
    news: Vec<News>,
    /// Whether it has taken in something since it sent what had gathered.
    pub(super) dirty: bool,
}

impl Actor {
    pub(super) fn new(number: ActorNo) -> Self {
        Self {
            number,
            hosting: None,
            turn: Turn::new(),
            spare: None,
            received: BatchNo::NONE,
            taken: BatchNo::NONE,
            unanswered: 0,
            is_overdue: false,
            backlog: VecDeque::new(),
            decided: CommittedTurn::default(),
            effects: Vec::new(),
            taken_in: Vec::new(),
            recovers: false,
            news: Vec::new(),
            dirty: false,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.hosting.is_none() && self.backlog.is_empty()
    }

    /// What it waits for.
    pub(super) fn story(&self) -> String {
        let hosting = self.hosting.as_ref().map(|hosting| (hosting.state.id(), hosting.pending, hosting.reconciles));
        format!("{hosting:?}, {} unanswered, {:?}", self.unanswered, self.backlog)
    }

    pub(super) fn handle(&mut self, letter: Letter, reach: &mut Reach<'_>) {
        self.dirty = true;
        if let Letter::Outcomes(batch) = &letter {
            if batch.number <= self.taken {
                // It was sent again because nothing has said yet that it came.
                let (callback, batch) = (Callback::Actor(self.number), self.taken);
                return self.tell_engine(task_engine::Input::Taken { callback, batch }, reach);
            }
            if batch.number <= self.received || batch.previous > self.received {
                return;
            }
            self.received = batch.number;
        }
        match letter {
            Letter::Answered(messages) => self.answered(messages, reach),
            Letter::Durable(mut turn, true) => self.perform(&mut turn, reach),
            Letter::Durable(mut turn, false) => self.discard(&mut turn, reach),
            Letter::Room => {
                while !reach.port.is_full(reach.shared)
                    && let Some(letter) = self.backlog.pop_front()
                {
                    self.act_on(letter, reach);
                }
                if !self.backlog.is_empty() {
                    reach.port.waiting_for_room.push(self.number);
                }
            }
            // Nothing is recorded because of these.
            letter @ Letter::Updates(_) => self.act_on(letter, reach),
            Letter::Tell(tell)
                if tell.message.is_custom_status()
                    && self.hosting.as_ref().is_some_and(|hosting| hosting.slot == tell.slot) =>
            {
                self.act_on(Letter::Tell(tell), reach);
            }
            letter if !self.backlog.is_empty() || reach.port.is_full(reach.shared) => {
                if self.backlog.is_empty() {
                    reach.port.waiting_for_room.push(self.number);
                }
                self.backlog.push_back(letter);
            }
            letter => self.act_on(letter, reach),
        }
    }

    fn answered(&mut self, messages: u32, reach: &mut Reach<'_>) {
        self.is_overdue &= messages == 0;
        match self.unanswered.checked_sub(messages) {
            Some(left) => self.unanswered = left,
            // One that was given up as lost may be among them.
            None if reach.shared.is_lossy => self.unanswered = 0,
            None => {
                let story = format!("actor {}: {messages} of {}", self.number.0, self.unanswered);
                reach.shared.audit.violate("each_message_is_answered_once", story);
            }
        }
    }

    fn act_on(&mut self, letter: Letter, reach: &mut Reach<'_>) {
        match letter {
            Letter::Begin(begin) => self.begin(*begin, reach),
            Letter::Resume(resume) => self.resume(*resume, reach),
            Letter::Tell(tell) => self.tell(tell, reach),
            Letter::Outcomes(batch) => self.outcomes(&batch, reach),
            Letter::Timers(timers) => {
                for FiredTimer { slot, timer } in timers {
                    reach.shared.audit.tally.add(Count::Timers);
                    self.delivered(slot, Message::tell(Input::TimerFired(timer)), reach);
                }
            }
            Letter::Continue(slots) => {
                for slot in slots {
                    self.delivered(slot, Message::tell(Input::Continue), reach);
                }
            }
            Letter::Updates(updates) => updates.into_iter().for_each(|update| self.updated(update, reach)),
            Letter::Reports(reports) => {
                for EarlyReport { slot, report, request, .. } in reports {
                    self.delivered(slot, Message { request, body: Body::Input(*report) }, reach);
                }
            }
            letter => unreachable!("no actor of an execution gets {letter:?}"),
        }
    }

    fn begin(&mut self, begin: Begin, reach: &mut Reach<'_>) {
        self.is_vacant(begin.slot, reach);
        let compiled = reach.shared.flows[begin.definition.0 as usize].compiled.clone();
        let state = match self.spare.take() {
            Some(mut spare) => {
                spare.reset(begin.execution, &compiled);
                spare
            }
            None => Box::new(Execution::new(begin.execution, &compiled)),
        };
        let activation = Activation {
            definition: compiled.hash(),
            semantics: finale_core::execution::SEMANTICS,
            input: begin.input.clone(),
            by: begin.by.clone(),
            deadline: begin.deadline,
            idempotency_key: begin.idempotency_key.clone(),
            business_key: begin.business_key.clone(),
        };
        self.hosting = Some(Hosting {
            slot: begin.slot,
            definition: begin.definition,
            state,
            acknowledge: begin.acknowledge,
            begin: Some(Box::new(begin)),
            cancels: Vec::new(),
            durable: 0,
            pending: 0,
            reconciles: false,
            told: 0,
        });
        self.one_turn(Message::tell(Input::Activate(activation)), reach);
    }

    fn is_vacant(&self, slot: Slot, reach: &mut Reach<'_>) {
        if let Some(hosting) = &self.hosting {
            let story = format!("actor {} gets {slot} and has {}", self.number.0, hosting.slot);
            reach.shared.audit.violate("an_actor_has_one_execution", story);
        }
    }

    fn resume(&mut self, resume: Resume, reach: &mut Reach<'_>) {
        let Resume { hosted, messages, applies_command } = resume;
        let Hosted { slot, definition, state, cancels, .. } = *hosted;
        self.is_vacant(slot, reach);
        let (durable, acknowledge) = (state.sequence(), Acknowledge::Nobody);
        let (begin, pending, reconciles, told) = (None, 0, false, 0);
        self.hosting =
            Some(Hosting { slot, definition, state, begin, acknowledge, cancels, durable, pending, reconciles, told });
        for message in messages {
            let accepted = if self.hosting.is_some() {
                self.one_turn(message, reach)
            } else {
                self.news.push(News::Delivered(slot, message));
                false
            };
            if applies_command {
                self.news.push(News::Overruled(slot, accepted));
            }
        }
    }

    fn tell(&mut self, tell: Tell, reach: &mut Reach<'_>) {
        match &mut self.hosting {
            Some(hosting) if hosting.slot == tell.slot => {
                hosting.told += 1;
                self.one_turn(tell.message, reach);
            }
            _ if reach.shared.has(Bug::LoseForwarded) => {}
            _ => {
                reach.shared.audit.tally.add(Count::Forwarded);
                self.news.push(News::Forwarded(tell));
            }
        }
    }

    fn delivered(&mut self, slot: Slot, message: Message, reach: &mut Reach<'_>) {
        match &self.hosting {
            Some(hosting) if hosting.slot == slot => drop(self.one_turn(message, reach)),
            _ if reach.shared.has(Bug::LoseDelivered) => {}
            _ => self.news.push(News::Delivered(slot, message)),
        }
    }

    /// A handler says something. Nobody watches here who would hear of its progress.
    fn updated(&mut self, update: TaskUpdate, reach: &mut Reach<'_>) {
        let slot = update.slot;
        if let Some(input) = update.into_input() {
            self.delivered(slot, Message::tell(input), reach);
        }
    }

    fn one_turn(&mut self, message: Message, reach: &mut Reach<'_>) -> bool {
        let Some(hosting) = &mut self.hosting else { return false };
        match message.body {
            Body::Probe => {
                let repairs = reach.shared.is_lossy && !reach.shared.has(Bug::SkipRepair);
                if std::mem::replace(&mut self.is_overdue, self.unanswered > 0) && repairs {
                    (self.unanswered, self.is_overdue) = (0, false);
                    hosting.reconciles = true;
                }
                return true;
            }
            Body::Reconcile => {
                hosting.reconciles = !reach.shared.has(Bug::SkipReconcile);
                self.commit(reach);
                return true;
            }
            Body::Query => {
                let state = &hosting.state;
                self.decided.shown.extend(message.request.map(|request| (request, state.id(), state.sequence())));
                self.commit(reach);
                return true;
            }
            Body::Input(Input::Recovered { .. }) if reach.shared.has(Bug::SkipRecovered) => return true,
            Body::Input(_) => {}
        }
        let commits = !message.is_custom_status();
        let accepted = self.decide(message, reach);
        if accepted.is_some() && commits {
            self.commit(reach);
        }
        accepted == Some(true)
    }

    /// Lets the core decide about one input; none if it panicked, else whether it was accepted.
    fn decide(&mut self, message: Message, reach: &mut Reach<'_>) -> Option<bool> {
        let now = reach.shared.now;
        let Message { request, body: Body::Input(mut input) } = message else { return Some(true) };
        if let Input::Signal(signal) = &mut input
            && reach.shared.has(Bug::ForgetSignalIds)
        {
            signal.id = None;
        }
        let hosting = self.hosting.as_mut()?;
        let kept =
            (!matches!(input, Input::Activate(_) | Input::TimerFired(_) | Input::Continue)).then(|| input.clone());
        self.recovers |= matches!(input, Input::Recovered { .. });
        let cancels = matches!(input, Input::Command(Command::Cancel { .. } | Command::ForceCancel { .. }));
        let compiled = reach.shared.flows[hosting.definition.0 as usize].compiled.clone();
        let passed_on = match &input {
            Input::Outcome { dispatch, .. } | Input::Stopped { dispatch, .. } => Some(*dispatch),
            _ => None,
        };
        if reach.shared.panics_over(hosting.state.id(), &input) {
            let message = kept.map(|input| Message { request, body: Body::Input(input) });
            self.panicked(message.into_iter().collect(), reach);
            return None;
        }
        let lacks_handlers = reach.shared.without_handlers == Some(hosting.definition.0 as usize);
        let is_missing = |node| lacks_handlers && compiled.handler(node).is_some();
        let missing = match &input {
            Input::Command(command) => hosting.state.find_ahead_after(&compiled, now, command.clone(), is_missing),
            _ => None,
        };
        let result = match missing.and_then(|node| compiled.handler(node)) {
            Some(handler) => Err(Refused::HandlerMissing(handler.into())),
            None => hosting.state.handle(&compiled, now, input, &mut self.turn),
        };
        let accepted = result.is_ok();
        self.taken_in.extend(passed_on.map(|dispatch| (hosting.slot, dispatch)));
        match (result, kept) {
            (Err(Refused::NotReady { key, .. }), Some(Input::Reported(report))) if compiled.is_external(key.node) => {
                let (slot, key) = (hosting.slot, report.key);
                reach.early.entry(slot).or_default().push(key);
                let report = Box::new(Input::Reported(report));
                reach.shared.audit.tally.add(Count::EarlyReports);
                self.tell_engine(task_engine::Input::KeepEarly(EarlyReport { slot, key, report, request }), reach);
                return Some(false);
            }
            (Err(refused), kept) => {
                self.decided.late.extend(kept.and_then(|input| late_event(hosting.state.id(), now, &input, &refused)));
                self.decided.replies.extend(request.map(|request| (request, Err(refused))));
            }
            (Ok(()), _) if cancels => hosting.cancels.extend(request),
            (Ok(()), _) => self.decided.replies.extend(request.map(|request| (request, Ok(())))),
        }
        Some(accepted)
    }

    fn outcomes(&mut self, batch: &Arc<Batch>, reach: &mut Reach<'_>) {
        self.taken = batch.number;
        self.answered(batch.answers, reach);
        if !reach.shared.has(Bug::ForgetStatusInBatch) {
            batch.statuses.iter().for_each(|status| self.updated(status.clone(), reach));
        }
        let here = self.hosting.as_ref().map(|hosting| hosting.slot);
        let (mut decided, mut passed_on) = (false, Vec::new());
        for (at, outcome) in batch.outcomes.iter().enumerate() {
            if self.hosting.is_some() && here == Some(outcome.slot) {
                decided = true;
                if !self.outcome(batch, outcome, reach) {
                    let of_turn = batch.outcomes[..=at].iter().filter(|outcome| here == Some(outcome.slot));
                    let messages = of_turn.map(|outcome| Message::tell(told(batch, outcome))).collect();
                    self.panicked(messages, reach);
                    decided = false;
                }
            } else if !reach.shared.has(Bug::LoseDelivered) {
                self.news.push(News::Delivered(outcome.slot, Message::tell(told(batch, outcome))));
                passed_on.push(at);
            }
        }
        if !passed_on.is_empty() && !reach.shared.has(Bug::AcknowledgePassedOn) {
            reach.shared.audit.tally.add(Count::PassedOn);
            let batch = Arc::clone(batch);
            self.tell_engine(task_engine::Input::PassedOn { batch, outcomes: passed_on }, reach);
        }
        if decided {
            self.commit(reach);
        }
    }

    /// False if the core panicked over it.
    fn outcome(&mut self, batch: &Batch, outcome: &TaskOutcome, reach: &mut Reach<'_>) -> bool {
        let now = reach.shared.now;
        let Some(hosting) = &mut self.hosting else { return true };
        let compiled = reach.shared.flows[hosting.definition.0 as usize].compiled.clone();
        let input = told(batch, outcome);
        if reach.shared.panics_over(hosting.state.id(), &input) {
            return false;
        }
        if let Err(refused) = hosting.state.handle(&compiled, now, input, &mut self.turn) {
            let input = told(batch, outcome);
            self.decided.late.extend(late_event(hosting.state.id(), now, &input, &refused));
        }
        true
    }

    fn panicked(&mut self, mut messages: Vec<Message>, reach: &mut Reach<'_>) {
        reach.shared.audit.tally.add(Count::ExecutionPanics);
        self.turn.discard();
        let Some(hosting) = self.hosting.take() else { return };
        for (request, ..) in std::mem::take(&mut self.decided).shown {
            reach.shared.answer(request, "not seen", false);
        }
        let Hosting { slot, begin, cancels, told, state, .. } = hosting;
        if reach.shared.has(Bug::LosePanicked) {
            messages.clear();
        }
        if !reach.shared.has(Bug::ForgetStatusInPanic) {
            messages.splice(0..0, state.custom_status_again().map(Message::tell));
        }
        self.news.push(News::Panicked(Box::new(Panicked { slot, begin, messages, cancels, told })));
    }

    /// Makes the turn durable, and performs it if it is already.
    fn commit(&mut self, reach: &mut Reach<'_>) {
        let Some(hosting) = &mut self.hosting else { return };
        let appended = if self.turn.count() == 0 {
            if reach.port.refuses {
                return self.refused(reach);
            }
            None
        } else if reach.shared.has(Bug::SkipAppend) && reach.shared.dice.one_in(50) {
            self.turn.appended();
            None
        } else {
            let key = hosting.begin.as_ref().and_then(|begin| begin.idempotency_key.clone());
            let (execution, flow) = (hosting.state.id(), hosting.definition.0 as usize);
            let (facts, to_tell) = (self.turn.facts().to_vec(), reach.shared.tells);
            let op = Op::Append { execution, flow, key, facts, to_tell };
            reach.shared.trace.mix(self.turn.facts());
            let Some(position) = reach.port.write(op, reach.shared) else { return self.refused(reach) };
            self.turn.appended();
            if reach.shared.has(Bug::TellBeforeDurable) && to_tell && hosting.state.status().is_terminal() {
                reach.shared.audit.tells(execution, &reach.shared.journal.durable);
            }
            let recorded = reach.shared.journal.appended.get(&execution).map(|kept| &kept.state);
            if recorded != Some(&*hosting.state) {
                let story = format!("{execution}: {:?}\n  is not {recorded:?}", hosting.state);
                reach.shared.audit.violate("the_live_state_is_the_fold_of_the_journal", story);
            }
            Some(position)
        };
        hosting.pending += 1;
        let mut turn = std::mem::take(&mut self.decided);
        turn.slot = hosting.slot;
        turn.last_sequence = hosting.state.sequence();
        turn.status = hosting.state.status();
        turn.effects = self.turn.take_effects();
        if std::mem::take(&mut self.recovers) {
            clocks::arm_again(&mut turn.effects, hosting.state.id(), reach.shared);
        }
        if reach.shared.has(Bug::AcknowledgeBeforeDurable) {
            self.answer(&mut turn, hosting_id(self.hosting.as_ref()), reach);
        }
        if reach.shared.has(Bug::ShowBeforeDurable) {
            show(&mut turn, reach);
        }
        if reach.port.is_durable(appended, reach.shared) || reach.shared.has(Bug::PerformBeforeDurable) {
            self.perform(&mut turn, reach);
            self.turn.reuse_effects(std::mem::take(&mut turn.effects));
            self.decided = turn;
        } else {
            reach.port.hold(appended, Held::Turn(self.number, Box::new(turn)));
            reach.post.follows(mail::PORT, mail::actor(self.number));
        }
    }

    /// The facts were not taken: the journal has failed.
    fn refused(&mut self, reach: &mut Reach<'_>) {
        self.turn.discard();
        if let Some(hosting) = &mut self.hosting {
            // The state says what will never be durable: nobody may have it as a plain value.
            hosting.pending += 1;
        }
        let mut turn = std::mem::take(&mut self.decided);
        self.discard(&mut turn, reach);
    }

    fn discard(&mut self, turn: &mut CommittedTurn, reach: &mut Reach<'_>) {
        for (request, ..) in turn.shown.drain(..) {
            reach.shared.answer(request, "failed", true);
        }
        self.news.extend(turn.replies.drain(..).map(|(request, _)| News::Failed(request)));
    }

    /// Everything of the turn is durable: from here on it can be seen.
    fn perform(&mut self, turn: &mut CommittedTurn, reach: &mut Reach<'_>) {
        let Some(hosting) = self.hosting.as_mut().filter(|hosting| hosting.slot == turn.slot) else {
            return self.answer(turn, None, reach);
        };
        let Some(pending) = hosting.pending.checked_sub(1) else {
            let story = format!("{} of actor {}", turn.slot, self.number.0);
            return reach.shared.audit.violate("each_turn_is_released_to_who_decided_it", story);
        };
        hosting.pending = pending;
        let before = std::mem::replace(&mut hosting.durable, turn.last_sequence);
        let (id, slot) = (hosting.state.id(), hosting.slot);
        reach.shared.audit.shows(id, turn.last_sequence, &reach.shared.journal.durable);
        if before == 0 && turn.last_sequence > 0 {
            hosting.begin = None;
            match hosting.acknowledge {
                Acknowledge::Request(request) => {
                    let failed = reach.port.failed;
                    reach.shared.answer(request, "done", failed);
                }
                Acknowledge::Supervisor => self.news.push(News::Begun(slot)),
                Acknowledge::Nobody => {}
            }
        }
        let ended = matches!(turn.effects.last(), Some(Effect::Ended));
        if ended {
            turn.effects.pop();
        }
        self.effects.extend(turn.effects.drain(..).map(|effect| (slot, effect)));
        self.answer(turn, Some(id), reach);
        if ended {
            self.end(reach);
        } else if turn.status == ExecutionStatus::Running {
            self.give_back_early(reach);
        }
    }

    fn give_back_early(&mut self, reach: &mut Reach<'_>) {
        let Some(hosting) = &self.hosting else { return };
        let (slot, state) = (hosting.slot, &hosting.state);
        let Some(early) = reach.early.get_mut(&slot) else { return };
        let is_settled = |key: &mut WorkKey| state.node_status(*key).is_none_or(NodeStatus::is_settled);
        let settled: Vec<_> = early.extract_if(.., is_settled).collect();
        for key in settled {
            if !reach.shared.has(Bug::LoseEarlyReports) {
                self.tell_engine(task_engine::Input::GiveBackEarly { slot, key }, reach);
            }
        }
    }

    fn answer(&mut self, turn: &mut CommittedTurn, execution: Option<ExecutionId>, reach: &mut Reach<'_>) {
        if let Some(execution) = execution.filter(|_| turn.replies.iter().any(|(_, result)| result.is_ok())) {
            reach.shared.audit.shows(execution, turn.last_sequence, &reach.shared.journal.durable);
        }
        self.news.extend(turn.late.drain(..).map(News::Late));
        self.news.extend(turn.replies.drain(..).map(|(request, result)| News::Replied(request, result)));
        show(turn, reach);
    }

    fn end(&mut self, reach: &mut Reach<'_>) {
        let Some(Hosting { slot, definition, state, cancels, .. }) = self.hosting.take() else { return };
        reach.early.remove(&slot);
        let compiled = &reach.shared.flows[definition.0 as usize].compiled;
        let Some(outcome) = state.end_outcome(compiled) else {
            return reach.shared.audit.violate("an_end_has_an_outcome", state.id().to_string());
        };
        let interrupted = if cancels.is_empty() { Vec::new() } else { state.interrupted().to_vec() };
        self.spare = Some(state);
        // The Supervisor has its turn when this one is over: what the end stops is on its way then.
        self.flush_effects(reach);
        self.flush_news(reach);
        let ended = Ended { slot, outcome: outcome.into(), business_key: None, cancels, interrupted };
        self.send(SUPERVISOR, Letter::Ended(ended), reach);
    }

    /// Sends what has gathered, and gives the execution back if it only waits.
    pub(super) fn flush(&mut self, reach: &mut Reach<'_>) {
        self.dirty = false;
        if !self.taken_in.is_empty() {
            let taken_in = std::mem::take(&mut self.taken_in);
            self.tell_engine(task_engine::Input::TakenIn(taken_in), reach);
        }
        self.flush_effects(reach);
        self.reconcile(reach);
        self.park(reach);
        self.flush_news(reach);
    }

    fn flush_effects(&mut self, reach: &mut Reach<'_>) {
        if !self.effects.is_empty() {
            let effects = std::mem::take(&mut self.effects);
            let (from, taken) = (self.number, self.taken);
            self.tell_engine(task_engine::Input::Perform { from, taken, effects }, reach);
        }
    }

    fn flush_news(&mut self, reach: &mut Reach<'_>) {
        if !self.news.is_empty() {
            let news = std::mem::take(&mut self.news);
            self.send(SUPERVISOR, Letter::News(self.number, news), reach);
        }
    }

    fn send(&self, to: usize, letter: Letter, reach: &mut Reach<'_>) {
        let overtakes = reach.shared.overtakes();
        reach.post.send(mail::actor(self.number), to, letter, overtakes);
    }

    fn tell_engine(&mut self, input: task_engine::Input, reach: &mut Reach<'_>) {
        let is_answered = matches!(input, task_engine::Input::Perform { .. } | task_engine::Input::Reconcile(_));
        self.unanswered += u32::from(is_answered);
        if is_answered && reach.shared.loses() {
            return;
        }
        self.send(ENGINE, Letter::Perform(input), reach);
    }

    fn reconcile(&mut self, reach: &mut Reach<'_>) {
        let Some(hosting) = self.hosting.as_mut().filter(|hosting| hosting.reconciles && hosting.pending == 0) else {
            return;
        };
        hosting.reconciles = false;
        let compiled = &reach.shared.flows[hosting.definition.0 as usize].compiled;
        let mut under_way = hosting.state.under_way(compiled);
        clocks::arm_again(&mut under_way, hosting.state.id(), reach.shared);
        let from = Callback::Actor(self.number);
        let reconcile = Reconcile { slot: hosting.slot, from, taken: self.taken, under_way };
        self.tell_engine(task_engine::Input::Reconcile(reconcile), reach);
    }

    fn park(&mut self, reach: &mut Reach<'_>) {
        let is_answered = self.unanswered == 0 || reach.shared.has(Bug::ParkUnanswered);
        let idle = is_answered && self.backlog.is_empty();
        let Some(hosting) = self.hosting.take_if(|hosting| idle && hosting.pending == 0 && !hosting.reconciles) else {
            return;
        };
        let Hosting { slot, definition, state, cancels, told, .. } = hosting;
        let (callback, batch) = (Callback::Actor(self.number), self.taken);
        self.tell_engine(task_engine::Input::Taken { callback, batch }, reach);
        reach.shared.audit.tally.add(Count::Parked);
        self.news.push(News::Detached(Box::new(Hosted { slot, definition, state, cancels, told })));
    }
}

fn hosting_id(hosting: Option<&Hosting>) -> Option<ExecutionId> {
    hosting.map(|hosting| hosting.state.id())
}

fn show(turn: &mut CommittedTurn, reach: &mut Reach<'_>) {
    for (request, execution, sequence) in turn.shown.drain(..) {
        reach.shared.audit.tally.add(Count::Looks);
        reach.shared.audit.shows(execution, sequence, &reach.shared.journal.durable);
        let failed = reach.port.failed;
        reach.shared.answer(request, "seen", failed);
    }
}

/// An outcome as the core is told it.
pub(super) fn told(batch: &Batch, outcome: &TaskOutcome) -> Input {
    let TaskOutcome { dispatch, started, ended, .. } = *outcome;
    let result = match &outcome.result {
        TaskResult::Completed(range) => Ok(Payload::from_encoded(batch.output(*range))),
        TaskResult::Failed(failure) => Err((**failure).clone()),
        TaskResult::Stopped(how) => return Input::Stopped { dispatch, how: *how },
    };
    Input::Outcome { dispatch, result, started, ended }
}

fn late_event(execution: ExecutionId, at: Time, input: &Input, refused: &Refused) -> Option<LateEvent> {
    let what = match input {
        Input::Outcome { .. } => LateKind::Outcome,
        Input::Reported(_) => LateKind::Report,
        Input::Stopped { .. } => LateKind::Stopped,
        Input::Verdict { .. } => LateKind::Verdict,
        Input::Signal(_) => LateKind::Signal,
        _ => return None,
    };
    Some(LateEvent { execution, at, what, reason: refused.to_string().into() })
}
