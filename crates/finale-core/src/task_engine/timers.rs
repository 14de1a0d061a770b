//! Timers: of executions, of attempts, of stopping handlers and of the shutdown.

use std::collections::BTreeMap;

use crate::fact::Timer;
use crate::id::Dispatch;
use crate::number::{FutureNo, Slot};
use crate::time::Time;

/// The timers of the shard, ordered by due time and then by the order in which they were armed.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    due: BTreeMap<TimerKey, Due>,
    /// Timers of executions, which are disarmed by name.
    armed: BTreeMap<(Slot, Timer), TimerKey>,
    newest: u64,
}

/// Due time and number of a timer.
pub(super) type TimerKey = (Time, u64);

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// A timer of an execution.
    Timer(Slot, Timer),
    /// The time limit of an attempt.
    AttemptLimit(FutureNo),
    /// The time that an attempt may wait for its permits.
    QueueLimit(Slot, Dispatch),
    /// The time that a handler may say nothing.
    Silence(FutureNo),
    /// The grace of a handler that was asked to stop.
    Grace(FutureNo),
    /// The deadline of the shutdown.
    Drain,
}

impl Timers {
    /// Arms a timer of an execution, or changes its due time; true if it is a new timer.
    pub(super) fn arm(&mut self, slot: Slot, timer: Timer, due: Time) -> bool {
        let key = self.add(due, Due::Timer(slot, timer));
        match self.armed.insert((slot, timer), key) {
            Some(earlier) => {
                self.due.remove(&earlier);
                false
            }
            None => true,
        }
    }

    /// Disarms a timer of an execution; false if it is not armed.
    pub(super) fn disarm(&mut self, slot: Slot, timer: Timer) -> bool {
        let key = self.armed.remove(&(slot, timer));
        key.is_some_and(|key| self.due.remove(&key).is_some())
    }

    /// Due time of a timer of an execution.
    pub(super) fn armed(&self, slot: Slot, timer: Timer) -> Option<Time> {
        self.armed.get(&(slot, timer)).map(|(due, _)| *due)
    }

    /// The timers of an execution.
    pub(super) fn of(&self, slot: Slot) -> Vec<Timer> {
        // The timers of a slot are adjacent, and `Deadline` is the least value of the enum.
        let from = self.armed.range((slot, Timer::Deadline)..);
        from.map(|((other, timer), _)| (*other, *timer))
            .take_while(|(other, _)| *other == slot)
            .map(|it| it.1)
            .collect()
    }

    pub(super) fn add(&mut self, due: Time, what: Due) -> TimerKey {
        self.newest += 1;
        let key = (due, self.newest);
        self.due.insert(key, what);
        key
    }

    pub(super) fn cancel(&mut self, key: TimerKey) {
        self.due.remove(&key);
    }

    /// Removes the next timer that is due.
    pub(super) fn next_due(&mut self, at: Time) -> Option<Due> {
        let first = self.due.first_entry().filter(|first| first.key().0 <= at)?;
        let due = first.remove();
        if let Due::Timer(slot, timer) = due {
            self.armed.remove(&(slot, timer));
        }
        Some(due)
    }

    pub(super) fn first(&self) -> Option<Time> {
        self.due.first_key_value().map(|((due, _), _)| *due)
    }

    pub(super) fn len(&self) -> usize {
        self.due.len()
    }
}
