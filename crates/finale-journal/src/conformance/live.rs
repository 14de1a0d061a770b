//! The executions that have not ended.

use std::ops::Range;

use finale_core::ExecutionId;
use finale_core::fact::Terminal;

use super::pen::Pen;
use super::stage::Stage;
use super::subject::{Subject, Workflow, id};
use crate::{LiveExecution, Quarantine};

fn begin(pen: &mut Pen, numbers: Range<u128>) -> Vec<Subject> {
    let mut subjects: Vec<_> = numbers.map(Subject::new).collect();
    for subject in &mut subjects {
        pen.append(&subject.begin());
    }
    pen.settle();
    subjects
}

fn ids(numbers: Range<u128>) -> Vec<ExecutionId> {
    numbers.map(id).collect()
}

pub(super) fn an_empty_journal_has_none(stage: &Stage<'_>) {
    assert_eq!(stage.live(None, 100), []);
    stage.claim();
    assert_eq!(stage.live(Some(id(1)), 100), []);
}

pub(super) fn only_those_that_have_not_ended_are_live(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    let mut subjects = begin(&mut pen, 1..7);
    pen.append(&subjects[1].complete());
    pen.append(&subjects[2].fail("broken"));
    pen.append(&subjects[3].cancel());
    pen.append(&subjects[4].cancel());
    pen.append(&subjects[4].stopped());
    pen.settle();
    assert_eq!(stage.live_ids(), [id(1), id(4), id(6)], "one that is ending is live still");
}

pub(super) fn they_come_in_ascending_order(stage: &Stage<'_>) {
    let epoch = stage.claim().epoch;
    let mut pens: Vec<_> = (0..3).map(|shard| stage.pen_of(epoch, shard)).collect();
    for number in [5, 3, 9, 1, 1 << 100, 7, 2, 8, 6, 4, u128::MAX, 0] {
        pens[(number % 3) as usize].append(&Subject::new(number).begin());
    }
    pens.iter().for_each(Pen::settle);
    let mut expected = ids(0..10);
    expected.extend([id(1 << 100), id(u128::MAX)]);
    assert_eq!(stage.live_ids(), expected);
}

pub(super) fn pages_lose_and_repeat_nothing(stage: &Stage<'_>) {
    begin(&mut stage.pen(), 1..51);
    for size in [1, 3, 7, 49, 50, 51] {
        assert_eq!(pages(stage, size, |_| {}), ids(1..51), "in pages of {size}");
    }
}

/// All live executions in pages of that size; something happens after each page.
fn pages(stage: &Stage<'_>, size: usize, mut between: impl FnMut(ExecutionId)) -> Vec<ExecutionId> {
    let mut all: Vec<ExecutionId> = Vec::new();
    loop {
        let page = stage.live(all.last().copied(), size);
        assert!(page.len() <= size, "a page has {} in place of {size}", page.len());
        let Some(last) = page.last().map(|live| live.id) else {
            return all;
        };
        all.extend(page.into_iter().map(|live| live.id));
        between(last);
    }
}

pub(super) fn pages_are_right_while_others_begin_and_end(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    // Those with odd numbers stay; those with even ones end behind and before the reader.
    let mut subjects = begin(&mut pen, 1..61);
    let (mut new, mut ends) = (100, vec![2, 58, 4, 56, 6, 54, 8, 52]);
    let seen = pages(stage, 5, |_| {
        let ending = ends.pop().map(|number: usize| subjects[number - 1].complete());
        let beginning = (new < 110).then(|| Subject::new(new).begin());
        new += 1;
        ending.iter().chain(&beginning).for_each(|step| {
            pen.append(step);
        });
        pen.settle();
    });
    assert!(seen.is_sorted_by(|one, next| one < next), "{seen:?} are not in order, or repeated");
    let stayed = (1..61).step_by(2).map(id);
    assert!(stayed.into_iter().all(|id| seen.contains(&id)), "of those that stayed some are missing: {seen:?}");
}

pub(super) fn no_more_come_than_are_asked_for(stage: &Stage<'_>) {
    begin(&mut stage.pen(), 1..6);
    let count = |limit| stage.live(None, limit).len();
    assert_eq!([0, 1, 2, 5, 6, usize::MAX].map(count), [0, 1, 2, 5, 5, 5]);
    assert_eq!(stage.live(Some(id(4)), 1)[0].id, id(5));
}

pub(super) fn a_page_begins_after_an_id_that_is_none(stage: &Stage<'_>) {
    begin(&mut stage.pen(), 10..13);
    let after = |number| stage.live(Some(id(number)), 100).into_iter().map(|live| live.id).collect::<Vec<_>>();
    assert_eq!((after(0), after(5)), (ids(10..13), ids(10..13)));
    assert_eq!((after(10), after(12), after(u128::MAX)), (ids(11..13), vec![], vec![]));
}

pub(super) fn what_an_execution_runs_is_told(stage: &Stage<'_>) {
    let (one, two) = (Workflow::new("one", "1.0.0"), Workflow::new("two", "1.0.0"));
    stage.written(&[Subject::of(1, &one).begin(), Subject::of(2, &two).begin()]);
    let expected = [(1, one), (2, two)].map(|(number, workflow)| LiveExecution {
        id: id(number),
        definition: workflow.stored.hash,
        quarantine: None,
    });
    assert_eq!(stage.live(None, 10), expected);
}

pub(super) fn a_quarantine_is_told(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    begin(&mut pen, 1..4);
    let quarantine = Quarantine { reason: "it panicked".into(), until_released: true };
    pen.quarantine(id(2), Some(&quarantine));
    pen.settle();
    let told: Vec<_> = stage.live(None, 10).into_iter().map(|live| live.quarantine).collect();
    assert_eq!(told, [None, Some(quarantine), None]);
}

pub(super) fn one_that_began_and_ended_at_once_never_was(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    for number in 1..=20 {
        pen.append(&Subject::new(number).whole(Terminal::Cancelled));
    }
    pen.settle();
    assert_eq!(stage.live_ids(), []);
}

pub(super) fn five_thousand_are_read_in_pages(stage: &Stage<'_>) {
    begin(&mut stage.pen(), 1..5_001);
    assert_eq!(pages(stage, 512, |_| {}), ids(1..5_001));
}
