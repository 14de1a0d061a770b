//! How much of the time of the thread that writes goes to forgetting.
//!
//! Beside other work forgetting takes a part of the time that other work has had. That part grows while more expires than is
//! forgotten, so that a limit holds however long a journal is busy. When nothing else is to be done forgetting takes more, in
//! pieces that are left as soon as somebody comes.

use std::time::{Duration, Instant};

/// The part of the time that deleting takes while others wait. What has to be written and copied because of it comes on top:
/// both together are to be a tenth.
const SHARE: u32 = 14;
/// How long something may stay to be forgotten until that part is doubled, and until it is doubled again.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is doubled at most.
const DOUBLINGS: u32 = 2;
/// Beside others nothing is done for less time than that: what is done in larger pieces costs less.
const BUSY_MIN: Duration = Duration::from_micros(200);
/// The longest that one transaction takes more while others wait.
const BUSY_MAX: Duration = Duration::from_millis(5);
/// How long one transaction takes while nobody waits: who comes meanwhile waits for what is begun, and for its commit.
const IDLE: Duration = Duration::from_millis(1);

/// What forgetting may take, and what it has taken.
#[derive(Debug)]
pub(super) struct Pace {
    /// What it may take beside others.
    credit: Duration,
    /// What it has taken beyond that.
    debt: Duration,
    at: Instant,
    /// Since when there has always been something to forget.
    behind_since: Option<Instant>,
}

/// One transaction in which something is forgotten.
#[derive(Debug)]
pub(super) struct Turn {
    begun: Instant,
    budget: Duration,
    beside_others: bool,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { credit: Duration::ZERO, debt: Duration::ZERO, at: now, behind_since: None }
    }

    /// What may be forgotten in the transaction that is under way; none if that is better left to a later one.
    pub(super) fn turn(&mut self, now: Instant, beside_others: bool) -> Option<Turn> {
        let behind = now.saturating_duration_since(*self.behind_since.get_or_insert(now));
        let doublings = (behind.as_secs() / PATIENCE.as_secs()).min(DOUBLINGS.into());
        let earned = now.saturating_duration_since(self.at) * (1 << doublings) / SHARE;
        self.at = now;
        self.credit = (self.credit + earned.saturating_sub(self.debt)).min(BUSY_MAX);
        self.debt = self.debt.saturating_sub(earned);
        let budget = if beside_others { self.credit } else { IDLE };
        (!beside_others || budget >= BUSY_MIN).then_some(Turn { begun: now, budget, beside_others })
    }

    /// That much time has gone into it.
    pub(super) fn took(&mut self, turn: &Turn, now: Instant) {
        if turn.beside_others {
            let took = now.saturating_duration_since(turn.begun);
            self.debt += took.saturating_sub(self.credit);
            self.credit = self.credit.saturating_sub(took);
        }
        // What it had while nobody waited it need not give back, and it earns nothing with it.
        self.at = now;
    }

    /// Nothing is left to be forgotten, for now.
    pub(super) fn caught_up(&mut self) {
        self.behind_since = None;
    }
}

impl Turn {
    /// Whether there is time for more; if nothing else was to be done, as long as nobody comes.
    pub(super) fn goes_on(&self, now: Instant, somebody_waits: impl FnOnce() -> bool) -> bool {
        now.saturating_duration_since(self.begun) < self.budget && (self.beside_others || !somebody_waits())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Lets it forget beside others for so long; gives when that ended, and what part of the time it took.
    fn beside_others(pace: &mut Pace, start: Instant, long: Duration) -> (Instant, f64) {
        let (mut now, mut took, mut commit) = (start, Duration::ZERO, 0);
        while now < start + long {
            now += MS * (1 + commit % 3);
            commit += 1;
            if let Some(turn) = pace.turn(now, true) {
                while turn.goes_on(now, || unreachable!("it is not asked beside others")) {
                    // One piece may well take longer than there was time for.
                    now += MS;
                    took += MS;
                }
                pace.took(&turn, now);
            }
        }
        (now, took.as_secs_f64() / (now - start).as_secs_f64())
    }

    #[test]
    fn beside_others_it_takes_its_share_of_the_time_and_more_while_it_is_behind() {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        for _ in 0..2 {
            for share in [1.0, 2.0, 4.0, 4.0] {
                let (end, part) = beside_others(&mut pace, now, PATIENCE);
                let share = share / f64::from(SHARE);
                assert!((0.75 * share..share).contains(&part), "{part} of {share}");
                now = end;
            }
            pace.caught_up();
        }
    }

    #[test]
    fn what_was_not_used_is_not_saved_for_ever() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        let turn = pace.turn(now + Duration::from_secs(3_600), true).expect("there is time");
        assert_eq!(turn.budget, BUSY_MAX);
    }

    #[test]
    fn when_nothing_else_is_to_be_done_it_goes_on_until_somebody_comes() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        let turn = pace.turn(now, false).expect("nobody waits");
        assert!(turn.goes_on(now + IDLE / 2, || false));
        assert!(!turn.goes_on(now + IDLE / 2, || true));
        assert!(!turn.goes_on(now + IDLE, || false));
        pace.took(&turn, now + IDLE);
        assert!(pace.turn(now + IDLE, true).is_none(), "it has earned nothing meanwhile");
    }
}
