//! Definitions back into files.
//!
//! What is written is read back before it is handed out: loading it gives an equal definition. It is in
//! [finale's own format](crate::own), as short as the definition allows: first with what `after`, `when` and implied ends
//! can say, then with every node and edge spelled out. What that format cannot say at all, mostly definitions that would
//! not compile, is written in the serialized form of [`Definition`].
//!
//! No format can say everything: a default that is `null` is lost in the serialized form, and files nest at most 127 levels.

mod entry;
mod json;
mod outline;
mod retry;
mod task;
mod yaml;

use finale_core::Definition;

use self::outline::Outline;
use crate::own;
use crate::tree::Located;
use crate::{Format, load};

/// The definition as YAML text.
///
/// ```
/// use finale_core::definition::{Definition, Document, Task};
/// use finale_formats::{Format, load, write};
///
/// let command = Document::from_json(br#"{"command": "cargo test"}"#)?;
/// let tag = Document::from_json(br#"{"tag": "${{ input.tag }}"}"#)?;
/// let definition = Definition::builder("release")
///     .task("test", Task::handler("shell").with(command))
///     .task("publish", Task::handler("publish_crate").with(tag))
///     .after("test")
///     .when("input.publish")
///     .build();
/// let text = write::yaml(&definition);
/// assert_eq!(
///     text,
///     r#"id: release
/// name: release
/// tasks:
///   test:
///     shell: cargo test
///   publish:
///     handler: publish_crate
///     with: {tag: "${{ input.tag }}"}
///     after: test
///     when: input.publish
/// "#
/// );
/// assert_eq!(load(text.as_bytes(), Format::Auto, "release.yaml")?.definition, definition);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn yaml(definition: &Definition) -> String {
    write(definition, "written.yaml", yaml::print)
}

/// The definition as JSON text.
///
/// ```
/// use finale_core::definition::Definition;
/// use finale_formats::write;
///
/// let definition = Definition::builder("release").name("Release").task("test", "run_tests").build();
/// assert_eq!(
///     write::json(&definition),
///     r#"{
///   "id": "release",
///   "tasks": {
///     "test": {
///       "handler": "run_tests"
///     }
///   }
/// }
/// "#
/// );
/// ```
pub fn json(definition: &Definition) -> String {
    write(definition, "written.json", json::print)
}

/// The first form that is read back as the same definition; `name` tells the loader what the text is written in.
fn write(definition: &Definition, name: &str, print: fn(&Located) -> String) -> String {
    for outline in Outline::ALL {
        let Some(document) = outline.document(definition) else {
            continue;
        };
        if !own::read(&document).is_ok_and(|read| read.definition == *definition) {
            continue;
        }
        let text = print(&document);
        if is_read_back(&text, Format::Own, name, definition) {
            return text;
        }
    }
    let serialized = serde_json::to_string_pretty(definition).expect("definitions have a JSON form") + "\n";
    let document = crate::json::parse(&serialized, usize::MAX);
    let text = document.map(|document| print(&document)).ok();
    // JSON is YAML too.
    text.filter(|text| is_read_back(text, Format::Definition, name, definition)).unwrap_or(serialized)
}

fn is_read_back(text: &str, format: Format, name: &str, definition: &Definition) -> bool {
    load(text.as_bytes(), format, name).is_ok_and(|loaded| loaded.definition == *definition)
}
