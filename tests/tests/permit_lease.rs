//! Permits that shards share, in every order in which their threads can take turns: no limit is exceeded, no permit is lost,
//! and no shard waits for ever.
//!
//! The pool and the leases are those of the library. The threads do with them what the shards do: they ask and return under
//! the lock of the pool, and tell each other afterwards, through inboxes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use finale_core::number::{LimitNo, ShardNo};
use finale_core::permits::{Grant, Lease, PermitPool};
use loom::model::Builder;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Condvar, Mutex};
use loom::thread;

const LIMIT: LimitNo = LimitNo::RUNTIME;

/// A mistake that is made on purpose: each must be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    None,
    /// A shard that waits is not told that there are permits again.
    WaitingNotTold,
    /// A shard with unused permits is not told that another one needs some.
    HoldersNotTold,
    /// A shard returns its permits while it still uses one.
    ReturnedInUse,
}

/// What one shard is told by another.
#[derive(Clone, Copy, Debug)]
enum News {
    Wanted,
    Available,
    /// No shard has anything left to do.
    Over,
}

struct Runtime {
    mistake: Mistake,
    limit: usize,
    pool: Mutex<PermitPool>,
    inboxes: Vec<Inbox>,
    in_use: AtomicUsize,
    left: AtomicUsize,
}

#[derive(Default)]
struct Inbox {
    news: Mutex<VecDeque<News>>,
    more: Condvar,
}

impl Inbox {
    fn put(&self, news: News) {
        self.news.lock().unwrap().push_back(news);
        self.more.notify_one();
    }

    fn wait(&self) -> News {
        let mut news = self.news.lock().unwrap();
        loop {
            match news.pop_front() {
                Some(next) => return next,
                None => news = self.more.wait(news).unwrap(),
            }
        }
    }
}

/// One shard, with tasks to do one after the other.
struct Shard {
    number: ShardNo,
    lease: Lease,
    tasks: usize,
    runtime: Arc<Runtime>,
}

impl Shard {
    fn new(number: u16, tasks: usize, runtime: &Arc<Runtime>) -> Self {
        let unused_max = 2 * runtime.pool.lock().unwrap().block_of(LIMIT);
        Self { number: ShardNo(number), lease: Lease::new(unused_max), tasks, runtime: Arc::clone(runtime) }
    }

    fn run(mut self) {
        if self.tasks == 0 {
            self.is_done();
        }
        loop {
            self.work();
            match self.runtime.inboxes[usize::from(self.number.0)].wait() {
                News::Wanted => {
                    let returned = self.lease.wanted(1, 0);
                    self.give(returned);
                }
                News::Available => {
                    if self.lease.available() {
                        self.ask();
                    }
                }
                News::Over => break,
            }
        }
        let returned = self.lease.close();
        self.give(returned);
    }

    /// Does tasks as long as there are permits.
    fn work(&mut self) {
        while self.tasks > 0 {
            if !self.lease.take() {
                if !self.lease.ask() {
                    return;
                }
                self.ask();
                continue;
            }
            if self.runtime.mistake == Mistake::ReturnedInUse {
                self.give(1);
            }
            let others = self.runtime.in_use.fetch_add(1, Ordering::SeqCst);
            assert!(others < self.runtime.limit, "more permits are in use than there are");
            self.runtime.in_use.fetch_sub(1, Ordering::SeqCst);
            self.tasks -= 1;
            let returned = self.lease.give();
            self.give(returned);
            if self.tasks == 0 {
                self.is_done();
            }
        }
    }

    fn ask(&mut self) {
        let Grant { permits, holders } = self.runtime.pool.lock().unwrap().take(self.number, LIMIT);
        self.lease.granted(permits);
        if self.runtime.mistake != Mistake::HoldersNotTold {
            self.tell(holders, News::Wanted);
        }
    }

    fn give(&self, permits: usize) {
        if permits > 0 {
            let waiting = self.runtime.pool.lock().unwrap().give(self.number, LIMIT, permits);
            if self.runtime.mistake != Mistake::WaitingNotTold {
                self.tell(waiting, News::Available);
            }
        }
    }

    fn tell(&self, shards: Vec<ShardNo>, news: News) {
        for ShardNo(shard) in shards {
            self.runtime.inboxes[usize::from(shard)].put(news);
        }
    }

    fn is_done(&self) {
        if self.runtime.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.runtime.inboxes.iter().for_each(|inbox| inbox.put(News::Over));
        }
    }
}

/// Shards with so many tasks each share so many permits, in every order with at most that many interruptions.
fn explore(limit: usize, tasks: &'static [usize], interruptions: usize, mistake: Mistake) {
    let shards = u16::try_from(tasks.len()).unwrap();
    let mut model = Builder::new();
    model.preemption_bound = Some(interruptions);
    model.check(move || {
        let runtime = Arc::new(Runtime {
            mistake,
            limit,
            pool: Mutex::new(PermitPool::new([limit], shards)),
            inboxes: tasks.iter().map(|_| Inbox::default()).collect(),
            in_use: AtomicUsize::new(0),
            left: AtomicUsize::new(tasks.len()),
        });
        let mut all = (0..).zip(tasks).map(|(number, tasks)| Shard::new(number, *tasks, &runtime));
        let here = all.next().unwrap();
        let others: Vec<_> = all.map(|shard| thread::spawn(move || shard.run())).collect();
        here.run();
        others.into_iter().for_each(|other| other.join().unwrap());
        let mut pool = runtime.pool.lock().unwrap();
        let held: usize = (0..shards).map(|shard| pool.held(ShardNo(shard), LIMIT)).sum();
        assert_eq!(held, 0, "everything was given back");
        let free = (0..limit).filter(|_| pool.try_take(ShardNo(0), LIMIT).permits == 1).count();
        assert_eq!(
            (free, pool.try_take(ShardNo(0), LIMIT).permits),
            (limit, 0),
            "nothing is lost, nothing is twice there"
        );
    });
}

#[test]
fn shards_share_one_permit_without_losing_it_and_none_waits_for_ever() {
    explore(1, &[2, 2], 4, Mistake::None);
    explore(1, &[1, 1, 1], 2, Mistake::None);
}

#[test]
fn shards_share_more_permits_than_one() {
    explore(2, &[2, 2], 4, Mistake::None);
    explore(2, &[1, 1, 1], 2, Mistake::None);
    explore(3, &[3, 0], 4, Mistake::None);
}

#[test]
fn every_mistake_is_found() {
    for mistake in [Mistake::WaitingNotTold, Mistake::HoldersNotTold, Mistake::ReturnedInUse] {
        let explored = catch_unwind(AssertUnwindSafe(|| explore(1, &[2, 2], 2, mistake)));
        assert!(explored.is_err(), "{mistake:?} is not found");
    }
}
