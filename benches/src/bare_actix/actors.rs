//! The three actors: intake, execution, engine. All of one execution live on one arbiter.

use std::rc::Rc;
use std::task::{Context as PollContext, Poll, Waker};

use actix::prelude::*;
use tokio::sync::oneshot;

use crate::contender::{BoxError, Load};
use crate::handler::Handler as TaskHandler;
use crate::shape::Shape;
use crate::tally::Tally;

/// Hands executions to this arbiter; the tally arrives when the last one has ended.
pub(super) fn admit(engine: &Addr<Engine>, shape: &Rc<Shape>, load: Load) -> oneshot::Receiver<Tally> {
    let (reply, tally) = oneshot::channel();
    let intake = Intake {
        engine: engine.clone(),
        shape: Rc::clone(shape),
        to_begin: load.executions,
        to_end: load.executions,
        in_flight: load.in_flight,
        tally: Tally::default(),
        reply: Some(reply),
    };
    intake.start();
    tally
}

/// Begins executions, the next one when one has ended.
struct Intake {
    engine: Addr<Engine>,
    shape: Rc<Shape>,
    to_begin: usize,
    to_end: usize,
    in_flight: usize,
    tally: Tally,
    reply: Option<oneshot::Sender<Tally>>,
}

impl Intake {
    fn begin_next(&mut self, ctx: &Context<Self>) {
        if self.to_begin == 0 {
            return;
        }
        self.to_begin -= 1;
        let execution = Execution {
            progress: Progress::new(Rc::clone(&self.shape)),
            engine: self.engine.clone(),
            intake: ctx.address(),
        };
        execution.start();
    }
}

impl Actor for Intake {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        for _ in 0..self.in_flight {
            self.begin_next(ctx);
        }
    }
}

#[derive(Message)]
#[rtype(result = "()")]
struct Ended(Tally);

impl Handler<Ended> for Intake {
    type Result = ();

    fn handle(&mut self, Ended(tally): Ended, ctx: &mut Self::Context) {
        self.tally += tally;
        self.to_end -= 1;
        self.begin_next(ctx);
        if self.to_end == 0
            && let Some(reply) = self.reply.take()
        {
            // Nobody listens while executions are only held to be weighed.
            let _ = reply.send(self.tally);
            ctx.stop();
        }
    }
}

/// How far one execution has come.
struct Progress {
    shape: Rc<Shape>,
    waits_for: Vec<u32>,
    outputs: Vec<Option<u64>>,
    left: usize,
}

impl Progress {
    fn new(shape: Rc<Shape>) -> Self {
        let tasks = shape.tasks();
        Self { waits_for: shape.predecessors.clone(), outputs: vec![None; tasks], left: tasks, shape }
    }

    /// Keeps an output and adds to `ready` what has waited for nothing else.
    fn complete(&mut self, task: u32, output: u64, ready: &mut Vec<u32>) {
        self.outputs[task as usize] = Some(output);
        self.left -= 1;
        for &successor in &self.shape.successors[task as usize] {
            let left = &mut self.waits_for[successor as usize];
            *left -= 1;
            if *left == 0 {
                ready.push(successor);
            }
        }
    }
}

/// One execution.
struct Execution {
    progress: Progress,
    engine: Addr<Engine>,
    intake: Addr<Intake>,
}

impl Execution {
    fn create(&self, tasks: Vec<u32>, ctx: &Context<Self>) {
        self.engine.do_send(CreateMany { tasks, execution: ctx.address() });
    }

    fn end(&self, ctx: &mut Context<Self>) {
        let outputs = self.progress.outputs.iter().flatten().copied();
        self.intake.do_send(Ended(Tally::of_execution(outputs)));
        ctx.stop();
    }
}

impl Actor for Execution {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.create(self.progress.shape.roots().collect(), ctx);
    }
}

/// What came of a task.
type Completed = (u32, Result<u64, BoxError>);

#[derive(Message)]
#[rtype(result = "()")]
struct ManyCompleted(Vec<Completed>);

impl Handler<ManyCompleted> for Execution {
    type Result = ();

    fn handle(&mut self, ManyCompleted(completed): ManyCompleted, ctx: &mut Self::Context) {
        let mut ready = Vec::new();
        for (task, output) in completed {
            let Ok(output) = output else {
                // The tally will be short by it, and the check will say so.
                return self.end(ctx);
            };
            self.progress.complete(task, output, &mut ready);
        }
        if self.progress.left == 0 {
            self.end(ctx);
        } else if !ready.is_empty() {
            self.create(ready, ctx);
        }
    }
}

/// Runs the handlers of all executions on its arbiter.
pub(super) struct Engine {
    handler: TaskHandler,
}

impl Engine {
    pub(super) fn new(handler: TaskHandler) -> Self {
        Self { handler }
    }
}

impl Actor for Engine {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "()")]
struct CreateMany {
    tasks: Vec<u32>,
    execution: Addr<Execution>,
}

impl Handler<CreateMany> for Engine {
    type Result = ();

    /// Polls each handler once in place, and spawns only what is not ready.
    fn handle(&mut self, CreateMany { tasks, execution }: CreateMany, _: &mut Self::Context) {
        let mut context = PollContext::from_waker(Waker::noop());
        let mut completed = Vec::with_capacity(tasks.len());
        for task in tasks {
            let mut work = self.handler.call(task);
            if let Poll::Ready(output) = work.as_mut().poll(&mut context) {
                completed.push((task, output));
            } else {
                let execution = execution.clone();
                actix::spawn(async move { execution.do_send(ManyCompleted(vec![(task, work.await)])) });
            }
        }
        if !completed.is_empty() {
            execution.do_send(ManyCompleted(completed));
        }
    }
}
