//! Something written, kept until it is made durable.

use finale_core::fact::Terminal;
use finale_core::{ExecutionId, Time};

use crate::{Append, Appended, Begins, Ends, JournalError, Quarantine, Standing, StoredDefinition, Writer};

#[derive(Debug)]
pub(super) enum Write {
    Append(Box<Kept>),
    Quarantine(ExecutionId, Option<Quarantine>),
    End { execution: ExecutionId, at: Time, error: String, to_tell: bool },
    Told(Vec<ExecutionId>),
    Forget(Vec<ExecutionId>),
}

/// An append that owns what it is made of.
#[derive(Debug)]
pub(super) struct Kept {
    execution: ExecutionId,
    first_sequence: u64,
    count: u32,
    facts: Vec<u8>,
    begins: Option<Begun>,
    standing: Stood,
}

#[derive(Debug)]
struct Begun {
    definition: StoredDefinition,
    by: String,
    at: Time,
    idempotency_key: Option<String>,
    business_key: Option<String>,
}

#[derive(Debug)]
enum Stood {
    Running,
    Ending,
    Ended { status: Terminal, at: Time, error: Option<String>, to_tell: bool },
}

impl Write {
    pub(super) fn append(append: Append<'_>) -> Self {
        let Append { execution, first_sequence, count, facts, begins, standing } = append;
        let standing = match standing {
            Standing::Running => Stood::Running,
            Standing::Ending => Stood::Ending,
            Standing::Ended(Ends { status, at, error, to_tell }) => {
                Stood::Ended { status, at, error: error.map(str::to_owned), to_tell }
            }
        };
        let begins = begins.map(Begun::from);
        Self::Append(Box::new(Kept { execution, first_sequence, count, facts: facts.to_vec(), begins, standing }))
    }

    /// Writes it.
    pub(super) fn make(&self, writer: &mut dyn Writer) -> Result<Appended, JournalError> {
        match self {
            Self::Append(kept) => writer.append(kept.append()),
            Self::Quarantine(execution, quarantine) => writer.quarantine(*execution, quarantine.as_ref()),
            Self::End { execution, at, error, to_tell } => writer.write_off(*execution, *at, error, *to_tell),
            Self::Told(executions) => writer.told(executions),
            Self::Forget(executions) => writer.forget(executions),
        }
    }
}

impl Kept {
    fn append(&self) -> Append<'_> {
        let standing = match &self.standing {
            Stood::Running => Standing::Running,
            Stood::Ending => Standing::Ending,
            Stood::Ended { status, at, error, to_tell } => {
                Standing::Ended(Ends { status: *status, at: *at, error: error.as_deref(), to_tell: *to_tell })
            }
        };
        Append {
            execution: self.execution,
            first_sequence: self.first_sequence,
            count: self.count,
            facts: &self.facts,
            begins: self.begins.as_ref().map(Begun::begins),
            standing,
        }
    }
}

impl Begun {
    fn begins(&self) -> Begins<'_> {
        Begins {
            definition: &self.definition,
            by: &self.by,
            at: self.at,
            idempotency_key: self.idempotency_key.as_deref(),
            business_key: self.business_key.as_deref(),
        }
    }
}

impl From<Begins<'_>> for Begun {
    fn from(begins: Begins<'_>) -> Self {
        Self {
            definition: begins.definition.clone(),
            by: begins.by.to_owned(),
            at: begins.at,
            idempotency_key: begins.idempotency_key.map(str::to_owned),
            business_key: begins.business_key.map(str::to_owned),
        }
    }
}
