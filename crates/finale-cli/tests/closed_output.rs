//! Whoever reads the result may stop reading.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io::pipe;

use common::{finale, own};

fn run_into_a_closed_pipe(arguments: &[&str]) {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let output = finale().arg("run").arg(own("parcel.json")).args(arguments).stdout(writer).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert!(!stderr.contains("panicked") && !stderr.contains("error"), "{stderr}");
}

#[test]
fn a_closed_standard_output_is_no_failure() {
    run_into_a_closed_pipe(&["--simulate"]);
    run_into_a_closed_pipe(&["--simulate", "--json"]);
    run_into_a_closed_pipe(&["--help"]);
}

#[test]
fn a_closed_standard_error_is_no_failure() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let command = finale().arg("run").arg(own("parcel.json")).arg("--simulate").stderr(writer).output();
    assert_eq!(command.unwrap().status.code(), Some(0));
}
