//! Signals that were sent to an execution, and who waits for which one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{EffectSink, Execution, Notice, Phase, Refused};
use crate::compiled::Compiled;
use crate::definition::Signal;
use crate::fact::Signalled;
use crate::id::WorkKey;
use crate::record::SignalRecord;
use crate::time::Time;

/// So many signals of one name are kept at most as long as nobody waits for them.
pub const SIGNALS_PER_NAME_MAX: usize = 1_000;

/// So many signals of all names are kept at most as long as nobody waits for them.
pub const SIGNALS_MAX: usize = 10_000;

/// Of so many signals with an id a repetition is known: of more, of those that were sent last.
pub const SIGNAL_IDS_MAX: usize = 10_000;

/// The signals of an execution. Few executions have any.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Signals {
    /// By name; names of which there is nothing are left out.
    names: BTreeMap<Box<str>, Channel>,
    /// Which signal a node waits for, and its ticket in the queue of that name.
    awaited: BTreeMap<WorkKey, (Box<str>, u64)>,
    /// The ticket of the node that next begins to wait.
    next_ticket: u64,
    /// How many are kept, of all names.
    kept: usize,
    /// The number of the signal that comes next.
    next: u64,
    ids: SignalIds,
}

/// What there is of one name: either signals or nodes that wait for one.
#[derive(Clone, Debug, Default, PartialEq)]
struct Channel {
    /// Signals that nobody has taken, oldest first.
    kept: VecDeque<Kept>,
    /// Nodes by their tickets, so in the order in which they began to wait. Each can leave without a search: a map may have
    /// 100,000 items that wait for one name.
    waiting: BTreeMap<u64, WorkKey>,
}

/// A signal that nobody has taken.
#[derive(Clone, Debug, PartialEq)]
struct Kept {
    /// Which of the signals of the execution it is.
    number: u64,
    at: Time,
    signal: Signalled,
}

/// The ids of signals that were sent.
#[derive(Clone, Debug, Default, PartialEq)]
struct SignalIds {
    known: BTreeSet<Box<str>>,
    /// In the order in which they came.
    order: VecDeque<Box<str>>,
}

impl SignalIds {
    fn add(&mut self, id: &str) {
        if self.order.len() == SIGNAL_IDS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        if self.known.insert(id.into()) {
            self.order.push_back(id.into());
        }
    }
}

impl Signals {
    /// Queues a node behind those that wait for a signal of that name.
    pub(super) fn wait(&mut self, key: WorkKey, name: &str) {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.names.entry(name.into()).or_default().waiting.insert(ticket, key);
        self.awaited.insert(key, (name.into(), ticket));
    }

    /// A node waits no longer; gives the name that it waited for.
    pub(super) fn leave(&mut self, key: WorkKey) -> Option<Box<str>> {
        let (name, ticket) = self.awaited.remove(&key)?;
        if let Some(channel) = self.names.get_mut(&name) {
            channel.waiting.remove(&ticket);
        }
        self.forget_empty(&name);
        Some(name)
    }

    /// Takes the node out that has waited longest for a signal of that name.
    fn next_waiting(&mut self, name: &str) -> Option<WorkKey> {
        let (_, key) = self.names.get_mut(name)?.waiting.pop_first()?;
        self.awaited.remove(&key);
        self.forget_empty(name);
        Some(key)
    }

    fn keep(&mut self, at: Time, signal: Signalled) {
        let number = self.next;
        self.kept += 1;
        self.names.entry(signal.name.clone()).or_default().kept.push_back(Kept { number, at, signal });
    }

    fn take(&mut self, name: &str) -> Option<Signalled> {
        let kept = self.names.get_mut(name)?.kept.pop_front()?;
        self.kept -= 1;
        self.forget_empty(name);
        Some(kept.signal)
    }

    fn forget_empty(&mut self, name: &str) {
        if self.names.get(name).is_some_and(|channel| channel.kept.is_empty() && channel.waiting.is_empty()) {
            self.names.remove(name);
        }
    }

    /// How many are kept at most, if that many are.
    fn full(&self, name: &str) -> Option<usize> {
        let channel = self.names.get(name);
        if channel.is_some_and(|channel| !channel.waiting.is_empty()) {
            return None;
        }
        let of_name = channel.map_or(0, |channel| channel.kept.len());
        let limits = [(of_name, SIGNALS_PER_NAME_MAX), (self.kept, SIGNALS_MAX)];
        limits.into_iter().find(|(kept, max)| kept >= max).map(|(_, max)| max)
    }
}

impl Execution {
    /// Whether a signal with the id of this one was sent before.
    pub(super) fn is_known_signal(&self, signal: &Signalled) -> bool {
        let id = signal.id.as_deref();
        let known = self.signals.as_deref().map(|signals| &signals.ids.known);
        let is_over = matches!(self.phase, Phase::Ended(_));
        !is_over && id.zip(known).is_some_and(|(id, known)| known.contains(id))
    }

    pub(super) fn allows_signal(&self, signal: &Signalled) -> Result<(), Refused> {
        match self.phase {
            Phase::New => return Err(self.not_running()),
            Phase::Ended(_) => return Err(Refused::AlreadyTerminal(self.status())),
            Phase::Running | Phase::Ending(_) => {}
        }
        if signal.name.trim().is_empty() {
            return Err(Refused::Invalid("the name of a signal must not be blank"));
        }
        if signal.name.len() > Signal::NAME_BYTES_MAX {
            return Err(Refused::Invalid("the name of the signal is longer than the 256 bytes that are allowed"));
        }
        if self.is_known_signal(signal) {
            return Err(Refused::Invalid("a signal with that id was sent before"));
        }
        match self.signals.as_deref().and_then(|signals| signals.full(&signal.name)) {
            Some(max) => Err(Refused::SignalsFull { max }),
            None => Ok(()),
        }
    }

    /// Takes in a signal: it is for the node that has waited longest for one of its name, or is kept for one that will.
    pub(super) fn signalled(&mut self, definition: &Compiled, signal: Signalled, sink: &mut impl EffectSink) {
        let at = self.at;
        let signals = self.signals.get_or_insert_default();
        signals.next += 1;
        if let Some(id) = &signal.id {
            signals.ids.add(id);
        }
        let taker = signals.next_waiting(&signal.name);
        if sink.watched() {
            let path = taker.and_then(|key| self.path_inside(definition, key));
            let (name, by) = (signal.name.clone(), signal.by.clone());
            sink.notice(Notice::Signal { name, by, taken_by: taker }, path);
        }
        match (taker, self.signals.as_deref_mut()) {
            (Some(key), _) => self.receive(definition, key, signal.payload, sink),
            (None, Some(signals)) => signals.keep(at, signal),
            (None, None) => {}
        }
    }

    /// Takes the oldest signal of that name, if one is kept.
    pub(super) fn take_signal(&mut self, name: &str) -> Option<Signalled> {
        self.signals.as_deref_mut()?.take(name)
    }

    /// The nodes that wait for a signal, each with the name of the signal, in the order of their keys.
    pub fn awaited_signals(&self) -> impl Iterator<Item = (WorkKey, &str)> {
        let awaited = self.signals.as_deref().map(|signals| &signals.awaited);
        awaited.into_iter().flatten().map(|(key, (name, _))| (*key, &**name))
    }

    pub(super) fn awaited_name(&self, key: WorkKey) -> Option<&str> {
        self.signals.as_deref()?.awaited.get(&key).map(|(name, _)| &**name)
    }

    /// The signals that nobody has taken, in the order in which they came.
    pub fn signals_left(&self) -> Vec<SignalRecord> {
        let channels = self.signals.as_deref().into_iter().flat_map(|signals| signals.names.values());
        let mut kept: Vec<&Kept> = channels.flat_map(|channel| &channel.kept).collect();
        kept.sort_unstable_by_key(|kept| kept.number);
        let record = |Kept { at, signal, .. }: &Kept| SignalRecord {
            name: signal.name.to_string(),
            id: signal.id.as_ref().map(ToString::to_string),
            by: signal.by.to_string(),
            at: *at,
            payload: signal.payload.clone(),
        };
        kept.into_iter().map(record).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{NodeIndex, WorkKey};
    use crate::payload::Payload;

    fn signal(name: &str) -> Signalled {
        Signalled { name: name.into(), payload: Payload::NULL, by: "me".into(), id: None }
    }

    #[test]
    fn no_more_signals_are_kept_than_there_may_be() {
        let mut signals = Signals::default();
        let mut keep = |name: &str, count: usize| {
            for _ in 0..count {
                assert_eq!(signals.full(name), None);
                signals.keep(Time::default(), signal(name));
            }
            signals.full(name)
        };
        assert_eq!(keep("early", SIGNALS_PER_NAME_MAX), Some(SIGNALS_PER_NAME_MAX));
        for number in 1..SIGNALS_MAX / SIGNALS_PER_NAME_MAX {
            assert!(keep(&format!("other {number}"), SIGNALS_PER_NAME_MAX).is_some());
        }
        assert_eq!(keep("yet another", 0), Some(SIGNALS_MAX), "of all names");
        signals.wait(WorkKey::root(NodeIndex(1)), "yet another");
        assert_eq!(signals.full("yet another"), None, "somebody waits for it");
        assert!(signals.take("early").is_some());
        assert_eq!(signals.full("early"), None);
    }

    #[test]
    fn of_many_that_wait_for_one_name_each_can_leave_and_the_others_keep_their_order() {
        // Whoever searches for each that leaves takes minutes for this.
        const WAITING: u32 = 100_000;
        let mut signals = Signals::default();
        let key = |number| WorkKey::root(NodeIndex(number));
        (0..WAITING).for_each(|number| signals.wait(key(number), "paid"));
        for number in (0..WAITING).rev().filter(|number| number % 1_000 != 7) {
            assert_eq!(signals.leave(key(number)).as_deref(), Some("paid"));
        }
        assert_eq!(signals.leave(key(0)), None);
        let taken: Vec<_> = std::iter::from_fn(|| signals.next_waiting("paid")).collect();
        assert_eq!(taken, (0..WAITING).step_by(1_000).map(|number| key(number + 7)).collect::<Vec<_>>());
        assert!(signals.names.is_empty() && signals.awaited.is_empty());
    }

    #[test]
    fn of_many_ids_the_last_ones_are_known() {
        let mut ids = SignalIds::default();
        for number in 0..=SIGNAL_IDS_MAX {
            ids.add(&number.to_string());
        }
        assert!(!ids.known.contains("0") && ids.known.contains("1"));
        assert_eq!((ids.known.len(), ids.order.len()), (SIGNAL_IDS_MAX, SIGNAL_IDS_MAX));
    }
}
