//! What was accepted can be passed on: no limit of expressions contradicts one of payloads.

use super::*;

fn world(input: &str) -> World {
    World { input: Payload::from_json(input.as_bytes()).unwrap(), outputs: vec![Ok(json!({"n": 1})), Err("no")] }
}

fn passed(source: &str, input: &str) -> Payload {
    compile(source).unwrap().value(&world(input)).unwrap_or_else(|error| panic!("{source}: {error}"))
}

#[test]
fn a_part_of_a_document_is_passed_on_byte_for_byte() {
    let input =
        r#"{ "x": {"z": 123456789012345678901234567890, "a": 1.50e1, "a": 2 }, "l": [1, [ 0.10 ]], "k-k": "\u00e9" }"#;
    assert_eq!(passed("input", input).as_bytes(), input.as_bytes());
    let x = br#"{"z": 123456789012345678901234567890, "a": 1.50e1, "a": 2 }"#;
    for source in ["input.x", "input['x']", "(input.x)", "vars.x", "vars[\"x\"]"] {
        assert_eq!(passed(source, input).as_bytes(), x, "{source}");
    }
    assert_eq!(passed("input.x.z", input).as_bytes(), b"123456789012345678901234567890");
    assert_eq!(passed("input.x.a", input).as_bytes(), b"2", "the last one counts");
    assert_eq!(passed("input.l[1]", input).as_bytes(), b"[ 0.10 ]");
    assert_eq!(passed("input.l.1.0", input).as_bytes(), b"0.10");
    assert_eq!(passed("input['k-k']", input).as_bytes(), br#""\u00e9""#);
    assert_eq!(passed("nodes.a.output", input).as_bytes(), br#"{"n":1}"#);
    assert_eq!(passed("vars.n", input).as_bytes(), b"1");
}

/// The short way gives what the long way gives, also where there is nothing.
#[test]
fn passing_on_is_looking_up() {
    let input = r#"{"a": {"b": [1, {"c": "x"}], "": null}, "n": 5, "t": "text"}"#;
    for path in
        ["", ".a", ".a.b", ".a.b[0]", ".a.b[1].c", ".a['']", ".a.b[-1]", ".a.b[2]", ".n.x", ".t[0]", ".a.b.c", ".z"]
    {
        for root in ["input", "nodes.a.output", "nodes.b.output", "vars.a"] {
            let root_path = if root == "vars.a" { path.strip_prefix(".a").unwrap_or(path) } else { path };
            let (short, long) = (format!("{root}{root_path}"), format!("{root}{root_path} if true else 1"));
            let evaluate = |source: &str| {
                let world =
                    World { outputs: vec![Ok(serde_json::from_str(input).unwrap()), Err("no")], ..world(input) };
                compile(source).unwrap().value(&world).map(|payload| payload.decode::<Value>().unwrap())
            };
            match (evaluate(&short), evaluate(&long)) {
                (Err(_), Err(_)) => {}
                (short_value, long_value) => assert_eq!(short_value, long_value, "{short}"),
            }
        }
    }
}

#[test]
fn large_and_deep_documents_can_be_passed_on_and_wrapped() {
    let large = format!("{{\"x\": [{}\"{}\"]}}", "0, ".repeat(300_000), "t".repeat(1 << 20));
    assert_eq!(passed("input", &large).size(), large.len());
    assert_eq!(passed("input.x", &large).size(), large.len() - 7);
    for source in ["{'a': {'b': input}}", "[input.x]", "input.x if true else none", "vars"] {
        assert!(passed(source, &large).size() > 1 << 20, "{source}");
    }
    let deep = format!("{}1{}", "[".repeat(96), "]".repeat(96));
    assert_eq!(passed("input", &deep).as_bytes(), deep.as_bytes());
    assert_eq!(passed("[[{'a': [input[0]]}]]", &deep).size(), 2 * 99 + 1 + 4);
}

/// A literal is made once, and shared; what takes work, or grows, is not made before it is needed.
#[test]
fn a_literal_is_its_value() {
    for (source, expected) in [
        ("{'a': [1, -2.5, 'x', none], 'b': ()}", r#"{"a":[1,-2.5,"x",null],"b":[]}"#),
        ("none", "null"),
        ("'a' 'b'", "\"ab\""),
    ] {
        let expression = compile(source).unwrap();
        assert!(matches!(&expression.0, Kind::Literal(_)), "{source}");
        let (first, second) = (expression.value(&nothing()).unwrap(), expression.value(&nothing()).unwrap());
        assert_eq!(first.as_bytes(), expected.as_bytes());
        // A short one is copied with the payload that it is.
        let is_shared = first.as_bytes().as_ptr() == second.as_bytes().as_ptr();
        assert!(is_shared || expected.len() <= 22, "{source} is shared");
    }
    for source in ["range(100000)", "1 < 'a'", "'x' * 1000", "{'a': input}", "[1] | list", "-'a'", "{[1]: 2}"] {
        assert!(!matches!(&compile(source).unwrap().0, Kind::Literal(_)), "{source}");
    }
    assert_eq!(condition("true", json!(null)), Ok(true));
    assert_eq!(condition("'a'", json!(null)), Err(EvaluationError::NotBoolean { found: "string".to_owned() }));
}
