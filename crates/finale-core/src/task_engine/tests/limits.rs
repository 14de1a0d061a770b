//! No more handlers are at work than the limits allow, and what waits begins oldest first.

use super::*;

#[test]
fn no_more_handlers_are_at_work_than_the_runtime_allows() {
    let mut shard = Shard::new(2);
    let all: Vec<_> = (0..4).map(|scope| scoped(scope, PENDING)).collect();
    let seen = shard.perform(slot(0), all.iter().copied().map(run));
    assert_eq!(began(&seen), all[..2]);
    let seen = shard.end(all[1], Ok("1"));
    assert_eq!(began(&seen), all[2..3]);
    let seen = shard.end(all[0], Err("no"));
    assert_eq!(began(&seen), all[3..]);
    shard.end(all[2], Ok("1"));
    shard.end(all[3], Ok("1"));
    assert_eq!(shard.engine.counts(), Counts::default());
}

#[test]
fn handlers_that_are_ready_at_once_begin_one_after_the_other_under_a_limit() {
    let mut shard = Shard::new(10);
    let all: Vec<_> = (0..50).map(|scope| scoped(scope, LIMITED_READY)).collect();
    let seen = shard.perform(slot(0), all.iter().copied().map(run));
    assert_eq!(began(&seen), all);
    assert_eq!(shard.engine.counts(), Counts::default());
}

#[test]
fn a_task_whose_handler_is_at_its_limit_stands_in_nobody_elses_way() {
    let mut shard = Shard::new(10);
    let seen = shard.perform(slot(0), [run(first(LIMITED)), run(scoped(1, LIMITED)), run(first(PENDING))]);
    assert_eq!(began(&seen), [first(LIMITED), first(PENDING)]);
    // Another handler with the same limit waits behind it.
    let seen = shard.perform(slot(1), [run(first(LIMITED_READY))]);
    assert_eq!(began(&seen), []);
    let seen = shard.end(first(LIMITED), Ok("1"));
    assert_eq!(began(&seen), [scoped(1, LIMITED)]);
    let seen = shard.end(scoped(1, LIMITED), Ok("1"));
    assert_eq!(began(&seen), [first(LIMITED_READY)]);
}

#[test]
fn a_limit_that_there_is_not_is_none() {
    let mut options = options();
    options.handlers[PENDING as usize].limit = Some(LimitNo(7));
    options.handlers[READY as usize].limit = Some(LimitNo::RUNTIME);
    let mut shard = Shard::new(2);
    shard.engine = TaskEngine::new(Options { limits: 0, ..options });
    shard.tell(Input::Define { definition: DefinitionNo(0), nodes: nodes() });
    shard.register(slot(0), 0);
    let seen = shard.perform(slot(0), [run(first(READY)), run(first(PENDING)), run(first(LIMITED))]);
    assert_eq!(began(&seen).len(), 3);
    shard.end(first(PENDING), Ok("1"));
    shard.end(first(LIMITED), Ok("1"));
    assert_eq!(shard.engine.counts(), Counts::default());
}

#[test]
fn both_limits_are_kept_at_once() {
    let mut shard = Shard::new(1);
    let seen = shard.perform(slot(0), [run(first(PENDING)), run(first(LIMITED))]);
    assert_eq!(began(&seen), [first(PENDING)]);
    // The permit of the limited handler is not held by one who waits for the runtime.
    let seen = shard.end(first(PENDING), Ok("1"));
    assert_eq!(began(&seen), [first(LIMITED)]);
    let seen = shard.perform(slot(0), [run(scoped(1, LIMITED)), run(scoped(1, PENDING))]);
    assert_eq!(began(&seen), []);
    let seen = shard.end(first(LIMITED), Ok("1"));
    assert_eq!(began(&seen), [scoped(1, LIMITED)]);
}

#[test]
fn of_all_queues_the_oldest_task_is_first() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(PENDING))]);
    let waiting = [scoped(1, LIMITED), scoped(2, PENDING), scoped(3, LIMITED), scoped(4, PENDING)];
    for dispatch in waiting {
        assert_eq!(began(&shard.perform(slot(1), [run(dispatch)])), []);
    }
    let mut at_work = (slot(0), first(PENDING));
    for dispatch in waiting {
        assert_eq!(began(&shard.end_of(at_work.0, at_work.1, Ok("1"))), [dispatch]);
        at_work = (slot(1), dispatch);
    }
}

#[test]
fn a_permit_comes_back_whatever_became_of_its_handler() {
    let mut shard = Shard::new(1);
    let mut next = 0;
    let mut begin = |shard: &mut Shard| {
        next += 1;
        let dispatch = scoped(next, PENDING);
        assert_eq!(began(&shard.perform(slot(0), [run(dispatch)])), [dispatch]);
        dispatch
    };
    let dispatch = begin(&mut shard);
    shard.end(dispatch, Err("no"));
    let dispatch = begin(&mut shard);
    shard.perform(slot(0), [forget(dispatch)]);
    let dispatch = begin(&mut shard);
    shard.perform(slot(0), [stop(dispatch)]);
    shard.advance(GRACE);
    let hurried = scoped(1, HURRIED);
    assert_eq!(began(&shard.perform(slot(0), [run(hurried)])), [hurried]);
    shard.advance(ATTEMPT_MAX);
    begin(&mut shard);
    shard.told(Input::Deregister { slot: slot(0), status: crate::ExecutionStatus::Failed });
    assert_eq!(shard.engine.counts(), Counts::default());
}

#[test]
fn nobody_begins_between_two_effects_of_one_message() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(PENDING)), run(scoped(1, PENDING)), run(scoped(2, PENDING))]);
    // The first gives its permit back, and the second is called off in the same message: it must not have begun.
    let seen = shard.perform(slot(0), [forget(first(PENDING)), stop(scoped(1, PENDING))]);
    assert_eq!(began(&seen), [scoped(2, PENDING)]);
}

#[test]
fn permits_that_another_shard_wants_go_to_it_as_they_come_back() {
    let mut shard = Shard::new(3);
    shard.perform(slot(0), [run(first(PENDING)), run(scoped(1, PENDING))]);
    // One is unused and goes at once, the other with the next handler that ends.
    shard.told(Input::PermitsWanted { limit: LimitNo::RUNTIME, wanted: 2 });
    assert_eq!(shard.pool.held(ShardNo(0), LimitNo::RUNTIME), 2);
    shard.end(first(PENDING), Ok("1"));
    assert_eq!(shard.pool.held(ShardNo(0), LimitNo::RUNTIME), 1);
    shard.end(scoped(1, PENDING), Ok("1"));
    assert_eq!(shard.pool.held(ShardNo(0), LimitNo::RUNTIME), 1);
}

#[test]
fn a_shard_that_got_no_permits_asks_again_only_when_there_may_be_some() {
    let mut shard = Shard::new(1);
    // Another shard has them all.
    let mut elsewhere = PermitPool::new([1, 1], 2);
    std::mem::swap(&mut shard.pool, &mut elsewhere);
    assert_eq!(shard.pool.take(ShardNo(1), LimitNo::RUNTIME).permits, 1);
    assert_eq!(began(&shard.perform(slot(0), [run(first(PENDING))])), []);
    shard.engine.handle(shard.now, Input::Wake, &mut shard.out);
    assert_eq!(shard.out.permits, [], "it was told that there are none");
    assert_eq!(shard.pool.give(ShardNo(1), LimitNo::RUNTIME, 1), [ShardNo(0)]);
    let seen = shard.told(Input::PermitsAvailable { limit: LimitNo::RUNTIME });
    assert_eq!(began(&seen), [first(PENDING)]);
}
