//! `ci.yaml`: a matrix, and somebody who is always told.

use std::sync::Arc;

use finale::{ExecutionStatus, TaskError};
use serde_json::{Value, json};

use super::play::{Asked, Ended, Script, definition, failing, never, play, subsets};

fn checked(publish: bool, script: impl Fn(&Asked) -> Result<Value, TaskError> + Send + Sync + 'static) -> Ended {
    play(&definition("ci.yaml"), &json!({"commit": "1a2b3c", "publish": publish}), &(Arc::new(script) as Script))
}

/// The last thing that happens is that somebody is told, once, and of the right verdict.
fn expect_told(ended: &Ended) {
    let told = ended.asked.last().unwrap();
    assert_eq!(told.handler, "notify");
    assert_eq!(told.input, json!({"commit": "1a2b3c", "verdict": ended.status().to_string()}));
    assert_eq!(ended.times("notify"), 1);
}

#[test]
fn somebody_is_told_whatever_fails() {
    for publish in [false, true] {
        for fails in subsets(&["checkout", "lint", "package", "publish"]) {
            let script = failing(&fails);
            let ended = checked(publish, move |task| script(task));
            expect_told(&ended);
            let reached = |task: &str| task != "publish" || publish;
            let fails = ["checkout", "lint", "package", "publish"].into_iter().any(|t| fails.contains(t) && reached(t));
            let expected = if fails { ExecutionStatus::Failed } else { ExecutionStatus::Completed };
            assert_eq!(ended.status(), expected);
        }
    }
}

#[test]
fn each_combination_is_tested_and_one_that_fails_fails_the_whole() {
    let combinations: Vec<_> = ["linux", "macos", "windows"]
        .into_iter()
        .flat_map(|os| ["stable", "oldest"].map(|rust| json!({"os": os, "rust": rust})))
        .collect();
    let ended = checked(false, |_| Ok(Value::Null));
    let tested: Vec<_> = ended.asked.iter().filter(|task| task.node == "test").map(|task| task.input.clone()).collect();
    assert_eq!(tested, combinations);
    for bad in combinations {
        let ended = checked(true, move |task| match task.node == "test" && task.input == bad {
            true => Err(TaskError::new("left != right")),
            false => Ok(Value::Null),
        });
        assert_eq!((ended.status(), ended.times("package")), (ExecutionStatus::Failed, 0));
        expect_told(&ended);
    }
}

#[test]
fn a_machine_that_says_nothing_any_more_gets_a_second_attempt() {
    let ended = checked(true, |task| match (task.node.as_str(), task.attempt) {
        ("test", 1) => Err(never()),
        _ => Ok(Value::Null),
    });
    assert_eq!((ended.status(), ended.times("test")), (ExecutionStatus::Completed, 12));
}
