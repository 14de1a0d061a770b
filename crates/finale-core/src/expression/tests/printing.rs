//! There is one way of printing, that of JSON; and one of reading what was printed.

use super::*;

const PRINTED: [(&str, &str); 12] = [
    ("true", "true"),
    ("false", "false"),
    ("none", "null"),
    ("1", "1"),
    ("1.0", "1.0"),
    ("-0.5", "-0.5"),
    ("1e300", "1e+300"),
    ("18446744073709551615", "18446744073709551615"),
    ("'a\"b'", "a\"b"),
    ("[1, 2.5, 'x', none, true]", "[1,2.5,\"x\",null,true]"),
    ("{'b': 'ü<>', 'a': [true]}", "{\"a\":[true],\"b\":\"ü<>\"}"),
    ("[]", "[]"),
];

#[test]
fn everything_prints_as_json_does() {
    for (source, text) in PRINTED {
        for printing in [
            format!("{source} ~ ''"),
            format!("'' ~ ({source})"),
            format!("({source}) | string"),
            format!("[{source}] | join"),
            format!("[{source}] | join('x')"),
            format!("({source}) | trim"),
            format!("({source}) | replace('never', '')"),
            format!("'never' | replace('never', {source})"),
            format!("[{source}] | map('string') | first"),
            format!("({source}) | split('never') | first"),
            format!("({source}) | lines | first"),
        ] {
            assert_eq!(value(&printing, &nothing()), Ok(json!(text)), "{printing}");
        }
        let document = Payload::encode(&format!("<${{{{ {source} }}}}>")).unwrap();
        let compiled = Expression::document(&document, &FxHashMap::default(), Vec::new).unwrap();
        assert_eq!(compiled.value(&nothing()).unwrap().decode::<Value>().unwrap(), json!(format!("<{text}>")));
        assert_eq!(condition(&format!("({source}) is printed_as({})", json!(text)), json!(null)), Ok(true), "{source}");
        let lower = value(&format!("({source}) | lower"), &nothing()).unwrap();
        assert_eq!(lower, json!(text.to_lowercase()));
    }
    assert!(value("'<' ~ input.none", &World::new(json!({}), Vec::new())).is_err());
    assert_eq!(value("[1, true, none] | join(true)", &nothing()), Ok(json!("1truetruetruenull")));
    assert_eq!(value("true is startingwith('tr') and none is endingwith('l')", &nothing()), Ok(json!(true)));
    assert_eq!(value("true | title ~ (none | capitalize) ~ (true | upper)", &nothing()), Ok(json!("TrueNullTRUE")));
    assert_eq!(value("[1, {'a': '<'}] | tojson", &nothing()), Ok(json!(r#"[1,{"a":"<"}]"#)));
    assert_eq!(value("'a' | tojson", &nothing()), Ok(json!(r#""a""#)));
    assert_eq!(value("[1] | tojson(indent=2)", &nothing()), Ok(json!("[\n  1\n]")));
}

#[test]
fn what_is_no_number_and_no_boolean_is_shown() {
    for (source, shown) in [
        ("'yes' | bool", "\"yes\" is neither"),
        ("'True' | bool", "\"True\" is neither"),
        ("'' | bool", "\"\" is neither"),
        ("'12 apples' | int", "\"12 apples\" (string) is no number"),
        ("'' | int", "\"\" (string) is no number"),
        ("'nan' | float", "\"nan\" (string) is no number"),
        ("'inf' | int", "\"inf\" (string) is no number"),
        ("'1e999' | float", "\"1e999\" (string) is no number"),
        ("none | int", "null (none) is no number"),
        ("[1] | float", "[1] (list) is no number"),
        ("1e300 | int", "1e+300 (number) is a larger integer than 64 bits hold"),
    ] {
        let error = value(source, &nothing()).unwrap_err();
        assert!(matches!(error, EvaluationError::Failed { .. }), "{source}: {error}");
        assert!(error.to_string().contains(shown), "{source}: {error}");
    }
    for source in [
        "('true' | bool) and not ('false' | bool) and (1 | bool) and not (0 | bool) and not ([] | bool)",
        "('42' | int) == 42 and ('-7' | int) == -7 and (' 3.9 ' | int) == 3 and ('+1' | int) == 1 and ('1e3' | int) == 1000",
        "('2.5' | float) == 2.5 and (2 | float) == 2.0 and (true | int) == 1 and (2.9 | int) == 2 and (-2.9 | int) == -2",
        "('x' | int(0)) == 0 and ('x' | int(default=7)) == 7 and ('x' | float(default=0.5)) == 0.5 and (none | int(1)) == 1",
        "('18446744073709551615' | int) == 18446744073709551615",
    ] {
        assert_eq!(value(source, &nothing()), Ok(json!(true)), "{source}");
    }
}
