//! Random workflows, handlers, commands and crash points: whatever was acknowledged comes true, exactly once.
//!
//! A seed that fails is run alone with `FINALE_SEED=<seed> cargo test -p finale-tests --test actor_recovery random`.

use std::time::Duration;

use finale::Runtime;
use finale::journal::{Acknowledgement, HeldJournal};
use finale::{Builder, ExecutionId, Filter, Workflow};
use finale_core::definition::{OnFailure, Verdict};
use finale_tests::actor::{chart, settle};
use finale_tests::books::Books;
use finale_tests::dice::Dice;
use finale_tests::lives::Lives;

const SEEDS: u64 = 250;

/// How much virtual time one seed may take: one that hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// Lives of one story, the last one included.
const LIVES_MAX: u64 = 5;

#[actix::test]
async fn whatever_was_acknowledged_comes_true_exactly_once() {
    tokio::time::pause();
    let only: Option<u64> = std::env::var("FINALE_SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in only.map_or(0..SEEDS, |seed| seed..seed + 1) {
        let _told = ToldOnPanic(seed);
        tokio::time::timeout(PATIENCE, Story::new(seed).tell()).await.expect("the story hangs");
    }
}

struct ToldOnPanic(u64);

impl Drop for ToldOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed with seed {}", self.0);
        }
    }
}

struct Story {
    dice: Dice,
    lives: Lives,
    books: Books,
    flows: Vec<Workflow>,
    /// All runtimes there ever were; what crashed goes on in this process and must do no harm.
    runtimes: Vec<Runtime>,
    keys: u64,
}

/// Random variations of a few shapes; what is called `o` may begin at most once.
fn flows(dice: &mut Dice) -> Vec<Workflow> {
    let shapes = [
        "s>a a>b b>c c>e",
        "s>p p:branch>a p:branch>b p:branch>c a>join b>join c>join join>d d>e",
        "s>q q:true>a q:false>b a>c b>c c>e",
        "s>a a>v v:pass>b v:fail>c v:refer>c b>e c>e",
        "s>x x>a a>y y>e",
        "s>p p:branch>o p:branch>a p:branch>x o>b a>e b>e x>e",
    ];
    let vary = |shape: &str| {
        let mut chart = chart(shape);
        let has = |node: &str| shape.contains(&format!(">{node} "));
        for outside in ["x", "y"].into_iter().filter(|node| has(node)) {
            chart = chart.outside(outside);
        }
        if has("q") {
            chart = chart.condition("q", "input > 5");
        }
        if has("o") {
            chart = chart.at_most_once("o");
        }
        if has("a") && dice.one_in(2) {
            chart = chart.retry("a", 4, Duration::from_secs(dice.below(6) as u64));
        }
        if has("b") && dice.one_in(3) {
            chart = chart.timeout("b", Duration::from_secs(10));
        }
        match dice.below(4) {
            0 => chart = chart.finish(),
            1 => chart = chart.on_failure(OnFailure::WaitAll),
            2 => chart = chart.on_failure(OnFailure::Tolerate { count: 1 }),
            _ => {}
        }
        chart.workflow()
    };
    shapes.map(vary).into()
}

impl Story {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let (lives, flows) = (Lives::new(&HeldJournal::new(Acknowledgement::Late)), flows(&mut dice));
        Self { dice, lives, books: Books::new(seed), flows, runtimes: Vec::new(), keys: 0 }
    }

    async fn tell(mut self) {
        for _ in 0..1 + self.number(LIVES_MAX - 1) {
            self.begin_life();
            for _ in 0..5 + self.number(25) {
                self.step().await;
            }
            self.end_life().await;
        }
        self.last_life().await;
        for runtime in &self.runtimes {
            runtime.shutdown(Duration::ZERO).await;
        }
    }

    /// A number below that one.
    fn number(&mut self, below: u64) -> u64 {
        self.dice.below(below as usize) as u64
    }

    fn runtime(&self) -> &Runtime {
        self.runtimes.last().expect("a life has begun")
    }

    fn begin_life(&mut self) {
        self.acknowledge_somehow();
        self.books.begin_life();
        let names = ["a", "b", "c", "d", "o"];
        let handled = |builder: Builder, name| builder.handler(name, self.books.handler());
        let builder = names.into_iter().fold(self.lives.next(), handled);
        let places = 1 + self.dice.below(4);
        let runtime = builder.handler_limit("b", places).start().expect("it starts");
        self.runtimes.push(runtime);
    }

    fn acknowledge_somehow(&mut self) {
        let ways = [Acknowledgement::Immediate, Acknowledgement::Late, Acknowledgement::Held, Acknowledgement::Held];
        self.lives.journal.set(*self.dice.choose(&ways));
    }

    async fn step(&mut self) {
        match self.number(16) {
            0..=3 => self.activate(),
            4 | 5 => {
                let writes = 1 + self.number(4);
                self.lives.journal.release_up_to(writes);
            }
            6 => self.acknowledge_somehow(),
            7 | 8 => self.report().await,
            9 => self.end_one(),
            10 => self.with_one(|books, runtime, id| books.verdict(runtime, id, Verdict::Pass)),
            11 => self.with_one(Books::watch),
            12 | 13 => self.with_one(Books::look),
            _ => tokio::time::sleep(Duration::from_millis(self.number(3_000))).await,
        }
        if self.dice.one_in(2) {
            settle().await;
        }
    }

    fn activate(&mut self) {
        // Now and then one that was activated before.
        let number = if self.dice.one_in(4) { self.number(self.keys + 1) } else { self.keys };
        self.keys = self.keys.max(number + 1);
        let flow = &self.flows[number as usize % self.flows.len()];
        self.books.activate(self.runtime(), flow, number);
    }

    /// Reports on a task that is open.
    async fn report(&mut self) {
        let open = self.runtime().open_tasks(None, 100).await.expect("the runtime answers").tasks;
        let (chosen, output) = (self.number(open.len().max(1) as u64), self.number(1_000));
        if let Some(task) = open.get(chosen as usize) {
            self.books.report(self.runtime(), task.id, output);
        }
    }

    fn end_one(&mut self) {
        match self.number(3) {
            0 => self.with_one(Books::cancel),
            1 => self.with_one(Books::fail),
            _ => {}
        }
    }

    fn with_one(&mut self, act: impl FnOnce(&Books, &Runtime, ExecutionId)) {
        let known = self.books.acknowledged();
        if !known.is_empty() {
            let id = *self.dice.choose(&known);
            act(&self.books, self.runtime(), id);
        }
    }

    async fn end_life(&mut self) {
        match self.number(8) {
            0 => {
                // The next one takes over while this one goes on.
            }
            1 => {
                self.lives.journal.set(Acknowledgement::Late);
                self.lives.journal.release();
                let deadline = Duration::from_millis(self.number(2_000));
                self.runtime().shutdown(deadline).await;
            }
            _ => self.lives.journal.crash(),
        }
    }

    /// Sees everything to its end, and compares it with what was said before.
    async fn last_life(&mut self) {
        self.begin_life();
        self.lives.journal.set(Acknowledgement::Late);
        self.lives.journal.release();
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let all = self.runtime().executions(Filter::new().limit(1_000)).await.expect("it answers").executions;
            let open: Vec<_> = all.iter().filter(|summary| !summary.status.is_terminal()).collect();
            if open.is_empty() {
                let ids: Vec<_> = all.iter().map(|summary| summary.id).collect();
                return self.books.close(self.runtime(), &ids).await;
            }
            for task in self.runtime().open_tasks(None, 100).await.expect("it answers").tasks {
                self.books.report(self.runtime(), task.id, 7);
            }
            for summary in open {
                self.books.verdict(self.runtime(), summary.id, Verdict::Pass);
            }
        }
    }
}
