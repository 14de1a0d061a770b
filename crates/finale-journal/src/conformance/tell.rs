//! Ends that somebody has still to be told of.

use std::collections::{BTreeMap, BTreeSet};

use finale_core::ExecutionId;
use finale_core::Time;
use finale_core::fact::Terminal::{self, Cancelled, Completed, Failed};

use super::Skipped;
use super::pen::Pen;
use super::stage::Stage;
use super::subject::{Stands, Step, Subject, id};
use crate::{Expired, JournalError, Purge};

type Case = Result<(), Skipped>;

const EVERYTHING: Purge = Purge::all(Expired { ended_before: None, all_but: Some(0) });
const KEEPING: Purge = Purge { keeps_untold: true, ..EVERYTHING };

fn ids(numbers: impl IntoIterator<Item = u128>) -> Vec<ExecutionId> {
    numbers.into_iter().map(id).collect()
}

/// All that are to be told.
fn untold(stage: &Stage<'_>) -> Vec<ExecutionId> {
    stage.untold(None, 10_000)
}

/// An execution that has ended, of whose end somebody has to be told.
fn to_tell(number: u128) -> Step {
    Subject::new(number).told_of().whole(Completed)
}

/// Executions with these numbers that have ended, of whose ends somebody has to be told.
fn ended(stage: &Stage<'_>, numbers: impl IntoIterator<Item = u128>) -> Pen {
    let steps: Vec<_> = numbers.into_iter().map(to_tell).collect();
    stage.written(&steps)
}

fn told(pen: &mut Pen, numbers: impl IntoIterator<Item = u128>) {
    pen.told(&ids(numbers));
    pen.settle();
}

pub(super) fn nobody_is_to_be_told_where_nobody_asked_for_it(stage: &Stage<'_>) {
    let mut pen = stage.written(&[Subject::new(1).whole(Completed), Subject::new(2).begin()]);
    pen.write_off(id(2), Time::default(), "rotten");
    pen.settle();
    assert_eq!(untold(stage), []);
}

pub(super) fn it_is_kept_with_the_end(stage: &Stage<'_>) {
    let (mut told, mut silent) = (Subject::new(1).told_of(), Subject::new(2));
    stage.written(&[told.begin(), silent.begin(), told.again(), told.complete(), silent.complete()]);
    assert_eq!(untold(stage), [id(1)]);
    assert_eq!(stage.summary(id(1)), Some(told.summary()));
}

pub(super) fn of_every_kind_of_end(stage: &Stage<'_>) {
    let mut subjects: Vec<_> = (1..=3).map(|number| Subject::new(number).told_of()).collect();
    let mut pen = stage.pen();
    for subject in &mut subjects {
        pen.append(&subject.begin());
    }
    pen.append(&subjects[0].complete());
    pen.append(&subjects[1].fail("broken"));
    pen.append(&subjects[2].cancel());
    pen.append(&subjects[2].stopped());
    pen.settle();
    assert_eq!(untold(stage), ids(1..=3));
}

pub(super) fn of_one_that_began_and_ended_at_once(stage: &Stage<'_>) {
    let steps = [Completed, Failed, Cancelled].into_iter().zip(1..);
    let steps: Vec<_> = steps.map(|(end, number)| Subject::new(number).told_of().whole(end)).collect();
    stage.written(&steps);
    assert_eq!(untold(stage), ids(1..=3));
}

pub(super) fn what_has_not_ended_is_not_to_be_told(stage: &Stage<'_>) {
    let (mut running, mut ending) = (Subject::new(1).told_of(), Subject::new(2).told_of());
    stage.written(&[running.begin(), ending.begin(), ending.cancel()]);
    assert_eq!(untold(stage), []);
}

pub(super) fn an_end_that_is_refused_is_not_to_be_told(stage: &Stage<'_>) {
    let (mut silent, mut open) = (Subject::new(1), Subject::new(2).told_of());
    let mut pen = stage.written(&[silent.whole(Completed), open.begin()]);
    assert_eq!(pen.refused(&to_tell(1)), JournalError::Ended(id(1)));
    let ahead = Step { first_sequence: 9, ..open.complete() };
    assert!(matches!(pen.refused(&ahead), JournalError::Gap { .. }));
    pen.settle();
    assert_eq!(untold(stage), []);
}

pub(super) fn of_one_that_was_written_off(stage: &Stage<'_>) {
    let mut pen = stage.written(&[Subject::new(1).begin(), Subject::new(2).whole(Completed)]);
    for number in 1..=3 {
        pen.write_off_to_tell(id(number), Time::from_micros(5), "rotten");
    }
    pen.settle();
    assert_eq!(untold(stage), [id(1)], "one has ended before, and one is unknown");
    told(&mut pen, [1]);
    assert_eq!(untold(stage), []);
}

pub(super) fn what_was_told_is_not_told_again(stage: &Stage<'_>) {
    let mut subject = Subject::new(1).told_of();
    let mut pen = stage.written(&[subject.begin(), subject.complete(), to_tell(2)]);
    told(&mut pen, [1]);
    assert_eq!(untold(stage), [id(2)]);
    assert_eq!(stage.summary(id(1)), Some(subject.summary()), "nothing else of it has changed");
    assert_eq!(stage.history(id(1)).as_deref(), Some(subject.history()));
    told(&mut pen, [1]);
    assert_eq!(untold(stage), [id(2)], "a second time changes nothing");
}

pub(super) fn of_many_at_once(stage: &Stage<'_>) {
    let mut pen = ended(stage, 1..=3_000);
    told(&mut pen, (1..=3_000).filter(|number| number % 3 > 0));
    assert_eq!(untold(stage), ids((1..=1_000).map(|number| number * 3)));
}

pub(super) fn whoever_was_not_to_be_told_is_left_alone(stage: &Stage<'_>) {
    let (mut open, mut silent) = (Subject::new(1).told_of(), Subject::new(2));
    let mut pen = stage.written(&[open.begin(), silent.whole(Completed), to_tell(3)]);
    told(&mut pen, [1, 2, 4]);
    pen.told(&[]);
    pen.settle();
    assert_eq!(untold(stage), [id(3)]);
    assert_eq!((stage.summary(id(1)), stage.summary(id(2))), (Some(open.summary()), Some(silent.summary())));
    assert_eq!((stage.summary(id(4)), stage.history(id(4))), (None, None));
    assert_eq!(stage.live_ids(), [id(1)]);
}

pub(super) fn what_is_told_before_the_end_does_not_count(stage: &Stage<'_>) {
    let mut subject = Subject::new(1).told_of();
    let mut pen = stage.written(&[subject.begin()]);
    pen.told(&[id(1), id(2)]);
    pen.append(&subject.complete());
    pen.append(&to_tell(2));
    pen.settle();
    assert_eq!(untold(stage), ids(1..=2));
    told(&mut pen, [2]);
    assert_eq!(untold(stage), [id(1)]);
}

pub(super) fn they_come_page_by_page(stage: &Stage<'_>) {
    // They end in another order than that of their ids, and some were told.
    let mut pen = ended(stage, (1..=40).map(|number| (number * 23) % 41));
    told(&mut pen, [7, 8, 20]);
    let mut expected = ids((1..=40).filter(|number| ![7, 8, 20].contains(number)));
    let mut found = Vec::new();
    loop {
        let page = stage.untold(found.last().copied(), 5);
        assert!(page.len() <= 5, "{} came", page.len());
        if page.is_empty() {
            break;
        }
        found.extend(page);
        assert!(found.len() <= expected.len(), "more come than there are");
    }
    assert_eq!(found, expected);
    assert_eq!(stage.untold(Some(id(20)), 1), [id(21)], "a page begins after an id that is none of them");
    assert_eq!(stage.untold(None, 0), []);
    told(&mut pen, [1, 40]);
    expected.retain(|untold| ![id(1), id(40)].contains(untold));
    assert_eq!(untold(stage), expected);
}

pub(super) fn a_purge_keeps_what_is_to_be_told(stage: &Stage<'_>) {
    let mut subject = Subject::new(1).told_of();
    stage.written(&[subject.whole(Failed), Subject::new(2).whole(Failed), to_tell(3)]);
    let old =
        Purge::all(Expired { ended_before: Some(subject.now().after(super::subject::SECOND * 9_999)), all_but: None });
    for purge in [KEEPING, Purge { keeps_untold: true, ..old }] {
        loop {
            let purged = stage.purge(&purge, 1);
            assert!(!purged.executions.contains(&id(1)) && !purged.executions.contains(&id(3)), "{purged:?}");
            if !purged.more {
                break;
            }
        }
        assert_eq!(stage.status(id(2)), None, "what nobody is to be told of goes, whatever is before it");
        assert_eq!(stage.summary(id(1)), Some(subject.summary()));
        assert_eq!(untold(stage), [id(1), id(3)]);
    }
}

pub(super) fn they_count_among_those_that_are_kept(stage: &Stage<'_>) {
    let mut pen = ended(stage, [1]);
    for number in 2..=6 {
        pen.append(&Subject::new(number).whole(Completed));
    }
    pen.settle();
    let keeping = |kept| {
        let expired = Purge::all(Expired { ended_before: None, all_but: Some(kept) });
        Purge { keeps_untold: true, ..expired }
    };
    assert_eq!(stage.purge(&keeping(4), 10).executions, [id(2)], "the four that ended last, and the one to be told");
    assert_eq!(stage.purge(&keeping(4), 10).executions, []);
    told(&mut pen, [1]);
    assert_eq!(stage.purge(&keeping(4), 10).executions, [id(1)]);
    assert_eq!(stage.purge(&keeping(4), 10).executions, []);
}

pub(super) fn a_purge_that_does_not_ask_forgets_them(stage: &Stage<'_>) {
    let _pen = ended(stage, 1..=3);
    assert_eq!(stage.purge(&EVERYTHING, 10).executions, ids(1..=3));
    assert_eq!(untold(stage), []);
}

pub(super) fn what_was_told_expires_like_any_other(stage: &Stage<'_>) {
    let mut pen = ended(stage, 1..=3);
    assert_eq!(stage.purge(&KEEPING, 10).executions, []);
    told(&mut pen, 1..=2);
    assert_eq!(stage.purge(&KEEPING, 10).executions, ids(1..=2));
    assert_eq!(untold(stage), [id(3)]);
}

pub(super) fn what_many_were_before_expires_and_they_do_when_they_were_told(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    for number in 1..=2_000 {
        let subject = Subject::new(number).at(Time::from_micros(number as i64));
        pen.append(&{ if number % 500 == 0 { subject } else { subject.told_of() } }.whole(Completed));
    }
    pen.settle();
    assert_eq!(purged(stage, &KEEPING, 3), ids([500, 1_000, 1_500, 2_000]));
    assert_eq!(stage.purge(&KEEPING, 10).executions, []);
    told(&mut pen, [1_999, 3, 777]);
    assert_eq!(purged(stage, &KEEPING, 10), ids([3, 777, 1_999]));
    pen.append(&Subject::new(3_000).at(Time::from_micros(1)).whole(Completed));
    pen.append(&Subject::new(3_001).at(Time::from_micros(4_000)).whole(Completed));
    told(&mut pen, [2]);
    assert_eq!(purged(stage, &KEEPING, 1).len(), 3, "also one whose clock was behind");
    assert_eq!(untold(stage).len(), 1_996 - 4);
}

/// Purges until nothing is left to forget.
fn purged(stage: &Stage<'_>, purge: &Purge, limit: usize) -> Vec<ExecutionId> {
    let mut gone = Vec::new();
    loop {
        let purged = stage.purge(purge, limit);
        gone.extend(purged.executions);
        if !purged.more {
            return gone;
        }
    }
}

/// What a purge forgets in the end, of executions with their ends and whether somebody has still to be told.
fn expired(kept: &mut BTreeMap<(i64, u128), bool>, purge: &Purge) -> BTreeSet<ExecutionId> {
    let Expired { ended_before, all_but } = purge.completed;
    let beyond = all_but.map_or(0, |all_but| kept.len().saturating_sub(all_but as usize));
    let (mut gone, mut place) = (BTreeSet::new(), 0);
    kept.retain(|(at, number), is_untold| {
        place += 1;
        let has_expired = place <= beyond || ended_before.is_some_and(|before| *at < before.as_micros());
        let goes = has_expired && !(purge.keeps_untold && *is_untold);
        gone.extend(goes.then(|| id(*number)));
        !goes
    });
    gone
}

pub(super) fn purges_between_all_that_can_happen(stage: &Stage<'_>) {
    let mut random = 1_u64;
    let mut dice = |sides: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % sides
    };
    let mut pen = stage.pen();
    let mut kept = BTreeMap::new();
    for number in 1..=600_u128 {
        // Most end later than the ones before.
        let late = if dice(4) == 0 { dice(300) } else { 0 };
        let at = (number as i64) * 1_000 - (late as i64) * 1_000 - (number % 999) as i64;
        let is_untold = dice(3) > 0;
        let subject = Subject::new(number).at(Time::from_micros(at));
        let step = { if is_untold { subject.told_of() } else { subject } }.whole(Completed);
        pen.append(&step);
        let Stands::Ended { at, .. } = step.standing else { panic!("it has ended") };
        kept.insert((at.as_micros(), number), is_untold);
        let chosen = kept.keys().copied().nth(dice(kept.len() as u64) as usize);
        let Some(chosen) = chosen else { continue };
        match dice(12) {
            0..=3 => {
                pen.told(&[id(chosen.1)]);
                kept.insert(chosen, false);
            }
            4 => {
                pen.forget(&[id(chosen.1)]);
                kept.remove(&chosen);
            }
            5..=8 => {
                pen.settle();
                let all_but = (dice(2) == 0).then(|| dice(kept.len() as u64 + 1));
                let ended_before = (dice(3) == 0).then(|| Time::from_micros(chosen.0));
                let keeps_untold = dice(12) > 0;
                let purge = Purge { keeps_untold, ..Purge::all(Expired { ended_before, all_but }) };
                let gone: BTreeSet<_> = purged(stage, &purge, dice(9) as usize + 1).into_iter().collect();
                assert_eq!(gone, expired(&mut kept, &purge), "after {number}: {purge:?}");
            }
            _ => {}
        }
    }
}

pub(super) fn what_is_forgotten_is_not_told(stage: &Stage<'_>) {
    let mut pen = ended(stage, 1..=3);
    pen.append(&to_tell(4));
    pen.forget(&ids([1, 4]));
    pen.settle();
    assert_eq!(untold(stage), ids(2..=3));
}

pub(super) fn a_forgotten_id_that_begins_again_has_nothing_to_tell(stage: &Stage<'_>) {
    let mut pen = ended(stage, 1..=2);
    pen.forget(&[id(1)]);
    pen.settle();
    pen.append(&Subject::new(1).whole(Completed));
    pen.settle();
    assert_eq!(untold(stage), [id(2)]);
    pen.forget(&[id(1)]);
    pen.told(&[id(1)]);
    pen.settle();
    pen.append(&to_tell(1));
    pen.settle();
    assert_eq!(untold(stage), ids(1..=2));
}

pub(super) fn any_shard_tells_for_all(stage: &Stage<'_>) {
    let epoch = stage.claim().epoch;
    let (mut one, mut other) = (stage.pen_of(epoch, 0), stage.pen_of(epoch, 1));
    one.append(&to_tell(1));
    other.append(&to_tell(2));
    one.settle();
    other.settle();
    assert_eq!(untold(stage), ids(1..=2));
    told(&mut one, 1..=2);
    assert_eq!(untold(stage), []);
}

pub(super) fn the_next_owner_finds_what_is_to_be_told(stage: &Stage<'_>) {
    let mut pen = ended(stage, 1..=3);
    told(&mut pen, [2]);
    let mut pen = stage.pen();
    assert_eq!(untold(stage), ids([1, 3]));
    pen.append(&to_tell(4));
    told(&mut pen, [1]);
    assert_eq!(untold(stage), ids(3..=4));
}

pub(super) fn an_old_writer_is_refused(stage: &Stage<'_>) {
    let old = stage.claim().epoch;
    let mut pen = stage.pen_of(old, 0);
    pen.append(&to_tell(1));
    pen.settle();
    let current = stage.claim().epoch;
    assert_eq!(pen.try_told(&[id(1)]), Err(JournalError::Fenced { epoch: old, current }));
    assert_eq!(untold(stage), [id(1)]);
}

/// Ends of all kinds, one of which was told, and one that was written off.
fn of_all_kinds(stage: &Stage<'_>) -> Pen {
    let ends: [Terminal; 3] = [Completed, Failed, Cancelled];
    let mut pen = stage.pen();
    for (end, number) in ends.into_iter().zip(1..) {
        let mut subject = Subject::new(number).told_of();
        pen.append(&subject.begin());
        pen.append(&Subject::new(number + 10).told_of().whole(end));
        pen.append(&subject.complete());
    }
    pen.append(&Subject::new(20).begin());
    pen.write_off_to_tell(id(20), Time::from_micros(5), "rotten");
    told(&mut pen, [2]);
    pen
}

const OF_ALL_KINDS: [u128; 6] = [1, 3, 11, 12, 13, 20];

pub(super) fn they_are_remembered(stage: &mut Stage<'_>) -> Case {
    let pen = of_all_kinds(stage);
    stage.reopen([pen])?;
    assert_eq!(untold(stage), ids(OF_ALL_KINDS));
    let mut pen = stage.pen();
    assert_eq!(stage.purge(&Purge { keeps_untold: true, ..EVERYTHING }, 100).executions, [id(2)]);
    told(&mut pen, [1, 11]);
    stage.reopen([pen])?;
    assert_eq!(untold(stage), ids([3, 12, 13, 20]));
    Ok(())
}

pub(super) fn they_survive_a_crash(stage: &mut Stage<'_>) -> Case {
    let pen = of_all_kinds(stage);
    stage.crash([pen])?;
    assert_eq!(untold(stage), ids(OF_ALL_KINDS));
    let pen = stage.pen();
    assert_eq!(stage.purge(&KEEPING, 100).executions, [id(2)]);
    stage.crash([pen])?;
    assert_eq!(untold(stage), ids(OF_ALL_KINDS), "until they were told");
    Ok(())
}

pub(super) fn what_was_told_stays_told_after_a_crash(stage: &mut Stage<'_>) -> Case {
    let pen = of_all_kinds(stage);
    stage.crash([pen])?;
    let mut pen = stage.pen();
    told(&mut pen, OF_ALL_KINDS);
    stage.crash([pen])?;
    assert_eq!(untold(stage), []);
    stage.claim();
    assert_eq!(stage.purge(&KEEPING, 100).executions.len(), 7);
    Ok(())
}

pub(super) fn they_are_in_a_copy(stage: &mut Stage<'_>) -> Case {
    let _pen = of_all_kinds(stage);
    let _original = stage.copy()?;
    assert_eq!(untold(stage), ids(OF_ALL_KINDS));
    Ok(())
}
