//! Another library writes YAML, and both libraries read it.

use proptest::prelude::*;
use serde_json::Value;

use super::parse;
use crate::tree::Notation;

/// Documents whose numbers are printed as they are written.
fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1000_i32..1000).prop_map(|number| Value::from(f64::from(number) / 8.0)),
        "[ -~\n\tä日🚀\u{200d}]{0,20}".prop_map(Value::from),
        "[0-9+._exob-]{1,6}".prop_map(Value::from),
        prop::sample::select(vec!["null", "~", "true", "No", "<<", "0755", ".inf", "1e3", "- a", "a: b", "#"])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[ -~]{1,8}", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_another_library_writes_is_read_as_it_was(document in documents()) {
        let text = serde_saphyr::to_string(&document).expect("a document can be written");
        match parse(&text, 10_000) {
            Ok(read) => {
                // The other library may write a text without quotes that only some readers take for one.
                prop_assume!(!has_doubt(&read));
                prop_assert_eq!(Value::from(&read), document, "{}", text);
            }
            Err(fault) => prop_assert!(false, "{}: {}", text, fault.into_error("f")),
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[a-c0-9:,?!&*<>|#%@`'\"\\\\{}\\[\\] \n\t~.-]{0,60}") {
        let _read = parse(&text, 1_000);
    }

    #[test]
    fn what_both_libraries_read_they_read_alike(text in "[a-b1:,{}\\[\\]\"' \n-]{0,30}") {
        let options = serde_saphyr::options! { strict_booleans: true };
        let other: Result<Value, _> = serde_saphyr::from_str_with_options(&text, options);
        if let (Ok(read), Ok(other)) = (parse(&text, 1_000), other) {
            prop_assert_eq!(Value::from(&read), other, "{}", text);
        }
    }
}

fn has_doubt(value: &crate::tree::Located) -> bool {
    use crate::tree::Tree;
    match &value.tree {
        Tree::List(elements) => elements.iter().any(has_doubt),
        Tree::Map(entries) => entries.iter().any(|entry| has_doubt(&entry.value)),
        _ => value.notation != Notation::Canonical,
    }
}
