//! A journal that is full slows a recovery down; nothing is lost and nothing locks up.

use finale::ExecutionStatus;
use finale::journal::Acknowledgement;
use finale_tests::actor::{Dummies, settle, workflow};
use finale_tests::lives::{Diary, Noted, outcome, with_held_life};

const HELD_MAX: u64 = 2;

#[actix::test]
async fn executions_take_no_more_turns_than_there_is_room_for_and_go_on_with_it() {
    with_held_life(async |lives| {
        lives.journal.set(Acknowledgement::Late);
        let first = lives.next().never("a b").start().unwrap();
        let flow = workflow("s>a a>b b>e");
        let mut ids = Vec::new();
        for _ in 0..20 {
            ids.push(first.activate(&flow, ()).await.unwrap().id());
        }
        settle().await;
        lives.journal.set(Acknowledgement::Held);
        lives.journal.full_beyond(HELD_MAX);
        let diary = Diary::default();
        let second = lives.crash().noted("a b", &diary).start().unwrap();
        let new = actix::spawn(second.activate(&flow, ()).start());
        for _ in 0..3 * 21 {
            settle().await;
            assert!(lives.journal.held() <= HELD_MAX + 1, "{} turns are held", lives.journal.held());
            lives.journal.release_up_to(1);
        }
        assert_eq!(lives.journal.held(), 0, "everything took the turns it needed and no more");
        ids.push(new.await.unwrap().unwrap().id());
        for id in ids {
            assert_eq!(outcome(&second, id).await.status(), ExecutionStatus::Completed);
        }
        assert_eq!((diary.attempts("a").len(), diary.attempts("b").len()), (21, 21));
        assert_eq!(second.health().recovering, 0);
    })
    .await;
}

#[actix::test]
async fn no_more_of_them_wait_for_room_than_may_be_active() {
    with_held_life(async |lives| {
        lives.journal.set(Acknowledgement::Late);
        let first = lives.next().never("a").start().unwrap();
        let mut ids = Vec::new();
        for _ in 0..20 {
            ids.push(first.activate(&workflow("s>a a>e"), ()).await.unwrap().id());
        }
        settle().await;
        lives.journal.set(Acknowledgement::Held);
        lives.journal.full_beyond(HELD_MAX);
        let builder = lives.crash().limits(finale::Limits::new().active_executions_max(4));
        let second = builder.done("a").start().unwrap();
        settle().await;
        assert_eq!(second.health().recovering, 16);
        lives.journal.set(Acknowledgement::Late);
        lives.journal.release();
        for id in ids {
            assert_eq!(outcome(&second, id).await.status(), ExecutionStatus::Completed);
        }
        assert_eq!(second.health().recovering, 0);
    })
    .await;
}

#[actix::test]
async fn a_crash_while_it_is_full_loses_nothing() {
    with_held_life(async |lives| {
        lives.journal.set(Acknowledgement::Late);
        let first = lives.next().never("a").start().unwrap();
        let mut ids = Vec::new();
        for _ in 0..20 {
            ids.push(first.activate(&workflow("s>a a>e"), ()).await.unwrap().id());
        }
        settle().await;
        lives.journal.full_beyond(HELD_MAX);
        for _ in 0..3 {
            lives.journal.set(Acknowledgement::Held);
            let runtime = lives.crash().done("a").start().unwrap();
            settle().await;
            lives.journal.release_up_to(3);
            settle().await;
            assert_eq!(lives.journal.held(), HELD_MAX + 1, "it goes on, and is full again");
            drop(runtime);
        }
        lives.journal.set(Acknowledgement::Late);
        let last = lives.crash().done("a").start().unwrap();
        for id in ids {
            assert_eq!(outcome(&last, id).await.status(), ExecutionStatus::Completed);
        }
    })
    .await;
}
