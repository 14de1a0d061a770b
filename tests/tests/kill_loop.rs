//! A process that is killed at any time loses nothing that it acknowledged, and does nothing twice that is done.

#![expect(clippy::print_stderr, reason = "what was tried is told also when all is well")]

use finale_tests::kill::{Cycles, run};

fn kill(cycles: u64, seed: u64, relaxed: bool) {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let program = env!("CARGO_BIN_EXE_kill").into();
    let cycles = Cycles { program, folder: folder.path().to_owned(), cycles, seed, relaxed };
    let summary = run(&cycles).expect("children can be started");
    eprintln!("{summary:?}");
    assert_eq!(summary.wrong, Vec::<String>::new());
    assert!(summary.activated > 0 && summary.lives > cycles.cycles / 2, "hardly anything was tried: {summary:?}");
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_done_is_done_again_when_the_process_is_killed() {
    kill(100, 1, false);
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed_with_relaxed_durability() {
    kill(20, 2, true);
}
