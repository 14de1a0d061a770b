//! The conformance cases: those in `tests/cases`, and those in another folder.
//!
//! The other folder is named by `FINALE_CASES` (relative to the root of the workspace), and is by default `../shared/data`
//! where that exists. There is no test harness around it, so that the report is seen also when all is well.

#![expect(clippy::print_stdout, reason = "the report is what this program is for")]

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--list") {
        println!("conformance: test");
        return ExitCode::SUCCESS;
    }
    let report = finale_tests::conformance::run();
    println!("{report}");
    if report.is_clean() {
        return ExitCode::SUCCESS;
    }
    println!("there are cases that finale does not conform to; they are listed above");
    ExitCode::FAILURE
}
