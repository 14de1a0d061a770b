use rustc_hash::FxHashMap;
use serde_json::{Value, json};

use super::*;

mod bounds;
mod documents;
mod oracle;
mod order;
mod passing;
mod printing;
mod quote;

/// An execution with the nodes `a`, `b`, `task-c`, each completed with an output, or failed.
struct World {
    input: Payload,
    outputs: Vec<Result<Value, &'static str>>,
}

impl World {
    #[expect(clippy::needless_pass_by_value, reason = "tests read better without borrows")]
    fn new(input: Value, outputs: Vec<Result<Value, &'static str>>) -> Self {
        Self { input: Payload::encode(&input).unwrap(), outputs }
    }
}

impl Facts for World {
    fn input(&self) -> &Payload {
        &self.input
    }

    fn node(&self, position: u32) -> NodeView {
        match self.outputs.get(position as usize) {
            None => NodeView { status: NodeStatus::Pending, output: None, error: None },
            Some(Ok(output)) => {
                let output = Some(Payload::encode(output).unwrap());
                NodeView { status: NodeStatus::Completed, output, error: None }
            }
            Some(Err(error)) => NodeView { status: NodeStatus::Failed, output: None, error: Some((*error).to_owned()) },
        }
    }
}

const NAMES: [&str; 3] = ["a", "b", "task-c"];

fn compile(source: &str) -> Result<Expression, ExpressionError> {
    let names: FxHashMap<String, u32> = NAMES.iter().map(|name| (*name).to_owned()).zip(0..).collect();
    Expression::compile(source, &names, || vec![0, 1, 2])
}

fn value(source: &str, world: &World) -> Result<Value, EvaluationError> {
    let expression = compile(source).unwrap_or_else(|error| panic!("{source}: {error}"));
    expression.value(world).map(|payload| payload.decode().unwrap())
}

fn condition(source: &str, input: Value) -> Result<bool, EvaluationError> {
    let expression = compile(source).unwrap_or_else(|error| panic!("{source}: {error}"));
    expression.condition(&World::new(input, Vec::new()))
}

fn refused(source: &str) -> String {
    compile(source).expect_err("it should be refused").to_string()
}

fn nothing() -> World {
    World::new(Value::Null, Vec::new())
}

#[test]
fn input_and_outputs_of_nodes_can_be_read() {
    let world = World::new(json!({"n": 2}), vec![Ok(json!({"x": [10, 20]})), Err("declined"), Ok(json!(7))]);
    assert_eq!(value("input.n + nodes.a.output.x[1]", &world), Ok(json!(22)));
    assert_eq!(value(r#"nodes["task-c"].output"#, &world), Ok(json!(7)));
    assert_eq!(value("nodes.b.error ~ '/' ~ nodes.b.status", &world), Ok(json!("declined/failed")));
    assert_eq!(value("nodes.b.output is defined", &world), Ok(json!(false)));
    assert_eq!(value("nodes.a", &world), Ok(json!({"status": "completed", "output": {"x": [10, 20]}})));
}

#[test]
fn later_outputs_overlay_earlier_ones_and_the_input_in_vars() {
    let world = World::new(
        json!({"x": 0, "y": 0, "z": 0}),
        vec![Ok(json!({"x": 1, "y": 1})), Ok(json!([1])), Ok(json!({"x": 3}))],
    );
    assert_eq!(value("[vars.x, vars['y'], vars.z]", &world), Ok(json!([3, 1, 0])));
    assert_eq!(value("vars", &world), Ok(json!({"x": 3, "y": 1, "z": 0})));
    assert_eq!(value("vars.none is defined or vars.other is truthy", &world), Ok(json!(false)));
}

#[test]
fn only_what_is_referred_to_is_asked_for() {
    struct Panics;
    impl Facts for Panics {
        fn input(&self) -> &Payload {
            panic!("the input is not needed")
        }
        fn node(&self, position: u32) -> NodeView {
            assert_eq!(position, 1, "only b is needed");
            NodeView { status: NodeStatus::Completed, output: None, error: None }
        }
    }
    assert_eq!(compile("nodes.b.status == 'completed'").unwrap().condition(&Panics), Ok(true));
}

#[test]
fn vars_stops_looking_when_all_its_keys_are_found() {
    struct Last(Payload);
    impl Facts for Last {
        fn input(&self) -> &Payload {
            panic!("the input is not needed")
        }
        fn node(&self, position: u32) -> NodeView {
            assert_eq!(position, 2, "the last task has it");
            NodeView { status: NodeStatus::Completed, output: Some(self.0.clone()), error: None }
        }
    }
    let last = Last(Payload::from_json(br#"{"go": true}"#).unwrap());
    assert_eq!(compile("vars.go").unwrap().condition(&last), Ok(true));
}

#[test]
fn a_condition_must_be_true_or_false() {
    assert_eq!(condition("input > 1", json!(2)), Ok(true));
    let error = condition("input", json!("true")).unwrap_err();
    assert_eq!(error.to_string(), "a condition must give true or false, this one gave a string");
}

#[test]
fn what_is_undefined_cannot_be_used() {
    for source in [
        "input.typo",
        "input.typo == 1",
        "1 != input.typo",
        "0 < input.typo",
        "input.typo >= 1 and true",
        "1 in [1] and 2 not in input.typo",
        "(input.typo == 1) or true",
        "[input.typo > 1]",
        "not input.typo",
        "input.typo.deeper",
        "input.typo + 1",
        "[input.typo]",
        "1 if input.a else 2 == input.typo",
        "2 if false",
    ] {
        let error = value(source, &World::new(json!({"a": false}), Vec::new())).unwrap_err();
        assert!(
            matches!(error, EvaluationError::Undefined { .. } | EvaluationError::Failed { .. }),
            "{source}: {error}"
        );
    }
    let error = condition("input.amuont > 100", json!({})).unwrap_err();
    assert_eq!(error.to_string(), "`input.amuont` is undefined; ask with `is defined` or give a `| default(...)`");
}

#[test]
fn what_is_undefined_can_be_asked_for() {
    for source in [
        "input.typo is not defined",
        "input.typo is undefined == true",
        "input.typo | default(3) == 3",
        "not (input.typo is truthy)",
        "not (input.typo is printed_as(''))",
        "true == (input.typo is not defined)",
        "{'a': 1 == 1}['a']",
        "-1 not in [1, 2] and 'a' in {'a': 1} and 2 * -3 + 1 == -5 and 'ab' * 2 == 'abab' and 3 * (1 + 1) == 6 and 2 is gt 1",
        "\"quoted \\\" ==\" != 'x' 'y'",
    ] {
        assert_eq!(condition(source, json!({})), Ok(true), "{source}");
    }
}

#[test]
fn truth_is_that_of_json() {
    for falsy in [json!(false), json!(0), json!(0.0), json!(""), json!(null), json!([]), json!({})] {
        assert_eq!(condition("input.x is truthy", json!({"x": falsy})), Ok(false), "{falsy}");
    }
    for truthy in [json!(true), json!(-1), json!(0.5), json!("false"), json!([0]), json!({"a": null})] {
        assert_eq!(condition("input.x is truthy", json!({"x": truthy})), Ok(true), "{truthy}");
    }
}

#[test]
fn values_are_compared_as_they_print() {
    for (given, text) in [
        (json!("Abc"), "Abc"),
        (json!(true), "true"),
        (json!(false), "false"),
        (json!(7), "7"),
        (json!(-7), "-7"),
        (json!(u64::MAX), "18446744073709551615"),
        (json!(1.0), "1.0"),
        (json!(1.0), "1"),
        (json!(0.1), "0.1"),
        (json!(null), "null"),
        (json!([1, "a", {}]), r#"[1,"a",{}]"#),
        (json!({"b": 1, "a": [true]}), r#"{"a":[true],"b":1}"#),
    ] {
        let source = format!("input.x is printed_as({})", json!(text));
        assert_eq!(condition(&source, json!({"x": given})), Ok(true), "{given}");
    }
    for (text, truth) in [("True", true), ("False", false), ("true", true), ("false", false)] {
        let source = format!("input.x is printed_as('{text}')");
        assert_eq!(condition(&source, json!({"x": truth})), Ok(true), "{source}");
        assert_eq!(condition(&source, json!({"x": !truth})), Ok(false), "{source}");
        assert_eq!(condition(&source, json!({"x": text})), Ok(true), "{source}");
        assert_eq!(condition(&source, json!({"x": 1})), Ok(false), "{source}");
    }
    assert_eq!(condition("input.x is printed_as('1.0')", json!({"x": 1})), Ok(false));
    assert_eq!(condition("input.x is printed_as('abc')", json!({"x": "Abc"})), Ok(false));
}

#[test]
fn numbers_compare_and_nothing_else_does() {
    let holds =
        |x: Value| condition("input.x is compares('<', 5) and not (input.x is compares('>=', 5))", json!({"x": x}));
    assert_eq!(
        (holds(json!(4)), holds(json!(4.9)), holds(json!(5)), holds(json!(6))),
        (Ok(true), Ok(true), Ok(false), Ok(false))
    );
    for other in [json!("4"), json!(true), json!(null), json!([4])] {
        assert_eq!(holds(other.clone()), Ok(false), "{other}");
    }
    assert_eq!(condition("input.typo is compares('<=', 5) or 5 is compares('<=', 5.0)", json!({})), Ok(true));
    assert!(condition("1 is compares('=', 5)", json!({})).is_err());
}

#[test]
fn a_result_must_be_json() {
    assert_eq!(value("1e308 * 10", &nothing()), Err(EvaluationError::NotFinite));
    assert_eq!(value("[1e308 * 10 - 1e308 * 10]", &nothing()), Err(EvaluationError::NotFinite));
    assert!(refused("range").contains("expected `(` behind `range`"), "{}", refused("range"));
    assert_eq!(value("{1: 'a'}", &nothing()), Ok(json!({"1": "a"})));
    assert_eq!(value("range(3)", &nothing()), Ok(json!([0, 1, 2])));
    assert_eq!(value("18446744073709551615", &nothing()), Ok(json!(u64::MAX)));
}

/// Whoever reads JSON makes a float of a larger one, which is another number.
#[test]
fn an_integer_beyond_64_bits_is_an_error_and_no_float() {
    let world = World::new(json!({"least": i64::MIN, "most": u64::MAX}), Vec::new());
    for (text, exact) in [
        ("input.most - 1", json!(u64::MAX - 1)),
        ("2 ** 63", json!(1_u64 << 63)),
        ("input.least + 1", json!(i64::MIN + 1)),
        ("-9223372036854775808", json!(i64::MIN)),
        ("input.least | abs", json!(1_u64 << 63)),
        ("'18446744073709551615' | int", json!(u64::MAX)),
    ] {
        assert_eq!(value(text, &world), Ok(exact), "{text}");
    }
    for text in ["input.most + 1", "input.least - 1", "2 ** 64", "2 ** 64 - 1", "-input.most", "[input.most, 1] | sum"]
    {
        let error = value(text, &world).unwrap_err().to_string();
        assert!(error.contains("larger integer than 64 bits hold"), "{text}: {error}");
    }
    assert!(value("1e19 | int", &world).is_ok() && value("1e20 | int", &world).is_err());
    assert!(refused("18446744073709551616").contains("`18446744073709551616` is a larger integer than 64 bits hold"));
}

#[test]
fn a_result_that_no_parser_could_read_back_is_refused() {
    let deep = (0..90).fold(json!(1), |inner, _| json!([inner]));
    let world = World::new(deep, Vec::new());
    assert!(value("[[[input]]]", &world).is_ok());
    let wrapped = |levels| format!("{}input{}", "[".repeat(levels), "]".repeat(levels));
    assert!(value(&wrapped(22), &world).is_ok());
    assert_eq!(value(&wrapped(23), &world), Err(EvaluationError::TooDeep { depth_max: 112 }));
}

#[test]
fn a_document_that_cannot_be_read_is_an_error() {
    let broken = World { input: Payload::trusted(b"{\"a\": 1e999}"), outputs: Vec::new() };
    let error = compile("input.a + 1").unwrap().value(&broken).unwrap_err();
    assert!(matches!(error, EvaluationError::Unreadable { .. }), "{error}");
}

#[test]
fn nodes_are_named_one_by_one() {
    for source in ["nodes", "nodes[input.which]", "nodes | length", "(nodes).a", "nodes['a' ~ 'b']", "nodes.0"] {
        assert_eq!(compile(source).unwrap_err(), ExpressionError::BareNodes, "{source}");
    }
    assert_eq!(value("{'nodes': input.nodes}", &World::new(json!({"nodes": 1}), Vec::new())), Ok(json!({"nodes": 1})));
}

#[test]
fn an_unknown_node_is_refused_with_the_nearest_name() {
    assert_eq!(refused(r#"nodes["tsk-c"].output"#), r#"there is no node "tsk-c"; did you mean "task-c"?"#);
    assert_eq!(refused("nodes.reserve.output"), r#"there is no node "reserve""#);
}

#[test]
fn a_hyphen_in_the_name_of_a_node_has_its_own_hint() {
    let hint = r#"`nodes.task-c` is read as a subtraction; write `nodes["task-c"]`"#;
    assert_eq!(refused("nodes.task-c.output"), hint);
    assert_eq!(refused("nodes.tsk-c.output > 1"), hint);
    assert!(compile("nodes.a.output-nodes.b.output").is_ok());
}

#[test]
fn filters_and_tests_that_are_named_to_a_filter_exist() {
    for (source, named) in [
        ("[1] | map('nosuch') | list", "filter `nosuch`"),
        ("[1] | select('nosuch') | list", "test `nosuch`"),
        ("[1] | reject(\"nosuch\", 2) | list", "test `nosuch`"),
        ("[{'a': 1}] | selectattr('a', 'nosuch') | list", "test `nosuch`"),
        ("[{'a': 1}] | rejectattr('a', 'nosuch', 3) | list", "test `nosuch`"),
    ] {
        assert!(refused(source).contains(named), "{source}: {}", refused(source));
    }
    for (source, given) in [
        ("[1, 2] | select('odd') | list", json!([1])),
        ("[-1] | map('abs') | list", json!([1])),
        ("[{'a': 1}] | map(attribute='a') | list", json!([1])),
        ("[{'a': 1}, {'a': 2}] | selectattr('a', 'eq', 2) | list | length", json!(1)),
        ("[{'a': 1}] | selectattr('a') | list | length", json!(1)),
    ] {
        assert_eq!(value(source, &nothing()), Ok(given), "{source}");
    }
}

#[test]
fn unknown_names_filters_and_tests_are_refused() {
    assert!(
        refused("amount > 1").starts_with("`amount` is unknown: an expression here sees `input`, `nodes` and `vars`")
    );
    assert!(refused("null").contains("`none`"));
    assert!(refused("now()").starts_with("`now` is unknown"));
    assert!(refused("debug()").starts_with("`debug` is unknown"));
    assert_eq!(refused("input | frobnicate"), "there is no filter `frobnicate`");
    assert_eq!(refused("input is not odd_one"), "there is no test `odd_one`");
    assert_eq!(refused("input | uper"), "there is no filter `uper`; did you mean `upper`?");
    assert_eq!(refused("input | upcase"), "there is no filter `upcase`; did you mean `upper`?");
    assert_eq!(refused("input is defnied"), "there is no test `defnied`; did you mean `defined`?");
    assert_eq!(refused("input is emtpy"), "there is no test `emtpy`; ask whether `| length == 0`");
    assert!(refused("input +").starts_with("syntax error"), "{}", refused("input +"));
    assert!(refused("").starts_with("syntax error"));
}

#[test]
fn every_filter_and_test_on_the_list_exists() {
    for filter in known::FILTERS {
        let result = value(&format!("input | {filter}"), &nothing());
        assert!(!format!("{result:?}").contains("unknown filter"), "{filter}");
    }
    for test in known::TESTS {
        let result = value(&format!("input is {test}"), &nothing());
        assert!(!format!("{result:?}").contains("unknown test"), "{test}");
    }
}

#[test]
fn removed_filters_cannot_be_reached_by_name() {
    for name in ["format", "indent", "pprint", "chain"] {
        assert!(refused(&format!("[1] | map('{name}') | list")).contains("there is no filter"), "{name}");
        let world = World::new(json!({"name": name}), Vec::new());
        assert!(value("[1] | map(input.name) | list", &world).is_err(), "{name}");
    }
}

#[test]
fn an_expression_can_be_shared_between_threads() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<Expression>();
}

#[test]
fn words_of_other_systems_are_told_what_they_are_here() {
    for (source, words) in [
        ("nodes.a.outputs.x", "a node has `status`, `output` and `error`, and no `outputs`; did you mean `output`?"),
        ("nodes.a.result == 'success'", "no `result`; did you mean `status`?"),
        ("nodes['a'].statsu", "no `statsu`; did you mean `status`?"),
        ("nodes.a.duration", "and no `duration`"),
        ("a.output.x", "(perhaps `nodes.a`)"),
        ("inputs.who", "(perhaps `input`)"),
        ("tasks.a.output", "(perhaps `nodes`)"),
        ("contains('a', 'b')", "only `range` and `dict` can be called"),
        ("amount", "(perhaps `input.amount` or `vars.amount`)"),
    ] {
        let error = refused(source);
        assert!(error.contains(words), "{source}: {error}");
    }
}

#[test]
fn signs_of_other_languages_are_told_what_they_are_here() {
    for (source, way_out) in [
        ("input.a && input.b", "unexpected `&`, expected the end of the expression; write `and`"),
        ("input.a || input.b", "unexpected `|`, expected the name of a filter; write `or`"),
        ("!input.a", "unexpected `!`, expected an expression; write `not`"),
        ("input.a ? 1 : 2", "unexpected `?`, expected the end of the expression; write `A if CONDITION else B`"),
        ("{{ input.a }}", "`{{ }}` means nothing here; write the expression alone"),
        ("input.a == 'b", "the text 'b is not closed; write `'` behind it"),
    ] {
        assert!(refused(source).contains(way_out), "{source}: {}", refused(source));
    }
}
