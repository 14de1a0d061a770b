//! The conformance cases: those in `tests/cases`, and those in another folder.
//!
//! The other folder is named by `FINALE_CASES` (relative to the root of the workspace), and is by default `../shared/data`
//! where that exists. `cargo test -p finale-tests --test conformance -- --nocapture` shows the report also when all is well.

#[test]
fn conformance() {
    let report = finale_tests::conformance::run();
    println!("{report}");
    assert!(report.is_clean(), "there are cases that finale does not conform to; they are listed above");
}
