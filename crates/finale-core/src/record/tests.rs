use super::*;

fn node(status: &str, more: &str) -> String {
    format!(r#"{{"id":"a","kind":"task","status":"{status}"{more}}}"#)
}

#[test]
fn a_skipped_node_needs_its_reason() {
    assert!(serde_json::from_str::<NodeRecord>(&node("skipped", "")).is_err());
    assert!(serde_json::from_str::<NodeRecord>(&node("skipped", r#","skipped_reason":"b failed""#)).is_ok());
}

#[test]
fn a_pending_node_has_no_error() {
    let error = serde_json::from_str::<NodeRecord>(&node("pending", r#","error":"x""#)).unwrap_err();
    assert!(error.to_string().contains("an error belongs to failed nodes"), "{error}");
}

fn record(status: &str, more: &str) -> Result<Record, serde_json::Error> {
    let counts = serde_json::to_string(&Counts::default()).unwrap();
    serde_json::from_str(&format!(
        r#"{{"id":"00000000-0000-0000-0000-000000000001","workflow":{{"id":"w","name":"w","version":"1.0.0"}},
        "status":"{status}","activated_by":"me","created_at":"2026-01-01T00:00:00Z","counts":{counts},"nodes":[]{more}}}"#
    ))
}

const ENDED: &str = r#","completed_at":"2026-01-01T00:00:01Z","decided_by":{"clause":"deadline"}"#;

#[test]
fn completed_at_exists_iff_terminal() {
    assert!(record("running", "").is_ok());
    assert!(record("running", r#","completed_at":"2026-01-01T00:00:01Z""#).is_err());
    assert!(record("completed", "").is_err());
    assert!(record("completed", ENDED).is_ok());
}

#[test]
fn an_error_exists_iff_failed_and_is_never_blank() {
    assert!(record("failed", ENDED).is_err());
    assert!(record("failed", &format!(r#"{ENDED},"error":"  ""#)).is_err());
    assert!(record("failed", &format!(r#"{ENDED},"error":"late""#)).is_ok());
    assert!(record("completed", &format!(r#"{ENDED},"error":"late""#)).is_err());
}

#[test]
fn a_record_reads_back_as_it_was() {
    let failed = record("failed", &format!(r#"{ENDED},"error":"late""#)).unwrap();
    let text = serde_json::to_string(&failed).unwrap();
    assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), failed);
}

#[test]
fn counts_that_do_not_add_up_are_refused() {
    let text = serde_json::to_string(&record("running", "").unwrap()).unwrap();
    let error = serde_json::from_str::<Record>(&text.replace("\"tasks\":0", "\"tasks\":1")).unwrap_err();
    assert!(error.to_string().contains("its counts do not add up"), "{error}");
}

#[test]
fn a_failed_condition_is_not_called_a_task() {
    let failure = |kind: &str| NodeFailure {
        code: None,
        node: "wrap?".to_owned(),
        kind: kind.to_owned(),
        title: "input.is_gift".to_owned(),
        attempt: 0,
        attempts: 1,
        class: FailureClass::Expression,
        reason: "it is undefined".to_owned(),
    };
    let expected = "condition \"input.is_gift\" (wrap?) could not be evaluated: it is undefined";
    assert_eq!(failure("conditional").to_string(), expected);
    assert!(failure("task").to_string().starts_with("task \"input.is_gift\" (wrap?)"));
}

#[test]
fn a_queued_node_has_its_position_and_the_limit_it_waits_for() {
    let begun = r#","task_id":null,"attempt":1,"started_at":"2026-01-01T00:00:00Z""#;
    for limit in [r#""runtime""#, r#"{"handler":"b"}"#] {
        let text = node("queued", &format!(r#"{begun},"position":2,"limit":{limit}"#));
        let read: NodeRecord = serde_json::from_str(&text).unwrap();
        let written = serde_json::to_value(&read).unwrap();
        assert_eq!((written["position"].as_u64(), written["limit"].to_string()), (Some(2), limit.to_owned()));
    }
    for (more, problem) in [
        (r#","limit":"runtime""#, "lacks its position"),
        (r#","position":0,"limit":"runtime""#, "lacks its position"),
        (r#","position":1"#, "lacks the limit it waits for"),
    ] {
        let error = serde_json::from_str::<NodeRecord>(&node("queued", &format!("{begun}{more}"))).unwrap_err();
        assert!(error.to_string().contains(problem), "{error}");
    }
    let error = serde_json::from_str::<NodeRecord>(&node("running", &format!(r#"{begun},"position":1"#))).unwrap_err();
    assert!(error.to_string().contains("position and limit belong to queued nodes"), "{error}");
}
