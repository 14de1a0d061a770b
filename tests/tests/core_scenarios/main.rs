//! How executions go, told one by one: the semantics as sentences.

mod bodies;
mod calls;
mod edges;
mod ending;
mod endings;
mod handled;
mod joins;
mod recovery;
mod refusals;
mod retries;
mod splits;
mod tasks;
mod telling;
mod times;
mod traps;
mod waits;

use std::time::Duration;

use finale_core::definition::{OnFailure, Retry, Verdict};
use finale_core::execution::{AfterStop, Command, Effect, Input, Interrupted, Interruption, Report};
use finale_core::fact::{Fact, StopOutcome, Timer};
use finale_core::failure::{Failure, FailureClass};
use finale_core::record::{Begun, DecidedBy, End, NodeRecordState};
use finale_core::{
    AttemptNo, Dispatch, Epoch, ExecutionStatus, NodeIndex, NodeStatus, Payload, ScopeId, Time, WorkKey,
};
use finale_tests::chart::{Chart, chart};
use finale_tests::scenario::Scenario;
use serde_json::{Value, json};

const SECOND: Duration = Duration::from_secs(1);
const NULL: Value = Value::Null;

/// Two tasks at once behind a split, then `after` behind both.
const FORK: &str = "s>p p:branch>a p:branch>b a>join b>join join>after after>e";

fn fork() -> Chart {
    chart(FORK)
}

fn retried(attempts: u16, backoff: Duration) -> impl FnOnce(&mut finale_core::definition::Task) {
    move |task| task.retry = Retry::attempts(attempts).backoff(backoff)
}

fn attempt(number: u16) -> AttemptNo {
    AttemptNo::new(number).expect("attempts are counted from 1")
}

fn dispatch(scenario: &Scenario, node: &str, number: u16) -> Dispatch {
    Dispatch { key: scenario.key(node), attempt: attempt(number), epoch: Epoch(0) }
}

fn interrupted(Dispatch { key, attempt, .. }: Dispatch, interruption: Interruption) -> Interrupted {
    Interrupted { key, attempt: Some(attempt), interruption, path: None }
}

fn done(dispatch: Dispatch) -> Input {
    let at = Time::from_micros(1);
    Input::Outcome { dispatch, result: Ok(Payload::NULL), started: at, ended: at }
}

fn complete_by_hand() -> Input {
    Input::Command(Command::Complete { by: "jo".into() })
}

fn fail_by_hand(reason: &str) -> Input {
    Input::Command(Command::Fail { by: "jo".into(), reason: reason.into() })
}
