//! Lives of executions: real actors, virtual time.

use std::path::Path;
use std::time::Duration;

use finale::Workflow;
use finale_core::Definition;
use finale_core::compile::{Limits, Registry};
use finale_core::definition::{NodeKind, OnFailure, Siblings};
use finale_formats::{Format, LoadError, synthorg};
use serde_json::Value;

use super::cases::{ActivationFault, CaseOnFailure, CasePolicy, Lifecycle, SHARED_FOLDER, workspace};
use super::refusal::Refusal;
use super::steps::{Activated, Story};
use super::surroundings::Surroundings;
use super::{Judgement, cases};

/// How long a case may take in virtual time: one that waits for ever is over at once.
const CASE_MAX: Duration = Duration::from_secs(600);

pub(super) fn check(body: Value, folder: &Path) -> Judgement {
    let case: Lifecycle = match cases::parse(body) {
        Ok(case) => case,
        Err(problem) => return Judgement::failed(problem),
    };
    if let Some(ability) = case.requires.iter().find_map(|ability| ability.missing()) {
        return Judgement::Skipped(ability.to_owned());
    }
    match prepare(&case, folder) {
        Ok(Prepared::Ready(workflow)) => live(&case, &workflow),
        Ok(Prepared::Refused(refusal)) => Judgement::of(compare(&refusal, case.expected.activation_error)),
        Err(problem) => Judgement::failed(problem),
    }
}

/// How far the definition of a case came.
enum Prepared {
    Ready(Workflow),
    Refused(Refusal),
}

fn prepare(case: &Lifecycle, folder: &Path) -> Result<Prepared, String> {
    let mut definition = match definition(case, folder)? {
        Ok(definition) => definition,
        Err(error) => return Ok(Prepared::Refused(Refusal::unreadable(&error))),
    };
    apply_policy(&case.policy, &mut definition)?;
    let registry = registry(case.registry.as_deref().unwrap_or_default())?;
    let depth_max = case.policy.subworkflow_depth_max.unwrap_or(Limits::default().subworkflow_depth_max);
    let limits = Limits::default().subworkflow_depth_max(depth_max);
    Ok(match Workflow::with_limits(definition, &registry, limits) {
        Err(error) => Prepared::Refused(Refusal::of(&error, case.registry.is_some())),
        Ok(workflow) => Prepared::Ready(workflow),
    })
}

fn definition(case: &Lifecycle, folder: &Path) -> Result<Result<Definition, LoadError>, String> {
    match (&case.definition, &case.blueprint) {
        (Some(definition), None) => Ok(synthorg::from_value(definition)),
        (None, Some(blueprint)) => load_blueprint(blueprint, folder),
        _ => Err("a case has either a definition or a blueprint".to_owned()),
    }
}

/// Blueprints lie beside the file of the case; those of the reference are not ours to copy, and lie elsewhere.
fn load_blueprint(name: &str, folder: &Path) -> Result<Result<Definition, LoadError>, String> {
    let file = format!("synthorg-blueprints/{name}.yaml");
    let places = [folder.join(&file), workspace(SHARED_FOLDER).join(&file)];
    let found = places.iter().find_map(|place| std::fs::read(place).ok());
    let text = found.ok_or_else(|| format!("there is no {file}"))?;
    Ok(finale_formats::load(&text, Format::Blueprint, &file).map(|loaded| loaded.definition))
}

fn registry(definitions: &[Value]) -> Result<Registry, String> {
    let load = |definition: &Value| synthorg::from_value(definition);
    definitions.iter().map(load).collect::<Result<_, _>>().map_err(|error| format!("the registry: {error}"))
}

fn apply_policy(policy: &CasePolicy, definition: &mut Definition) -> Result<(), String> {
    definition.policy.on_failure = match (policy.on_failure, policy.max_failures) {
        (CaseOnFailure::FailFast, _) => OnFailure::FailFast,
        (CaseOnFailure::WaitAll, _) => OnFailure::WaitAll,
        (CaseOnFailure::Tolerate, Some(count)) => OnFailure::Tolerate { count },
        (CaseOnFailure::Tolerate, None) => return Err("tolerate needs max_failures".to_owned()),
    };
    definition.policy.siblings = match policy.cancel_remaining {
        Some(false) => Siblings::Finish,
        Some(true) | None => Siblings::Cancel,
    };
    let attempts = policy.task_retries.unwrap_or(0).saturating_add(1);
    for node in &mut definition.nodes {
        if let NodeKind::Task(task) = &mut node.kind {
            task.retry.attempts = attempts;
        }
    }
    Ok(())
}

/// Lives the case several times: in what it is lived must make no difference.
fn live(case: &Lifecycle, workflow: &Workflow) -> Judgement {
    let differences = Surroundings::ALL.into_iter().flat_map(|surroundings| {
        let differences = live_once(case, workflow, surroundings);
        differences.into_iter().map(move |difference| format!("{surroundings:?}: {difference}"))
    });
    Judgement::of(differences.collect())
}

fn live_once(case: &Lifecycle, workflow: &Workflow, surroundings: Surroundings) -> Vec<String> {
    actix::System::new().block_on(async {
        tokio::time::pause();
        let story = tell(case, workflow, surroundings);
        match tokio::time::timeout(CASE_MAX, story).await {
            Ok(Ok(differences)) => differences,
            Ok(Err(problem)) => vec![problem],
            Err(_) => vec![format!("it waits for ever: nothing came of it in {CASE_MAX:?}")],
        }
    })
}

async fn tell(case: &Lifecycle, workflow: &Workflow, surroundings: Surroundings) -> Result<Vec<String>, String> {
    let refusal = match Story::begin(case, workflow, surroundings).await? {
        Activated::Story(story) => match case.expected.activation_error {
            None => return story.tell(case).await,
            Some(fault) => return Err(format!("it was activated, not refused for {fault:?}")),
        },
        Activated::Refused(refusal) => refusal,
    };
    Ok(compare(&refusal, case.expected.activation_error))
}

fn compare(refusal: &Refusal, wanted: Option<ActivationFault>) -> Vec<String> {
    let Refusal { faults, message } = refusal;
    match wanted {
        Some(wanted) if faults.contains(&wanted) => Vec::new(),
        Some(wanted) => vec![format!("it was refused for {faults:?}, not {wanted:?}: {message}")],
        None => vec![format!("it was refused for {faults:?}: {message}")],
    }
}
