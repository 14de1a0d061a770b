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
//! - `when` puts a decision before a node: see [`Definition::guard`].
//! - `edges` draws ways one by one, where that is easier.
//! - A start and an end are implied where there is none: see [`Definition::imply_ends`].
//! - `with` is a literal value. A text in it that is wholly `${{ expression }}` is the value of the expression, and one
//!   that contains some is joined to a text. The same holds for the texts of the short forms. A `${{` that is meant
//!   literally is written `${{ "${{" }}`. What is put into a shell command this way is part of the command: hand over
//!   what others may choose in `env`.
//! - Durations have units: `500ms`, `2s`, `10m`, `1h30m`, `2d`.
//!
//! Everything else is described, key by key, in the [schema](crate::SCHEMA).

mod control;
mod declaration;
mod duration;
mod edge;
mod expression;
#[cfg(test)]
pub(crate) mod keys;
mod policy;
mod report;
mod section;
mod short;
mod task;

use std::collections::{BTreeMap, HashMap};

use finale_core::Definition;
use finale_core::definition::{Document, EdgeKind, title_of};

pub(crate) use self::declaration::type_name;
pub use self::duration::{BadDuration, parse_duration};
use self::edge::Ends;
use self::report::Report;
use self::section::{Keys, Section};
use crate::error::{Faults, LoadProblem, Place};
use crate::places::Places;
use crate::tree::{Entry, Located, Tree};

pub(crate) const KEYS: Keys = Keys {
    accepted: &[
        "$schema",
        "id",
        "name",
        "version",
        "description",
        "inputs",
        "outputs",
        "on_failure",
        "siblings",
        "output",
        "tasks",
        "nodes",
        "edges",
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
        ("on_error", "on_failure"),
        ("failure_policy", "on_failure"),
        ("policy", "on_failure"),
        ("links", "edges"),
        ("connections", "edges"),
    ],
};

/// Reads a document; everything that is wrong with it is reported.
pub(crate) fn read(root: &Located) -> Result<(Definition, Places), Faults> {
    let mut report = Report::default();
    let mut reader = Reader {
        definition: Definition::new(""),
        places: Places::default(),
        conditions: BTreeMap::new(),
        guards: HashMap::new(),
    };
    if let Some(section) = Section::open(root, &KEYS, &mut report) {
        reader.read(&section, &mut report);
    }
    report.finish(())?;
    Ok(reader.finish())
}

struct Reader {
    definition: Definition,
    places: Places,
    /// What must be true for a node to run, by id.
    conditions: BTreeMap<String, String>,
    /// Where that is said, by id.
    guards: HashMap<String, Option<Place>>,
}

impl Reader {
    fn read<'a>(&mut self, root: &Section<'a>, report: &mut Report<'a>) {
        self.read_head(root, report);
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
                "edges" => edge::list(&entry.value, &ends, &mut self.definition, report),
                _ => {}
            });
        }
    }

    fn read_head<'a>(&mut self, root: &Section<'a>, report: &mut Report<'a>) {
        let definition = &mut self.definition;
        definition.id = root.require("id", report, section::text).unwrap_or_default();
        definition.name = root.read("name", report, section::text).unwrap_or_else(|| title_of(&definition.id));
        if let Some(version) = root.read("version", report, section::text) {
            definition.version = version;
        }
        for key in ["description", "$schema"] {
            root.read(key, report, section::text);
        }
        definition.inputs = root.read("inputs", report, declaration::list).unwrap_or_default();
        definition.outputs = root.read("outputs", report, declaration::list).unwrap_or_default();
        definition.policy.on_failure = root.read("on_failure", report, policy::on_failure).unwrap_or_default();
        definition.policy.siblings = root.read("siblings", report, policy::siblings).unwrap_or_default();
        definition.output = root.read("output", report, expression::read);
    }

    fn read_nodes<'a>(&mut self, group: &'a Entry, ends: &mut Ends<'a>, report: &mut Report<'a>) {
        let Some(entries) = section::entries(&group.value, report) else {
            return;
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
            self.places.add_expression(id, expression_place(control::ways(value)));
            self.definition.nodes.extend(node);
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
            edge::after(id, value, ends, &mut self.definition, report);
            Some(())
        });
        let condition =
            node.read("when", report, |value, report| Some((expression::read(value, report)?, value.place)));
        if let Some((condition, place)) = condition {
            self.conditions.insert(id.to_owned(), condition);
            self.guards.insert(id.to_owned(), place);
        }
    }

    /// Draws what is implied.
    fn finish(self) -> (Definition, Places) {
        let Self { mut definition, mut places, conditions, guards } = self;
        definition.guard(&conditions);
        for pair in definition.nodes.windows(2) {
            if let Some(place) = guards.get(&pair[1].id) {
                places.add_node(&pair[0].id, *place);
                places.add_expression(&pair[0].id, *place);
            }
        }
        definition.imply_ends();
        (definition, places)
    }
}

/// Where the expression of a node is.
fn expression_place(node: &Located) -> Option<Place> {
    const EXPRESSIONS: [&str; 6] = ["input", "with", "condition", "shell", "sleep", "log"];
    EXPRESSIONS.into_iter().find_map(|key| node.tree.get(key)).and_then(|value| value.place)
}

/// The input of the handler that a short form stands for, if nothing is wrong with it.
pub(crate) fn short_form(name: &str, value: &Located) -> Option<Document> {
    let (_, read) = short::FORMS.iter().find(|(known, _)| *known == name)?;
    let mut report = Report::default();
    let input = read(value, &mut report);
    report.finish(input).ok()?
}

/// The word behind `on` for an edge.
pub(crate) fn answer(kind: EdgeKind) -> &'static str {
    edge::ANSWERS.iter().find(|(_, known)| *known == kind).map_or("always", |(word, _)| word)
}
