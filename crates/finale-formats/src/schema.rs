//! The schema of finale's own format.

/// The JSON Schema (2020-12) of finale's own format, for editors.
///
/// It describes every key, and refuses what a schema can refuse: unknown keys, wrong types, keys that exclude each other.
/// What it cannot see, like the name of a node that does not exist or a cycle, is found when the file is loaded or the
/// definition compiled.
///
/// ```
/// let schema: serde_json::Value = serde_json::from_str(finale_formats::SCHEMA)?;
/// assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
/// # Ok::<(), serde_json::Error>(())
/// ```
pub const SCHEMA: &str = include_str!("finale.schema.json");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::SCHEMA;
    use crate::own::keys;

    fn schema() -> Value {
        serde_json::from_str(SCHEMA).expect("the schema is JSON")
    }

    fn words(list: &Value) -> Vec<&str> {
        list.as_array().expect("a list").iter().filter_map(Value::as_str).collect()
    }

    #[test]
    fn the_keys_of_the_schema_are_those_that_are_read() {
        let schema = schema();
        for (pointer, keys) in keys::MAPS {
            let properties = schema.pointer(pointer).and_then(|map| map["properties"].as_object());
            let properties = properties.unwrap_or_else(|| panic!("there is no map at {pointer}"));
            let described: BTreeSet<_> = properties.keys().map(String::as_str).collect();
            let (open, named): (Vec<_>, Vec<_>) = keys.accepted.iter().partition(|key| key.ends_with('*'));
            assert_eq!(described, named.into_iter().copied().collect(), "{pointer}");
            let patterns = schema.pointer(pointer).and_then(|map| map["patternProperties"].as_object());
            let patterns: Vec<_> = patterns.into_iter().flat_map(|patterns| patterns.keys()).cloned().collect();
            let open: Vec<_> = open.iter().map(|key| format!("^{}", key.trim_end_matches('*'))).collect();
            assert_eq!(patterns, open, "{pointer}");
        }
    }

    #[test]
    fn the_words_of_the_schema_are_those_that_are_read() {
        let schema = schema();
        for (pointer, accepted) in keys::WORDS {
            let list = schema.pointer(pointer).unwrap_or_else(|| panic!("there is no list at {pointer}"));
            assert_eq!(words(list), *accepted, "{pointer}");
        }
        let kinds: Vec<_> = schema["$defs"]["node"]["oneOf"].as_array().expect("a list").iter().collect();
        let kinds: Vec<_> = kinds.into_iter().flat_map(|kind| words(&kind["required"])).collect();
        assert_eq!(kinds, keys::KINDS);
        let answers: Vec<_> = keys::ANSWERS.iter().map(|(word, _)| *word).collect();
        assert_eq!(words(&schema["$defs"]["answer"]["enum"]), answers);
    }

    #[test]
    fn what_somebody_writes_by_mistake_is_no_key() {
        for (pointer, keys) in keys::MAPS {
            for (slip, _) in keys.slips {
                assert!(!keys.accepted.contains(slip), "{pointer}: {slip}");
                assert_eq!(*slip, slip.to_lowercase().replace('-', "_"), "{pointer}: it is compared in this form");
            }
        }
    }

    #[test]
    fn every_key_of_the_schema_is_described() {
        let schema = schema();
        for (pointer, keys) in keys::MAPS {
            for key in keys.accepted.iter().filter(|key| !key.ends_with('*')) {
                let property = &schema.pointer(pointer).expect("there is such a map")["properties"][key];
                let target = property["$ref"].as_str().and_then(|target| schema.pointer(&target[1..]));
                let is_described =
                    [Some(property), target].into_iter().flatten().any(|at| at["description"].is_string());
                assert!(is_described, "{pointer}: {key}");
            }
        }
    }
}
