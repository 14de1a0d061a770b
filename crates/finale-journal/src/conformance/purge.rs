//! Executions that need not be kept any more, and are forgotten.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use finale_core::fact::Terminal::{self, Cancelled, Completed, Failed};
use finale_core::{ExecutionId, Time};

use super::pen::Pen;
use super::stage::Stage;
use super::subject::{BEGINNING, SECOND, Subject, id};
use crate::{Expired, Filter, JournalError, Purge, Purged, Quarantine};

const STATUSES: [Terminal; 3] = [Completed, Failed, Cancelled];
const NOTHING: Expired = Expired { ended_before: None, all_but: None };

fn at(seconds: u32) -> Time {
    BEGINNING.after(SECOND * seconds)
}

const fn all_but(kept: u64) -> Purge {
    Purge::all(Expired { ended_before: None, all_but: Some(kept) })
}

fn before(seconds: u32) -> Purge {
    Purge::all(Expired { ended_before: Some(at(seconds)), all_but: None })
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

/// Executions that ended one after the other; the number says how.
fn mixed(stage: &Stage<'_>, numbers: impl IntoIterator<Item = u32>) -> Pen {
    let mut pen = stage.pen();
    append_mixed(&mut pen, numbers);
    pen.settle();
    pen
}

fn append_mixed(pen: &mut Pen, numbers: impl IntoIterator<Item = u32>) {
    for number in numbers {
        let subject = Subject::new(number.into()).keyed(&number.to_string()).at(at(number * 100));
        pen.append(&{ subject }.whole(STATUSES[number as usize % 3]));
    }
}

fn count(stage: &Stage<'_>, status: Terminal) -> usize {
    stage.list(&Filter::new().status(status.into()).limit(1_000)).len()
}

/// Purges until nothing is left to forget.
fn all(stage: &Stage<'_>, purge: &Purge, limit: usize) -> Vec<ExecutionId> {
    let mut gone = Vec::new();
    loop {
        let Purged { executions, more } = stage.purge(purge, limit);
        assert!(executions.len() <= limit, "{} were forgotten, and {limit} were asked for", executions.len());
        gone.extend(executions);
        if !more {
            return gone;
        }
    }
}

pub(super) fn by_age(stage: &Stage<'_>) {
    let _pen = ten(stage);
    let purge = |seconds| all(stage, &before(seconds), 100);
    assert_eq!((purge(100), purge(400)), (vec![], ended(1..=3)), "that moment is not included");
    assert_eq!(purge(450), ended([4]));
    assert_eq!(purge(5_000), ended(5..=10));
    assert_eq!(stage.live_ids(), [id(99)]);
}

pub(super) fn by_count(stage: &Stage<'_>) {
    let _pen = ten(stage);
    let purge = |kept| all(stage, &all_but(kept), 100);
    assert_eq!((purge(u64::MAX), purge(11), purge(10)), (vec![], vec![], vec![]));
    assert_eq!(purge(7), ended(1..=3));
    assert_eq!(purge(7), []);
    assert_eq!(purge(0), ended(4..=10));
}

pub(super) fn by_age_or_count(stage: &Stage<'_>) {
    let _pen = ten(stage);
    let purge =
        |seconds, kept| all(stage, &Purge::all(Expired { ended_before: Some(at(seconds)), all_but: Some(kept) }), 100);
    assert_eq!(purge(50, 10), []);
    assert_eq!(purge(250, 7), ended(1..=3), "too many, though not too old");
    assert_eq!(purge(650, 7), ended(4..=6), "too old, though not too many");
}

pub(super) fn by_neither(stage: &Stage<'_>) {
    let _pen = ten(stage);
    assert_eq!(stage.purge(&Purge::default(), 100), Purged::default());
    assert_eq!(count(stage, Completed), 10);
}

pub(super) fn no_more_are_forgotten_than_are_asked_for(stage: &Stage<'_>) {
    let _pen = ten(stage);
    assert_eq!(stage.purge(&all_but(2), 0).executions, []);
    let purged = stage.purge(&all_but(2), 3);
    assert_eq!(purged, Purged { executions: ended(1..=3), more: true }, "those that ended first go first");
    assert_eq!(stage.purge(&all_but(2), 100).executions, ended(4..=8));
    assert_eq!(count(stage, Completed), 2);
}

pub(super) fn the_first_end_is_that_of_the_oldest_that_is_left(stage: &Stage<'_>) {
    assert_eq!(stage.first_end(Completed), None);
    let _pen = ten(stage);
    assert_eq!(stage.first_end(Failed), None);
    let first = stage.first_end(Completed).expect("ten have ended");
    let ends_of = |number| stage.summary(ended(number..=number)[0]).expect("it is there").completed_at;
    assert_eq!(ends_of(1), Some(first));
    stage.purge(&all_but(2), 100);
    assert_eq!(stage.first_end(Completed), ends_of(9));
    stage.purge(&all_but(0), 100);
    assert_eq!(stage.first_end(Completed), None);
}

pub(super) fn in_steps_until_nothing_is_left(stage: &Stage<'_>) {
    let _pen = ten(stage);
    assert_eq!(all(stage, &all_but(2), 3), ended(1..=8));
    assert_eq!(stage.live_ids(), [id(99)]);
}

pub(super) fn one_at_a_time(stage: &Stage<'_>) {
    let _pen = ten(stage);
    assert_eq!(all(stage, &all_but(4), 1), ended(1..=6));
}

pub(super) fn nothing_is_left_of_what_is_forgotten(stage: &Stage<'_>) {
    let _pen = mixed(stage, 1..=9);
    let gone = all(stage, &all_but(1), 100);
    assert_eq!(gone.iter().copied().collect::<BTreeSet<_>>(), (1..=6).map(id).collect());
    for number in 1..=6 {
        assert_eq!((stage.history(id(number)), stage.summary(id(number))), (None, None), "execution {number}");
        assert_eq!(stage.keyed(&number.to_string()), None, "the key of execution {number}");
    }
    for number in 7..=9 {
        assert!(stage.history(id(number)).is_some() && stage.summary(id(number)).is_some(), "execution {number}");
        assert_eq!(stage.keyed(&number.to_string()), Some(id(number)));
    }
    assert_eq!(stage.list_ids(&Filter::new()), [9, 8, 7].map(id));
}

pub(super) fn an_empty_journal_has_nothing_to_forget(stage: &Stage<'_>) {
    stage.claim();
    assert_eq!(stage.purge(&all_but(0), 100), Purged::default());
}

pub(super) fn each_status_on_its_own(stage: &Stage<'_>) {
    let _pen = mixed(stage, 1..=12);
    let purge = |purge: &dyn Fn(&mut Purge)| {
        let mut which = Purge::default();
        purge(&mut which);
        all(stage, &which, 100)
    };
    let two = Expired { all_but: Some(2), ..NOTHING };
    assert_eq!(purge(&|which| which.completed = two), [3, 6].map(id));
    assert_eq!(purge(&|which| which.cancelled = two), [2, 5].map(id));
    assert_eq!(purge(&|which| which.failed = two), [1, 4].map(id));
    assert_eq!(STATUSES.map(|status| count(stage, status)), [2; 3]);
}

pub(super) fn each_status_by_its_own_measure(stage: &Stage<'_>) {
    let _pen = mixed(stage, 1..=12);
    let purge = Purge {
        completed: Expired { all_but: Some(1), ..NOTHING },
        failed: Expired { ended_before: Some(at(500)), ..NOTHING },
        cancelled: NOTHING,
        keeps_untold: false,
    };
    let gone: BTreeSet<_> = all(stage, &purge, 100).into_iter().collect();
    assert_eq!(gone, [1, 3, 4, 6, 9].map(id).into());
    assert_eq!(STATUSES.map(|status| count(stage, status)), [1, 2, 4]);
}

pub(super) fn many_of_one_status_keep_no_other_waiting(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    for number in 1..=300u32 {
        pen.append(&Subject::new(number.into()).at(at(number)).whole(Completed));
    }
    for number in 301..=310u32 {
        pen.append(&Subject::new(number.into()).at(at(number)).whole(Failed));
        pen.append(&Subject::new(u128::from(number) + 100).at(at(number)).whole(Cancelled));
    }
    pen.settle();
    let purged = stage.purge(&all_but(0), 100);
    assert_eq!(purged.executions.len(), 100);
    assert_eq!([Failed, Cancelled].map(|status| count(stage, status)), [0, 0], "they were not kept waiting");
    assert_eq!(count(stage, Completed), 220);
}

pub(super) fn fair_in_every_order(stage: &Stage<'_>) {
    for (round, most) in (0u32..).zip(STATUSES) {
        let mut pen = stage.pen();
        let first = round * 1_000;
        for number in 1..=150 {
            pen.append(&Subject::new((first + number).into()).at(at(first + number)).whole(most));
        }
        for (number, status) in (151..).zip(STATUSES) {
            pen.append(&Subject::new((first + number).into()).at(at(first + number)).whole(status));
        }
        pen.settle();
        stage.purge(&all_but(0), 60);
        for status in STATUSES.into_iter().filter(|status| *status != most) {
            assert_eq!(count(stage, status), 0, "{status:?} beside many of {most:?}");
        }
        all(stage, &all_but(0), 100);
    }
}

pub(super) fn open_ones_never_expire(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    let mut pen = stage.written(&[subject.begin(), subject.cancel(), Subject::new(2).begin(), Subject::new(3).begin()]);
    pen.quarantine(id(3), Some(&Quarantine { reason: "it panicked".into(), until_released: true }));
    pen.settle();
    let everything = Purge::all(Expired { ended_before: Some(at(1 << 30)), all_but: Some(0) });
    assert_eq!(stage.purge(&everything, 100), Purged::default());
    assert_eq!(stage.live_ids(), [1, 2, 3].map(id));
}

pub(super) fn one_that_ends_later_expires_then(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    let mut pen = stage.written(&[subject.begin()]);
    assert_eq!(stage.purge(&all_but(0), 100).executions, []);
    pen.append(&subject.complete());
    pen.settle();
    assert_eq!(stage.purge(&all_but(0), 100).executions, [id(1)]);
}

pub(super) fn all_shards_count_together(stage: &Stage<'_>) {
    let epoch = stage.claim().epoch;
    let mut pens: Vec<_> = (0..3).map(|shard| stage.pen_of(epoch, shard)).collect();
    for number in 1..=9u32 {
        pens[number as usize % 3].append(&Subject::new(number.into()).at(at(number * 100)).whole(Completed));
    }
    pens.iter().for_each(Pen::settle);
    assert_eq!(all(stage, &all_but(5), 100), [1, 2, 3, 4].map(id));
}

pub(super) fn what_was_forgotten_by_name_does_not_count(stage: &Stage<'_>) {
    let mut pen = ten(stage);
    pen.forget(&ended([1, 9, 10]));
    pen.settle();
    assert_eq!(all(stage, &all_but(5), 100), ended([2, 3]));
    pen.forget(&ended([4, 4, 1]));
    pen.settle();
    assert_eq!(all(stage, &all_but(4), 100), []);
    assert_eq!(all(stage, &all_but(3), 100), ended([5]));
}

pub(super) fn what_was_written_off_counts_as_failed(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    for number in 1..=3u32 {
        pen.append(&Subject::new(number.into()).at(at(number)).begin());
        pen.write_off(id(number.into()), at(number * 100), "rotten");
    }
    pen.settle();
    let failed = |expired| Purge { failed: expired, ..Purge::default() };
    assert_eq!(all(stage, &failed(Expired { all_but: Some(2), ..NOTHING }), 10), [id(1)]);
    assert_eq!(all(stage, &failed(Expired { ended_before: Some(at(201)), ..NOTHING }), 10), [id(2)]);
}

pub(super) fn a_key_is_free_again_and_stays_with_whom_it_is_given(stage: &Stage<'_>) {
    let mut pen = stage.written(&[Subject::new(1).keyed("key").whole(Completed)]);
    assert_eq!(stage.purge(&all_but(0), 10).executions, [id(1)]);
    pen.append(&Subject::new(2).keyed("key").whole(Completed));
    pen.append(&Subject::new(3).whole(Completed));
    pen.settle();
    assert_eq!(stage.keyed("key"), Some(id(2)));
    assert_eq!(stage.purge(&all_but(1), 10).executions.len(), 1);
    assert_eq!(stage.list_ids(&Filter::new()).len(), 1);
}

pub(super) fn a_long_history_is_forgotten(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    let mut pen = stage.pen();
    pen.append(&subject.begin());
    for _ in 0..2_000 {
        pen.append(&subject.again());
    }
    pen.append(&subject.complete());
    pen.append(&Subject::new(2).begin());
    pen.settle();
    assert_eq!(stage.purge(&all_but(0), 10).executions, [id(1)]);
    assert_eq!((stage.history(id(1)), stage.live_ids()), (None, vec![id(2)]));
}

pub(super) fn large_facts_are_forgotten(stage: &Stage<'_>) {
    let large = finale_core::Payload::encode(&"x".repeat(1 << 20)).expect("a text is JSON");
    let mut pen = stage.pen();
    for number in 1..=4 {
        pen.append(&Subject::new(number).given(large.clone()).whole(Completed));
    }
    pen.settle();
    assert_eq!(all(stage, &all_but(1), 10).len(), 3);
    assert_eq!(count(stage, Completed), 1);
}

pub(super) fn the_next_owner_purges_what_it_found(stage: &Stage<'_>) {
    let _old = mixed(stage, 1..=9);
    let _pen = stage.pen();
    assert_eq!(all(stage, &all_but(2), 100).len(), 3);
    assert_eq!(STATUSES.map(|status| count(stage, status)), [2; 3]);
}

pub(super) fn an_old_owner_purges_nothing(stage: &Stage<'_>) {
    let old = stage.claim().epoch;
    let mut pen = stage.pen_of(old, 0);
    pen.append(&Subject::new(1).whole(Completed));
    pen.settle();
    let current = stage.claim().epoch;
    let refused = stage.journal().purge(old, &all_but(0), 10).expect_err("it is not the owner any more");
    assert_eq!(refused, JournalError::Fenced { epoch: old, current });
    assert_eq!(stage.list_ids(&Filter::new()), [id(1)]);
}

pub(super) fn others_write_meanwhile(stage: &Stage<'_>) {
    let mut pen = mixed(stage, 1..=600);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let purging = scope.spawn(|| {
            let gone = all(stage, &all_but(10), 50);
            done.store(true, Ordering::Release);
            gone
        });
        let mut number = 10_000;
        while !done.load(Ordering::Acquire) || number < 10_100 {
            let mut subject = Subject::new(number);
            pen.append(&subject.begin());
            pen.settle();
            number += 1;
        }
        let gone = purging.join().expect("the purge does not panic");
        let distinct: BTreeSet<_> = gone.iter().copied().collect();
        assert_eq!((gone.len(), distinct.len()), (570, 570), "each is forgotten once");
        assert_eq!(stage.live_ids().len() as u128, number - 10_000);
    });
    assert_eq!(STATUSES.map(|status| count(stage, status)), [10; 3]);
}

pub(super) fn two_purges_forget_each_execution_once(stage: &Stage<'_>) {
    let _pen = mixed(stage, 1..=300);
    let gone: Vec<_> = thread::scope(|scope| {
        let purges: Vec<_> = (0..2).map(|_| scope.spawn(|| all(stage, &all_but(0), 7))).collect();
        purges.into_iter().flat_map(|purge| purge.join().expect("a purge does not panic")).collect()
    });
    let distinct: BTreeSet<_> = gone.iter().copied().collect();
    assert_eq!(distinct.len(), 300);
    assert!(stage.list_ids(&Filter::new()).is_empty());
}

pub(super) fn the_bound_holds_over_many_rounds(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    for round in 0..30u32 {
        append_mixed(&mut pen, round * 100 + 1..=round * 100 + 60);
        pen.settle();
        all(stage, &all_but(15), 25);
        assert_eq!(STATUSES.map(|status| count(stage, status)), [15; 3], "round {round}");
    }
    let newest: BTreeSet<_> = stage.list_ids(&Filter::new()).into_iter().collect();
    assert_eq!(newest, (2_916..=2_960).map(id).collect(), "those that ended last are kept");
}

pub(super) fn an_end_that_came_out_of_order_is_in_its_place(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    for (number, seconds) in [(1, 500), (2, 100), (3, 300), (4, 200), (5, 400)] {
        pen.append(&Subject::new(number).at(at(seconds)).whole(Cancelled));
    }
    pen.settle();
    assert_eq!(all(stage, &all_but(0), 2), [2, 4, 3, 5, 1].map(id));
}

pub(super) fn many_that_ended_at_the_same_moment(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    for number in 1..=50 {
        pen.append(&Subject::new(number).at(at(100)).whole(Completed));
    }
    pen.settle();
    assert_eq!(all(stage, &before(1), 7), []);
    assert_eq!(all(stage, &all_but(20), 7).len(), 30);
    assert_eq!(all(stage, &before(1_000), 7).len(), 20);
}

pub(super) fn a_summary_and_a_list_never_disagree_meanwhile(stage: &Stage<'_>) {
    let _pen = mixed(stage, 1..=120);
    thread::scope(|scope| {
        let purging = scope.spawn(|| all(stage, &all_but(5), 3));
        while !purging.is_finished() {
            for listed in stage.list(&Filter::new().limit(1_000)) {
                let now = stage.summary(listed.id);
                assert!(now.is_none() || now == Some(listed), "a summary does not change when others are forgotten");
            }
        }
        assert_eq!(purging.join().expect("the purge does not panic").len(), 105);
    });
}

pub(super) fn it_stays_forgotten_when_something_was_acknowledged_later(
    stage: &mut Stage<'_>,
) -> Result<(), super::Skipped> {
    let mut pen = mixed(stage, 1..=9);
    let gone = all(stage, &all_but(1), 100);
    pen.append(&Subject::new(100).begin());
    pen.settle();
    stage.crash([pen])?;
    for execution in gone {
        assert_eq!((stage.history(execution), stage.summary(execution)), (None, None));
    }
    assert_eq!(STATUSES.map(|status| count(stage, status)), [1; 3]);
    stage.claim();
    assert_eq!(all(stage, &all_but(1), 100), [], "the next process counts right");
    Ok(())
}

pub(super) fn a_purge_that_was_cut_off_is_gone_on_with(stage: &mut Stage<'_>) -> Result<(), super::Skipped> {
    let pen = mixed(stage, 1..=90);
    stage.purge(&all_but(5), 20);
    stage.crash([pen])?;
    stage.claim();
    all(stage, &all_but(5), 1_000);
    assert_eq!(STATUSES.map(|status| count(stage, status)), [5; 3]);
    Ok(())
}

pub(super) fn the_next_process_counts_right(stage: &mut Stage<'_>) -> Result<(), super::Skipped> {
    let pen = mixed(stage, 1..=30);
    all(stage, &all_but(8), 100);
    stage.reopen([pen])?;
    let mut pen = stage.pen();
    append_mixed(&mut pen, 100..=105);
    pen.settle();
    assert_eq!(all(stage, &all_but(8), 100).len(), 6);
    assert_eq!(STATUSES.map(|status| count(stage, status)), [8; 3]);
    Ok(())
}
