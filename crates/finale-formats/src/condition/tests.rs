use super::translate;

fn check(condition: &str, expression: &str) {
    assert_eq!(translate(condition), expression, "{condition}");
}

#[test]
fn a_literal_is_itself_in_any_case() {
    check(" TRUE ", "true");
    check("False", "false");
    check("NOT true", "false");
}

#[test]
fn a_key_asks_for_its_truth() {
    check("two words", r#"vars["two words"] is truthy"#);
    check("and", r#"vars["and"] is truthy"#);
    check(" Not ", r#"vars["Not"] is truthy"#);
}

#[test]
fn a_comparison_splits_at_the_first_operator() {
    check("a == b == c", r#"vars["a"] is printed_as("b == c")"#);
    check("a\u{a0}== qa\u{a0}", r#"vars["a"] is printed_as("qa")"#);
}

#[test]
fn a_comparison_that_lacks_a_side_is_false() {
    for text in ["==", "a ==", "== a", "a != ", "!="] {
        check(text, "false");
    }
    check("NOT a ==", "true");
}

#[test]
fn numbers_are_compared() {
    check("n < 5", r#"vars["n"] is compares("<", 5)"#);
    check("a b<=-1.50", r#"vars["a b"] is compares("<=", -1.5)"#);
    check("n>1e3 AND NOT m >= 0", r#"vars["n"] is compares(">", 1000.0) and not vars["m"] is compares(">=", 0)"#);
    for text in ["n < five", "n < '5'", "n < 5 kg", "5 < n", "n < 0x5", "n <= =5", "n << 5", "n > - 5"] {
        check(text, "false");
    }
    for text in ["n <", "< 5", ">="] {
        check(text, "false");
        check(&format!("NOT {text}"), "true");
    }
    check("a == '<b>' OR b == \"x > y\"", r#"vars["a"] is printed_as("<b>") or vars["b"] is printed_as("x > y")"#);
}

#[test]
fn a_chain_of_comparisons_is_malformed() {
    for text in [
        "a == b != c",
        "a != b == c",
        "a != b != c",
        "1 < x < 5",
        "a < 5 < b",
        "a == b < c",
        "a < b == c",
        "a >= 1 != 2",
        "a == <b>",
    ] {
        check(text, "false");
        check(&format!("NOT {text}"), "false");
        check(&format!("ok OR {text}"), "false");
    }
}

#[test]
fn quotes_around_a_value_are_stripped_and_protect_it() {
    check("a == 'qa'", r#"vars["a"] is printed_as("qa")"#);
    check("a == ''", r#"vars["a"] is printed_as("")"#);
    check("a == 'x AND (y)' AND b", r#"vars["a"] is printed_as("x AND (y)") and vars["b"] is truthy"#);
    check("a == \"b != c\"", r#"vars["a"] is printed_as("b != c")"#);
    check("a == it's AND b", r#"vars["a"] is printed_as("it's") and vars["b"] is truthy"#);
    check("a == '", r#"vars["a"] is printed_as("'")"#);
    check("a == 'b\"", r#"vars["a"] is printed_as("'b\"")"#);
}

#[test]
fn a_keyword_stands_alone() {
    check("x.or.y", r#"vars["x.or.y"] is truthy"#);
    check("opt-and-go", r#"vars["opt-and-go"] is truthy"#);
    check("NOTICE", r#"vars["NOTICE"] is truthy"#);
    check("äANDö", r#"vars["äANDö"] is truthy"#);
    check("a==b)OR(c", "false");
    check("(a)OR(b)", r#"vars["a"] is truthy or vars["b"] is truthy"#);
}

#[test]
fn chains_are_flat_and_bind_as_written() {
    check(
        "a AND (b AND c) OR (d OR NOT (e OR f))",
        r#"vars["a"] is truthy and vars["b"] is truthy and vars["c"] is truthy or vars["d"] is truthy or not (vars["e"] is truthy or vars["f"] is truthy)"#,
    );
    check("(a OR b) AND NOT c", r#"(vars["a"] is truthy or vars["b"] is truthy) and not vars["c"] is truthy"#);
}

#[test]
fn redundant_parentheses_and_double_negations_disappear() {
    let nested = format!("{}a{}", "(".repeat(127), ")".repeat(127));
    check(&nested, r#"vars["a"] is truthy"#);
    check("NOT NOT a", r#"vars["a"] is truthy"#);
    check("NOT (NOT (a))", r#"vars["a"] is truthy"#);
    check("NOT a != b", r#"vars["a"] is printed_as("b")"#);
}

#[test]
fn what_is_malformed_is_false() {
    let malformed = [
        "",
        " \n\t",
        "() AND true",
        "true AND",
        "OR true",
        "p NOT",
        "true NOT false",
        "(true",
        "true)",
        "true) OR (true",
        "(",
        "NOT AND true",
        "NOT NOT",
        "true OR (",
        "a (b)",
        "(and)",
        "f('x')",
        "state == OR",
        "a OR OR b",
    ];
    for text in malformed {
        check(text, "false");
    }
}

#[test]
fn more_than_256_tokens_are_false() {
    let chain = |operands: usize| vec!["p"; operands].join(" AND ");
    assert_ne!(translate(&chain(128)), "false");
    check(&chain(129), "false");
    check(&format!("NOT {}", chain(128)).replacen("NOT p", "NOT p", 1), &translate(&format!("NOT {}", chain(128))));
    check(&format!("NOT NOT {}", chain(128)), "false");
    check(&"(".repeat(10_001), "false");
    check(&"p == '".repeat(100_000), &translate(&"p == '".repeat(100_000)));
}

#[test]
fn text_is_escaped() {
    check(r#"a"\b == {{ x }} %}"#, r#"vars["a\"\\b"] is printed_as("{{ x }} %}")"#);
    check("a == b\n\u{1}c", r#"vars["a"] is printed_as("b\u000a\u0001c")"#);
    check("状態 == 完了 😀", r#"vars["状態"] is printed_as("完了 😀")"#);
}
