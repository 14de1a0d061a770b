//! What the next process finds after this one was killed.

use finale_core::fact::Terminal;
use finale_core::{ExecutionStatus, Payload};

use super::Skipped;
use super::stage::Stage;
use super::subject::{Step, Subject, Workflow, id};
use crate::{Filter, JournalError, Position, Quarantine};

type Case = Result<(), Skipped>;

pub(super) fn what_was_acknowledged_is_there(stage: &mut Stage<'_>) -> Case {
    let (mut open, mut ended) = (Subject::new(1).keyed("one").about("order 7"), Subject::new(2).keyed("two"));
    let pen = stage.written(&[open.begin(), ended.begin(), open.again(), ended.fail("broken")]);
    stage.crash([pen])?;
    for subject in [&open, &ended] {
        assert_eq!(stage.history(subject.id()).as_deref(), Some(subject.history()));
    }
    assert_eq!(stage.list(&Filter::new()), [ended.summary(), open.summary()]);
    assert_eq!((stage.keyed("one"), stage.keyed("two")), (Some(id(1)), Some(id(2))));
    Ok(())
}

pub(super) fn the_next_claim_sees_the_crash(stage: &mut Stage<'_>) -> Case {
    let old = stage.claim().epoch;
    let pen = stage.pen_of(old, 0);
    stage.crash([pen])?;
    let claim = stage.claim();
    assert!(claim.crashed && claim.epoch > old, "{claim:?} after {old:?}");
    Ok(())
}

pub(super) fn quarantines_and_definitions_are_there(stage: &mut Stage<'_>) -> Case {
    let workflow = Workflow::new("order", "1.0.0");
    let quarantine = Quarantine { reason: "it panicked".into(), until_released: true };
    let mut pen = stage.written(&[Subject::of(1, &workflow).begin(), Subject::of(2, &workflow).begin()]);
    pen.quarantine(id(1), Some(&quarantine));
    pen.write_off(id(2), Subject::new(2).now(), "rotten");
    pen.settle();
    stage.crash([pen])?;
    let live = stage.live(None, 10).into_iter().map(|live| (live.id, live.quarantine));
    assert_eq!(live.collect::<Vec<_>>(), [(id(1), Some(quarantine))]);
    assert_eq!(stage.status(id(2)), Some(ExecutionStatus::Failed));
    assert_eq!(stage.definition(workflow.stored.hash), Some(workflow.stored));
    Ok(())
}

pub(super) fn what_was_forgotten_stays_forgotten(stage: &mut Stage<'_>) -> Case {
    let mut pen = stage.written(&[Subject::new(1).keyed("one").whole(Terminal::Completed)]);
    pen.forget(&[id(1)]);
    pen.settle();
    stage.crash([pen])?;
    assert_eq!((stage.history(id(1)), stage.keyed("one")), (None, None));
    Ok(())
}

pub(super) fn large_facts_are_whole(stage: &mut Stage<'_>) -> Case {
    let large = Payload::encode(&"x".repeat(8 << 20)).expect("a text is JSON");
    let mut subject = Subject::new(1).given(large);
    let pen = stage.written(&[subject.begin(), subject.again()]);
    stage.crash([pen])?;
    assert!(stage.history(id(1)).as_deref() == Some(subject.history()), "large facts are not what was written");
    Ok(())
}

/// Ten executions, and what is appended to them in turns, until each has ended.
fn turns() -> (Vec<Subject>, Vec<Step>) {
    let mut subjects: Vec<_> = (1..=10).map(|number| Subject::new(number).keyed(&number.to_string())).collect();
    let mut steps: Vec<_> = subjects.iter_mut().map(Subject::begin).collect();
    for round in 0..20 {
        steps.extend(subjects.iter_mut().map(|subject| subject.again_and_again(1 + round % 3)));
    }
    steps.extend(subjects.iter_mut().map(Subject::cancel));
    steps.extend(subjects.iter_mut().map(Subject::stopped));
    (subjects, steps)
}

/// How many of the steps of one execution are kept: all of a step, or none of it.
fn kept(stage: &Stage<'_>, steps: &[Step], subject: &Subject) -> usize {
    let history = stage.history(subject.id()).unwrap_or_default();
    assert!(subject.history().starts_with(&history), "what a crash left of {} is no prefix", subject.id());
    let mut left = history.len();
    let whole = steps.iter().filter(|step| step.execution == subject.id()).take_while(|step| {
        let fits = step.facts.len() <= left;
        left -= if fits { step.facts.len() } else { 0 };
        fits
    });
    let whole = whole.count();
    assert_eq!(left, 0, "a crash left a part of an append to {}", subject.id());
    whole
}

pub(super) fn what_was_under_way_is_cut_off_in_order(stage: &mut Stage<'_>) -> Case {
    for stop in [1, 5, 14, 57, 110, 225, 230] {
        cut_off(stage, stop)?;
    }
    Ok(())
}

/// Kills the process after that many appends, and goes on to the end in the next one.
fn cut_off(stage: &mut Stage<'_>, stop: usize) -> Case {
    let (subjects, steps) = turns();
    let mut pen = stage.pen();
    for step in &steps[..stop] {
        pen.append(step);
    }
    let Position(durable) = pen.durable();
    stage.crash([pen])?;
    let kept: Vec<_> = subjects.iter().map(|subject| kept(stage, &steps, subject)).collect();
    // They were appended in turns, and became durable in that order: nobody is ahead of those before.
    let total: usize = kept.iter().sum();
    let expected: Vec<_> = (0..10).map(|index| (total + 9 - index) / 10).collect();
    assert_eq!(kept, expected, "what was appended later is kept, and something earlier is gone");
    assert!(durable as usize <= total && total <= stop, "{total} are kept; {stop} were appended, {durable} durable");
    let known: Vec<_> = (1..=10u128).filter(|number| stage.keyed(&number.to_string()).is_some()).collect();
    assert_eq!(known.len(), total.min(10), "a key is kept if its execution is");
    standing_follows(stage, &steps[..total], &subjects);
    carry_on(stage, &steps[total..], &subjects);
    Ok(())
}

/// That the summaries are those of the facts that are left.
fn standing_follows(stage: &Stage<'_>, steps: &[Step], subjects: &[Subject]) {
    for subject in subjects {
        let last = steps.iter().rev().find(|step| step.execution == subject.id());
        let expected = last.map(|step| match step.standing {
            super::subject::Stands::Running => ExecutionStatus::Running,
            super::subject::Stands::Ending => ExecutionStatus::Ending,
            super::subject::Stands::Ended { .. } => ExecutionStatus::Cancelled,
        });
        assert_eq!(stage.status(subject.id()), expected, "after {} appends", steps.len());
    }
}

/// Appends what is missing, and forgets everything.
fn carry_on(stage: &Stage<'_>, steps: &[Step], subjects: &[Subject]) {
    let mut pen = stage.pen();
    for step in steps {
        pen.append(step);
    }
    pen.settle();
    for subject in subjects {
        assert_eq!(stage.history(subject.id()).as_deref(), Some(subject.history()));
        assert_eq!(stage.summary(subject.id()), Some(subject.summary()));
    }
    pen.forget(&subjects.iter().map(Subject::id).collect::<Vec<_>>());
    pen.settle();
    assert_eq!(stage.list(&Filter::new()), []);
}

pub(super) fn gaps_are_refused_afterwards(stage: &mut Stage<'_>) -> Case {
    let (mut open, mut ended) = (Subject::new(1), Subject::new(2));
    let pen = stage.written(&[open.begin(), ended.begin(), open.again(), ended.complete()]);
    stage.crash([pen])?;
    let mut pen = stage.pen();
    let gap = JournalError::Gap { execution: id(1), expected: 3, found: 1 };
    assert_eq!(pen.refused(&Subject::new(1).begin()), gap);
    assert_eq!(pen.refused(&Subject::new(2).begin()), JournalError::Ended(id(2)));
    pen.append(&open.again());
    pen.settle();
    assert_eq!(stage.history(id(1)).as_deref(), Some(open.history()));
    Ok(())
}

pub(super) fn one_crash_follows_another(stage: &mut Stage<'_>) -> Case {
    let mut subject = Subject::new(1);
    let mut pen = stage.written(&[subject.begin()]);
    for _ in 0..10 {
        stage.crash([pen])?;
        pen = stage.pen();
        assert_eq!(stage.history(id(1)).as_deref(), Some(subject.history()));
        pen.append(&subject.again());
        pen.settle();
    }
    Ok(())
}

pub(super) fn an_old_claim_does_not_release_the_new_one(stage: &mut Stage<'_>) -> Case {
    let old = stage.claim().epoch;
    stage.crash([])?;
    stage.claim();
    stage.journal().release(old).expect("an old owner may say that it has ended");
    assert!(stage.claim().crashed);
    Ok(())
}
