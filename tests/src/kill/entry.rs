//! One line of the ledger: written whole by one call, so that a killed process leaves no half of one but the last.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::str::FromStr;
use std::sync::Mutex;

use finale::{ExecutionId, TaskId};

use super::load::Kind;

/// Something that happened, as the outside saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// A child began.
    Life,
    /// An activation was acknowledged.
    Activated { execution: ExecutionId, kind: Kind, key: u64 },
    /// A handler began.
    Run { task: TaskId, attempt: u16 },
    /// A report on a task was acknowledged.
    Reported { task: TaskId },
    /// A cancellation was acknowledged.
    Cancelled { execution: ExecutionId },
    /// A quarantined execution was released.
    Released { execution: ExecutionId },
    /// An execution was seen to have ended.
    Ended { execution: ExecutionId, status: String, completed_at: i64 },
    /// A child found something that must not be.
    Wrong(String),
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Life => write!(f, "life"),
            Self::Activated { execution, kind, key } => write!(f, "activated {execution} {kind} {key}"),
            Self::Run { task, attempt } => write!(f, "run {task} {attempt}"),
            Self::Reported { task } => write!(f, "reported {task}"),
            Self::Cancelled { execution } => write!(f, "cancelled {execution}"),
            Self::Released { execution } => write!(f, "released {execution}"),
            Self::Ended { execution, status, completed_at } => write!(f, "ended {execution} {status} {completed_at}"),
            Self::Wrong(what) => write!(f, "wrong {what}"),
        }
    }
}

impl FromStr for Entry {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        read(line).ok_or_else(|| format!("{line:?} is no line of the ledger"))
    }
}

fn read(line: &str) -> Option<Entry> {
    if let Some(what) = line.strip_prefix("wrong ") {
        return Some(Entry::Wrong(what.to_owned()));
    }
    let mut words = line.split(' ');
    let entry = match words.next()? {
        "life" => Entry::Life,
        "activated" => Entry::Activated {
            execution: words.next()?.parse().ok()?,
            kind: words.next()?.parse().ok()?,
            key: words.next()?.parse().ok()?,
        },
        "run" => Entry::Run { task: words.next()?.parse().ok()?, attempt: words.next()?.parse().ok()? },
        "reported" => Entry::Reported { task: words.next()?.parse().ok()? },
        "cancelled" => Entry::Cancelled { execution: words.next()?.parse().ok()? },
        "released" => Entry::Released { execution: words.next()?.parse().ok()? },
        "ended" => Entry::Ended {
            execution: words.next()?.parse().ok()?,
            status: words.next()?.to_owned(),
            completed_at: words.next()?.parse().ok()?,
        },
        _ => return None,
    };
    words.next().is_none().then_some(entry)
}

/// The writing end of the ledger; what was written survives the process, whatever it dies of.
#[derive(Debug)]
pub(super) struct Pen(Mutex<File>);

impl Pen {
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        Ok(Self(Mutex::new(OpenOptions::new().append(true).create(true).open(path)?)))
    }

    /// Writes an entry.
    ///
    /// # Panics
    /// When it cannot be written: then nothing can be said about this run.
    pub(super) fn write(&self, entry: &Entry) {
        let line = format!("{entry}\n");
        let mut file = self.0.lock().expect("nothing panics while it holds the pen");
        file.write_all(line.as_bytes()).expect("the ledger can be written");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_reads_back_from_its_line() {
        let execution: ExecutionId = "0190b0a0-0000-7000-8000-000000000007".parse().unwrap();
        let task: TaskId = format!("{execution}.0.3").parse().unwrap();
        let entries = [
            Entry::Life,
            Entry::Activated { execution, kind: Kind::Chain, key: 7 },
            Entry::Run { task, attempt: 2 },
            Entry::Reported { task },
            Entry::Cancelled { execution },
            Entry::Released { execution },
            Entry::Ended { execution, status: "failed".to_owned(), completed_at: 99 },
            Entry::Wrong("a b c".to_owned()),
        ];
        for entry in entries {
            assert_eq!(entry.to_string().parse(), Ok(entry));
        }
    }
}
