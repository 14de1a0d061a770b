//! Whether what expressions read can be there when they are evaluated.

use rustc_hash::FxHashSet;

use super::graph::Graph;
use super::problem::{Code, Problem};
use super::skipped::{NotTaken, find_skipped};
use super::statuses::Statuses;
use super::ways::Ways;
use crate::definition::{Definition, EdgeKind, Node, NodeKind, TriggerRule, Wait};
use crate::expression::reads::{InputRead, reads};
use crate::nearest::nearest;
use crate::warning::{Warning, WarningCode};

/// The expression of a node, or of the output where there is no node.
pub(super) type Source<'e> = (Option<u32>, &'e str);

/// Checks the expressions of an acyclic graph: problems where one can never work, warnings where it may not.
///
/// `captured` are the nodes that what is inside of others looks at: the node that it is inside of, and the one it looks at.
pub(super) fn check<'e>(
    definition: &Definition,
    graph: &Graph,
    sources: impl Iterator<Item = Source<'e>>,
    captured: &[(u32, u32)],
    budget: usize,
    problems: &mut Vec<Problem>,
) -> Vec<Warning> {
    let declared = definition.inputs.iter().map(|input| input.name.as_str()).collect();
    let has_rules = definition.nodes.iter().any(|node| node.rule() != TriggerRule::Default);
    let (ways, warnings) = (None, Vec::new());
    let (outputs, asked) = (Vec::new(), FxHashSet::default());
    let mut checker =
        Checker { definition, graph, declared, has_rules, ways, budget, outputs, asked, problems, warnings };
    for source in sources {
        checker.check(source);
    }
    for &(opener, read) in captured {
        checker.check_order(&Reader::Inside(opener), read);
    }
    checker.check_skipped();
    checker.warnings
}

/// Who reads a node.
enum Reader {
    /// The expression of that node.
    Node(u32),
    /// Something inside of that node.
    Inside(u32),
}

struct Checker<'c> {
    definition: &'c Definition,
    graph: &'c Graph,
    declared: FxHashSet<&'c str>,
    /// Whether a node may begin otherwise than by the default rule.
    has_rules: bool,
    /// Made when the first expression names a node; few definitions need it.
    ways: Option<Ways<'c>>,
    budget: usize,
    /// Who reads the output of which node, and does not ask first whether it is there.
    outputs: Vec<(Option<u32>, u32)>,
    /// The nodes that some condition is about.
    asked: FxHashSet<u32>,
    problems: &'c mut Vec<Problem>,
    warnings: Vec<Warning>,
}

impl<'c> Checker<'c> {
    fn check(&mut self, (node, source): Source<'_>) {
        let reads = reads(source, &self.graph.index);
        if !self.definition.inputs.is_empty() {
            reads.inputs.iter().for_each(|read| self.check_input(node, read));
        }
        match node.map(|node| &self.definition.nodes[node as usize].kind) {
            Some(NodeKind::Conditional(_)) => self.asked.extend(&reads.nodes),
            _ => self.outputs.extend(reads.outputs.iter().map(|read| (node, *read))),
        }
        // The output is evaluated when every node is settled.
        let Some(reader) = node else { return };
        let too_early = reads.nodes.iter().filter(|read| self.check_order(&Reader::Node(reader), **read)).count();
        if too_early == 0 && !reads.nodes.is_empty() {
            self.check_truth(reader, source);
        }
    }

    fn ways(&mut self) -> &mut Ways<'c> {
        let (graph, budget) = (self.graph, self.budget);
        self.ways.get_or_insert_with(|| Ways::new(graph, budget))
    }

    /// Reports a node that is not settled when it is read; whether that is a problem.
    fn check_order(&mut self, reader: &Reader, read: u32) -> bool {
        let (expression, reader) = match *reader {
            Reader::Node(node) => (self.place(node), node),
            Reader::Inside(node) => (format!("what is inside of {:?}", self.id(node)), node),
        };
        let is_later = reader == read || self.comes_later(reader, read);
        if !is_later && self.ways().leads(read, reader) != Some(false) {
            return false;
        }
        let (node, other) = (self.written_id(reader), self.id(read));
        let nodes = vec![self.id(reader).to_owned(), other.to_owned()];
        if is_later {
            let why =
                if reader == read { "its own node".to_owned() } else { format!("{other:?}, which comes after it") };
            let message = format!("{expression} reads {why}: nothing is known of that when it is evaluated");
            let problem = Problem { code: Code::ReadsLaterNode, nodes, message, part: None };
            let mut of_reader =
                self.problems.iter().rev().take_while(|known| known.nodes.first() == problem.nodes.first());
            if !of_reader.any(|known| *known == problem) {
                self.problems.push(problem);
            }
            return true;
        }
        let message = format!(
            "{expression} reads {other:?}, which does not come before it and may not be done then; \
             let {node:?} come after it: `after: {other}`"
        );
        self.warn(Warning { code: WarningCode::ReadsUnorderedNode, nodes, message });
        false
    }

    /// Whether a node cannot begin before the reader is done: some rules do not wait for all before them.
    fn comes_later(&mut self, reader: u32, node: u32) -> bool {
        let definition = self.definition;
        let is_early = move |node: u32| definition.nodes[node as usize].rule().is_early();
        !is_early(node) && self.ways().leads_around(reader, node, is_early) == Some(true)
    }

    /// Warns of outputs that are read of nodes that a decision may have skipped, or a failure or a timeout that is handled. Whoever
    /// has a condition about such a node knows that.
    fn check_skipped(&mut self) {
        if self.has_rules {
            return;
        }
        let outputs = std::mem::take(&mut self.outputs);
        let reads: Vec<_> = outputs.into_iter().filter(|(_, read)| !self.asked.contains(read)).collect();
        if reads.is_empty() {
            return;
        }
        for ((reader, read), not_taken) in reads.iter().zip(find_skipped(self.definition, self.graph, &reads)) {
            let Some(NotTaken { node, kind }) = not_taken else { continue };
            let other = self.id(*read);
            let expression = reader.map_or_else(|| "the output of the workflow".to_owned(), |node| self.place(node));
            let when = self.not_taken(node, kind);
            let message = format!(
                "{expression} reads the output of {other:?}, which is skipped {when}: ask first, \
                 `nodes[{other:?}].output | default(none)`"
            );
            let concerned = |reader: u32| [reader, *read].map(|node| self.id(node).to_owned()).into();
            let nodes = reader.map_or_else(Vec::new, concerned);
            self.warn(Warning { code: WarningCode::ReadsSkippedNode, nodes, message });
        }
    }

    /// When a node does not go that way, in words.
    fn not_taken(&self, node: u32, kind: EdgeKind) -> String {
        let id = self.written_id(node);
        match kind {
            EdgeKind::ConditionalTrue => format!("if the condition of {id:?} is false"),
            EdgeKind::ConditionalFalse => format!("if the condition of {id:?} is true"),
            EdgeKind::OnFailure => format!("unless {id:?} fails"),
            EdgeKind::OnTimeout => format!("unless {id:?} times out"),
            EdgeKind::VerificationPass | EdgeKind::VerificationFail | EdgeKind::VerificationRefer => {
                format!("by another verdict of {id:?}")
            }
            _ => format!("if {id:?} fails or times out"),
        }
    }

    /// Reports a condition that asks for what cannot be.
    fn check_truth(&mut self, reader: u32, source: &str) {
        let NodeKind::Conditional(_) = self.definition.nodes[reader as usize].kind else { return };
        if self.has_rules {
            return;
        }
        let (definition, graph, reader_id) = (self.definition, self.graph, self.written_id(reader));
        let mut statuses = Statuses { definition, graph, ways: self.ways(), reader, reader_id };
        if let Some(reason) = statuses.why_never_true(source) {
            let message = format!("{} can never be true: {reason}", self.place(reader));
            let nodes = vec![self.id(reader).to_owned()];
            self.problems.push(Problem { code: Code::ConditionNeverTrue, nodes, message, part: None });
        }
    }

    fn check_input(&mut self, node: Option<u32>, read: &InputRead) {
        let name = read.name.as_str();
        if self.declared.contains(name) {
            return;
        }
        let meant = nearest(name, self.definition.inputs.iter().map(|input| input.name.as_str()));
        // Whoever asks whether it is there knows that it may be missing; but a slip would stay unseen for ever.
        if read.may_be_missing && meant.is_none() {
            return;
        }
        let expression = node.map_or_else(|| "the output of the workflow".to_owned(), |node| self.place(node));
        let hint = meant.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default();
        let message = format!("{expression} reads the input {name:?}, which is not among those declared{hint}");
        let nodes = node.map(|node| self.id(node).to_owned()).into_iter().collect();
        self.warn(Warning { code: WarningCode::UndeclaredInput, nodes, message });
    }

    /// Warns once for each node, however many templates of its input read the same.
    fn warn(&mut self, warning: Warning) {
        let mut of_node = self.warnings.iter().rev().take_while(|known| known.nodes.first() == warning.nodes.first());
        if !of_node.any(|known| *known == warning) {
            self.warnings.push(warning);
        }
    }

    fn id(&self, node: u32) -> &'c str {
        &self.definition.nodes[node as usize].id
    }

    /// The id of the node as its author wrote it: a decision that guards a task was not.
    fn written_id(&self, node: u32) -> &'c str {
        guarded(self.definition, self.graph, node).map_or_else(|| self.id(node), |node| &node.id)
    }

    fn place(&self, node: u32) -> String {
        let what = match self.definition.nodes[node as usize].kind {
            NodeKind::Conditional(_) => "condition",
            NodeKind::Wait(Wait::Until(_)) => "moment",
            NodeKind::Wait(_) => "name of the signal",
            _ => "input",
        };
        format!("the {what} of {:?}", self.written_id(node))
    }
}

/// The node that a decision guards, if [`Definition::guard`] made it.
pub(super) fn guarded<'d>(definition: &'d Definition, graph: &Graph, node: u32) -> Option<&'d Node> {
    let decision = &definition.nodes[node as usize];
    let true_edge = graph.out.of(node).iter().find(|edge| edge.kind == EdgeKind::ConditionalTrue)?;
    let target = &definition.nodes[true_edge.target as usize];
    let rest = decision.id.strip_prefix(target.id.as_str())?.strip_prefix('?')?;
    rest.chars().all(|c| c == '_').then_some(target)
}
