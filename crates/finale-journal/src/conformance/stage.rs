//! Where a case plays: a journal of a fixture, and what is asked of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use finale_core::fact::Terminal;
use finale_core::{DefinitionHash, ExecutionId, ExecutionStatus, Time};

use super::pen::Pen;
use super::recorder::Recorder;
use super::subject::Step;
use super::{Fixture, Skipped};
use crate::{
    Claim, Epoch, Filter, Journal, JournalError, JournalReader, LiveExecution, Purge, Purged, StoredDefinition, Summary,
};

/// A journal that begins empty.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    fixture: &'a dyn Fixture,
    /// None only while it is opened again.
    journal: Option<Arc<dyn Journal>>,
    /// The newest claim.
    epoch: AtomicU32,
}

impl<'a> Stage<'a> {
    pub(super) fn new(fixture: &'a dyn Fixture) -> Self {
        Self { fixture, journal: Some(fixture.open()), epoch: AtomicU32::new(0) }
    }

    pub(super) fn journal(&self) -> &dyn Journal {
        self.journal.as_deref().expect("the journal is open while a case looks at it")
    }

    pub(super) fn claim(&self) -> Claim {
        let claim = self.journal().claim().expect("the journal can be claimed");
        self.epoch.store(claim.epoch.0, Ordering::Relaxed);
        claim
    }

    /// Claims the journal and opens the way in for the first shard.
    pub(super) fn pen(&self) -> Pen {
        self.pen_of(self.claim().epoch, 0)
    }

    pub(super) fn pen_of(&self, epoch: Epoch, shard: u16) -> Pen {
        self.pen_into(self.journal(), epoch, shard)
    }

    /// The way into another journal.
    pub(super) fn pen_on(&self, journal: &dyn Journal, epoch: Epoch) -> Pen {
        self.pen_into(journal, epoch, 0)
    }

    fn pen_into(&self, journal: &dyn Journal, epoch: Epoch, shard: u16) -> Pen {
        let recorder = Recorder::default();
        let writer = journal.writer(epoch, shard, recorder.listener()).expect("the newest claim may write");
        Pen::new(writer, recorder, self.fixture.patience())
    }

    /// Writes as the next owner, and waits until all of it is durable.
    pub(super) fn written<'s>(&self, steps: impl IntoIterator<Item = &'s Step>) -> Pen {
        let mut pen = self.pen();
        steps.into_iter().for_each(|step| {
            pen.append(step);
        });
        pen.settle();
        pen
    }

    /// The process ends in order and another begins. Everything written must be durable.
    pub(super) fn reopen(&mut self, pens: impl IntoIterator<Item = Pen>) -> Result<(), Skipped> {
        for pen in pens {
            pen.settle();
        }
        self.journal = None;
        self.journal = Some(self.fixture.reopen().ok_or(Skipped::NOTHING_KEPT)?);
        Ok(())
    }

    /// The process is killed and another begins.
    pub(super) fn crash(&mut self, pens: impl IntoIterator<Item = Pen>) -> Result<(), Skipped> {
        // The writers are dropped only afterwards: nobody tells them that the end has come.
        let crashed = self.fixture.crash();
        drop(pens.into_iter().collect::<Vec<_>>());
        self.journal = Some(crashed.ok_or(Skipped::NO_CRASH)?);
        Ok(())
    }

    /// Goes on with a copy of the journal; gives the original, which stays in use.
    pub(super) fn copy(&mut self) -> Result<Arc<dyn Journal>, Skipped> {
        let copy = self.fixture.copy().ok_or(Skipped::NO_COPY)?;
        self.journal.replace(copy).ok_or(Skipped::NO_COPY)
    }

    /// The process is killed, and what was acknowledged last goes missing. The journal is not open afterwards.
    pub(super) fn lose_tail(&mut self, pens: impl IntoIterator<Item = Pen>) -> Result<(), Skipped> {
        let lost = self.fixture.lose_tail();
        drop(pens.into_iter().collect::<Vec<_>>());
        self.journal = None;
        if lost { Ok(()) } else { Err(Skipped::NO_LOSS) }
    }

    /// Opens the journal after something went missing.
    pub(super) fn reopen_damaged(&mut self, accept_loss: bool) -> Result<(), JournalError> {
        let opened = self.fixture.open_damaged(accept_loss).expect("who can lose something can open what is left");
        self.journal = Some(opened?);
        Ok(())
    }

    pub(super) fn reader(&self, accept_loss: bool) -> Result<Result<Arc<dyn JournalReader>, JournalError>, Skipped> {
        self.fixture.reader(accept_loss).ok_or(Skipped::NO_READER)
    }

    pub(super) fn intruder(&self) -> Result<Arc<dyn Journal>, Skipped> {
        self.fixture.intruder().ok_or(Skipped::NO_INTRUDER)
    }

    pub(super) fn move_away(&self) -> Result<(), Skipped> {
        if self.fixture.move_away() { Ok(()) } else { Err(Skipped::NOT_MOVED) }
    }

    /// What was taken away is put back, and the journal opened again.
    pub(super) fn put_back(&mut self, pens: impl IntoIterator<Item = Pen>) -> Result<(), Skipped> {
        drop(pens.into_iter().collect::<Vec<_>>());
        self.journal = None;
        self.journal = Some(self.fixture.put_back().ok_or(Skipped::NOT_MOVED)?);
        Ok(())
    }

    /// The newest claim.
    pub(super) fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Relaxed))
    }

    pub(super) fn history(&self, execution: ExecutionId) -> Option<Vec<u8>> {
        self.journal().history(execution).expect("histories can be read")
    }

    /// Reads several at a time; each comes once, in its turn.
    pub(super) fn histories(&self, executions: &[ExecutionId]) -> Vec<Option<Vec<u8>>> {
        let mut found = Vec::new();
        self.journal().histories(executions, &mut |execution, history| {
            assert_eq!(Some(&execution), executions.get(found.len()), "each comes in its turn");
            found.push(history.expect("histories can be read"));
        });
        assert_eq!(found.len(), executions.len(), "each comes");
        found
    }

    pub(super) fn definition(&self, hash: DefinitionHash) -> Option<StoredDefinition> {
        self.journal().definition(hash).expect("definitions can be read")
    }

    pub(super) fn summary(&self, execution: ExecutionId) -> Option<Summary> {
        self.journal().summary(execution).expect("summaries can be read")
    }

    pub(super) fn status(&self, execution: ExecutionId) -> Option<ExecutionStatus> {
        self.summary(execution).map(|summary| summary.status)
    }

    pub(super) fn live(&self, after: Option<ExecutionId>, limit: usize) -> Vec<LiveExecution> {
        self.journal().live(after, limit).expect("live executions can be read")
    }

    pub(super) fn live_ids(&self) -> Vec<ExecutionId> {
        self.live(None, 100_000).into_iter().map(|live| live.id).collect()
    }

    pub(super) fn list(&self, filter: &Filter) -> Vec<Summary> {
        self.journal().list(filter).expect("lists can be read")
    }

    pub(super) fn list_ids(&self, filter: &Filter) -> Vec<ExecutionId> {
        self.list(filter).into_iter().map(|summary| summary.id).collect()
    }

    pub(super) fn keyed(&self, key: &str) -> Option<ExecutionId> {
        self.journal().keyed(key).expect("keys can be read")
    }

    pub(super) fn first_end(&self, status: Terminal) -> Option<Time> {
        self.journal().first_end(status).expect("ends can be read")
    }

    pub(super) fn untold(&self, after: Option<ExecutionId>, limit: usize) -> Vec<ExecutionId> {
        self.journal().untold(after, limit).expect("untold ends can be read")
    }

    /// Purges as the newest owner.
    pub(super) fn purge(&self, purge: &Purge, limit: usize) -> Purged {
        self.journal().purge(self.epoch(), purge, limit).expect("the newest claim may purge")
    }
}
