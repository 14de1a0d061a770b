//! Facts that do not follow those that are there.

use super::pen::Pen;
use super::stage::Stage;
use super::subject::{Beginning, Step, Subject, Workflow, id};
use crate::{Filter, JournalError, Position};

/// That the journal holds what it held before, and takes what is due.
fn unharmed(stage: &Stage<'_>, pen: &mut Pen, subject: &mut Subject) {
    pen.settle();
    assert_eq!(stage.history(subject.id()).as_deref(), Some(subject.history()));
    assert_eq!(stage.summary(subject.id()), Some(subject.summary()));
    pen.append(&subject.again());
    pen.settle();
    assert_eq!(stage.history(subject.id()).as_deref(), Some(subject.history()));
}

fn misplaced(mut step: Step, first_sequence: u64) -> Step {
    step.first_sequence = first_sequence;
    step
}

fn gap(expected: u64, found: u64) -> JournalError {
    JournalError::Gap { execution: id(1), expected, found }
}

/// An execution with two facts.
fn begun(stage: &Stage<'_>) -> (Pen, Subject) {
    let mut subject = Subject::new(1);
    let pen = stage.written(&[subject.begin(), subject.again()]);
    (pen, subject)
}

fn is_refused_at(stage: &Stage<'_>, found: u64) {
    let (mut pen, mut subject) = begun(stage);
    let other = misplaced(Subject::new(1).begin(), found);
    assert_eq!(pen.refused(&Step { begins: None, ..other }), gap(3, found));
    unharmed(stage, &mut pen, &mut subject);
}

pub(super) fn a_missing_fact_is_refused(stage: &Stage<'_>) {
    is_refused_at(stage, 4);
}

pub(super) fn a_fact_far_ahead_is_refused(stage: &Stage<'_>) {
    is_refused_at(stage, 1 << 40);
}

pub(super) fn a_repeated_append_is_refused(stage: &Stage<'_>) {
    is_refused_at(stage, 2);
}

pub(super) fn a_fact_numbered_zero_is_refused(stage: &Stage<'_>) {
    is_refused_at(stage, 0);
}

pub(super) fn a_second_beginning_is_refused(stage: &Stage<'_>) {
    let (mut pen, mut subject) = begun(stage);
    assert_eq!(pen.refused(&Subject::new(1).begin()), gap(3, 1));
    unharmed(stage, &mut pen, &mut subject);
}

pub(super) fn a_second_beginning_is_refused_of_the_next_owner(stage: &Stage<'_>) {
    let (_, mut subject) = begun(stage);
    let mut pen = stage.pen();
    assert_eq!(pen.refused(&Subject::new(1).begin()), gap(3, 1));
    unharmed(stage, &mut pen, &mut subject);
}

pub(super) fn a_missing_fact_is_refused_of_the_next_owner(stage: &Stage<'_>) {
    let (_, mut subject) = begun(stage);
    let mut pen = stage.pen();
    let other = Step { begins: None, ..misplaced(Subject::new(1).begin(), 4) };
    assert_eq!(pen.refused(&other), gap(3, 4));
    unharmed(stage, &mut pen, &mut subject);
}

pub(super) fn an_unknown_execution_begins_at_one(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    let mut subject = Subject::new(1);
    subject.begin();
    for found in [2, 3, 0] {
        assert_eq!(pen.refused(&misplaced(subject.again(), found)), gap(1, found));
        assert_eq!(stage.history(id(1)), None);
        assert_eq!(stage.summary(id(1)), None);
    }
    assert_eq!((stage.live_ids(), stage.list(&Filter::new())), (vec![], vec![]));
    assert_eq!(pen.append(&Subject::new(1).begin()), Position(1), "refusals take no position");
    pen.settle();
}

pub(super) fn nothing_is_kept_of_a_refused_beginning(stage: &Stage<'_>) {
    let (mut pen, mut subject) = begun(stage);
    let other = Workflow::new("other", "1.0.0");
    let mut again = Subject::of(1, &other).keyed("of the second").begin();
    assert_eq!(pen.refused(&again), gap(3, 1));
    again.first_sequence = 7;
    assert_eq!(pen.refused(&again), gap(3, 7));
    pen.settle();
    assert_eq!(stage.keyed("of the second"), None);
    assert_eq!(stage.definition(other.stored.hash), None);
    unharmed(stage, &mut pen, &mut subject);
}

pub(super) fn nothing_follows_the_end(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    let mut pen = stage.written(&[subject.begin(), subject.complete()]);
    let mut other = Subject::new(1);
    other.begin();
    let step = other.again();
    for found in [subject_next(&subject), 1, 2, 0, 99] {
        assert_eq!(pen.refused(&misplaced(step.clone(), found)), JournalError::Ended(id(1)));
    }
    assert_eq!(pen.refused(&Subject::new(1).begin()), JournalError::Ended(id(1)));
    pen.settle();
    assert_eq!(stage.history(id(1)).as_deref(), Some(subject.history()));
    assert_eq!(stage.summary(id(1)), Some(subject.summary()));
}

fn subject_next(subject: &Subject) -> u64 {
    finale_core::fact::Facts::new(subject.history()).count() as u64 + 1
}

pub(super) fn nothing_follows_the_end_for_the_next_owner(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    stage.written(&[subject.begin(), subject.complete()]);
    let mut pen = stage.pen();
    let mut other = Subject::new(1);
    assert_eq!(pen.refused(&other.begin()), JournalError::Ended(id(1)));
    let next = misplaced(other.again(), subject_next(&subject));
    assert_eq!(pen.refused(&next), JournalError::Ended(id(1)));
    assert_eq!(stage.history(id(1)).as_deref(), Some(subject.history()));
}

pub(super) fn others_do_not_notice_a_refusal(stage: &Stage<'_>) {
    let (mut pen, mut refused) = begun(stage);
    let mut other = Subject::new(2);
    pen.append(&other.begin());
    for found in [9, 1, 0] {
        let step = Step { begins: None, ..misplaced(Subject::new(1).begin(), found) };
        assert_eq!(pen.refused(&step), gap(3, found));
        unharmed(stage, &mut pen, &mut other);
    }
    unharmed(stage, &mut pen, &mut refused);
}

pub(super) fn an_end_that_leaves_a_gap_ends_nothing(stage: &Stage<'_>) {
    let (mut pen, mut subject) = begun(stage);
    let mut ahead = Subject::new(1);
    ahead.begin();
    ahead.again_and_again(5);
    assert_eq!(pen.refused(&ahead.complete()), gap(3, 7));
    assert_eq!(stage.live_ids(), [id(1)]);
    unharmed(stage, &mut pen, &mut subject);
}

pub(super) fn a_large_append_that_is_refused_leaves_nothing(stage: &Stage<'_>) {
    let (mut pen, mut subject) = begun(stage);
    let mut ahead = Subject::new(1);
    ahead.begin();
    let step = misplaced(ahead.again_and_again(1_000), 4);
    assert_eq!(pen.refused(&step), gap(3, 4));
    unharmed(stage, &mut pen, &mut subject);
}

pub(super) fn a_key_stays_with_whom_it_belongs_to(stage: &Stage<'_>) {
    let mut subject = Subject::new(1).keyed("first");
    let mut pen = stage.written(&[subject.begin(), subject.again()]);
    let mut second = Subject::new(1).keyed("first").begin();
    second.begins.as_mut().map(rename).expect("it begins");
    assert_eq!(pen.refused(&second), gap(3, 1));
    pen.settle();
    assert_eq!((stage.keyed("first"), stage.keyed("second")), (Some(id(1)), None));
}

fn rename(beginning: &mut Beginning) {
    beginning.idempotency_key = Some("second".into());
}
