//! Tasks that are done outside: listed, and reported on by id.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::rc::Rc;

use actix::{Handler, Message};
use finale_core::execution::{Input, Report};
use finale_core::{AttemptNo, Dispatch, ExecutionId, Payload, TaskId, Time, WorkKey};
use serde::Serialize;

use super::TaskEngine;
use crate::faults::Faults;
use crate::shard::{Live, Mail, Reply};

/// A task that waits for somebody outside; from [`Runtime::open_tasks`](crate::Runtime::open_tasks).
///
/// It is answered by its id: with [`complete_task`](crate::Runtime::complete_task),
/// [`fail_task`](crate::Runtime::fail_task) or [`cancel_task`](crate::Runtime::cancel_task).
///
/// ```
/// # use finale::prelude::*;
/// use finale::{OpenTask, TaskId};
///
/// # #[actix::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
/// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
/// # let execution = runtime.activate(&article, ()).await?;
/// let open = runtime.open_tasks(None, 100).await?;
/// let OpenTask { id, workflow, node, attempt, .. } = &open.tasks[0];
/// assert_eq!((workflow.as_str(), node.as_str(), *attempt), ("article", "approve", 1));
///
/// // The id goes out as a text, with a mail for instance, and comes back as one.
/// let answered: TaskId = id.to_string().parse()?;
/// runtime.complete_task(answered, ()).await?;
/// assert!(runtime.open_tasks(None, 100).await?.tasks.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OpenTask {
    /// What it is reported on by. It is the same over attempts and restarts.
    pub id: TaskId,
    /// Id of its workflow.
    pub workflow: String,
    /// Id of its node.
    pub node: String,
    /// What is to be done, for people.
    pub title: String,
    /// Who is asked, if somebody is named. Nobody checks who answers.
    pub assignee: Option<String>,
    /// Which attempt, counted from 1.
    pub attempt: u16,
    /// Since when it waits, also if that was before a restart.
    pub since: Time,
    /// The input of the task.
    pub input: Payload,
}

/// One page of open tasks, in ascending order of their ids.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TaskPage {
    /// The tasks.
    pub tasks: Vec<OpenTask>,
    /// What the next page begins after; none if this is the last one. See
    /// [`Runtime::open_tasks`](crate::Runtime::open_tasks).
    pub next: Option<TaskId>,
}

/// The open tasks of one shard.
#[derive(Default)]
pub(super) struct Offers(BTreeMap<TaskId, Offer>);

struct Offer {
    live: Rc<Live>,
    attempt: AttemptNo,
    since: Time,
    input: Payload,
    /// What was reported and is not recorded yet: it can be delivered again if it was lost.
    reported: Option<Report>,
}

impl Offers {
    pub(super) fn is_open(&self, execution: ExecutionId, key: WorkKey) -> bool {
        self.0.contains_key(&TaskId { execution, key })
    }

    pub(super) fn withdraw(&mut self, execution: ExecutionId, key: WorkKey) {
        self.0.remove(&TaskId { execution, key });
    }

    fn page(&self, after: Option<TaskId>, execution: Option<ExecutionId>, limit: usize) -> Vec<OpenTask> {
        let first = execution.map(|execution| TaskId { execution, key: WorkKey::default() });
        let from = after.map(Excluded).or(first.map(Included)).unwrap_or(Unbounded);
        let wanted = |(id, _): &(&TaskId, &Offer)| execution.is_none_or(|execution| id.execution == execution);
        self.0.range((from, Unbounded)).take_while(wanted).take(limit).map(|(id, offer)| offer.open_task(*id)).collect()
    }
}

impl Offer {
    fn open_task(&self, id: TaskId) -> OpenTask {
        let compiled = &self.live.bound.compiled;
        let node = id.key.node;
        OpenTask {
            id,
            workflow: compiled.definition().id.clone(),
            node: compiled.node(node).id.clone(),
            title: compiled.title(node).to_owned(),
            assignee: compiled.assignee(node).map(str::to_owned),
            attempt: self.attempt.get(),
            since: self.since,
            input: self.input.clone(),
        }
    }
}

impl TaskEngine {
    /// Opens a task to the outside; a report that came before is delivered at once.
    pub(super) fn offer(&mut self, live: &Rc<Live>, dispatch: Dispatch, input: Payload) {
        let Dispatch { key, attempt, .. } = dispatch;
        // It has waited since it was asked for, also if that was before a restart.
        let since = live.read(|execution| execution.since(key)).unwrap_or_else(|| self.shard.clock.now());
        let offer = Offer { live: Rc::clone(live), attempt, since, input, reported: None };
        self.offers.0.insert(TaskId { execution: live.id, key }, offer);
        self.shard.take_early(live, |early| early == key).into_iter().for_each(|(report, reply)| {
            self.report(live, report, Some(reply));
        });
    }

    /// Hands a report to its execution.
    pub(super) fn report(&mut self, live: &Rc<Live>, report: Report, reply: Option<Reply>) {
        if let Some(offer) = self.offers.0.get_mut(&TaskId { execution: live.id, key: report.key }) {
            offer.reported = Some(report.clone());
        }
        if let Some(faults) = &self.shard.faults
            && Faults::strike(&faults.lose_outcomes)
        {
            return;
        }
        self.shard.deliver(live, Mail::Tell(Input::Reported(report), reply));
    }

    /// Delivers a report again that was taken here and never recorded.
    pub(super) fn report_again(&mut self, live: &Rc<Live>, key: WorkKey) {
        let offer = self.offers.0.get(&TaskId { execution: live.id, key });
        if let Some(report) = offer.and_then(|offer| offer.reported.clone()) {
            self.shard.deliver(live, Mail::Tell(Input::Reported(report), None));
        }
    }
}

/// Lists open tasks.
#[derive(Message)]
#[rtype(result = "Vec<OpenTask>")]
pub(crate) struct ListTasks {
    pub(crate) after: Option<TaskId>,
    pub(crate) execution: Option<ExecutionId>,
    pub(crate) limit: usize,
}

impl Handler<ListTasks> for TaskEngine {
    type Result = Vec<OpenTask>;

    fn handle(&mut self, list: ListTasks, _context: &mut Self::Context) -> Self::Result {
        if let Some(live) = list.execution.and_then(|execution| self.shard.find(execution)) {
            // After a restart its tasks may not be open yet.
            self.reconcile(&live);
        }
        self.offers.page(list.after, list.execution, list.limit)
    }
}
