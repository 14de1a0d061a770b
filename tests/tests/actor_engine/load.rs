//! Many at once, wide and deep: everything ends, in order, and nobody else starves.

use std::cell::Cell;
use std::fmt::Write;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use finale::{ExecutionStatus, Faults, Keep, Retention, Runtime, Shards, TaskContext, TaskError};
use finale_tests::actor::{Any, Dummies, Gate, for_each_journal, outcome_of, runtime, settle, workflow};

fn chain(length: usize) -> String {
    let mut edges = "s>n1".to_owned();
    for node in 1..length {
        write!(edges, " n{node}>n{}", node + 1).expect("a string takes everything");
    }
    write!(edges, " n{length}>e").expect("a string takes everything");
    edges
}

fn fan(width: usize) -> String {
    (1..=width).fold("s>n0".to_owned(), |edges, node| format!("{edges} n0>n{node} n{node}>join")) + " join>e"
}

/// Lets all others on this thread have their turn, once.
async fn one_turn() {
    let mut had = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut had, true) {
            return Poll::Ready(());
        }
        // Not `yield_now`, which comes back only after a whole round of the runtime.
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Inputs of the Supervisor's machine over one execution of a fan whose handlers give way that often.
async fn inputs_of_a_fan(width: usize, turns: usize) -> u32 {
    const MANY: u32 = 1_000_000;
    let faults = Arc::<Faults>::default();
    let gives_way = move |_: TaskContext, _: Any| async move {
        for _ in 0..turns {
            one_turn().await;
        }
        Ok::<_, TaskError>(())
    };
    let names = names(width) + "join";
    let builder = Runtime::builder().shards(Shards::Current).faults(Arc::clone(&faults));
    // What may be forgotten is looked for on another thread, whenever that comes to it.
    let builder = builder.retention(Retention::all(Keep::for_ever()));
    let builder = names.split_whitespace().fold(builder, |builder, name| builder.handler(name, gives_way));
    let runtime = builder.start().expect("it starts");
    settle().await;
    faults.kill_supervisor.over.store(MANY, Ordering::Relaxed);
    let outcome = outcome_of(&runtime, &workflow(&fan(width))).await;
    assert_eq!(outcome.status(), ExecutionStatus::Completed);
    MANY - faults.kill_supervisor.over.swap(0, Ordering::Relaxed)
}

/// Its handlers are ready soon: to give the execution back and to take it again for each of them costs more than they do.
#[actix::test]
async fn an_execution_keeps_its_actor_while_its_handlers_give_way() {
    for width in [3, 600] {
        assert_eq!(inputs_of_a_fan(width, 1).await, inputs_of_a_fan(width, 0).await, "of {width}");
    }
}

/// The names of the handlers of a chain or fan.
fn names(count: usize) -> String {
    (0..=count).fold(String::new(), |names, node| format!("{names}n{node} "))
}

#[actix::test]
async fn a_wide_fan_out_completes() {
    for_each_journal(async |journal| {
        let gate = Gate::closed();
        let runtime = runtime(&journal).gated(&names(1_000), &gate).start().unwrap();
        let execution = runtime.activate(&workflow(&fan(1_000)), ()).await.unwrap();
        gate.let_through(1);
        settle().await;
        assert_eq!(gate.inside(), 1_000);
        gate.open();
        let outcome = execution.outcome().await.unwrap();
        assert_eq!((outcome.status(), outcome.counts.completed), (ExecutionStatus::Completed, 1_001));
    })
    .await;
}

#[actix::test]
async fn a_wide_fan_out_of_handlers_that_are_ready_at_once_completes() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done(&names(1_000)).start().unwrap();
        let outcome = outcome_of(&runtime, &workflow(&fan(1_000))).await;
        assert_eq!((outcome.status(), outcome.counts.completed), (ExecutionStatus::Completed, 1_001));
    })
    .await;
}

#[actix::test]
async fn a_deep_chain_completes() {
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done(&names(2_000)).start().unwrap();
        let outcome = outcome_of(&runtime, &workflow(&chain(2_000))).await;
        assert_eq!((outcome.status(), outcome.counts.completed), (ExecutionStatus::Completed, 2_000));
    })
    .await;
}

#[actix::test]
async fn a_load_of_ready_handlers_does_not_starve_others_on_its_thread() {
    const STEPS: usize = 500;
    const EXECUTIONS: usize = 100;
    for_each_journal(async |journal| {
        let runtime = runtime(&journal).done(&names(STEPS)).start().unwrap();
        let (turns, over) = (Rc::new(Cell::new(0_u64)), Rc::new(Cell::new(false)));
        let (counted, is_over) = (Rc::clone(&turns), Rc::clone(&over));
        let other = actix::spawn(async move {
            while !is_over.get() {
                counted.set(counted.get() + 1);
                one_turn().await;
            }
        });
        let flow = workflow(&chain(STEPS));
        let mut executions = Vec::new();
        for _ in 0..EXECUTIONS {
            executions.push(runtime.activate(&flow, ()).await.unwrap());
        }
        for execution in executions {
            assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
        }
        over.set(true);
        other.await.unwrap();
        let steps = (STEPS * EXECUTIONS) as u64;
        assert!(turns.get() > steps / 1_000, "{} turns beside {steps} steps", turns.get());
    })
    .await;
}

#[actix::test]
async fn a_queue_of_ready_handlers_does_not_starve_others_on_its_thread() {
    for_each_journal(async |journal| {
        let (gate, done, longest) = (Gate::closed(), Arc::new(AtomicUsize::new(0)), Rc::new(Cell::new(0)));
        let counted = Arc::clone(&done);
        let ready = move |_: TaskContext, _: Any| {
            counted.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Ok::<_, TaskError>(()))
        };
        let builder = names(5_000)
            .split_whitespace()
            .fold(runtime(&journal), |builder, name| builder.handler(name, ready.clone()));
        let builder = builder.limits(finale::Limits::new().running_tasks_max(1)).gated("first", &gate);
        let runtime = builder.start().unwrap();
        let first = runtime.activate(&workflow("s>first first>e"), ()).await.unwrap();
        let wide = (1..=5_000).fold(String::new(), |edges, node| format!("{edges} s>n{node} n{node}>join"));
        let wide = runtime.activate(&workflow(&(wide + " join>e")), ()).await.unwrap();
        settle().await;
        assert_eq!(done.load(Ordering::SeqCst), 0);
        let (seen, most) = (Arc::clone(&done), Rc::clone(&longest));
        let other = actix::spawn(async move {
            loop {
                let before = seen.load(Ordering::SeqCst);
                one_turn().await;
                most.set(most.get().max(seen.load(Ordering::SeqCst) - before));
            }
        });
        gate.open();
        first.outcome().await.unwrap();
        wide.outcome().await.unwrap();
        other.abort();
        assert!((1..=1_024).contains(&longest.get()), "{} handlers in one turn", longest.get());
    })
    .await;
}

#[actix::test]
async fn a_hundred_executions_with_two_active_all_end() {
    for_each_journal(async |journal| {
        let slow = async |_: TaskContext, _: Any| {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            Ok::<_, TaskError>(())
        };
        let runtime = runtime(&journal).limits(finale::Limits::new().active_executions_max(2));
        let runtime = runtime.handler("a", slow).done("b").start().unwrap();
        let flow = workflow("s>a a>b b>e");
        let activations: Vec<_> = (0..100).map(|_| actix::spawn(runtime.activate(&flow, ()).start())).collect();
        for activation in activations {
            let execution = activation.await.unwrap().unwrap();
            assert_eq!(execution.outcome().await.unwrap().status(), ExecutionStatus::Completed);
        }
    })
    .await;
}

#[actix::test]
async fn executions_are_admitted_oldest_first() {
    for_each_journal(async |journal| {
        let order = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&order);
        let noting = move |_: TaskContext, number: usize| {
            noted.lock().unwrap().push(number);
            async { Ok::<_, TaskError>(()) }
        };
        let runtime = runtime(&journal).limits(finale::Limits::new().active_executions_max(2));
        let runtime = runtime.handler("a", noting).start().unwrap();
        let flow = workflow("s>a a>e");
        let activations: Vec<_> =
            (0..100_usize).map(|number| actix::spawn(runtime.activate(&flow, number).start())).collect();
        for activation in activations {
            activation.await.unwrap().unwrap().outcome().await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), (0..100).collect::<Vec<_>>());
    })
    .await;
}
