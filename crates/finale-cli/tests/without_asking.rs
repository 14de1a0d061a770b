//! `--yes`, `--done` and `--fail`: nobody is asked.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Journal, ended, finale, fresh, node, own, run, shell, statuses, task, tasks};
use serde_json::{Value, json};

fn record(file: impl AsRef<std::path::Path>, arguments: &[&str], code: i32) -> Value {
    run(file, &[&["--json"], arguments].concat()).with_code(code).record()
}

#[test]
fn yes_takes_what_is_done_outside_for_done() {
    let parcel = record(own("parcel.json"), &["--yes"], 0);
    assert_eq!(statuses(&parcel, &["weigh", "bike"]), ["completed"; 2]);
    let review = record(own("review.yaml"), &["--yes"], 0);
    assert_eq!(statuses(&review, &["print", "rewrite"]), ["completed", "skipped"], "the verdict is pass");
}

#[test]
fn yes_leaves_the_handlers_to_do_their_work() {
    let file = || tasks("w.json", &[("a", shell("echo really")), ("b", json!({"title": "Sign"}))]);
    assert_eq!(node(&record(file(), &["--yes"], 0), "a")["output"]["stdout"], "really");
    let nothing = json!({"exit_code": 0, "stdout": "", "stderr": "", "truncated": false});
    assert_eq!(node(&record(file(), &["--simulate"], 0), "a")["output"], nothing, "as a command that writes nothing");
    let json = tasks("j.json", &[("a", task("shell", &json!({"command": "echo 5", "output": "json"})))]);
    assert_eq!(node(&record(json, &["--simulate"], 0), "a")["output"]["stdout"], Value::Null);
    run(own("calls.json"), &["--yes"]).refused("the handler \"send_mail\" of an application");
}

#[test]
fn one_task_is_answered_in_advance() {
    let done = record(own("parcel.json"), &["--yes", "--done", "bike={\"boxes\": 2}"], 0);
    assert_eq!(node(&done, "bike")["output"], json!({"boxes": 2}));
    let told = record(own("parcel.json"), &["--done", "weigh", "--done", "bike=a=b", "--done", "truck"], 0);
    assert_eq!(node(&told, "bike")["output"], "a=b");
    run(own("parcel.json"), &["--done", "weigh"]).refused("the task \"truck\" needs somebody outside");
}

#[test]
fn what_somebody_has_done_before_needs_nobody_when_it_is_resumed() {
    let journal = Journal::new();
    let file = tasks("w.json", &[("b", json!({"title": "Sign"})), ("a", task("sleep", &json!({"seconds": 1_000})))]);
    let mut at_work = common::AtWork::start(journal.command("run").arg(file).args(["--done", "b"]));
    at_work.until("a: started");
    at_work.signal("INT");
    at_work.ended().with_code(3);
    journal.ask("resume", &["--done", "a"]).with_code(0);
    assert_eq!(journal.list()[0]["status"], "completed");
}

#[test]
fn a_task_of_a_handler_is_answered_in_advance_too() {
    let file = || tasks("w.json", &[("a", shell("exit 3"))]);
    assert_eq!(node(&record(file(), &["--done", "a=7"], 0), "a")["output"], 7);
    assert_eq!(node(&record(file(), &["--fail", "a=no"], 1), "a")["error"], "failed: no");
    assert_eq!(node(&record(file(), &["--simulate", "--done", "a=7"], 0), "a")["output"], 7);
}

#[test]
fn an_answer_for_nothing_or_two_answers_are_refused() {
    let refused = |arguments: &[&str], why: &str| run(own("parcel.json"), arguments).refused(why);
    refused(&["--done", "wiegh"], "--done \"wiegh\": there is no such node, did you mean the task \"weigh\"?");
    refused(&["--done", "heavy"], "--done \"heavy\": this node is no task, its kind is conditional");
    refused(&["--done", "weigh", "--done", "weigh=1"], "--done \"weigh\" is given twice");
    refused(&["--done", "weigh", "--fail", "weigh"], "\"weigh\" cannot both be done and fail");
}

const REVIEW: &str = "
id: w
nodes: {review: {verification: {rubric: house style, evaluator: the editor}}}
tasks:
  publish: {log: published, after: {node: review, on: pass}}
  rewrite: {log: again, after: {node: review, on: fail}}
  decide: {log: ask, after: {node: review, on: refer}}
";

#[test]
fn a_verification_is_given_its_verdict_in_advance() {
    let file = || common::written("w.yaml", REVIEW);
    let ways = ["publish", "rewrite", "decide"];
    for (verdict, way) in ["pass", "fail", "refer"].into_iter().zip(ways) {
        for more in [&[][..], &["--yes"], &["--simulate"]] {
            let done = record(file(), &[&["--done", &format!("review={verdict}")], more].concat(), 0);
            for other in ways {
                let expected = if other == way { "completed" } else { "skipped" };
                assert_eq!(node(&done, other)["status"], expected, "{verdict}, {more:?}: {other}");
            }
        }
    }
    run(file(), &[])
        .refused("the verification \"review\" needs somebody outside: say --done review=pass (or fail, or refer)");
    let refused = |arguments: &[&str], why: &str| run(file(), arguments).refused(why);
    let verdicts = "--done \"review\": this is a verification, whose verdict is pass, fail or refer";
    refused(&["--done", "review=done"], &format!("{verdicts}, not \"done\""));
    refused(&["--done", "review"], verdicts);
    refused(&["--fail", "review"], "a verification does not fail, it comes to a verdict: say --done review=fail");
    refused(&["--done", "reveiw=pass"], "there is no such node, did you mean the verification \"review\"?");
}

#[test]
fn what_is_resumed_is_answered_too() {
    let journal = Journal::new();
    let file = tasks("w.json", &[("a", task("sleep", &json!({"seconds": 1_000}))), ("b", json!({"title": "Sign"}))]);
    let mut at_work = common::AtWork::start(journal.command("run").arg(file).arg("--yes"));
    at_work.until("Ctrl-C leaves it to be resumed");
    at_work.signal("INT");
    at_work.ended().with_code(3);
    journal.ask("resume", &["--done", "a"]).refused("the task \"b\" needs somebody outside");
    journal.ask("resume", &["--yes", "--done", "c"]).refused("there is no such node");
    journal.ask("resume", &["--yes", "--done", "a"]).with_code(0);
    assert_eq!(journal.list()[0]["status"], "completed");
}

#[test]
fn a_sleep_is_over_after_its_time_and_has_to_be_one() {
    let sleep = |seconds: Value| tasks("w.json", &[("a", task("sleep", &json!({"seconds": seconds})))]);
    record(sleep(json!(0.001)), &[], 0);
    for (seconds, why) in [
        (json!(-1), "expected a number of seconds from 0 to 31536000 (a year), not -1"),
        (json!(1e9), "expected a number of seconds"),
        (json!("long"), "expected a number of seconds from 0 to 31536000 (a year), not \"long\""),
    ] {
        let record = record(sleep(seconds), &[], 1);
        assert!(node(&record, "a")["error"].as_str().unwrap().contains(why), "{record}");
    }
}

#[test]
fn a_message_is_said_unless_it_is_to_be_quiet() {
    let file = tasks("w.json", &[("a", task("log", &json!({"message": "the oven is \u{1b}[31mhot"})))]);
    let said = run(&file, &[]).with_code(0).stderr;
    assert!(said.contains("the oven is \u{fffd}[31mhot\n"), "{said}");
}

#[test]
fn a_handler_that_finale_has_not_is_refused_with_the_nearest_it_has() {
    let file = tasks("w.json", &[("a", task("shel", &json!({})))]);
    run(file, &[]).refused("finale itself has the handlers shell, sleep, log; did you mean \"shell\"?");
    let refused = run(own("calls.json"), &[]);
    assert!(refused.stderr.ends_with("has the handlers shell, sleep, log\n"), "{refused:?}");
}

#[test]
fn the_logs_are_in_a_directory_that_nobody_can_guess_or_look_into_unless_it_is_said_where() {
    use std::os::unix::fs::PermissionsExt;
    let (temporary, file) = (fresh("temporary"), tasks("w.json", &[("a", shell("echo kept"))]));
    let _ = std::fs::remove_dir_all(&temporary);
    std::fs::create_dir_all(&temporary).unwrap();
    ended(finale().env("TMPDIR", &temporary).arg("run").arg(file)).with_code(0);
    let directory = std::fs::read_dir(&temporary).unwrap().next().unwrap().unwrap();
    assert_eq!(directory.file_name().len(), "finale-".len() + 32);
    let log = directory.path().join("a.1.log");
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "kept\n");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&directory.path()), mode(&log)), (0o700, 0o600));
}

const SIGNALS: &str = "
id: order
nodes:
  paid: {signal: payment}
  ready: {signal: 'ready-${{ input.order }}', after: paid, timeout: 1h}
tasks:
  ship: {log: '${{ nodes.paid.output }} euros', after: ready}
";

#[test]
fn signals_are_sent_in_advance_or_taken_for_sent() {
    let file = || common::written("order.yaml", SIGNALS);
    let order = ["--input", "order=7"];
    let record = record(file(), &[&order[..], &["--signal", "ready-7", "--signal", "payment=20"]].concat(), 0);
    assert_eq!(node(&record, "paid")["output"], 20);
    let agreed = self::record(file(), &[&order[..], &["--yes"]].concat(), 0);
    assert_eq!(node(&agreed, "paid")["output"], Value::Null);
    assert_eq!(statuses(&agreed, &["paid", "ready"]), ["completed"; 2]);
    let left = ["--signal", "payment=1", "--signal", "payment=2", "--signal", "ready-7"];
    let record = self::record(file(), &[&order[..], &left].concat(), 0);
    assert_eq!(record["signals"][0]["payload"], 2, "{record}");
}

#[test]
fn a_signal_that_nobody_sends_or_waits_for_is_refused() {
    let file = || common::written("order.yaml", SIGNALS);
    run(file(), &["--input", "order=7"])
        .refused("the signal \"payment\" that \"paid\" waits for needs somebody outside");
    let named = common::written("order.yaml", "id: order\nnodes:\n  paid: {signal: payment}\n");
    let why = "--signal \"paiment\": no node waits for a signal of that name, did you mean \"payment\"?";
    run(named, &["--signal", "paiment"]).refused(why);
}

#[test]
fn signals_are_sent_to_what_is_resumed() {
    let journal = Journal::new();
    let file = common::written("order.yaml", "id: order\nnodes:\n  paid: {signal: payment, timeout: 1h}\n");
    let mut at_work = common::AtWork::start(journal.command("run").arg(file));
    at_work.until("Ctrl-C leaves it to be resumed");
    at_work.signal("INT");
    at_work.ended().with_code(3);
    journal.ask("resume", &["--signal", "payment=20"]).with_code(0);
    assert_eq!(journal.list()[0]["status"], "completed");
}

#[test]
fn signals_that_are_waited_for_a_time_only_are_taken_for_sent() {
    for agreed in ["--simulate", "--yes"] {
        let record = record(own("paid.yaml"), &[agreed], 0);
        assert_eq!(statuses(&record, &["paid", "remind"]), ["completed", "skipped"], "{agreed}");
    }
}

const WAITS: &str = "
id: waits
tasks:
  poll: {loop: {until: round == 3, rounds_max: 5, delay: 2h}, handler: look}
  try: {handler: try, retry: {attempts: 3, backoff: 2h}, after: poll}
";

#[test]
fn a_simulation_waits_for_no_round_and_no_attempt() {
    let record = record(common::written("waits.yaml", WAITS), &["--simulate", "--fail", "try"], 1);
    assert_eq!((&node(&record, "poll")["status"], &node(&record, "try")["attempt"]), (&json!("completed"), &json!(3)));
}

#[test]
fn what_is_held_fails_where_nobody_is_there_to_say_how_it_goes_on() {
    for agreed in [&[][..], &["--yes"], &["--simulate", "--fail", "try=no luck"]] {
        let record = record(own("held.yaml"), agreed, 1);
        let error = record["error"].as_str().unwrap();
        assert!(error.contains("; it is held, and nobody is here to say how it goes on"), "{error}");
        assert_eq!(node(&record, "other")["status"], "completed");
    }
}

#[test]
fn what_is_held_in_a_journal_is_left_to_somebody_who_can_say_how_it_goes_on() {
    let journal = Journal::new();
    let left = ended(journal.command("run").arg(own("held.yaml"))).with_code(3);
    assert!(left.stderr.contains("try is held: somebody at a terminal has to say how it goes on"), "{left:?}");
    assert_eq!(journal.list()[0]["status"], "running");
    journal.ask("resume", &[]).with_code(3);
    journal.ask("resume", &["--yes"]).with_code(1);
    assert_eq!(journal.list()[0]["status"], "failed");
}

#[test]
fn numbers_of_any_length_stay_as_they_are() {
    let long = "123456789012345678901234567890";
    let file = "id: w\nnodes: {paid: {signal: paid}}\ntasks:\n  a: {shell: {command: 'echo 123456789012345678901234567890', output: json}}\n  b: {title: B}\n";
    let [input, signal, done] = ["n", "paid", "b"].map(|name| format!("{name}={long}"));
    let said = ["--json", "--input", &input, "--signal", &signal, "--done", &done];
    let written = run(common::written("w.yaml", file), &said).with_code(0).stdout;
    assert_eq!(written.matches(long).count(), 7, "input, and the outputs of the nodes and of all: {written}");
}

const INSIDE: &str = "
id: import
on_failure: wait_all
tasks:
  each: {map: [a, b, c], shell: 'echo ${{ item | quote }}'}
  load: {map: [1, 2], group: {tasks: {parse: {title: Parse}, store: {shell: 'exit 3', optional: true}}}}
  checks: {group: {tasks: {sign: {title: Sign}, test: {shell: 'true'}}}}
";

#[test]
fn tasks_inside_of_nodes_are_answered_by_their_paths() {
    let file = || common::written("import.yaml", INSIDE);
    let paths = ["--done", "each[1]::each=B", "--done", "load[0]::parse={\"rows\": 8}", "--done", "checks::sign=ann"];
    for more in [&["--yes"][..], &["--done", "parse=other"]] {
        let record = record(file(), &[&paths[..], more].concat(), 0);
        let each = node(&record, "each")["output"].as_array().unwrap();
        assert_eq!((&each[0]["stdout"], &each[1], &each[2]["stdout"]), (&json!("a"), &json!("B"), &json!("c")));
        let (first, second) = (&node(&record, "load")["output"][0]["parse"], &node(&record, "load")["output"][1]);
        assert_eq!(first, &json!({"rows": 8}));
        assert_eq!(second["parse"], if more.len() == 1 { Value::Null } else { json!("other") });
        assert_eq!(node(&record, "checks::sign")["output"], "ann");
    }
    let record = record(file(), &[&paths[..], &["--yes", "--fail", "checks::test=no luck"]].concat(), 1);
    assert_eq!(node(&record, "checks::test")["error"], "failed: no luck");
}

#[test]
fn a_path_answers_one_task_only_and_has_to_lead_to_one() {
    let refused = |arguments: &[&str], why: &str| run(common::written("import.yaml", INSIDE), arguments).refused(why);
    // Of the second item nothing is said.
    refused(&["--done", "load[0]::parse", "--done", "checks::sign"], "the task \"parse\" needs somebody outside");
    refused(&["--done", "each[1]::itch"], "--done \"each[1]::itch\": there is no such node");
    refused(&["--done", "each::each"], "--done \"each::each\": there is no such node");
    refused(&["--done", "checks::end"], "--done \"checks::end\": this node is no task, its kind is end");
    refused(&["--done", "checks::sign", "--done", "checks::sign=1"], "--done \"checks::sign\" is given twice");
    refused(&["--done", "checks::sign", "--fail", "checks::sign"], "\"checks::sign\" cannot both be done and fail");
}

#[test]
fn what_is_resumed_is_answered_by_paths_too() {
    let journal = Journal::new();
    let file = common::written("w.yaml", "id: w\ntasks:\n  m: {map: [1, 2], sleep: 1000s}\n");
    let mut at_work = common::AtWork::start(journal.command("run").arg(file));
    at_work.until("m: waiting");
    at_work.signal("INT");
    at_work.ended().with_code(3);
    journal.ask("resume", &["--done", "m[0]::m=7", "--done", "m=8"]).with_code(0);
    let shown = journal.ask("show", &["0", "--json"]).with_code(0).record();
    assert_eq!(node(&shown, "m")["output"], json!([7, 8]));
}

const DECLARED: &str = "
id: declared
tasks:
  z: {sleep: 1000s}
  a: {shell: 'true', after: z, output_schema: {type: object}}
  b: {shell: 'true', after: a, retry: {attempts: 3, backoff: 2h}}
  l: {loop: {until: round == 3, rounds_max: 5, delay: 2h}, shell: 'true', after: z}
  h: {shell: 'true', after: z, retry: {attempts: 2, exhausted: hold}, optional: true}
nodes:
  d: {delay: 2h, after: z}
  s: {signal: paid, timeout: 100d, schema: {type: integer}, after: z}
";

#[test]
fn a_simulation_comes_to_the_same_when_it_is_run_and_when_it_is_resumed() {
    let journal = Journal::new();
    let file = || common::written("declared.yaml", DECLARED);
    let mut at_work = common::AtWork::start(journal.command("run").arg(file()));
    at_work.until("z: started");
    at_work.signal("INT");
    at_work.ended().with_code(3);
    // The schemas are kept with the execution.
    journal.ask("resume", &["--simulate"]).refused("need not fit it: say what it is, by --done a=OUTPUT");
    let said = ["--simulate", "--done", "a={}", "--fail", "b=no", "--fail", "h=no"];
    journal.ask("resume", &said).refused("need not fit it: say what it is, by --signal paid=PAYLOAD");
    let said = [&said[..], &["--signal", "paid=20"]].concat();
    journal.ask("resume", &said).with_code(1);
    let resumed = journal.ask("show", &["0", "--json"]).with_code(0).record();
    let run = record(file(), &said, 1);
    for id in ["z", "a", "b", "l", "h", "d", "s"] {
        let [run, resumed] = [&run, &resumed].map(|record| {
            let mut node = node(record, id).clone();
            // Times, ids and the attempt that was cut off are others.
            let known = ["id", "kind", "title", "status", "output", "error", "skipped_reason", "rounds"];
            node.as_object_mut().unwrap().retain(|key, _| known.contains(&key.as_str()));
            node
        });
        assert_eq!(run, resumed);
    }
    assert_eq!((&node(&resumed, "b")["attempt"], &node(&resumed, "l")["rounds"]), (&json!(3), &json!(3)));
}

#[test]
fn what_an_application_left_to_an_operator_fails_where_it_is_resumed_without_one() {
    use finale::journal::SqliteJournal;
    use finale::{Runtime, Shards, TaskContext, TaskError, Workflow};
    for agreed in ["--simulate", "--yes"] {
        let journal = Journal::new();
        finale::actix::System::new().block_on(async {
            let charge = |_: TaskContext| async { Err::<(), _>(TaskError::new("no answer").unknown()) };
            let builder = Runtime::builder().shards(Shards::Current).handler("sleep", charge);
            let runtime = builder.journal(SqliteJournal::open(journal.path()).unwrap()).start().unwrap();
            let order = Workflow::builder("order").task("charge", "sleep").build().unwrap();
            let execution = runtime.activate(&order, ()).await.unwrap();
            while execution.why().await.unwrap().awaited[0].waiting_for != Some(finale::WaitingFor::Operator) {}
            runtime.shutdown(std::time::Duration::from_secs(9)).await;
        });
        journal.ask("resume", &[]).with_code(3);
        let failed = journal.ask("resume", &[agreed]).with_code(1);
        assert!(failed.stderr.contains("nobody is here to say how it goes on"), "{failed:?}");
    }
}
