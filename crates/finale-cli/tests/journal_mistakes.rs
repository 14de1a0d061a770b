//! What goes wrong with journals.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs;

use common::{Journal, own, run};

const READING: [(&str, &[&str]); 6] = [
    ("list", &[]),
    ("show", &["0"]),
    ("history", &["0"]),
    ("why", &["0"]),
    ("resume", &[]),
    ("retry-quarantined", &[]),
];

#[test]
fn a_file_that_is_not_there_is_not_made() {
    let journal = Journal::new();
    for (command, arguments) in READING {
        journal.ask(command, arguments).refused("there is no such file");
    }
    assert!(journal.files().is_empty(), "{:?}", journal.files());
}

#[test]
fn a_run_that_is_refused_makes_no_file() {
    let journal = Journal::new();
    let path = journal.path();
    run(own("parcel.json"), &["--journal", path.to_str().unwrap()]).refused("needs somebody outside");
    assert!(journal.files().is_empty(), "{:?}", journal.files());
}

#[test]
fn a_file_that_is_no_journal_is_refused() {
    let journal = Journal::new();
    for content in ["", "some notes", &"long notes ".repeat(999)] {
        fs::write(journal.path(), content).unwrap();
        let why = if content.is_empty() { "the file is empty" } else { "this is not a journal of finale" };
        for (command, arguments) in READING {
            journal.ask(command, arguments).refused(why);
        }
        let path = journal.path();
        run(own("parcel.json"), &["--simulate", "--journal", path.to_str().unwrap()]).refused(why);
        assert_eq!(fs::read_to_string(journal.path()).unwrap(), content);
    }
    assert!(journal.files().iter().all(|file| file == "j.db" || file == "j.db-lock"), "{:?}", journal.files());
}

#[test]
fn what_was_acknowledged_last_and_is_missing_is_said_and_can_be_accepted() {
    let journal = Journal::new();
    let (_, id) = journal.run("parcel.json", &["--simulate"]);
    let older = fs::read(journal.path()).unwrap();
    journal.run("parcel.json", &["--simulate"]);
    fs::write(journal.path(), older).unwrap();
    for (command, arguments) in READING {
        let said = journal.ask(command, arguments).with_code(1).stderr;
        assert!(said.contains("acknowledged batches are missing") && said.contains("--accept-lost-tail"), "{said}");
    }
    for command in ["show", "history", "why"] {
        let shown = journal.ask(command, &[&id, "--accept-lost-tail"]).with_code(0);
        assert!(shown.stderr.contains("this is an older state"), "{shown:?}");
    }
    let listed = journal.ask("list", &["--accept-lost-tail", "--json"]).with_code(0);
    assert!(listed.stderr.contains("this is an older state") && listed.stdout.contains(&id), "{listed:?}");
    journal.ask("resume", &["--accept-lost-tail"]).with_code(0);
    assert!(!journal.ask("list", &[]).with_code(0).stderr.contains("older state"), "it was accepted for good");
}

#[test]
fn a_journal_of_a_newer_release_is_refused() {
    let journal = Journal::new();
    journal.run("parcel.json", &["--simulate"]);
    let mut bytes = fs::read(journal.path()).unwrap();
    // Where SQLite keeps the number of a format.
    bytes[60..64].copy_from_slice(&999_u32.to_be_bytes());
    fs::write(journal.path(), bytes).unwrap();
    for (command, arguments) in READING {
        journal.ask(command, arguments).refused("the journal has format 999");
    }
}

#[test]
fn an_id_is_known_well_formed_and_not_ambiguous() {
    let journal = Journal::new();
    let (_, first) = journal.run("parcel.json", &["--simulate"]);
    journal.ask("show", &["0"]).with_code(0);
    let (_, second) = journal.run("parcel.json", &["--simulate"]);
    for command in ["show", "history", "why", "retry-quarantined"] {
        journal.ask(command, &["ffff"]).refused("there is no execution ffff");
        journal.ask(command, &["order-7"]).refused("expected the id of an execution");
        let ended = journal.ask(command, &["0"]).with_code(2);
        let candidates = [&first, &second].map(|id| ended.stderr.contains(&format!("\n  {id} (parcel, completed)")));
        assert_eq!(candidates, [true; 2], "{ended:?}");
    }
    journal.ask("show", &[&first.to_uppercase()]).with_code(0);
}

#[test]
fn arguments_of_a_list_are_checked() {
    let journal = Journal::new();
    journal.ask("list", &["--status", "runing"]).refused("there is no such status, did you mean \"running\"?");
    journal.ask("list", &["--status", "x"]).refused("there are: running, ending, quarantined");
    journal.ask("list", &["--since", "yesterday"]).refused("expected a time such as");
    journal.ask("list", &["--limit", "0"]).refused("expected a number from 1 to 1000");
    run(own("parcel.json"), &["--durability", "full"]).refused("--journal");
}

#[cfg(unix)]
#[test]
fn a_run_whose_journal_is_taken_away_says_so() {
    let journal = Journal::new();
    let path = journal.path();
    let from = path.display();
    let file = common::written(
        "moves.yaml",
        format!(
            "id: moves\ntasks:\n  move: {{shell: \"mv '{from}' '{from}.away'\"}}\n  wait: {{sleep: 1h, after: move}}\n"
        ),
    );
    let said = "j.db: the file was moved, replaced or deleted under the running journal";
    let ran = run(&file, &["--journal", path.to_str().unwrap()]).with_code(1);
    assert!(ran.stderr.contains(said), "{ran:?}");
}
