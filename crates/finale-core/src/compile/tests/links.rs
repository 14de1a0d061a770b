//! Calls of other workflows.

use serde_json::json;

use super::*;

/// A workflow that does nothing but call another one.
fn calling(id: &str, callee: &str) -> Definition {
    let mut definition = workflow(vec![call("w", callee)], &["s w", "w e"]);
    definition.id = id.to_owned();
    definition
}

#[test]
fn an_unresolved_call_is_a_problem_of_the_links() {
    let error = error(workflow(vec![call("w", "nope")], &["s w", "w e"]));
    assert_eq!((error.phase, codes(&error.problems)), (Phase::Links, vec!["subworkflow_not_found"]));
}

#[test]
fn workflows_that_call_each_other_are_refused_with_the_circle() {
    let registry: Registry = [calling("a", "b"), calling("b", "wf"), calling("x", "x")].into_iter().collect();
    let problems = check_subworkflow_cycle(&calling("wf", "a"), &registry);
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].nodes, ["w"]);
    let message = "workflows call each other in a circle: wf 1.0.0 -> a 1.0.0 -> b 1.0.0 -> wf 1.0.0";
    assert_eq!(problems[0].message, message);
    assert_eq!(codes(&check_subworkflow_cycle(&calling("wf", "x"), &registry)), ["subworkflow_cycle_detected"]);
}

#[test]
fn calls_deeper_than_the_limit_are_refused() {
    let mut last = workflow(vec![], &["s e"]);
    last.id = "c".to_owned();
    let registry = [calling("a", "b"), calling("b", "c"), last].into_iter().collect();
    assert!(check_subworkflow_depth(&calling("wf", "a"), &registry, 3).is_empty());
    let problems = check_subworkflow_depth(&calling("wf", "a"), &registry, 2);
    assert_eq!(codes(&problems), ["subworkflow_too_deep"]);
    assert_eq!(problems[0].message, "c 1.0.0 is called 3 levels down, at most 2 are allowed");
}

#[test]
fn a_call_that_fails_further_down_is_refused_with_its_workflow() {
    let registry = [calling("a", "nope")].into_iter().collect();
    let error = compile(calling("wf", "a"), &registry).unwrap_err();
    assert_eq!(codes(&error.problems), ["subworkflow_not_found"]);
    assert!(error.problems[0].message.starts_with("in a 1.0.0: "), "{}", error.problems[0].message);
}

#[test]
fn bindings_fit_the_declarations() {
    let declare = |name: &str, kind| Declaration { name: name.to_owned(), kind, required: true, default: None };
    let mut child = workflow(vec![], &["s e"]);
    child.id = "child".to_owned();
    child.inputs = vec![declare("n", DeclaredType::Integer), declare("j", DeclaredType::Json)];
    child.outputs = vec![declare("o", DeclaredType::String), declare("p", DeclaredType::String)];
    let registry: Registry = [child].into_iter().collect();
    let check = |inputs: serde_json::Value, outputs: serde_json::Value| {
        let mut caller = workflow(vec![call("w", "child")], &["s w", "w e"]);
        if let NodeKind::Subworkflow(call) = &mut caller.nodes[2].kind {
            call.input_bindings = serde_json::from_value(inputs).unwrap();
            call.output_bindings = serde_json::from_value(outputs).unwrap();
        }
        codes(&check_subworkflow_io(&caller, &registry))
    };
    let none: [&str; 0] = [];
    assert_eq!(check(json!({"n": "@parent.a.b", "j": null}), json!({"o": "@child.x", "p": "@parent.y"})), none);
    let expected = ["subworkflow_input_type_mismatch", "subworkflow_input_type_mismatch"];
    assert_eq!(check(json!({"n": true, "j": "@child.x"}), json!({"o": "a", "p": "b"})), expected);
    let expected = ["subworkflow_input_missing", "subworkflow_output_missing", "subworkflow_output_unknown"];
    assert_eq!(check(json!({"n": 1}), json!({"o": "a", "z": "b"})), expected);
}

#[test]
fn what_is_called_is_checked_like_any_other_definition() {
    let broken = |edges: &[&str]| Definition { id: "a".to_owned(), ..workflow(vec![task("t")], edges) };
    let error_of = |called: Definition| compile(calling("wf", "a"), &[called].into_iter().collect()).unwrap_err();
    let error = error_of(broken(&["s t"]));
    assert_eq!((error.phase, codes(&error.problems)), (Phase::Graph, vec!["end_not_reachable"]));
    assert!(error.problems[0].message.starts_with("in a 1.0.0: "), "{}", error.problems[0].message);
    let error = error_of(broken(&["s t", "t x"]));
    assert_eq!((error.phase, codes(&error.problems)), (Phase::Structure, vec!["unknown_edge_target"]));
}

#[test]
fn one_name_and_version_is_one_workflow() {
    let called = |label: &str| Definition {
        id: "a".to_owned(),
        ..workflow(vec![task(label)], &[&format!("s {label}"), &format!("{label} e")])
    };
    let caller = |brought: Definition| Definition { workflows: vec![brought], ..calling("wf", "a") };
    let compile = |caller, registry: &[Definition]| compile(caller, &registry.iter().cloned().collect());
    assert!(compile(caller(called("x")), &[called("x")]).is_ok());
    let error = compile(caller(called("x")), &[called("y")]).unwrap_err();
    assert_eq!(codes(&error.problems), ["subworkflow_conflict"]);
    let nested = Definition { workflows: vec![called("y")], ..calling("b", "a") };
    let both = Definition { workflows: vec![called("x"), nested], ..calling("wf", "b") };
    assert_eq!(codes(&compile(both, &[]).unwrap_err().problems), ["subworkflow_conflict"]);
    let itself = Definition { workflows: vec![calling("wf", "x")], ..calling("wf", "a") };
    let error = compile(itself, &[called("x")]).unwrap_err();
    assert_eq!(codes(&error.problems), ["subworkflow_conflict"]);
}

#[test]
fn what_is_small_to_write_and_endless_to_run_is_refused() {
    let twice = |id: &str, callee: &str| {
        let nodes = vec![call("v", callee), call("w", callee)];
        Definition { id: id.to_owned(), ..workflow(nodes, &["s v", "s w", "v e", "w e"]) }
    };
    let mut last = workflow(vec![], &["s e"]);
    last.id = "w0".to_owned();
    let levels = (1..15).map(|level| twice(&format!("w{level}"), &format!("w{}", level - 1)));
    let registry: Registry = levels.chain([last]).collect();
    let error = compile(twice("wf", "w14"), &registry).unwrap_err();
    assert_eq!(codes(&error.problems), ["subworkflow_too_large"]);
    assert_eq!(error.problems[0].nodes, ["v", "w"]);
    assert!(compile(twice("wf", "w9"), &registry).is_ok());
}

#[test]
fn a_misspelt_workflow_is_named_with_the_one_that_was_meant() {
    let mut last = workflow(vec![], &["s e"]);
    last.id = "deliver".to_owned();
    let error = compile(calling("wf", "delivr"), &[last].into_iter().collect()).unwrap_err();
    assert!(error.problems[0].message.ends_with("did you mean \"deliver\"?"), "{}", error.problems[0].message);
}

#[test]
fn the_members_of_a_document_fit_the_declared_inputs_as_far_as_they_are_known() {
    let declare = |name: &str, required| {
        let (name, kind) = (name.to_owned(), DeclaredType::Integer);
        Declaration { name, kind, required, default: None }
    };
    let mut child = workflow(vec![], &["s e"]);
    child.id = "child".to_owned();
    child.inputs = vec![declare("n", true), declare("m", false)];
    let registry: Registry = [child].into_iter().collect();
    let check = |with: serde_json::Value| {
        let mut caller = workflow(vec![call("w", "child")], &["s w", "w e"]);
        if let NodeKind::Subworkflow(call) = &mut caller.nodes[2].kind {
            call.with = Some(crate::definition::Document::new(&with).unwrap());
        }
        codes(&check_subworkflow_io(&caller, &registry))
    };
    let none: [&str; 0] = [];
    for fine in [json!({"n": 1}), json!({"n": "${{ input.n }}", "m": 2}), json!("${{ input }}")] {
        assert_eq!(check(fine), none);
    }
    assert_eq!(check(json!({"m": "x"})), ["subworkflow_input_missing", "subworkflow_input_type_mismatch"]);
    assert_eq!(check(json!({"n": 1, "o": 1})), ["subworkflow_input_unknown"]);
    assert_eq!(check(json!([1])), ["subworkflow_input_type_mismatch"]);
}

#[test]
fn an_id_that_is_the_path_of_another_node_is_refused() {
    let inside = || Definition::builder("inside").task("a", "work").build();
    let ends = || Definition::builder("root").task("x", "work").compensate("undo").finally("tidy");
    let with = |id: &str| {
        let root = Definition::builder("root").task(id, "work").group("g", inside());
        compile(root.map("m", "input", "work").build(), &Registry::new())
    };
    for id in ["g::a", "m[0]::m", "m[17]::m"] {
        let error = with(id).unwrap_err();
        assert_eq!((error.phase, codes(&error.problems)), (Phase::Graph, vec!["ambiguous_node_id"]), "{id}");
        assert!(error.to_string().contains(id), "{error}");
    }
    for id in ["x@compensate::x", "@finally::finally"] {
        assert!(compile(ends().task(id, "work").build(), &Registry::new()).is_err(), "{id}");
    }
    for id in ["g::b", "x::a", "m::m", "m#1::m", "a::", "::a", "mProject#1", "g"] {
        assert!(with(id).is_ok() != (id == "g"), "{id}");
    }
}
