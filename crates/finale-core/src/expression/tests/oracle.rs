//! The engine whose filters are used has a parser and operators of its own: where both give a value, it is the same one.

use std::sync::LazyLock;

use minijinja::{Environment, UndefinedBehavior};
use proptest::prelude::*;

use super::*;

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine
});

const INPUT: &str = r#"{"n": 3, "f": 2.5, "t": "ab", "l": [1, 2, 3], "m": {"a": 1, "b": [4]}, "b": true}"#;

/// What the engine says.
fn oracle(source: &str) -> Result<Value, String> {
    let input: minijinja::Value = serde_json::from_str(INPUT).unwrap();
    let program = ENGINE.compile_expression(source).map_err(|error| error.to_string())?;
    let value = program.eval(minijinja::context! { input }).map_err(|error| error.to_string())?;
    let document = json::write(&value, 1 << 20).map_err(|error| format!("{error:?}"))?;
    serde_json::from_slice(&document).map_err(|error| error.to_string())
}

fn ours(source: &str) -> Result<Value, String> {
    let world = World { input: Payload::from_json(INPUT.as_bytes()).unwrap(), outputs: Vec::new() };
    let expression = compile(source).map_err(|error| error.to_string())?;
    let value = expression.value(&world).map_err(|error| error.to_string())?;
    Ok(value.decode().unwrap())
}

/// Operators without brackets around their operands, so that it shows how they bind.
fn source() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (0_u32..6).prop_map(|number| number.to_string()),
        prop::sample::select(vec![
            "2.5",
            "1e2",
            "'ab'",
            "'b'",
            "''",
            "true",
            "false",
            "none",
            "input.n",
            "input.f",
            "input.t",
            "input.l",
            "input.m.a",
            "input.m['b'][0]",
            "input.l.1",
            "input['l'][1:]",
            "input.l[-1]",
            "input.b",
            "[1, 2]",
            "[]",
            "{'a': 1}",
            "'a' 'b'",
            "0x1f",
            "1_0",
            "input.typo is defined",
            "(1, 2)",
            "'abc'[::-1]",
            "input.l[::2]",
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(5, 24, 3, |inner| {
        // Equality is left to the numbers below: a boolean equals a number there.
        let operator = prop::sample::select(vec![
            "+", "-", "*", "/", "//", "%", "**", "<", "<=", ">", ">=", "and", "or", "if true else",
        ]);
        let behind = prop::sample::select(vec![
            "| abs", "| length", "| list", "is odd", "is string", "is not none", "is gt 2", "| first",
            "| default(1)", "| round", "[0]", "is defined and 1",
        ]);
        prop_oneof![
            4 => (inner.clone(), operator, inner.clone()).prop_map(|(left, operator, right)| format!("{left} {operator} {right}")),
            1 => (inner.clone(), behind).prop_map(|(value, behind)| format!("{value} {behind}")),
            1 => inner.clone().prop_map(|value| format!("-{value}")),
            1 => inner.clone().prop_map(|value| format!("not {value}")),
            1 => inner.clone().prop_map(|value| format!("({value})")),
            1 => inner.clone().prop_map(|value| format!("[{value}, 1]")),
            1 => (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("{a} if {b} else {c}")),
        ]
    })
}

/// Comparisons of numbers, chained or not, with whatever binds tighter in their operands.
fn comparison() -> impl Strategy<Value = String> {
    let number = prop::collection::vec(
        (
            prop::sample::select(vec!["1", "2", "3", "2.0", "0.5", "input.n", "-1", "input.f"]),
            prop::sample::select(vec!["+", "-", "*", "//"]),
        ),
        1..4,
    );
    let number = number.prop_map(|parts| {
        let text: String = parts.iter().map(|(number, operator)| format!("{number} {operator} ")).collect();
        text.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
    });
    let operator = prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">=", "in [1, 2, 3] ==", "not in [0] !="]);
    let chain = (number.clone(), prop::collection::vec((operator, number), 1..4)).prop_map(|(first, rest)| {
        rest.into_iter().fold(first, |chain, (operator, number)| format!("{chain} {operator} {number}"))
    });
    let word = prop::sample::select(vec!["and", "or", "and not", "or not", "if 1 == 1 else"]);
    (chain.clone(), prop::collection::vec((word, chain), 0..3)).prop_map(|(first, rest)| {
        rest.into_iter().fold(first, |formula, (word, chain)| format!("{formula} {word} {chain}"))
    })
}

const WORDS: [&str; 34] = [
    "1", "1.5", "input", "'x'", "[", "]", "(", ")", "{", "}", ":", ",", ".a", ".0", "==", "<", "in", "not", "not in",
    "is", "is not", "odd", "eq", "and", "or", "if", "else", "-", "*", "**", "|abs", "|default", "~", "//",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_both_evaluate_is_the_same(source in prop_oneof![source(), comparison()]) {
        // The engine puts lists that it has not made yet behind those that it has, whatever is in them.
        let orders_lists = source.contains(['<', '>']) && source.contains(['[', '+', '(']);
        if let (Ok(ours), Ok(oracle), false) = (ours(&source), oracle(&source), orders_lists) {
            prop_assert_eq!(ours, oracle, "{}", source);
        }
    }

    #[test]
    fn comparisons_are_evaluated_by_both(source in comparison()) {
        let holds_no_list = !source.contains('[');
        prop_assert!(ours(&source).is_ok() || !holds_no_list, "{}: {:?}", source, ours(&source));
    }

    /// Whatever is an expression for the engine is one here, and the other way round.
    #[test]
    fn both_accept_the_same_grammar(words in prop::collection::vec(0..WORDS.len(), 1..12)) {
        let source = words.iter().map(|&word| WORDS[word]).collect::<Vec<_>>().join(" ");
        let ours = match compile(&source) {
            Ok(_) => true,
            // A filter of two words, which the engine looks for when it gets there.
            Err(ExpressionError::Syntax { detail }) if detail.contains("unexpected `.") => return Ok(()),
            Err(ExpressionError::Syntax { detail }) if !detail.contains("can be called") => false,
            // A name or a call that the engine refuses only when it gets there.
            Err(_) => return Ok(()),
        };
        // A keyword in the place of a name is a name there.
        let names_input = |program: &minijinja::Expression<'_, '_>| program.undeclared_variables(false).iter().all(|name| name == "input");
        prop_assert_eq!(ours, ENGINE.compile_expression(&source).is_ok_and(|program| names_input(&program)), "{}", source);
    }
}
