//! A turn: the core decides, what it decided is appended.

use finale_core::execution::{Command, Input, Refused, Report};
use finale_core::fact::Activation;
use finale_core::supervisor::{Acknowledge, Begin, Body, Hosted, LateEvent, LateKind, Message, Panicked, Resume};
use finale_core::task_engine::{self, EarlyReport};
use finale_core::{Dispatch, Execution, ExecutionId, Failure, FailureClass, Time};
use finale_journal::JournalError;

use crate::actors::bound::Bound;
use crate::actors::messages::{ActorNews, Attempted, Side};
use crate::actors::requests::{Look, NotSeen};
use crate::actors::shared::Released;
use crate::fence::fenced;
use crate::observe;
use crate::telemetry::TARGET;

use super::ExecutionActor;
use super::hosting::Hosting;

impl ExecutionActor {
    pub(super) fn begin(&mut self, begin: Box<Begin>, side: Side) {
        let bound = self.shared.definition(begin.definition);
        let state = self.state(&begin, &bound);
        let activation = Activation {
            definition: bound.compiled.hash(),
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
            bound,
            state,
            side,
            acknowledge: begin.acknowledge,
            begin: Some(begin),
            cancels: Vec::new(),
            durable: 0,
            pending: 0,
            reconciles: false,
            told: 0,
            is_quarantined: false,
        });
        self.one_turn(Message::tell(Input::Activate(activation)), None);
    }

    pub(super) fn state(&mut self, begin: &Begin, bound: &Bound) -> Box<Execution> {
        match self.spare.take() {
            Some(mut spare) => {
                spare.reset(begin.execution, &bound.compiled);
                spare
            }
            None => Box::new(Execution::new(begin.execution, &bound.compiled)),
        }
    }

    pub(super) fn resume(&mut self, resume: Resume, side: Side, looks: Vec<Look>) {
        let Resume { hosted, messages, applies_command } = resume;
        let Hosted { slot, definition, state, cancels, .. } = *hosted;
        let bound = self.shared.definition(definition);
        let (execution, durable) = (state.id(), state.sequence());
        self.hosting = Some(Hosting {
            slot,
            definition,
            bound,
            state,
            side,
            begin: None,
            acknowledge: Acknowledge::Nobody,
            cancels,
            durable,
            pending: 0,
            reconciles: false,
            told: 0,
            is_quarantined: applies_command,
        });
        let mut looks = looks.into_iter();
        let mut messages = messages.into_iter();
        let mut accepted = false;
        while self.hosting.is_some()
            && let Some(message) = messages.next()
        {
            let look = if matches!(message.body, Body::Query) { looks.next() } else { None };
            accepted = self.one_turn(message, look);
        }
        if self.hosting.is_none() {
            self.not_taken(slot, execution, messages, looks);
        } else if applies_command {
            self.news.push(ActorNews::Overruled(slot, accepted));
        }
    }

    pub(super) fn one_turn(&mut self, message: Message, look: Option<Look>) -> bool {
        let Some(hosting) = &mut self.hosting else { return false };
        match message.body {
            Body::Probe => {
                self.probe();
                return true;
            }
            Body::Reconcile => {
                hosting.reconciles = true;
                self.commit();
                return true;
            }
            Body::Query => {
                let Some(look) = look else { return true };
                if let Some(error) = self.shared.port.error().filter(|_| look.needs_durable()) {
                    // What is here may be more than is in the journal, and nothing more comes there.
                    look.refuse(NotSeen::Failed(error.clone().into()));
                } else if let Some(shown) = hosting.look(look) {
                    self.decided.shown.push(shown);
                    self.commit();
                }
                return true;
            }
            Body::Input(_) => {}
        }
        // It comes with the next turn that records something.
        let commits = !message.is_custom_status();
        let accepted = self.decide(message);
        if accepted.is_some() && commits {
            self.commit();
        }
        accepted == Some(true)
    }

    /// Lets the core decide about one input; none if it panicked, else whether it was accepted.
    pub(super) fn decide(&mut self, message: Message) -> Option<bool> {
        let now = self.shared.clock.now();
        let Message { request, body: Body::Input(input) } = message else { return Some(true) };
        let watched = self.is_watched() || only_events_tell(&input);
        let hosting = self.hosting.as_mut()?;
        self.turn.watch(watched);
        // What nobody would tell again is kept until it is in the journal: a panic must not lose it.
        let kept = keeps(&input).then(|| input.clone());
        let cancels = matches!(input, Input::Command(Command::Cancel { .. } | Command::ForceCancel { .. }));
        let passed_on = attempt_of(&input);
        let sets_status = matches!(input, Input::CustomStatus { .. }) && hosting.side.is_watched();
        let set_before = if sets_status { hosting.state.custom_status_set_at() } else { None };
        let attempted = if watched { None } else { Attempted::told(&input) };
        let (state, bound, turn) = (&mut hosting.state, &hosting.bound, &mut self.turn);
        let (shared, compiled) = (&self.shared, &bound.compiled);
        let decided = fenced(|| {
            shared.strike(|| &input);
            bound.check_payload(state, &input)?;
            bound.check_handlers(state, now, &input)?;
            state.handle(compiled, now, input, turn)
        });
        let result = match decided {
            Ok(result) => result,
            Err(panicked) => {
                let message = kept.map(|input| Message { request, body: Body::Input(input) });
                self.panicked(&panicked, message.into_iter().collect());
                return None;
            }
        };
        let accepted = result.is_ok();
        hosting.is_quarantined &= !accepted;
        let slot = hosting.slot;
        // What is told again is no news.
        if sets_status && hosting.state.custom_status_set_at() != set_before {
            observe::custom_status(&hosting.state, now, &mut hosting.side);
        }
        self.taken_in.extend(passed_on.map(|dispatch| (slot, dispatch)));
        match (result, kept) {
            (Err(Refused::NotReady { key, .. }), Some(Input::Reported(report)))
                if hosting.bound.compiled.is_external(key.node) =>
            {
                let (slot, key) = (hosting.slot, report.key);
                hosting.side.note_early(key);
                let early = EarlyReport { slot, key, report: Box::new(Input::Reported(report)), request };
                self.tell_engine(task_engine::Input::KeepEarly(early));
                return Some(false);
            }
            (Err(refused), kept) => {
                self.decided.late.extend(kept.and_then(|input| late_event(hosting.state.id(), now, &input, &refused)));
                self.decided.replies.extend(request.map(|request| (request, Err(refused))));
            }
            // A cancellation is answered when everything is stopped, with what became of it.
            (Ok(()), _) if cancels => hosting.cancels.extend(request),
            (Ok(()), kept) => {
                if let Some(Input::Reported(Report { key, result: Ok(output), .. })) = kept {
                    self.decided.outputs.push((key, output));
                }
                self.decided.attempts.extend(attempted);
                self.decided.replies.extend(request.map(|request| (request, Ok(()))));
            }
        }
        Some(accepted)
    }

    pub(super) fn is_watched(&self) -> bool {
        observe::watched() || self.hosting.as_ref().is_some_and(|hosting| hosting.side.is_watched())
    }

    /// The state is of no use any more: the Supervisor decides what becomes of the execution.
    pub(super) fn panicked(&mut self, panicked: &Failure, mut messages: Vec<Message>) {
        tracing::error!(target: TARGET, reason = %panicked.reason, "the state machine of an execution panicked");
        self.turn.discard();
        let Some(hosting) = self.hosting.take() else { return };
        drop(std::mem::take(&mut self.decided));
        let Hosting { slot, state, begin, side, cancels, told, .. } = hosting;
        // Before what was in hand: it is recorded with that.
        messages.splice(0..0, state.custom_status_again().map(Message::tell));
        let panicked = Panicked { slot, begin, messages, cancels, told };
        self.news.push(ActorNews::Panicked(Box::new(panicked), state.id(), side, Vec::new()));
    }

    /// Makes the turn durable, and performs it if it is already.
    pub(super) fn commit(&mut self) {
        let Some(hosting) = &mut self.hosting else { return };
        let appended = match hosting.append(&self.shared, &mut self.turn) {
            Ok(appended) => appended,
            Err(error) => return self.refused(&error),
        };
        hosting.pending += 1;
        let mut turn = std::mem::replace(&mut self.decided, self.spare_turn.take().unwrap_or_default());
        turn.slot = hosting.slot;
        turn.last_sequence = hosting.state.sequence();
        turn.status = hosting.state.status();
        turn.effects = self.turn.take_effects();
        turn.outputs.extend(hosting.bound.failures(&hosting.state, &turn.effects));
        turn.outputs.extend(hosting.bound.outputs(&hosting.state, &turn.effects));
        turn.events = self.turn.take_notices();
        if self.shared.port.is_durable(appended) {
            self.perform(turn);
        } else {
            self.shared.port.hold(appended, Released::Turn(self.own(), turn));
        }
    }

    /// The facts were not taken: nothing of the turn ever happened.
    pub(super) fn refused(&mut self, error: &JournalError) {
        self.turn.discard();
        let mut turn = std::mem::take(&mut self.decided);
        self.discard(&mut turn, error);
        match error {
            // The state is not what the journal says. That concerns nobody else, and is mended by folding it again.
            JournalError::Gap { .. } | JournalError::Ended(_) | JournalError::Damaged { .. } => {
                let failure = Failure::new(FailureClass::Failed, error.to_string());
                self.panicked(&failure, Vec::new());
            }
            _ => {
                self.give_up(Some(error));
                // It is never a plain value again: what it holds is not in the journal.
                self.hosting.iter_mut().for_each(|hosting| hosting.pending += 1);
                self.shared.journal_failed(error);
            }
        }
    }
}

/// The attempt that an outcome is of. One that comes as a message was passed on by somebody else.
const fn attempt_of(input: &Input) -> Option<Dispatch> {
    match input {
        Input::Outcome { dispatch, .. } | Input::Stopped { dispatch, .. } => Some(*dispatch),
        _ => None,
    }
}

/// Whether an input must be kept until it is in the journal: nobody tells it again, but for a timer.
pub(super) const fn keeps(input: &Input) -> bool {
    !matches!(input, Input::Activate(_) | Input::TimerFired(_) | Input::Continue)
}

/// Whether an attempt may come to its end with this in a way that only the events of the core tell in full.
pub(super) const fn only_events_tell(input: &Input) -> bool {
    matches!(input, Input::Reported(_) | Input::TimerFired(_) | Input::Recovered { .. })
}

/// What is kept of something that changed nothing.
pub(super) fn late_event(execution: ExecutionId, at: Time, input: &Input, refused: &Refused) -> Option<LateEvent> {
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
