//! The conformance kit finds journals that are wrong: each of these has one flaw.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use finale_core::fact::Terminal;
use finale_core::{DefinitionHash, ExecutionId, ExecutionStatus, Time};
use finale_journal::conformance::{CASES, Fixture};
use finale_journal::{
    Append, Appended, Claim, Epoch, Filter, History, Journal, JournalError, JournalReader, Listener, LiveExecution,
    MemoryJournal, Position, Purge, Purged, Quarantine, Released, StoredDefinition, Summary, Writer,
};

/// What is wrong with a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    TakesGaps,
    TellsAhead,
    NeverTells,
    SkipsPositions,
    CutsHistories,
    MixesHistories,
    CutsPages,
    LosesDefinitions,
    KeepsTheClaim,
    ForgetsTheCrash,
    LosesThePageEnd,
    ListsOldestFirst,
    ForgetsTheEnd,
    RemembersKeys,
    IgnoresQuarantine,
    IgnoresWriteOffs,
    ForgetsWhatIsOpen,
    PurgesTooMuch,
    PurgesOneStatusFirst,
    PurgesForAnybody,
    PurgesWithoutForgetting,
    NeverHasToTell,
    ToldForEver,
    PurgesUntold,
    TellsPagesAgain,
}

use Flaw::*;

/// Each flaw, and the group of cases that is about it.
const FLAWS: [(Flaw, &str); 25] = [
    (TakesGaps, "gaps"),
    (TellsAhead, "append"),
    (NeverTells, "append"),
    (SkipsPositions, "append"),
    (CutsHistories, "history"),
    (MixesHistories, "history"),
    (CutsPages, "history"),
    (LosesDefinitions, "definitions"),
    (KeepsTheClaim, "claim"),
    (ForgetsTheCrash, "claim"),
    (LosesThePageEnd, "live"),
    (ListsOldestFirst, "list"),
    (ForgetsTheEnd, "summary"),
    (RemembersKeys, "keyed"),
    (IgnoresQuarantine, "quarantine"),
    (IgnoresWriteOffs, "write_off"),
    (ForgetsWhatIsOpen, "forget"),
    (PurgesTooMuch, "purge"),
    (PurgesOneStatusFirst, "purge"),
    (PurgesForAnybody, "purge"),
    (PurgesWithoutForgetting, "purge"),
    (NeverHasToTell, "tell"),
    (ToldForEver, "tell"),
    (PurgesUntold, "tell"),
    (TellsPagesAgain, "tell"),
];

#[derive(Clone, Debug)]
struct Wrong {
    flaw: Flaw,
    inner: MemoryJournal,
    first: Arc<Mutex<Option<Claim>>>,
    keys: Arc<Mutex<Vec<(String, ExecutionId)>>>,
    forgotten: Arc<Mutex<Vec<ExecutionId>>>,
}

impl Wrong {
    fn new(flaw: Flaw) -> Self {
        let (inner, first, keys, forgotten) = (MemoryJournal::new(), Arc::default(), Arc::default(), Arc::default());
        Self { flaw, inner, first, keys, forgotten }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }
}

impl Fixture for Wrong {
    fn open(&self) -> Arc<dyn Journal> {
        Arc::new(self.clone())
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(20)
    }
}

impl Journal for Wrong {
    fn claim(&self) -> Result<Claim, JournalError> {
        let mut first = self.first.lock().unwrap();
        if let (true, Some(first)) = (self.has(KeepsTheClaim), *first) {
            return Ok(first);
        }
        let claim = self.inner.claim()?;
        *first = Some(claim);
        Ok(Claim { crashed: claim.crashed && !self.has(ForgetsTheCrash), ..claim })
    }

    fn writer(&self, epoch: Epoch, shard: u16, listener: Listener) -> Result<Box<dyn Writer>, JournalError> {
        let inner = self.inner.writer(epoch, shard, listener.clone())?;
        Ok(Box::new(WrongWriter { journal: self.clone(), inner, listener }))
    }

    fn purge(&self, epoch: Epoch, purge: &Purge, limit: usize) -> Result<Purged, JournalError> {
        let newest = self.first.lock().unwrap().map_or(epoch, |claim| claim.epoch);
        match self.flaw {
            PurgesTooMuch => self.inner.purge(epoch, purge, limit + 1),
            PurgesUntold => self.inner.purge(epoch, &Purge { keeps_untold: false, ..*purge }, limit),
            PurgesForAnybody => self.inner.purge(newest, purge, limit),
            PurgesOneStatusFirst => {
                let completed = Purge { completed: purge.completed, ..Purge::default() };
                let purged = self.inner.purge(epoch, &completed, limit)?;
                if purged.executions.is_empty() { self.inner.purge(epoch, purge, limit) } else { Ok(purged) }
            }
            PurgesWithoutForgetting => {
                let copy = MemoryJournal::new();
                let epoch = copy.claim()?.epoch;
                copy.purge(epoch, purge, limit)
            }
            _ => self.inner.purge(epoch, purge, limit),
        }
    }

    fn release(&self, epoch: Epoch) -> Result<Released, JournalError> {
        self.inner.release(epoch)
    }
}

impl JournalReader for Wrong {
    fn history(&self, execution: ExecutionId) -> Result<Option<Vec<u8>>, JournalError> {
        if self.has(ForgetsWhatIsOpen) && self.forgotten.lock().unwrap().contains(&execution) {
            return Ok(None);
        }
        let mut history = self.inner.history(execution)?;
        if self.has(CutsHistories) {
            history.iter_mut().for_each(|facts| facts.truncate(facts.len() - 1));
        }
        Ok(history)
    }

    fn histories(&self, executions: &[ExecutionId], take: &mut dyn FnMut(ExecutionId, History)) {
        let mut all = Vec::new();
        self.inner.histories(executions, &mut |execution, history| all.push((execution, history)));
        match self.flaw {
            MixesHistories => {
                let ids: Vec<_> = all.iter().map(|(execution, _)| *execution).rev().collect();
                all.into_iter().zip(ids).for_each(|((_, history), execution)| take(execution, history));
            }
            CutsPages => all.into_iter().skip(1).for_each(|(execution, history)| take(execution, history)),
            _ => all.into_iter().for_each(|(execution, history)| take(execution, history)),
        }
    }

    fn definition(&self, hash: DefinitionHash) -> Result<Option<StoredDefinition>, JournalError> {
        Ok(self.inner.definition(hash)?.filter(|_| !self.has(LosesDefinitions)))
    }

    fn live(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<LiveExecution>, JournalError> {
        let mut live = self.inner.live(after, limit)?;
        if self.has(LosesThePageEnd) && live.len() == limit {
            live.pop();
        }
        Ok(live)
    }

    fn summary(&self, execution: ExecutionId) -> Result<Option<Summary>, JournalError> {
        let mut summary = self.inner.summary(execution)?;
        if let (true, Some(summary)) = (self.has(ForgetsTheEnd), &mut summary) {
            summary.status = ExecutionStatus::Running;
        }
        Ok(summary)
    }

    fn list(&self, filter: &Filter) -> Result<Vec<Summary>, JournalError> {
        let mut list = self.inner.list(filter)?;
        if self.has(ListsOldestFirst) {
            list.reverse();
        }
        Ok(list)
    }

    fn keyed(&self, idempotency_key: &str) -> Result<Option<ExecutionId>, JournalError> {
        if self.has(RemembersKeys) {
            let keys = self.keys.lock().unwrap();
            return Ok(keys.iter().find(|(key, _)| key == idempotency_key).map(|(_, execution)| *execution));
        }
        self.inner.keyed(idempotency_key)
    }

    fn first_end(&self, status: Terminal) -> Result<Option<Time>, JournalError> {
        self.inner.first_end(status)
    }

    fn untold(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<ExecutionId>, JournalError> {
        match self.flaw {
            NeverHasToTell => Ok(Vec::new()),
            TellsPagesAgain => self.inner.untold(None, limit),
            _ => self.inner.untold(after, limit),
        }
    }

    fn health(&self) -> Result<(), JournalError> {
        self.inner.health()
    }
}

struct WrongWriter {
    journal: Wrong,
    inner: Box<dyn Writer>,
    listener: Listener,
}

impl WrongWriter {
    fn tell(&self, appended: Appended) -> Appended {
        let Appended { position: Position(position), durable } = appended;
        match self.journal.flaw {
            TellsAhead => {
                self.listener.tell(Ok(Position(position + 1)));
                Appended { durable: false, ..appended }
            }
            NeverTells => Appended { durable: false, ..appended },
            SkipsPositions => Appended { position: Position(position * 2), durable },
            _ => appended,
        }
    }
}

impl Writer for WrongWriter {
    fn append(&mut self, append: Append<'_>) -> Result<Appended, JournalError> {
        if let Some(key) = append.begins.and_then(|begins| begins.idempotency_key) {
            self.journal.keys.lock().unwrap().push((key.to_owned(), append.execution));
        }
        match self.inner.append(append) {
            Err(JournalError::Gap { .. }) if self.journal.has(TakesGaps) => self.inner.forget(&[]),
            appended => appended.map(|appended| self.tell(appended)),
        }
    }

    fn quarantine(
        &mut self,
        execution: ExecutionId,
        quarantine: Option<&Quarantine>,
    ) -> Result<Appended, JournalError> {
        let quarantine = quarantine.filter(|_| !self.journal.has(IgnoresQuarantine));
        self.inner.quarantine(execution, quarantine)
    }

    fn write_off(
        &mut self,
        execution: ExecutionId,
        at: Time,
        error: &str,
        to_tell: bool,
    ) -> Result<Appended, JournalError> {
        if self.journal.has(IgnoresWriteOffs) {
            return self.inner.forget(&[]);
        }
        self.inner.write_off(execution, at, error, to_tell)
    }

    fn told(&mut self, executions: &[ExecutionId]) -> Result<Appended, JournalError> {
        self.inner.told(if self.journal.has(ToldForEver) { &[] } else { executions })
    }

    fn forget(&mut self, executions: &[ExecutionId]) -> Result<Appended, JournalError> {
        self.journal.forgotten.lock().unwrap().extend_from_slice(executions);
        self.inner.forget(executions)
    }
}

#[test]
fn there_are_at_least_260_cases() {
    assert!(CASES.len() >= 260, "there are {}", CASES.len());
}

#[test]
fn every_flaw_is_found_by_the_cases_that_are_about_it() {
    let bites = |flaw: Flaw, group: &str| {
        let mut cases = CASES.iter().filter(|case| case.group == group);
        cases.any(|case| catch_unwind(AssertUnwindSafe(|| case.run(&Wrong::new(flaw)))).is_err())
    };
    let missed: Vec<_> = FLAWS.iter().filter(|(flaw, group)| !bites(*flaw, group)).collect();
    assert_eq!(missed, Vec::<&(Flaw, &str)>::new(), "these are taken for journals");
}
