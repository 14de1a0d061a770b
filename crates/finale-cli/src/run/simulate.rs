//! Standing in for those who do the tasks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use finale::{Builder, Payload, Runtime, TaskContext, TaskError};
use finale_core::definition::{Definition, NodeKind, Work};
use finale_formats::wfformat::SIMULATE;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::answers::{Answers, InAdvance, SignalsToSend};
use crate::handlers::{Announcements, NAMES, SHELL};

/// What tasks that nobody really does come to.
#[derive(Clone, Debug)]
pub(crate) struct Simulation {
    /// The names of the handlers to stand in for.
    handlers: BTreeSet<String>,
    script: Arc<Script>,
    signals: SignalsToSend,
}

#[derive(Debug)]
struct Script {
    /// How long tasks take, by node id; all others are done at once.
    times: BTreeMap<String, Duration>,
    /// What tasks come to; all others are done.
    answers: Answers,
    /// Knows which path leads to a task. Set only if there are paths to be looked up: handlers that hold a runtime keep it.
    runtime: OnceLock<Runtime>,
}

impl Simulation {
    /// Stands in for the handlers of recorded runs.
    pub(crate) fn new(times: BTreeMap<String, Duration>, answers: Answers) -> Self {
        let handlers = [SIMULATE.to_owned()].into();
        Self { handlers, script: Arc::new(Script { times, answers, runtime: OnceLock::new() }), signals: Vec::new() }
    }

    /// The same with signals that are sent to each execution.
    pub(crate) fn with_signals(self, signals: SignalsToSend) -> Self {
        Self { signals, ..self }
    }

    /// The signals that are sent to each execution, with what they say.
    pub(crate) fn signals(&self) -> &[(String, Payload)] {
        &self.signals
    }

    /// Stands in for all handlers of the definition, not only for those of recorded runs.
    pub(crate) fn of_all_handlers(mut self, definition: &Definition) -> Self {
        self.handlers.extend(handlers(definition).map(|(_, handler)| handler));
        self
    }

    /// The first task of a handler that finale has not and nobody stands in for: its node and the handler.
    pub(crate) fn missing(&self, definition: &Definition) -> Option<(String, String)> {
        handlers(definition).find(|(_, handler)| !self.handlers.contains(handler) && !NAMES.contains(&handler.as_str()))
    }

    /// Whether it stands in for the handler of that name.
    pub(crate) fn stands_in(&self, handler: &str) -> bool {
        self.handlers.contains(handler)
    }

    /// What was said of tasks in advance.
    pub(crate) fn answers(&self) -> &Answers {
        &self.script.answers
    }

    /// The answer for the task of a handler, if the command line has one.
    pub(crate) async fn answer(&self, context: &TaskContext) -> Option<InAdvance> {
        self.script.answer(context).await
    }

    /// Lets the tasks of handlers be found by their paths.
    pub(crate) fn look_up_in(&self, runtime: &Runtime) {
        if self.script.answers.has_paths() {
            self.script.runtime.get_or_init(|| runtime.clone());
        }
    }

    /// Registers the handlers that stand in.
    pub(crate) fn register(&self, announcements: &Announcements, builder: Builder) -> Builder {
        self.handlers.iter().fold(builder, |builder, name| {
            let (script, announcements) = (Arc::clone(&self.script), announcements.clone());
            let is_command = name == SHELL;
            builder.handler(name, move |context: TaskContext, input: Said| {
                announcements.begins(&context);
                play(Arc::clone(&script), context, is_command.then(|| input.output_of_command()))
            })
        })
    }
}

fn handlers(definition: &Definition) -> impl Iterator<Item = (String, String)> {
    definition.all_nodes().into_iter().filter_map(|node| match &node.kind {
        NodeKind::Task(task) => match &task.work {
            Work::Handler(handler) => Some((node.id.clone(), handler.clone())),
            Work::External => None,
        },
        _ => None,
    })
}

/// What a handler is given, as far as a simulation looks at it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Said {
    Command { output: ReadAs },
    Anything(IgnoredAny),
}

/// How a command's output is read, where that is not as a text.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ReadAs {
    Json,
}

impl Said {
    /// What a command gives that writes nothing.
    fn output_of_command(&self) -> Payload {
        let stdout = match self {
            Self::Command { output: ReadAs::Json } => Value::Null,
            Self::Anything(_) => Value::from(""),
        };
        let output = json!({"exit_code": 0, "stdout": stdout, "stderr": "", "truncated": false});
        Payload::encode(&output).expect("it is JSON")
    }
}

async fn play(script: Arc<Script>, context: TaskContext, output: Option<Payload>) -> Result<Payload, TaskError> {
    let time = script.times.get(context.node()).copied().unwrap_or_default();
    // The shortest sleep takes a tick of the clock, which is longer than nothing.
    if !time.is_zero() {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = context.cancelled() => return Err(TaskError::new("cancelled")),
        }
    }
    match script.answer(&context).await {
        Some(InAdvance::Failed(reason)) => Err(TaskError::new(reason)),
        Some(InAdvance::Done(output)) => Ok(output),
        None => Ok(output.unwrap_or(Payload::NULL)),
    }
}

impl Script {
    async fn answer(&self, context: &TaskContext) -> Option<InAdvance> {
        for (path, answer) in self.answers.of_single(context.node()) {
            let handle = self.runtime.get()?.execution(context.execution_id()).await.ok()?;
            // A path that leads to nothing yet, or to nothing any more, leads to another task.
            if handle.task_id(&path.to_string()).await == Ok(context.task_id()) {
                return Some(answer.clone());
            }
        }
        self.answers.by_id(context.node()).cloned()
    }
}

/// Recorded times, stretched.
pub(crate) fn scaled(times: BTreeMap<String, Duration>, scale: f64) -> BTreeMap<String, Duration> {
    // What no clock can count takes for ever.
    let stretch = |time: Duration| Duration::try_from_secs_f64(time.as_secs_f64() * scale).unwrap_or(Duration::MAX);
    times.into_iter().map(|(node, time)| (node, stretch(time))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretched(seconds: u64, scale: f64) -> Duration {
        scaled([("a".to_owned(), Duration::from_secs(seconds))].into(), scale)["a"]
    }

    #[test]
    fn a_time_is_multiplied_by_the_scale() {
        assert_eq!(stretched(3, 0.5), Duration::from_millis(1_500));
        assert_eq!(stretched(3, 0.0), Duration::ZERO);
    }

    #[test]
    fn a_time_beyond_all_clocks_lasts_for_ever() {
        assert_eq!(stretched(3, f64::MAX), Duration::MAX);
    }
}
