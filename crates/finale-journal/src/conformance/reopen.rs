//! What the next process finds after this one has ended in order.

use finale_core::fact::Terminal;
use finale_core::{Payload, Time};

use super::Skipped;
use super::stage::Stage;
use super::subject::{Subject, Workflow, id};
use crate::{Expired, Filter, JournalError, Position, Purge, Quarantine};

type Case = Result<(), Skipped>;

pub(super) fn everything_is_still_there(stage: &mut Stage<'_>) -> Case {
    let (mut running, mut ending, mut ended) = (Subject::new(1), Subject::new(2), Subject::new(3));
    let steps =
        [running.begin(), ending.begin(), ended.begin(), ending.cancel(), ended.fail("broken"), running.again()];
    let pen = stage.written(&steps);
    stage.reopen([pen])?;
    let subjects = [&ended, &ending, &running];
    assert_eq!(stage.list(&Filter::new()), subjects.map(Subject::summary));
    assert_eq!(stage.live_ids(), [id(1), id(2)]);
    for subject in subjects {
        assert_eq!(stage.history(subject.id()).as_deref(), Some(subject.history()));
    }
    Ok(())
}

pub(super) fn an_empty_journal_stays_empty(stage: &mut Stage<'_>) -> Case {
    stage.reopen([])?;
    assert_eq!((stage.list(&Filter::new()), stage.live_ids()), (vec![], vec![]));
    assert!(!stage.claim().crashed, "nobody had it");
    Ok(())
}

pub(super) fn an_execution_goes_on_with_its_next_fact(stage: &mut Stage<'_>) -> Case {
    let mut subject = Subject::new(1);
    let pen = stage.written(&[subject.begin(), subject.again()]);
    stage.reopen([pen])?;
    let mut pen = stage.pen();
    assert_eq!(pen.append(&subject.again()), Position(1));
    pen.append(&subject.complete());
    pen.settle();
    assert_eq!(stage.history(id(1)).as_deref(), Some(subject.history()));
    assert_eq!(stage.summary(id(1)), Some(subject.summary()));
    Ok(())
}

pub(super) fn a_gap_is_still_refused(stage: &mut Stage<'_>) -> Case {
    let mut subject = Subject::new(1);
    let pen = stage.written(&[subject.begin(), subject.again()]);
    stage.reopen([pen])?;
    let mut pen = stage.pen();
    let gap = |found| JournalError::Gap { execution: id(1), expected: 3, found };
    assert_eq!(pen.refused(&Subject::new(1).begin()), gap(1));
    let skipped = subject.again();
    assert_eq!(pen.refused(&subject.again()), gap(4));
    pen.append(&skipped);
    pen.settle();
    Ok(())
}

pub(super) fn what_has_ended_stays_ended(stage: &mut Stage<'_>) -> Case {
    let mut subject = Subject::new(1);
    let mut pen = stage.written(&[subject.begin(), Subject::new(2).begin(), subject.complete()]);
    pen.write_off(id(2), Time::default(), "rotten");
    stage.reopen([pen])?;
    let mut pen = stage.pen();
    assert_eq!(pen.refused(&Subject::new(1).begin()), JournalError::Ended(id(1)));
    assert_eq!(pen.refused(&Subject::new(2).begin()), JournalError::Ended(id(2)));
    assert_eq!(stage.summary(id(1)), Some(subject.summary()));
    assert_eq!(stage.live_ids(), []);
    Ok(())
}

pub(super) fn epochs_go_on_rising(stage: &mut Stage<'_>) -> Case {
    let first = stage.claim().epoch;
    let second = stage.claim().epoch;
    stage.reopen([])?;
    let third = stage.claim().epoch;
    assert!(first < second && second < third, "{first:?}, {second:?}, {third:?}");
    Ok(())
}

pub(super) fn a_release_is_remembered(stage: &mut Stage<'_>) -> Case {
    let epoch = stage.claim().epoch;
    let mut pen = stage.pen_of(epoch, 0);
    pen.append(&Subject::new(1).begin());
    pen.settle();
    drop(pen);
    stage.journal().release(epoch).expect("the owner may release");
    stage.reopen([])?;
    assert!(!stage.claim().crashed);
    Ok(())
}

pub(super) fn without_release_it_counts_as_a_crash(stage: &mut Stage<'_>) -> Case {
    let pen = stage.written(&[Subject::new(1).begin()]);
    stage.reopen([pen])?;
    assert!(stage.claim().crashed);
    Ok(())
}

pub(super) fn a_quarantine_is_remembered(stage: &mut Stage<'_>) -> Case {
    let mut lifted = Subject::new(2);
    let mut pen = stage.written(&[Subject::new(1).begin(), lifted.begin()]);
    let quarantine = Quarantine { reason: "it panicked".into(), until_released: true };
    pen.quarantine(id(1), Some(&quarantine));
    pen.quarantine(id(2), Some(&quarantine));
    pen.quarantine(id(2), None);
    stage.reopen([pen])?;
    let found: Vec<_> = stage.live(None, 10).into_iter().map(|live| live.quarantine).collect();
    assert_eq!(found, [Some(quarantine), None]);
    assert_eq!(stage.summary(id(1)).and_then(|summary| summary.error).as_deref(), Some("it panicked"));
    assert_eq!(stage.summary(id(2)), Some(lifted.summary()));
    Ok(())
}

pub(super) fn definitions_are_remembered(stage: &mut Stage<'_>) -> Case {
    let workflows = ["1.0.0", "2.0.0"].map(|version| Workflow::new("order", version));
    let pen = stage.written(&[Subject::of(1, &workflows[0]).begin(), Subject::of(2, &workflows[1]).begin()]);
    stage.reopen([pen])?;
    let mut pen = stage.pen();
    pen.append(&Subject::of(3, &workflows[0]).begin());
    pen.settle();
    for workflow in workflows {
        assert_eq!(stage.definition(workflow.stored.hash), Some(workflow.stored));
    }
    Ok(())
}

pub(super) fn keys_are_remembered(stage: &mut Stage<'_>) -> Case {
    let mut subject = Subject::new(2).keyed("two").about("order 7");
    let steps = [Subject::new(1).keyed("one").whole(Terminal::Completed), subject.begin()];
    let mut pen = stage.written(&steps);
    pen.append(&Subject::new(3).keyed("three").whole(Terminal::Failed));
    pen.forget(&[id(3)]);
    stage.reopen([pen])?;
    assert_eq!(["one", "two", "three"].map(|key| stage.keyed(key)), [Some(id(1)), Some(id(2)), None]);
    assert_eq!(stage.list(&Filter::new().business_key("order 7")), [subject.summary()]);
    Ok(())
}

pub(super) fn what_was_forgotten_stays_forgotten(stage: &mut Stage<'_>) -> Case {
    let mut stays = Subject::new(2);
    let mut pen = stage.written(&[Subject::new(1).whole(Terminal::Completed), stays.whole(Terminal::Completed)]);
    pen.forget(&[id(1)]);
    stage.reopen([pen])?;
    assert_eq!((stage.history(id(1)), stage.summary(id(1))), (None, None));
    assert_eq!(stage.list(&Filter::new()), [stays.summary()]);
    stage.claim();
    let all = Purge::all(Expired { ended_before: None, all_but: Some(0) });
    assert_eq!(stage.purge(&all, 10).executions, [id(2)]);
    Ok(())
}

pub(super) fn large_facts_are_still_whole(stage: &mut Stage<'_>) -> Case {
    let large = Payload::encode(&"x".repeat(8 << 20)).expect("a text is JSON");
    let mut subject = Subject::new(1).given(large);
    let pen = stage.written(&[subject.begin(), subject.again()]);
    stage.reopen([pen])?;
    assert!(stage.history(id(1)).as_deref() == Some(subject.history()), "large facts are not what was written");
    Ok(())
}

pub(super) fn many_processes_follow_each_other(stage: &mut Stage<'_>) -> Case {
    let mut subject = Subject::new(1);
    let mut pen = stage.written(&[subject.begin()]);
    for _ in 0..5 {
        stage.reopen([pen])?;
        pen = stage.pen();
        pen.append(&subject.again());
    }
    pen.settle();
    assert_eq!(stage.history(id(1)).as_deref(), Some(subject.history()));
    assert_eq!(stage.live_ids(), [id(1)]);
    Ok(())
}
