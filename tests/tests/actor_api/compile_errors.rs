//! What the compiler says about mistakes.

use std::process::Command;

/// The messages of the compiler about a program of `mistakes/`, which compiles without its mistakes.
fn messages(program: &str) -> String {
    let cargo = Command::new(env!("CARGO"))
        .args(["rustc", "--quiet", "--locked", "--offline", "--color", "never"])
        .args(["--package", "finale-tests", "--example", program, "--", "--cfg", "mistakes"])
        .output()
        .unwrap();
    let messages = String::from_utf8_lossy(&cargo.stderr).into_owned();
    assert!(!cargo.status.success(), "it compiles: {messages}");
    messages
}

#[test]
fn a_wrong_handler_is_told_what_a_handler_is() {
    let messages = messages("wrong_handler");
    for said in [
        "{no_context}` is no handler of tasks",
        "a handler is `async fn(TaskContext, Input) -> Result<Output, TaskError>`, or without the input",
        "{not_async}` is no handler of tasks",
    ] {
        assert!(messages.contains(said), "not said: {said}\n{messages}");
    }
}
