//! Documents with templates in their texts: JSON that is copied, and expressions in between.

use rustc_hash::FxHashMap;
use serde_json::Value;

use super::scope::Scope;
use super::template::{self, Part};
use super::{EvaluationError, ExpressionError, Facts, Formula, json, limits};
use crate::payload::{self, Payload, PayloadError};

/// Why a document is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// It is no [`Payload`]: nested too deep.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// A text with `${{` in it cannot be made into an expression.
    #[error("{place}: {reason}")]
    Template {
        /// Where in the document: keys and indexes.
        place: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// An expression in it cannot be compiled.
    #[error("{place}: {error}")]
    Expression {
        /// Where in the document: keys and indexes.
        place: String,
        /// What is wrong.
        #[source]
        error: ExpressionError,
    },
}

/// A document with at least one expression in it.
#[derive(Debug)]
pub(super) struct Document {
    pieces: Box<[Piece]>,
    /// How much of it is copied.
    literal_bytes: usize,
    /// What its expressions refer to, all together.
    scope: Scope,
}

#[derive(Debug)]
enum Piece {
    /// JSON, to be copied.
    Json(Box<str>),
    /// An expression whose value stands there.
    Value(Formula),
    /// An expression that is printed into a text.
    Text(Formula),
}

impl Document {
    /// The document, or its value if it has no expression in it.
    pub(super) fn compile(
        document: &Value,
        names: &FxHashMap<String, u32>,
        upstream: impl FnMut() -> Vec<u32>,
    ) -> Result<Result<Self, Payload>, DocumentError> {
        check_depth(document)?;
        let mut compiler = Compiler { names, upstream, json: String::new(), pieces: Vec::new(), place: Vec::new() };
        compiler.value(document)?;
        if compiler.pieces.is_empty() {
            return Ok(Err(Payload::trusted(compiler.json.as_bytes())));
        }
        compiler.end_json();
        let (mut literal_bytes, mut scope) = (0, Scope::default());
        for piece in &compiler.pieces {
            match piece {
                Piece::Json(json) => literal_bytes += json.len(),
                Piece::Value(formula) | Piece::Text(formula) => scope.add(&formula.scope),
            }
        }
        Ok(Ok(Self { pieces: compiler.pieces.into(), literal_bytes, scope }))
    }

    /// Evaluates the expressions and puts everything together.
    pub(super) fn value(&self, facts: &dyn Facts) -> Result<Payload, EvaluationError> {
        let bytes_max = limits::RESULT_BYTES_MAX + self.literal_bytes + self.scope.bytes(facts);
        let mut bytes = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Json(json) => bytes.extend_from_slice(json.as_bytes()),
                Piece::Value(formula) => bytes.extend_from_slice(formula.value(facts)?.as_bytes()),
                Piece::Text(formula) => json::print_into(&mut bytes, &formula.evaluate(facts)?)?,
            }
            if bytes.len() > bytes_max {
                return Err(EvaluationError::TooLarge { bytes_max });
            }
        }
        payload::check_depth(&bytes, limits::RESULT_DEPTH_MAX)
            .map_err(|_| EvaluationError::TooDeep { depth_max: limits::RESULT_DEPTH_MAX })?;
        Ok(Payload::trusted(&bytes))
    }
}

/// Walks over a value without recursion, so that whatever walks over it next may recurse.
fn check_depth(document: &Value) -> Result<(), PayloadError> {
    let mut open = vec![(document, 1)];
    while let Some((value, depth)) = open.pop() {
        if depth > payload::DEPTH_MAX && (value.is_array() || value.is_object()) {
            return Err(PayloadError::TooDeep { depth_max: payload::DEPTH_MAX });
        }
        match value {
            Value::Array(elements) => open.extend(elements.iter().map(|element| (element, depth + 1))),
            Value::Object(members) => open.extend(members.values().map(|member| (member, depth + 1))),
            _ => {}
        }
    }
    Ok(())
}

struct Compiler<'n, U> {
    names: &'n FxHashMap<String, u32>,
    upstream: U,
    /// JSON since the last expression.
    json: String,
    pieces: Vec<Piece>,
    /// Keys and indexes on the way to what is compiled.
    place: Vec<String>,
}

impl<U: FnMut() -> Vec<u32>> Compiler<'_, U> {
    fn value(&mut self, value: &Value) -> Result<(), DocumentError> {
        match value {
            Value::String(text) if text.contains(template::OPEN) => self.text(text),
            Value::Array(elements) => {
                self.json.push('[');
                for (index, element) in elements.iter().enumerate() {
                    if index > 0 {
                        self.json.push(',');
                    }
                    self.inside(index.to_string(), element)?;
                }
                self.json.push(']');
                Ok(())
            }
            Value::Object(members) => {
                self.json.push('{');
                for (index, (key, member)) in members.iter().enumerate() {
                    if index > 0 {
                        self.json.push(',');
                    }
                    self.json.push_str(&json::quoted(key));
                    self.json.push(':');
                    self.inside(key.clone(), member)?;
                }
                self.json.push('}');
                Ok(())
            }
            scalar => {
                self.json.push_str(&scalar.to_string());
                Ok(())
            }
        }
    }

    fn inside(&mut self, key: String, value: &Value) -> Result<(), DocumentError> {
        self.place.push(key);
        self.value(value)?;
        self.place.pop();
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), DocumentError> {
        let parts = template::parts(text);
        let parts = parts.map_err(|reason| DocumentError::Template { place: self.place(), reason })?;
        if let [Part::Expression(source)] = parts.as_slice() {
            let formula = self.formula(source)?;
            self.push(Piece::Value(formula));
            return Ok(());
        }
        self.json.push('"');
        for part in parts {
            match part {
                Part::Text(text) => {
                    let quoted = json::quoted(text);
                    self.json.push_str(&quoted[1..quoted.len() - 1]);
                }
                Part::Expression(source) => {
                    let formula = self.formula(source)?;
                    self.push(Piece::Text(formula));
                }
            }
        }
        self.json.push('"');
        Ok(())
    }

    fn formula(&mut self, source: &str) -> Result<Formula, DocumentError> {
        let compiled = Formula::compile(source, self.names, &mut self.upstream);
        compiled.map_err(|error| DocumentError::Expression { place: self.place(), error })
    }

    fn push(&mut self, piece: Piece) {
        self.end_json();
        self.pieces.push(piece);
    }

    fn end_json(&mut self) {
        if !self.json.is_empty() {
            self.pieces.push(Piece::Json(std::mem::take(&mut self.json).into()));
        }
    }

    fn place(&self) -> String {
        if self.place.is_empty() { "the text".to_owned() } else { format!("`{}`", self.place.join(".")) }
    }
}
