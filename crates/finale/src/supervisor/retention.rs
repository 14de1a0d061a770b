//! Forgets what ended long ago, a bounded number at a time.

use std::rc::Rc;
use std::sync::Arc;

use actix::{Handler, Message};
use finale_core::ExecutionId;
use finale_core::fact::Terminal;
use finale_journal::{Expired, JournalError};
use tokio::time::Instant;

use super::Supervisor;
use crate::options::Keep;
use crate::shard::{Note, Shard};
use crate::telemetry::TARGET;

/// Executions forgotten in one write, so that the journal does not stop for them.
const FORGOTTEN_MAX: usize = 256;

/// What the purge of ended executions is at.
pub(super) struct Purge {
    next: Instant,
    /// Whether a write is under way that forgets some.
    under_way: bool,
}

/// These executions are forgotten, durably: nothing is to be kept of them in memory either.
#[derive(Clone, Message)]
#[rtype(result = "()")]
pub(crate) struct Forgotten(Arc<[ExecutionId]>);

impl Default for Purge {
    fn default() -> Self {
        Self { next: Instant::now(), under_way: false }
    }
}

impl Supervisor {
    /// Looks whether there is something to forget; one shard does it for all.
    pub(super) fn purge_if_due(&mut self) {
        if self.shard.index > 0 || self.purge.under_way || Instant::now() < self.purge.next {
            return;
        }
        self.purge.next = Instant::now() + self.shard.options.retention.interval;
        self.purge();
    }

    fn purge(&mut self) {
        match self.expired() {
            Ok(expired) if expired.is_empty() => {}
            Ok(expired) => self.forget(expired),
            Err(error) => {
                tracing::warn!(target: TARGET, %error, "what ended long ago could not be looked for");
            }
        }
    }

    fn expired(&self) -> Result<Vec<ExecutionId>, JournalError> {
        let now = self.shard.clock.now();
        let retention = &self.shard.options.retention;
        let kept = [
            (Terminal::Completed, &retention.completed),
            (Terminal::Failed, &retention.failed),
            (Terminal::Cancelled, &retention.cancelled),
        ];
        for (status, Keep { age, count }) in kept {
            let expired = Expired { status, ended_before: age.map(|age| now.before(age)), all_but: *count };
            if expired.ended_before.is_none() && expired.all_but.is_none() {
                continue;
            }
            let found = self.shard.journal.expired(&expired, FORGOTTEN_MAX)?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    fn forget(&mut self, executions: Vec<ExecutionId>) {
        self.purge.under_way = true;
        let executions: Arc<[_]> = executions.into();
        let forgotten = Forgotten(Arc::clone(&executions));
        let then = move |shard: &Rc<Shard>, durable: Result<(), &JournalError>| {
            // After a failure nothing is written any more, this included.
            if durable.is_ok() {
                shard.note(Note::Forgotten(forgotten));
            }
        };
        self.shard.write(|writer| writer.forget(&executions), Box::new(then));
    }

    /// Some are gone: all shards hear of it, and there may be more.
    pub(super) fn forgotten(&mut self, forgotten: &Forgotten) {
        for shard in self.everyone.get().into_iter().flatten() {
            shard.do_send(forgotten.clone());
        }
        self.purge.under_way = false;
        self.purge();
    }
}

impl Handler<Forgotten> for Supervisor {
    type Result = ();

    fn handle(&mut self, Forgotten(executions): Forgotten, _context: &mut Self::Context) {
        for execution in executions.iter() {
            if let Some(key) = self.archive.remove(*execution) {
                self.keys.forget(&key, *execution);
            }
        }
    }
}
