//! Facts in words: for people who look into a history, and for programs that show one.

use std::fmt::{self, Write};

use serde::Serialize;

use super::{
    Activation, CustomStatusSet, Decision, EndRequest, Ended, Fact, Operation, OperatorAction, Recorded, Signalled,
    StopOutcome, Timer,
};
use crate::compiled::Compiled;
use crate::definition::{NodeKind, Verdict};
use crate::failure::{Failure, FailureClass};
use crate::id::{AttemptNo, WorkKey};
use crate::path::NodePath;
use crate::payload::Payload;
use crate::status::ExecutionStatus;
use crate::time::Time;

/// A fact in words, and what it says in fields of their own; nodes have their names.
///
/// Its text is for people and may get better with any release; the fields are for programs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Described {
    /// Its number in the history, from 1.
    pub sequence: u64,
    /// When.
    pub at: Time,
    /// What kind of fact it is.
    pub fact: &'static str,
    /// Path of the node it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Which attempt it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<AttemptNo>,
    /// When that attempt began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When that attempt was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Time>,
    /// Who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What was handed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Payload>,
    /// What came out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Payload>,
    /// What kind of failure it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<FailureClass>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The fact in words.
    pub text: String,
}

impl Recorded {
    /// The fact in words, as the one with that number in the history of an execution with that definition.
    ///
    /// `path` names work that was open before the fact. What it does not know is named by its id and the number of its scope, so
    /// a fact of another definition is described as well.
    pub(crate) fn describe(&self, sequence: u64, definition: &Compiled, path: &Paths<'_>) -> Described {
        let about = Described::new(sequence, self.at);
        match &self.fact {
            Fact::Activated(activation) => about.activated(activation),
            Fact::Decided { key, decision } if is_of_scope(definition, *key, decision) => {
                about.of_scope((definition, path), *key).given(decision)
            }
            Fact::Decided { key, decision } => about.of_node((definition, path), *key).decided(decision),
            Fact::Outcome { key, attempt, result, started, ended } => {
                about.of_attempt((definition, path), *key, *attempt).attempted(result, *started, *ended)
            }
            Fact::Reported { key, attempt, result, by } => {
                about.of_attempt((definition, path), *key, *attempt).reported(result, by)
            }
            Fact::AttemptStopped { key, attempt, how } => {
                about.of_attempt((definition, path), *key, *attempt).stopped(*how)
            }
            Fact::TimerFired(timer) => about.fired((definition, path), *timer),
            Fact::Ending(decree) => about.end_decided(decree),
            Fact::Ended(seal) => about.ended(seal),
            Fact::Recovered { crashed, .. } => about.recovered(*crashed),
            Fact::Continued => {
                about.kind("continued").say(format_args!("what followed was too much for one turn: it went on"))
            }
            Fact::Operated(operation) => about.of_node((definition, path), operation.key).operated(operation),
            Fact::Signalled(signal) => about.signalled(signal),
            Fact::CustomStatusSet(CustomStatusSet { key, attempt, text, .. }) => {
                about.of_attempt((definition, path), *key, *attempt).custom_status(text)
            }
        }
    }
}

/// Finds the path of a piece of work.
pub(crate) type Paths<'a> = dyn Fn(WorkKey) -> Option<NodePath> + 'a;

/// What work is named by.
type Names<'a> = (&'a Compiled, &'a Paths<'a>);

/// What work is called of which no path is known.
fn id_and_scope(definition: &Compiled, WorkKey { scope, node }: WorkKey) -> String {
    let name = definition.find_node(node).map_or_else(|| format!("node {node}"), |node| node.id.clone());
    if scope.is_root() { name } else { format!("{name} in scope {scope}") }
}

/// Whether a decision is about what the scope of a node gives: it is recorded at the node that the scope begins with.
fn is_of_scope(definition: &Compiled, key: WorkKey, decision: &Decision) -> bool {
    let is_start = || definition.find_node(key.node).is_some_and(|node| matches!(node.kind, NodeKind::Start));
    matches!(decision, Decision::Output(_)) || is_start()
}

impl Described {
    fn new(sequence: u64, at: Time) -> Self {
        Self {
            sequence,
            at,
            fact: "",
            node: None,
            attempt: None,
            started_at: None,
            completed_at: None,
            by: None,
            input: None,
            output: None,
            class: None,
            error: None,
            text: String::new(),
        }
    }

    fn of_node(mut self, (definition, path): Names<'_>, key: WorkKey) -> Self {
        let name = path(key).map_or_else(|| id_and_scope(definition, key), |path| path.to_string());
        self.text = name.clone();
        self.node = Some(name);
        self
    }

    /// It is about the scope that a node is in, which is called like the node that opened it.
    fn of_scope(mut self, (definition, path): Names<'_>, key: WorkKey) -> Self {
        if key.scope.is_root() {
            return self.say(format_args!("the execution"));
        }
        let within = path(key).map(|path| path.within().iter().map(ToString::to_string).collect::<Vec<_>>().join("::"));
        let name = within.unwrap_or_else(|| id_and_scope(definition, key));
        self.text = name.clone();
        self.node = Some(name);
        self
    }

    fn of_attempt(self, names: Names<'_>, key: WorkKey, attempt: AttemptNo) -> Self {
        let mut about = self.of_node(names, key);
        about.attempt = Some(attempt);
        about.say(format_args!(": attempt {attempt} "))
    }

    fn kind(mut self, fact: &'static str) -> Self {
        self.fact = fact;
        self
    }

    fn say(mut self, words: fmt::Arguments<'_>) -> Self {
        // Writing to a text does not fail.
        let _ = self.text.write_fmt(words);
        self
    }

    fn by(mut self, who: &str) -> Self {
        self.by = Some(who.to_owned());
        self.say(format_args!(" by {who}"))
    }

    fn failed(mut self, reason: &str) -> Self {
        self.error = Some(reason.to_owned());
        self.say(format_args!(": {reason}"))
    }

    fn activated(self, activation: &Activation) -> Self {
        let Activation { input, by, deadline, idempotency_key, business_key, .. } = activation;
        let mut about = self.kind("activated").say(format_args!("activated")).by(by);
        if let Some(key) = business_key {
            about = about.say(format_args!(", business key {key:?}"));
        }
        if let Some(key) = idempotency_key {
            about = about.say(format_args!(", idempotency key {key:?}"));
        }
        if let Some(deadline) = deadline {
            about = about.say(format_args!(", to be over by {deadline}"));
        }
        about.input = Some(input.clone());
        if input.is_null() { about } else { about.say(format_args!(", with {input:?}")) }
    }

    /// What a scope gives, or why it gives nothing.
    fn given(self, decision: &Decision) -> Self {
        match decision {
            Decision::Failed(reason) => {
                self.kind("expression_failed").say(format_args!(": its output could not be evaluated")).failed(reason)
            }
            other => self.decided(other),
        }
    }

    fn decided(mut self, decision: &Decision) -> Self {
        match decision {
            Decision::Branch(value) => self.kind("condition_evaluated").say(format_args!(" went {value}")),
            Decision::Verdict(verdict, by) => {
                self.kind("verdict_given").say(format_args!(" was given the verdict {}", name(*verdict))).by(by)
            }
            Decision::Input(input) => {
                self.input = Some(input.clone());
                self.kind("input_evaluated").say(format_args!(" is given {input:?}"))
            }
            Decision::Output(output) => {
                self.output = Some(output.clone());
                self.kind("output_evaluated").say(format_args!(" gives {output:?}"))
            }
            Decision::TooMany(reason) => {
                self.kind("items_refused").say(format_args!(" has too many items")).failed(reason)
            }
            Decision::Mismatch(reason) => self.kind("payload_refused").failed(reason),
            Decision::Failed(reason) => self
                .kind("expression_failed")
                .say(format_args!(": its expression could not be evaluated"))
                .failed(reason),
        }
    }

    fn attempted(mut self, result: &Result<Payload, Failure>, started: Time, ended: Time) -> Self {
        (self.started_at, self.completed_at) = (Some(started), Some(ended));
        self.answered(result).kind("attempted")
    }

    fn answered(mut self, result: &Result<Payload, Failure>) -> Self {
        match result {
            Ok(output) => {
                self.output = Some(output.clone());
                let about = self.say(format_args!("completed"));
                if output.is_null() { about } else { about.say(format_args!(", gave {output:?}")) }
            }
            Err(failure) => {
                self.class = Some(failure.class);
                self.error = Some(failure.to_string());
                self.say(format_args!("{failure}"))
            }
        }
    }

    fn reported(mut self, result: &Result<Payload, Failure>, by: &str) -> Self {
        self = self.answered(result).kind("reported");
        if by.is_empty() {
            return self;
        }
        self.by = Some(by.to_owned());
        self.say(format_args!(", says {by}"))
    }

    fn stopped(self, how: StopOutcome) -> Self {
        self.kind("stopped").say(format_args!(
            "{}",
            match how {
                StopOutcome::Closed => "closed: nobody worked on it here",
                StopOutcome::Stopped => "stopped when it was told to",
                StopOutcome::Aborted => "did not stop in time and was dropped",
                StopOutcome::Lost => "could not be stopped, and nobody waits for it any more",
            }
        ))
    }

    fn fired(self, names: Names<'_>, timer: Timer) -> Self {
        let about = self.kind("timer_fired");
        match timer {
            Timer::Deadline => about.say(format_args!("the deadline passed")),
            Timer::EndingWithin => about.say(format_args!("the time to end in has passed")),
            Timer::Timeout(key, attempt) => {
                about.of_attempt(names, key, attempt).say(format_args!("took longer than allowed"))
            }
            Timer::Total(key) => about.of_node(names, key).say(format_args!(" took longer than allowed in all")),
            Timer::Backoff(key, attempt) => about.of_attempt(names, key, attempt).say(format_args!("may begin")),
            Timer::Round(key, round) => about.of_node(names, key).say(format_args!(": round {round} may begin")),
            Timer::Wait(key) => about.of_node(names, key).say(format_args!(": the time it waited for has come")),
        }
    }

    fn signalled(self, Signalled { name, payload, by, id }: &Signalled) -> Self {
        let mut about = self.kind("signalled").say(format_args!("signal {name:?}")).by(by);
        if let Some(id) = id {
            about = about.say(format_args!(", id {id:?}"));
        }
        about.input = Some(payload.clone());
        if payload.is_null() { about } else { about.say(format_args!(", with {payload:?}")) }
    }

    fn custom_status(self, text: &str) -> Self {
        let about = self.kind("custom_status_set");
        if text.is_empty() {
            return about.say(format_args!("took the custom status back"));
        }
        about.say(format_args!("set the custom status {text:?}"))
    }

    fn end_decided(self, decree: &EndRequest) -> Self {
        let about = self.kind("end_decided");
        match decree {
            EndRequest::Cancel(by) => about.say(format_args!("cancelled")).by(by),
            EndRequest::ForceCancel(by) => about.say(format_args!("cancelled at once")).by(by),
            EndRequest::Complete(by) => about.say(format_args!("declared completed")).by(by),
            EndRequest::Fail { by, reason } => about.say(format_args!("declared failed")).by(by).failed(reason),
            EndRequest::Output(reason) => about.say(format_args!("its output could not be evaluated")).failed(reason),
            EndRequest::OutputMismatch(reason) => about.say(format_args!("its output is refused")).failed(reason),
            EndRequest::Stalled => about.say(format_args!("stalled: nothing can move any more")),
        }
    }

    fn operated(mut self, Operation { by, reason, action, .. }: &Operation) -> Self {
        let words = match action {
            OperatorAction::Retry => " is tried again",
            OperatorAction::RunNow => " begins now",
            OperatorAction::Complete(output) => {
                self.output = Some(output.clone());
                " is declared completed"
            }
            OperatorAction::Fail => {
                self.class = Some(FailureClass::Failed);
                self.error = Some(reason.to_string());
                " is declared failed"
            }
            OperatorAction::Skip => " is skipped",
        };
        let about = self.kind("operated").say(format_args!("{words}")).by(by);
        if reason.is_empty() { about } else { about.say(format_args!(": {reason}")) }
    }

    fn ended(mut self, seal: &Ended) -> Self {
        self.output.clone_from(&seal.output);
        let about = self.kind("ended").say(format_args!("{}", ExecutionStatus::from(seal.status)));
        match &seal.output {
            Some(output) => about.say(format_args!(", gave {output:?}")),
            None => about,
        }
    }

    fn recovered(self, crashed: bool) -> Self {
        let how = if crashed { "a crash" } else { "an orderly end" };
        self.kind("recovered").say(format_args!("a new process goes on with it, after {how} of the one before"))
    }
}

const fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Refer => "refer",
    }
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.sequence, self.at, self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile;
    use crate::compile::Registry;
    use crate::compiled::DefinitionHash;
    use crate::definition::{Definition, Task};
    use crate::fact::Terminal;
    use crate::id::{Epoch, NodeIndex};

    fn described(fact: Fact) -> Described {
        let definition = Definition::builder("greet").task("hello", Task::external().title("Say hello")).build();
        let definition = compile(definition, &Registry::default()).unwrap();
        Recorded { at: Time::from_micros(7), fact }.describe(3, &definition, &|_| None)
    }

    fn hello() -> WorkKey {
        let definition = Definition::builder("greet").task("hello", Task::external().title("Say hello")).build();
        let node = definition.nodes.iter().position(|node| node.id == "hello").unwrap();
        WorkKey::root(NodeIndex(node as u32))
    }

    fn outcome(result: Result<Payload, Failure>) -> Described {
        let (started, ended) = (Time::from_micros(1), Time::from_micros(5));
        described(Fact::Outcome { key: hello(), attempt: AttemptNo::FIRST.next(), result, started, ended })
    }

    #[test]
    fn an_attempt_is_described_with_the_name_of_its_node() {
        let done = outcome(Ok(Payload::encode("hi").unwrap()));
        assert_eq!(done.to_string(), "3 1970-01-01T00:00:00.000007Z hello: attempt 2 completed, gave \"hi\"");
        assert_eq!((done.node.as_deref(), done.attempt, done.fact), (Some("hello"), AttemptNo::new(2), "attempted"));
        assert_eq!(done.completed_at, Some(Time::from_micros(5)));
        let failed = outcome(Err(Failure::new(FailureClass::TimedOut, "")));
        assert_eq!((failed.text.as_str(), failed.error.as_deref()), ("hello: attempt 2 timed out", Some("timed out")));
        let refused = outcome(Err(Failure::new(FailureClass::Failed, "no voice")));
        assert_eq!(refused.text, "hello: attempt 2 failed: no voice");
    }

    #[test]
    fn an_activation_is_described_with_its_keys() {
        let activation = Activation {
            definition: DefinitionHash::from_bytes([0; 16]),
            semantics: 1,
            input: Payload::encode(&7).unwrap(),
            by: "me".into(),
            deadline: None,
            idempotency_key: Some("k".into()),
            business_key: Some("order 7".into()),
        };
        let text = "activated by me, business key \"order 7\", idempotency key \"k\", with 7";
        assert_eq!(described(Fact::Activated(activation)).text, text);
    }

    #[test]
    fn every_other_fact_has_its_words() {
        let (key, attempt) = (hello(), AttemptNo::FIRST);
        let decided = |decision| Fact::Decided { key, decision };
        let stopped = |how| Fact::AttemptStopped { key, attempt, how };
        let operated =
            |action, reason: &str| Fact::Operated(Operation { key, by: "me".into(), reason: reason.into(), action });
        let signal = |id, payload| Fact::Signalled(Signalled { name: "paid".into(), payload, by: "me".into(), id });
        let custom_status = |text: &str| {
            let (set_at, text) = (Time::from_micros(3), text.into());
            Fact::CustomStatusSet(CustomStatusSet { key, attempt, set_at, text })
        };
        let output = Some(Payload::encode(&1).unwrap());
        let cases = [
            (decided(Decision::Branch(true)), "hello went true"),
            (decided(Decision::Verdict(Verdict::Refer, "me".into())), "hello was given the verdict refer by me"),
            (decided(Decision::Input(Payload::NULL)), "hello is given null"),
            (decided(Decision::Output(Payload::NULL)), "the execution gives null"),
            (decided(Decision::TooMany("3 are more than 2".into())), "hello has too many items: 3 are more than 2"),
            (decided(Decision::Mismatch("it has no x".into())), "hello: it has no x"),
            (Fact::TimerFired(Timer::Round(key, 2)), "hello: round 2 may begin"),
            (decided(Decision::Failed("no x".into())), "hello: its expression could not be evaluated: no x"),
            (stopped(StopOutcome::Closed), "hello: attempt 1 closed: nobody worked on it here"),
            (stopped(StopOutcome::Aborted), "hello: attempt 1 did not stop in time and was dropped"),
            (operated(OperatorAction::Retry, ""), "hello is tried again by me"),
            (operated(OperatorAction::RunNow, "in a hurry"), "hello begins now by me: in a hurry"),
            (
                operated(OperatorAction::Complete(Payload::NULL), "it was done"),
                "hello is declared completed by me: it was done",
            ),
            (operated(OperatorAction::Fail, "gone"), "hello is declared failed by me: gone"),
            (operated(OperatorAction::Skip, ""), "hello is skipped by me"),
            (Fact::TimerFired(Timer::Deadline), "the deadline passed"),
            (Fact::TimerFired(Timer::Timeout(key, attempt)), "hello: attempt 1 took longer than allowed"),
            (Fact::TimerFired(Timer::Backoff(key, attempt.next())), "hello: attempt 2 may begin"),
            (Fact::TimerFired(Timer::Total(key)), "hello took longer than allowed in all"),
            (Fact::TimerFired(Timer::Wait(key)), "hello: the time it waited for has come"),
            (signal(None, Payload::NULL), "signal \"paid\" by me"),
            (signal(Some("7".into()), Payload::encode(&1).unwrap()), "signal \"paid\" by me, id \"7\", with 1"),
            (custom_status("half of it"), "hello: attempt 1 set the custom status \"half of it\""),
            (custom_status(""), "hello: attempt 1 took the custom status back"),
            (Fact::Ending(EndRequest::Cancel("me".into())), "cancelled by me"),
            (Fact::Ending(EndRequest::ForceCancel("me".into())), "cancelled at once by me"),
            (Fact::TimerFired(Timer::EndingWithin), "the time to end in has passed"),
            (Fact::Ending(EndRequest::Complete("me".into())), "declared completed by me"),
            (Fact::Ending(EndRequest::Fail { by: "me".into(), reason: "no".into() }), "declared failed by me: no"),
            (Fact::Ending(EndRequest::Output("no x".into())), "its output could not be evaluated: no x"),
            (Fact::Ending(EndRequest::OutputMismatch("no x".into())), "its output is refused: no x"),
            (Fact::Ending(EndRequest::Stalled), "stalled: nothing can move any more"),
            (Fact::Ended(Ended { status: Terminal::Completed, output }), "completed, gave 1"),
            (Fact::Ended(Ended { status: Terminal::Failed, output: None }), "failed"),
            (
                Fact::Recovered { epoch: Epoch(2), crashed: true },
                "a new process goes on with it, after a crash of the one before",
            ),
        ];
        for (fact, text) in cases {
            assert_eq!(described(fact).text, text);
        }
    }

    #[test]
    fn a_node_that_is_not_there_is_named_by_its_number() {
        let fact = Fact::TimerFired(Timer::Backoff(WorkKey::root(NodeIndex(99)), AttemptNo::FIRST.next()));
        assert_eq!(described(fact).text, "node 99: attempt 2 may begin");
    }

    #[test]
    fn what_is_not_said_is_no_field() {
        let json = serde_json::to_value(described(Fact::Ending(EndRequest::Cancel("me".into())))).unwrap();
        let keys: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["at", "by", "fact", "sequence", "text"]);
    }
}
