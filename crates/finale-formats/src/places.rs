//! Where the parts of a definition stand in its file.

use std::collections::HashMap;

use finale_core::Definition;
use finale_core::NodePath;
use finale_core::compile::{Code, Part, Problem};
use finale_core::expression::{Expression, template};
use finale_core::path::Instance;
use rustc_hash::FxHashMap;

use crate::error::Place;
use crate::tree::{Located, Tree};
use crate::wfformat;

/// Where the parts of a definition stand in the file it was loaded from.
///
/// What a file only implies, like most starts and ends, has no place.
///
/// ```
/// use finale_formats::{Format, load};
///
/// let text = b"id: release\ntasks:\n  test:\n    shell: cargo test\n    when: input.thorough\n";
/// let loaded = load(text, Format::Auto, "release.yaml")?;
/// assert_eq!(loaded.places.node("test"), Some((3, 3)));
/// assert_eq!(loaded.places.expression("test?"), Some((5, 11)));
/// assert_eq!(loaded.places.node("start"), None);
/// # Ok::<(), finale_formats::LoadError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Places {
    nodes: HashMap<String, Place>,
    /// Where an id stands for the second time.
    repeated: HashMap<String, Place>,
    expressions: HashMap<String, Place>,
    /// The templates in the value of a node, by its id, where there are several.
    templates: HashMap<String, Vec<(String, Option<Place>)>>,
    /// The schemas of a node, by its id: of its input, and of its output or of what its signal says.
    schemas: HashMap<String, [Option<Place>; 2]>,
    heads: HashMap<String, Place>,
    /// By position in the definition.
    pub(crate) inputs: Vec<Option<Place>>,
    pub(crate) outputs: Vec<Option<Place>>,
    pub(crate) edges: Vec<Option<Place>>,
    /// Those of the workflows that stand in the same file.
    pub(crate) workflows: Vec<Places>,
    /// Those of what is inside of nodes, by the ids of the nodes.
    pub(crate) bodies: HashMap<String, Places>,
    /// Those of what undoes nodes, by the ids of the nodes.
    pub(crate) compensations: HashMap<String, Places>,
    /// Those of what runs at the end.
    pub(crate) finally: Option<Box<Places>>,
    /// Where the whole of it stands, if it is one of those.
    pub(crate) whole: Option<Place>,
}

impl Places {
    /// Line and column of the node with that id, both counted from 1. One that is inside of another is named by its path.
    pub fn node(&self, id: &str) -> Option<(u32, u32)> {
        self.node_place(id).map(|place| (place.line, place.column))
    }

    /// Line and column of the expression of the node with that id: the input of a task, the condition of a decision.
    pub fn expression(&self, id: &str) -> Option<(u32, u32)> {
        self.expression_at(id).map(|place| (place.line, place.column))
    }

    /// Line and column of the value under that key of the document itself, like `version` or `output`.
    pub fn head(&self, key: &str) -> Option<(u32, u32)> {
        self.heads.get(key).map(|place| (place.line, place.column))
    }

    pub(crate) fn add_node(&mut self, id: &str, place: Option<Place>) {
        let is_known = self.nodes.contains_key(id);
        add(if is_known { &mut self.repeated } else { &mut self.nodes }, id, place);
    }

    /// Whether it knows of any node.
    pub(crate) fn has_nodes(&self) -> bool {
        !self.nodes.is_empty()
    }

    /// A decision that stands before a node, and is written with it.
    pub(crate) fn add_guard(&mut self, id: &str, place: Option<Place>) {
        add(&mut self.nodes, id, place);
        add(&mut self.expressions, id, place);
    }

    /// The value that is the expression of a node, or is made into one.
    pub(crate) fn add_expression(&mut self, id: &str, value: Option<&Located>) {
        let Some(value) = value else {
            return;
        };
        add(&mut self.expressions, id, value.place);
        if let Tree::List(_) | Tree::Map(_) = value.tree {
            let mut templates = Vec::new();
            collect(value, &mut templates);
            if !templates.is_empty() {
                self.templates.insert(id.to_owned(), templates);
            }
        }
    }

    /// The schemas in the value of a node.
    pub(crate) fn add_schemas(&mut self, id: &str, value: &Located) {
        let place = |key: &str| value.tree.get(key).and_then(|schema| schema.place);
        let places = [place("input_schema"), place("output_schema").or_else(|| place("schema"))];
        if places.iter().any(Option::is_some) {
            self.schemas.insert(id.to_owned(), places);
        }
    }

    pub(crate) fn add_head(&mut self, key: &str, place: Option<Place>) {
        add(&mut self.heads, key, place);
    }

    /// The places in a document that lists its nodes, each with its id in it.
    pub(crate) fn of_lists(root: &Located) -> Self {
        let mut places = Self::default();
        let root = root.tree.get("blueprint").unwrap_or(root);
        if let Tree::Map(entries) = &root.tree {
            entries.iter().for_each(|entry| places.add_head(&entry.key, entry.value.place));
        }
        for node in root.tree.get("nodes").map_or_else(|| wfformat::listed_tasks(root), elements) {
            let id = ["id", "name"].into_iter().find_map(|key| node.tree.get(key)?.tree.text());
            if let Some(id) = id {
                places.add_node(id, node.place);
                places.add_expression(id, node.tree.get("config").and_then(|it| it.tree.get("condition_expression")));
            }
        }
        let all = |key| root.tree.get(key).map(elements).unwrap_or_default().iter().map(|one| one.place).collect();
        (places.inputs, places.outputs, places.edges) = (all("inputs"), all("outputs"), all("edges"));
        places
    }

    /// Where a problem of a definition is: at the entry or the node that it is about, else at the key of the document.
    pub(crate) fn place_of(&self, definition: &Definition, problem: &Problem) -> Option<Place> {
        if let Some(Part::Workflow(position)) = problem.part {
            let (places, called) = (self.workflows.get(position)?, definition.workflows.get(position)?);
            let inside = Problem { part: None, ..problem.clone() };
            return places.place_of(called, &inside).or(places.whole);
        }
        let at = |places: &[Option<Place>], position: usize| places.get(position).copied().flatten();
        let part = match problem.part {
            Some(Part::Input(position)) => at(&self.inputs, position),
            Some(Part::Output(position)) => at(&self.outputs, position),
            Some(Part::Edge(position)) => at(&self.edges, position),
            Some(Part::InputSchema) => self.schema_place(problem, 0, "input_schema"),
            Some(Part::OutputSchema) => self.schema_place(problem, 1, "output_schema"),
            _ => None,
        };
        let nodes = || problem.nodes.iter();
        part.or_else(|| {
            nodes().find_map(|node| match problem.code {
                Code::ExpressionInvalid => self.expression_place(definition, node),
                Code::ReadsLaterNode
                | Code::ConditionNeverTrue
                | Code::BadItems
                | Code::TooManyItems
                | Code::BadRounds => self.expression_at(node),
                Code::DuplicateNodeId => self.within(node, |places, id| places.repeated.get(id).copied()),
                _ => None,
            })
        })
        .or_else(|| nodes().find_map(|node| self.node_place(node)))
        .or_else(|| self.heads.get(head_of(problem.code)?).copied())
    }

    /// Where the expression of a node is wrong: of several templates, the first that cannot be compiled.
    fn expression_place(&self, definition: &Definition, node: &str) -> Option<Place> {
        let names = || (0..).zip(&definition.nodes).map(|(number, node)| (node.id.clone(), number)).collect();
        let wrong = self.templates.get(node).and_then(|templates| {
            let names: FxHashMap<String, u32> = names();
            let is_wrong = |source: &str| Expression::compile(source, &names, Vec::new).is_err();
            templates.iter().find(|(source, _)| is_wrong(source)).and_then(|(_, place)| *place)
        });
        wrong.or_else(|| self.expression_at(node))
    }

    /// Where the schema is that a problem is about: of its node, or of the document.
    fn schema_place(&self, problem: &Problem, side: usize, key: &str) -> Option<Place> {
        match problem.nodes.first() {
            Some(node) => self.within(node, |places, id| places.schemas.get(id).copied()?[side]),
            None => self.heads.get(key).copied(),
        }
    }

    fn node_place(&self, name: &str) -> Option<Place> {
        self.within(name, |places, id| places.nodes.get(id).copied())
    }

    fn expression_at(&self, name: &str) -> Option<Place> {
        self.within(name, |places, id| places.expressions.get(id).copied())
    }

    /// What is found of a node, by its id or by the way that leads to it through the nodes that it is inside of.
    fn within(&self, name: &str, find: impl Fn(&Self, &str) -> Option<Place>) -> Option<Place> {
        if let Some(place) = find(self, name) {
            return Some(place);
        }
        let path: NodePath = name.parse().ok()?;
        let mut places = self;
        for step in path.within() {
            places = match step.instance {
                Instance::Finally => places.finally.as_deref()?,
                Instance::Compensation => places.compensations.get(&*step.node)?,
                _ => places.bodies.get(&*step.node)?,
            };
        }
        find(places, path.node())
    }
}

fn elements(list: &Located) -> &[Located] {
    match &list.tree {
        Tree::List(elements) => elements,
        _ => &[],
    }
}

/// The templates in a value, with the places of their texts.
fn collect(value: &Located, templates: &mut Vec<(String, Option<Place>)>) {
    match &value.tree {
        Tree::List(elements) => elements.iter().for_each(|element| collect(element, templates)),
        Tree::Map(entries) => entries.iter().for_each(|entry| collect(&entry.value, templates)),
        Tree::Text(text) => {
            for part in template::parts(text).unwrap_or_default() {
                if let template::Part::Expression(source) = part {
                    templates.push((source.to_owned(), value.place));
                }
            }
        }
        Tree::Null | Tree::Bool(_) | Tree::Number(_) => {}
    }
}

/// The key of the document that a problem without a node is about.
fn head_of(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::BadVersion => "version",
        Code::BadEndingWithin => "ending_within",
        Code::ExpressionInvalid => "output",
        Code::DuplicateInput | Code::RequiredWithDefault | Code::DefaultType => "inputs",
        Code::DuplicateOutput | Code::OptionalOutput => "outputs",
        Code::UnknownEdgeSource | Code::UnknownEdgeTarget | Code::DuplicateEdgeId => "edges",
        Code::BlankField => "id",
        _ => return None,
    })
}

fn add(places: &mut HashMap<String, Place>, name: &str, place: Option<Place>) {
    if let Some(place) = place {
        places.entry(name.to_owned()).or_insert(place);
    }
}
