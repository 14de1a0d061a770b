//! What commands start, and how all of it ends.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use common::{AtWork, Journal, ended, finale, fresh, node, run, shell, task, tasks};
use serde_json::{Value, json};

/// A pipe with a name, and what is written to it until nobody is left who could.
struct Fifo {
    path: PathBuf,
    written: Receiver<String>,
}

/// Nothing takes so long on any machine, and what never happens must not be waited for.
const LONG: Duration = Duration::from_secs(60);

impl Fifo {
    fn new(name: &str) -> Self {
        let path = fresh(name);
        let _ = fs::remove_file(&path);
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let (send, written) = channel();
        let pipe = path.clone();
        std::thread::spawn(move || send.send(fs::read_to_string(pipe).unwrap()));
        Self { path, written }
    }

    /// Waits until all are gone who could write.
    fn gone(self) -> String {
        self.written.recv_timeout(LONG).expect("somebody is left who could write")
    }
}

/// Starts something by `how`, which holds the pipe open for hours, and goes on when it does.
fn starting(how: &str, fifo: &Fifo, ready: &Path) -> String {
    let _ = fs::remove_file(ready);
    let sleeper = fresh("sleeper.sh");
    let (fifo, ready) = (fifo.path.display(), ready.display());
    fs::write(&sleeper, format!("exec 3>'{fifo}'; : >'{ready}'; exec sleep 1000\n")).unwrap();
    let start = how.replace("SLEEPER", &format!("sh '{}'", sleeper.display()));
    format!("{start}\nuntil test -e '{ready}'; do sleep 0.01; done; ")
}

const WAYS: [(&str, &str); 4] = [
    ("in the background", "SLEEPER >/dev/null 2>&1 </dev/null &"),
    ("in a session of its own", "setsid SLEEPER >/dev/null 2>&1 </dev/null &"),
    ("as a daemon", "(setsid SLEEPER >/dev/null 2>&1 </dev/null &)"),
    ("as a daemon without an environment", "(env -i PATH=\"$PATH\" setsid SLEEPER >/dev/null 2>&1 </dev/null &)"),
];

#[test]
fn whatever_a_command_leaves_behind_ends_with_it() {
    for (way, how) in WAYS {
        let fifo = Fifo::new("fifo");
        let command = starting(how, &fifo, &fresh("ready")) + "echo over";
        let logs = fresh("logs");
        let ended = run(tasks("w.json", &[("a", shell(&command))]), &["--json", "--logs", logs.to_str().unwrap()]);
        assert_eq!(node(&ended.with_code(0).record(), "a")["output"]["stdout"], "over", "{way}");
        assert_eq!(fifo.gone(), "", "{way}");
    }
}

#[test]
fn the_next_task_begins_when_nothing_of_the_one_before_is_left() {
    let fifo = Fifo::new("fifo");
    let lock = fresh("lock");
    let left = starting("(setsid flock \"$LOCK\" SLEEPER >/dev/null 2>&1 </dev/null &)", &fifo, &fresh("ready"));
    let next = "flock --nonblock \"$LOCK\" echo free";
    let file = tasks("w.json", &[("a", shell(&left)), ("b", shell(next))]);
    let logs = fresh("logs");
    let ended = ended(finale().env("LOCK", lock).arg("run").arg(file).args(["--json", "--logs"]).arg(logs));
    assert_eq!(node(&ended.with_code(0).record(), "b")["output"]["stdout"], "free");
    fifo.gone();
}

#[test]
fn what_another_command_started_is_left_to_it() {
    for environment in ["", "env -i PATH=\"$PATH\" "] {
        check_that_a_daemon_is_left_to_the_command_that_started_it(environment);
    }
}

/// The daemon of the first command is at work when the second one has ended.
fn check_that_a_daemon_is_left_to_the_command_that_started_it(environment: &str) {
    let fifo = Fifo::new("fifo");
    let [ready, number, over] = ["ready", "number", "over"].map(fresh);
    let _ = (fs::remove_file(&number), fs::remove_file(&over));
    let how = format!(
        "({environment}setsid sh -c 'echo $$ > {}; exec SLEEPER' >/dev/null 2>&1 </dev/null &)",
        number.display()
    );
    let daemon = starting(&how.replace("SLEEPER", &format!("sh {}", fresh("sleeper.sh").display())), &fifo, &ready);
    let wait = |file: &Path| format!("until test -e '{}'; do sleep 0.01; done; ", file.display());
    let alive = format!("kill -0 $(cat '{}') && echo alive", number.display());
    let definition = json!({"id": "w", "tasks": {
        "daemon": {"shell": format!("{daemon}{}{alive}", wait(&over))},
        "other": {"shell": wait(&ready)},
        // It begins when the other one is over with all it started.
        "then": {"shell": format!(": > '{}'", over.display()), "after": "other"},
    }});
    let logs = fresh("logs");
    let file = common::written("w.json", definition.to_string());
    let ended = run(file, &["--json", "--logs", logs.to_str().unwrap()]).with_code(0);
    assert_eq!(node(&ended.record(), "daemon")["output"]["stdout"], "alive");
    fifo.gone();
}

#[test]
fn what_a_background_child_writes_after_its_parents_end_is_not_the_output() {
    let (logs, late) = (fresh("logs"), "trap 'echo late; exit' TERM; echo early; while :; do sleep 0.01; done");
    let command = format!("({late}) & sleep 0.1; echo over");
    let ended = run(tasks("w.json", &[("a", shell(&command))]), &["--json", "--logs", logs.to_str().unwrap()]);
    assert_eq!(node(&ended.with_code(0).record(), "a")["output"]["stdout"], "early\nover");
    assert_eq!(fs::read_to_string(logs.join("a.1.log")).unwrap(), "early\nover\n");
}

#[test]
fn every_signal_that_ends_finale_ends_its_commands() {
    for (signal, by) in [("INT", "Ctrl-C"), ("TERM", "SIGTERM"), ("HUP", "SIGHUP"), ("QUIT", "SIGQUIT")] {
        let (fifo, ready) = (Fifo::new("fifo"), fresh("ready"));
        let command = starting("(setsid SLEEPER >/dev/null 2>&1 </dev/null &)", &fifo, &ready) + "sleep 1000";
        let file = tasks("w.json", &[("a", shell(&command))]);
        let mut at_work = AtWork::start(finale().arg("run").arg(file).arg("--logs").arg(fresh("logs")));
        at_work.until("a: started");
        wait_for(&ready);
        at_work.signal(signal);
        let ended = at_work.ended().with_code(3);
        assert!(ended.stdout.contains(&format!("cancelled  by {by}\n")), "{ended:?}");
        fifo.gone();
    }
}

fn wait_for(path: &Path) {
    while !path.exists() {
        std::thread::yield_now();
    }
}

/// Runs a command with a journal until it is at work, and kills finale in a way that it cannot do anything about.
fn killed(journal: &Journal, command: &str, ready: &Path) {
    let file = tasks("w.json", &[("a", shell(command))]);
    let mut at_work = AtWork::start(journal.command("run").arg(file).arg("--logs").arg(fresh("logs")));
    at_work.until("a: started");
    wait_for(ready);
    at_work.signal("KILL");
    at_work.ended();
}

#[test]
fn resume_ends_what_a_killed_finale_left_alive_before_it_begins_the_next_attempt() {
    for (way, how) in &WAYS[..3] {
        let (journal, fifo, ready) = (Journal::new(), Fifo::new("fifo"), fresh("ready"));
        let lock = fresh("lock");
        let held = how.replace("SLEEPER", &format!("flock '{}' SLEEPER", lock.display()));
        let first = starting(&held, &fifo, &ready) + "sleep 1000";
        let next = format!("flock --nonblock '{}' echo free", lock.display());
        killed(&journal, &format!("if test $FINALE_ATTEMPT = 1; then {first}; else {next}; fi"), &ready);

        let resumed = journal.ask("resume", &[]).with_code(0);
        let said = "a: attempt 1 still runs, but the finale that started it is gone; ending process";
        assert!(resumed.stderr.contains(said), "{way}: {resumed:?}");
        let shown = journal.ask("show", &["0", "--json"]).record();
        assert_eq!(node(&shown, "a")["output"]["stdout"], "free", "{way}");
        fifo.gone();
        assert!(!journal.files().contains(&"j.db-run".to_owned()), "{:?}", journal.files());
    }
}

#[test]
fn resume_says_nothing_of_a_command_that_ended_meanwhile() {
    let (journal, ready) = (Journal::new(), fresh("ready"));
    let _ = fs::remove_file(&ready);
    let gone = fresh("gone");
    let _ = fs::remove_file(&gone);
    let first = format!(": > '{}'; until test -e '{}'; do sleep 0.01; done", ready.display(), gone.display());
    killed(&journal, &format!("test $FINALE_ATTEMPT = 2 || {{ {first}; }}"), &ready);
    fs::write(&gone, "").unwrap();
    while is_any_alive(&ready) {
        std::thread::yield_now();
    }
    let resumed = journal.ask("resume", &[]).with_code(0);
    assert!(!resumed.stderr.contains("still runs"), "{resumed:?}");
}

/// Whether a process has that path in its command line.
fn is_any_alive(path: &Path) -> bool {
    let path = path.to_str().unwrap();
    let line = |process: fs::DirEntry| fs::read(process.path().join("cmdline")).unwrap_or_default();
    let mut lines = fs::read_dir("/proc").unwrap().flatten().map(line);
    lines.any(|line| String::from_utf8_lossy(&line).contains(path))
}

#[test]
fn what_commands_leave_to_the_next_process_is_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (journal, ready) = (Journal::new(), fresh("ready"));
    let _ = fs::remove_file(&ready);
    killed(&journal, &format!(": > '{}'; sleep 1000", ready.display()), &ready);
    let file = journal.path().with_file_name("j.db-run");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    // Whoever could write it could say where commands run.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    let refused = journal.ask("resume", &[]).with_code(1);
    assert!(refused.stderr.contains("only the owner of the journal can write"), "{refused:?}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    journal.ask("resume", &["--done", "a"]).with_code(0);
}

#[test]
fn a_resumed_run_has_the_directory_and_the_logs_of_the_first_one() {
    let journal = Journal::new();
    let (here, there) = (fresh("here"), fresh("there"));
    for directory in [&here, &there] {
        fs::create_dir_all(directory).unwrap();
    }
    // Ctrl-C comes before the first command: there is nothing yet that could have noted where it runs.
    let mut at_work = {
        let file = tasks("w.json", &[("wait", task("sleep", &json!({"seconds": 1000}))), ("a", shell("pwd -P"))]);
        AtWork::start(journal.command("run").current_dir(&here).arg(file).args(["--logs", "logs"]))
    };
    at_work.until("wait: started");
    at_work.signal("INT");
    at_work.ended().with_code(3);

    let resumed = ended(journal.command("resume").current_dir(&there).args(["--done", "wait", "--json"]));
    resumed.with_code(0);
    let shown = journal.ask("show", &["0", "--json"]).record();
    let ran = PathBuf::from(node(&shown, "a")["output"]["stdout"].as_str().unwrap());
    assert_eq!(ran, fs::canonicalize(&here).unwrap());
    assert!(here.join("logs").join(log_of("a", &shown)).is_file());
}

fn log_of(id: &str, record: &Value) -> String {
    format!("{id}.{}.log", node(record, id)["attempt"])
}

#[test]
fn a_directory_that_is_gone_is_said_before_anything_goes_on_and_can_be_another_one() {
    let (journal, here) = (Journal::new(), fresh("gone-directory"));
    fs::create_dir_all(&here).unwrap();
    let file = tasks("w.json", &[("wait", task("sleep", &json!({"seconds": 1000}))), ("a", shell("pwd -P"))]);
    let mut at_work = AtWork::start(journal.command("run").current_dir(&here).arg(file));
    at_work.until("wait: started");
    at_work.signal("INT");
    at_work.ended().with_code(3);
    fs::remove_dir(&here).unwrap();
    journal.ask("resume", &["--done", "wait"]).refused("which is no directory any more; --dir DIR names another one");
    let there = fresh("there");
    fs::create_dir_all(&there).unwrap();
    journal.ask("resume", &["--done", "wait", "--dir", there.to_str().unwrap()]).with_code(0);
    let shown = journal.ask("show", &["0", "--json"]).record();
    assert_eq!(node(&shown, "a")["output"]["stdout"], fs::canonicalize(&there).unwrap().to_str().unwrap());
}

#[test]
fn a_resumed_sleep_waits_the_rest() {
    // The sleep is cut off; meanwhile its time passes, so that nothing is left to wait for: a whole one would last hours.
    let journal = Journal::new();
    let mut sleep = task("sleep", &json!({"seconds": 10_000}));
    sleep["timeout"] = json!({"secs": LONG.as_secs(), "nanos": 0});
    let file = tasks("w.json", &[("a", sleep)]);
    let mut at_work = AtWork::start(journal.command("run").arg(file));
    at_work.until("a: started");
    at_work.signal("KILL");
    at_work.ended();
    let path = journal.path().with_file_name("j.db-run");
    let noted = fs::read_to_string(&path).unwrap();
    let (before, until) = noted.rsplit_once("\"until\":\"").unwrap();
    let past = format!("{before}\"until\":\"1970-01-01T00:00:01Z{}", &until[until.find('"').unwrap()..]);
    fs::write(&path, past).unwrap();
    journal.ask("resume", &[]).with_code(0);
}
