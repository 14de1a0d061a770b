//! `finale backup`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs;

use common::Journal;

#[test]
fn a_copy_may_be_named_without_a_folder() {
    let journal = Journal::new();
    journal.leave_one_behind();
    let folder = journal.path().parent().unwrap().join("bare");
    fs::create_dir(&folder).unwrap();
    let copied = journal.command("backup").arg("monday.db").current_dir(&folder).output().unwrap();
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    assert!(folder.join("monday.db").is_file());
}

#[test]
fn a_copy_is_a_journal_and_nothing_is_written_over() {
    let (journal, other) = (Journal::new(), Journal::new());
    let (_, id) = journal.run("parcel.json", &["--simulate"]);
    let to = other.path();
    let copied = journal.ask("backup", &[to.to_str().unwrap()]).with_code(0);
    assert!(copied.stdout.is_empty() && copied.stderr.contains("is a copy of"), "{copied:?}");
    other.ask("show", &[&id]).with_code(0);
    let before = fs::read(&to).unwrap();
    let again = journal.ask("backup", &[to.to_str().unwrap()]).with_code(1);
    assert!(again.stderr.contains("there is a file of that name already"), "{again:?}");
    assert_eq!(fs::read(&to).unwrap(), before);
}

#[test]
fn an_older_copy_is_restored_by_taking_the_place_of_the_journal_and_its_mark() {
    let journal = Journal::new();
    let (_, first) = journal.run("parcel.json", &["--simulate"]);
    let copy = journal.path().with_extension("copy");
    journal.ask("backup", &[copy.to_str().unwrap()]).with_code(0);
    let (_, second) = journal.run("parcel.json", &["--simulate"]);
    fs::rename(copy, journal.path()).unwrap();
    let said = journal.ask("list", &[]).with_code(1).stderr;
    assert!(said.contains("acknowledged batches are missing"), "{said}");
    let mark = journal.path().with_file_name(format!("{}-mark", journal.path().file_name().unwrap().display()));
    fs::remove_file(mark).unwrap();
    let listed = journal.ask("list", &["--json"]).with_code(0).stdout;
    assert!(listed.contains(&first) && !listed.contains(&second), "{listed}");
    journal.run("parcel.json", &["--simulate"]);
}

#[test]
fn a_journal_with_an_execution_that_waits_is_copied_while_it_runs() {
    let (journal, other) = (Journal::new(), Journal::new());
    let mut run = journal.start_endless_run();
    let to = other.path();
    journal.ask("backup", &[to.to_str().unwrap()]).with_code(0);
    assert_eq!(other.list().len(), 1);
    run.kill().unwrap();
    run.wait().unwrap();
}
