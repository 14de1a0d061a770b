//! Checking payloads by a schema.

use finale_core::compile::Code;
use finale_core::definition::{Schema, SchemaMismatch};
use jsonschema::{Draft, PatternOptions};
use serde_json::Value;

use super::subschemas::{self, Subschemas};

/// What is wrong with a definition that declares a schema by which nothing can be checked.
pub(super) const CODE: Code = Code::SchemaInvalid;

/// The largest program that a regular expression is compiled to, in bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;

/// The longest reason, in bytes: it is recorded with each failed attempt.
const REASON_BYTES_MAX: usize = 300;

/// A schema, made ready to check payloads.
#[derive(Debug)]
pub(super) struct Validator {
    validator: jsonschema::Validator,
    /// What bounds the work of a check; none where the schema itself does.
    subschemas: Option<Subschemas>,
}

impl Validator {
    /// Makes a schema ready; nothing is read from a file or the network.
    ///
    /// Regular expressions are matched in linear time, so that they have no look-around and no backreferences.
    pub(super) fn new(schema: &Schema) -> Result<Self, String> {
        let document = schema.to_value();
        let subschemas = Subschemas::new(&document)?;
        let patterns = PatternOptions::regex().size_limit(PATTERN_BYTES_MAX);
        let options = jsonschema::options().with_draft(Draft::Draft202012).offline().with_pattern_options(patterns);
        let validator = options.build(&document).map_err(|error| {
            let at = error.instance_path().to_string();
            let place = if at.is_empty() { String::new() } else { format!("at {at:?}: ") };
            cut(format!("{place}{}", error.masked_with("it")))
        })?;
        Ok(Self { validator, subschemas: Some(subschemas).filter(Subschemas::needs_a_budget) })
    }

    /// Checks a payload, which is JSON; the words of a mismatch have no value of it in them.
    pub(super) fn check(&self, what: &'static str, payload: &[u8]) -> Result<(), SchemaMismatch> {
        let mismatch = |at: String, reason: String| Err(SchemaMismatch::new(what, at, cut(reason)));
        let document: Value = match serde_json::from_slice(payload) {
            Ok(document) => document,
            Err(error) => return mismatch(String::new(), error.to_string()),
        };
        if self.subschemas.as_ref().is_some_and(|subschemas| !subschemas.can_check(&document)) {
            let max = subschemas::VISITS_MAX;
            return mismatch(String::new(), format!("it takes more than {max} steps to check it"));
        }
        // The answer alone is found faster than what is wrong.
        if self.validator.is_valid(&document) {
            return Ok(());
        }
        match self.validator.validate(&document) {
            Ok(()) => Ok(()),
            Err(error) => mismatch(error.instance_path().to_string(), error.masked_with("it").to_string()),
        }
    }
}

fn cut(mut reason: String) -> String {
    if reason.len() > REASON_BYTES_MAX {
        let end = (0..=REASON_BYTES_MAX).rev().find(|end| reason.is_char_boundary(*end)).unwrap_or_default();
        reason.truncate(end);
        reason.push('…');
    }
    reason
}
