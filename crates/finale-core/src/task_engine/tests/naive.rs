//! Whatever happens in whatever order: a naive reading of the rules sees no other thing.
//!
//! The reading knows nothing of tables, lists and queues. It keeps every attempt with what became of it, and after each
//! step looks at all of them.

use proptest::prelude::*;

use super::*;
use crate::task_engine::running::Permits;

/// What a random test does next; the numbers choose among what there is.
#[derive(Clone, Copy, Debug)]
enum Step {
    Run { slot: u8, node: u8, count: u8 },
    Stop { which: u8, forget: bool },
    RunAndStop { slot: u8, node: u8, forget: bool },
    End { which: u8, fails: bool },
    Suspend { which: u8 },
    Resume { which: u8 },
    Advance { seconds: u8 },
    EndIsDecided { slot: u8 },
    Replace { slot: u8 },
    Reconcile { slot: u8 },
    BeginNothing(bool),
    TakeElsewhere,
    GiveElsewhere,
    Rebuild,
}

/// An attempt, and what is known of it.
#[derive(Clone, Debug)]
struct Known {
    slot: Slot,
    dispatch: Dispatch,
    node: u32,
    /// Whether it may still begin.
    wanted: bool,
    /// Whether the end of its execution is decided, and it may only finish.
    finishes: bool,
    began: Option<Time>,
    /// Whether somebody still waits for its outcome.
    awaited: bool,
    outcomes: usize,
    /// Whether a handler works on it and holds its permits.
    holds: bool,
    leaked: bool,
}

struct Reading {
    shard: Shard,
    running_max: usize,
    slots: [Slot; 3],
    attempts: Vec<Known>,
    elsewhere: usize,
    /// Whether the order in which tasks wait is that in which they were asked for.
    in_order: bool,
    log: Vec<Seen>,
}

impl Known {
    fn is_limited(&self) -> bool {
        matches!(self.node, LIMITED | LIMITED_READY | LIMITED_BLOCKING)
    }

    fn is_blocking(&self) -> bool {
        matches!(self.node, BLOCKING | HURRIED_BLOCKING | LIMITED_BLOCKING)
    }
}

impl Reading {
    fn new(running_max: usize) -> Self {
        let mut shard = Shard::new(running_max);
        shard.pool = PermitPool::new([running_max, 1], 2);
        let slots = [slot(0), slot(1), slot(2)];
        Self { shard, running_max, slots, attempts: vec![], elsewhere: 0, in_order: true, log: vec![] }
    }

    /// A new attempt: no two have the same name, so that one is recognized without its slot.
    fn attempt(&mut self, slot: u8, node: u8) -> (usize, Dispatch) {
        let index = usize::from(slot) % 3;
        let node = u32::from(node) % UNREGISTERED;
        let dispatch = scoped(self.attempts.len() as u32, node);
        let (slot, wanted, awaited) = (self.slots[index], true, true);
        self.attempts.push(Known {
            slot,
            dispatch,
            node,
            wanted,
            finishes: false,
            began: None,
            awaited,
            outcomes: 0,
            holds: false,
            leaked: false,
        });
        (index, dispatch)
    }

    /// One of those that a handler works on.
    fn at_work(&self, which: u8) -> Option<(FutureNo, Attempt)> {
        let count = self.shard.futures.len();
        let (future, attempt) = self.shard.futures.iter().nth(usize::from(which) % count.max(1))?;
        Some((FutureNo(*future), *attempt))
    }

    fn take(&mut self, step: Step) {
        let seen = match step {
            Step::Run { slot, node, count } => {
                let all: Vec<_> = (0..count % 4 + 1).map(|_| self.attempt(slot, node)).collect();
                self.perform(all[0].0, all.into_iter().map(|(_, dispatch)| run(dispatch)).collect())
            }
            Step::RunAndStop { slot, node, forget } => {
                let (index, dispatch) = self.attempt(slot, node);
                let (_, beside) = self.attempt(slot, node);
                let stop = self.stop(self.attempts.len() - 2, forget);
                self.perform(index, vec![run(dispatch), run(beside), stop])
            }
            Step::Stop { which, forget } if !self.attempts.is_empty() => {
                let which = usize::from(which) % self.attempts.len();
                let stop = self.stop(which, forget);
                self.shard.perform(self.attempts[which].slot, [stop])
            }
            Step::End { which, fails } => self.end(which, fails),
            Step::Suspend { which } => match self.at_work(which) {
                // A thread does not wait for other executions.
                Some((future, attempt)) if !self.known(attempt.dispatch).is_blocking() => {
                    self.known(attempt.dispatch).holds = false;
                    self.shard.told(Input::Suspended(future))
                }
                _ => vec![],
            },
            Step::Resume { which } => {
                self.at_work(which).map(|(future, _)| self.shard.told(Input::Resumed(future))).unwrap_or_default()
            }
            Step::Advance { seconds } => self.shard.advance(Duration::from_secs(u64::from(seconds) % 12)),
            Step::EndIsDecided { slot } => {
                let index = usize::from(slot) % 3;
                self.refuse_all(index);
                let slot = self.slots[index];
                let open = self.attempts.iter_mut().filter(|known| known.slot == slot);
                let finishing = open.map(|known| {
                    known.finishes = true;
                    finish(known.dispatch)
                });
                let finishing: Vec<_> = finishing.collect();
                self.shard.perform(slot, finishing)
            }
            Step::Replace { slot } => self.replace(usize::from(slot) % 3),
            Step::Reconcile { slot } => self.reconcile(usize::from(slot) % 3),
            Step::BeginNothing(lazy) => {
                self.shard.lazy = lazy;
                self.shard.told(Input::Wake)
            }
            Step::TakeElsewhere => self.take_elsewhere(),
            Step::GiveElsewhere => self.give_elsewhere(),
            Step::Rebuild => self.rebuild(),
            Step::Stop { .. } => vec![],
        };
        self.look(seen);
    }

    fn perform(&mut self, index: usize, effects: Vec<Effect>) -> Vec<Seen> {
        self.shard.perform(self.slots[index], effects)
    }

    fn known(&mut self, dispatch: Dispatch) -> &mut Known {
        self.attempts.iter_mut().find(|known| known.dispatch == dispatch).expect("all are known")
    }

    /// From here on it must not begin, and if it is forgotten nobody waits for its outcome.
    fn stop(&mut self, which: usize, forgotten: bool) -> Effect {
        let known = &mut self.attempts[which];
        known.wanted = false;
        known.awaited &= !forgotten;
        if forgotten { forget(known.dispatch) } else { stop(known.dispatch) }
    }

    fn refuse_all(&mut self, index: usize) {
        let slot = self.slots[index];
        self.attempts.iter_mut().filter(|known| known.slot == slot).for_each(|known| known.wanted = false);
    }

    fn end(&mut self, which: u8, fails: bool) -> Vec<Seen> {
        let Some((_, attempt)) = self.at_work(which) else { return vec![] };
        let known = self.known(attempt.dispatch);
        (known.holds, known.leaked) = (false, false);
        self.shard.end_of(attempt.slot, attempt.dispatch, if fails { Err("no") } else { Ok("1") })
    }

    /// An execution ends, and another one gets its slot.
    fn replace(&mut self, index: usize) -> Vec<Seen> {
        let slot = self.slots[index];
        self.refuse_all(index);
        self.attempts.iter_mut().filter(|known| known.slot == slot).for_each(|known| known.awaited = false);
        let mut seen = self.shard.told(Input::Deregister { slot, status: crate::ExecutionStatus::Completed });
        self.slots[index] = slot.next_life();
        self.shard.register(self.slots[index], 0);
        seen.extend(self.shard.take_seen());
        seen
    }

    /// What must be under way for an execution.
    fn under_way(&self, index: usize) -> Vec<Effect> {
        let slot = self.slots[index];
        let under_way = |known: &&Known| known.slot == slot && known.awaited && known.outcomes == 0;
        let open = || self.attempts.iter().filter(under_way);
        let finishing = open().filter(|known| known.finishes).map(|known| finish(known.dispatch));
        open().map(|known| run(known.dispatch)).chain(finishing).collect()
    }

    /// Where nothing was lost, reconciling changes nothing.
    fn reconcile(&mut self, index: usize) -> Vec<Seen> {
        let seen = self.shard.reconcile(self.slots[index], self.under_way(index));
        // An answer waits for handlers that are about to begin, and comes with those to messages before it.
        let is_answered = |seen: &[Seen]| matches!(seen, [Seen::Answered(_)]);
        assert!(is_answered(&seen) || self.shard.lazy && seen.is_empty(), "{seen:?}");
        seen
    }

    /// The state of the engine is lost. Its owner knows the executions and the futures, and each execution what must be.
    fn rebuild(&mut self) -> Vec<Seen> {
        let lost = self.shard.engine.running.clone();
        let state = |future: FutureNo| match lost.get(future) {
            Some(handler) if handler.leaked => AdoptedState::Leaked,
            Some(handler) if handler.stopping && handler.permits == Permits::Held => AdoptedState::Stopping,
            Some(handler) => match handler.permits {
                Permits::Held => AdoptedState::Working,
                Permits::Released => AdoptedState::Suspended,
                Permits::Awaited => AdoptedState::Resuming,
            },
            None => unreachable!("the engine knows every future"),
        };
        self.shard.rebuild_with(&self.slots, state);
        self.in_order = false;
        let mut seen = self.shard.take_seen();
        for index in 0..3 {
            let under_way = self.under_way(index);
            seen.extend(self.shard.reconcile(self.slots[index], under_way));
        }
        seen
    }

    /// Another shard wants a permit of the runtime.
    fn take_elsewhere(&mut self) -> Vec<Seen> {
        let Grant { permits, holders } = self.shard.pool.take(ShardNo(1), LimitNo::RUNTIME);
        self.elsewhere += permits;
        let wanted = holders.contains(&ShardNo(0));
        if wanted { self.shard.told(Input::PermitsWanted { limit: LimitNo::RUNTIME, wanted: 1 }) } else { vec![] }
    }

    /// Another shard was told that there is a permit for it.
    fn serve_elsewhere(&mut self) {
        if std::mem::take(&mut self.shard.told_elsewhere) {
            let seen = self.take_elsewhere();
            self.look(seen);
        }
    }

    fn give_elsewhere(&mut self) -> Vec<Seen> {
        if self.elsewhere == 0 {
            return vec![];
        }
        self.elsewhere -= 1;
        let told = self.shard.pool.give(ShardNo(1), LimitNo::RUNTIME, 1);
        self.shard.told_elsewhere |= told.contains(&ShardNo(1));
        let told = told.contains(&ShardNo(0));
        if told { self.shard.told(Input::PermitsAvailable { limit: LimitNo::RUNTIME }) } else { vec![] }
    }

    /// Notes what was seen, and compares everything with the rules.
    fn look(&mut self, seen: Vec<Seen>) {
        for one in &seen {
            self.note(one);
        }
        self.log.extend(seen);
        self.serve_elsewhere();
        self.permits_are_kept();
        self.nobody_waits_for_nothing();
        let now = self.shard.now;
        let late =
            |known: &Known| known.node == HURRIED && known.began.is_some_and(|began| began.after(ATTEMPT_MAX) <= now);
        for known in self.attempts.iter().filter(|known| late(known)) {
            assert!(!known.awaited || known.outcomes == 1 || !known.wanted, "{known:?} is over its limit");
        }
    }

    fn note(&mut self, seen: &Seen) {
        let now = self.shard.now;
        match seen {
            Seen::Began(dispatch) => {
                self.began_in_its_turn(*dispatch);
                let known = self.known(*dispatch);
                assert!(known.wanted && known.began.is_none(), "{known:?} begins");
                (known.wanted, known.began, known.holds) = (false, Some(now), true);
            }
            Seen::Completed(slot, dispatch, _)
            | Seen::Failed(slot, dispatch, ..)
            | Seen::Stopped(slot, dispatch, _) => {
                let known = self.known(*dispatch);
                assert_eq!((known.slot, known.outcomes), (*slot, 0), "{known:?}");
                known.outcomes = 1;
                known.wanted = false;
                let at_work = self.shard.futures.values().any(|attempt| attempt.dispatch == *dispatch);
                let known = self.known(*dispatch);
                known.holds &= at_work || known.leaked;
            }
            Seen::Dropped(dispatch) => self.known(*dispatch).holds = false,
            Seen::Resumed(dispatch) => {
                // One that is to stop goes on without permits, and may be gone by now.
                let future = self.shard.futures.iter().find(|(_, attempt)| attempt.dispatch == *dispatch);
                let handler = future.and_then(|(future, _)| self.shard.engine.running.get(FutureNo(*future)));
                let holds = handler.is_some_and(|handler| handler.permits == Permits::Held);
                self.known(*dispatch).holds = holds;
            }
            Seen::Leaked(dispatch) => self.known(*dispatch).leaked = true,
            _ => {}
        }
    }

    /// Those that have waited longer are kept waiting by the limit of their handler.
    fn began_in_its_turn(&mut self, dispatch: Dispatch) {
        let older = self.attempts.iter().take_while(|known| known.dispatch != dispatch);
        let waiting: Vec<_> = older.filter(|known| known.wanted && known.began.is_none()).collect();
        let begins = self.attempts.iter().find(|known| known.dispatch == dispatch).expect("all are known");
        for known in waiting.into_iter().filter(|_| self.in_order) {
            assert!(known.is_limited() && !begins.is_limited(), "{known:?} has waited longer than {begins:?}");
        }
    }

    fn permits_are_kept(&self) {
        let begun = self.attempts.iter().filter(|known| known.holds);
        let limited = begun.clone().filter(|known| known.is_limited());
        assert!(begun.clone().count() + self.elsewhere <= self.running_max, "{:?}", begun.collect::<Vec<_>>());
        assert!(limited.clone().count() <= 1, "{:?}", limited.collect::<Vec<_>>());
    }

    /// As long as handlers are begun at once, those that wait do so because a limit is used up.
    fn nobody_waits_for_nothing(&self) {
        let counts = self.shard.engine.counts();
        let waiting = self.attempts.iter().filter(|known| known.wanted);
        if self.shard.lazy {
            return;
        }
        assert_eq!(waiting.clone().count(), counts.queued);
        let holding = self.attempts.iter().filter(|known| known.holds);
        assert_eq!(holding.clone().count(), counts.running);
        let is_full = counts.running + self.elsewhere == self.running_max;
        let limit_is_used = holding.clone().any(Known::is_limited);
        // Handlers that go on have taken their turn before.
        for known in waiting {
            assert!(is_full || (known.is_limited() && limit_is_used), "{known:?} waits for nothing");
        }
    }

    /// Everything that is at work comes to its end.
    fn finish(&mut self) {
        self.take(Step::BeginNothing(false));
        while self.elsewhere > 0 || !self.shard.futures.is_empty() {
            self.take(Step::GiveElsewhere);
            if let Some((future, _)) = self.at_work(0) {
                let seen = self.shard.told(Input::Resumed(future));
                self.look(seen);
                self.take(Step::End { which: 0, fails: false });
            }
        }
        for known in &self.attempts {
            assert!(known.outcomes == 1 || !known.awaited, "nobody hears of {known:?}");
        }
        let Counts { running, suspended, queued, leaked, .. } = self.shard.engine.counts();
        assert_eq!((running, suspended, queued, leaked), (0, 0, 0, 0));
    }
}

fn step() -> impl Strategy<Value = Step> {
    let any = any::<u8>;
    prop_oneof![
        4 => (any(), any(), any()).prop_map(|(slot, node, count)| Step::Run { slot, node, count }),
        2 => (any(), bool::arbitrary()).prop_map(|(which, forget)| Step::Stop { which, forget }),
        2 => (any(), any(), bool::arbitrary()).prop_map(|(slot, node, forget)| Step::RunAndStop { slot, node, forget }),
        4 => (any(), bool::arbitrary()).prop_map(|(which, fails)| Step::End { which, fails }),
        2 => any().prop_map(|which| Step::Suspend { which }),
        2 => any().prop_map(|which| Step::Resume { which }),
        2 => any().prop_map(|seconds| Step::Advance { seconds }),
        1 => any().prop_map(|slot| Step::EndIsDecided { slot }),
        1 => any().prop_map(|slot| Step::Replace { slot }),
        1 => any().prop_map(|slot| Step::Reconcile { slot }),
        1 => bool::arbitrary().prop_map(Step::BeginNothing),
        1 => Just(Step::TakeElsewhere),
        1 => Just(Step::GiveElsewhere),
        1 => Just(Step::Rebuild),
    ]
}

fn live(running_max: usize, steps: &[Step]) -> Vec<Seen> {
    let mut reading = Reading::new(running_max);
    steps.iter().for_each(|step| reading.take(*step));
    reading.finish();
    reading.log
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_attempt_keeps_to_the_limits_and_has_one_outcome(
        running_max in 1_usize..6,
        steps in proptest::collection::vec(step(), 1..80),
    ) {
        let seen = live(running_max, &steps);
        prop_assert_eq!(seen, live(running_max, &steps), "the same inputs give the same outputs");
    }
}
