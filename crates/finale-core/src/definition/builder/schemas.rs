//! Schemas of workflows in code.

use super::DefinitionBuilder;
use crate::definition::Schema;

impl<Built> DefinitionBuilder<Built> {
    /// What an activation must hand in, as a whole; by default anything. What one task takes and gives is said by the
    /// [task](crate::definition::Task::input_schema).
    ///
    /// ```
    /// use finale_core::definition::{Definition, Schema};
    ///
    /// let order = Schema::from_json(br#"{"type": "object", "required": ["item"]}"#)?;
    /// let receipt = Schema::from_json(br#"{"type": "string"}"#)?;
    /// let definition = Definition::builder("order").input_schema(order).output_schema(receipt).task("charge", "charge_card");
    /// assert!(definition.build().input_schema.is_some());
    /// # Ok::<(), finale_core::definition::SchemaError>(())
    /// ```
    pub fn input_schema(mut self, schema: Schema) -> Self {
        self.definition.input_schema = Some(schema);
        self
    }

    /// What an execution gives, or a call of the workflow: one that would complete with something else fails.
    pub fn output_schema(mut self, schema: Schema) -> Self {
        self.definition.output_schema = Some(schema);
        self
    }
}
