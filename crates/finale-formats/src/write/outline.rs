//! Which parts of a definition a file spells out, and which it implies.

mod repeat;

use std::collections::{HashMap, HashSet};

use finale_core::Definition;
use finale_core::definition::{
    Conditional, Declaration, Edge, EdgeKind, JoinStrategy, Losers, Node, NodeKind, ParallelJoin, ParallelSplit,
    Signal, Subworkflow, TriggerRule, Verdict, Verification, Wait, title_of,
};
use finale_core::time::format_duration;
use serde_json::Value;

use super::entry::{number, text};
use super::task;
use crate::own;
use crate::tree::{Entry, Located, Tree};

/// How much is implied.
#[derive(Clone, Copy)]
pub(super) struct Outline {
    /// Ends, and decisions that guard one node.
    implies: bool,
    /// Edges stand with the node they lead to, as long as that keeps their order.
    after: bool,
}

impl Outline {
    /// From short to long.
    pub(super) const ALL: [Self; 3] = [
        Self { implies: true, after: true },
        Self { implies: false, after: true },
        Self { implies: false, after: false },
    ];

    /// The document for a definition; whether it is read as the same one is to be seen.
    pub(super) fn document(self, definition: &Definition) -> Option<Located> {
        let plan = Plan::new(self, definition)?;
        let mut entries = head(definition);
        if let Some(body) = &definition.finally {
            entries.push(Entry::new("finally", repeat::body(self, "finally", body)?));
        }
        if let Some(within) = definition.ending_within {
            entries.push(text("ending_within", &format_duration(within)));
        }
        plan.add_nodes(&mut entries)?;
        let brought: Option<Vec<_>> = definition.workflows.iter().map(|called| self.called(called)).collect();
        let edges: Vec<_> = plan.edges.iter().map(|&(number, edge)| plan.edge(number, edge)).collect();
        if !edges.is_empty() {
            entries.push(Entry::new("edges", Tree::List(edges)));
        }
        let brought = brought?;
        if !brought.is_empty() {
            entries.push(Entry::new("workflows", Tree::Map(brought)));
        }
        Some(Tree::Map(entries).into())
    }

    /// A workflow inside: its id is its key.
    fn called(self, called: &Definition) -> Option<Entry> {
        let document = self.document(called)?;
        let Tree::Map(entries) = document.tree else { return None };
        let entries = entries.into_iter().filter(|entry| entry.key != "id").collect();
        Some(Entry::new(called.id.clone(), Tree::Map(entries)))
    }
}

/// What goes where.
struct Plan<'d> {
    outline: Outline,
    /// Those that are spelled out.
    nodes: Vec<&'d Node>,
    kinds: HashMap<&'d str, &'d NodeKind>,
    rules: HashMap<&'d str, TriggerRule>,
    /// The decision that guards a node, and its condition, by the id of the node.
    guards: HashMap<&'d str, (&'d str, &'d str)>,
    /// What stands behind `after`, by the id of the node.
    after: HashMap<&'d str, Vec<&'d Edge>>,
    /// What stands behind `on_failure`, by the id of the node.
    on_failure: HashMap<&'d str, &'d str>,
    /// What stands behind `on_timeout`, by the id of the node.
    on_timeout: HashMap<&'d str, &'d str>,
    /// What stands in the list of edges, with the number that an edge there would get.
    edges: Vec<(usize, &'d Edge)>,
}

impl<'d> Plan<'d> {
    fn new(outline: Outline, definition: &'d Definition) -> Option<Self> {
        let kinds: HashMap<_, _> = definition.nodes.iter().map(|node| (node.id.as_str(), &node.kind)).collect();
        if kinds.len() < definition.nodes.len() {
            return None;
        }
        let mut plan = Self {
            outline,
            nodes: Vec::new(),
            kinds,
            rules: definition.nodes.iter().map(|node| (node.id.as_str(), node.trigger_rule)).collect(),
            guards: HashMap::new(),
            after: HashMap::new(),
            on_failure: HashMap::new(),
            on_timeout: HashMap::new(),
            edges: Vec::new(),
        };
        let mut implied = HashSet::new();
        if outline.implies {
            implied = implied_ends(definition);
            plan.guards = guards(definition);
            implied.extend(plan.guards.values().map(|(decision, _)| *decision));
        }
        plan.nodes = definition.nodes.iter().filter(|node| !implied.contains(node.id.as_str())).collect();
        plan.place_edges(outline, definition, &implied);
        Some(plan)
    }

    fn place_edges(&mut self, outline: Outline, definition: &'d Definition, implied: &HashSet<&'d str>) {
        let guarded: HashMap<&str, &str> = self.guards.iter().map(|(node, (decision, _))| (*decision, *node)).collect();
        let order: HashMap<_, _> = self.nodes.iter().enumerate().map(|(at, node)| (node.id.as_str(), at)).collect();
        let is_to_end = |edge: &Edge| matches!(self.kinds.get(edge.target.as_str()), Some(NodeKind::End));
        let (mut spelled_out, mut last, mut in_order) = (0, (0, 0), outline.after);
        for edge in &definition.edges {
            let target = guarded.get(edge.target.as_str()).copied().unwrap_or(&edge.target);
            let is_implied = implied.contains(edge.source.as_str()) || implied.contains(target);
            if is_implied || (outline.implies && edge.kind == EdgeKind::ConditionalFalse && is_to_end(edge)) {
                continue;
            }
            spelled_out += 1;
            // What a failure or a timeout of a node leads to stands with that node, behind what comes before it.
            let (node, turn, named) = match edge.kind {
                EdgeKind::OnFailure => (edge.source.as_str(), 1, Some(&mut self.on_failure)),
                EdgeKind::OnTimeout => (edge.source.as_str(), 2, Some(&mut self.on_timeout)),
                _ => (target, 0, None),
            };
            let at = (order.get(node).copied().unwrap_or_default(), turn);
            let is_free = named.as_ref().is_none_or(|named| !named.contains_key(node));
            in_order &= at >= last && is_free && edge.label.is_none() && edge.id == format!("e{spelled_out}");
            last = at;
            match (in_order, named) {
                (true, Some(named)) => drop(named.insert(node, target)),
                (true, None) => self.after.entry(target).or_default().push(edge),
                (false, _) => self.edges.push((spelled_out, edge)),
            }
        }
    }

    /// Tasks and other nodes, in two groups if their order allows it.
    fn add_nodes(&self, entries: &mut Vec<Entry>) -> Option<()> {
        let is_task = |node: &&Node| {
            matches!(node.kind, NodeKind::Task(_)) || task::is_call(&node.kind) || repeat::has_inside(&node.kind)
        };
        let tasks: Vec<_> = self.nodes.iter().copied().filter(is_task).collect();
        let others: Vec<_> = self.nodes.iter().copied().filter(|node| !is_task(node)).collect();
        let group = |name: &str, nodes: &[&Node], nests: bool| {
            let nodes = nodes.iter().map(|node| Some(Entry::new(node.id.clone(), self.node(node, nests)?)));
            Some(Entry::new(name, Tree::Map(nodes.collect::<Option<_>>()?)))
        };
        let is_split_at =
            |at: usize, tasks_first: bool| self.nodes.iter().skip(at).all(|node| is_task(node) != tasks_first);
        if others.is_empty() {
            entries.push(group("tasks", &tasks, false)?);
        } else if is_split_at(tasks.len(), true) {
            if !tasks.is_empty() {
                entries.push(group("tasks", &tasks, false)?);
            }
            entries.push(group("nodes", &others, false)?);
        } else if is_split_at(others.len(), false) {
            entries.push(group("nodes", &others, false)?);
            entries.push(group("tasks", &tasks, false)?);
        } else {
            entries.push(group("nodes", &self.nodes, true)?);
        }
        Some(())
    }

    fn node(&self, node: &Node, nests: bool) -> Option<Located> {
        let mut written = self.node_alone(node, nests)?;
        if let Some(body) = &node.compensate {
            let is_task =
                repeat::has_inside(&node.kind) || task::is_call(&node.kind) || matches!(node.kind, NodeKind::Task(_));
            let compensate = Entry::new("compensate", repeat::body(self.outline, &node.id, body)?);
            let Tree::Map(entries) = &mut written.tree else { return None };
            match entries.first_mut() {
                Some(Entry { value: Located { tree: Tree::Map(task), .. }, .. }) if nests && is_task => {
                    task.push(compensate);
                }
                _ => entries.push(compensate),
            }
        }
        Some(written)
    }

    fn node_alone(&self, node: &Node, nests: bool) -> Option<Located> {
        if repeat::has_inside(&node.kind) {
            let (mut entries, settings) = repeat::entries(self.outline, node, self.handler(node))?;
            self.add_ways(node, &mut entries);
            entries.extend(settings);
            let task: Located = Tree::Map(entries).into();
            return Some(if nests { Tree::Map(vec![Entry::new("task", task)]).into() } else { task });
        }
        Some(self.plain_node(node, nests))
    }

    fn plain_node(&self, node: &Node, nests: bool) -> Located {
        if let NodeKind::Subworkflow(call) = &node.kind
            && task::is_call(&node.kind)
        {
            let mut entries = task::call_entries(node, call);
            self.add_ways(node, &mut entries);
            if call.optional {
                entries.push(Entry::new("optional", Tree::Bool(true)));
            }
            entries.extend(self.handler(node).map(|handler| text("on_failure", handler)));
            let call: Located = Tree::Map(entries).into();
            return if nests { Tree::Map(vec![Entry::new("task", call)]).into() } else { call };
        }
        let NodeKind::Task(task) = &node.kind else {
            let mut entries = vec![control(&node.kind)];
            entries.extend(timeout(&node.kind));
            entries.extend(payload_schema(&node.kind));
            if node.label != node.id {
                entries.push(text("label", &node.label));
            }
            self.add_ways(node, &mut entries);
            entries.extend(self.handler(node).map(|handler| text("on_failure", handler)));
            entries.extend(self.on_timeout.get(node.id.as_str()).map(|target| text("on_timeout", target)));
            return Tree::Map(entries).into();
        };
        let mut entries = task::entries(node, task);
        self.add_ways(node, &mut entries);
        entries.extend(task::settings(task, self.handler(node)));
        let task: Located = Tree::Map(entries).into();
        if nests { Tree::Map(vec![Entry::new("task", task)]).into() } else { task }
    }

    fn handler(&self, node: &Node) -> Option<&'d str> {
        self.on_failure.get(node.id.as_str()).copied()
    }

    fn add_ways(&self, node: &Node, entries: &mut Vec<Entry>) {
        let after = self.after.get(node.id.as_str()).map(Vec::as_slice).unwrap_or_default();
        let mut ways: Vec<_> = after.iter().map(|edge| self.way(edge)).collect();
        match ways.len() {
            0 => {}
            1 => entries.push(Entry::new("after", ways.remove(0))),
            _ => entries.push(Entry::new("after", Tree::List(ways))),
        }
        let guard = self.guards.get(node.id.as_str());
        if let Some((_, condition)) = guard {
            entries.push(text("when", condition));
        }
        let ruled = guard.map_or(node.id.as_str(), |(decision, _)| *decision);
        match self.rules.get(ruled).copied().unwrap_or_default() {
            TriggerRule::Default => {}
            TriggerRule::AtLeast { count } => entries.push(Entry::new("trigger_rule", at_least(count))),
            rule => entries.push(text("trigger_rule", rule.name())),
        }
    }

    fn way(&self, edge: &Edge) -> Located {
        match self.answer(edge) {
            None => Tree::Text(edge.source.clone()).into(),
            Some(answer) => Tree::Map(vec![text("node", &edge.source), answer]).into(),
        }
    }

    fn edge(&self, number: usize, edge: &Edge) -> Located {
        let mut entries = vec![text("from", &edge.source), text("to", &edge.target)];
        entries.extend(self.answer(edge));
        if edge.id != format!("e{number}") {
            entries.push(text("id", &edge.id));
        }
        entries.extend(edge.label.as_deref().map(|label| text("label", label)));
        Tree::Map(entries).into()
    }

    /// What is to be said behind `on`.
    fn answer(&self, edge: &Edge) -> Option<Entry> {
        let is_split = matches!(self.kinds.get(edge.source.as_str()), Some(NodeKind::ParallelSplit(_)));
        let implied = if is_split { EdgeKind::ParallelBranch } else { EdgeKind::Sequential };
        let answer = match edge.kind {
            kind if kind == implied => return None,
            EdgeKind::ConditionalTrue => Tree::Bool(true),
            EdgeKind::ConditionalFalse => Tree::Bool(false),
            kind => Tree::Text(own::answer(kind).to_owned()),
        };
        Some(Entry::new("on", answer))
    }
}

/// The ends at the end of the list, where they are put when they are implied.
fn implied_ends(definition: &Definition) -> HashSet<&str> {
    let mut implied = HashSet::new();
    let mut nodes = definition.nodes.iter().rev().peekable();
    for kind in [NodeKind::End, NodeKind::Start] {
        if let Some(node) = nodes.next_if(|node| node.kind == kind && node.label == node.id) {
            implied.insert(node.id.as_str());
        }
    }
    implied
}

/// Decisions that only say whether the node behind them runs.
fn guards(definition: &Definition) -> HashMap<&str, (&str, &str)> {
    let mut out: HashMap<&str, Vec<&Edge>> = HashMap::new();
    for edge in &definition.edges {
        out.entry(&edge.source).or_default().push(edge);
    }
    let mut guards = HashMap::new();
    for pair in definition.nodes.windows(2) {
        let NodeKind::Conditional(Conditional { condition: Some(condition) }) = &pair[0].kind else {
            continue;
        };
        let (decision, node) = (&pair[0].id, &pair[1].id);
        let is_called_so = decision.strip_prefix(node.as_str()).is_some_and(|rest| rest.trim_end_matches('_') == "?");
        let edges = out.get(decision.as_str()).map(Vec::as_slice).unwrap_or_default();
        let mut answers = edges.iter().filter(|edge| edge.kind == EdgeKind::ConditionalTrue);
        if is_called_so && answers.next().is_some_and(|edge| edge.target == *node) {
            guards.insert(node.as_str(), (decision.as_str(), condition.as_str()));
        }
    }
    guards
}

fn head(definition: &Definition) -> Vec<Entry> {
    let mut entries = vec![text("id", &definition.id)];
    if definition.name != title_of(&definition.id) {
        entries.push(text("name", &definition.name));
    }
    if definition.version != "1.0.0" {
        entries.push(text("version", &definition.version));
    }
    for (key, declarations) in [("inputs", &definition.inputs), ("outputs", &definition.outputs)] {
        if !declarations.is_empty() {
            let declarations = declarations.iter().map(declaration).collect();
            entries.push(Entry::new(key, Tree::Map(declarations)));
        }
    }
    entries.extend(task::schema("input_schema", definition.input_schema.as_ref()));
    entries.extend(task::schema("output_schema", definition.output_schema.as_ref()));
    entries.extend(task::policy(definition.policy));
    entries.extend(definition.output.as_deref().map(|output| text("output", output)));
    entries
}

fn declaration(declaration: &Declaration) -> Entry {
    let kind = own::type_name(declaration.kind);
    if declaration.required && declaration.default.is_none() {
        return text(&declaration.name, kind);
    }
    let mut entries = vec![text("type", kind)];
    if declaration.required == declaration.default.is_some() {
        entries.push(Entry::new("required", Tree::Bool(declaration.required)));
    }
    entries.extend(declaration.default.as_ref().map(|default| Entry::new("default", Located::from(default))));
    Entry::new(declaration.name.clone(), Tree::Map(entries))
}

/// The entry that says what a node is; what it cannot say makes the document be read as something else.
fn control(kind: &NodeKind) -> Entry {
    let map = |entries| Located::from(Tree::Map(entries));
    match kind {
        NodeKind::Start => Entry::new("start", Tree::Bool(true)),
        NodeKind::End => Entry::new("end", Tree::Bool(true)),
        NodeKind::Task(_) => Entry::new("task", map(Vec::new())),
        NodeKind::Conditional(conditional) => text("condition", conditional.condition.as_deref().unwrap_or_default()),
        NodeKind::ParallelSplit(ParallelSplit { max_concurrency: None }) => Entry::new("split", Tree::Bool(true)),
        NodeKind::ParallelSplit(ParallelSplit { max_concurrency: Some(count) }) => {
            Entry::new("split", map(vec![Entry::new("max_concurrency", number(u64::from(*count)))]))
        }
        NodeKind::ParallelJoin(join) => joined(join),
        NodeKind::AgentAssignment(assignment) => text("assign", assignment.agent.as_deref().unwrap_or_default()),
        NodeKind::Verification(verification) => Entry::new("verification", map(judgement(verification))),
        NodeKind::Subworkflow(subworkflow) => Entry::new("subworkflow", map(call(subworkflow))),
        // They are written among the tasks.
        NodeKind::Group(_) | NodeKind::Map(_) | NodeKind::Loop(_) => Entry::new("task", map(Vec::new())),
        NodeKind::Wait(Wait::Delay(delay)) => text("delay", &format_duration(*delay)),
        NodeKind::Wait(Wait::Until(moment)) => text("until", moment),
        NodeKind::Wait(Wait::Signal(signal)) => text("signal", &signal.name),
    }
}

/// How long a node waits for its signal, if there is a limit.
fn timeout(kind: &NodeKind) -> Option<Entry> {
    let NodeKind::Wait(Wait::Signal(Signal { timeout: Some(timeout), .. })) = kind else { return None };
    Some(text("timeout", &format_duration(*timeout)))
}

/// What the signal of a node must say, if that is said.
fn payload_schema(kind: &NodeKind) -> Option<Entry> {
    let NodeKind::Wait(Wait::Signal(signal)) = kind else { return None };
    task::schema("schema", signal.schema.as_ref())
}

fn at_least(count: u32) -> Located {
    Tree::Map(vec![Entry::new("at_least", number(u64::from(count)))]).into()
}

fn joined(join: &ParallelJoin) -> Entry {
    let strategy = match join.strategy {
        JoinStrategy::All => text("strategy", "all"),
        JoinStrategy::Any => text("strategy", "any"),
        JoinStrategy::AtLeast { count } => Entry::new("at_least", number(u64::from(count))),
    };
    match (join.losers, &strategy.value.tree) {
        (Losers::Finish, Tree::Text(word)) => text("join", word),
        (Losers::Finish, _) => Entry::new("join", Tree::Map(vec![strategy])),
        (Losers::Cancel, _) => Entry::new("join", Tree::Map(vec![strategy, text("losers", "cancel")])),
    }
}

fn judgement(verification: &Verification) -> Vec<Entry> {
    let parts = [("rubric", &verification.rubric), ("evaluator", &verification.evaluator)];
    let mut entries: Vec<_> = parts.iter().filter_map(|(key, part)| Some(text(key, part.as_deref()?))).collect();
    entries.extend(verification.preset.map(|preset| {
        text(
            "preset",
            match preset {
                Verdict::Pass => "pass",
                Verdict::Fail => "fail",
                Verdict::Refer => "refer",
            },
        )
    }));
    entries
}

fn call(subworkflow: &Subworkflow) -> Vec<Entry> {
    let parts = [("workflow", &subworkflow.workflow), ("version", &subworkflow.version)];
    let mut entries: Vec<_> = parts.iter().filter_map(|(key, part)| Some(text(key, part.as_deref()?))).collect();
    for (key, bindings) in [("inputs", &subworkflow.input_bindings), ("outputs", &subworkflow.output_bindings)] {
        if !bindings.is_empty() {
            let binding = |(name, value): (&String, &Value)| Entry::new(name.clone(), Located::from(value));
            entries.push(Entry::new(key, Tree::Map(bindings.iter().map(binding).collect())));
        }
    }
    entries
}
