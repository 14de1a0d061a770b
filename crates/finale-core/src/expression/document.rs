//! Documents with templates in their texts: JSON that is copied, and expressions in between.

use std::fmt;

use super::scope::Scope;
use super::template::{self, Part};
use super::{EvaluationError, ExpressionError, Facts, Formula, Names, json, limits};
use crate::payload::{self, Payload};

/// Why a document is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
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
    /// The document; nothing if it has no expression in it.
    pub(super) fn compile(
        document: &Payload,
        names: Names<'_>,
        upstream: impl FnMut() -> Vec<u32>,
    ) -> Result<Option<Self>, DocumentError> {
        let json = document.as_bytes();
        if !json.windows(template::OPEN.len()).any(|window| window == template::OPEN.as_bytes()) {
            return Ok(None);
        }
        let json = str::from_utf8(json).expect("JSON is text");
        let mut compiler = Compiler { names, upstream, json: String::new(), pieces: Vec::new(), way: Way::default() };
        compiler.document(json)?;
        let (mut literal_bytes, mut scope) = (0, Scope::default());
        for piece in &compiler.pieces {
            match piece {
                Piece::Json(json) => literal_bytes += json.len(),
                Piece::Value(formula) | Piece::Text(formula) => scope.add(&formula.scope),
            }
        }
        Ok(Some(Self { pieces: compiler.pieces.into(), literal_bytes, scope }))
    }

    pub(super) fn reads_failures(&self) -> bool {
        self.scope.failures
    }

    /// What its expressions refer to, all together.
    pub(super) const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The texts of its expressions.
    pub(super) fn sources(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Json(_) => None,
            Piece::Value(formula) | Piece::Text(formula) => Some(&*formula.source),
        })
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

struct Compiler<'n, U> {
    names: Names<'n>,
    upstream: U,
    /// JSON since the last expression.
    json: String,
    pieces: Vec<Piece>,
    way: Way,
}

impl<U: FnMut() -> Vec<u32>> Compiler<'_, U> {
    /// Copies a document but for the texts with templates. Only texts matter: the rest cannot hold any.
    fn document(&mut self, json: &str) -> Result<(), DocumentError> {
        let mut at = 0;
        while let Some(begin) = json[at..].find('"').map(|found| at + found) {
            self.copy(&json[at..begin]);
            let end = end_of_text(json.as_bytes(), begin);
            let text = &json[begin..end];
            if json[end..].trim_start().starts_with(':') {
                self.way.key(text);
                self.json.push_str(text);
            } else if text.contains(template::OPEN) {
                self.text(&serde_json::from_str::<String>(text).expect("it was cut out of JSON"))?;
            } else {
                self.json.push_str(text);
            }
            at = end;
        }
        self.copy(&json[at..]);
        self.end_json();
        Ok(())
    }

    fn copy(&mut self, signs: &str) {
        self.json.push_str(signs);
        signs.bytes().for_each(|sign| self.way.sign(sign));
    }

    fn text(&mut self, text: &str) -> Result<(), DocumentError> {
        let parts = template::parts(text);
        let parts = parts.map_err(|reason| DocumentError::Template { place: self.way.to_string(), reason })?;
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
        compiled.map_err(|error| DocumentError::Expression { place: self.way.to_string(), error })
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
}

/// Where the text ends that begins with the quote there.
fn end_of_text(json: &[u8], begin: usize) -> usize {
    let mut at = begin + 1;
    while at < json.len() && json[at] != b'"' {
        at += if json[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// The keys and indexes on the way to a place in a document.
#[derive(Default)]
struct Way(Vec<Step>);

enum Step {
    Key(String),
    Index(usize),
}

impl Way {
    fn key(&mut self, quoted: &str) {
        if let Some(step) = self.0.last_mut() {
            *step = Step::Key(serde_json::from_str(quoted).unwrap_or_default());
        }
    }

    fn sign(&mut self, sign: u8) {
        match (sign, self.0.last_mut()) {
            (b'[', _) => self.0.push(Step::Index(0)),
            (b'{', _) => self.0.push(Step::Key(String::new())),
            (b']' | b'}', _) => drop(self.0.pop()),
            (b',', Some(Step::Index(index))) => *index += 1,
            _ => {}
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("the text");
        }
        let steps: Vec<_> = self
            .0
            .iter()
            .map(|step| match step {
                Step::Key(key) => key.clone(),
                Step::Index(index) => index.to_string(),
            })
            .collect();
        write!(f, "`{}`", steps.join("."))
    }
}
