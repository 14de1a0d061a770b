//! `finale graph`, `finale schema`, `finale completions` and the help.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Ended, Journal, ended, finale, own, written};

fn asked(arguments: &[&str]) -> Ended {
    ended(finale().args(arguments))
}

#[test]
fn a_definition_becomes_a_picture() {
    let parcel = own("parcel.json");
    let parcel = parcel.to_str().unwrap();
    let mermaid = asked(&["graph", parcel]).with_code(0).stdout;
    assert!(mermaid.starts_with("flowchart ") && mermaid.contains("Weigh"), "{mermaid}");
    let dot = asked(&["graph", parcel, "--format", "dot"]).with_code(0).stdout;
    assert!(dot.starts_with("digraph ") && dot.contains("Weigh"), "{dot}");
    let svg = asked(&["graph", parcel, "--format", "svg"]).with_code(0).stdout;
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n") && svg.contains(">Weigh</text>"), "{svg}");
    asked(&["graph", parcel, "--format", "png"]).refused("'png'");
}

#[test]
fn an_execution_becomes_a_picture_with_its_states() {
    let journal = Journal::new();
    let (_, id) = journal.run("parcel.json", &["--simulate", "--fail", "weigh"]);
    let picture = journal.ask("graph", &[&id[..13]]).with_code(0).stdout;
    assert!(picture.contains("failed") && picture.contains("skipped"), "{picture}");
    let picture = journal.ask("graph", &[&id[..13], "--format", "svg"]).with_code(0).stdout;
    assert!(picture.contains(r#"class="node task failed" data-node="weigh""#), "{picture}");
    journal.ask("graph", &["xyz"]).refused("\"xyz\": expected the id of an execution");
    journal.ask("graph", &["ffff"]).refused("there is no execution ffff");
}

#[test]
fn an_execution_is_drawn_as_the_definition_that_it_ran_under() {
    let journal = Journal::new();
    let before = "id: w\ntasks:\n  first: {shell: \"true\"}\n";
    let file = written("changing.yaml", before);
    let ran = |file: &std::path::Path| journal.ask("run", &[file.to_str().unwrap(), "--simulate"]);
    ran(&file).with_code(0);
    std::fs::write(&file, before.replace("first", "other")).unwrap();
    ran(&file).with_code(0);
    let listed = journal.list();
    let pictures: Vec<_> = listed
        .iter()
        .map(|execution| journal.ask("graph", &[execution["id"].as_str().unwrap()]).with_code(0).stdout)
        .collect();
    let has = |picture: &String, name: &str| picture.contains(name);
    // The newest is listed first.
    assert!(has(&pictures[0], "Other") && !has(&pictures[0], "First"), "{pictures:?}");
    assert!(has(&pictures[1], "First") && !has(&pictures[1], "Other"), "{pictures:?}");
}

#[test]
fn what_is_no_definition_becomes_no_picture() {
    let file = written("slip.yaml", "id: w\ntasks:\n  a: {needs: b}\n");
    asked(&["graph", file.to_str().unwrap()]).refused("error[file_unknown_key]: ");
    asked(&["graph", "nowhere.yaml"]).refused("nowhere.yaml: ");
}

#[test]
fn the_schema_is_json() {
    let schema = asked(&["schema"]).with_code(0).record();
    assert!(schema["properties"]["tasks"].is_object(), "{schema}");
}

#[test]
fn there_are_completions_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = asked(&["completions", shell]).with_code(0).stdout;
        assert!(script.contains("retry-quarantined"), "{shell}");
    }
    asked(&["completions", "cobol"]).refused("'cobol'");
}

#[test]
fn the_words_that_an_option_may_have_are_completed_and_read() {
    let script = asked(&["completions", "bash"]).with_code(0).stdout;
    let statuses = "running ending quarantined completed failed cancelled";
    for words in ["auto finale blueprint wfformat definition", "fail_fast wait_all tolerate=", "full relaxed", statuses]
    {
        assert!(script.contains(&format!("compgen -W \"{words}\"")), "{words}");
    }
    let file = own("parcel.json");
    for format in ["auto", "definition", "finale", "blueprint", "wfformat"] {
        let asked = asked(&["validate", "--format", format, file.to_str().unwrap()]);
        assert!(!asked.stderr.contains("unknown format"), "{asked:?}");
    }
}

#[test]
fn every_command_has_examples_and_the_exit_codes_are_said() {
    let help = asked(&["--help"]).with_code(0).stdout;
    assert!(help.contains("\nExamples:\n") && help.contains("\nExit codes:\n  0  everything completed\n"), "{help}");
    let commands = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let begins = |line: &&str| !line[2..].starts_with(' ');
    let names: Vec<_> = commands.lines().filter(begins).filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.contains(&"run") && names.contains(&"completions"), "{names:?}");
    for name in names.into_iter().filter(|name| *name != "help") {
        let help = asked(&[name, "--help"]).with_code(0).stdout;
        assert!(help.contains("\nExamples:\n"), "{name}: {help}");
        assert!(help.lines().all(|line| line.chars().count() <= 120), "{name}: {help}");
    }
}
