//! Definitions in code.

use super::{Definition, Delivery, Edge, EdgeKind, Node, NodeKind, Policy, Task, Work};

/// Builds a definition node by node; see [`Definition::builder`].
///
/// What it builds is checked by [`compile`](crate::compile()), like every definition.
#[derive(Clone, Debug)]
#[must_use = "a builder builds nothing until build is called"]
pub struct DefinitionBuilder {
    definition: Definition,
}

impl Definition {
    /// Begins a definition with that id and name, version 1.0.0.
    ///
    /// ```
    /// use finale_core::compile::{Registry, compile};
    /// use finale_core::definition::{Definition, Work};
    ///
    /// let definition = Definition::builder("order")
    ///     .task("reserve", "Reserve the item", Work::Handler("reserve_stock".into()))
    ///     .task("charge", "Charge the card", Work::Handler("charge_card".into()))
    ///     .after("reserve")
    ///     .build();
    /// assert!(compile(definition, &Registry::default()).is_ok());
    /// ```
    pub fn builder(id: impl Into<String>) -> DefinitionBuilder {
        let id = id.into();
        DefinitionBuilder {
            definition: Self {
                name: id.clone(),
                id,
                version: super::first_version(),
                inputs: Vec::new(),
                outputs: Vec::new(),
                policy: Policy::default(),
                output: None,
                nodes: Vec::new(),
                edges: Vec::new(),
            },
        }
    }
}

impl DefinitionBuilder {
    /// What people call it.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.definition.name = name.into();
        self
    }

    /// Its version, `MAJOR.MINOR.PATCH`.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.definition.version = version.into();
        self
    }

    /// How executions of it end.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.definition.policy = policy;
        self
    }

    /// The expression that gives the output of an execution.
    pub fn output(mut self, expression: impl Into<String>) -> Self {
        self.definition.output = Some(expression.into());
        self
    }

    /// A task.
    pub fn task(self, id: &str, title: impl Into<String>, work: Work) -> Self {
        self.node(id, NodeKind::Task(Task { title: Some(title.into()), work, ..Task::default() }))
    }

    /// The handler of the task that was added last begins at most once, even over crashes; see [`Delivery::AtMostOnce`].
    ///
    /// ```
    /// use finale_core::compile::{Registry, compile};
    /// use finale_core::definition::{Definition, Work};
    ///
    /// let definition = Definition::builder("order")
    ///     .task("charge", "Charge the card", Work::Handler("charge_card".into()))
    ///     .at_most_once()
    ///     .build();
    /// let compiled = compile(definition, &Registry::default())?;
    /// assert!(compiled.is_at_most_once(0));
    /// # Ok::<(), finale_core::compile::CompileError>(())
    /// ```
    pub fn at_most_once(mut self) -> Self {
        if let Some(Node { kind: NodeKind::Task(task), .. }) = self.definition.nodes.last_mut() {
            task.delivery = Delivery::AtMostOnce;
        }
        self
    }

    /// A node of any kind, labelled by its id.
    pub fn node(mut self, id: &str, kind: NodeKind) -> Self {
        self.definition.nodes.push(Node { id: id.to_owned(), label: id.to_owned(), kind });
        self
    }

    /// The node that was added last comes after that one; may be said several times.
    pub fn after(self, source: &str) -> Self {
        match self.definition.nodes.last().map(|node| node.id.clone()) {
            Some(target) => self.edge(source, &target, EdgeKind::Sequential),
            None => self,
        }
    }

    /// An edge of any kind.
    pub fn edge(mut self, source: &str, target: &str, kind: EdgeKind) -> Self {
        let id = format!("e{}", self.definition.edges.len() + 1);
        let (source, target) = (source.to_owned(), target.to_owned());
        self.definition.edges.push(Edge { id, source, target, kind, label: None });
        self
    }

    /// The definition; a start before all first nodes and an end behind all last ones are added where there is none.
    pub fn build(mut self) -> Definition {
        self.add_missing("start", NodeKind::Start, |edge| &edge.target, |outer, node| (outer, node));
        self.add_missing("end", NodeKind::End, |edge| &edge.source, |outer, node| (node, outer));
        self.definition
    }

    fn add_missing(
        &mut self,
        name: &str,
        kind: NodeKind,
        touched: impl Fn(&Edge) -> &String,
        ends: impl Fn(String, String) -> (String, String),
    ) {
        let nodes = &self.definition.nodes;
        if nodes.iter().any(|node| node.kind.name() == kind.name()) {
            return;
        }
        let taken = |id: &String| nodes.iter().any(|node| node.id == *id);
        let id = std::iter::successors(Some(name.to_owned()), |id| Some(format!("{id}_"))).find(|id| !taken(id));
        let id = id.unwrap_or_default();
        let inside: std::collections::BTreeSet<_> = self.definition.edges.iter().map(touched).collect();
        let outermost = nodes.iter().map(|node| &node.id).filter(|id| !inside.contains(id));
        let pairs: Vec<_> = outermost.map(|node| ends(id.clone(), node.clone())).collect();
        self.definition.nodes.push(Node { label: id.clone(), id, kind });
        for (number, (source, target)) in (self.definition.edges.len() + 1..).zip(pairs) {
            let (id, kind) = (format!("e{number}"), EdgeKind::Sequential);
            self.definition.edges.push(Edge { id, source, target, kind, label: None });
        }
    }
}
