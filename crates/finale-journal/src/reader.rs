//! The way out: what is kept of executions.

use std::fmt;
use std::time::Duration;

use finale_core::fact::Terminal;
use finale_core::{DefinitionHash, ExecutionId, Time};

use crate::{Filter, JournalError, LiveExecution, StoredDefinition, Summary};

/// Reads what is kept of executions, from whatever thread.
///
/// Reading goes on when writing has failed. Only [`history`](Self::history) shows what is not durable yet.
pub trait JournalReader: fmt::Debug + Send + Sync + 'static {
    /// All facts of one execution, encoded, in the order of their numbers; none if it is unknown or forgotten.
    ///
    /// Facts that were appended and are not durable yet are among them: an execution whose actor died is rebuilt from here.
    ///
    /// # Errors
    /// [`JournalError::Damaged`] when what is kept is not what was written.
    fn history(&self, execution: ExecutionId) -> Result<Option<Vec<u8>>, JournalError>;

    /// The histories of several executions, in their order: `take` gets each with what [`history`](Self::history) gives.
    ///
    /// They are of one moment at least as late as the call. A journal on a disk reads many at once for much less than one by
    /// one; by default each is read by itself.
    fn histories(&self, executions: &[ExecutionId], take: &mut dyn FnMut(ExecutionId, History)) {
        for execution in executions {
            take(*execution, self.history(*execution));
        }
    }

    /// A definition that was kept with an execution.
    fn definition(&self, hash: DefinitionHash) -> Result<Option<StoredDefinition>, JournalError>;

    /// The executions that have not ended, in ascending order of their ids, beginning after `after`; at most `limit`.
    fn live(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<LiveExecution>, JournalError>;

    /// What is to be known of one execution; none if it is unknown or forgotten.
    fn summary(&self, execution: ExecutionId) -> Result<Option<Summary>, JournalError>;

    /// The executions that a filter takes, newest first.
    fn list(&self, filter: &Filter) -> Result<Vec<Summary>, JournalError>;

    /// The execution that was activated with this idempotency key.
    fn keyed(&self, idempotency_key: &str) -> Result<Option<ExecutionId>, JournalError>;

    /// When the first of those that ended so ended; none if there is none. From that follows when the next one expires.
    fn first_end(&self, status: Terminal) -> Result<Option<Time>, JournalError>;

    /// The executions of whose ends somebody has [still to be told](crate::Ends::to_tell), in ascending order of their ids,
    /// beginning after `after`; at most `limit`.
    fn untold(&self, after: Option<ExecutionId>, limit: usize) -> Result<Vec<ExecutionId>, JournalError>;

    /// Whether writing goes on, and reading has found nothing that concerns more than one execution.
    ///
    /// # Errors
    /// What writing failed with. [`JournalError::Unreadable`] if a read has found the storage itself damaged: writing may
    /// go on then, and somebody must look.
    fn health(&self) -> Result<(), JournalError>;

    /// Whether a read may take as long as a disk does, or longer; default true.
    ///
    /// A runtime reads such a journal away from the threads that run executions. What keeps everything in memory says false
    /// and is read in place.
    fn reads_block(&self) -> bool {
        true
    }

    /// What writing waits for, if it has waited for a noticeable time; it goes on by itself when that is over.
    fn waiting(&self) -> Option<Waiting> {
        None
    }
}

/// What [`JournalReader::history`] gives of one execution.
pub type History = Result<Option<Vec<u8>>, JournalError>;

/// What a journal waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// In words.
    pub what: &'static str,
    /// For how long already.
    pub waited: Duration,
}
