//! Without the feature `schema` there is nothing that could check a payload, so that no schema is accepted.

use finale_core::compile::Code;
use finale_core::definition::{Schema, SchemaMismatch};

/// What is wrong with a definition that declares a schema.
pub(super) const CODE: Code = Code::SchemaUnsupported;

/// There is none.
#[derive(Debug)]
pub(super) enum Validator {}

impl Validator {
    pub(super) fn new(_schema: &Schema) -> Result<Self, String> {
        Err("this application is built without the feature `schema` of finale, and would not check it".to_owned())
    }

    pub(super) fn check(&self, _what: &'static str, _payload: &[u8]) -> Result<(), SchemaMismatch> {
        match *self {}
    }
}
