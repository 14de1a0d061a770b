//! What comes after what: `after` of tasks and nodes, and the list of `edges`.

use std::collections::{BTreeSet, HashMap, HashSet};

use finale_core::definition::{Edge, EdgeKind, NodeKind, Wait};
use finale_core::nearest::nearest;

use super::report::Report;
use super::section::{self, Keys, Section};
use crate::error::{LoadProblem, Place};
use crate::tree::{Located, Tree};

pub(crate) const AFTER_KEYS: Keys =
    Keys { accepted: &["node", "on"], slips: &[("id", "node"), ("task", "node"), ("when", "on"), ("if", "on")] };

pub(crate) const EDGE_KEYS: Keys = Keys {
    accepted: &["from", "to", "on", "id", "label"],
    slips: &[
        ("source", "from"),
        ("target", "to"),
        ("source_node_id", "from"),
        ("target_node_id", "to"),
        ("type", "on"),
        ("kind", "on"),
        ("when", "on"),
    ],
};

/// What can stand behind `on`.
pub(crate) const ANSWERS: [(&str, EdgeKind); 9] = [
    ("true", EdgeKind::ConditionalTrue),
    ("false", EdgeKind::ConditionalFalse),
    ("pass", EdgeKind::VerificationPass),
    ("fail", EdgeKind::VerificationFail),
    ("refer", EdgeKind::VerificationRefer),
    ("branch", EdgeKind::ParallelBranch),
    ("always", EdgeKind::Sequential),
    ("failure", EdgeKind::OnFailure),
    ("timeout", EdgeKind::OnTimeout),
];

/// The nodes that edges can lead to and from.
pub(super) struct Ends<'a> {
    kinds: HashMap<&'a str, &'static Answers>,
    /// Those that were not read because something is wrong with them; nothing is known of their answers.
    broken: BTreeSet<&'a str>,
}

/// What a kind of node can answer.
struct Answers {
    kind: &'static str,
    accepted: &'static [&'static str],
    /// What is meant if nothing is said.
    implied: Option<EdgeKind>,
}

static CONDITION: Answers = Answers { kind: "condition", accepted: &["true", "false", "failure"], implied: None };
static VERIFICATION: Answers = Answers { kind: "verification", accepted: &["pass", "fail", "refer"], implied: None };
static SPLIT: Answers =
    Answers { kind: "split", accepted: &["branch", "always"], implied: Some(EdgeKind::ParallelBranch) };
static TASK: Answers = Answers { kind: "task", accepted: &["always", "failure"], implied: Some(EdgeKind::Sequential) };
static SUBWORKFLOW: Answers =
    Answers { kind: "subworkflow", accepted: &["always", "failure"], implied: Some(EdgeKind::Sequential) };
static UNTIL: Answers = Answers { kind: "wait", accepted: &["always", "failure"], implied: Some(EdgeKind::Sequential) };
static SIGNAL: Answers =
    Answers { kind: "signal", accepted: &["always", "failure", "timeout"], implied: Some(EdgeKind::Sequential) };
static OTHER: Answers =
    Answers { kind: "node without answers", accepted: &["always"], implied: Some(EdgeKind::Sequential) };

fn answers(kind: &NodeKind) -> &'static Answers {
    match kind {
        NodeKind::Conditional(_) => &CONDITION,
        NodeKind::Verification(_) => &VERIFICATION,
        NodeKind::ParallelSplit(_) => &SPLIT,
        NodeKind::Task(_) => &TASK,
        NodeKind::Subworkflow(_) => &SUBWORKFLOW,
        NodeKind::Group(_) | NodeKind::Map(_) | NodeKind::Loop(_) => &TASK,
        NodeKind::Wait(Wait::Until(_)) => &UNTIL,
        NodeKind::Wait(Wait::Signal(_)) => &SIGNAL,
        NodeKind::Start
        | NodeKind::End
        | NodeKind::ParallelJoin(_)
        | NodeKind::AgentAssignment(_)
        | NodeKind::Wait(Wait::Delay(_)) => &OTHER,
    }
}

impl<'a> Ends<'a> {
    pub(super) fn new() -> Self {
        Self { kinds: HashMap::new(), broken: BTreeSet::new() }
    }

    pub(super) fn add(&mut self, id: &'a str, kind: Option<&NodeKind>) {
        match kind {
            Some(kind) => {
                self.kinds.insert(id, answers(kind));
            }
            None => {
                self.broken.insert(id);
            }
        }
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.kinds.contains_key(id) || self.broken.contains(id)
    }

    fn check(&self, id: &str, place: Option<Place>, report: &mut Report<'a>) -> Option<()> {
        if self.has(id) {
            return Some(());
        }
        report.add(place, || {
            let known = self.kinds.keys().chain(&self.broken).copied();
            LoadProblem::UnknownNode { id: id.to_owned(), nearest: nearest(id, known).map(str::to_owned) }
        });
        None
    }

    /// The kind of an edge that leaves a node with that answer.
    fn edge(
        &self,
        source: &str,
        place: Option<Place>,
        answer: Option<&Answer>,
        report: &mut Report<'a>,
    ) -> Option<EdgeKind> {
        self.check(source, place, report)?;
        let answers = self.kinds.get(source)?;
        let Answers { kind, accepted, implied } = answers;
        let Some(answer) = answer else {
            if implied.is_none() {
                let missing = || LoadProblem::MissingAnswer { node: source.to_owned(), kind, accepted };
                report.add(place, missing);
            }
            return *implied;
        };
        let known = ANSWERS.iter().find(|(word, _)| *word == answer.text && accepted.contains(word));
        if known.is_none() {
            let (node, answer_text) = (source.to_owned(), answer.text.clone());
            report.inside("on", |report| {
                let wrong = || LoadProblem::WrongAnswer { node, kind, answer: answer_text, accepted };
                report.add(answer.place, wrong);
            });
        }
        known.map(|(_, kind)| *kind)
    }
}

/// What stands behind `on`.
struct Answer {
    text: String,
    place: Option<Place>,
}

fn answer<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<Answer> {
    let text = match &value.tree {
        Tree::Bool(value) => value.to_string(),
        _ => section::printed(value, report)?,
    };
    Some(Answer { text, place: value.place })
}

/// The edges that a file draws.
#[derive(Default)]
pub(super) struct Drawing {
    pub(super) edges: Vec<Edge>,
    /// Where each edge is written.
    pub(super) places: Vec<Option<Place>>,
    /// Positions of the edges whose ids are written in the file.
    named: HashSet<usize>,
}

impl Drawing {
    fn connect(&mut self, source: &str, target: &str, kind: EdgeKind, place: Option<Place>) {
        let id = format!("e{}", self.edges.len() + 1);
        self.edges.push(Edge { id, source: source.to_owned(), target: target.to_owned(), kind, label: None });
        self.places.push(place);
    }

    /// Gives every edge that has an invented id another one if that is written at another edge.
    pub(super) fn rename_invented(&self, edges: &mut [Edge]) {
        let mut taken: HashSet<String> = self.named.iter().map(|position| edges[*position].id.clone()).collect();
        if taken.is_empty() {
            return;
        }
        for (_, edge) in edges.iter_mut().enumerate().filter(|(position, _)| !self.named.contains(position)) {
            while !taken.insert(edge.id.clone()) {
                edge.id.push('_');
            }
        }
    }
}

/// Connects a node with what its `after` names: an id, an id with an answer, or a list of both.
pub(super) fn after<'a>(
    target: &str,
    value: &'a Located,
    ends: &Ends<'a>,
    drawing: &mut Drawing,
    report: &mut Report<'a>,
) {
    let Tree::List(elements) = &value.tree else {
        return connect(target, value, ends, drawing, report);
    };
    for (index, element) in elements.iter().enumerate() {
        report.inside_index(index, |report| connect(target, element, ends, drawing, report));
    }
}

/// Connects a node with the one that it names in its `on_failure` or `on_timeout`.
pub(super) fn leads_to<'a>(
    source: &str,
    value: &'a Located,
    kind: EdgeKind,
    ends: &Ends<'a>,
    drawing: &mut Drawing,
    report: &mut Report<'a>,
) {
    let Some(Id { text, place }) = node(value, report) else { return };
    if ends.check(text, place, report).is_some() {
        drawing.connect(source, text, kind, place);
    }
}

fn connect<'a>(target: &str, value: &'a Located, ends: &Ends<'a>, drawing: &mut Drawing, report: &mut Report<'a>) {
    if let Some((source, kind)) = source(value, ends, report) {
        drawing.connect(source, target, kind, value.place);
    }
}

fn source<'a>(value: &'a Located, ends: &Ends<'a>, report: &mut Report<'a>) -> Option<(&'a str, EdgeKind)> {
    let (id, answer) = match &value.tree {
        Tree::Map(_) => {
            let section = Section::open(value, &AFTER_KEYS, report)?;
            let node = section.require("node", report, node)?;
            let answer = section.read("on", report, answer);
            if answer.is_none() && section.entry("on").is_some() {
                return None;
            }
            (node, answer)
        }
        _ => {
            let text = section::text_as(value, "the id of a node, or `{node: ..., on: ...}`", report)?;
            (Id { text, place: value.place }, None)
        }
    };
    let kind = ends.edge(id.text, id.place, answer.as_ref(), report)?;
    Some((id.text, kind))
}

/// The id of a node, where it is written.
struct Id<'a> {
    text: &'a str,
    place: Option<Place>,
}

fn node<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<Id<'a>> {
    section::text_as(value, "the id of a node", report).map(|text| Id { text, place: value.place })
}

/// Reads the list of edges.
pub(super) fn list<'a>(value: &'a Located, ends: &Ends<'a>, drawing: &mut Drawing, report: &mut Report<'a>) {
    let Tree::List(elements) = &value.tree else {
        report.wrong_type::<()>(value, "a list");
        return;
    };
    for (index, element) in elements.iter().enumerate() {
        report.inside_index(index, |report| edge(element, ends, drawing, report));
    }
}

fn edge<'a>(value: &'a Located, ends: &Ends<'a>, drawing: &mut Drawing, report: &mut Report<'a>) -> Option<()> {
    section::expect_map(value, "a map like `{from: build, to: test}`", report)?;
    let section = Section::open(value, &EDGE_KEYS, report)?;
    let (from, to) = (section.require("from", report, node), section.require("to", report, node));
    let to = to.filter(|to| report.inside("to", |report| ends.check(to.text, to.place, report)).is_some());
    let answer = section.read("on", report, answer);
    let (id, label) = (section.read("id", report, section::text), section.read("label", report, section::text));
    let from = from?;
    let kind = ends.edge(from.text, from.place, answer.as_ref(), report)?;
    drawing.connect(from.text, to?.text, kind, value.place);
    let position = drawing.edges.len() - 1;
    let edge = &mut drawing.edges[position];
    edge.label = label;
    if let Some(id) = id {
        edge.id = id;
        drawing.named.insert(position);
    }
    Some(())
}
