//! Shards that share two limits: whatever the order of their messages, no limit is exceeded and every task comes to its end.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

/// What a task may cost in messages between shards, at most; shards that pass permits on without end take more.
const MESSAGES_MAX: usize = 60;

/// Shards around one pool, and what is on its way to each of them.
struct House {
    shards: Vec<One>,
    pool: PermitPool,
    running_max: usize,
    limited_max: usize,
    messages: usize,
}

struct One {
    engine: TaskEngine,
    out: Outbox,
    inbox: VecDeque<Input>,
    at_work: Vec<(FutureNo, Attempt)>,
    futures: u32,
    queued: Vec<Dispatch>,
}

impl House {
    fn new(shards: u16, running_max: usize, limited_max: usize) -> Self {
        let pool = PermitPool::new([running_max, limited_max], shards);
        let one = |_| {
            let mut engine = TaskEngine::new(Options { unused_permits_max: 2, ..options() });
            let mut out = Outbox::default();
            engine.handle(at(), Input::Define { definition: DefinitionNo(0), nodes: nodes() }, &mut out);
            let registration = Registration {
                slot: slot(0),
                execution: execution(slot(0)),
                definition: DefinitionNo(0),
                callback: Callback::Actor(ActorNo(0)),
                input: Payload::NULL,
            };
            engine.handle(at(), Input::Register(registration), &mut out);
            One { engine, out, inbox: VecDeque::new(), at_work: Vec::new(), futures: 0, queued: Vec::new() }
        };
        let shards = (0..shards).map(one).collect();
        Self { shards, pool, running_max, limited_max, messages: 0 }
    }

    fn tell(&mut self, number: usize, input: Input) {
        let one = &mut self.shards[number];
        one.engine.handle(at(), input, &mut one.out);
        self.carry_out(number);
    }

    fn carry_out(&mut self, number: usize) {
        loop {
            let one = &mut self.shards[number];
            if let Some(change) = one.out.permits.pop() {
                self.change_permits(number, change);
            } else if let Some(Start { attempt, .. }) = one.out.next_start() {
                let future = FutureNo(one.futures);
                one.futures += 1;
                one.at_work.push((future, attempt));
                one.queued.retain(|queued| *queued != attempt.dispatch);
                one.engine.handle(at(), Input::HandlerPending { attempt, started: at(), future }, &mut one.out);
            } else {
                break;
            }
        }
        self.shards[number].out = Outbox::default();
        let all = || self.shards.iter().flat_map(|one| &one.at_work);
        assert!(all().count() <= self.running_max, "more are at work than the runtime allows");
        let limited = all().filter(|(_, attempt)| u32::from(attempt.handler.0) == LIMITED).count();
        assert!(limited <= self.limited_max, "more are at work than the handler allows");
    }

    fn change_permits(&mut self, number: usize, change: PermitChange) {
        let shard = ShardNo(number as u16);
        let (told, news) = match change {
            PermitChange::Ask { limit, .. } => {
                let Grant { permits, holders } = self.pool.take(shard, limit);
                let one = &mut self.shards[number];
                one.engine.handle(at(), Input::PermitsGranted { limit, permits }, &mut one.out);
                (holders, Input::PermitsWanted { limit, wanted: 1 })
            }
            PermitChange::Return { limit, permits } => {
                (self.pool.give(shard, limit, permits), Input::PermitsAvailable { limit })
            }
        };
        self.messages += told.len();
        for ShardNo(other) in told {
            self.shards[usize::from(other)].inbox.push_back(news.clone());
        }
    }

    fn dispatch(&mut self, number: usize, scope: u32, node: u32) {
        let dispatch = scoped(scope, node);
        self.shards[number].queued.push(dispatch);
        self.perform(number, run(dispatch));
    }

    fn perform(&mut self, number: usize, effect: Effect) {
        let effects = vec![(slot(0), effect)];
        self.tell(number, Input::Perform { from: ActorNo(0), taken: BatchNo::NONE, effects });
    }

    /// Does one of the things that can happen; false if there are none.
    fn step(&mut self, choice: usize) -> bool {
        let news = self.shards.iter().enumerate().filter(|(_, one)| !one.inbox.is_empty()).map(|(number, _)| number);
        let news: Vec<_> = news.collect();
        let at_work =
            self.shards.iter().enumerate().flat_map(|(number, one)| (0..one.at_work.len()).map(move |n| (number, n)));
        let at_work: Vec<_> = at_work.collect();
        let count = news.len() + at_work.len();
        if count == 0 {
            return false;
        }
        match choice % count {
            news_no if news_no < news.len() => {
                let input = self.shards[news[news_no]].inbox.pop_front().expect("it has news");
                self.tell(news[news_no], input);
            }
            other => {
                let (number, position) = at_work[other - news.len()];
                let (future, _) = self.shards[number].at_work.remove(position);
                let result = HandlerResult::Failed(failure("done"));
                self.tell(number, Input::HandlerEnded { future, ended: at(), custom_status: None, result });
            }
        }
        true
    }
}

fn at() -> Time {
    Time::from_micros(1_000_000)
}

fn all_come_to_their_end(shards: u16, limits: (usize, usize), tasks: &[(usize, bool, bool)], choices: &[usize]) {
    let mut house = House::new(shards, limits.0, limits.1);
    let mut choices = choices.iter().copied().cycle();
    let mut choose = || choices.next().unwrap_or_default();
    for (scope, (shard, is_limited, _)) in (0..).zip(tasks) {
        house.dispatch(shard % usize::from(shards), scope, if *is_limited { LIMITED } else { PENDING });
        if choose() % 2 == 0 {
            house.step(choose());
        }
    }
    // Some are called off while they wait.
    for (scope, (shard, is_limited, is_called_off)) in (0..).zip(tasks) {
        let (number, dispatch) =
            (shard % usize::from(shards), scoped(scope, if *is_limited { LIMITED } else { PENDING }));
        if *is_called_off && house.shards[number].queued.contains(&dispatch) {
            house.shards[number].queued.retain(|queued| *queued != dispatch);
            house.perform(number, forget(dispatch));
        }
    }
    while house.step(choose()) {
        assert!(house.messages <= MESSAGES_MAX * (tasks.len() + 1), "shards exchange permits without end");
    }
    for (number, one) in house.shards.iter().enumerate() {
        assert_eq!(one.queued, [], "shard {number} waits for ever");
        assert_eq!(one.engine.counts().running, 0, "shard {number} holds permits of nobody");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(5_000) })]

    #[test]
    fn every_task_of_every_shard_comes_to_its_end(
        shards in 1..5_u16,
        limits in (1..5_usize, 1..4_usize),
        tasks in prop::collection::vec((0..4_usize, any::<bool>(), prop::bool::weighted(0.2)), 1..40),
        choices in prop::collection::vec(0..1_000_usize, 1..60),
    ) {
        all_come_to_their_end(shards, limits, &tasks, &choices);
    }
}

#[test]
fn two_shards_that_want_both_permits_from_each_other_do_not_exchange_them_for_ever() {
    for turn in 0..20 {
        let tasks: Vec<_> = (0..20).map(|shard| (shard, true, false)).collect();
        let choices: Vec<_> = (0..7).map(|n| n * (turn + 3)).collect();
        all_come_to_their_end(2, (1, 1), &tasks, &choices);
    }
}

/// Told twice that there is a permit, a shard that had one asked again, waited for what it did not need, and was told again.
#[test]
fn permits_that_nobody_needs_come_to_rest() {
    let limited = [true, true, true, false, true, true, true, false, true, true].into_iter();
    let tasks: Vec<_> = [3, 2, 1, 1, 0, 0, 1, 2, 2, 3]
        .into_iter()
        .zip(limited)
        .map(|(shard, limited)| (shard, limited, false))
        .collect();
    all_come_to_their_end(3, (2, 2), &tasks, &[998]);
}
