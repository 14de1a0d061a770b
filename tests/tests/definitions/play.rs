//! Runs the definitions among the examples with handlers that do what a test says, under a clock that jumps.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use finale::journal::Acknowledgement;
use finale::{
    Definition, ExecutionStatus, NodeKind, NodeRecordState, Outcome, Payload, TaskContext, TaskError, Work, Workflow,
};
use finale_tests::actor::{runtime, with_journal};
use serde_json::Value;

/// What the handler of a task does: by the path of its node, its attempt and its input.
pub(crate) type Script = Arc<dyn Fn(&Asked) -> Result<Value, TaskError> + Send + Sync>;

const NEVER: &str = "never";

/// For a script: this attempt never comes to an end by itself.
pub(crate) fn never() -> TaskError {
    TaskError::new("it never ends").code(NEVER)
}

/// A task that a handler is asked to do.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) node: String,
    pub(crate) handler: String,
    pub(crate) attempt: u16,
    pub(crate) input: Value,
}

/// An execution that has ended, and which nodes were worked on, in their order.
pub(crate) struct Ended {
    pub(crate) outcome: Arc<Outcome>,
    pub(crate) asked: Vec<Asked>,
    nodes: Vec<(String, &'static str)>,
}

impl Ended {
    pub(crate) fn status(&self) -> ExecutionStatus {
        self.outcome.status()
    }

    /// The ids of the nodes of the definition itself that ended so.
    pub(crate) fn nodes(&self, state: &str) -> BTreeSet<&str> {
        self.nodes.iter().filter(|(_, known)| *known == state).map(|(id, _)| id.as_str()).collect()
    }

    /// How often each handler was asked.
    pub(crate) fn times(&self, handler: &str) -> usize {
        self.asked.iter().filter(|asked| asked.handler == handler).count()
    }
}

/// The definition of that name.
pub(crate) fn definition(name: &str) -> Definition {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/definitions").join(name);
    let text = std::fs::read(&path).unwrap();
    finale_formats::load(&text, finale_formats::Format::Auto, name).unwrap().definition
}

/// The names of all handlers of a definition, those inside of nodes and of what it calls too.
fn handlers(definition: &Definition) -> BTreeSet<String> {
    let handler = |kind: &NodeKind| match kind {
        NodeKind::Task(task) => match &task.work {
            Work::Handler(name) => Some(name.clone()),
            Work::External => None,
        },
        _ => None,
    };
    let called = definition.workflows.iter().flat_map(handlers);
    definition.all_nodes().into_iter().filter_map(|node| handler(&node.kind)).chain(called).collect()
}

/// Runs a definition to its end, with handlers that do what the script says.
pub(crate) fn play(definition: &Definition, input: &Value, script: &Script) -> Ended {
    let ended = Mutex::new(None);
    actix::System::new().block_on(with_journal(Acknowledgement::Immediate, async |journal| {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let mut builder = runtime(&journal);
        for name in handlers(definition) {
            let (script, asked, handler) = (Arc::clone(script), Arc::clone(&asked), name.clone());
            builder = builder.handler(name, move |context: TaskContext, input: Payload| {
                let (node, attempt) = (context.node().to_owned(), context.attempt());
                let input = input.decode().unwrap();
                let task = Asked { node, handler: handler.clone(), attempt, input };
                let done = script(&task);
                asked.lock().unwrap().push(task);
                async move {
                    match done {
                        Err(error) if error.failure().code() == Some(NEVER) => std::future::pending().await,
                        done => done,
                    }
                }
            });
        }
        let runtime = builder.start().unwrap();
        let workflow = Workflow::new(definition.clone()).unwrap();
        let execution = runtime.activate(&workflow, input.clone()).await.unwrap();
        let outcome = execution.outcome().await.unwrap();
        let record = execution.snapshot().await.unwrap();
        let nodes = record.nodes.iter().map(|node| (node.id.clone(), word(&node.state))).collect();
        let asked = std::mem::take(&mut *asked.lock().unwrap());
        *ended.lock().unwrap() = Some(Ended { outcome, asked, nodes });
    }));
    ended.into_inner().unwrap().unwrap()
}

fn word(state: &NodeRecordState) -> &'static str {
    match state {
        NodeRecordState::Completed { .. } => "completed",
        NodeRecordState::Failed { .. } => "failed",
        NodeRecordState::Skipped { .. } => "skipped",
        NodeRecordState::Cancelled { .. } => "cancelled",
        _ => "open",
    }
}

/// A script in which the tasks of these nodes fail for good, and all others are done and give `null`.
pub(crate) fn failing(nodes: &BTreeSet<&'static str>) -> Script {
    let nodes = nodes.clone();
    Arc::new(move |task| match nodes.contains(task.node.as_str()) {
        true => Err(TaskError::new("broken").permanent()),
        false => Ok(Value::Null),
    })
}

/// All choices of some of these.
pub(crate) fn subsets(all: &[&'static str]) -> impl Iterator<Item = BTreeSet<&'static str>> {
    (0..1_u32 << all.len()).map(move |mask| {
        all.iter().enumerate().filter(|(index, _)| mask & (1 << index) != 0).map(|(_, name)| *name).collect()
    })
}
