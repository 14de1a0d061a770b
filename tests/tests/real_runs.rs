//! Recorded runs of real workflows, and real definitions, seen to their end through the actors.
//!
//! The files are looked for in the folder `FINALE_CASES`, else in `../shared/data`; without them these tests say so.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "these are tests: a panic is a failure, and what is missing is told"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use finale::{
    ExecutionHandle, ExecutionStatus, NodeStatus, Record, Runtime, Shards, TaskContext, TaskError, Time, Workflow,
};
use finale_core::definition::Verdict;
use finale_core::record::NodeRecordState;
use finale_formats::load::{Format, Loaded, load};
use serde_json::{Value, json};

/// Files in a folder of the cases, in the order of their names; none if the folder is not there.
fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let cases = std::env::var_os("FINALE_CASES").map_or_else(|| PathBuf::from("../../shared/data"), PathBuf::from);
    let Ok(entries) = std::fs::read_dir(cases.join(folder)) else {
        println!("no {folder} here: nothing is tested");
        return Vec::new();
    };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|found| found == ending));
    files.sort();
    files
}

fn loaded(path: &Path) -> Loaded {
    load(&std::fs::read(path).unwrap(), Format::Auto, &path.display().to_string()).unwrap()
}

/// What the simulated work needs to know.
struct Plan {
    runtimes: BTreeMap<String, Duration>,
    failing: Option<String>,
}

async fn simulate(context: TaskContext, _input: Value) -> Result<(), TaskError> {
    let plan = context.data::<Arc<Plan>>().unwrap();
    tokio::time::sleep(plan.runtimes.get(context.node()).copied().unwrap_or_default()).await;
    match plan.failing.as_deref() == Some(context.node()) {
        true => Err(TaskError::new("it was told to")),
        false => Ok(()),
    }
}

/// Runs a recorded workflow in virtual time, every task as long as it took.
async fn replay(path: &Path, failing: Option<String>) -> (Workflow, Record) {
    let Loaded { definition, runtimes, .. } = loaded(path);
    let workflow = Workflow::new(definition).unwrap();
    let builder = Runtime::builder().shards(Shards::Current).data(Arc::new(Plan { runtimes, failing }));
    let runtime = builder.handler("simulate", simulate).start().unwrap();
    let execution = runtime.activate(&workflow, ()).await.unwrap();
    execution.outcome().await.unwrap();
    (workflow, execution.snapshot().await.unwrap())
}

fn span(state: &NodeRecordState) -> Option<(Time, Time)> {
    match state {
        NodeRecordState::Completed { begun, completed_at, .. } => Some((begun.started_at, *completed_at)),
        _ => None,
    }
}

fn assert_parents_before_children(workflow: &Workflow, record: &Record) {
    let spans: BTreeMap<_, _> =
        record.nodes.iter().filter_map(|node| Some((node.id.as_str(), span(&node.state)?))).collect();
    for edge in &workflow.definition().edges {
        let (Some(source), Some(target)) = (spans.get(edge.source.as_str()), spans.get(edge.target.as_str())) else {
            panic!("{} -> {}: one of them did not complete", edge.source, edge.target);
        };
        assert!(source.1 <= target.0, "{} began before {} was done", edge.target, edge.source);
    }
}

#[actix::test]
async fn every_recorded_run_completes_with_parents_before_children() {
    tokio::time::pause();
    for path in files("wfinstances", "json") {
        let (workflow, record) = replay(&path, None).await;
        assert_eq!(record.state.status(), ExecutionStatus::Completed, "{}", path.display());
        assert_eq!(record.counts.completed, record.counts.tasks);
        assert_parents_before_children(&workflow, &record);
    }
}

#[actix::test]
async fn every_recorded_run_fails_when_one_of_its_tasks_does_and_says_which() {
    tokio::time::pause();
    for path in files("wfinstances", "json") {
        let failing = loaded(&path).runtimes.keys().next_back().cloned().unwrap();
        let (_, record) = replay(&path, Some(failing.clone())).await;
        let finale_core::record::State::Ended(outcome) = &record.state else { panic!("{}", path.display()) };
        let error = outcome.error().unwrap_or_else(|| panic!("{} did not fail", path.display()));
        assert!(error.to_string().contains(&failing), "{error}");
        assert!(record.nodes.iter().all(|node| node.state.status().is_settled()));
    }
}

/// Does whatever is open, until the execution has ended.
async fn finish(runtime: &Runtime, execution: &ExecutionHandle) -> ExecutionStatus {
    let mut events = execution.events().await.unwrap();
    while events.next().await.unwrap().is_some() {
        for task in runtime.open_tasks_of(execution.id()).await.unwrap() {
            runtime.complete_task(task.id, json!({})).await.unwrap();
        }
        let awaited = execution.why().await.unwrap().awaited;
        for node in awaited.iter().filter(|node| node.what == "a verdict" && node.status == NodeStatus::Waiting) {
            runtime.give_verdict(execution.id(), &node.node, Verdict::Refer, "a test").await.unwrap();
        }
    }
    execution.status().await.unwrap()
}

#[actix::test]
async fn every_blueprint_completes_whatever_it_is_given() {
    tokio::time::pause();
    for path in files("synthorg-blueprints", "yaml") {
        let workflow = Workflow::new(loaded(&path).definition).unwrap();
        for input in [json!({}), json!({"severity": "critical", "review_passed": true})] {
            let runtime = Runtime::builder().shards(Shards::Current).start().unwrap();
            let execution = runtime.activate(&workflow, input).await.unwrap();
            assert_eq!(finish(&runtime, &execution).await, ExecutionStatus::Completed, "{}", path.display());
        }
    }
}
