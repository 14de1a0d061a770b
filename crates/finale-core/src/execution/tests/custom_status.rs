//! The custom status that handlers set.

use super::*;
use crate::fact::{CustomStatusSet, Fact, Signalled};
use crate::record::CustomStatus;

fn flow() -> Run {
    let inner = Definition::builder("inner").task("t", "work").build();
    let builder = Definition::builder("flow").task("a", "work").map("m", "[1, 2]", inner);
    Run::activated(compiled(builder.task("b", "work").after("a").build()), "{}")
}

impl Run {
    fn set(&mut self, dispatch: Dispatch, at: i64, text: &str) {
        let before = self.execution.sequence();
        let (set_at, text) = (Time::from_micros(at), text.into());
        self.tell(Input::CustomStatus { dispatch, set_at, text });
        assert_eq!(self.execution.sequence(), before, "it is no fact by itself");
        assert!(self.turn.is_empty());
    }

    fn set_by(&mut self, path: &str, at: i64, text: &str) {
        let dispatch = self.work(path);
        self.set(dispatch, at, text);
    }

    fn shown(&self) -> Option<(String, String, i64)> {
        let status = self.execution.record(&self.definition).custom_status;
        status.map(|CustomStatus { text, node, set_at }| (text, node, set_at.as_micros()))
    }

    /// What is there for a process that reads the history.
    fn recorded(&self) -> Option<String> {
        let folded = Execution::fold(id(), &self.definition, &self.history).unwrap();
        assert!(folded == self.execution);
        folded.custom_status().map(|status| status.text)
    }

    fn signal(&mut self) {
        let (name, payload, by, id) = ("hello".into(), Payload::NULL, "me".into(), None);
        self.tell(Input::Signal(Signalled { name, payload, by, id }));
    }
}

fn seen(text: &str, node: &str, at: i64) -> Option<(String, String, i64)> {
    Some((text.to_owned(), node.to_owned(), at))
}

#[test]
fn it_is_seen_at_once_and_recorded_with_whatever_is_recorded_next() {
    let mut run = flow();
    assert_eq!(run.shown(), None);
    run.set_by("a", 5, "waiting for the bank");
    assert_eq!((run.shown(), run.recorded()), (seen("waiting for the bank", "a", 5), None));
    run.signal();
    assert_eq!(run.recorded().as_deref(), Some("waiting for the bank"));

    run.set_by("a", 6, "the bank has answered");
    run.set_by("m[1]::t", 7, "half of it");
    assert_eq!(run.shown(), seen("half of it", "m[1]::t", 7), "the last one of all handlers counts");
    run.done("a", "1");
    assert_eq!(run.recorded().as_deref(), Some("half of it"));
    run.check();
}

#[test]
fn it_stays_after_the_scope_and_the_execution_that_it_was_set_in() {
    let mut run = flow();
    run.done("a", "1");
    run.done("b", "1");
    run.done("m[1]::t", "1");
    run.set_by("m[0]::t", 9, "nearly done");
    run.done("m[0]::t", "1");
    assert_eq!(run.execution.status(), ExecutionStatus::Completed);
    assert_eq!(run.shown(), seen("nearly done", "m[0]::t", 9));
    run.check();
    let facts: Vec<_> = Facts::new(&run.history).map(|recorded| recorded.unwrap().fact).collect();
    assert!(matches!(facts.last(), Some(Fact::Ended(_))), "{facts:?}");
    let record = run.execution.record(&run.definition);
    let json = serde_json::to_string(&record).unwrap();
    assert!(json.contains(r#""custom_status":{"text":"nearly done","node":"m[0]::t""#), "{json}");
    assert_eq!(serde_json::from_str::<crate::record::Record>(&json).unwrap(), record);
}

#[test]
fn an_empty_one_takes_it_back_and_one_that_is_told_again_is_recorded_once() {
    let mut run = flow();
    let dispatch = run.work("a");
    run.set(dispatch, 5, "one");
    run.signal();
    let recorded = run.execution.sequence();
    run.set(dispatch, 5, "one");
    run.signal();
    assert_eq!(run.execution.sequence(), recorded + 1, "only the signal is recorded");
    run.set(dispatch, 6, "");
    assert_eq!((run.shown(), run.recorded().as_deref()), (None, Some("one")));
    run.signal();
    assert_eq!(run.recorded(), None);
    run.check();
}

#[test]
fn one_that_is_told_late_changes_nothing_unless_the_clock_was_set_back() {
    let mut run = flow();
    let dispatch = run.work("a");
    run.set(dispatch, 5, "new");
    run.set(dispatch, 4, "old");
    assert_eq!(run.shown(), seen("new", "a", 5));
    run.signal();
    run.set(dispatch, 4, "old");
    assert_eq!(run.shown(), seen("new", "a", 5));
    // Another process has another clock.
    run.tell(Input::Recovered { epoch: Epoch(1), crashed: true });
    run.set_by("a", 3, "next");
    assert_eq!(run.shown(), seen("next", "a", 3));
    let mut ahead = flow();
    ahead.set_by("a", 60_000_000, "a minute ahead");
    ahead.signal();
    ahead.set_by("a", 1_000, "now");
    assert_eq!(ahead.shown(), seen("now", "a", 1_000));
    ahead.check();
}

#[test]
fn a_state_that_is_folded_again_is_told_what_was_not_recorded() {
    let mut run = flow();
    assert!(run.execution.custom_status_again().is_none());
    run.set_by("a", 5, "one");
    let again = run.execution.custom_status_again().unwrap();
    run.execution = Execution::fold(id(), &run.definition, &run.history).unwrap();
    assert_eq!(run.shown(), None);
    run.tell(again);
    assert_eq!(run.shown(), seen("one", "a", 5));
    run.signal();
    let recorded = run.execution.sequence();
    // It is recorded meanwhile.
    let again = run.execution.custom_status_again().unwrap();
    run.tell(again);
    run.signal();
    assert_eq!(run.execution.sequence(), recorded + 1);
    run.tell(Input::Recovered { epoch: Epoch(1), crashed: true });
    assert!(run.execution.custom_status_again().is_none(), "it was set in another life");
}

#[test]
fn what_an_unknown_handler_sets_changes_nothing() {
    let mut run = flow();
    let (a, item) = (run.work("a"), run.work("m[0]::t"));
    run.set(Dispatch { attempt: a.attempt.next(), ..a }, 1, "an attempt that has not begun");
    run.set(Dispatch { epoch: Epoch(9), ..a }, 1, "another process");
    run.set(Dispatch { key: WorkKey { scope: ScopeId(99), ..a.key }, ..a }, 1, "a scope that is not there");
    let start = run.definition.own().start;
    run.set(Dispatch { key: WorkKey::root(start), ..a }, 1, "no task");
    run.done("m[0]::t", "1");
    run.set(item, 1, "a scope that was given back");
    assert_eq!(run.shown(), None);
    run.set(a, 2, "one");
    run.tell(Input::Command(Command::Cancel { by: "me".into() }));
    run.stopped(a);
    run.stopped(run.at_work()[0]);
    assert_eq!(run.execution.status(), ExecutionStatus::Cancelled);
    let told = run.try_tell(Input::CustomStatus { dispatch: a, set_at: Time::from_micros(3), text: "late".into() });
    assert_eq!((told, run.shown()), (Ok(()), seen("one", "a", 2)));
}

#[test]
fn a_damaged_history_with_one_is_refused() {
    let mut run = flow();
    let dispatch = run.work("a");
    let start = WorkKey::root(run.definition.own().start);
    let (key, attempt, set_at) = (dispatch.key, dispatch.attempt, Time::from_micros(5));
    let long = "x".repeat(CustomStatus::TEXT_BYTES_MAX + 1);
    let damaged = [
        CustomStatusSet { key, attempt: attempt.next(), set_at, text: "x".into() },
        CustomStatusSet { key: start, attempt, set_at, text: "x".into() },
        CustomStatusSet { key, attempt, set_at, text: long.into() },
    ];
    for set in damaged {
        let fact = Fact::CustomStatusSet(set.clone());
        let applied = run.execution.apply(&run.definition, Time::from_micros(9_000), fact, &mut ());
        assert!(applied.is_err(), "{set:?}");
    }
}

#[test]
fn those_who_watch_hear_of_it_when_it_is_recorded() {
    let mut run = flow();
    run.turn.watch(true);
    run.set_by("a", 5, "one");
    assert_eq!(run.turn.take_notices(), []);
    run.signal();
    let notices = run.turn.take_notices();
    let set = CustomStatus { text: "one".to_owned(), node: "a".to_owned(), set_at: Time::from_micros(5) };
    assert_eq!(notices[0].notice, Notice::CustomStatus(Some(set)));
    assert_eq!((notices[0].sequence + 1, notices[0].index), (notices[1].sequence, 0));
}
