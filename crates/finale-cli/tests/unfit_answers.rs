//! Answers given in advance that do not fit what they are for.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Journal, ended, node, run, statuses, written};
use serde_json::json;

const COUNTED: &str = "
id: counted
tasks:
  first: {shell: 'echo begun >&2'}
  count: {title: Count the boxes, output_schema: {type: integer}}
  read: {map: [1, 2], title: Read it, output_schema: {type: string}}
nodes:
  paid: {signal: payment, schema: {type: object, required: [euros]}}
";

#[test]
fn an_answer_that_does_not_fit_its_schema_is_refused_before_anything_runs() {
    let fits = ["--done", "count=2", "--done", "read=text", "--signal", "payment={\"euros\": 1}"];
    let refused = |at: usize, answer: &str, why: &str| {
        let mut arguments = fits;
        arguments[at] = answer;
        run(written("counted.yaml", COUNTED), &arguments).refused(why);
    };
    refused(1, "count=two", "--done \"count\": the output does not fit its schema: it is not of type \"integer\"");
    refused(1, "count", "--done \"count\": the output does not fit its schema");
    refused(3, "read=2", "--done \"read\": the output does not fit its schema: it is not of type \"string\"");
    refused(5, "payment=20", "--signal \"payment\": the payload of the signal does not fit its schema");
    let by_path = [&fits[..], &["--done", "read[1]::read=3"]].concat();
    run(written("counted.yaml", COUNTED), &by_path).refused("--done \"read[1]::read\": the output does not fit");
    let done = run(written("counted.yaml", COUNTED), &[&fits[..], &["--json"]].concat()).with_code(0).record();
    assert_eq!(node(&done, "count")["output"], 2);
}

#[test]
fn yes_is_refused_where_null_does_not_fit() {
    let refused = |answers: &[&str], why: &str| {
        run(written("counted.yaml", COUNTED), &[&["--yes"], answers].concat()).refused(why);
    };
    refused(&[], "--yes says null for \"count\"; say --done count=OUTPUT: the output does not fit its schema");
    let answers = ["--done", "count=2", "--done", "read=text"];
    refused(&answers, "--yes says null for \"paid\"; say --signal payment=PAYLOAD: the payload of the signal");
    let answers = [&answers[..], &["--yes", "--signal", "payment={\"euros\": 1}"]].concat();
    run(written("counted.yaml", COUNTED), &answers).with_code(0);
}

#[test]
fn what_is_resumed_is_refused_answers_that_do_not_fit_too() {
    let journal = Journal::new();
    let file = "
id: w
tasks:
  b: {title: Sign, output_schema: {type: integer}}
  a: {sleep: 1000s, after: b}
  c: {title: Count, output_schema: {type: integer}, after: a}
";
    let mut command = journal.command("run");
    let mut at_work =
        common::AtWork::start(command.arg(written("w.yaml", file)).args(["--done", "b=1", "--done", "c=1"]));
    at_work.until("a: started");
    at_work.signal("INT");
    at_work.ended().with_code(3);
    journal.ask("resume", &["--yes", "--done", "a"]).refused("--yes says null for \"c\"; say --done c=OUTPUT");
    let refused = "--done \"c\": the output does not fit its schema";
    journal.ask("resume", &["--done", "a", "--done", "c=two"]).refused(refused);
    // Of what was done before nothing is wanted any more.
    journal.ask("resume", &["--done", "a", "--done", "c=2", "--done", "b=two"]).with_code(0);
}

/// Both may wait for the signal `payment`, which is known of one of them only.
const EVALUATED: &str = "
id: order
inputs: {name: {type: string, default: payment}}
nodes:
  paid: {signal: payment, schema: {type: object}}
  again: {signal: '${{ input.name }}', after: paid}
tasks:
  work: {shell: 'sleep 0.2'}
finally: {log: it is over}
";

#[test]
fn an_answer_that_is_refused_later_does_not_kill_the_execution() {
    let file = || written("order.yaml", EVALUATED);
    let arguments = ["--yes", "--signal", "payment={}", "--json"];
    let cancelled = run(file(), &arguments).with_code(3);
    let why = "again: what was said in advance changed nothing: the payload of the signal does not fit its schema";
    assert!(cancelled.stderr.contains(why) && cancelled.stderr.contains("it is over\n"), "{cancelled:?}");
    let record = cancelled.record();
    assert_eq!(statuses(&record, &["paid", "work", "again"]), ["completed", "completed", "cancelled"]);
    let by = record["decided_by"]["by"].to_string();
    assert!(by.contains("because again still waits: the payload of the signal"), "{record}");
    let journal = Journal::new();
    let left = ended(journal.command("run").arg(file()).args(arguments)).with_code(3);
    assert_eq!(statuses(&left.record(), &["paid", "work", "again"]), ["completed", "completed", "waiting"]);
    journal.ask("resume", &["--yes"]).with_code(3);
    let sent = ["--signal", "payment={}"];
    journal.ask("resume", &sent).with_code(0);
}

const NAMED: &str = "
id: named
inputs: {n: {type: integer, default: 7}}
nodes:
  go: {signal: 'go-${{ input.n }}'}
tasks:
  each: {map: [a, b], group: {nodes: {ok: {signal: 'ok-${{ item }}'}}}}
finally: {log: it is over}
";

#[test]
fn a_signal_whose_name_is_a_template_is_sent_by_the_name_that_it_comes_to() {
    let file = || written("named.yaml", NAMED);
    let each = ["--signal", "ok-a=1", "--signal", "ok-b=2"];
    let record = run(file(), &[&each[..], &["--signal", "go-7=3", "--json"]].concat()).with_code(0).record();
    assert_eq!(node(&record, "go")["output"], 3);
    assert_eq!(node(&record, "each")["output"], json!([1, 2]));
    let refused = |signal: &str, why: &str| run(file(), &[&each[..], &["--signal", signal]].concat()).refused(why);
    refused("og-7=3", "--signal \"og-7\": no node waits for a signal of that name");
    refused("go-${{ input.n }}=3", "this is a template; say the name that it comes to");
    run(file(), &each).refused("say --signal NAME=PAYLOAD with the name that the template comes to");
}

#[test]
fn a_signal_that_turns_out_to_be_another_one_is_not_waited_for_without_end() {
    let file = || written("named.yaml", NAMED);
    let arguments = ["--signal", "ok-a=1", "--signal", "ok-b=2", "--signal", "go-8=3"];
    let cancelled = run(file(), &arguments).with_code(3);
    let why = "go waits for the signal \"go-7\", which nobody sends";
    assert!(cancelled.stderr.contains(why) && cancelled.stderr.contains("it is over\n"), "{cancelled:?}");
    let journal = Journal::new();
    let left = ended(journal.command("run").arg(file()).args(arguments)).with_code(3);
    assert!(left.stderr.contains(why) && !left.stderr.contains("it is over\n"), "{left:?}");
    journal.ask("resume", &["--signal", "ok-a", "--signal", "go-7"]).with_code(0);
}
