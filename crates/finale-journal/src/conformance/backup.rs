//! A copy of a journal that is in use.

use finale_core::fact::Terminal::{Cancelled, Completed, Failed};
use finale_core::{ExecutionStatus, Payload};

use super::Skipped;
use super::stage::Stage;
use super::subject::{Subject, id};
use crate::{Expired, Filter, JournalError, Purge, Quarantine};

type Case = Result<(), Skipped>;

pub(super) fn everything_acknowledged_is_in_it(stage: &mut Stage<'_>) -> Case {
    let mut open = Subject::new(1).keyed("one").about("order 7");
    let mut ended = Subject::new(2).keyed("two");
    let _pen = stage.written(&[open.begin(), ended.begin(), open.again(), ended.fail("broken")]);
    stage.copy()?;
    for subject in [&open, &ended] {
        assert_eq!(stage.history(subject.id()).as_deref(), Some(subject.history()));
    }
    assert_eq!(stage.list(&Filter::new()), [ended.summary(), open.summary()]);
    assert_eq!((stage.keyed("one"), stage.keyed("two")), (Some(id(1)), Some(id(2))));
    Ok(())
}

pub(super) fn an_empty_journal_can_be_copied(stage: &mut Stage<'_>) -> Case {
    stage.copy()?;
    assert_eq!((stage.list(&Filter::new()), stage.live_ids()), (vec![], vec![]));
    stage.written(&[Subject::new(1).begin()]);
    assert_eq!(stage.live_ids(), [id(1)]);
    Ok(())
}

pub(super) fn the_copy_goes_on_by_itself(stage: &mut Stage<'_>) -> Case {
    let mut subject = Subject::new(1);
    let _pen = stage.written(&[subject.begin()]);
    stage.copy()?;
    let mut pen = stage.pen();
    pen.append(&subject.again());
    pen.append(&subject.complete());
    pen.append(&Subject::new(2).begin());
    pen.settle();
    assert_eq!(stage.history(id(1)).as_deref(), Some(subject.history()));
    assert_eq!(stage.list_ids(&Filter::new()), [id(2), id(1)]);
    Ok(())
}

pub(super) fn the_original_goes_on_as_if_nothing_had_happened(stage: &mut Stage<'_>) -> Case {
    let mut subject = Subject::new(1);
    let mut pen = stage.written(&[subject.begin()]);
    let original = stage.copy()?;
    for _ in 0..20 {
        pen.append(&subject.again());
    }
    pen.settle();
    assert_eq!(original.health(), Ok(()));
    assert_eq!(original.history(id(1)), Ok(Some(subject.history().to_vec())));
    assert!(
        stage.history(id(1)).is_some_and(|copied| copied.len() < subject.history().len()),
        "the copy stays as it is"
    );
    Ok(())
}

pub(super) fn who_opens_the_copy_sees_a_crash(stage: &mut Stage<'_>) -> Case {
    let first = stage.claim().epoch;
    stage.copy()?;
    let claim = stage.claim();
    assert!(claim.crashed && claim.epoch > first, "{claim:?}: its owner was at work");
    Ok(())
}

pub(super) fn a_journal_that_was_released_is_copied_as_such(stage: &mut Stage<'_>) -> Case {
    let epoch = stage.claim().epoch;
    stage.journal().release(epoch).expect("the owner may release");
    stage.copy()?;
    assert!(!stage.claim().crashed);
    Ok(())
}

pub(super) fn gaps_are_refused_in_the_copy(stage: &mut Stage<'_>) -> Case {
    let (mut open, mut ended) = (Subject::new(1), Subject::new(2));
    let _pen = stage.written(&[open.begin(), ended.begin(), open.again(), ended.complete()]);
    stage.copy()?;
    let mut pen = stage.pen();
    let gap = JournalError::Gap { execution: id(1), expected: 3, found: 1 };
    assert_eq!(pen.refused(&Subject::new(1).begin()), gap);
    assert_eq!(pen.refused(&Subject::new(2).begin()), JournalError::Ended(id(2)));
    Ok(())
}

pub(super) fn quarantines_and_write_offs_are_in_it(stage: &mut Stage<'_>) -> Case {
    let quarantine = Quarantine { reason: "it panicked".into(), until_released: true };
    let mut pen = stage.written(&[Subject::new(1).begin(), Subject::new(2).begin()]);
    pen.quarantine(id(1), Some(&quarantine));
    pen.write_off(id(2), Subject::new(2).now(), "rotten");
    pen.settle();
    stage.copy()?;
    assert_eq!(stage.live(None, 10)[0].quarantine, Some(quarantine));
    assert_eq!(stage.status(id(2)), Some(ExecutionStatus::Failed));
    Ok(())
}

pub(super) fn what_was_forgotten_is_not_in_it(stage: &mut Stage<'_>) -> Case {
    let pen = stage.written(&[
        Subject::new(1).keyed("one").whole(Completed),
        Subject::new(2).whole(Failed),
        Subject::new(3).whole(Cancelled),
    ]);
    stage.purge(&Purge::all(Expired { ended_before: None, all_but: Some(0) }), 10);
    pen.settle();
    stage.copy()?;
    assert_eq!((stage.list(&Filter::new()), stage.keyed("one")), (vec![], None));
    Ok(())
}

pub(super) fn large_facts_are_whole_in_it(stage: &mut Stage<'_>) -> Case {
    let large = Payload::encode(&"x".repeat(8 << 20)).expect("a text is JSON");
    let mut subject = Subject::new(1).given(large);
    let _pen = stage.written(&[subject.begin(), subject.again()]);
    stage.copy()?;
    assert!(stage.history(id(1)).as_deref() == Some(subject.history()), "large facts are not what was written");
    Ok(())
}

pub(super) fn a_copy_can_be_copied(stage: &mut Stage<'_>) -> Case {
    let mut subject = Subject::new(1);
    let mut pen = stage.written(&[subject.begin()]);
    for _ in 0..3 {
        stage.copy()?;
        pen = stage.pen();
        pen.append(&subject.again());
        pen.settle();
    }
    drop(pen);
    assert_eq!(stage.history(id(1)).as_deref(), Some(subject.history()));
    Ok(())
}
