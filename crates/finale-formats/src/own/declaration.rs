//! Inputs and outputs: `name: type`, or a map with what else is to be said.

use finale_core::definition::{Declaration, DeclaredType};

use super::report::Report;
use super::section::{self, Keys, Section};
use crate::error::Place;
use crate::tree::Located;

pub(crate) const KEYS: Keys = Keys {
    accepted: &["type", "required", "default", "description"],
    slips: &[("kind", "type"), ("optional", "required"), ("value", "default")],
};

const TYPES: [(&str, DeclaredType); 8] = [
    ("string", DeclaredType::String),
    ("integer", DeclaredType::Integer),
    ("float", DeclaredType::Float),
    ("boolean", DeclaredType::Boolean),
    ("datetime", DeclaredType::Datetime),
    ("json", DeclaredType::Json),
    ("task_ref", DeclaredType::TaskRef),
    ("agent_ref", DeclaredType::AgentRef),
];

pub(crate) const TYPE_NAMES: &[&str] =
    &["string", "integer", "float", "boolean", "datetime", "json", "task_ref", "agent_ref"];

/// Reads all declarations in their order, each with its place.
pub(super) fn list<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<Vec<(Declaration, Option<Place>)>> {
    let mut declarations = Vec::new();
    for entry in section::entries(value, report)? {
        let read = |report: &mut Report<'a>| declaration(&entry.key, &entry.value, report);
        let declared = report.inside(&entry.key, read);
        declarations.extend(declared.map(|declared| (declared, entry.key_place)));
    }
    Some(declarations)
}

fn declaration<'a>(name: &str, value: &'a Located, report: &mut Report<'a>) -> Option<Declaration> {
    let name = name.to_owned();
    if !value.tree.is_map() {
        return Some(Declaration { name, kind: kind(value, report)?, required: true, default: None });
    }
    let section = Section::open(value, &KEYS, report)?;
    let kind = section.require("type", report, kind);
    let default = section.read("default", report, section::any);
    let is_required = section.entry("default").is_none();
    let required = section.read("required", report, section::boolean).unwrap_or(is_required);
    section.read("description", report, section::text);
    Some(Declaration { name, kind: kind?, required, default })
}

fn kind<'a>(value: &'a Located, report: &mut Report<'a>) -> Option<DeclaredType> {
    section::word(value, "type", &TYPES, TYPE_NAMES, report)
}

/// The word for a type.
pub(crate) fn type_name(kind: DeclaredType) -> &'static str {
    TYPES.iter().find(|(_, known)| *known == kind).map_or("json", |(name, _)| name)
}
