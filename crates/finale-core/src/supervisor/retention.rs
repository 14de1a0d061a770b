//! Asks for what ended long ago to be forgotten, a bounded number at a time.
//!
//! Nothing is looked for as long as nothing can be found: a shard queries when something that it has seen to its end may be too
//! old or one too many, and when the journal has said that something else will be. The first shard queries once at the start.

use std::sync::Arc;
use std::time::Duration;

use super::Supervisor;
use super::input::Expired;
use super::options::{Keep, Retention};
use super::outbox::{Criterion, Notice, Outbox, ReadWhat, WriteWhat};
use super::reads::Purpose;
use super::writes::AfterWrite;
use crate::fact::Terminal;
use crate::id::ExecutionId;
use crate::number::ShardNo;
use crate::status::ExecutionStatus;
use crate::time::Time;

/// Executions that the journal is asked to forget at a time: so few that a shard lets go of what it has of them in a moment.
const FORGOTTEN_MAX: usize = 256;

/// What the purge of ended executions is at.
#[derive(Debug)]
pub(super) struct Purge {
    retention: Retention,
    /// Whether those are kept that somebody has still to be told of.
    keeps_untold: bool,
    /// When there may be something to forget.
    pub(super) due: Option<Time>,
    /// When it was looked last.
    now: Time,
    /// Whether a look or a write is under way.
    under_way: bool,
}

impl Purge {
    pub(super) fn new(retention: Retention, keeps_untold: bool) -> Self {
        Self { retention, keeps_untold, due: None, now: Time::default(), under_way: false }
    }

    /// When it is to be looked next; none while it is being done.
    pub(super) fn wake_at(&self) -> Option<Time> {
        self.due.filter(|_| !self.under_way)
    }

    pub(super) fn what_to_read(&self) -> ReadWhat {
        let (criteria, keeps_untold) = (self.criteria(), self.keeps_untold);
        ReadWhat::Expired { criteria, now: self.now, limit: FORGOTTEN_MAX, keeps_untold }
    }

    fn criteria(&self) -> Vec<Criterion> {
        let Retention { completed, failed, cancelled, .. } = self.retention;
        let kept = [(Terminal::Completed, completed), (Terminal::Failed, failed), (Terminal::Cancelled, cancelled)];
        let criterion = |(status, Keep { age, count })| Criterion { status, age, all_but: count };
        kept.into_iter().map(criterion).filter(|kept| kept.age.is_some() || kept.all_but.is_some()).collect()
    }

    /// How long after its end an execution may have to be forgotten; none if never.
    fn delay(&self, status: ExecutionStatus) -> Option<Duration> {
        let keep = match status {
            ExecutionStatus::Completed => self.retention.completed,
            ExecutionStatus::Failed => self.retention.failed,
            ExecutionStatus::Cancelled => self.retention.cancelled,
            _ => return None,
        };
        match keep {
            Keep { count: Some(_), .. } => Some(self.retention.interval),
            Keep { age: Some(age), .. } => Some(age.max(self.retention.interval)),
            Keep { age: None, count: None } => None,
        }
    }

    fn due_at(&mut self, at: Time) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// What was under way is not heard of any more.
    pub(super) fn rebuild(&mut self, at: Time) {
        if std::mem::take(&mut self.under_way) {
            self.due_at(at);
        }
    }
}

impl Supervisor {
    pub(super) fn start_retention(&mut self, at: Time) {
        if self.options.shard == ShardNo(0) && !self.retention.criteria().is_empty() {
            self.retention.due_at(at);
        }
    }

    /// An execution has ended.
    pub(super) fn note_end(&mut self, at: Time, status: ExecutionStatus) {
        if let Some(delay) = self.retention.delay(status) {
            self.retention.due_at(at.after(delay));
        }
    }

    /// Of some that have ended everybody was told, durably: what was kept for that may be one too many. One that is too old
    /// is looked for anyway.
    pub(super) fn note_told(&mut self, at: Time) {
        if self.retention.keeps_untold && self.retention.criteria().iter().any(|kept| kept.all_but.is_some()) {
            self.retention.due_at(at.after(self.retention.retention.interval));
        }
    }

    /// Looks for what is to be forgotten, if there may be something.
    pub(super) fn purge_if_due(&mut self, at: Time) {
        let is_due = self.retention.wake_at().is_some_and(|due| due <= at);
        if is_due && self.refusal().is_none() {
            self.look_for_expired(at);
        }
    }

    fn look_for_expired(&mut self, at: Time) {
        (self.retention.due, self.retention.now, self.retention.under_way) = (None, at, true);
        self.reads.want(Purpose::Expired);
    }

    pub(super) fn expired(&mut self, at: Time, expired: Result<Expired, Box<str>>, out: &mut Outbox) {
        self.retention.under_way = false;
        let not_before = at.after(self.retention.retention.interval);
        match expired {
            _ if self.refusal().is_some() => {}
            Ok(Expired { executions, .. }) if !executions.is_empty() => {
                self.retention.under_way = true;
                let executions: Arc<[_]> = executions.into();
                let what = WriteWhat::Forget(Arc::clone(&executions));
                self.write(what, Some(AfterWrite::Forgotten(executions)), out);
            }
            Ok(Expired { next, .. }) => {
                if let Some(next) = next {
                    self.retention.due_at(next.max(not_before));
                }
            }
            Err(reason) => {
                out.notices.push(Notice::PurgeFailed(reason));
                self.retention.due_at(not_before);
            }
        }
    }

    /// Some are forgotten, durably; there may be more.
    pub(super) fn forgotten(&mut self, executions: Arc<[ExecutionId]>, out: &mut Outbox) {
        out.forgotten.push(executions);
        self.retention.under_way = false;
        if self.refusal().is_none() {
            self.look_for_expired(self.retention.now);
        }
    }
}
