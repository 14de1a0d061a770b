//! The process that kills.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child as Process, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::book::Book;
use super::child::Child;
use crate::dice::Dice;

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Cycles {
    /// The program that lives as a child when its first argument is `child`.
    pub program: PathBuf,
    /// Where journal and ledger are put; an empty folder.
    pub folder: PathBuf,
    /// How often the child is killed.
    pub cycles: u64,
    /// Where chance begins.
    pub seed: u64,
    /// Whether the journal may lose what was acknowledged when the power fails.
    pub relaxed: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// How often a child lived.
    pub lives: u64,
    /// Activations that were acknowledged; each was seen to its end.
    pub activated: usize,
    /// Handlers that began.
    pub runs: u64,
    /// Executions that were quarantined in the end, because the process died over the same task again and again.
    pub released: u64,
    /// What is wrong; empty if all is well.
    pub wrong: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// Idempotency keys that one child has for itself.
const KEYS_OF_A_CHILD: u64 = 1_000_000;
/// How long a child may take to write its first line.
const LIFE_MAX: Duration = Duration::from_secs(20);
/// How long the last child may take to see everything to its end.
const DRAIN_MAX: Duration = Duration::from_secs(120);

/// Kills children until it is enough, then lets one see everything to its end.
///
/// # Errors
/// When a child cannot be started or the ledger not be read.
pub fn run(cycles: &Cycles) -> io::Result<Summary> {
    let begun = Instant::now();
    let mut dice = Dice::new(cycles.seed);
    let mut reader = Reader::new(cycles.ledger());
    for cycle in 0..cycles.cycles {
        let before = cycles.ledger_length();
        let mut process = cycles.spawn(cycle, dice.next(), false)?;
        // Sometimes it has hardly begun to recover.
        let is_early = dice.one_in(3);
        if !is_early {
            cycles.wait_for_life(before);
        }
        let most = if is_early { 30_000 } else { 90_000 };
        std::thread::sleep(Duration::from_micros(dice.below(most) as u64));
        if cycle + 1 == cycles.cycles {
            reader.wait_for_activation(cycle)?;
        }
        if let Some(status) = process.try_wait()? {
            reader.wrong.push(format!("cycle {cycle}: the child ended by itself: {status}"));
        }
        process.kill()?;
        process.wait()?;
        reader.read(cycle)?;
        if !reader.wrong.is_empty() {
            return Ok(reader.summary(begun));
        }
    }
    let status = wait(cycles.spawn(cycles.cycles, dice.next(), true)?)?;
    reader.read(cycles.cycles)?;
    match status {
        Some(status) if status.success() => {}
        Some(status) => reader.wrong.push(format!("the last child failed: {status}")),
        None => reader.wrong.push("the last child did not see everything to its end in time".to_owned()),
    }
    let unfinished =
        reader.book.unfinished().map(|(execution, _)| format!("{execution} was acknowledged and never ended"));
    reader.wrong.extend(unfinished);
    Ok(reader.summary(begun))
}

impl Cycles {
    /// Starts a child; its arguments are in the order that [`Child::from_arguments`] reads them.
    fn spawn(&self, cycle: u64, seed: u64, drains: bool) -> io::Result<Process> {
        let numbers = [seed, cycle * KEYS_OF_A_CHILD, u64::from(self.relaxed), u64::from(drains)];
        Command::new(&self.program)
            .arg("child")
            .args([self.folder.join("journal.db"), self.ledger()])
            .args(numbers.map(|number| number.to_string()))
            .stdin(Stdio::null())
            .spawn()
    }

    fn ledger(&self) -> PathBuf {
        self.folder.join("ledger")
    }

    fn ledger_length(&self) -> u64 {
        self.ledger().metadata().map_or(0, |ledger| ledger.len())
    }

    /// Waits until a child has written something, however long the machine lets it wait for its turn.
    fn wait_for_life(&self, before: u64) {
        let until = Instant::now() + LIFE_MAX;
        while self.ledger_length() == before && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Child {
    /// What a parent said to its child; none if it was somebody else who said something else.
    pub fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let (journal, ledger) = (arguments.next()?.into(), arguments.next()?.into());
        let mut number = || arguments.next()?.parse::<u64>().ok();
        let (seed, first_key) = (number()?, number()?);
        Some(Self { journal, ledger, seed, first_key, relaxed: number()? == 1, drains: number()? == 1 })
    }
}

fn wait(mut process: Process) -> io::Result<Option<ExitStatus>> {
    let until = Instant::now() + DRAIN_MAX;
    while Instant::now() < until {
        if let Some(status) = process.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    process.kill()?;
    process.wait()?;
    Ok(None)
}

/// Reads what the children write.
struct Reader {
    ledger: PathBuf,
    read: u64,
    book: Book,
    wrong: Vec<String>,
}

impl Reader {
    fn new(ledger: PathBuf) -> Self {
        Self { ledger, read: 0, book: Book::default(), wrong: Vec::new() }
    }

    /// Reads what is new.
    fn read(&mut self, cycle: u64) -> io::Result<()> {
        let mut file = BufReader::new(open(&self.ledger)?);
        file.seek(SeekFrom::Start(self.read))?;
        let mut line = String::new();
        // A line without an end is still being written.
        while file.read_line(&mut line)? > 0 && line.ends_with('\n') {
            self.read += line.len() as u64;
            let taken = line.trim_end().parse().and_then(|entry| self.book.add(entry));
            self.wrong.extend(taken.err().map(|what| format!("cycle {cycle}: {what}")));
            line.clear();
        }
        Ok(())
    }

    /// Waits until an activation was acknowledged, if none was so far: where a machine has much else to do, every child may
    /// have been killed before it came to one.
    fn wait_for_activation(&mut self, cycle: u64) -> io::Result<()> {
        let until = Instant::now() + LIFE_MAX;
        self.read(cycle)?;
        while self.book.activated.is_empty() && self.wrong.is_empty() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
            self.read(cycle)?;
        }
        Ok(())
    }

    fn summary(self, begun: Instant) -> Summary {
        let Self { book, wrong, .. } = self;
        let Book { lives, runs, released, activated, .. } = book;
        Summary { lives, activated: activated.len(), runs, released, wrong, took: begun.elapsed() }
    }
}

/// The first children may have been killed before there was a ledger.
fn open(ledger: &Path) -> io::Result<File> {
    File::options().read(true).append(true).create(true).open(ledger)
}
