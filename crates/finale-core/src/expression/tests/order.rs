//! Values of unlike kinds are never ordered, whoever asks.

use super::*;

/// Why an expression fails.
fn failure(source: &str, input: Value) -> String {
    match value(source, &World::new(input, Vec::new())) {
        Err(error @ (EvaluationError::Failed { .. } | EvaluationError::Undefined { .. })) => error.to_string(),
        other => panic!("{source} gave {other:?}"),
    }
}

fn holds(source: &str) {
    assert_eq!(value(source, &nothing()), Ok(json!(true)), "{source}");
}

fn refused_with_kinds(source: &str, kinds: [&str; 2]) {
    let failure = failure(source, json!({"text": "3", "list": [1], "map": {"a": 1}}));
    for kind in kinds {
        assert!(failure.contains(kind), "{source}: {failure} does not say {kind}");
    }
}

#[test]
fn operators_and_tests_name_both_kinds() {
    for (left, right, kinds) in [
        ("\"3\"", "5", ["string", "number"]),
        ("input.text", "5", ["string", "number"]),
        ("[1]", "5", ["list", "number"]),
        ("none", "7", ["none", "number"]),
        ("true", "1", ["boolean", "number"]),
        ("input.map", "input.list", ["map", "list"]),
        ("[1, 'a']", "[1, 2]", ["string", "number"]),
        ("[[1]]", "[['a']]", ["number", "string"]),
        ("none", "none", ["none", "no order"]),
        ("input.map", "input.map", ["map", "no order"]),
    ] {
        for (operator, test) in [("<", "lt"), ("<=", "le"), (">", "gt"), (">=", "ge"), ("<", "lessthan")] {
            refused_with_kinds(&format!("{left} {operator} {right}"), kinds);
            refused_with_kinds(&format!("{right} {operator} {left}"), kinds);
            refused_with_kinds(&format!("{left} is {test}({right})"), kinds);
            refused_with_kinds(&format!("[{left}] | select('{test}', {right}) | list"), kinds);
            refused_with_kinds(&format!("1 < 2 and {left} {operator} {right}"), kinds);
        }
        for filter in ["max", "min", "sort", "sort(reverse=true)"] {
            refused_with_kinds(&format!("[{left}, {right}] | {filter}"), kinds);
            refused_with_kinds(&format!("[{right}, {left}, {right}] | {filter}"), kinds);
            refused_with_kinds(&format!("[[{left}], [{right}]] | {filter}"), kinds);
            refused_with_kinds(
                &format!(
                    "[[{left}, {right}]] | map('{}') | list",
                    &filter[..3.max(filter.find('(').unwrap_or(filter.len()))]
                ),
                kinds,
            );
        }
        for filter in ["sort", "max", "min", "groupby"] {
            refused_with_kinds(&format!("[{{'a': {left}}}, {{'a': {right}}}] | {filter}(attribute='a')"), kinds);
        }
        refused_with_kinds(&format!("{{'a': {left}, 'b': {right}}} | dictsort(by='value')"), kinds);
    }
    let error = failure("input.amount > 100", json!({"amount": "250"}));
    assert_eq!(error, r#""250" (string) and 100 (number) cannot be compared: they are of unlike kinds"#);
    let error = failure("['10', 9] | max", json!(null));
    assert_eq!(error, r#"9 (number) and "10" (string) cannot be compared: they are of unlike kinds"#);
}

#[test]
fn what_is_alike_is_ordered() {
    for source in [
        "3 < 5 and 5 > 3 and 3 <= 3.0 and 3.0 >= 3 and 2.5 < 3 and 3 > 2.5 and -1 < 0.5",
        "9007199254740993 > 9007199254740992.0 and 9007199254740992.0 < 9007199254740993",
        "18446744073709551615 > 1e19 and 1e300 > 18446744073709551615 and -1e300 < 0",
        "'10' < '9' and 'a' < 'b' and not 'B' > 'a' and false < true",
        "[1, 2] < [1, 3] and [1] < [1, 0] and [] < [0] and [['a'], 1] <= [['a'], 1]",
        "1 < 2 < 3 and not (1 < 3 < 2) and 3 > 2 >= 2 != 1",
        "([3, 1.5, 2] | sort) == [1.5, 2, 3] and ([3, 1, 2] | max) == 3 and ([3, 1, 2] | min) == 1",
        "([['b'], ['a', 1], ['a']] | sort) == [['a'], ['a', 1], ['b']]",
        "(['b', 'A', 'c'] | sort) == ['A', 'b', 'c'] and (['b', 'A'] | sort(case_sensitive=true)) == ['A', 'b']",
        "([1, 2, 3] | sort(reverse=true)) == [3, 2, 1] and ([] | max) is undefined and ([none] | max) is none",
        "({'b': 1, 'a': 2} | dictsort) == [['a', 2], ['b', 1]]",
        "({'b': 1, 'a': 2} | dictsort(by='value')) == [['b', 1], ['a', 2]]",
        "([{'a': 2}, {'a': 1}] | sort(attribute='a') | map(attribute='a') | list) == [1, 2]",
        "([{'a': 1, 'b': 2}, {'a': 1, 'b': 1}] | sort(attribute='a, b') | last).b == 2",
        "([{'a': 1, 'b': 'x'}, {'a': 2, 'b': 'x'}] | groupby('b') | first).grouper == 'x'",
        "([{'a': 1, 'b': 'x'}, {'a': 2, 'b': 'X'}] | groupby('b') | first).list | length == 2",
        "([1, 1.0, true, 'A', 'a', [1], [1.0], none, none] | unique) == [1, true, 'A', [1], none]",
        "(['A', 'a'] | unique(case_sensitive=true) | length) == 2",
        "2 is gt 1 and 1 is le(1) and ([1, 2, 3] | select('gt', 1) | list) == [2, 3]",
    ] {
        holds(source);
    }
}

/// Equality is no order: whatever is unlike is not equal, and nothing fails.
#[test]
fn unlike_values_are_unequal() {
    for source in [
        "1 != '1' and not 1 == true and none != false and [1] != 1 and {} != []",
        "1 == 1.0 and [1, {'a': 2.0}] == [1.0, {'a': 2}] and {'a': 1, 'b': 2} == {'b': 2, 'a': 1}",
        "1 not in ['1', true, none] and 1.0 in [1] and 'b' in 'abc' and 'a' in {'a': none} and 'b' not in {'a': 1}",
        "1 is eq(1.0) and '1' is ne 1 and 'x' is equalto('x')",
    ] {
        holds(source);
    }
    assert_eq!(failure("1 in 'a1'", json!(null)), "`in` looks for a string in a string, not for a number");
    assert_eq!(failure("1 in 5", json!(null)), "`in` cannot look into a number");
}

#[test]
fn what_is_undefined_has_no_order_either() {
    for source in [
        "input.typo < 1",
        "1 < 2 < input.typo",
        "1 is lt(input.typo)",
        "[1, 2] | sort(attribute='typo')",
        "[{'a': 1}, {}] | max(attribute='a')",
        "[{'a': 1}, {}] | groupby('a')",
        "[{'a': 1}, {}] | unique(attribute='a')",
        "input.typo is none",
        "input.typo is string",
        "input.typo | length",
    ] {
        let error = failure(source, json!({}));
        assert!(error.contains("undefined"), "{source}: {error}");
    }
    assert_eq!(condition("([{'a': 1}, {}] | groupby('a', default=0) | length) == 2", json!(null)), Ok(true));
    // What decided already is not looked beyond.
    assert_eq!(condition("3 < 2 < input.typo", json!({})), Ok(false));
}

#[test]
fn arithmetic_is_of_numbers() {
    for source in
        ["true + 1", "1 + 'a'", "none * 2", "[1] * 2", "-'a'", "'a' - 'a'", "1 / 0", "1 // 0", "5 % 0", "{} + {}"]
    {
        failure(source, json!(null));
    }
    for source in [
        "7 // 2 == 3 and -7 // 2 == -4 and -7 % 3 == 2 and 7 % -3 == -2 and 7.5 // 2 == 3.0 and -7.5 % 2 == 0.5",
        "2 ** 10 == 1024 and 2 ** -1 == 0.5 and 10 / 4 == 2.5 and 0x10 + 0b11 + 0o7 + 1_000 == 1026",
        "'a' + 'b' == 'ab' and [1] + [2] == [1, 2] and 'ab' * 2 == 'abab' and 'a' * -1 == ''",
        "'abcde'[1:3] == 'bc' and [1, 2, 3][::-1] == [3, 2, 1] and [1, 2, 3][-2:] == [2, 3] and 'abc'[:-1] == 'ab'",
        "[[1, 2], [3]].0.1 == 2 and {'a': {'b': 1}}.a.b == 1 and (1, 2)[1] == 2 and dict(a=1, b=2) == {'a': 1, 'b': 2}",
        "(range(3) | list) == [0, 1, 2] and range(1, 6, 2) == [1, 3, 5] and range(3, 0, -1) == [3, 2, 1]",
    ] {
        holds(source);
    }
}
