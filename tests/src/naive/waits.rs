//! Nodes that wait for a moment or a signal.

use finale_core::WorkKey;
use finale_core::definition::{EdgeKind, NodeKind, Signal, Wait};
use finale_core::fact::Signalled;
use serde_json::Value;

use super::{Misreading, Naive, No, Phase, Place, decode};

/// The signals that came.
#[derive(Clone, Debug, Default)]
pub(super) struct Signals {
    /// Those that nobody has taken, in their order.
    kept: Vec<(String, Value)>,
    /// The nodes that began to wait for one, in their order.
    listening: Vec<(usize, String)>,
    ids: Vec<String>,
}

/// The expression that gives the name of a signal, if one does.
pub(super) fn evaluated(signal: &Signal) -> Option<&str> {
    signal.name.strip_prefix("${{ ")?.strip_suffix(" }}")
}

impl Naive {
    /// Says when it is.
    pub fn at(&mut self, micros: i64) {
        self.now = micros;
    }

    /// The signals that nobody has taken, in their order.
    pub fn signals_left(&self) -> Vec<(String, Value)> {
        self.signals.kept.clone()
    }

    pub(super) fn begin_wait(&mut self, node: usize, wait: &Wait) {
        match wait {
            Wait::Delay(delay) => self.wait_until(node, self.now + delay.as_micros() as i64),
            Wait::Signal(signal) => self.listen(node, &signal.name),
            Wait::Until(_) => panic!("the moment is evaluated before it is waited for"),
        }
    }

    pub(super) fn evaluate_wait(&mut self, node: usize, wait: &Wait, value: Option<Value>) {
        match (wait, value) {
            (Wait::Until(_), Some(Value::Number(millis))) => {
                let micros = millis.as_i64().expect("these are whole numbers") * 1_000;
                self.wait_until(node, micros);
            }
            (Wait::Signal(_), Some(Value::String(name))) => self.listen(node, &name),
            _ => self.fail(node),
        }
    }

    fn wait_until(&mut self, node: usize, due: i64) {
        let is_ahead = due > self.now || self.misreads(Misreading::WaitsForThePast);
        self.places[node] = if is_ahead { Place::Timed } else { Place::Done(Value::Null) };
    }

    fn listen(&mut self, node: usize, name: &str) {
        self.signals.listening.push((node, name.to_owned()));
        let mut kept = (0..self.signals.kept.len()).filter(|&number| self.signals.kept[number].0 == name);
        let chosen = if self.misreads(Misreading::TakesNewestSignal) { kept.last() } else { kept.next() };
        self.places[node] = match chosen {
            Some(number) if self.misreads(Misreading::TakesSignalTwice) => {
                Place::Done(self.signals.kept[number].1.clone())
            }
            Some(number) => Place::Done(self.signals.kept.remove(number).1),
            None => Place::Listening(name.to_owned()),
        };
    }

    pub(super) fn signalled(&mut self, signal: &Signalled) -> Result<(), No> {
        let is_known = signal.id.as_ref().is_some_and(|id| self.signals.ids.iter().any(|known| **known == **id));
        match self.phase {
            Phase::New => return Err(No::NotRunning),
            Phase::Ended(_) => return Err(No::Over),
            _ if is_known && !self.misreads(Misreading::CountsRepeatedSignal) => return Ok(()),
            _ if signal.name.trim().is_empty() || signal.name.len() > 256 => return Err(No::Invalid),
            _ => {}
        }
        self.signals.ids.extend(signal.id.as_ref().map(ToString::to_string));
        let waits = |node: usize| {
            let is_closed = self.places[node] == Place::Cancelled && self.misreads(Misreading::ClosedTakesSignal);
            matches!(self.places[node], Place::Listening(_)) || is_closed
        };
        let mut waiting = self
            .signals
            .listening
            .iter()
            .filter(|(node, name)| **name == *signal.name && waits(*node))
            .map(|(node, _)| *node);
        let last = self.misreads(Misreading::LastWaitingTakesSignal);
        let taker = if last { waiting.last() } else { waiting.next() };
        let payload = decode(&signal.payload);
        match taker {
            Some(node) if self.places[node] == Place::Cancelled => {}
            Some(node) => self.places[node] = Place::Done(payload),
            None if self.misreads(Misreading::LosesEarlySignal) => {}
            None => self.signals.kept.push((signal.name.to_string(), payload)),
        }
        Ok(())
    }

    pub(super) fn wait_is_over(&mut self, key: WorkKey) -> Result<(), No> {
        let node = self.known(key)?;
        let NodeKind::Wait(wait) = &self.definition.nodes[node].kind else { return Err(No::Invalid) };
        let is_limited = matches!(wait, Wait::Signal(Signal { timeout: Some(_), .. }));
        match self.places[node] {
            Place::Timed => self.places[node] = Place::Done(Value::Null),
            Place::Listening(_) if is_limited => {
                let mut edges = self.edges.iter();
                let is_named = edges.any(|(source, kind, _)| *source == node && *kind == EdgeKind::OnTimeout);
                match is_named && !self.misreads(Misreading::TimeoutFails) {
                    true => self.places[node] = Place::Passed(Some(EdgeKind::OnTimeout)),
                    false => self.fail(node),
                }
            }
            _ => return Err(No::Invalid),
        }
        Ok(())
    }
}
