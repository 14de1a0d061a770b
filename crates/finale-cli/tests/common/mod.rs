//! Running the real binary.

#![allow(dead_code, reason = "each test file takes what it needs")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use serde_json::Value;

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
        assert!(ended.stderr.starts_with("error: "), "{ended:?}");
        assert!(ended.stderr.contains(why), "{why:?} is not said: {ended:?}");
        assert_eq!(ended.stdout, "");
    }
}

/// The binary, with nothing to read and no terminal.
pub(crate) fn finale() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_finale"));
    command.stdin(Stdio::null());
    command
}

/// Runs a file with these arguments.
pub(crate) fn run(file: impl AsRef<Path>, arguments: &[&str]) -> Ended {
    let output = finale().arg("run").arg(file.as_ref()).args(arguments).output().unwrap();
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
