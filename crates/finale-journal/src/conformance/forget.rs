//! Forgetting executions that have ended.

use finale_core::fact::Terminal;

use super::stage::Stage;
use super::subject::{Subject, id};
use crate::{Expired, Filter, Purge, Quarantine};

pub(super) fn nothing_is_left_of_what_is_forgotten(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    for (number, end) in (1..).zip([Terminal::Completed, Terminal::Failed, Terminal::Cancelled]) {
        pen.append(&Subject::new(number).keyed(&format!("key {number}")).whole(end));
        pen.forget(&[id(number)]);
        pen.settle();
        assert_eq!((stage.history(id(number)), stage.summary(id(number))), (None, None));
        assert_eq!(stage.keyed(&format!("key {number}")), None);
        let all = Purge::all(Expired { ended_before: None, all_but: Some(0) });
        assert_eq!(stage.purge(&all, 10).executions, []);
    }
    assert_eq!((stage.list(&Filter::new()), stage.live_ids()), (vec![], vec![]));
}

pub(super) fn open_ones_are_left_alone(stage: &Stage<'_>) {
    let (mut running, mut ending, mut parked) = (Subject::new(1).keyed("key"), Subject::new(2), Subject::new(3));
    let mut pen = stage.written(&[running.begin(), ending.begin(), ending.cancel(), parked.begin()]);
    pen.quarantine(id(3), Some(&Quarantine { reason: "it panicked".into(), until_released: true }));
    pen.forget(&[id(1), id(2), id(3)]);
    pen.settle();
    assert_eq!(stage.live_ids(), [id(1), id(2), id(3)]);
    assert_eq!((stage.summary(id(1)), stage.summary(id(2))), (Some(running.summary()), Some(ending.summary())));
    assert_eq!(stage.keyed("key"), Some(id(1)));
    for subject in [&mut running, &mut parked] {
        pen.append(&subject.again());
        pen.settle();
        assert_eq!(stage.history(subject.id()).as_deref(), Some(subject.history()));
    }
}

pub(super) fn unknown_ones_are_left_alone(stage: &Stage<'_>) {
    let mut subject = Subject::new(2);
    let mut pen = stage.written(&[subject.begin()]);
    pen.forget(&[id(1), id(3)]);
    pen.settle();
    let mut late = Subject::new(1);
    pen.append(&late.begin());
    pen.settle();
    assert_eq!(stage.list(&Filter::new()), [subject.summary(), late.summary()]);
}

pub(super) fn only_those_that_are_named_go(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    let mut subjects: Vec<_> = (1..=10).map(Subject::new).collect();
    for subject in &mut subjects {
        pen.append(&subject.whole(Terminal::Completed));
    }
    pen.forget(&[id(2), id(9)]);
    pen.settle();
    for subject in &subjects {
        let gone = [id(2), id(9)].contains(&subject.id());
        assert_eq!(stage.history(subject.id()).is_none(), gone, "{}", subject.id());
        assert_eq!(stage.summary(subject.id()), (!gone).then(|| subject.summary()));
    }
}

pub(super) fn open_and_ended_ones_together(stage: &Stage<'_>) {
    let (mut open, mut ended) = (Subject::new(1), Subject::new(2));
    let mut pen = stage.written(&[open.begin(), ended.begin(), ended.complete()]);
    pen.forget(&[id(1), id(2), id(3), id(2)]);
    pen.settle();
    assert_eq!(stage.list(&Filter::new()), [open.summary()]);
}

pub(super) fn a_second_time_changes_nothing(stage: &Stage<'_>) {
    let mut stays = Subject::new(2);
    let mut pen = stage.written(&[Subject::new(1).whole(Terminal::Completed), stays.whole(Terminal::Completed)]);
    for _ in 0..3 {
        pen.forget(&[id(1)]);
        pen.settle();
        assert_eq!(stage.list(&Filter::new()), [stays.summary()]);
    }
}

pub(super) fn many_are_forgotten_at_once(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    for number in 1..=2_000 {
        pen.append(&Subject::new(number).whole(Terminal::Completed));
    }
    let all: Vec<_> = (1..=2_000).map(id).collect();
    pen.forget(&all[..1_990]);
    pen.settle();
    assert_eq!(stage.list_ids(&Filter::new()).len(), 10);
    assert_eq!((stage.history(id(1_990)), stage.history(id(1_991)).is_some()), (None, true));
}

pub(super) fn any_shard_forgets_for_all(stage: &Stage<'_>) {
    let epoch = stage.claim().epoch;
    let mut pens: Vec<_> = (0..3).map(|shard| stage.pen_of(epoch, shard)).collect();
    for (number, pen) in (1..).zip(&mut pens) {
        pen.append(&Subject::new(number).whole(Terminal::Completed));
        pen.settle();
    }
    pens[1].forget(&[id(1), id(2), id(3)]);
    pens[1].settle();
    assert_eq!(stage.list(&Filter::new()), []);
}

pub(super) fn the_next_owner_forgets_what_it_found(stage: &Stage<'_>) {
    let mut open = Subject::new(2);
    stage.written(&[Subject::new(1).keyed("key").whole(Terminal::Completed), open.begin()]);
    let mut pen = stage.pen();
    pen.forget(&[id(1), id(2)]);
    pen.settle();
    assert_eq!((stage.history(id(1)), stage.keyed("key")), (None, None));
    assert_eq!(stage.list(&Filter::new()), [open.summary()]);
}

pub(super) fn a_forgotten_id_may_begin_again(stage: &Stage<'_>) {
    let mut pen = stage.written(&[Subject::new(1).keyed("old").whole(Terminal::Completed)]);
    pen.forget(&[id(1)]);
    pen.settle();
    let mut again = Subject::new(1).keyed("new").by("somebody else");
    pen.append(&again.begin());
    pen.settle();
    assert_eq!(stage.summary(id(1)), Some(again.summary()));
    assert_eq!((stage.keyed("old"), stage.keyed("new")), (None, Some(id(1))));
    assert_eq!(stage.history(id(1)).as_deref(), Some(again.history()));
}

pub(super) fn it_may_follow_at_once_upon_the_end(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    for number in 1..=100 {
        let mut subject = Subject::new(number);
        pen.append(&subject.begin());
        pen.append(&subject.complete());
        pen.forget(&[id(number)]);
    }
    pen.settle();
    assert_eq!((stage.list(&Filter::new()), stage.live_ids()), (vec![], vec![]));
}

pub(super) fn of_one_that_was_written_off(stage: &Stage<'_>) {
    let mut subject = Subject::new(1).keyed("key");
    let mut pen = stage.written(&[subject.begin()]);
    pen.quarantine(id(1), Some(&Quarantine { reason: "it panicked".into(), until_released: true }));
    pen.write_off(id(1), subject.now(), "rotten");
    pen.forget(&[id(1)]);
    pen.settle();
    assert_eq!((stage.summary(id(1)), stage.keyed("key"), stage.live_ids()), (None, None, vec![]));
}
