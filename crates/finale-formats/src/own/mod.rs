//! finale's own format, in YAML or JSON.
//!
//! ```yaml
//! id: release
//! inputs:
//!   tag: string
//!   publish: {type: boolean, default: false}
//! tasks:
//!   test:
//!     shell: cargo test
//!   tag:
//!     shell: {command: git tag "$TAG", env: {TAG: "${{ input.tag }}"}}
//!     after: test
//!   publish:
//!     handler: publish_crate
//!     with: {tag: "${{ input.tag }}"}
//!     after: tag
//!     when: input.publish
//!     retry: {attempts: 3, backoff: 10s}
//! ```
//!
//! - `tasks` maps ids to tasks, `nodes` maps ids to all other nodes; their order is kept. A task says what does it:
//!   `handler`, or one of the short forms `shell`, `sleep` and `log`, which are handlers of these names. A task that says
//!   nothing is done outside.
//! - `after` names what comes before. Behind a condition or a verification it says the answer:
//!   `{node: review, on: pass}`. What comes after a split is one of its branches.
//! - `on_failure` of a task names the node that handles its failure; nothing else leads to that node.
//! - `delay`, `until` and `signal` are nodes that wait. What waits for a signal has a `timeout`, and `on_timeout` names the
//!   node that runs if none came in time.
//! - `trigger_rule` says by which rule a node begins, where the default one will not do; a `join` says it itself.
//! - `when` puts a decision before a node: see [`Definition::guard`].
//! - `edges` draws ways one by one, where that is easier.
//! - A start and an end are implied where there is none: see [`Definition::imply_ends`].
//! - `with` is a literal value. A text in it that is wholly `${{ expression }}` is the value of the expression, and one
//!   that contains some is joined to a text. The same holds for the texts of the short forms. A `${{` that is meant
//!   literally is written `${{ "${{" }}`. What is put into a shell command this way is part of the command: hand over
//!   what others may choose in `env`, or write `${{ expression | quote }}`.
//! - A scalar is what was written where text is meant (`env`, `labels`); elsewhere a number is what JSON takes for one, and
//!   what may be another thing (`0755`, `3.10`) is refused.
//! - Keys that begin with `x-` are ignored: a place for the anchors of YAML.
//! - `call` runs another workflow as a task: one of `workflows`, which stand in the same file or in another one, or one that
//!   the application has registered.
//! - `finally` beside `tasks` is what runs when the end is decided, whatever it is; `compensate` of a task undoes it, if it was
//!   done and the workflow, or the group that it is in, then fails or is cancelled.
//! - `map` runs a task once for each item of a list, `loop` round by round, and `group` is a graph that stands where the work
//!   of a task does.
//! - Durations have units: `500ms`, `2s`, `10m`, `1h30m`, `2d`.
//!
//! Everything else is described, key by key, in the [schema](crate::SCHEMA).

mod absent;
mod call;
mod command;
mod control;
mod declaration;
mod duration;
mod edge;
mod expression;
mod graph;
#[cfg(test)]
pub(crate) mod keys;
mod policy;
mod report;
mod retry;
mod rule;
mod schema;
mod section;
mod short;
mod task;
mod wait;

use std::collections::{BTreeMap, HashMap};

use finale_core::Definition;
use finale_core::definition::{Body, Document, EdgeKind, Graph, Node, NodeKind, Subworkflow, Task, title_of};

pub(crate) use self::declaration::type_name;
pub use self::duration::{BadDuration, parse_duration};
use self::edge::{Drawing, Ends};
use self::report::Report;
use self::section::{Keys, Section};
use crate::error::{Faults, LoadProblem, Place};
use crate::places::Places;
use crate::tree::{Entry, Located, Tree};
use crate::warning::FileWarning;

pub(crate) const KEYS: Keys = Keys {
    accepted: &[
        "$schema",
        "id",
        "name",
        "version",
        "description",
        "inputs",
        "outputs",
        "input_schema",
        "output_schema",
        "on_failure",
        "siblings",
        "finally",
        "ending_within",
        "output",
        "tasks",
        "nodes",
        "edges",
        "workflows",
        "x-*",
    ],
    slips: &[
        ("title", "name"),
        ("label", "name"),
        ("workflow", "id"),
        ("steps", "tasks"),
        ("jobs", "tasks"),
        ("stages", "tasks"),
        ("params", "inputs"),
        ("parameters", "inputs"),
        ("result", "output"),
        ("results", "outputs"),
        ("schema", "input_schema"),
        ("on_error", "on_failure"),
        ("failure_policy", "on_failure"),
        ("policy", "on_failure"),
        ("always", "finally"),
        ("cleanup", "finally"),
        ("teardown", "finally"),
        ("on_exit", "finally"),
        ("onexit", "finally"),
        ("on_end", "finally"),
        ("ending_timeout", "ending_within"),
        ("subworkflows", "workflows"),
        ("sub_workflows", "workflows"),
        ("templates", "workflows"),
        ("links", "edges"),
        ("connections", "edges"),
    ],
};

/// What a document says.
pub(crate) struct Read {
    pub(crate) definition: Definition,
    pub(crate) places: Places,
    pub(crate) warnings: Vec<FileWarning>,
    pub(crate) files: Vec<CalledFile>,
}

/// A workflow that stands in another file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CalledFile {
    /// The id under which it is called; the file must define a workflow of that id.
    pub id: String,
    /// Where the file is, as it was written: relative to the file that names it.
    pub path: String,
    /// Line and column of the path in the file that names it, both counted from 1.
    pub place: Option<(u32, u32)>,
}

/// Reads a document; everything that is wrong with it is reported, and so is what can be told of its graph then.
pub(crate) fn read(root: &Located) -> Result<Read, Faults> {
    let mut report = Report::default();
    let mut reader = Reader::new();
    if let Some(section) = Section::open_within(root, &KEYS, absent::OF_A_FILE, &mut report) {
        reader.read(&section, None, &mut report);
    }
    let files = std::mem::take(&mut reader.files);
    let (mut definition, places) = reader.finish();
    pin(&mut definition, &BTreeMap::new());
    match report.finish() {
        Ok(warnings) => Ok(Read { definition, places, warnings, files }),
        Err(mut faults) => {
            graph::add_problems(&definition, &places, &mut faults);
            Err(faults)
        }
    }
}

struct Reader {
    definition: Definition,
    places: Places,
    drawing: Drawing,
    /// What must be true for a node to run, by id.
    conditions: BTreeMap<String, String>,
    /// Where that is said, by id.
    guards: HashMap<String, Option<Place>>,
    /// Workflows that stand in other files.
    files: Vec<CalledFile>,
}

impl Reader {
    fn new() -> Self {
        Self {
            definition: Definition::new(""),
            places: Places::default(),
            drawing: Drawing::default(),
            conditions: BTreeMap::new(),
            guards: HashMap::new(),
            files: Vec::new(),
        }
    }

    /// Reads a workflow; one that stands in the file of another is called by its key there.
    fn read<'a>(&mut self, root: &Section<'a>, key: Option<&str>, report: &mut Report<'a>) {
        self.read_head(root, key, report);
        let mut ends = Ends::new();
        for entry in root.entries() {
            self.places.add_head(&entry.key, entry.value.place);
            if let "tasks" | "nodes" = entry.key.as_str() {
                report.inside(&entry.key, |report| self.read_nodes(entry, &mut ends, report));
            }
        }
        if root.entry("nodes").is_none() {
            root.require("tasks", report, |_, _| Some(()));
        }
        for entry in root.entries() {
            report.inside(&entry.key, |report| match entry.key.as_str() {
                "tasks" | "nodes" => self.connect_nodes(&entry.value, &ends, report),
                "edges" => edge::list(&entry.value, &ends, &mut self.drawing, report),
                "workflows" => self.read_workflows(&entry.value, report),
                _ => {}
            });
        }
    }

    /// Reads the workflows that are called from here, each under its id: as a whole, or the path of another file.
    fn read_workflows<'a>(&mut self, value: &'a Located, report: &mut Report<'a>) {
        for Entry { key: id, value, .. } in section::entries(value, report).unwrap_or_default() {
            report.inside(id, |report| {
                if let Tree::Text(_) = value.tree {
                    let path = section::text(value, report).unwrap_or_default();
                    let place = value.place.map(|place| (place.line, place.column));
                    return self.files.push(CalledFile { id: id.clone(), path, place });
                }
                let mut reader = Self::new();
                let Some(section) = Section::open_within(value, &KEYS, absent::OF_A_FILE, report) else { return };
                reader.read(&section, Some(id), report);
                self.files.append(&mut reader.files);
                let (definition, mut places) = reader.finish();
                places.whole = value.place;
                self.definition.workflows.push(definition);
                self.places.workflows.push(places);
            });
        }
    }

    fn read_head<'a>(&mut self, root: &Section<'a>, key: Option<&str>, report: &mut Report<'a>) {
        let definition = &mut self.definition;
        definition.id = match key {
            Some(key) => key.to_owned(),
            // Whoever looks for more mistakes must not find one in the id that is missing.
            None => root.require("id", report, section::text).unwrap_or_else(|| "?".to_owned()),
        };
        if let (Some(_), Some(entry)) = (key, root.entry("id")) {
            let reason = "it is called by the key that it stands under";
            let problem = || LoadProblem::Contradiction { key: "id", other: "workflows", reason };
            report.inside("id", |report| report.add(entry.key_place, problem));
        }
        definition.name = root.read("name", report, section::text).unwrap_or_else(|| title_of(&definition.id));
        if let Some(version) = root.read("version", report, section::text) {
            definition.version = version;
        }
        for key in ["description", "$schema"] {
            root.read(key, report, section::text);
        }
        let inputs = root.read("inputs", report, declaration::list).unwrap_or_default();
        let outputs = root.read("outputs", report, declaration::list).unwrap_or_default();
        (definition.inputs, self.places.inputs) = inputs.into_iter().unzip();
        (definition.outputs, self.places.outputs) = outputs.into_iter().unzip();
        definition.input_schema = root.read("input_schema", report, schema::read);
        definition.output_schema = root.read("output_schema", report, schema::read);
        definition.policy.on_failure = root.read("on_failure", report, policy::on_failure).unwrap_or_default();
        definition.policy.siblings = root.read("siblings", report, policy::siblings).unwrap_or_default();
        definition.output = root.read("output", report, expression::read);
        definition.finally =
            root.read("finally", report, |value, report| task::body::read("finally", value, report)).map(Box::new);
        self.places.finally = report.take_body().map(Box::new);
        definition.ending_within = root.read("ending_within", report, duration::read_longer_than_zero);
    }

    fn read_nodes<'a>(&mut self, group: &'a Entry, ends: &mut Ends<'a>, report: &mut Report<'a>) {
        let Tree::Map(entries) = &group.value.tree else {
            return report.wrong_type(&group.value, NODES_EXPECTED).unwrap_or_default();
        };
        for entry in entries {
            let Entry { key: id, key_place, value } = entry;
            let node = report.inside(id, |report| {
                if ends.has(id) {
                    report.add(*key_place, || LoadProblem::DuplicateNode { id: id.clone() });
                }
                match group.key.as_str() {
                    "tasks" => Some(task::read(id, entry, report)),
                    _ => control::read(id, value, report),
                }
            });
            ends.add(id, node.as_ref().map(|node| &node.kind));
            self.places.add_node(id, *key_place);
            let (body, compensation) = (report.take_body(), report.take_compensation());
            self.add_places(id, *key_place, control::ways(value), body);
            if let Some(compensation) = compensation {
                self.places.compensations.insert(id.clone(), compensation);
            }
            // A node that could not be read is there all the same, for those who look at it.
            self.definition.nodes.push(node.unwrap_or_else(|| Node::task(id, Task::external())));
        }
    }

    /// Notes where the expressions of a node stand, and what is inside of it.
    fn add_places(&mut self, id: &str, key_place: Option<Place>, value: &Located, body: Option<Places>) {
        let repeated = ["map", "loop"].into_iter().find_map(|key| value.tree.get(key));
        // What is known already of the only task inside is what undoes it.
        let body = match body {
            Some(graph) if graph.has_nodes() => Some(graph),
            compensated => repeated.map(|_| {
                let mut single = compensated.unwrap_or_default();
                single.add_node(id, key_place);
                single.add_expression(id, expression_value(value));
                single.add_schemas(id, value);
                single
            }),
        };
        self.places.add_schemas(id, value);
        self.places.add_expression(id, repeated.map(repeating_value).or_else(|| expression_value(value)));
        if let Some(body) = body {
            self.places.bodies.insert(id.to_owned(), body);
        }
    }

    /// What comes before each node can be told when all nodes are known.
    fn connect_nodes<'a>(&mut self, group: &'a Located, ends: &Ends<'a>, report: &mut Report<'a>) {
        let Tree::Map(entries) = &group.tree else {
            return;
        };
        for Entry { key: id, value, .. } in entries {
            report.inside(id, |report| self.connect_node(id, Section::reopen(control::ways(value)), ends, report));
        }
    }

    fn connect_node<'a>(&mut self, id: &str, node: Section<'a>, ends: &Ends<'a>, report: &mut Report<'a>) {
        node.read("after", report, |value, report| {
            edge::after(id, value, ends, &mut self.drawing, report);
            Some(())
        });
        node.read("on_failure", report, |value, report| {
            match value.tree.text().filter(|word| !ends.has(word)).and_then(absent::answer_to_a_failure) {
                None => edge::leads_to(id, value, EdgeKind::OnFailure, ends, &mut self.drawing, report),
                Some((word, instead)) => {
                    let key = format!("on_failure: {word}");
                    report.add(value.place, || LoadProblem::Unsupported { key, instead });
                }
            }
            Some(())
        });
        node.read("on_timeout", report, |value, report| {
            edge::leads_to(id, value, EdgeKind::OnTimeout, ends, &mut self.drawing, report);
            Some(())
        });
        for key in ["when", "if"] {
            node.read(key, report, |value, report| {
                let (function, instead) = absent::status_function(value.tree.text()?)?;
                report.add(value.place, || LoadProblem::Unsupported { key: format!("{function}()"), instead });
                Some(())
            });
        }
        let condition =
            node.read("when", report, |value, report| Some((expression::read(value, report)?, value.place)));
        if let Some((condition, place)) = condition {
            self.conditions.insert(id.to_owned(), condition);
            self.guards.insert(id.to_owned(), place);
        }
    }

    /// Draws what is implied.
    fn finish(self) -> (Definition, Places) {
        let Self { mut definition, mut places, mut drawing, conditions, guards, files: _ } = self;
        definition.edges = std::mem::take(&mut drawing.edges);
        definition.guard(&conditions);
        for pair in definition.nodes.windows(2) {
            if let Some(place) = guards.get(&pair[1].id) {
                places.add_guard(&pair[0].id, *place);
            }
        }
        definition.imply_ends();
        drawing.rename_invented(&mut definition.edges);
        places.edges = drawing.places;
        (definition, places)
    }
}

/// Gives each call that says no version that of the workflow of its id in the same file; `around` are those that stand
/// further out. The version of one in another file is known when that was read: then it is done once more.
pub(crate) fn pin(definition: &mut Definition, around: &BTreeMap<String, String>) {
    let mut versions = around.clone();
    versions.extend(definition.workflows.iter().map(|called| (called.id.clone(), called.version.clone())));
    pin_nodes(&mut definition.nodes, &versions);
    definition.finally.iter_mut().for_each(|body| pin_body(body, &versions));
    definition.workflows.iter_mut().for_each(|called| pin(called, &versions));
}

/// The same for some nodes, what is inside of them and what undoes them.
fn pin_nodes(nodes: &mut [Node], versions: &BTreeMap<String, String>) {
    for node in nodes {
        node.compensate.iter_mut().for_each(|body| pin_body(body, versions));
        match &mut node.kind {
            NodeKind::Subworkflow(call) => pin_call(call, versions),
            NodeKind::Group(group) => pin_graph(&mut group.graph, versions),
            NodeKind::Map(map) => pin_body(&mut map.body, versions),
            NodeKind::Loop(repeated) => pin_body(&mut repeated.body, versions),
            _ => {}
        }
    }
}

fn pin_body(body: &mut Body, versions: &BTreeMap<String, String>) {
    match body {
        Body::Call(call) => pin_call(call, versions),
        Body::Graph(graph) => pin_graph(graph, versions),
        Body::Task(_) => {}
    }
}

fn pin_graph(graph: &mut Graph, versions: &BTreeMap<String, String>) {
    pin_nodes(&mut graph.nodes, versions);
    graph.finally.iter_mut().for_each(|body| pin_body(body, versions));
}

fn pin_call(call: &mut Subworkflow, versions: &BTreeMap<String, String>) {
    if call.version.is_none() {
        call.version = call.workflow.as_ref().and_then(|workflow| versions.get(workflow).cloned());
    }
}

const NODES_EXPECTED: &str =
    "a map with each node under its id, like `build: {shell: make}` (`after` says in which order they run)";

/// The value that is the expression of a node, or is made into one.
fn expression_value(node: &Located) -> Option<&Located> {
    const EXPRESSIONS: [&str; 8] = ["input", "with", "condition", "shell", "sleep", "log", "until", "signal"];
    EXPRESSIONS.into_iter().find_map(|key| node.tree.get(key))
}

/// What says of a map or a loop how often it runs.
fn repeating_value(repeated: &Located) -> &Located {
    ["until", "while", "items"].into_iter().find_map(|key| repeated.tree.get(key)).unwrap_or(repeated)
}

/// The input of the handler that a short form stands for, if nothing is wrong with it.
pub(crate) fn short_form(name: &str, value: &Located) -> Option<Document> {
    let (_, read) = short::FORMS.iter().find(|(known, _)| *known == name)?;
    let mut report = Report::default();
    let input = read(value, &mut report);
    report.finish().ok()?;
    input
}

/// The word behind `on` for an edge.
pub(crate) fn answer(kind: EdgeKind) -> &'static str {
    edge::ANSWERS.iter().find(|(_, known)| *known == kind).map_or("always", |(word, _)| word)
}
