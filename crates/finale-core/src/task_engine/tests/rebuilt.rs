//! An engine whose state was lost takes over what is at work.

use super::*;
use crate::fact::StopOutcome;

impl Shard {
    /// The engine's state is lost; a new one is told of the executions and the handlers at work.
    fn rebuild(&mut self, state: impl Fn(Dispatch) -> AdoptedState) {
        let states: BTreeMap<_, _> = self.futures.iter().map(|(future, it)| (*future, state(it.dispatch))).collect();
        self.rebuild_with(&[slot(0), slot(1), slot(2)], |future| states[&future.0]);
    }

    pub(super) fn rebuild_with(&mut self, slots: &[Slot], state: impl Fn(FutureNo) -> AdoptedState) {
        let held: Vec<_> = (0..2).map(|limit| self.pool.held(ShardNo(0), LimitNo(limit))).collect();
        let untaken = self.engine.take_untaken();
        self.engine = TaskEngine::rebuilt(options(), &held, untaken, &mut self.out);
        let adopted: Vec<_> = self.futures.iter().map(|(future, attempt)| (FutureNo(*future), *attempt)).collect();
        for (future, attempt) in adopted {
            let (started, state) = (self.now, state(future));
            self.tell(Input::Adopt(Adopted { attempt, started, future, state }));
        }
        self.tell(Input::Define { definition: DefinitionNo(0), nodes: nodes() });
        slots.iter().for_each(|slot| self.register(*slot, 0));
    }
}

#[test]
fn a_handler_at_work_is_adopted_and_not_begun_again() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(PENDING)), run(scoped(1, PENDING))]);
    shard.rebuild(|_| AdoptedState::Working);
    let seen = shard.reconcile(slot(0), vec![run(first(PENDING)), run(scoped(1, PENDING))]);
    assert_eq!(seen, [Seen::Answered(1)], "one is at work and one waits, as before");
    let Counts { running, queued, .. } = shard.engine.counts();
    assert_eq!((running, queued), (1, 1));
    let seen = shard.end(first(PENDING), Ok("7"));
    assert_eq!(seen[1], Seen::Completed(slot(0), first(PENDING), "7".to_owned()));
    assert_eq!(began(&seen), [scoped(1, PENDING)]);
}

#[test]
fn permits_are_as_many_as_before() {
    let mut shard = Shard::new(2);
    shard.perform(slot(0), [run(first(PENDING)), run(first(LIMITED)), run(scoped(1, LIMITED))]);
    shard.rebuild(|_| AdoptedState::Working);
    let under_way = vec![run(first(PENDING)), run(first(LIMITED)), run(scoped(1, LIMITED))];
    shard.reconcile(slot(0), under_way);
    assert_eq!(began(&shard.end(first(LIMITED), Ok("1"))), [scoped(1, LIMITED)]);
    shard.end(scoped(1, LIMITED), Ok("1"));
    shard.end(first(PENDING), Ok("1"));
    assert_eq!(shard.engine.counts(), Counts::default());
    let seen = shard.perform(slot(0), (0..3).map(|scope| run(scoped(scope, PENDING))));
    assert_eq!(began(&seen).len(), 2);
}

#[test]
fn the_time_limit_of_an_adopted_handler_began_with_it() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(HURRIED))]);
    shard.rebuild(|_| AdoptedState::Working);
    assert_eq!(shard.engine.counts().timers, 1);
    let seen = shard.advance(ATTEMPT_MAX);
    assert!(matches!(seen[..], [Seen::Dropped(_), Seen::Failed(_, _, FailureClass::TimedOut, _)]), "{seen:?}");
}

#[test]
fn one_that_was_told_to_stop_has_a_grace_again() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(HURRIED))]);
    shard.perform(slot(0), [stop(first(HURRIED))]);
    shard.rebuild(|_| AdoptedState::Stopping);
    let seen = shard.advance(GRACE);
    assert_eq!(seen, [Seen::Dropped(first(HURRIED)), Seen::Stopped(slot(0), first(HURRIED), StopOutcome::Aborted)]);
}

#[test]
fn one_that_waits_for_another_execution_holds_nothing_and_goes_on_later() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(PENDING))]);
    shard.suspend(first(PENDING));
    shard.perform(slot(0), [run(scoped(1, PENDING))]);
    shard.rebuild(|dispatch| if dispatch == first(PENDING) { AdoptedState::Suspended } else { AdoptedState::Working });
    assert_eq!(shard.engine.counts().suspended, 1);
    assert_eq!(shard.resume(first(PENDING)), []);
    assert!(shard.end(scoped(1, PENDING), Ok("1")).contains(&Seen::Resumed(first(PENDING))));
}

#[test]
fn one_that_waits_for_its_permits_gets_them_when_all_others_are_adopted() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(PENDING)), run(scoped(1, PENDING))]);
    shard.suspend(first(PENDING));
    shard.resume(first(PENDING));
    shard.rebuild(|dispatch| if dispatch == first(PENDING) { AdoptedState::Resuming } else { AdoptedState::Working });
    let under_way = vec![run(first(PENDING)), run(scoped(1, PENDING))];
    assert_eq!(shard.reconcile(slot(0), under_way), [Seen::Answered(1)]);
    assert!(shard.end(scoped(1, PENDING), Ok("1")).contains(&Seen::Resumed(first(PENDING))));
    assert_eq!(shard.engine.counts().running, 1);
}

#[test]
fn one_that_was_given_up_still_holds_its_permit() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(BLOCKING))]);
    shard.perform(slot(0), [forget(first(BLOCKING)), run(first(PENDING))]);
    shard.rebuild(|_| AdoptedState::Leaked);
    assert_eq!(shard.engine.leaks().count(), 1);
    assert_eq!(began(&shard.reconcile(slot(0), vec![run(first(PENDING))])), []);
    assert_eq!(began(&shard.end(first(BLOCKING), Ok("1"))), [first(PENDING)]);
}

#[test]
fn what_was_to_be_sent_is_sent_and_batches_are_numbered_on() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(READY))]);
    let before = shard.newest_of(Callback::Actor(ActorNo(0)));
    let effects = vec![(slot(0), run(scoped(1, READY)))];
    shard.tell(Input::Perform { from: ActorNo(0), taken: BatchNo::NONE, effects });
    shard.take_seen();
    shard.rebuild(|_| AdoptedState::Working);
    let seen = shard.reconcile(slot(0), vec![run(scoped(1, READY))]);
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert!(matches!(seen[0], Seen::Completed(..)), "it is not run again: {seen:?}");
    assert!(shard.newest_of(Callback::Actor(ActorNo(0))) > before);
}

#[test]
fn what_was_to_begin_is_left_to_the_executions() {
    let mut shard = Shard::new(10);
    shard.lazy = true;
    shard.perform(slot(0), [run(first(PENDING))]);
    shard.lazy = false;
    shard.rebuild(|_| AdoptedState::Working);
    assert_eq!(shard.take_seen(), []);
    assert_eq!(began(&shard.reconcile(slot(0), vec![run(first(PENDING))])), [first(PENDING)]);
    assert_eq!(shard.engine.counts().running, 1);
}

#[test]
fn reports_that_came_early_are_kept_on() {
    let mut shard = Shard::new(10);
    shard.keep_early(slot(0), key(PENDING), 7);
    let early = shard.engine.take_early_reports();
    assert_eq!((early.len(), shard.engine.counts().early), (1, 0));
    shard.rebuild(|_| AdoptedState::Working);
    for report in early {
        shard.told(Input::KeepEarly(report));
    }
    let seen = shard.reconcile(slot(0), vec![open(first(PENDING))]);
    assert!(seen.contains(&Seen::GivenBack(slot(0), key(PENDING), Some(7))), "{seen:?}");
}

#[test]
fn an_outcome_that_comes_before_its_execution_is_known_again_goes_to_the_supervisor() {
    let mut shard = Shard::empty(10);
    let attempt = Attempt { slot: slot(0), dispatch: first(PENDING), handler: HandlerNo(PENDING as u16) };
    shard.futures.insert(0, attempt);
    let (started, future, state) = (shard.now, FutureNo(0), AdoptedState::Working);
    shard.tell(Input::Adopt(Adopted { attempt, started, future, state }));
    shard.end(first(PENDING), Ok("1"));
    assert!(matches!(shard.sent[..], [(Callback::Supervisor, Delivery::TaskCompleted(_))]), "{:?}", shard.sent);
}

#[test]
fn a_repeated_result_of_a_handler_that_the_predecessor_began_returns_no_permit_of_another_one() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(PENDING))]);
    shard.rebuild(|_| AdoptedState::Working);
    // The predecessor panicked over this result.
    let attempt = Attempt { slot: slot(0), dispatch: first(READY), handler: HandlerNo(READY as u16) };
    let (started, ended, result) = (shard.now, shard.now, shard.write(slot(0), "1"));
    let seen = shard.told(Input::HandlerReady { attempt, started, ended, custom_status: None, result });
    assert_eq!(seen, [Seen::Completed(slot(0), first(READY), "1".to_owned())]);
    assert_eq!(shard.engine.counts().running, 1, "the adopted handler still has the only permit");
    assert_eq!(began(&shard.perform(slot(0), [run(scoped(1, PENDING))])), []);
}

#[test]
fn early_reports_are_saved_and_given_back_when_their_tasks_open() {
    let mut shard = Shard::new(10);
    [70, 71].into_iter().for_each(|request| drop(shard.keep_early(slot(0), key(1), request)));
    shard.keep_early(slot(1), key(2), 72);
    let saved = shard.engine.take_early_reports();
    shard.rebuild(|_| AdoptedState::Working);
    assert_eq!(shard.engine.counts().early, 0);
    saved.into_iter().for_each(|report| assert_eq!(shard.told(Input::KeepEarly(report)), []));
    assert_eq!(shard.engine.counts().early, 3);
    let seen = shard.reconcile(slot(0), vec![open(first(1))]);
    let given_back = |request| Seen::GivenBack(slot(0), key(1), Some(request));
    assert_eq!(seen, [given_back(70), given_back(71), Seen::Answered(1)]);
}

#[test]
fn an_outcome_that_is_on_its_way_is_not_computed_again() {
    let mut shard = Shard::new(10);
    shard.losing = true;
    shard.perform(slot(0), [run(first(READY))]);
    shard.losing = false;
    shard.rebuild(|_| AdoptedState::Working);
    let seen = shard.reconcile(slot(0), vec![run(first(READY))]);
    let completed = Seen::Completed(slot(0), first(READY), "\"ready\"".to_owned());
    assert!(seen.contains(&completed) && began(&seen).is_empty(), "{seen:?}");
}
