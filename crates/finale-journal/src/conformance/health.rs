//! Whether writing goes on.

use finale_core::fact::Terminal;

use super::stage::Stage;
use super::subject::{Step, Subject};
use crate::{Expired, Purge};

pub(super) fn a_journal_is_well_from_the_beginning(stage: &Stage<'_>) {
    assert_eq!(stage.journal().health(), Ok(()));
    stage.claim();
    assert_eq!(stage.journal().health(), Ok(()));
}

pub(super) fn a_journal_is_well_while_it_works(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    let mut pen = stage.written(&[subject.begin()]);
    for _ in 0..100 {
        pen.append(&subject.again());
        assert_eq!(stage.journal().health(), Ok(()));
    }
    pen.settle();
    assert_eq!(stage.journal().health(), Ok(()));
}

pub(super) fn a_refusal_is_no_illness(stage: &Stage<'_>) {
    let mut old = stage.written(&[Subject::new(1).begin()]);
    old.refused(&Subject::new(1).begin());
    assert_eq!(stage.journal().health(), Ok(()));
    let mut pen = stage.pen();
    old.refused(&Step { first_sequence: 7, ..Subject::new(2).begin() });
    assert_eq!(stage.journal().health(), Ok(()));
    pen.append(&Subject::new(2).begin());
    pen.settle();
}

pub(super) fn nothing_is_waited_for_when_nothing_is_written(stage: &Stage<'_>) {
    assert_eq!(stage.journal().waiting(), None);
    stage.written(&[Subject::new(1).begin()]);
    stage.claim();
    assert_eq!(stage.journal().waiting(), None);
}

pub(super) fn a_journal_is_well_after_a_purge_and_a_release(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    for number in 1..=50 {
        pen.append(&Subject::new(number).whole(Terminal::Completed));
    }
    pen.settle();
    let everything = Purge::all(Expired { ended_before: None, all_but: Some(0) });
    assert_eq!(stage.purge(&everything, 100).executions.len(), 50);
    assert_eq!(stage.journal().health(), Ok(()));
    stage.journal().release(stage.epoch()).expect("the owner may release");
    assert_eq!(stage.journal().health(), Ok(()));
}
