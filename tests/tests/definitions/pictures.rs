//! `pictures.yaml`: a map with retries, tolerance and a handler for its failure, as in Step Functions.

use std::sync::Arc;

use finale::{ExecutionStatus, TaskError};
use serde_json::{Value, json};

use super::play::{Ended, Script, definition, play};

/// Twenty pictures, of which those are missing for good, and each of the others is there at the second attempt.
fn shrunk(missing: usize) -> Ended {
    let script: Script = Arc::new(move |task| match task.handler.as_str() {
        "fetch" => {
            let url = task.input["url"].as_str().unwrap();
            let number: usize = url.parse().unwrap();
            match task.attempt {
                1 if number >= missing => Err(TaskError::new("the server is busy")),
                _ if number < missing => Err(TaskError::new("no such picture").code("not_found")),
                _ => Ok(json!(url)),
            }
        }
        "shrink" => Ok(json!(format!("small {}", task.input.as_str().unwrap()))),
        _ => Ok(Value::Null),
    });
    let pictures: Vec<_> = (0..20).map(|number| number.to_string()).collect();
    play(&definition("pictures.yaml"), &json!({"pictures": pictures}), &script)
}

#[test]
fn up_to_a_tenth_may_be_missing_and_what_is_missing_is_fetched_once() {
    for missing in 0..=2 {
        let ended = shrunk(missing);
        assert_eq!(ended.status(), ExecutionStatus::Completed);
        assert_eq!(ended.times("fetch"), missing + 2 * (20 - missing));
        let index = ended.asked.iter().find(|task| task.node == "index").unwrap();
        let small = index.input.as_array().unwrap();
        assert_eq!(small.iter().filter(|picture| picture.is_null()).count(), missing);
        assert_eq!(small[19], "small 19", "in their order");
        assert_eq!(ended.nodes("skipped"), ["look_through"].into());
    }
}

#[test]
fn if_more_are_missing_somebody_looks_them_through_and_it_completes_all_the_same() {
    let ended = shrunk(3);
    assert_eq!(ended.status(), ExecutionStatus::Completed);
    assert_eq!(ended.nodes("failed"), ["each"].into());
    assert_eq!(ended.nodes("skipped"), ["index"].into());
    let asked = ended.asked.iter().find(|task| task.node == "look_through").unwrap();
    assert!(asked.input["why"].as_str().unwrap().contains("no such picture"), "{:?}", asked.input);
}
