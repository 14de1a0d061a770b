//! Who looks at a task that waits for permits sees where in the queue it is.

use std::collections::VecDeque;

use super::*;
use crate::task_engine::queue::{Queue, Queued};

/// The positions of what an execution has in queues.
fn positions(shard: &Shard, slot: Slot) -> Vec<(Dispatch, LimitNo, usize)> {
    shard.engine.queued(slot).iter().map(|it| (it.dispatch, it.limit, it.position)).collect()
}

#[test]
fn a_task_that_waits_has_a_position_in_the_queue_of_its_limit() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(LIMITED)), run(scoped(1, LIMITED))]);
    shard.perform(slot(1), [run(first(LIMITED)), run(first(PENDING))]);
    assert_eq!(positions(&shard, slot(0)), [(scoped(1, LIMITED), LIMITED_TO_ONE, 1)]);
    assert_eq!(positions(&shard, slot(1)), [(first(LIMITED), LIMITED_TO_ONE, 2)]);
    shard.end(first(LIMITED), Ok("1"));
    assert_eq!(positions(&shard, slot(0)), []);
    assert_eq!(positions(&shard, slot(1)), [(first(LIMITED), LIMITED_TO_ONE, 1)]);
}

#[test]
fn where_the_runtime_is_full_the_older_tasks_of_all_handlers_are_before() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(PENDING)), run(first(LIMITED)), run(scoped(1, PENDING))]);
    shard.perform(slot(1), [run(first(LIMITED)), run(first(PENDING))]);
    let expected = [(first(PENDING), LimitNo::RUNTIME, 4), (first(LIMITED), LimitNo::RUNTIME, 3)];
    assert_eq!(positions(&shard, slot(1)), expected);
}

#[test]
fn a_task_that_is_called_off_moves_those_behind_it_up() {
    let mut shard = Shard::new(1);
    let all: Vec<_> = (0..2_000).map(|scope| scoped(scope, PENDING)).collect();
    shard.perform(slot(0), all.iter().copied().map(run));
    shard.perform(slot(1), [run(first(PENDING))]);
    assert_eq!(positions(&shard, slot(1)), [(first(PENDING), LimitNo::RUNTIME, 2_000)]);
    // Every second one, so that empty entries are all over the queue, and it is compacted on the way.
    for (called_off, dispatch) in (1..).zip(all.iter().skip(1).step_by(2)) {
        shard.perform(slot(0), [stop(*dispatch)]);
        assert_eq!(positions(&shard, slot(1)), [(first(PENDING), LimitNo::RUNTIME, 2_000 - called_off)]);
    }
    // The rest begins in its order.
    let mut at_work = all[0];
    for dispatch in all.iter().skip(2).step_by(2) {
        assert_eq!(began(&shard.end(at_work, Ok("1"))), [*dispatch]);
        at_work = *dispatch;
    }
    assert_eq!(positions(&shard, slot(1)), [(first(PENDING), LimitNo::RUNTIME, 1)]);
}

#[test]
fn a_queue_of_which_nothing_but_the_last_is_left_still_knows_its_positions() {
    let mut shard = Shard::new(1);
    let all: Vec<_> = (0..5_000).map(|scope| scoped(scope, PENDING)).collect();
    shard.perform(slot(0), all.iter().copied().map(run));
    // All but the first, which is at work, the second and the last.
    shard.perform(slot(0), all[2..4_999].iter().copied().map(stop));
    let expected = [(all[1], LimitNo::RUNTIME, 1), (all[4_999], LimitNo::RUNTIME, 2)];
    assert_eq!(positions(&shard, slot(0)), expected);
    assert_eq!(began(&shard.end(all[0], Ok("1"))), [all[1]]);
    assert_eq!(positions(&shard, slot(0)), expected[1..].iter().map(|it| (it.0, it.1, 1)).collect::<Vec<_>>());
}

#[test]
fn since_when_a_task_waits_is_known() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), [run(first(PENDING))]);
    let since = shard.now;
    shard.perform(slot(0), [run(first(LIMITED))]);
    shard.advance(Duration::from_secs(60));
    assert_eq!(shard.engine.queued(slot(0))[0].since, since);
}

#[test]
fn a_queue_in_which_nobody_ever_begins_does_not_grow_by_what_was_called_off() {
    let attempt =
        |number: u64| Attempt { slot: slot(0), dispatch: scoped(number as u32, PENDING), handler: HandlerNo(1) };
    let mut queue = Queue::default();
    for number in 0..10_000 {
        queue.push(number, Queued { attempt: attempt(number), input: None, since: Time::from_micros(0), timer: None });
        if number > 0 {
            assert!(queue.remove(number).is_some() && queue.remove(number).is_none());
        }
        assert_eq!((queue.len(), queue.oldest(), queue.before(number + 1)), (1, Some(0), 1));
        assert!(queue.entries() < 2_000, "{} entries for one task", queue.entries());
    }
}

fn put_first(dispatch: Dispatch) -> Effect {
    Effect::PutFirst { dispatch }
}

#[test]
fn a_task_that_is_put_first_begins_before_all_others_that_wait_and_beyond_no_limit() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(LIMITED)), run(scoped(1, LIMITED)), run(scoped(2, LIMITED))]);
    shard.perform(slot(1), [run(first(LIMITED)), run(scoped(1, LIMITED))]);
    assert_eq!(began(&shard.perform(slot(1), [put_first(scoped(1, LIMITED))])), [], "beyond no limit");
    assert_eq!(positions(&shard, slot(1))[1], (scoped(1, LIMITED), LIMITED_TO_ONE, 1));
    shard.perform(slot(0), [put_first(scoped(2, LIMITED))]);
    let expected = [(scoped(1, LIMITED), LIMITED_TO_ONE, 3), (scoped(2, LIMITED), LIMITED_TO_ONE, 1)];
    assert_eq!(positions(&shard, slot(0)), expected, "the last one that is put first is the first");
    // What has begun, what does not wait and what is not there is left alone.
    let others = [first(LIMITED), first(PENDING), scoped(9, LIMITED)];
    assert_eq!(shard.perform(slot(0), others.map(put_first)), [Seen::Answered(1)]);

    let mut order = vec![];
    order.extend(began(&shard.end(first(LIMITED), Ok("1"))));
    order.extend(began(&shard.end(scoped(2, LIMITED), Ok("1"))));
    order.extend(began(&shard.end_of(slot(1), scoped(1, LIMITED), Ok("1"))));
    assert_eq!(order, [scoped(2, LIMITED), scoped(1, LIMITED), scoped(1, LIMITED)]);
}

#[test]
fn a_task_that_is_put_first_may_wait_no_longer_than_before() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [run(first(LIMITED)), run(first(HASTY))]);
    shard.advance(ATTEMPT_MAX / 2);
    shard.perform(slot(0), [put_first(first(HASTY))]);
    let seen = shard.advance(ATTEMPT_MAX / 2);
    assert!(matches!(&seen[..], [Seen::Failed(_, _, FailureClass::TimedOut, _)]), "{seen:?}");
}

/// Compares the queue with a plain list.
#[test]
fn a_queue_keeps_its_order_whatever_is_put_first_and_removed() {
    let attempt = Attempt { slot: slot(0), dispatch: first(PENDING), handler: HandlerNo(1) };
    let queued = || Queued { attempt, input: None, since: Time::from_micros(0), timer: None };
    let (mut queue, mut list) = (Queue::default(), VecDeque::new());
    let (mut first, mut last, mut drawn) = (1_000_000_u64, 1_000_000_u64, 7_u64);
    for _ in 0..20_000 {
        drawn = drawn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (what, which) = ((drawn >> 40) % 8, (drawn >> 20) as usize);
        match what {
            0..=2 => {
                last += 1;
                queue.push(last, queued());
                list.push_back(last);
            }
            3 | 4 => {
                first -= 1;
                queue.push_first(first, queued());
                list.push_front(first);
            }
            5 => assert_eq!(queue.pop().is_some(), list.pop_front().is_some()),
            _ if list.is_empty() => {}
            _ => {
                let number = list.remove(which % list.len()).unwrap();
                assert!(queue.remove(number).is_some());
            }
        }
        assert_eq!((queue.len(), queue.oldest()), (list.len(), list.front().copied()));
        if !list.is_empty() {
            let index = which % list.len();
            assert_eq!(queue.before(list[index]), index);
        }
    }
}
