use finale_core::definition::{
    Conditional, Definition, EdgeKind, JoinStrategy, NodeKind, ParallelJoin, ParallelSplit, Task, Verdict, Work,
};
use serde_json::{Value, json};

use super::{blueprint_from_value, from_value};

fn with_node(kind: &str, config: &Value) -> Value {
    json!({"id": "w", "name": "W", "nodes": [{"id": "n", "type": kind, "label": "N", "config": config}], "edges": []})
}

/// What becomes of a node of that type.
fn kind(kind: &str, config: &Value) -> NodeKind {
    let definition = from_value(&with_node(kind, config)).unwrap();
    definition.nodes.into_iter().find(|node| node.id == "n").unwrap().kind
}

fn fails(document: &Value, message: &str) {
    assert_eq!(from_value(document).unwrap_err().to_string(), message);
}

fn ways(definition: &Definition) -> Vec<String> {
    let edges = definition.edges.iter();
    edges.map(|edge| format!("{}>{}", edge.source, edge.target)).collect()
}

#[test]
fn a_task_is_external_and_its_settings_become_labels() {
    let config = json!({
        "title": "Plan", "priority": "high", "agent_name": "ada", "estimate": 3, "urgent": true,
        "nothing": null, "list": [1],
    });
    let labels = [("agent_name", "ada"), ("estimate", "3"), ("priority", "high"), ("urgent", "true")];
    let expected = Task {
        title: Some("Plan".into()),
        work: Work::External,
        labels: labels.map(|(key, value)| (key.into(), value.into())).into(),
        ..Task::default()
    };
    assert_eq!(kind("task", &config), NodeKind::Task(expected));
}

#[test]
fn a_wrong_type_in_a_configuration_counts_as_absent() {
    let NodeKind::Task(task) = kind("task", &json!({"title": 7})) else { panic!() };
    assert_eq!(task.title, None);
    let NodeKind::Verification(verification) =
        kind("verification", &json!({"rubric_name": 1, "evaluator_agent_id": " "}))
    else {
        panic!()
    };
    assert_eq!(verification.rubric, None);
    assert_eq!(verification.evaluator.as_deref(), Some(" "));
    for concurrency in [json!("3"), json!(1.5), json!(-1), json!(u64::MAX)] {
        let split = kind("parallel_split", &json!({"max_concurrency": concurrency}));
        assert_eq!(split, NodeKind::ParallelSplit(ParallelSplit { max_concurrency: None }));
    }
}

#[test]
fn a_condition_is_translated_and_a_missing_one_stays_missing() {
    let condition = |config: Value| match kind("conditional", &config) {
        NodeKind::Conditional(Conditional { condition }) => condition,
        other => panic!("{other:?}"),
    };
    let translated = condition(json!({"condition_expression": "severity == critical"}));
    assert_eq!(translated.as_deref(), Some(r#"vars["severity"] is printed_as("critical")"#));
    assert_eq!(condition(json!({"condition_expression": " "})).as_deref(), Some("false"));
    assert_eq!(condition(json!({"condition_expression": true})).as_deref(), Some("true"));
    assert_eq!(condition(json!({"condition_expression": [1]})), None);
    assert_eq!(condition(json!({})), None);
}

#[test]
fn an_unknown_verdict_refers() {
    let preset = |verdict: Value| match kind("verification", &json!({"_verdict_override": verdict})) {
        NodeKind::Verification(verification) => verification.preset,
        other => panic!("{other:?}"),
    };
    assert_eq!(preset(json!("pass")), Some(Verdict::Pass));
    assert_eq!(preset(json!("fail")), Some(Verdict::Fail));
    assert_eq!(preset(json!("maybe")), Some(Verdict::Refer));
    assert_eq!(preset(json!(1)), Some(Verdict::Refer));
    assert_eq!(preset(Value::Null), None);
}

#[test]
fn a_version_that_is_not_text_names_no_workflow() {
    let called = |config: Value| match kind("subworkflow", &config) {
        NodeKind::Subworkflow(call) => (call.workflow, call.version),
        other => panic!("{other:?}"),
    };
    let child = || Some("child".to_owned());
    assert_eq!(called(json!({"subworkflow_id": "child", "version": 1})), (None, None));
    assert_eq!(called(json!({"subworkflow_id": "child"})), (child(), None));
    assert_eq!(called(json!({"subworkflow_id": "child", "version": "1.0"})), (child(), Some("1.0".into())));
    assert_eq!(called(json!({"subworkflow_id": 7, "version": "1.0.0"})), (None, Some("1.0.0".into())));
}

#[test]
fn bindings_keep_their_values() {
    let config = json!({"input_bindings": {"n": 1, "p": "@parent.a"}, "output_bindings": null});
    let NodeKind::Subworkflow(call) = kind("subworkflow", &config) else { panic!() };
    assert_eq!(call.input_bindings["n"], json!(1));
    assert_eq!(call.input_bindings["p"], json!("@parent.a"));
    assert!(call.output_bindings.is_empty());
    fails(
        &with_node("subworkflow", &json!({"input_bindings": ["n"]})),
        "nodes[0].config.input_bindings: expected a map, found a list",
    );
}

#[test]
fn an_unknown_join_strategy_is_an_error() {
    let any = kind("parallel_join", &json!({"join_strategy": "any"}));
    assert_eq!(any, NodeKind::ParallelJoin(ParallelJoin { strategy: JoinStrategy::Any, ..ParallelJoin::default() }));
    fails(
        &with_node("parallel_join", &json!({"join_strategy": "some"})),
        "nodes[0].config.join_strategy: unknown join strategy `some`; accepted: `all`, `any`",
    );
}

#[test]
fn start_and_end_are_implied_only_if_there_are_neither_they_nor_edges() {
    let node = |id: &str, kind: &str| json!({"id": id, "type": kind, "label": id, "config": {"title": id}});
    let read = |nodes: Value, edges: Value| {
        from_value(&json!({"id": "w", "name": "W", "nodes": nodes, "edges": edges})).unwrap()
    };
    let implied = read(json!([node("start", "task"), node("b", "task")]), json!([]));
    assert_eq!(ways(&implied), ["start_>start", "start>end", "start_>b", "b>end"]);
    assert_eq!(ways(&read(json!([]), json!([]))), ["start>end"]);
    let with_start = read(json!([node("s", "start"), node("b", "task")]), json!([]));
    assert!(with_start.edges.is_empty() && with_start.nodes.len() == 2);
    let edge = json!({"id": "e", "source_node_id": "a", "target_node_id": "b"});
    let with_edge = read(json!([node("a", "task"), node("b", "task")]), json!([edge]));
    assert_eq!(with_edge.nodes.len(), 2);
    assert_eq!(with_edge.edges[0].kind, EdgeKind::Sequential);
}

#[test]
fn metadata_is_accepted_and_dropped() {
    let definition = from_value(&json!({
        "id": "w", "name": "W", "version": "2.0.0", "description": "d", "workflow_type": "kanban", "tags": ["t"],
        "revision": 4, "created_by": "me", "created_at": "now", "updated_at": "now", "is_subworkflow": true,
        "inputs": [{"name": "q", "type": "float", "required": false, "default": 1.5, "description": "d"}],
        "outputs": [{"name": "r", "type": "agent_ref"}],
        "nodes": [{"id": "n", "type": "task", "position_x": 1, "position_y": -2.5, "config": null}],
    }))
    .unwrap();
    assert_eq!(definition.version, "2.0.0");
    assert_eq!(definition.inputs[0].default, Some(json!(1.5)));
    assert!(!definition.inputs[0].required && definition.outputs[0].required);
    assert_eq!(definition.nodes[1].label, "");
}

#[test]
fn a_revision_counts_from_one() {
    let load = |revision: Value| from_value(&json!({"id": "w", "name": "W", "revision": revision, "nodes": []}));
    assert!(load(json!(1)).is_ok() && load(json!(null)).is_ok());
    for revision in [json!(0), json!(-1), json!(1.5)] {
        let error = load(revision.clone()).unwrap_err();
        assert_eq!(error.code(), "file_bad_revision");
        assert_eq!(error.to_string(), format!("revision: revision {revision} is no whole number from 1 on"));
    }
    assert_eq!(load(json!("1")).unwrap_err().code(), "file_wrong_type");
}

#[test]
fn what_cannot_be_represented_is_an_error_with_its_path() {
    fails(&json!([]), "expected a map, found a list");
    fails(&json!({"name": "W", "nodes": []}), "the key `id` is missing");
    fails(&json!({"id": 1, "name": "W", "nodes": []}), "id: expected text, found a number: quote it, `\"1\"`");
    fails(&json!({"id": "w", "name": "W"}), "the key `nodes` is missing");
    fails(&json!({"id": "w", "name": "W", "nodes": {}}), "nodes: expected a list, found a map");
    fails(
        &json!({"id": "w", "name": "W", "nodes": [{"id": "n", "type": "task", "lable": "N"}]}),
        "nodes[0].lable: unknown key `lable`, did you mean `label`?; accepted: `id`, `type`, `label`, `position_x`, \
         `position_y`, `config`",
    );
    fails(
        &json!({"id": "w", "name": "W", "nodes": [{"id": "n", "type": "end", "position_x": "1"}]}),
        "nodes[0].position_x: expected a number, found text",
    );
    let error = from_value(&json!({"id": "w", "name": "W", "nodes": [], "edges": [{"id": "e", "type": "seq"}]}));
    assert_eq!(error.unwrap_err().code(), "file_unknown_word");
}

#[test]
fn a_blueprint_takes_its_id_from_the_name() {
    let definition = blueprint_from_value(&json!({"blueprint": {
        "name": "flow", "display_name": "The flow", "nodes": [],
    }}))
    .unwrap();
    assert_eq!((definition.id.as_str(), definition.name.as_str()), ("flow", "The flow"));
    assert_eq!(definition.version, "1.0.0");
    let error = blueprint_from_value(&json!({"blueprint": {}, "nodes": []})).unwrap_err();
    assert_eq!(error.code(), "file_unknown_key");
}
