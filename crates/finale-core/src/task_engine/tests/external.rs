//! Tasks that are done outside are listed in pages, in the order of their ids.

use super::*;

fn ids<'a>(page: impl Iterator<Item = OpenTask<'a>>) -> Vec<(Slot, u32)> {
    page.map(|task| (task.slot, u32::from(task.dispatch.attempt.get()))).collect()
}

#[test]
fn an_open_task_is_listed_until_it_is_closed() {
    let mut shard = Shard::new(10);
    let (since, input) = (Time::from_micros(5), Payload::encode(&7).unwrap());
    shard.perform(slot(0), [Effect::Offer { dispatch: first(1), input: input.clone(), since, path: None }]);
    let id = TaskId { execution: execution(slot(0)), key: key(1) };
    let tasks: Vec<_> = shard.engine.open_tasks(None, None).collect();
    assert_eq!(tasks, [OpenTask { slot: slot(0), id, dispatch: first(1), since, input: &input, path: None }]);
    assert_eq!(shard.engine.counts().open, 1);
    shard.perform(slot(0), [close(first(1)), close(first(1))]);
    assert_eq!(shard.engine.open_tasks(None, None).count(), 0);
    assert_eq!(shard.engine.counts(), Counts::default());
}

#[test]
fn a_later_attempt_takes_the_place_of_the_one_before() {
    let mut shard = Shard::new(10);
    shard.perform(slot(0), [open(first(1))]);
    shard.perform(slot(0), [open(attempt(1, 2))]);
    assert_eq!(ids(shard.engine.open_tasks(None, None)), [(slot(0), 2)]);
    shard.perform(slot(0), [close(first(1))]);
    assert_eq!(shard.engine.counts().open, 1, "that was another attempt");
    shard.perform(slot(0), [close(attempt(1, 2))]);
    assert_eq!(shard.engine.counts().open, 0);
}

#[test]
fn open_tasks_take_no_permits() {
    let mut shard = Shard::new(1);
    shard.perform(slot(0), (0..10).map(|scope| open(scoped(scope, 1))));
    assert_eq!(began(&shard.perform(slot(0), [run(first(PENDING))])), [first(PENDING)]);
}

#[test]
fn pages_follow_each_other_without_gap_or_repetition() {
    let mut shard = Shard::new(10);
    for index in [2, 0, 1] {
        shard.perform(slot(index), [open(scoped(1, 1)), open(first(2)), open(first(1))]);
    }
    let all: Vec<_> = shard.engine.open_tasks(None, None).map(|task| task.id).collect();
    assert_eq!(all.len(), 9);
    assert!(all.is_sorted());
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let page: Vec<_> = shard.engine.open_tasks(after, None).take(2).map(|task| task.id).collect();
        let Some(last) = page.last() else { break };
        after = Some(*last);
        pages.extend(page);
    }
    assert_eq!(pages, all);
}

#[test]
fn the_tasks_of_one_execution_are_a_part_of_the_list() {
    let mut shard = Shard::new(10);
    (0..3).for_each(|index| drop(shard.perform(slot(index), [open(first(1)), open(first(2))])));
    let of =
        |after, index| shard.engine.open_tasks(after, Some(execution(slot(index)))).map(|it| it.id).collect::<Vec<_>>();
    let all: Vec<_> = shard.engine.open_tasks(None, None).map(|task| task.id).collect();
    assert_eq!(of(None, 1), all[2..4]);
    assert_eq!(of(Some(all[2]), 1), all[3..4]);
    assert_eq!(of(Some(all[0]), 1), all[2..4], "after something of an earlier execution");
    assert_eq!(of(Some(all[5]), 1), []);
}
