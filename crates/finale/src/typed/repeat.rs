//! Maps and loops in workflows of functions.

use std::marker::PhantomData;
use std::time::Duration;

use finale_core::definition::{
    Body, Inside, Items, Loop, LoopCondition, Map, Node, NodeKind, Task, Tolerance, title_of,
};

use super::{Gives, TypedBuilder, ValueNode};
use crate::handler::{Function, Handler};

/// A map of a workflow in the making; from [`TypedBuilder::map`]. `Output` is what the function gives for one item: the node
/// gives a `Vec` of it.
pub type MapNode<'w, Output> = ValueNode<'w, Mapped, Vec<Output>>;

/// A map some of whose items may fail; from [`MapNode::tolerate`](ValueNode::tolerate). It gives `None` for each that did.
pub type TolerantMapNode<'w, Output> = ValueNode<'w, MappedTolerantly, Vec<Option<Output>>>;

/// A loop of a workflow in the making; from [`TypedBuilder::repeat_until`] and [`TypedBuilder::repeat_while`]. `Input` is what
/// the function takes in each round.
pub type LoopNode<'w, Input, Output> = ValueNode<'w, Looped<Input>, Output>;

/// The kind of a [`MapNode`].
#[derive(Debug)]
pub enum Mapped {}

/// The kind of a [`TolerantMapNode`].
#[derive(Debug)]
pub enum MappedTolerantly {}

/// The kind of a [`LoopNode`] whose function takes an `Input`.
#[derive(Debug)]
pub struct Looped<Input>(PhantomData<fn(Input)>);

/// The kinds of maps. Nobody else can implement it.
pub trait AnyMap: private::Repeats {}

impl AnyMap for Mapped {}
impl AnyMap for MappedTolerantly {}

mod private {
    /// The kinds of nodes whose function runs again and again.
    pub trait Repeats {}

    impl Repeats for super::Mapped {}
    impl Repeats for super::MappedTolerantly {}
    impl<Input> Repeats for super::Looped<Input> {}
}

impl TypedBuilder {
    /// Runs a function once for each item of a list that another node gives, or that is the input of the workflow; the node
    /// gives the list of what came of them, in the order of the items. Its id and its handler have that name.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// use finale::InputNode;
    ///
    /// async fn resize(_context: TaskContext, picture: String) -> Result<u32, TaskError> {
    ///     Ok(picture.len() as u32)
    /// }
    ///
    /// async fn add_up(_context: TaskContext, sizes: Vec<u32>) -> Result<u32, TaskError> {
    ///     Ok(sizes.iter().sum())
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let album = Workflow::typed("album").build_as(|album, pictures: InputNode<'_, Vec<String>>| {
    ///     let sizes = album.map("resize", pictures, resize).max_concurrency(4);
    ///     album.task("add_up", add_up).input_from(sizes)
    /// })?;
    /// let runtime = Runtime::builder().shards(Shards::Current).workflow(&album).start()?;
    /// let pictures = vec!["sea".to_owned(), "coast".to_owned()];
    /// assert_eq!(runtime.activate(&album, pictures).await?.outcome().await?.output()?, 8);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A list of something else does not compile:
    ///
    /// ```compile_fail,E0277
    /// # use finale::prelude::*;
    /// # async fn list(_: TaskContext) -> Result<Vec<u32>, TaskError> { Ok(vec![1]) }
    /// # async fn resize(_: TaskContext, picture: String) -> Result<u32, TaskError> { Ok(1) }
    /// let album = Workflow::typed("album");
    /// let listed = album.task("list", list);
    /// album.map("resize", listed, resize); // numbers are no pictures
    /// ```
    ///
    /// Neither does a task that takes a list of something else than the function gives:
    ///
    /// ```compile_fail,E0277
    /// # use finale::prelude::*;
    /// # async fn list(_: TaskContext) -> Result<Vec<String>, TaskError> { Ok(vec![]) }
    /// # async fn resize(_: TaskContext, picture: String) -> Result<u32, TaskError> { Ok(1) }
    /// # async fn join(_: TaskContext, texts: Vec<String>) -> Result<(), TaskError> { Ok(()) }
    /// let album = Workflow::typed("album");
    /// let sizes = album.map("resize", album.task("list", list), resize);
    /// album.task("join", join).input_from(sizes); // sizes are no texts
    /// ```
    pub fn map<'w, H: Handler<Arguments>, Arguments: 'static>(
        &'w self,
        name: impl Into<String>,
        items: impl Gives<'w, Vec<H::Input>>,
        function: H,
    ) -> MapNode<'w, H::Output> {
        let name = name.into();
        let body = Body::Task(Box::new(Task::handler(&name)));
        let items_of = Items::Expression("input".to_owned());
        let map = Map { items: items_of, body, max_concurrency: None, tolerate: None, optional: false };
        let node = self.add_repeated(name, NodeKind::Map(map), function);
        node.fed_by(&items.feed());
        node
    }

    /// Runs a function round by round until an expression is true of what it gave, `rounds_max` times at most; the node gives
    /// what the last round gave. Its id and its handler have that name.
    ///
    /// In the expression `output` is what the round gave, `round` its number from 1, and `previous` what the round before gave.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// # use finale::prelude::*;
    /// async fn roll_out(_context: TaskContext) -> Result<String, TaskError> {
    ///     Ok("server 7".to_owned())
    /// }
    ///
    /// async fn is_healthy(_context: TaskContext, server: String) -> Result<bool, TaskError> {
    ///     Ok(server == "server 7")
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let deploy = Workflow::typed("deploy");
    /// let server = deploy.task("roll_out", roll_out);
    /// let healthy = deploy.repeat_until("is_healthy", is_healthy, "output", 20).input_from(server);
    /// healthy.delay(Duration::from_secs(30));
    /// let deploy = deploy.build()?;
    ///
    /// let runtime = Runtime::builder().shards(Shards::Current).workflow(&deploy).start()?;
    /// let outcome = runtime.activate(&deploy, ()).await?.outcome().await?;
    /// assert!(outcome.output::<bool>()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// What does not fit does not compile:
    ///
    /// ```compile_fail,E0277
    /// # use finale::prelude::*;
    /// # async fn roll_out(_: TaskContext) -> Result<u32, TaskError> { Ok(7) }
    /// # async fn is_healthy(_: TaskContext, server: String) -> Result<bool, TaskError> { Ok(true) }
    /// let deploy = Workflow::typed("deploy");
    /// let server = deploy.task("roll_out", roll_out);
    /// deploy.repeat_until("is_healthy", is_healthy, "output", 20).input_from(server); // a number is no text
    /// ```
    pub fn repeat_until<H: Handler<Arguments>, Arguments: 'static>(
        &self,
        name: impl Into<String>,
        function: H,
        until: impl Into<String>,
        rounds_max: u32,
    ) -> LoopNode<'_, H::Input, H::Output> {
        self.repeat(name.into(), function, LoopCondition::until(until), rounds_max)
    }

    /// Runs a function round by round as long as an expression is true before the round, `rounds_max` times at most; the node
    /// gives what the last round gave, and `None` if there was none.
    ///
    /// In the expression `round` is the number of the round from 1, and `previous` what the round before gave, `null` in the
    /// first.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// async fn next_page(_context: TaskContext, page: u32) -> Result<u32, TaskError> {
    ///     Ok(page + 1)
    /// }
    ///
    /// async fn report(_context: TaskContext, pages: Option<u32>) -> Result<u32, TaskError> {
    ///     Ok(pages.unwrap_or_default())
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let import = Workflow::typed("import");
    /// let pages = import.repeat_while("next_page", next_page, "round <= input.pages", 100).input("round");
    /// import.task("report", report).input_from(pages);
    /// let import = import.build()?;
    ///
    /// let runtime = Runtime::builder().shards(Shards::Current).workflow(&import).start()?;
    /// let outcome = runtime.activate(&import, serde_json::json!({"pages": 3})).await?.outcome().await?;
    /// assert_eq!(outcome.output::<u32>()?, 4);
    /// # Ok(())
    /// # }
    /// ```
    pub fn repeat_while<H: Handler<Arguments>, Arguments: 'static>(
        &self,
        name: impl Into<String>,
        function: H,
        while_true: impl Into<String>,
        rounds_max: u32,
    ) -> LoopNode<'_, H::Input, Option<H::Output>> {
        self.repeat(name.into(), function, LoopCondition::while_true(while_true), rounds_max)
    }

    fn repeat<H: Handler<Arguments>, Arguments: 'static, Output>(
        &self,
        name: String,
        function: H,
        condition: LoopCondition,
        rounds_max: u32,
    ) -> LoopNode<'_, H::Input, Output> {
        let body = Body::Task(Box::new(Task::handler(&name)));
        let repeated = Loop { body, condition, rounds_max, delay: Duration::ZERO, optional: false };
        self.add_repeated(name, NodeKind::Loop(repeated), function)
    }

    fn add_repeated<H: Handler<Arguments>, Arguments: 'static, Kind, Output>(
        &self,
        name: String,
        kind: NodeKind,
        function: H,
    ) -> ValueNode<'_, Kind, Output> {
        let index = self.add(&name, |id| {
            let label = title_of(&id);
            Node::new(id, label, kind)
        });
        self.draft().functions.push(Function::new(name, function));
        self.value_at(index)
    }
}

impl<'w, Kind: private::Repeats, Output> ValueNode<'w, Kind, Output> {
    /// Sets how many attempts there are for each item or round, and the wait before each further one; by default there is one.
    /// See [`Task::retry`].
    pub fn retry(self, attempts: u16, backoff: Duration) -> Self {
        self.change_inside(|task| task.retry(attempts, backoff))
    }

    /// Limits how long one attempt may take; by default there is no limit. See [`Task::timeout`].
    pub fn timeout(self, timeout: Duration) -> Self {
        self.change_inside(|task| task.timeout(timeout))
    }

    /// Lets the execution complete although the node failed.
    pub fn optional(self) -> Self {
        self.change(|kind| match kind {
            NodeKind::Map(map) => map.optional = true,
            NodeKind::Loop(repeated) => repeated.optional = true,
            _ => {}
        })
    }

    /// Changes the task that runs for each item or in each round.
    fn change_inside(self, change: impl FnOnce(Task) -> Task) -> Self {
        self.change(|kind| {
            if let NodeKind::Map(Map { body: Body::Task(task), .. })
            | NodeKind::Loop(Loop { body: Body::Task(task), .. }) = kind
            {
                **task = change(std::mem::take(task));
            }
        })
    }
}

impl<Kind: AnyMap, Output> ValueNode<'_, Kind, Output> {
    /// Limits how many items may be under way at once; by default there is no limit.
    pub fn max_concurrency(self, count: u32) -> Self {
        self.change(|kind| {
            if let NodeKind::Map(map) = kind {
                map.max_concurrency = Some(count);
            }
        })
    }
}

impl<'w, Output> MapNode<'w, Output> {
    /// Lets so many items fail; by default none may. What came of those that did is `None` then.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// use finale::{InputNode, Tolerance};
    ///
    /// async fn resize(_context: TaskContext, picture: String) -> Result<u32, TaskError> {
    ///     if picture.is_empty() { Err("no picture")? } else { Ok(1) }
    /// }
    ///
    /// async fn count(_context: TaskContext, sizes: Vec<Option<u32>>) -> Result<usize, TaskError> {
    ///     Ok(sizes.iter().flatten().count())
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let album = Workflow::typed("album").build_as(|album, pictures: InputNode<'_, Vec<String>>| {
    ///     let sizes = album.map("resize", pictures, resize).tolerate(Tolerance::Percent(50));
    ///     album.task("count", count).input_from(sizes)
    /// })?;
    /// let runtime = Runtime::builder().shards(Shards::Current).workflow(&album).start()?;
    /// let pictures = vec![String::new(), "coast".to_owned()];
    /// assert_eq!(runtime.activate(&album, pictures).await?.outcome().await?.output()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A task that counts on all of them does not compile:
    ///
    /// ```compile_fail,E0277
    /// # use finale::prelude::*;
    /// # use finale::Tolerance;
    /// # async fn list(_: TaskContext) -> Result<Vec<String>, TaskError> { Ok(vec![]) }
    /// # async fn resize(_: TaskContext, picture: String) -> Result<u32, TaskError> { Ok(1) }
    /// # async fn add_up(_: TaskContext, sizes: Vec<u32>) -> Result<(), TaskError> { Ok(()) }
    /// let album = Workflow::typed("album");
    /// let sizes = album.map("resize", album.task("list", list), resize).tolerate(Tolerance::Count(1));
    /// album.task("add_up", add_up).input_from(sizes); // some may be missing
    /// ```
    pub fn tolerate(self, tolerance: Tolerance) -> TolerantMapNode<'w, Output> {
        self.change(|kind| {
            if let NodeKind::Map(map) = kind {
                map.tolerate = Some(tolerance);
            }
        });
        self.as_other()
    }

    /// Undoes each item by that function, which is given what came of the item, if the item was done and the map, or the
    /// execution, fails or is cancelled; what was done last is undone first. A runtime knows the function under that name.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # use finale::InputNode;
    /// async fn charge_card(_context: TaskContext, card: String) -> Result<String, TaskError> {
    ///     if card.is_empty() { Err("no card")? } else { Ok(format!("receipt of {card}")) }
    /// }
    ///
    /// async fn refund(_context: TaskContext, receipt: String) -> Result<(), TaskError> {
    ///     println!("{receipt} is worth nothing any more");
    ///     Ok(())
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # async fn list(_context: TaskContext, cards: Vec<String>) -> Result<Vec<String>, TaskError> { Ok(cards) }
    /// let bill = Workflow::typed("bill");
    /// let cards = bill.task("list", list);
    /// bill.map("charge", cards, charge_card).max_concurrency(1).compensate("refund", refund);
    /// let bill = bill.build()?;
    ///
    /// let runtime = Runtime::builder().shards(Shards::Current).workflow(&bill).start()?;
    /// let outcome = runtime.activate(&bill, ["4711", ""]).await?.outcome().await?;
    /// assert_eq!(outcome.counts.compensated, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn compensate<H: Handler<Arguments, Input = Output>, Arguments: 'static>(
        self,
        name: impl Into<String>,
        function: H,
    ) -> Self {
        let name = name.into();
        let undo = Task::handler(&name).input("output");
        let mut draft = self.builder.draft();
        draft.functions.push(Function::new(name, function));
        draft.undone.push((self.index, undo));
        drop(draft);
        self
    }
}

impl<'w, Input, Output> LoopNode<'w, Input, Output> {
    /// Lets the loop come after `source`, whose output is the input of each round. Takes precedence over
    /// [`input`](Self::input).
    pub fn input_from(self, source: impl Gives<'w, Input>) -> Self {
        self.fed_by(&source.feed());
        self
    }

    /// Sets the expression that gives the input of each round; by default the input of the execution. In it `round` is the
    /// number of the round from 1, and `previous` what the round before gave.
    pub fn input(self, expression: impl Into<String>) -> Self {
        self.change_inside(|task| task.input(expression))
    }

    /// Sets how long to wait between two rounds; by default there is no wait.
    pub fn delay(self, delay: Duration) -> Self {
        self.change(|kind| {
            if let NodeKind::Loop(repeated) = kind {
                repeated.delay = delay;
            }
        })
    }
}

/// Makes what undoes items part of the bodies of their maps, now that the ids are known.
pub(super) fn undo_items(nodes: &mut [Node], undone: Vec<(usize, Task)>) {
    for (index, undo) in undone {
        let node = &mut nodes[index];
        if let NodeKind::Map(Map { body, .. }) = &mut node.kind
            && let Body::Task(task) = body
        {
            *body = Inside::from(std::mem::take(&mut **task)).compensate(undo).into_body(&node.id).0;
        }
    }
}
