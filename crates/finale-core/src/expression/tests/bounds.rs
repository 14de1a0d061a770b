//! Nothing that a user writes overflows the stack, fills the memory or runs for long.

use std::time::{Duration, Instant};

use serde_json::json;

use super::*;

/// Runs on a stack as small as the threads of most runtimes have.
fn on_two_mebibytes<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap()
}

#[test]
fn work_and_results_are_limited() {
    let begun = Instant::now();
    let long = World::new(json!({"s": "x".repeat(500_000), "l": vec![0; 100_000]}), Vec::new());
    for source in [
        "'a' * 1000000000",
        "('a' * 100000000) is truthy",
        "[0] * 100000000",
        "1 in ([0] * 100000000)",
        "([0] * 100000000) == ([0] * 100000000)",
        "([0] * 100000000) < ([0] * 100000000)",
        "([[0] * 10000] * 10000) == ([[0] * 10000] * 10000)",
        "([0] * 100000000) is eq([0] * 100000000)",
        "([0] * 100000000)[99999999]",
        "2 * [0]",
        "[input.l] * 100 == 1",
        "(input.l + [1]) in [input.l, input.l, input.l, input.l, input.l, input.l, input.l, input.l, input.l]",
        "input.l | sort",
        "input.l | groupby('0')",
        "input.l | join(input.s)",
        "input.s | replace('', input.s)",
        "('x' * 5000000) ~ ('x' * 5000000)",
        "(2.0 ** 1023) * 2",
        "range(1000000000)",
        "range(100000) | map('string') | join('x' * 1000) | length",
        "(range(100000) | list) + (range(100000) | list) + (range(100000) | list)",
        "input.s ~ input.s ~ input.s ~ input.s ~ input.s",
        "input.s | replace('x', input.s)",
        "[input.l, input.l, input.l, input.l, input.l, input.l, input.l, input.l, input.l] | tojson ~ (input.l + input.l | tojson)",
        "[input.l, input.l, input.l, input.l, input.l, input.l] | tojson | list",
        "input.l | map('string') | map('upper') | map('lower') | sort | unique | list",
        "(2 ** 126) * (2 ** 126) * (2 ** 126)",
    ] {
        let result = value(source, &long);
        assert!(result.is_err(), "{source} gave {} bytes", result.unwrap().to_string().len());
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "it took {:?}", begun.elapsed());
}

#[test]
fn what_is_too_long_is_refused_by_name() {
    let long = "1".repeat(limits::SOURCE_BYTES_MAX + 1);
    assert!(matches!(compile(&long), Err(ExpressionError::TooLong { .. })));
    let many = format!("[{}]", vec!["1"; 10_000].join(","));
    assert!(matches!(compile(&many), Err(ExpressionError::TooManyTokens { .. })));
}

#[test]
fn a_key_of_ten_thousand_characters_is_possible() {
    let key = "k\\\"".repeat(5_000);
    let world = World::new(json!({ (key.clone()): true }), Vec::new());
    let source = format!("vars[{}] is truthy", json!(key));
    assert_eq!(value(&source, &world), Ok(json!(true)));
}

#[test]
fn a_translated_condition_of_128_atoms_is_possible() {
    on_two_mebibytes(|| {
        let atom = |n: usize| match n % 2 {
            0 => format!("vars[\"k{n}\"] is printed_as(\"v\")"),
            _ => format!("not (vars[\"k{n}\"] is truthy)"),
        };
        let flat = (0..128).map(atom).collect::<Vec<_>>().join(" and ");
        assert_eq!(value(&flat, &nothing()), Ok(json!(false)));
        let nested = format!("{}{}{}", "not (vars[\"a\"] is truthy and (".repeat(32), atom(1), "))".repeat(32));
        assert!(value(&nested, &nothing()).is_ok());
        let nested = format!("{}{}{}", "(vars[\"a\"] is truthy or not ".repeat(64), atom(1), ")".repeat(64));
        assert!(value(&nested, &nothing()).is_ok());
    });
}

/// Shapes that nest or chain, with the number of repetitions as argument.
const SHAPES: [fn(usize) -> String; 27] = [
    |n| vec!["true"; n].join(" and "),
    |n| vec!["1"; n].join("+"),
    |n| vec!["1"; n].join("<"),
    |n| vec!["1"; n].join("**"),
    |n| vec!["'a'"; n].join("~"),
    |n| format!("input{}", ".a".repeat(n)),
    |n| format!("input{}", "[0]".repeat(n)),
    |n| format!("input{}", "()".repeat(n)),
    |n| format!("1{}", "|abs".repeat(n)),
    |n| format!("[1]{}", "|reverse".repeat(n)),
    |n| format!("[1]{}", "[::-1]".repeat(n)),
    |n| format!("[1]{}", "+[1]".repeat(n)),
    |n| format!("[{{'0': 1}}]{}", "|groupby('0')".repeat(n)),
    |n| format!("{{'a': 1}}|items{}", "|map('list')|list".repeat(n)),
    |n| format!("[1]{}", "|map('string')".repeat(n)),
    |n| format!("input{}", " is defined".repeat(n)),
    |n| format!("input{}", " is not defined".repeat(n)),
    |n| format!("{}true", "not ".repeat(n)),
    |n| format!("{}1", "-".repeat(n)),
    |n| format!("1{}", " if true else 1".repeat(n)),
    |n| format!("{}1{}", "(".repeat(n), ")".repeat(n)),
    |n| format!("{}1{}", "[".repeat(n), "]".repeat(n)),
    |n| format!("{}1{}", "{1:".repeat(n), "}".repeat(n)),
    |n| format!("{}1{}", "input[".repeat(n), "]".repeat(n)),
    |n| format!("{}1{}", "dict(a=".repeat(n), ")".repeat(n)),
    |n| format!("{}1{}", "input|default(".repeat(n), ")".repeat(n)),
    |n| format!("{}1{}", "(1 if 1 else not - (".repeat(n), "))".repeat(n)),
];

#[test]
fn no_text_overflows_a_stack_of_two_mebibytes() {
    on_two_mebibytes(|| {
        for shape in SHAPES {
            for n in (1..110).step_by(3).chain([127, 128, 250, 384, 500, 1000, 2000, 5000, 10_000, 30_000]) {
                let _ = compile(&shape(n)).map(|expression| expression.value(&nothing()));
            }
        }
    });
}

#[test]
fn the_deepest_text_needs_half_of_the_stack() {
    for shape in &SHAPES[19..] {
        let deepest = (1..=limits::DEPTH_MAX).rev().find(|n| compile(&shape(*n)).is_ok()).unwrap();
        let source = shape(deepest);
        let stack = std::thread::Builder::new().stack_size(1 << 20);
        let evaluate = move || compile(&source).map(|expression| drop(expression.value(&nothing())));
        stack.spawn(evaluate).unwrap().join().unwrap().unwrap();
    }
}

#[test]
fn chains_are_as_long_as_a_text_may_be() {
    let sum = vec!["input"; 5_000].join("+");
    assert_eq!(value(&sum, &World::new(json!(2), Vec::new())), Ok(json!(10_000)));
    let conditions = vec!["input == 2"; 4_000].join(" and ");
    assert_eq!(condition(&conditions, json!(2)), Ok(true));
}

/// Everything that can be called, with everything that makes no sense; a panic would show.
#[test]
fn no_filter_and_no_test_panics() {
    const VALUES: [&str; 16] = [
        "none",
        "true",
        "-1",
        "1.5",
        "''",
        "'äb c'",
        "[]",
        "[1, 'a', none]",
        "[[1], [2]]",
        "{'a': 1}",
        "{1: {'a': 2}}",
        "range(5)",
        "1e308",
        "18446744073709551615",
        "-9223372036854775808",
        "input",
    ];
    const ARGUMENTS: [&str; 22] = [
        "",
        "()",
        "(1)",
        "(-1)",
        "('a')",
        "('')",
        "(none)",
        "([])",
        "({})",
        "(attribute='a')",
        "(attribute='0.1')",
        "(1, 2, 3)",
        "('a', 'b', 'c', 'd')",
        "(default=1)",
        "(reverse=true)",
        "(reverse='x')",
        "(100000000000)",
        "('upper')",
        "(d=1, attribute=2)",
        "(by='value')",
        "(indent=300)",
        "('<', none)",
    ];
    let world = World::new(json!({"a": [1]}), Vec::new());
    for value in VALUES {
        for arguments in ARGUMENTS {
            for filter in known::FILTERS {
                let _ = compile(&format!("{value} | {filter}{arguments}")).map(|expression| expression.value(&world));
                let _ =
                    compile(&format!("[{value}] | map('{filter}') | list")).map(|expression| expression.value(&world));
            }
            for test in known::TESTS {
                let _ = compile(&format!("{value} is {test}{arguments}")).map(|expression| expression.value(&world));
            }
        }
        for part in
            ["[-9223372036854775808:]", "[::9223372036854775807]", "[::-1]", "[1:0:-3]", "['a']", "[1e9]", "[none]"]
        {
            let _ = compile(&format!("{value}{part}")).map(|expression| expression.value(&world));
        }
    }
    for call in [
        "range()",
        "range(1, 2, 0)",
        "range(-9223372036854775808, 9223372036854775807, 9223372036854775807)",
        "dict(1)",
    ] {
        let _ = compile(call).map(|expression| expression.value(&world));
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_compiled_or_refused(source in "\\PC{0,60}") {
        let _ = compile(&source);
    }
}
