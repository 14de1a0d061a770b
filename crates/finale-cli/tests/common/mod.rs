//! Running the real binary.

#![allow(dead_code, reason = "each test file takes what it needs")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// The record that was written with `--json`.
    #[track_caller]
    pub(crate) fn record(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Checks that it ended like that; a panic is never right.
    #[track_caller]
    pub(crate) fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        self
    }

    /// Checks that nothing was run, and that the complaint says why.
    #[track_caller]
    pub(crate) fn refused(self, why: &str) {
        let ended = self.with_code(2);
        assert!(ended.stderr.starts_with("error"), "{ended:?}");
        assert!(ended.stderr.contains(why), "{why:?} is not said: {ended:?}");
        assert_eq!(ended.stdout, "");
    }
}

/// The binary, with nothing to read and no terminal.
pub(crate) fn finale() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_finale"));
    command.stdin(Stdio::null()).env_remove("COLUMNS").env("LC_ALL", "C").env("TMPDIR", env!("CARGO_TARGET_TMPDIR"));
    command
}

/// Runs a file with these arguments.
pub(crate) fn run(file: impl AsRef<Path>, arguments: &[&str]) -> Ended {
    ended(finale().arg("run").arg(file.as_ref()).args(arguments))
}

/// What a command comes to.
pub(crate) fn ended(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// One of the files beside the tests.
pub(crate) fn own(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files").join(name)
}

/// A path of that name that no other test has.
pub(crate) fn fresh(name: &str) -> PathBuf {
    let test = thread::current().name().unwrap().to_owned();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

/// A file of that name with that content.
pub(crate) fn written(name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = fresh(name);
    fs::write(&path, content).unwrap();
    path
}

/// The node of a record.
#[track_caller]
pub(crate) fn node<'r>(record: &'r Value, id: &str) -> &'r Value {
    let nodes = record["nodes"].as_array().unwrap();
    nodes.iter().find(|node| node["id"] == id).unwrap_or_else(|| panic!("no node {id}"))
}

/// The statuses of some nodes of a record.
pub(crate) fn statuses<'r>(record: &'r Value, ids: &[&str]) -> Vec<&'r str> {
    ids.iter().map(|id| node(record, id)["status"].as_str().unwrap()).collect()
}

/// A journal of its own for one test.
pub(crate) struct Journal {
    folder: TempDir,
}

impl Journal {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("j.db")
    }

    /// The names of the files beside it and its own.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// A command on it.
    pub(crate) fn command(&self, name: &str) -> Command {
        let mut command = finale();
        command.arg(name).arg("--journal").arg(self.path());
        command
    }

    /// What a command on it comes to.
    pub(crate) fn ask(&self, name: &str, arguments: &[&str]) -> Ended {
        ended(self.command(name).args(arguments))
    }

    /// Runs a file of those beside the tests, and gives the id of the execution.
    pub(crate) fn run(&self, file: &str, arguments: &[&str]) -> (Ended, String) {
        let ended = ended(self.command("run").arg(own(file)).args(arguments).arg("--json"));
        let id = ended.record()["id"].as_str().unwrap().to_owned();
        (ended, id)
    }

    /// Runs a recording that takes hours in another process, until it says that it runs.
    pub(crate) fn start_endless_run(&self) -> Child {
        let mut command = self.command("run");
        command.arg(own("bake.json")).args(["--time-scale", "10000"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut said).unwrap();
        assert!(said.ends_with("Ctrl-C leaves it to be resumed\n"), "{said}");
        child
    }

    /// Leaves an execution behind that had not ended when its process was killed.
    pub(crate) fn leave_one_behind(&self) {
        let mut child = self.start_endless_run();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// The executions in it, as they are listed.
    #[track_caller]
    pub(crate) fn list(&self) -> Vec<Value> {
        self.ask("list", &["--json"]).with_code(0).record()["executions"].as_array().unwrap().clone()
    }
}

/// A workflow of tasks, one after the other, as a file.
pub(crate) fn tasks(name: &str, tasks: &[(&str, Value)]) -> PathBuf {
    let node = |id: &str, kind: Value| json!({"id": id, "label": id, "kind": kind});
    let mut nodes = vec![node("start", json!("start"))];
    nodes.extend(tasks.iter().map(|(id, task)| node(id, json!({"task": task}))));
    nodes.push(node("end", json!("end")));
    let edge = |(position, pair): (usize, &[Value])| json!({"id": format!("e{position}"), "source": pair[0]["id"], "target": pair[1]["id"]});
    let edges: Vec<Value> = nodes.windows(2).enumerate().map(edge).collect();
    written(name, json!({"id": "w", "name": "W", "nodes": nodes, "edges": edges}).to_string())
}

/// A task that is done by a handler.
pub(crate) fn task(handler: &str, input: &Value) -> Value {
    // In expressions nothing is written `none`.
    let input = input.to_string().replace(":null", ":none");
    json!({"title": handler, "work": {"handler": handler}, "input": input})
}

/// A task that is done by a command.
pub(crate) fn shell(command: &str) -> Value {
    task("shell", &json!({"command": command}))
}

/// A command that is at work, with what it has said so far.
pub(crate) struct AtWork {
    child: Child,
    stderr: BufReader<ChildStderr>,
    said: String,
}

impl AtWork {
    /// Starts a command.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr, said: String::new() }
    }

    /// Waits until it says a line that ends so.
    #[track_caller]
    pub(crate) fn until(&mut self, end: &str) {
        while !self.said.trim_end_matches('\n').ends_with(end) {
            assert!(self.stderr.read_line(&mut self.said).unwrap() > 0, "{end:?} is not said: {}", self.said);
        }
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Sees it to its end.
    pub(crate) fn ended(mut self) -> Ended {
        self.stderr.read_to_string(&mut self.said).unwrap();
        let output = self.child.wait_with_output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        Ended { code: output.status.code(), stdout, stderr: self.said }
    }
}
