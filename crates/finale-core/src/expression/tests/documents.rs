//! Documents with templates: what is no template is copied, whatever its size.

use super::*;

fn compile_document(document: &Value) -> Result<Expression, DocumentError> {
    let names: FxHashMap<String, u32> = NAMES.iter().map(|name| (*name).to_owned()).zip(0..).collect();
    Expression::document(&Payload::encode(document).unwrap(), &names, || vec![0, 1, 2])
}

fn evaluated(document: &Value, input: Value) -> Result<Value, EvaluationError> {
    let expression = compile_document(document).unwrap();
    expression.value(&World::new(input, vec![Ok(json!("out"))])).map(|payload| payload.decode().unwrap())
}

#[test]
fn a_document_without_templates_is_its_own_value() {
    let deep = (0..95).fold(json!("x"), |inner, _| json!([inner]));
    for document in [
        json!(
            (0..1500)
                .map(|n| (format!("key {n}"), json!([n, n.to_string(), null, true])))
                .collect::<serde_json::Map<_, _>>()
        ),
        json!({"command": "#!/bin/sh\n".to_owned() + &"echo '{{ x }} $(y) $ {{ ~ | and'\n".repeat(4000)}),
        json!({"null": null, "false": false, "1": 1.5, "ü\"\\": "\u{1}"}),
        deep,
        json!(null),
    ] {
        let expression = compile_document(&document).unwrap();
        assert!(matches!(&expression.0, Kind::Literal(_)));
        assert_eq!(expression.value(&nothing()).unwrap().decode::<Value>().unwrap(), document);
    }
}

#[test]
fn templates_are_evaluated_where_they_stand() {
    let document = json!({
        "whole": "${{ input.n }}",
        "list": ["${{ input.l }}", "plain", 1],
        "text": "<${{ input.t }}|${{ input.l }}|${{ input.n > 1 }}>\n\"",
        "node": {"out": "${{ nodes.a.output ~ '!' }}"},
        "vars": "${{ vars.n }}",
        "braces": "${{ '${{' }} x }}",
    });
    let input = json!({"n": 2, "l": [1, "a\"b"], "t": "q\"\\\n"});
    let expected = json!({
        "whole": 2,
        "list": [[1, "a\"b"], "plain", 1],
        "text": "<q\"\\\n|[1,\"a\\\"b\"]|true>\n\"",
        "node": {"out": "out!"},
        "vars": 2,
        "braces": "${{ x }}",
    });
    assert_eq!(evaluated(&document, input), Ok(expected));
    assert_eq!(evaluated(&json!("${{ input }}"), json!({"a": 1})), Ok(json!({"a": 1})));
}

#[test]
fn one_template_among_many_values_is_no_matter() {
    let mut members: serde_json::Map<_, _> = (0..5000).map(|n| (n.to_string(), json!("x".repeat(50)))).collect();
    members.insert("last".to_owned(), json!("${{ input }}"));
    let value = evaluated(&Value::Object(members), json!(7)).unwrap();
    assert_eq!(value["last"], json!(7));
    let script = "x".repeat(200_000) + "${{ input }}";
    assert_eq!(evaluated(&json!([script]), json!("y")).unwrap()[0].as_str().unwrap().len(), 200_001);
}

#[test]
fn what_is_wrong_says_where_it_stands() {
    for (document, expected) in [
        (json!({"a": [1, "${{ input"]}), "`a.1`: its `}}` is missing"),
        (json!({"a": {"b": "x ${{ inptu }}"}}), "`a.b`: `inptu` is unknown"),
        (json!("${{ 1 + }}"), "the text: syntax error"),
    ] {
        let error = compile_document(&document).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn what_comes_out_is_limited() {
    let many: Vec<_> = vec!["${{ input }}"; 100];
    let error = evaluated(&json!(many), json!("x".repeat(1 << 20))).unwrap_err();
    assert!(matches!(error, EvaluationError::TooLarge { .. }), "{error}");
    let deep = (0..95).fold(json!("${{ input }}"), |inner, _| Value::Array(vec![inner]));
    let input = (0..30).fold(json!(1), |inner, _| json!([inner]));
    assert_eq!(evaluated(&deep, input), Err(EvaluationError::TooDeep { depth_max: 112 }));
    assert!(matches!(evaluated(&json!("a ${{ input.typo }}"), json!({})), Err(EvaluationError::Undefined { .. })));
}
