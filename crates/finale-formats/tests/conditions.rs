//! Every condition that the reference was asked, translated and evaluated by the core.

use std::collections::BTreeMap;
use std::path::PathBuf;

use finale_core::expression::{Expression, Facts, NodeView};
use finale_core::{NodeStatus, Payload};
use finale_formats::condition::translate;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

/// An execution that has an input and no nodes.
struct Input(Payload);

impl Facts for Input {
    fn input(&self) -> &Payload {
        &self.0
    }

    fn node(&self, _position: u32) -> NodeView {
        NodeView { status: NodeStatus::Pending, output: None, error: None }
    }
}

fn evaluate(condition: &str, context: &Map<String, Value>) -> bool {
    let source = translate(condition);
    let expression = Expression::compile(&source, &FxHashMap::default(), Vec::new)
        .unwrap_or_else(|error| panic!("{condition}: {source}: {error}"));
    let input = Input(Payload::encode(context).expect("a context is JSON"));
    expression.condition(&input).unwrap_or_else(|error| panic!("{condition}: {source}: {error}"))
}

fn cases(name: &str) -> Vec<Value> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases").join(name);
    let text = std::fs::read(path).expect("the cases are part of the repository");
    serde_json::from_slice(&text).expect("the cases are JSON")
}

#[test]
fn all_cases_give_what_a_user_expects() {
    let mut wrong = BTreeMap::new();
    for case in cases("conditions.json") {
        let expression = case["expression"].as_str().unwrap();
        let expected = case.get("sensible").unwrap_or(&case["expected"]).as_bool().unwrap();
        if evaluate(expression, case["context"].as_object().unwrap()) != expected {
            wrong.insert(case["id"].to_string(), expression.to_owned());
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn holds(condition: &str, context: &Value) -> bool {
    evaluate(condition, context.as_object().expect("a context is an object"))
}

#[test]
fn any_text_can_be_a_key_and_a_value() {
    for text in
        ["\"", "\\", "\\\"", "\\u0041", "a\u{0}b", "a\u{7f}\u{85}b", "a\nb\r\tc", "{{ x }}", "{% y %}", "'", "😀"]
    {
        let context = serde_json::json!({text: text});
        assert!(holds(text, &context), "{text:?}");
        assert!(holds(&format!("{text} == {text}"), &context), "{text:?}");
        assert!(!holds(&format!("{text} != {text}"), &context), "{text:?}");
        assert!(holds(&format!("{text} == x OR {text} == \"{text}\""), &context), "{text:?}");
    }
}

#[test]
fn the_largest_conditions_compile() {
    let context = serde_json::json!({"p": "1"});
    let chain = |atom: &str, count: usize| vec![atom; count].join(" AND ");
    assert!(holds(&chain("p == 1", 128), &context));
    assert!(holds(&chain("NOT p != 1", 64), &context));
    assert!(!holds(&chain("p != 1", 128), &context));
    assert!(!holds(&chain("NOT p == 1", 85), &context));
    assert!(holds(&format!("{}p{}", "p AND (x OR (".repeat(31), "))".repeat(31)), &context));
    for open in ["NOT (p AND ", "NOT (x OR "] {
        let nested = format!("{}p{}", open.repeat(50), ")".repeat(50));
        assert!(holds(&nested, &context), "{open}");
    }
    let keys: Vec<_> = (0..128).map(|number| format!("k{number} != v")).collect();
    assert!(holds(&keys.join(" AND "), &context));
}

proptest! {
    #[test]
    fn every_text_becomes_an_expression_that_can_be_evaluated(parts in vec(part(), 0..300)) {
        evaluate(&parts.concat(), &Map::new());
    }
}

const SYNTAX: &[&str] =
    &[" AND ", " or ", "NOT ", "not", "(", ")", " == ", "!=", "<", ">=", "5", "'", "\"", "\\", "{{", "true", "é", "\0"];

fn part() -> impl Strategy<Value = String> {
    prop_oneof![select(SYNTAX).prop_map(str::to_owned), any::<char>().prop_map(String::from), Just(" k ".to_owned()),]
}

#[test]
fn values_compare_as_printed_json() {
    let context = serde_json::json!({"t": true, "n": null, "i": 1, "f": 1.0, "h": 1.5, "l": [1, "a"]});
    for condition in ["t == true", "n == null", "i == 1", "f == 1", "f == 1.0", "h == 1.5", "l == [1,\"a\"]"] {
        assert!(holds(condition, &context), "{condition}");
    }
    for condition in
        ["t == True", "NOT t == False", "t != False", "i <= 1", "i >= 1.0", "h > 1 AND h < 2", "NOT h < 1.5"]
    {
        assert!(holds(condition, &context), "{condition}");
    }
    for condition in ["t < 2", "n < 1", "x > 0", "l > 0", "i < 1", "t == False", "n == False", "i == True"] {
        assert!(!holds(condition, &context), "{condition}");
    }
    for condition in ["n == None", "n ==", "x == null", "h == 1"] {
        assert!(!holds(condition, &context), "{condition}");
    }
}

#[test]
fn every_definition_of_the_other_cases_can_be_loaded() {
    for case in cases("validation.json").into_iter().chain(cases("lifecycle.json")) {
        let registry = case.get("registry").and_then(Value::as_array).into_iter().flatten();
        for definition in registry.chain(case.get("definition")) {
            let loaded = finale_formats::synthorg::from_value(definition);
            assert!(loaded.is_ok(), "{}: {}", case["id"], loaded.unwrap_err());
        }
    }
}
