//! A writer under observation.

use std::fmt;
use std::time::Duration;

use finale_core::{ExecutionId, Time};

use super::recorder::Recorder;
use super::subject::Step;
use crate::{Appended, JournalError, Position, Quarantine, Writer};

/// A writer of which every answer is checked: its positions rise by one, and everything is acknowledged in order.
pub(super) struct Pen {
    writer: Box<dyn Writer>,
    recorder: Recorder,
    patience: Duration,
    position: Position,
    /// The last that the writer did not call durable itself.
    awaited: Position,
}

impl fmt::Debug for Pen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pen").field("position", &self.position).field("awaited", &self.awaited).finish()
    }
}

impl Pen {
    pub(super) fn new(writer: Box<dyn Writer>, recorder: Recorder, patience: Duration) -> Self {
        Self { writer, recorder, patience, position: Position::default(), awaited: Position::default() }
    }

    pub(super) fn try_append(&mut self, step: &Step) -> Result<Position, JournalError> {
        self.write(|writer| writer.append(step.append()))
    }

    pub(super) fn append(&mut self, step: &Step) -> Position {
        self.try_append(step).unwrap_or_else(|error| panic!("{} was refused: {error}", step.name()))
    }

    /// Appends, and returns the error that the append must be refused with.
    pub(super) fn refused(&mut self, step: &Step) -> JournalError {
        match self.try_append(step) {
            Ok(position) => panic!("{} was taken, at {position:?}", step.name()),
            Err(error) => error,
        }
    }

    pub(super) fn try_quarantine(
        &mut self,
        execution: ExecutionId,
        quarantine: Option<&Quarantine>,
    ) -> Result<Position, JournalError> {
        self.write(|writer| writer.quarantine(execution, quarantine))
    }

    pub(super) fn quarantine(&mut self, execution: ExecutionId, quarantine: Option<&Quarantine>) -> Position {
        self.try_quarantine(execution, quarantine).expect("a quarantine is not refused")
    }

    pub(super) fn try_write_off(
        &mut self,
        execution: ExecutionId,
        at: Time,
        error: &str,
    ) -> Result<Position, JournalError> {
        self.write(|writer| writer.write_off(execution, at, error, false))
    }

    pub(super) fn write_off(&mut self, execution: ExecutionId, at: Time, error: &str) -> Position {
        self.try_write_off(execution, at, error).expect("writing off is not refused")
    }

    /// Writes one off of whose end somebody has to be told.
    pub(super) fn write_off_to_tell(&mut self, execution: ExecutionId, at: Time, error: &str) -> Position {
        let written = self.write(|writer| writer.write_off(execution, at, error, true));
        written.expect("writing off is not refused")
    }

    pub(super) fn try_told(&mut self, executions: &[ExecutionId]) -> Result<Position, JournalError> {
        self.write(|writer| writer.told(executions))
    }

    pub(super) fn told(&mut self, executions: &[ExecutionId]) -> Position {
        self.try_told(executions).expect("that everybody was told is not refused")
    }

    pub(super) fn try_forget(&mut self, executions: &[ExecutionId]) -> Result<Position, JournalError> {
        self.write(|writer| writer.forget(executions))
    }

    pub(super) fn forget(&mut self, executions: &[ExecutionId]) -> Position {
        self.try_forget(executions).expect("forgetting is not refused")
    }

    /// Waits until everything written is durable.
    pub(super) fn settle(&self) {
        self.recorder.wait(self.awaited, self.patience);
    }

    /// Waits until that is durable.
    pub(super) fn wait(&self, position: Position) -> Result<(), JournalError> {
        if self.awaited < position { Ok(()) } else { self.recorder.wait_or_error(position, self.patience) }
    }

    /// Waits until it is told that nothing more becomes durable.
    pub(super) fn wait_for_error(&self) -> JournalError {
        let outcome = self.recorder.wait_or_error(Position(u64::MAX), self.patience);
        outcome.expect_err("not so much was written")
    }

    /// How far it is known that things are durable: by the listener, and by what appends returned.
    pub(super) fn durable(&self) -> Position {
        let told = self.recorder.watermark();
        if told >= self.awaited { self.position } else { told }
    }

    pub(super) fn recorder(&self) -> Recorder {
        self.recorder.clone()
    }

    fn write(
        &mut self,
        write: impl FnOnce(&mut dyn Writer) -> Result<Appended, JournalError>,
    ) -> Result<Position, JournalError> {
        self.recorder.begin();
        let Appended { position, durable } = write(&mut *self.writer).inspect_err(|_| self.recorder.refused())?;
        assert_eq!(position, Position(self.position.0 + 1), "positions rise by one with everything written, from 1");
        self.position = position;
        if !durable {
            self.awaited = position;
        }
        self.recorder.check();
        Ok(position)
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.recorder.check();
        }
    }
}
