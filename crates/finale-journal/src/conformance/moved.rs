//! What the journal writes to is taken away while it is in use.

use super::Skipped;
use super::stage::Stage;
use super::subject::{Subject, id};
use crate::{Filter, JournalError};

type Case = Result<(), Skipped>;

pub(super) fn it_is_noticed_although_nobody_writes(stage: &mut Stage<'_>) -> Case {
    let pen = stage.written(&[Subject::new(1).begin()]);
    stage.move_away()?;
    let error = pen.wait_for_error();
    assert!(matches!(error, JournalError::FileReplaced { .. }), "{error}");
    assert_eq!(error.code(), "journal_file_replaced");
    Ok(())
}

pub(super) fn nothing_more_is_taken(stage: &mut Stage<'_>) -> Case {
    let epoch = stage.claim().epoch;
    let mut pen = stage.pen_of(epoch, 0);
    pen.append(&Subject::new(1).begin());
    pen.settle();
    stage.move_away()?;
    let error = pen.wait_for_error();
    assert_eq!(pen.refused(&Subject::new(2).begin()), error);
    assert_eq!(pen.try_forget(&[id(1)]), Err(error.clone()));
    assert_eq!(stage.journal().purge(epoch, &crate::Purge::default(), 1), Err(error.clone()));
    assert_eq!(stage.journal().release(epoch), Err(error));
    Ok(())
}

pub(super) fn the_journal_is_not_well(stage: &mut Stage<'_>) -> Case {
    let pen = stage.written(&[Subject::new(1).begin()]);
    stage.move_away()?;
    let error = pen.wait_for_error();
    assert_eq!(stage.journal().health(), Err(error.clone()));
    assert_eq!(stage.journal().claim(), Err(error));
    Ok(())
}

pub(super) fn put_back_it_has_everything_that_was_acknowledged(stage: &mut Stage<'_>) -> Case {
    let mut subject = Subject::new(1);
    let mut pen = stage.written(&[subject.begin()]);
    let mut acknowledged = subject.history().to_vec();
    stage.move_away()?;
    // Some may still be acknowledged, in the moment before it is noticed; those are there as well.
    let error = loop {
        match pen.try_append(&subject.again()) {
            Ok(position) => match pen.wait(position) {
                Ok(()) => acknowledged = subject.history().to_vec(),
                Err(error) => break error,
            },
            Err(error) => break error,
        }
    };
    assert!(matches!(error, JournalError::FileReplaced { .. }), "{error}");
    stage.put_back([pen])?;
    let history = stage.history(id(1)).expect("it is there");
    assert!(history.starts_with(&acknowledged) && subject.history().starts_with(&history));
    let mut pen = stage.pen();
    pen.append(&Subject::new(2).begin());
    pen.settle();
    assert_eq!(stage.list_ids(&Filter::new()), [id(2), id(1)]);
    Ok(())
}
