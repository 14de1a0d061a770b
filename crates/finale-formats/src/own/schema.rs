//! JSON Schemas of what goes into something and of what comes out of it.

use finale_core::definition::{Schema, SchemaError};
use finale_core::payload::DEPTH_MAX;

use super::report::Report;
use super::section;
use crate::error::{FileLimit, LoadProblem};
use crate::tree::{Located, Tree};

/// A schema as it stands in the file; nothing in it is a template. Whether it is sound is looked at when the definition is
/// checked.
pub(super) fn read<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<Schema> {
    if !matches!(value.tree, Tree::Map(_) | Tree::Bool(_)) {
        return report.wrong_type(value, "a JSON Schema: a map, `true` or `false`");
    }
    let written = section::any(value, report)?;
    let refused = |error| {
        let problem = match error {
            SchemaError::TooLarge { bytes_max, .. } => {
                LoadProblem::OverLimit { limit: FileLimit::SchemaBytes, max: bytes_max }
            }
            // A parser has read it, so that only its nesting can be wrong with it.
            _ => LoadProblem::OverLimit { limit: FileLimit::Depth, max: DEPTH_MAX },
        };
        report.add(value.place, || problem);
    };
    Schema::new(&written).map_err(refused).ok()
}
