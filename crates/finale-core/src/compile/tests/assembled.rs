//! What a compiled definition looks like.

use super::*;
use crate::compiled::Step;
use crate::definition::{DefinitionBuilder, LoopCondition};
use crate::id::NodeIndex;

#[test]
fn a_conditional_without_a_condition_is_accepted() {
    let edges = ["s c", "c a conditional_true", "c e conditional_false", "a e"];
    let compiled =
        compiled(workflow(vec![node("c", NodeKind::Conditional(Conditional::default())), task("a")], &edges));
    assert_eq!(compiled.at(NodeIndex(2)).step, Step::Decide);
    assert!(compiled.at(NodeIndex(2)).expression.is_none());
}

#[test]
fn vars_shows_the_tasks_upstream_only() {
    let edges = ["s a", "a c", "c b conditional_true", "c e conditional_false", "b e"];
    let definition = workflow(vec![conditional("c", "vars.go"), task("b"), task("a")], &edges);
    let limits = Limits::default().lookups_max(3);
    let error = compile_within(definition.clone(), &Registry::new(), &limits).unwrap_err();
    assert_eq!(codes(&error.problems), ["too_many_lookups"]);
    let graph = Graph::new(&definition);
    let shown = expressions::upstream_of(&definition, &graph, 2);
    assert_eq!(shown, [4]);
}

#[test]
fn a_compiled_definition_keeps_the_order_of_nodes_and_edges() {
    let mut handled = task("a");
    if let NodeKind::Task(task) = &mut handled.kind {
        task.work = Work::Handler("charge".to_owned());
        task.optional = true;
    }
    let edges = ["p b parallel_branch", "s p", "p a parallel_branch", "a j", "b j", "j e"];
    let compiled = compiled(workflow(vec![split("p"), handled, task("b"), join("j", JoinStrategy::All)], &edges));
    assert_eq!(compiled.position("p"), Some(NodeIndex(2)));
    let targets: Vec<u32> = compiled.edges_of(NodeIndex(2)).iter().map(|edge| edge.target).collect();
    assert_eq!(targets, [4, 3]);
    assert_eq!(
        (compiled.own().start, compiled.own().in_degrees[5], compiled.at(NodeIndex(5)).step),
        (NodeIndex(0), 2, Step::Join)
    );
    assert_eq!(
        (compiled.at(NodeIndex(3)).step, compiled.at(NodeIndex(4)).step, compiled.at(NodeIndex(3)).optional),
        (Step::Handle, Step::Ask, true)
    );
    assert_eq!(*compiled.own().sinks, [3, 4].map(NodeIndex));
}

#[test]
fn a_sink_has_only_control_nodes_behind_it() {
    let compiled = compiled(workflow(vec![task("a"), task("b"), assignment("g")], &["s a", "a b", "b g", "g e"]));
    assert_eq!(*compiled.own().sinks, [NodeIndex(3)]);
}

#[test]
fn an_assignment_reaches_the_nearest_tasks_and_no_further() {
    let nodes = vec![assignment("g"), split("p"), task("a"), task("b"), join("j", JoinStrategy::All), task("c")];
    let edges = ["s g", "g p", "p a parallel_branch", "p b parallel_branch", "a j", "b j", "j c", "c e"];
    let compiled = compiled(workflow(nodes, &edges));
    let assignee = |id: &str| compiled.assignee(compiled.position(id).unwrap());
    assert_eq!((assignee("a"), assignee("b"), assignee("c")), (Some("agent-g"), Some("agent-g"), None));
}

#[test]
fn the_nearest_assignment_wins_and_the_own_assignee_before_it() {
    let mut own = task("b");
    if let NodeKind::Task(task) = &mut own.kind {
        task.assignee = Some("me".to_owned());
    }
    let nodes = vec![assignment("g"), assignment("h"), task("a"), assignment("i"), own];
    let compiled = compiled(workflow(nodes, &["s g", "g h", "h a", "a i", "i b", "b e"]));
    assert_eq!((compiled.assignee(NodeIndex(4)), compiled.assignee(NodeIndex(6))), (Some("agent-h"), Some("me")));
}

#[test]
fn of_equally_near_assignments_the_last_counts() {
    let nodes = vec![split("p"), assignment("g"), assignment("h"), join("j", JoinStrategy::All), task("a")];
    let edges = ["s p", "p h parallel_branch", "p g parallel_branch", "h j", "g j", "j a", "a e"];
    let compiled = compiled(workflow(nodes, &edges));
    assert_eq!(compiled.assignee(NodeIndex(6)), Some("agent-h"));
}

#[test]
fn the_hash_follows_the_content() {
    let hash = |definition| compiled(definition).hash();
    assert_eq!(hash(chain(3)), hash(chain(3)));
    assert_ne!(hash(chain(3)), hash(chain(4)));
}

/// Histories name their definition by its hash: what is new in definitions must not change the hash of those without it.
#[test]
fn definitions_from_before_there_was_a_choice_of_delivery_keep_their_hash() {
    let handled = |delivery| {
        let mut definition = chain(2);
        if let NodeKind::Task(task) = &mut definition.nodes[2].kind {
            (task.work, task.delivery) = (Work::Handler("charge".to_owned()), delivery);
        }
        compiled(definition).hash().to_string()
    };
    assert_eq!(compiled(chain(3)).hash().to_string(), "656ae775cd4b8c56d3440adf3d4109b3");
    assert_eq!(handled(Delivery::AtLeastOnce), "7302febfe85e5035006844780f9a6fe5");
    assert_ne!(handled(Delivery::AtMostOnce), handled(Delivery::AtLeastOnce));
}

#[test]
fn the_delivery_of_a_task_is_written_only_if_it_is_not_the_default() {
    let read = |text| serde_json::from_value::<Task>(text).unwrap();
    let once = Task { delivery: Delivery::AtMostOnce, ..Task::default() };
    assert_eq!(serde_json::to_value(&once).unwrap()["delivery"], "at_most_once");
    assert_eq!(read(json!({"delivery": "at_most_once"})), once);
    assert_eq!(serde_json::to_value(Task::default()).unwrap().get("delivery"), None);
    assert_eq!(read(json!({"delivery": "at_least_once"})), Task::default());
}

#[test]
fn an_unknown_name_is_told_with_all_names_that_are_known_there() {
    let unknown = || Task::handler("work").input("odd");
    let told = |definition: DefinitionBuilder, known: &str| {
        let error = compile(definition.build(), &Registry::default()).unwrap_err().to_string();
        assert!(error.contains(&format!("`odd` is unknown: an expression here sees {known} (perhaps")), "{error}");
    };
    let group = || Definition::builder("inner").task("t", "work").compensate(unknown()).build();
    let until = || LoopCondition::until("round == 2");
    let root = || Definition::builder("root");
    told(root().task("t", unknown()), "`input`, `nodes` and `vars`");
    told(root().task("t", "work").compensate(unknown()), "`input`, `nodes`, `vars` and `output`");
    told(root().repeat("l", group(), until(), 3), "`input`, `nodes`, `vars`, `round` and `output`");
    told(root().repeat("l", unknown(), until(), 3), "`input`, `nodes`, `vars`, `round` and `previous`");
    told(root().map("m", "input", group()), "`input`, `nodes`, `vars`, `item`, `index` and `output`");
    told(root().task("t", "work").finally(unknown()), "`input`, `nodes`, `vars`, `verdict` and `error`");
}
