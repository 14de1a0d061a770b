//! The actor that admits executions, publishes how they ended, and rebuilds those whose actor died.

mod admission;
mod ended;
mod keys;
mod query;
mod rebuild;
mod recovery;
mod report;
mod retention;
mod stop;
mod sweep;
mod unreadable;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use actix::fut::{ActorFutureExt, wrap_future};
use actix::{Actor, Addr, AsyncContext, Context, Handler, Message};
use finale_core::ExecutionId;
use finale_journal::{JournalError, Position};
use rustc_hash::FxHashMap;
use tokio::sync::oneshot;

use crate::activation::Request;
use crate::permits::Lease;
use crate::shard::{Note, Nudge, Shard};

pub(crate) use ended::written_off;
pub(crate) use keys::Keys;
pub(crate) use query::{Ask, List, Question};
pub(crate) use recovery::Recovery;
pub(crate) use report::ReportTask;
pub(crate) use stop::{Close, Leave, Left};
pub(crate) use unreadable::WrittenOff;

use ended::Archive;
use retention::Purging;
use unreadable::Unreadable;

/// Notes taken before other actors of the thread get their turn.
const NOTES_MAX: usize = 1_024;

/// The supervisors of all shards, once they are there.
pub(crate) type Everyone = Arc<OnceLock<Vec<Addr<Supervisor>>>>;

/// There is one per shard.
pub(crate) struct Supervisor {
    shard: Rc<Shard>,
    archive: Archive,
    /// Handed in and waiting for a place, oldest first.
    queue: VecDeque<Request>,
    /// One permit per open execution.
    open: Lease,
    keys: Arc<Keys>,
    recovery: Recovery,
    /// Executions that cannot be read.
    unreadable: BTreeMap<ExecutionId, Unreadable>,
    purging: Purging,
    /// Ids in the queue that were known before, and what was reported on their tasks meanwhile.
    expected: FxHashMap<ExecutionId, Vec<report::Early>>,
    /// The supervisors of all shards.
    everyone: Everyone,
    /// Where the sweep goes on.
    swept: Option<ExecutionId>,
    stopping: bool,
    /// Who waits for the end of the shard.
    leaving: Option<oneshot::Sender<Left>>,
}

impl Supervisor {
    pub(crate) fn new(shard: Rc<Shard>, open: Lease, keys: Arc<Keys>, recovery: Recovery, everyone: Everyone) -> Self {
        // Before anybody can ask how the runtime is doing.
        shard.vitals.recovering(recovery.left());
        Self {
            archive: Archive::new(shard.options.share(shard.options.limits.ended_executions_max)),
            shard,
            queue: VecDeque::new(),
            open,
            keys,
            recovery,
            unreadable: BTreeMap::new(),
            purging: Purging::default(),
            expected: FxHashMap::default(),
            everyone,
            swept: None,
            stopping: false,
            leaving: None,
        }
    }

    fn take_notes(&mut self) -> bool {
        for _ in 0..NOTES_MAX {
            match self.shard.next_note() {
                Some(Note::Ended(live)) => self.publish(&live),
                Some(Note::Died(live)) => self.rebuild(&live),
                Some(Note::Place) => {}
                Some(Note::WrittenOff(written_off)) => self.written_off(*written_off),
                Some(Note::JournalFailed) => self.fail_stop(),
                None => {
                    self.admit_waiting();
                    return true;
                }
            }
        }
        self.admit_waiting();
        false
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        // An actor that never had its turn is started when its thread ends, and then there is no clock any more.
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        context.run_interval(self.shard.options.sweep_interval, |supervisor, context| {
            supervisor.sweep();
            supervisor.recover(context);
        });
        self.recover(context);
    }
}

impl Handler<Nudge> for Supervisor {
    type Result = ();

    fn handle(&mut self, _nudge: Nudge, context: &mut Self::Context) {
        if !self.take_notes() {
            others_first(context, |_supervisor, context| context.notify(Nudge));
        }
        self.recover(context);
        self.leave_if_quiet(context);
    }
}

/// Goes on when the others of the thread had their turn. A mailbox is emptied before anything else gets its turn, so going
/// on is asked for from outside of it.
fn others_first(
    context: &mut Context<Supervisor>,
    go_on: impl FnOnce(&mut Supervisor, &mut Context<Supervisor>) + 'static,
) {
    let others = wrap_future::<_, Supervisor>(tokio::task::yield_now());
    context.spawn(others.map(|(), supervisor, context| go_on(supervisor, context)));
}

impl Handler<Request> for Supervisor {
    type Result = ();

    fn handle(&mut self, request: Request, _context: &mut Self::Context) {
        self.hand_in(request);
    }
}

impl Message for Request {
    type Result = ();
}

/// What the journal says about how far facts are durable.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Watermark(pub(crate) Result<Position, JournalError>);

impl Handler<Watermark> for Supervisor {
    type Result = ();

    fn handle(&mut self, Watermark(watermark): Watermark, context: &mut Self::Context) {
        match watermark {
            Ok(position) => self.shard.watermark(position),
            Err(error) => self.shard.journal_failed(&error),
        }
        self.recover(context);
        self.admit_waiting();
        self.leave_if_quiet(context);
    }
}
