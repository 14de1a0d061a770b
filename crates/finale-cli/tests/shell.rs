//! Tasks that are done by commands.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs;
use std::path::PathBuf;

use common::{Ended, ended, finale, fresh, node, run, shell, task, tasks, written};
use serde_json::{Value, json};

/// Runs one task and gives the record.
fn record(task: Value, code: i32) -> Value {
    let logs = fresh("logs");
    run(tasks("w.json", &[("a", task)]), &["--json", "--logs", logs.to_str().unwrap()]).with_code(code).record()
}

fn output(record: &Value) -> &Value {
    &node(record, "a")["output"]
}

fn error(task: Value) -> String {
    node(&record(task, 1), "a")["error"].as_str().unwrap().to_owned()
}

#[test]
fn a_command_that_ends_well_gives_what_it_wrote() {
    let record = record(shell("echo one; echo two >&2; echo three"), 0);
    let expected = json!({"exit_code": 0, "stdout": "one\nthree", "stderr": "two", "truncated": false});
    assert_eq!(*output(&record), expected);
}

#[test]
fn json_that_a_command_writes_can_be_read_in_expressions() {
    let file = written(
        "w.yaml",
        r#"id: w
tasks:
  list: {shell: {command: 'echo careful >&2; printf "{\"names\": [\"ann\", \"bob\"]}"', output: json}}
  greet: {map: nodes.list.output.stdout.names, shell: {command: 'echo hi $WHO', env: {WHO: '${{ item }}'}}, after: list}
output: nodes.greet.output
"#,
    );
    let record = run(file, &["--json", "--logs", fresh("logs").to_str().unwrap()]).with_code(0).record();
    let list = json!({"exit_code": 0, "stdout": {"names": ["ann", "bob"]}, "stderr": "careful", "truncated": false});
    assert_eq!(node(&record, "list")["output"], list);
    assert_eq!((&record["output"][0]["stdout"], &record["output"][1]["stdout"]), (&json!("hi ann"), &json!("hi bob")));
}

#[test]
fn what_is_no_json_is_a_failure_that_says_where() {
    let json = |command: &str| task("shell", &json!({"command": command, "output": "json"}));
    assert_eq!(
        error(json("echo '{\"a\": }'")),
        "failed: its standard output cannot be its output: not JSON: expected value at line 1 column 7"
    );
    assert_eq!(error(json("true")), "failed: its standard output cannot be its output: not JSON: there is nothing");
    assert_eq!(
        error(json("yes '[1]' | head -c 600000")),
        "failed: its standard output is longer than 512 KiB, more than is read as JSON"
    );
    // Whoever fails says why, whatever the output is.
    assert_eq!(error(json("echo '{'; echo no flour >&2; exit 3")), "failed: exit code 3: no flour");
}

#[test]
fn a_command_that_fails_says_its_exit_code_and_its_last_line() {
    assert_eq!(error(shell("echo no flour >&2; echo ' '; exit 3")), "failed: exit code 3: no flour");
    assert_eq!(error(shell("echo no sugar; exit 3")), "failed: exit code 3: no sugar");
    assert_eq!(error(shell("exit 4")), "failed: exit code 4");
}

#[test]
fn a_command_that_is_killed_or_missing_says_so() {
    assert_eq!(error(shell("kill -9 $$")), "failed: killed by signal 9 (SIGKILL)");
    let missing = error(shell("no-such-program-anywhere"));
    assert!(
        missing.starts_with("failed: exit code 127: ") && missing.contains("no-such-program-anywhere"),
        "{missing}"
    );
}

#[test]
fn a_command_knows_which_task_it_does() {
    let text = "echo $FINALE_NODE $FINALE_ATTEMPT $FINALE_EXECUTION $FINALE_KEY";
    let record = record(shell(text), 0);
    let expected =
        format!("a 1 {} {}", record["id"].as_str().unwrap(), node(&record, "a")["task_id"].as_str().unwrap());
    assert_eq!(output(&record)["stdout"], *expected);
}

#[test]
fn a_command_has_the_environment_it_is_given_and_what_is_there() {
    let input = json!({"command": "echo $GREETING $COUNT $EXPRESS $LIST ${UNSET-none} $HOME", "env": {"GREETING": "hello you", "COUNT": 3, "EXPRESS": true, "LIST": [1, "a"], "UNSET": null}});
    let file = tasks("w.json", &[("a", task("shell", &input))]);
    let ended = ended(
        finale()
            .env("HOME", "/home/x")
            .env("UNSET", "set")
            .arg("run")
            .arg(file)
            .args(["--json", "--logs"])
            .arg(fresh("logs")),
    );
    assert_eq!(output(&ended.with_code(0).record())["stdout"], "hello you 3 true [1,\"a\"] none /home/x");
}

#[test]
fn a_command_runs_where_it_is_told_to() {
    fs::create_dir_all(fresh("here/there")).unwrap();
    let file = tasks("w.json", &[("a", task("shell", &json!({"command": "pwd", "dir": "there"})))]);
    let ended =
        ended(finale().current_dir(fresh("here")).arg("run").arg(file).args(["--json", "--logs"]).arg(fresh("logs")));
    let place = output(&ended.with_code(0).record())["stdout"].as_str().unwrap().to_owned();
    assert!(place.ends_with("/here/there"), "{place}");
    assert_eq!(
        error(task("shell", &json!({"command": "pwd", "dir": "nowhere"}))),
        "failed: there is no directory nowhere"
    );
}

#[test]
fn what_no_command_can_be_given_is_not_tried_again() {
    let mut impossible = task("shell", &json!({"command": "true", "env": {"A=B": "c"}}));
    impossible["retry"] = json!({"attempts": 5});
    let refused = record(impossible, 1);
    assert_eq!(node(&refused, "a")["attempt"], 1);
    assert_eq!(node(&refused, "a")["error"], "failed: \"A=B\" cannot be the name of a variable of the environment");
    assert!(error(task("shell", &json!({"comand": "true"}))).contains("unknown field `comand`"));
}

#[test]
fn exit_codes_say_what_is_tried_again() {
    let attempts = |command: &str, retry: Value| {
        let mut task = shell(command);
        task["retry"] = retry;
        node(&record(task, 1), "a")["attempt"].as_u64().unwrap()
    };
    assert_eq!(attempts("exit 75", json!({"attempts": 3, "on": ["exit_75"]})), 3);
    assert_eq!(attempts("exit 2", json!({"attempts": 3, "on": ["exit_75"]})), 1);
    assert_eq!(attempts("exit 2", json!({"attempts": 3, "not_on": ["exit_1", "exit_2"]})), 1);
    assert_eq!(attempts("kill -9 $$", json!({"attempts": 3, "not_on": ["exit_1", "exit_2"]})), 3);
}

#[test]
fn each_attempt_has_a_log_of_its_own() {
    let (logs, mark) = (fresh("logs"), fresh("mark"));
    let mut twice =
        shell(&format!("echo attempt $FINALE_ATTEMPT; test -e '{0}' || {{ touch '{0}'; false; }}", mark.display()));
    twice["retry"] = json!({"attempts": 2});
    run(tasks("w.json", &[("a/b", twice)]), &["--logs", logs.to_str().unwrap()]).with_code(0);
    let log = |name: &str| fs::read_to_string(logs.join(name)).unwrap();
    assert_eq!((log("a%2Fb.1.log"), log("a%2Fb.2.log")), ("attempt 1\n".into(), "attempt 2\n".into()));
    fs::remove_file(mark).unwrap();
}

#[test]
fn each_item_and_each_round_has_a_log_of_its_own() {
    let file = written(
        "w.yaml",
        "id: w
tasks:
  each: {map: [ann, bob, eve], shell: {command: 'echo $WHO', env: {WHO: '${{ item }}'}}}
  twice: {loop: {until: round == 2, rounds_max: 2, delay: 10ms}, shell: 'echo ${{ round }}', after: each}
",
    );
    let logs = fresh("logs");
    let record = run(file, &["--json", "--logs", logs.to_str().unwrap()]).with_code(0).record();
    assert_eq!(node(&record, "each")["items"]["completed"], 3);
    assert_eq!(node(&record, "twice")["rounds"], 2);
    let log = |name: &str| fs::read_to_string(logs.join(name)).unwrap();
    let all = ["each.1.1", "each.2.1", "each.3.1", "twice.4.1", "twice.5.1"].map(|name| log(&format!("{name}.log")));
    assert_eq!(all, ["ann\n", "bob\n", "eve\n", "1\n", "2\n"]);
}

#[test]
fn a_command_has_nothing_to_read_and_may_write_more_than_is_kept() {
    let record =
        record(shell("cat; yes line | head -n 5000 >&2; yes line | head -n 20000; echo done; echo done >&2"), 0);
    for (kept, lines) in [("stdout", (64 << 10) / 5), ("stderr", 20)] {
        let kept = output(&record)[kept].as_str().unwrap();
        assert!(kept.starts_with("…\nline\n") && kept.ends_with("\nline\ndone"), "{kept}");
        assert_eq!(kept.lines().count(), 1 + lines);
    }
    assert_eq!(output(&record)["truncated"], true);
}

/// A pipe with a name: it ends when all are gone who could write to it.
fn fifo(name: &str) -> PathBuf {
    let path = fresh(name);
    let _ = fs::remove_file(&path);
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

/// A command that starts another one, which holds the pipe open for hours; on `stop` it does that.
fn with_grandchild(fifo: &std::path::Path, stop: &str) -> String {
    let fifo = fifo.display();
    format!(
        "(trap {stop} TERM; exec 3>'{fifo}'; echo begun >&3; echo begun; while :; do sleep 1000 & wait $!; done) & wait"
    )
}

/// Runs a command that starts another one, ends its task as soon as that is at work, and gives what that one wrote.
fn stopped(task: Value, fifo: PathBuf, stop: impl FnOnce(&common::AtWork)) -> (String, Ended) {
    let file = tasks("w.json", &[("a", task)]);
    let _ = fs::remove_dir_all(fresh("logs"));
    let mut at_work = common::AtWork::start(finale().arg("run").arg(file).arg("--logs").arg(fresh("logs")));
    at_work.until("Ctrl-C cancels it");
    let written = std::thread::spawn(move || fs::read_to_string(fifo).unwrap());
    wait_for(&fresh("logs/a.1.log"));
    stop(&at_work);
    let ended = at_work.ended();
    // Nobody else is left who could write.
    (written.join().unwrap(), ended)
}

/// The log says that the command is at work.
fn wait_for(log: &std::path::Path) {
    while fs::read_to_string(log).map_or(true, |text| text.is_empty()) {
        std::thread::yield_now();
    }
}

#[test]
fn ctrl_c_asks_all_that_a_command_started_to_end() {
    let fifo = fifo("fifo");
    let command = with_grandchild(&fifo, "'echo stopped >&3; kill $!; exit' ");
    let (written, ended) = stopped(shell(&command), fifo, |at_work| at_work.signal("INT"));
    assert_eq!(written, "begun\nstopped\n");
    assert!(ended.with_code(3).stderr.contains("  a: stopped\n"));
}

#[test]
fn termination_ends_commands_too() {
    let fifo = fifo("fifo");
    let command = with_grandchild(&fifo, "'kill $!; exit'");
    let (written, ended) = stopped(shell(&command), fifo, |at_work| at_work.signal("TERM"));
    assert_eq!(written, "begun\n");
    ended.with_code(3);
}

#[test]
fn what_does_not_end_within_its_grace_is_killed_with_all_it_started() {
    let fifo = fifo("fifo");
    let command = with_grandchild(&fifo, "''");
    let (written, ended) = stopped(shell(&command), fifo, |at_work| at_work.signal("INT"));
    assert_eq!(written, "begun\n");
    assert!(ended.with_code(3).stderr.contains("  a: aborted\n"));
}

#[test]
fn a_command_that_takes_too_long_is_killed_with_all_it_started() {
    let fifo = fifo("fifo");
    let command = with_grandchild(&fifo, "''");
    let mut task = shell(&command);
    task["timeout"] = json!({"secs": 1, "nanos": 0});
    let (written, ended) = stopped(task, fifo, |_| {});
    assert_eq!(written, "begun\n");
    assert!(ended.with_code(1).stdout.contains("timed out"));
}

/// A command that ends when something that it started, by a program of its own, holds the pipe open for hours.
fn left_behind(program: &str, fifo: &std::path::Path, ready: &std::path::Path) -> String {
    let _ = fs::remove_file(ready);
    let (fifo, ready) = (fifo.display(), ready.display());
    let sleeper = format!("exec 3>\"{fifo}\"; : >\"{ready}\"; sleep 1000");
    format!(
        "{program} -c '{sleeper}' >/dev/null 2>&1 </dev/null & until test -e '{ready}'; do sleep 0.01; done; echo over"
    )
}

#[test]
fn what_a_command_leaves_behind_ends_with_it() {
    let fifo = fifo("fifo");
    let path = fifo.clone();
    let written = std::thread::spawn(move || fs::read_to_string(path).unwrap());
    let record = record(shell(&left_behind("sh", &fifo, &fresh("ready"))), 0);
    assert_eq!(output(&record)["stdout"], "over");
    assert_eq!(written.join().unwrap(), "");
}

#[test]
fn what_is_left_for_another_time_is_asked_to_end_too() {
    let (journal, fifo) = (common::Journal::new(), fifo("fifo"));
    let file = tasks("w.json", &[("a", shell(&with_grandchild(&fifo, "'echo stopped >&3; kill $!; exit'")))]);
    let _ = fs::remove_dir_all(fresh("logs"));
    let mut at_work = common::AtWork::start(journal.command("run").arg(&file).arg("--logs").arg(fresh("logs")));
    at_work.until("a: started");
    let written = std::thread::spawn(move || fs::read_to_string(fifo).unwrap());
    wait_for(&fresh("logs/a.1.log"));
    at_work.signal("INT");
    at_work.ended().with_code(3);
    assert_eq!(written.join().unwrap(), "begun\nstopped\n");
    assert_eq!(journal.list()[0]["status"], "running");
}

#[test]
fn a_quoted_value_is_one_word_of_a_command_and_runs_nothing() {
    let text = "id: w\ninputs: {who: string}\ntasks:\n  a:\n    shell: printf '<%s>' ${{ input.who | quote }} end\n";
    let file = written("quote.yaml", text);
    let logs = fresh("logs");
    for who in ["$(echo ran)", "'; echo ran #", "a b\nc", "`echo ran`"] {
        let input = format!("who={}", Value::from(who));
        let arguments = ["--json", "--logs", logs.to_str().unwrap(), "--input", &input];
        let record = run(&file, &arguments).with_code(0).record();
        assert_eq!(output(&record)["stdout"], format!("<{who}><end>"));
    }
}

#[test]
fn a_log_that_cannot_be_made_stops_nobody_and_is_told() {
    let file = || tasks("w.json", &[("a", shell("echo done"))]);
    let no_directory = written("no directory", "");
    let by_option = run(file(), &["--json", "--logs", no_directory.join("logs").to_str().unwrap()]);
    let by_variable = ended(finale().env("TMPDIR", &no_directory).arg("run").arg(file()).arg("--json"));
    for ran in [by_option, by_variable] {
        let ran = ran.with_code(0);
        assert!(ran.stderr.contains("a.1.log: there is no log of what the command writes: "), "{ran:?}");
        assert_eq!(node(&ran.record(), "a")["output"]["stdout"], "done");
    }
}

#[test]
fn a_program_that_cannot_be_started_is_named() {
    let file = tasks("w.json", &[("a", task("shell", &json!({"command": "true", "env": {"PATH": "/nowhere"}})))]);
    let record = run(file, &["--json"]).with_code(1).record();
    let error = &node(&record, "a")["error"];
    let why =
        "sh could not be started, which runs the command and is looked for in the PATH of its `env`: No such file";
    assert!(error.as_str().unwrap().contains(why), "{error}");
}

#[test]
fn a_log_that_cannot_be_written_stops_nobody_and_is_told() {
    let file = tasks("w.json", &[("a", shell("yes | head -c 100000; echo the end"))]);
    // As a full disk does, the limit of a file refuses what is written then.
    let logs = fresh("logs");
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" run \"$1\" --logs \"$2\"";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_finale")]).arg(file).arg(&logs).env("LC_ALL", "C");
    let ended = ended(&mut command).with_code(0);
    let told = format!("{}: the log is not complete: File too large", logs.join("a.1.log").display());
    assert!(ended.stderr.contains(&told), "{ended:?}");
    assert!(ended.stdout.contains("the end"), "{ended:?}");
}
