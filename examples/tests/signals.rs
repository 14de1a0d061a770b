//! The web service as a process: a signal ends it, and what is at work is finished first.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "these are tests: a panic is a failure")]

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use finale::journal::{JournalReader, SqliteReader};
use finale::{ExecutionId, ExecutionStatus, NodeRecordState, offline};
use serde_json::{Value, json};

/// The service, killed when the test is over, however it ends.
struct Service {
    process: Child,
    says: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Service {
    /// Starts it on a port that is free, and returns when it listens.
    fn start(journal: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_web"));
        let mut process = command.arg("127.0.0.1:0").arg(journal).stdout(Stdio::piped()).spawn().unwrap();
        let mut says = BufReader::new(process.stdout.take().unwrap()).lines();
        let listening = says.next().unwrap().unwrap();
        let address = listening.strip_prefix("listening on http://").unwrap().to_owned();
        Self { process, says, address }
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        let headers = format!("connection: close\r\ncontent-type: application/json\r\ncontent-length: {length}");
        write!(stream, "{method} {path} HTTP/1.1\r\nhost: shop\r\n{headers}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// Places an order, and returns when its last handler is at work.
    fn order(&self, bank_seconds: u64) -> ExecutionId {
        let order = json!({"item": "kettle", "euros": 20, "bank_seconds": bank_seconds});
        let placed = self.ask("POST", "/orders", &order.to_string());
        let id = placed["id"].as_str().unwrap();
        let is_charging = |order: &Value| {
            let nodes = order["nodes"].as_array().unwrap().iter();
            nodes.clone().any(|node| node["id"] == "charge" && node["status"] == "running")
        };
        while !is_charging(&self.ask("GET", &format!("/orders/{id}"), "")) {}
        id.parse().unwrap()
    }

    /// Sends it a signal; gives what it still said, when it has ended in order.
    fn end(mut self, signal: &str) -> Vec<String> {
        // The shell has `kill` built in, wherever the tests run.
        let kill = format!("kill -{signal} {}", self.process.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        let said = self.says.by_ref().collect::<Result<_, _>>().unwrap();
        assert!(self.process.wait().unwrap().success(), "{said:?}");
        said
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It has ended already if all went well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn now() -> i64 {
    i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

/// Sends the service a signal while a handler of two seconds is at work. Says whether it was at work when the signal came:
/// on a machine that stalls it may have been done before.
fn is_finished_after(signal: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("orders.db");
    let service = Service::start(&journal);
    let id = service.order(2);
    let signalled_at = now();
    assert_eq!(service.end(signal), ["stopped: in order"]);

    let journal = SqliteReader::open(&journal).unwrap();
    assert_eq!(journal.live(None, 10).unwrap(), [], "nothing is open");
    assert_eq!(journal.summary(id).unwrap().unwrap().status, ExecutionStatus::Completed);
    let record = offline::read(&journal, id).unwrap().record();
    let charge = record.nodes.iter().find(|node| node.id == "charge").unwrap();
    let NodeRecordState::Completed { begun, completed_at, .. } = &charge.state else { panic!("{charge:?}") };
    assert_eq!(begun.attempt.unwrap().to_string(), "1");
    completed_at.as_micros() > signalled_at
}

fn is_finished_in_spite_of(signal: &str) {
    assert!((0..10).any(|_| is_finished_after(signal)), "the handler was never at work when the signal came");
}

#[test]
fn a_handler_at_work_finishes_when_the_service_is_told_to_terminate() {
    is_finished_in_spite_of("TERM");
}

#[test]
fn a_handler_at_work_finishes_when_the_service_is_interrupted() {
    is_finished_in_spite_of("INT");
}

/// The deadline of the example is five seconds.
#[test]
fn what_is_not_done_by_the_deadline_is_said_and_goes_on_with_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("orders.db");
    let service = Service::start(&journal);
    let id = service.order(100_000);
    assert_eq!(service.end("TERM"), ["stopped: not in order, 1 execution has not ended, 1 handler was dropped"]);

    let service = Service::start(&journal);
    let order = service.ask("GET", &format!("/orders/{id}"), "");
    assert_eq!(order["status"], "running", "{order}");
}
