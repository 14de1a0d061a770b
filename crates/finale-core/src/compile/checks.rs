//! The second phase: whether the graph can be run.

use rustc_hash::FxHashSet;

use super::graph::{self, Graph, numbers};
use super::joins;
use super::nodes::{Report, can_fail, find};
use super::problem::{Code, Part, Problem};
use super::retries;
use super::structure::is_blank;
use super::waits::{check_on_timeout, check_wait};
use crate::definition::{Definition, Delivery, EdgeKind, Node, NodeKind, ParallelSplit, Task, Verification, Work};

/// How many nodes of a cycle its message names.
const CYCLE_SHOWN_MAX: usize = 12;

/// Checks ways, cycles and what each kind of node needs; expressions are checked where they are compiled.
///
/// A single task or call has no start and no end: no ways are looked for then.
pub(super) fn check(definition: &Definition, graph: &Graph, is_single: bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    let has_cycles = check_cycles(definition, graph, &mut problems);
    if !is_single {
        let explained = Explained::new(definition, graph, has_cycles);
        check_ways(definition, graph, &explained, &mut problems);
    }
    check_duplicate_edges(definition, graph, &mut problems);
    let incoming = joins::Incoming::of_all(graph);
    for (position, node) in (0..).zip(&definition.nodes) {
        let mut report = Report { node: &node.id, problems: &mut problems };
        check_node(node, &Tally::new(graph, position), &mut report);
        joins::check(definition, graph, position, incoming[position as usize], &mut report);
    }
    problems
}

/// By node: whether another problem explains already why no way leads to it, or from it to the end.
///
/// Whoever repairs a cycle or a missing edge repairs these with it, so that reporting them would only hide the cause.
struct Explained {
    /// Nodes on or behind a cycle.
    unreached: Vec<bool>,
    /// Nodes on a cycle, without an edge of their kind, or from which a way leads to such a node.
    dead_end: Vec<bool>,
}

impl Explained {
    fn new(definition: &Definition, graph: &Graph, has_cycles: bool) -> Self {
        let on_or_behind = if has_cycles { graph.behind_cycles() } else { vec![false; graph.len()] };
        let is_cause = |node: u32| {
            on_or_behind[node as usize] || lacks_edges(&definition.nodes[node as usize].kind, &Tally::new(graph, node))
        };
        let causes: Vec<u32> = numbers(graph.len()).filter(|&node| is_cause(node)).collect();
        let dead_end = graph.leading_to(&causes);
        Self { unreached: on_or_behind, dead_end }
    }
}

/// Whether a node has not all the edges that its kind must have.
fn lacks_edges(kind: &NodeKind, tally: &Tally) -> bool {
    let lacks = |kind: EdgeKind| tally.of(kind) == 0;
    match kind {
        NodeKind::Conditional(_) => lacks(EdgeKind::ConditionalTrue) || lacks(EdgeKind::ConditionalFalse),
        NodeKind::Verification(_) => {
            lacks(EdgeKind::VerificationPass) || lacks(EdgeKind::VerificationFail) || lacks(EdgeKind::VerificationRefer)
        }
        NodeKind::ParallelSplit(_) => tally.of(EdgeKind::ParallelBranch) < 2,
        _ => false,
    }
}

fn check_ways(definition: &Definition, graph: &Graph, explained: &Explained, problems: &mut Vec<Problem>) {
    let (start, end) = (find(definition, &NodeKind::Start), find(definition, &NodeKind::End));
    let (reached, leading) = (graph.reached_from(start.as_slice()), graph.leading_to(end.as_slice()));
    let is_end_reached = end.is_some_and(|end| reached[end as usize]);
    for (position, node) in definition.nodes.iter().enumerate() {
        let id = &node.id;
        let problem = match (reached[position], leading[position]) {
            (false, _) if explained.unreached[position] => continue,
            (false, _) if matches!(node.kind, NodeKind::End) => {
                Problem::of(Code::EndNotReachable, id, format!("no way leads from the start to the end {id:?}"))
            }
            (false, _) => Problem::of(Code::UnreachableNode, id, format!("no way leads from the start to {id:?}")),
            (true, false) if is_end_reached && !explained.dead_end[position] => {
                Problem::of(Code::DeadEndNode, id, format!("no way leads from {id:?} to the end"))
            }
            _ => continue,
        };
        problems.push(problem);
    }
}

/// Reports the cycles, and gives whether there are any. An edge from a node to itself is reported by the check of edges.
fn check_cycles(definition: &Definition, graph: &Graph, problems: &mut Vec<Problem>) -> bool {
    let start = find(definition, &NodeKind::Start).unwrap_or_default();
    let next = |node: u32, n: usize| graph.out.of(node).get(n).map(|edge| edge.target);
    let cycles = graph::cycles(graph.len(), start, next);
    for cycle in cycles.iter().filter(|cycle| cycle.len() > 1) {
        let nodes: Vec<String> = cycle.iter().map(|&node| definition.nodes[node as usize].id.clone()).collect();
        let message = format!("{} is a cycle", round(&nodes));
        problems.push(Problem { code: Code::CycleDetected, nodes, message, part: None });
    }
    !cycles.is_empty()
}

/// A cycle in words: `a -> b -> a`.
pub(super) fn round(nodes: &[String]) -> String {
    let shown = nodes.len().min(CYCLE_SHOWN_MAX);
    let mut text = nodes[..shown].join(" -> ");
    if nodes.len() > shown {
        text.push_str(&format!(" -> ({} more)", nodes.len() - shown));
    }
    if let Some(first) = nodes.first() {
        text.push_str(" -> ");
        text.push_str(first);
    }
    text
}

/// Answers and verdicts that are given twice are reported with their node instead.
fn check_duplicate_edges(definition: &Definition, graph: &Graph, problems: &mut Vec<Problem>) {
    let mut seen = FxHashSet::default();
    for (position, edge) in definition.edges.iter().enumerate() {
        let (Some(&source), Some(&target)) = (graph.index.get(&edge.source), graph.index.get(&edge.target)) else {
            continue;
        };
        let is_choice = match &definition.nodes[source as usize].kind {
            NodeKind::Conditional(_) => is_answer(edge.kind),
            NodeKind::Verification(_) => is_verdict(edge.kind),
            _ => false,
        } || matches!(edge.kind, EdgeKind::OnFailure | EdgeKind::OnTimeout);
        if !seen.insert((source, target, edge.kind)) && !is_choice {
            let kind = edge.kind.name();
            let message = format!("there is more than one {kind} edge from {:?} to {:?}", edge.source, edge.target);
            let nodes = vec![edge.source.clone(), edge.target.clone()];
            let part = Some(Part::Edge(position));
            problems.push(Problem { code: Code::DuplicateEdge, nodes, message, part });
        }
    }
}

const fn is_answer(kind: EdgeKind) -> bool {
    matches!(kind, EdgeKind::ConditionalTrue | EdgeKind::ConditionalFalse)
}

const fn is_verdict(kind: EdgeKind) -> bool {
    matches!(kind, EdgeKind::VerificationPass | EdgeKind::VerificationFail | EdgeKind::VerificationRefer)
}

/// How many edges of each kind leave a node.
pub(super) struct Tally([usize; 9]);

impl Tally {
    fn new(graph: &Graph, node: u32) -> Self {
        let mut counts = [0; 9];
        for edge in graph.out.of(node) {
            counts[edge.kind as usize] += 1;
        }
        Self(counts)
    }

    pub(super) fn of(&self, kind: EdgeKind) -> usize {
        self.0[kind as usize]
    }

    /// All but those that only a failure takes, or a signal that did not come.
    fn ordinary(&self) -> usize {
        self.0.iter().sum::<usize>() - self.of(EdgeKind::OnFailure) - self.of(EdgeKind::OnTimeout)
    }

    fn answers(&self) -> usize {
        self.of(EdgeKind::ConditionalTrue) + self.of(EdgeKind::ConditionalFalse)
    }

    fn verdicts(&self) -> usize {
        self.of(EdgeKind::VerificationPass) + self.of(EdgeKind::VerificationFail) + self.of(EdgeKind::VerificationRefer)
    }
}

fn check_node(node: &Node, tally: &Tally, report: &mut Report<'_>) {
    match &node.kind {
        NodeKind::Conditional(_) => check_conditional(tally, report),
        NodeKind::Verification(verification) => check_verification(verification, tally, report),
        NodeKind::ParallelSplit(split) => check_split(split, tally, report),
        NodeKind::Task(task) => check_task(task, report),
        NodeKind::Map(map) => report.add_if(map.max_concurrency == Some(0), Code::BadConcurrency, |node| {
            format!("map {node:?} lets no item run; a max_concurrency of 1 is the least")
        }),
        NodeKind::Loop(repeated) => report.add_if(repeated.rounds_max == 0, Code::BadRounds, |node| {
            format!("loop {node:?} has no round; a rounds_max of 1 is the least")
        }),
        NodeKind::Wait(wait) => check_wait(wait, report),
        NodeKind::Start
        | NodeKind::End
        | NodeKind::ParallelJoin(_)
        | NodeKind::AgentAssignment(_)
        | NodeKind::Subworkflow(_)
        | NodeKind::Group(_) => {}
    }
    check_outside(&node.kind, tally, report);
    check_on_timeout(&node.kind, tally.of(EdgeKind::OnTimeout), report);
    check_caught(node, tally.of(EdgeKind::OnFailure), report);
}

fn check_conditional(tally: &Tally, report: &mut Report<'_>) {
    let answers = [
        (EdgeKind::ConditionalTrue, Code::ConditionalMissingTrue),
        (EdgeKind::ConditionalFalse, Code::ConditionalMissingFalse),
    ];
    check_choices(&answers, Code::ConditionalDuplicateEdge, tally, report);
    report.add_if(tally.ordinary() > tally.answers(), Code::ConditionalExtraOutgoing, |node| {
        format!("conditional {node:?} has edges that are neither conditional_true nor conditional_false")
    });
}

fn check_verification(verification: &Verification, tally: &Tally, report: &mut Report<'_>) {
    for (what, text) in [("rubric", &verification.rubric), ("evaluator", &verification.evaluator)] {
        let is_missing = text.as_deref().is_none_or(is_blank);
        report
            .add_if(is_missing, Code::VerificationMissingConfig, |node| format!("verification {node:?} has no {what}"));
    }
    let verdicts = [
        (EdgeKind::VerificationPass, Code::VerificationMissingPass),
        (EdgeKind::VerificationFail, Code::VerificationMissingFail),
        (EdgeKind::VerificationRefer, Code::VerificationMissingRefer),
    ];
    check_choices(&verdicts, Code::VerificationDuplicateEdge, tally, report);
    report.add_if(tally.ordinary() > tally.verdicts(), Code::VerificationExtraOutgoing, |node| {
        format!("verification {node:?} has edges that belong to no verdict")
    });
}

/// Each choice needs exactly one edge.
fn check_choices(choices: &[(EdgeKind, Code)], duplicate: Code, tally: &Tally, report: &mut Report<'_>) {
    for &(kind, missing) in choices {
        let (count, name) = (tally.of(kind), kind.name());
        report.add_if(count == 0, missing, |node| format!("{node:?} has no {name} edge"));
        report.add_if(count > 1, duplicate, |node| {
            format!("{node:?} has {count} {name} edges, there must be exactly one")
        });
    }
}

fn check_split(split: &ParallelSplit, tally: &Tally, report: &mut Report<'_>) {
    report.add_if(split.max_concurrency == Some(0), Code::BadConcurrency, |node| {
        format!("split {node:?} lets no branch run; a max_concurrency of 1 is the least")
    });
    let count = tally.of(EdgeKind::ParallelBranch);
    report.add_if(count < 2, Code::SplitTooFewBranches, |node| {
        format!("split {node:?} needs at least two parallel_branch edges, it has {count}")
    });
}

fn check_task(task: &Task, report: &mut Report<'_>) {
    report.add_if(task.title.as_deref().is_none_or(is_blank), Code::TaskMissingTitle, |node| {
        format!("task {node:?} has no title")
    });
    retries::check(&task.retry, report);
    let times = [("queue", task.times.queue), ("total", task.times.total), ("heartbeat", task.times.heartbeat)];
    for (name, time) in times {
        report.add_if(time.is_some_and(|time| time.is_zero()), Code::BadTimeout, |node| {
            format!("task {node:?} has a {name} of 0s, in which nothing can happen")
        });
        report.add_if(time.is_some() && name != "total" && task.work == Work::External, Code::BadTimeout, |node| {
            format!("task {node:?} is done outside and has a limit on its {name}, which only handlers have")
        });
    }
    report.add_if(task.timeout.is_some_and(|timeout| timeout.is_zero()), Code::BadTimeout, |node| {
        format!("task {node:?} gives an attempt no time: a timeout of 0s ends it before it begins")
    });
    if task.delivery == Delivery::AtMostOnce {
        check_at_most_once(task, report);
    }
}

fn check_at_most_once(task: &Task, report: &mut Report<'_>) {
    let attempts = task.retry.attempts;
    report.add_if(attempts > 1, Code::AtMostOnceRetried, |node| {
        format!("task {node:?} runs at most once and allows {attempts} attempts; it can have only one")
    });
    report.add_if(task.work == Work::External, Code::AtMostOnceExternal, |node| {
        format!("task {node:?} runs at most once and is done outside, where no handler runs")
    });
}

/// Conditionals and verifications already report edges of other types.
fn check_outside(kind: &NodeKind, tally: &Tally, report: &mut Report<'_>) {
    let name = kind.name();
    let judges = matches!(kind, NodeKind::Verification(_));
    let chooses = judges || matches!(kind, NodeKind::Conditional(_));
    let branches = chooses || matches!(kind, NodeKind::ParallelSplit(_));
    report.add_if(!judges && tally.verdicts() > 0, Code::VerificationEdgeOutside, |node| {
        format!("a verification edge leaves {node:?}, which is a {name}")
    });
    report.add_if(!chooses && tally.answers() > 0, Code::ConditionalEdgeOutside, |node| {
        format!("a conditional edge leaves {node:?}, which is a {name}")
    });
    report.add_if(!branches && tally.of(EdgeKind::ParallelBranch) > 0, Code::BranchEdgeOutside, |node| {
        format!("a parallel_branch edge leaves {node:?}, which is a {name}")
    });
}

/// Only what can fail has its failure handled, by one node.
fn check_caught(node: &Node, count: usize, report: &mut Report<'_>) {
    let name = node.kind.name();
    report.add_if(count > 0 && !can_fail(&node.kind), Code::OnFailureOutside, |node| {
        format!("an on_failure edge leaves {node:?}, which is a {name} and cannot fail")
    });
    report.add_if(count > 1, Code::OnFailureDuplicate, |node| {
        format!("{count} nodes are to handle the failure of {node:?}, there can be only one")
    });
    report.add_if(count > 0 && node.is_optional(), Code::OnFailureOptional, |node| {
        format!("{node:?} is optional, so that its failure is tolerated, and names who handles it: it can have only one of both")
    });
}
