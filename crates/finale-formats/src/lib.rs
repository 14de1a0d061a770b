//! Definition files in: bytes become a [`Definition`](finale_core::Definition) that
//! [`compile`](finale_core::compile()) can check.
//!
//! These formats are read, from JSON or YAML text:
//!
//! - finale's own, made to be written by hand ([`own`]),
//! - `SynthOrg` workflow definitions and `blueprint:` files ([`synthorg`]), whose conditions are
//!   translated into expressions of finale ([`condition`]),
//! - `WfCommons` `WfFormat`, the traces of real runs ([`wfformat`]),
//! - the serialized form of [`Definition`](finale_core::Definition) itself.
//!
//! [`load()`] tells them apart; [`write`](mod@write) turns definitions back into files, [`picture`] into Mermaid, DOT and SVG, and
//! [`diagnostic`] shows what is wrong with a file in the lines it is about. What cannot be represented is a [`LoadError`] that says what is
//! wrong and where; what can be represented but makes no sense (a blank id, a cycle, a task without
//! a title) is loaded as it stands and reported when the definition is compiled.
//!
//! ```
//! use finale_formats::{Format, load};
//!
//! let text = br#"
//! blueprint:
//!   name: greeting
//!   display_name: Greeting
//!   nodes:
//!     - {id: hello, type: task, label: Hello, config: {title: Say hello}}
//! "#;
//! let loaded = load(text, Format::Auto, "greeting.yaml")?;
//! assert_eq!(loaded.format, Format::Blueprint);
//! assert_eq!(loaded.definition.nodes.len(), 3);
//! # Ok::<(), finale_formats::LoadError>(())
//! ```

pub mod condition;
pub mod diagnostic;
pub mod error;
pub mod load;
pub mod own;
pub mod picture;
pub mod synthorg;
pub mod wfformat;
pub mod write;

mod decode;
mod fields;
mod json;
mod limits;
mod obeyed;
mod places;
mod scalar;
mod schema;
mod tree;
mod warning;
mod yaml;

pub use diagnostic::Diagnostic;
pub use error::{FileLimit, FileProblem, LoadError, LoadProblem, Step};
pub use limits::Limits;
pub use load::{CalledFile, Format, Loaded, load};
pub use own::{BadDuration, parse_duration};
pub use places::Places;
pub use schema::SCHEMA;
pub use warning::{FileWarning, LoadWarning};
pub use wfformat::WfWorkflow;
