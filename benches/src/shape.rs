//! The graphs that are run.

use finale_core::Definition;
use finale_core::definition::{Edge, EdgeKind, Node, NodeKind, Policy, Task, Work};

/// The name under which a definition made from a shape asks for its handler.
pub const HANDLER: &str = "noop";

/// A graph of tasks and nothing else: the form in which a hand-written program would keep it.
#[derive(Clone, Debug)]
pub struct Shape {
    /// What it is called in reports.
    pub name: &'static str,
    /// For each task, the tasks that wait for it.
    pub successors: Vec<Vec<u32>>,
    /// For each task, how many tasks it waits for.
    pub predecessors: Vec<u32>,
    /// Whether each handler gives way once before it is ready, as one does that waits for something.
    pub yields: bool,
}

impl Shape {
    /// All shapes, in the order of reports.
    pub fn all() -> Vec<Self> {
        vec![Self::single(), Self::chain(), Self::fan_out(), Self::layers(), Self::yielding()]
    }

    /// One task: what an execution costs by itself.
    pub fn single() -> Self {
        Self::from_layers("single", &[1])
    }

    /// Ten tasks, one after the other: what a step costs when nothing can be batched.
    pub fn chain() -> Self {
        Self::from_layers("chain-10", &[1; 10])
    }

    /// One task, then a hundred, then one: a wide transition and a join over all of it.
    pub fn fan_out() -> Self {
        Self::from_layers("fan-out-1-100-1", &[1, 100, 1])
    }

    /// Ten layers of ten tasks, each waiting for the whole layer before it: 900 edges for 100 tasks.
    pub fn layers() -> Self {
        Self::from_layers("layers-10x10", &[10; 10])
    }

    /// The same graph, with handlers that are not ready when they are first polled: they must be kept, and woken.
    pub fn yielding() -> Self {
        Self { yields: true, ..Self::from_layers("layers-10x10-yield", &[10; 10]) }
    }

    /// As many tasks one after the other as make a definition of so many nodes, its start and its end among them.
    pub fn long(nodes: usize) -> Self {
        Self::from_layers("long", &vec![1; nodes.saturating_sub(2).max(1)])
    }

    /// As many tasks side by side, between a first and a last one, as make a definition of so many nodes.
    pub fn wide(nodes: usize) -> Self {
        Self::from_layers("wide", &[1, u32::try_from(nodes.saturating_sub(4).max(1)).unwrap_or(u32::MAX), 1])
    }

    /// Each task of a layer waits for all of the layer before it.
    fn from_layers(name: &'static str, widths: &[u32]) -> Self {
        let mut shape = Self { name, successors: Vec::new(), predecessors: Vec::new(), yields: false };
        let mut before = 0;
        for (layer, &width) in widths.iter().enumerate() {
            let first_behind = shape.predecessors.len() as u32 + width;
            let behind = widths.get(layer + 1).copied().unwrap_or(0);
            for _ in 0..width {
                shape.predecessors.push(before);
                shape.successors.push((first_behind..first_behind + behind).collect());
            }
            before = width;
        }
        shape
    }

    /// How many tasks it has.
    pub fn tasks(&self) -> usize {
        self.predecessors.len()
    }

    /// The tasks that wait for nothing.
    pub fn roots(&self) -> impl Iterator<Item = u32> + '_ {
        self.predecessors.iter().zip(0..).filter(|(waits_for, _)| **waits_for == 0).map(|(_, task)| task)
    }

    /// The same graph as a workflow definition, every task done by the handler [`HANDLER`].
    pub fn definition(&self) -> Definition {
        Definition {
            id: self.name.to_owned(),
            name: self.name.to_owned(),
            version: "1.0.0".to_owned(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            input_schema: None,
            output_schema: None,
            policy: Policy::default(),
            output: None,
            finally: None,
            ending_within: None,
            nodes: self.nodes(),
            edges: self.edges(),
            workflows: Vec::new(),
        }
    }

    /// The same workflow, but one task of it is done outside.
    pub fn definition_with_outside(&self, task: u32) -> Definition {
        let mut definition = self.definition();
        let outside = definition.nodes.iter_mut().find(|node| node.id == task_id(task));
        if let Some(NodeKind::Task(task)) = outside.map(|node| &mut node.kind) {
            task.work = Work::External;
        }
        definition
    }

    fn nodes(&self) -> Vec<Node> {
        let tasks = (0..self.tasks() as u32).map(|task| node(task_id(task), task_kind(task)));
        let start = node("start".to_owned(), NodeKind::Start);
        let end = node("end".to_owned(), NodeKind::End);
        [start].into_iter().chain(tasks).chain([end]).collect()
    }

    fn edges(&self) -> Vec<Edge> {
        let into = self.roots().map(|root| edge("start".to_owned(), task_id(root)));
        let inside = self.successors.iter().zip(0..).flat_map(|(successors, task)| {
            successors.iter().map(move |&successor| edge(task_id(task), task_id(successor)))
        });
        let last = self.successors.iter().zip(0..).filter(|(successors, _)| successors.is_empty());
        let out = last.map(|(_, task)| edge(task_id(task), "end".to_owned()));
        into.chain(inside).chain(out).collect()
    }
}

/// The id of a task in the definition made from a shape.
pub fn task_id(task: u32) -> String {
    format!("t{task}")
}

/// The task that has this id in the definition made from a shape: how a handler there knows what to give back.
pub fn task_of_id(id: &str) -> Option<u32> {
    id.strip_prefix('t')?.parse().ok()
}

fn task_kind(task: u32) -> NodeKind {
    NodeKind::Task(Task {
        title: Some(format!("Task {task}")),
        work: Work::Handler(HANDLER.to_owned()),
        ..Task::default()
    })
}

fn node(id: String, kind: NodeKind) -> Node {
    Node::new(id.clone(), id, kind)
}

fn edge(source: String, target: String) -> Edge {
    Edge { id: format!("{source}-{target}"), source, target, kind: EdgeKind::Sequential, label: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge_count(shape: &Shape) -> usize {
        shape.successors.iter().map(Vec::len).sum()
    }

    #[test]
    fn shapes_have_the_promised_size() {
        let sizes: Vec<_> = Shape::all().iter().map(|shape| (shape.tasks(), edge_count(shape))).collect();
        assert_eq!(sizes, [(1, 0), (10, 9), (102, 200), (100, 900), (100, 900)]);
        assert_eq!(Shape::long(10).definition().nodes.len(), 10);
        assert_eq!(Shape::wide(10).definition().nodes.len(), 10);
    }

    #[test]
    fn predecessors_count_the_edges_that_lead_to_a_task() {
        for shape in Shape::all() {
            let mut counted = vec![0; shape.tasks()];
            shape.successors.iter().flatten().for_each(|&task| counted[task as usize] += 1);
            assert_eq!(counted, shape.predecessors, "{}", shape.name);
        }
    }

    #[test]
    fn ids_lead_back_to_their_task() {
        assert_eq!(task_of_id(&task_id(17)), Some(17));
        assert_eq!(task_of_id("start"), None);
    }

    #[test]
    fn definition_ties_roots_to_start_and_last_tasks_to_end() {
        let definition = Shape::layers().definition();
        assert_eq!(definition.nodes.len(), 102);
        assert_eq!(definition.edges.len(), 10 + 900 + 10);
        assert_eq!(definition.edges.iter().filter(|edge| edge.source == "start").count(), 10);
        assert_eq!(definition.edges.iter().filter(|edge| edge.target == "end").count(), 10);
    }
}
