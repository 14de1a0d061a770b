//! What is to be known of one execution.

use finale_core::ExecutionStatus::{Cancelled, Completed, Ending, Failed, Running};
use finale_core::fact::Terminal;

use super::stage::Stage;
use super::subject::{BEGINNING, Subject, Workflow, id};

pub(super) fn every_field_is_what_was_said_at_the_beginning(stage: &Stage<'_>) {
    let workflow = Workflow::new("order", "3.2.1");
    let mut subject = Subject::of(1, &workflow).by("Ada").keyed("key 1").about("order 7");
    stage.written(&[subject.begin()]);
    let summary = stage.summary(id(1)).expect("it is known");
    assert_eq!(summary, subject.summary());
    assert_eq!(summary.workflow, workflow.stored.workflow);
    assert_eq!((summary.activated_by.as_str(), summary.status), ("Ada", Running));
    assert_eq!((summary.completed_at, summary.error), (None, None));
}

pub(super) fn keys_that_were_not_given_are_none(stage: &Stage<'_>) {
    stage.written(&[Subject::new(1).begin()]);
    let summary = stage.summary(id(1)).expect("it is known");
    assert_eq!((summary.idempotency_key, summary.business_key), (None, None));
}

pub(super) fn an_unknown_execution_has_none(stage: &Stage<'_>) {
    stage.written(&[Subject::new(2).begin()]);
    assert_eq!((stage.summary(id(1)), stage.summary(id(3))), (None, None));
}

pub(super) fn the_status_follows_the_execution(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    let mut pen = stage.written(&[subject.begin()]);
    let mut seen = vec![stage.status(id(1))];
    for step in [subject.again(), subject.cancel(), subject.stopped()] {
        pen.append(&step);
        pen.settle();
        seen.push(stage.status(id(1)));
    }
    assert_eq!(seen, [Running, Running, Ending, Cancelled].map(Some));
    assert_eq!(stage.summary(id(1)), Some(subject.summary()));
}

pub(super) fn one_that_completed_has_no_error(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    stage.written(&[subject.begin(), subject.again(), subject.complete()]);
    let summary = stage.summary(id(1)).expect("it is known");
    assert_eq!((summary.status, summary.completed_at), (Completed, Some(subject.now())));
    assert_eq!(summary.error, None);
}

pub(super) fn one_that_failed_says_why(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    stage.written(&[subject.begin(), subject.fail("the card was declined")]);
    let summary = stage.summary(id(1)).expect("it is known");
    assert_eq!((summary.status, summary.completed_at), (Failed, Some(subject.now())));
    assert_eq!(summary.error.as_deref(), Some("the card was declined"));
}

pub(super) fn one_that_was_cancelled_has_no_error(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    stage.written(&[subject.begin(), subject.cancel(), subject.stopped()]);
    let summary = stage.summary(id(1)).expect("it is known");
    assert_eq!((summary.status, summary.completed_at), (Cancelled, Some(subject.now())));
    assert_eq!(summary.error, None);
}

pub(super) fn the_beginning_does_not_change_with_the_end(stage: &Stage<'_>) {
    for (number, end) in (1..).zip([Terminal::Completed, Terminal::Failed, Terminal::Cancelled]) {
        let mut subject = Subject::new(number).by("Ada").keyed(&format!("key {number}")).about("order 7");
        stage.written(&[subject.whole(end)]);
        assert_eq!(stage.summary(subject.id()), Some(subject.summary()));
    }
}

pub(super) fn a_summary_says_what_the_list_says(stage: &Stage<'_>) {
    let mut subjects: Vec<_> = (1..=9).map(Subject::new).collect();
    let mut pen = stage.written(&subjects.iter_mut().map(Subject::begin).collect::<Vec<_>>());
    pen.append(&subjects[0].complete());
    pen.append(&subjects[1].fail("broken"));
    pen.append(&subjects[2].cancel());
    pen.settle();
    let list = stage.list(&crate::Filter::new().created_from(BEGINNING));
    assert_eq!(list.len(), 9);
    for summary in list {
        assert_eq!(stage.summary(summary.id), Some(summary));
    }
}

pub(super) fn what_is_acknowledged_is_seen(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    for number in 1..=100 {
        let mut subject = Subject::new(number);
        pen.append(&subject.begin());
        pen.settle();
        assert_eq!(stage.status(id(number)), Some(Running));
        pen.append(&subject.complete());
        pen.settle();
        assert_eq!(stage.status(id(number)), Some(Completed));
    }
}
