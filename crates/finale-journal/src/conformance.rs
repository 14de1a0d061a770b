//! What every journal must do, as tests that anybody can run against one.
//!
//! Whoever writes a journal says how one is opened, in a [`Fixture`], and puts one line into a test file:
//!
//! ```
//! use std::sync::Arc;
//!
//! use finale_journal::conformance::{CASES, Fixture, Ran};
//! use finale_journal::{Journal, MemoryJournal};
//!
//! #[derive(Debug, Default)]
//! struct Memory(MemoryJournal);
//!
//! impl Fixture for Memory {
//!     fn open(&self) -> Arc<dyn Journal> {
//!         Arc::new(self.0.clone())
//!     }
//! }
//!
//! finale_journal::conformance!(memory_journal, Memory::default());
//!
//! // The same without the test harness:
//! for case in CASES.iter().filter(|case| case.group == "claim") {
//!     assert_eq!(case.run(&Memory::default()), Ran::Passed);
//! }
//! ```
//!
//! Each case becomes one test, which runs against a fixture of its own. The cases write facts that the core has decided,
//! with the summaries that follow from them, so that a journal may read what it keeps. They wait for acknowledgements:
//! a journal may give them at once, or later and from another thread.

mod cases;
mod pen;
mod recorder;
mod stage;
mod subject;

mod any_order;
mod append;
mod backup;
mod claim;
mod crash;
mod definitions;
mod fence;
mod forget;
mod gaps;
mod health;
mod history;
mod intruder;
mod keyed;
mod list;
mod live;
mod lost_tail;
mod moved;
mod odd;
mod purge;
mod quarantine;
mod release;
mod reopen;
mod summary;
mod tell;
mod write_off;

use std::fmt;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

pub use cases::CASES;
use stage::Stage;

use crate::{Journal, JournalError, JournalReader};

/// How the journal under test is opened; each case has a fixture of its own.
pub trait Fixture: fmt::Debug + Sync {
    /// An empty journal that nobody has claimed yet; called once.
    fn open(&self) -> Arc<dyn Journal>;

    /// The same journal in the next process, after this one has ended in order: everything written is durable, and the
    /// writers and the journal are dropped.
    ///
    /// None, the default, for a journal that keeps nothing beyond the process. What needs it is skipped then.
    fn reopen(&self) -> Option<Arc<dyn Journal>> {
        None
    }

    /// The same journal in the next process, after this one was killed now: while writers and journal are in use. What
    /// was not durable may be gone. The old ones are dropped afterwards and not used any more.
    ///
    /// A journal that lives in a file can be opened from a copy of it. None, the default, if nobody can tell what a kill
    /// leaves behind. What needs it is skipped then.
    fn crash(&self) -> Option<Arc<dyn Journal>> {
        None
    }

    /// A copy of the journal as it is now, opened; made while the journal is in use, which stays so.
    ///
    /// None, the default, for a journal that cannot be copied. What needs it is skipped then.
    fn copy(&self) -> Option<Arc<dyn Journal>> {
        None
    }

    /// The process is killed, and what was acknowledged last goes missing: at least a part of the last batch. True if
    /// that was done; the journal is opened afterwards by [`reader`](Self::reader) and
    /// [`open_damaged`](Self::open_damaged).
    ///
    /// False, the default, if nobody can do that, or nobody could notice it.
    fn lose_tail(&self) -> bool {
        false
    }

    /// Opens the journal after [`lose_tail`](Self::lose_tail), accepting the loss or not.
    ///
    /// # Errors
    /// What the journal is refused with.
    fn open_damaged(&self, _accept_loss: bool) -> Option<Result<Arc<dyn Journal>, JournalError>> {
        None
    }

    /// Somebody who reads the journal without owning it, accepting that something is missing at its end or not.
    fn reader(&self, _accept_loss: bool) -> Option<Result<Arc<dyn JournalReader>, JournalError>> {
        None
    }

    /// The journal opened once more by somebody whom no lock keeps away, while the first one has it.
    ///
    /// None, the default, if a lock keeps everybody away for certain.
    fn intruder(&self) -> Option<Arc<dyn Journal>> {
        None
    }

    /// Takes away what the journal writes to, while it is in use. False, the default, if that is not possible.
    fn move_away(&self) -> bool {
        false
    }

    /// Puts back what was [taken away](Self::move_away), and opens the journal.
    fn put_back(&self) -> Option<Arc<dyn Journal>> {
        None
    }

    /// How long an acknowledgement may take before it counts as lost; default 30 s.
    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }
}

/// One thing that a journal must do.
#[derive(Clone, Copy)]
pub struct Case {
    /// What it is about.
    pub group: &'static str,
    /// What is expected.
    pub name: &'static str,
    play: fn(&mut Stage<'_>) -> Ran,
}

/// How a case went that did not panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ran {
    /// The journal did what was expected.
    Passed,
    /// The fixture cannot do what the case needs.
    Skipped(Skipped),
}

/// Why a case did not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped(&'static str);

impl Skipped {
    const NOTHING_KEPT: Self = Self("the journal keeps nothing beyond its process");
    const NO_COPY: Self = Self("the journal cannot be copied");
    const NO_LOSS: Self = Self("the fixture cannot lose what was acknowledged");
    const NO_READER: Self = Self("nobody reads the journal but its owner");
    const NO_INTRUDER: Self = Self("nobody gets past the lock of the journal");
    const NOT_MOVED: Self = Self("the journal cannot be taken away");
    const NO_CRASH: Self = Self("the fixture cannot crash");
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Case {
    /// Runs the case against a fixture that was not used yet.
    ///
    /// # Panics
    /// When the journal does not do what is expected.
    pub fn run(&self, fixture: &dyn Fixture) -> Ran {
        (self.play)(&mut Stage::new(fixture))
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.group, self.name)
    }
}

impl From<()> for Ran {
    fn from((): ()) -> Self {
        Self::Passed
    }
}

impl From<Result<(), Skipped>> for Ran {
    fn from(result: Result<(), Skipped>) -> Self {
        result.map_or_else(Self::Skipped, Self::from)
    }
}

/// Runs one case of [`CASES`] and says so if it is skipped; what [`conformance!`](crate::conformance!) expands to.
#[doc(hidden)]
pub fn test(group: &str, name: &str, fixture: &dyn Fixture) {
    let case = CASES.iter().find(|case| case.group == group && case.name == name).expect("the case is listed");
    if let Ran::Skipped(why) = case.run(fixture) {
        // Written past the test harness, which shows nothing of a test that passes. Nobody else is told if it fails.
        let _ = writeln!(std::io::stderr(), "{case} skipped: {why}");
    }
}

/// Makes one test of each case of the [conformance kit](mod@crate::conformance), in a module of that name; each runs against
/// what the expression gives: a [`Fixture`](crate::conformance::Fixture), made anew for each test.
#[macro_export]
macro_rules! conformance {
    ($name:ident, $fixture:expr) => {
        #[cfg(test)]
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            fn fixture() -> impl $crate::conformance::Fixture {
                $fixture
            }

            $crate::__conformance_cases!($crate::__conformance_tests);
        }
    };
}

/// One test per case.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ($($group:ident { $($name:ident)* })*) => {
        $(mod $group {
            $(#[test]
            fn $name() {
                $crate::conformance::test(stringify!($group), stringify!($name), &super::fixture());
            })*
        })*
    };
}
