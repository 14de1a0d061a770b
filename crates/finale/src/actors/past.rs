//! What the journal says about executions, found away from the threads that run them.

use std::sync::Arc;
use std::time::Duration;

use finale_core::fact::{Fact, Facts, Terminal};
use finale_core::record::{Counts, DecidedBy, End, ExecutionError};
use finale_core::supervisor::{Criterion, Expired, KeyOwner, ReadWhat, crashes_of, shard_of};
use finale_core::{DefinitionHash, Epoch, Execution, ExecutionId, ExecutionStatus, Outcome, Payload, Time};
use finale_journal::{Journal, Purge, Summary};
use rustc_hash::FxHashMap;

use super::directory::Directory;
use super::reading;
use super::requests::{Look, NotSeen};
use super::way_in::{Peers, ToShard};
use crate::activation::ActivateError;
use crate::completion::Completion;
use crate::ended::Ended;
use crate::errors::CommandError;
use crate::fence::fenced;
use crate::offline::{self, ReadError, check_rules};
use crate::oneshot;
use crate::stored::began_with;
use crate::workflow::Workflow;

/// What is said when the thread that looked for something is gone.
pub(crate) const GONE: &str = "the thread that read the journal is gone";

/// The unit of times in a journal.
const TICK: Duration = Duration::from_micros(1);

/// What was found; errors are in words.
pub(crate) enum Found {
    History(Result<Option<Restored>, Box<str>>),
    Key(Result<Option<KeyOwner>, Box<str>>),
    Status(Result<Option<ExecutionStatus>, Box<str>>),
    Expired(Result<Expired, Box<str>>),
    Untold(Result<Vec<ExecutionId>, Box<str>>),
}

/// An execution, folded from its history.
pub(crate) struct Restored {
    pub(crate) workflow: Workflow,
    pub(crate) state: Box<Execution>,
    pub(crate) crashes: Vec<Time>,
    pub(crate) outcome: Option<Arc<Outcome>>,
}

/// Finds the histories of several executions, in their order.
pub(crate) fn find_histories(
    journal: &dyn Journal,
    executions: &[ExecutionId],
) -> Vec<Result<Option<Restored>, Box<str>>> {
    let (mut found, mut workflows) = (Vec::with_capacity(executions.len()), Workflows::default());
    let read = fenced(|| {
        journal.histories(executions, &mut |execution, history| {
            found.push(careful(|| {
                let Some(history) = history.map_err(words)? else { return Ok(None) };
                restore(journal, &mut workflows, execution, &history).map(Some)
            }));
        });
    });
    // Of those that it has not come to, nothing is known.
    let why = read.err().map_or_else(|| "it was not read".into(), words);
    found.resize_with(executions.len(), || Err(why.clone()));
    found
}

/// Finds something in the journal. What has rotted in a way that nobody noticed must not bring down who reads it.
pub(crate) fn find(journal: &dyn Journal, epoch: Epoch, what: ReadWhat) -> Found {
    match what {
        ReadWhat::History(execution) => {
            let found = find_histories(journal, &[execution]).pop();
            Found::History(found.unwrap_or_else(|| Err("it was not read".into())))
        }
        ReadWhat::Key(key) => Found::Key(careful(|| key_owner(journal, &key))),
        ReadWhat::Status(execution) => {
            Found::Status(careful(|| Ok(journal.summary(execution).map_err(words)?.map(|summary| summary.status))))
        }
        ReadWhat::Expired { criteria, now, limit, keeps_untold } => {
            let purge = Purge { keeps_untold, ..purge(&criteria, now) };
            Found::Expired(careful(|| expired(journal, epoch, &criteria, &purge, limit)))
        }
        ReadWhat::Untold { after, limit } => Found::Untold(careful(|| journal.untold(after, limit).map_err(words))),
    }
}

impl Found {
    /// What is found when the thread that looked for it is gone.
    pub(crate) fn nothing(what: &ReadWhat) -> Self {
        let gone = || GONE.into();
        match what {
            ReadWhat::History(_) => Self::History(Err(gone())),
            ReadWhat::Key(_) => Self::Key(Err(gone())),
            ReadWhat::Status(_) => Self::Status(Err(gone())),
            ReadWhat::Expired { .. } => Self::Expired(Err(gone())),
            ReadWhat::Untold { .. } => Self::Untold(Err(gone())),
        }
    }
}

fn careful<T>(find: impl FnOnce() -> Result<T, Box<str>>) -> Result<T, Box<str>> {
    fenced(find).unwrap_or_else(|panicked| Err(panicked.to_string().into()))
}

fn words(error: impl std::fmt::Display) -> Box<str> {
    error.to_string().into()
}

/// The workflows that were read for some executions: most run what others run.
#[derive(Default)]
struct Workflows(FxHashMap<DefinitionHash, Result<Workflow, Box<str>>>);

impl Workflows {
    fn get(&mut self, journal: &dyn Journal, hash: DefinitionHash) -> Result<Workflow, Box<str>> {
        let read = || {
            let stored = journal.definition(hash).map_err(words)?;
            let stored = stored.ok_or_else(|| words(format!("its definition ({hash}) is not kept any more")))?;
            Workflow::restore(&stored).map_err(words)
        };
        self.0.entry(hash).or_insert_with(read).clone()
    }
}

fn restore(
    journal: &dyn Journal,
    workflows: &mut Workflows,
    execution: ExecutionId,
    history: &[u8],
) -> Result<Restored, Box<str>> {
    let workflow = workflows.get(journal, began_with(history).map_err(words)?)?;
    let state = Execution::fold(execution, workflow.compiled(), history).map_err(words)?;
    check_rules(&state).map_err(words)?;
    let outcome = state.end_outcome(workflow.compiled()).map(Arc::new);
    // One that was never recovered had no crash.
    let crashes = if state.epoch() == Epoch::default() { Vec::new() } else { crashes_of(history) };
    Ok(Restored { workflow, state: Box::new(state), crashes, outcome })
}

fn key_owner(journal: &dyn Journal, key: &str) -> Result<Option<KeyOwner>, Box<str>> {
    let Some(execution) = journal.keyed(key).map_err(words)? else { return Ok(None) };
    let Some(summary) = journal.summary(execution).map_err(words)? else { return Ok(None) };
    let Some(history) = journal.history(execution).map_err(words)? else { return Ok(None) };
    let first = Facts::new(&history).next().ok_or("its history is empty")?.map_err(words)?;
    let Fact::Activated(activation) = first.fact else {
        return Err("its history does not begin with an activation".into());
    };
    Ok(Some(KeyOwner { execution, workflow: summary.workflow.id.into(), input: activation.input }))
}

/// What need not be kept any more.
fn purge(criteria: &[Criterion], now: Time) -> Purge {
    let mut purge = Purge::default();
    for Criterion { status, age, all_but } in criteria {
        let expired = finale_journal::Expired { ended_before: age.map(|age| now.before(age)), all_but: *all_but };
        match status {
            Terminal::Completed => purge.completed = expired,
            Terminal::Failed => purge.failed = expired,
            Terminal::Cancelled => purge.cancelled = expired,
        }
    }
    purge
}

/// Has the journal forget what has expired; whoever ended differently takes turns there.
fn expired(
    journal: &dyn Journal,
    epoch: Epoch,
    criteria: &[Criterion],
    purge: &Purge,
    limit: usize,
) -> Result<Expired, Box<str>> {
    let purged = journal.purge(epoch, purge, limit).map_err(words)?;
    let next = if purged.executions.is_empty() { next_expiry(journal, criteria)? } else { None };
    Ok(Expired { executions: purged.executions, next })
}

/// When the next execution expires by its age, if nothing else ends before.
fn next_expiry(journal: &dyn Journal, criteria: &[Criterion]) -> Result<Option<Time>, Box<str>> {
    let mut next: Option<Time> = None;
    for Criterion { status, age, .. } in criteria {
        let Some(age) = age else { continue };
        // Strictly older than that age is expired.
        let expires = journal.first_end(*status).map_err(words)?.map(|ended| ended.after(age.saturating_add(TICK)));
        next = next.into_iter().chain(expires).min();
    }
    Ok(next)
}

/// How an execution ended, for those who are told of it; none if it is forgotten.
pub(crate) fn find_end(journal: &dyn Journal, execution: ExecutionId) -> Result<Option<Ended>, Box<str>> {
    careful(|| {
        let (outcome, damage) = match offline::outcome(journal, execution) {
            Ok(Some(outcome)) => (Some(outcome), None),
            Ok(None) => return Err("it has not ended".into()),
            Err(ReadError::NotFound(_)) => return Ok(None),
            // It will never be read, and whoever is told can do something about it.
            Err(ReadError::Unreadable { problem, .. }) => (None, Some(problem)),
            Err(error) => return Err(words(error)),
        };
        let Some(summary) = journal.summary(execution).map_err(words)? else { return Ok(None) };
        let outcome = outcome.or_else(|| unread(&summary)).ok_or("its summary does not say how it ended")?;
        let Summary { workflow, business_key, .. } = summary;
        Ok(Some(Ended { execution, workflow, business_key, outcome: Arc::new(outcome), damage }))
    })
}

/// How an execution ended whose history cannot be read, as far as its summary says so.
fn unread(summary: &Summary) -> Option<Outcome> {
    let unknown = String::new;
    let (decided_by, end) = match summary.status {
        ExecutionStatus::Completed => (DecidedBy::AllSettled, End::Completed { output: Payload::default() }),
        ExecutionStatus::Cancelled => (DecidedBy::Cancelled { by: unknown() }, End::Cancelled { by: unknown() }),
        ExecutionStatus::Failed => {
            let error = ExecutionError::new(summary.error.as_deref().unwrap_or_default(), Vec::new())?;
            (DecidedBy::Operator { by: unknown() }, End::Failed { error })
        }
        _ => return None,
    };
    Some(Outcome {
        completed_at: summary.completed_at?,
        decided_by,
        counts: Counts::default(),
        ending_failures: Vec::new(),
        ending_failures_more: 0,
        end,
    })
}

/// What the journal says about an execution that its shard does not have.
pub(crate) enum Past {
    /// It has ended; this is what its handles wait on.
    Ended(Arc<Completion>),
    /// It has not ended.
    Open,
    /// There is no such execution, or not any more.
    Unknown,
}

/// Whether an execution has ended: from what is kept, else from the journal.
pub(crate) async fn ended(
    journal: &Arc<dyn Journal>,
    directory: &Directory,
    execution: ExecutionId,
) -> Result<Past, CommandError> {
    if let Some(known) = directory.get(execution) {
        return Ok(Past::Ended(known));
    }
    let outcome = reading::read(journal, move |journal| offline::outcome(journal, execution)).await;
    let outcome = match outcome.ok_or(CommandError::Stopped)? {
        Ok(Some(outcome)) => outcome,
        Ok(None) => return Ok(Past::Open),
        Err(ReadError::NotFound(_)) => return Ok(Past::Unknown),
        Err(ReadError::Journal(error)) => return Err(error.into()),
        Err(error) => return Err(CommandError::Invalid(error.to_string())),
    };
    let completion = Arc::<Completion>::default();
    completion.end(execution, Arc::new(outcome));
    Ok(Past::Ended(directory.keep_ended(execution, completion)))
}

/// What those wait on whose activation repeats an execution that its shard has, or has had; none if it is forgotten.
pub(crate) async fn repeated(
    journal: &Arc<dyn Journal>,
    directory: &Directory,
    peers: &Peers,
    shards: u16,
    execution: ExecutionId,
) -> Result<Option<Arc<Completion>>, ActivateError> {
    match ended(journal, directory, execution).await {
        Ok(Past::Open) => {}
        ended => return has_ended(ended),
    }
    // It may have ended since the journal was read: its shard knows that, and what its handles wait on.
    let (answer, answered) = oneshot::channel();
    let look = ToShard::Look { execution, look: Look::Completion(answer) };
    peers.put(shard_of(execution, shards).0, look).map_err(|_| ActivateError::Stopped)?;
    match answered.await {
        Ok(Ok(open)) => Ok(Some(open)),
        Ok(Err(NotSeen::InJournal)) => has_ended(ended(journal, directory, execution).await),
        Ok(Err(NotSeen::NotDurable(error))) => Err(error.into()),
        Ok(Err(NotSeen::Failed(error))) => has_ended(Err(error)),
        Err(_) => Err(ActivateError::Stopped),
    }
}

fn has_ended(ended: Result<Past, CommandError>) -> Result<Option<Arc<Completion>>, ActivateError> {
    match ended {
        Ok(Past::Ended(ended)) => Ok(Some(ended)),
        Ok(Past::Open | Past::Unknown) => Ok(None),
        Err(CommandError::Journal(error)) => Err(error.into()),
        Err(CommandError::Stopped) => Err(ActivateError::Stopped),
        Err(error) => Err(ActivateError::NotBegun { reason: error.to_string() }),
    }
}
