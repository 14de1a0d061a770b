//! The expression language: conditions, inputs of tasks, outputs of executions.
//!
//! An expression is what stands between the braces of a Jinja template. It sees three names:
//!
//! - `input`: the input of the execution;
//! - `nodes`: by id, each with `status`, `output` (once it has completed) and `error` (once it has failed),
//!   written `nodes.reserve.output` or `nodes["charge-card"].output`;
//! - `vars`: the input of the execution, if it is an object, overlaid by the objects that completed tasks before this
//!   node have put out, in the order of the definition.
//!
//! The language is strict: what is undefined may be asked for (`is defined`, `is truthy`, `| default(0)`) and may not be
//! used, neither as an operand nor as the result. It is deterministic (no clock, no randomness) and bounded:
//! see [`limits`].

pub(crate) mod claim;
mod environment;
mod error;
mod guard;
mod json;
pub mod limits;
mod quote;
pub(crate) mod reads;
mod references;
mod scan;
mod scope;
#[cfg(test)]
mod tests;

use minijinja::Value;
use minijinja::value::ValueKind;
use rustc_hash::FxHashMap;

use crate::payload::Payload;
use crate::status::NodeStatus;

pub use self::error::{EvaluationError, ExpressionError};
use self::scope::Scope;

/// A compiled expression over `input`, `nodes` and `vars`.
#[derive(Debug)]
pub struct Expression {
    source: Box<str>,
    program: minijinja::Expression<'static, 'static>,
    scope: Scope,
}

/// What an expression may ask of an execution.
pub trait Facts {
    /// The input of the execution.
    fn input(&self) -> &Payload;
    /// What is known of the node with that number.
    fn node(&self, position: u32) -> NodeView;
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
    /// `names` are the numbers of the nodes by id; `upstream` gives the numbers of the tasks whose outputs `vars` shows,
    /// in the order of the definition, and is called only if the expression mentions `vars`.
    pub fn compile(
        source: &str,
        names: &FxHashMap<String, u32>,
        upstream: impl FnOnce() -> Vec<u32>,
    ) -> Result<Self, ExpressionError> {
        let tokens = scan::tokens(source)?;
        limits::check(&tokens)?;
        let scope = references::find(source, &tokens, names, upstream)?;
        let program = environment::compile(guard::operands(source, &tokens))
            .map_err(|error| if scan::has_single_equals(&tokens) { ExpressionError::SingleEquals } else { error })?;
        refuse_unknown_names(&program)?;
        Ok(Self { source: source.into(), program, scope })
    }

    /// The text it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Evaluates a condition: anything but `true` or `false` is an error.
    pub fn condition(&self, facts: &dyn Facts) -> Result<bool, EvaluationError> {
        let value = self.evaluate(facts)?;
        match value.kind() {
            ValueKind::Bool => Ok(value.is_true()),
            kind => Err(EvaluationError::NotBoolean { found: kind.to_string() }),
        }
    }

    /// Evaluates a value.
    pub fn value(&self, facts: &dyn Facts) -> Result<Payload, EvaluationError> {
        let value = self.evaluate(facts)?;
        let document = json::write(&value, limits::RESULT_BYTES_MAX)?;
        Ok(Payload::trusted(&document))
    }

    fn evaluate(&self, facts: &dyn Facts) -> Result<Value, EvaluationError> {
        let value = self.program.eval(self.scope.open(facts)?)?;
        if value.is_undefined() {
            return Err(EvaluationError::Undefined { what: format!("`{}`", self.source) });
        }
        Ok(value)
    }
}

fn refuse_unknown_names(program: &minijinja::Expression<'_, '_>) -> Result<(), ExpressionError> {
    let unknown = program.undeclared_variables(false).into_iter().filter(|name| !environment::is_known(name)).min();
    match unknown {
        Some(name) => Err(ExpressionError::UnknownName { name }),
        None => Ok(()),
    }
}
