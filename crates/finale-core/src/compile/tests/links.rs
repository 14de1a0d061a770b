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
