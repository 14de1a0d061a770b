//! Both journals of this crate, and what the conformance kit asks of every journal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use finale_journal::conformance::Fixture;
use finale_journal::{Acknowledgement, HeldJournal, Journal, MemoryJournal};

/// The in-memory journal: the next process finds it only because there is none.
#[derive(Debug, Default)]
struct Memory(MemoryJournal);

impl Fixture for Memory {
    fn open(&self) -> Arc<dyn Journal> {
        Arc::new(self.0.clone())
    }

    fn reopen(&self) -> Option<Arc<dyn Journal>> {
        Some(self.open())
    }
}

#[derive(Debug)]
struct Held(HeldJournal);

impl Held {
    fn new(acknowledgement: Acknowledgement) -> Self {
        Self(HeldJournal::new(acknowledgement))
    }
}

impl Fixture for Held {
    fn open(&self) -> Arc<dyn Journal> {
        Arc::new(self.0.clone())
    }

    fn reopen(&self) -> Option<Arc<dyn Journal>> {
        Some(self.open())
    }

    fn crash(&self) -> Option<Arc<dyn Journal>> {
        self.0.crash();
        Some(self.open())
    }
}

/// Acknowledges in batches from a thread of its own, so that a crash finds something under way.
#[derive(Debug)]
struct Behind {
    held: Held,
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Behind {
    fn new() -> Self {
        let held = Held::new(Acknowledgement::Held);
        let (journal, done) = (held.0.clone(), Arc::new(AtomicBool::new(false)));
        let until = Arc::clone(&done);
        let thread = std::thread::spawn(move || {
            while !until.load(Ordering::Acquire) {
                journal.release_up_to(100);
                std::thread::sleep(Duration::from_micros(200));
            }
        });
        Self { held, done, thread: Some(thread) }
    }
}

impl Fixture for Behind {
    fn open(&self) -> Arc<dyn Journal> {
        self.held.open()
    }

    fn reopen(&self) -> Option<Arc<dyn Journal>> {
        self.held.reopen()
    }

    fn crash(&self) -> Option<Arc<dyn Journal>> {
        self.held.crash()
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the journal's thread does not panic");
        }
    }
}

finale_journal::conformance!(memory, Memory::default());
finale_journal::conformance!(held_immediate, Held::new(Acknowledgement::Immediate));
finale_journal::conformance!(held_late, Held::new(Acknowledgement::Late));
finale_journal::conformance!(held_behind, Behind::new());
