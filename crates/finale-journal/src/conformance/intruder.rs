//! Another process gets in although this one has the journal, because locks did not reach it.

use finale_core::fact::Terminal;

use super::Skipped;
use super::stage::Stage;
use super::subject::{Subject, id};
use crate::{Expired, Filter, JournalError, Purge};

type Case = Result<(), Skipped>;

const ALL: Purge = Purge::all(Expired { ended_before: None, all_but: Some(0) });

pub(super) fn the_older_owner_is_fenced_by_the_store(stage: &mut Stage<'_>) -> Case {
    let mut subject = Subject::new(1);
    let mut pen = stage.written(&[subject.begin()]);
    let intruder = stage.intruder()?;
    let newer = intruder.claim().expect("it can be claimed").epoch;
    pen.append(&subject.again());
    let error = pen.wait_for_error();
    assert!(matches!(error, JournalError::Fenced { current, .. } if current == newer), "{error}");
    Ok(())
}

pub(super) fn what_the_older_one_wrote_meanwhile_is_not_kept(stage: &mut Stage<'_>) -> Case {
    let mut subject = Subject::new(1);
    let mut pen = stage.written(&[subject.begin()]);
    let kept = subject.history().to_vec();
    let intruder = stage.intruder()?;
    intruder.claim().expect("it can be claimed");
    pen.append(&subject.again());
    // It may have noticed already.
    let _ = pen.try_append(&Subject::new(2).begin());
    pen.wait_for_error();
    assert_eq!(intruder.history(id(1)), Ok(Some(kept)));
    assert_eq!(intruder.history(id(2)), Ok(None));
    Ok(())
}

pub(super) fn the_newer_one_sees_that_the_older_was_at_work(stage: &mut Stage<'_>) -> Case {
    let older = stage.claim().epoch;
    let intruder = stage.intruder()?;
    let claim = intruder.claim().expect("it can be claimed");
    assert!(claim.crashed && claim.epoch > older);
    Ok(())
}

pub(super) fn the_newer_one_works_on(stage: &mut Stage<'_>) -> Case {
    let mut subject = Subject::new(1);
    let mut old = stage.written(&[subject.begin()]);
    let intruder = stage.intruder()?;
    let epoch = intruder.claim().expect("it can be claimed").epoch;
    let mut pen = stage.pen_on(&*intruder, epoch);
    old.append(&Subject::new(9).begin());
    old.wait_for_error();
    drop(old);
    for _ in 0..20 {
        pen.append(&subject.again());
    }
    pen.append(&subject.complete());
    pen.settle();
    assert_eq!(intruder.history(id(1)), Ok(Some(subject.history().to_vec())));
    assert_eq!(intruder.health(), Ok(()));
    Ok(())
}

pub(super) fn the_older_one_is_not_well(stage: &mut Stage<'_>) -> Case {
    let mut pen = stage.written(&[Subject::new(1).begin()]);
    let intruder = stage.intruder()?;
    intruder.claim().expect("it can be claimed");
    pen.append(&Subject::new(2).begin());
    let error = pen.wait_for_error();
    assert_eq!(stage.journal().health(), Err(error.clone()));
    assert_eq!(stage.journal().claim(), Err(error));
    assert_eq!(stage.list_ids(&Filter::new()), [id(1)], "it can still be read");
    Ok(())
}

pub(super) fn the_older_one_purges_nothing(stage: &mut Stage<'_>) -> Case {
    let older = stage.claim().epoch;
    let mut pen = stage.pen_of(older, 0);
    pen.append(&Subject::new(1).whole(Terminal::Completed));
    pen.settle();
    let intruder = stage.intruder()?;
    intruder.claim().expect("it can be claimed");
    assert!(stage.journal().purge(older, &ALL, 10).is_err());
    assert!(intruder.summary(id(1)).expect("it can be read").is_some());
    Ok(())
}

pub(super) fn who_only_opens_it_fences_nobody(stage: &mut Stage<'_>) -> Case {
    let mut subject = Subject::new(1);
    let mut pen = stage.written(&[subject.begin()]);
    let intruder = stage.intruder()?;
    assert_eq!(intruder.list(&Filter::new()).expect("it can be read").len(), 1);
    for _ in 0..10 {
        pen.append(&subject.again());
    }
    pen.settle();
    assert_eq!(stage.journal().health(), Ok(()));
    Ok(())
}
