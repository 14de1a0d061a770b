//! A workflow definition as somebody wrote it: nothing here is checked yet.
//!
//! Loaders and builders fill these types, [`compile`](crate::compile()) checks them and makes what can be run.

mod body;
mod builder;
mod call;
mod document;
mod draw;
mod repeated;
mod retry;
mod schema;
mod task;
mod times;
mod wait;

pub use body::{Body, Graph, Group, Inside};
pub(crate) use body::{BodyRole, GraphRef, InsideRef};
pub use builder::{DefinitionBuilder, FromDefinition};
pub use call::Call;
pub use document::Document;
pub use repeated::{Items, Loop, LoopCondition, Map, Tolerance};
pub use retry::{Backoff, Exhausted, FailureKind, Growth, Retry};
use schema::some_schema;
pub use schema::{Schema, SchemaDifference, SchemaError, SchemaMismatch};
pub use times::Times;
pub use wait::{Signal, Wait};

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// A graph of nodes, with what holds for the execution as a whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Names the workflow; together with the version it is what a sub-workflow is found by.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// `MAJOR.MINOR.PATCH`, without leading zeros.
    #[serde(default = "first_version")]
    pub version: String,
    /// What an activation must or may hand in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<Declaration>,
    /// What a sub-workflow gives back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Declaration>,
    /// What an activation, or a call, must hand in, as a whole.
    #[serde(default, deserialize_with = "some_schema", skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<Schema>,
    /// What an execution gives, or a call: one that would complete with something else fails.
    #[serde(default, deserialize_with = "some_schema", skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Schema>,
    /// How the execution ends.
    #[serde(default)]
    pub policy: Policy,
    /// Expression for the output of the execution; by default the output of the only last task,
    /// else a map from node id to output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// What runs when the end is decided, whatever it is, before the execution is over: see [`Body`]. By default nothing does.
    ///
    /// It is judged by `wait_all`; in it `verdict` is `completed`, `failed` or `cancelled`, and `error` says why if it failed.
    /// Where the workflow is called this holds for the scope of the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finally: Option<Box<Body>>,
    /// How long an execution may be ending, from when its end is decided, longer than zero: then handlers are stopped, and
    /// what is left of compensation and `finally` is not run. By default there is no limit. Of a workflow that is called
    /// this says nothing: its scope ends with the execution that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending_within: Option<Duration>,
    /// The nodes; their order is kept and means nothing but the order of listings.
    pub nodes: Vec<Node>,
    /// The edges between them.
    pub edges: Vec<Edge>,
    /// The workflows that its calls find; those that are missing here are looked for in a registry.
    ///
    /// A [compiled](crate::compile()) definition has here all workflows that it calls and those that they call, each once,
    /// so that it says by itself what will run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workflows: Vec<Definition>,
}

impl OnFailure {
    /// The same with a number of failures instead of a share of that many tasks and calls.
    pub(crate) fn counted(self, total: usize) -> Self {
        match self {
            Self::ToleratePercent { percent } => {
                // More than that are more than the share: failures * 100 > percent * total.
                let count = total.saturating_mul(usize::from(percent)) / 100;
                Self::Tolerate { count: u32::try_from(count).unwrap_or(u32::MAX) }
            }
            other => other,
        }
    }
}

impl Policy {
    /// The policy as it judges a definition: a share is a number of failures there.
    pub(crate) fn counted(self, definition: &Definition) -> Self {
        let total = definition.nodes.iter().filter(|node| node.kind.is_work()).count();
        Self { on_failure: self.on_failure.counted(total), ..self }
    }
}

fn first_version() -> String {
    "1.0.0".to_owned()
}

/// What an id reads like to people: `charge_card` becomes `Charge card`.
///
/// ```
/// use finale_core::definition::title_of;
///
/// assert_eq!(title_of("charge_card"), "Charge card");
/// assert_eq!(title_of("__"), "__", "a title is never blank because an id is strange");
/// ```
pub fn title_of(id: &str) -> String {
    let words: Vec<&str> = id.split(['_', '-', ' ']).filter(|word| !word.is_empty()).collect();
    let text = if words.is_empty() { id.to_owned() } else { words.join(" ") };
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// One step of a workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Unique in the definition.
    pub id: String,
    /// What people call it.
    pub label: String,
    /// What it does.
    pub kind: NodeKind,
    /// Which of the edges into it must be settled how before it begins.
    #[serde(default, skip_serializing_if = "TriggerRule::is_default")]
    pub trigger_rule: TriggerRule,
    /// What undoes the node, if it completed and the scope that it is in fails or is cancelled: see [`Body`]. Only for a task,
    /// a call, a group, a map or a loop; one with a scope of its own is then undone by this alone, and not by what is named
    /// inside of it. In it `input` is what the node was given, and `output` what it gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensate: Option<Box<Body>>,
}

/// Which of the edges into a node must be settled how before it begins.
///
/// An edge is *live* (its source completed and chose it), *dead* (a decision went elsewhere, or its source was skipped by
/// one) or *blocked* (its source failed, or was skipped by a failure); it is *failed* if its source itself failed, be that
/// tolerated or not. A node whose rule did not hold when all its edges are settled is skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TriggerRule {
    /// All are settled, none is blocked, at least one is live.
    #[default]
    Default,
    /// All are live and none is failed.
    AllSuccess,
    /// All are settled and none is blocked, even if all are dead.
    NoneFailed,
    /// All are settled, whatever became of them.
    AllDone,
    /// One is live and not failed; the node does not wait for the others.
    OneSuccess,
    /// That many are live and not failed; the node does not wait for the others.
    AtLeast {
        /// How many: at least 1, at most as many as there are edges into the node.
        count: u32,
    },
    /// One is blocked or failed; the node does not wait for the others.
    OneFailed,
    /// All are blocked or failed.
    AllFailed,
}

impl TriggerRule {
    /// All rules; that of a count with a count of 1.
    pub const ALL: [Self; 8] = [
        Self::Default,
        Self::AllSuccess,
        Self::NoneFailed,
        Self::AllDone,
        Self::OneSuccess,
        Self::AtLeast { count: 1 },
        Self::OneFailed,
        Self::AllFailed,
    ];

    /// The name of the rule in definition files and records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::AllSuccess => "all_success",
            Self::NoneFailed => "none_failed",
            Self::AllDone => "all_done",
            Self::OneSuccess => "one_success",
            Self::AtLeast { .. } => "at_least",
            Self::OneFailed => "one_failed",
            Self::AllFailed => "all_failed",
        }
    }

    /// Whether a node with this rule may begin before all edges into it are settled.
    pub const fn is_early(self) -> bool {
        matches!(self, Self::OneSuccess | Self::AtLeast { .. } | Self::OneFailed)
    }

    fn is_default(&self) -> bool {
        *self == Self::Default
    }
}

impl std::fmt::Display for TriggerRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtLeast { count } => write!(f, "at_least({count})"),
            other => f.write_str(other.name()),
        }
    }
}

/// What a node does when it is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// Where the execution begins; there is exactly one.
    Start,
    /// Where the execution has arrived; there is exactly one.
    End,
    /// Work, done by a handler or outside.
    Task(Task),
    /// Chooses between its `conditional_true` and its `conditional_false` edge.
    Conditional(Conditional),
    /// Starts all its branches.
    ParallelSplit(ParallelSplit),
    /// Waits for all edges that lead to it.
    ParallelJoin(ParallelJoin),
    /// Names who does the nearest tasks behind it.
    AgentAssignment(AgentAssignment),
    /// Waits for a verdict on the work before it.
    Verification(Verification),
    /// Runs another workflow as a step.
    Subworkflow(Subworkflow),
    /// Runs a graph that is written inside of it.
    Group(Group),
    /// Runs what is inside of it once for each item of a list.
    Map(Map),
    /// Runs what is inside of it round by round.
    Loop(Loop),
    /// Waits for some time, until a moment, or for a signal.
    Wait(Wait),
}

impl Node {
    /// A task, labelled by its title; without a title it is called by its id.
    pub fn task(id: impl Into<String>, task: impl Into<Task>) -> Self {
        let (id, mut task) = (id.into(), task.into());
        let label = task.title.get_or_insert_with(|| title_of(&id)).clone();
        Self::new(id, label, NodeKind::Task(task))
    }

    /// A node of any kind, with the default trigger rule.
    pub fn new(id: impl Into<String>, label: impl Into<String>, kind: NodeKind) -> Self {
        Self { id: id.into(), label: label.into(), kind, trigger_rule: TriggerRule::Default, compensate: None }
    }

    /// Whether its scope may complete although it failed, and what depends on it goes on.
    pub(crate) const fn is_optional(&self) -> bool {
        match &self.kind {
            NodeKind::Task(task) => task.optional,
            NodeKind::Subworkflow(call) => call.optional,
            NodeKind::Group(group) => group.optional,
            NodeKind::Map(map) => map.optional,
            NodeKind::Loop(repeated) => repeated.optional,
            _ => false,
        }
    }

    /// The rule by which it begins: that of a join follows from its strategy.
    ///
    /// ```
    /// use finale_core::definition::{JoinStrategy, Node, NodeKind, ParallelJoin, TriggerRule};
    ///
    /// let join = ParallelJoin { strategy: JoinStrategy::Any, ..ParallelJoin::default() };
    /// let join = Node::new("heard", "heard", NodeKind::ParallelJoin(join));
    /// assert_eq!(join.rule(), TriggerRule::OneSuccess);
    /// ```
    pub const fn rule(&self) -> TriggerRule {
        match &self.kind {
            NodeKind::ParallelJoin(ParallelJoin { strategy: JoinStrategy::Any, .. }) => TriggerRule::OneSuccess,
            NodeKind::ParallelJoin(ParallelJoin { strategy: JoinStrategy::AtLeast { count }, .. }) => {
                TriggerRule::AtLeast { count: *count }
            }
            _ => self.trigger_rule,
        }
    }
}

impl NodeKind {
    /// The name of the kind in definition files and records.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::End => "end",
            Self::Task(_) => "task",
            Self::Conditional(_) => "conditional",
            Self::ParallelSplit(_) => "parallel_split",
            Self::ParallelJoin(_) => "parallel_join",
            Self::AgentAssignment(_) => "agent_assignment",
            Self::Verification(_) => "verification",
            Self::Subworkflow(_) => "subworkflow",
            Self::Group(_) => "group",
            Self::Map(_) => "map",
            Self::Loop(_) => "loop",
            Self::Wait(_) => "wait",
        }
    }

    /// Whether it does something that can be done or fail, and has an output: a task, or what runs in scopes of its own.
    pub const fn is_work(&self) -> bool {
        matches!(self, Self::Task(_) | Self::Subworkflow(_) | Self::Group(_) | Self::Map(_) | Self::Loop(_))
    }
}

/// A piece of work.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// What is to be done, for people; required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Who does it.
    #[serde(default)]
    pub work: Work,
    /// Expression for the input of the handler; by default the input of the execution.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The input of the handler as a document, in whose texts templates may stand; not beside `input`.
    #[serde(default, deserialize_with = "some_document", skip_serializing_if = "Option::is_none")]
    pub with: Option<Document>,
    /// What its handler must be given; whoever does it outside is given its input unchecked.
    #[serde(default, deserialize_with = "some_schema", skip_serializing_if = "Option::is_none")]
    pub input_schema: Option<Schema>,
    /// What it must give: its handler, whoever reports it, and an operator who completes it by hand.
    #[serde(default, deserialize_with = "some_schema", skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<Schema>,
    /// Whether the execution may complete although this task failed: the failure is recorded, what depends on it goes on.
    #[serde(default)]
    pub optional: bool,
    /// How long one attempt may take, longer than zero: of a handler from when it begins, of somebody outside from when
    /// they are asked. By default there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// How long it may take beside that.
    #[serde(default, skip_serializing_if = "Times::is_default")]
    pub times: Times,
    /// What happens when an attempt fails.
    #[serde(default)]
    pub retry: Retry,
    /// Whether its handler may run again after a crash; by default it does.
    #[serde(default, skip_serializing_if = "Delivery::is_default")]
    pub delivery: Delivery,
    /// Who is asked to do it, if it is external; an assignment node before it says the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// Facts about the task that finale keeps and shows but gives no meaning.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// What is there is a document, also where it is `null`.
fn some_document<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Document>, D::Error> {
    Document::deserialize(deserializer).map(Some)
}

/// Who does a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Somebody outside, who reports by task id.
    #[default]
    External,
    /// The handler registered under this name.
    Handler(String),
}

/// How often the handler of a task may begin, if the process ends while it is at work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// It is run again, with the same key and a higher attempt; this does not use up its retries.
    #[default]
    AtLeastOnce,
    /// It is never run again: that it was meant to run is durable before the handler begins, and after a crash the node
    /// fails with class `lost`. Only for a task with a handler and a single attempt.
    AtMostOnce,
}

impl Delivery {
    /// The default is not written, so that definitions from before there was a choice keep their hash.
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A decision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conditional {
    /// Expression that must give `true` or `false`; without one the answer is `false`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
}

/// The beginning of branches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParallelSplit {
    /// How many handlers may be at work at once between it and the node where its branches meet, at least 1; by default
    /// there is no limit. Work in scopes inside counts too. What waits counts for nothing: for its next attempt, for
    /// somebody outside, for its own scopes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<u32>,
}

/// The meeting of branches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParallelJoin {
    /// When it goes on.
    #[serde(default)]
    pub strategy: JoinStrategy,
    /// What becomes of the branches that it does not wait for.
    #[serde(default, skip_serializing_if = "Losers::is_default")]
    pub losers: Losers,
}

/// When a join goes on.
///
/// A failure whose every way on leads into a join of strategy `any` or `at_least` counts only when none of these joins can go
/// on any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JoinStrategy {
    /// By the default trigger rule; under a policy that tolerates failures it goes on without the branches that failed.
    #[default]
    All,
    /// When the first edge is live and not failed.
    Any,
    /// When that many edges are live and not failed.
    AtLeast {
        /// How many: at least 1, at most as many as there are edges into the join.
        count: u32,
    },
}

impl JoinStrategy {
    /// Whether the join may go on before all its edges are settled.
    pub const fn is_early(self) -> bool {
        !matches!(self, Self::All)
    }
}

/// What becomes of the branches that a join does not wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Losers {
    /// They go on to their end; what comes of them changes nothing.
    #[default]
    Finish,
    /// Every open node whose every way on leads into the join is closed: what has begun is told to stop and becomes
    /// `cancelled`, what has not is `skipped`. Ways that only a failure takes do not count.
    Cancel,
}

impl Losers {
    /// The default is not written, so that definitions from before there was a choice keep their hash.
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Who does the nearest tasks behind it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentAssignment {
    /// The agent; without a name the tasks stay unassigned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// A judgement on the work before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    /// What it is judged by; required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rubric: Option<String>,
    /// Who judges; required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluator: Option<String>,
    /// A verdict given in advance: the node does not wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<Verdict>,
}

/// What a verification comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The work is good.
    Pass,
    /// The work is not good.
    Fail,
    /// Somebody else has to look.
    Refer,
}

impl Verdict {
    /// The kind of edge that is taken when this is the verdict.
    pub const fn edge(self) -> EdgeKind {
        match self {
            Self::Pass => EdgeKind::VerificationPass,
            Self::Fail => EdgeKind::VerificationFail,
            Self::Refer => EdgeKind::VerificationRefer,
        }
    }
}

/// A call of another workflow: a scope of its own, with its own nodes, policy and output.
///
/// What the called workflow is given is said by `input`, `with` or `input_bindings`: one of them. It sees nothing else of
/// its caller; without any of them it is given an empty object.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subworkflow {
    /// Id of the workflow that is called; required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    /// Its version; required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Input name to value; a text `@parent.path` is looked up in the `vars` of the caller.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub input_bindings: BTreeMap<String, Value>,
    /// Output name to value; a text `@child.path` is looked up in the `vars` of the called workflow, `@parent.path` in
    /// those of the caller. Only beside `input_bindings`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub output_bindings: BTreeMap<String, Value>,
    /// Expression for the input of the called workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The input of the called workflow as a document, in whose texts templates may stand.
    #[serde(default, deserialize_with = "some_document", skip_serializing_if = "Option::is_none")]
    pub with: Option<Document>,
    /// Expression for the output of the node; in it `output` is what the called workflow gave. By default it is that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// How its scope ends; by default as the called workflow says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// Whether the scope that it is in may complete although it failed: the failure is recorded, what depends on it goes on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

impl Subworkflow {
    /// Whether it says by `input_bindings` and `output_bindings` what goes in and comes out.
    pub(crate) fn is_bound_by_name(&self) -> bool {
        self.input.is_none() && self.with.is_none()
    }

    /// Whether it says nothing of what goes in.
    pub(crate) fn binds_nothing(&self) -> bool {
        self.is_bound_by_name() && self.input_bindings.is_empty()
    }
}

/// A way from one node to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// Unique in the definition.
    pub id: String,
    /// Id of the node it leaves.
    pub source: String,
    /// Id of the node it enters.
    pub target: String,
    /// When it is taken.
    #[serde(default)]
    pub kind: EdgeKind,
    /// What people call it; not blank.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// When an edge is taken, once its source is settled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// Always.
    #[default]
    Sequential,
    /// When the condition is true.
    ConditionalTrue,
    /// When the condition is false.
    ConditionalFalse,
    /// Always: a branch of a split.
    ParallelBranch,
    /// When the verdict is `pass`.
    VerificationPass,
    /// When the verdict is `fail`.
    VerificationFail,
    /// When the verdict is `refer`.
    VerificationRefer,
    /// When its source has failed for good: the target handles the failure, which then counts for no policy.
    OnFailure,
    /// When its source has waited in vain for a signal. The other edges that leave it are for when the signal came.
    OnTimeout,
}

impl EdgeKind {
    /// The name of the kind in definition files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sequential => "sequential",
            Self::ConditionalTrue => "conditional_true",
            Self::ConditionalFalse => "conditional_false",
            Self::ParallelBranch => "parallel_branch",
            Self::VerificationPass => "verification_pass",
            Self::VerificationFail => "verification_fail",
            Self::VerificationRefer => "verification_refer",
            Self::OnFailure => "on_failure",
            Self::OnTimeout => "on_timeout",
        }
    }
}

/// One input or output of a workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    /// Unique in its list.
    pub name: String,
    /// What values it takes.
    #[serde(rename = "type")]
    pub kind: DeclaredType,
    /// Whether it must be given; default true. An output is always required.
    #[serde(default = "yes")]
    pub required: bool,
    /// What an optional one is when it is not given.
    #[serde(default, deserialize_with = "some_value", skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
}

/// What is there is a default, also where it is `null`.
fn some_value<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

fn yes() -> bool {
    true
}

/// The type of an input or output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclaredType {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Float,
    /// `true` or `false`.
    Boolean,
    /// ISO 8601 date and time, as text.
    Datetime,
    /// Anything.
    Json,
    /// Text that names a task.
    TaskRef,
    /// Text that names an agent.
    AgentRef,
}

impl DeclaredType {
    /// Whether its values are texts.
    pub const fn is_text(self) -> bool {
        matches!(self, Self::String | Self::Datetime | Self::TaskRef | Self::AgentRef)
    }
}

/// How an execution ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What a failed task does to the execution.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// What becomes of running tasks when the end is decided.
    #[serde(default)]
    pub siblings: Siblings,
}

/// What a failed required task does to the execution.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The first one ends it.
    #[default]
    FailFast,
    /// What does not depend on it runs to its end, then the execution fails.
    WaitAll,
    /// That many may fail and the execution can still complete; one more ends it.
    Tolerate {
        /// How many.
        count: u32,
    },
    /// That share of its tasks and calls may fail, those included that are skipped; one failure beyond it ends it.
    ToleratePercent {
        /// How many of a hundred, at most 100.
        percent: u8,
    },
}

/// What becomes of running tasks when the end is decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Siblings {
    /// They are told to stop, and stopped after the grace.
    #[default]
    Cancel,
    /// They run to their end; their results are recorded and change nothing.
    Finish,
}
