//! Nodes that wait for some time, until a moment or for a signal.

use super::node::WaitFor;
use super::{Effect, EffectSink, Execution, NodeState};
use crate::compiled::Compiled;
use crate::definition::{EdgeKind, NodeKind, Signal, Wait};
use crate::expression::moment::moment;
use crate::fact::Timer;
use crate::failure::{Failure, FailureClass};
use crate::id::WorkKey;
use crate::payload::Payload;
use crate::time::{Time, format_duration};

/// The name of a signal that a value is.
pub(super) fn signal_name(value: &Payload) -> Result<Box<str>, String> {
    let Ok(serde_json::Value::String(name)) = value.decode() else {
        return Err(format!("the name of a signal is a text, not {value:?}"));
    };
    match name.len() {
        _ if name.trim().is_empty() => Err("the name of the signal is blank".to_owned()),
        bytes if bytes > Signal::NAME_BYTES_MAX => {
            Err(format!("the name of the signal has {bytes} bytes, at most {} are allowed", Signal::NAME_BYTES_MAX))
        }
        _ => Ok(name.into()),
    }
}

/// The timer of a node that waits for a signal, where there is a limit to that.
pub(super) fn timeout(definition: &Compiled, key: WorkKey, since: Time) -> Option<Effect> {
    let within = definition.at(key.node).timeout?;
    Some(Effect::ArmTimer { timer: Timer::Wait(key), due: since.after(within), within })
}

impl Execution {
    /// Lets a node wait for what its expression gave.
    pub(super) fn wait_for(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        value: &Payload,
        sink: &mut impl EffectSink,
    ) {
        if let NodeKind::Wait(Wait::Signal(_)) = definition.node(key.node).kind {
            return match signal_name(value) {
                Ok(name) => self.await_signal(definition, key, &name, sink),
                Err(reason) => self.undecidable(definition, key, FailureClass::Expression, &reason, sink),
            };
        }
        match moment(value) {
            Ok(due) => self.wait_until(definition, key, due, sink),
            Err(reason) => self.undecidable(definition, key, FailureClass::Expression, &reason, sink),
        }
    }

    /// Lets a node wait for the signal whose name is known from the beginning.
    pub(super) fn await_named(&mut self, definition: &Compiled, key: WorkKey, sink: &mut impl EffectSink) {
        match &definition.node(key.node).kind {
            NodeKind::Wait(Wait::Signal(signal)) => self.await_signal(definition, key, &signal.name, sink),
            _ => {
                let reason = "the node has no expression";
                self.undecidable(definition, key, FailureClass::Expression, reason, sink);
            }
        }
    }

    pub(super) fn wait_until(&mut self, definition: &Compiled, key: WorkKey, due: Time, sink: &mut impl EffectSink) {
        let since = self.at;
        if due <= since {
            return self.complete_wait(definition, key, since, Payload::NULL, sink);
        }
        self.move_to(definition, key, NodeState::Waiting(WaitFor::Time { since, due }), sink);
        sink.effect(Effect::ArmTimer { timer: Timer::Wait(key), due, within: due.since(since) });
    }

    fn await_signal(&mut self, definition: &Compiled, key: WorkKey, name: &str, sink: &mut impl EffectSink) {
        let since = self.at;
        if let Some(signal) = self.take_signal(name) {
            return self.complete_wait(definition, key, since, signal.payload, sink);
        }
        self.signals.get_or_insert_default().wait(key, name);
        self.move_to(definition, key, NodeState::Waiting(WaitFor::Signal { since }), sink);
        if let Some(timer) = timeout(definition, key, since) {
            sink.effect(timer);
        }
    }

    /// The moment that a node waits for has come, or the signal has not come in time.
    pub(super) fn wait_is_over(&mut self, definition: &Compiled, key: WorkKey, sink: &mut impl EffectSink) {
        match *self.state_at(key) {
            NodeState::Waiting(WaitFor::Time { since, .. }) => {
                self.complete_wait(definition, key, since, Payload::NULL, sink);
            }
            NodeState::Waiting(WaitFor::Signal { since }) => self.waited_in_vain(definition, key, since, sink),
            _ => {}
        }
    }

    fn waited_in_vain(&mut self, definition: &Compiled, key: WorkKey, since: Time, sink: &mut impl EffectSink) {
        let name = self.signals.as_deref_mut().and_then(|signals| signals.leave(key)).unwrap_or_default();
        if definition.edges_of(key.node).iter().any(|edge| edge.kind == EdgeKind::OnTimeout) {
            let taken = Some(EdgeKind::OnTimeout);
            self.move_to(definition, key, NodeState::ControlDone { started: since, at: self.at, taken }, sink);
            return self.follow(key);
        }
        let limit = format_duration(definition.at(key.node).timeout.unwrap_or_default());
        let failure = Failure::new(FailureClass::TimedOut, format!("no signal {name:?} within {limit}"));
        let (started, ended, failure) = (since, self.at, Box::new(failure));
        let state = NodeState::Failed { attempt: None, lost: 0, started, ended, failure };
        self.fail(definition, key, state, sink);
    }

    /// A node has got the signal that it waited for.
    pub(super) fn receive(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        payload: Payload,
        sink: &mut impl EffectSink,
    ) {
        if definition.at(key.node).timeout.is_some() {
            sink.effect(Effect::DisarmTimer { timer: Timer::Wait(key) });
        }
        let since = self.since(key).unwrap_or(self.at);
        self.complete_wait(definition, key, since, payload, sink);
    }

    fn complete_wait(
        &mut self,
        definition: &Compiled,
        key: WorkKey,
        started: Time,
        output: Payload,
        sink: &mut impl EffectSink,
    ) {
        let state = NodeState::Completed { attempt: None, started, ended: self.at, output };
        self.move_to(definition, key, state, sink);
        self.follow(key);
    }

    /// A node need not wait any more, because an operator says what it comes to.
    pub(super) fn stop_waiting(&mut self, definition: &Compiled, key: WorkKey, sink: &mut impl EffectSink) {
        match self.state_at(key) {
            NodeState::Waiting(WaitFor::Signal { .. }) => self.forget_wait(definition, key, sink),
            _ => sink.effect(Effect::DisarmTimer { timer: Timer::Wait(key) }),
        }
    }

    /// A node that waits for a signal is closed: the next one that comes is not for it.
    pub(super) fn forget_wait(&mut self, definition: &Compiled, key: WorkKey, sink: &mut impl EffectSink) {
        if let Some(signals) = self.signals.as_deref_mut() {
            signals.leave(key);
        }
        if definition.at(key.node).timeout.is_some() {
            sink.effect(Effect::DisarmTimer { timer: Timer::Wait(key) });
        }
    }

    /// What signal a node waits for, in words.
    pub(super) fn awaited_signal(&self, definition: &Compiled, key: WorkKey, since: Time) -> String {
        let name = self.awaited_name(key).unwrap_or_default();
        match definition.at(key.node).timeout {
            Some(within) => format!("the signal {name:?} until {}", since.after(within)),
            None => format!("the signal {name:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(json: &str) -> Payload {
        Payload::from_json(json.as_bytes()).unwrap()
    }

    #[test]
    fn a_moment_is_a_text_with_its_offset_or_milliseconds() {
        for (json, micros) in [
            ("\"1970-01-01T00:00:01Z\"", 1_000_000),
            ("\"1970-01-01T01:00:00.5+01:00\"", 500_000),
            ("1500", 1_500_000),
            ("1500.25", 1_500_250),
            ("-1", -1_000),
        ] {
            assert_eq!(moment(&payload(json)), Ok(Time::from_micros(micros)), "{json}");
        }
        for json in ["\"tomorrow\"", "\"1970-01-01T00:00:01\"", "null", "true", "1e300", "9223372036854775807", "[1]"] {
            assert!(moment(&payload(json)).is_err(), "{json}");
        }
    }

    #[test]
    fn the_name_of_a_signal_is_a_text_that_is_neither_blank_nor_long() {
        assert_eq!(signal_name(&payload("\"paid-7\"")).as_deref(), Ok("paid-7"));
        let long = format!("\"{}\"", "x".repeat(Signal::NAME_BYTES_MAX + 1));
        for json in ["7", "null", "\" \"", &long] {
            assert!(signal_name(&payload(json)).is_err(), "{json}");
        }
    }
}
