//! What the process ends with.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{own, run};

#[test]
fn a_completed_execution_ends_with_0() {
    run(own("parcel.json"), &["--simulate"]).with_code(0);
    run(own("review.yaml"), &["--simulate"]).with_code(0);
    run(own("bake.json"), &["--time-scale", "0"]).with_code(0);
}

#[test]
fn a_failed_execution_ends_with_1_and_still_has_its_result() {
    let ended = run(own("parcel.json"), &["--simulate", "--fail", "weigh=no scales", "--json"]).with_code(1);
    assert_eq!(ended.record()["error"], "task \"Weigh it\" (weigh) failed: no scales");
}

#[test]
fn what_is_done_outside_needs_a_terminal_or_the_simulation() {
    run(own("parcel.json"), &[])
        .refused("parcel.json: the task \"weigh\" needs somebody outside: say --done weigh=OUTPUT, add --yes");
    run(own("review.yaml"), &[]).refused("review.yaml: the task \"write\" needs somebody outside");
}

#[test]
fn a_recorded_run_needs_nobody_outside() {
    run(own("bake.json"), &["--time-scale", "0"]).with_code(0);
}

#[test]
fn the_handlers_of_an_application_need_the_simulation() {
    run(own("calls.json"), &[]).refused("task \"mail\" is done by the handler \"send_mail\" of an application");
    run(own("calls.json"), &["--simulate"]).with_code(0);
}

#[test]
fn an_input_that_is_not_what_the_file_declares_ends_with_2() {
    let order = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/definitions/order.json");
    let refused = "input \"express\" must be of type boolean, not 7";
    run(order, &["--simulate", "--input", "express=7"]).refused(refused);
}

#[test]
fn a_wrong_argument_ends_with_2_and_is_named() {
    let cases: [(&[&str], &str); 17] = [
        (&["--input", "weight"], "'weight' for '--input <KEY=VALUE>': expected KEY=VALUE"),
        (&["--input", "=1"], "the key is blank"),
        (&["--input", " =1"], "the key is blank"),
        (&["--input", "a=1", "--input", "a=2"], "--input \"a\" is given twice"),
        (&["--jobs", "0"], "'0' for '--jobs <COUNT>': expected a number from 1 to"),
        (&["--jobs", "-1"], "unexpected argument '-1'"),
        (&["--jobs", "many"], "expected a number from 1 to"),
        (&["--time-scale", "-1"], "'-1' for '--time-scale <FACTOR>': expected a finite number"),
        (&["--time-scale", "NaN"], "expected a finite number that is not negative"),
        (&["--time-scale", "inf"], "expected a finite number that is not negative"),
        (&["--time-scale", "fast"], "expected a number"),
        (&["--on-failure", "ignore"], "expected fail_fast, wait_all, tolerate=N or tolerate=N%"),
        (&["--on-failure", "tolerate=x"], "expected fail_fast, wait_all, tolerate=N or tolerate=N%"),
        (&["--format", "xml"], "unknown format `xml`; there are `auto`"),
        (&["--jsno"], "unexpected argument '--jsno'"),
        (&["--format", "wfformat"], "the key `workflow` is missing"),
        (&["--format", "blueprint"], "parcel.json:2:3\n"),
    ];
    for (arguments, why) in cases {
        run(own("parcel.json"), &[&["--simulate"], arguments].concat()).refused(why);
    }
}

#[test]
fn a_command_that_does_not_exist_ends_with_2() {
    let output = common::finale().arg("rnu").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let output = common::finale().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn help_and_version_end_with_0() {
    let output = common::finale().args(["run", "--help"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("Examples:\n  finale run order.json\n"), "{help}");
    let output = common::finale().arg("--version").output().unwrap();
    assert_eq!(output.stdout, format!("finale {}\n", env!("CARGO_PKG_VERSION")).as_bytes());
}

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_written_ends_with_1() {
    let parcel = own("parcel.json");
    let parcel = parcel.to_str().unwrap();
    for arguments in [
        &["run", parcel, "--simulate"][..],
        &["run", parcel, "--simulate", "--json"],
        &["graph", parcel],
        &["schema"],
        &["--help"],
        &["run", "--help"],
        &["--version"],
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = common::finale().args(arguments).stdout(full).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert!(stderr.contains("error: the result could not be written: "), "{arguments:?}: {stderr}");
    }
}
