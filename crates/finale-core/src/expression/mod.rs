//! The expression language: conditions, inputs of tasks, outputs of executions.
//!
//! An expression is what stands between the braces of a Jinja template. It sees these names:
//!
//! - `input`: the input of the execution;
//! - `nodes`: by id, each with `status`, `output` (once it has completed) and `error` (once it has failed),
//!   written `nodes.reserve.output` or `nodes["charge-card"].output`;
//! - `vars`: the input of the execution, if it is an object, overlaid by the objects that completed tasks before this
//!   node have put out, in the order of the definition;
//! - `failures`, at a node that handles failures: each with its `node`, `title`, `kind`, `class`, `reason`, `attempt` and
//!   `attempts`, in the order in which they happened; `failure` is the first of them.
//!
//! The result of a call and what runs inside of nodes see [more](Local).
//!
//! The language is strict: what is undefined may be asked for (`is defined`, `is truthy`, `| default(0)`) and may not be
//! used, neither as an operand nor as the result. It is deterministic (no clock, no randomness) and bounded:
//! see [`limits`].

mod calculate;
pub(crate) mod claim;
mod document;
mod environment;
mod error;
mod evaluate;
mod filters;
mod functions;
mod json;
mod known;
pub mod limits;
mod literal;
pub(crate) mod moment;
mod number;
mod order;
mod parse;
mod path;
mod program;
mod quote;
pub(crate) mod reads;
mod references;
mod scan;
mod scope;
pub mod template;
#[cfg(test)]
mod tests;
mod texts;

use minijinja::Value;
use minijinja::value::ValueKind;
use rustc_hash::FxHashMap;

use crate::payload::{self, Payload};
use crate::status::NodeStatus;

use self::document::Document;
pub use self::document::DocumentError;
pub use self::error::{EvaluationError, ExpressionError};
use self::path::Path;
use self::program::Program;
use self::scope::Scope;

/// A compiled expression over `input`, `nodes`, `vars` and `failures`.
///
/// One that is a literal, `{"a": [1, "x"]}`, is its value: a clone of that copies no bytes.
#[derive(Debug)]
pub struct Expression(Kind);

#[derive(Debug)]
enum Kind {
    Literal(Payload),
    Formula(Box<Formula>),
    Document(Box<Document>),
    /// Members of an object, each with its quoted name.
    Object(Box<[(Box<str>, Expression)]>),
}

/// What stands between the braces of a template.
#[derive(Debug)]
struct Formula {
    source: Box<str>,
    program: Program,
    scope: Scope,
    path: Option<Path>,
}

/// What an expression may ask of an execution.
pub trait Facts {
    /// The input of the execution.
    fn input(&self) -> &Payload;
    /// What is known of the node with that number.
    fn node(&self, position: u32) -> NodeView;
    /// The failures that the node handles whose expression it is: a list, of each what a record says of it. It is empty
    /// unless the node handles any.
    fn failures(&self) -> Payload {
        Payload::trusted(b"[]")
    }

    /// What a name stands for that is known in some places only; asked for only where the expression was compiled so.
    fn local(&self, _local: Local) -> Payload {
        Payload::NULL
    }
}

/// A name that expressions see in some places only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Local {
    /// `output`: what a called workflow gave, or the round of a loop.
    Output,
    /// `child`: the `vars` of a called workflow once it has completed.
    Child,
    /// `item`: the item of a map.
    Item,
    /// `index`: the place of that item, from 0.
    Index,
    /// `round`: the number of the round of a loop, from 1.
    Round,
    /// `previous`: what the round before gave; `null` in the first.
    Previous,
    /// `verdict`: as what a scope ends, `completed`, `failed` or `cancelled`; known in its `finally`.
    Verdict,
    /// `error`: why a scope failed, in words; `null` if it did not. Known in its `finally`.
    Error,
}

impl Local {
    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Output => "output",
            Self::Child => "child",
            Self::Item => "item",
            Self::Index => "index",
            Self::Round => "round",
            Self::Previous => "previous",
            Self::Verdict => "verdict",
            Self::Error => "error",
        }
    }
}

/// The names that an expression may use.
#[derive(Clone, Copy, Debug)]
pub struct Names<'n> {
    /// The numbers of the nodes by id.
    pub nodes: &'n FxHashMap<String, u32>,
    /// The nodes around the graph that the expression is in, the nearest first; a node of the graph itself, or nearer by,
    /// hides those with the same id.
    pub around: &'n [Around<'n>],
    /// What is known where it is evaluated, beside `input`, `nodes` and `vars`.
    pub locals: &'n [Local],
}

/// The nodes of a graph around the one that an expression is in.
#[derive(Clone, Copy, Debug)]
pub struct Around<'n> {
    /// The numbers of the nodes by id.
    pub nodes: &'n FxHashMap<String, u32>,
    /// What is added to these numbers in the expression: the number of nodes of all graphs that are nearer.
    pub first: u32,
}

impl Names<'_> {
    /// The number of the node with that id.
    fn node(&self, id: &str) -> Option<u32> {
        let around = || self.around.iter().find_map(|around| Some(around.first + around.nodes.get(id)?));
        self.nodes.get(id).copied().or_else(around)
    }

    fn ids(&self) -> impl Iterator<Item = &str> {
        let around = self.around.iter().flat_map(|around| around.nodes.keys());
        self.nodes.keys().chain(around).map(String::as_str)
    }
}

impl<'n> From<&'n FxHashMap<String, u32>> for Names<'n> {
    fn from(nodes: &'n FxHashMap<String, u32>) -> Self {
        Self { nodes, around: &[], locals: &[] }
    }
}

/// What an expression sees of a node.
#[derive(Clone, Debug)]
pub struct NodeView {
    /// Where the node is.
    pub status: NodeStatus,
    /// Its output, once it has completed.
    pub output: Option<Payload>,
    /// Why it failed, once it has.
    pub error: Option<String>,
}

impl Expression {
    /// Compiles an expression.
    ///
    /// `names` are the nodes by id, and what else there is; `upstream` gives the numbers of the tasks whose outputs `vars` shows,
    /// in the order of the definition, and is called only if the expression mentions `vars`.
    pub fn compile<'n>(
        source: &str,
        names: impl Into<Names<'n>>,
        upstream: impl FnOnce() -> Vec<u32>,
    ) -> Result<Self, ExpressionError> {
        let formula = Formula::compile(source, names.into(), upstream)?;
        if formula.program.is_literal()
            && let Ok(value) = formula.value(&Nothing)
        {
            return Ok(Self(Kind::Literal(value)));
        }
        Ok(Self(Kind::Formula(Box::new(formula))))
    }

    /// Compiles a document in whose texts `${{ expression }}` stands for a value; see [`template`].
    ///
    /// What contains none is never compiled, and as large as it is: a document without any is its own value.
    ///
    /// # Errors
    /// When a template cannot be read, or an expression in it cannot be compiled: says where in the document that is.
    pub fn document<'n>(
        document: &Payload,
        names: impl Into<Names<'n>>,
        upstream: impl FnMut() -> Vec<u32>,
    ) -> Result<Self, DocumentError> {
        Ok(Self(match Document::compile(document, names.into(), upstream)? {
            Some(document) => Kind::Document(Box::new(document)),
            None => Kind::Literal(document.clone()),
        }))
    }

    /// Its value, if that is known without evaluating anything.
    pub(crate) const fn as_literal(&self) -> Option<&Payload> {
        match &self.0 {
            Kind::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// Whether it is calculated, and reads nothing: it always comes to the same.
    pub(crate) fn is_fixed(&self) -> bool {
        matches!(&self.0, Kind::Formula(formula) if formula.program.reads_nothing())
    }

    /// A value that is known.
    pub(crate) const fn literal(value: Payload) -> Self {
        Self(Kind::Literal(value))
    }

    /// An object of these members.
    pub(crate) fn object(members: impl Iterator<Item = (String, Self)>) -> Self {
        Self(Kind::Object(members.map(|(name, value)| (json::quoted(&name).into(), value)).collect()))
    }

    /// The texts that are evaluated: none if it is a literal, one for each template of a document.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &str> {
        let (one, more) = match &self.0 {
            Kind::Object(members) => (None, &**members),
            _ => (Some(self), &[][..]),
        };
        one.into_iter().chain(more.iter().map(|(_, value)| value)).flat_map(Self::own_sources)
    }

    /// The same of one that is no object of others.
    fn own_sources(&self) -> impl Iterator<Item = &str> {
        let (formula, document) = match &self.0 {
            Kind::Literal(_) | Kind::Object(_) => (None, None),
            Kind::Formula(formula) => (Some(&*formula.source), None),
            Kind::Document(document) => (None, Some(document.sources())),
        };
        formula.into_iter().chain(document.into_iter().flatten())
    }

    /// The numbers of the nodes that it looks at, be it through `vars`; some of them more than once.
    pub(crate) fn nodes(&self) -> Vec<u32> {
        let mut nodes = Vec::new();
        self.add_nodes(&mut nodes);
        nodes
    }

    fn add_nodes(&self, nodes: &mut Vec<u32>) {
        match &self.0 {
            Kind::Literal(_) => {}
            Kind::Formula(formula) => nodes.extend(formula.scope.all_nodes()),
            Kind::Document(document) => nodes.extend(document.scope().all_nodes()),
            // Members are no objects of others themselves.
            Kind::Object(members) => members.iter().for_each(|(_, value)| value.add_nodes(nodes)),
        }
    }

    /// Whether it asks for the failures that its node handles.
    pub(crate) fn reads_failures(&self) -> bool {
        match &self.0 {
            Kind::Literal(_) => false,
            Kind::Formula(formula) => formula.scope.failures,
            Kind::Document(document) => document.reads_failures(),
            Kind::Object(members) => members.iter().any(|(_, value)| value.reads_failures()),
        }
    }

    /// Evaluates a condition: anything but `true` or `false` is an error.
    pub fn condition(&self, facts: &dyn Facts) -> Result<bool, EvaluationError> {
        let not_boolean = |found: &str| EvaluationError::NotBoolean { found: found.to_owned() };
        match &self.0 {
            Kind::Literal(literal) => match literal.as_bytes() {
                b"true" => Ok(true),
                b"false" => Ok(false),
                _ => Err(not_boolean(literal.decode().map_or("document", |value: Value| kind(&value)))),
            },
            Kind::Document(_) | Kind::Object(_) => Err(not_boolean("document")),
            Kind::Formula(formula) => {
                let value = formula.evaluate(facts)?;
                match value.kind() {
                    ValueKind::Bool => Ok(value.is_true()),
                    _ => Err(not_boolean(kind(&value))),
                }
            }
        }
    }

    /// Evaluates a value.
    pub fn value(&self, facts: &dyn Facts) -> Result<Payload, EvaluationError> {
        match &self.0 {
            Kind::Literal(literal) => Ok(literal.clone()),
            Kind::Formula(formula) => formula.value(facts),
            Kind::Document(document) => document.value(facts),
            Kind::Object(members) => object(members, facts),
        }
    }
}

/// Evaluates the members of an object and puts it together.
fn object(members: &[(Box<str>, Expression)], facts: &dyn Facts) -> Result<Payload, EvaluationError> {
    let mut bytes = vec![b'{'];
    for (name, value) in members {
        if bytes.len() > 1 {
            bytes.push(b',');
        }
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(b':');
        bytes.extend_from_slice(value.value(facts)?.as_bytes());
    }
    bytes.push(b'}');
    payload::check_depth(&bytes, limits::RESULT_DEPTH_MAX)
        .map_err(|_| EvaluationError::TooDeep { depth_max: limits::RESULT_DEPTH_MAX })?;
    Ok(Payload::trusted(&bytes))
}

impl Formula {
    fn compile(source: &str, names: Names<'_>, upstream: impl FnOnce() -> Vec<u32>) -> Result<Self, ExpressionError> {
        let tokens = scan::tokens(source)?;
        let (program, scope) = parse::parse(source, &tokens, names, upstream)?;
        let path = Path::of(&program, &scope);
        Ok(Self { source: source.into(), program, scope, path })
    }

    fn value(&self, facts: &dyn Facts) -> Result<Payload, EvaluationError> {
        if let Some(part) = self.path.as_ref().and_then(|path| path.follow(&self.scope, facts)) {
            return Ok(part);
        }
        let value = self.evaluate(facts)?;
        let bytes_max = limits::RESULT_BYTES_MAX + self.scope.bytes(facts);
        Ok(Payload::trusted(&json::write(&value, bytes_max)?))
    }

    fn evaluate(&self, facts: &dyn Facts) -> Result<Value, EvaluationError> {
        let value = evaluate::evaluate(&self.source, &self.program, &self.scope, facts)?;
        if value.is_undefined() {
            return Err(EvaluationError::Undefined { what: format!("`{}`", json::shortened(&self.source)) });
        }
        Ok(value)
    }
}

/// What an expression is evaluated over that reads nothing.
pub(crate) struct Nothing;

impl Facts for Nothing {
    fn input(&self) -> &Payload {
        const NOTHING: &Payload = &Payload::NULL;
        NOTHING
    }

    fn node(&self, _position: u32) -> NodeView {
        NodeView { status: NodeStatus::Pending, output: None, error: None }
    }
}

/// What kind of value it is, in errors.
fn kind(value: &Value) -> &'static str {
    match value.kind() {
        ValueKind::Undefined => "undefined value",
        ValueKind::None => "none",
        ValueKind::Bool => "boolean",
        ValueKind::Number => "number",
        ValueKind::String => "string",
        ValueKind::Seq | ValueKind::Iterable => "list",
        ValueKind::Map => "map",
        _ => "value of no kind",
    }
}
