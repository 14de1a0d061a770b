//! Executions that need not be kept any more.

use finale_core::fact::Terminal::{Cancelled, Completed, Failed};
use finale_core::{ExecutionId, Time};

use super::pen::Pen;
use super::stage::Stage;
use super::subject::{BEGINNING, SECOND, Subject, id};
use crate::Expired;

fn at(seconds: u32) -> Time {
    BEGINNING.after(SECOND * seconds)
}

/// Ten executions; the one with the number `n` ended at `n * 100` seconds, and the last with an open one beside it.
fn ten(stage: &Stage<'_>) -> Pen {
    let mut pen = stage.pen();
    for number in 1..=10u32 {
        // The older an execution, the later it ends: the order of the ids is not the order of the ends.
        let mut subject = Subject::new(u128::from(11 - number)).at(at(number * 100 - 1));
        pen.append(&subject.begin());
        pen.append(&subject.complete());
    }
    pen.append(&Subject::new(99).begin());
    pen.settle();
    pen
}

/// The executions that ended as the first, second and so on.
fn ended(order: impl IntoIterator<Item = u128>) -> Vec<ExecutionId> {
    order.into_iter().map(|number| id(11 - number)).collect()
}

const NOTHING: Expired = Expired { status: Completed, ended_before: None, all_but: None };

pub(super) fn by_age(stage: &Stage<'_>) {
    ten(stage);
    let before = |seconds| stage.expired(&Expired { ended_before: Some(at(seconds)), ..NOTHING }, 100);
    assert_eq!(before(450), ended(1..=4));
    assert_eq!(before(400), ended(1..=3), "that moment is not included");
    assert_eq!((before(100), before(5_000)), (vec![], ended(1..=10)));
}

pub(super) fn by_count(stage: &Stage<'_>) {
    ten(stage);
    let all_but = |kept| stage.expired(&Expired { all_but: Some(kept), ..NOTHING }, 100);
    assert_eq!(all_but(7), ended(1..=3));
    assert_eq!((all_but(10), all_but(11), all_but(u64::MAX)), (vec![], vec![], vec![]));
    assert_eq!(all_but(0), ended(1..=10));
}

pub(super) fn by_age_or_count(stage: &Stage<'_>) {
    ten(stage);
    let both = |seconds, kept| {
        stage.expired(&Expired { ended_before: Some(at(seconds)), all_but: Some(kept), ..NOTHING }, 100)
    };
    assert_eq!(both(250, 5), ended(1..=5), "too many, though not too old");
    assert_eq!(both(750, 8), ended(1..=7), "too old, though not too many");
    assert_eq!(both(50, 10), []);
}

pub(super) fn by_neither(stage: &Stage<'_>) {
    ten(stage);
    assert_eq!(stage.expired(&NOTHING, 100), []);
}

pub(super) fn no_more_come_than_are_asked_for(stage: &Stage<'_>) {
    ten(stage);
    let all = Expired { all_but: Some(2), ..NOTHING };
    assert_eq!(stage.expired(&all, 3), ended(1..=3), "those that ended first come first");
    assert_eq!((stage.expired(&all, 0), stage.expired(&all, 8)), (vec![], ended(1..=8)));
}

pub(super) fn in_steps_until_nothing_is_left(stage: &Stage<'_>) {
    let mut pen = ten(stage);
    let all_but_two = Expired { all_but: Some(2), ..NOTHING };
    let mut gone = Vec::new();
    loop {
        let batch = stage.expired(&all_but_two, 3);
        if batch.is_empty() {
            break;
        }
        pen.forget(&batch);
        pen.settle();
        gone.extend(batch);
    }
    assert_eq!(gone, ended(1..=8));
    assert_eq!(stage.live_ids(), [id(99)]);
}

pub(super) fn each_status_on_its_own(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    for number in 1..=12u32 {
        let status = [Completed, Failed, Cancelled][number as usize % 3];
        pen.append(&Subject::new(number.into()).at(at(number * 100)).whole(status));
    }
    pen.settle();
    for (status, expected) in [(Completed, [3, 6]), (Failed, [1, 4]), (Cancelled, [2, 5])] {
        let expired = stage.expired(&Expired { status, ended_before: None, all_but: Some(2) }, 100);
        assert_eq!(expired, expected.map(id), "{status:?}");
    }
}

pub(super) fn open_ones_never_expire(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    stage.written(&[subject.begin(), subject.cancel(), Subject::new(2).begin()]);
    for status in [Completed, Failed, Cancelled] {
        let all = Expired { status, ended_before: Some(at(1 << 30)), all_but: Some(0) };
        assert_eq!(stage.expired(&all, 100), []);
    }
}

pub(super) fn all_shards_count_together(stage: &Stage<'_>) {
    let epoch = stage.claim().epoch;
    let mut pens: Vec<_> = (0..3).map(|shard| stage.pen_of(epoch, shard)).collect();
    for number in 1..=9u32 {
        pens[number as usize % 3].append(&Subject::new(number.into()).at(at(number * 100)).whole(Completed));
    }
    pens.iter().for_each(Pen::settle);
    let expired = stage.expired(&Expired { all_but: Some(5), ..NOTHING }, 100);
    assert_eq!(expired, [1, 2, 3, 4].map(id));
}
