//! Building and starting a runtime.

use std::rc::Rc;
use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use actix::{Actor, Addr, Arbiter, Recipient, System};
use finale_journal::{Claim, Journal, JournalError, Listener, LiveExecution, MemoryJournal};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::context::{BlockingContext, Data};
use crate::faults::Faults;
use crate::handler::{Asked, Blocking, Function, Handle, Handler, Handlers};
use crate::message::RunTask;
use crate::mint::shard_of;
use crate::options::{Limits, Options, Retention, Shards};
use crate::permits::{Lease, Pool};
use crate::runtime::{Kept, Runtime, ShardHandle, StartError};
use crate::shard::{Plan, Shard};
use crate::supervisor::{Everyone, Keys, Recovery, Supervisor, Watermark};
use crate::task_engine::{Peers, PermitNews, Permits, Pools, TaskEngine};
use crate::task_error::TaskError;
use crate::vitals::Vitals;
use crate::workflow::Workflow;

/// Says what a runtime is made of; see [`Runtime::builder`].
#[must_use = "nothing runs before start is called"]
pub struct Builder {
    shards: Shards,
    limits: Limits,
    grace: Duration,
    sweep_interval: Duration,
    retention: Retention,
    /// By default one in memory.
    journal: Option<Arc<dyn Journal>>,
    handlers: Vec<Function>,
    handler_limits: Vec<(String, usize)>,
    data: Data,
    faults: Option<Arc<Faults>>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            shards: Shards::default(),
            limits: Limits::default(),
            grace: Duration::from_secs(2),
            sweep_interval: Duration::from_secs(1),
            retention: Retention::default(),
            journal: None,
            handlers: Vec::new(),
            handler_limits: Vec::new(),
            data: Data::default(),
            faults: None,
        }
    }
}

impl Builder {
    /// Where executions run; default one thread per two cores.
    pub fn shards(mut self, shards: Shards) -> Self {
        self.shards = shards;
        self
    }

    /// What the runtime is bounded by.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How long a handler that was told to stop may take before it is dropped; default 2 s.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How often each shard looks whether something was lost on its way; default 1 s.
    pub fn sweep_interval(mut self, interval: Duration) -> Self {
        self.sweep_interval = interval;
        self
    }

    /// Where facts are kept; default in memory, where nothing outlives the process.
    ///
    /// A runtime goes on with every execution that it finds there and that has not ended. It can be started again on a
    /// clone of the journal; then the runtime before it is fenced: it can write no more.
    pub fn journal(mut self, journal: impl Journal) -> Self {
        self.journal = Some(Arc::new(journal));
        self
    }

    /// How long executions are kept after they have ended; default 30 days.
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// State of the application, for [`TaskContext::data`](crate::TaskContext::data); one value of each type.
    pub fn data<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.data.insert(value);
        self
    }

    /// An async function that does the tasks with that handler name; see [`Handler`].
    ///
    /// ```
    /// use finale::{Runtime, TaskContext, TaskError};
    ///
    /// async fn charge_card(_context: TaskContext, euros: u32) -> Result<String, TaskError> {
    ///     Ok(format!("{euros} euros paid"))
    /// }
    ///
    /// let _builder = Runtime::builder().handler("charge_card", charge_card);
    /// ```
    pub fn handler<H: Handler<Arguments>, Arguments: 'static>(self, name: impl Into<String>, handler: H) -> Self {
        self.register(Function::new(name.into(), handler))
    }

    /// The functions that a workflow was built of; see [`Workflow::typed`]. Those that several workflows have in common
    /// are taken once.
    pub fn workflow(mut self, workflow: &Workflow) -> Self {
        for function in workflow.functions() {
            if !self.handlers.iter().any(|known| known.name == function.name && known.is(function)) {
                self.handlers.push(function.clone());
            }
        }
        self
    }

    /// A function that blocks its thread; it runs on one of its own.
    ///
    /// It can be asked to stop, not stopped: see [`BlockingContext::is_cancelled`].
    ///
    /// ```
    /// use finale::{BlockingContext, Runtime, TaskError};
    ///
    /// fn shrink_image(_context: BlockingContext, path: String) -> Result<usize, TaskError> {
    ///     Ok(std::fs::read(path)?.len())
    /// }
    ///
    /// let _builder = Runtime::builder().blocking_handler("shrink_image", shrink_image);
    /// ```
    pub fn blocking_handler<F, Input, Output>(self, name: impl Into<String>, function: F) -> Self
    where
        F: Fn(BlockingContext, Input) -> Result<Output, TaskError> + Send + Sync + 'static,
        Input: DeserializeOwned + 'static,
        Output: Serialize + 'static,
    {
        let function = Arc::new(function);
        let make = move |bytes_max| Arc::new(Blocking::new(Arc::clone(&function), bytes_max)) as Arc<dyn Handle>;
        self.register(Function::made(name.into(), make))
    }

    /// An actor that does the tasks with that handler name.
    pub fn actor_handler(self, name: impl Into<String>, actor: Recipient<RunTask>) -> Self {
        let make = move |payload_bytes_max| {
            let actor = actor.clone();
            Arc::new(Asked { actor, payload_bytes_max }) as Arc<dyn Handle>
        };
        self.register(Function::made(name.into(), make))
    }

    /// How many tasks of that handler may be at work at once in the runtime; further ones wait.
    pub fn handler_limit(mut self, name: impl Into<String>, running_max: usize) -> Self {
        self.handler_limits.push((name.into(), running_max));
        self
    }

    #[doc(hidden)]
    pub fn faults(mut self, faults: Arc<Faults>) -> Self {
        self.faults = Some(faults);
        self
    }

    fn register(mut self, function: Function) -> Self {
        self.handlers.push(function);
        self
    }

    /// Starts the runtime.
    ///
    /// # Errors
    /// When there is no running actix `System`, two handlers have one name, a limit makes no sense, or the journal cannot be
    /// opened.
    pub fn start(self) -> Result<Runtime, StartError> {
        let system = System::try_current().ok_or(StartError::NoSystem)?;
        let Self { shards: place, limits, grace, sweep_interval, retention, .. } = self;
        let Self { journal, handlers, handler_limits, data, faults, .. } = self;
        check_limits(&limits, &handler_limits)?;
        let shards = match place {
            Shards::Own(shards) => shards.max(1),
            Shards::Current => 1,
        };
        let handlers = register_all(handlers, &handler_limits, limits.payload_bytes_max)?;
        let pools = Pools::new(&limits, &handlers, shards);
        let journal = journal.unwrap_or_else(|| Arc::new(MemoryJournal::keeping(limits.ended_executions_max)));
        let claim = journal.claim()?;
        let mut inherited = Inherited::find(&*journal, shards)?;
        // Those that are there already take their places first, even if there are more of them than allowed.
        let open = Arc::new(Pool::in_use(limits.open_executions_max, inherited.len(), shards));
        let deaths_window = Duration::from_secs(60);
        let options = Options { shards, limits, grace, sweep_interval, retention, deaths_max: 3, deaths_window };
        let options = Arc::new(options);
        let engines = Arc::<OnceLock<Vec<Addr<TaskEngine>>>>::default();
        let peers = peers(Arc::clone(&engines));
        let (keys, everyone) = (Arc::<Keys>::default(), Everyone::default());
        let vitals: Vec<_> = (0..shards).map(|_| Arc::<Vitals>::default()).collect();
        let mut launch = |index: u16| Launch {
            plan: Plan {
                index,
                options: Arc::clone(&options),
                handlers: handlers.clone(),
                data: data.clone(),
                faults: faults.clone(),
                journal: Arc::clone(&journal),
                vitals: Arc::clone(&vitals[usize::from(index)]),
                gone: watch::Sender::new(()),
            },
            claim,
            inherited: inherited.take(index),
            pools: pools.clone(),
            peers: Arc::clone(&peers),
            open: Arc::clone(&open),
            keys: Arc::clone(&keys),
            everyone: Arc::clone(&everyone),
        };
        let started: Vec<ShardHandle> = match place {
            Shards::Current => vec![launch(0).start()?],
            Shards::Own(_) => {
                (0..shards).map(|index| start_elsewhere(&system, launch(index))).collect::<Result<_, _>>()?
            }
        };
        // Set once, here: nothing was activated before, so no engine had anything to tell.
        let _ = engines.set(started.iter().map(|shard| shard.engine.clone()).collect());
        let _ = everyone.set(started.iter().map(|shard| shard.supervisor.clone()).collect());
        Ok(Runtime::new(started, options, Kept { journal, claim, vitals }))
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("shards", &self.shards).field("limits", &self.limits).finish_non_exhaustive()
    }
}

fn check_limits(limits: &Limits, handler_limits: &[(String, usize)]) -> Result<(), StartError> {
    let all = [
        ("open_executions_max", limits.open_executions_max),
        ("active_executions_max", limits.active_executions_max),
        ("running_tasks_max", limits.running_tasks_max),
        ("payload_bytes_max", limits.payload_bytes_max),
        ("crashes_max", usize::from(limits.crashes_max)),
    ];
    let own = handler_limits.iter().map(|(_, limit)| ("the limit of a handler", *limit));
    match all.into_iter().chain(own).find(|(_, limit)| *limit == 0) {
        Some((name, _)) => Err(StartError::ZeroLimit(name)),
        None => Ok(()),
    }
}

fn register_all(
    functions: Vec<Function>,
    limits: &[(String, usize)],
    payload_bytes_max: usize,
) -> Result<Handlers, StartError> {
    let mut handlers = Handlers::default();
    for function in functions {
        let handler = function.handler(payload_bytes_max);
        if handlers.get(&function.name).is_some() {
            return Err(StartError::HandlerTwice(function.name));
        }
        handlers.register(function.name, handler);
    }
    for (name, running_max) in limits {
        if !handlers.limit(name, *running_max) {
            return Err(StartError::UnknownHandler(name.clone()));
        }
    }
    Ok(handlers)
}

impl Pools {
    fn new(limits: &Limits, handlers: &Handlers, shards: u16) -> Self {
        let pool = |permits| Arc::new(Pool::new(permits, shards));
        let mut own: Vec<_> = handlers.iter().collect();
        own.sort_unstable_by_key(|registered| registered.index);
        Self {
            running: pool(limits.running_tasks_max),
            handlers: own.into_iter().map(|registered| registered.running_max.map(pool)).collect(),
        }
    }
}

/// Tells engines of other shards about permits.
fn peers(engines: Arc<OnceLock<Vec<Addr<TaskEngine>>>>) -> Peers {
    Arc::new(move |news| {
        for (shard, engine) in (0u16..).zip(engines.get().into_iter().flatten()) {
            let concerned = match news {
                PermitNews::Free(waiting) => waiting.includes(shard),
                PermitNews::Wanted(by) => by != shard,
            };
            if concerned {
                engine.do_send(Permits(news));
            }
        }
    })
}

/// The executions that have not ended, by the shard that goes on with them.
struct Inherited(Vec<Vec<LiveExecution>>);

/// Executions read from the journal at once.
const PAGE_MAX: usize = 10_000;

impl Inherited {
    /// Lists them all: whatever is activated later is not among them.
    fn find(journal: &dyn Journal, shards: u16) -> Result<Self, JournalError> {
        let mut found: Vec<_> = (0..shards).map(|_| Vec::new()).collect();
        let mut last = None;
        loop {
            let page = journal.live(last, PAGE_MAX)?;
            let is_last = page.len() < PAGE_MAX;
            last = page.last().map(|live| live.id);
            for live in page {
                found[usize::from(shard_of(live.id, shards))].push(live);
            }
            if is_last {
                return Ok(Self(found));
            }
        }
    }

    fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    fn take(&mut self, shard: u16) -> Vec<LiveExecution> {
        std::mem::take(&mut self.0[usize::from(shard)])
    }
}

/// Everything one shard is started from; it can be sent to its thread.
struct Launch {
    plan: Plan,
    claim: Claim,
    inherited: Vec<LiveExecution>,
    pools: Pools,
    peers: Peers,
    open: Arc<Pool>,
    keys: Arc<Keys>,
    everyone: Everyone,
}

impl Launch {
    /// Starts the actors of a shard on this thread.
    fn start(self) -> Result<ShardHandle, JournalError> {
        let Self { plan, claim, inherited, pools, peers, open, keys, everyone } = self;
        let (index, gone) = (plan.index, plan.gone.subscribe());
        let to_supervisor = Arc::<OnceLock<Addr<Supervisor>>>::default();
        let told = Arc::clone(&to_supervisor);
        let listener = Listener::new(move |watermark| {
            if let Some(supervisor) = told.get() {
                supervisor.do_send(Watermark(watermark));
            }
        });
        let writer = plan.journal.writer(claim.epoch, index, listener)?;
        let shard = Shard::new(plan, writer);
        let engine = TaskEngine::new(Rc::clone(&shard), &pools, peers).start();
        let lease = Lease::new(open, index);
        let recovery = Recovery::new(claim, inherited);
        let supervisor = Supervisor::new(Rc::clone(&shard), lease, keys, recovery, everyone).start();
        // Set once, here: nothing was appended before, so there was nothing to tell.
        let _ = to_supervisor.set(supervisor.clone());
        shard.staff(engine.clone(), supervisor.clone());
        Ok(ShardHandle { supervisor, engine, arbiter: None, gone })
    }
}

/// Starts a shard on a thread of its own.
fn start_elsewhere(_system: &System, launch: Launch) -> Result<ShardHandle, StartError> {
    let arbiter = Arbiter::new();
    let handle = arbiter.handle();
    let (answer, answered) = mpsc::channel();
    let sent = handle.spawn_fn(move || drop(answer.send(launch.start())));
    if !sent {
        return Err(StartError::Thread);
    }
    let mut shard = answered.recv().map_err(|_| StartError::Thread)??;
    shard.arbiter = Some(handle);
    Ok(shard)
}
