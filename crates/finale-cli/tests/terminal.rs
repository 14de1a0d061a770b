//! What is seen at a terminal: the tests have one of their own.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

use common::{Journal, shell, task, tasks};
use nix::poll::{PollFd, PollFlags, poll};
use nix::pty::{Winsize, openpty};
use serde_json::json;

/// How many milliseconds nothing may be written.
const SILENCE_MAX: u16 = 60_000;

/// A command at a terminal of its own, and what was written there so far.
struct Terminal {
    child: Child,
    master: File,
    seen: String,
}

impl Terminal {
    /// Starts finale as somebody does who sits at a terminal: it is the one that controls the process.
    fn start(columns: u16, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pair = openpty(&size, None).unwrap();
        let slave = || Stdio::from(pair.slave.try_clone().unwrap());
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait", env!("CARGO_BIN_EXE_finale")]).args(arguments);
        command.stdin(slave()).stdout(slave()).stderr(slave()).env("TERM", "xterm").env("NO_COLOR", "1");
        command.env_remove("COLUMNS").env("LC_ALL", "C.UTF-8").env("TMPDIR", env!("CARGO_TARGET_TMPDIR"));
        command.envs(variables.iter().copied());
        let child = command.spawn().unwrap();
        Self { child, master: File::from(pair.master), seen: String::new() }
    }

    /// Waits until that is written, and gives all that was written up to it since the last time.
    #[track_caller]
    fn until(&mut self, text: &str) -> String {
        let mut buffer = [0; 4096];
        loop {
            if let Some(at) = self.seen.find(text) {
                let rest = self.seen.split_off(at + text.len());
                return std::mem::replace(&mut self.seen, rest);
            }
            // Else a test that fails would wait for ever.
            let mut ready = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
            assert_eq!(poll(&mut ready, SILENCE_MAX), Ok(1), "{text:?} is not seen: {}", self.seen);
            let count = self.master.read(&mut buffer).unwrap_or_default();
            assert!(count > 0, "{text:?} is not seen: {}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
        }
    }

    fn type_line(&mut self, line: &str) {
        self.type_text(&format!("{line}\n"));
    }

    fn type_text(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    /// Sees it to its end; gives what is left to read, without what moves the cursor.
    fn ended(mut self, code: i32) -> String {
        let mut rest = Vec::new();
        // It ends with an error when nobody has the other end any more.
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = self.master.read(&mut buffer) {
            rest.extend_from_slice(&buffer[..count]);
        }
        assert_eq!(self.child.wait().unwrap().code(), Some(code), "{}", String::from_utf8_lossy(&rest));
        plain(&(self.seen + &String::from_utf8_lossy(&rest)))
    }
}

/// What was written, without orders for the terminal.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, order)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = order.trim_start_matches(|character: char| !character.is_ascii_alphabetic());
        rest = rest.get(1..).unwrap_or_default();
    }
    (plain + rest).replace('\r', "")
}

fn path(file: &std::path::Path) -> &str {
    file.to_str().unwrap()
}

#[test]
fn a_step_has_no_terminal() {
    // With one it would be stopped for ever, because it is not in the foreground.
    for command in ["read x < /dev/tty", "echo x > /dev/tty", "stty -echo < /dev/tty"] {
        let mut step = shell(&format!("{{ {command}; }} 2>/dev/null; echo \"it came to $?\""));
        step["timeout"] = json!({"secs": 30, "nanos": 0});
        let file = tasks("w.json", &[("a", step)]);
        let mut terminal = Terminal::start(80, &["run", path(&file)], &[]);
        terminal.until("it came to ");
        assert!(!terminal.until("\n").starts_with('0'), "{command} had a terminal");
        terminal.ended(0);
    }
}

#[test]
fn before_it_asks_it_shows_all_that_is_finished() {
    let file = tasks(
        "w.json",
        &[
            ("first", task("log", &json!({"message": "the first message"}))),
            ("build", shell("true")),
            ("second", task("log", &json!({"message": "the second message"}))),
            ("approve", json!({"title": "Have a look"})),
        ],
    );
    let mut terminal = Terminal::start(80, &["run", path(&file)], &[]);
    let seen = plain(&terminal.until("> "));
    let at = |text: &str| seen.find(text).unwrap_or_else(|| panic!("{text:?} is not seen: {seen}"));
    let order = ["the first message", "✓ first", "✓ build", "the second message", "✓ second", "task \"Have a look\""];
    let places = order.map(at);
    assert!(places.is_sorted(), "{seen}");
    terminal.type_line("finished");
    let seen = plain(&terminal.until("\n> "));
    assert!(seen.contains("\"finished\" is no answer; known are: done [OUTPUT], fail REASON or cancel"), "{seen}");
    terminal.type_line("done");
    let rest = terminal.ended(0);
    assert!(rest.contains("completed in "), "{rest}");
}

#[test]
fn tables_fit_whatever_the_terminal_has() {
    let journal = Journal::new();
    let definition = "id: release
tasks:
  format: {shell: echo formatted}
  unit-tests: {shell: 'echo 12 tests passed, 0 failed, in 3 crates'}
  publish: {shell: 'echo no token >&2; exit 3', after: [format, unit-tests], when: 'true'}
";
    let file = common::written("release.yaml", definition);
    for columns in [80, 50, 30] {
        for locale in ["C.UTF-8", "C"] {
            let (file, journal_path) = (path(&file), journal.path());
            let arguments = ["run", file, "--journal", path(&journal_path)];
            let screen = Terminal::start(columns, &arguments, &[("LC_ALL", locale)]).ended(1);
            let table = screen.split_once("NODE").unwrap().1;
            for node in ["format", "unit-", "publish"] {
                assert!(table.contains(node), "{columns}: {screen}");
            }
            assert!(!table.contains("exit_code") && !table.contains("conditional"), "{columns}: {screen}");
            assert_eq!(table.contains("12 tests passed, 0 failed"), columns == 80, "{columns}: {screen}");
            assert!(locale == "C.UTF-8" || screen.is_ascii(), "{columns}: {screen}");
            for command in [vec!["list"], vec!["show", "0"], vec!["history", "0"]] {
                if command.len() > 1 && journal.list().len() > 1 {
                    continue;
                }
                let arguments = [&command[..1], &["--journal", path(&journal_path)], &command[1..]].concat();
                let screen = Terminal::start(columns, &arguments, &[("LC_ALL", locale)]).ended(0);
                let rows = screen.lines().skip_while(|line| !line.starts_with("ID") && !line.starts_with("NODE"));
                assert!(rows.clone().all(|line| line.chars().count() <= columns.into()), "{columns}: {screen}");
                assert!(locale == "C.UTF-8" || screen.is_ascii(), "{columns}: {screen}");
            }
        }
    }
    let journal_path = journal.path();
    let list = Terminal::start(30, &["list", "--journal", path(&journal_path)], &[]).ended(0);
    assert!(list.ends_with("left out: CREATED, TOOK,\n  WORKFLOW, KEY, ERROR\n"), "{list}");
}

/// A workflow with a task for somebody, and a command that goes on while they are asked, until the pipe is opened.
fn asks_while_it_works(pipe: &std::path::Path) -> std::path::PathBuf {
    let _ = std::fs::remove_file(pipe);
    assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    let build = format!("read line < '{}'", path(pipe));
    let definition = json!({"id": "w", "tasks": {
        "approve": {"title": "Have a look"},
        "build": {"shell": build},
        "tell": {"log": "it is built", "after": "build"},
    }});
    common::written("w.json", definition.to_string())
}

#[test]
fn what_happens_while_somebody_is_asked_is_shown_at_once_above_what_they_type() {
    let pipe = common::fresh("pipe");
    let file = asks_while_it_works(&pipe);
    let mut terminal = Terminal::start(80, &["run", path(&file)], &[]);
    terminal.until("> ");
    terminal.type_text("do");
    terminal.until("do");
    std::fs::write(&pipe, "go\n").unwrap();
    let seen = terminal.until("it is built");
    let (_, above) = seen.split_once("\u{1b}D").unwrap();
    assert!(above.contains("\u{1b}7\r\u{1b}["), "room is made above the question: {seen:?}");
    assert!(plain(above).contains("✓ build"), "{seen:?}");
    // What was typed before is still there.
    terminal.type_text("ne\n");
    let rest = terminal.ended(0);
    assert!(rest.contains("completed in "), "{rest}");
}

#[test]
fn where_no_line_can_be_put_above_the_question_it_is_asked_again() {
    let pipe = common::fresh("pipe");
    let file = asks_while_it_works(&pipe);
    let mut terminal = Terminal::start(80, &["run", path(&file)], &[("TERM", "dumb")]);
    terminal.until("> ");
    terminal.type_text("do");
    std::fs::write(&pipe, "go\n").unwrap();
    terminal.until("it is built");
    terminal.until("> ");
    terminal.type_text("ne\n");
    assert!(terminal.ended(0).contains("completed in "));
}
