//! Contender (b): the least that could be called a workflow engine on actix.
//!
//! One actor for each execution, one engine actor for each arbiter, one message from the one to the other for all
//! tasks that a transition makes ready and one message back for all that came of them. No records, no ids, no
//! events, no timers: what finale takes longer than this is the price of what it adds.

mod actors;

use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Instant;

use actix::prelude::*;

use self::actors::{Engine, admit};
use crate::contender::{BoxError, Contender, Latencies, Load, Measure, Run};
use crate::handler::Handler;
use crate::memory::{Meter, WAITING_TASK, WAVE};
use crate::shape::Shape;
use crate::tally::Tally;

/// The bare actors on a number of arbiters that share nothing.
#[derive(Clone, Copy, Debug)]
pub struct BareActix {
    name: &'static str,
    arbiters: usize,
}

impl BareActix {
    /// Each run starts its own arbiters: the first time it counts is when all of them are up.
    pub fn new(name: &'static str, arbiters: usize) -> Self {
        Self { name, arbiters }
    }
}

impl Contender for BareActix {
    fn name(&self) -> &'static str {
        self.name
    }

    /// A lone execution uses one arbiter however many there are, and so does each one that waits.
    fn takes_part(&self, measure: Measure) -> bool {
        self.arbiters == 1 || matches!(measure, Measure::Throughput | Measure::AtOnce)
    }

    fn run(&mut self, shape: &Shape, load: Load) -> Result<Run, BoxError> {
        let up = &Barrier::new(self.arbiters);
        let shares = thread::scope(|scope| {
            let shares = (0..self.arbiters).map(|index| load.share(index, self.arbiters));
            let threads: Vec<_> = shares.map(|share| scope.spawn(move || run_share(shape, share, up))).collect();
            let joined = threads.into_iter().map(|thread| thread.join().expect("an arbiter panicked"));
            joined.collect::<Result<Vec<_>, _>>()
        })?;
        Ok(join_shares(&shares))
    }

    fn latencies(&mut self, shape: &Shape, executions: usize) -> Result<Latencies, BoxError> {
        let shape = Rc::new(shape.clone());
        System::new().block_on(one_at_a_time(shape, executions))
    }

    fn hold(&mut self, shape: &Shape, executions: usize, meter: &mut Meter) -> Result<(), BoxError> {
        let shape = Rc::new(shape.clone());
        System::new().block_on(hold(shape, executions, meter))
    }
}

/// What one arbiter did, and when.
struct Share {
    began: Instant,
    ended: Instant,
    tally: Tally,
}

/// A whole arbiter: its own thread, its own copy of the graph, its own engine.
fn run_share(shape: &Shape, load: Load, up: &Barrier) -> Result<Share, BoxError> {
    let shape = Rc::new(shape.clone());
    System::new().block_on(async {
        let engine = Engine::new(Handler::of(&shape)).start();
        up.wait();
        let began = Instant::now();
        let tally = admit(&engine, &shape, load).await?;
        Ok(Share { began, ended: Instant::now(), tally })
    })
}

fn join_shares(shares: &[Share]) -> Run {
    let began = shares.iter().map(|share| share.began).min();
    let ended = shares.iter().map(|share| share.ended).max();
    let elapsed = began.zip(ended).map(|(began, ended)| ended - began).unwrap_or_default();
    let mut tally = Tally::default();
    for share in shares {
        tally += share.tally;
    }
    Run { elapsed, tally }
}

async fn one_at_a_time(shape: Rc<Shape>, executions: usize) -> Result<Latencies, BoxError> {
    let engine = Engine::new(Handler::of(&shape)).start();
    let mut latencies = Latencies { each: Vec::with_capacity(executions), tally: Tally::default() };
    for _ in 0..executions {
        let began = Instant::now();
        let tally = admit(&engine, &shape, Load { executions: 1, in_flight: 1 }).await?;
        latencies.each.push(began.elapsed());
        latencies.tally += tally;
    }
    Ok(latencies)
}

async fn hold(shape: Rc<Shape>, executions: usize, meter: &mut Meter) -> Result<(), BoxError> {
    let waiting = Arc::new(AtomicUsize::new(0));
    let engine = Engine::new(Handler::waiting_at(WAITING_TASK, Arc::clone(&waiting))).start();
    meter.begin()?;
    let mut begun = 0;
    while begun < executions {
        let wave = WAVE.min(executions - begun);
        drop(admit(&engine, &shape, Load { executions: wave, in_flight: wave }));
        begun += wave;
        while waiting.load(Ordering::Relaxed) < begun {
            tokio::task::yield_now().await;
        }
    }
    meter.end(waiting.load(Ordering::Relaxed))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_of_every_shape_gives_its_output() {
        for arbiters in [1, 2] {
            let mut bare = BareActix::new("bare", arbiters);
            for shape in Shape::all() {
                let run = bare.run(&shape, Load { executions: 21, in_flight: 3 }).unwrap();
                run.tally.check(&shape, 21).unwrap();
                let latencies = bare.latencies(&shape, 5).unwrap();
                latencies.tally.check(&shape, 5).unwrap();
            }
        }
    }
}
