//! A document as JSON text, its keys in their order.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::tree::{Located, Tree};

pub(super) fn print(document: &Located) -> String {
    let mut text = serde_json::to_string_pretty(document).expect("a document has texts for keys");
    text.push('\n');
    text
}

impl Serialize for Located {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.tree {
            Tree::Null => serializer.serialize_unit(),
            Tree::Bool(value) => serializer.serialize_bool(*value),
            Tree::Number(number) => number.serialize(serializer),
            Tree::Text(text) => serializer.serialize_str(text),
            Tree::List(elements) => serializer.collect_seq(elements),
            Tree::Map(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for entry in entries {
                    map.serialize_entry(&entry.key, &entry.value)?;
                }
                map.end()
            }
        }
    }
}
