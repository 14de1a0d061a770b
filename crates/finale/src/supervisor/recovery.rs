//! Goes on with the executions that a runtime before this one had not seen to their end.
//!
//! They were all listed before this runtime admitted anything. Here they are first looked at, all of them: is there a
//! definition, can the history be read, may it go on? Only then does the first one go on, and never more of them at once
//! than may be active. Nothing is written about an execution that only waits. So it does no harm to be killed in the
//! midst of it and to begin again.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use actix::Context;
use finale_core::execution::Input;
use finale_core::{Execution, ExecutionId, ExecutionStatus};
use finale_journal::{Claim, Epoch, LiveExecution, Quarantine};

use super::unreadable::Unreadable;
use super::{Supervisor, others_first};
use crate::fence::fenced;
use crate::offline::check_rules;
use crate::shard::{Bound, Live, Mail, Work};
use crate::stored::began_with;
use crate::telemetry::TARGET;

/// Executions looked at, or gone on with, before other actors of the thread get their turn.
const STEP_MAX: usize = 64;

/// What is left to be recovered in one shard.
pub(crate) struct Recovery {
    claim: Claim,
    /// Found in the journal and not looked at yet.
    found: BTreeMap<ExecutionId, LiveExecution>,
    /// Looked at, and not gone on with yet.
    ready: VecDeque<Rc<Live>>,
    /// Whether the next step is on its way already.
    stepping: bool,
}

impl Recovery {
    pub(crate) fn new(claim: Claim, found: Vec<LiveExecution>) -> Self {
        let found = found.into_iter().map(|live| (live.id, live)).collect();
        Self { claim, found, ready: VecDeque::new(), stepping: false }
    }

    /// The claim under which the runtime has the journal.
    pub(super) fn epoch(&self) -> Epoch {
        self.claim.epoch
    }

    /// How many executions were not looked at yet.
    pub(super) fn left_to_look_at(&self) -> usize {
        self.found.len()
    }

    /// How many executions have not gone on yet.
    pub(super) fn left(&self) -> usize {
        self.found.len() + self.ready.len()
    }
}

impl Supervisor {
    /// Takes the next step of the recovery, if there is one and nothing stands in its way.
    pub(super) fn recover(&mut self, context: &mut Context<Self>) {
        if self.recovery.stepping || self.stopping {
            return;
        }
        let more = if self.recovery.found.is_empty() { self.resume_some() } else { self.revive_some() };
        self.shard.vitals.recovering(self.recovery.left());
        if more {
            self.recovery.stepping = true;
            others_first(context, |supervisor, context| {
                supervisor.recovery.stepping = false;
                supervisor.recover(context);
            });
        }
    }

    /// The execution with that id that has not ended; looked at now if its turn has not come yet.
    pub(super) fn find(&mut self, execution: ExecutionId) -> Option<Rc<Live>> {
        if let Some(found) = self.recovery.found.remove(&execution) {
            self.revive(&found);
        }
        self.shard.find(execution)
    }

    fn revive_some(&mut self) -> bool {
        for _ in 0..STEP_MAX {
            let Some((_, found)) = self.recovery.found.pop_first() else { break };
            self.revive(&found);
        }
        true
    }

    /// Goes on with those that were looked at, as far as there are places; false if somebody else has to go first.
    fn resume_some(&mut self) -> bool {
        for _ in 0..STEP_MAX {
            if self.recovery.ready.is_empty() || !self.has_room() {
                return false;
            }
            let Some(live) = self.recovery.ready.pop_front() else { return false };
            if live.has_mail() {
                self.shard.wake(&live);
            } else {
                self.shard.work(Work::Reconcile(live));
            }
        }
        true
    }

    fn revive(&mut self, found: &LiveExecution) {
        match self.read(found.id) {
            Ok((bound, state)) => self.take_up(found, Live::revived(bound, state, Arc::default())),
            Err(reason) => self.set_aside(found, reason),
        }
    }

    /// The definition of an execution and what its history comes to.
    pub(super) fn read(&self, id: ExecutionId) -> Result<(Rc<Bound>, Execution), String> {
        let history = self.shard.journal.history(id).map_err(|error| error.to_string())?;
        let history = history.ok_or("its history is gone")?;
        let bound = self.shard.restore(began_with(&history)?)?;
        // A history that rotted in a way that nothing noticed harms nobody else.
        let folded =
            fenced(|| Execution::fold(id, &bound.compiled, &history)).map_err(|panicked| panicked.to_string())?;
        let state = folded.map_err(|error| error.to_string())?;
        check_rules(&state).map(|()| (bound, state))
    }

    fn take_up(&mut self, found: &LiveExecution, live: Live) {
        let epoch = self.recovery.claim.epoch;
        let crashed = self.recovery.claim.crashed || self.is_parked_for_crashes(found, &live);
        let parked = live.read(|state| self.reason_to_park(found, &live.bound, state));
        let live = Rc::new(live);
        if live.read(Execution::running) > 0 {
            // Before anything else it is told: whatever comes in meanwhile is read after this.
            live.put(Mail::Tell(Input::Recovered { epoch, crashed }, None));
        }
        if self.shard.journal_error().is_some() {
            live.completion.abandon();
        }
        self.open.adopt();
        self.keys.restore(&live);
        self.shard.directory.borrow_mut().insert(live.id, Rc::clone(&live));
        match parked {
            Some(quarantine) => self.quarantine(&live, quarantine),
            None => {
                self.clear_mark(found);
                self.recovery.ready.push_back(live);
            }
        }
    }

    /// Why an execution must not go on, if so.
    fn reason_to_park(&self, found: &LiveExecution, bound: &Bound, state: &Execution) -> Option<Quarantine> {
        if let Some(quarantine) = found.quarantine.clone().filter(|quarantine| quarantine.until_released) {
            return Some(quarantine);
        }
        if state.status() == ExecutionStatus::Ending {
            // Nothing of it is run any more: it can only come to its end.
            return None;
        }
        if let Some(handler) = bound.missing_handler(state) {
            let reason = format!("no handler {handler:?} is registered");
            return Some(Quarantine { reason, until_released: false });
        }
        let again_and_again = self.recovery.claim.crashed && self.is_one_too_many(state) && found.quarantine.is_none();
        again_and_again.then(|| {
            let crashes = state.losses().saturating_add(1);
            let reason = format!("the process crashed {crashes} times while the same task was at work");
            Quarantine { reason, until_released: true }
        })
    }

    /// Whether one crash more over what is at work is one too many. What an operator has released gets as many again.
    fn is_one_too_many(&self, state: &Execution) -> bool {
        state.running() > 0 && state.losses().saturating_add(1).is_multiple_of(self.shard.options.limits.crashes_max)
    }

    /// Whether it was parked for its crashes: the last of them is not recorded yet, even if no other came since.
    fn is_parked_for_crashes(&self, found: &LiveExecution, live: &Live) -> bool {
        let is_parked = found.quarantine.as_ref().is_some_and(|quarantine| quarantine.until_released);
        is_parked && live.read(|state| self.is_one_too_many(state))
    }

    /// Keeps an execution in sight that cannot be read.
    fn set_aside(&mut self, found: &LiveExecution, reason: String) {
        tracing::error!(target: TARGET, execution = %found.id, reason, "an execution cannot be read and is quarantined");
        let quarantine = Quarantine { reason, until_released: false };
        self.mark(found.id, Some(&quarantine));
        self.open.adopt();
        self.unreadable.insert(found.id, Unreadable::new(found.id, quarantine.reason));
        self.shard.vitals.parked();
    }

    fn clear_mark(&self, found: &LiveExecution) {
        if found.quarantine.is_some() {
            self.mark(found.id, None);
        }
    }
}

impl Supervisor {
    /// Looks once more at an execution that could not be read.
    pub(super) fn read_again(&mut self, id: ExecutionId) -> Result<(), String> {
        let (bound, state) = self.read(id)?;
        let completion = self.unreadable.remove(&id).map(|mut unreadable| unreadable.hand_over());
        self.shard.vitals.unparked();
        self.close_one();
        let found = LiveExecution {
            id,
            definition: bound.compiled.hash(),
            quarantine: Some(Quarantine { reason: String::new(), until_released: false }),
        };
        self.take_up(&found, Live::revived(bound, state, completion.unwrap_or_default()));
        Ok(())
    }
}
