//! What ended long ago is forgotten, and nothing is looked for in vain.

use super::*;
use crate::fact::Terminal;

const AGE: Duration = Duration::from_secs(3_600);
const INTERVAL: Duration = Duration::from_secs(10);

fn scene(keep: Keep) -> Scene {
    Scene::unstarted(|options| options.retention.completed = keep)
}

impl Scene {
    fn none_expired(&mut self, read: ReadNo, next: Option<Time>) {
        self.tell(Input::Expired { read, expired: Ok(Expired { executions: Vec::new(), next }) });
    }
}

#[test]
fn the_first_shard_looks_at_the_start_and_forgets_in_batches() {
    let mut scene = scene(Keep { age: Some(AGE), count: Some(9) });
    let out = scene.recover(Vec::new());
    let [Read { number, what: ReadWhat::Expired { criteria, now, limit, keeps_untold: false } }] = &out.reads[..]
    else {
        panic!("{out:?}")
    };
    assert_eq!(criteria[..], [Criterion { status: Terminal::Completed, age: Some(AGE), all_but: Some(9) }]);
    assert_eq!((*now, *limit), (scene.now, 256));
    let old = scene.id();
    let expired = Expired { executions: vec![old], next: None };
    let out = scene.tell(Input::Expired { read: *number, expired: Ok(expired) });
    let [Write { number: Some(write), what: WriteWhat::Forget(executions) }] = &out.writes[..] else {
        panic!("{out:?}")
    };
    assert_eq!(executions[..], [old]);
    assert!(out.forgotten.is_empty(), "not before it is durable");
    let out = scene.tell(Input::Written(*write));
    assert_eq!(out.forgotten[0][..], [old]);
    // There may be more.
    let [Read { number, what: ReadWhat::Expired { .. } }] = out.reads[..] else { panic!("{out:?}") };
    scene.none_expired(number, None);
    assert_eq!(scene.supervisor.wake_at(), None);
}

#[test]
fn nothing_is_looked_for_where_everything_is_kept_or_by_other_shards() {
    let mut scene = scene(Keep::default());
    assert!(scene.recover(Vec::new()).reads.is_empty());
    let (_, begin) = scene.begin();
    scene.end(&begin);
    assert_eq!(scene.supervisor.wake_at(), None);

    let mut scene = Scene::unstarted(|options| {
        (options.shard, options.shards) = (ShardNo(1), 2);
        options.retention.completed = Keep { age: Some(AGE), count: None };
    });
    assert!(scene.recover(Vec::new()).reads.is_empty());
    // But what has ended there is looked for there.
    let (_, begin) = scene.begin();
    scene.end(&begin);
    assert_eq!(scene.supervisor.wake_at(), Some(scene.now.after(AGE)));
}

#[test]
fn it_is_looked_again_when_the_next_one_is_too_old() {
    let mut scene = scene(Keep { age: Some(AGE), count: None });
    let read = scene.recover(Vec::new()).reads[0].number;
    let next = scene.now.after(Duration::from_secs(100));
    scene.none_expired(read, Some(next));
    assert_eq!(scene.supervisor.wake_at(), Some(next));
    assert!(scene.wake_after(Duration::from_secs(99)).reads.is_empty());
    let read = scene.wake_after(Duration::from_secs(1)).reads[0].number;
    // Never at once again: a journal may say what it does not do.
    let now = scene.now;
    scene.none_expired(read, Some(now));
    assert_eq!(scene.supervisor.wake_at(), Some(scene.now.after(INTERVAL)));
}

#[test]
fn the_first_end_decides_when_it_is_looked() {
    let mut scene = scene(Keep { age: Some(AGE), count: None });
    let read = scene.recover(Vec::new()).reads[0].number;
    scene.none_expired(read, None);
    let (_, begin) = scene.begin();
    scene.end(&begin);
    let due = scene.now.after(AGE);
    scene.advance(Duration::from_secs(30));
    let (_, begin) = scene.begin();
    scene.end(&begin);
    assert_eq!(scene.supervisor.wake_at(), Some(due));
}

#[test]
fn one_too_many_is_looked_for_soon_and_an_age_of_nothing_not_more_often_than_said() {
    for keep in [Keep { age: None, count: Some(1) }, Keep { age: Some(Duration::ZERO), count: None }] {
        let mut scene = scene(keep);
        let read = scene.recover(Vec::new()).reads[0].number;
        scene.none_expired(read, None);
        let (_, begin) = scene.begin();
        scene.end(&begin);
        assert_eq!(scene.supervisor.wake_at(), Some(scene.now.after(INTERVAL)));
    }
}

#[test]
fn an_endless_interval_or_age_is_never_over() {
    let mut scene = Scene::unstarted(|options| {
        options.retention.completed = Keep { age: Some(Duration::MAX), count: None };
        options.retention.interval = Duration::MAX;
    });
    let read = scene.recover(Vec::new()).reads[0].number;
    scene.tell(Input::Expired { read, expired: Err("the disk".into()) });
    assert_eq!(scene.supervisor.wake_at(), Some(Time::from_micros(i64::MAX)));
}

#[test]
fn a_journal_that_cannot_be_read_is_asked_again_later() {
    let mut scene = scene(Keep { age: Some(AGE), count: None });
    let read = scene.recover(Vec::new()).reads[0].number;
    let out = scene.tell(Input::Expired { read, expired: Err("the disk".into()) });
    assert_eq!(out.notices, [Notice::PurgeFailed("the disk".into())]);
    assert_eq!(scene.wake_after(INTERVAL).reads.len(), 1);
}

#[test]
fn a_closed_shard_forgets_nothing_more() {
    let mut scene = scene(Keep { age: Some(AGE), count: None });
    let read = scene.recover(Vec::new()).reads[0].number;
    scene.tell(Input::Close);
    let expired = Expired { executions: vec![scene.id()], next: None };
    assert!(scene.tell(Input::Expired { read, expired: Ok(expired) }).writes.is_empty());
    assert_eq!(scene.supervisor.wake_at(), None);
}
