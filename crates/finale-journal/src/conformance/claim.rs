//! Taking a journal, and giving it back.

use std::collections::BTreeSet;

use super::stage::Stage;
use super::subject::Subject;
use crate::{Claim, Epoch, Filter, JournalError, Listener};

pub(super) fn the_first_claim_finds_no_crash(stage: &Stage<'_>) {
    let Claim { epoch, crashed } = stage.claim();
    assert!(epoch >= Epoch(1), "claims are numbered from 1");
    assert!(!crashed, "nobody had the journal before");
}

pub(super) fn epochs_rise_with_every_claim(stage: &Stage<'_>) {
    let epochs: Vec<_> = (0..20).map(|_| stage.claim().epoch).collect();
    assert!(epochs.is_sorted_by(|earlier, later| earlier < later), "{epochs:?} do not rise");
}

pub(super) fn epochs_rise_after_a_release(stage: &Stage<'_>) {
    let first = stage.claim().epoch;
    stage.journal().release(first).expect("the owner may release");
    assert!(stage.claim().epoch > first);
}

pub(super) fn without_release_the_next_claim_sees_a_crash(stage: &Stage<'_>) {
    stage.claim();
    assert!(stage.claim().crashed);
    assert!(stage.claim().crashed);
}

pub(super) fn after_a_release_the_next_claim_sees_no_crash(stage: &Stage<'_>) {
    let first = stage.claim().epoch;
    stage.journal().release(first).expect("the owner may release");
    assert!(!stage.claim().crashed);
    assert!(stage.claim().crashed, "a release is good for one claim");
}

pub(super) fn a_release_by_an_old_owner_changes_nothing(stage: &Stage<'_>) {
    let old = stage.claim().epoch;
    let mut pen = stage.pen();
    stage.journal().release(old).expect("an old owner may say that it has ended");
    pen.append(&Subject::new(1).begin());
    pen.settle();
    assert!(stage.claim().crashed, "the newest owner has not released");
}

pub(super) fn a_release_by_an_old_owner_does_not_undo_one(stage: &Stage<'_>) {
    let (old, new) = (stage.claim().epoch, stage.claim().epoch);
    stage.journal().release(new).expect("the owner may release");
    stage.journal().release(old).expect("an old owner may say that it has ended");
    assert!(!stage.claim().crashed);
}

pub(super) fn an_old_owner_cannot_open_a_writer(stage: &Stage<'_>) {
    let (old, new) = (stage.claim().epoch, stage.claim().epoch);
    let refused = stage.journal().writer(old, 0, Listener::new(|_| {})).map(|_| ());
    assert_eq!(refused, Err(JournalError::Fenced { epoch: old, current: new }));
}

pub(super) fn every_shard_has_its_writer(stage: &Stage<'_>) {
    let epoch = stage.claim().epoch;
    let mut pens: Vec<_> = [0, 1, 2, 255, u16::MAX].map(|shard| stage.pen_of(epoch, shard)).into();
    for (number, pen) in (1..).zip(&mut pens) {
        pen.append(&Subject::new(number).begin());
    }
    pens.iter().for_each(super::pen::Pen::settle);
    assert_eq!(stage.live_ids().len(), 5);
}

pub(super) fn a_claim_changes_nothing_that_is_kept(stage: &Stage<'_>) {
    let (mut open, mut ended) = (Subject::new(1).keyed("key"), Subject::new(2));
    stage.written(&[open.begin(), ended.begin(), ended.fail("broken")]);
    for _ in 0..3 {
        stage.claim();
        assert_eq!(stage.history(open.id()).as_deref(), Some(open.history()));
        assert_eq!(stage.list(&Filter::new()), [ended.summary(), open.summary()]);
        assert_eq!((stage.live_ids(), stage.keyed("key")), (vec![open.id()], Some(open.id())));
    }
}

pub(super) fn claims_at_the_same_time_get_epochs_of_their_own(stage: &Stage<'_>) {
    let journal = stage.journal();
    let claims: Vec<_> = std::thread::scope(|scope| {
        let claimants: Vec<_> = (0..8).map(|_| scope.spawn(|| journal.claim().expect("it can be claimed"))).collect();
        claimants.into_iter().map(|claimant| claimant.join().expect("nothing panics")).collect()
    });
    let epochs: BTreeSet<_> = claims.iter().map(|claim| claim.epoch).collect();
    assert_eq!(epochs.len(), 8, "two claims have the same epoch: {claims:?}");
    let first = claims.iter().min_by_key(|claim| claim.epoch).expect("there are claims");
    assert!(claims.iter().all(|claim| claim.crashed == (claim.epoch != first.epoch)), "{claims:?}");
    stage.pen().append(&Subject::new(1).begin());
}
