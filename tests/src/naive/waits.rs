//! Nodes that wait for a moment or a signal.

use std::cell::RefCell;
use std::rc::Rc;

use finale_core::WorkKey;
use finale_core::definition::{EdgeKind, NodeKind, Signal, Wait};
use finale_core::fact::Signalled;
use serde_json::Value;

use super::{Misreading, Naive, No, Phase, Place, decode};

/// The signals that came to an execution and to all that runs inside of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Signals(Rc<RefCell<Pool>>);

#[derive(Debug, Default)]
struct Pool {
    /// Those that nobody has taken, in their order.
    kept: Vec<(String, Value)>,
    /// Who began to wait for one, in that order.
    listening: Vec<(Listener, String)>,
    ids: Vec<String>,
    /// How many executions share this.
    members: usize,
}

/// A node, and in which of the executions that share signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listener {
    pub(super) member: usize,
    pub(super) node: usize,
}

impl Signals {
    /// A number for one more execution that shares these.
    pub(super) fn join(&self) -> usize {
        let mut pool = self.0.borrow_mut();
        pool.members += 1;
        pool.members
    }

    /// Those that nobody has taken, in their order.
    pub(super) fn left(&self) -> Vec<(String, Value)> {
        self.0.borrow().kept.clone()
    }

    /// Whether a signal was sent before, by its id; else from now on.
    pub(super) fn is_known(&self, signal: &Signalled) -> bool {
        let Some(id) = &signal.id else { return false };
        self.0.borrow().ids.iter().any(|known| **known == **id)
    }

    pub(super) fn note(&self, signal: &Signalled) {
        self.0.borrow_mut().ids.extend(signal.id.as_ref().map(ToString::to_string));
    }

    /// Who began to wait for a signal of that name, in that order, also those who wait no longer.
    pub(super) fn listeners(&self, name: &str) -> Vec<Listener> {
        let pool = self.0.borrow();
        pool.listening.iter().filter(|(_, awaited)| awaited == name).map(|(listener, _)| *listener).collect()
    }

    /// Keeps a signal for who waits for it later.
    pub(super) fn keep(&self, signal: &Signalled) {
        self.0.borrow_mut().kept.push((signal.name.to_string(), decode(&signal.payload)));
    }

    fn listen(&self, listener: Listener, name: &str) {
        self.0.borrow_mut().listening.push((listener, name.to_owned()));
    }
}

/// Whether a signal could be one.
pub(super) fn is_sound(signal: &Signalled) -> bool {
    !signal.name.trim().is_empty() && signal.name.len() <= 256
}

/// The expression that gives the name of a signal, if one does.
pub(super) fn evaluated(signal: &Signal) -> Option<&str> {
    signal.name.strip_prefix("${{ ")?.strip_suffix(" }}")
}

impl Naive {
    /// The signals that nobody has taken, in their order.
    pub fn signals_left(&self) -> Vec<(String, Value)> {
        self.signals.left()
    }

    /// Whether a node waits for a signal.
    pub(super) fn is_listening(&self, node: usize) -> bool {
        matches!(self.places[node], Place::Listening(_))
    }

    /// A node has got the signal that it waited for.
    pub(super) fn receive(&mut self, node: usize, signal: &Signalled) {
        self.places[node] = Place::Done(decode(&signal.payload));
    }

    pub(super) fn begin_wait(&mut self, node: usize, wait: &Wait) {
        match wait {
            Wait::Delay(delay) => self.wait_until(node, self.now.as_micros() + delay.as_micros() as i64),
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
        let is_ahead = due > self.now.as_micros() || self.misreads(Misreading::WaitsForThePast);
        self.places[node] = if is_ahead { Place::Timed } else { Place::Done(Value::Null) };
    }

    fn listen(&mut self, node: usize, name: &str) {
        self.signals.listen(Listener { member: self.member, node }, name);
        let mut pool = self.signals.0.borrow_mut();
        let mut kept = (0..pool.kept.len()).filter(|&number| pool.kept[number].0 == name);
        let chosen = if self.misreads(Misreading::TakesNewestSignal) { kept.next_back() } else { kept.next() };
        let place = match chosen {
            Some(number) if self.misreads(Misreading::TakesSignalTwice) => Place::Done(pool.kept[number].1.clone()),
            Some(number) => Place::Done(pool.kept.remove(number).1),
            None => Place::Listening(name.to_owned()),
        };
        drop(pool);
        self.places[node] = place;
    }

    pub(super) fn signalled(&mut self, signal: &Signalled) -> Result<(), No> {
        match self.phase {
            Phase::New => return Err(No::NotRunning),
            Phase::Ended(_) => return Err(No::Over),
            _ if self.signals.is_known(signal) && !self.misreads(Misreading::CountsRepeatedSignal) => return Ok(()),
            _ if !is_sound(signal) => return Err(No::Invalid),
            _ => self.signals.note(signal),
        }
        let is_closed = |node: usize| self.places[node] == Place::Cancelled;
        let takes_closed = self.misreads(Misreading::ClosedTakesSignal);
        let waits = |node: &usize| self.is_listening(*node) || (takes_closed && is_closed(*node));
        let listeners: Vec<usize> = self.signals.listeners(&signal.name).into_iter().map(|it| it.node).collect();
        let waiting: Vec<usize> = listeners.into_iter().filter(waits).collect();
        match waiting[..] {
            [] if self.misreads(Misreading::LosesEarlySignal) => {}
            [] => self.signals.keep(signal),
            [first, ..] if is_closed(first) => {}
            [.., last] if self.misreads(Misreading::LastWaitingTakesSignal) => self.receive(last, signal),
            [first, ..] if !self.misreads(Misreading::AllWaitingTakeSignal) => self.receive(first, signal),
            _ => waiting.iter().for_each(|&node| self.receive(node, signal)),
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
