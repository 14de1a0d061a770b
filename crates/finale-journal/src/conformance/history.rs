//! Facts as they are read back.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use finale_core::Payload;

use super::any_order::bare;
use super::stage::Stage;
use super::subject::{Subject, id};

const MIB: usize = 1 << 20;

pub(super) fn the_bytes_are_those_that_were_written(stage: &Stage<'_>) {
    let mut subject = Subject::new(1).keyed("key").about("order 7");
    let mut pen = stage.pen();
    for write in [Subject::begin, Subject::again, Subject::cancel, Subject::stopped] {
        pen.append(&write(&mut subject));
        assert_eq!(stage.history(id(1)).as_deref(), Some(subject.history()));
    }
    pen.settle();
    assert_eq!(stage.history(id(1)).as_deref(), Some(subject.history()));
    assert!(subject.folds_from(&stage.history(id(1)).expect("it is kept")));
}

pub(super) fn an_unknown_execution_has_none(stage: &Stage<'_>) {
    assert_eq!(stage.history(id(1)), None);
    stage.written(&[Subject::new(2).begin()]);
    assert_eq!((stage.history(id(1)), stage.history(id(3))), (None, None));
}

pub(super) fn facts_are_seen_as_soon_as_they_are_appended(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    let mut pen = stage.pen();
    pen.append(&subject.begin());
    for _ in 0..200 {
        assert_eq!(stage.history(id(1)).as_deref(), Some(subject.history()));
        pen.append(&subject.again());
    }
    assert_eq!(stage.history(id(1)).as_deref(), Some(subject.history()));
    pen.settle();
}

pub(super) fn large_facts_are_kept_whole(stage: &Stage<'_>) {
    let large = |letter: &str, size: usize| Payload::encode(&letter.repeat(size)).expect("a text is JSON");
    let mut subject = Subject::new(1).given(large("i", 8 * MIB));
    let mut pen = stage.written(&[subject.begin(), subject.again(), subject.complete_with(large("o", 8 * MIB))]);
    let mut neighbour = Subject::new(2).given(large("n", MIB));
    pen.append(&neighbour.begin());
    pen.settle();
    assert!(stage.history(id(1)).as_deref() == Some(subject.history()), "large facts are not what was written");
    assert!(stage.history(id(2)).as_deref() == Some(neighbour.history()), "large facts are not what was written");
}

pub(super) fn the_smallest_facts_are_kept(stage: &Stage<'_>) {
    let mut subject = Subject::new(0).by("");
    stage.written(&[subject.begin(), subject.complete()]);
    assert_eq!(stage.history(id(0)).as_deref(), Some(subject.history()));
    assert_eq!(stage.summary(id(0)), Some(subject.summary()));
}

pub(super) fn ten_thousand_appends_of_one_execution_are_kept(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    let mut pen = stage.written(&[subject.begin()]);
    for _ in 0..10_000 {
        pen.append(&subject.again());
    }
    pen.append(&subject.complete());
    pen.settle();
    let history = stage.history(id(1)).expect("it is kept");
    assert!(history == subject.history(), "the history is not what was written");
    assert!(subject.folds_from(&history));
}

pub(super) fn histories_do_not_mix(stage: &Stage<'_>) {
    let epoch = stage.claim().epoch;
    let mut pens = [stage.pen_of(epoch, 0), stage.pen_of(epoch, 1)];
    let mut subjects: Vec<_> = (1..=20).map(|number| Subject::new(number).by(&number.to_string())).collect();
    for (index, subject) in subjects.iter_mut().enumerate() {
        pens[index % 2].append(&subject.begin());
    }
    for (index, subject) in subjects.iter_mut().enumerate().filter(|(index, _)| index % 3 == 0) {
        pens[index % 2].append(&subject.fail("mine"));
    }
    pens.iter().for_each(super::pen::Pen::settle);
    for subject in &subjects {
        assert_eq!(stage.history(subject.id()).as_deref(), Some(subject.history()));
    }
}

pub(super) fn readers_see_whole_appends_in_order(stage: &Stage<'_>) {
    let (steps, mut subject) = (300, Subject::new(1));
    let mut boundaries = BTreeSet::from([0]);
    let mut writes = vec![subject.begin()];
    boundaries.insert(subject.history().len());
    for size in 1..=steps {
        writes.push(subject.again_and_again(1 + size % 7));
        boundaries.insert(subject.history().len());
    }
    let done = AtomicBool::new(false);
    let mut pen = stage.pen();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| watch(stage, subject.history(), &boundaries, &done));
        }
        let finished = Finished(&done);
        for write in &writes {
            pen.append(write);
        }
        pen.settle();
        drop(finished);
    });
    assert_eq!(stage.history(id(1)).as_deref(), Some(subject.history()));
}

/// Reads until it is done: what is read is always a prefix, of whole appends, and never gets shorter.
fn watch(stage: &Stage<'_>, whole: &[u8], boundaries: &BTreeSet<usize>, done: &AtomicBool) {
    let mut seen = 0;
    while !done.load(Ordering::Acquire) {
        let history = stage.history(id(1)).unwrap_or_default();
        assert!(whole.starts_with(&history), "what a reader saw is no prefix of the history");
        assert!(boundaries.contains(&history.len()), "a reader saw a part of an append");
        assert!(history.len() >= seen, "a reader saw facts go away");
        seen = history.len();
    }
}

/// Lets the readers go also when the writer panics.
struct Finished<'a>(&'a AtomicBool);

impl Drop for Finished<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

pub(super) fn readers_miss_nothing_while_the_owner_changes(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    stage.written(&[subject.begin()]);
    let history = subject.history().to_vec();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                let seen = stage.history(id(1)).expect("an execution does not go away when the owner changes");
                assert!(seen.starts_with(&history), "facts go away when the owner changes");
                assert!(stage.status(id(1)).is_some());
                assert_eq!(stage.live_ids(), [id(1)]);
            }
        });
        let finished = Finished(&done);
        for _ in 0..50 {
            stage.written(&[subject.again()]);
        }
        drop(finished);
    });
}

pub(super) fn a_history_is_whole_while_others_are_purged(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    let mut pen = stage.pen();
    pen.append(&subject.begin());
    for number in 2..=300 {
        pen.append(&Subject::new(number).whole(finale_core::fact::Terminal::Completed));
        pen.append(&subject.again());
    }
    pen.settle();
    let everything = crate::Purge::all(crate::Expired { ended_before: None, all_but: Some(0) });
    std::thread::scope(|scope| {
        let purging = scope.spawn(|| while stage.purge(&everything, 20).more {});
        while !purging.is_finished() {
            assert_eq!(stage.history(id(1)).as_deref(), Some(subject.history()));
        }
    });
    assert_eq!(stage.history(id(1)).as_deref(), Some(subject.history()));
    assert_eq!(stage.live_ids(), [id(1)]);
}

/// Some of every kind: open ones, ended ones, unknown ones, and one twice.
fn some_of_every_kind(stage: &Stage<'_>) -> (Vec<Subject>, Vec<finale_core::ExecutionId>) {
    let mut subjects: Vec<_> = (1..=40).map(Subject::new).collect();
    let mut pen = stage.pen();
    for (index, subject) in subjects.iter_mut().enumerate() {
        pen.append(&subject.begin());
        match index % 4 {
            0 => {
                pen.append(&subject.complete());
            }
            1 => {
                pen.append(&subject.again());
            }
            _ => {}
        }
    }
    pen.settle();
    let mut ids: Vec<_> = (1..=45).rev().map(id).collect();
    ids.push(id(3));
    (subjects, ids)
}

pub(super) fn several_are_read_at_a_time_and_each_is_what_it_is_by_itself(stage: &Stage<'_>) {
    let (_subjects, ids) = some_of_every_kind(stage);
    let by_itself: Vec<_> = ids.iter().map(|id| stage.history(*id)).collect();
    assert_eq!(by_itself.iter().filter(|history| history.is_none()).count(), 5);
    assert_eq!(stage.histories(&ids), by_itself);
    assert_eq!(stage.histories(&[]), Vec::<Option<Vec<u8>>>::new());
}

pub(super) fn several_that_are_read_at_a_time_have_what_was_appended_last(stage: &Stage<'_>) {
    let mut subjects: Vec<_> = (1..=10).map(Subject::new).collect();
    let ids: Vec<_> = subjects.iter().map(Subject::id).collect();
    let mut pen = stage.pen();
    for subject in &mut subjects {
        pen.append(&subject.begin());
    }
    for _ in 0..30 {
        for subject in &mut subjects {
            pen.append(&subject.again());
        }
        let histories: Vec<_> = subjects.iter().map(|subject| Some(subject.history().to_vec())).collect();
        assert_eq!(stage.histories(&ids), histories, "as soon as they are appended");
    }
    pen.settle();
}

pub(super) fn the_next_owner_goes_on_with_what_was_read_many_at_a_time(stage: &Stage<'_>) {
    let (mut subjects, ids) = some_of_every_kind(stage);
    let mut pen = stage.pen();
    stage.histories(&ids);
    for (index, subject) in subjects.iter_mut().enumerate().filter(|(index, _)| index % 4 != 0) {
        pen.append(&subject.again());
        if index % 3 == 0 {
            stage.histories(&ids);
            pen.append(&subject.complete());
        }
    }
    pen.settle();
    for subject in &subjects {
        assert_eq!(stage.history(subject.id()).as_deref(), Some(subject.history()));
        assert_eq!(stage.summary(subject.id()), Some(subject.summary()));
    }
}

pub(super) fn the_next_owner_refuses_gaps_after_what_was_read_many_at_a_time(stage: &Stage<'_>) {
    let (subjects, ids) = some_of_every_kind(stage);
    let mut pen = stage.pen();
    stage.histories(&ids);
    for (index, subject) in subjects.iter().enumerate() {
        let before = subject.history().len();
        match pen.refused(&bare(subject.id(), 1_000)) {
            crate::JournalError::Ended(_) if index % 4 == 0 => {}
            crate::JournalError::Gap { .. } if index % 4 != 0 => {}
            other => panic!("{other} of {index}"),
        }
        assert_eq!(stage.history(subject.id()).map(|history| history.len()), Some(before));
    }
}

pub(super) fn what_was_read_many_at_a_time_may_end_and_be_forgotten(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    stage.written(&[subject.begin()]);
    let mut pen = stage.pen();
    stage.histories(&[id(1)]);
    pen.append(&subject.complete());
    // It is read while its end may not be durable yet, and once more afterwards.
    stage.histories(&[id(1)]);
    pen.settle();
    stage.histories(&[id(1)]);
    assert!(matches!(pen.refused(&bare(id(1), 1_000)), crate::JournalError::Ended(_)));
    pen.forget(&[id(1)]);
    pen.settle();
    assert_eq!(stage.histories(&[id(1)]), [None]);
    assert_eq!(stage.live_ids(), []);
}
