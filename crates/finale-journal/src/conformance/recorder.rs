//! A listener that remembers what it was told, and finds what it must not be told.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::{JournalError, Listener, Position};

/// What one writer was told.
#[derive(Clone, Debug, Default)]
pub(super) struct Recorder(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    heard: Mutex<Heard>,
    told: Condvar,
}

#[derive(Debug, Default)]
struct Heard {
    /// How many writes were begun: the listener may be told of one before the call that makes it returns.
    begun: u64,
    watermark: Position,
    times: usize,
    error: Option<JournalError>,
    /// The first thing that should not have been told. It is kept, because a panic on the journal's thread is not seen.
    wrong: Option<String>,
}

impl Recorder {
    pub(super) fn listener(&self) -> Listener {
        let recorder = self.clone();
        Listener::new(move |told| recorder.hear(told))
    }

    pub(super) fn begin(&self) {
        self.heard().begun += 1;
    }

    pub(super) fn refused(&self) {
        self.heard().begun -= 1;
    }

    /// How far it was told that things are durable.
    pub(super) fn watermark(&self) -> Position {
        self.heard().watermark
    }

    /// How often it was told a watermark.
    pub(super) fn times(&self) -> usize {
        self.heard().times
    }

    /// Waits until it was told of that position.
    pub(super) fn wait(&self, position: Position, patience: Duration) {
        let end = Instant::now() + patience;
        let mut heard = self.heard();
        while heard.watermark < position && heard.error.is_none() && heard.wrong.is_none() {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{position:?} was not acknowledged in {patience:?}: {:?} is", heard.watermark);
            heard = self.0.told.wait_timeout(heard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let told = heard.watermark;
        let error = heard.error.clone();
        drop(heard);
        self.check();
        assert!(told >= position, "the listener was told {error:?} in place of {position:?}");
    }

    /// Waits until it was told of that position, or of an error.
    pub(super) fn wait_or_error(&self, position: Position, patience: Duration) -> Result<(), JournalError> {
        let end = Instant::now() + patience;
        let mut heard = self.heard();
        while heard.watermark < position && heard.error.is_none() && heard.wrong.is_none() {
            let left = end.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "neither {position:?} nor an error was told in {patience:?}");
            heard = self.0.told.wait_timeout(heard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let (watermark, error) = (heard.watermark, heard.error.clone());
        drop(heard);
        self.check();
        if watermark >= position { Ok(()) } else { error.map_or(Ok(()), Err) }
    }

    /// Panics if it was told what it must not be told.
    pub(super) fn check(&self) {
        let wrong = self.heard().wrong.clone();
        if let Some(wrong) = wrong {
            panic!("{wrong}");
        }
    }

    fn hear(&self, told: Result<Position, JournalError>) {
        self.heard().hear(told);
        self.0.told.notify_all();
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
    fn hear(&mut self, told: Result<Position, JournalError>) {
        match told {
            Ok(position) => {
                let wrong = self.wrong_with(position);
                self.wrong = self.wrong.take().or(wrong);
                self.watermark = self.watermark.max(position);
                self.times += 1;
            }
            Err(error) => self.error = Some(error),
        }
    }

    fn wrong_with(&self, position: Position) -> Option<String> {
        let Self { begun, watermark, .. } = *self;
        if let Some(error) = &self.error {
            return Some(format!("the watermark {position:?} came after the error {error:?}"));
        }
        if position < watermark {
            return Some(format!("the watermark went back from {watermark:?} to {position:?}"));
        }
        (position.0 > begun).then(|| format!("the watermark is {position:?}, and {begun} were written"))
    }
}
