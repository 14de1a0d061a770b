//! Executions that are parked until somebody decides.

use finale_core::ExecutionStatus::{Completed, Ending, Quarantined, Running};
use finale_core::fact::Terminal;

use super::pen::Pen;
use super::stage::Stage;
use super::subject::{Subject, id};
use crate::{Filter, Quarantine};

fn because(reason: &str) -> Quarantine {
    Quarantine { reason: reason.into(), until_released: true }
}

fn parked(stage: &Stage<'_>) -> (Pen, Subject) {
    let mut subject = Subject::new(1);
    let mut pen = stage.written(&[subject.begin(), Subject::new(2).begin()]);
    pen.quarantine(id(1), Some(&because("it panicked")));
    pen.settle();
    (pen, subject)
}

/// Why the first execution is parked, as the journal has it.
fn found(stage: &Stage<'_>) -> Option<Quarantine> {
    stage.live(None, 1).into_iter().next().and_then(|live| live.quarantine)
}

pub(super) fn a_quarantine_shows_everywhere(stage: &Stage<'_>) {
    let (_pen, subject) = parked(stage);
    let summary = stage.summary(id(1)).expect("it is known");
    assert_eq!((summary.status, summary.error.as_deref()), (Quarantined, Some("it panicked")));
    assert_eq!((summary.created_at, summary.completed_at), (subject.summary().created_at, None));
    assert_eq!(stage.list(&Filter::new().status(Quarantined)), [summary]);
    assert_eq!(found(stage), Some(because("it panicked")));
    assert_eq!(stage.status(id(2)), Some(Running));
}

pub(super) fn the_history_is_left_alone(stage: &Stage<'_>) {
    let (_pen, subject) = parked(stage);
    assert_eq!(stage.history(id(1)).as_deref(), Some(subject.history()));
}

pub(super) fn it_is_replaced_by_a_newer_one(stage: &Stage<'_>) {
    let (mut pen, _) = parked(stage);
    let newer = Quarantine { reason: "the handler is missing".into(), until_released: false };
    pen.quarantine(id(1), Some(&newer));
    pen.settle();
    assert_eq!(found(stage), Some(newer));
    assert_eq!(stage.summary(id(1)).and_then(|summary| summary.error).as_deref(), Some("the handler is missing"));
}

pub(super) fn it_is_lifted(stage: &Stage<'_>) {
    let (mut pen, subject) = parked(stage);
    pen.quarantine(id(1), None);
    pen.settle();
    assert_eq!(found(stage), None);
    assert_eq!(stage.summary(id(1)), Some(subject.summary()));
    assert_eq!(stage.list(&Filter::new().status(Quarantined)), []);
}

pub(super) fn lifting_none_changes_nothing(stage: &Stage<'_>) {
    let (mut pen, _) = parked(stage);
    pen.quarantine(id(2), None);
    pen.settle();
    assert_eq!((stage.status(id(1)), stage.status(id(2))), (Some(Quarantined), Some(Running)));
}

pub(super) fn facts_are_still_taken(stage: &Stage<'_>) {
    let (mut pen, mut subject) = parked(stage);
    pen.append(&subject.again());
    pen.append(&subject.cancel());
    pen.settle();
    assert_eq!(stage.history(id(1)).as_deref(), Some(subject.history()));
    assert_eq!(stage.status(id(1)), Some(Quarantined));
    pen.quarantine(id(1), None);
    pen.settle();
    assert_eq!(stage.status(id(1)), Some(Ending), "where it is was kept all the same");
}

pub(super) fn the_end_lifts_it(stage: &Stage<'_>) {
    let (mut pen, mut subject) = parked(stage);
    pen.append(&subject.complete());
    pen.settle();
    assert_eq!(stage.summary(id(1)), Some(subject.summary()));
    assert_eq!(stage.list(&Filter::new().status(Quarantined)), []);
    assert_eq!(stage.live_ids(), [id(2)]);
}

pub(super) fn one_that_has_ended_is_not_parked(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    let mut pen = stage.written(&[subject.whole(Terminal::Completed)]);
    pen.quarantine(id(1), Some(&because("late")));
    pen.settle();
    assert_eq!(stage.summary(id(1)), Some(subject.summary()));
    pen.quarantine(id(1), None);
    pen.settle();
    assert_eq!(stage.status(id(1)), Some(Completed));
    assert_eq!(stage.live_ids(), []);
}

pub(super) fn an_unknown_one_is_not_parked(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    pen.quarantine(id(1), Some(&because("early")));
    pen.quarantine(id(2), None);
    pen.settle();
    assert_eq!((stage.summary(id(1)), stage.history(id(1)), stage.live_ids()), (None, None, vec![]));
    let mut subject = Subject::new(1);
    pen.append(&subject.begin());
    pen.settle();
    assert_eq!(stage.summary(id(1)), Some(subject.summary()), "what was said before it began does not count");
}

pub(super) fn the_next_owner_finds_it(stage: &Stage<'_>) {
    let (pen, mut subject) = parked(stage);
    drop(pen);
    let mut pen = stage.pen();
    assert_eq!(found(stage), Some(because("it panicked")));
    pen.append(&subject.again());
    pen.settle();
    assert_eq!(found(stage), Some(because("it panicked")));
    pen.quarantine(id(1), None);
    pen.settle();
    assert_eq!(stage.status(id(1)), Some(Running));
}
