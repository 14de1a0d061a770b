//! `WfCommons` `WfFormat`: the tasks of a real run, what depended on what, and how long it took.
//!
//! Since version 1.5 a file has the graph in `workflow.specification` and what was measured in `workflow.execution`; the
//! tasks of versions 1.0 to 1.4 stand in `workflow.tasks` (or `workflow.jobs`), say both, and name each other by `name`.
//! Both are read.
//!
//! The format has no single beginning and end, so a start node is put before the tasks that have no
//! parents and an end node behind those that have no children. A file names dependencies twice, as
//! `parents` and as `children`; both are taken, each pair once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use finale_core::Definition;
use finale_core::definition::{Edge, EdgeKind, Node, NodeKind, Policy, Task, Work};
use serde_json::Value;

use crate::error::{Fault, LoadError, LoadProblem};
use crate::fields::Fields;
use crate::tree::{Located, Tree};

/// The name of the handler that stands in for the programs of the recorded run.
pub const SIMULATE: &str = "simulate";

/// The graph of a recorded run, and its times.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct WfWorkflow {
    /// The graph; every task is work for the handler [`SIMULATE`].
    pub definition: Definition,
    /// How long each task took, by node id; zero if the file does not say.
    pub runtimes: BTreeMap<String, Duration>,
}

/// Reads a document that is parsed already.
///
/// ```
/// use finale_formats::wfformat;
///
/// let workflow = wfformat::from_value(&serde_json::json!({
///     "name": "pair",
///     "workflow": {
///         "specification": {"tasks": [
///             {"id": "a", "name": "first", "parents": [], "children": ["b"]},
///             {"id": "b", "name": "second", "parents": ["a"], "children": []},
///         ]},
///         "execution": {"tasks": [{"id": "b", "runtimeInSeconds": 1.5}]},
///     },
/// }))?;
/// assert_eq!(workflow.definition.edges.len(), 3);
/// assert_eq!(workflow.runtimes["a"].as_millis(), 0);
/// assert_eq!(workflow.runtimes["b"].as_millis(), 1500);
/// # Ok::<(), finale_formats::LoadError>(())
/// ```
pub fn from_value(document: &Value) -> Result<WfWorkflow, LoadError> {
    workflow(&Located::from(document)).map_err(|fault| fault.into_error(""))
}

pub(crate) fn workflow(root: &Located) -> Result<WfWorkflow, Fault> {
    let root = root.open_fields()?;
    let name = root.text_or("name", "workflow")?;
    root.require("workflow", |workflow| {
        let workflow = workflow.open_fields()?;
        let (tasks, runtimes) = match old_list(workflow) {
            Some(list) => {
                let tasks = Tasks::read(workflow, list, Version::UpTo1_4)?;
                let runtimes = tasks.runtimes(workflow, list, &["runtimeInSeconds", "runtime"])?;
                (tasks, Some(runtimes))
            }
            None => {
                let tasks = workflow.require("specification", |specification| {
                    Tasks::read(specification.open_fields()?, "tasks", Version::Since1_5)
                })?;
                let runtimes = workflow.read("execution", |execution| {
                    tasks.runtimes(execution.open_fields()?, "tasks", &["runtimeInSeconds"])
                })?;
                (tasks, runtimes)
            }
        };
        Ok(WfWorkflow {
            runtimes: runtimes.unwrap_or_else(|| tasks.without_runtimes()),
            definition: tasks.into_definition(name),
        })
    })
}

/// The key under which a file before version 1.5 lists its tasks.
fn old_list(workflow: Fields<'_>) -> Option<&'static str> {
    let is_new = workflow.get("specification").is_some();
    ["tasks", "jobs"].into_iter().find(|key| !is_new && workflow.get(key).is_some())
}

/// The tasks that a document lists, wherever it does.
pub(crate) fn listed_tasks(root: &Located) -> &[Located] {
    let Some(workflow) = root.tree.get("workflow") else {
        return &[];
    };
    let specification = workflow.tree.get("specification").unwrap_or(workflow);
    match ["tasks", "jobs"].into_iter().find_map(|key| specification.tree.get(key)).map(|list| &list.tree) {
        Some(Tree::List(tasks)) => tasks,
        _ => &[],
    }
}

/// What names a task.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    /// Its `name`; it may have an `id` too.
    UpTo1_4,
    /// Its `id`; its `name` need not be the only one.
    Since1_5,
}

struct Specified<'a> {
    id: &'a str,
    name: &'a str,
}

/// The tasks of the specification, and each dependency once: positions of parent and child.
struct Tasks<'a> {
    tasks: Vec<Specified<'a>>,
    positions: HashMap<&'a str, usize>,
    dependencies: Vec<(usize, usize)>,
    key: &'static str,
}

impl<'a> Tasks<'a> {
    fn read(section: Fields<'a>, list: &'static str, version: Version) -> Result<Self, Fault> {
        let key = if version == Version::UpTo1_4 { "name" } else { "id" };
        let mut positions = HashMap::new();
        let tasks = section.each(list, |task| {
            let task = task.open_fields()?;
            task.require(key, |id| insert(&mut positions, id))?;
            let id = task.require(key, Located::as_text)?;
            let name = task.read("name", Located::as_text)?.unwrap_or(id);
            Ok(Specified { id, name })
        })?;
        let dependencies = dependencies(section, list, &positions)?;
        Ok(Self { tasks, positions, dependencies, key })
    }

    fn without_runtimes(&self) -> BTreeMap<String, Duration> {
        let zero = |task: &Specified<'_>| (task.id.to_owned(), Duration::ZERO);
        self.tasks.iter().map(zero).collect()
    }

    /// What was measured: the first of these keys that a task has.
    fn runtimes(
        &self,
        section: Fields<'_>,
        list: &'static str,
        keys: &[&'static str],
    ) -> Result<BTreeMap<String, Duration>, Fault> {
        let mut runtimes = self.without_runtimes();
        section.each(list, |task| {
            let task = task.open_fields()?;
            let id = task.require(self.key, |id| {
                position(&self.positions, id)?;
                id.as_text()
            })?;
            let key = keys.iter().find(|key| task.get(key).is_some()).copied();
            if let Some(runtime) = key.map(|key| task.read(key, runtime)).transpose()?.flatten() {
                runtimes.insert(id.to_owned(), runtime);
            }
            Ok(())
        })?;
        Ok(runtimes)
    }

    fn into_definition(self, name: String) -> Definition {
        let start = self.free_id("START");
        let end = self.free_id("END");
        let edges = self.edges(&start, &end);
        let mut nodes = Vec::with_capacity(self.tasks.len() + 2);
        nodes.push(node(start, "Start", NodeKind::Start));
        nodes.extend(self.tasks.iter().map(task_node));
        nodes.push(node(end, "End", NodeKind::End));
        Definition {
            id: name.clone(),
            name,
            version: "1.0.0".to_owned(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            input_schema: None,
            output_schema: None,
            policy: Policy::default(),
            output: None,
            finally: None,
            ending_within: None,
            nodes,
            edges,
            workflows: Vec::new(),
        }
    }

    fn free_id(&self, wanted: &str) -> String {
        let mut id = wanted.to_owned();
        while self.positions.contains_key(id.as_str()) {
            id.push('_');
        }
        id
    }

    fn edges(&self, start: &str, end: &str) -> Vec<Edge> {
        let (mut has_parent, mut has_child) = (vec![false; self.tasks.len()], vec![false; self.tasks.len()]);
        for (parent, child) in &self.dependencies {
            has_child[*parent] = true;
            has_parent[*child] = true;
        }
        let ids = |flags: &[bool]| -> Vec<&str> {
            let without = flags.iter().zip(&self.tasks).filter(|(flag, _)| !**flag);
            without.map(|(_, task)| task.id).collect()
        };
        let roots = ids(&has_parent);
        let leaves = ids(&has_child);
        let between = self.dependencies.iter().map(|(parent, child)| (self.tasks[*parent].id, self.tasks[*child].id));
        let mut ends: Vec<(&str, &str)> = roots.into_iter().map(|root| (start, root)).collect();
        ends.extend(between);
        ends.extend(leaves.into_iter().map(|leaf| (leaf, end)));
        if self.tasks.is_empty() {
            ends.push((start, end));
        }
        ends.into_iter().enumerate().map(edge).collect()
    }
}

fn insert<'a>(positions: &mut HashMap<&'a str, usize>, id: &'a Located) -> Result<(), Fault> {
    let next = positions.len();
    let text = id.as_text()?;
    match positions.insert(text, next) {
        None => Ok(()),
        Some(_) => Err(Fault::new(LoadProblem::DuplicateTask { id: text.to_owned() }).at(id.place)),
    }
}

fn position(positions: &HashMap<&str, usize>, id: &Located) -> Result<usize, Fault> {
    let text = id.as_text()?;
    let unknown = || Fault::new(LoadProblem::UnknownTask { id: text.to_owned() }).at(id.place);
    positions.get(text).copied().ok_or_else(unknown)
}

fn dependencies(
    section: Fields<'_>,
    list: &'static str,
    positions: &HashMap<&str, usize>,
) -> Result<Vec<(usize, usize)>, Fault> {
    let mut seen = HashSet::new();
    let mut dependencies = Vec::new();
    let mut own = 0;
    section.each(list, |task| {
        let task = task.open_fields()?;
        let parents = task.each("parents", |parent| Ok((position(positions, parent)?, own)))?;
        let children = task.each("children", |child| Ok((own, position(positions, child)?)))?;
        let pairs = parents.into_iter().chain(children);
        dependencies.extend(pairs.filter(|pair| seen.insert(*pair)));
        own += 1;
        Ok(())
    })?;
    Ok(dependencies)
}

fn runtime(value: &Located) -> Result<Duration, Fault> {
    const SECONDS_MAX: f64 = 100.0 * 366.0 * 24.0 * 3600.0;
    let Tree::Number(number) = &value.tree else {
        return Err(value.wrong_type("a number"));
    };
    let seconds = number.as_f64().unwrap_or(f64::NAN);
    if !(0.0..=SECONDS_MAX).contains(&seconds) {
        return Err(Fault::new(LoadProblem::BadRuntime { seconds }).at(value.place));
    }
    Ok(Duration::from_secs_f64(seconds))
}

fn task_node(task: &Specified<'_>) -> Node {
    let work = Task { title: Some(task.name.to_owned()), work: Work::Handler(SIMULATE.to_owned()), ..Task::default() };
    node(task.id.to_owned(), task.name, NodeKind::Task(work))
}

fn node(id: String, label: &str, kind: NodeKind) -> Node {
    Node::new(id, label, kind)
}

fn edge((position, (source, target)): (usize, (&str, &str))) -> Edge {
    Edge {
        id: format!("e{}", position + 1),
        source: source.to_owned(),
        target: target.to_owned(),
        kind: EdgeKind::Sequential,
        label: None,
    }
}

#[cfg(test)]
mod tests;
