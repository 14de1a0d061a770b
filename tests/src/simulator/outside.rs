//! Callers, people and operators: what they ask, and what is needed of them so that everything can end.

use finale_core::definition::Verdict;
use finale_core::execution::{Command, Effect, Input, Report};
use finale_core::fact::{Operation, OperatorAction, Signalled};
use finale_core::number::{DefinitionNo, ShardNo};
use finale_core::supervisor::{Activate, Ask, Body, IdGenerator, Idempotency, Message, Question, home_of, shard_of};
use finale_core::{AttemptNo, ExecutionId, Failure, FailureClass, NodeIndex, Payload, WorkKey};

use super::shared::ToShard;
use super::tally::Count;
use super::world::{Shard, World};
use crate::random::SIGNALS;

/// How many keys there are that activations share.
const KEYS: usize = 12;

impl World {
    /// Somebody asks for something.
    pub(super) fn act_outside(&mut self) {
        match self.shared.dice.below(14) {
            0..=4 => self.activate(),
            other => {
                let known = self.shared.journal.appended.len();
                let chosen = self.shared.dice.below(known);
                // The newest are asked about most.
                let chosen = if self.shared.dice.one_in(3) { chosen } else { known.saturating_sub(1 + chosen % 6) };
                let Some(execution) = self.shared.journal.appended.keys().nth(chosen).copied() else { return };
                self.ask(execution, other);
            }
        }
    }

    fn activate(&mut self) {
        let shared = &mut self.shared;
        let (dice, shards) = (&mut shared.dice, shared.shards);
        let flow = dice.below(shared.flows.len());
        let key = dice.one_in(3).then(|| format!("key {}", dice.below(KEYS)));
        let x = if key.is_some() && !dice.one_in(8) { 3 } else { dice.below(6) };
        let flow = if key.is_some() && !dice.one_in(8) { 0 } else { flow };
        let workflow = || format!("flow {flow}").into();
        let idempotency =
            key.as_ref().map(|key| Box::new(Idempotency { key: key.as_str().into(), workflow: workflow() }));
        let known: Vec<_> = shared.journal.appended.keys().copied().collect();
        let id = dice.one_in(4).then(|| match dice.pick(&known).filter(|_| dice.one_in(6)) {
            Some(known) => known,
            None => {
                IdGenerator::new(ShardNo(dice.below(usize::from(shards)) as u16), shards, dice.next()).next(shared.now)
            }
        });
        let to = match (&key, id) {
            (Some(key), _) => home_of(key, shards).0,
            (None, Some(id)) => shard_of(id, shards).0,
            (None, None) => dice.below(usize::from(shards)) as u16,
        };
        let waits = !dice.one_in(5);
        let deadline = dice.one_in(6).then(|| std::time::Duration::from_micros(dice.below(2_000) as u64));
        let is_refused = dice.one_in(30) || shared.without_handlers == Some(flow);
        let definition = (!is_refused).then_some(DefinitionNo(flow as u32));
        let input = Payload::from_json(format!("{{\"x\":{x}}}").as_bytes()).expect("it is JSON");
        if shared.gone[usize::from(to)] {
            return;
        }
        let request = waits.then(|| shared.request(to, "activate"));
        let activate = Activate {
            request,
            definition,
            id,
            idempotency,
            business_key: None,
            by: "a caller".into(),
            deadline,
            input,
        };
        let caller = shards + shared.dice.below(2) as u16;
        if shared.dice.happens(shared.chances.duplicate) && key.is_some() {
            shared.audit.tally.add(Count::Duplicates);
            shared.put(caller, to, ToShard::Activate(Activate { request: None, ..activate.clone() }));
        }
        shared.put(caller, to, ToShard::Activate(activate));
        if let Some(id) = id.filter(|_| shared.dice.one_in(3)) {
            self.ask(id, 8);
        }
    }

    fn ask(&mut self, execution: ExecutionId, kind: usize) {
        let dice = &mut self.shared.dice;
        let input = match kind {
            5..=8 => return self.report(execution),
            9 if dice.one_in(3) => return self.operate(execution),
            9 => return self.judge(execution),
            12 | 13 => return self.signal(execution),
            10 => match dice.below(8) {
                0..=3 => Input::Command(Command::Cancel { by: "an operator".into() }),
                4 => Input::Command(Command::Complete { by: "an operator".into() }),
                5 => Input::Command(Command::Fail { by: "an operator".into(), reason: "it must not go on".into() }),
                _ => {
                    let request = self.waiting(execution, "release");
                    return self.send(execution, Question::Release(request));
                }
            },
            _ => {
                let request = Some(self.shared.request(self.shard_of(execution), "query"));
                return self.send(execution, Question::Tell(Message { request, body: Body::Query }));
            }
        };
        let request = self.waiting(execution, "command");
        self.send(execution, Question::Tell(Message { request, body: Body::Input(input) }));
    }

    fn shard_of(&self, execution: ExecutionId) -> u16 {
        shard_of(execution, self.shared.shards).0
    }

    fn waiting(&mut self, execution: ExecutionId, what: &'static str) -> Option<finale_core::number::RequestId> {
        let shard = self.shard_of(execution);
        (!self.shared.dice.one_in(4)).then(|| self.shared.request(shard, what))
    }

    fn send(&mut self, execution: ExecutionId, what: Question) {
        let to = self.shard_of(execution);
        let caller = self.shared.shards + self.shared.dice.below(2) as u16;
        if let Question::Tell(Message { body: body @ Body::Input(_), .. }) = &what
            && self.shared.dice.happens(self.shared.chances.duplicate)
        {
            self.shared.audit.tally.add(Count::Duplicates);
            let again = Question::Tell(Message { request: None, body: body.clone() });
            self.shared.put(caller, to, ToShard::Ask(Ask { execution, what: again }));
        }
        let request = match &what {
            Question::Tell(message) => message.request,
            Question::Release(request) => *request,
        };
        if !self.shared.put(caller, to, ToShard::Ask(Ask { execution, what })) {
            // The shard is gone, and says so.
            if let Some(request) = request {
                self.shared.requests.remove(&request);
            }
        }
    }

    /// Somebody reports on a task of the outside, also on one that is not open.
    fn report(&mut self, execution: ExecutionId) {
        let kept = self.shared.journal.appended.get(&execution);
        let flow = kept.map_or(0, |kept| kept.flow);
        let offers = kept.map(|kept| kept.state.under_way(&self.shared.flows[flow].compiled)).unwrap_or_default();
        let offers: Vec<_> = offers
            .iter()
            .filter_map(|effect| match effect {
                Effect::Offer { dispatch, .. } => Some((dispatch.key, Some(dispatch.attempt))),
                _ => None,
            })
            .collect();
        let compiled = &self.shared.flows[flow].compiled;
        let external = compiled.positions().filter(|node| compiled.is_external(*node));
        let external: Vec<_> = external.map(|node| (WorkKey::root(node), None)).collect();
        let dice = &mut self.shared.dice;
        let any = (WorkKey::root(NodeIndex(dice.below(6) as u32)), dice.one_in(2).then_some(AttemptNo::FIRST));
        let from = if dice.one_in(2) { &offers } else { &external };
        let (key, attempt) = dice.pick(from).unwrap_or(any);
        let attempt = attempt.filter(|_| dice.one_in(2));
        let result = match dice.below(5) {
            0 => Err(Failure::new(FailureClass::Failed, "so it is")),
            _ => Ok(Payload::from_json(b"5").expect("it is JSON")),
        };
        let report = Report { key, attempt, result, by: "somebody".into() };
        let request = self.waiting(execution, "report");
        self.send(execution, Question::Tell(Message { request, body: Body::Input(Input::Reported(report)) }));
    }

    /// Somebody sends a signal, also one that nobody waits for; some are sent again.
    fn signal(&mut self, execution: ExecutionId) {
        let kept = self.shared.journal.appended.get(&execution);
        let awaited = kept.into_iter().flat_map(|kept| kept.state.awaited_signals());
        let awaited: Vec<Box<str>> = awaited.map(|(_, name)| name.into()).collect();
        let dice = &mut self.shared.dice;
        let name = match awaited[..] {
            [_, ..] if dice.one_in(2) => dice.choose(&awaited).clone(),
            _ => Box::from(*dice.choose(&SIGNALS)),
        };
        let id = (!dice.one_in(3)).then(|| Box::from(format!("{}", dice.below(6))));
        let payload = match &id {
            // By this the audit knows it again, whoever loses its id.
            Some(id) => Payload::encode(&format!("with id {id}")).expect("it is a text"),
            None => Payload::from_json(format!("{}", dice.below(4)).as_bytes()).expect("it is JSON"),
        };
        let input = Input::Signal(Signalled { name, payload, by: "somebody".into(), id });
        let request = self.waiting(execution, "signal");
        self.send(execution, Question::Tell(Message { request, body: Body::Input(input) }));
    }

    fn judge(&mut self, execution: ExecutionId) {
        let kept = self.shared.journal.appended.get(&execution);
        let judged = kept.map(|kept| self.shared.flows[kept.flow].judged(&kept.state)).unwrap_or_default();
        let any = WorkKey::root(NodeIndex(self.shared.dice.below(6) as u32));
        let key = self.shared.dice.pick(&judged).unwrap_or(any);
        let verdict = *self.shared.dice.choose(&[Verdict::Pass, Verdict::Fail, Verdict::Refer]);
        let input = Input::Verdict { key, verdict, by: "a judge".into() };
        let request = self.waiting(execution, "verdict");
        self.send(execution, Question::Tell(Message { request, body: Body::Input(input) }));
    }

    /// An operator says how it goes on with a task, mostly with one that is held.
    fn operate(&mut self, execution: ExecutionId) {
        let kept = self.shared.journal.appended.get(&execution);
        let held = kept.map(|kept| self.shared.flows[kept.flow].held(&kept.state)).unwrap_or_default();
        let any = WorkKey::root(NodeIndex(self.shared.dice.below(6) as u32));
        let key = self.shared.dice.pick(&held).unwrap_or(any);
        let input = operation(key, self.shared.dice.below(5));
        let request = self.waiting(execution, "operation");
        self.send(execution, Question::Tell(Message { request, body: Body::Input(input) }));
    }

    /// Does for one open execution what only somebody outside can do; false if there is nothing.
    pub(super) fn help(&mut self) -> bool {
        let open: Vec<_> = self.shared.journal.appended.iter().filter(|(_, kept)| kept.is_open()).collect();
        let mut wants = Vec::new();
        for (execution, kept) in open {
            let flow = &self.shared.flows[kept.flow];
            let input = kept.state.under_way(&flow.compiled).into_iter().find_map(|effect| match effect {
                Effect::Offer { dispatch, .. } => {
                    let result = Ok(Payload::from_json(b"7").expect("it is JSON"));
                    Some(Input::Reported(Report::new(dispatch.key, result)))
                }
                _ => None,
            });
            let verdict = |key: &WorkKey| Input::Verdict { key: *key, verdict: Verdict::Pass, by: "a judge".into() };
            let input = input.or_else(|| flow.judged(&kept.state).first().map(verdict));
            let held = flow.held(&kept.state);
            let input = input.or_else(|| held.first().map(|key| operation(*key, 2)));
            let signal = |(_, name): (WorkKey, &str)| {
                let payload = Payload::from_json(b"true").expect("it is JSON");
                Input::Signal(Signalled { name: name.into(), payload, by: "somebody".into(), id: None })
            };
            let input = input.or_else(|| kept.state.awaited_signals().next().map(signal));
            wants.push((*execution, input));
        }
        let quarantined = self.shards.iter().flatten().any(|shard| shard.supervisor.machine().health().quarantined > 0);
        let shards = &self.shards;
        for (execution, _) in &wants {
            let shard = shards[usize::from(self.shard_of(*execution))].as_ref();
            let slot = shard.and_then(|shard| shard.supervisor.slots.iter().find(|(_, other)| *other == execution));
            // What was lost is found to be missing when the engine or the supervisor looks next.
            let looks =
                |shard: &&Shard| shard.engine.wake_at().is_some() || shard.supervisor.machine().wake_at().is_some();
            let shard = shard.filter(|shard| !(self.shared.is_lossy && looks(shard)));
            let missing = shard.zip(slot).and_then(|(shard, (slot, _))| shard.missing(*slot, &self.shared));
            if let Some(missing) = missing.filter(|_| !quarantined) {
                self.shared.audit.violate("what_must_be_under_way_is", missing);
                return true;
            }
        }
        if quarantined {
            // One may have ended and could not be read when that was to be found out.
            let known = self.shards.iter().flatten().flat_map(|shard| shard.supervisor.slots.values().copied());
            let known: std::collections::BTreeSet<_> =
                known.chain(wants.iter().map(|(execution, _)| *execution)).collect();
            for execution in known {
                self.send(execution, Question::Release(None));
            }
            return true;
        }
        let mut helped = false;
        for (execution, input) in wants {
            if let Some(input) = input {
                self.send(execution, Question::Tell(Message { request: None, body: Body::Input(input) }));
                helped = true;
            }
        }
        helped
    }
}

/// What an operator says of a task, by a number.
fn operation(key: WorkKey, number: usize) -> Input {
    let action = match number {
        0 | 1 => OperatorAction::Retry,
        2 => OperatorAction::Complete(Payload::from_json(b"7").expect("it is JSON")),
        3 => OperatorAction::RunNow,
        _ => OperatorAction::Fail,
    };
    Input::Operate(Operation { key, by: "an operator".into(), reason: "so it is".into(), action })
}
