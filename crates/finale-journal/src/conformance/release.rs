//! Leaving a journal in order.

use finale_core::fact::Terminal;

use super::Skipped;
use super::stage::Stage;
use super::subject::{Subject, id};
use crate::Filter;

pub(super) fn what_is_kept_does_not_change(stage: &Stage<'_>) {
    let (mut open, mut ended) = (Subject::new(1), Subject::new(2));
    let epoch = stage.claim().epoch;
    let mut pen = stage.pen_of(epoch, 0);
    pen.append(&open.begin());
    pen.append(&ended.whole(Terminal::Failed));
    pen.settle();
    stage.journal().release(epoch).expect("the owner may release");
    assert_eq!(stage.history(id(1)).as_deref(), Some(open.history()));
    assert_eq!(stage.list(&Filter::new()), [ended.summary(), open.summary()]);
    assert_eq!(stage.journal().health(), Ok(()));
}

pub(super) fn a_second_time_changes_nothing(stage: &Stage<'_>) {
    let epoch = stage.claim().epoch;
    let first = stage.journal().release(epoch).expect("the owner may release");
    assert_eq!(stage.journal().release(epoch), Ok(first));
    assert!(!stage.claim().crashed);
}

pub(super) fn what_an_old_owner_is_told_says_nothing_of_files(stage: &Stage<'_>) {
    let old = stage.claim().epoch;
    stage.claim();
    let released = stage.journal().release(old).expect("an old owner may say that it has ended");
    assert_eq!(released.in_one_file, None);
}

pub(super) fn the_next_owner_goes_on(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    let epoch = stage.claim().epoch;
    let mut pen = stage.pen_of(epoch, 0);
    pen.append(&subject.begin());
    pen.settle();
    stage.journal().release(epoch).expect("the owner may release");
    let mut pen = stage.pen();
    pen.append(&subject.complete());
    pen.settle();
    assert_eq!(stage.summary(id(1)), Some(subject.summary()));
}

pub(super) fn released_in_one_file_a_kill_loses_nothing(stage: &mut Stage<'_>) -> Result<(), Skipped> {
    let mut subjects: Vec<_> = (1..=50).map(Subject::new).collect();
    let epoch = stage.claim().epoch;
    let mut pen = stage.pen_of(epoch, 0);
    for subject in &mut subjects {
        pen.append(&subject.begin());
    }
    pen.settle();
    stage.journal().release(epoch).expect("the owner may release");
    stage.crash([pen])?;
    assert_eq!(stage.live_ids().len(), 50);
    assert!(!stage.claim().crashed, "it was left in order before it was killed");
    Ok(())
}

pub(super) fn a_reader_reads_on(stage: &mut Stage<'_>) -> Result<(), Skipped> {
    let mut subject = Subject::new(1);
    let epoch = stage.claim().epoch;
    let mut pen = stage.pen_of(epoch, 0);
    pen.append(&subject.begin());
    pen.settle();
    let reader = stage.reader(false)?.expect("it can be read");
    assert_eq!(reader.history(id(1)), Ok(Some(subject.history().to_vec())));
    stage.journal().release(epoch).expect("the owner may release");
    assert_eq!(reader.history(id(1)), Ok(Some(subject.history().to_vec())));
    Ok(())
}
