//! Keeps the log events of this thread.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber};

/// The log events of finale on this thread, one line each, from here on.
///
/// Of what differs from run to run (ids, durations) only the name of the field is kept.
pub(crate) struct Log {
    lines: Lines,
    _guard: DefaultGuard,
}

type Lines = Arc<Mutex<Vec<String>>>;

const DIFFERENT_EACH_TIME: [&str; 3] = ["execution", "task", "took"];

impl Log {
    pub(crate) fn begin() -> Self {
        let lines = Lines::default();
        let _guard = tracing::subscriber::set_default(Keeper(Arc::clone(&lines)));
        Self { lines, _guard }
    }

    /// Those whose names end like that, or all.
    pub(crate) fn those(&self, names: &[&str]) -> Vec<String> {
        let name = |line: &str| line.split(' ').nth(1).and_then(|name| name.rsplit('.').next()).map(str::to_owned);
        let wanted = |line: &&String| names.is_empty() || name(line).is_some_and(|name| names.contains(&name.as_str()));
        self.lines.lock().unwrap().iter().filter(wanted).cloned().collect()
    }

    #[track_caller]
    pub(crate) fn expect(&self, expected: &[&str]) {
        self.expect_those(&[], expected);
    }

    #[track_caller]
    pub(crate) fn expect_those(&self, names: &[&str], expected: &[&str]) {
        let found = self.those(names);
        assert_eq!(found, expected, "\n{}", found.join("\n"));
    }
}

struct Keeper(Lines);

impl Subscriber for Keeper {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == finale::telemetry::TARGET
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.0.lock().unwrap().push(line.0);
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let written = match field.name() {
            "event" => write!(self.0, " {value:?}"),
            name if DIFFERENT_EACH_TIME.contains(&name) => write!(self.0, " {name}"),
            name => write!(self.0, " {name}={value:?}"),
        };
        written.expect("a text takes what is written");
    }
}
