//! What is said of a run that failed.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Journal, ended, fresh, own, run, shell, tasks};

#[test]
fn the_cause_its_last_lines_and_its_log_are_said() {
    let mut task = shell("echo mixing; echo no flour; exit 3");
    task["title"] = "Mix the dough".into();
    let logs = fresh("logs");
    let ended = run(tasks("w.json", &[("mix", task)]), &["--logs", logs.to_str().unwrap()]).with_code(1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(logs.join("mix.1.log")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "nobody else reads it");
    }
    let expected = format!(
        "error: task \"Mix the dough\" (mix) failed: exit code 3: no flour\n\
         its output ended so:\n    mixing\n    no flour\nlog: {}\n\
         to look further: run it with `--journal FILE`, and `finale show` tells all of it\n",
        logs.join("mix.1.log").display()
    );
    assert!(ended.stderr.ends_with(&expected), "{}", ended.stderr);
}

#[test]
fn the_attempt_is_said_once() {
    let mut task = shell("exit 3");
    task["retry"] = serde_json::json!({"attempts": 2});
    let ended = run(tasks("w.json", &[("mix", task)]), &[]).with_code(1);
    assert!(ended.stderr.contains("exit code 3 [attempt 2 of 2]\nlog: "), "{}", ended.stderr);
}

#[test]
fn a_log_from_another_run_is_not_taken_for_its_own() {
    let logs = fresh("logs");
    let arguments = ["--logs", logs.to_str().unwrap(), "--fail", "mix"];
    let file = tasks("w.json", &[("mix", shell("echo old"))]);
    run(&file, &arguments[..2]).with_code(0);
    let ended = run(&file, &arguments).with_code(1);
    assert!(ended.stderr.contains("made to fail by --fail") && !ended.stderr.contains("log: "), "{}", ended.stderr);
}

#[test]
fn with_a_journal_the_commands_to_look_further_are_said() {
    let journal = Journal::new();
    let failed = ended(journal.command("run").arg(own("parcel.json")).args(["--simulate", "--fail", "weigh"]));
    let path = journal.path();
    let id = journal.list()[0]["id"].as_str().unwrap().to_owned();
    let expected = format!(
        "see why: `finale why --journal {0} {id}`\nsee all of it: `finale show --journal {0} {id}`\n",
        path.display()
    );
    assert!(failed.with_code(1).stderr.ends_with(&expected));
    let (completed, id) = journal.run("parcel.json", &["--simulate"]);
    let expected = format!("see all of it: `finale show --journal {} {id}`\n", path.display());
    assert!(completed.with_code(0).stderr.ends_with(&expected));
}

#[test]
fn the_progress_the_table_and_the_record_tell_the_same_of_a_task() {
    let journal = Journal::new();
    let logs = fresh("logs");
    let file = tasks("w.json", &[("a", shell("echo done")), ("b", shell("echo no flour; exit 3"))]);
    let mut command = journal.command("run");
    // All run to their ends: else the failure may come before the other task is done.
    command.arg(file).args(["--on-failure", "wait_all"]);
    let ran = ended(command.args(["--logs", logs.to_str().unwrap()])).with_code(1);
    let cells = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let row = |text: &str, id: &str| cells(text.lines().find(|line| line.starts_with(&format!("{id} "))).unwrap());
    let shown = journal.ask("show", &["0"]).with_code(0).stdout;
    for (id, told) in [("a", "completed in"), ("b", "failed after")] {
        let line = ran.stderr.lines().find(|line| line.starts_with(&format!("{id}: {told} ")));
        let line = line.unwrap_or_else(|| panic!("nothing is said of {id}: {ran:?}"));
        let took = line.split_whitespace().nth(3).unwrap().trim_end_matches(':').to_owned();
        assert_eq!(row(&ran.stdout, id)[3], took, "{ran:?}");
        assert!(row(&shown, id).contains(&took), "{took}: {shown}");
    }
    assert!(ran.stderr.contains(": exit code 3: no flour\nerror: task \"shell\" (b) failed: exit code 3: no flour\n"));
    assert!(ran.stdout.contains("\nerror      task \"shell\" (b) failed: exit code 3: no flour\n"), "{}", ran.stdout);
    assert_eq!(row(&ran.stdout, "b")[4..], ["exit", "code", "3:", "no", "flour"]);
}
