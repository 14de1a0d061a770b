//! Writers of an owner that is not the owner any more.

use std::sync::atomic::{AtomicU64, Ordering};

use finale_core::Time;
use finale_core::fact::Terminal;

use super::stage::Stage;
use super::subject::{Step, Subject, id};
use crate::{Claim, Epoch, Expired, Filter, JournalError, Position, Purge, Quarantine};

fn fenced(old: Epoch, new: Epoch) -> JournalError {
    JournalError::Fenced { epoch: old, current: new }
}

pub(super) fn an_old_writer_is_refused(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    let old = stage.claim().epoch;
    let mut pen = stage.pen_of(old, 0);
    pen.append(&subject.begin());
    pen.settle();
    let kept = subject.history().to_vec();
    let new = stage.claim().epoch;
    assert_eq!(pen.refused(&subject.again()), fenced(old, new));
    assert_eq!(pen.refused(&Subject::new(2).begin()), fenced(old, new));
    assert_eq!(stage.history(id(1)), Some(kept));
    assert_eq!(stage.history(id(2)), None);
}

pub(super) fn whatever_an_old_writer_does_is_refused(stage: &Stage<'_>) {
    let (mut open, mut ended) = (Subject::new(1), Subject::new(2));
    let old = stage.claim().epoch;
    let mut pen = stage.pen_of(old, 0);
    pen.append(&open.begin());
    pen.append(&ended.whole(Terminal::Completed));
    pen.settle();
    let new = stage.claim().epoch;
    let quarantine = Quarantine { reason: "odd".into(), until_released: false };
    assert_eq!(pen.try_quarantine(id(1), Some(&quarantine)), Err(fenced(old, new)));
    assert_eq!(pen.try_write_off(id(1), Time::default(), "rotten"), Err(fenced(old, new)));
    assert_eq!(pen.try_forget(&[id(2)]), Err(fenced(old, new)));
    assert_eq!(stage.list(&Filter::new()), [ended.summary(), open.summary()]);
}

pub(super) fn an_old_writer_is_refused_before_it_is_checked(stage: &Stage<'_>) {
    let mut ended = Subject::new(1);
    let old = stage.claim().epoch;
    let mut pen = stage.pen_of(old, 0);
    let whole = ended.whole(Terminal::Completed);
    pen.append(&whole);
    pen.settle();
    let new = stage.claim().epoch;
    assert_eq!(pen.refused(&whole), fenced(old, new), "that it has ended is nothing to an old writer");
    let ahead = Step { first_sequence: 9, ..Subject::new(2).begin() };
    assert_eq!(pen.refused(&ahead), fenced(old, new));
}

pub(super) fn the_newest_epoch_is_named(stage: &Stage<'_>) {
    let old = stage.claim().epoch;
    let mut pen = stage.pen_of(old, 0);
    for _ in 0..3 {
        let Claim { epoch: new, .. } = stage.claim();
        assert_eq!(pen.refused(&Subject::new(1).begin()), fenced(old, new));
    }
}

pub(super) fn an_old_listener_is_not_told_of_what_others_write(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    let old = stage.written(&[subject.begin()]);
    let told = old.recorder().times();
    let mut pen = stage.pen();
    for _ in 0..100 {
        pen.append(&subject.again());
    }
    pen.settle();
    assert_eq!(old.recorder().times(), told);
}

pub(super) fn an_old_writer_does_not_disturb_the_new_one(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    let mut old = stage.written(&[subject.begin()]);
    let mut new = stage.pen();
    for _ in 0..20 {
        assert!(matches!(old.refused(&Subject::new(2).begin()), JournalError::Fenced { .. }));
        new.append(&subject.again());
    }
    drop(old);
    new.append(&subject.complete());
    new.settle();
    assert_eq!(stage.history(id(1)).as_deref(), Some(subject.history()));
    assert_eq!(stage.list(&Filter::new()), [subject.summary()]);
}

pub(super) fn a_claim_settles_what_was_under_way(stage: &Stage<'_>) {
    for round in 1..=20 {
        let mut whole = Subject::new(round);
        let steps: Vec<_> = std::iter::once(whole.begin()).chain((0..2_000).map(|_| whole.again())).collect();
        let taken = AtomicU64::new(0);
        let epoch = stage.claim().epoch;
        let (at_claim, durable) = std::thread::scope(|scope| {
            let writer = scope.spawn(|| write_until_fenced(stage, epoch, &steps, &taken));
            while taken.load(Ordering::Acquire) < 20 * round as u64 && !writer.is_finished() {
                std::thread::yield_now();
            }
            stage.claim();
            let at_claim = stage.history(id(round)).unwrap_or_default();
            (at_claim, writer.join().expect("the writer does not panic"))
        });
        let kept = stage.history(id(round)).unwrap_or_default();
        assert_eq!(kept.len(), at_claim.len(), "something was written after the claim");
        let durable_bytes: usize = steps.iter().take(durable.0 as usize).map(|step| step.facts.len()).sum();
        assert!(kept.len() >= durable_bytes, "what was durable is gone");
        assert!(whole.history().starts_with(&kept), "what is kept is not what was written first");
    }
}

/// Appends on a thread of its own until it is refused; returns how far that is known to be durable.
fn write_until_fenced(stage: &Stage<'_>, epoch: Epoch, steps: &[Step], taken: &AtomicU64) -> Position {
    let mut pen = stage.pen_of(epoch, 0);
    for step in steps {
        match pen.try_append(step) {
            Ok(_) => taken.fetch_add(1, Ordering::AcqRel),
            Err(JournalError::Fenced { .. }) => break,
            Err(error) => panic!("refused with {error}"),
        };
    }
    pen.durable()
}

pub(super) fn an_old_owner_releases_and_purges_nothing_of_the_new_one(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    let old = stage.claim().epoch;
    let new = stage.claim().epoch;
    let mut pen = stage.pen_of(new, 0);
    pen.append(&subject.whole(Terminal::Completed));
    pen.settle();
    let everything = Purge::all(Expired { ended_before: None, all_but: Some(0) });
    assert_eq!(stage.journal().purge(old, &everything, 10), Err(fenced(old, new)));
    stage.journal().release(old).expect("an old owner may say that it has ended");
    assert!(stage.claim().crashed);
    assert_eq!(stage.summary(id(1)), Some(subject.summary()));
}

pub(super) fn a_claim_between_two_purges_ends_them(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    for number in 1..=200 {
        pen.append(&Subject::new(number).whole(Terminal::Completed));
    }
    pen.settle();
    let everything = Purge::all(Expired { ended_before: None, all_but: Some(0) });
    let old = stage.epoch();
    let gone = stage.purge(&everything, 50).executions.len();
    let new = stage.claim().epoch;
    assert_eq!(stage.journal().purge(old, &everything, 50), Err(fenced(old, new)));
    assert_eq!(stage.list_ids(&Filter::new().limit(1_000)).len(), 200 - gone);
}
