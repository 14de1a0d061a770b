//! Executions by their ids, and page by page.

use std::sync::Arc;

use finale_core::ExecutionId;
use finale_journal::{Filter, JournalError, Summary};
use serde::Serialize;

use super::Runtime;
use crate::actors::past::Past;
use crate::actors::requests::{Look, NotSeen};
use crate::actors::{past, reading};
use crate::completion::Completion;
use crate::errors::CommandError;
use crate::handle::ExecutionHandle;
use crate::observe;

/// One page of executions, newest first; from [`Runtime::executions`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Page {
    /// The executions.
    pub executions: Vec<Summary>,
    /// What the next page begins before: hand it to [`Filter::before`]. None if this is the last page.
    pub next: Option<ExecutionId>,
}

impl Runtime {
    /// The execution with that id, whether it has ended or not, also one from before a restart.
    ///
    /// # Errors
    /// When there is none, it is forgotten, or the runtime has stopped.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// use finale::CommandError;
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// # let id = runtime.activate(&article, ()).await?.id();
    /// let id: ExecutionId = id.to_string().parse()?; // as it comes with a request
    /// assert_eq!(runtime.execution(id).await?.status().await?, ExecutionStatus::Running);
    ///
    /// let unknown = runtime.new_execution_id();
    /// assert_eq!(runtime.execution(unknown).await.unwrap_err(), CommandError::NotFound);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn execution(&self, id: ExecutionId) -> Result<ExecutionHandle, CommandError> {
        let completion = match self.0.directory.get(id) {
            Some(known) => known,
            None => match self.look(id, Look::Completion).await {
                Ok(open) => open,
                Err(NotSeen::InJournal) => self.ended(id).await?,
                Err(NotSeen::Failed(CommandError::Journal(error))) => self.left(id, error).await?,
                Err(NotSeen::NotDurable(error)) => return Err(error.into()),
                Err(NotSeen::Failed(error)) => return Err(error),
            },
        };
        Ok(ExecutionHandle::new(self.clone(), id, completion))
    }

    /// An execution of which nobody will tell any more how it ends, because writing has failed.
    async fn left(&self, id: ExecutionId, failed: JournalError) -> Result<Arc<Completion>, CommandError> {
        match past::ended(&self.journal()?, &self.0.directory, id).await {
            Ok(Past::Ended(ended)) => Ok(ended),
            Ok(Past::Open) => {
                let completion = Arc::<Completion>::default();
                completion.acknowledge(id);
                completion.abandon();
                Ok(completion)
            }
            Ok(Past::Unknown) | Err(_) => Err(failed.into()),
        }
    }

    /// An execution that is not open any more, as the journal says.
    pub(super) async fn ended(&self, id: ExecutionId) -> Result<Arc<Completion>, CommandError> {
        match past::ended(&self.journal()?, &self.0.directory, id).await? {
            Past::Ended(ended) => Ok(ended),
            Past::Open | Past::Unknown => Err(CommandError::NotFound).inspect_err(|_| observe::not_found(id)),
        }
    }

    /// Executions, newest first, page by page: 100 of them unless [`Filter::limit`] says otherwise, 1,000 at most.
    ///
    /// What is listed is what the journal has, so an execution is listed as soon as its activation is durable.
    ///
    /// # Errors
    /// When the runtime has stopped, or the journal cannot be read.
    ///
    /// ```
    /// # use finale::prelude::*;
    /// use finale::Filter;
    ///
    /// # #[actix::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let runtime = Runtime::builder().shards(Shards::Current).start()?;
    /// # let article = Workflow::builder("article").task("approve", Task::external()).build()?;
    /// let first = runtime.activate(&article, 1).await?.id();
    /// let second = runtime.activate(&article, 2).await?.id();
    ///
    /// let filter = Filter::new().workflow("article").status(ExecutionStatus::Running).limit(1);
    /// let page = runtime.executions(filter.clone()).await?;
    /// assert_eq!((page.executions[0].id, page.next), (second, Some(second)));
    ///
    /// let page = runtime.executions(filter.before(second)).await?;
    /// assert_eq!((page.executions[0].id, page.next), (first, None));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn executions(&self, filter: Filter) -> Result<Page, CommandError> {
        let executions = self.list(filter.clone()).await?;
        let last = executions.last().filter(|_| executions.len() == filter.limited()).map(|summary| summary.id);
        let next = match last {
            // Looked for, so that nobody turns to a page that is empty.
            Some(last) if !self.list(filter.before(last).limit(1)).await?.is_empty() => Some(last),
            _ => None,
        };
        Ok(Page { executions, next })
    }

    async fn list(&self, filter: Filter) -> Result<Vec<Summary>, CommandError> {
        if self.has_stopped() {
            return Err(CommandError::Stopped);
        }
        let listed = reading::read(&self.journal()?, move |journal| journal.list(&filter)).await;
        Ok(listed.ok_or(CommandError::Stopped)??)
    }
}
