//! Handlers run in spans, which belong to whoever activated their execution.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use finale::{BlockingContext, TaskContext, TaskError, Workflow};
use finale_tests::actor::{Any, for_each_journal, runtime, workflow};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber, info, info_span};
use tracing_core::span::Current;

/// What was said by handlers, each with the spans around it, outermost first.
#[derive(Clone, Default)]
struct Traced(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    spans: BTreeMap<u64, Known>,
    entered: Vec<u64>,
    newest: u64,
    said: Vec<String>,
    closed: Vec<&'static str>,
}

struct Known {
    metadata: &'static Metadata<'static>,
    parent: Option<u64>,
    fields: BTreeMap<&'static str, String>,
    references: usize,
}

struct Fields<'a>(&'a mut BTreeMap<&'static str, String>);

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl State {
    /// `outer finale.execution{workflow=w} ...`, from the outermost span to this one.
    fn around(&self, mut span: Option<u64>) -> String {
        let mut all = Vec::new();
        while let Some(known) = span.and_then(|id| self.spans.get(&id)) {
            let mut text = known.metadata.name().to_owned();
            for (name, value) in &known.fields {
                write!(text, " {name}={value}").unwrap();
            }
            all.push(text);
            span = known.parent;
        }
        all.reverse();
        all.join(" > ")
    }
}

impl Subscriber for Traced {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut state = self.0.lock().unwrap();
        let current = state.entered.last().copied().filter(|_| attributes.is_contextual());
        let parent = attributes.parent().map(Id::into_u64).or(current);
        let mut fields = BTreeMap::new();
        attributes.record(&mut Fields(&mut fields));
        state.newest += 1;
        let id = state.newest;
        state.spans.insert(id, Known { metadata: attributes.metadata(), parent, fields, references: 1 });
        Id::from_u64(id)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut state = self.0.lock().unwrap();
        values.record(&mut Fields(&mut state.spans.get_mut(&span.into_u64()).unwrap().fields));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        if event.metadata().target() != finale::telemetry::TARGET {
            let mut state = self.0.lock().unwrap();
            let around = state.around(state.entered.last().copied());
            state.said.push(around);
        }
    }

    fn enter(&self, span: &Id) {
        self.0.lock().unwrap().entered.push(span.into_u64());
    }

    fn exit(&self, span: &Id) {
        assert_eq!(self.0.lock().unwrap().entered.pop(), Some(span.into_u64()));
    }

    fn clone_span(&self, span: &Id) -> Id {
        self.0.lock().unwrap().spans.get_mut(&span.into_u64()).unwrap().references += 1;
        span.clone()
    }

    fn try_close(&self, span: Id) -> bool {
        let mut state = self.0.lock().unwrap();
        let known = state.spans.get_mut(&span.into_u64()).unwrap();
        known.references -= 1;
        let (closed, name) = (known.references == 0, known.metadata.name());
        if closed {
            state.closed.push(name);
        }
        closed
    }

    fn current_span(&self) -> Current {
        let state = self.0.lock().unwrap();
        let Some(id) = state.entered.last() else { return Current::none() };
        Current::new(Id::from_u64(*id), state.spans[id].metadata)
    }
}

/// A handler that says something at its beginning and after it has waited.
async fn talks(_: TaskContext, _: Any) -> Result<(), TaskError> {
    info!("begins");
    tokio::task::yield_now().await;
    info!("goes on");
    Ok(())
}

fn expected(outer: &str, execution: finale::ExecutionId, node: &str) -> String {
    let execution = format!("execution={execution}");
    format!(
        "{outer}finale.execution {execution} workflow=test > finale.task attempt=1 {execution} node={node} workflow=test"
    )
}

#[actix::test]
async fn handlers_run_in_spans_below_the_one_that_activated_them() {
    for_each_journal(async |journal| {
        let traced = Traced::default();
        let _guard = tracing::subscriber::set_default(traced.clone());
        let runtime = runtime(&journal).handler("a", talks).handler("b", talks).start().unwrap();
        let activation =
            info_span!("request", path = "/orders").in_scope(|| runtime.activate(&workflow("s>a a>b b>e"), ()));
        let execution = activation.await.unwrap();
        execution.outcome().await.unwrap();
        finale_tests::actor::settle().await;
        let line = |node| expected("request path=/orders > ", execution.id(), node);
        assert_eq!(traced.0.lock().unwrap().said, [line("a"), line("a"), line("b"), line("b")]);
        let closed = traced.0.lock().unwrap().closed.clone();
        assert_eq!(closed.iter().filter(|name| **name == "finale.task").count(), 2);
        assert_eq!(closed.iter().filter(|name| **name == "finale.execution").count(), 1, "it ends with its execution");
    })
    .await;
}

/// An actor that does tasks, and says so within the span of each.
struct Printer;

impl actix::Actor for Printer {
    type Context = actix::Context<Self>;
}

impl actix::Handler<finale::message::RunTask> for Printer {
    type Result = Result<finale::Payload, TaskError>;

    fn handle(&mut self, asked: finale::message::RunTask, _context: &mut Self::Context) -> Self::Result {
        asked.span().in_scope(|| info!("prints"));
        Ok(finale::Payload::NULL)
    }
}

#[actix::test]
async fn an_actor_that_does_a_task_is_told_its_span() {
    let traced = Traced::default();
    let _guard = tracing::subscriber::set_default(traced.clone());
    let journal = finale::journal::MemoryJournal::new();
    let builder = finale::Runtime::builder().shards(finale::Shards::Current).journal(journal);
    let printer = actix::Actor::start(Printer).recipient();
    let runtime = builder.actor_handler("a", printer).start().unwrap();
    let execution = runtime.activate(&workflow("s>a a>e"), ()).await.unwrap();
    execution.outcome().await.unwrap();
    assert_eq!(traced.0.lock().unwrap().said, [expected("", execution.id(), "a")]);
}

#[actix::test]
async fn an_execution_that_is_found_has_spans_of_its_own() {
    for_each_journal(async |journal| {
        let traced = Traced::default();
        let _guard = tracing::subscriber::set_default(traced.clone());
        let waits = async |_: TaskContext, _: Any| std::future::pending::<Result<(), TaskError>>().await;
        let first = runtime(&journal).handler("a", waits).start().unwrap();
        let id = first.activate(&workflow("s>a a>e"), ()).await.unwrap().id();
        first.shutdown(std::time::Duration::ZERO).await;
        let second = runtime(&journal).handler("a", talks).start().unwrap();
        second.execution(id).await.unwrap().outcome().await.unwrap();
        let said = traced.0.lock().unwrap().said.clone();
        let line = expected("", id, "a").replace("attempt=1", "attempt=2");
        assert_eq!(said, [line.clone(), line]);
    })
    .await;
}

#[actix::test]
async fn a_handler_that_blocks_runs_in_its_span() {
    let traced = Traced::default();
    let dispatch = tracing::Dispatch::new(traced.clone());
    let _guard = tracing::dispatcher::set_default(&dispatch);
    // Its thread has no subscriber of its own here; an application installs one for all.
    let talks = move |_: BlockingContext, _: Any| -> Result<(), TaskError> {
        tracing::dispatcher::with_default(&dispatch, || info!("blocks"));
        Ok(())
    };
    let journal = finale::journal::MemoryJournal::new();
    let builder = finale::Runtime::builder().shards(finale::Shards::Current).journal(journal);
    let runtime = builder.blocking_handler("a", talks).start().unwrap();
    let work: Workflow = workflow("s>a a>e");
    let execution = runtime.activate(&work, ()).await.unwrap();
    execution.outcome().await.unwrap();
    assert_eq!(traced.0.lock().unwrap().said, [expected("", execution.id(), "a")]);
}
