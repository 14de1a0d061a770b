//! What was acknowledged last has gone missing: nobody is shown an older state as the newest.

use finale_core::ExecutionId;

use super::Skipped;
use super::stage::Stage;
use super::subject::{Subject, id};
use crate::{Filter, JournalError, OpenProblem};

type Case = Result<(), Skipped>;

fn is_lost_tail<T>(result: &Result<T, JournalError>) -> bool {
    matches!(result, Err(JournalError::Open { problem: OpenProblem::LostTail { missing: 1.. }, .. }))
}

/// Three executions, the last of them in a batch of its own; then that batch goes missing.
fn lost(stage: &mut Stage<'_>) -> Result<[Subject; 3], Skipped> {
    let mut subjects = [1, 2, 3].map(|number| Subject::new(number).keyed(&number.to_string()));
    let mut pen = stage.pen();
    for subject in &mut subjects {
        pen.append(&subject.begin());
        pen.settle();
    }
    stage.lose_tail([pen])?;
    Ok(subjects)
}

pub(super) fn an_owner_is_refused(stage: &mut Stage<'_>) -> Case {
    lost(stage)?;
    assert!(is_lost_tail(&stage.reopen_damaged(false)));
    Ok(())
}

pub(super) fn a_reader_is_refused(stage: &mut Stage<'_>) -> Case {
    lost(stage)?;
    assert!(is_lost_tail(&stage.reader(false)?));
    Ok(())
}

pub(super) fn it_is_refused_as_often_as_it_is_tried(stage: &mut Stage<'_>) -> Case {
    lost(stage)?;
    for _ in 0..3 {
        assert!(is_lost_tail(&stage.reader(false)?));
        assert!(is_lost_tail(&stage.reopen_damaged(false)));
    }
    Ok(())
}

pub(super) fn a_reader_that_accepts_it_sees_what_is_left(stage: &mut Stage<'_>) -> Case {
    let subjects = lost(stage)?;
    let reader = stage.reader(true)?.expect("whoever accepts the loss may read");
    let ids: Vec<ExecutionId> = reader.list(&Filter::new()).expect("it can be read").iter().map(|one| one.id).collect();
    assert_eq!(ids, [id(2), id(1)]);
    for subject in &subjects[..2] {
        assert_eq!(reader.history(subject.id()), Ok(Some(subject.history().to_vec())));
    }
    assert_eq!((reader.history(id(3)), reader.keyed("3")), (Ok(None), Ok(None)));
    assert!(is_lost_tail(&stage.reader(false)?), "looking accepts nothing for others");
    Ok(())
}

pub(super) fn an_owner_that_accepts_it_goes_on_from_what_is_left(stage: &mut Stage<'_>) -> Case {
    let mut subjects = lost(stage)?;
    stage.reopen_damaged(true).expect("whoever accepts the loss may open it");
    assert_eq!(stage.live_ids(), [id(1), id(2)]);
    let mut pen = stage.pen();
    pen.append(&subjects[0].again());
    pen.append(&Subject::new(3).begin());
    pen.settle();
    assert_eq!(stage.history(id(1)).as_deref(), Some(subjects[0].history()));
    Ok(())
}

pub(super) fn what_was_accepted_is_not_asked_about_again(stage: &mut Stage<'_>) -> Case {
    lost(stage)?;
    stage.reopen_damaged(true).expect("whoever accepts the loss may open it");
    let pen = stage.written(&[Subject::new(9).begin()]);
    stage.reopen([pen])?;
    assert_eq!(stage.live_ids(), [1, 2, 9].map(id));
    Ok(())
}

pub(super) fn a_whole_journal_is_not_suspected(stage: &mut Stage<'_>) -> Case {
    let mut subject = Subject::new(1);
    let _pen = stage.written(&[subject.begin(), subject.again()]);
    let reader = stage.reader(false)?.expect("nothing is missing");
    assert_eq!(reader.history(id(1)), Ok(Some(subject.history().to_vec())));
    assert_eq!(reader.health(), Ok(()));
    Ok(())
}

pub(super) fn a_reader_follows_the_owner(stage: &mut Stage<'_>) -> Case {
    let mut subject = Subject::new(1);
    let mut pen = stage.written(&[subject.begin()]);
    let reader = stage.reader(false)?.expect("nothing is missing");
    for _ in 0..50 {
        pen.append(&subject.again());
        pen.settle();
        assert_eq!(reader.history(id(1)), Ok(Some(subject.history().to_vec())), "what is acknowledged is seen");
    }
    Ok(())
}
