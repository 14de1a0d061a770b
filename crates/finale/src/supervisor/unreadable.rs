//! Executions whose history or definition cannot be read: they stay in sight until somebody decides.

use std::sync::Arc;

use finale_core::execution::{Command, Why};
use finale_core::record::{Counts, DecidedBy, End, ExecutionError, Outcome};
use finale_core::{ExecutionId, ExecutionStatus, Time};
use tokio::sync::oneshot;

use super::Supervisor;
use super::query::{Question, give};
use crate::completion::Completion;
use crate::errors::CommandError;
use crate::shard::Note;

/// What is known of an execution that cannot be read.
pub(super) struct Unreadable {
    reason: String,
    completion: Arc<Completion>,
}

impl Drop for Unreadable {
    fn drop(&mut self) {
        self.completion.abandon();
    }
}

/// Says that an execution was written off, durably.
pub(crate) struct WrittenOff {
    execution: ExecutionId,
    by: Box<str>,
    reason: Box<str>,
    at: Time,
    answer: oneshot::Sender<Result<(), CommandError>>,
}

impl Unreadable {
    pub(super) fn new(execution: ExecutionId, reason: String) -> Self {
        let completion = Arc::<Completion>::default();
        completion.acknowledge(execution);
        Self { reason, completion }
    }

    /// What those wait on who hold it: they go on waiting when it can be read again.
    pub(super) fn hand_over(&mut self) -> Arc<Completion> {
        std::mem::take(&mut self.completion)
    }

    /// Nobody can decide about it any more.
    pub(super) fn abandon(&self) {
        self.completion.abandon();
    }
}

impl Supervisor {
    pub(super) fn ask_unreadable(&mut self, execution: ExecutionId, question: Question) {
        let Some(unreadable) = self.unreadable.get(&execution) else {
            return question.refuse(&CommandError::NotFound);
        };
        match question {
            Question::Completion(answer) => give(answer, Ok(Arc::clone(&unreadable.completion))),
            Question::Status(answer) => give(answer, Ok(ExecutionStatus::Quarantined)),
            Question::Why(answer) => give(answer, Ok(Why::quarantined(unreadable.reason.clone()))),
            Question::Late(answer) => give(answer, Ok(self.shard.ledger.borrow().of(execution))),
            Question::Release(answer) => match self.read_again(execution) {
                Ok(()) => self.shard.write(
                    |writer| writer.quarantine(execution, None),
                    Box::new(|_, durable| give(answer, durable.map_err(|error| error.clone().into()))),
                ),
                Err(problem) => give(answer, Err(CommandError::Invalid(problem))),
            },
            Question::Command(Command::Fail { by, reason }, answer) if !reason.trim().is_empty() => {
                self.write_off(WrittenOff { execution, by, reason, at: self.shard.clock.now(), answer });
            }
            other => {
                let reason = &unreadable.reason;
                let text = format!("the execution cannot be read, it can only be released or failed: {reason}");
                other.refuse(&CommandError::Invalid(text));
            }
        }
    }

    fn write_off(&self, written_off: WrittenOff) {
        let WrittenOff { execution, at, .. } = written_off;
        let reason = written_off.reason.clone();
        self.shard.write(
            |writer| writer.write_off(execution, at, &reason),
            Box::new(move |shard, durable| match durable {
                Ok(()) => shard.note(Note::WrittenOff(Box::new(written_off))),
                Err(error) => give(written_off.answer, Err(error.clone().into())),
            }),
        );
    }

    pub(super) fn written_off(&mut self, written_off: WrittenOff) {
        let WrittenOff { execution, by, reason, at, answer } = written_off;
        if let Some(unreadable) = self.unreadable.remove(&execution) {
            self.close_one();
            self.shard.vitals.unparked();
            if let Some(outcome) = declared_failed(&by, &reason, at) {
                unreadable.completion.end(execution, Arc::new(outcome));
            }
        }
        give(answer, Ok(()));
    }
}

/// How an execution ended that was declared failed without being read; none for a blank reason.
pub(super) fn declared_failed(by: &str, reason: &str, at: Time) -> Option<Outcome> {
    Some(Outcome {
        completed_at: at,
        decided_by: DecidedBy::Operator { by: by.to_owned() },
        counts: Counts::default(),
        end: End::Failed { error: ExecutionError::new(reason, Vec::new())? },
    })
}
