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
        "[input.l, input.l, input.l] == 1",
        "[input.l, input.l, input.l] is eq(1)",
        "range(1000000000)",
        "range(100000) | map('string') | join('x' * 1000) | length",
        "(range(100000) | list) + (range(100000) | list) + (range(100000) | list)",
        "input.s ~ input.s ~ input.s",
        "input.s | replace('x', input.s)",
        "[input.l, input.l, input.l, input.l, input.l, input.l] | tojson | length",
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
    let many = format!("[{}]", vec!["1"; 2000].join(","));
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

/// Shapes that make the parser or the code generator recurse, with the number of repetitions as argument.
const SHAPES: [fn(usize) -> String; 20] = [
    |n| vec!["true"; n].join(" and "),
    |n| vec!["1"; n].join("+"),
    |n| vec!["1"; n].join("<"),
    |n| vec!["1"; n].join("**"),
    |n| format!("input{}", ".a".repeat(n)),
    |n| format!("input{}", "[0]".repeat(n)),
    |n| format!("input{}", "()".repeat(n)),
    |n| format!("input{}", "|abs".repeat(n)),
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
            for n in (1..72).chain([80, 127, 128, 191, 192, 250, 383, 384, 500, 1000, 2000, 10_000, 30_000]) {
                let _ = compile(&shape(n)).map(|expression| expression.value(&nothing()));
            }
        }
    });
}

#[test]
fn chains_have_three_times_the_stack_they_need() {
    for shape in &SHAPES[..13] {
        let at_limit = (1..400).rev().find(|n| compile(&shape(*n)).is_ok()).unwrap();
        let source = shape(at_limit);
        let stack = std::thread::Builder::new().stack_size((2 << 20) / 3 + (64 << 10));
        stack.spawn(move || compile(&source).map(|_| ())).unwrap().join().unwrap().unwrap();
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_compiled_or_refused(source in "\\PC{0,60}") {
        let _ = compile(&source);
    }

    /// The guards must not change what is an expression; a keyword in the place of a name is none in either case.
    #[test]
    fn guards_change_no_grammar(words in proptest::collection::vec(0..WORDS.len(), 1..14)) {
        let source = words.iter().map(|&word| WORDS[word]).collect::<Vec<_>>().join(" ");
        let tokens = scan::tokens(&source).unwrap();
        if references::find(&source, &tokens, &FxHashMap::default(), Vec::new).is_err() {
            return Ok(());
        }
        let guarded = guard::operands(&source, &tokens);
        let texts = format!("{source} => {guarded}");
        let accepted = |text| environment::compile(text).is_ok_and(|program| refuse_unknown_names(&program).is_ok());
        proptest::prop_assert_eq!(accepted(source), accepted(guarded), "{}", texts);
    }
}

const WORDS: [&str; 30] = [
    "1", "input", "'x'", "[", "]", "(", ")", "{", "}", ":", ",", ".a", "==", "<", "in", "not", "not in", "is",
    "is not", "odd", "eq", "and", "or", "if", "else", "-", "*", "**", "|abs", "range(1)",
];
