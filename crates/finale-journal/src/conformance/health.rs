//! Whether writing goes on.

use super::stage::Stage;
use super::subject::{Step, Subject};

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
