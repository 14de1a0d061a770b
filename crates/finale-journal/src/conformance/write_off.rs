//! Ending executions whose facts cannot be read.

use finale_core::ExecutionStatus::Failed;
use finale_core::Time;
use finale_core::fact::Terminal;

use super::pen::Pen;
use super::stage::Stage;
use super::subject::{BEGINNING, SECOND, Subject, id};
use crate::{Expired, Filter, JournalError, Purge, Quarantine, Summary};

const WHEN: Time = Time::from_micros(1_800_000_000_000_000);

fn written_off(stage: &Stage<'_>) -> (Pen, Subject) {
    let mut subject = Subject::new(1).keyed("key").about("order 7");
    let mut pen = stage.written(&[subject.begin(), subject.again(), Subject::new(2).begin()]);
    pen.write_off(id(1), WHEN, "its facts are damaged");
    pen.settle();
    (pen, subject)
}

/// What must be said of it.
fn failed(subject: &Subject) -> Summary {
    let error = Some("its facts are damaged".to_owned());
    Summary { status: Failed, completed_at: Some(WHEN), error, ..subject.summary() }
}

pub(super) fn it_counts_as_failed(stage: &Stage<'_>) {
    let (_pen, subject) = written_off(stage);
    assert_eq!(stage.summary(id(1)), Some(failed(&subject)));
    assert_eq!(stage.list(&Filter::new().status(Failed)), [failed(&subject)]);
}

pub(super) fn it_is_not_live_any_more(stage: &Stage<'_>) {
    written_off(stage);
    assert_eq!(stage.live_ids(), [id(2)]);
}

pub(super) fn its_facts_stay_as_they_are(stage: &Stage<'_>) {
    let (_pen, subject) = written_off(stage);
    assert_eq!(stage.history(id(1)).as_deref(), Some(subject.history()));
    assert_eq!(stage.keyed("key"), Some(id(1)));
}

pub(super) fn nothing_follows(stage: &Stage<'_>) {
    let (mut pen, mut subject) = written_off(stage);
    let expected = failed(&subject);
    assert_eq!(pen.refused(&subject.again()), JournalError::Ended(id(1)));
    assert_eq!(pen.refused(&subject.complete()), JournalError::Ended(id(1)));
    pen.settle();
    assert_eq!(stage.summary(id(1)), Some(expected));
}

pub(super) fn nothing_follows_for_the_next_owner(stage: &Stage<'_>) {
    let (_, mut subject) = written_off(stage);
    let expected = failed(&subject);
    assert_eq!(stage.pen().refused(&subject.again()), JournalError::Ended(id(1)));
    assert_eq!(stage.summary(id(1)), Some(expected));
}

pub(super) fn a_second_time_changes_nothing(stage: &Stage<'_>) {
    let (mut pen, subject) = written_off(stage);
    pen.write_off(id(1), WHEN.after(SECOND), "again");
    pen.settle();
    assert_eq!(stage.summary(id(1)), Some(failed(&subject)));
}

pub(super) fn one_that_has_ended_stays_as_it_is(stage: &Stage<'_>) {
    let mut subjects: Vec<_> = (1..=3).map(Subject::new).collect();
    let mut pen = stage.pen();
    for (subject, end) in subjects.iter_mut().zip([Terminal::Completed, Terminal::Failed, Terminal::Cancelled]) {
        pen.append(&subject.whole(end));
        pen.write_off(subject.id(), WHEN, "late");
    }
    pen.settle();
    for subject in &subjects {
        assert_eq!(stage.summary(subject.id()), Some(subject.summary()));
    }
}

pub(super) fn an_unknown_one_stays_unknown(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    pen.write_off(id(1), WHEN, "early");
    pen.settle();
    assert_eq!((stage.summary(id(1)), stage.history(id(1))), (None, None));
    let mut subject = Subject::new(1);
    pen.append(&subject.begin());
    pen.settle();
    assert_eq!(stage.summary(id(1)), Some(subject.summary()), "what was said before it began does not count");
}

pub(super) fn it_lifts_a_quarantine(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    let mut pen = stage.written(&[subject.begin()]);
    pen.quarantine(id(1), Some(&Quarantine { reason: "unreadable".into(), until_released: true }));
    pen.write_off(id(1), WHEN, "its facts are damaged");
    pen.settle();
    assert_eq!(stage.summary(id(1)), Some(failed(&subject)));
    assert_eq!(stage.live_ids(), []);
}

pub(super) fn one_that_is_ending_is_written_off(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    let mut pen = stage.written(&[subject.begin(), subject.cancel()]);
    pen.write_off(id(1), WHEN, "its facts are damaged");
    pen.settle();
    assert_eq!(stage.summary(id(1)), Some(failed(&subject)));
}

pub(super) fn it_expires_and_is_forgotten_like_any_other(stage: &Stage<'_>) {
    let (pen, _) = written_off(stage);
    let failed = |failed| Purge { failed, ..Purge::default() };
    let old = failed(Expired { ended_before: Some(BEGINNING), all_but: None });
    assert_eq!(stage.purge(&old, 10).executions, []);
    pen.settle();
    let all = failed(Expired { ended_before: None, all_but: Some(0) });
    assert_eq!(stage.purge(&all, 10).executions, [id(1)]);
    assert_eq!((stage.summary(id(1)), stage.history(id(1)), stage.keyed("key")), (None, None, None));
}

pub(super) fn the_next_owner_writes_off_what_it_found(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    stage.written(&[subject.begin()]);
    let mut pen = stage.pen();
    pen.write_off(id(1), WHEN, "its facts are damaged");
    pen.settle();
    assert_eq!(stage.summary(id(1)), Some(failed(&subject)));
    assert_eq!(stage.live_ids(), []);
}
