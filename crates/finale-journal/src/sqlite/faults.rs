//! What can go wrong with a disk, for tests.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Makes a journal fail, for tests of what happens then. A clone controls the same journal.
#[derive(Clone, Debug, Default)]
pub struct SqliteFaults(Arc<Control>);

#[derive(Debug, Default)]
struct Control {
    state: Mutex<State>,
    released: Condvar,
}

#[derive(Debug, Default)]
struct State {
    due: Option<(Fault, u64)>,
    fails_checkpoint: bool,
    held: bool,
    ignores_locks: bool,
    waiting: bool,
    /// After how many commits everything is merged, and after how many more it is next.
    merges: Option<(u64, u64)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Before,
    After,
    Panic,
}

impl SqliteFaults {
    /// Nothing goes wrong yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The nth commit from now, from 1, fails.
    pub fn fail_commit(&self, nth: u64) {
        self.state().due = Some((Fault::Before, nth));
    }

    /// The nth commit from now, from 1, is done, and said to have failed.
    pub fn fail_after_commit(&self, nth: u64) {
        self.state().due = Some((Fault::After, nth));
    }

    /// The thread that commits panics instead of the nth commit from now, from 1.
    pub fn panic_at_commit(&self, nth: u64) {
        self.state().due = Some((Fault::Panic, nth));
    }

    /// The next checkpoint fails.
    pub fn fail_checkpoint(&self) {
        self.state().fails_checkpoint = true;
    }

    /// Whoever opens the journal from now on takes no locks, and takes a file with several names.
    pub fn ignore_locks(&self) {
        self.state().ignores_locks = true;
    }

    /// Every nth commit brings everything into the tables, which is otherwise done when enough has gathered. That is no
    /// fault: it is to make no difference to whoever reads.
    pub fn merge_every(&self, nth: u64) {
        self.state().merges = Some((nth, nth));
    }

    /// Commits are stuck from now on.
    pub fn hold(&self) {
        self.state().held = true;
    }

    /// Commits go on.
    pub fn release(&self) {
        self.state().held = false;
        self.0.released.notify_all();
    }

    /// Waits until a commit is stuck.
    pub fn wait_until_stuck(&self) {
        drop(self.0.released.wait_while(self.state(), |state| !state.waiting).unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn ignores_locks(&self) -> bool {
        self.state().ignores_locks
    }

    pub(super) fn merges(&self) -> bool {
        match &mut self.state().merges {
            Some((every, left)) => {
                *left = left.saturating_sub(1);
                let now = *left == 0;
                if now {
                    *left = *every;
                }
                now
            }
            None => false,
        }
    }

    pub(super) fn before_commit(&self) -> Result<(), String> {
        self.wait_while_held();
        let fault = self.count_down();
        assert!(fault != Some(Fault::Panic), "injected panic");
        if fault == Some(Fault::Before) { Err("injected: the commit fails".into()) } else { Ok(()) }
    }

    pub(super) fn after_commit(&self) -> Result<(), String> {
        match self.state().due.take_if(|due| *due == (Fault::After, 0)) {
            Some(_) => Err("injected: the commit is said to have failed".into()),
            None => Ok(()),
        }
    }

    pub(super) fn checkpoint(&self) -> Result<(), String> {
        let fails = std::mem::take(&mut self.state().fails_checkpoint);
        if fails { Err("injected: the checkpoint fails".into()) } else { Ok(()) }
    }

    fn wait_while_held(&self) {
        let mut state = self.state();
        while state.held {
            state.waiting = true;
            self.0.released.notify_all();
            state = self.0.released.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting = false;
    }

    /// The fault of this commit. One that comes after it is left for then.
    fn count_down(&self) -> Option<Fault> {
        let mut state = self.state();
        let (fault, left) = state.due.as_mut()?;
        *left = left.saturating_sub(1);
        let now = (*left == 0).then_some(*fault)?;
        if now != Fault::After {
            state.due = None;
        }
        Some(now)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
