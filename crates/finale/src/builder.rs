//! Building and starting a runtime.

use std::collections::HashMap;
use std::error::Error;
use std::future::Future;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use actix::{Addr, Recipient, System};
use finale_core::DefinitionHash;
#[cfg(feature = "schema")]
use finale_core::definition::SchemaError;
use finale_core::supervisor::shard_of;
use finale_journal::{Journal, JournalError, LiveExecution, MemoryJournal};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::actors::directory::Directory;
use crate::actors::inbox::Inbox;
use crate::actors::permits::Permits;
use crate::actors::shared::Parts;
use crate::actors::start::{Endings, Launch};
use crate::actors::supervisor::Supervisor;
use crate::actors::way_in::{Peers, ToShard};
use crate::context::{BlockingContext, Data};
use crate::ended::{Ended, EndedHandlers};
use crate::faults::Injected;
use crate::handler::{Asked, Blocking, Function, Handler, Handlers, OutputChecks};
use crate::message::RunTask;
use crate::options::{Limits, Options, Retention, Shards};
use crate::runtime::{Kept, Registered, Runtime, StartError};
#[cfg(feature = "schema")]
use crate::schemas::HandlerSchemas;
use crate::task_error::TaskError;
use crate::vitals::{self, Vitals};
use crate::workflow::Workflow;

/// Says what a runtime is made of; see [`Runtime::builder`].
///
/// Nothing is checked before [`start`](Self::start). What is said twice counts as it was said last; only handlers must
/// not have the same name.
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
    ended: EndedHandlers,
    outputs: HashMap<DefinitionHash, OutputChecks>,
    workflows: Vec<Workflow>,
    handler_limits: Vec<(String, usize)>,
    data: Data,
    faults: Injected,
    /// Why it cannot start, as far as that is known before.
    unusable: Option<StartError>,
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
            ended: EndedHandlers::default(),
            outputs: HashMap::new(),
            workflows: Vec::new(),
            handler_limits: Vec::new(),
            data: Data::default(),
            faults: None,
            unusable: None,
        }
    }
}

impl Builder {
    /// Where executions run; default one thread per two cores, and at least two where there are two
    /// cores. See [`Shards`].
    ///
    /// ```
    /// # use finale::prelude::*;
    /// async fn thread(_context: TaskContext) -> Result<String, TaskError> {
    ///     Ok(format!("{:?}", std::thread::current().id()))
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let work = Workflow::builder("work").task("work", "thread").build()?;
    /// let runtime = Runtime::builder().shards(Shards::Current).handler("thread", thread).start()?;
    /// let outcome = runtime.activate(&work, ()).await?.outcome().await?;
    /// assert_eq!(outcome.output::<String>()?, format!("{:?}", std::thread::current().id()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn shards(mut self, shards: Shards) -> Self {
        self.shards = shards;
        self
    }

    /// What the runtime is bounded by; see [`Limits`].
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// How long a handler that was told to stop may take before it is dropped; default 2 s.
    ///
    /// Handlers are told to stop when the end of their execution is decided. One whose attempt takes longer than its
    /// timeout, or whose task is cancelled by itself, is dropped at once.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// use std::time::Duration;
    ///
    /// use finale::Fate;
    ///
    /// async fn never_done(_context: TaskContext) -> Result<(), TaskError> {
    ///     std::future::pending().await
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let work = Workflow::builder("work").task("work", "never_done").build()?;
    /// let builder = Runtime::builder().shards(Shards::Current).handler("never_done", never_done);
    /// let runtime = builder.grace(Duration::ZERO).start()?;
    /// let receipt = runtime.activate(&work, ()).await?.cancel("me").await?;
    /// assert_eq!(receipt.tasks[0].fate, Fate::Aborted);
    /// # Ok(())
    /// # }
    /// ```
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How often each shard looks whether something was lost on its way; default 1 s. It must not be
    /// zero: a shard would do nothing else.
    ///
    /// Nothing in order waits for it: it is about messages that an actor did not get, or that were lost with one. It is
    /// also how often [`Health::journal_lag`](crate::Health::journal_lag) is measured.
    pub fn sweep_interval(mut self, interval: Duration) -> Self {
        self.sweep_interval = interval;
        self
    }

    /// Where facts are kept; default in memory, where nothing outlives the process.
    ///
    /// A runtime goes on with every execution that it finds there and that has not ended. It can be started again on a
    /// clone of the journal; then the runtime before it is fenced: it can write no more.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// use finale::journal::MemoryJournal;
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// let journal = MemoryJournal::new();
    /// let start = || Runtime::builder().shards(Shards::Current).journal(journal.clone()).start();
    /// let id = start()?.activate(&article, ()).await?.id();
    ///
    /// let runtime = start()?; // goes on where the other one was
    /// let task = runtime.open_tasks_of(id).await?[0].id;
    /// runtime.complete_task(task, "well done").await?;
    /// let outcome = runtime.execution(id).await?.outcome().await?;
    /// assert_eq!(outcome.output::<String>()?, "well done");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// In a file, with the feature `sqlite`:
    ///
    /// ```no_run
    /// # #[cfg(feature = "sqlite")]
    /// # fn start() -> Result<(), Box<dyn std::error::Error>> {
    /// use finale::journal::SqliteJournal;
    /// use finale::prelude::*;
    ///
    /// let runtime = Runtime::builder().journal(SqliteJournal::open("orders.finale")?).start()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn journal(mut self, journal: impl Journal) -> Self {
        self.journal = Some(Arc::new(journal));
        self
    }

    /// How long executions are kept after they have ended; default 30 days. See [`Retention`].
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// State of the application, for [`TaskContext::data`](crate::TaskContext::data); one value of each type.
    ///
    /// It is shared by all threads of the runtime, and dropped with the runtime.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// struct Currency(&'static str);
    ///
    /// async fn charge_card(context: TaskContext, amount: u32) -> Result<String, TaskError> {
    ///     Ok(format!("{amount} {}", context.data::<Currency>()?.0))
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let order = Workflow::builder("order").task("charge", "charge_card").build()?;
    /// let builder = Runtime::builder().shards(Shards::Current).handler("charge_card", charge_card);
    /// let runtime = builder.data(Currency("euros")).start()?;
    /// let outcome = runtime.activate(&order, 20).await?.outcome().await?;
    /// assert_eq!(outcome.output::<String>()?, "20 euros");
    /// # Ok(())
    /// # }
    /// ```
    pub fn data<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.data.insert(value);
        self
    }

    /// An async function that does the tasks with that handler name; see [`Handler`].
    ///
    /// The name is kept with the executions: one that is renamed is not found by those that began before.
    ///
    /// ```
    /// use finale::{Runtime, TaskContext, TaskError};
    ///
    /// async fn charge_card(_context: TaskContext, euros: u32) -> Result<String, TaskError> {
    ///     Ok(format!("{euros} euros paid"))
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use finale::{Shards, Workflow};
    /// let order = Workflow::builder("order").task("charge", "charge_card").build()?;
    /// let runtime = Runtime::builder().shards(Shards::Current).handler("charge_card", charge_card).start()?;
    /// let outcome = runtime.activate(&order, 20).await?.outcome().await?;
    /// assert_eq!(outcome.output::<String>()?, "20 euros paid");
    /// # Ok(())
    /// # }
    /// ```
    pub fn handler<H: Handler<Arguments>, Arguments: 'static>(self, name: impl Into<String>, handler: H) -> Self {
        self.register(Function::new(name.into(), handler))
    }

    /// The same, with the schemas of the types that the handler takes and gives: what tasks of that handler
    /// [declare](crate::Task::input_schema) must be the same, apart from what only describes.
    ///
    /// A workflow with a task that declares something else is refused where the two meet: by [`start`](Self::start), by
    /// [`Runtime::register`], or else when it is activated. In exchange the output is not checked again each time.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// use finale::{Schema, StartError};
    ///
    /// async fn charge_card(_context: TaskContext, euros: u32) -> Result<String, TaskError> {
    ///     Ok(format!("{euros} euros paid"))
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let text = Schema::from_json(br#"{"type": "string"}"#)?;
    /// let charge = Task::handler("charge_card").input_schema(text.clone()).output_schema(text);
    /// let order = Workflow::builder("order").task("charge", charge).build()?;
    ///
    /// let builder = Runtime::builder().shards(Shards::Current).handler_with_schemas("charge_card", charge_card);
    /// let error = builder.workflow(&order).start().unwrap_err();
    /// assert_eq!(error.code(), "schema_conflict");
    /// let words = r#"the input schema of "charge" is not that of handler "charge_card""#;
    /// assert!(error.to_string().contains(words));
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "schema")]
    pub fn handler_with_schemas<H: Handler<Arguments>, Arguments: 'static>(
        self,
        name: impl Into<String>,
        handler: H,
    ) -> Self
    where
        H::Input: schemars::JsonSchema,
        H::Output: schemars::JsonSchema,
    {
        self.register_with(Function::new(name.into(), handler), HandlerSchemas::of::<H::Input, H::Output>())
    }

    /// A workflow that the runtime knows by its id and version, as by [`Runtime::register`], with the functions that it was
    /// built of; see [`Workflow::typed`]. Those that several workflows have in common are taken once.
    ///
    /// Two workflows of one id and version with different content are an error of [`start`](Self::start).
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # async fn greet(_context: TaskContext) -> Result<String, TaskError> { Ok("Hello".into()) }
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (morning, evening) = (Workflow::typed("morning"), Workflow::typed("evening"));
    /// morning.task("greet", greet);
    /// evening.task("greet", greet);
    /// let (morning, evening) = (morning.build()?, evening.build()?);
    ///
    /// let builder = Runtime::builder().shards(Shards::Current).workflow(&morning).workflow(&evening);
    /// let runtime = builder.start()?;
    /// let outcome = runtime.activate(&evening, ()).await?.outcome().await?;
    /// assert_eq!(outcome.output::<String>()?, "Hello");
    /// # Ok(())
    /// # }
    /// ```
    pub fn workflow<Input, Output>(mut self, workflow: &Workflow<Input, Output>) -> Self {
        if !workflow.outputs().is_empty() {
            self.outputs.insert(workflow.hash(), workflow.outputs().clone());
        }
        for function in workflow.functions() {
            let known = self.handlers.iter_mut().find(|known| known.name == function.name && known.is(function));
            match known {
                Some(known) if known.schemas.is_none() => known.schemas.clone_from(&function.schemas),
                Some(_) => {}
                None => self.handlers.push(function.clone()),
            }
        }
        self.workflows.push(workflow.undeclared());
        self
    }

    /// A function that blocks its thread; it runs on one of its own.
    ///
    /// A thread is started for each attempt; [`handler_limit`](Self::handler_limit) bounds how many there are. The function
    /// always has an input, `()` if it needs none. It can be asked to stop, not stopped: see
    /// [`BlockingContext::is_cancelled`].
    ///
    /// ```
    /// use finale::prelude::*;
    ///
    /// fn count_words(_context: BlockingContext, text: String) -> Result<usize, TaskError> {
    ///     Ok(text.split_whitespace().count())
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let count = Workflow::builder("count").task("count", "count_words").build()?;
    /// let builder = Runtime::builder().shards(Shards::Current);
    /// let runtime = builder.blocking_handler("count_words", count_words).start()?;
    /// let outcome = runtime.activate(&count, "read it and approve").await?.outcome().await?;
    /// assert_eq!(outcome.output::<usize>()?, 4);
    /// # Ok(())
    /// # }
    /// ```
    pub fn blocking_handler<F, Input, Output>(self, name: impl Into<String>, function: F) -> Self
    where
        F: Fn(BlockingContext, Input) -> Result<Output, TaskError> + Send + Sync + 'static,
        Input: DeserializeOwned + 'static,
        Output: Serialize + 'static,
    {
        self.register(Blocking::made(name.into(), function))
    }

    /// The same, with the schemas of the types that the function takes and gives; see
    /// [`handler_with_schemas`](Self::handler_with_schemas).
    #[cfg(feature = "schema")]
    pub fn blocking_handler_with_schemas<F, Input, Output>(self, name: impl Into<String>, function: F) -> Self
    where
        F: Fn(BlockingContext, Input) -> Result<Output, TaskError> + Send + Sync + 'static,
        Input: DeserializeOwned + schemars::JsonSchema + 'static,
        Output: Serialize + schemars::JsonSchema + 'static,
    {
        self.register_with(Blocking::made(name.into(), function), HandlerSchemas::of::<Input, Output>())
    }

    /// An actor that does the tasks with that handler name; see [`RunTask`].
    ///
    /// It may live on any thread. If it stops before it answers, the attempt fails with class `lost`; nobody starts it
    /// again. A task that is to stop is not taken back from it: after [the grace](Self::grace) it is recorded as lost, and the
    /// answer counts for nothing.
    ///
    /// ```
    /// use finale::actix::prelude::*;
    /// use finale::message::RunTask;
    /// use finale::prelude::*;
    /// use finale::Payload;
    ///
    /// struct Cashier {
    ///     euros: u32,
    /// }
    ///
    /// impl Actor for Cashier {
    ///     type Context = Context<Self>;
    /// }
    ///
    /// impl Handler<RunTask> for Cashier {
    ///     type Result = Result<Payload, TaskError>;
    ///
    ///     fn handle(&mut self, asked: RunTask, _context: &mut Context<Self>) -> Self::Result {
    ///         self.euros += asked.input.decode::<u32>()?;
    ///         Ok(Payload::encode(&self.euros)?)
    ///     }
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    /// let order = Workflow::builder("order").task("charge", "cashier").build()?;
    /// let cashier = Cashier { euros: 5 }.start();
    /// let builder = Runtime::builder().shards(Shards::Current);
    /// let runtime = builder.actor_handler("cashier", cashier.recipient()).start()?;
    /// let outcome = runtime.activate(&order, 20).await?.outcome().await?;
    /// assert_eq!(outcome.output::<u32>()?, 25);
    /// # Ok(())
    /// # }
    /// ```
    pub fn actor_handler(self, name: impl Into<String>, actor: Recipient<RunTask>) -> Self {
        self.register(Asked::made(name.into(), actor))
    }

    /// The same, with the schemas of what the actor takes and gives; see [`handler_with_schemas`](Self::handler_with_schemas).
    ///
    /// An actor may answer with anything, so that what it is given and what it gives is checked each time, where a task declares
    /// the schemas.
    ///
    /// ```
    /// # use finale::actix::prelude::*;
    /// # use finale::message::RunTask;
    /// # use finale::prelude::*;
    /// # fn register(cashier: Recipient<RunTask>) -> finale::Builder {
    /// Runtime::builder().actor_handler_with_schemas::<u32, String>("cashier", cashier)
    /// # }
    /// ```
    #[cfg(feature = "schema")]
    pub fn actor_handler_with_schemas<Input: schemars::JsonSchema, Output: schemars::JsonSchema>(
        self,
        name: impl Into<String>,
        actor: Recipient<RunTask>,
    ) -> Self {
        let schemas = HandlerSchemas::of::<Input, Output>();
        let schemas = schemas.map(|schemas| HandlerSchemas { is_kept: false, ..schemas });
        self.register_with(Asked::made(name.into(), actor), schemas)
    }

    /// How many tasks of that handler may be at work at once in the runtime; further ones wait. By default only
    /// [`Limits::running_tasks_max`] bounds them.
    ///
    /// The handler may be registered before or after. A limit of 0, or one for a handler that is not registered, is an
    /// error of [`start`](Self::start).
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # async fn charge_card(_context: TaskContext) -> Result<(), TaskError> { Ok(()) }
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = || Runtime::builder().shards(Shards::Current).handler("charge_card", charge_card);
    /// assert!(builder().handler_limit("charge_card", 8).start().is_ok());
    /// let error = builder().handler_limit("charge_cart", 8).start().unwrap_err();
    /// assert_eq!(error.code(), "unknown_handler");
    /// # Ok(())
    /// # }
    /// ```
    pub fn handler_limit(mut self, name: impl Into<String>, running_max: usize) -> Self {
        self.handler_limits.push((name.into(), running_max));
        self
    }

    /// A handler that is told how each execution ended, whatever the execution ran: at least once, also after a crash.
    ///
    /// An end is told when it is durable. That it has still to be told is kept in the journal with the end, and goes when all
    /// handlers of the runtime have answered `Ok`: what was not told then is told by the next runtime on that journal that has
    /// such handlers. So the same end can come twice, and [`Ended::execution`] is what it is known by. Ends come in no
    /// particular order. A handler that fails, panics or takes longer than a minute is told again after 1 s, then twice as late
    /// each time, up to a minute; those that have taken the end are not. Other ends do not wait for it.
    ///
    /// [Retention](Self::retention) does not forget an execution of whose end somebody has still to be told. Ends of runtimes
    /// without such a handler are not told later; such a runtime tells nothing, and forgets executions as if all had been told.
    ///
    /// Handlers run on the threads of the runtime, so they must not block them: at most 16 ends are told at once on each. A
    /// [shutdown](Runtime::shutdown) waits until its deadline for those at work, and tells no more.
    ///
    /// ```
    /// use finale::prelude::*;
    /// use finale::Ended;
    ///
    /// async fn notify(ended: &Ended) -> Result<(), std::io::Error> {
    ///     println!("{} of {} has ended: {}", ended.execution, ended.workflow.id, ended.status());
    ///     Ok(())
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = Runtime::builder().shards(Shards::Current);
    /// let builder = builder.on_ended(|ended: Ended| async move {
    ///     notify(&ended).await?;
    ///     Ok(())
    /// });
    /// let runtime = builder.start()?;
    /// # drop(runtime);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_ended<F, Taken>(mut self, handler: F) -> Self
    where
        F: Fn(Ended) -> Taken + Send + Sync + 'static,
        Taken: Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + 'static,
    {
        self.ended.add(handler);
        self
    }

    /// Injects faults, for finale's own tests.
    #[cfg(feature = "_test")]
    pub fn faults(mut self, faults: Arc<crate::Faults>) -> Self {
        self.faults = Some(faults);
        self
    }

    #[cfg(feature = "schema")]
    fn register_with(mut self, mut function: Function, schemas: Result<HandlerSchemas, SchemaError>) -> Self {
        match schemas {
            Ok(schemas) => function.schemas = Some(Arc::new(schemas)),
            Err(error) => {
                self.unusable.get_or_insert(StartError::Schema { handler: function.name.clone(), error });
            }
        }
        self.register(function)
    }

    fn register(mut self, function: Function) -> Self {
        self.handlers.push(function);
        self
    }

    /// Starts the runtime, inside a running actix `System`, and returns when its threads are there.
    ///
    /// It claims the journal and begins to go on with every execution there that has not ended; [`Health::recovering`]
    /// says how many have not gone on yet. Nobody has to wait for that.
    ///
    /// # Errors
    /// When there is no running actix `System`, two handlers have one name, a limit makes no sense, or the journal cannot be
    /// claimed; see [`StartError`].
    ///
    /// [`Health::recovering`]: crate::Health::recovering
    pub fn start(self) -> Result<Runtime, StartError> {
        let system = System::try_current().ok_or(StartError::NoSystem)?;
        let Self { shards: place, limits, grace, sweep_interval, retention, .. } = self;
        let Self { journal, handlers, ended, outputs, workflows, handler_limits, data, faults, unusable, .. } = self;
        unusable.map_or(Ok(()), Err)?;
        check_limits(&limits, &handler_limits)?;
        if sweep_interval.is_zero() {
            return Err(StartError::ZeroLimit("sweep_interval"));
        }
        let shards = match place {
            Shards::Own(0) => return Err(StartError::ZeroLimit("shards")),
            Shards::Own(shards) => shards,
            Shards::Current => 1,
        };
        let mut handlers = register_all(handlers, &handler_limits, limits.payload_bytes_max)?;
        handlers.check_outputs(outputs);
        let registered = Registered::new(handlers.clone());
        workflows.into_iter().try_for_each(|workflow| registered.insert(workflow))?;
        let journal = journal.unwrap_or_else(|| Arc::new(MemoryJournal::keeping(limits.ended_executions_max)));
        let claim = journal.claim()?;
        let mut inherited = Inherited::find(&*journal, shards)?;
        let at_work = std::iter::once(limits.running_tasks_max).chain(handlers.limits());
        let permits = Arc::new(Permits::new(at_work.collect(), shards));
        let open = Arc::new(Permits::new(vec![limits.open_executions_max], shards));
        let directory = Arc::new(Directory::new(limits.ended_executions_max));
        let deaths_window = Duration::from_secs(60);
        let options = Options { shards, limits, grace, sweep_interval, retention, deaths_max: 3, deaths_window };
        let options = Arc::new(options);
        let endings = Arc::new(Endings::new(shards, Arc::clone(&journal), claim.epoch));
        let vitals: Vec<_> = (0..shards).map(|shard| Arc::new(Vitals::new(shard, inherited.count(shard)))).collect();
        let inboxes: Vec<_> = (0..shards).map(|_| Arc::<Inbox<ToShard>>::default()).collect();
        let peers = Peers::default();
        peers.connect(inboxes.clone());
        permits.connect(&peers);
        let mut launch = |index: u16| Launch {
            parts: Parts {
                index,
                options: Arc::clone(&options),
                handlers: handlers.clone(),
                ended: ended.clone(),
                data: data.clone(),
                faults: faults.clone(),
                journal: Arc::clone(&journal),
                epoch: claim.epoch,
                vitals: Arc::clone(&vitals[usize::from(index)]),
                directory: Arc::clone(&directory),
                endings: Arc::clone(&endings),
                permits: Arc::clone(&permits),
                open: Arc::clone(&open),
            },
            claim,
            found: inherited.take(index),
            inbox: Arc::clone(&inboxes[usize::from(index)]),
            peers: peers.clone(),
        };
        let supervisors = match place {
            Shards::Current => vec![launch(0).start()?],
            Shards::Own(_) => {
                let start = |index| start_on_its_own_thread(&system, launch(index));
                let started = (0..shards).map(start).collect::<Result<_, _>>();
                started.inspect_err(|_| {
                    // Those that have started would go on, and keep the journal, without anybody who knows of them.
                    for inbox in &inboxes {
                        let _ = inbox.put(ToShard::Shutdown(Duration::ZERO));
                    }
                })?
            }
        };
        vitals::watch(&vitals, handlers.names_by_number());
        Ok(Runtime::new(inboxes, options, directory, registered, Kept { claim, vitals, endings, supervisors }))
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("shards", &self.shards).field("limits", &self.limits).finish_non_exhaustive()
    }
}

fn check_limits(limits: &Limits, handler_limits: &[(String, usize)]) -> Result<(), StartError> {
    let of_a_handler = || handler_limits.iter().any(|(_, limit)| *limit == 0).then_some("the limit of a handler");
    match limits.zero().or_else(of_a_handler) {
        Some(name) => Err(StartError::ZeroLimit(name)),
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
        handlers.register(function.name, handler, function.schemas);
    }
    for (name, running_max) in limits {
        if !handlers.limit(name, *running_max) {
            return Err(StartError::UnknownHandler(name.clone()));
        }
    }
    Ok(handlers)
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
                found[usize::from(shard_of(live.id, shards).0)].push(live);
            }
            if is_last {
                return Ok(Self(found));
            }
        }
    }

    fn count(&self, shard: u16) -> usize {
        self.0[usize::from(shard)].len()
    }

    fn take(&mut self, shard: u16) -> Vec<LiveExecution> {
        std::mem::take(&mut self.0[usize::from(shard)])
    }
}

/// Starts a shard on a thread that belongs to the runtime alone: it goes on when the application's `System` has stopped,
/// so that an orderly shutdown can let handlers finish.
fn start_on_its_own_thread(system: &System, launch: Launch) -> Result<Addr<Supervisor>, StartError> {
    let (answer, answered) = mpsc::channel();
    let (system, shard, endings) = (system.clone(), launch.parts.index, Arc::clone(&launch.parts.endings));
    let thread = std::thread::Builder::new().name(format!("finale-shard-{shard}"));
    let run = move || {
        // The thread needs an arbiter of its own; what handlers look up in the `System` is the application's all the same.
        let own = System::new();
        System::set_current(system);
        own.block_on(async move {
            let started = launch.start();
            let goes_on = started.is_ok();
            // Whoever starts the runtime waits for this.
            let _ = answer.send(started);
            if goes_on {
                endings.of(shard).await;
            }
        });
    };
    thread.spawn(run).map_err(|_| StartError::Thread)?;
    Ok(answered.recv().map_err(|_| StartError::Thread)??)
}
