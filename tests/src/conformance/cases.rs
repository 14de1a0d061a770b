//! Where the cases are, and what stands in them. A key or a word that nobody knows is an error, never ignored.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// Names another folder with cases; relative to the root of the workspace.
const FOLDER_VARIABLE: &str = "FINALE_CASES";
/// Where cases are looked for if the variable is not set; it need not be there.
pub(super) const SHARED_FOLDER: &str = "../shared/data";
const OWN_FOLDER: &str = "tests/cases";

/// A folder with files of cases.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    /// What the files are called after in the report.
    prefix: &'static str,
    /// Whether each file must be there.
    complete: bool,
}

/// The folder that was asked for or is there by default, and the project's own one.
pub(super) fn folders(files: &[&str]) -> Result<Vec<Folder>, String> {
    let mut folders = Vec::new();
    let asked_for = std::env::var_os(FOLDER_VARIABLE).filter(|folder| !folder.is_empty());
    let path = asked_for.as_ref().map_or_else(|| workspace(SHARED_FOLDER), workspace);
    if files.iter().any(|file| path.join(file).exists()) {
        folders.push(Folder { path, prefix: "", complete: false });
    } else if asked_for.is_some() {
        return Err(format!("{FOLDER_VARIABLE} names {}, where there are no cases", path.display()));
    }
    folders.push(Folder { path: workspace(OWN_FOLDER), prefix: "tests/cases/", complete: true });
    Ok(folders)
}

/// A path as seen from the root of the workspace.
pub(super) fn workspace(path: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

impl Folder {
    pub(super) fn name_of(&self, file: &str) -> String {
        format!("{}{file}", self.prefix)
    }

    /// The cases of a file; none if it need not be there and is not.
    pub(super) fn read(&self, file: &str) -> Result<Option<Vec<Case>>, String> {
        let path = self.path.join(file);
        if !self.complete && !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let cases: Vec<Map<String, Value>> =
            serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Some((1..).zip(cases).map(|(number, case)| Case::new(number, case)).collect()))
    }
}

/// One case, without what is written in it for people.
pub(super) struct Case {
    pub(super) id: String,
    pub(super) body: Result<Value, String>,
}

impl Case {
    fn new(number: usize, mut case: Map<String, Value>) -> Self {
        for key in ["tag", "note", "basis", "reference"] {
            case.remove(key);
        }
        match case.remove("id") {
            Some(Value::String(id)) => Self { id, body: Ok(Value::Object(case)) },
            _ => Self { id: format!("number {number}"), body: Err("the case has no id".to_owned()) },
        }
    }
}

/// Reads the body of a case, or a part of it.
pub(super) fn parse<T: DeserializeOwned>(body: Value) -> Result<T, String> {
    serde_json::from_value(body).map_err(|error| format!("the case cannot be read: {error}"))
}

/// A definition, what happens to its execution, and where that must end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lifecycle {
    pub(super) definition: Option<Value>,
    pub(super) blueprint: Option<String>,
    pub(super) registry: Option<Vec<Value>>,
    pub(super) policy: CasePolicy,
    #[serde(default)]
    pub(super) context: Map<String, Value>,
    #[serde(default)]
    pub(super) requires: Vec<Ability>,
    pub(super) steps: Vec<Step>,
    pub(super) expected: Expected,
}

/// What a case may need; see [`Ability::missing`].
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ability {
    EagerTasks,
    StaticConditions,
    StaticVerdict,
    EventDuringActivation,
    TaskOutput,
    RuntimeVerdict,
    JoinAny,
    MaxConcurrency,
    Reconcile,
    TaskRetries,
}

impl Ability {
    /// What finale does not do, if that is needed.
    pub(super) const fn missing(self) -> Option<&'static str> {
        match self {
            // Never: tasks come into being, and decisions are taken, when they are reached.
            Self::EagerTasks => Some("eager_tasks"),
            Self::StaticConditions => Some("static_conditions"),
            Self::StaticVerdict => Some("static_verdict"),
            Self::JoinAny
            | Self::MaxConcurrency
            | Self::EventDuringActivation
            | Self::TaskOutput
            | Self::RuntimeVerdict
            | Self::Reconcile
            | Self::TaskRetries => None,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CasePolicy {
    pub(super) on_failure: CaseOnFailure,
    pub(super) max_failures: Option<u32>,
    pub(super) cancel_remaining: Option<bool>,
    pub(super) task_retries: Option<u16>,
    #[serde(rename = "max_subworkflow_depth")]
    pub(super) subworkflow_depth_max: Option<usize>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CaseOnFailure {
    FailFast,
    WaitAll,
    Tolerate,
}

/// Something that happens, and what must hold right after it.
#[derive(Deserialize)]
#[serde(try_from = "Value")]
pub(super) struct Step {
    pub(super) words: String,
    pub(super) operation: Operation,
    pub(super) expect: Expect,
}

impl TryFrom<Value> for Step {
    type Error = String;

    fn try_from(mut step: Value) -> Result<Self, String> {
        let words = step.to_string();
        let expect = step.as_object_mut().and_then(|step| step.remove("expect"));
        let expect = expect.map(parse).transpose()?.unwrap_or_default();
        let operation = parse(step).map_err(|problem| format!("{words}: {problem}"))?;
        Ok(Self { words, operation, expect })
    }
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Operation {
    Task(TaskEvent),
    Mutation(Mutation),
    Cancel { execution: Option<String> },
    Complete { execution: Option<String> },
    Fail { error: String, execution: Option<String> },
    Activate { r#as: String },
    Verdict { node: String, verdict: String, execution: Option<String> },
    // With braces, so that further keys are refused.
    Reconcile {},
    Observe {},
}

/// A task reaches a status.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TaskEvent {
    pub(super) node: Option<String>,
    /// A task that no execution owns.
    pub(super) task: Option<String>,
    pub(super) to: TaskStatus,
    #[serde(default)]
    pub(super) reason: String,
    #[serde(default)]
    pub(super) output: Option<Map<String, Value>>,
    pub(super) execution: Option<String>,
    pub(super) when: Option<When>,
    #[serde(default)]
    pub(super) lost: bool,
    pub(super) will_retry: Option<bool>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum TaskStatus {
    Created,
    Assigned,
    InProgress,
    InReview,
    Blocked,
    Interrupted,
    Suspended,
    AuthRequired,
    Completed,
    Failed,
    Cancelled,
    Rejected,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum When {
    DuringActivation,
}

/// Something happens to a task that is no change of its status.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mutation {
    pub(super) node: Option<String>,
    pub(super) task: Option<String>,
    pub(super) kind: MutationKind,
    #[serde(default)]
    pub(super) reason: String,
    pub(super) execution: Option<String>,
    pub(super) when: Option<When>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum MutationKind {
    Create,
    Update,
    Delete,
    Cancel,
}

/// What must hold right after a step; without an error none may come.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    pub(super) error: Option<ErrorName>,
    pub(super) status: Option<String>,
    pub(super) ready: Option<Vec<String>>,
    pub(super) ready_count: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ErrorName {
    NotFound,
    NotRunning,
    AlreadyTerminal,
    Invalid,
    NotReady,
}

/// What must hold at the end; what is not named is free.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expected {
    pub(super) activation_error: Option<ActivationFault>,
    pub(super) status: Option<String>,
    /// Whether there must be no error: `"error": null`.
    #[serde(default, rename = "error", deserialize_with = "null")]
    pub(super) no_error: bool,
    #[serde(default)]
    pub(super) error_contains: Names,
    pub(super) completed_at: Option<bool>,
    #[serde(default)]
    pub(super) nodes: BTreeMap<String, Names>,
    pub(super) ready: Option<Vec<String>>,
    pub(super) ready_count: Option<usize>,
    #[serde(default)]
    pub(super) deps: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(super) assigned: BTreeMap<String, Option<String>>,
    pub(super) tasks_total: Option<usize>,
    pub(super) cancel_requested: Option<Vec<String>>,
    #[serde(default)]
    pub(super) others: BTreeMap<String, OtherExpected>,
}

fn null<'de, D: Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    <()>::deserialize(value).map(|()| true)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OtherExpected {
    pub(super) status: String,
}

/// Why an activation is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ActivationFault {
    DefinitionInvalid,
    NoRegistry,
    DepthExceeded,
    SubworkflowIo,
    SubworkflowNotFound,
}

/// One name or several.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Names {
    One(String),
    Several(Vec<String>),
}

impl Default for Names {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl Names {
    pub(super) fn as_slice(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }
}
