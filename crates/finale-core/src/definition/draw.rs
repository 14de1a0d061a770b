//! Drawing the parts of a definition that follow from the others.

use std::collections::{BTreeMap, BTreeSet};

use super::{Conditional, Definition, Edge, EdgeKind, Node, NodeKind, Policy, first_version};

impl Definition {
    /// A definition with that id and name, version 1.0.0, and nothing in it.
    pub fn new(id: impl Into<String>) -> Self {
        let id = id.into();
        Self {
            name: id.clone(),
            id,
            version: first_version(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            input_schema: None,
            output_schema: None,
            policy: Policy::default(),
            output: None,
            finally: None,
            ending_within: None,
            nodes: Vec::new(),
            edges: Vec::new(),
            workflows: Vec::new(),
        }
    }

    /// Adds an edge; its id is `e` and its number, counted from 1.
    pub fn connect(&mut self, source: impl Into<String>, target: impl Into<String>, kind: EdgeKind) {
        let id = format!("e{}", self.edges.len() + 1);
        self.edges.push(Edge { id, source: source.into(), target: target.into(), kind, label: None });
    }

    /// Puts a decision before each of these nodes: it runs only if its expression is true.
    ///
    /// All ways that led to the node lead to the decision then, which has its trigger rule; the node has the default one.
    /// The decision is called like the node, with a `?` behind it.
    ///
    /// ```
    /// use finale_core::definition::{Definition, Node};
    ///
    /// let mut definition = Definition::new("order");
    /// definition.nodes.push(Node::task("wrap", "gift_wrap"));
    /// definition.guard(&[("wrap".to_owned(), "input.is_gift".to_owned())].into());
    /// let decision = &definition.nodes[0];
    /// assert_eq!((&*decision.id, &*decision.label), ("wrap?", "input.is_gift"));
    /// ```
    pub fn guard(&mut self, conditions: &BTreeMap<String, String>) {
        let mut taken: BTreeSet<String> = self.nodes.iter().map(|node| node.id.clone()).collect();
        let mut decisions = BTreeMap::new();
        let nodes = std::mem::take(&mut self.nodes);
        for mut node in nodes {
            if let Some(expression) = conditions.get(&node.id)
                && !decisions.contains_key(&node.id)
            {
                let decision = free_id(&mut taken, &format!("{}?", node.id));
                let kind = NodeKind::Conditional(Conditional { condition: Some(expression.clone()) });
                let trigger_rule = std::mem::take(&mut node.trigger_rule);
                let guard = Node::new(decision.clone(), expression.clone(), kind);
                self.nodes.push(Node { trigger_rule, ..guard });
                decisions.insert(node.id.clone(), decision);
            }
            self.nodes.push(node);
        }
        for edge in &mut self.edges {
            if let Some(decision) = decisions.get(&edge.target) {
                edge.target.clone_from(decision);
            }
        }
        for (node, decision) in decisions {
            self.connect(decision, node, EdgeKind::ConditionalTrue);
        }
    }

    /// Adds what goes without saying: a start before all first nodes and an end behind all last ones, where there is
    /// none, and to the end the way of each decision that says nothing about one of its answers.
    pub fn imply_ends(&mut self) {
        if !self.nodes.iter().any(|node| node.kind == NodeKind::Start) {
            let firsts = self.untouched(|edge| Some(&edge.target));
            let start = self.add("start", NodeKind::Start);
            firsts.into_iter().for_each(|first| self.connect(start.clone(), first, EdgeKind::Sequential));
        }
        let end = match self.nodes.iter().find(|node| node.kind == NodeKind::End) {
            Some(end) => end.id.clone(),
            None => self.add_end(),
        };
        for (decision, answer) in self.unanswered() {
            self.connect(decision, end.clone(), answer);
        }
    }

    fn add_end(&mut self) -> String {
        // What goes on only after an answer has no way to the end of its own.
        let answers = |node: &&Node| matches!(node.kind, NodeKind::Conditional(_) | NodeKind::Verification(_));
        let answering: BTreeSet<_> = self.nodes.iter().filter(answers).map(|node| node.id.clone()).collect();
        // Where a failure or a signal that did not come leads to is not where the node itself leads to.
        let is_ordinary = |edge: &Edge| !matches!(edge.kind, EdgeKind::OnFailure | EdgeKind::OnTimeout);
        let mut lasts = self.untouched(|edge| is_ordinary(edge).then_some(&edge.source));
        lasts.retain(|last| !answering.contains(last));
        let end = self.add("end", NodeKind::End);
        lasts.into_iter().for_each(|last| self.connect(last, end.clone(), EdgeKind::Sequential));
        end
    }

    fn decisions(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| matches!(node.kind, NodeKind::Conditional(_)))
    }

    /// The nodes at which no edge has that end, of those that count.
    fn untouched(&self, end: impl Fn(&Edge) -> Option<&String>) -> Vec<String> {
        let touched: BTreeSet<_> = self.edges.iter().filter_map(end).collect();
        self.nodes.iter().map(|node| &node.id).filter(|id| !touched.contains(id)).cloned().collect()
    }

    /// The answers of decisions that no edge goes on with.
    fn unanswered(&self) -> Vec<(String, EdgeKind)> {
        let given: BTreeSet<_> = self.edges.iter().map(|edge| (edge.source.as_str(), edge.kind)).collect();
        let answers = [EdgeKind::ConditionalTrue, EdgeKind::ConditionalFalse];
        let both = self.decisions().flat_map(|node| answers.map(|answer| (node.id.as_str(), answer)));
        both.filter(|answer| !given.contains(answer)).map(|(node, answer)| (node.to_owned(), answer)).collect()
    }

    fn add(&mut self, wanted: &str, kind: NodeKind) -> String {
        let id = free_id(&mut self.nodes.iter().map(|node| node.id.clone()).collect(), wanted);
        self.nodes.push(Node::new(id.clone(), id.clone(), kind));
        id
    }
}

/// The wanted id, with as many `_` behind it as it takes to be the only one; it is taken then.
fn free_id(taken: &mut BTreeSet<String>, wanted: &str) -> String {
    let mut id = wanted.to_owned();
    while !taken.insert(id.clone()) {
        id.push('_');
    }
    id
}
