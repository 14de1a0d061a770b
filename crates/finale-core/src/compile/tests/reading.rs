//! What expressions read can be there, and what conditions ask can be so.

use super::*;
use crate::compile::WarningCode;
use crate::definition::{DefinitionBuilder, Document, OnFailure};

fn found(definition: Definition) -> (Vec<Problem>, Vec<String>) {
    match compile(definition, &Registry::new()) {
        Ok(compiled) => (Vec::new(), compiled.warnings().iter().map(ToString::to_string).collect()),
        Err(error) => (error.problems, Vec::new()),
    }
}

fn reading(input: &str) -> Task {
    Task::handler("work").input(input)
}

fn after(builder: DefinitionBuilder, node: &str, others: &[&str]) -> DefinitionBuilder {
    others.iter().fold(builder.task(node, "work"), |builder, other| builder.after(*other))
}

#[test]
fn what_is_read_before_it_is_certain_to_be_done_is_a_warning() {
    let order = Definition::builder("order").task("pack", "work").task("charge", reading("nodes.pack.output")).build();
    let expected = "reads_unordered_node: the input of \"charge\" reads \"pack\", which does not come before it and may \
                    not be done then; let \"charge\" come after it: `after: pack`";
    assert_eq!(found(order), (vec![], vec![expected.to_owned()]));

    let guarded = Definition::builder("order").task("pack", "work").task("ship", "work");
    let guarded = guarded.when("nodes.pack.output.is_heavy").build();
    let (_, warnings) = found(guarded);
    assert!(warnings[0].contains("the condition of \"ship\" reads \"pack\""), "{warnings:?}");
    assert!(warnings[0].contains("let \"ship\" come after it"), "{warnings:?}");
}

/// `pack` only if it is wanted, `wrap` in any case, and behind both `ship`, which reads something.
fn packed(input: &str) -> DefinitionBuilder {
    let order = Definition::builder("order").task("wrap", "work").task("pack", "work").when("input.pack");
    order.task("ship", reading(input)).after_all(["wrap", "pack"])
}

#[test]
fn an_output_that_is_read_of_what_may_be_skipped_is_a_warning() {
    let expected = "reads_skipped_node: the input of \"ship\" reads the output of \"pack\", which is skipped if the \
                    condition of \"pack\" is false: ask first, `nodes[\"pack\"].output | default(none)`";
    assert_eq!(found(packed("nodes.pack.output").build()), (vec![], vec![expected.to_owned()]));
    let (_, warnings) = found(packed("input").output("nodes.pack.output.weight").build());
    assert!(warnings[0].contains("the output of the workflow reads the output of \"pack\""), "{warnings:?}");
    let handled = |input: &str| {
        let order = Definition::builder("order").task("charge", "work").catch("refund").task("refund", "work");
        found(order.task("tell", reading(input)).after_all(["charge", "refund"]).build()).1
    };
    assert!(handled("nodes.refund.output")[0].contains("skipped unless \"charge\" fails"));
    assert_eq!(handled("nodes.charge.output"), [""; 0], "it was begun, whatever became of it");
}

#[test]
fn whoever_knows_that_a_node_may_be_skipped_is_not_warned() {
    for input in ["nodes.pack.output | default(none)", "nodes.pack.output if nodes.pack.output is defined else 1"] {
        assert_eq!(found(packed(input).build()).1, [""; 0], "{input}");
    }
    assert_eq!(found(packed("nodes.wrap.output").build()).1, [""; 0], "it is never skipped");
    let same = packed("nodes.pack.output").when("input.pack").build();
    assert_eq!(found(same).1, [""; 0], "both are wanted, or neither is");
    let asked = packed("nodes.pack.output").when("nodes.pack.status == 'completed'").build();
    assert_eq!(found(asked).1, [""; 0], "its condition is about it");
    let behind = Definition::builder("order").task("pack", "work").when("input.pack");
    assert_eq!(found(behind.task("ship", reading("nodes.pack.output")).after("pack").build()).1, [""; 0]);
}

#[test]
fn what_is_before_by_any_way_may_be_read() {
    let diamond = |last: Task| {
        let builder = Definition::builder("w").task("first", "work");
        let builder = after(after(builder, "left", &["first"]), "right", &["first"]);
        builder.task("last", last).after("left").after("right").output("nodes.right.output").build()
    };
    for input in ["nodes.first.output", "nodes.left.output", "nodes.right.output", "nodes.start.status"] {
        assert_eq!(found(diamond(reading(input))), (vec![], vec![]), "{input}");
    }
    let chained = Definition::builder("w").task("a", "work").task("b", "work").after("a").when("nodes.a.output > 1");
    let chained = chained.task("c", reading("nodes.a.output")).after("b").when("nodes.b.output and nodes.a.output");
    assert_eq!(found(chained.build()), (vec![], vec![]));
}

#[test]
fn what_comes_later_cannot_be_read() {
    let builder = Definition::builder("w").task("a", reading("nodes.c.output"));
    let (problems, _) = found(after(after(builder, "b", &["a"]), "c", &["b"]).build());
    assert_eq!(codes(&problems), ["reads_later_node"]);
    assert_eq!(problems[0].nodes, ["a", "c"]);
    let expected =
        "the input of \"a\" reads \"c\", which comes after it: nothing is known of that when it is evaluated";
    assert_eq!(problems[0].message, expected);

    let itself = Definition::builder("w").task("a", reading("nodes.a.output | default(1)")).build();
    let (problems, _) = found(itself);
    assert!(problems[0].message.contains("reads its own node"), "{problems:?}");

    let condition = Definition::builder("w").task("a", "work").when("nodes.a.status == 'completed'").build();
    let (problems, _) = found(condition);
    assert_eq!(codes(&problems), ["reads_later_node"], "a condition is before what it guards");
}

#[test]
fn what_is_behind_a_join_of_any_branch_may_be_done_earlier() {
    let nodes =
        vec![split("p"), task("a"), conditional("b", "nodes.x.output"), join("j", JoinStrategy::Any), task("x")];
    let edges = ["s p", "p a parallel_branch", "p b parallel_branch", "a j", "b j conditional_true"];
    let edges = [&edges[..], &["b e conditional_false", "j x", "x e"]].concat();
    let (problems, warnings) = found(workflow(nodes, &edges));
    assert_eq!((problems, warnings.len()), (vec![], 1));
}

#[test]
fn all_that_is_wrong_is_told_with_a_cycle_but_not_what_follows_from_it() {
    let builder = Definition::builder("w").task("a", "work").after("b");
    let builder = after(after(builder, "b", &["a"]), "c", &["b"]).condition("d", "nodes.c.output").after("c");
    let (problems, _) =
        found(builder.task("alone", Task { retry: Retry { attempts: 0, ..Retry::default() }, ..reading("1") }).build());
    assert_eq!(problems[0].code, Code::CycleDetected, "it is told first");
    assert_eq!(codes(&problems), ["bad_retry", "cycle_detected"]);
}

#[test]
fn a_node_without_the_edges_of_its_kind_is_told_once() {
    let nodes = vec![task("a"), split("p"), task("b")];
    let (problems, _) = found(workflow(nodes, &["s a", "a p", "s b", "b e"]));
    assert_eq!(codes(&problems), ["split_too_few_branches"]);
    let (problems, _) = found(workflow(vec![conditional("c", "true"), task("b")], &["s c", "s b", "b e"]));
    assert_eq!(codes(&problems), ["conditional_missing_false", "conditional_missing_true"]);
    let (problems, _) = found(workflow(vec![task("a"), task("b")], &["s a", "a b", "b a", "s e"]));
    assert_eq!(codes(&problems), ["cycle_detected"], "its nodes lead nowhere else");
}

fn order(inputs: &[&str], condition: &str) -> Definition {
    let builder = inputs
        .iter()
        .fold(Definition::builder("order"), |builder, input| builder.accepts(*input, DeclaredType::Boolean, false));
    builder.task("ship", "work").when(condition).output("input.unheard").build()
}

#[test]
fn an_input_that_is_not_declared_is_a_warning_where_others_are() {
    let (_, warnings) = found(order(&["express", "gift"], "input.exprss and input.gift"));
    assert_eq!(
        warnings,
        [
            "undeclared_input: the condition of \"ship\" reads the input \"exprss\", which is not among those declared; did you mean \"express\"?",
            "undeclared_input: the output of the workflow reads the input \"unheard\", which is not among those declared",
        ]
    );
    assert_eq!(found(order(&[], "input.exprss")).1, [""; 0], "anything is taken");
}

#[test]
fn what_two_templates_of_a_document_read_is_told_once() {
    let document = |json: &str| Document::from_json(json.as_bytes()).unwrap();
    let twice = document(
        r#"["${{ nodes.pack.output }} and ${{ input.unheard }}", {"b": "${{ nodes.pack.output }} or ${{ input.unheard }}"}]"#,
    );
    let builder = Definition::builder("order").accepts("express", DeclaredType::Boolean, false).task("pack", "work");
    let (problems, warnings) = found(builder.task("charge", Task::handler("work").with(twice)).build());
    let codes: Vec<_> = warnings.iter().filter_map(|warning| warning.split(':').next()).collect();
    assert_eq!((problems, codes), (vec![], vec!["reads_unordered_node", "undeclared_input"]));

    let itself = document(r#"["${{ nodes.pack.output }}", "${{ nodes.pack.status }}"]"#);
    let (problems, _) = found(Definition::builder("order").task("pack", Task::handler("work").with(itself)).build());
    assert_eq!(problems.len(), 1, "{problems:?}");
}

#[test]
fn whoever_asks_whether_an_input_is_there_is_not_warned() {
    let warned = |condition: &str| {
        let builder = Definition::builder("order").accepts("express", DeclaredType::Boolean, false);
        found(builder.task("ship", "work").when(condition).build()).1
    };
    for condition in ["input.weight is defined", "input.weight | default(3) > 2", "'weight' in input", "input.express"]
    {
        assert_eq!(warned(condition), [""; 0], "{condition}");
    }
    assert_eq!(warned("input.expres | default(false)").len(), 1, "a slip would stay unseen for ever");
}

/// `ship`, and a node after it that runs on a condition.
fn guarded(ship: impl Into<Task>, on_failure: OnFailure, condition: &str) -> Definition {
    let builder = Definition::builder("w").on_failure(on_failure).task("ship", ship);
    builder.task("then", "work").after("ship").when(condition).build()
}

#[test]
fn a_condition_on_the_failure_of_a_required_node_can_never_be_true() {
    let failed = "nodes.ship.status == 'failed'";
    let (problems, _) = found(guarded("work", OnFailure::FailFast, failed));
    assert_eq!(codes(&problems), ["condition_never_true"]);
    let expected = "the condition of \"then\" can never be true: when it is evaluated, \"ship\" is completed; if \"ship\" \
                    fails, the execution ends, unless \"ship\" is optional";
    assert_eq!((problems[0].message.as_str(), &*problems[0].nodes), (expected, &["then?".to_owned()][..]));
    let (problems, _) = found(guarded("work", OnFailure::WaitAll, failed));
    assert!(problems[0].message.contains("if \"ship\" fails, \"then\" is skipped, unless"), "{problems:?}");

    for condition in [
        "nodes.ship.error is defined",
        "nodes.ship.status != 'completed'",
        "input.x and nodes.ship.status in ['failed', 'skipped']",
        "nodes.ship.status == 'running' or not nodes.ship.output is defined",
        "nodes.ship.status == 'cancelled'",
    ] {
        for policy in [OnFailure::FailFast, OnFailure::WaitAll, OnFailure::Tolerate { count: 2 }] {
            let (problems, _) = found(guarded("work", policy, condition));
            assert_eq!(codes(&problems), ["condition_never_true"], "{condition}");
        }
    }
}

#[test]
fn a_condition_that_may_be_true_is_taken() {
    let optional = || Task::handler("work").optional();
    for condition in
        ["nodes.ship.status == 'failed'", "nodes.ship.status != 'completed'", "nodes.ship.error is defined and input.x"]
    {
        assert_eq!(found(guarded(optional(), OnFailure::FailFast, condition)), (vec![], vec![]), "{condition}");
    }
    for condition in [
        "nodes.ship.status == 'completed'",
        "nodes.ship.status == 'failed' or input.always",
        "not nodes.ship.status == 'failed'",
        "nodes.ship.status | upper == 'FAILED'",
        "nodes.ship.output.status == 'failed'",
        "false",
    ] {
        assert_eq!(found(guarded("work", OnFailure::FailFast, condition)), (vec![], vec![]), "{condition}");
    }
}

#[test]
fn a_join_sees_the_failures_that_are_tolerated() {
    let definition = |on_failure, last: &str| {
        let nodes =
            vec![split("p"), task("a"), task("b"), join("j", JoinStrategy::All), conditional("c", last), task("x")];
        let edges = ["s p", "p a parallel_branch", "p b parallel_branch", "a j", "b j", "j c"];
        let edges = [&edges[..], &["c x conditional_true", "c e conditional_false", "x e"]].concat();
        let mut definition = workflow(nodes, &edges);
        definition.policy.on_failure = on_failure;
        definition
    };
    let failed = "nodes.a.status == 'failed'";
    let never = |definition| codes(&found(definition).0) == ["condition_never_true"];
    assert!(!never(definition(OnFailure::Tolerate { count: 1 }, failed)));
    assert!(never(definition(OnFailure::Tolerate { count: 0 }, failed)), "nothing is tolerated");
    assert!(never(definition(OnFailure::WaitAll, failed)));
    assert!(!never(definition(OnFailure::WaitAll, "nodes.a.status == 'skipped'")), "b may go on alone");
    assert!(never(definition(OnFailure::WaitAll, "nodes.p.status == 'skipped'")), "all ways lead through it");
}

#[test]
fn a_node_beside_may_be_anything_that_lets_the_execution_go_on() {
    let beside = |on_failure, condition: &str| {
        let builder = Definition::builder("w").on_failure(on_failure).task("ship", "work").task("then", "work");
        codes(&found(builder.when(condition).build()).0)
    };
    assert_eq!(beside(OnFailure::WaitAll, "nodes.ship.status == 'failed'"), [""; 0]);
    assert_eq!(beside(OnFailure::FailFast, "nodes.ship.status == 'pending'"), [""; 0]);
    assert_eq!(beside(OnFailure::FailFast, "nodes.ship.status == 'failed'"), ["condition_never_true"]);
}

#[test]
fn a_text_that_is_no_status_is_told_with_what_was_meant() {
    let (problems, _) = found(guarded("work", OnFailure::FailFast, "nodes.ship.status == 'complete'"));
    let expected =
        "the condition of \"then\" can never be true: \"complete\" is no status of a node, did you mean \"completed\"?";
    assert_eq!(problems[0].message, expected);
    let fits = "nodes.ship.status in ['complete', 'completed']";
    assert_eq!(found(guarded("work", OnFailure::FailFast, fits)).0, [], "it can be true");
}

#[test]
fn zero_where_nothing_could_happen_is_refused() {
    let timeout = |timeout| found(Definition::builder("w").task("a", Task::handler("work").timeout(timeout)).build()).0;
    let problems = timeout(Duration::ZERO);
    let expected = "bad_timeout: task \"a\" gives an attempt no time: a timeout of 0s ends it before it begins";
    assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    assert_eq!(timeout(Duration::from_nanos(1)), []);
    let limited = |max| {
        let mut nodes = vec![split("p"), task("a"), task("b")];
        nodes[0].kind = NodeKind::ParallelSplit(crate::definition::ParallelSplit { max_concurrency: Some(max) });
        codes(&found(workflow(nodes, &["s p", "p a parallel_branch", "p b parallel_branch", "a e", "b e"])).0)
    };
    assert_eq!((limited(0), limited(1)), (vec!["bad_concurrency"], vec![]));
}

#[test]
fn each_warning_has_a_name_of_its_own() {
    let names: std::collections::BTreeSet<_> = WarningCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(names.len(), WarningCode::ALL.len());
}
