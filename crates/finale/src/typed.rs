//! Workflows of functions: a task that does not exist, or whose types do not fit, does not compile.

mod call;
mod ending;
mod ends;
mod gives;
mod repeat;
#[cfg(feature = "schema")]
mod schemas;
mod value;
mod wait;

pub use call::{CallNode, Called};
pub use ending::Ending;
pub use ends::InputNode;
pub use gives::Gives;
pub use repeat::{AnyMap, LoopNode, Looped, MapNode, Mapped, MappedTolerantly, TolerantMapNode};
pub use value::ValueNode;
pub use wait::{WaitNode, Waited};

use std::cell::{RefCell, RefMut};
use std::collections::{BTreeMap, HashMap};
use std::marker::PhantomData;
use std::time::Duration;

use finale_core::compile::{Code, CompileError, Phase, Problem};
use finale_core::definition::{
    Body, Conditional, Definition, EdgeKind, Items, Loop, Node, NodeKind, OnFailure, Siblings, Task, TriggerRule,
    Verdict, Verification, Wait,
};
use serde::de::DeserializeOwned;

use crate::handler::{Function, Handler, OutputCheck};
use crate::workflow::Workflow;

/// Builds a workflow of functions; see [`Workflow::typed`].
///
/// Nodes are values, so that a misspelt one does not compile, and neither does a task whose input is the output of
/// another if their types differ. Names are texts all the same: they are kept in the journal, where the names that the
/// compiler gives to functions would not stay the same.
///
/// [`Workflow::typed`] shows the whole of it. What it cannot say (declared inputs, an output expression, joins) a
/// [`WorkflowBuilder`](crate::WorkflowBuilder) can.
#[derive(Debug)]
#[must_use = "a builder builds nothing until build is called"]
pub struct TypedBuilder(RefCell<Draft>);

/// What is known of the workflow so far; nodes are known by their index.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) definition: Definition,
    edges: Vec<(Origin, usize, EdgeKind)>,
    conditions: BTreeMap<usize, String>,
    /// Whose output is whose input.
    inputs: Vec<(usize, Origin)>,
    pub(crate) functions: Vec<Function>,
    /// What is done outside, and the check of what is reported.
    outputs: Vec<(usize, OutputCheck)>,
    /// What is known to be wrong already.
    problems: Vec<Problem>,
    /// What undoes the items of maps.
    undone: Vec<(usize, Task)>,
    /// How often each id was wanted.
    ids: HashMap<String, usize>,
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug)]
pub enum Feed<'w> {
    /// The input of the workflow.
    Input(&'w TypedBuilder),
    /// The output of a node.
    Output(&'w TypedBuilder, usize),
}

/// Where an edge begins.
#[derive(Clone, Debug)]
enum Origin {
    Node(usize),
    /// A node of another workflow, in words: no edge can begin there.
    Stranger(String),
}

/// A task of a workflow in the making: what it takes and what it gives. A copy is the same task.
///
/// ```
/// use std::time::Duration;
///
/// # use finale::prelude::*;
/// # async fn reserve_stock(_: TaskContext, item: String) -> Result<u32, TaskError> { Ok(20) }
/// # async fn charge_card(_: TaskContext, euros: u32) -> Result<(), TaskError> { Ok(()) }
/// # async fn recommend(_: TaskContext, item: String) -> Result<(), TaskError> { Ok(()) }
/// let order = Workflow::typed("order");
/// let reserved = order.task("reserve", reserve_stock).input("input.item").timeout(Duration::from_secs(30));
/// let charge = order.task("charge", charge_card).title("Charge the card");
/// charge.input_from(reserved).retry(3, Duration::from_secs(2));
/// order.task("recommend", recommend).input("input.item").after(reserved).when("input.likes_letters").optional();
/// let order = order.build()?;
/// assert!(order.definition().nodes.iter().any(|node| node.label == "Charge the card"));
/// # Ok::<(), finale::CompileError>(())
/// ```
pub type TaskNode<'w, Input, Output> = ValueNode<'w, Tasked<Input>, Output>;

/// The kind of a [`TaskNode`] that takes an `Input`.
#[derive(Debug)]
pub struct Tasked<Input>(PhantomData<fn(Input)>);

/// A decision of a workflow in the making; from [`TypedBuilder::condition`].
#[derive(Clone, Copy, Debug)]
#[must_use = "a decision chooses between what comes after its answers"]
pub struct ConditionNode<'w> {
    builder: &'w TypedBuilder,
    index: usize,
}

/// A verification of a workflow in the making; from [`TypedBuilder::verification`].
#[derive(Clone, Copy, Debug)]
#[must_use = "a verification chooses between what comes after its verdicts"]
pub struct VerificationNode<'w> {
    builder: &'w TypedBuilder,
    index: usize,
}

/// One way on from a decision or a verification, for [`TaskNode::after`].
#[derive(Clone, Copy, Debug)]
#[must_use = "it is for after"]
pub struct Branch<'w> {
    builder: &'w TypedBuilder,
    index: usize,
    kind: EdgeKind,
}

/// What something can come after: a [`TaskNode`] or another [`ValueNode`], or a [`Branch`]. Nobody else can implement it.
pub trait Source<'w>: private::Way<'w> {}

pub(crate) mod private {
    use finale_core::definition::EdgeKind;

    use super::TypedBuilder;

    /// Where a way begins and of what kind it is.
    pub trait Way<'w> {
        fn way(self) -> (&'w TypedBuilder, usize, EdgeKind);
    }
}

impl Workflow {
    /// Begins a workflow of functions with that id and name, version 1.0.0.
    ///
    /// The functions become handlers of a runtime by [`Builder::workflow`](crate::Builder::workflow).
    ///
    /// ```
    /// use finale::{Runtime, Shards, TaskContext, TaskError, Workflow};
    ///
    /// async fn reserve_stock(_context: TaskContext, item: String) -> Result<u32, TaskError> {
    ///     Ok(item.len() as u32)
    /// }
    ///
    /// async fn charge_card(_context: TaskContext, euros: u32) -> Result<String, TaskError> {
    ///     Ok(format!("{euros} euros paid"))
    /// }
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let order = Workflow::typed("order");
    /// let reserve = order.task("reserve", reserve_stock);
    /// order.task("charge", charge_card).input_from(reserve);
    /// let order = order.build()?;
    ///
    /// let runtime = Runtime::builder().shards(Shards::Current).workflow(&order).start()?;
    /// let outcome = runtime.activate(&order, "kettle").await?.outcome().await?;
    /// assert_eq!(outcome.output::<String>()?, "6 euros paid");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// What does not fit does not compile:
    ///
    /// ```compile_fail,E0277
    /// # use finale::{TaskContext, TaskError, Workflow};
    /// # async fn reserve_stock(_: TaskContext, item: String) -> Result<u32, TaskError> { Ok(1) }
    /// # async fn write_letter(_: TaskContext, text: String) -> Result<(), TaskError> { Ok(()) }
    /// let order = Workflow::typed("order");
    /// let reserve = order.task("reserve", reserve_stock);
    /// order.task("write", write_letter).input_from(reserve); // a number is no text
    /// ```
    pub fn typed(id: impl Into<String>) -> TypedBuilder {
        let (edges, conditions, inputs) = (Vec::new(), BTreeMap::new(), Vec::new());
        let definition = Definition::new(id);
        let draft = Draft {
            definition,
            edges,
            conditions,
            inputs,
            functions: Vec::new(),
            outputs: Vec::new(),
            problems: Vec::new(),
            undone: Vec::new(),
            ids: HashMap::new(),
        };
        TypedBuilder(RefCell::new(draft))
    }
}

impl TypedBuilder {
    /// What people call the workflow; by default its id.
    ///
    /// ```
    /// use finale::{OnFailure, Siblings, Workflow};
    ///
    /// let order = Workflow::typed("order").name("Fulfil an order").version("1.2.0");
    /// let order = order.on_failure(OnFailure::Tolerate { count: 1 }).siblings(Siblings::Finish).build()?;
    /// assert_eq!(order.definition().name, "Fulfil an order");
    /// assert_eq!(order.definition().policy.siblings, Siblings::Finish);
    /// # Ok::<(), finale::CompileError>(())
    /// ```
    pub fn name(self, name: impl Into<String>) -> Self {
        self.draft().definition.name = name.into();
        self
    }

    /// Its version, `MAJOR.MINOR.PATCH`; by default `1.0.0`.
    pub fn version(self, version: impl Into<String>) -> Self {
        self.draft().definition.version = version.into();
        self
    }

    /// What a failed task does to an execution; by default the first one ends it.
    pub fn on_failure(self, on_failure: OnFailure) -> Self {
        self.draft().definition.policy.on_failure = on_failure;
        self
    }

    /// What becomes of running tasks when the end is decided; by default they are told to stop.
    pub fn siblings(self, siblings: Siblings) -> Self {
        self.draft().definition.policy.siblings = siblings;
        self
    }

    /// A task that this function or closure does; its node and its handler have that name.
    ///
    /// The name is kept with the executions, so that a function can be renamed and moved without harm, and one whose name
    /// here changes is not found by the executions that began before. A name that several tasks of one function share
    /// makes the nodes `resize`, `resize_2`, and so on, unless they say their [`id`](TaskNode::id). Two functions of one
    /// name are refused.
    ///
    /// A closure that carries state is not recognized as the same one: used in two workflows of one runtime it needs two
    /// names.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let price = 20;
    /// let order = Workflow::typed("order");
    /// order.task("price", move |_context: TaskContext, count: u32| async move {
    ///     Ok::<_, TaskError>(count * price)
    /// });
    /// let order = order.build()?;
    /// let runtime = Runtime::builder().shards(Shards::Current).workflow(&order).start()?;
    /// let outcome = runtime.activate(&order, 2).await?.outcome().await?;
    /// assert_eq!(outcome.output::<u32>()?, 40);
    /// # Ok(())
    /// # }
    /// ```
    pub fn task<H: Handler<Arguments>, Arguments: 'static>(
        &self,
        name: impl Into<String>,
        function: H,
    ) -> TaskNode<'_, H::Input, H::Output> {
        let name = name.into();
        let index = self.add(&name, |id| Node::task(id, Task::handler(&name)));
        self.draft().functions.push(Function::new(name, function));
        self.task_at(index)
    }

    /// A task that somebody outside does, who reports an `Output`.
    ///
    /// What is reported is decoded as an `Output`, and refused as [`WrongType`](crate::ReportError::WrongType) if it is
    /// none. A runtime knows the type from its first activation of the workflow, or from the start if it was given to
    /// [`Builder::workflow`](crate::Builder::workflow), which is needed for executions from before a restart.
    ///
    /// ```
    /// use finale::{TaskContext, TaskError, Workflow};
    ///
    /// async fn publish(_context: TaskContext, approved_by: String) -> Result<(), TaskError> {
    ///     Ok(())
    /// }
    ///
    /// let article = Workflow::typed("article");
    /// let approval = article.external::<String>("approve").title("Read it and approve");
    /// article.task("publish", publish).input_from(approval);
    /// assert!(article.build().is_ok());
    /// ```
    pub fn external<Output: DeserializeOwned>(&self, id: impl Into<String>) -> TaskNode<'_, (), Output> {
        let index = self.add(&id.into(), |id| Node::task(id, Task::external()));
        self.draft().outputs.push((index, |output| output.decode::<Output>().map(drop)));
        self.task_at(index)
    }

    /// A decision: what comes after its answers.
    ///
    /// ```
    /// # use finale::{TaskContext, TaskError, Workflow};
    /// # async fn call_courier(_: TaskContext) -> Result<(), TaskError> { Ok(()) }
    /// # async fn take_to_the_post(_: TaskContext) -> Result<(), TaskError> { Ok(()) }
    /// let parcel = Workflow::typed("parcel");
    /// let express = parcel.condition("express", "input.express");
    /// parcel.task("courier", call_courier).after(express.is_true());
    /// parcel.task("post", take_to_the_post).after(express.is_false());
    /// assert!(parcel.build().is_ok());
    /// ```
    pub fn condition(&self, id: impl Into<String>, expression: impl Into<String>) -> ConditionNode<'_> {
        let kind = NodeKind::Conditional(Conditional { condition: Some(expression.into()) });
        ConditionNode { builder: self, index: self.add(&id.into(), |id| Node::new(id.clone(), id, kind)) }
    }

    /// A judgement on the work before it: what comes after its verdicts.
    ///
    /// It waits for [`Runtime::give_verdict`](crate::Runtime::give_verdict). The rubric says by what it is judged, the
    /// evaluator by whom; finale keeps both and asks neither. There must be a way on for each verdict.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// use finale::Verdict;
    /// # async fn publish(_: TaskContext) -> Result<(), TaskError> { Ok(()) }
    /// # async fn rewrite(_: TaskContext) -> Result<(), TaskError> { Ok(()) }
    /// # async fn discuss(_: TaskContext) -> Result<(), TaskError> { Ok(()) }
    /// let article = Workflow::typed("article");
    /// let written = article.external::<String>("write");
    /// let review = article.verification("review", "is it true?", "the editor").after(written);
    /// article.task("publish", publish).after(review.on(Verdict::Pass));
    /// article.task("rewrite", rewrite).after(review.on(Verdict::Fail));
    /// article.task("discuss", discuss).after(review.on(Verdict::Refer));
    /// assert!(article.build().is_ok());
    /// ```
    pub fn verification(
        &self,
        id: impl Into<String>,
        rubric: impl Into<String>,
        evaluator: impl Into<String>,
    ) -> VerificationNode<'_> {
        let (rubric, evaluator) = (Some(rubric.into()), Some(evaluator.into()));
        let kind = NodeKind::Verification(Verification { rubric, evaluator, preset: None });
        VerificationNode { builder: self, index: self.add(&id.into(), |id| Node::new(id.clone(), id, kind)) }
    }

    /// The workflow, checked.
    ///
    /// # Errors
    /// When it cannot be run, or two functions of one name are in it.
    pub fn build(self) -> Result<Workflow, CompileError> {
        let mut draft = self.0.into_inner();
        check_functions(&draft)?;
        let undone = std::mem::take(&mut draft.undone);
        draft.connect();
        draft.feed();
        repeat::undo_items(&mut draft.definition.nodes, undone);
        let conditions = std::mem::take(&mut draft.conditions);
        let id = |index: usize| draft.definition.nodes[index].id.clone();
        let conditions = conditions.into_iter().map(|(index, expression)| (id(index), expression)).collect();
        let outputs = draft.outputs.iter().map(|(index, check)| (id(*index), *check)).collect();
        draft.definition.guard(&conditions);
        draft.definition.imply_ends();
        Ok(Workflow::new(draft.definition)?.with_functions(draft.functions, outputs))
    }

    /// Lets what a node gives be what the workflow gives.
    pub(crate) fn give(&self, from: &Feed<'_>) {
        let Feed::Output(builder, index) = *from else { return };
        let is_own = std::ptr::eq(builder, self);
        let is_passed = |node: &Node| matches!(node.kind, NodeKind::Wait(Wait::Delay(_) | Wait::Until(_)));
        if is_own && is_passed(&self.draft().definition.nodes[index]) {
            // It gives nothing, and so does the workflow, whatever its last tasks give.
            self.draft().definition.output = Some("none".to_owned());
            return;
        }
        if is_own && self.draft().is_only_sink(index) {
            // That is the output anyway, and nothing needs to be evaluated for it.
            return;
        }
        let id = match self.origin(builder, index) {
            Origin::Node(index) => self.draft().definition.nodes[index].id.clone(),
            Origin::Stranger(id) => id,
        };
        self.draft().definition.output = Some(format!("nodes[{}].output", serde_json::Value::from(id)));
    }

    pub(crate) fn draft(&self) -> RefMut<'_, Draft> {
        self.0.borrow_mut()
    }

    /// Adds a node; its id is the wanted one, with a number if that is taken.
    pub(crate) fn add(&self, wanted: &str, node: impl FnOnce(String) -> Node) -> usize {
        let mut draft = self.draft();
        let times = draft.ids.entry(wanted.to_owned()).or_default();
        *times += 1;
        let id = if *times == 1 { wanted.to_owned() } else { format!("{wanted}_{times}") };
        draft.definition.nodes.push(node(id));
        draft.definition.nodes.len() - 1
    }

    pub(crate) fn task_at<Input, Output>(&self, index: usize) -> TaskNode<'_, Input, Output> {
        self.value_at(index)
    }

    /// Where a way begins, seen from this workflow.
    fn origin(&self, other: &Self, index: usize) -> Origin {
        if std::ptr::eq(self, other) {
            return Origin::Node(index);
        }
        let stranger = &other.draft().definition;
        Origin::Stranger(format!("{} of workflow {}", stranger.nodes[index].id, stranger.id))
    }
}

fn check_functions(draft: &Draft) -> Result<(), CompileError> {
    let mut known: HashMap<&str, &Function> = HashMap::new();
    let mut problems = draft.problems.clone();
    for function in &draft.functions {
        if known.insert(&function.name, function).is_some_and(|other| !other.is(function)) {
            problems.push(conflict(&function.name));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(CompileError::new(&draft.definition, Phase::Structure, problems))
}

fn conflict(name: &str) -> Problem {
    let message = format!("two functions are called {name:?}: give one of them another name");
    Problem { code: Code::HandlerConflict, nodes: Vec::new(), message, part: None }
}

impl Draft {
    fn connect(&mut self) {
        for (from, to, kind) in std::mem::take(&mut self.edges) {
            let (source, target) = (self.id_of(from), self.definition.nodes[to].id.clone());
            self.definition.connect(source, target, kind);
        }
    }

    /// Makes outputs inputs.
    fn feed(&mut self) {
        for (to, from) in std::mem::take(&mut self.inputs) {
            let source = serde_json::Value::from(self.id_of(from));
            self.set_input(to, format!("nodes[{source}].output"));
        }
    }

    /// Sets what a task, or each round of a loop, is given, or what a map goes over.
    fn set_input(&mut self, index: usize, expression: String) {
        match &mut self.definition.nodes[index].kind {
            NodeKind::Task(task) => task.input = Some(expression),
            NodeKind::Map(map) => map.items = Items::Expression(expression),
            NodeKind::Loop(Loop { body: Body::Task(task), .. }) => task.input = Some(expression),
            _ => {}
        }
    }

    /// Whether it is the one task behind which nothing comes.
    fn is_only_sink(&self, index: usize) -> bool {
        let is_left =
            |node: usize| self.edges.iter().any(|(from, ..)| matches!(from, Origin::Node(source) if *source == node));
        (0..self.definition.nodes.len()).all(|node| is_left(node) != (node == index))
    }

    fn id_of(&self, from: Origin) -> String {
        match from {
            Origin::Node(index) => self.definition.nodes[index].id.clone(),
            Origin::Stranger(id) => id,
        }
    }

    fn change(&mut self, index: usize, change: impl FnOnce(&mut Task)) {
        if let NodeKind::Task(task) = &mut self.definition.nodes[index].kind {
            change(task);
        }
    }
}

impl<'w, Input, Output> TaskNode<'w, Input, Output> {
    /// Sets the rule by which the task begins; by default it begins when what comes before it is settled, none of that
    /// failed and one of that was done.
    pub fn trigger_rule(self, rule: TriggerRule) -> Self {
        self.builder.draft().definition.nodes[self.index].trigger_rule = rule;
        self
    }

    /// Lets the task come after `source`, whose output is its input. Takes precedence over [`input`](Self::input).
    pub fn input_from(self, source: impl Gives<'w, Input>) -> Self {
        self.fed_by(&source.feed());
        self
    }

    /// Sets the expression that gives the input; by default the input of the execution.
    pub fn input(self, expression: impl Into<String>) -> Self {
        self.change_task(|task| task.input(expression))
    }

    /// Lets the execution complete although the task failed; see [`Task::optional`].
    pub fn optional(self) -> Self {
        self.change_task(Task::optional)
    }

    /// Limits how long one attempt may take; by default there is no limit. See [`Task::timeout`].
    pub fn timeout(self, timeout: Duration) -> Self {
        self.change_task(|task| task.timeout(timeout))
    }

    /// Sets how many attempts there are in all, and the wait before each further one; by default there is one. See
    /// [`Task::retry`].
    pub fn retry(self, attempts: u16, backoff: Duration) -> Self {
        self.change_task(|task| task.retry(attempts, backoff))
    }

    /// Lets the handler begin at most once, even over crashes; see [`Task::at_most_once`].
    pub fn at_most_once(self) -> Self {
        self.change_task(Task::at_most_once)
    }

    /// Sets who is asked to do the task, if it is external; shown in [`OpenTask::assignee`](crate::OpenTask::assignee).
    pub fn assignee(self, who: impl Into<String>) -> Self {
        self.change_task(|task| task.assignee(who))
    }

    /// Sets what undoes it.
    pub(crate) fn undone_by(&self, body: Body, function: Function) {
        let mut draft = self.builder.draft();
        draft.definition.nodes[self.index].compensate = Some(Box::new(body));
        draft.functions.push(function);
    }

    fn change_task(self, change: impl FnOnce(Task) -> Task) -> Self {
        self.builder.draft().change(self.index, |task| *task = change(std::mem::take(task)));
        self
    }
}

impl<'w> ConditionNode<'w> {
    /// The branch that is taken if the condition evaluates to true.
    pub fn is_true(self) -> Branch<'w> {
        Branch { builder: self.builder, index: self.index, kind: EdgeKind::ConditionalTrue }
    }

    /// The branch that is taken if the condition evaluates to false.
    pub fn is_false(self) -> Branch<'w> {
        Branch { builder: self.builder, index: self.index, kind: EdgeKind::ConditionalFalse }
    }

    /// The branch that is taken if the condition cannot be evaluated.
    pub fn failure(self) -> Branch<'w> {
        Branch { builder: self.builder, index: self.index, kind: EdgeKind::OnFailure }
    }

    /// Lets the condition be evaluated after `source`.
    pub fn after(self, source: impl Source<'w>) -> Self {
        self.builder.task_at::<(), ()>(self.index).after(source);
        self
    }
}

impl<'w> VerificationNode<'w> {
    /// The branch that is taken if that is the verdict.
    pub fn on(self, verdict: Verdict) -> Branch<'w> {
        Branch { builder: self.builder, index: self.index, kind: verdict.edge() }
    }

    /// Lets the verification come after `source`.
    pub fn after(self, source: impl Source<'w>) -> Self {
        self.builder.task_at::<(), ()>(self.index).after(source);
        self
    }
}

impl<'w> private::Way<'w> for Branch<'w> {
    fn way(self) -> (&'w TypedBuilder, usize, EdgeKind) {
        (self.builder, self.index, self.kind)
    }
}

impl<'w> Source<'w> for Branch<'w> {}
