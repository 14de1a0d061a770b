//! Wall time that never runs backwards and follows a paused test clock.

use std::time::{SystemTime, UNIX_EPOCH};

use finale_core::Time;
use tokio::time::Instant;

/// The wall clock as it was at the start, plus the monotonic time since.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    wall: Time,
    monotonic: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::at(Time::from_micros(since.as_micros() as i64))
    }

    /// Begins at that moment.
    pub(crate) fn at(wall: Time) -> Self {
        Self { wall, monotonic: Instant::now() }
    }

    pub(crate) fn now(&self) -> Time {
        self.wall.after(self.monotonic.elapsed())
    }

    /// How long it is until a moment; nothing if it has come.
    pub(crate) fn until(&self, moment: Time) -> std::time::Duration {
        moment.since(self.now())
    }
}
