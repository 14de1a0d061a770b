//! Maps: a body for each item of a list.

use super::*;
use crate::compile::{Limits, compile_within};
use crate::definition::{Call, DefinitionBuilder, Document, Items, Siblings, Tolerance};
use crate::record::NodeRecordState;

fn given(run: &Run, path: &str) -> String {
    let key = run.execution.resolve(&run.definition, &path.parse().unwrap()).expect("it is there");
    String::from_utf8(run.execution.input_of(key).as_bytes().to_vec()).unwrap()
}

fn mapped(body: impl Into<crate::definition::Inside>) -> DefinitionBuilder {
    Definition::builder("root").map("each", "input", body)
}

fn run(builder: DefinitionBuilder, input: &str) -> Run {
    Run::activated(compiled(builder.build()), input)
}

fn open(run: &Run) -> Vec<String> {
    let paths = run.at_work().into_iter().map(|dispatch| run.execution.path(&run.definition, dispatch.key));
    paths.map(|path| path.unwrap().to_string()).collect()
}

#[test]
fn one_task_runs_for_each_item_and_the_results_are_in_the_order_of_the_items() {
    let mut run = run(mapped("work").task("after", "work").after("each"), r#"["a", {"b": 1}]"#);
    assert_eq!(open(&run), ["each[0]::each", "each[1]::each"]);
    assert_eq!(given(&run, "each[1]::each"), r#"{"b": 1}"#);
    run.done("each[1]::each", "2");
    run.done("each[0]::each", "1");
    assert_eq!(run.output_at("each"), "[1,2]");
    run.done("after", "3");
    assert_eq!(run.output(), "3");
    assert_eq!(run.execution.counts(&run.definition).completed, 3, "the task of each item is counted");
    run.check();
}

#[test]
fn the_body_sees_its_item_its_index_and_the_nodes_around() {
    let inside = Definition::builder("inside")
        .task("one", Task::handler("work").input("[item, index, input, nodes.before.output]"))
        .task("two", Task::handler("work").input("nodes.one.output"))
        .after("one");
    let root = Definition::builder("root").task("before", "work").map("each", "['x', 'y']", inside.build());
    let mut run = Run::activated(compiled(root.after("before").build()), "null");
    run.done("before", "7");
    assert_eq!(given(&run, "each[0]::one"), r#"["x",0,"x",7]"#);
    assert_eq!(given(&run, "each[1]::one"), r#"["y",1,"y",7]"#);
    run.done("each[1]::one", "true");
    assert_eq!(given(&run, "each[1]::two"), "true");
    run.check();
}

#[test]
fn a_map_in_a_map_sees_its_own_item_and_a_group_in_a_map_that_of_the_map() {
    let group = Definition::builder("g").task("deep", Task::handler("work").input("[item, index]")).build();
    let inner = Definition::builder("inner").group("g", group).build();
    let outer = Definition::builder("outer").map("b", "item", inner).build();
    let mut run = run(mapped(outer), "[[1], [2, 3]]");
    assert_eq!(given(&run, "each[1]::b[0]::g::deep"), "[2,0]");
    assert_eq!(given(&run, "each[1]::b[1]::g::deep"), "[3,1]");
    for path in ["each[0]::b[0]::g::deep", "each[1]::b[1]::g::deep", "each[1]::b[0]::g::deep"] {
        run.done(path, path.len().to_string().as_str());
    }
    assert_eq!(run.output(), "[[22],[22,22]]");
    run.check();
}

#[test]
fn a_call_is_given_the_item_or_what_it_binds_and_sees_nothing_else() {
    let ship = || Definition::builder("ship").task("label", "work").build();
    let mut plain = run(mapped(Call::of(ship())), r#"["a"]"#);
    assert_eq!(given(&plain, "each[0]::each::label"), r#""a""#);
    plain.done("each[0]::each::label", "1");
    assert_eq!(plain.output(), "[1]");
    plain.check();
    let bound = run(mapped(Call::of(ship()).input("{'order': item, 'number': index}")), r#"["a"]"#);
    assert_eq!(given(&bound, "each[0]::each::label"), r#"{"number":0,"order":"a"}"#);
    let sees = Definition::builder("sees").task("label", Task::handler("work").input("item")).build();
    let error = compile(mapped(Call::of(sees)).build(), &Registry::new()).unwrap_err();
    assert_eq!(error.problems[0].code.as_str(), "expression_invalid");
}

#[test]
fn no_more_items_are_open_at_once_than_max_concurrency() {
    let mut run = run(mapped("work").max_concurrency(2), "[1, 2, 3, 4]");
    assert_eq!(open(&run), ["each[0]::each", "each[1]::each"]);
    run.done("each[1]::each", "20");
    assert_eq!(open(&run), ["each[0]::each", "each[2]::each"]);
    run.tell(Input::Recovered { epoch: Epoch(1), crashed: true });
    assert_eq!(open(&run), ["each[0]::each", "each[2]::each"], "each item is given once, also after a crash");
    run.done("each[2]::each", "30");
    run.done("each[3]::each", "40");
    run.done("each[0]::each", "10");
    assert_eq!(run.output(), "[10,20,30,40]");
    run.check();
}

#[test]
fn an_empty_list_is_done_at_once() {
    let run = run(mapped("work").max_concurrency(1), "[]");
    assert_eq!(run.output(), "[]");
    run.check();
}

#[test]
fn failures_are_tolerated_by_count_and_give_null() {
    let mut run = run(mapped("work").tolerate(Tolerance::Count(1)), "[1, 2, 3]");
    run.failed("each[1]::each", "no");
    run.done("each[2]::each", "3");
    run.done("each[0]::each", "1");
    assert_eq!(run.output(), "[1,null,3]");
    assert_eq!(run.execution.counts(&run.definition).tolerated, 1);
    run.check();
}

#[test]
fn the_failure_that_is_one_too_many_fails_the_map_with_all_causes_and_closes_the_rest() {
    let mut run = run(mapped("work").tolerate(Tolerance::Percent(34)).max_concurrency(3), "[1, 2, 3, 4]");
    run.failed("each[2]::each", "no");
    run.failed("each[0]::each", "nor this");
    let others = run.at_work();
    assert_eq!(open(&run), ["each[1]::each", "each[3]::each"], "one of four is no more than 34 percent, two are");
    others.into_iter().for_each(|other| run.stopped(other));
    assert_eq!(run.error(), r#"map "Each" (each) failed: each[2]::each failed: no; each[0]::each failed: nor this"#);
    run.check();
}

#[test]
fn only_some_causes_are_said_one_by_one() {
    let list = format!("[{}]", vec!["0"; 40].join(","));
    let mut run = run(mapped("work").tolerate(Tolerance::Count(29)), &list);
    (0..30).for_each(|item| run.failed(&format!("each[{item}]::each"), "no"));
    run.at_work().into_iter().for_each(|other| run.stopped(other));
    assert!(run.error().ends_with("each[19]::each failed: no; and 10 more"), "{}", run.error());
    run.check();
}

#[test]
fn what_is_no_list_fails_with_class_expression_and_what_is_too_long_with_class_limit() {
    let mut definition = compiled(mapped("work").build());
    definition.items_max = 2;
    let long = Run::activated(definition, "[1, 2, 3]");
    assert_eq!(long.error(), r#"map "Each" (each) is over a limit: 3 items are more than the 2 allowed"#);
    long.check();
    let odd = run(mapped("work"), "7");
    assert!(
        odd.error().starts_with(r#"map "Each" (each) could not be evaluated: the items are no list"#),
        "{}",
        odd.error()
    );
    odd.check();
}

#[test]
fn a_list_that_is_written_down_may_have_templates_and_is_checked_before_anything_runs() {
    let list = |json: &str| Items::List(Document::from_json(json.as_bytes()).unwrap());
    let root = |items| Definition::builder("root").map("each", items, "work").build();
    let run = Run::activated(compiled(root(list(r#"[{"os": "${{ input }}"}, "x"]"#))), r#""linux""#);
    assert_eq!(given(&run, "each[0]::each"), r#"{"os":"linux"}"#);
    assert_eq!(given(&run, "each[1]::each"), r#""x""#);
    let codes = |items| {
        let limits = Limits::default().items_max(2);
        let error = compile_within(root(items), &Registry::new(), &limits).unwrap_err();
        error.problems.iter().map(|problem| problem.code.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(codes(list("[1, 2, 3]")), ["too_many_items"]);
    assert_eq!(codes(list("7")), ["bad_items"]);
    assert_eq!(codes("[1, 2, 3]".into()), ["too_many_items"]);
    assert_eq!(codes("nodes.nobody.output".into()), ["expression_invalid"]);
}

#[test]
fn what_is_wrong_with_a_map_has_a_code() {
    let codes = |builder: DefinitionBuilder| {
        let error = compile(builder.build(), &Registry::new()).unwrap_err();
        error.problems.into_iter().map(|problem| (problem.code.as_str(), problem.nodes)).collect::<Vec<_>>()
    };
    let named = |id: &str| vec![id.to_owned()];
    assert_eq!(codes(mapped("work").max_concurrency(0)), [("bad_concurrency", named("each"))]);
    assert_eq!(codes(mapped("work").tolerate(Tolerance::Percent(101))), [("bad_tolerance", named("each"))]);
    assert_eq!(codes(mapped(Task::handler("work").input("itm"))), [("expression_invalid", named("each::each"))]);
    assert_eq!(codes(mapped(Call::to("nobody", "1.0.0"))), [("subworkflow_not_found", named("each::each"))]);
}

#[test]
fn a_cancel_reaches_all_items_and_no_further_one_begins() {
    let mut run = run(mapped("work").max_concurrency(2), "[1, 2, 3]");
    let at_work = run.at_work();
    run.tell(Input::Command(Command::Cancel { by: "jo".into() }));
    at_work.into_iter().for_each(|work| run.stopped(work));
    assert_eq!(run.execution.status(), ExecutionStatus::Cancelled);
    assert_eq!(run.status_of("each"), NodeStatus::Cancelled);
    run.check();
}

#[test]
fn handlers_of_a_failed_scope_around_may_finish_and_no_further_item_begins() {
    let policy = Policy { on_failure: OnFailure::FailFast, siblings: Siblings::Finish };
    let mut run = run(mapped("work").max_concurrency(1).task("beside", "work").policy(policy), "[1, 2]");
    run.failed("beside", "no");
    run.done("each[0]::each", "1");
    assert_eq!(run.execution.status(), ExecutionStatus::Failed);
    run.check();
}

#[test]
fn a_path_into_an_item_says_whether_that_is_ahead_or_over_or_can_never_be() {
    let builder = mapped("work").max_concurrency(1).task("after", "work").after("each");
    let mut run = run(builder, "[1,2]");
    let found = |run: &Run, path: &str| run.execution.look_up(&run.definition, &path.parse().unwrap());
    assert!(matches!(found(&run, "each[0]::each"), FoundWork::There(_)));
    assert_eq!(found(&run, "each[1]::each"), FoundWork::Ahead);
    for never in ["each[2]::each", "each[0]::other", "each::each", "after[0]::each"] {
        assert_eq!(found(&run, never), FoundWork::Unknown, "{never}");
    }
    run.done("each[0]::each", "1");
    assert_eq!(found(&run, "each[0]::each"), FoundWork::Over);
    run.done("each[1]::each", "2");
    assert_eq!(found(&run, "each[1]::each"), FoundWork::Over, "also when the map is over");
    let skipped = Definition::builder("root").task("first", "work").map("each", "input", "work").after("first");
    let mut skipped = Run::activated(compiled(skipped.on_failure(OnFailure::WaitAll).build()), "[1]");
    assert_eq!(found(&skipped, "each[0]::each"), FoundWork::Ahead);
    skipped.failed("first", "no");
    assert!(skipped.execution.status().is_terminal());
    assert_eq!(found(&skipped, "each[0]::each"), FoundWork::Over);
}

#[test]
fn what_the_items_give_together_has_a_limit() {
    let mut run = run(mapped("work").task("after", "work").after("each"), "[1,2,3]");
    let much = format!("\"{}\"", "x".repeat(GATHERED_BYTES_MAX / 2));
    for item in 0..3 {
        run.done(&format!("each[{item}]::each"), &much);
    }
    let error = run.error();
    let words = "map \"Each\" (each) is over a limit: the outputs that it is made of have ";
    assert!(error.starts_with(words) && error.ends_with("more than 64 MiB"), "{error}");
}

#[test]
fn maps_inside_of_each_other_give_nothing_that_cannot_be_read_again() {
    let list = |levels: usize, inside: &str| format!("{}{inside}{}", "[".repeat(levels), "]".repeat(levels));
    let deep = |maps: usize| {
        let wrapped = list(14, "nodes.t.output");
        let innermost = Definition::builder("inside").task("t", "work").output(wrapped).build();
        let around = |inside, _| Definition::builder("inside").map("m", "input", inside).build();
        let mut run = Run::activated(compiled((0..maps).fold(innermost, around)), &list(maps, "1"));
        run.done(&("m[0]::".repeat(maps) + "t"), &list(96, "1"));
        run
    };
    let fits = deep(2);
    assert_eq!(fits.output(), list(96 + 14 + 2, "1"));
    fits.check();
    let refused = deep(3);
    assert!(refused.error().contains("what it gives is nested deeper than 112 levels"), "{}", refused.error());
    refused.check();
}

#[test]
fn a_map_can_be_optional_or_have_its_failure_handled() {
    let mut optional = run(mapped("work").optional().task("after", "work").after("each"), "[1]");
    optional.failed("each[0]::each", "no");
    optional.done("after", "5");
    assert_eq!(optional.output(), "5");
    optional.check();
    let mut caught = run(mapped("work").catch("mend").task("mend", "work"), "[1]");
    caught.failed("each[0]::each", "no");
    caught.done("mend", "6");
    assert_eq!(caught.output(), "6");
    caught.check();
}

#[test]
fn a_record_counts_the_items_and_has_no_row_for_each() {
    let mut run = run(mapped("work").max_concurrency(2).tolerate(Tolerance::Count(1)), "[1, 2, 3, 4]");
    let counts = |run: &Run| {
        let record = run.execution.record(&run.definition);
        assert_eq!(record.nodes.len(), 3);
        let each = record.nodes.into_iter().find(|node| node.id == "each").unwrap();
        let counts = each.items.expect("it is a map that was reached");
        (counts.total, counts.pending, counts.open, counts.completed, counts.failed, counts.cancelled, counts.skipped)
    };
    run.failed("each[0]::each", "no");
    run.done("each[1]::each", "1");
    assert_eq!(counts(&run), (4, 0, 2, 1, 1, 0, 0));
    run.failed("each[2]::each", "no");
    assert_eq!(counts(&run), (4, 0, 1, 1, 2, 0, 0));
    run.stopped(run.at_work()[0]);
    assert_eq!(counts(&run), (4, 0, 0, 1, 2, 1, 0));
    let record = run.execution.record(&run.definition);
    assert!(record.nodes.iter().any(|node| matches!(node.state, NodeRecordState::Failed { .. })));
    run.check();
}

/// What is written of 100,000 items: a fact for the list, and one for each of them.
#[test]
fn a_hundred_thousand_items_take_bounded_space_each_and_are_done_in_linear_time() {
    let items = 100_000;
    let mut run = Run::activated(
        compiled(
            Definition::builder("root")
                .task("list", "work")
                .map("each", "nodes.list.output", Task::handler("work").input("{'n': item}"))
                .after("list")
                .build(),
        ),
        "null",
    );
    let before = run.execution.allocated();
    run.done("list", &format!("[{}]", vec!["7"; items].join(",")));
    let turns = run.go_on();
    assert!(turns <= items * 20 / edges::CONSEQUENCES_MAX as usize + 1, "{turns} turns");
    let open = (run.execution.allocated() - before) / items;
    assert!(open <= 1_000, "{open} bytes for an item that is open");
    for dispatch in run.at_work() {
        let span = (Time::from_micros(1_000), Time::from_micros(1_000));
        let took = run.execution.handle_outcome(&run.definition, span.0, dispatch, Ok(b"1"), span, &mut run.turn);
        took.expect("it is taken");
        run.history.extend_from_slice(run.turn.facts());
        run.turn.appended();
        run.effects.extend(run.turn.take_effects());
        if dispatch.key.scope.0 as usize == items - 1 {
            let done = (run.execution.allocated() - before) / items;
            assert!(done <= 200, "{done} bytes for an item that is done");
        }
    }
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    assert_eq!(run.output(), format!("[{}]", vec!["1"; items].join(",")));
    run.check();
}
