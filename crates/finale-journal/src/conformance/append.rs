//! Taking facts, and saying when they are durable.

use finale_core::fact::Terminal;

use super::pen::Pen;
use super::stage::Stage;
use super::subject::{Subject, id};
use crate::{JournalError, Position, Quarantine};

pub(super) fn the_first_facts_are_taken(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    stage.written(&[subject.begin()]);
    assert_eq!(stage.history(id(1)).as_deref(), Some(subject.history()));
}

pub(super) fn facts_follow_each_other(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    let mut pen = stage.pen();
    for step in [subject.begin(), subject.again(), subject.again(), subject.complete()] {
        pen.append(&step);
    }
    pen.settle();
    assert_eq!(stage.history(id(1)).as_deref(), Some(subject.history()));
}

pub(super) fn many_facts_come_in_one_append(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    stage.written(&[subject.begin(), subject.again_and_again(500), subject.again()]);
    assert_eq!(stage.history(id(1)).as_deref(), Some(subject.history()));
}

pub(super) fn an_execution_may_begin_and_end_in_one_append(stage: &Stage<'_>) {
    for (number, end) in (1..).zip([Terminal::Completed, Terminal::Failed, Terminal::Cancelled]) {
        let mut subject = Subject::new(number);
        stage.written(&[subject.whole(end)]);
        assert_eq!(stage.history(subject.id()).as_deref(), Some(subject.history()));
        assert_eq!(stage.summary(subject.id()), Some(subject.summary()));
    }
    assert_eq!(stage.live_ids(), []);
}

pub(super) fn executions_take_turns(stage: &Stage<'_>) {
    let mut subjects: Vec<_> = (1..=10).map(Subject::new).collect();
    let mut pen = stage.written(&subjects.iter_mut().map(Subject::begin).collect::<Vec<_>>());
    for _ in 0..10 {
        for subject in &mut subjects {
            pen.append(&subject.again());
        }
    }
    pen.settle();
    for subject in &subjects {
        assert_eq!(stage.history(subject.id()).as_deref(), Some(subject.history()));
    }
}

pub(super) fn positions_count_everything_written(stage: &Stage<'_>) {
    let (mut one, mut two) = (Subject::new(1), Subject::new(2));
    let quarantine = Quarantine { reason: "odd".into(), until_released: false };
    let mut pen = stage.pen();
    let positions = [
        pen.append(&one.begin()),
        pen.append(&two.begin()),
        pen.quarantine(id(1), Some(&quarantine)),
        pen.quarantine(id(1), None),
        pen.write_off(id(2), two.now(), "rotten"),
        pen.forget(&[id(2)]),
        pen.append(&one.again()),
    ];
    pen.settle();
    assert_eq!(positions, [1, 2, 3, 4, 5, 6, 7].map(Position));
}

pub(super) fn what_changes_nothing_takes_its_position_and_is_acknowledged(stage: &Stage<'_>) {
    let quarantine = Quarantine { reason: "odd".into(), until_released: false };
    let mut pen = stage.pen();
    pen.quarantine(id(1), Some(&quarantine));
    pen.settle();
    pen.write_off(id(1), Subject::new(1).now(), "rotten");
    pen.settle();
    pen.forget(&[id(1)]);
    pen.settle();
    pen.forget(&[]);
    pen.settle();
    assert_eq!(pen.append(&Subject::new(2).begin()), Position(5));
    pen.settle();
}

pub(super) fn each_writer_has_positions_of_its_own(stage: &Stage<'_>) {
    let epoch = stage.claim().epoch;
    let (mut busy, mut idle) = (stage.pen_of(epoch, 0), stage.pen_of(epoch, 1));
    for number in 1..=100 {
        busy.append(&Subject::new(number).begin());
    }
    assert_eq!(idle.append(&Subject::new(101).begin()), Position(1));
    busy.settle();
    idle.settle();
}

pub(super) fn a_new_writer_begins_at_position_one(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    stage.written(&[subject.begin(), subject.again()]);
    let mut pen = stage.pen();
    assert_eq!(pen.append(&subject.again()), Position(1));
    pen.settle();
}

pub(super) fn each_append_is_acknowledged_when_nothing_follows(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    let mut pen = stage.written(&[subject.begin()]);
    for _ in 0..20 {
        pen.append(&subject.again());
        pen.settle();
    }
}

pub(super) fn many_appends_in_flight_are_all_acknowledged(stage: &Stage<'_>) {
    let mut pen = stage.pen();
    for number in 1..=1_000 {
        let mut subject = Subject::new(number);
        pen.append(&subject.begin());
        pen.append(&subject.complete());
    }
    pen.settle();
    assert_eq!(pen.durable(), Position(2_000));
}

pub(super) fn whoever_writes_although_it_is_full_is_not_refused(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    let mut pen = stage.written(&[subject.begin()]);
    for _ in 0..200 {
        pen.append(&subject.again_and_again(50));
    }
    pen.settle();
    assert_eq!(stage.history(id(1)).as_deref(), Some(subject.history()));
}

pub(super) fn shards_write_from_threads_of_their_own(stage: &Stage<'_>) {
    let epoch = stage.claim().epoch;
    let histories: Vec<_> = std::thread::scope(|scope| {
        let shard = |shard: u16| {
            let numbers = u128::from(shard) * 100..u128::from(shard) * 100 + 50;
            let mut subjects: Vec<_> = numbers.map(Subject::new).collect();
            write_all(&mut stage.pen_of(epoch, shard), &mut subjects);
            subjects.into_iter().map(|subject| (subject.id(), subject.history().to_vec())).collect::<Vec<_>>()
        };
        let shards: Vec<_> = (0..4).map(|number| scope.spawn(move || shard(number))).collect();
        shards.into_iter().flat_map(|shard| shard.join().expect("a shard does not panic")).collect()
    });
    assert_eq!(histories.len(), 200);
    for (execution, history) in histories {
        assert_eq!(stage.history(execution), Some(history));
    }
}

fn write_all(pen: &mut Pen, subjects: &mut [Subject]) {
    for subject in &mut *subjects {
        pen.append(&subject.begin());
    }
    for subject in &mut *subjects {
        pen.append(&subject.again());
        pen.append(&subject.complete());
    }
    pen.settle();
}

pub(super) fn the_next_owner_goes_on_where_the_last_one_was(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    stage.written(&[subject.begin(), subject.again()]);
    stage.written(&[subject.again()]);
    stage.written(&[subject.complete()]);
    assert_eq!(stage.history(id(1)).as_deref(), Some(subject.history()));
    assert_eq!(stage.summary(id(1)), Some(subject.summary()));
}

pub(super) fn the_next_owner_may_have_other_shards(stage: &Stage<'_>) {
    let mut subjects: Vec<_> = (1..=12).map(Subject::new).collect();
    for shards in [3, 1, 4] {
        let epoch = stage.claim().epoch;
        let mut pens: Vec<_> = (0..shards).map(|shard| stage.pen_of(epoch, shard)).collect();
        let of = pens.len();
        for (index, subject) in subjects.iter_mut().enumerate() {
            let step = if subject.history().is_empty() { subject.begin() } else { subject.again() };
            pens[index % of].append(&step);
        }
        pens.iter().for_each(Pen::settle);
    }
    for subject in &subjects {
        assert_eq!(stage.history(subject.id()).as_deref(), Some(subject.history()));
    }
    assert_eq!(stage.live_ids().len(), 12);
}

pub(super) fn a_refusal_does_not_hold_up_acknowledgements(stage: &Stage<'_>) {
    let mut subject = Subject::new(1);
    let begins = subject.begin();
    let mut pen = stage.pen();
    pen.append(&begins);
    assert!(matches!(pen.refused(&begins), JournalError::Gap { .. }));
    pen.append(&subject.again());
    assert!(matches!(pen.refused(&begins), JournalError::Gap { .. }));
    pen.settle();
    assert_eq!(pen.durable(), Position(2));
}
