//! What was said in advance: `--done` and `--fail` of tasks, `--done` of verifications, and `--signal`.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use finale::Payload;
use finale_core::definition::{Node, NodeKind, Signal, Verdict};
use finale_core::path::{Instance, NodePath};
use finale_core::{Compiled, NodeIndex};

use super::signals::{awaited_signal, can_be_named};

/// The reason of a failure for which none was given.
const REASON: &str = "made to fail by --fail";

/// What is said in advance on the command line.
#[derive(Args, Debug)]
pub(crate) struct Answered {
    /// Take a task for done, with that output: JSON if it can be read as such, else text. Of a verification, OUTPUT is its
    /// verdict: `pass`, `fail` or `refer`. May be repeated.
    #[arg(long = "done", value_name = "NODE[=OUTPUT]")]
    done: Vec<String>,

    /// Make a task fail. May be repeated.
    #[arg(long = "fail", value_name = "NODE[=REASON]")]
    failed: Vec<String>,

    /// Send a signal, which says that: JSON if it can be read as such, else text. May be repeated; one that nobody waits
    /// for yet is kept. Where the name is a template, NAME is what the template comes to.
    #[arg(long = "signal", value_name = "NAME[=PAYLOAD]")]
    signals: Vec<String>,
}

/// What a task comes to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum InAdvance {
    /// It is done, with that output; of a verification that is its verdict.
    Done(Payload),
    /// It fails, for that reason.
    Failed(String),
}

/// What tasks come to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    /// By the id of the node, wherever there is one of that id.
    by_id: BTreeMap<String, InAdvance>,
    /// By the path of a node inside of others; it says more than an id.
    by_path: BTreeMap<NodePath, InAdvance>,
}

impl Answers {
    /// The answer that was given for every node with this id.
    pub(crate) fn by_id(&self, node: &str) -> Option<&InAdvance> {
        self.by_id.get(node)
    }

    /// The answer for the task at this path: the one given for the path, else the one given for its id.
    pub(crate) fn of(&self, path: &str, node: &str) -> Option<&InAdvance> {
        let by_path = || self.by_path.get(&path.parse().ok()?);
        by_path().or_else(|| self.by_id(node))
    }

    /// What is said of single works of a node, with their paths.
    pub(crate) fn of_single(&self, node: &str) -> impl Iterator<Item = (&NodePath, &InAdvance)> {
        self.by_path.iter().filter(move |(path, _)| path.node() == node)
    }

    /// Whether something is said of a single work of any node.
    pub(crate) fn has_paths(&self) -> bool {
        !self.by_path.is_empty()
    }

    /// Whether every task that this node can become has its answer.
    pub(crate) fn is_told(&self, compiled: &Compiled, position: NodeIndex) -> bool {
        let id = &compiled.node(position).id;
        let is_only_one = |path: &NodePath| path.within().iter().all(|step| step.instance == Instance::Single);
        let is_this = |path: &NodePath| is_only_one(path) && compiled.node_at(path) == Some(position);
        self.by_id.contains_key(id) || self.of_single(id).any(|(path, _)| is_this(path))
    }

    fn insert(&mut self, task: Named, answer: InAdvance) -> Option<InAdvance> {
        match task {
            Named::Id(id) => self.by_id.insert(id, answer),
            Named::Path(path) => self.by_path.insert(path, answer),
        }
    }
}

/// What a task is called.
#[derive(Clone, Debug, PartialEq)]
enum Named {
    Id(String),
    Path(NodePath),
}

impl std::fmt::Display for Named {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => f.write_str(id),
            Self::Path(path) => path.fmt(f),
        }
    }
}

/// The signals to be sent, with what they say.
pub(crate) type SignalsToSend = Vec<(String, Payload)>;

/// Why nothing can be said of a task in advance.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadAnswer {
    #[error("{option} {node:?}: there is no such node{}", hint(.nearest.as_deref()))]
    Unknown { option: &'static str, node: String, nearest: Option<String> },
    #[error("{option} {node:?}: this node is no task, its kind is {kind}{}", hint(.nearest.as_deref()))]
    NotATask { option: &'static str, node: String, kind: &'static str, nearest: Option<String> },
    #[error("{option} {node:?}: a verification does not fail, it comes to a verdict: say --done {node}=fail")]
    FailedVerdict { option: &'static str, node: String },
    #[error("--done {node:?}: this is a verification, whose verdict is pass, fail or refer{}", not_a_verdict(.given))]
    Verdict { node: String, given: Option<String> },
    #[error("{option} {node:?} is given twice")]
    Twice { option: &'static str, node: String },
    #[error("{node:?} cannot both be done and fail: there is --done and --fail for it")]
    Both { node: String },
    #[error("--signal {name:?}: no node waits for a signal of that name{}", signal_hint(.nearest.as_deref()))]
    NobodyWaits { name: String, nearest: Option<String> },
    #[error("--signal {name:?}: this is a template; say the name that it comes to")]
    Template { name: String },
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!(", did you mean {nearest}?"))
}

fn not_a_verdict(given: &Option<String>) -> String {
    given.as_ref().map_or_else(String::new, |given| format!(", not {given}"))
}

fn signal_hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!(", did you mean {nearest:?}?"))
}

impl Answered {
    /// The signals to be sent to executions of these definitions, in their order.
    pub(crate) fn signals(&self, compiled: &[&Compiled]) -> Result<SignalsToSend, BadAnswer> {
        let nodes = compiled.iter().flat_map(|one| one.all_positions().map(|position| one.node(position)));
        let awaited: Vec<&Signal> = nodes.filter_map(|node| awaited_signal(&node.kind)).collect();
        let (evaluated, known): (Vec<_>, Vec<_>) = awaited.into_iter().partition(|signal| signal.is_evaluated());
        let names: BTreeSet<&str> = known.into_iter().map(|signal| signal.name.as_str()).collect();
        let signal = |text: &String| {
            // A name may have a `=` of its own.
            let (name, payload) = match text.split_once('=') {
                Some((name, payload)) if !names.contains(text.as_str()) => (name, json_or_text(payload)),
                _ => (text.as_str(), Payload::NULL),
            };
            if evaluated.iter().any(|signal| signal.name == name) {
                return Err(BadAnswer::Template { name: name.to_owned() });
            }
            if names.contains(name) || evaluated.iter().any(|signal| can_be_named(signal, name)) {
                return Ok((name.to_owned(), payload));
            }
            let nearest = finale_core::nearest::nearest(name, names.iter().copied()).map(str::to_owned);
            Err(BadAnswer::NobodyWaits { name: name.to_owned(), nearest })
        };
        self.signals.iter().map(signal).collect()
    }

    /// What the tasks of these definitions come to; a task is one of any of them.
    pub(crate) fn answers(&self, compiled: &[&Compiled]) -> Result<Answers, BadAnswer> {
        let mut answers = Answers::default();
        for text in &self.done {
            let (task, output) = parts("--done", text, compiled)?;
            let output = output.map_or(Payload::NULL, json_or_text);
            if is_verification(&task, compiled) && verdict(&output).is_none() {
                let given = (!output.is_null()).then(|| format!("{output:?}"));
                return Err(BadAnswer::Verdict { node: task.to_string(), given });
            }
            let answer = InAdvance::Done(output);
            if answers.insert(task.clone(), answer).is_some() {
                return Err(BadAnswer::Twice { option: "--done", node: task.to_string() });
            }
        }
        for text in &self.failed {
            let (task, reason) = parts("--fail", text, compiled)?;
            if is_verification(&task, compiled) {
                return Err(BadAnswer::FailedVerdict { option: "--fail", node: task.to_string() });
            }
            let reason = reason.filter(|reason| !reason.trim().is_empty()).unwrap_or(REASON);
            match answers.insert(task.clone(), InAdvance::Failed(reason.to_owned())) {
                None => {}
                Some(InAdvance::Done(_)) => return Err(BadAnswer::Both { node: task.to_string() }),
                Some(InAdvance::Failed(_)) => {
                    return Err(BadAnswer::Twice { option: "--fail", node: task.to_string() });
                }
            }
        }
        Ok(answers)
    }
}

/// The task that is meant, and what is said of it.
fn parts<'t>(
    option: &'static str,
    text: &'t str,
    compiled: &[&Compiled],
) -> Result<(Named, Option<&'t str>), BadAnswer> {
    // An id may have a `=` of its own.
    if let Some(task) = task(text, compiled) {
        return Ok((task, None));
    }
    let (node, rest) = text.split_once('=').map_or((text, None), |(node, rest)| (node, Some(rest)));
    if let Some(task) = task(node, compiled) {
        return Ok((task, rest));
    }
    let (nearest, given) = (nearest(node, compiled), node.to_owned());
    let other = compiled.iter().find_map(|one| one.find(node).map(|position| one.node(position)));
    Err(match other {
        Some(other) => BadAnswer::NotATask { option, node: given, kind: other.kind.name(), nearest },
        None => BadAnswer::Unknown { option, node: given, nearest },
    })
}

/// The task or verification of that id, or at the end of that path.
fn task(name: &str, compiled: &[&Compiled]) -> Option<Named> {
    let has_id = |one: &&Compiled| one.all_positions().any(|at| is_answered(one.node(at)) && one.node(at).id == name);
    if compiled.iter().any(has_id) {
        return Some(Named::Id(name.to_owned()));
    }
    let path: NodePath = name.parse().ok()?;
    let has_path = |one: &&Compiled| one.node_at(&path).is_some_and(|at| is_answered(one.node(at)));
    compiled.iter().any(has_path).then_some(Named::Path(path))
}

/// Whether something can be said of a node in advance: of a task, or of a verification that has no verdict yet.
fn is_answered(node: &Node) -> bool {
    matches!(&node.kind, NodeKind::Task(_)) || is_to_be_judged(node)
}

fn is_to_be_judged(node: &Node) -> bool {
    matches!(&node.kind, NodeKind::Verification(verification) if verification.preset.is_none())
}

/// Whether a verification is meant, or one of those that are.
fn is_verification(task: &Named, compiled: &[&Compiled]) -> bool {
    compiled.iter().any(|one| match task {
        Named::Id(id) => one.all_positions().any(|at| is_to_be_judged(one.node(at)) && one.node(at).id == *id),
        Named::Path(path) => one.node_at(path).is_some_and(|at| is_to_be_judged(one.node(at))),
    })
}

/// The verdict that the output of a verification is, if it is one.
pub(crate) fn verdict(output: &Payload) -> Option<Verdict> {
    match output.decode::<String>().ok()?.as_str() {
        "pass" => Some(Verdict::Pass),
        "fail" => Some(Verdict::Fail),
        "refer" => Some(Verdict::Refer),
        _ => None,
    }
}

/// The task or verification whose id is nearest to what was given, if one is near enough to be a slip; with its kind.
fn nearest(given: &str, compiled: &[&Compiled]) -> Option<String> {
    let nodes = || compiled.iter().flat_map(|one| one.all_positions().map(|position| one.node(position)));
    let answered = || nodes().filter(|node| is_answered(node));
    let nearest = finale_core::nearest::nearest(given, answered().map(|node| node.id.as_str()))?;
    let kind = answered().find(|node| node.id == nearest).map_or("task", |node| node.kind.name());
    Some(format!("the {kind} {nearest:?}"))
}

/// The value that the text is in JSON, else the text itself. Numbers of any length stay as they are.
pub(crate) fn json_or_text(text: &str) -> Payload {
    Payload::from_json(text.as_bytes()).or_else(|_| Payload::encode(text)).unwrap_or_default()
}
