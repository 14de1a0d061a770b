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

#[cfg(test)]
mod tests {
    use finale_core::Definition;
    use finale_core::definition::{Signal, Task, Wait};

    use super::*;
    use crate::workflow::Workflow;

    #[test]
    fn without_the_feature_a_definition_with_a_schema_is_refused_by_name() {
        let schema = || Schema::from_json(b"true").expect("it is a schema");
        let builder = || Definition::builder("order");
        let given = Wait::Signal(Signal::named("paid").schema(schema()));
        let inside = builder().map("each", "[1]", Task::handler("pack").output_schema(schema()));
        for (declares, what) in [
            (builder().input_schema(schema()), "the input schema of the workflow: "),
            (builder().output_schema(schema()), "the output schema of the workflow: "),
            (builder().task("pack", Task::handler("pack").input_schema(schema())), "the input schema of \"pack\": "),
            (builder().node("paid", finale_core::definition::NodeKind::Wait(given)), "the schema of \"paid\": "),
            (inside, "the output schema of \"each::each\": "),
        ] {
            let error = Workflow::new(declares.build()).expect_err("nothing could check it");
            let [problem] = &*error.problems else { panic!("{error}") };
            assert_eq!(problem.code.as_str(), "schema_unsupported");
            assert!(problem.message.starts_with(what), "{problem}");
            assert!(problem.message.contains("the feature `schema`"), "{problem}");
        }
        assert!(Workflow::new(builder().task("pack", "pack").build()).is_ok());
    }
}
